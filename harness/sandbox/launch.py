"""Executes one command in isolation and takes the time from outside.

The clock starts with the word to go, when the isolation stands. It is read when *every* process of
the namespace has ended, so work that goes on after the command counts, and then is killed: a late
writer gains nothing.
"""

import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.errors import InvalidSolution
from harness.sandbox import layer as layers
from harness.sandbox import mode
from harness.sandbox.limits import EVERY_S, Limits, Watch
from harness.sandbox.mode import Mode
from harness.sandbox.plan import Plan
from harness.sandbox.session import Session
from harness.sandbox.witness import Observer, observed

GRACE_S = 0.2
"""For processes on their way out, such as multiprocessing's resource tracker. It counts as time."""


@dataclass(frozen=True)
class Run:
    """What came of a command."""

    returncode: int | None
    """As a shell reports it (128 + n for signal n); None when the run was stopped."""
    seconds: float
    """From the word to go until no process was left."""
    cpu_seconds: float
    """Of all processes, but for children that their parent never waited for."""
    timed_out: bool
    limit: str | None
    """The limit that was met: wall, memory, processes, file, disk, depth or output."""
    stdout: str
    """Its end, at most `Limits.output_bytes`."""
    stderr: str
    survivors: int
    """Processes that were still running after the command had ended, and were killed."""
    layer: Path
    """Holds just what the run wrote or changed, by path in the workspace."""
    removed: tuple[str, ...] = ()
    """Paths of the workspace that the run removed or renamed."""


class _Ended(NamedTuple):
    seconds: float
    cpu_seconds: float
    limit: str | None
    survivors: int


def run(
    command: Sequence[str],
    *,
    workspace: Path,
    layer: Path,
    cwd: str = "solution",
    readonly: Mapping[str, Path] = {},
    writable: Mapping[str, Path] = {},
    env: Mapping[str, str] = {},
    limits: Limits = Limits(),  # noqa: B008
    cpus: int | None = None,
    inherited: Sequence[int] = (),
) -> Run:
    """Runs `command` in a throw-away copy of `workspace`, which itself is left alone.

    Args:
        command: the program, found by the run's own `PATH`, and its arguments.
        workspace: the tree that appears as `HOME`; nothing may change it meanwhile.
        layer: an empty or missing folder that receives what the run wrote.
        cwd: where the command starts, in the workspace.
        readonly: further files and folders by their path inside (absolute, or in the workspace);
            anybody must be allowed to read them.
        writable: likewise, and the run may write there; they are given to the run's user.
        env: added to the fixed environment.
        limits: what the run may take.
        cpus: pin the run to this many processors.
        inherited: descriptors that the command keeps, under the same numbers.

    Raises:
        SandboxUnavailable: this machine cannot isolate a run.
        InvalidSolution: the workspace's folders are nested too deeply to be followed.
    """
    how = mode.current()
    layer.mkdir(parents=True, exist_ok=True)
    with (
        scratch(layer) as folder,
        observed(command, workspace, folder, isolated=how is not Mode.UNSAFE) as observer,
    ):
        given = {**readonly, **observer.readonly}
        plan = Plan(how, cwd, given, writable, observer.env(env), limits, cpus)
        home = folder / "home"
        plan.furnish(workspace, home)
        try:
            before = layers.record(home)
        except layers.TooDeep as error:
            raise InvalidSolution("Folders of the workspace are nested too deeply.") from error
        with plan.started(home, command, inherited) as (session, outside):
            watch = Watch(limits, home, outside)
            observer.began(outside)
            ended = _watched(session, watch, limits, observer)
        limit = ended.limit or watch.disk_exceeded()
        complete, removed = layers.collect(home, before, layer)
        limit = limit or (None if complete else "depth")
    return Run(
        returncode=session.status,
        seconds=ended.seconds,
        cpu_seconds=ended.cpu_seconds,
        timed_out=limit == "wall",
        limit=limit,
        stdout=session.stdout.text(),
        stderr=session.stderr.text(),
        survivors=ended.survivors,
        layer=layer,
        removed=removed,
    )


def _watched(session: Session, watch: Watch, limits: Limits, observer: Observer) -> _Ended:
    waited_for = _waited_cpu_seconds()
    began = time.monotonic()
    session.go()
    limit = _until_limit(session, watch, limits, began, observer)
    survivors = 0 if limit else _survivors(session, watch, observer)
    inside = watch.cpu_seconds()
    seconds = session.end() - began
    # Without isolation nothing shows inside, and our own children's time is the next best.
    return _Ended(seconds, inside or _waited_cpu_seconds() - waited_for, limit, survivors)


def _waited_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _until_limit(
    session: Session, watch: Watch, limits: Limits, began: float, observer: Observer
) -> str | None:
    """Follows the command to its end; returns the limit that came first, if any."""
    deadline = began + limits.wall_s
    sample = began + EVERY_S
    while not session.gone:
        now = time.monotonic()
        if now >= deadline:
            return "wall"
        if session.flooded():
            return "output"
        if now >= sample:
            if limit := watch.exceeded():
                return limit
            sample = time.monotonic() + EVERY_S
        session.gather(min(deadline, sample, observer.look()) - now)
    return "output" if session.flooded() else None


def _survivors(session: Session, watch: Watch, observer: Observer) -> int:
    """Counts what the command left running, after a moment to leave by itself."""
    deadline = time.monotonic() + GRACE_S
    while (left := watch.others()) and time.monotonic() < deadline:
        session.gather(0.005)
        observer.look()
    return left


@contextmanager
def scratch(layer: Path) -> Iterator[Path]:
    """Yields a private folder on the layer's file system, so that results can be moved there.

    Its path shows in the mount table inside, so it says nothing about what the run is for.
    """
    common = Path(tempfile.gettempdir())
    beside = common if common.stat().st_dev == layer.stat().st_dev else layer.absolute().parent
    folder = Path(tempfile.mkdtemp(prefix="sandbox-", dir=beside))
    try:
        yield folder
    finally:
        layers.remove(folder)
