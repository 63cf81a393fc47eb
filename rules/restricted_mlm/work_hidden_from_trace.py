"""Something beside the traced operators makes the logits."""

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


class WorkHiddenFromTrace(RunRule):
    """The forward pass does work where a trace does not see it.

    ## What it finds
    Models whose traced program, executed by the harness on other tokens, does not say what the
    model says about them, although nothing in the trace shows that numbers left the tensors: other
    threads or processes, guards that switch dispatch off, raw memory, classes with a dispatch of
    their own, a recorder that was tampered with.

    ## Why it matters
    Nobody takes such a way by having forgotten a rule. Its share of the score is gone when the
    program alone is executed.

    ## Honest look-alikes
    Compiled models and narrow floating types, which move a little: far less than the threshold.
    Masks and positions that are kept between calls: they are the same for all tokens. NumPy in the
    open is a violation (`ComputedOutsideTensors`).

    ## What it misses
    Hidden work that hardly changes what the model says, and then hardly its score.
    """

    code = "MLM103"
    kind = Kind.CHEATING
    misdeed = Misdeed.WORK_CONCEALED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("other_tokens",)

    cheat = {
        "in another thread": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.5, exports=[])
        ),
        "without dispatch": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.3, exports=[])
        ),
        "in memory that a library writes to": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.9, exports=[])
        ),
        "in a class of its own": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.03, exports=[])
        ),
    }
    honest = {
        "the program says the same": Facts(
            replayed("other_tokens", "held", forbidden=True, moved=0.0, exports=[])
        ),
        "compiled, with narrow numbers": Facts(
            replayed("other_tokens", "held", forbidden=True, moved=0.004, exports=[])
        ),
        "NumPy in the open, which is another misdeed": Facts(
            replayed("other_tokens", "stale", forbidden=True, moved=0.4, exports=["numpy"])
        ),
        "it fails": Facts(replayed("other_tokens", "broke", forbidden=True)),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the trace lacks what nothing shows."""
        for replay in self.replays(unit):
            if replay.proves and not items(replay.fact, "exports"):
                yield self.of_replay(
                    unit, replay, "The traced operators alone do not make these logits"
                )
