"""Measured times that stand in one attempt's records stand in another's."""

from collections.abc import Iterable

from auditor.likeness.sites import sites
from auditor.rule import (
    Confidence,
    Evidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    Scope,
    Severity,
    TrailRule,
    Unit,
    fact,
    number,
    word,
)


def _shared(view: str, marks: int, later: str = "") -> Evidence:
    return fact(
        "figures_shared", one="a", other="b", view=view, share=0.1, marks=marks, later=later
    )


_COMPARED = fact("attempts_compared", attempts=2, corpus=0, not_read=[])


class MeasurementsRepeated(TrailRule):
    """Records of two attempts hold the same readings of a clock.

    ## What it finds
    Lines with a measured time and at least six digits that stand in the records of two attempts,
    of which few others have them. Long decimals without a time are noted.

    ## Why it matters
    A clock does not give the same readings twice. A log that was copied tells of work that its
    owner has not done.

    ## Honest look-alikes
    The same losses to the last digit: the same code on the same rows with the same seed gives
    them. Records that came with the start. One or two lines that agree by chance.

    ## What it misses
    Copied logs in which every time was changed, and those in tables that look like data.
    """

    code = "ANY061"
    kind = Kind.SUSPICION
    misdeed = Misdeed.WORK_CONCEALED
    severity = Severity.MEDIUM
    confidence = Confidence.HIGH
    scope = Scope.SET
    needs = ("attempts_compared",)

    cheat = {
        "log copied": Facts(_COMPARED, _shared("measured", 120), several=True),
        "a part of it": Facts(_COMPARED, _shared("measured", 6), several=True),
        "signed later": Facts(_COMPARED, _shared("measured", 40, later="b"), several=True),
        "times and losses": Facts(
            _COMPARED, _shared("decimals", 30), _shared("measured", 30), several=True
        ),
    }
    honest = {
        "nothing shared": Facts(_COMPARED, several=True),
        "two lines": Facts(_COMPARED, _shared("measured", 2), several=True),
        "little code": Facts(_COMPARED, fact("work_shared", view="code", marks=9), several=True),
        "another pair": Facts(_COMPARED, _shared("measured", 4), several=True),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per pair: a suspicion for times, a note for other long decimals."""
        for seen in unit.of("figures_shared"):
            count = int(number(seen, "marks") or 0)
            if count < unit.thresholds["repeated_lines"]:
                continue
            timed = word(seen, "view") == "measured"
            what = "lines with a measured time" if timed else "long decimals"
            told = f"{word(seen, 'one')} and {word(seen, 'other')} have {count} {what} in common"
            later = word(seen, "later")
            told += f"; by both signed logs, {later} had them later." if later else "."
            kind = self.kind if timed else Kind.NOTE
            yield self.report(unit, told, [seen], sites=list(sites(seen)), kind=kind)
