"""Folders: an agent's home with METR's score log, a repository, somebody else's attempt."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.files import parse_line
from harness.importing import score_log
from harness.importing.run import ROWS, Row, Run, described, moment, number, opened
from harness.trajectory import NAME as TRAJECTORY
from harness.trajectory import read as read_trajectory

LOG_PLACES = (score_log.NAME, f"protected/{score_log.NAME}")
HOMES = ("home/agent", "agent")
"""Where a copy of a container keeps the home."""
KEPT_BYTES = 4 << 30
KEPT_ENTRIES = 50_000
DEEPEST = 100
CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def load(path: Path) -> Run:
    """Returns the run that a folder holds.

    Raises:
        UsageError: it is empty, or its score log cannot be read.
    """
    if not any(path.iterdir()):
        raise UsageError(f"{path} is empty.", hint="Name the folder that the agent worked in.")
    if (path / "attempt.json").is_file() and (path / "workspace").is_dir():
        return _attempt(path)
    log = find_log(path)
    rows, seen = score_log.read(log) if log is not None else ((), ())
    home = next((path / name for name in HOMES if (path / name).is_dir()), path)
    repository = (path / ".git").exists() and log is None
    return Run(
        name=path.resolve().name,
        format="repository" if repository else "home" if log is not None else "folder",
        events=(),
        rows=rows,
        tree=home,
        leave=frozenset(_beside(path, log)) if home == path else frozenset(),
        seen=(*seen, *(() if log is not None else ("there is no score log",))),
        sha256=_hash(log) if log is not None else "",
    )


def find_log(home: Path) -> Path | None:
    """Returns METR's score log in a home or beside it; None where there is none.

    Beside it counts where the folder around holds nothing else that could be the log's: no other
    folder but `protected`.
    """
    for name in LOG_PLACES:
        if _is_plain(home / name):
            return home / name
    around = home.resolve().parent
    beside = [around / name for name in LOG_PLACES if _is_plain(around / name)]
    if not beside or around == home.resolve():
        return None
    try:
        with os.scandir(around) as entries:
            others = [item.name for item in entries if item.is_dir(follow_symlinks=False)]
    except OSError:
        return None
    alone = set(others) <= {home.resolve().name, "protected"}
    return beside[0] if alone else None


def copy(run: Run, into: Path) -> list[str]:
    """Copies a run's folder into the empty folder `into`; no link is followed.

    Returns:
        What was left out, one sentence for each kind.
    """
    assert run.tree is not None
    return _Copier(run.tree, into, run.leave).run()


class _Copier:
    def __init__(self, source: Path, into: Path, leave: frozenset[str]) -> None:
        self._source, self._into = source, into
        self._leave = {os.fsencode(path) for path in leave}
        self._bytes, self._entries = KEPT_BYTES, KEPT_ENTRIES
        self._out: dict[str, list[str]] = {}

    def run(self) -> list[str]:
        root = os.open(self._source, _FOLDER & ~os.O_NOFOLLOW)
        try:
            waiting: list[tuple[bytes, ...]] = [()]
            while waiting:
                waiting += self._folder(root, waiting.pop())
        finally:
            os.close(root)
        return [
            f"{why}: {', '.join(names[:10])}"
            + (f" and {len(names) - 10} more" if names[10:] else "")
            for why, names in self._out.items()
        ]

    def _folder(self, root: int, parts: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
        try:
            folder = _open(root, parts)
        except OSError as error:
            self._leave_out(f"could not be opened ({error.strerror})", parts)
            return
        try:
            for name in sorted(map(os.fsencode, os.listdir(folder))):
                inner = (*parts, name)
                if b"/".join(inner) in self._leave:
                    continue
                if self._entries <= 0:
                    self._leave_out(f"lies beyond {KEPT_ENTRIES} entries", inner)
                    continue
                self._entries -= 1
                try:
                    if self._item(folder, name, inner):
                        yield inner
                except OSError as error:
                    self._leave_out(f"could not be copied ({error.strerror})", inner)
        finally:
            os.close(folder)

    def _item(self, folder: int, name: bytes, parts: tuple[bytes, ...]) -> bool:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        target = os.path.join(os.fsencode(self._into), *parts)
        if stat.S_ISDIR(mode):
            if len(parts) > DEEPEST:
                self._leave_out("lies too deep", parts)
                return False
            os.mkdir(target)
            return True
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=folder), target)
        elif stat.S_ISREG(mode):
            self._file(os.open(name, _FILE, dir_fd=folder), target, parts)
        else:
            self._leave_out("is a device, a socket or a pipe", parts)
        return False

    def _file(self, descriptor: int, target: bytes, parts: tuple[bytes, ...]) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as source:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                return
            if facts.st_size > self._bytes:
                self._leave_out("is too large", parts)
                return
            with open(target, "xb") as sink:
                while part := source.read(CHUNK):
                    self._bytes -= len(part)
                    if self._bytes < 0:
                        self._leave_out("grew while it was copied", parts)
                        break
                    sink.write(part)
            os.chmod(target, 0o755 if facts.st_mode & 0o100 else 0o644)

    def _leave_out(self, why: str, parts: tuple[bytes, ...]) -> None:
        name = b"/".join(parts).decode("utf-8", "replace")
        shown = "".join(sign if sign.isprintable() else "?" for sign in name)[:200]
        self._out.setdefault(f"left out, since it {why}", []).append(shown)


def _open(root: int, parts: tuple[bytes, ...]) -> int:
    """Opens a folder component by component, so that no link leads elsewhere."""
    folder = os.dup(root)
    for part in parts:
        try:
            inner = os.open(part, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _attempt(path: Path) -> Run:
    """Somebody's attempt folder, of which nothing is believed: a folder, rows and a transcript."""
    seen = ["it was an attempt folder, whose signatures were not taken over"]
    rows = []
    log = path / "scores.jsonl"
    if _is_plain(log):
        with opened(log) as file:
            content = file.read(score_log.BYTES)
        for number_, line in enumerate(content.split(b"\n")[: ROWS + 1]):
            if not line.strip():
                continue
            try:
                fields = parse_line(line)
            except ValueError:
                seen.append(f"line {number_} of its score log cannot be read")
                break
            rows.append(
                Row(
                    score=number(fields.get("score")),
                    at=moment(fields.get("scored_at")),
                    elapsed_s=number(fields.get("elapsed_s")),
                    message=described(fields.get("message")),
                    details=described(fields.get("details")),
                )
            )
    told = read_trajectory(path)
    return Run(
        name=path.resolve().name,
        format="attempt",
        events=told.events if told else (),
        rows=tuple(rows),
        tree=path / "workspace",
        seen=(*seen, *(told.problems[:5] if told else (f"there is no {TRAJECTORY}",))),
        sha256=_hash(log) if _is_plain(log) else "",
    )


def _beside(path: Path, log: Path | None) -> Iterator[str]:
    """What of a folder is the scoring's rather than the agent's."""
    yield from LOG_PLACES
    if log is not None and (path / "protected").is_dir():
        yield "protected"


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _hash(path: Path) -> str:
    with opened(path) as file:
        return hashlib.sha256(file.read(score_log.BYTES)).hexdigest()
