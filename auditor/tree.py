"""Reads a tree of files that anybody may have made: nothing in it is followed, run or written.

Every folder is opened from the one above it and never through a link; only regular files are
opened; depth, number and size are bounded. What is left out is named, so that nobody takes it for
read.
"""

import codecs
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.code.others import kind_of
from auditor.code.source import decoded
from auditor.evidence.code import LIMIT_BYTES
from auditor.rule import CODE_SUFFIXES
from harness.errors import UsageError
from harness.models import Entry

ENTRIES = 200_000
"""What lies beyond is counted and not read."""
DEPTH = 200
"""Folders in folders; people make twenty."""
TOTAL_BYTES = 8 << 30
"""Of all files together, most of which are only hashed."""
TEXTS = 5_000
"""Files of code that are kept for the rules, and as many other texts."""
TEXT_BYTES = 32 << 20
"""Of those files of code, and of the other texts: a syntax tree needs many times as much."""
CHUNK = 1 << 18
REPOSITORY = b".git"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Tree:
    """What was read of a folder, or of one file; paths are relative, and escaped by `shown`."""

    entries: dict[str, Entry] = field(default_factory=dict)
    """Files, folders and links. A file whose content was not read has no hash."""
    texts: dict[str, str] = field(default_factory=dict)
    """Files that are text and not too large to be read as code."""
    forms: dict[str, str] = field(default_factory=dict)
    """What each file that was read is, by its content."""
    repositories: list[str] = field(default_factory=list)
    """`.git` folders, whose files are no part of the tree."""
    special: list[str] = field(default_factory=list)
    """Devices, sockets and pipes, which are never opened."""
    large: list[str] = field(default_factory=list)
    """Texts that are too large to be anything but data."""
    unread: list[str] = field(default_factory=list)
    """What could not be opened, or lies too deep, or on another file system, or past a limit."""
    beyond: list[str] = field(default_factory=list)
    """Code that no rule reads: it is too large, or there is too much of it."""
    uncounted: int = 0
    """Entries after the first `ENTRIES`."""
    single: bool = False
    """It is one file that was named itself."""

    @property
    def whole(self) -> bool:
        """Whether everything that could be code was read."""
        return not (self.unread or self.beyond or self.uncounted)

    def only(self, paths: set[str]) -> "Tree":
        """Returns a tree of some of the entries."""
        return Tree(
            entries={path: item for path, item in self.entries.items() if path in paths},
            texts={path: text for path, text in self.texts.items() if path in paths},
        )


def read(path: Path) -> Tree:
    """Reads a folder, or one file as a tree that holds nothing else.

    Raises:
        UsageError: it is neither.
    """
    try:
        mode = os.stat(path).st_mode  # looked at first: opening a device may already do something
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{path} cannot be read: {reason}.", hint="Name a folder or a file."
        ) from error
    if stat.S_ISDIR(mode):
        return _Reader().folder(path)
    if stat.S_ISREG(mode):
        return _Reader().file(path)
    raise UsageError(f"{path} is neither a folder nor a file.", hint="Name a folder or a file.")


def shown(path: bytes) -> str:
    """Returns a path as JSON and people can take it: what is not printable is percent-escaped."""
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "%" not in text:
        return text
    return "".join(
        character if character.isprintable() and character != "%" else _percent(character)
        for character in text
    )


def is_code(path: str) -> bool:
    """Returns whether a file is code by its name."""
    return path.endswith(CODE_SUFFIXES)


def is_test(path: str) -> bool:
    """Returns whether a file is a test by its name or by the folders it lies in."""
    *folders, name = path.split("/")
    stem = name.partition(".")[0]
    return (
        stem.startswith("test_")
        or stem.endswith("_test")
        or not {"test", "tests"}.isdisjoint(folders)
    )


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


class _Room:
    """How much more text may be kept."""

    def __init__(self) -> None:
        self._files, self._bytes = TEXTS, TEXT_BYTES

    def take(self, size: int) -> bool:
        if not self._files or size > self._bytes:
            return False
        self._files -= 1
        self._bytes -= size
        return True


class _Reader:
    """The state of one reading."""

    def __init__(self) -> None:
        self._tree = Tree()
        self._uncounted = 0
        self._bytes = TOTAL_BYTES
        self._code, self._other = _Room(), _Room()

    def file(self, path: Path) -> Tree:
        name = os.fsencode(path.resolve().name if path.name in ("", "..") else path.name)
        self._file(shown(name), os.open(path, _FILE & ~os.O_NOFOLLOW))
        return replace(self._tree, single=True)

    def folder(self, path: Path) -> Tree:
        root = os.open(path, _FOLDER & ~os.O_NOFOLLOW)
        try:
            device = os.fstat(root).st_dev
            waiting: list[tuple[bytes, ...]] = [()]
            while waiting:
                parts = waiting.pop()
                waiting += reversed(list(self._level(root, parts, device)))
        finally:
            os.close(root)
        entries = dict(sorted(self._tree.entries.items()))
        return replace(self._tree, entries=entries, uncounted=self._uncounted)

    def _level(
        self, root: int, parts: tuple[bytes, ...], device: int
    ) -> Iterator[tuple[bytes, ...]]:
        """Reads what lies directly in one folder, and yields the folders in it."""
        name = shown(b"/".join(parts)) or "the folder itself"
        if len(parts) > DEPTH:
            self._tree.unread.append(f"{name} (it lies too deep)")
            return
        try:
            with _opened(root, parts) as folder:
                if os.fstat(folder).st_dev != device:
                    self._tree.unread.append(f"{name} (another file system)")
                    return
                for item in sorted(map(os.fsencode, os.listdir(folder))):
                    if self._item(folder, item, (*parts, item)):
                        yield (*parts, item)
        except OSError as error:
            self._tree.unread.append(f"{name} ({error.strerror})")

    def _item(self, folder: int, item: bytes, parts: tuple[bytes, ...]) -> bool:
        """Reads one entry of a folder; returns whether it is a folder to go into."""
        path = shown(b"/".join(parts))
        try:
            facts = os.stat(item, dir_fd=folder, follow_symlinks=False)
            is_folder = stat.S_ISDIR(facts.st_mode)
            if is_folder and item == REPOSITORY:
                self._tree.repositories.append(path)
                return False
            if len(self._tree.entries) >= ENTRIES:
                self._uncounted += 1
                return is_folder
            if is_folder:
                self._note(Entry(path=path, type="folder", mode=_mode(facts)))
            elif stat.S_ISLNK(facts.st_mode):
                target = shown(os.readlink(item, dir_fd=folder))
                self._note(Entry(path=path, type="link", mode=0o777, target=target))
            elif stat.S_ISREG(facts.st_mode):
                self._file(path, os.open(item, _FILE, dir_fd=folder))
            else:
                self._tree.special.append(path)
        except OSError as error:
            self._tree.unread.append(f"{path} ({error.strerror})")
            return False
        return is_folder

    def _file(self, path: str, descriptor: int) -> None:
        """Hashes an open file, keeps it if it is text for the rules, and closes it."""
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):  # it was replaced since it was looked at
                self._tree.special.append(path)
                return
            if facts.st_size > self._bytes:
                self._tree.unread.append(f"{path} (the files hold too much together)")
                self._note(Entry(path=path, type="file", mode=_mode(facts), size=facts.st_size))
                return
            head, size, digest = bytearray(), 0, hashlib.sha256()
            buffer = memoryview(
                bytearray(CHUNK)
            )  # always the same: new pages cost more than hashing
            while size <= self._bytes and (count := file.readinto(buffer)):
                digest.update(buffer[:count])
                size += count
                if len(head) <= LIMIT_BYTES:
                    head += buffer[:count]
        self._bytes = max(self._bytes - size, 0)
        self._note(
            Entry(
                path=path, type="file", mode=_mode(facts), size=size, sha256=digest.hexdigest()
            )
        )  # fmt: skip
        self._tree.forms[path] = kind_of(path, bytes(head))
        self._text(path, bytes(head), size)

    def _text(self, path: str, head: bytes, size: int) -> None:
        if size > LIMIT_BYTES:
            if is_code(path):
                self._tree.beyond.append(path)
            elif _begins_as_text(head):
                self._tree.large.append(path)
            return
        text = decoded(head)
        if text is None:
            return
        room = self._code if is_code(path) else self._other
        if room.take(size):
            self._tree.texts[path] = text
        else:
            self._tree.beyond.append(path)

    def _note(self, entry: Entry) -> None:
        self._tree.entries[entry.path] = entry


@contextmanager
def _opened(root: int, parts: tuple[bytes, ...]) -> Iterator[int]:
    """Opens a folder component by component: no link is followed, and no path is too long."""
    folder = os.dup(root)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _mode(facts: os.stat_result) -> int:
    return stat.S_IMODE(facts.st_mode) & 0o777


def _begins_as_text(head: bytes) -> bool:
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
