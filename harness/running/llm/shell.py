"""The parent's side of `inside/shell.py`: one command at a time, whatever comes back."""

import json
import socket
import time
from typing import NamedTuple

from harness.errors import HarnessError
from harness.files import parse_line
from harness.running.room import Bench

PROGRAM = "shell.py"
COMMAND_BYTES = 100_000
"""A message must fit into a socket's buffer, which nobody may be reading from."""
SPARE_S = 5.0
"""For a shell to say that a command ran out of time; then it is taken for dead."""
ANSWER_BYTES = 1 << 20


class Over(Exception):
    """The run ended while something was waited for; says why."""


class ShellLost(HarnessError):
    """The shell inside does not answer: what the agent did has ended it."""


class Said(NamedTuple):
    """What a command gave, in the sandbox's own words."""

    output: str
    exit_code: int | None


class Shell:
    """Has commands executed by the shell that lies inside."""

    def __init__(self, control: socket.socket, bench: Bench) -> None:
        self._control, self._bench = control, bench
        control.setblocking(False)
        self._number = 0
        self._rest = b""

    def run(self, command: str, timeout_s: float) -> Said:
        """Returns what a command gave.

        Raises:
            Over: the run ended meanwhile.
            ShellLost: the shell is not there any more.
        """
        encoded = command.encode("utf-8", "replace")
        if len(encoded) > COMMAND_BYTES:
            return Said(f"The command is longer than {COMMAND_BYTES} bytes.", None)
        self._number += 1
        request = {"id": self._number, "command": encoded.decode(), "timeout_s": timeout_s}
        self._send(json.dumps(request, ensure_ascii=False).encode() + b"\n")
        deadline = time.monotonic() + timeout_s + SPARE_S
        while time.monotonic() < deadline:
            stood = time.monotonic()
            if reason := self._bench.step():
                raise Over(reason) if reason != "exit" else ShellLost("The agent ended its shell.")
            deadline += max(0.0, time.monotonic() - stood - 1.0)  # it stood still for a score
            if (said := self._answer()) is not None:
                return said
        raise ShellLost("The shell in the sandbox does not answer.")

    def _send(self, message: bytes) -> None:
        try:
            self._control.sendall(message)
        except OSError as error:
            raise ShellLost(f"The shell in the sandbox takes no command: {error}.") from error

    def _answer(self) -> Said | None:
        """Returns the answer to the last request, if it is there."""
        try:
            part = self._control.recv(1 << 16)
        except BlockingIOError:
            return None
        except OSError:
            part = b""
        if not part or len(self._rest) > ANSWER_BYTES:
            raise ShellLost("The agent ended its shell.")
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            try:
                said = parse_line(line)
            except ValueError:
                continue
            if said.get("id") == self._number:
                output, code = said.get("output"), said.get("exit_code")
                return Said(
                    output if isinstance(output, str) else "",
                    code if isinstance(code, int) else None,
                )
        return None
