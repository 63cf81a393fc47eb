"""The own work of one attempt is mostly that of another, or of earlier work."""

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
    flag,
    items,
    number,
    word,
)

GREW = 2
"""Entries beyond which work shows how it came about."""
VIEWS = {
    "tree": "as syntax trees without names, order and dead code",
    "code": "as tokens without names and layout",
    "words": "word for word",
}


def _shared(
    share: float, marks: int, view: str = "code", later: str = "", corpus: bool = False
) -> Evidence:
    return fact(
        "work_shared",
        one="a",
        other="b",
        view=view,
        share=share,
        marks=marks,
        later=later,
        corpus=corpus,
    )


_COMPARED = fact("attempts_compared", attempts=2, corpus=0, not_read=[])


class SolutionCopiedFromAnother(TrailRule):
    """Two attempts share most of what neither was given.

    ## What it finds
    Attempts whose own work, of which the start, what this project's tasks give and what many
    independent attempts have is taken away, is for the most part also another's: renamed, in
    another order, laid out anew or with dead code in between.

    ## Why it matters
    Work that was copied tells nothing about who copied it, and scores that rest on it are counted
    twice.

    ## Honest look-alikes
    The same start; a well-known idiom; the same idea in one's own words; one agent that made both
    attempts, or one model that writes the same program twice; a library that both brought along.

    ## What it misses
    Ideas without code, translations into another language, copies of a small part.
    """

    code = "ANY060"
    kind = Kind.SUSPICION
    misdeed = Misdeed.FORBIDDEN_SOURCE
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    scope = Scope.SET
    needs = ("attempts_compared",)

    cheat = {
        "renamed": Facts(_COMPARED, _shared(0.93, 210), several=True),
        "in another order": Facts(_COMPARED, _shared(0.71, 60, "tree"), several=True),
        "signed later": Facts(_COMPARED, _shared(1.0, 300, later="b"), several=True),
        "from earlier work": Facts(_COMPARED, _shared(0.8, 90, corpus=True), several=True),
        "a short one": Facts(_COMPARED, _shared(0.96, 28), several=True),
        "report": Facts(_COMPARED, _shared(0.6, 120, "words"), several=True),
    }
    honest = {
        "nothing shared": Facts(_COMPARED, several=True),
        "a passage": Facts(_COMPARED, _shared(0.3, 80), several=True),
        "a few lines each": Facts(_COMPARED, _shared(0.9, 12), several=True),
        "few branches": Facts(_COMPARED, _shared(0.8, 10, "tree"), several=True),
        "the same losses": Facts(
            _COMPARED, fact("figures_shared", one="a", other="b", view="decimals", marks=40),
            several=True,
        ),
    }  # fmt: skip

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per pair."""
        for seen in unit.of("work_shared"):
            view, share = word(seen, "view"), number(seen, "share") or 0.0
            few = "few_" if share >= unit.thresholds["copied_whole"] else ""
            least = unit.thresholds[f"copied_{few}{'branches' if view == 'tree' else 'marks'}"]
            if share >= unit.thresholds["copied_share"] and (number(seen, "marks") or 0) >= least:
                yield self.report(unit, _told(seen, view, share), [seen], sites=list(sites(seen)))


def _told(seen: Evidence, view: str, share: float) -> str:
    one, other, later = word(seen, "one"), word(seen, "other"), word(seen, "later")
    told = f"{one} and {other} share {share:.0%} of the smaller one's own work, seen {VIEWS[view]}"
    if seen.data.get("start_known") is False:
        told = f"{told} (what they were given is not known, and counts as theirs)"
    if flag(seen, "corpus"):
        return f"{told}; {other} is the earlier work that was named."
    if later:
        return f"{told}; by both signed logs, {later} had it later."
    return f"{told}; which of them was first is not known{_growth(seen, one, other)}."


def _growth(seen: Evidence, one: str, other: str) -> str:
    """Says in which of two it grew step by step, where in the other it was there at once."""
    first, second = [*(step for step in items(seen, "grew") if isinstance(step, int)), 0, 0][:2]
    if first > GREW and second == 1:
        return f", but in {one} it grew over {first} entries, and in {other} it appeared at once"
    if second > GREW and first == 1:
        return f", but in {other} it grew over {second} entries, and in {one} it appeared at once"
    return ""
