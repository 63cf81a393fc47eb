"""Killed at any moment, the harness leaves a log that is intact and loses nothing sealed."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest

from harness import chain, journal, keys
from harness.attempt import AttemptFolder
from harness.errors import LogForged, UsageError
from harness.journal import LogName
from harness.models import HiddenLine, Line, Score, ScoreLine, Split
from harness.verify import verify
from tests.harness import logbook

CHILDREN = get_context("forkserver")
CHILDREN.set_forkserver_preload(["__main__", "pytest", "harness.verify"])  # once, not per child
STEPS = {"os.rename", "os.remove", "os.mkdir", "os.chmod", "os.link", "os.truncate"}
"""Audit events before which a process is killed; opening to write and syncing come on top."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
END = datetime(2026, 1, 2, tzinfo=UTC)
CRASHED, NEXT = 0.75, 0.25
"""Scores of the append that is killed, and of the one that follows it."""
Act = Callable[[AttemptFolder, float], object]
Leave = Callable[[AttemptFolder], None]


def score(folder: AttemptFolder, value: float) -> ScoreLine:
    """All of it: lock, snapshot, line, note, head."""
    return logbook.score(folder, value)


def score_again(folder: AttemptFolder, value: float) -> ScoreLine:
    """The log's part alone: the snapshot is one that is there."""
    last = folder.scores()[-1]
    return folder.append_score(
        scored_at=last.scored_at, elapsed_s=last.elapsed_s, commit=last.commit,
        score=Score(value=value),
    )  # fmt: skip


def hide(folder: AttemptFolder, value: float) -> HiddenLine:
    last = folder.scores()[-1]
    return folder.append_hidden(
        scored_at=last.scored_at, elapsed_s=99.0, commit=last.commit, score=Score(value=value),
        entry=last.index, split=Split.VALIDATION,
    )  # fmt: skip


# A process that dies


class Fate:
    """Kills this process at a numbered step: before it, or with half of it on the disk.

    A step is what changes the attempt or the host's own folder; scratch files are nobody's.
    """

    def __init__(self, place: Path, at: int, *, torn: bool) -> None:
        self._roots = (f"{place / 'attempt'}/", f"{place / logbook.HOME}/")
        self._left, self._torn, self._sync = at, torn, os.fsync

    def befall(self) -> None:
        """Begins to count."""
        os.fsync = self._before_sync  # type: ignore[assignment]
        if not self._torn:
            sys.addaudithook(self._before_step)

    def _before_step(self, event: str, facts: tuple[object, ...]) -> None:
        flags = facts[2] if event == "open" and isinstance(facts[2], int) else 0
        path = str(facts[0])
        if (flags & WRITING or event in STEPS) and path.startswith(self._roots):
            if self._left == 0 and flags & os.O_TRUNC:
                self._left += 1  # for the next line, which is a step as well
                os.truncate(path, 0)  # opened, and nothing written yet
            self._step()

    def _before_sync(self, descriptor: int) -> None:
        self._step(descriptor if self._torn else None)
        self._sync(descriptor)

    def _step(self, descriptor: int | None = None) -> None:
        if self._left == 0:
            if descriptor is not None:
                tear(Path(f"/proc/self/fd/{descriptor}"))
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def tear(path: Path) -> None:
    """Leaves half of the last line of a file."""
    if path.is_file():
        text = path.read_bytes()
        begin = text[:-1].rfind(b"\n") + 1
        os.truncate(path, begin + (len(text) - begin) // 2)


def die(place: Path, act: Act, at: int, torn: bool) -> None:
    """Runs in a process of its own."""
    os.environ["HARNESS_HOME"] = str(place / logbook.HOME)
    tempfile.tempdir = str(place)
    Fate(place, at, torn=torn).befall()
    act(AttemptFolder(place / "attempt"), CRASHED)


def deaths(
    original: Path, scratch: Path, act: Act, *, torn: bool, before: Leave | None = None
) -> Iterator[AttemptFolder]:
    """Yields what a process leaves that is killed at the first step, the second, and so on."""
    for at in count():
        place = scratch / f"{'torn' if torn else 'killed'}-{at}"
        folder = logbook.copy(original, place)
        with logbook.host(place / logbook.HOME):
            if before:
                before(folder)
            child = CHILDREN.Process(target=die, args=(place, act, at, torn))
            child.start()
            child.join()
            if child.exitcode == 0:
                return
            assert child.exitcode == -signal.SIGKILL
            yield folder


# What a crash leaves


def assert_goes_on(folder: AttemptFolder, log: LogName, act: Act) -> None:
    """The log is intact, nothing sealed is lost, and the next run makes it whole."""
    found = verify(folder.root)
    assert (found.status, found.trust, found.problems, found.gaps) == ("intact", "own", (), ())
    sealed = folder.scores(), folder.hidden()
    line = act(folder, NEXT)
    scores, hidden = folder.scores(), folder.hidden()
    assert (scores if log == "scores" else hidden)[-1] == line
    assert (scores[: len(sealed[0])], hidden[: len(sealed[1])]) == sealed
    assert [at.score for at in (*scores, *hidden)].count(CRASHED) <= 2
    logbook.assert_vouched_for(folder.root)
    assert_noted(folder, "scores", scores)
    assert_noted(folder, "hidden", hidden)


def assert_noted(folder: AttemptFolder, log: LogName, lines: Sequence[Line]) -> None:
    """The journal knows every line, so that not one of them can be rolled back unseen."""
    run_id = folder.attempt().run_id
    assert all(journal.knows(run_id, log, line.index, line.hash) for line in lines)


@pytest.fixture
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return logbook.original(tmp_path_factory.getbasetemp(), logbook.FEW)


ACTS: dict[str, tuple[LogName, Act, int]] = {
    "a classic score": ("scores", score, 15),
    "a sealed score": ("hidden", hide, 8),
}
"""The log, what is done to it, and how many steps that has at least."""


@pytest.mark.slow
@pytest.mark.parametrize(("log", "act", "least"), ACTS.values(), ids=ACTS)
def test_a_process_may_be_killed_at_every_step_of(
    original: Path, tmp_path: Path, log: LogName, act: Act, least: int
) -> None:
    killed = 0
    for folder in deaths(original, tmp_path, act, torn=False):
        assert_goes_on(folder, log, act)
        killed += 1
    assert killed > least


@pytest.mark.parametrize(("log", "act", "least"), ACTS.values(), ids=ACTS)
def test_every_write_may_be_torn_of(
    original: Path, tmp_path: Path, log: LogName, act: Act, least: int
) -> None:
    torn = 0
    for folder in deaths(original, tmp_path, act, torn=True):
        assert_goes_on(folder, log, act)
        torn += 1
    assert torn >= 4, "the line, the note, the head and its folder"


# A crash after a crash


def crashed_line(folder: AttemptFolder) -> ScoreLine:
    lines = folder.scores()
    fields = lines[-1].model_dump(exclude={"index", "prev", "hash"}) | {"score": CRASHED}
    return chain.make(ScoreLine, lines, fields)


def write(folder: AttemptFolder, text: bytes) -> None:
    with (folder.root / "scores.jsonl").open("ab") as file:
        file.write(text)


def half_a_line(folder: AttemptFolder) -> None:
    write(folder, chain.encode(crashed_line(folder))[:200])


def a_line(folder: AttemptFolder) -> None:
    write(folder, chain.encode(crashed_line(folder)))


def a_line_and_half_its_note(folder: AttemptFolder) -> None:
    a_line_and_its_note(folder)
    tear(keys.home() / "journal.jsonl")


def a_line_and_its_note(folder: AttemptFolder) -> None:
    line = crashed_line(folder)
    write(folder, chain.encode(line))
    journal.record(folder.attempt().run_id, "scores", line.index, line.hash)


def a_line_half_set_aside(folder: AttemptFolder) -> None:
    line = chain.encode(crashed_line(folder))
    write(folder, line)
    (folder.root / "scores.unsealed.jsonl").write_bytes(line[:200])


LEFT: dict[str, tuple[Leave, bool]] = {
    "half a line": (half_a_line, False),
    "a line": (a_line, False),
    "a line and half its note": (a_line_and_half_its_note, False),
    "a line and its note": (a_line_and_its_note, True),
    "a line half set aside": (a_line_half_set_aside, False),
}
"""What a crash may leave, and whether the line is the harness's without doubt."""
left = pytest.mark.parametrize(("leave", "kept"), LEFT.values(), ids=LEFT)


@left
def test_the_next_run_resolves_what_a_crash_left_as(
    original: Path, tmp_path: Path, leave: Leave, kept: bool
) -> None:
    folder = logbook.copy(original, tmp_path)
    expected = (*folder.scores(), *([crashed_line(folder)] if kept else []))
    leave(folder)
    found = verify(folder.root)
    assert (found.status, found.problems, found.gaps) == ("intact", (), ())
    assert len(found.unsealed) == 1
    folder.resolve()
    assert folder.scores() == expected
    assert (folder.root / "scores.unsealed.jsonl").exists() is not kept
    logbook.assert_vouched_for(folder.root)


@pytest.mark.slow
@left
def test_it_may_be_killed_while_it_resolves(
    original: Path, tmp_path: Path, leave: Leave, kept: bool
) -> None:
    killed = 0
    for folder in deaths(original, tmp_path, score_again, torn=False, before=leave):
        assert_goes_on(folder, "scores", score_again)
        assert CRASHED in [line.score for line in folder.scores()] or not kept
        killed += 1
    assert killed > 8


@left
def test_its_writes_may_be_torn_while_it_resolves(
    original: Path, tmp_path: Path, leave: Leave, kept: bool
) -> None:
    torn = 0
    for folder in deaths(original, tmp_path, score_again, torn=True, before=leave):
        assert_goes_on(folder, "scores", score_again)
        assert CRASHED in [line.score for line in folder.scores()] or not kept
        torn += 1
    assert torn >= 4


def test_a_noted_line_cannot_be_cut_off_before_it_is_sealed(original: Path, tmp_path: Path) -> None:
    folder = logbook.copy(original, tmp_path)
    before = (folder.root / "scores.jsonl").read_bytes()
    a_line_and_its_note(folder)
    for rest in (b"", b'{"artifacts":{', chain.encode(crashed_line(folder)).replace(b"75", b"01")):
        (folder.root / "scores.jsonl").write_bytes(before + rest)
        assert verify(folder.root).status == "forged"
        with pytest.raises(LogForged):
            folder.resolve()


def test_half_a_line_after_a_noted_one_takes_nothing_along(original: Path, tmp_path: Path) -> None:
    folder = logbook.copy(original, tmp_path)
    a_line_and_its_note(folder)
    write(folder, b"{")
    folder.resolve()
    assert folder.scores()[-1].score == CRASHED
    assert (folder.root / "scores.unsealed.jsonl").read_bytes() == b"{\n"
    logbook.assert_vouched_for(folder.root)


# The end of an attempt


def end(folder: AttemptFolder, _: float) -> None:
    folder.finish(END)


@pytest.mark.parametrize(
    "torn",
    [pytest.param(False, id="killed", marks=pytest.mark.slow), pytest.param(True, id="torn")],
)
def test_a_process_may_be_killed_while_it_ends_an_attempt(
    original: Path, tmp_path: Path, torn: bool
) -> None:
    met = 0
    for folder in deaths(original, tmp_path, end, torn=torn):
        sealed = folder.scores(), folder.hidden()
        found = verify(folder.root)
        assert (found.status, found.problems, found.gaps, found.unsealed) == ("intact", (), (), ())
        if folder.attempt().end is None:
            folder.finish(END)
        assert folder.attempt().end == END
        hide(folder, NEXT)
        assert (folder.scores(), folder.hidden()[:-1]) == sealed
        logbook.assert_vouched_for(folder.root)
        met += 1
    assert met >= 5, "four heads and attempt.json"


def test_an_end_is_signed(original: Path, tmp_path: Path) -> None:
    folder = logbook.copy(original, tmp_path)
    before = (folder.root / "attempt.json").read_bytes()
    folder.finish(END)
    logbook.assert_vouched_for(folder.root)
    ended = (folder.root / "attempt.json").read_bytes()
    for changed in (before, ended.replace(b"2026-01-02", b"2026-01-03")):
        assert changed != ended
        (folder.root / "attempt.json").write_bytes(changed)
        assert verify(folder.root).status == "forged"
    (folder.root / "attempt.json").write_bytes(ended)
    with pytest.raises(UsageError, match="has ended"):
        folder.finish(END)
