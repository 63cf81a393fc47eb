"""Folders as tests write them down, make them and compare them."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness import snapshot
from harness.snapshot import Snapshot


class Link(NamedTuple):
    """A symbolic link."""

    target: bytes


class Mode(NamedTuple):
    """A file with its permissions, or a folder when it has no content."""

    mode: int
    content: bytes | None = None


Tree = Mapping[bytes, bytes | Link | Mode]
"""Every file, link and folder by its path; folders in between need not be named."""


@dataclass(frozen=True)
class Place:
    """The two folders that snapshots need."""

    history: Path
    objects: Path


def place(folder: Path) -> Place:
    return Place(folder / "history.git", folder / "objects")


def make(root: Path, tree: Tree) -> Path:
    """Makes the folder `root` with all that `tree` says."""
    root.mkdir(exist_ok=True)
    modes: list[tuple[bytes, int]] = []
    for name, item in tree.items():
        path = os.path.join(os.fsencode(root), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        match item:
            case Link(target):
                os.symlink(target, path)
            case Mode(mode, None):
                os.makedirs(path, exist_ok=True)
                modes.append((path, mode))
            case Mode(mode, bytes() as content):
                _write(path, content)
                modes.append((path, mode))
            case bytes():
                _write(path, item)
    for path, mode in modes:
        os.chmod(path, mode)
    return root


def _write(path: bytes, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)


def seen(root: Path) -> dict[bytes, bytes | Link | Mode]:
    """Everything below `root`, without following links; files and folders with their modes."""
    found: dict[bytes, bytes | Link | Mode] = {}
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            found[os.path.relpath(path, base)] = _item(path)
    return found


def _item(path: bytes) -> Link | Mode:
    facts = os.lstat(path)
    mode = stat.S_IMODE(facts.st_mode)
    if stat.S_ISLNK(facts.st_mode):
        return Link(os.readlink(path))
    if stat.S_ISDIR(facts.st_mode):
        return Mode(mode)
    with open(path, "rb") as file:
        return Mode(mode, file.read())


def restored(where: Place, taken: Snapshot | str, into: Path) -> Path:
    """Restores a snapshot into the new folder `into`."""
    into.mkdir()
    snapshot.materialise(where, taken if isinstance(taken, str) else taken.commit, into)
    return into
