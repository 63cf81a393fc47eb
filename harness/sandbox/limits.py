"""Decides when a run has had enough, by watching its namespace from outside.

The kernel's own limits stop single processes; what a run takes in total is sampled. Sampling goes
through the namespace's own process table, so it costs nothing inside and misses no descendant.
"""

import os
import resource
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.sandbox import layer
from harness.sandbox.mode import program

EVERY_S = 0.5
"""Between two samples: what a flood can take until then fits on any machine that runs torch."""
_WALK_SHARE = 0.05
"""Walking the workspace takes at most this share of the watcher's time."""
_OURS = (1, 2)
"""bubblewrap's init and the supervisor, as their namespace numbers them."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Limits:
    """What a run may take."""

    wall_s: float = 600.0
    """Seconds on the parent's clock."""
    memory_bytes: int = 8 << 30
    """Memory of all processes together, memory file systems included."""
    processes: int = 512
    """Processes and threads alive at once."""
    file_bytes: int = 2 << 30
    """Size of one file."""
    disk_bytes: int = 4 << 30
    """Growth of the workspace; holes count as if they were filled."""
    output_bytes: int = 1 << 20
    """What is kept of the end of stdout and of stderr."""


class Task(NamedTuple):
    """A process as its namespace numbers it."""

    pid: int
    state: str
    threads: int
    cpu_seconds: float
    """Its own and that of the children it has waited for."""


def bounds(limits: Limits) -> list[str]:
    """Returns the command prefix that sets the kernel's own limits.

    They are backstops a little above the watched ones, so that what is stopped is also named.
    """
    wanted = {
        "as": (resource.RLIMIT_AS, 4 * limits.memory_bytes + (16 << 30)),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "nproc": (resource.RLIMIT_NPROC, limits.processes + limits.processes // 4),
        "nofile": (resource.RLIMIT_NOFILE, 4096),
        "core": (resource.RLIMIT_CORE, 0),
    }
    words = [program("prlimit")]
    for name, (kind, value) in wanted.items():
        most = resource.getrlimit(kind)[1]
        words.append(f"--{name}={value if most == resource.RLIM_INFINITY else min(value, most)}")
    return [*words, "--"]


class Watch:
    """Samples one run; `root` is its file system as `/proc` shows it.

    Without isolation there is no process table to look at: only the workspace is watched then.
    """

    def __init__(self, limits: Limits, home: Path, root: Path) -> None:
        self._limits = limits
        self._home = home
        self._root = root
        self._start = layer.usage(home, sys.maxsize)
        self._next_walk = 0.0

    def exceeded(self) -> str | None:
        """Returns the name of a limit that the run is over, or None."""
        tasks = list(self.tasks())
        if sum(task.threads for task in tasks) > self._limits.processes:
            return "processes"
        if self._memory(tasks, "status") > self._limits.memory_bytes and (
            self._memory(tasks, "smaps_rollup") > self._limits.memory_bytes
        ):
            return "memory"
        if time.monotonic() < self._next_walk:
            return None
        began = time.monotonic()
        name = self.disk_exceeded()
        now = time.monotonic()
        self._next_walk = now + (now - began) / _WALK_SHARE
        return name

    def disk_exceeded(self) -> str | None:
        """Returns the name of a limit that the workspace's copy is over, or None."""
        enough = self._start.total + self._limits.disk_bytes
        try:
            now = layer.usage(self._home, enough)
        except layer.TooDeep:
            return "depth"
        # A write at the limit fails inside; only the file's size tells afterwards.
        if now.largest_file >= max(self._limits.file_bytes, self._start.largest_file + 1):
            return "file"
        return "disk" if now.total + self._unlinked_bytes() > enough else None

    def others(self) -> int:
        """Returns how many processes run besides the namespace's init and the supervisor."""
        return sum(task.pid not in _OURS and task.state not in "ZX" for task in self.tasks())

    def cpu_seconds(self) -> float:
        """Returns the time on processors of everything alive and of all it has waited for."""
        return sum(task.cpu_seconds for task in self.tasks())

    def tasks(self) -> Iterator[Task]:
        """Yields every process of the namespace, its init included."""
        for pid in self._pids():
            text = self._read(pid, "stat").rpartition(")")[2].split()
            if text:
                yield Task(pid, text[0], int(text[17]), sum(map(int, text[11:15])) / _TICKS)

    def _pids(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(self._root / "proc") if name.isdigit()]
        except OSError:
            return []

    def _read(self, pid: int, name: str) -> str:
        try:
            return (self._root / "proc" / str(pid) / name).read_text("utf-8", "replace")
        except OSError:
            return ""  # it has ended

    def _memory(self, tasks: list[Task], source: str) -> int:
        """Bytes in use: from `status` quick and at least, from `smaps_rollup` without doubles."""
        own = shared = 0
        for task in tasks:
            for line in self._read(task.pid, source).splitlines():
                name, _, value = line.partition(":")
                if name in ("RssAnon", "Pss_Anon"):
                    own += int(value.split()[0]) << 10
                elif name in ("RssShmem", "Pss_Shmem"):
                    shared += int(value.split()[0]) << 10
        return own + max(shared, self._memory_files())

    def _memory_files(self) -> int:
        """Bytes in the file systems that live in memory, a little for each name included."""
        total = 0
        for path in ("tmp", "dev/shm"):
            try:
                found = os.statvfs(self._root / path)
            except OSError:
                continue
            total += (found.f_blocks - found.f_bfree) * found.f_frsize
            total += (found.f_files - found.f_ffree) << 10
        return total

    def _unlinked_bytes(self) -> int:
        """Bytes of files that have no name any more and are kept open."""
        device = os.stat(self._home).st_dev
        held: dict[int, int] = {}
        for pid in self._pids():
            try:
                folder = self._root / "proc" / str(pid) / "fd"
                for name in os.listdir(folder):
                    found = os.stat(folder / name)
                    unlinked = stat.S_ISREG(found.st_mode) and not found.st_nlink
                    if unlinked and found.st_dev == device:
                        held[found.st_ino] = found.st_blocks * 512
            except OSError:
                continue
        return sum(held.values())
