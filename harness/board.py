"""What a leaderboard says, as typed data: one object that is shown, plotted or written."""

import math
from typing import Literal

from harness.models import Number, Record
from harness.published import About
from harness.ranking import Estimator
from harness.results import Basis, Distinct, Result

Invalid = Literal["drop", "start"]
"""What an attempt without a valid entry counts: nothing, or what it still had in its hands."""


class Estimate(Record):
    """A mean over environments, with its bootstrap interval where there are several runs."""

    score: Number
    low: Number | None = None
    high: Number | None = None


class AtK(Record):
    """Score@k by both published estimators."""

    k: int
    subsets: Estimate | None
    """None where an environment has fewer than k runs."""
    draws: Estimate


class Standing(Record):
    """An agent's attempts at one task."""

    task: str
    environment: str
    profile: str
    attempts: int
    without_score: int
    """They had no valid entry, or it was not measured."""
    mean: Number | None
    best: Number | None
    score_at_k: tuple[AtK, ...]
    percentile: float | None
    """Of the mean, among published results of people."""
    entries_per_hour: float | None
    approaches: Distinct | None
    """Among the solutions that its attempts ended with."""


class Split(Record):
    """A total of time, spent on so many runs of such a length."""

    runs: int
    length_s: float
    available: int
    """Attempts of at least that length, at the task that has fewest."""
    estimate: Estimate | None
    """None where there are too few of them for the estimator."""


class Budget(Record):
    """Ways to spend a total of time."""

    total_s: float
    splits: tuple[Split, ...]
    best: Split | None


class Point(Record):
    """The mean score at a time."""

    elapsed_s: float
    score: Number


class Competitor(Record):
    """An agent, or a group of people, over all its tasks."""

    by: str
    attempts: int
    without_score: int
    entries_per_hour: float | None
    standings: tuple[Standing, ...]
    score_at_k: tuple[AtK, ...]
    budgets: tuple[Budget, ...]
    over_time: tuple[Point, ...]

    @property
    def mean(self) -> float:
        """What one run is worth, on average over tasks; -inf where nothing has a score."""
        return self.score_at_k[0].draws.score if self.score_at_k else -math.inf


class PublishedResult(Record):
    """A published agent run."""

    agent: str
    raw: Number
    normalised: Number
    measured_again: Number | None
    """Normalised."""
    note: str


class Reference(Record):
    """What was published about a task on the board."""

    environment: str
    title: str
    source: str
    start: Number
    reference: Number
    ceiling: tuple[Number, Number]
    people: tuple[Number, ...]
    """Normalised, best first; empty where rows are not public."""
    people_source: str
    agents: tuple[PublishedResult, ...]
    inconsistencies: dict[About, str]


class Failure(Record):
    """An attempt that cannot be shown."""

    attempt: str
    error: str


class Board(Record):
    """Everything that is shown, plotted or written."""

    schema_version: Literal[1] = 1
    score: Basis
    invalid: Invalid
    estimator: Estimator
    attempts: tuple[Result, ...]
    failures: tuple[Failure, ...] = ()
    competitors: tuple[Competitor, ...]
    """By what one run is worth, best first."""
    published: tuple[Reference, ...]
