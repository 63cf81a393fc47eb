"""Whether a model derives from others, once what follows from the given ones is subtracted.

A model that was trained from a given one is like everything else that was. So each tensor is
compared without what the given models explain of it, and a tensor that they explain wholly says
nothing about where else it might be from.
"""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from auditor.trail.looks import Look, looks
from auditor.trail.relation import CAP, Relation, centred, close, correlated, image, relate
from auditor.trail.weights import Weights

SETTLED = 1.0
"""Closeness from which no other tensor of the same source is tried."""
RELATED = 0.03
"""Closeness to a given model from which it is subtracted: a correlation of a quarter."""
PART = 0.98
"""A tensor that is covered less than this may be put together from several."""
SECONDS = 120.0
"""Time after which a comparison ends with what it has."""
MIXED_ELEMENTS = 1 << 12
"""Elements of a tensor that tell how several models are mixed."""
LAYER = re.compile(r"\d+")


@dataclass(frozen=True)
class Model:
    """A model with the numbers that comparisons use."""

    path: str
    looks: tuple[Look, ...] = field(repr=False)
    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, weights: Weights) -> "Model":
        """Takes out of a file what comparisons need; it may be closed afterwards."""
        faults = list(weights.faults)
        return cls(weights.path, tuple(looks(weights, faults)), tuple(faults))

    @property
    def telling(self) -> tuple[Look, ...]:
        """The tensors that can say where they are from."""
        return tuple(look for look in self.looks if look.telling)


@dataclass(frozen=True)
class Lineage:
    """How a model follows from one source."""

    model: str
    source: str
    relations: tuple[Relation, ...]
    """The closest relation of each tensor that tells something."""
    explained: tuple[str, ...] = ()
    """Tensors that wholly follow from what was given."""
    finished: bool = True
    """False where time ran out: further tensors were not compared."""

    @property
    def elements(self) -> int:
        """Elements of the tensors that were compared."""
        return sum(relation.elements for relation in self.relations)

    @property
    def closeness(self) -> float:
        """The mean closeness of the elements, from 0 for strangers to `CAP` for a copy."""
        if not self.elements:
            return 0.0
        total = sum(relation.elements * relation.closeness for relation in self.relations)
        return total / self.elements

    @property
    def statistic(self) -> float:
        """The root of the closeness, which spreads evenly among honest runs."""
        return math.sqrt(self.closeness)

    @property
    def share(self) -> float:
        """The part of the elements that follow exactly."""
        exact = (item for item in self.relations if item.exact)
        return sum(item.elements * item.covered for item in exact) / max(self.elements, 1)

    def by_layer(self) -> dict[str, float]:
        """Returns the root of the mean closeness by tensor name, the same in all layers."""
        groups: dict[str, list[float]] = {}
        for item in self.relations:
            groups.setdefault(layered(item.tensor), []).append(item.closeness)
        return {name: math.sqrt(sum(found) / len(found)) for name, found in groups.items()}


def layered(name: str) -> str:
    """Returns a tensor's name without the numbers in it."""
    return LAYER.sub("#", name)


def trace(
    model: Model, source: Model, given: Sequence[Model] = (), *, until: float | None = None
) -> Lineage:
    """Compares a model with a source, without what the given models explain of either.

    Args:
        model: whose origin is asked for.
        source: what it may be from.
        given: what it was allowed to start with.
        until: on the monotonic clock, when to end with what was found; `SECONDS` from now when
            None.
    """
    until = time.monotonic() + SECONDS if until is None else until
    kept, explained = subtracted(model, given, until)
    others = source.telling
    if given:
        others = tuple(_held(*subtracted(source, given, until), source))
    relations, finished = _closest(kept, others, until)
    if given:
        relations = list(_as_they_were(relations, model, source))
    return Lineage(model.path, source.path, tuple(relations), tuple(explained), finished)


def subtracted(
    model: Model, given: Sequence[Model], until: float
) -> tuple[list[Look], dict[str, Relation]]:
    """Returns a model's tensors without what the given models explain.

    What they explain wholly, in whatever arrangement, comes second: it derives from them.
    """
    kept, explained = [], {}
    allowed = [item for one in given for item in one.telling]
    for look in model.telling:
        found = _best(look, allowed, until) if time.monotonic() < until else None
        if found is None or found[0].closeness < RELATED:
            kept.append(look)
        elif found[0].exact and found[0].covered > 0.98:
            explained[look.name] = found[0]
        else:
            kept.append(_without(look, *found))
    return kept, explained


def mixture(model: Model, sources: Sequence[Model]) -> tuple[dict[str, float], float]:
    """Returns the parts in which a model is mixed from several, and how close the mix comes.

    The parts are those of least squares over all tensors that every source has by the same name
    and form.
    """
    by_name = [{look.name: look for look in source.looks} for source in sources]
    columns: list[list[NDArray[np.float64]]] = [[] for _ in (model, *sources)]
    for look in model.telling:
        found = [names.get(look.name) for names in by_name]
        rows = [item for item in found if item is not None and _same_form(item, look)]
        if len(rows) == len(sources):
            for column, item in zip(columns, (look, *rows), strict=True):
                column.append(_thinned(item))
    if not columns[0]:
        return {}, 0.0
    target, *parts = (np.concatenate(column) for column in columns)
    table = np.stack(parts, axis=1)
    weights = np.linalg.lstsq(table, target, rcond=None)[0]
    left = float(np.sum((target - table @ weights) ** 2)) / (float(np.sum(target**2)) or 1.0)
    closeness = CAP if left <= 10**-CAP else max(-math.log10(left), 0.0)
    return dict(zip((one.path for one in sources), map(float, weights), strict=True)), closeness


def _same_form(one: Look, other: Look) -> bool:
    return one.tensor.shape == other.tensor.shape and one.body.shape == other.body.shape


def _thinned(look: Look) -> NDArray[np.float64]:
    flat = centred(look.body).ravel()
    spread = np.unique(np.linspace(0, flat.size - 1, MIXED_ELEMENTS).astype(np.int64))
    return flat[spread]


def _held(kept: Iterable[Look], explained: Mapping[str, Relation], source: Model) -> Iterator[Look]:
    """The tensors of a source that say more than what was given."""
    yield from (look for look in kept if look.name not in explained)


def _without(look: Look, relation: Relation, other: Look) -> Look:
    """Returns what a relation leaves of a tensor."""
    arranged = image(look, other, relation)
    if arranged is None:
        return look
    _, scale = correlated(look.body, arranged)
    left = (centred(look.body) - scale * centred(arranged)).astype(np.float32)
    # What is left is no longer what the file holds, so its hash must not speak for it.
    made = replace(look, body=left)
    made.__dict__["digest"] = blake3(left.tobytes()).hexdigest()
    return made


def _as_they_were(relations: Iterable[Relation], model: Model, source: Model) -> Iterator[Relation]:
    """Yields relations, exact ones as they are between the tensors themselves.

    What is left of two tensors that were rounded differently is not exactly the same any more.
    """
    mine = {look.name: look for look in model.looks}
    theirs = {look.name: look for look in source.looks}
    for item in relations:
        if item.closeness >= RELATED and not item.exact and item.source in theirs:
            whole = relate(mine[item.tensor], theirs[item.source])
            if whole is not None and whole.exact and whole.covered > PART:
                item = whole
        yield item


def _closest(
    mine: Sequence[Look], others: Sequence[Look], until: float
) -> tuple[list[Relation], bool]:
    found, finished = [], True
    for look in mine:
        if time.monotonic() > until:
            finished = False
            break
        best = _best(look, others, until)
        if best is None:
            found.append(Relation(look.name, "", look.tensor.elements, ("unlike",), 0.0))
        elif best[0].closeness > RELATED and best[0].covered < PART:
            found.append(_joined(look, best[0], others))
        else:
            found.append(best[0])
    return found, finished


def _joined(look: Look, best: Relation, others: Sequence[Look]) -> Relation:
    """Returns how a tensor follows from several that each cover a part of it."""
    parts: dict[str, Relation] = {}
    for other in others:
        relation = relate(look, other)
        if relation is not None and relation.covered < PART and relation.closeness > RELATED:
            parts.setdefault(other.digest, relation)
    covered = sum(part.covered for part in parts.values())
    if len(parts) < 2:
        return best
    ordered = sorted(parts.values(), key=lambda part: -part.closeness)
    return replace(
        best, source=" + ".join(part.source for part in ordered[:5]), covered=min(covered, 1.0),
        correlation=sum(part.covered * part.correlation for part in ordered) / covered,
        exact=all(part.exact for part in ordered),
        kinds=tuple(dict.fromkeys((*best.kinds, "joined"))),
    )  # fmt: skip


def _best(look: Look, others: Sequence[Look], until: float) -> tuple[Relation, Look] | None:
    """The closest relation to any of some tensors: the one of the same name is tried first."""
    best: tuple[Relation, Look] | None = None
    for other in sorted(others, key=lambda item: (item.name != look.name, item.name)):
        relation = relate(look, other)
        if relation is not None and (best is None or relation.closeness > best[0].closeness):
            best = relation, other
        if best is not None and best[0].closeness >= SETTLED or time.monotonic() > until:
            break
    return best


__all__ = [
    "CAP", "Lineage", "Model", "Relation", "close", "layered", "mixture", "subtracted", "trace",
]  # fmt: skip
