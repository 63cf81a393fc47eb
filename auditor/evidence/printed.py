"""Series of figures in what runs print and logs hold: losses, errors, accuracies by name."""

import re
from collections.abc import Iterable, Mapping

MOST = 200
"""Figures of one name that are kept."""
NAMES = 20
_FIGURE = re.compile(
    r"(?i)\b([a-z_]*(?:loss|nll|ppl|perplexity|accuracy|acc|bpb|grad_norm|gradnorm)[a-z_]*)"
    r"[\"']?\s*[:=]?\s*(\d+\.\d{3,})"
)
"""A name, then a figure with at least three digits after the point: fewer agree by chance."""


def series(lines: Iterable[str]) -> dict[str, list[float]]:
    """Returns the figures of each name, in the order in which they are printed."""
    found: dict[str, list[float]] = {}
    for line in lines:
        for name, figure in _FIGURE.findall(line[:1_000]):
            values = found.setdefault(name.lower(), []) if len(found) < NAMES else found.get(name)
            if values is not None and len(values) < MOST:
                values.append(float(figure))
    return found


def same(one: Mapping[str, list[float]], other: Mapping[str, list[float]], within: float) -> float:
    """Returns which part of the figures of two series is the same, by name and place.

    Args:
        one: a series.
        other: another one.
        within: relative difference up to which two figures are the same.

    Returns:
        From 0 to 1; -1 where they have fewer than four figures, or three different ones, in
        common places, or are of different lengths.
    """
    pairs = [
        pair
        for name in one.keys() & other.keys()
        if len(one[name]) == len(other[name])
        for pair in zip(one[name], other[name], strict=True)
    ]
    if len(pairs) < 4 or min(len(set(side)) for side in zip(*pairs, strict=True)) < 3:
        return -1.0
    equal = sum(abs(a - b) <= within * max(abs(a), abs(b)) for a, b in pairs)
    return equal / len(pairs)
