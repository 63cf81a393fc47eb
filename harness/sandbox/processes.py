"""The processes of one sandbox, seen from outside through /proc."""

import os
from collections.abc import Iterator
from pathlib import Path


def namespace(pid: int) -> str | None:
    """Returns the pid namespace of a process, or None when it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def members(space: str) -> Iterator[int]:
    """Yields the host's ids of the processes in a pid namespace."""
    for name in os.listdir("/proc"):
        if name.isdigit() and namespace(int(name)) == space:
            yield int(name)


def alive(space: str) -> int:
    """Returns how many processes of a namespace are neither its init nor already ended."""
    return sum(1 for pid in members(space) if not _is_init(pid) and _state(pid) not in "ZX")


def resident_bytes(space: str) -> int:
    """Returns the resident memory of a namespace, shared pages counted once per process."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in members(space):
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except (OSError, IndexError, ValueError):
            continue
    return total


def _is_init(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in lines)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"
