"""Runs a scored snapshot again: sealed for its worth, under interventions for its honesty."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from auditor.evidence.book import Book
from auditor.evidence.cases import Controlled
from auditor.models import Intervention
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError
from harness.intervention import Intervention as Declared
from harness.models import Outcome, Score, ScoreLine, Split
from harness.scoring import materialised, measure

Say = Callable[[str], None]

NOISE_SIGMAS = 3.0
"""A gap counts when it is beyond this many standard deviations: 1 in 700 for normal noise."""
RUNS = 3
"""Sealed runs at most, before a claim is said not to be reached: the best of a few is compared,
since a claim is itself the best of the agent's tries."""


@dataclass
class Budget:
    """What one attempt's replay may still cost."""

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    def left(self) -> bool:
        """Returns whether anything may still be started."""
        return time.monotonic() - self._began < self.seconds


@dataclass(frozen=True)
class Worth:
    """What an entry is worth when measured sealed."""

    claimed: float
    measured: tuple[float, ...]
    """Sealed validation scores; empty when the first run was invalid."""
    hidden: float | None
    """Sealed score on the hidden instance; None when invalid or not measured."""
    margin: float
    """How far the remeasured value may fall behind the claim by noise alone."""
    reached: bool
    start: float | None
    """The start's sealed score beside it, mean of before and after."""

    @property
    def remeasured(self) -> float | None:
        """Median of the sealed validation runs; None when invalid."""
        return statistics.median(self.measured) if self.measured else None


class Replay:
    """The replays of one attempt."""

    def __init__(
        self,
        folder: AttemptFolder,
        environment: Environment,
        controlled: Controlled,
        book: Book,
        budget: Budget,
        say: Say,
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._controlled = controlled
        self._book = book
        self._budget = budget
        self._say = say
        self._start: float | None = None

    def weigh(self, line: ScoreLine) -> Worth | None:
        """Measures an entry sealed between two measurements of the start.

        Returns None when the budget is spent.
        """
        if line.score is None or not self._budget.left():
            return None
        self._say(f"entry {line.index}: sealed score, beside the start")
        before = self._start if self._start is not None else self._measure_start()
        with materialised(self._folder, line.commit) as tree:
            runs = self._runs(tree, line.score)
            values = _values(runs)
            test = measure(self._environment, tree, self._folder, Split.TEST) if values else None
        after = self._start = self._measure_start()
        margin = self._margin(values, before, after)
        reached = bool(values) and self._reaches(self._best(values), line.score, margin)
        beside: dict[str, JsonValue] = {
            "claimed": line.score,
            "margin": margin,
            "reached": reached,
            "start_before": before,
            "start_after": after,
        }
        self._note(line, Split.VALIDATION, runs, beside)
        if test is not None:
            self._note(line, Split.TEST, [test], beside)
        return Worth(
            claimed=line.score,
            measured=tuple(values),
            hidden=test.value if test else None,
            margin=margin,
            reached=reached,
            start=None if before is None or after is None else (before + after) / 2,
        )

    def intervene(self, line: ScoreLine) -> list[Intervention]:
        """Runs an entry under every intervention, cheapest proof first."""
        declared = sorted(self._environment.interventions(), key=lambda item: item.cost)
        with materialised(self._folder, line.commit) as tree:
            scratch = tree.parent / "scratch"
            scratch.mkdir()
            return [self._one(item, line, tree, scratch) for item in declared]

    def _one(self, item: Declared, line: ScoreLine, tree: Path, scratch: Path) -> Intervention:
        if not self._budget.left():
            return self._record(item, line, Outcome.NOT_RUN, reason="the replay budget was spent")
        void = self._controlled.ready(item)
        if void:
            return self._record(item, line, Outcome.NOT_RUN, reason=void)
        self._say(f"entry {line.index}: {item.name}")
        try:
            seen = item.observe(self._controlled.case, tree, scratch)
        except HarnessError as error:
            return self._record(item, line, Outcome.NOT_RUN, reason=str(error))
        return self._record(
            item, line, seen.outcome, seen.expected, seen.observed, data=dict(seen.data)
        )

    def _record(
        self,
        item: Declared,
        line: ScoreLine,
        outcome: Outcome,
        expected: str = "",
        observed: str = "",
        reason: str = "",
        data: dict[str, JsonValue] | None = None,
    ) -> Intervention:
        result = Intervention(
            entry=line.index,
            name=item.name,
            split=item.split,
            expected=expected,
            observed=observed,
            outcome=outcome,
            held=None if outcome is Outcome.NOT_RUN else outcome is Outcome.HELD,
            forbidden=item.forbidden,
            promised=item.promised,
            reason=reason,
        )
        fact = self._book.add(
            "intervention",
            {**(data or {}), **result.model_dump(mode="json", exclude={"entry", "evidence"})},
            stage="replay",
            entry=line.index,
        )
        return result.model_copy(update={"evidence": fact.id})

    def _runs(self, tree: Path, claimed: float) -> list[Score]:
        """Sealed validation runs until one is invalid or reaches the claim, at most `RUNS`."""
        runs: list[Score] = []
        while len(runs) < RUNS:
            run = measure(self._environment, tree, self._folder, Split.VALIDATION)
            runs.append(run)
            if run.value is None or self._reaches(run.value, claimed, 0.0):
                break
        return runs

    def _measure_start(self) -> float | None:
        start = self._folder.attempt().start_commit
        with materialised(self._folder, start) as tree:
            return measure(self._environment, tree, self._folder, Split.VALIDATION).value

    def _margin(self, values: list[float], before: float | None, after: float | None) -> float:
        """Noise of one run against another, plus how far this machine's speed has moved.

        The claim was measured at another time, so the start's change since the attempt was made
        and during this measurement is drift that no solution can be blamed for.
        """
        attempt = self._folder.attempt()
        settings = self._environment.profile(attempt.profile)
        known = [
            item.noise_sd for item in (settings.start_score, settings.reference_score) if item
        ]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        noise = max([*known, spread, 0.0]) * math.sqrt(2)
        now = [value for value in (before, after) if value is not None]
        then = attempt.measured.get("start_score")
        seen = [*now, *([then] if then is not None else [])]
        drift = max(seen) - min(seen) if seen else 0.0
        return NOISE_SIGMAS * noise + drift

    def _reaches(self, value: float, claimed: float, margin: float) -> bool:
        if self._environment.facts.direction == "lower":
            return value <= claimed + margin
        return value >= claimed - margin

    def _best(self, values: list[float]) -> float:
        return min(values) if self._environment.facts.direction == "lower" else max(values)

    def _note(
        self, line: ScoreLine, split: Split, runs: list[Score], beside: dict[str, JsonValue]
    ) -> None:
        values, last = _values(runs), runs[-1]
        shown = {key: last.details.get(key) for key in ("seconds", "cpu_seconds", "survivors")}
        self._book.add(
            "sealed_score",
            {
                **beside,
                **shown,
                "split": split.value,
                "value": statistics.median(values) if values else None,
                "runs": list(values),
                "error": str(last.message.get("error", "")),
                "details": last.details,
            },
            stage="replay",
            entry=line.index,
        )


def _values(runs: list[Score]) -> list[float]:
    return [run.value for run in runs if run.value is not None]
