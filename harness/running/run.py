"""One run from its first moment to its last."""

import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import current_thread, main_thread
from typing import NamedTuple

from harness import scoring, snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError, SnapshotRefused, UsageError, unusable
from harness.normalise import pick
from harness.running.clock import Clock
from harness.running.recorder import Recorder
from harness.running.room import Room, Say, Worker, deadline, gifts
from harness.trajectory import EventKind

FAILED = "failed: "
"""How the reason of a run begins that ended through no doing of the agent."""


class Ended(NamedTuple):
    """What came of a run."""

    folder: AttemptFolder
    reason: str
    """`exit N`, `submitted`, `time`, `limit: …`, `interrupted`, `failed: …`."""
    elapsed_s: float
    entries: int
    entry: int | None
    """The one that counts."""
    score: float | None
    failure: HarnessError | None = None


def run(
    environment: Environment,
    target: Path,
    worker: Worker,
    *,
    budget_s: float | None = None,
    profile: str = "cpu",
    seed: int = 0,
    given: Sequence[Path] = (),
    say: Say = lambda _: None,
) -> Ended:
    """Makes an attempt in `target` and lets `worker` work at it until it is done or out of time.

    Scores that it asks for are logged when it asks; one more is taken of what it leaves.

    Args:
        environment: the task.
        target: the attempt folder to make.
        worker: who works.
        budget_s: seconds by the parent's clock; the profile's own when omitted.
        profile: `tiny`, `cpu` or `full`.
        seed: fixes the visible instance.
        given: files and folders that the agent may read.
        say: told what happens.

    Raises:
        UsageError: `target` is in use, the budget is no time, or something given is not there.
        ScorerFailure: the instance cannot be made.
    """
    budget = environment.profile(profile).budget_s if budget_s is None else budget_s
    if budget <= 0:
        raise UsageError("A budget of no time at all.", hint="Write for example --budget 30m.")
    gift = gifts(given)
    folder = scoring.new(
        environment, target, profile=profile, seed=seed, agent=worker.agent, human=worker.human,
        time_budget_s=budget, say=say,
    )  # fmt: skip
    since = (datetime.now(UTC) - folder.attempt().start).total_seconds()
    clock = Clock(budget, since)
    recorder = Recorder(folder.root, lambda: clock.elapsed_s)
    instructions = folder.workspace / "instructions.md"
    task = instructions.read_text("utf-8") if instructions.is_file() else environment.facts.title
    recorder.add(EventKind.MESSAGE, who="user", text=task)
    with tempfile.TemporaryDirectory(prefix="run-") as scratch:
        room = Room(folder, environment, clock, recorder, Path(scratch), gift, say)
        reason, failure = _worked(room, worker)
    return _finished(room, reason, failure)


def _worked(room: Room, worker: Worker) -> tuple[str, HarnessError | None]:
    """Lets the worker work; whatever ends it, the run has an end."""
    try:
        with _interruptible():
            return worker.work(room), None
    except KeyboardInterrupt:
        return "interrupted", None
    except HarnessError as error:
        return f"{FAILED}{error}", error
    except OSError as error:
        return f"{FAILED}{unusable(error)}", unusable(error)


def _finished(room: Room, reason: str, failure: HarnessError | None) -> Ended:
    """Takes the last score, as of the moment when everything was stopped, and notes the end.

    What was just scored is not scored again: that would be one more draw from the noise.
    """
    folder, clock = room.folder, room.clock
    # All was at rest by the deadline, however long it took to clear up.
    end = max(min(datetime.now(UTC), deadline(folder, clock)), room.busy_until)
    elapsed_s = min(clock.elapsed_s, clock.budget_s)
    if not _scored(folder):
        room.say("taking the last score")
        line = scoring.answer(folder, room.environment, at=end, paused_s=clock.paused_s)
        room.recorder.add(EventKind.SCORE, who="harness", entry=line.index, score=line.score)
    room.recorder.note(f"end: {reason}", paused_s=round(clock.paused_s, 3))
    folder.finish(end, transcript=room.recorder.sha256)
    lines = folder.scores()
    picked = pick(lines, room.environment.facts)
    return Ended(
        folder,
        reason,
        elapsed_s,
        len(lines),
        picked.index if picked else None,
        picked.score if picked else None,
        failure,
    )


def _scored(folder: AttemptFolder) -> bool:
    """Whether the last entry is of the workspace as it is now."""
    lines = folder.scores()
    try:
        return bool(lines) and snapshot.unchanged(folder.workspace, folder, lines[-1].commit)
    except SnapshotRefused:
        return False


@contextmanager
def _interruptible() -> Iterator[None]:
    """Makes a polite request to end, such as a service's, as good as Ctrl-C."""
    if current_thread() is not main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
