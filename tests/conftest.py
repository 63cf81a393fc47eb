"""No test touches the keys, the journal or the cache of the person who runs it."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def harness_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives every test its own `$HARNESS_HOME`, and with it its own signing key."""
    home = tmp_path / "harness-home"
    monkeypatch.setenv("HARNESS_HOME", str(home))
    return home
