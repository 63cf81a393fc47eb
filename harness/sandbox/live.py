"""A sandbox that an agent works in for hours, over the workspace itself.

Meanwhile everything in it can be stopped and woken, so that the workspace can be copied at rest.
Where its processes take too much memory, the largest is ended, as a machine of its own would do;
any other limit ends the sandbox.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import SnapshotRefused
from harness.sandbox import layer as layers
from harness.sandbox import mode, processes
from harness.sandbox.limits import EVERY_S, Limits, Watch
from harness.sandbox.mode import Mode
from harness.sandbox.plan import OUTSIDE_HOME, Plan

STOPPING_S = 10.0
"""Stopping takes milliseconds; what runs away from it for so long is not waited for."""
KILLS = 20
"""Processes in a row that are ended for their memory; then everything is."""
_TICK_S = 0.002


class Live:
    """One command in a sandbox over a workspace; leaving the context ends all of it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        workspace: Path,
        cwd: str = "solution",
        readonly: Mapping[str, Path] = {},
        env: Mapping[str, str] = {},
        limits: Limits = Limits(),  # noqa: B008
        inherited: Sequence[int] = (),
    ) -> None:
        """Says what the sandbox has; it starts with the context.

        Args:
            command: the program, found by the sandbox's own `PATH`, and its arguments.
            workspace: appears as `HOME`; it belongs to the sandbox's user meanwhile.
            cwd: where the command starts, in the workspace.
            readonly: further files and folders by their absolute path inside; anybody must be
                allowed to read them.
            env: added to the fixed environment.
            limits: what all processes together may take; `wall_s` is the caller's to keep.
            inherited: descriptors that the command keeps, under the same numbers.
        """
        self._command, self._workspace, self._limits = command, workspace.absolute(), limits
        self._plan = Plan(mode.current(), cwd, readonly, {}, env, limits, None)
        self._inherited = inherited
        self._stack = ExitStack()
        self._sample = 0.0
        self._kills = 0
        self.killed: list[str] = []
        """Programs that were ended for their memory."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._plan.how is Mode.ROOT:
                layers.give(self._workspace, mode.uid())
                stack.callback(layers.give, self._workspace, os.getuid())
            if self._plan.how is Mode.UNSAFE:
                stack.callback(layers.remove, self._workspace.parent / OUTSIDE_HOME)
            self._session, outside = stack.enter_context(
                self._plan.started(self._workspace, self._command, self._inherited)
            )
            self._namespace = _namespace(self._session.init)
            self._watch = Watch(self._limits, self._workspace, outside)
            self._session.go()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()

    @property
    def ended(self) -> bool:
        """Whether the command is over."""
        return self._session.gone

    @property
    def status(self) -> int | None:
        """What the command returned, as a shell reports it; None until it has."""
        return self._session.status

    def output(self, seen: tuple[int, int]) -> tuple[bytes, bytes, tuple[int, int]]:
        """Returns what stdout and stderr had since so many bytes each, and how many it is now."""
        out, err = self._session.stdout, self._session.stderr
        return out.since(seen[0]), err.since(seen[1]), (out.seen, err.seen)

    def look(self, seconds: float) -> str | None:
        """Takes in output for at most so long; returns the limit that ends everything, if any."""
        self._session.gather(seconds)
        now = time.monotonic()
        if now < self._sample:
            return None
        limit = self._watch.exceeded()
        if limit == "memory" and self._kills < KILLS:
            self._kills += 1
            self._end_largest()
            limit = None
        elif not limit:
            self._kills = 0
        self._sample = time.monotonic() + EVERY_S
        return limit

    @contextmanager
    def at_rest(self, wake: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Stops every process for as long as the context lasts.

        Args:
            wake: whether they go on afterwards; else they stay as they are until they are ended.

        Raises:
            SnapshotRefused: they cannot be stopped.
        """
        try:
            self._stop()
            yield
        finally:
            if wake():
                self._signal(processes.below(self._session.init), signal.SIGCONT)
            self._sample = 0.0

    def _stop(self) -> None:
        """Returns once two looks in a row find the same processes, all of them stopped."""
        deadline = time.monotonic() + STOPPING_S
        before: list[int] = []
        while time.monotonic() < deadline:
            found = processes.below(self._session.init)
            stand = {one: processes.state(one) for one in found}
            living = [one for one in found if stand[one] and stand[one] not in processes.DEAD]
            moving = [one for one in living if stand[one] != processes.STOPPED]
            if not moving and living == before:
                return
            before = living
            self._signal(moving, signal.SIGSTOP)
            time.sleep(_TICK_S if moving else 0.0)
        raise SnapshotRefused(
            "Processes in the workspace could not be stopped.", hint="End them and score again."
        )

    def _signal(self, found: Sequence[int], number: int) -> None:
        """Signals processes of the sandbox; a number may be another's by the time it is used."""
        for one in found:
            with suppress(OSError):
                handle = os.pidfd_open(one)
                try:
                    if _namespace(one) == self._namespace:
                        signal.pidfd_send_signal(handle, number)
                finally:
                    os.close(handle)

    def _end_largest(self) -> None:
        """Ends the process with most memory, but for the supervisor."""
        found = [one for one in processes.below(self._session.init) if _program(one)]
        inner = [one for one in found if one not in processes.children(self._session.init)[:1]]
        if inner:
            largest = max(inner, key=processes.resident_pages)
            self.killed.append(_program(largest))
            self._signal([largest], signal.SIGKILL)


def _namespace(process: int) -> str:
    return os.readlink(f"/proc/{process}/ns/pid")


def _program(process: int) -> str:
    return processes.text(f"/proc/{process}/comm").strip()
