"""What is somebody's own in some texts, as fingerprints that can be held against others'."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditor.likeness.languages import View
from auditor.likeness.marks import Given, Hashes, Lines, own


class Source(NamedTuple):
    """A text of an attempt."""

    path: str
    text: str
    since: int = 0
    """The score entry that first held it as it is."""


@dataclass(frozen=True)
class Spots:
    """The fingerprints of all texts of one attempt in one view, each once, sorted by hash."""

    hashes: Hashes
    files: Lines
    """Index of the text that holds it."""
    lines: Lines
    ends: Lines
    since: Lines
    """The first score entry that held it."""

    def __len__(self) -> int:
        return len(self.hashes)

    def places(self, hashes: Hashes) -> NDArray[np.intp]:
        """Returns where some of its own hashes stand."""
        return np.searchsorted(self.hashes, hashes)


@dataclass(frozen=True)
class Work:
    """What an attempt consists of beside what it was given."""

    name: str
    paths: tuple[str, ...]
    """Path of each text, in the order of their indices."""
    spots: Mapping[View, Spots]
    starts: bool = True
    """Whether it is known what the attempt was given."""

    @classmethod
    def of(
        cls, name: str, sources: Iterable[Source], given: Given, *, starts: bool = True
    ) -> "Work":
        """Returns the work in some texts."""
        texts = list(sources)
        found: dict[View, list[tuple[Hashes, Lines, Lines, int]]] = {}
        for number, source in enumerate(texts):
            for view, marks in own(source.path, source.text, given).items():
                found.setdefault(view, []).append((*marks, number))
        since = np.array([source.since for source in texts], dtype=np.int32)
        spots = {view: _joined(parts, since) for view, parts in found.items()}
        return cls(name, tuple(source.path for source in texts), spots, starts)


def _joined(parts: list[tuple[Hashes, Lines, Lines, int]], since: Lines) -> Spots:
    hashes = np.concatenate([part[0] for part in parts])
    files = np.concatenate([np.full(len(part[0]), part[3], dtype=np.int32) for part in parts])
    lines = np.concatenate([part[1] for part in parts])
    ends = np.concatenate([part[2] for part in parts])
    order = np.lexsort((lines, files, since[files], hashes))
    unique, first = np.unique(hashes[order], return_index=True)
    kept = order[first]
    return Spots(unique, files[kept], lines[kept], ends[kept], since[files[kept]])
