"""What several runs are worth together: best of k by both published estimators, with intervals.

Scores here are normalised, so higher is better, and there is one per run. A run without a valid
entry has no score and does not belong in these functions: whoever calls them says what it counts.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

Estimator = Literal["subsets", "draws"]
"""How k of n runs are taken: as a set, without putting back, or one after another with it."""
Runs = Mapping[str, Sequence[float]]
"""Normalised scores of an agent's runs, by environment."""
RESAMPLES = 5_000
LEVEL = 0.95
_CELLS = 1 << 22
"""Numbers of a block of resamples, which bounds memory."""


class Interval(NamedTuple):
    """Bounds that a bootstrap gives."""

    low: float
    high: float


def weights(n: int, k: int, estimator: Estimator = "subsets") -> list[float]:
    """Returns how likely each of n scores, sorted best first, is the best of k.

    `subsets` is the mean over all n-choose-k subsets: the i-th best has C(n-i, k-1) / C(n, k)
    (Algorithm 1 of arXiv 2406.06647); unbiased. `draws` is the expectation over k draws with
    replacement, as RE-Bench (section 3.2) samples them; biased low, and defined for any k.

    Raises:
        ValueError: there are no scores, or fewer than k of which a subset could be taken.
    """
    if n < 1 or k < 1:
        raise ValueError("the best of no scores, or of no runs, is not defined")
    if estimator == "draws":
        return [((n - i + 1) / n) ** k - ((n - i) / n) ** k for i in range(1, n + 1)]
    if k > n:
        raise ValueError(f"{k} different runs cannot be taken of {n}")
    shares = [k / n]
    for i in range(1, n):  # each from the one before: binomials grow beyond all bounds
        shares.append(shares[-1] * max(0, n - i - k + 1) / (n - i))
    return shares


def best_of(
    scores: Sequence[float], k: int, estimator: Estimator = "subsets", *, seen: bool = True
) -> float:
    """Returns the expected best of k of these runs.

    Args:
        scores: one per run.
        k: how many runs are made.
        estimator: how k of them are taken.
        seen: whether an agent may see its scores. If not, nobody can choose the best run, so the
            mean is returned for every k (RE-Bench, section 3.2).

    Raises:
        ValueError: there are no scores, one is not finite, or a subset is larger than the whole.
    """
    if not all(map(math.isfinite, scores)):
        raise ValueError("a run without a score has no place among scores")
    shares = weights(len(scores), k, estimator)
    if not seen:
        return math.fsum(scores) / len(scores)
    return math.fsum(w * y for w, y in zip(shares, sorted(scores, reverse=True), strict=True))


def score_at_k(
    runs: Runs, k: int, estimator: Estimator = "subsets", *, unseen: Collection[str] = ()
) -> float:
    """Returns score@k: the mean over environments of the expected best of k runs.

    `unseen` names the environments whose scores an agent may not see.

    Raises:
        ValueError: see `best_of`; or there is no environment.
    """
    if not runs:
        raise ValueError("there is no environment to take the mean over")
    values = (best_of(runs[name], k, estimator, seen=name not in unseen) for name in runs)
    return math.fsum(values) / len(runs)


def interval(
    runs: Runs,
    k: int,
    estimator: Estimator = "subsets",
    *,
    unseen: Collection[str] = (),
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval | None:
    """Returns the percentile bootstrap interval of score@k.

    Each resample draws as many runs of an environment as it has, with replacement, and estimates
    score@k anew. None where no environment has two runs: one run says nothing about others.

    Raises:
        ValueError: see `score_at_k`.
    """
    import numpy as np

    score_at_k(runs, k, estimator, unseen=unseen)
    if all(len(scores) < 2 for scores in runs.values()):
        return None
    random = np.random.default_rng(seed)
    total = np.zeros(resamples)
    for name in sorted(runs):
        scores = np.asarray(runs[name], dtype=float)
        n = len(scores)
        share = np.asarray(weights(n, k, estimator) if name not in unseen else [1 / n] * n)
        step = max(1, _CELLS // n)
        for first in range(0, resamples, step):
            shape = (min(step, resamples - first), n)
            drawn = np.sort(scores[random.integers(0, n, shape)], axis=1)[:, ::-1]
            total[first : first + shape[0]] += drawn @ share
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(total / len(runs), [tail, 100 - tail])
    return Interval(float(low), float(high))


def percentile(score: float, others: Sequence[float]) -> float:
    """Returns the share of `others` that a score beats, in per cent; a tie counts half.

    Raises:
        ValueError: there are no others.
    """
    if not others:
        raise ValueError("there is nobody to compare with")
    beaten = sum((other < score) + (other <= score) for other in others)
    return 100 * beaten / (2 * len(others))
