"""Looks at a run's processes from outside, where nothing of the run can be in the way.

What lives shorter than the time between two looks is not seen.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

EVERY_S = 0.02
SHARE = 0.1
"""Looking takes at most this part of the watcher's time: the run may need the processor."""
CAP = 512
"""Processes, mapped files and open files that are noted, each."""
OURS = (1, 2)
"""bubblewrap's init and the supervisor."""
TEXT = 8192
FILE_BYTES = 256 << 20
ALL_BYTES = 1 << 30
"""Hashing stops there; further files are named without a hash."""
_FULL_LOOK_S = 0.5
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Process:
    """A process as its namespace numbers it, running one program."""

    pid: int
    exe: str
    argv: str
    """Words joined by blanks, cut."""
    threads: int
    """The most that were alive in one look."""
    looks: int
    """How often it was seen."""


@dataclass(frozen=True)
class Mapped:
    """A file that was mapped to be executed and that the run could have written."""

    path: str
    sha256: str
    """Empty where it could not be read, or was too large."""
    pid: int
    """The first process that had it."""


@dataclass(frozen=True)
class Held:
    """A file that the run could have written, and that a process had open."""

    path: str
    pid: int
    written: bool
    """It was open for writing."""


@dataclass(frozen=True)
class Sampled:
    """What was seen of one run."""

    looks: int = 0
    processes: tuple[Process, ...] = ()
    mapped: tuple[Mapped, ...] = ()
    opened: tuple[str, ...] = ()
    """Files that the run could have written and that a process had open."""
    held: tuple[Held, ...] = ()
    """The same by process, with what they were open for."""
    unreadable: int = 0
    """Looks at a process that it did not allow."""
    full: bool = False
    """A list was full, so there was more."""


class Sampler:
    """Samples one run; `root` is its file system as `/proc` shows it."""

    def __init__(self, root: Path) -> None:
        self._proc = root / "proc"
        self._root = root
        self._mounts = dict(_mounts(self._proc / "1" / "mountinfo"))
        self._processes: dict[tuple[int, str, str], Process] = {}
        self._mapped: dict[str, Mapped] = {}
        self._opened: dict[str, None] = {}
        self._held: dict[tuple[str, int, bool], Held] = {}
        self._known: dict[int, tuple[str, float]] = {}
        self._running: dict[int, tuple[str, str]] = {}
        self._left = ALL_BYTES
        self._looks = self._unreadable = 0
        self._full = False

    def look(self) -> float:
        """Looks at every process once; returns when it is time for the next look."""
        began = time.monotonic()
        self._looks += 1
        for pid in self._pids()[:CAP]:
            try:
                self._look_at(pid, began)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            except OSError:
                self._unreadable += 1
        now = time.monotonic()
        return now + max(EVERY_S, (now - began) / SHARE)

    def seen(self) -> Sampled:
        """Returns all that was seen."""
        return Sampled(
            looks=self._looks,
            processes=tuple(self._processes.values()),
            mapped=tuple(self._mapped.values()),
            opened=tuple(self._opened),
            held=tuple(self._held.values()),
            unreadable=self._unreadable,
            full=self._full,
        )

    def _pids(self) -> list[int]:
        try:
            found = [int(name) for name in os.listdir(self._proc) if name.isdigit()]
            return [pid for pid in found if pid not in OURS]
        except OSError:
            return []

    def _look_at(self, pid: int, now: float) -> None:
        folder = self._proc / str(pid)
        status = _fields(folder / "status")
        # The kernel counts executable mappings: unless that changed, nothing new is mapped. What
        # is writable too is not counted, hence a full look now and then.
        code = f"{status.get('VmExe')} {status.get('VmLib')}"
        before, looked = self._known.get(pid, ("", 0.0))
        if code != before or now > looked + _FULL_LOOK_S:
            self._known[pid] = (code, now)
            self._running[pid] = (os.readlink(folder / "exe"), _command_line(folder))
            self._look_at_mappings(pid, folder)
        self._count(pid, int(status.get("Threads", "1")))
        for name in os.listdir(folder / "fd")[:CAP]:
            target = os.readlink(folder / "fd" / name)
            self._note_open(target)
            if target in self._opened:
                self._note_held(target, pid, folder / "fdinfo" / name)

    def _count(self, pid: int, threads: int) -> None:
        exe, argv = self._running[pid]
        key = (pid, exe, argv)
        known = self._processes.get(key)
        if known is None and len(self._processes) >= CAP:
            self._full = True
            return
        known = known or Process(pid, exe, argv, 0, 0)
        self._processes[key] = replace(
            known, threads=max(known.threads, threads), looks=known.looks + 1
        )

    def _note_open(self, target: str) -> None:
        if target.startswith("/") and target not in self._opened and self._writable(target):
            if len(self._opened) >= CAP:
                self._full = True
                return
            self._opened[target] = None

    def _note_held(self, target: str, pid: int, info: Path) -> None:
        both = ((target, pid, written) in self._held for written in (False, True))
        if all(both) or len(self._held) >= CAP:
            return
        try:
            flags = int(_fields(info).get("flags", "0"), 8)
        except (OSError, ValueError):
            return  # it was closed meanwhile
        written = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self._held.setdefault((target, pid, written), Held(target, pid, written))

    def _look_at_mappings(self, pid: int, folder: Path) -> None:
        for line in (folder / "maps").read_text("utf-8", "replace").splitlines():
            parts = line.split(None, 5)
            if len(parts) < 6 or "x" not in parts[1] or not parts[5].startswith("/"):
                continue
            path = parts[5].replace("\\012", "\n")
            if path in self._mapped or not self._writable(path):
                continue
            if len(self._mapped) >= CAP:
                self._full = True
                return
            self._mapped[path] = Mapped(path, self._hash(folder, parts), pid)

    def _hash(self, folder: Path, parts: list[str]) -> str:
        """Hashes a mapped file: the very file where we may, else one of its name if it is it."""
        span = "-".join(f"{int(end, 16):x}" for end in parts[0].split("-"))
        inode = int(parts[4])
        for path in (folder / "map_files" / span, self._root / parts[5].lstrip("/")):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                found = os.fstat(descriptor)
                if stat.S_ISREG(found.st_mode) and found.st_ino == inode:
                    return self._read(descriptor, found.st_size)
            except OSError:
                continue
            finally:
                os.close(descriptor)
        return ""

    def _read(self, descriptor: int, size: int) -> str:
        if size > min(FILE_BYTES, self._left):
            return ""
        digest = hashlib.sha256()
        while part := os.read(descriptor, _CHUNK):
            digest.update(part)
            self._left -= len(part)
            if self._left < 0:
                return ""
        return digest.hexdigest()

    def _writable(self, path: str) -> bool:
        """Returns whether a file lies where the run may write: what it cannot write is given."""
        parts = path.split("/")
        for end in range(len(parts), 0, -1):
            mount = "/".join(parts[:end]) or "/"
            if mount in self._mounts:
                return self._mounts[mount]
        return True


def _mounts(path: Path) -> Iterator[tuple[str, bool]]:
    """Yields mount points, and whether they can be written; devices and kernel files are not."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        fields = mount.split()
        kind = source.split()[0] if source else ""
        given = "ro" in fields[5].split(",") or kind in ("devtmpfs", "devpts", "proc")
        yield fields[4].replace("\\040", " "), not given


def _fields(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in path.read_text("utf-8", "replace").splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _command_line(folder: Path) -> str:
    with open(folder / "cmdline", "rb") as file:
        words = file.read(TEXT).rstrip(b"\0").split(b"\0")
    return " ".join(word.decode("utf-8", "replace") for word in words)
