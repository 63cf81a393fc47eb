"""What lies in an attempt is its agent's: tests that are found there are never run as ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.audit import Auditor, Options
from auditor.cli.rule_commands import RULES
from harness import origin
from tests.attempts.court import Court

collect_ignore_glob = ["*/*"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all attempts of a module: its cache holds the references."""
    return tmp_path_factory.mktemp("harness-home")


@pytest.fixture(autouse=True)
def harness_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the shared home in the place of one for each test."""
    monkeypatch.setenv("HARNESS_HOME", str(home))
    return home


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """One auditor for all attempts, so that controls run once."""
    auditor = Auditor(Options(rules_root=RULES, replay="always"), origin.find, lambda text: None)
    yield Court(tmp_path_factory.mktemp("attempts"), auditor)
    auditor.close()
