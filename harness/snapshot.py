"""Complete copies of a workspace: every entry is copied and hashed, and the copy is what runs.

A snapshot is a commit in `history.git` that holds `manifest.json`, which is the truth, and the
files under `workspace/`. It is written without git's index, so that nested repositories, ignored
files, attributes, odd names and empty folders come back byte for byte. Files too large for git
lie in `objects/` by their hash.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from pydantic import ValidationError

from harness import objects
from harness.errors import LogForged, SnapshotRefused
from harness.files import canonical_json, parse_line, sha256_bytes, sync_folder
from harness.models import Entry, Manifest

LARGE_BYTES = 8 << 20
"""Larger files go to `objects/`: git would hold them in memory."""
TOTAL_BYTES = 8 << 30
ENTRIES = 100_000
PATH_BYTES = 3_000
"""Below PATH_MAX, so that every path can be opened wherever the copy lies."""
TRIES = 3
MANIFEST_BYTES = 256 << 20
_ESCAPED = re.compile(
    rb"[^A-Za-z0-9 ._/@+=,:;(){}\[\]!#$&'-]|^\.(?=[gG])|-(?=g[0-9A-Fa-f]{4,}\Z)", re.S
)
"""Git reserves `.git` and `git~1`, and takes a path that ends like `text-g1234` for a revision."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Place(Protocol):
    """The part of an attempt folder that snapshots need."""

    @property
    def history(self) -> Path:
        """`history.git`."""
        ...

    @property
    def objects(self) -> Path:
        """`objects/`."""
        ...


class Copied(NamedTuple):
    """What was read while a file was copied."""

    size: int
    sha256: str


class Snapshot(NamedTuple):
    """A stored copy of a workspace."""

    commit: str
    manifest: Manifest
    manifest_sha256: str


def take(workspace: Path, place: Place, *, message: str, tag: str | None = None) -> Snapshot:
    """Stores a complete copy of `workspace`.

    Raises:
        SnapshotRefused: an entry cannot be copied, or the whole is too large.
    """
    with tempfile.TemporaryDirectory(prefix="snapshot-") as scratch:
        manifest = Manifest(entries=tuple(_copy(workspace, Path(scratch))))
        text = _encode(manifest)
        if not place.history.exists():
            objects.create(place.history)
        place.objects.mkdir(exist_ok=True)
        commit = objects.write(
            place.history, _stream(manifest, text, Path(scratch), place, message)
        )
    objects.set_ref(place.history, objects.BRANCH, commit)
    if tag:
        objects.set_ref(place.history, f"refs/tags/{tag}", commit)
    return Snapshot(commit, manifest, sha256_bytes(text))


def unchanged(workspace: Path, place: Place, commit: str) -> bool:
    """Returns whether `workspace` is just as it was at `commit`.

    Raises:
        SnapshotRefused: an entry cannot be copied.
    """
    with tempfile.TemporaryDirectory(prefix="snapshot-") as scratch:
        return tuple(_copy(workspace, Path(scratch))) == manifest(place, commit).entries


def manifest(place: Place, commit: str) -> Manifest:
    """Returns what a snapshot holds.

    Raises:
        LogForged: the history has no such snapshot, or its manifest cannot be read.
    """
    return _manifest(place.history, commit)[0]


def manifest_sha256(place: Place, commit: str) -> str:
    """Returns the hash of a snapshot's manifest."""
    return _manifest(place.history, commit)[1]


def read(place: Place, commit: str, paths: set[str] | None = None) -> Iterator[tuple[Entry, bytes]]:
    """Yields the small files of a snapshot with their contents, checked against their hashes.

    Args:
        place: the attempt folder.
        commit: the snapshot.
        paths: only these; all when omitted.
    """
    wanted = [
        entry
        for entry in manifest(place, commit).entries
        if entry.type == "file" and entry.size <= LARGE_BYTES
        if paths is None or entry.path in paths
    ]
    names = [f"{commit}:workspace/{entry.path}" for entry in wanted]
    contents = objects.blobs(place.history, names, LARGE_BYTES)
    for entry, content in zip(wanted, contents, strict=True):
        if (len(content), sha256_bytes(content)) != (entry.size, entry.sha256):
            raise LogForged(f"{entry.path} of {commit} is not what was stored.")
        yield entry, content


def materialise(place: Place, commit: str, into: Path) -> Manifest:
    """Restores a snapshot into the empty folder `into`, byte for byte.

    Raises:
        LogForged: a stored file is missing or is not what the manifest says.
    """
    found = manifest(place, commit)
    for entry in found.entries:
        path = _beneath(into, entry)
        if entry.type == "folder":
            path.mkdir()
        elif entry.type == "link":
            path.symlink_to(os.fsdecode(unescape(entry.target)))
        elif entry.size > LARGE_BYTES:
            _restore_large(place.objects / entry.sha256, entry, path)
    for entry, content in read(place, commit):
        with _beneath(into, entry).open("xb") as sink:
            sink.write(content)
    for entry in reversed(found.entries):  # modes last and deepest first: one may be read-only
        if entry.type != "link":
            _beneath(into, entry).chmod(entry.mode)
    return found


def escape(path: bytes) -> str:
    """Returns a path as git and JSON can carry it; ordinary paths stay as they are."""
    parts = (_ESCAPED.sub(_percent, part) for part in path.split(b"/"))
    return b"/".join(parts).decode("ascii")


def unescape(path: str) -> bytes:
    """Returns the bytes of an escaped path."""
    return unquote_to_bytes(path)


def _percent(found: "re.Match[bytes]") -> bytes:
    return b"".join(b"%%%02X" % byte for byte in found[0])


def _encode(manifest: Manifest) -> bytes:
    return canonical_json(manifest.model_dump(mode="json"))


@lru_cache(maxsize=64)
def _manifest(history: Path, commit: str) -> tuple[Manifest, str]:
    objects.require_commit(commit)
    (text,) = objects.blobs(history, [f"{commit}:manifest.json"], MANIFEST_BYTES)
    try:
        found = Manifest.model_validate(parse_line(text))
    except (ValueError, ValidationError) as error:
        raise LogForged(f"The manifest of {commit} cannot be read: {error}") from error
    _check(found, commit)
    return found, sha256_bytes(text)


def _check(manifest: Manifest, commit: str) -> None:
    """Refuses what no workspace looks like: a folder from elsewhere may say anything."""
    folders, seen, room = {b""}, set[bytes](), TOTAL_BYTES
    for entry in manifest.entries:
        room -= entry.size
        if not _possible(entry) or room < 0 or len(seen) == ENTRIES:
            raise LogForged(f"The manifest of {commit} cannot hold {entry.path!r}.")
        path = unescape(entry.path)
        # Only what lies in folders of the snapshot, each made once, cannot lead through a link.
        if path in seen or path.rpartition(b"/")[0] not in folders:
            raise LogForged(f"The manifest of {commit} names {entry.path!r} out of place.")
        seen.add(path)
        if entry.type == "folder":
            folders.add(path)


def _possible(entry: Entry) -> bool:
    words = entry.path + entry.target
    if not (words.isascii() and words.isprintable() and 0 <= entry.mode <= 0o777):
        return False
    path, target = unescape(entry.path), unescape(entry.target)
    if b"\0" in path + target or not {b"", b".", b".."}.isdisjoint(path.split(b"/")):
        return False
    if entry.type == "file":
        return entry.size >= 0 and not target and bool(_SHA256.fullmatch(entry.sha256))
    return entry.size == 0 and bool(target) == (entry.type == "link")


def _beneath(into: Path, entry: Entry) -> Path:
    return into / os.fsdecode(unescape(entry.path))


def _restore_large(stored: Path, entry: Entry, path: Path) -> None:
    if stored.is_symlink() or not stored.is_file():
        raise LogForged(f"{entry.path} is missing from objects/.")
    with stored.open("rb") as source, path.open("xb") as sink:
        copied = _pump(source.fileno(), sink, entry.size)
    if copied != (entry.size, entry.sha256):
        raise LogForged(f"{entry.path} in objects/ is not what was stored.")


def _copy(workspace: Path, scratch: Path) -> Iterator[Entry]:
    """Copies every entry to `scratch/<number>`, and says what was copied, sorted by path."""
    room = TOTAL_BYTES
    try:
        root = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SnapshotRefused(f"{workspace} cannot be opened: {error.strerror}.") from error
    try:
        for number, path in enumerate(sorted(_walk(root))):
            entry = _entry(root, path, scratch / str(number), room)
            room -= entry.size
            yield entry
    finally:
        os.close(root)


def _walk(root: int) -> Iterator[bytes]:
    """Yields the relative paths of everything below, as bytes, without following links."""
    waiting, number = [b""], 0
    while waiting:
        folder = waiting.pop()
        with _opened(root, folder, os.O_DIRECTORY) as descriptor, os.scandir(descriptor) as found:
            for item in found:
                path = os.path.join(folder, os.fsencode(item.name))
                number += 1
                if number > ENTRIES:
                    raise SnapshotRefused(
                        f"The workspace has more than {ENTRIES} entries.",
                        hint="Remove some and score again.",
                    )
                if len(path) > PATH_BYTES:
                    raise SnapshotRefused(f"A path is too long: {escape(path)[:100]}…")
                yield path
                if item.is_dir(follow_symlinks=False):
                    waiting.append(path)


@contextmanager
def _opened(root: int, relative: bytes, flags: int = 0) -> Iterator[int]:
    """Opens an entry, and refuses it when a link that took a folder's place led elsewhere."""
    flags |= os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    name = escape(relative) or "The workspace"
    try:
        descriptor = os.open(relative or b".", flags, dir_fd=root)
    except OSError as error:
        raise SnapshotRefused(f"{name} cannot be opened: {error.strerror}.") from error
    try:
        place = os.path.join(_place(root), relative) if relative else _place(root)
        if _place(descriptor) != place:
            raise SnapshotRefused(
                f"{name} was moved while it was copied.", hint="End what does so and score again."
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _place(descriptor: int) -> bytes:
    """Returns where an open file or folder lies, whatever path it was opened by."""
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


def _entry(root: int, relative: bytes, copy: Path, room: int) -> Entry:
    name = escape(relative)
    try:
        facts = os.stat(relative, dir_fd=root, follow_symlinks=False)
        mode = stat.S_IMODE(facts.st_mode) & 0o777
        if stat.S_ISDIR(facts.st_mode):
            return Entry(path=name, type="folder", mode=mode)
        if stat.S_ISLNK(facts.st_mode):
            target = escape(os.readlink(relative, dir_fd=root))
            return Entry(path=name, type="link", mode=0o777, target=target)
        if stat.S_ISREG(facts.st_mode):
            size, digest = _copy_file(root, relative, copy, room)
            return Entry(path=name, type="file", mode=mode, size=size, sha256=digest)
    except OSError as error:
        raise SnapshotRefused(f"{name} cannot be copied: {error.strerror}.") from error
    raise SnapshotRefused(
        f"{name} is a device, a socket or a pipe.", hint="Remove it and score again."
    )


def _copy_file(root: int, relative: bytes, copy: Path, room: int) -> Copied:
    """Copies a file that somebody may still be writing to; what is hashed is what was copied."""
    for attempt in range(TRIES):
        with _opened(root, relative) as source:
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                break
            if before.st_size > room:
                raise SnapshotRefused(
                    f"The workspace holds more than {TOTAL_BYTES >> 30} GiB.",
                    hint="Remove what is not needed and score again.",
                )
            with copy.open("wb") as sink:
                copied = _pump(source, sink, room)
            after = os.fstat(source)
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and copied.size == after.st_size:
            return copied
        time.sleep(0.1 * (attempt + 1))
    raise SnapshotRefused(
        f"{escape(relative)} changes while it is copied.",
        hint="End what writes to it and score again.",
    )


def _pump(source: int, sink: BinaryIO, max_bytes: int) -> Copied:
    """Copies until the end, or until more was read than there may be."""
    digest, size = hashlib.sha256(), 0
    while part := os.read(source, 1 << 20):
        size += len(part)
        if size > max_bytes:
            break
        digest.update(part)
        sink.write(part)
    return Copied(size, digest.hexdigest())


def _stream(
    manifest: Manifest, text: bytes, scratch: Path, place: Place, message: str
) -> Iterator[bytes]:
    """Yields the commit as `git fast-import` reads it; large files go to `objects/` instead."""
    now = int(time.time())
    words = message.encode()
    yield f"commit {objects.BRANCH}\ncommitter harness <harness@localhost> {now} +0000\n".encode()
    yield b"data %d\n%s\n" % (len(words), words)
    if parent := objects.ref(place.history, objects.BRANCH):
        yield f"from {parent}\ndeleteall\n".encode()
    yield b"M 100644 inline manifest.json\ndata %d\n%s\n" % (len(text), text)
    for number, entry in enumerate(manifest.entries):
        if entry.type == "folder":
            continue
        if entry.type == "file" and entry.size > LARGE_BYTES:
            _keep_large(scratch / str(number), place.objects / entry.sha256)
            continue
        content = (
            unescape(entry.target) if entry.type == "link" else (scratch / str(number)).read_bytes()
        )
        mode = "120000" if entry.type == "link" else f"100{'755' if entry.mode & 0o100 else '644'}"
        yield f'M {mode} inline "workspace/{entry.path}"\ndata {len(content)}\n'.encode()
        yield content + b"\n"


def _keep_large(copy: Path, stored: Path) -> None:
    if not stored.exists():
        made = stored.with_name(f".{stored.name}")
        shutil.copyfile(copy, made)
        made.chmod(0o444)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(stored)
        sync_folder(stored.parent)
