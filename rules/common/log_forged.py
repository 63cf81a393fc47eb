"""The signed score log was edited, cut, reordered or re-signed."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
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
    word,
)


class LogForged(TrailRule):
    """The hash chain, its signature or the host's journal contradict the log.

    ## What it finds
    Lines that do not have the hash they state, gaps and swaps in the chain, heads that are signed
    with another key than the one that began the log, and logs shorter than the journal knows.

    ## Why it matters
    Every other number rests on the log: which entries there were, when, and what they were told.

    ## Honest look-alikes
    A crash between writing and signing leaves one whole last line unsealed; a log from another
    machine is signed by a key that is not known here. Both are gaps, not forgeries.

    ## What it misses
    Whatever the owner of the machine, who has the key, does.
    """

    code = "ANY001"
    kind = Kind.CHEATING
    misdeed = Misdeed.LOG_FORGED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    scope = Scope.ATTEMPT
    needs = ("log_verified",)

    cheat = {
        "edited score": Facts(
            fact("log_verified", status="forged", problems=["line 2: wrong hash"]), entry=None
        ),
        "cut": Facts(
            fact("log_verified", status="forged", problems=["head is at 4, the log ends at 2"]),
            entry=None,
        ),
        "signed with another key": Facts(
            fact("log_verified", status="forged", problems=["wrong signature"], trust="unknown"),
            entry=None,
        ),
        "rolled back": Facts(
            fact("log_verified", status="forged", problems=["the journal knows index 5"]),
            entry=None,
        ),
    }
    honest = {
        "intact": Facts(fact("log_verified", status="intact", trust="own key"), entry=None),
        "crash before signing": Facts(
            fact("log_verified", status="intact", unsealed=["scores.jsonl: line 3"]), entry=None
        ),
        "unknown signer": Facts(
            fact("log_verified", status="intact", gaps=["signer unknown"]), entry=None
        ),
        "no journal": Facts(
            fact("log_verified", status="intact", gaps=["rollback not excluded"]), entry=None
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when verification says so."""
        for seen in unit.of("log_verified"):
            if word(seen, "status") == "forged":
                problems = "; ".join(map(str, items(seen, "problems")[:5]))
                yield self.report(unit, f"The signed logs do not verify: {problems}.", [seen])

    def missing(self, unit: Unit) -> str:
        """Returns that the log could not be read, where that is so."""
        if reason := super().missing(unit):
            return reason
        seen = unit.of("log_verified")
        if not {word(fact, "status") for fact in seen} <= {"intact", "forged"}:
            return "the logs could not be read"
        if any(flag(fact, "imported") for fact in seen):
            return "the log was imported: it is the word of whoever handed it over"
        unknown = any(word(fact, "trust") == "unknown" for fact in seen)
        return "the signer is unknown: anybody could have made and signed it" if unknown else ""
