"""Reads the copy of a repository in a process of its own and prints what it holds, as JSON.

    python -P -m auditor.history.reader FOLDER < question

It reads with GitPython and its object store in pure Python, bounds its own memory and time before
it looks at anything, and starts no other process.
"""

import json
import os
import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

os.environ["GIT_PYTHON_REFRESH"] = "quiet"

import git
from git.objects.fun import tree_entries_from_data
from git.refs.log import RefLog
from gitdb.exc import ODBError
from gitdb.pack import PackEntity
from gitdb.util import bin_to_hex, hex_to_bin

from auditor.history.lines import LINE, line_hashes

MEMORY_BYTES = 1 << 30
CPU_S = 45
OBJECTS = 150_000
COMMITS = 20_000
PRINTED_COMMITS = 5_000
TREE_BYTES = 16 << 20
BLOB_BYTES = 16 << 20
"""Larger ones are known by their name alone."""
TOTAL_BYTES = 1 << 30
"""Of all contents that are looked at."""
WALKED = 2_000_000
"""Entries of trees that are followed."""
LOGGED = 2_000
UNREADABLE = (
    ValueError, OSError, KeyError, IndexError, TypeError, AttributeError, AssertionError,
    MemoryError, RecursionError, OverflowError, struct.error, zlib.error, ODBError,
)  # fmt: skip
"""What a broken or hostile object may raise."""
_GITLINK = 0o160000
_FOLDER = 0o040000


class _Reader:
    """The state of one reading."""

    def __init__(self, folder: Path, question: dict[str, Any]) -> None:
        self._folder = folder
        self._unreadable = _drop_broken_packs(folder)
        self._repository = git.Repo(folder, odbt=git.GitDB)
        self._store = self._repository.odb
        self._whole: dict[str, str] = question["whole"]
        self._lines: dict[str, set[str]] = {
            name: set(lines) for name, lines in question["lines"].items()
        }
        self._own: dict[str, str] = question["own"]
        self._types: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._commits: dict[str, git.Commit] = {}
        self._trees: dict[str, list[tuple[str, int, str]]] = {}
        self._room = TOTAL_BYTES
        self._steps = WALKED

    def answer(self) -> dict[str, Any]:
        """Returns everything that is asked for."""
        self._list()
        refs = self._references()
        reached = self._reach(refs.values())
        return {
            "refs": dict(islice(refs.items(), 500)),
            "objects": self._counted(self._types),
            "names": sorted(self._types),
            "unreachable": self._counted(self._types.keys() - reached),
            "unreadable": self._unreadable,
            "large": sum(size > BLOB_BYTES for size in self._sizes.values()),
            "commits": list(self._told(reached)),
            "reflog": list(islice(self._logs(), LOGGED)),
            "matches": list(self._matches(reached)),
            "whole": self._room > 0 and self._steps > 0,
        }

    def _list(self) -> None:
        for name in islice(self._store.sha_iter(), OBJECTS):
            text = bin_to_hex(name).decode()
            try:
                found = self._store.info(name)
                self._types[text], self._sizes[text] = found.type.decode(), found.size
            except UNREADABLE:
                self._unreadable += 1
        commits = (name for name, kind in self._types.items() if kind == "commit")
        for name in islice(commits, COMMITS):
            try:
                if self._sizes[name] <= TREE_BYTES:
                    commit = git.Commit(self._repository, hex_to_bin(name))
                    commit.committed_date, commit.parents, commit.tree  # noqa: B018 (reads it)
                    self._commits[name] = commit
            except UNREADABLE:
                self._unreadable += 1

    def _references(self) -> dict[str, str]:
        """Which commit each name stands for; names that lead in circles stand for none."""
        found = {}
        packed = self._folder / "packed-refs"
        if packed.is_file():
            for line in packed.read_text("utf-8", "replace").split("\n"):
                commit, _, name = line.strip().partition(" ")
                if len(commit) == 40 and name:
                    found[name] = commit
        for path in [self._folder / "HEAD", *sorted((self._folder / "refs").rglob("*"))]:
            if path.is_file():
                name = str(path.relative_to(self._folder))
                found[name] = path.read_text("utf-8", "replace").strip()
        resolved = {}
        for name, value in found.items():
            for _ in range(5):
                value = found.get(value[5:], "") if value.startswith("ref: ") else value
            if value in self._types:
                resolved[name] = value
        return resolved

    def _reach(self, names: Any) -> set[str]:
        """Returns every object that some names lead to."""
        waiting, reached = list(names), set[str]()
        while waiting and self._steps > 0:
            name = waiting.pop()
            if name in reached or name not in self._types:
                continue
            reached.add(name)
            self._steps -= 1
            if commit := self._commits.get(name):
                waiting += [commit.tree.hexsha, *(parent.hexsha for parent in commit.parents)]
            elif self._types[name] == "tree":
                waiting += [entry[0] for entry in self._entries(name)]
            elif self._types[name] == "tag":
                waiting += self._tagged(name)
        return reached

    def _tagged(self, name: str) -> list[str]:
        head = self._content(name, 4_096).partition(b"\n")[0]
        return [head[7:].decode("ascii", "replace")] if head.startswith(b"object ") else []

    def _entries(self, name: str) -> list[tuple[str, int, str]]:
        """The entries of a tree: object, mode, name."""
        if name not in self._trees:
            try:
                listed = tree_entries_from_data(self._content(name, TREE_BYTES))
                self._trees[name] = [
                    (bin_to_hex(sha).decode(), mode, str(label)) for sha, mode, label in listed
                ]
            except UNREADABLE:
                self._unreadable += 1
                self._trees[name] = []
        return self._trees[name]

    def _content(self, name: str, limit: int) -> bytes:
        """The content of an object; empty where it is larger than `limit`, or room is spent."""
        size = self._sizes.get(name, limit + 1)
        if size > min(limit, self._room):
            return b""
        self._room -= size
        content: bytes = self._store.stream(hex_to_bin(name)).read(limit)
        return content

    def _counted(self, names: Any) -> dict[str, int]:
        count = {"commit": 0, "tree": 0, "blob": 0, "tag": 0}
        for name in names:
            kind = self._types[name]
            count[kind] = count.get(kind, 0) + 1
        return count

    def _told(self, reached: set[str]) -> Iterator[dict[str, Any]]:
        ordered = sorted(self._commits.items(), key=lambda item: item[1].committed_date)
        for name, commit in ordered[-PRINTED_COMMITS:]:
            yield {
                "name": name,
                "parents": [parent.hexsha for parent in commit.parents][:20],
                "tree": commit.tree.hexsha,
                "authored": int(commit.authored_date),
                "committed": int(commit.committed_date),
                "subject": str(commit.message)[:200],
                "reachable": name in reached,
                "holds": self._held(commit.tree.hexsha),
            }

    def _held(self, tree: str) -> list[str]:
        """Paths of the attempt's own work that a tree holds."""
        found, waiting, seen = set[str](), [tree], set[str]()
        while waiting and self._own and self._steps > 0:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for child, mode, _ in self._entries(name):
                self._steps -= 1
                if mode & 0o170000 == _FOLDER:
                    waiting.append(child)
                elif child in self._own and mode & 0o170000 != _GITLINK:
                    found.add(self._own[child])
        return sorted(found)[:20]

    def _matches(self, reached: set[str]) -> Iterator[dict[str, Any]]:
        """Yields which objects hold what nobody was given, whole or line by line."""
        for name, kind in self._types.items():
            if kind != "blob":
                continue
            if (path := self._whole.get(name)) is not None:
                yield {"name": name, "path": path, "how": "whole", "reachable": name in reached}
                continue
            if not self._lines or not LINE <= self._sizes[name] <= BLOB_BYTES:
                continue
            try:
                hashes = line_hashes(self._content(name, BLOB_BYTES))
            except UNREADABLE:
                self._unreadable += 1
                continue
            for path, lines in self._lines.items():
                if shared := len(lines & hashes):
                    yield {
                        "name": name, "path": path, "how": "lines", "lines": shared,
                        "of": len(lines), "reachable": name in reached,
                    }  # fmt: skip

    def _logs(self) -> Iterator[dict[str, Any]]:
        root = self._folder / "logs"
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if not path.is_file():
                continue
            try:
                for entry in RefLog.iter_entries(str(path)):
                    yield {
                        "ref": str(path.relative_to(root)),
                        "old": entry.oldhexsha,
                        "new": entry.newhexsha,
                        "time": int(entry.time[0]),
                        "message": str(entry.message)[:200],
                    }
            except UNREADABLE:
                self._unreadable += 1


def _drop_broken_packs(folder: Path) -> int:
    """Takes what is no pack out of the copy, so that it hides nothing but itself."""
    dropped = 0
    for path in sorted((folder / "objects/pack").glob("pack-*.*")):
        try:
            pack = PackEntity(str(path))
            sizes = (pack.index().size(), pack.pack().size())
            pack.close()
        except UNREADABLE:
            sizes = (0, 1)
        if sizes[0] != sizes[1] or sizes[0] > OBJECTS:
            path.unlink()
            dropped += 1
    return dropped


def main() -> None:
    """Answers one question."""
    question = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(_Reader(Path(sys.argv[1]), question).answer(), sys.stdout)


if __name__ == "__main__":
    main()
