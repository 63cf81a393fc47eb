"""Copies of a repository what is data: objects, names and their logs; notes what would run.

What is left out is named: configuration, hooks, attributes, alternates, the index.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.objects import create

ENTRIES = 150_000
"""Files of a repository that are copied; a loose object is a file."""
TOTAL_BYTES = 1 << 30
"""Of everything that is copied."""
TEXT_BYTES = 1 << 20
"""Of a file of names, of a log of names, and of a configuration."""
OBJECT_BYTES = 64 << 20
"""Of a loose object as it lies there, compressed."""
_LOOSE = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{38}")
_PACK = re.compile(r"objects/pack/pack-[0-9a-f]{40}\.(pack|idx)")
_NAME = r"[A-Za-z0-9._@+=#%{}-]+"
_REFERENCE = re.compile(
    rf"HEAD|ORIG_HEAD|FETCH_HEAD|MERGE_HEAD|packed-refs|logs/HEAD|(logs/)?refs(/{_NAME})+"
)
_STARTS = re.compile(
    r"(?i)fsmonitor|hookspath|sshcommand|external|textconv|clean|smudge|process|helper|pager|editor"
    r"|gitproxy|askpass|uploadpack|receivepack|program|command|insteadof|attributesfile|worktree"
    r"|include|alternaterefs|^\s*path\s*="
)
"""Keys of a configuration that start something, or lead elsewhere."""
SHOWN = 50


class Item(NamedTuple):
    """A file of a repository, by its path in the repository."""

    path: str
    size: int
    parts: Callable[[], Iterator[bytes]]
    """Yields its content in pieces; raises `OSError` where it cannot be read."""


@dataclass
class Copied:
    """What was copied, and what was not."""

    starts: list[str] = field(default_factory=list)
    """Settings, hooks and attributes that would have run something, or led elsewhere."""
    left: list[str] = field(default_factory=list)
    """Files that hold data and were not copied, with the reason."""
    remote: bool = False
    """It names another repository that it was fetched from."""


def copy(items: Iterable[Item], into: Path) -> Copied:
    """Copies a repository's data into the new folder `into`, which becomes a bare repository.

    Args:
        items: its files, by any source that follows no link and opens plain files alone.
        into: where the copy is made.
    """
    create(into)
    copied, room = Copied(), TOTAL_BYTES
    for number, item in enumerate(items):
        if number >= ENTRIES:
            copied.left.append(f"what follows {ENTRIES} files")
            break
        if not (limit := _limit(item.path)):
            _note_left_out(item, copied)
            continue
        if item.size > min(limit, room):
            copied.left.append(f"{item.path} ({item.size} bytes)")
            continue
        try:
            room -= _place(into / item.path, item, min(limit, room))
        except OSError as error:  # also where a folder has the name that a file wants
            copied.left.append(f"{item.path} ({error.strerror or error})")
            continue
        copied.remote |= "/remotes/" in item.path or item.path == "FETCH_HEAD"
        if item.path == "packed-refs":
            copied.remote |= b" refs/remotes/" in (into / item.path).read_bytes()
    return copied


def _place(path: Path, item: Item, limit: int) -> int:
    """Writes a file of the copy, and returns how many bytes it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with path.open("wb") as sink:
        for part in item.parts():
            size += len(part)
            if size > limit:
                raise OSError("it grew while it was copied")
            sink.write(part)
    return size


def _limit(path: str) -> int:
    """The most bytes that are copied of a file; 0 for what is not copied at all."""
    if ".." in path or "//" in path:
        return 0
    if _PACK.fullmatch(path):
        return TOTAL_BYTES
    if _LOOSE.fullmatch(path):
        return OBJECT_BYTES
    return TEXT_BYTES if _REFERENCE.fullmatch(path) else 0


def _note_left_out(item: Item, copied: Copied) -> None:
    path, starts = item.path, copied.starts
    if len(starts) >= SHOWN:
        return
    if _leads_elsewhere(path):
        starts.append(path)
    elif path in ("config", "config.worktree"):
        text = _text(item)
        copied.remote |= "[remote " in text
        found = [line.strip() for line in text.split("\n") if _STARTS.search(line)]
        starts += [f"{path}: {line[:200]}" for line in found[: SHOWN - len(starts)]]


def _leads_elsewhere(path: str) -> bool:
    if path.startswith("hooks/"):
        return not path.endswith(".sample")
    if path.startswith("objects/info/"):
        return path.endswith("alternates")
    return path in ("info/attributes", "commondir", "gitdir")


def _text(item: Item) -> str:
    """The beginning of a text; empty where it cannot be read."""
    content = b""
    try:
        for part in item.parts():
            content += part
            if len(content) >= TEXT_BYTES:
                break
    except OSError:
        return ""
    return content[:TEXT_BYTES].decode("utf-8", "replace")
