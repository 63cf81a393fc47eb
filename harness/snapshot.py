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
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from pydantic import ValidationError

from harness import objects
from harness.errors import LogForged, SnapshotRefused
from harness.files import canonical_json, parse_line, sha256_bytes
from harness.models import Entry, Manifest

LARGE_BYTES = 8 << 20
"""Larger files go to `objects/`: git would hold them in memory."""
TOTAL_BYTES = 8 << 30
ENTRIES = 100_000
PATH_BYTES = 3_000
"""Below PATH_MAX, so that every path can be opened wherever the copy lies."""
TRIES = 3
MANIFEST_BYTES = 256 << 20
_ESCAPED = re.compile(rb"[^A-Za-z0-9 ._/@+=,:;~(){}\[\]!#$&'-]|^\.(?=[gG])", re.S)


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
    with objects.reader(place.history) as source:
        for entry in manifest(place, commit).entries:
            wanted = paths is None or entry.path in paths
            if wanted and entry.type == "file" and entry.size <= LARGE_BYTES:
                yield entry, _content(source, commit, entry)


def materialise(place: Place, commit: str, into: Path) -> Manifest:
    """Restores a snapshot into the empty folder `into`, byte for byte.

    Raises:
        LogForged: a stored file is missing or is not what the manifest says.
    """
    found = manifest(place, commit)
    with objects.reader(place.history) as source:
        for entry in found.entries:
            path = into / os.fsdecode(unescape(entry.path))
            if entry.type == "folder":
                path.mkdir()
            elif entry.type == "link":
                path.symlink_to(os.fsdecode(unescape(entry.target)))
            elif entry.size > LARGE_BYTES:
                _restore_large(place.objects / entry.sha256, entry, path)
            else:
                path.write_bytes(_content(source, commit, entry))
            if entry.type == "file":
                path.chmod(entry.mode)
    for entry in reversed(found.entries):  # folders last and deepest first: one may be read-only
        if entry.type == "folder":
            (into / os.fsdecode(unescape(entry.path))).chmod(entry.mode)
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
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise LogForged(f"{commit!r} is not a commit.")
    with objects.reader(history) as source:
        text = source.blob(f"{commit}:manifest.json", MANIFEST_BYTES)
    try:
        found = Manifest.model_validate(parse_line(text))
    except (ValueError, ValidationError) as error:
        raise LogForged(f"The manifest of {commit} cannot be read: {error}") from error
    for entry in found.entries:
        parts = unescape(entry.path).split(b"/")
        if not entry.path or b"" in parts or b".." in parts or b"." in parts:
            raise LogForged(f"The manifest of {commit} names {entry.path!r}.")
    return found, sha256_bytes(text)


def _content(source: objects.Reader, commit: str, entry: Entry) -> bytes:
    content = source.blob(f"{commit}:workspace/{entry.path}", LARGE_BYTES)
    if sha256_bytes(content) != entry.sha256:
        raise LogForged(f"{entry.path} of {commit} is not what was stored.")
    return content


def _restore_large(stored: Path, entry: Entry, path: Path) -> None:
    try:
        with stored.open("rb") as source, path.open("xb") as sink:
            digest = _pump(source.fileno(), sink.fileno(), entry.size)
    except OSError as error:
        raise LogForged(f"{entry.path} is missing from objects/: {error.strerror}.") from error
    if digest != entry.sha256:
        raise LogForged(f"{entry.path} in objects/ is not what was stored.")


def _copy(workspace: Path, scratch: Path) -> Iterator[Entry]:
    """Copies every entry to `scratch/<number>`, and says what was copied, sorted by path."""
    total = 0
    for number, path in enumerate(sorted(_walk(workspace))):
        if number >= ENTRIES:
            raise SnapshotRefused(
                f"The workspace has more than {ENTRIES} entries.",
                hint="Remove some and score again.",
            )
        entry = _entry(workspace, path, scratch / str(number))
        total += entry.size
        if total > TOTAL_BYTES:
            raise SnapshotRefused(
                f"The workspace holds more than {TOTAL_BYTES >> 30} GiB.",
                hint="Remove what is not needed and score again.",
            )
        yield entry


def _walk(workspace: Path) -> Iterator[bytes]:
    """Yields the relative paths of everything below, as bytes, without following links."""
    root = os.fsencode(workspace)
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(root, folder)) as found:
            for item in found:
                path = os.path.join(folder, item.name)
                if len(path) > PATH_BYTES:
                    raise SnapshotRefused(f"A path is too long: {escape(path)[:100]}…")
                yield path
                if item.is_dir(follow_symlinks=False):
                    waiting.append(path)


def _entry(workspace: Path, relative: bytes, copy: Path) -> Entry:
    path = os.path.join(os.fsencode(workspace), relative)
    name = escape(relative)
    try:
        facts = os.lstat(path)
        mode = stat.S_IMODE(facts.st_mode) & 0o777
        if stat.S_ISDIR(facts.st_mode):
            return Entry(path=name, type="folder", mode=mode)
        if stat.S_ISLNK(facts.st_mode):
            return Entry(path=name, type="link", mode=0o777, target=escape(os.readlink(path)))
        if stat.S_ISREG(facts.st_mode):
            size, digest = _copy_file(path, copy, name)
            return Entry(path=name, type="file", mode=mode, size=size, sha256=digest)
    except OSError as error:
        raise SnapshotRefused(f"{name} cannot be copied: {error.strerror}.") from error
    raise SnapshotRefused(
        f"{name} is a device, a socket or a pipe.", hint="Remove it and score again."
    )


def _copy_file(path: bytes, copy: Path, name: str) -> tuple[int, str]:
    """Copies a file that somebody may still be writing to; what is hashed is what was copied."""
    for attempt in range(TRIES):
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                break
            with copy.open("wb") as sink:
                digest = _pump(source, sink.fileno(), TOTAL_BYTES)
            after = os.fstat(source)
        finally:
            os.close(source)
        size = copy.stat().st_size
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if same and size == after.st_size:
            return size, digest
        time.sleep(0.1 * (attempt + 1))
    raise SnapshotRefused(
        f"{name} changes while it is copied.", hint="End what writes to it and score again."
    )


def _pump(source: int, sink: int, max_bytes: int) -> str:
    digest, size = hashlib.sha256(), 0
    while part := os.read(source, 1 << 20):
        size += len(part)
        if size > max_bytes:
            break
        digest.update(part)
        os.write(sink, part)
    return digest.hexdigest()


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
        made.replace(stored)
