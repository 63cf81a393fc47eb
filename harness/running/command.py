"""An agent that is a program: one command that works in the sandbox until it ends."""

from dataclasses import dataclass

from harness.models import Agent, Human
from harness.running.room import Bench, Room
from harness.trajectory import EventKind

EVERY_BYTES = 1 << 16
"""Output is recorded in pieces of at least so much, or when the command is over."""


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
                pipe.take(bench, EVERY_BYTES)
            pipe.take(bench, 0)
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

    def take(self, bench: Bench, least: int) -> None:
        """Records what is new, if it is enough."""
        out, err, seen = bench.live.output(self._seen)
        if sum(seen) - sum(self._seen) <= least and least or not (out or err):
            return
        self._seen = seen
        for name, part in (("stdout", out), ("stderr", err)):
            if part:
                text = part.decode("utf-8", "replace")
                self._room.recorder.add(
                    EventKind.RESULT, of=self._action, text=text, data={"stream": name}
                )
