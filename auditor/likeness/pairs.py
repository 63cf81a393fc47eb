"""Which of many attempts have much in common that neither was given and that is no idiom.

All pairs are counted at once, by the fingerprints they share (a product of sparse matrices), so
what a pair costs depends on what it shares and not on how long its texts are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from auditor.likeness.languages import View
from auditor.likeness.marks import Hashes
from auditor.likeness.work import Work

Counts = NDArray[np.int64]

ROWS = 256
"""Attempts whose pairs are counted at a time."""
MOST_PAIRS = 200_000
"""Pairs kept of each view, those that share most first."""
SOME, MANY = 4, 10
"""Attempts from which on what all of them, or most of them, have is taken as given, where no start
is known: a ring of copies may be as large, but a common start is much more likely."""
MOST = 0.6
FIGURES = ("measured", "decimals")
"""Views in which likeness is a number of things and no part of the whole."""


@dataclass(frozen=True)
class Bounds:
    """From where on likeness counts."""

    share: float = 0.5
    """Part of the smaller work that the other holds too."""
    shown: float = 0.25
    """The same, from where on a pair is told; it is no copy yet."""
    marks: int = 40
    """Token fingerprints that are shared at least: fifteen lines or so."""
    branches: int = 24
    """Branches of syntax trees that are shared at least."""
    whole: float = 0.8
    """Part from which on the two are as good as the same, so that fewer are enough."""
    few_marks: int = 25
    few_branches: int = 12
    idiom_groups: int = 4
    """Independent attempts from which on what they share may be an idiom of the task."""
    idiom_part: float = 0.1
    """Part of the independent attempts above which it is."""
    figures: int = 5
    """Measured lines, or long decimals, that are shared at least, however many there are."""

    def least(self, view: View, *, whole: bool = False) -> int:
        """Returns how many fingerprints of a view have to be shared."""
        if view in FIGURES:
            return self.figures
        if view == "tree":
            return self.few_branches if whole else self.branches
        return self.few_marks if whole else self.marks


USUAL = Bounds()


class Pair(NamedTuple):
    """Two attempts, by index, and how much they share in one view."""

    one: int
    other: int
    view: View
    share: float
    """Of the smaller of the two."""
    shared: int


@dataclass(frozen=True)
class Table:
    """Which attempt holds which fingerprint, in one view."""

    view: View
    hashes: Hashes
    """Of the columns, sorted."""
    held: sparse.csr_array

    def common(self, one: int, other: int) -> Hashes:
        """Returns the fingerprints that two attempts share."""
        held = self.held
        columns = [held.indices[held.indptr[row] : held.indptr[row + 1]] for row in (one, other)]
        common: Hashes = self.hashes[np.intersect1d(*columns)]
        return common


def tables(works: Sequence[Work], bounds: Bounds = USUAL) -> list[Table]:
    """Returns who holds what, without idioms, in every view that more than one attempt has."""
    found = []
    for view in dict.fromkeys(view for work in works for view in work.spots):
        if sum(view in work.spots for work in works) > 1:
            table = _without_given(_table(works, view), works)
            found.append(_without_idioms(table, bounds))
    return found


def pairs(table: Table, bounds: Bounds = USUAL) -> list[Pair]:
    """Returns the pairs of a view that share enough to matter, those that share most first."""
    found = [
        Pair(one, other, table.view, float(share), int(shared))
        for rows, columns, shares, counts in _alike(table, bounds, bounds.shown)
        for one, other, share, shared in zip(
            rows.tolist(), columns.tolist(), shares.tolist(), counts.tolist(), strict=True
        )
    ]
    return sorted(found, key=lambda pair: (-pair.share, -pair.shared, pair[:2]))[:MOST_PAIRS]


def _table(works: Sequence[Work], view: View) -> Table:
    held = [work.spots[view].hashes if view in work.spots else _NONE for work in works]
    hashes, columns = np.unique(np.concatenate(held), return_inverse=True)
    ends = np.concatenate([[0], np.cumsum([len(item) for item in held])])
    data = np.ones(len(columns), dtype=np.int32)
    shape = (len(works), len(hashes))
    return Table(view, hashes, sparse.csr_array((data, columns.reshape(-1), ends), shape=shape))


_NONE: Hashes = np.empty(0, dtype=np.uint64)


def _without_given(table: Table, works: Sequence[Work]) -> Table:
    """Leaves out what most have, where nobody knows what they were given."""
    unknown = np.flatnonzero([not work.starts for work in works])
    if len(unknown) < SOME:
        return table
    most = MOST * len(unknown) if len(unknown) >= MANY else len(unknown) - 1
    return _columns(table, _holders(table.held[unknown]) <= most)


def _without_idioms(table: Table, bounds: Bounds) -> Table:
    """Leaves out what many hold who otherwise have little in common.

    Copies of one another count once: else what many copied would pass for an idiom.
    """
    count = table.held.shape[0]
    edges = [(rows, columns) for rows, columns, _, _ in _alike(table, bounds, bounds.share)]
    rows = np.concatenate([edge[0] for edge in edges]) if edges else np.empty(0, dtype=np.int64)
    columns = np.concatenate([edge[1] for edge in edges]) if edges else rows
    graph = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    number, group = connected_components(graph, directed=False)
    held = table.held.tocoo()
    grouped = sparse.csr_array(
        (np.ones(len(held.data), np.int32), (group[held.row], held.col)),
        shape=(number, table.held.shape[1]),
    )
    limit = max(bounds.idiom_groups, int(np.ceil(bounds.idiom_part * number)))
    return _columns(table, _holders(grouped) < limit)


def _holders(held: sparse.csr_array) -> Counts:
    """How many rows hold each column."""
    held.sum_duplicates()
    return np.bincount(held.indices, minlength=held.shape[1])


def _columns(table: Table, kept: NDArray[np.bool_]) -> Table:
    if kept.all():
        return table
    return Table(table.view, table.hashes[kept], table.held[:, np.flatnonzero(kept)])


def _alike(
    table: Table, bounds: Bounds, share: float
) -> Iterator[tuple[Counts, Counts, NDArray[np.float64], Counts]]:
    """Yields who shares enough, by rows: indices of both, shares and numbers of fingerprints."""
    held = table.held
    least = 0.0 if table.view in FIGURES else share
    sizes = np.diff(held.indptr)
    turned = held.T.tocsr()
    for first in range(0, held.shape[0], ROWS):
        shared = (held[first : first + ROWS] @ turned).tocoo()
        rows, columns = shared.row.astype(np.int64) + first, shared.col.astype(np.int64)
        upper = (columns > rows) & (shared.data >= bounds.least(table.view, whole=True))
        rows, columns, counts = rows[upper], columns[upper], shared.data[upper].astype(np.int64)
        shares = counts / np.minimum(sizes[rows], sizes[columns])
        enough = (shares >= least) & (
            (counts >= bounds.least(table.view)) | (shares >= bounds.whole)
        )
        yield rows[enough], columns[enough], shares[enough], counts[enough]
