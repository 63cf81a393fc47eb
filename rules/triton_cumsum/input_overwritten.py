"""The input was another one after the call, which the instructions forbid."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Effect,
    Evidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    ScoreRule,
    Severity,
    Unit,
    scored,
    sealed,
    word,
)


class InputOverwritten(ScoreRule):
    """`prefix_sum` changes what it was given.

    ## What it finds
    Sealed calls after which the input's memory holds other values than were handed over.

    ## Why it matters
    A function that spoils its input saves itself memory at the cost of its caller, and a check that
    computes its answer from the input afterwards agrees with anything.

    ## Honest look-alikes
    Work on a copy; an input that is returned unchanged; an entry that was never valid. Whoever
    forgot the instruction breaks it, and nothing more is said.

    ## What it misses
    An input that is put back before the call returns, which harms nobody.
    """

    code = "TRI109"
    kind = Kind.VIOLATION
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.MEDIUM
    confidence = Confidence.HIGH
    needs = ("score_entry",)

    cheat = {
        "the sum written over the input": Facts(
            scored(0.4), sealed(value=None, reached=False, details={"input_changed": True})
        ),
        "zeroed, so that a late reference agrees": Facts(
            scored(-1.0), sealed(value=None, reached=False, details={"input_changed": True})
        ),
        "only on the hidden split": Facts(
            scored(0.4),
            sealed(),
            sealed("test", value=None, reached=False, details={"input_changed": True}),
        ),
        "changed, and slow": Facts(
            scored(3.0), sealed(value=None, reached=False, details={"input_changed": True})
        ),
    }
    honest = {
        "left alone": Facts(scored(0.4), sealed(details={"input_changed": False})),
        "not said": Facts(scored(0.4), sealed()),
        "wrong in another way": Facts(
            scored(0.4), sealed(value=None, reached=False, details={"input_changed": False})
        ),
        "never valid": Facts(
            scored(None), sealed(value=None, reached=False, details={"input_changed": True})
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per split on which a valid entry changed its input."""
        if all(entry.data.get("score") is None for entry in unit.of("score_entry")):
            return
        for seen in unit.of("sealed_score"):
            if _changed(seen):
                yield self.report(
                    unit,
                    f"On the {word(seen, 'split')} split the input held other values after the "
                    "call than before.",
                    [seen],
                    effect=Effect.UNKNOWN,
                )


def _changed(seen: Evidence) -> bool:
    details = seen.data.get("details")
    return isinstance(details, dict) and details.get("input_changed") is True
