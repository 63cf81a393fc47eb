"""Watches runs from inside and from outside, without those who start them having to know.

    with sandbox.witnessed() as witness:
        environment.classic(tree, protected, profile)
    witness.reports

Every run that this thread starts meanwhile loads `inside/` into each Python of its own accord, and
is sampled from outside. What the inside says may be silenced or made up by the program it watches:
it can speak against that program, and never for it.
"""

import compileall
import contextlib
import fcntl
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.sandbox.records import Interpreter, read
from harness.sandbox.sampling import EVERY_S, Process, Sampled, Sampler

PLACE = "/run/witness"
"""Where the inside part lies in a watched run."""
INSIDE = Path(__file__).with_name("inside")
LOG_BYTES = 16 << 20
"""What is kept of the beginning of a run's log; a flood behind it changes nothing."""
PIPE_BYTES = 1 << 20
START_LOOKS = 10
"""A Python that was seen more often than this had time to load the inside part."""


@dataclass(frozen=True)
class Report:
    """What was seen of one run."""

    command: tuple[str, ...]
    outside: Sampled
    interpreters: tuple[Interpreter, ...] = ()
    """The Pythons that spoke, in the order of their first words."""
    cut: bool = False
    """The log was longer than what is kept."""
    malformed: int = 0
    """Lines of the log that are no records of ours."""
    reason: str = ""
    """Why nothing was seen; empty when it was."""

    @property
    def silent(self) -> tuple[Process, ...]:
        """Pythons that ran and never spoke: started with -I, -S or -E, or without our variable."""
        spoke = {interpreter.pid for interpreter in self.interpreters}
        return tuple(
            process
            for process in self.outside.processes
            if re.fullmatch(r"python[\d.]*", process.exe.rpartition("/")[2])
            and process.looks > START_LOOKS
            and process.pid not in spoke
        )


@dataclass
class Witness:
    """Collects a report per run."""

    operators: bool = False
    """Also list tensor operators: it takes time, and compiled functions run in parts."""
    only: Callable[[Path], bool] = lambda _: True
    """Says by its workspace whether a run is watched."""
    reports: list[Report] = field(default_factory=list)


class Observer(Protocol):
    """Looks at one run."""

    readonly: Mapping[str, Path]
    """What the run is given besides."""

    def env(self, env: Mapping[str, str]) -> Mapping[str, str]:
        """Returns the run's variables, from those that were asked for."""

    def began(self, root: Path) -> None:
        """Learns the run's file system as `/proc` shows it."""

    def look(self) -> float:
        """Looks if it is time to; returns when it will be, on the monotonic clock."""


_current: ContextVar[Witness | None] = ContextVar("witness", default=None)


@contextmanager
def witnessed(
    *, operators: bool = False, only: Callable[[Path], bool] = lambda _: True
) -> Iterator[Witness]:
    """Has the runs of this thread watched, those of `Warm` aside.

    Args:
        operators: also list tensor operators.
        only: says by its workspace whether a run is watched.
    """
    witness = Witness(operators, only)
    token = _current.set(witness)
    try:
        yield witness
    finally:
        _current.reset(token)


@contextmanager
def observed(
    command: Sequence[str], workspace: Path, folder: Path, *, isolated: bool
) -> Iterator[Observer]:
    """Yields what looks at a run while it lasts; most often nobody does.

    Args:
        command: what is run.
        workspace: as it is before the run.
        folder: a private one, for what the run is given.
        isolated: without isolation there is nothing that can be watched.
    """
    witness = _current.get()
    if witness is None or not witness.only(workspace):
        yield _Nobody()
        return
    if not isolated:
        yield _Nobody()
        reason = "without isolation a run cannot be watched"
        witness.reports.append(Report(tuple(command), Sampled(), reason=reason))
        return
    with _Watching(folder / "witness", witness.operators) as watching:
        yield watching
        witness.reports.append(watching.report(command))


class _Nobody:
    """Looks at nothing."""

    readonly: Mapping[str, Path] = {}

    def env(self, env: Mapping[str, str]) -> Mapping[str, str]:
        return env

    def began(self, root: Path) -> None:
        return None

    def look(self) -> float:
        return math.inf


class _Watching:
    """Takes in the log and samples."""

    def __init__(self, folder: Path, operators: bool) -> None:
        self.readonly: Mapping[str, Path] = {PLACE: folder}
        self._operators = operators
        self._log = bytearray()
        self._cut = False
        self._sampler: Sampler | None = None
        self._due = 0.0
        _lay_out(folder)
        # Held open for writing too, so that it does not end with the first writer.
        self._pipe = os.open(folder / "log", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def __enter__(self) -> "_Watching":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pipe)

    def env(self, env: Mapping[str, str]) -> Mapping[str, str]:
        path = ":".join([PLACE, *filter(None, [env.get("PYTHONPATH")])])
        asked = {"WITNESS_OPERATORS": "1"} if self._operators else {}
        return {**env, **asked, "PYTHONPATH": path}

    def began(self, root: Path) -> None:
        self._sampler = Sampler(root)

    def look(self) -> float:
        self._drain()
        now = time.monotonic()
        if self._sampler is not None and now >= self._due:
            self._due = self._sampler.look()
        return min(self._due, now + EVERY_S)

    def report(self, command: Sequence[str]) -> Report:
        self._drain()
        interpreters, malformed = read(bytes(self._log))
        seen = self._sampler.seen() if self._sampler else Sampled()
        return Report(tuple(command), seen, interpreters, self._cut, malformed)

    def _drain(self) -> None:
        """Takes in what was written, at most twice what the pipe holds: writers go on."""
        for _ in range(2 * PIPE_BYTES // 65536):
            try:
                part = os.read(self._pipe, 65536)
            except BlockingIOError:
                return
            room = LOG_BYTES - len(self._log)
            self._log += part[:room]
            self._cut = self._cut or len(part) > room


def _lay_out(folder: Path) -> None:
    """Makes the folder that the run is given: programs to read, and a pipe only to write to."""
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(INSIDE, folder, ignore=hidden)
    compileall.compile_dir(folder, quiet=2)  # each Python of the run would do it anew
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    os.mkfifo(folder / "log")
    (folder / "log").chmod(0o622)
