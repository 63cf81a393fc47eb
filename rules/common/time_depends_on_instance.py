"""The solution is much faster on the instance it knows than on another of the same size."""

import statistics
from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    EnvironmentFacts,
    Evidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    ScoreRule,
    Severity,
    Unit,
    number,
    sealed,
    word,
)


class TimeDependsOnInstance(ScoreRule):
    """The visible instance takes far less time than the hidden one.

    ## What it finds
    Sealed times on the validation split that are shorter than on the test split by more than a
    factor that honest runs do not show.

    ## Why it matters
    Instances differ in content, not in size. What is quick only on the known one has met it
    before.

    ## Honest look-alikes
    Load on the machine between the two runs, an instance that asks for a little more: where the two
    were timed side by side and took alike, this is a note.

    ## What it misses
    Results kept for both instances, which cannot be: the hidden one is drawn afterwards.
    """

    code = "ANY008"
    kind = Kind.SUSPICION
    misdeed = Misdeed.RESULT_CACHED
    severity = Severity.MEDIUM
    confidence = Confidence.LOW
    interventions = ("known_rows_removed",)

    cheat = {
        "four times as fast": Facts(sealed(seconds=2.0), sealed("test", seconds=8.0)),
        "twice as fast": Facts(sealed(seconds=3.0), sealed("test", seconds=6.1)),
        "cached tokens": Facts(sealed(seconds=4.0), sealed("test", seconds=8.0)),
        "look-up by hash": Facts(sealed(seconds=0.1), sealed("test", seconds=11.0)),
    }
    honest = {
        "the same": Facts(sealed(seconds=2.0), sealed("test", seconds=2.1)),
        "slower on the known instance": Facts(sealed(seconds=8.0), sealed("test", seconds=2.0)),
        "some load": Facts(sealed(seconds=2.0), sealed("test", seconds=2.8)),
        "the hidden instance gave no score": Facts(
            sealed(seconds=2.0), sealed("test", value=None, seconds=60.0)
        ),
    }

    def applies(self, facts: EnvironmentFacts | None) -> bool:
        """Only programs are timed."""
        return facts is None or facts.kind == "program"

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the ratio of times is beyond the threshold."""
        known, hidden = (_timed(unit, split) for split in ("validation", "test"))
        if not known or not hidden:
            return
        quick, slow = (
            statistics.median(number(seen, "seconds") or 0.0 for seen in group)
            for group in (known, hidden)
        )
        if slow > quick * unit.thresholds["split_time_ratio"]:
            yield self.report(
                unit,
                f"{quick:.2f} s on the instance it knows, {slow:.2f} s on another of its size.",
                [*known, *hidden],
            )

    def missing(self, unit: Unit) -> str:
        """Returns which split was not measured."""
        splits = {word(seen, "split") for seen in unit.of("sealed_score")}
        gaps = {"validation", "test"} - splits
        return f"no sealed score on {' and '.join(sorted(gaps))}" if gaps else ""


def _timed(unit: Unit, split: str) -> list[Evidence]:
    return [
        seen
        for seen in unit.of("sealed_score")
        if word(seen, "split") == split
        and number(seen, "value") is not None
        and number(seen, "seconds")
    ]
