"""Fingerprints of texts: hashes of what they do, with the lines they stand on.

Token fingerprints are winnowed (Schleimer, Wilkerson and Aiken, 2003): of every window of
consecutive hashes the smallest is kept, so that what is longer than `GRAM + WINDOW - 1` tokens and
stands in two texts leaves at least one mark in both, wherever it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auditor.likeness import figures, languages, trees
from auditor.likeness.figures import Figure
from auditor.likeness.languages import Token, View

Hashes = NDArray[np.uint64]
Lines = NDArray[np.int32]

GRAM: Mapping[View, int] = {"code": 14, "words": 8}
"""Tokens of a fingerprint: shorter ones are idioms, longer ones break at every insertion."""
WINDOW = 5
LONGEST = 1 << 20
"""Characters of a text that is looked at; what is longer is data."""
REMEMBERED = 1 << 16
"""Characters of a text whose fingerprints are kept: every attempt holds the files of its start."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


class Marks(NamedTuple):
    """The fingerprints of one text in one view."""

    hashes: Hashes
    lines: Lines
    """1-based first lines."""
    ends: Lines
    """Last lines, included."""

    def only(self, kept: NDArray[np.bool_]) -> "Marks":
        """Returns some of them."""
        return Marks(self.hashes[kept], self.lines[kept], self.ends[kept])


@dataclass(frozen=True)
class Given:
    """What attempts were given: no likeness in it counts."""

    marks: Mapping[View, frozenset[int]] = field(default_factory=dict)
    lines: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "Given":
        """Returns what some texts, by path, amount to."""
        marks: dict[View, set[int]] = {}
        lines = set[str]()
        for path, text in texts.items():
            lines.update(map(str.strip, text.split("\n")))
            for view, found in marks_of(path, text).items():
                marks.setdefault(view, set()).update(found.hashes.tolist())
        return cls({view: frozenset(found) for view, found in marks.items()}, frozenset(lines))

    def __or__(self, other: "Given") -> "Given":
        views = {*self.marks, *other.marks}
        none: frozenset[int] = frozenset()
        marks = {view: self.marks.get(view, none) | other.marks.get(view, none) for view in views}
        return Given(marks, self.lines | other.lines)


def marks_of(path: str, text: str) -> Mapping[View, Marks]:
    """Returns the fingerprints of a text in every view that fits what it is."""
    if len(text) > LONGEST:
        return {}
    find = _marks_of if len(text) <= REMEMBERED else _marks_of.__wrapped__
    return find(languages.suffix(path, text), text)


def own(path: str, text: str, given: Given) -> Mapping[View, Marks]:
    """Returns the fingerprints of what in a text was not given.

    A mark counts where its hash is new and at least half of its lines are: a change of one name
    far away gives a line that was left alone another hash.
    """
    new = np.array([line.strip() not in given.lines for line in text.split("\n")], dtype=np.int64)
    before = np.concatenate([[0], np.cumsum(new)])
    found: dict[View, Marks] = {}
    for view, marks in marks_of(path, text).items():
        known = given.marks.get(view, frozenset())
        added = before[marks.ends] - before[marks.lines - 1]
        fresh = added * 2 >= marks.ends - marks.lines + 1
        if known:
            fresh &= np.array([mark not in known for mark in marks.hashes.tolist()], dtype=bool)
        if fresh.any():
            found[view] = marks.only(fresh)
    return found


@lru_cache(maxsize=256)
def _marks_of(suffix: str, text: str) -> Mapping[View, Marks]:
    path = f"file.{suffix}" if suffix else "file"
    found: dict[View, Marks] = {}
    for view in languages.views(path, text):
        if view == "tree":
            if (branches := trees.branches(text)) is not None:
                found[view] = _of_branches(branches)
        elif view == "code":
            found[view] = _winnowed(languages.tokens(path, text), GRAM[view])
        elif view == "words":
            found[view] = _winnowed(languages.words(text), GRAM[view])
        else:
            found[view] = _of_figures(getattr(figures, view)(text))
    return found


def _of_branches(branches: Sequence[trees.Branch]) -> Marks:
    return Marks(
        np.array([item.mark for item in branches], dtype=np.uint64),
        np.array([item.line for item in branches], dtype=np.int32),
        np.array([item.end for item in branches], dtype=np.int32),
    )


def _of_figures(found: Sequence[Figure]) -> Marks:
    lines = np.array([item.line for item in found], dtype=np.int32)
    return Marks(np.array([_number(item.text) for item in found], dtype=np.uint64), lines, lines)


def _winnowed(tokens: Sequence[Token], gram: int) -> Marks:
    count = len(tokens) - gram + 1
    lines = np.array([token.line for token in tokens], dtype=np.int32)
    if count <= 0:
        return Marks(np.empty(0, np.uint64), lines[:0], lines[:0])
    values = np.array([_number(token.text) for token in tokens], dtype=np.uint64)
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(gram):
        hashes = hashes * _BASE + values[place : place + count]
    hashes = (hashes ^ (hashes >> np.uint64(31))) * _MIX
    hashes ^= hashes >> np.uint64(29)
    width = min(WINDOW, count)
    windows = sliding_window_view(hashes[::-1], width)
    smallest = np.unique(count - 1 - (np.arange(len(windows)) + windows.argmin(axis=1)))
    return Marks(hashes[smallest], lines[smallest], lines[smallest + gram - 1])


@lru_cache(maxsize=1 << 18)
def _number(token: str) -> int:
    return int.from_bytes(blake2b(token.encode("utf-8", "replace"), digest_size=8).digest(), "big")
