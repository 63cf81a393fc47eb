"""One timed run at a time on this machine, whoever asks."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

LOCK = Path(tempfile.gettempdir(), "earned-timing.lock")
"""Shared by all users. The kernel lets go of it when its holder ends, so it is never stale."""

waited_s = 0.0
"""How long this process has waited for others in all; what is waiting itself need not count it."""
_threads = RLock()
_depth = 0


@contextmanager
def timing_lock() -> Iterator[None]:
    """Waits until no other timed run is under way, and keeps others waiting meanwhile.

    The thread that holds it may take it again.
    """
    global _depth
    with _threads:
        descriptor = _locked() if _depth == 0 else None
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1
            if descriptor is not None:
                # Said aloud: a forked child may still have the descriptor.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)


def _locked() -> int:
    global waited_s
    descriptor = _opened()
    began = time.monotonic()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        waited_s += time.monotonic() - began
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _opened() -> int:
    """Opens the lock's file for reading, which is all that another user may do with it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            return os.open(LOCK, flags)
        except FileNotFoundError:
            try:
                descriptor = os.open(LOCK, flags | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                continue
            os.fchmod(descriptor, 0o644)  # whatever the umask was
            return descriptor


def others_running() -> int:
    """Returns how many threads of this machine want to run now, the one that asks left out.

    It is `procs_running` of `/proc/stat` (proc(5)); 0 where the kernel does not tell.
    """
    with suppress(OSError), open("/proc/stat", encoding="ascii") as file:
        for line in file:
            if line.startswith("procs_running "):
                return max(int(line.split()[1]) - 1, 0)
    return 0
