"""Which processes run below another one, and how they stand: read from `/proc`, never signalled."""

import os
from contextlib import suppress

DEAD = ("Z", "X")
STOPPED = "T"
"""States as `/proc` has them."""


def below(process: int) -> list[int]:
    """Returns every process that descends from one, parents first; one may have ended since."""
    found = [process]
    for one in found:
        found += children(one)
    return found[1:]


def children(process: int) -> list[int]:
    """Returns the processes that a process has started, or taken over from others that ended."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            found += map(int, text(f"/proc/{process}/task/{thread}/children").split())
    return found


def state(process: int) -> str:
    """Returns how a process stands, as one letter; empty when it is gone."""
    return text(f"/proc/{process}/stat").rpartition(")")[2][1:2]


def resident_pages(process: int) -> int:
    """Returns the pages of memory that a process has; 0 when it is gone."""
    words = text(f"/proc/{process}/statm").split()
    return int(words[1]) if len(words) > 1 else 0


def text(path: str) -> str:
    """Returns what a file of `/proc` says; empty when its process has ended."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
