"""Zip archives that anybody may have made: few members, nothing inflated beyond a bound."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from auditor.trail.blob import Blob, Held, Part
from auditor.trail.faults import Unreadable

MEMBERS = 50_000
DIRECTORY_BYTES = 16 << 20
INFLATED_BYTES = 1 << 30
"""What all compressed members of an archive may become together."""
RATIO = 200
"""Weights hardly compress; even zeros that are only part of a member stay far below this."""
_END = b"PK\x05\x06"
_END_BYTES = 22


class Archive:
    """The members of a zip archive."""

    def __init__(self, blob: Blob) -> None:
        """Reads the directory.

        Raises:
            Unreadable: it is broken, or too large.
        """
        self._blob = blob
        self._room = INFLATED_BYTES
        _require_small(blob)
        try:
            self._zip = zipfile.ZipFile(cast(IO[bytes], _File(blob)))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise Unreadable(f"its archive is broken: {str(error)[:100]}") from error
        self._members = {item.filename: item for item in self._zip.infolist()}
        if len(self._members) > MEMBERS:
            raise Unreadable(f"its archive has {len(self._members)} members")

    def names(self) -> Iterator[str]:
        """Yields the members' names."""
        yield from self._members

    def member(self, name: str) -> Blob:
        """Returns a member; one that is not compressed stays where it is.

        Raises:
            Unreadable: it is missing, lies outside the file, or is a bomb.
        """
        item = self._members.get(name)
        if item is None:
            raise Unreadable(f"its archive has no {name[:100]!r}")
        if item.flag_bits & 1:
            raise Unreadable(f"{name[:100]!r} is encrypted")
        offset = self._content(item)
        if item.compress_type == zipfile.ZIP_STORED:
            if offset + item.file_size > self._blob.size or item.compress_size != item.file_size:
                raise Unreadable(f"{name[:100]!r} is cut off")
            return Part(self._blob, offset, item.file_size)
        if item.compress_type != zipfile.ZIP_DEFLATED:
            raise Unreadable(f"{name[:100]!r} is compressed in an unusual way")
        return Held(self._inflate(name, item, offset))

    def _content(self, item: zipfile.ZipInfo) -> int:
        head = self._blob.read(item.header_offset, 30)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise Unreadable(f"{item.filename[:100]!r} is not where the archive says")
        name, extra = (int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
        return item.header_offset + 30 + name + extra

    def _inflate(self, name: str, item: zipfile.ZipInfo, offset: int) -> bytes:
        if item.file_size > min(self._room, RATIO * max(item.compress_size, 1)):
            raise Unreadable(
                f"{name[:100]!r} would grow from {item.compress_size} to {item.file_size} bytes"
            )
        packed = self._blob.read(offset, item.compress_size)
        inflater = zlib.decompressobj(-15)
        try:
            data = inflater.decompress(packed, item.file_size)
        except zlib.error as error:
            raise Unreadable(f"{name[:100]!r} is broken: {error}") from error
        if len(data) != item.file_size or (inflater.unconsumed_tail and _grows(inflater)):
            raise Unreadable(f"{name[:100]!r} is not of the size that the archive says")
        self._room -= len(data)
        return data


def _grows(inflater: "zlib._Decompress") -> bool:
    return bool(inflater.decompress(inflater.unconsumed_tail, 1))


def _require_small(blob: Blob) -> None:
    """Looks at the directory's size before `zipfile` makes an object of each of its entries."""
    tail_at = max(blob.size - _END_BYTES - 65_535, 0)
    tail = blob.read(tail_at, blob.size - tail_at)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise Unreadable("its archive has no end")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if size == 0xFFFFFFFF or tail[max(at - 20, 0) : at][:4] == b"PK\x06\x07":
        size = _large_size(blob, tail[max(at - 20, 0) : at])
    if size > DIRECTORY_BYTES:
        raise Unreadable(f"its archive has a directory of {size} bytes")


def _large_size(blob: Blob, locator: bytes) -> int:
    """The size of the directory where the archive has the long form (zip64)."""
    record = blob.read(int.from_bytes(locator[8:16], "little"), 48)
    if locator[:4] != b"PK\x06\x07" or record[:4] != b"PK\x06\x06":
        raise Unreadable("its archive has no end")
    return int.from_bytes(record[40:48], "little")


class _File:
    """A blob as `zipfile` wants it."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._blob.size)[whence]
        if self._at < 0:
            raise OSError("before the beginning")
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        left = max(self._blob.size - self._at, 0)
        wanted = min(left if count < 0 else count, left, 2 * DIRECTORY_BYTES)
        data = self._blob.read(self._at, wanted)
        self._at += len(data)
        return data
