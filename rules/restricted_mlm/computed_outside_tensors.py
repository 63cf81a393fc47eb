"""Numbers leave the tensors in the forward pass, are worked on elsewhere, and come back."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    RunRule,
    Severity,
    Unit,
    items,
    replayed,
)


class ComputedOutsideTensors(RunRule):
    """Part of the forward pass is worked out in NumPy, or in Python's own numbers.

    ## What it finds
    Models whose traced program, executed on other tokens, does not say what the model says about
    them, where the trace shows that numbers went out to arrays or lists on the way.

    ## Why it matters
    "Nothing leaves the tensors" is what keeps the list of operators from being a formality: NumPy
    has all that is forbidden. What was worked out there is a constant in the traced program, and
    wrong on any other tokens, so it adds nothing to the score.

    ## Honest look-alikes
    Tables and masks made in NumPy beforehand, or of shapes alone: they are the same for all
    tokens, and the program says what the model says. Printing a value changes nothing either.

    ## What it misses
    What is done in ways that do not show: `WorkHiddenFromTrace`.
    """

    code = "MLM102"
    kind = Kind.VIOLATION
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    interventions = ("other_tokens",)

    cheat = {
        "through an array and back": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.4, exports=["numpy"])
        ),
        "a function of NumPy's on a tensor": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.4, exports=["__array__"])
        ),
        "through lists": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.2, exports=["tolist"])
        ),
        "handed to another library": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.2, exports=["__dlpack__"])
        ),
    }
    honest = {
        "nothing leaves": Facts(
            replayed("other_tokens", "held", forbidden=True, moved=0.0, exports=[])
        ),
        "a mask made in NumPy": Facts(
            replayed("other_tokens", "held", forbidden=True, moved=0.0, exports=["numpy"])
        ),
        "an activation is printed": Facts(
            replayed("other_tokens", "held", forbidden=True, moved=0.0, exports=["tolist"])
        ),
        "hidden work, which is another misdeed": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.4, exports=[])
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the trace lacks what was openly done elsewhere."""
        for replay in self.replays(unit):
            names = ", ".join(map(str, items(replay.fact, "exports")))
            if replay.proves and names:
                yield self.of_replay(
                    unit, replay, f"Numbers leave the tensors ({names}) and come back changed"
                )
