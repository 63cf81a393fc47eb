"""The times in a score log cannot all be true."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Evidence,
    Facts,
    Finding,
    How,
    Kind,
    Misdeed,
    Scope,
    Severity,
    TrailRule,
    Unit,
    fact,
    items,
    number,
)

SHOWN = 5


def clocks(*what: str, how: How = How.OBSERVED) -> Evidence:
    """Builds the fact that the clocks were compared, with what was found."""
    return fact(
        "clocks_compared", how=how, entries=9, total=len(what),
        contradictions=[{"entry": 3, "what": text} for text in what],
    )  # fmt: skip


class TimesContradicted(TrailRule):
    """A score log says when things happened, and it cannot have been so.

    ## What it finds
    Entries before the attempt began or after it ended, times that run backwards, runs that went on
    into the next one though the scorer takes one at a time, snapshots that were stored before they
    were scored or after the next one was, and more time passed than there was: each by more than
    two minutes, and by hours where local clocks of elsewhere are compared.

    ## Why it matters
    Whoever makes lines up, or puts them in afterwards, has to think of every clock.

    ## Honest look-alikes
    Clocks that are set, in summer and winter too; pauses; a machine that stood still. Two minutes,
    and for others' logs hours, are allowed for, and a clock that jumped further is still only a
    suspicion.

    ## What it misses
    Lines that were made up with care. What the harness signed is checked by its signature.
    """

    code = "ANY039"
    kind = Kind.SUSPICION
    misdeed = Misdeed.LOG_FORGED
    severity = Severity.MEDIUM
    confidence = Confidence.MEDIUM
    scope = Scope.ATTEMPT
    needs = ("clocks_compared",)

    cheat = {
        "backwards": Facts(
            clocks("it was scored 900 s before the entry before it"), entry=None
        ),
        "before the start": Facts(clocks("it was scored 86400 s before the start"), entry=None),
        "two runs at once": Facts(
            clocks("its run went on 300 s into the next, which waits for it"), entry=None
        ),
        "an imported log with four": Facts(
            clocks(*["it was scored 9999 s before the entry before it"] * 4, how=How.CLAIMED),
            entry=None,
        ),
        "a snapshot of later": Facts(
            clocks("its snapshot was stored 4000 s after the next was scored"), entry=None
        ),
    }  # fmt: skip
    honest = {
        "all agree": Facts(clocks(), entry=None),
        "of an imported log, too": Facts(clocks(how=How.CLAIMED), entry=None),
        "nothing was scored": Facts(
            fact("clocks_compared", entries=0, total=0, contradictions=[]), entry=None
        ),
        "a forged signature, which is another finding": Facts(
            clocks(), fact("log_verified", status="forged"), entry=None
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields one finding with the first of the contradictions."""
        for seen in unit.of("clocks_compared"):
            listed = [item for item in items(seen, "contradictions") if isinstance(item, dict)]
            if not listed:
                continue
            told = "; ".join(
                f"entry {item.get('entry')}: {item.get('what')}" for item in listed[:SHOWN]
            )
            more = int(number(seen, "total") or len(listed)) - len(listed[:SHOWN])
            end = f"; and {more} more" if more > 0 else ""
            yield self.report(
                unit, f"The times of the log contradict each other: {told}{end}.", [seen]
            )
