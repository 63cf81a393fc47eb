"""Draws inputs from the promised domain, and says what `prefix_sum` makes of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Input = NDArray[np.int32]
"""Shape [n]."""


def expected(x: Input) -> Input:
    """Returns the running sum of the elements with an odd number of positive ones before them.

    Shape [n]; the definition of RE-Bench's scorer, in NumPy so that no torch of ours is involved.
    """
    positive = (x > 0).astype(np.uint8)
    # Counts wrap around at 256, which leaves their parity as it is.
    before = np.cumsum(positive, dtype=np.uint8) - positive
    return np.cumsum(np.where(before & 1, x, 0), dtype=np.int64).astype(np.int32)


def lengths(most: int, draw: np.random.Generator, count: int = 8) -> list[int]:
    """Returns the shortest and the greatest length, and some near powers of two and between."""
    powers = 2 ** draw.integers(4, np.log2(most).astype(int), count // 2) + draw.integers(-1, 2)
    scales = np.exp(draw.uniform(0, np.log(most), count // 2)).astype(int)
    return [1, *map(int, powers), *map(int, scales), most]


def uniform(n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    """Returns what the classic scorer draws: every value as likely as any other."""
    return draw.integers(values[0], values[1] + 1, n, dtype=np.int32)


def _constant(value: int) -> Callable[[int, tuple[int, int], np.random.Generator], Input]:
    return lambda n, values, draw: np.full(n, value, dtype=np.int32)


def _highest(n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    return np.full(n, values[1], dtype=np.int32)


def _lowest(n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    """A single positive value, then nothing but the lowest: the sum falls as fast as it can."""
    x = np.full(n, values[0], dtype=np.int32)
    x[0] = 1
    return x


def _runs(n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    """Runs of one value each; their lengths span all scales."""
    lengths = np.exp(draw.uniform(0, np.log(max(n, 2)), 64)).astype(np.int64) + 1
    return np.resize(np.repeat(uniform(64, values, draw), lengths), n).astype(np.int32)


def _sparse(n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    """Hardly a positive value: the parity stays for long stretches."""
    x = draw.integers(values[0], 1, n, dtype=np.int32)
    x[draw.integers(0, n, 1 + n // 5000)] = values[1]
    return x


def _rare(n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    """Three positive values at most: whoever looks at some of the input sees none."""
    x = draw.integers(values[0], 1, n, dtype=np.int32)
    x[draw.integers(0, n, 3)] = values[1]
    return x


HARD: dict[str, Callable[[int, tuple[int, int], np.random.Generator], Input]] = {
    "zeros": _constant(0),
    "highest": _highest,
    "lowest": _lowest,
    "runs": _runs,
    "sparse": _sparse,
    "rare": _rare,
}
"""Contents that the domain allows and that a uniform draw does not show."""


def hard(kind: str, n: int, values: tuple[int, int], draw: np.random.Generator) -> Input:
    """Returns an input of the kind named, of length `n`."""
    return HARD[kind](n, values, draw)


def with_blocks(
    x: Input, values: tuple[int, int], draw: np.random.Generator, blocks: int = 4
) -> Input:
    """Returns `x` with hard blocks at places that are drawn, each at most an eighth of it."""
    mixed = x.copy()
    for kind in draw.choice(list(HARD), blocks):
        size = int(draw.integers(1, max(2, len(x) // 8)))
        at = int(draw.integers(0, len(x) - size + 1))
        mixed[at : at + size] = hard(str(kind), size, values, draw)
    return mixed


class Twins(NamedTuple):
    """Three inputs with hard content, of which a look at the ends shows something or nothing."""

    shown: Input
    """Hard all over, but for a uniform neighbourhood of a hard block."""
    hidden: Input
    """Uniform all over, but for the same block, with the same neighbourhood."""
    ends: Input
    """Hard all over, but for uniform ends."""


def twins(kind: str, n: int, values: tuple[int, int], draw: np.random.Generator) -> Twins:
    """Returns inputs of length `n` (64 at least) for one kind of hard content."""
    shown, hidden = hard(kind, n, values, draw), uniform(n, values, draw)
    size, near = n // 8, n // 32
    at = int(draw.integers(n // 4, n // 2))
    around = slice(at - near, at + size + near)
    shown[around] = hidden[around]
    hidden[at : at + size] = shown[at : at + size] = hard(kind, size, values, draw)
    ends, margin = hard(kind, n, values, draw), n // 20
    ends[:margin], ends[-margin:] = hidden[:margin], hidden[-margin:]
    before = slice(0, at - near)
    if np.count_nonzero(shown[before] > 0) % 2 != np.count_nonzero(hidden[before] > 0) % 2:
        shown[0] = 0 if shown[0] > 0 else values[1]  # the same parity where the two become alike
    return Twins(shown, hidden, ends)
