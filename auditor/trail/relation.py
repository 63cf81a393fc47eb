"""How one tensor follows from another, found in whatever arrangement: the closest that holds.

A relation is measured where it was not searched for: rows are matched by one half of their
columns and compared in the other, so that many tries do not make strangers look alike.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auditor.trail.looks import Look, different
from auditor.trail.tensor import Numbers, Tensor, decoded

CAP = 6.0
"""Closeness at which tensors count as the same: a thousandth of their spread apart."""
QUERIES = 256
"""Rows that are looked for among those of another tensor."""
NARROWEST = 16
"""Columns that rows must have to be told apart."""
SORTED = 1 << 18
"""Elements up to which both rows and columns are sought in another order."""
LONGEST = 2048
FOUND = 0.05
"""Part of the values, beyond chance, that must stand in another tensor."""
MATCHED = 0.5
"""Correlation from which two rows count as matched."""
ROUNDING = {
    "f64": 2.0**-24, "f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8, "f8_e4m3": 2.0**-4,
    "f8_e5m2": 2.0**-3,
}  # fmt: skip
"""Largest relative error of one rounding; f64 is compared as f32."""
NAMED = 0.25
"""Correlation from which it is said what lies between two tensors."""
WHITE = 1.25
"""The largest singular value of noise lies below this part of what chance gives; training leaves
directions that stand out."""
Map = NDArray[np.int64]


@dataclass(frozen=True)
class Relation:
    """How a tensor follows from a source."""

    tensor: str
    source: str
    """Name of the source's tensor."""
    elements: int
    kinds: tuple[str, ...]
    """What was done to the source, in words."""
    correlation: float
    scale: float = 1.0
    covered: float = 1.0
    """The part of the tensor that follows."""
    exact: bool = False
    """Nothing but rounding is left."""
    turned: bool = False
    """The source is transposed."""
    rows: tuple[int, ...] | None = None
    """Which row of the source each row is, where they were matched and all are known."""
    columns: tuple[int, ...] | None = None

    @property
    def closeness(self) -> float:
        """How many powers of ten are explained of the tensor's variance, up to `CAP`."""
        return CAP * self.covered if self.exact else self.covered * close(self.correlation)


def close(correlation: float) -> float:
    """Returns -log10 of the part of the variance that a correlation leaves, up to `CAP`."""
    left = 1.0 - min(abs(correlation), 1.0) ** 2
    return CAP if left <= 10**-CAP else -math.log10(left)


def relate(mine: Look, other: Look) -> Relation | None:
    """Returns the closest relation of a tensor to another; None where their forms tell nothing."""
    found = max(_relations(mine, other), key=lambda item: item.closeness, default=None)
    if found is None or mine.name == other.name:
        return found
    return replace(found, kinds=(*found.kinds, "renamed"))


def _relations(mine: Look, other: Look) -> Iterator[Relation]:
    a, b = mine.tensor, other.tensor
    start = Relation(mine.name, other.name, a.elements, (), 0.0)
    if a.shape == b.shape and a.dtype == b.dtype and mine.digest == other.digest:
        yield replace(start, kinds=("equal",), correlation=1.0, exact=True)
        return
    best = 0.0
    for found in itertools.chain(
        _in_place(mine, other, start), _by_rows(mine, other, start),
        _by_both(mine, other, start), _by_values(mine, other, start),
    ):  # fmt: skip
        yield found
        best = max(best, found.closeness)
        if best >= 1.0:  # a rarer arrangement cannot explain much more
            return


def _in_place(mine: Look, other: Look, start: Relation) -> Iterator[Relation]:
    """Element by element: as they stand, with axes swapped, or in another form."""
    a, b = mine.tensor, other.tensor
    if a.elements != b.elements:
        return
    if a.shape == b.shape:
        if len(mine.rows) == len(other.rows):
            yield _measured(mine, mine.body, other.body, start, b)
        return
    if not (mine.whole and other.whole):
        return
    x, y = mine.body.ravel(), other.body.reshape(b.shape)
    if len(a.shape) <= 4:
        for axes in itertools.permutations(range(len(b.shape))):
            if tuple(b.shape[axis] for axis in axes) == a.shape:
                named = replace(start, kinds=("transposed",), turned=len(axes) == 2)
                turned = y.transpose(axes).reshape(mine.body.shape)
                yield _measured(mine, mine.body, turned, named, b)
    flat = replace(start, kinds=("reshaped",))
    yield _measured(mine, x[None], y.reshape(1, -1), flat, b)


def _measured(mine: Look, x: Numbers, y: Numbers, start: Relation, source: Tensor) -> Relation:
    """Compares two matrices element by element, and names what lies between them."""
    r, scale = correlated(x, y)
    found = replace(start, correlation=r, scale=scale)
    return _named(found, mine.tensor, x, y, source)


def _named(found: Relation, mine: Tensor, x: Numbers, y: Numbers, source: Tensor) -> Relation:
    """Says whether nothing but a factor and rounding lies between two matrices, or what does."""
    kinds = list(found.kinds)
    if abs(found.correlation) < NAMED:
        return replace(found, kinds=(*kinds, "changed"))
    cast = mine.dtype != source.dtype
    coarse = max((mine.dtype, source.dtype), key=lambda name: ROUNDING.get(name, 0.01))
    step = ROUNDING.get(coarse, 0.01)
    if cast and np.array_equal(_rounded(y, mine), x):
        return replace(found, kinds=(*kinds, "cast"), exact=True, scale=1.0)
    spread = float(np.sqrt(np.mean(np.square(x), dtype=np.float64))) or 1.0
    for scale in (1.0, found.scale, _factor(x, y)):
        left = np.abs(x - np.float32(scale) * y)
        # Each number is off by its own rounding, small ones by that of the smallest steps.
        if float(np.mean(left <= 4 * step * (np.abs(x) + 1e-3 * spread))) >= 0.999:
            told = [] if abs(scale - 1) <= 2 * step else ["scaled"]
            told += ["cast"] if cast else []
            return replace(found, kinds=(*kinds, *(told or ["equal"])), exact=True, scale=scale)
    noise = _is_white(x - np.float32(found.scale) * y)
    words = ["noised" if noise else "changed"] + (["scaled"] if abs(found.scale - 1) > 0.2 else [])
    return replace(found, kinds=(*kinds, *words, *(["cast"] if cast else [])))


def _factor(x: Numbers, y: Numbers) -> float:
    """The factor between two matrices, as most of their larger elements have it."""
    large = np.abs(y) > np.median(np.abs(y))
    return float(np.median(x[large] / y[large])) if large.any() else 1.0


def _rounded(numbers: Numbers, like: Tensor) -> Numbers:
    """Returns numbers as a tensor of another type would hold them."""
    if like.dtype == "bf16":
        bits = np.ascontiguousarray(numbers).view(np.uint32)
        even = ((bits >> 16) & 1) + np.uint32(0x7FFF)
        return ((bits + even) & np.uint32(0xFFFF0000)).view(np.float32)
    if like.dtype == "f16":
        with np.errstate(over="ignore"):
            return numbers.astype(np.float16).astype(np.float32)
    if like.dtype.startswith("f8"):
        known = np.unique(decoded(bytes(range(256)), like.dtype))
        known = known[np.isfinite(known)]
        middles = (known[1:] + known[:-1]) / 2
        return known[np.searchsorted(middles, numbers)]
    return numbers


def _is_white(left: Numbers) -> bool:
    """Returns whether what is left has no direction that stands out, as noise has none."""
    part = left[:512, :512].astype(np.float64)
    rows, columns = part.shape
    if min(rows, columns) < 8:
        return False
    size = float(np.sqrt(np.mean(part**2))) * (math.sqrt(rows) + math.sqrt(columns))
    return size > 0 and float(np.linalg.norm(part, 2)) / size < WHITE


def correlated(x: Numbers, y: Numbers) -> tuple[float, float]:
    """Returns the correlation of two matrices, and the factor that makes the second like the first.

    The means of rows and columns are left out: many trained matrices share those.
    """
    one, two = centred(x), centred(y)
    dot, first, second = (float(np.vdot(p, q)) for p, q in ((one, two), (one, one), (two, two)))
    if first <= 0 or second <= 0:
        return 0.0, 1.0
    return dot / math.sqrt(first * second), dot / second


def centred(x: Numbers) -> NDArray[np.float64]:
    """Returns a matrix without the means of its rows and columns, where there are several."""
    wide = x.astype(np.float64)
    rows, columns = wide.shape
    if columns >= 8:
        wide -= wide.mean(axis=1, keepdims=True)
    if rows >= 8:
        wide -= wide.mean(axis=0, keepdims=True)
    return wide


def _by_rows(mine: Look, other: Look, start: Relation) -> Iterator[Relation]:
    """Rows of the one among rows of the other; columns likewise, and the two across."""
    for turned_mine, turned_other in itertools.product((False, True), repeat=2):
        pair = _views(mine, other, turned_mine, turned_other)
        if pair is None:
            continue
        x, y = pair
        matched = _match(x, y)
        if matched is None:
            continue
        turned = turned_mine != turned_other
        kinds = ["transposed"] if turned else []
        kinds.append(_arrangement(matched, len(x), len(y), "columns" if turned_mine else "rows"))
        whole = matched.covered > 0.999 and mine.whole and other.whole
        places = tuple(map(int, matched.rows)) if whole and len(matched.rows) == len(x) else None
        found = replace(
            start, kinds=tuple(kinds), correlation=matched.correlation, covered=matched.covered,
            turned=turned, rows=None if turned_mine else places,
            columns=places if turned_mine else None,
        )  # fmt: skip
        if places is not None:
            aligned = y[matched.rows]
            first, second = (x.T, aligned.T) if turned_mine else (x, aligned)
            r, scale = correlated(first, second)
            if abs(r) >= NAMED:
                found = replace(found, scale=scale)
                yield _named(found, mine.tensor, first, second, other.tensor)
                continue
        yield replace(found, kinds=(*kinds, *(["changed"] if abs(found.correlation) < 1 else [])))


def _views(
    mine: Look, other: Look, turned_mine: bool, turned_other: bool
) -> tuple[Numbers, Numbers] | None:
    """Two matrices with equally many columns, of which the first's rows are sought."""
    if min(len(mine.tensor.shape), len(other.tensor.shape)) < 2:
        return None
    if mine.whole and other.whole:
        x = mine.body.T if turned_mine else mine.body
        y = other.body.T if turned_other else other.body
        same = x.shape[1] == y.shape[1]
        return (x, y) if same and x.shape[1] >= NARROWEST else None
    if turned_mine or turned_other:
        return None
    if mine.tensor.matrix_shape()[1] != other.tensor.matrix_shape()[1]:
        return None
    if other.whole:
        sought, columns = mine.body, np.arange(mine.body.shape[1])
    else:
        columns = other.sketch[1]
        sought = mine.body[:, columns]
    return (sought, other.sketch[0]) if len(columns) >= NARROWEST else None


@dataclass(frozen=True)
class _Matched:
    rows: Map
    correlation: float
    covered: float


def _match(x: Numbers, y: Numbers) -> _Matched | None:
    """Matches rows by every other column, and compares them in the columns between."""
    if len(x) < 2 or len(y) < 2:
        return None
    few = len(x) * len(y) * x.shape[1] <= 1 << 24
    queries = np.arange(len(x)) if few else np.unique(
        np.linspace(0, len(x) - 1, QUERIES).astype(np.int64)
    )  # fmt: skip
    asked = x[queries]
    seen = _unit(asked[:, ::2]).astype(np.float32) @ _unit(y[:, ::2]).astype(np.float32).T
    best = np.abs(seen).argmax(axis=1)
    strength = seen[np.arange(len(queries)), best]
    one, two = _level(asked[:, 1::2]), _level(y[best][:, 1::2]) * np.sign(strength)[:, None]
    dots, first, second = (
        np.einsum("ij,ij->i", p, q) for p, q in ((one, two), (one, one), (two, two))
    )
    everywhere = _ratio(dots, first, second)
    chosen = np.abs(strength) > MATCHED
    covered = float(chosen.mean())
    there = _ratio(dots[chosen], first[chosen], second[chosen]) if chosen.any() else 0.0
    if covered * close(there) > close(everywhere) and there > 0:
        return _Matched(best, there, covered)
    return _Matched(best, max(everywhere, 0.0), 1.0)


def _ratio(
    dots: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> float:
    size = math.sqrt(float(first.sum()) * float(second.sum()))
    return float(dots.sum()) / size if size > 0 else 0.0


def _level(x: Numbers) -> NDArray[np.float64]:
    wide = x.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    if len(wide) >= 8:
        wide -= wide.mean(axis=0, keepdims=True)
    return wide


def _unit(x: Numbers) -> NDArray[np.float64]:
    wide = _level(x)
    size = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(size > 0, size, 1)


def _arrangement(matched: _Matched, mine: int, other: int, what: str) -> str:
    """Names how matched rows lie in the source."""
    steps = np.diff(matched.rows)
    if len(matched.rows) == mine and (steps == 1).mean() > 0.9:
        if mine < other:
            return f"{what} cut out"
        return f"{what} joined" if mine > other or matched.covered < 0.9 else f"{what} in place"
    if mine == other and matched.covered > 0.9:
        return f"{what} permuted"
    return f"{what} chosen" if mine <= other else f"{what} joined"


def _by_values(mine: Look, other: Look, start: Relation) -> Iterator[Relation]:
    """The same numbers, wherever they stand: cut out, joined, or put into any other order.

    Chance is what the same numbers give when each is moved by a few roundings, or mirrored: where
    numbers lie on a grid, as quantised and freshly drawn ones do, the mirrored lie on it as well.
    """
    if not (mine.tensor.is_float and other.tensor.is_float):
        return
    sample = mine.values
    pool = None if sample is None else different(_rounded(other.body, mine.tensor))
    if sample is None or pool is None:
        return
    share = _among(sample, pool)
    if share < FOUND:  # strangers: chance need not be asked for
        return
    step = 2 * ROUNDING[mine.tensor.dtype]
    factors = (-1.0, *(1 + place * step for place in (-5, -3, 3, 5)))
    chance = max(
        _among(_rounded(sample * np.float32(factor), mine.tensor), pool) for factor in factors
    )
    if chance > 0.5 or share - chance < FOUND:
        return
    covered = (share - chance) / (1 - chance)
    mine_size, size = mine.tensor.elements, other.tensor.elements
    kind = "cut out" if mine_size < size else "joined" if mine_size > size else "rearranged"
    yield replace(start, kinds=(kind,), correlation=1.0, covered=covered, exact=True)


def _among(values: Numbers, pool: Numbers) -> float:
    """Returns which part of some values stands in a pool that is in order."""
    places = np.searchsorted(pool, values).clip(max=len(pool) - 1)
    return float(np.mean(pool[places] == values))


def _by_both(mine: Look, other: Look, start: Relation) -> Iterator[Relation]:
    """Rows and columns both in another order: rows are matched by their values in order."""
    a, b = mine.tensor, other.tensor
    if not (mine.whole and other.whole) or min(len(a.shape), len(b.shape)) < 2:
        return
    for turned in (False, True):
        x, y = mine.body, other.body.T if turned else other.body
        if (
            x.shape != y.shape
            or x.size > SORTED
            or min(x.shape) < NARROWEST
            or max(x.shape) > LONGEST
        ):
            continue
        profiles = [np.sort(_profile(side), axis=1) for side in (x, y)]
        middle = profiles[1].mean(axis=0)
        near = _nearest(profiles[0] - middle, profiles[1] - middle)
        half = slice(0, None, 2)
        seen = _unit(x[half].T) @ _unit(y[near][half].T).T
        columns = np.abs(seen).argmax(axis=1)
        rest = slice(1, None, 2)
        r, scale = correlated(x[rest], y[near][rest][:, columns])
        kinds = ("transposed",) if turned else ()
        found = replace(
            start, kinds=(*kinds, "rows and columns permuted"), correlation=r, scale=scale,
            turned=turned, rows=tuple(map(int, near)), columns=tuple(map(int, columns)),
        )  # fmt: skip
        yield _named(found, a, x, y[near][:, columns], b)


def _profile(x: Numbers) -> NDArray[np.float64]:
    """Rows without the factor that may lie between two matrices."""
    wide = x.astype(np.float64)
    return wide / (np.sqrt(np.mean(wide**2)) or 1.0)


def _nearest(x: NDArray[np.float64], y: NDArray[np.float64]) -> Map:
    """Returns which row of `y` each row of `x` is nearest to."""
    far = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    nearest: Map = far.argmin(axis=1)
    return nearest


def image(mine: Look, other: Look, relation: Relation) -> Numbers | None:
    """Returns the source arranged as the tensor is; None where the arrangement is not known."""
    y = other.body.T if relation.turned else other.body
    if relation.rows is not None:
        y = y[list(relation.rows)]
    if relation.columns is not None:
        y = y[:, list(relation.columns)]
    return y if y.shape == mine.body.shape else None
