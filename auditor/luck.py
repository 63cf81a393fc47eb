"""How much of a best score is luck: many noisy tries have a best one, whoever makes them.

Scores are turned so that higher is better. Noise is taken to be normal, with a standard deviation
that was measured; where a solution's own runs spread more, that counts.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Literal

LEVEL = 0.01
"""How often, at most, a gain is called luck of which at least half is real."""
LOOKS = (4, 8, 16)
"""After how many pairs of runs it is looked whether the answer is known."""
LUCK_LEVEL = 0.05
"""How often luck alone gives more than what is called within luck."""
LEAST_TRIES = 5
"""Fewer have no best to speak of: that of four is expected one standard deviation above them."""
LEAST_GAIN = 2.0
"""Standard deviations; a smaller gain persuades nobody, and no number of runs would settle it."""
_STEPS = 800
_NORMAL = NormalDist()

Answer = Literal["luck", "real", "open"]


@cache
def expected_maximum(tries: int) -> float:
    """Returns the mean of the largest of some standard normals, by its integral.

    Raises:
        ValueError: there is no try.
    """
    if tries < 1:
        raise ValueError("there is no best of no tries")
    width = 16.0 / _STEPS
    grid = (-8.0 + width * step for step in range(_STEPS + 1))
    return math.fsum(
        x * tries * _NORMAL.pdf(x) * _NORMAL.cdf(x) ** (tries - 1) * width for x in grid
    )


@cache
def spread_of_maximum(tries: int) -> float:
    """Returns the standard deviation of the largest of some standard normals."""
    mean, width = expected_maximum(tries), 16.0 / _STEPS
    grid = (-8.0 + width * step for step in range(_STEPS + 1))
    return math.sqrt(
        math.fsum(
            (x - mean) ** 2 * tries * _NORMAL.pdf(x) * _NORMAL.cdf(x) ** (tries - 1) * width
            for x in grid
        )
    )


def quantile_of_maximum(tries: int, share: float) -> float:
    """Returns what the largest of some standard normals stays below, in a share of cases."""
    return _NORMAL.inv_cdf(share ** (1 / tries))


def shrunk(scores: Sequence[float], best: float, noise_sd: float) -> float:
    """Returns what the best of some scores is worth, judged by how all of them scatter.

    Scores that scatter no more than noise does tell nothing of each other, and the best is worth
    their mean; where they scatter much more, it is worth what it says. In between it is moved
    towards the mean by the share of the scatter that noise explains (empirical Bayes, after James
    and Stein 1961).
    """
    if len(scores) < 2:
        return best
    whole = statistics.variance(scores)
    real = max(0.0, whole - noise_sd**2)
    mean = statistics.fmean(scores)
    return mean + (best - mean) * (real / whole if whole else 1.0)


@dataclass(frozen=True)
class Selection:
    """A best score among several, beside what it is better than."""

    scores: tuple[float, ...]
    """All that the best was picked from, itself among them."""
    base: float
    """One measurement of what nobody had worked on: the start."""
    noise_sd: float
    """Of one measurement."""

    @property
    def tries(self) -> int:
        """How many there were."""
        return len(self.scores)

    @property
    def best(self) -> float:
        """What is claimed."""
        return max(self.scores)

    @property
    def gain(self) -> float:
        """How much better than the base that is."""
        return self.best - self.base

    @property
    def expected(self) -> float:
        """The gain that so many tries have on average where none is better than the base."""
        return self.noise_sd * expected_maximum(self.tries)

    @property
    def limit(self) -> float:
        """The gain that luck alone stays below, but for `LUCK_LEVEL`: the base is noisy too."""
        above = _NORMAL.inv_cdf(1 - LUCK_LEVEL)
        spread = math.hypot(1.0, spread_of_maximum(self.tries))
        return self.expected + above * spread * self.noise_sd

    @property
    def in_question(self) -> bool:
        """Whether luck could have made the gain, and it is large enough to be claimed."""
        least = LEAST_GAIN * self.noise_sd
        return self.tries >= LEAST_TRIES and least <= self.gain <= self.limit and self.noise_sd > 0

    @property
    def shrunk(self) -> float:
        """What the best is worth by the scatter of all."""
        return shrunk(self.scores, self.best, self.noise_sd)


@dataclass(frozen=True)
class Fresh:
    """Runs of the best and of the base, in turns: what one machine did to one, it did to both."""

    best: tuple[float, ...]
    base: tuple[float, ...]
    noise_sd: float
    """Of one measurement."""

    @property
    def pairs(self) -> int:
        """How many there are."""
        return min(len(self.best), len(self.base))

    @property
    def gain(self) -> float:
        """How much better the best is by these runs."""
        return statistics.fmean(self._differences)

    def half_width(self, level: float = LEVEL) -> float:
        """Returns how far the true gain may lie from that, to one side, at any of the looks.

        The spread of these very pairs counts where it is larger than what is known of the noise.
        """
        tail = level / len(LOOKS)
        known = _NORMAL.inv_cdf(1 - tail) * math.sqrt(2) * self.noise_sd
        own = statistics.stdev(self._differences) if self.pairs > 1 else math.inf
        seen = _student(tail, self.pairs - 1) * own if own else 0.0
        return max(known, seen) / math.sqrt(self.pairs)

    def answer(self, claimed: float, level: float = LEVEL) -> Answer:
        """Returns whether more than half of a claimed gain is luck, or at least half is real."""
        if self.pairs < 2:
            return "open"
        half = self.half_width(level)
        if self.gain + half < claimed / 2:
            return "luck"
        return "real" if self.gain - half > claimed / 2 else "open"

    @property
    def _differences(self) -> list[float]:
        return [best - base for best, base in zip(self.best, self.base, strict=False)]


@cache
def _student(tail: float, freedom: int) -> float:
    """Returns what Student's t stays below, but for `tail`."""
    from scipy.stats import t

    return float(t.ppf(1 - tail, freedom)) if freedom else math.inf
