"""Where the files of a repository come from: a folder that anybody may have made, or a snapshot."""

import os
import stat
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from auditor.history.copying import Item
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import Entry

DEPTH = 12
"""Folders in folders; names of branches have a few."""
CHUNK = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def of_folder(root: Path) -> Iterator[Item]:
    """Yields the plain files of a repository on disk; no link is followed, no pipe is opened."""
    for path, folders, files, descriptor in os.fwalk(root, follow_symlinks=False):
        relative = os.path.relpath(path, root)
        depth = 0 if relative == "." else relative.count("/") + 1
        folders[:] = sorted(folders) if depth < DEPTH else []
        for name in sorted(files):
            try:
                facts = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode):
                    continue
                with os.fdopen(os.open(name, _FILE, dir_fd=descriptor), "rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    shown = name if relative == "." else f"{relative}/{name}"
                    yield Item(shown, size, partial(_pieces, file))
            except OSError:
                continue


def of_snapshot(folder: AttemptFolder, commit: str, place: str) -> Iterator[Item]:
    """Yields the files of a repository that a sealed snapshot holds.

    Args:
        folder: the attempt.
        commit: the snapshot.
        place: path of the repository in the manifest's own spelling.
    """
    entries = [entry for entry in within(folder, commit, place) if entry.type == "file"]
    small = {entry.path for entry in entries if entry.size <= snapshot.LARGE_BYTES}
    for entry, content in snapshot.read(folder, commit, small):
        yield Item(_inner(entry.path, place), entry.size, partial(iter, [content]))
    for entry in entries:
        if entry.path not in small:
            stored = folder.objects / entry.sha256
            yield Item(_inner(entry.path, place), entry.size, partial(_stored, stored))


def within(folder: AttemptFolder, commit: str, place: str) -> Sequence[Entry]:
    """Returns the entries of a snapshot that lie in a folder of it."""
    prefix = f"{place}/"
    entries = snapshot.manifest(folder, commit).entries
    return [entry for entry in entries if entry.path.startswith(prefix)]


def repositories(folder: AttemptFolder, commit: str) -> list[str]:
    """Returns the paths of the repositories of a snapshot, in the manifest's own spelling."""
    entries = snapshot.manifest(folder, commit).entries
    folders = {entry.path for entry in entries if entry.type == "folder"}
    return sorted(
        path
        for path in folders
        if {f"{path}/objects", f"{path}/refs"} <= folders
        and not any(f"{above}/objects" in folders for above in _above(path))
    )


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _inner(path: str, place: str) -> str:
    return os.fsdecode(snapshot.unescape(path[len(place) + 1 :]))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(CHUNK):
        yield part


def _stored(path: Path) -> Iterator[bytes]:
    with os.fdopen(os.open(path, _FILE), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no plain file")
        yield from _pieces(file)
