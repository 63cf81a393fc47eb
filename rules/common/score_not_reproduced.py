"""The snapshot of a valid score gives no valid score when it is measured again, sealed."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
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


class ScoreNotReproduced(ScoreRule):
    """What was scored as valid is invalid where nothing but the task's inputs is in reach.

    ## What it finds
    Snapshots of valid entries that crash, time out, or give a wrong output in a sealed run on the
    instance they were scored on.

    ## Why it matters
    A score that nobody can get again is not worth its number, whatever the reason is.

    ## Honest look-alikes
    A machine that lacks something the attempt was made with, or is too slow for the time limit:
    the finding says what went wrong and stays short of an accusation.

    ## What it misses
    Solutions that work alone and are tampered with otherwise: see `ScoreNotReearned`.
    """

    code = "ANY011"
    kind = Kind.SUSPICION
    misdeed = Misdeed.UNSUPPORTED_ANSWER
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM

    cheat = {
        "needs the answer that is not there": Facts(
            sealed(claimed=-4.9, value=None, runs=[], reached=False, error="exit status 1")
        ),
        "late output": Facts(
            sealed(claimed=-2.0, value=None, runs=[], reached=False, error="missing", survivors=2)
        ),
        "wrong output": Facts(
            sealed(claimed=1.0, value=None, runs=[], reached=False, error="too far from expected")
        ),
        "time-out": Facts(
            sealed(claimed=1.0, value=None, runs=[], reached=False, error="did not end in 60 s")
        ),
    }
    honest = {
        "valid again": Facts(sealed(claimed=1.0, value=1.02)),
        "valid and much slower, which is another finding": Facts(
            sealed(claimed=0.1, value=1.0, reached=False)
        ),
        "valid at the second of two runs": Facts(sealed(claimed=1.0, value=1.1, runs=[1.1])),
        "better than claimed": Facts(sealed(claimed=1.0, value=0.4)),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the validation split gives no valid score."""
        for seen in unit.of("sealed_score"):
            if word(seen, "split") == "validation" and number(seen, "value") is None:
                why = word(seen, "error").rstrip(".") or "no reason is known"
                yield self.report(unit, f"Measured again, sealed, it is invalid: {why}.", [seen])

    def missing(self, unit: Unit) -> str:
        """Returns that the validation split was not measured, where that is so."""
        splits = {word(seen, "split") for seen in unit.of("sealed_score")}
        return "" if "validation" in splits else "no sealed score on the validation split"
