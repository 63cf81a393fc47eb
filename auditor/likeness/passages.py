"""Where two attempts share something: lines of the one beside lines of the other."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditor.likeness.marks import Hashes
from auditor.likeness.work import Spots

GAP = 3
"""Lines between two marks of one passage."""


class Span(NamedTuple):
    """Lines of one text of an attempt."""

    file: int
    """Its index."""
    line: int
    end: int


class Passage(NamedTuple):
    """What stands in two attempts."""

    one: Span
    other: Span
    marks: int
    """How many fingerprints it holds."""


def passages(one: Spots, other: Spots, common: Hashes) -> list[Passage]:
    """Returns the passages that two attempts share, those with most fingerprints first.

    Args:
        one: the fingerprints of the one.
        other: those of the other, in the same view.
        common: the fingerprints that both hold.
    """
    rows = np.column_stack([_places(one, common), _places(other, common)])
    order = np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 3], rows[:, 0]))
    found: list[Passage] = []
    for a_file, a_line, a_end, b_file, b_line, b_end in rows[order].tolist():
        here = Passage(Span(a_file, a_line, a_end), Span(b_file, b_line, b_end), 1)
        if found and (longer := _joined(found[-1], here)):
            found[-1] = longer
        else:
            found.append(here)
    return sorted(found, key=lambda item: (-item.marks, item.one, item.other))


def _places(spots: Spots, hashes: Hashes) -> NDArray[np.int32]:
    at = spots.places(hashes)
    return np.column_stack([spots.files[at], spots.lines[at], spots.ends[at]])


def _joined(before: Passage, after: Passage) -> Passage | None:
    """The two as one where they follow each other, or overlap, in both attempts."""
    one, other = _follows(before.one, after.one), _follows(before.other, after.other)
    return Passage(one, other, before.marks + after.marks) if one and other else None


def _follows(before: Span, after: Span) -> Span | None:
    if before.file != after.file:
        return None
    if not before.line - GAP <= after.line <= before.end + GAP:
        return None
    return Span(before.file, min(before.line, after.line), max(before.end, after.end))
