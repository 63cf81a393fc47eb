"""Which content of a snapshot is also found elsewhere: by hash, whatever it is called there.

Every file of the start, of each scored snapshot, of what is protected and of what is hidden is
known by its hash, and so is what scored and sealed runs wrote. Large files are read in pieces.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from auditor import tree
from auditor.evidence.book import Book
from auditor.tree import Tree
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import Entry, EnvironmentFacts, ScoreLine, matches

LEAST_BYTES = 64
"""Shorter content is shared by chance: empty files, one number, a line of JSON."""
SHOWN = 10
"""Places that a fact lists."""
CAP = 500


@dataclass(frozen=True)
class Origin:
    """One place where a content is found."""

    place: str
    """`start`, `entry N`, `output of entry N`, `sealed output of entry N`, `replayed output of
    entry N`, `protected`, `private`, or `answer` for reference outputs that were given to see."""
    path: str


@dataclass
class Places:
    """Everything around the snapshots of an attempt, by content."""

    trees: dict[str, Tree] = field(default_factory=dict)
    """`protected` and `private`, where they are there."""
    _by_hash: dict[str, list[Origin]] = field(default_factory=dict)
    _counts: dict[str, list[int]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, folder: AttemptFolder, facts: EnvironmentFacts, lines: Iterable[ScoreLine]
    ) -> "Places":
        """Reads what lies around an attempt; nothing is followed or executed."""
        places = cls()
        start = snapshot.manifest(folder, folder.attempt().start_commit).entries
        for item in start:
            answer = matches(item.path, facts.workspace.answers)
            places.add("answer" if answer else "start", item)
        for root in (folder.protected, folder.private):
            if root.is_dir() and not root.is_symlink():
                found = tree.read(root)
                places.trees[root.name] = found
                places.unread += (f"{root.name}/{path}" for path in (*found.unread, *found.special))
                for item in found.entries.values():
                    places.add(root.name, item)
        for line in lines:
            places.runs(f"output of entry {line.index}", line.artifacts)
        for sealed in folder.hidden_log().lines:
            places.runs(f"sealed output of entry {sealed.entry}", sealed.artifacts)
        return places

    def add(self, place: str, item: Entry) -> None:
        """Takes in one file."""
        if item.type != "file" or not item.sha256:
            return
        counted = self._counts.setdefault(place, [0, 0])
        counted[0] += 1
        counted[1] += item.size
        if item.size >= LEAST_BYTES:
            self._by_hash.setdefault(item.sha256, []).append(Origin(place, item.path))

    def runs(self, place: str, artifacts: Mapping[str, str]) -> None:
        """Takes in what a run wrote."""
        for path, digest in artifacts.items():
            self._by_hash.setdefault(digest, []).append(Origin(place, path))

    def origins(self, sha256: str) -> tuple[Origin, ...]:
        """Returns where a content is found, what was given first."""
        return tuple(self._by_hash.get(sha256, ()))

    def counted(self) -> dict[str, JsonValue]:
        """Returns files and bytes by place."""
        return {
            place: {"files": files, "bytes": size}
            for place, (files, size) in sorted(self._counts.items())
        }


def collect(book: Book, places: Places, folder: AttemptFolder, entry: int, commit: str) -> None:
    """Notes which changed files of a snapshot have a content that is found elsewhere.

    Later entries are compared with this one.
    """
    before = snapshot.manifest(folder, folder.attempt().start_commit).entries
    known = {item.path: item.sha256 for item in before}
    now = snapshot.manifest(folder, commit).entries
    changed = [item for item in now if item.sha256 and known.get(item.path) != item.sha256]
    shared = [(item, found) for item in changed if (found := _elsewhere(places, item))]
    for item, found in shared[:CAP]:
        book.add(
            "content_shared",
            {
                "path": item.path, "sha256": item.sha256, "size": item.size, "commit": commit,
                "same": list(_listed(found)), "total": len(found),
            },
            stage="files",
            entry=entry,
        )  # fmt: skip
    for item in changed:
        if all(origin.path != item.path for origin in places.origins(item.sha256)):
            places.add(f"entry {entry}", item)
    book.add(
        "content_compared",
        {
            "changed": len(changed), "shared": len(shared), "places": places.counted(),
            "unread": list(places.unread[:SHOWN]), "commit": commit,
        },
        stage="files",
        entry=entry,
    )  # fmt: skip


def _elsewhere(places: Places, item: Entry) -> tuple[Origin, ...]:
    """Returns where a content is found, but for the same file in an earlier entry."""
    return tuple(
        origin
        for origin in places.origins(item.sha256)
        if origin.path != item.path or not origin.place.startswith("entry ")
    )


def replayed(book: Book, places: Places, entry: int, artifacts: Mapping[str, str]) -> None:
    """Notes what the replay of an entry wrote, and where the same content is found."""
    for path, digest in artifacts.items():
        found = places.origins(digest)
        book.add(
            "content_replayed",
            {"path": path, "sha256": digest, "same": list(_listed(found)), "total": len(found)},
            stage="replay",
            entry=entry,
        )
    places.runs(f"replayed output of entry {entry}", artifacts)


def _listed(found: Iterable[Origin]) -> Iterator[JsonValue]:
    """Yields one place of each kind before more of the same."""
    seen: Counter[str] = Counter()
    ranked = []
    for origin in found:
        ranked.append((seen[origin.place], origin))
        seen[origin.place] += 1
    for _, origin in sorted(ranked, key=lambda pair: pair[0])[:SHOWN]:
        yield {"place": origin.place, "path": origin.path}
