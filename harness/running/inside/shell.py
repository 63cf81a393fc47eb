"""Executes commands for whoever holds the other end of a socket, one after another, in a sandbox.

Only the text of this file goes into the sandbox; what it answers is the agent's own word. What a
command leaves running in the background goes on.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

KEPT = 16_000
"""Characters of each end of an output."""
SETTLE_S = 0.1
"""For output that is still under way when a command has ended."""


class Output:
    """The beginning and the end of what a command printed."""

    def __init__(self) -> None:
        self._head, self._tail, self._left_out = b"", b"", 0

    def add(self, part: bytes) -> None:
        """Appends."""
        room = KEPT - len(self._head)
        self._head += part[:room]
        self._tail += part[room:] if room < len(part) else b""
        if len(self._tail) > 2 * KEPT:
            self._left_out += len(self._tail) - KEPT
            self._tail = self._tail[-KEPT:]

    def text(self) -> str:
        """Returns it, and says how much is missing in between."""
        between = f"\n[{self._left_out} bytes left out]\n" if self._left_out else ""
        head, tail = (part.decode("utf-8", "replace") for part in (self._head, self._tail))
        return head + between + tail


def execute(command: str, timeout_s: float) -> dict[str, object]:
    """Runs a command with bash; ends all of its group when the time is up."""
    child = subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    output, deadline = Output(), time.monotonic() + timeout_s
    with child.stdout, selectors.DefaultSelector() as streams:
        os.set_blocking(child.stdout.fileno(), False)
        streams.register(child.stdout, selectors.EVENT_READ)
        ended: float | None = None
        while True:
            now = time.monotonic()
            if ended is None and child.poll() is not None:
                ended = now
            if now >= deadline or (ended is not None and now >= ended + SETTLE_S):
                break
            if streams.get_map() and streams.select(0.05):
                part = child.stdout.read(1 << 16)
                if part:
                    output.add(part)
                else:
                    streams.unregister(child.stdout)
            elif not streams.get_map():
                time.sleep(0.01)
    late = child.poll() is None
    if late:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return {"output": output.text(), "exit_code": None if late else child.returncode}


def main() -> None:
    """Answers requests, a line each, until the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    with control, control.makefile("rb") as lines:
        for line in lines:
            request = json.loads(line)
            try:
                said = execute(request["command"], request["timeout_s"])
            except (OSError, ValueError) as error:
                said = {"output": f"the command could not be started: {error}", "exit_code": 127}
            control.sendall(json.dumps({**said, "id": request["id"]}).encode() + b"\n")


if __name__ == "__main__":
    main()
