"""Runs many Python programs, one after another, without loading their packages each time.

A sandbox is kept in which Python waits with packages loaded and nothing of any attempt
(`zygote.py`); every run is a fork of it, over a fresh copy of a workspace. For untimed runs: what
is timed gets a sandbox of its own (`launch.py`).
"""

import json
import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import SandboxUnavailable
from harness.sandbox import layer as layers
from harness.sandbox import mode, root
from harness.sandbox.launch import GRACE_S, Run, scratch
from harness.sandbox.limits import EVERY_S, Limits, Watch
from harness.sandbox.mode import Mode
from harness.sandbox.plan import Plan
from harness.sandbox.session import Session

PROGRAM = Path(__file__).with_name("zygote.py")
LOADING_S = 120.0
"""Loading torch takes seconds; this is for a machine that is about to give up."""
TICK_S = 0.005
_CHUNK = 1 << 16


class Warm:
    """A sandbox with loaded packages; leaving the context ends it."""

    def __init__(
        self,
        modules: Sequence[str],
        *,
        readonly: Mapping[str, Path] = {},
        env: Mapping[str, str] = {},
        limits: Limits = Limits(),  # noqa: B008
        cpus: int | None = None,
    ) -> None:
        """Says what the sandbox has; it starts with its first run.

        Args:
            modules: packages that are loaded before any program runs.
            readonly: further files and folders by their absolute path inside.
            env: added to the fixed environment of every run.
            limits: what one run may take.
            cpus: pin all runs to this many processors.

        Raises:
            SandboxUnavailable: a mount lies in the workspace, which is replaced between runs.
        """
        if any(root.inside(name).startswith(f"{root.HOME}/") for name in readonly):
            raise SandboxUnavailable("A warm sandbox cannot mount anything inside the workspace.")
        self._modules, self._limits = tuple(modules), limits
        self._plan = Plan(mode.current(), "", readonly, {}, env, limits, cpus)
        if self._plan.how is Mode.UNSAFE:
            raise SandboxUnavailable("A warm sandbox needs isolation.")
        self._stack = ExitStack()
        self._inside: _Inside | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._end()

    def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        layer: Path,
        cwd: str = "solution",
        env: Mapping[str, str] = {},
    ) -> Run:
        """Runs a Python program in a throw-away copy of `workspace`, which itself is left alone.

        Args:
            argv: the program's path, from `cwd`, and its arguments.
            workspace: the tree that appears as `HOME`; nothing may change it meanwhile.
            layer: an empty or missing folder that receives what the run wrote.
            cwd: where the program starts, in the workspace.
            env: added to the environment of this run.

        Raises:
            SandboxUnavailable: the sandbox does not start.
        """
        layer.mkdir(parents=True, exist_ok=True)
        inside = self._inside or self._start(layer)
        layers.refill(workspace, inside.home, mode.uid() if self._plan.how is Mode.ROOT else None)
        before = layers.record(inside.home)
        asked = {"argv": list(argv), "env": dict(env), "cwd": f"{root.HOME}/{cwd}"}
        run = inside.run(asked, self._limits)
        complete, removed = layers.collect(inside.home, before, layer)
        limit = run.limit or (None if complete else "depth")
        if limit or not inside.cleared():
            self._end()  # whatever is left there is nothing to build the next run on
        return replace(run, limit=limit, layer=layer, removed=removed)

    def _start(self, layer: Path) -> "_Inside":
        with ExitStack() as stack:
            home = stack.enter_context(scratch(layer)) / "home"
            home.mkdir()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.callback(ours.close)
            words = ("python", "-c", PROGRAM.read_text("utf-8"), str(theirs.fileno()))
            with theirs:
                session, outside = stack.enter_context(
                    self._plan.started(home, (*words, *self._modules), [theirs.fileno()])
                )
            inside = _Inside(home, session, outside, ours)
            session.go()
            if inside.answer(LOADING_S) is None:
                session.end()
                said = session.stderr.text().strip()[-300:]
                raise SandboxUnavailable(f"Python did not start in the sandbox: {said}")
            self._inside, self._stack = inside, stack.pop_all()
        return inside

    def _end(self) -> None:
        self._inside = None
        self._stack.close()


class _Inside:
    """The running sandbox."""

    def __init__(self, home: Path, session: Session, outside: Path, control: socket.socket) -> None:
        self.home = home
        self._session, self._outside, self._control = session, outside, control
        self._watch = Watch(Limits(), home, outside)

    def run(self, asked: Mapping[str, object], limits: Limits) -> Run:
        """Has a program run, and says what came of it; `layer` is the caller's to fill in."""
        for tail in (self._session.stdout, self._session.stderr):
            tail.clear()
        self._watch = Watch(limits, self.home, self._outside)
        used, began = self._watch.cpu_seconds(), time.monotonic()
        self._control.send(json.dumps(asked).encode())
        told, limit = self._until_limit(began + limits.wall_s)
        survivors = 0 if limit else self._survivors()
        seconds = time.monotonic() - began
        self._session.gather(0)
        return Run(
            returncode=told.get("status"),
            seconds=seconds,
            cpu_seconds=self._watch.cpu_seconds() - used,
            timed_out=limit == "wall",
            limit=limit or self._watch.disk_exceeded(),
            stdout=self._session.stdout.text(),
            stderr=self._session.stderr.text(),
            survivors=survivors,
            layer=self.home,
        )

    def cleared(self) -> bool:
        """Has everything removed that a program left behind; says whether that was possible."""
        self._control.send(json.dumps({"clear": True}).encode())
        return self.answer(LOADING_S) == {"left": 0} and self._watch.others() == 1

    def answer(self, seconds: float) -> dict[str, int] | None:
        """Waits for the next answer at most so long; None when there is none."""
        deadline = time.monotonic() + seconds
        # The supervisor holds the socket too, so only it can tell that Python has ended.
        while not select.select([self._control], [], [], TICK_S)[0]:
            self._session.gather(0)
            if self._session.gone or time.monotonic() > deadline:
                return None
        return dict(json.loads(self._control.recv(_CHUNK)))

    def _until_limit(self, deadline: float) -> tuple[dict[str, int], str | None]:
        sample = time.monotonic() + EVERY_S
        while time.monotonic() < deadline:
            if select.select([self._control], [], [], TICK_S)[0]:
                return self.answer(0) or {}, None
            self._session.gather(0)
            if self._session.flooded():
                return {}, "output"
            if self._session.gone:
                return {}, "processes"
            if time.monotonic() >= sample:
                if limit := self._watch.exceeded():
                    return {}, limit
                sample = time.monotonic() + EVERY_S
        return {}, "wall"

    def _survivors(self) -> int:
        """Counts what the program left running besides Python itself, after a moment."""
        deadline = time.monotonic() + GRACE_S
        while (left := self._watch.others() - 1) > 0 and time.monotonic() < deadline:
            self._session.gather(0.005)
        return max(left, 0)
