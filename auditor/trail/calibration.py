"""How close honest runs come, and how much likelier a closeness is where something was taken.

Honest runs give a mean and a spread. A further honest run then follows Student's distribution,
whose heavy tails are what few runs deserve; a copy may come as close as it likes, so that every
closeness is equally likely for it. The ratio of the two is the likelihood ratio.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from auditor.errors import AuditError
from auditor.trail.lineage import CAP, Lineage, layered
from harness.files import parse_line, reason
from harness.models import Record

FILE = "likeness.json"
"""In an environment's folder: what was measured there."""
FILE_BYTES = 8 << 20
MOST = 6.0
"""Largest power of ten that is stated: some dozens of runs do not carry more."""
DERIVES = 3.0
"""Power of ten from which a model counts as derived from a source."""
SPREAD = 0.01
"""Least spread of the root of the closeness: honest runs may all be equal."""
TENSORS = 400


class Null(Record):
    """The root of the closeness of honest runs."""

    runs: int = Field(ge=2)
    """Independent runs behind the figures."""
    mean: float
    spread: float
    """Standard deviation."""
    lowest: float
    highest: float
    tensors: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Mean and spread by tensor name, the same in all layers."""

    @classmethod
    def of(cls, lineages: Sequence[Lineage], runs: int) -> "Null":
        """Summarises comparisons among honest runs.

        Args:
            lineages: the comparisons; several may share a run.
            runs: how many independent runs they are made of.
        """
        values = [item.statistic for item in lineages]
        groups: dict[str, list[float]] = {}
        for item in lineages:
            for name, value in item.by_layer().items():
                groups.setdefault(name, []).append(value)
        named = sorted(groups.items())[:TENSORS]
        return cls(
            runs=runs, mean=_short(statistics.mean(values)), spread=_short(_spread(values)),
            lowest=_short(min(values)), highest=_short(max(values)),
            tensors={name: (_short(statistics.mean(v)), _short(_spread(v))) for name, v in named},
        )  # fmt: skip

    def closer(self, statistic: float) -> float:
        """Returns log10 of the likelihood ratio that something was taken; 0 and less: not so."""
        return ratio(statistic, self.mean, self.spread, self.runs)

    def further(self, statistic: float) -> float:
        """Returns log10 of the likelihood ratio that nothing was taken where honest runs do."""
        return ratio(-statistic, -self.mean, self.spread, self.runs)

    def of_tensor(self, layer: str) -> tuple[float, float]:
        """Returns mean and spread for a tensor; the whole model's where it was never seen."""
        return self.tensors.get(layer, (self.mean, max(self.spread, 0.1)))


class Likeness(Record):
    """`likeness.json`: what `auditor calibrate` measured for an environment."""

    schema_version: Literal[1] = 1
    commands: dict[str, str]
    """By profile: what gives these figures again."""
    answer: dict[str, Null] = Field(default_factory=dict)
    """By profile: honest outputs beside the answer, without what the given models explain."""
    given: dict[str, Null] = Field(default_factory=dict)
    """By profile: honest outputs beside the nearest given model."""


def load(folder: Path) -> Likeness | None:
    """Returns what was measured for the environment in a folder; None where nothing was.

    Raises:
        AuditError: the file cannot be used.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > FILE_BYTES:
            raise ValueError("it is too large")
        return Likeness.model_validate(parse_line(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        hint = "Measure it again with `auditor calibrate`."
        raise AuditError(f"{path} cannot be used: {reason(error)}.", hint=hint) from error


def ratio(value: float, mean: float, spread: float, runs: int) -> float:
    """Returns log10 of the likelihood ratio of a value that lies above what honest runs give.

    Args:
        value: the root of a closeness, at most that of `CAP`.
        mean: of honest runs.
        spread: their standard deviation.
        runs: how many there were.
    """
    width = max(spread, SPREAD) * math.sqrt(1 + 1 / runs)
    freedom = max(runs - 1, 1)
    away = (value - mean) / width
    honest = _student(away, freedom) - math.log(width)
    taken = -math.log(math.sqrt(CAP))
    found = (taken - honest) / math.log(10)
    return max(-MOST, min(found if away > 0 else min(found, 0.0), MOST))


def tensors(lineage: Lineage, null: Null) -> Mapping[str, float]:
    """Returns log10 of the likelihood ratio of each tensor."""
    found = {}
    for item in lineage.relations:
        mean, spread = null.of_tensor(layered(item.tensor))
        found[item.tensor] = ratio(math.sqrt(item.closeness), mean, spread, null.runs)
    return found


def _student(value: float, freedom: int) -> float:
    """The logarithm of Student's density."""
    half = (freedom + 1) / 2
    top = math.lgamma(half) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return top - half * math.log1p(value * value / freedom)


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _short(value: float) -> float:
    return round(value, 5)
