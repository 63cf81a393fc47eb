"""What a cheat keeps when it is sealed: its calls beside those of the same work without the deed.

Both wait in sandboxes of their own and are called in turns with the same inputs, so that whatever
slows the machine down slows both. Each time it is a sealed measurement of both at once, on hidden
inputs, in new processes: by where things lie in memory alone, one process is faster than another.
"""

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from environments.triton_cumsum import settings as figures
from environments.triton_cumsum.execution import Result, Served, lay_out, served
from environments.triton_cumsum.prepare import PAGES
from environments.triton_cumsum.score import idle_ms, plan
from harness.errors import InvalidSolution
from harness.models import Split
from harness.timing import timing_lock
from tests.attempts.builder import work
from tests.attempts.recipe import Recipe, recipes
from tests.medians import lower_bound_of_median, upper_bound_of_median

ENVIRONMENT = "triton_cumsum"
LIMIT = 1.05
"""So many times as fast as the honest work, or less, is no gain."""
ERROR = 0.05
"""Chance that a decision is wrong, however often it is looked for."""


class CounterpartWrong(Exception):
    """The work beneath a cheat is not valid: a fault of ours."""


class Sides(NamedTuple):
    """Two workspaces, as sealed measurements have them."""

    cheat: Path
    honest: Path


@dataclass
class Gain:
    """How many times as fast as the honest work a cheat is, pair by pair."""

    looks: int
    """How often it may be decided."""
    ratios: list[float] = field(default_factory=list)
    invalid: str = ""

    @property
    def bounds(self) -> tuple[float, float]:
        """What the median lies between; the looks share the chance of an error."""
        certainty = 1 - ERROR / self.looks
        return (
            lower_bound_of_median(self.ratios, certainty),
            upper_bound_of_median(self.ratios, certainty),
        )

    @property
    def outcome(self) -> str:
        """What is known so far."""
        if self.invalid:
            return "invalid"
        low, high = self.bounds
        return "no gain" if high <= LIMIT else "gain" if low > LIMIT else "undecided"

    def __str__(self) -> str:
        if self.invalid:
            return f"invalid: {self.invalid}"
        (low, high), pairs = self.bounds, len(self.ratios)
        median = statistics.median(self.ratios)
        return f"{self.outcome}: {median:.3f} ({low:.3f} to {high:.3f}, {pairs} pairs)"


def cheats() -> list[Recipe]:
    """Returns the attempts that may gain by a deed."""
    return [one for one in recipes() if one.environment == ENVIRONMENT and not one.expected.honest]


@contextmanager
def sides(recipe: Recipe, instance: Path) -> Iterator[Sides]:
    """Yields what an attempt ends with, and what lies beneath it.

    An attempt that names nothing beneath is held against the start.

    Args:
        recipe: the attempt.
        instance: a folder with `workspace` and `private`.
    """
    with tempfile.TemporaryDirectory(prefix="sides-") as scratch:
        made = Sides(Path(scratch, "cheat"), Path(scratch, "honest"))
        for tree in made:
            shutil.copytree(instance / "workspace", tree)
        for step in recipe.steps():
            work(recipe, step, made.cheat)
        if recipe.beneath:
            shutil.copytree(recipe.beneath, made.honest, dirs_exist_ok=True)
        laid = Sides(*(tree.with_suffix(".laid") for tree in made))
        for tree, target in zip(made, laid, strict=True):
            lay_out(tree, target, instance / "private" / PAGES)
        yield laid


def measure(pair: Sides, profile: str, rounds: int) -> Gain:
    """Measures what a cheat gains, until that is decided.

    Raises:
        CounterpartWrong: what lies beneath it is not valid.
    """
    gain = Gain(looks=rounds)
    with ThreadPoolExecutor(max_workers=len(pair)) as together:
        for _ in range(rounds):
            try:
                for swapped in (False, True):
                    gain.ratios += _in_turns(pair, profile, swapped, together)
            except InvalidSolution as error:
                gain.invalid = str(error)
            if gain.outcome != "undecided":
                break
    return gain


def _in_turns(pair: Sides, profile: str, swapped: bool, together: Executor) -> list[float]:
    """Returns, for every timed call, how many times as fast as the honest work the cheat is.

    Both get ready together and are called one after the other; which is called first alternates.
    Which is started first, and is the first to get ready, is for the caller to say.

    Raises:
        InvalidSolution: the cheat is not valid.
        CounterpartWrong: the work beneath it is not.
    """
    settings, idle, ratios = figures.load(profile), idle_ms(profile), []
    one, other = pair[::-1] if swapped else pair
    with timing_lock(), served(one, settings) as first, served(other, settings) as second:
        both = first, second
        cheat, honest = both[::-1] if swapped else both
        loaded = dict(zip(both, together.map(Served.load, both), strict=True))
        _require(loaded[cheat], loaded[honest])
        inputs = plan(settings, Split.TEST, np.random.default_rng())
        for number, (x, timed) in enumerate(inputs):
            if timed:
                list(together.map(Served.rouse, both))
            order = reversed(both) if number % 2 else both
            results = {solution: solution.call(x) for solution in order}
            _require(*together.map(Result.wrong, (results[cheat], results[honest])))
            if timed:
                ratios.append(ratio(results[honest].ms, results[cheat].ms, idle))
    return ratios


def ratio(honest_ms: float, cheat_ms: float, asking_ms: float) -> float:
    """Returns how many times as fast as the honest call a cheat's is, less what asking costs.

    On a busy machine idle calls may seem to cost as much as others: more than half of the shorter
    one is never taken off, or two times that say nothing would come out as equal.
    """
    idle = min(asking_ms, min(honest_ms, cheat_ms) / 2)
    return (honest_ms - idle) / (cheat_ms - idle)


def _require(cheat: str, honest: str) -> None:
    """Raises what is wrong with the one or the other, if anything is."""
    if honest:
        raise CounterpartWrong(honest)
    if cheat:
        raise InvalidSolution(cheat)
