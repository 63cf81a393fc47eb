"""Groups of attempts that are alike, and attempts that are like no other (scikit-learn)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.cluster import DBSCAN
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neighbors import LocalOutlierFactor

from auditor.likeness.marks import Given
from auditor.likeness.pairs import FIGURES, USUAL, Bounds, Pair, pairs, tables
from auditor.likeness.work import Source, Work

FEWEST = 10
"""Attempts from which on one can be said to be unlike the others."""
MOST_COMPARED = 4_000
"""Attempts among which outliers are sought: their distances are held in memory."""
NEIGHBOURS = 20
SAME = 0.05
"""Attempts that are nearer are as near as can be: density among copies would be infinite."""


def clusters(
    sources: Sequence[Mapping[str, str]],
    given: Mapping[str, str] | None = None,
    bounds: Bounds = USUAL,
) -> list[list[int]]:
    """Groups attempts by approach: those whose own code is mostly the same are one group.

    Args:
        sources: the texts of each attempt by path.
        given: texts that all of them were given; without them, what all share counts.
        bounds: from where on likeness counts.

    Returns:
        Indices into `sources`, each in exactly one group; largest groups first.
    """
    start = Given.of(given or {})
    works = [
        Work.of(str(number), [Source(path, text) for path, text in texts.items()], start)
        for number, texts in enumerate(sources)
    ]
    found = [
        pair
        for table in tables(works, bounds)
        if table.view not in FIGURES
        for pair in pairs(table, bounds)
        if pair.share >= bounds.share
    ]
    groups = grouped(len(works), found)
    alone = set(range(len(works))) - {member for group in groups for member in group}
    return sorted([*groups, *([member] for member in alone)], key=lambda item: (-len(item), item))


def grouped(count: int, found: Iterable[Pair]) -> list[list[int]]:
    """Returns the groups of two and more that pairs make, largest first."""
    nearest: dict[tuple[int, int], float] = {}
    for pair in found:
        key = (pair.one, pair.other)
        nearest[key] = min(nearest.get(key, 1.0), max(1.0 - pair.share, 1e-9))
    if not nearest:
        return []
    rows, columns = np.array(list(nearest)).T
    distance = sparse.coo_array(
        (
            np.tile(list(nearest.values()), 2),
            (np.concatenate([rows, columns]), np.concatenate([columns, rows])),
        ),
        shape=(count, count),
    ).tocsr()
    labels = DBSCAN(eps=1.0, min_samples=2, metric="precomputed").fit_predict(distance)
    groups = [np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)]
    return sorted(groups, key=lambda item: (-len(item), item))


def outliers(works: Sequence[Work]) -> list[int]:
    """Returns the attempts that are like no other, by all they hold; too few say nothing."""
    if not FEWEST <= len(works) <= MOST_COMPARED:
        return []
    held = [
        np.concatenate([spots.hashes for spots in work.spots.values()] or [_EMPTY])
        for work in works
    ]
    hashes, columns = np.unique(np.concatenate(held), return_inverse=True)
    ends = np.concatenate([[0], np.cumsum([len(item) for item in held])])
    counts = sparse.csr_array(
        (np.ones(len(columns)), columns.reshape(-1), ends), shape=(len(works), len(hashes))
    )
    weighed = sparse.csr_array(TfidfTransformer().fit_transform(counts))
    distance = np.clip(1.0 - (weighed @ weighed.T).toarray(), SAME, 1.0)
    np.fill_diagonal(distance, 0.0)
    factor = LocalOutlierFactor(min(NEIGHBOURS, len(works) - 1), metric="precomputed")
    return np.flatnonzero(factor.fit_predict(distance) < 0).tolist()


_EMPTY = np.empty(0, dtype=np.uint64)
