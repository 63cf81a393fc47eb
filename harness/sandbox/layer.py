"""Gives a run a copy of the workspace of its own, and finds out what the run wrote.

A plain copy, not an overlay: the same on every machine and for every user, and a program meets an
ordinary file system (an overlay refuses to rename folders and shows its layers in the mount
table). What changed is read from the inodes: a program can set any time but the change time.
"""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.errors import ScorerFailure

MAX_DEPTH = 64
MAX_PATH = 2000
ENTRY_BYTES = 16 << 10
"""What an entry counts at least, so that a flood of empty files meets the disk limit too."""


class Mark(NamedTuple):
    """What differs after any change to a file."""

    inode: int
    size: int
    modified: int
    changed: int


class Usage(NamedTuple):
    """What a tree takes on disk."""

    total: int
    largest_file: int


class Collected(NamedTuple):
    """What `collect` found."""

    complete: bool
    """False when the tree is nested too deeply to be followed to its end."""
    removed: tuple[str, ...]
    """Paths that were there before."""


class TooDeep(Exception):
    """Folders are nested further than anyone has to follow."""


def copy(workspace: Path, home: Path, owner: int | None) -> None:
    """Copies `workspace` to `home`, links and holes as they are, for the user id `owner`."""
    _command("cp", "-RPT", "--preserve=mode,timestamps,links", "--reflink=auto", workspace, home)
    if owner is not None:
        give(home, owner)


def refill(workspace: Path, home: Path, owner: int | None) -> None:
    """Puts a copy of `workspace` in the place of all that `home`, which stays itself, holds."""
    for path in home.iterdir():
        remove(path)
    copy(workspace, home, owner)


def give(path: Path, owner: int) -> None:
    """Hands a tree to the user id `owner`."""
    _command("chown", "-hRP", f"{owner}:{owner}", path)


def remove(path: Path) -> None:
    """Removes a tree of any depth, whatever its permissions are."""
    if os.getuid() != 0:
        _command("chmod", "-R", "u+rwX", path, check=False)
    _command("rm", "-rf", path)


def record(home: Path) -> dict[str, Mark]:
    """Returns the mark of every entry beneath `home`."""
    return {path: _mark(found) for path, found in walk(home)}


def collect(home: Path, before: dict[str, Mark], layer: Path) -> Collected:
    """Moves what is new or changed since `before` from `home` to `layer`.

    Only for trees that no process can reach any more.
    """
    layer.mkdir(parents=True, exist_ok=True)
    changed: list[tuple[str, os.stat_result]] = []
    left = set(before)
    complete = True
    try:
        for path, found in walk(home, repair=True):
            left.discard(path)
            known = before.get(path)
            if known != _mark(found) and not (known and stat.S_ISDIR(found.st_mode)):
                changed.append((path, found))
    except TooDeep:
        complete = False
    for path, found in changed:
        _move(home / path, layer / path, found)
    return Collected(complete, tuple(sorted(left)) if complete else ())


def usage(home: Path, enough: int) -> Usage:
    """Returns what the tree takes, holes counted as if they were filled; stops at `enough`."""
    total = largest = 0
    for _, found in walk(home):
        total += max(found.st_size, found.st_blocks * 512, ENTRY_BYTES)
        if stat.S_ISREG(found.st_mode):
            largest = max(largest, found.st_size)
        if total > enough:
            break
    return Usage(total, largest)


def walk(home: Path, *, repair: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Yields every entry beneath `home`, folders before their content, following no link.

    Safe on a tree that is being changed. With `repair` a folder that its owner may not read is
    made readable; only for trees that are at rest.

    Raises:
        TooDeep: folders are nested further than `MAX_DEPTH`, or a path is too long.
    """
    top = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    yield from _walk(top, "", 0, repair)


def _walk(
    folder: int, prefix: str, depth: int, repair: bool
) -> Iterator[tuple[str, os.stat_result]]:
    try:
        if depth > MAX_DEPTH or len(os.fsencode(prefix)) > MAX_PATH:
            raise TooDeep(prefix[:100])
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield prefix + entry.name, found
                if stat.S_ISDIR(found.st_mode):
                    inner = _enter(entry.name, folder, repair)
                    if inner is not None:
                        yield from _walk(inner, f"{prefix}{entry.name}/", depth + 1, repair)
    finally:
        os.close(folder)


def _enter(name: str, folder: int, repair: bool) -> int | None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=folder)
    except PermissionError:
        if not repair:
            return None
        os.chmod(name, 0o700, dir_fd=folder)
        return os.open(name, flags, dir_fd=folder)
    except OSError:
        return None  # it went away, or became something else


def _mark(found: os.stat_result) -> Mark:
    return Mark(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _move(source: Path, target: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(source, target)
    os.lchown(target, os.getuid(), os.getgid())
    if stat.S_ISREG(found.st_mode):
        target.chmod(found.st_mode & 0o777 | 0o600)


def _command(*words: str | Path, check: bool = True) -> None:
    options = [word for word in words if isinstance(word, str)]
    paths = [str(word) for word in words if isinstance(word, Path)]
    done = subprocess.run(
        [*options, "--", *paths], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if check and done.returncode:
        said = done.stderr.decode(errors="replace").strip()[:300]
        raise ScorerFailure(f"The copy of the workspace failed: {said}")
