"""An agent that is a program: one command that works in the sandbox until it ends."""

import time
from dataclasses import dataclass

from harness.models import Agent, Human
from harness.running.room import Bench, Room
from harness.trajectory import EventKind

EVERY_BYTES, EVERY_S = 1 << 16, 10.0
"""Output is recorded when there is so much of it, or after so long."""


@dataclass(frozen=True)
class Command:
    """A command line for bash, executed in `solution/`."""

    text: str
    name: str = ""
    model: str = ""

    @property
    def agent(self) -> Agent:
        """The program, for the record."""
        return Agent(name=self.name or "command", model=self.model)

    @property
    def human(self) -> Human | None:
        """It is none."""
        return None

    def work(self, room: Room) -> str:
        """Runs the command until it ends or the time is up."""
        action = room.recorder.add(
            EventKind.ACTION, tool="command", language="shell", path="solution", text=self.text
        )
        with room.sandboxed(["bash", "-c", self.text]) as bench:
            pipe = _Pipe(room, action)
            while (reason := bench.step()) is None:
                pipe.take(bench)
            pipe.take(bench, last=True)
            status = bench.live.status
        if reason == "exit":
            reason = f"exit {status}"
        room.recorder.add(EventKind.RESULT, of=action, exit_code=status, text=reason)
        return reason


class _Pipe:
    """Records what a command prints."""

    def __init__(self, room: Room, action: int) -> None:
        self._room, self._action = room, action
        self._seen = (0, 0)
        self._next = 0.0

    def take(self, bench: Bench, *, last: bool = False) -> None:
        """Records what is new, when it is time."""
        out, err, seen = bench.live.output(self._seen)
        waiting = time.monotonic() < self._next and len(out) + len(err) < EVERY_BYTES
        if waiting and not last:
            return
        self._seen, self._next = seen, time.monotonic() + EVERY_S
        for name, part in (("stdout", out), ("stderr", err)):
            if part:
                text = part.decode("utf-8", "replace")
                self._room.recorder.add(
                    EventKind.RESULT, of=self._action, text=text, data={"stream": name}
                )
