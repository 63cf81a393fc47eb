"""Known answers: what is found of each transformation, and whom honest trainings accuse.

`auditor selftest --weights` trains the models, transforms them and prints the table anew.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from auditor.trail import trainings
from auditor.trail.blob import Held
from auditor.trail.calibration import DERIVES, Null
from auditor.trail.lineage import Lineage, Model, mixture, trace
from auditor.trail.tensor import Tensor, decoded
from auditor.trail.trainings import Tensors
from auditor.trail.weights import Weights
from harness.files import parse_line
from harness.models import Record

STORED = Path(__file__).with_name("known.json")
"""The table as it was last measured, and the closeness of strangers behind it."""
HONEST = 32
"""Independent trainings that are judged; as many others are what they are judged by."""
CALIBRATION = 24
Say = Callable[[str], None]
Change = Callable[[Tensors, float, np.random.Generator], Tensors]
Type = Literal["f32", "f16", "bf16", "f8_e4m3"]


class Row(Record):
    """One line of the table."""

    what: str
    strength: str
    cheat: bool
    """Whether the source was taken; where it was not, everything found is false."""
    found: int
    of: int
    named: int | None = None
    """How often what was done is named as well."""
    ratio: float
    """Median of log10 of the likelihood ratio."""


class Known(Record):
    """The table, with what it rests on."""

    schema_version: Literal[1] = 1
    strangers: Null
    """Independent trainings beside each other."""
    siblings: Null
    """Trainings from one base on one text beside each other, without what the base explains."""
    alike: Null
    """Trainings that began with the same random numbers beside each other."""
    rows: tuple[Row, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Transformation:
    """Something that may be done to weights that were taken."""

    name: str
    words: tuple[str, ...]
    """One of these must be named."""
    strengths: tuple[float, ...]
    change: Change
    shown: str = "{:g}"
    dtype: Type = "f32"


def stored() -> Known:
    """Returns the table as it was last measured."""
    return Known.model_validate(parse_line(STORED.read_bytes()))


def measure(say: Say, honest: int = HONEST, calibration: int = CALIBRATION) -> Known:
    """Trains, transforms and compares.

    Args:
        say: told what is being done.
        honest: independent trainings that are judged.
        calibration: further trainings that give the closeness of honest ones.
    """
    say(f"training {3 * (honest + calibration)} models")
    tokens, other = trainings.text(0), trainings.text(1)
    scratch = [
        trainings.train(recipe, tokens) for recipe in trainings.recipes(honest + calibration)
    ]
    base = trainings.train(next(trainings.recipes(1, first=900)), other)
    tuned = [
        trainings.train(recipe, tokens, base)
        for recipe in trainings.recipes(honest + calibration, first=500)
    ]
    begun = [
        trainings.train(recipe, tokens, trainings.fresh(0))
        for recipe in trainings.recipes(honest + calibration, first=1500)
    ]
    given = (packed("base", base),)
    say("comparing honest trainings")
    strangers = Null.of(list(_pairs(scratch[honest:], ())), calibration)
    siblings = Null.of(list(_pairs(tuned[honest:], given)), calibration)
    alike = Null.of(list(_pairs(begun[honest:], ())), calibration)
    rows = [
        _row("independent trainings", "", _pairs(scratch[:honest], ()), strangers),
        _row("trainings from one base", "", _pairs(tuned[:honest], given), siblings),
        _row("trainings with one seed", "", _pairs(begun[:honest], ()), alike),
        *_taken(scratch[:honest], strangers, say),
        *_from_base(tuned[:honest], base, strangers),
        *_beside_others(tuned[:honest], "from one base", given, siblings, say),
        *_beside_others(begun[:honest], "with one seed", (), alike, say),
        *_mixed(scratch[:honest]),
    ]  # fmt: skip
    return Known(strangers=strangers, siblings=siblings, alike=alike, rows=tuple(rows))


def text(known: Known) -> str:
    """Returns the table for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("weights", "strength", "found", "named", "log10 ratio", box=SIMPLE_HEAD,
                  show_edge=False)  # fmt: skip
    for row in known.rows:
        named = "" if row.named is None else f"{row.named}/{row.of}"
        what = row.what if row.cheat else f"honest: {row.what}"
        table.add_row(what, row.strength, f"{row.found}/{row.of}", named, f"{row.ratio:.1f}")
    out = StringIO()
    console = Console(file=out, width=110, color_system=None)
    console.print(table)
    honest = [row for row in known.rows if not row.cheat]
    console.print(
        f"Found from a likelihood ratio of 10^{DERIVES:g} on. "
        f"{sum(row.found for row in honest)} of {sum(row.of for row in honest)} honest pairs are "
        f"accused; the ratios rest on {known.strangers.runs} further trainings of each kind. "
        "Trainings from one base or with one seed are judged by others of their kind."
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def packed(path: str, tensors: Tensors, dtype: Type = "f32") -> Model:
    """Returns tensors as a model that was read from a file."""
    return Model.of(Weights(path, "made", tuple(_tensor(n, v, dtype) for n, v in tensors.items())))


def _tensor(name: str, values: NDArray[np.float64], dtype: Type) -> Tensor:
    single = np.ascontiguousarray(values, np.float32)
    if dtype == "f16":
        data = single.astype(np.float16).tobytes()
    elif dtype == "bf16":
        bits = single.view(np.uint32)
        data = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).tobytes()
    elif dtype == "f8_e4m3":
        data = _eights(single).tobytes()
    else:
        data = single.tobytes()
    return Tensor(name, dtype, values.shape, Held(data))


def _eights(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = decoded(bytes(range(256)), "f8_e4m3")
    order = np.argsort(np.where(np.isfinite(known), known, 1e9), kind="stable")[:254]
    middles = (known[order][1:] + known[order][:-1]) / 2
    return order[np.searchsorted(middles, values)].astype(np.uint8)


def _pairs(models: Sequence[Tensors], given: Sequence[Model]) -> Iterator[Lineage]:
    """Compares every model with three others, so that each is a part of as many pairs."""
    ready = [packed(f"training {number}", model) for number, model in enumerate(models)]
    for number, model in enumerate(ready):
        for step in (1, 2, 5):
            yield trace(model, ready[(number + step) % len(ready)], given)


def _row(
    what: str, strength: str, lineages: Iterator[Lineage], null: Null,
    words: tuple[str, ...] = (), *, cheat: bool = False,
) -> Row:  # fmt: skip
    seen = list(lineages)
    ratios = [null.closer(item.statistic) for item in seen]
    named = sum(_names(item, words) for item in seen) if words else None
    return Row(
        what=what, strength=strength, cheat=cheat, named=named,
        found=sum(ratio >= DERIVES for ratio in ratios), of=len(ratios),
        ratio=round(float(np.median(ratios)), 2),
    )  # fmt: skip


def _names(lineage: Lineage, words: tuple[str, ...]) -> bool:
    """Returns whether most tensors are said to be what they are."""
    told = [" ".join(item.kinds) for item in lineage.relations]
    right = sum(any(word in kinds for word in words) for kinds in told)
    return 2 * right > len(told)


def _taken(models: Sequence[Tensors], null: Null, say: Say) -> Iterator[Row]:
    for item in TRANSFORMATIONS:
        say(f"comparing: {item.name}")
        for strength in item.strengths:
            shown = item.shown.format(strength)
            yield _row(item.name, shown, _changed(models, item, strength, ()), null, item.words,
                       cheat=True)  # fmt: skip


def _changed(
    models: Sequence[Tensors], item: Transformation, strength: float, given: Sequence[Model]
) -> Iterator[Lineage]:
    for number, model in enumerate(models):
        draw = np.random.default_rng(number)
        made = packed("taken", item.change(model, strength, draw), item.dtype)
        yield trace(made, packed("source", model), given)


def _from_base(models: Sequence[Tensors], base: Tensors, null: Null) -> Iterator[Row]:
    source = packed("base", base)
    yield _row(
        "trained on from the source", "", (trace(packed("m", m), source) for m in models), null,
        ("changed", "noised", "equal"), cheat=True,
    )  # fmt: skip


def _beside_others(
    models: Sequence[Tensors], which: str, given: Sequence[Model], null: Null, say: Say
) -> Iterator[Row]:
    """What is found where honest trainings are like each other anyway."""
    say(f"comparing what was taken from trainings {which}")
    for item in TRANSFORMATIONS:
        if item.name in ("equal", "type", "scaled", "rows permuted", "noise"):
            for strength in item.strengths[:3]:
                lineages = _changed(models, item, strength, given)
                shown = item.shown.format(strength)
                yield _row(f"{item.name}, {which}", shown, lineages, null, cheat=True)


def _mixed(models: Sequence[Tensors]) -> Iterator[Row]:
    """Whether a mixture's parts come out right, to a hundredth, of two models and of three."""
    for parts in ((0.9, 0.1), (0.7, 0.3), (0.5, 0.5), (1.4, -0.4), (0.5, 0.3, 0.2)):
        right, found = 0, []
        for number in range(len(models)):
            chosen = [models[(number + step) % len(models)] for step in range(len(parts))]
            made = {
                name: sum(part * one[name] for part, one in zip(parts, chosen, strict=True))
                for name in chosen[0]
            }
            sources = [packed(str(place), one) for place, one in enumerate(chosen)]
            weights, closeness = mixture(packed("mix", made), sources)  # type: ignore[arg-type]
            found.append(closeness)
            right += bool(np.allclose(list(weights.values()), parts, atol=0.01))
        yield Row(
            what="mixture of several", strength=" + ".join(f"{part:g}" for part in parts),
            cheat=True, found=sum(value > 3 for value in found), of=len(found), named=right,
            ratio=round(float(np.median(found)), 2),
        )  # fmt: skip


def _each(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Change:
    return lambda tensors, strength, draw: {name: change(value) for name, value in tensors.items()}


def _scaled(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    return {name: value * strength for name, value in tensors.items()}


def _noised(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    return {
        name: value + draw.normal(0, strength * (value.std() or 1.0), value.shape)
        for name, value in tensors.items()
    }


def _mixed_in(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    """Mixes with a training that nobody has."""
    tokens = trainings.text(2)
    recipe = trainings.Recipe(int(draw.integers(1 << 30)), "adam", 0.004, 32, 60)
    other = trainings.train(recipe, tokens)
    return {
        name: strength * value + (1 - strength) * other[name] for name, value in tensors.items()
    }


def _rows_permuted(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    """Shuffles a part of the rows among themselves."""

    def one(value: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.arange(len(value))
        moved = draw.choice(len(value), max(int(strength * len(value)), 2), replace=False)
        order[np.sort(moved)] = moved
        return np.asarray(value[order])

    return {name: one(value) for name, value in tensors.items()}


def _units_permuted(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    """Gives the hidden units and the width another order: the function stays what it was."""
    wide = draw.permutation(trainings.WIDTH)
    inner = draw.permutation(trainings.HIDDEN)
    return {
        "wte.weight": tensors["wte.weight"][:, wide],
        "h.0.before.weight": tensors["h.0.before.weight"][wide][:, wide],
        "h.0.up.weight": tensors["h.0.up.weight"][inner][:, wide],
        "h.0.up.bias": tensors["h.0.up.bias"][inner],
        "h.0.down.weight": tensors["h.0.down.weight"][wide][:, inner],
        "ln.weight": tensors["ln.weight"][wide],
    }


def _hidden_copy(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    """Permutes, scales and adds noise at once."""
    return _noised(_scaled(_units_permuted(tensors, 1, draw), 1.7, draw), strength, draw)


def _renamed(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    names = [f"module.{number}" for number in draw.permutation(len(tensors))]
    return dict(zip(names, tensors.values(), strict=True))


def _cut_rows(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    return {
        name: value[: max(int(strength * len(value)), 1)] if value.ndim == 2 else value
        for name, value in tensors.items()
    }


def _cut_columns(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    return {
        name: value[:, : max(int(strength * value.shape[1]), 1)] if value.ndim == 2 else value
        for name, value in tensors.items()
    }


def _joined(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    """Puts tensors of the same width below each other, and strange rows below those."""
    alike = [tensors[name] for name in ("h.0.before.weight", "h.0.up.weight", "wte.weight")]
    rows = sum(len(one) for one in alike)
    strange = draw.normal(0, 0.2, (int(rows * strength), trainings.WIDTH))
    return {"fused": np.concatenate([*alike, strange])}


def _flat(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    return {"blob": np.concatenate([value.ravel() for value in tensors.values()])}


def _some(tensors: Tensors, strength: float, draw: np.random.Generator) -> Tensors:
    """Takes some of the tensors and leaves the others as another training has them."""
    own = trainings.fresh(int(draw.integers(1 << 30)))
    names = sorted(tensors, key=lambda name: tensors[name].size)
    kept = names[-2:] if strength > 0.5 else ["h.0.before.weight"]
    return {name: tensors[name] if name in kept else own[name] for name in tensors}


TRANSFORMATIONS = (
    Transformation("equal", ("equal",), (1,), _scaled),
    Transformation("type", ("cast",), (1,), _scaled, "f16", "f16"),
    Transformation("type", ("cast",), (1,), _scaled, "bf16", "bf16"),
    Transformation("type", ("cast",), (1,), _scaled, "f8", "f8_e4m3"),
    Transformation("scaled", ("scaled",), (1.01, 0.5, -3.0), _scaled),
    Transformation("rows permuted", ("rows permuted",), (0.1, 0.5, 1.0), _rows_permuted, "{:.0%}"),
    Transformation("units permuted", ("permuted",), (1,), _units_permuted, "all"),
    Transformation("transposed", ("transposed",), (1,), _each(np.transpose), ""),
    Transformation("renamed", ("renamed",), (1,), _renamed, ""),
    Transformation("rows cut out", ("cut out",), (0.75, 0.5, 0.25), _cut_rows, "{:.0%}"),
    Transformation("columns cut out", ("cut out",), (0.75, 0.5, 0.25), _cut_columns, "{:.0%}"),
    Transformation("joined", ("joined",), (0, 1, 4), _joined, "{:g} strange rows each"),
    Transformation("flattened", ("joined", "reshaped"), (1,), _flat, ""),
    Transformation("a part of the tensors", (), (1, 0), _some, "{:g}"),
    Transformation("noise", ("noised",), (0.001, 0.01, 0.1, 0.3, 1.0, 3.0), _noised),
    Transformation("mixed with a stranger", (), (0.9, 0.7, 0.5, 0.3, 0.1), _mixed_in),
    Transformation("permuted, scaled, noised", ("permuted",), (0.01, 0.1, 0.3), _hidden_copy),
)
