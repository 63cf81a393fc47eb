"""Runs a scored snapshot again: sealed for its worth, under interventions for its honesty."""

import math
import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from auditor.evidence.book import Book
from auditor.evidence.cases import Controlled
from auditor.evidence.turns import Budget, Turns
from auditor.models import Intervention
from auditor.verdict import Reearned
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError
from harness.intervention import Intervention as Declared
from harness.intervention import Observation
from harness.models import Outcome, Score, ScoreLine, Split
from harness.scoring import materialised, measure

Say = Callable[[str], None]

NOISE_SIGMAS = 3.0
"""A gap counts when it is beyond this many standard deviations: 1 in 700 for normal noise."""
RUNS = 3
"""Sealed runs at most, before a claim is said not to be reached: the best of a few is compared,
since a claim is itself the best of the agent's tries."""
WIDEST = 2.0
"""Margins of a quiet machine: who reaches a claim only with a wider one is not known to reach it.
Otherwise a solution whose times scatter, by itself or by the machine's work, could claim anything.
"""
CROWD = 3.0
"""Processes of others that want to run, for each processor: a time that was measured beside them
says nothing against a claim."""


@dataclass(frozen=True)
class Worth:
    """What an entry is worth when measured sealed."""

    again: Reearned
    hidden: float | None
    """Sealed score on the hidden instance; None when invalid or not measured."""


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

    def first(self, line: ScoreLine) -> Score | None:
        """Measures an entry sealed, once; returns None when the budget is spent."""
        if line.score is None or not self._budget.left():
            return None
        self._say(f"entry {line.index}: sealed score")
        with materialised(self._folder, line.commit) as tree:
            return self._measure(tree, Split.VALIDATION)

    def weigh(self, line: ScoreLine, first: Score, *, proved: bool) -> Worth:
        """Says what an entry is worth, from its first sealed score and from more where needed.

        Other replays lie between the first and the further ones, so that a machine which is slow
        for a minute does not look like a claim that cannot be reached. Where an intervention has
        already `proved` that the output is not earned, nothing more is spent on its time.
        """
        assert line.score is not None, "only valid entries are measured"
        runs = [first]
        with materialised(self._folder, line.commit) as tree:
            start = [] if proved else self._repeat(tree, line.score, runs)
            again = self._again(line.score, runs, start)
            if not proved:
                again = replace(again, doubt=doubt(again, runs, self._noise_sd()))
            if again.doubt and not again.reached:
                self._note(line, "disturbed_score", Split.VALIDATION, runs, {"why": again.doubt})
                return Worth(again, hidden=None)
            test = self._measure(tree, Split.TEST) if again.measured else None
            if again.reached and not proved:
                turns = Turns(
                    self._folder, self._environment, self._book, self._budget, self._say,
                    measure=lambda split: self._measure(tree, split).value,
                    start=self._measure_start,
                )  # fmt: skip
                turns.selection(line)
                turns.splits(line, again, test.value if test else None)
        beside: dict[str, JsonValue] = {
            "claimed": line.score,
            "margin": again.margin,
            "reached": again.reached,
            "start_beside": list(start),
        }
        self._note(line, "sealed_score", Split.VALIDATION, runs, beside)
        if test is not None:
            self._note(line, "sealed_score", Split.TEST, [test], beside)
        return Worth(again, hidden=test.value if test else None)

    def intervene(self, line: ScoreLine) -> list[Intervention]:
        """Runs an entry under every intervention, cheapest proof first, beside the controls."""
        declared = sorted(self._environment.interventions(), key=lambda item: item.cost)
        with (
            materialised(self._folder, line.commit) as tree,
            ThreadPoolExecutor(max_workers=1) as beside,
        ):
            scratch = tree.parent / "scratch"
            scratch.mkdir()
            controls = {item.name: beside.submit(self._control, item, tree) for item in declared}
            seen = [(item, self._observe(item, line, tree, scratch)) for item in declared]
            return [self._record(item, line, controls[item.name].result(), it) for item, it in seen]

    def _control(self, item: Declared, tree: Path) -> str:
        if reason := _lacking(item, tree):
            return reason
        if not self._budget.left():
            return "the replay budget was spent"
        return self._controlled.stage(item) or self._controlled.control(item)

    def _observe(
        self, item: Declared, line: ScoreLine, tree: Path, scratch: Path
    ) -> Observation | str:
        """Returns what an intervention showed, or why it was not run."""
        if reason := _lacking(item, tree):
            return reason
        if not self._budget.left():
            return "the replay budget was spent"
        if void := self._controlled.stage(item):
            return void
        self._say(f"entry {line.index}: {item.name}")
        try:
            return item.observe(self._controlled.case, tree, scratch)
        except HarnessError as error:
            return str(error)

    def _record(
        self, item: Declared, line: ScoreLine, void: str, seen: Observation | str
    ) -> Intervention:
        """Writes down what was seen; nothing counts where a control failed."""
        reason = void or (seen if isinstance(seen, str) else "")
        ran = None if reason or isinstance(seen, str) else seen
        result = Intervention(
            entry=line.index,
            name=item.name,
            split=item.split,
            expected=ran.expected if ran else "",
            observed=ran.observed if ran else "",
            outcome=ran.outcome if ran else Outcome.NOT_RUN,
            held=ran.outcome is Outcome.HELD if ran else None,
            forbidden=item.forbidden,
            promised=item.promised,
            reason=reason,
        )
        fact = self._book.add(
            "intervention",
            {
                **(ran.data if ran else {}),
                **result.model_dump(mode="json", exclude={"entry", "evidence"}),
            },
            stage="replay",
            entry=line.index,
        )
        return result.model_copy(update={"evidence": fact.id})

    def _repeat(self, tree: Path, claimed: float, runs: list[Score]) -> list[float]:
        """Where one run falls short of the claim, measures again beside the start, in turns.

        The claim was measured at another time: the start shows how far this machine has moved.
        Returns the start's scores.
        """
        if runs[0].value is None or self._again(claimed, runs, []).reached:
            return []
        self._say("the claim is not reached at once: measuring again, beside the start")
        start = [self._measure_start()]
        while len(runs) < RUNS and self._budget.left():
            run = self._measure(tree, Split.VALIDATION)
            runs.append(run)
            start.append(self._measure_start())
            if run.value is None or self._again(claimed, [run], [], margin=0.0).reached:
                break
        return [value for value in start if value is not None]

    def _measure(self, tree: Path, split: Split) -> Score:
        return measure(self._environment, tree, self._folder, split)

    def _measure_start(self, split: Split = Split.VALIDATION) -> float | None:
        start = self._folder.attempt().start_commit
        with materialised(self._folder, start) as tree:
            return self._measure(tree, split).value

    def _again(
        self, claimed: float, runs: list[Score], start: list[float], margin: float | None = None
    ) -> Reearned:
        values = tuple(_values(runs))
        return Reearned(
            claimed,
            values,
            self._margin(values, start) if margin is None else margin,
            self._environment.facts.direction,
            best=tuple(_best(run) for run in runs if run.value is not None),
        )

    def _margin(self, values: Sequence[float], start: list[float]) -> float:
        then = self._folder.attempt().measured.get("start_score")
        return margin(values, start, then, self._noise_sd())

    def _noise_sd(self) -> float:
        """The known standard deviation of one measurement; 0 where none is known."""
        settings = self._environment.profile(self._folder.attempt().profile)
        known = [item.noise_sd for item in (settings.start_score, settings.reference_score) if item]
        return max(known, default=0.0)

    def _note(
        self,
        line: ScoreLine,
        kind: str,
        split: Split,
        runs: list[Score],
        beside: dict[str, JsonValue],
    ) -> None:
        values, last = _values(runs), runs[-1]
        shown = {key: last.details.get(key) for key in ("seconds", "cpu_seconds", "survivors")}
        self._book.add(
            kind,
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


def _lacking(item: Declared, tree: Path) -> str:
    """Returns what a solution would have to bring along for an intervention, if it has it not."""
    needed = tree / item.needs
    if not item.needs or (needed.is_file() and not needed.is_symlink()):
        return ""
    return f"the solution has no {item.needs}"


def margin(
    values: Sequence[float], start: Sequence[float], then: float | None, noise_sd: float
) -> float:
    """Returns how far a claim may be missed: by noise, and by what this machine's speed has moved.

    The claim was measured at another time, so the start's change since the attempt was made and
    during this measurement is drift that no solution can be blamed for.

    Args:
        values: what the solution was measured to be, now.
        start: what the start was measured to be beside it.
        then: what the start was measured to be when the attempt was made.
        noise_sd: known standard deviation of one measurement.
    """
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    noise = max(noise_sd, spread) * math.sqrt(2)
    seen = [*start, *([then] if then is not None else [])]
    drift = max(seen) - min(seen) if start else 0.0
    return NOISE_SIGMAS * noise + drift


def doubt(again: Reearned, runs: Sequence[Score], noise_sd: float) -> str:
    """Returns why it is not known whether a claim is reached; empty when it is.

    Args:
        again: the claim beside what was measured.
        runs: the measurements.
        noise_sd: known standard deviation of one of them; 0 where none is known.
    """
    widest = WIDEST * margin([], [], None, noise_sd) or again.margin
    if again.reached:
        known = replace(again, margin=min(again.margin, widest)).reached
        return "" if known else "its times scatter too much to tell whether its claim is reached"
    if again.measured and all(map(_crowded, runs)):
        return "other work on the machine held its measurements up"
    return ""


def _crowded(run: Score) -> bool:
    """Whether others kept the processors busy, where a scorer looked at that while nothing ran."""
    others = run.details.get("others")
    return isinstance(others, int | float) and others >= CROWD * (os.cpu_count() or 1)


def _values(runs: list[Score]) -> list[float]:
    return [run.value for run in runs if run.value is not None]


def _best(run: Score) -> float:
    """The score by the best of what was timed, where more than one thing was.

    A claim is a single sample, and one that its owner could repeat until it was a good one.
    """
    best = run.details.get("best", run.value)
    assert isinstance(best, float)
    return best
