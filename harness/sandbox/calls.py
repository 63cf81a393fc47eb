"""Has a hostile program answer one request at a time, with the clock and the data in our hands.

A server of ours waits inside and calls the program's function. While an input is written and while
an output is read, no process of the sandbox can run: nothing can be computed before the clock
starts or finished after it was read. The server shares its process with the program, so nothing
that it says is believed; the output is read from its memory, which is where a result must be.
"""

import fcntl
import json
import mmap
import os
import secrets
import select
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from pydantic import JsonValue

from harness.errors import SandboxUnavailable
from harness.sandbox import layer as layers
from harness.sandbox import mode
from harness.sandbox.limits import EVERY_S, Limits, Watch
from harness.sandbox.plan import Plan

STARTING_S = 120.0
"""Python starts in milliseconds; this is for a machine that is about to give up."""
FREEZING_S = 10.0
"""Stopping takes microseconds; a program that runs away from it for so long is ended."""
TICK_S = 0.005
SERVER = "/server.py"
"""Where the server's text lies inside."""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What came of one request."""

    seconds: float
    """From the moment processes could run until none could any more."""
    said: dict[str, JsonValue] = field(default_factory=dict)
    """The server's own words; empty where there were none."""
    output: bytes = b""
    """What lay in the memory that the server pointed to, once everything was stopped."""
    limit: str | None = None
    """The limit that was met; nothing is left to ask then."""
    input_changed: bool = False

    @property
    def error(self) -> str:
        """What the program raised, as the server tells it; empty when it returned."""
        error = self.said.get("error", "")
        return error if isinstance(error, str) else "an error without words"


class _Task(NamedTuple):
    """A thread: whether it can run, and how long it has."""

    process: int
    state: str
    run_time: str


class Calls:
    """A sandbox with a server; leaving the context ends it."""

    def __init__(
        self,
        server: Path,
        *words: str,
        workspace: Path,
        capacity: int,
        cwd: str = "solution",
        readonly: Mapping[str, Path] = {},
        env: Mapping[str, str] = {},
        limits: Limits = Limits(),  # noqa: B008
        cpus: int | None = None,
    ) -> None:
        """Says what the sandbox has; it starts with the context.

        Args:
            server: a Python program. It gets the numbers of two descriptors, a SOCK_SEQPACKET
                socket and the input's shared memory, then `words`. It says `{}` when it is ready;
                requests and answers are JSON messages, an answer repeats the request's `token`.
                `pointer` and `bytes` of an answer say where the output lies in its memory.
            words: further arguments.
            workspace: the tree that appears as `HOME`; nothing may change it meanwhile.
            capacity: bytes of the largest input.
            cwd: where the server starts, in the workspace.
            readonly: further files and folders by their absolute path inside.
            env: added to the fixed environment.
            limits: what the run may take; `wall_s` is for one request.
            cpus: pin the run to this many processors.
        """
        self._server, self._words = server, words
        self._workspace, self._limits = workspace, limits
        self._plan = Plan(mode.current(), cwd, {**readonly, SERVER: server}, {}, env, limits, cpus)
        self._memory = _sealed_memory(capacity)
        self._input = mmap.mmap(self._memory, capacity)
        self._thawed: set[int] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Starts the server and stops it where it waits for its first request.

        Raises:
            SandboxUnavailable: it does not start.
        """
        with ExitStack() as stack:
            stack.callback(os.close, self._memory)
            stack.callback(self._input.close)
            home = stack.enter_context(_folder()) / "home"
            self._plan.furnish(self._workspace, home)
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.callback(self._control.close)
            given = (theirs.fileno(), self._memory)
            command = ("python", SERVER, *map(str, given), *self._words)
            with theirs:
                self._session, outside = stack.enter_context(
                    self._plan.started(home, command, given)
                )
            self._watch = Watch(self._limits, home, outside)
            self._session.go()
            if self._wait(time.monotonic() + STARTING_S)[0] is None or self._freeze() is None:
                self._session.end()
                said = self._session.stderr.text().strip()[-300:]
                raise SandboxUnavailable(f"The server did not start in the sandbox: {said}")
            self._server_memory = stack.enter_context(open(f"/proc/{self._leaf()}/mem", "rb"))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()

    @property
    def stderr(self) -> str:
        """The end of what was written there so far."""
        self._session.gather(0)
        return self._session.stderr.text()

    def ask(
        self, request: Mapping[str, JsonValue], data: bytes | memoryview = b"", most: int = 0
    ) -> Answer:
        """Hands over a request with its input, and takes the answer with its output.

        Args:
            request: what the server is told.
            data: the input; it lies at the start of the shared memory.
            most: how many bytes of output are read at most.
        """
        token = secrets.token_hex(8)
        content = memoryview(data).cast("B")
        self._discard()
        self._input[: len(content)] = content
        self._control.send(json.dumps({**request, "token": token}).encode())
        began = time.monotonic()
        self._thaw()
        said, limit = self._wait(began + self._limits.wall_s, token)
        ended = None if limit else self._freeze()
        if ended is None:
            ended = self._session.end()
            return Answer(ended - began, limit=limit or "exit")
        return Answer(
            seconds=ended - began,
            said=said or {},
            output=self._read(said or {}, most),
            input_changed=memoryview(self._input)[: len(content)] != content,
        )

    def later(self, answer: Answer, most: int, seconds: float) -> bytes:
        """Lets everything run on for a while; returns what lies where the output lay."""
        self._thaw()
        time.sleep(seconds)
        return b"" if self._freeze() is None else self._read(answer.said, most)

    def _read(self, said: Mapping[str, JsonValue], most: int) -> bytes:
        pointer, size = said.get("pointer"), said.get("bytes")
        if not (isinstance(pointer, int) and isinstance(size, int) and 0 < size <= most):
            return b""
        parts, at = [], pointer
        with suppress(OSError, OverflowError, ValueError):
            while at < pointer + size:
                part = os.pread(self._server_memory.fileno(), pointer + size - at, at)
                if not part:
                    break
                parts.append(part)
                at += len(part)
        return b"".join(parts)

    def _wait(
        self, deadline: float, token: str | None = None
    ) -> tuple[dict[str, JsonValue] | None, str | None]:
        """Waits for the server; returns what it said, or the limit that came first."""
        sample = time.monotonic() + EVERY_S
        while (now := time.monotonic()) < deadline:
            if select.select([self._control], [], [], TICK_S)[0]:
                said = _parsed(self._control.recv(_CHUNK))
                if said is not None and said.get("token") == token:
                    return said, None
            self._session.gather(0)
            if self._session.flooded():
                return None, "output"
            if self._session.gone:
                return None, "exit"
            if now >= sample:
                if limit := self._watch.exceeded():
                    return None, limit
                sample = time.monotonic() + EVERY_S
        return None, "wall"

    def _discard(self) -> None:
        """Drops what was said out of turn."""
        while select.select([self._control], [], [], 0)[0] and self._control.recv(_CHUNK):
            pass

    def _freeze(self) -> float | None:
        """Stops every process; returns the clock at a moment when none could run.

        That moment lies between two looks that found every thread stopped, with the same run
        times: nothing ran from the first look to the second. None when that was not to be had.
        """
        deadline = time.monotonic() + FREEZING_S
        moving = self._thawed
        while time.monotonic() < deadline:
            _signal(moving, signal.SIGSTOP)
            before = self._look()
            clock = time.monotonic()
            moving = {task.process for task in before.values() if task.state not in "TZX"}
            if not moving and self._look() == before:
                return clock if before else None
        return None

    def _thaw(self) -> None:
        self._thawed = set(self._processes())
        _signal(self._thawed, signal.SIGCONT)

    def _look(self) -> dict[int, _Task]:
        """Returns every thread of the sandbox."""
        return {thread: task for process in self._processes() for thread, task in _threads(process)}

    def _processes(self) -> list[int]:
        """Returns every process below the sandbox's init, parents first."""
        found = [self._session.init]
        for process in found:
            found += _children(process)
        return found[1:]

    def _leaf(self) -> int:
        """Returns the server, which is the only process that no other one started from."""
        return next(one for one in self._processes() if not _children(one))


def _signal(processes: set[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    try:
        yield folder
    finally:
        layers.remove(folder)


def _sealed_memory(size: int) -> int:
    """Memory that cannot shrink under the one who reads it."""
    memory = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, size)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return memory


def _parsed(message: bytes) -> dict[str, JsonValue] | None:
    """What a hostile program sent, where it is an object in JSON."""
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _children(process: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            found += map(int, _text(f"/proc/{process}/task/{thread}/children").split())
    return found


def _threads(process: int) -> Iterator[tuple[int, _Task]]:
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            folder = f"/proc/{process}/task/{thread}"
            state = _text(f"{folder}/stat").rpartition(")")[2].split()[:1]
            if state:
                yield int(thread), _Task(process, state[0], _text(f"{folder}/schedstat"))


def _text(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""  # it has ended
