"""What tests share: nothing of the person who runs them is touched, and a toy task to work at."""

from pathlib import Path

import pytest

from tests.harness.toy import Terminal, environment, mould


@pytest.fixture(autouse=True)
def harness_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives every test its own `$HARNESS_HOME`, and with it its own signing key."""
    home = tmp_path / "harness-home"
    monkeypatch.setenv("HARNESS_HOME", str(home))
    return home


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Runs the two commands as a person at a terminal would."""
    return Terminal(capsys, monkeypatch)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder to make attempts in."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The toy environment, written down for this test alone."""
    return environment(tmp_path / "say_a_number")


@pytest.fixture(scope="module")
def moulded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One scored attempt that the tests of a module copy."""
    return mould(tmp_path_factory.mktemp("mould"))
