"""Has a hostile program answer one request at a time, with the clock and the data in our hands.

A server of ours waits inside and calls the program's function. While an input is written and while
an output is read, no process of the sandbox can run: nothing can be computed before the clock
starts or finished after it was read. The server shares its process with the program, so nothing
that it says is believed; the output is read from its memory, which is where a result must be.

Stopped processes can be woken by what they set up before, such as a timer whose signal is SIGCONT.
The kernel counts how often a thread came to run: these counts are the same after the input was
written and after the output was read, or the answer does not count.
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
from typing import BinaryIO, NamedTuple, Self

from pydantic import JsonValue

from harness.errors import SandboxUnavailable
from harness.files import parse_line
from harness.sandbox import layer as layers
from harness.sandbox import mode, processes
from harness.sandbox.limits import EVERY_S, Limits, Watch
from harness.sandbox.mode import Mode
from harness.sandbox.plan import Plan

STARTING_S = 120.0
"""Python starts in milliseconds; this is for a machine that is about to give up."""
FREEZING_S = 10.0
"""Stopping takes microseconds; a program that runs away from it for so long is ended."""
TICK_S = 0.005
SERVER = "/server.py"
"""Where the server's text lies inside."""
MOVEMENT = "movement"
"""The limit of what cannot be stopped, or ran while it was."""
_CHUNK = 1 << 16
_PIECE = 1 << 20
_WORDS = 500
"""As many characters of an error are passed on."""


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
    """A limit as a run's, `exit` or `movement`; all later answers have it too."""
    input_changed: bool = False

    @property
    def error(self) -> str:
        """What the program raised, as the server tells it; empty when it returned."""
        error = self.said.get("error", "")
        return error[:_WORDS] if isinstance(error, str) else "an error without words"


class _Task(NamedTuple):
    """A thread: whether it can run, and how often and how long it has."""

    process: int
    state: str
    """As `/proc` has it; empty when it ended while it was looked at."""
    runs: str

    @property
    def times(self) -> int:
        """How often it came to run."""
        return int(self.runs.split()[-1]) if self.runs.split() else 0


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

        Raises:
            SandboxUnavailable: without isolation not every process can be found and stopped.
        """
        self._server, self._words = server, words
        self._workspace, self._limits = workspace, limits
        self._plan = Plan(mode.current(), cwd, {**readonly, SERVER: server}, {}, env, limits, cpus)
        if self._plan.how is Mode.UNSAFE:
            raise SandboxUnavailable(
                "Calls that are timed from outside need isolation.",
                hint="Leave out `--unsafe`: without namespaces not every process can be stopped.",
            )
        self._memory = _sealed_memory(capacity)
        self._input = mmap.mmap(self._memory, capacity)
        self._still: dict[int, _Task] = {}
        self._handles: dict[int, int] = {}
        self._limit: str | None = None
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
            self._control.setblocking(False)
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
                said = self._session.stderr.text().strip().rpartition("\n")[2][:300]
                raise SandboxUnavailable(
                    f"The server did not start in the sandbox: {said or 'it said nothing'}."
                )
            if not all(task.runs.strip(" 0\n") for task in self._still.values()):
                raise SandboxUnavailable("This kernel does not count how often a thread has run.")
            self._server_memory = stack.enter_context(_opened_memory(self._leaf()))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()

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
        if self._limit:
            return Answer(0.0, limit=self._limit)
        token = secrets.token_hex(8)
        content = memoryview(data).cast("B")
        self._input[: len(content)] = content
        if self._look() != self._still:
            return self._over(MOVEMENT, time.monotonic())
        began = time.monotonic()  # whoever is woken by what is sent is woken after it
        with suppress(OSError):
            self._control.send(json.dumps({**request, "token": token}).encode())
        self._thaw()
        said, limit = self._wait(began + self._limits.wall_s, token)
        ended = None if limit else self._freeze()
        if said is None or ended is None:
            return self._over(limit or MOVEMENT, began)
        answer = Answer(
            seconds=ended - began,
            said=said,
            output=self._read(said, most),
            input_changed=not _holds(self._input, content),
        )
        # Calls may be too short to be watched while they last.
        limit = MOVEMENT if self._look() != self._still else self._watch.exceeded()
        return self._over(limit, began) if limit else answer

    def later(self, answer: Answer, most: int, seconds: float) -> bytes:
        """Lets everything run on for a while; returns what lies where the output lay."""
        if self._limit:
            return b""
        self._thaw()
        time.sleep(seconds)
        if self._freeze() is None:
            self._over(MOVEMENT, time.monotonic())
            return b""
        return self._read(answer.said, most)

    def _over(self, limit: str, began: float) -> Answer:
        """Ends everything: nothing is left to ask."""
        self._limit = limit
        return Answer(max(self._session.end() - began, 0.0), limit=limit)

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
                message = _received(self._control)
                if not message:
                    return None, "exit"
                said = _parsed(message)
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

    def _freeze(self) -> float | None:
        """Stops every process; returns the clock at a moment when none could run.

        That moment lies between two looks that found every thread stopped and having run as often
        as before: nothing ran from the first look to the second. None when that was not to be had.
        """
        deadline = time.monotonic() + FREEZING_S
        self._signal(signal.SIGSTOP)
        while time.monotonic() < deadline:
            self._still = self._look()
            clock = time.monotonic()
            moving = {one.process for one in self._still.values() if one.state != processes.STOPPED}
            if not moving and self._look() == self._still:
                self._learn()
                return clock if self._still else None
            for process in moving:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
        return None

    def _thaw(self) -> None:
        allowed = self._spread()
        self._signal(signal.SIGCONT)
        for thread, processors in allowed.items():
            with suppress(OSError):
                os.sched_setaffinity(thread, processors)

    def _signal(self, number: int) -> None:
        """Signals every process that was there when all were stopped last."""
        for handle in self._handles.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)

    def _learn(self) -> None:
        """Takes a handle on each stopped process: its number may be another's when it is needed."""
        living = {task.process for task in self._still.values()}
        for process in self._handles.keys() - living:
            os.close(self._handles.pop(process))
        for process in living - self._handles.keys():
            with suppress(ProcessLookupError):  # killed for its memory, for example
                self._handles[process] = os.pidfd_open(process)

    def _spread(self) -> dict[int, set[int]]:
        """Puts stopped threads on processors in turn, the busiest first.

        They are woken from one processor and would begin there together, which a scheduler takes
        longer to mend than a short call lasts. Returns on which ones each may run.
        """
        allowed = {}
        busiest = sorted(self._still, key=lambda thread: self._still[thread].times, reverse=True)
        for place, thread in enumerate(busiest):
            with suppress(OSError):
                processors = os.sched_getaffinity(thread)
                one = sorted(processors)[place % len(processors)]
                os.sched_setaffinity(thread, {one})
                allowed[thread] = processors
        return allowed

    def _look(self) -> dict[int, _Task]:
        """Returns every living thread of the sandbox.

        What ends while it is looked at is there, too: it may have left a successor unseen.
        """
        found = (pair for process in self._processes() for pair in _threads(process))
        return {thread: task for thread, task in found if task.state not in processes.DEAD}

    def _processes(self) -> list[int]:
        """Returns every process below the sandbox's init, parents first."""
        return processes.below(self._session.init)

    def _leaf(self) -> int:
        """Returns the server, which is the only process that no other one started from."""
        return next(one for one in self._processes() if not processes.children(one))


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    try:
        yield folder
    finally:
        layers.remove(folder)


def _sealed_memory(size: int) -> int:
    """Memory that cannot shrink under the one who reads it, and whose seals are all there are."""
    memory = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, size)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    return memory


def _opened_memory(process: int) -> BinaryIO:
    try:
        return open(f"/proc/{process}/mem", "rb")
    except OSError as error:
        raise SandboxUnavailable(
            f"The memory of a sandboxed process cannot be read here: {error.strerror}."
        ) from error


def _holds(memory: mmap.mmap, content: memoryview) -> bool:
    """Returns whether memory begins with some content; in pieces, of which bytes compare fast."""
    parts = ((at, bytes(content[at : at + _PIECE])) for at in range(0, len(content), _PIECE))
    return all(memory[at : at + len(part)] == part for at, part in parts)


def _received(control: socket.socket) -> bytes:
    """Returns the next message; empty when there is none, or never will be."""
    try:
        return control.recv(_CHUNK)
    except OSError:
        return b""


def _parsed(message: bytes) -> dict[str, JsonValue] | None:
    """What a hostile program sent, where it is an object in JSON."""
    try:
        return parse_line(message)
    except ValueError:
        return None


def _threads(process: int) -> Iterator[tuple[int, _Task]]:
    try:
        threads = os.listdir(f"/proc/{process}/task")
    except OSError:
        threads = [str(process)]
    for thread in threads:
        folder = f"/proc/{process}/task/{thread}"
        state = processes.text(f"{folder}/stat").rpartition(")")[2][1:2]
        yield int(thread), _Task(process, state, processes.text(f"{folder}/schedstat"))
