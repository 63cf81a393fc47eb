"""Holds one supervised command: starts it at a word, gathers its output, ends all of it.

A supervisor shell waits for the word to go, runs the command and reports its exit status. It
belongs to another user than the command and stays until everything is ended from outside, so that
what the command left behind can be counted first.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from harness.errors import SandboxUnavailable

FLOOD_BYTES = 64 << 20
"""More output than any honest run makes; past it the run is stopped."""
START_S = 60.0
"""Setting up takes milliseconds; this is for a machine that is about to give up."""
SUPERVISOR = 'echo ready >&0; read -r _; "$@" </dev/null; echo $? >&0; read -r _'
_CHUNK = 1 << 16


class Tail:
    """The end of a stream, and how long the whole was."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._bytes = bytearray()
        self.seen = 0

    def add(self, chunk: bytes) -> None:
        """Appends to the stream."""
        self.seen += len(chunk)
        self._bytes += chunk
        if len(self._bytes) > 2 * self._keep + _CHUNK:
            del self._bytes[: -self._keep or None]

    def since(self, seen: int) -> bytes:
        """Returns what came after the first `seen` bytes, as far as it was kept."""
        new = self.seen - seen
        return bytes(self._bytes[-new:]) if new else b""

    def clear(self) -> None:
        """Begins anew."""
        self._bytes.clear()
        self.seen = 0

    def text(self) -> str:
        """Returns what was kept; bytes that are no UTF-8 are replaced."""
        return bytes(self._bytes[-self._keep :] if self._keep else b"").decode("utf-8", "replace")


class Session:
    """One supervised command; leaving the context ends it whatever happened."""

    def __init__(self, words: Sequence[str], *, pass_fds: Sequence[int], keep: int) -> None:
        """Starts the supervisor.

        Args:
            words: the supervisor's command line, isolation included.
            pass_fds: descriptors that the isolation reads.
            keep: how much of the end of each output to keep.
        """
        self.stdout, self.stderr = Tail(keep), Tail(keep)
        self.status: int | None = None
        """What the command returned; None until it has."""
        self.gone = False
        """The supervisor reported, or broke off."""
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            words, stdin=theirs.fileno(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={},
            pass_fds=pass_fds, start_new_session=True, cwd="/",
        )  # fmt: skip
        theirs.close()
        assert self._process.stdout and self._process.stderr
        self._streams = selectors.DefaultSelector()
        self._stderr = self._process.stderr.fileno()
        for stream, tail in (
            (self._process.stdout.fileno(), self.stdout),
            (self._stderr, self.stderr),
        ):
            os.set_blocking(stream, False)
            self._streams.register(stream, selectors.EVENT_READ, tail)
        self._streams.register(self._control, selectors.EVENT_READ, None)
        self.init = self._process.pid
        """The process that all others descend from, as our own namespace numbers it."""
        self._pidfd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.end()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        self._streams.close()
        self._control.close()

    def isolated(self, told: str) -> Path:
        """Learns from what bubblewrap `told` about its init; returns its root as we can see it."""
        if not told:
            self._refuse()
        self.init = int(json.loads(told)["child-pid"])
        return Path(f"/proc/{self.init}/root")

    def prepare(self) -> None:
        """Waits until the supervisor is ready.

        Raises:
            SandboxUnavailable: it never was.
        """
        self._control.settimeout(START_S)
        try:
            ready = self._control.recv(16)
        except TimeoutError:
            ready = b""
        if not ready:
            self._refuse()
        self._control.setblocking(False)
        self._pidfd = os.pidfd_open(self.init)

    def go(self) -> None:
        """Lets the command start."""
        self._control.send(b"\n")

    def gather(self, seconds: float) -> None:
        """Takes in output for at most so long, or until something happened."""
        for key, _ in self._streams.select(max(0.0, seconds)):
            if key.data is None:
                self._report()
            else:
                self._drain(key.fd, key.data)

    def flooded(self) -> bool:
        """Returns whether the output is beyond all measure."""
        return self.stdout.seen + self.stderr.seen > FLOOD_BYTES

    def end(self) -> float:
        """Kills whatever is left, waits until it has ended, and returns the clock then."""
        if self._process.returncode is not None:
            return time.monotonic()
        if self._pidfd >= 0:
            self._kill()
        else:
            self._process.kill()  # bubblewrap's init dies with it
        clock = time.monotonic()
        self._process.wait()
        for key in list(self._streams.get_map().values()):
            if key.data is not None:
                self._drain(key.fd, key.data)
        return clock

    def _kill(self) -> None:
        """Ends init, and with it the whole namespace: only then does its descriptor wake us."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if self.init == self._process.pid:  # no namespace: the group is all we can reach
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.init, signal.SIGKILL)
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._pidfd, selectors.EVENT_READ)
            waiting.select()
        os.close(self._pidfd)
        self._pidfd = -1

    def _report(self) -> None:
        try:
            said = self._control.recv(16)
        except ConnectionError:
            said = b""
        self.gone = True
        self._streams.unregister(self._control)
        if said.strip().isdigit():
            self.status = int(said)

    def _drain(self, descriptor: int, tail: Tail) -> None:
        """Takes in what is there, boundedly, and stops listening at the stream's end."""
        for _ in range(16):
            try:
                chunk = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                self._streams.unregister(descriptor)
                return
            tail.add(chunk)

    def _refuse(self) -> NoReturn:
        self._process.kill()
        self._process.wait()
        self._drain(self._stderr, self.stderr)
        said = self.stderr.text().strip()[:300]
        raise SandboxUnavailable(f"The sandbox did not start: {said or 'it said nothing'}")
