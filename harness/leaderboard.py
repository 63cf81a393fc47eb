"""Many attempts beside each other: who earns what with one run, with k, and with so much time.

An attempt without a valid entry has no score. By default it is left out of means and counted
beside them; `Choice.invalid = "start"` counts it as the start, which it still had in its hands.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from harness.board import (
    AtK,
    Board,
    Budget,
    Competitor,
    Estimate,
    Failure,
    Invalid,
    Point,
    PublishedResult,
    Reference,
    Split,
    Standing,
)
from harness.published import published
from harness.ranking import Estimator, Runs, interval, percentile, score_at_k
from harness.results import Basis, Distinct, Result

BUDGETS_S = (1800.0, 7200.0, 28800.0, 115200.0)
"""Time in total that RE-Bench compares: 30 minutes, 2, 8 and 32 hours."""
KS = (1, 2, 4, 8, 16, 32)
POINTS = 60
"""Of a curve over time."""
Approaches = Callable[[Sequence[Result]], Distinct]


@dataclass(frozen=True)
class Choice:
    """What is compared, and how."""

    basis: Basis = "claimed"
    invalid: Invalid = "drop"
    estimator: Estimator = "subsets"
    """For time budgets; score@k is given by both."""
    budgets_s: Sequence[float] = BUDGETS_S
    ks: Sequence[int] = KS
    seed: int = 0
    """Of the bootstrap."""


def board(
    results: Sequence[Result],
    choice: Choice = Choice(),
    *,
    approaches: Approaches | None = None,
    failures: Sequence[Failure] = (),
) -> Board:
    """Returns the leaderboard of some attempts.

    Args:
        results: one per attempt.
        choice: what is compared.
        approaches: counts different approaches among the solutions that attempts ended with.
        failures: attempts that could not be read.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.by, []).append(result)
    competitors = [_competitor(by, group, choice, approaches) for by, group in groups.items()]
    names = dict.fromkeys(result.environment for result in results if result.ours)
    return Board(
        score=choice.basis,
        invalid=choice.invalid,
        estimator=choice.estimator,
        attempts=tuple(results),
        failures=tuple(failures),
        competitors=tuple(sorted(competitors, key=lambda one: -one.mean)),
        published=tuple(filter(None, map(_reference, names))),
    )


def over_time(results: Sequence[Result], choice: Choice) -> tuple[Point, ...]:
    """Returns the mean score at times, equally spaced by their logarithm.

    As in RE-Bench (section 3.1) a run's score between two entries that count is interpolated
    along the logarithm of time. Before its first valid entry a run is worth the start, 0. Tasks
    count alike. Ends where the shortest run does, so that no point is about fewer runs.
    """
    tasks = _by_task([one for one in results if _final(one, choice) is not None])
    runs = [one for group in tasks.values() for one in group]
    if not runs:
        return ()
    end = min(max(_length(one), one.progress[-1].elapsed_s if one.progress else 0) for one in runs)
    if end <= 0:
        return ()
    first = min(max(60.0, end / 1000), end / 2)
    ratio = end / first
    times = [first * ratio ** (number / (POINTS - 1)) for number in range(POINTS)]
    return tuple(
        Point(
            elapsed_s=at,
            score=fmean(fmean(_between(one, at) for one in group) for group in tasks.values()),
        )
        for at in times
    )


def _competitor(
    by: str, results: Sequence[Result], choice: Choice, approaches: Approaches | None
) -> Competitor:
    tasks = _by_task(results)
    unseen = {task for task, group in tasks.items() if not group[0].score_visible}
    finals = {task: _finals(group, choice) for task, group in tasks.items()}
    return Competitor(
        by=by,
        attempts=len(results),
        without_score=len(results) - sum(_scored(one, choice) for one in results),
        entries_per_hour=_rate(results),
        standings=tuple(_standing(group, choice, approaches) for group in tasks.values()),
        score_at_k=tuple(_at_k(finals, choice, unseen)) if all(finals.values()) else (),
        budgets=tuple(_budget(total, tasks, choice, unseen) for total in choice.budgets_s),
        over_time=over_time(results, choice),
    )


def _standing(results: Sequence[Result], choice: Choice, approaches: Approaches | None) -> Standing:
    first = results[0]
    scores = _finals(results, choice)
    unseen = () if first.score_visible else (first.task,)
    facts = published(first.environment) if first.ours else None
    people = facts.people() if facts else ()
    return Standing(
        task=first.task,
        environment=first.environment,
        profile=first.profile,
        attempts=len(results),
        without_score=len(results) - sum(_scored(one, choice) for one in results),
        mean=fmean(scores) if scores else None,
        best=max(scores, default=None),
        score_at_k=tuple(_at_k({first.task: scores}, choice, unseen)) if scores else (),
        percentile=percentile(fmean(scores), people) if scores and people else None,
        entries_per_hour=_rate(results),
        approaches=approaches(results) if approaches else None,
    )


def _at_k(runs: Runs, choice: Choice, unseen: Iterable[str]) -> Iterator[AtK]:
    """Yields score@k as long as some task has k runs; k = 1 always."""
    hidden = frozenset(unseen)
    fewest, most = min(map(len, runs.values())), max(map(len, runs.values()))
    for k in sorted({1, *choice.ks}):
        if k <= most:
            enough = k <= fewest
            yield AtK(
                k=k,
                subsets=_estimate(runs, k, "subsets", choice, hidden) if enough else None,
                draws=_estimate(runs, k, "draws", choice, hidden),
            )


def _estimate(
    runs: Runs, k: int, estimator: Estimator, choice: Choice, unseen: frozenset[str]
) -> Estimate:
    bounds = interval(runs, k, estimator, unseen=unseen, seed=choice.seed)
    low, high = bounds if bounds else (None, None)
    return Estimate(score=score_at_k(runs, k, estimator, unseen=unseen), low=low, high=high)


def _budget(
    total_s: float, tasks: Mapping[str, Sequence[Result]], choice: Choice, unseen: Iterable[str]
) -> Budget:
    longest = min(max(map(_length, group)) for group in tasks.values())
    own = {_length(one) for group in tasks.values() for one in group}
    lengths = sorted(x for x in {*choice.budgets_s, *own} if 0 < x <= min(total_s, longest))
    splits = tuple(_split(total_s, length, tasks, choice, unseen) for length in lengths)
    known = [one for one in splits if one.estimate]
    best = max(known, key=lambda one: one.estimate.score if one.estimate else 0.0, default=None)
    return Budget(total_s=total_s, splits=splits, best=best)


def _split(
    total_s: float,
    length_s: float,
    tasks: Mapping[str, Sequence[Result]],
    choice: Choice,
    unseen: Iterable[str],
) -> Split:
    """Runs that were given less time say nothing about this length; longer ones are cut."""
    scores = {
        task: [
            score
            for one in group
            if _length(one) >= length_s and _final(one, choice) is not None
            if (score := _cut(one, length_s)) is not None
        ]
        for task, group in tasks.items()
    }
    k, available = int(total_s // length_s), min(map(len, scores.values()))
    enough = available >= (k if choice.estimator == "subsets" else 1)
    return Split(
        runs=k,
        length_s=length_s,
        available=available,
        estimate=_estimate(scores, k, choice.estimator, choice, frozenset(unseen))
        if enough
        else None,
    )


def _by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.task, []).append(result)
    return groups


def _length(result: Result) -> float:
    """How much time an attempt was given; what it took, where nobody said."""
    return result.lasted_s if result.budget_s is None else result.budget_s


def _scored(result: Result, choice: Choice) -> bool:
    return result.value(choice.basis).normalised is not None


def _final(result: Result, choice: Choice) -> float | None:
    value = result.value(choice.basis).normalised
    nothing = choice.invalid == "start" and result.claimed.raw is None
    return 0.0 if nothing else value


def _finals(results: Iterable[Result], choice: Choice) -> list[float]:
    return [score for one in results if (score := _final(one, choice)) is not None]


def _cut(result: Result, at: float) -> float | None:
    """What an attempt was worth at a time; the start before its first valid entry."""
    step = result.by_then(at)
    return step.score if step else 0.0


def _between(result: Result, at: float) -> float:
    """Interpolates between steps along the logarithm of time."""
    steps = [(max(step.elapsed_s, 1.0), step.score) for step in result.progress]
    known = [(elapsed, score) for elapsed, score in steps if score is not None]
    if not known or at < known[0][0]:
        return 0.0
    for (begin, low), (end, high) in pairwise(known):
        if begin <= at < end:
            return low + (high - low) * math.log(at / begin) / math.log(end / begin)
    return known[-1][1]


def _rate(results: Iterable[Result]) -> float | None:
    """Entries per hour over all attempts together."""
    lasting = [one for one in results if one.lasted_s > 0]
    hours = sum(one.lasted_s for one in lasting) / 3600
    return sum(one.entries for one in lasting) / hours if hours else None


def _reference(name: str) -> Reference | None:
    facts = published(name)
    if facts is None:
        return None
    low, high = (facts.normalised(facts.measure.raw(value)) for value in facts.ceiling.measured)
    raw = facts.measure.raw
    return Reference(
        environment=name,
        title=facts.title,
        source=facts.source,
        start=facts.start.score,
        reference=facts.reference.score,
        ceiling=(low, high),
        people=facts.people(),
        people_source=facts.humans.source,
        agents=tuple(
            PublishedResult(
                agent=run.agent,
                raw=raw(run.measured),
                normalised=facts.normalised(raw(run.measured)),
                measured_again=None
                if run.measured_again is None
                else facts.normalised(raw(run.measured_again)),
                note=run.note,
            )
            for run in facts.agents
        ),
        inconsistencies={item.about: item.text for item in facts.inconsistencies},
    )
