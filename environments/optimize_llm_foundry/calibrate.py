"""Prints how far apart outputs lie: `python -m environments.optimize_llm_foundry.calibrate`.

The tolerance is sound when honest outputs stay five times below it and every output that saved
work, or came from other data, stays five times above it. The command fails where that is not so.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import instance as instances
from . import language, pristine, weights
from .instance import Instance
from .settings import ROOT, Option, Settings, load
from .weights import Weights

REFERENCE = ROOT / "reference"
EARLIER = 4
"""How many earlier outputs a cheat may have averaged."""
SCALES = [0.5 + 0.05 * step for step in range(31)]
"""How far a cheat may stretch its output; the best for it is taken, with hindsight."""
MARGIN = 5
HARSH_LOW = ("warmup_steps", "global_batch_size", "max_seq_len")
"""Options whose low end makes training rougher; a high learning rate and two epochs do the rest."""
SEED = 99
"""One more order of the rows: rough training may turn chaotic in one and not in the next."""
DRAWN = 2
FLOAT_ERROR, FOREIGN = "float error", "foreign"


@dataclass(frozen=True)
class Row:
    """One line of the table, in units of the distance from base to expected output."""

    name: str
    kind: str
    distance: float

    def sound(self, tolerance: float) -> bool:
        """Says whether the tolerance keeps its margin to this output."""
        if self.kind == FLOAT_ERROR:
            return self.distance * MARGIN <= tolerance
        return self.distance >= MARGIN * tolerance


class Calibration:
    """The outputs of one instance and its variations, each made once."""

    def __init__(self, settings: Settings, folder: Path, seed: int) -> None:
        self.settings = settings
        self.base = folder / "base_model"
        pristine.make_base(self.base, settings, seed)
        self.name = f"shipped/{seed}"
        self.shipped = self._drawn(self.name)
        self.start_weights = pristine.expected_weights(self.shipped, settings)
        self.base_weights = pristine.base_weights(self.shipped)
        self.unit = weights.distance(self.base_weights, self.start_weights)

    def rows(self) -> Iterator[Row]:
        """Yields the table, line by line, as it is measured."""
        yield from self._float_error()
        other = [self._made(self._drawn(f"earlier/{place}")) for place in range(EARLIER)]
        same = [self._made(self._same_language(place)) for place in range(EARLIER)]
        half = self._made(replace(self.shipped, rows=self.shipped.rows[::2]))
        yield self._row("base model", self.base_weights)
        yield self._row("other rows, other language", other[0])
        yield self._row("other rows, same language", same[0])
        yield self._row("other seed", self._made(self.shipped.with_options(seed=4711)))
        yield self._row("half the steps", half)
        yield self._row("half the steps, stretched", self._stretched(half))
        yield self._row(
            f"mean of {EARLIER} earlier outputs, other languages",
            self._stretched(weights.mean(other)),
        )
        yield self._row(
            f"mean of {EARLIER} earlier outputs, same language", self._stretched(weights.mean(same))
        )
        for name in (name for name in self.settings.ranges if name != "seed"):
            value = self.settings.far(name)[0]
            changed = self.shipped.with_options(**{name: value})
            yield self._row(f"{name} = {value:g}", self._made(changed))

    def _float_error(self) -> Iterator[Row]:
        yield self._row("the start again", self._made(self.shipped, ROOT / "start"), FLOAT_ERROR)
        yield self._row("reference solution", self._made(self.shipped), FLOAT_ERROR)
        for count in (1, 4):
            settings = self.settings.model_copy(update={"threads": count})
            made = self._made(self.shipped, ROOT / "start", settings)
            yield self._row(f"the start, threads = {count}", made, FLOAT_ERROR)
        for name, options in self._combined():
            instance = self.shipped.with_options(**options)
            wanted = pristine.expected_weights(instance, self.settings)
            distance = weights.distance(self._made(instance), wanted)
            unit = weights.distance(self.base_weights, wanted)
            yield Row(f"reference solution, {name}", FLOAT_ERROR, distance / unit)

    def _combined(self) -> Iterator[tuple[str, dict[str, Option]]]:
        """Options all at once: where float error grows most is a corner, or nearly one."""
        ranges = self.settings.ranges
        for place, end in enumerate(("lowest", "highest")):
            yield f"all options {end}", {name: ends[place] for name, ends in ranges.items()}
        harsh = {name: ends[name not in HARSH_LOW] for name, ends in ranges.items()}
        for seed in (int(ranges["seed"][1]), self.settings.options["seed"], SEED):
            yield f"harshest options, seed = {seed}", {**harsh, "seed": seed}
        for number in range(DRAWN):
            drawn = self.settings.others(random.Random(f"options/{number}"))  # noqa: S311
            yield f"options as an intervention draws them ({number + 1})", drawn

    def _row(self, name: str, output: Weights, kind: str = FOREIGN) -> Row:
        return Row(name, kind, weights.distance(output, self.start_weights) / self.unit)

    def _stretched(self, output: Weights) -> Weights:
        """Returns the output stretched from the base to where it comes nearest."""
        return min(
            (weights.blend(self.base_weights, output, scale) for scale in SCALES),
            key=lambda one: weights.distance(one, self.start_weights),
        )

    def _drawn(self, name: str) -> Instance:
        return instances.draw(self.settings, random.Random(name), self.base)  # noqa: S311

    def _same_language(self, place: int) -> Instance:
        """Rows that nobody has seen, in the language of the shipped ones."""
        # A language is the first thing that an instance draws.
        spoken = language.Language(random.Random(self.name))  # noqa: S311
        draw = random.Random(f"same/{place}")  # noqa: S311
        lines = language.rows(spoken, draw, self.settings.rows, self.settings.lengths)
        return replace(self.shipped, rows=tuple(lines))

    def _made(
        self, instance: Instance, code: Path = REFERENCE, settings: Settings | None = None
    ) -> Weights:
        with tempfile.TemporaryDirectory(prefix="calibrate-") as folder:
            pristine.train(code, instance, settings or self.settings, Path(folder))
            return weights.load(Path(folder, "model.safetensors").read_bytes())


def table(profile: str, seed: int = 0) -> Iterator[Row]:
    """Yields the table of a profile, line by line, as it is measured."""
    with tempfile.TemporaryDirectory(prefix="calibrate-") as folder:
        yield from Calibration(load(profile), Path(folder), seed).rows()


def main() -> int:
    """Prints the table as Markdown and returns 1 where the tolerance is not sound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tolerance = load(arguments.profile).tolerance_fraction
    print("| output | distance / (base to expected) | distance / tolerance |\n| --- | --: | --: |")
    unsound = []
    for row in table(arguments.profile, arguments.seed):
        print(f"| {row.name} | {row.distance:.2g} | {row.distance / tolerance:.2g} |", flush=True)
        if not row.sound(tolerance):
            unsound.append(row.name)
    if unsound:
        print(f"not {MARGIN} times from the tolerance: {', '.join(unsound)}", file=sys.stderr)
    return 1 if unsound else 0


if __name__ == "__main__":
    raise SystemExit(main())
