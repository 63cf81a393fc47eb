"""Bytes that are read in pieces, from memory or from a file that anybody may have made."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from auditor.trail.faults import Unreadable

CHUNK = 1 << 20


class Blob(Protocol):
    """Bytes with a known size."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Returns up to `count` bytes from `offset` on; fewer only where they end."""
        ...


class Held:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, count: int) -> bytes:
        """Returns up to `count` bytes from `offset` on."""
        return self._data[offset : offset + count] if offset >= 0 else b""


class OnDisk:
    """An open regular file, read at places; it is never mapped, since it may shrink."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Returns up to `count` bytes from `offset` on; a hostile file may have fewer."""
        if offset < 0 or offset >= self.size:
            return b""
        parts, left = [], min(count, self.size - offset)
        while left > 0 and (part := os.pread(self._descriptor, min(left, CHUNK), offset)):
            parts.append(part)
            offset += len(part)
            left -= len(part)
        return b"".join(parts)


class Part:
    """A stretch of another blob."""

    def __init__(self, whole: Blob, offset: int, size: int) -> None:
        self._whole = whole
        self.offset = offset
        self.size = size

    def read(self, offset: int, count: int) -> bytes:
        """Returns up to `count` bytes from `offset` on."""
        if not 0 <= offset < self.size:
            return b""
        return self._whole.read(self.offset + offset, min(count, self.size - offset))


@contextmanager
def opened(path: Path) -> Iterator[Blob]:
    """Opens a regular file; what is a link, a device or a pipe is not opened.

    Raises:
        Unreadable: it is no regular file, or cannot be opened.
    """
    try:
        if not stat.S_ISREG(os.stat(path, follow_symlinks=False).st_mode):
            raise Unreadable("it is not a plain file")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"it cannot be opened: {reason}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("it is not a plain file")
        yield OnDisk(descriptor)
    finally:
        os.close(descriptor)
