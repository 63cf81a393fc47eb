"""Reading and writing files that must survive crashes and hostile folders."""

import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue, ValidationError

from harness.errors import InvalidSolution

CHUNK = 1 << 20
DEEPEST = 64
"""Levels of a JSON value; what the harness writes has fewer than ten."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def canonical_json(value: object) -> bytes:
    """Returns the one byte form of a JSON value: sorted keys, no blanks, UTF-8, no NaN.

    Raises:
        ValueError: the value holds a NaN or an infinity.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def parse_line(text: bytes) -> dict[str, JsonValue]:
    """Returns the JSON object in `text`, read strictly.

    Raises:
        ValueError: it is not one object that can be written again: not UTF-8, a key twice, a NaN,
            an infinity, half of a surrogate pair, or deeper nesting than models take.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    _bound_depth(value)
    if _SURROGATE.search(text):
        canonical_json(value)
    return value


def reason(error: Exception) -> str:
    """Returns what is wrong with data that was read: the first problem, in one line."""
    if isinstance(error, ValidationError):
        item = error.errors()[0]
        return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
    return str(error)


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replaces `path` with `data` whole or not at all, also across a power cut."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_durably(path: Path, line: bytes) -> None:
    """Appends one line and returns when it is on disk."""
    with path.open("ab") as file:
        file.write(line.rstrip(b"\n") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_bytes(data: bytes) -> str:
    """Returns the SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file of ours, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_beneath(root: Path, relative: str, max_bytes: int) -> bytes:
    """Returns the content of a plain file below `root` that an attempt has made.

    No component may be a link, and the file must be regular, have one name and be no larger than
    `max_bytes`: the reader may open what the attempt may not, so it must not be led elsewhere.

    Raises:
        InvalidSolution: the file is missing or is not such a file.
    """
    with opened_beneath(root, relative) as descriptor:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise InvalidSolution(f"{relative} is not a plain file.")
        if facts.st_nlink != 1:
            raise InvalidSolution(f"{relative} is a hard link; write a file of its own.")
        if facts.st_size > max_bytes:
            raise InvalidSolution(
                f"{relative} has {facts.st_size} bytes; at most {max_bytes} are read."
            )
        return _read(descriptor, relative, max_bytes)


def _read(descriptor: int, relative: str, max_bytes: int) -> bytes:
    parts, size = [], 0
    while part := os.read(descriptor, CHUNK):
        size += len(part)
        if size > max_bytes:
            raise InvalidSolution(f"{relative} grew past {max_bytes} bytes while it was read.")
        parts.append(part)
    return b"".join(parts)


def tree_sha256(root: Path) -> str:
    """Returns a hash over every file of a folder of ours, by path and content.

    Byte code that Python caches beside sources does not count.
    """
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and "__pycache__" not in relative.parts:
            digest.update(bytes(relative) + b"\0")
            digest.update(bytes.fromhex(sha256_file(path)))
    return digest.hexdigest()


@contextmanager
def opened_beneath(root: Path, relative: str) -> Iterator[int]:
    """Opens a plain file or folder component by component, never through a link.

    Raises:
        InvalidSolution: it is missing, something else, or not below `root`.
    """
    parts = relative.split("/")
    if "\0" in relative or any(part in ("", ".", "..") for part in parts):
        raise InvalidSolution(f"{relative!r} is not a path below the workspace.")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    device = os.fstat(folder).st_dev
    try:
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            flags |= os.O_NONBLOCK if last else os.O_DIRECTORY
            shown = "/".join(parts[: number + 1])
            following = _open_at(folder, part, flags, shown)
            os.close(folder)
            folder = following
            if os.fstat(folder).st_dev != device:
                raise InvalidSolution(f"{shown} lies on another file system.")
        yield folder
    finally:
        os.close(folder)


def _open_at(folder: int, part: str, flags: int, shown: str) -> int:
    """Opens one component; looks first, since opening a device may already do something."""
    try:
        mode = os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise InvalidSolution(f"{shown} is a link; write the files themselves.")
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise InvalidSolution(f"{shown} is not a plain file.")
        return os.open(part, flags, dir_fd=folder)
    except FileNotFoundError as error:
        raise InvalidSolution(f"{shown} is missing.") from error
    except OSError as error:
        raise InvalidSolution(f"{shown} cannot be opened: {error.strerror}.") from error


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it repeats a key")
    return found


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"it holds {name}")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("it holds a number that is too large")
    return number


def _bound_depth(value: JsonValue) -> None:
    """Refuses what a model, or a fact that holds it, could not take: pydantic ends near 250."""
    level = [value]
    for _ in range(DEEPEST):
        children = (_children(item) for item in level)
        level = [child for found in children for child in found]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
