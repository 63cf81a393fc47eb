"""A small attempt whose logs tests write, forge and crash, and the hosts that it is seen from."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import JsonValue

from harness import keys, snapshot
from harness.attempt import AttemptFolder
from harness.models import Attempt, HiddenLine, Score, ScoreLine, Split
from harness.verify import Verification, verify

START = datetime(2026, 1, 1, tzinfo=UTC)
HOME = "harness-home"
"""The host of a test, in its folder; `tests/conftest.py` names it so."""
SCORES = (3.0, 2.5, None, 1.5)
"""The classic scores of an attempt; all but the last are also measured sealed."""
FEW = SCORES[:2]
"""For tests that verify hundreds of times: fewer snapshots are read again each time."""


@contextmanager
def host(home: Path) -> Iterator[None]:
    """Makes `home` this host's keys and journal for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(home))
        yield


def begin(root: Path, run_id: str = "0123456789abcdef") -> AttemptFolder:
    """Makes an attempt without a score."""
    folder = AttemptFolder(root)
    folder.workspace.mkdir(parents=True)
    _work(folder, "start")
    start = snapshot.take(folder.workspace, folder, tag="start", message="start")
    attempt = Attempt(
        run_id=run_id, environment="none", environment_sha256="e" * 64, profile="tiny", seed=1,
        start=START, start_commit=start.commit, nonce="n" * 32, machine={"cores": 2},
        packages={"python": "3"}, measured={"start_score": 4.0},
        public_key=keys.public_hex(keys.signing_key()),
    )  # fmt: skip
    return AttemptFolder.create(root, attempt)


def score(
    folder: AttemptFolder,
    value: float | None,
    *,
    elapsed_s: float | None = None,
    message: Mapping[str, JsonValue] = MappingProxyType({"note": "größer"}),
) -> ScoreLine:
    """Changes the solution and logs a classic score, as `harness.scoring.score` does."""
    with folder.lock():
        folder.resolve()
        at = float(len(folder.scores())) if elapsed_s is None else elapsed_s
        _work(folder, f"{value} {at}")
        taken = snapshot.take(folder.workspace, folder, message="entry")
        return folder.append_score(
            scored_at=START + timedelta(seconds=at), elapsed_s=at, commit=taken.commit,
            score=Score(value=value, message=dict(message), artifacts={"out": "a" * 64}),
        )  # fmt: skip


def hide(folder: AttemptFolder, entry: int, split: Split = Split.TEST) -> HiddenLine:
    """Logs a sealed score of an entry."""
    with folder.lock():
        line = folder.scores()[entry]
        return folder.append_hidden(
            scored_at=line.scored_at, elapsed_s=10.0 + entry, commit=line.commit,
            score=Score(value=1.0 + entry), entry=entry, split=split,
        )  # fmt: skip


@cache
def original(scratch: Path, scores: tuple[float | None, ...] = SCORES) -> Path:
    """Makes an attempt and its host once for all tests of a process: they copy it."""
    place = scratch / f"original-{len(scores)}"
    place.mkdir()
    with host(place / HOME):
        folder = begin(place / "attempt")
        for entry, value in enumerate(scores):
            score(folder, value)
            if entry < len(scores) - 1:
                hide(folder, entry)
    return place


def copy(place: Path, to: Path) -> AttemptFolder:
    """Copies an attempt and the host that it was made on, which is then this test's."""
    for name in ("attempt", HOME):
        shutil.copytree(place / name, to / name, symlinks=True)
    return AttemptFolder(to / "attempt")


def seen_elsewhere(folder: AttemptFolder) -> Verification:
    """Returns what a host finds that never saw the attempt."""
    with host(folder.root.with_name("elsewhere")):
        return verify(folder.root)


def seen_without_journal(folder: AttemptFolder) -> Verification:
    """Returns what a host finds that has the key and lost its journal."""
    forgetful = folder.root.with_name("forgetful")
    forgetful.mkdir()
    shutil.copy(keys.home() / keys.KEY, forgetful)
    with host(forgetful):
        return verify(folder.root)


def assert_vouched_for(root: Path) -> None:
    """Fails unless this host made the attempt and nothing at all is open."""
    found = verify(root)
    assert (found.status, found.trust, found.problems) == ("intact", "own", ())
    assert (found.gaps, found.unsealed) == ((), ())


def _work(folder: AttemptFolder, text: str) -> None:
    (folder.workspace / "solution.py").write_text(f"# {text}\n")
