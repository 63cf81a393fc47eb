"""A person who makes an attempt: in the workspace itself, with their own tools."""

import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.models import Agent, Human
from harness.running.room import Room
from harness.trajectory import EventKind

COMMANDS = "score, log, time, end"
LINE_BYTES = 4096


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal; `show` is where answers go."""

    pool: str
    show: Callable[[str], None]

    @property
    def agent(self) -> Agent | None:
        """They are none."""
        return None

    @property
    def human(self) -> Human:
        """Their pool, for the record."""
        return Human(pool=self.pool)

    def work(self, room: Room) -> str:
        """Waits until they end or the time is up, and scores when they ask."""
        self.show(f"Your workspace is {room.folder.workspace}; begin with instructions.md there.")
        self.show(f"You have {room.clock.left_s / 60:.0f} minutes. Type one of: {COMMANDS}.")
        for line in _typed(room):
            room.recorder.add(EventKind.ACTION, tool="prompt", text=line)
            match line:
                case "":
                    continue
                case "score":
                    self.show(json.dumps(room.score()))
                case "log":
                    for row in room.log():
                        self.show(json.dumps(row))
                case "time":
                    self.show(json.dumps(room.time()))
                case "end":
                    return "submitted"
                case _:
                    self.show(f"Type one of: {COMMANDS}.")
        return "time" if room.over else "submitted"


def _typed(room: Room) -> Iterator[str]:
    """Yields the lines that are typed until nothing more comes or the time is up."""
    descriptor, rest = sys.stdin.fileno(), b""
    while not room.over:
        if not select.select([descriptor], [], [], min(1.0, room.clock.left_s))[0]:
            continue
        part = os.read(descriptor, LINE_BYTES)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        rest = rest[-LINE_BYTES:]
        for line in lines:
            if room.over:
                return
            yield line.decode("utf-8", "replace").strip()
