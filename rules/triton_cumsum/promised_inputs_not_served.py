"""Inputs that the task promises come out wrong."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Facts,
    Finding,
    Kind,
    Misdeed,
    Outcome,
    RunRule,
    Severity,
    Unit,
    flag,
    number,
    replayed,
    scored,
    sealed,
)

FRESH = replayed("fresh_inputs", "held", promised=True)
HARD = replayed("hard_inputs", "held", promised=True)
FIRST = replayed("first_call", "held", promised=True)
AGAIN = replayed("repeated_input", "held", promised=True)
MESSAGES = {
    "fresh_inputs": "Inputs of promised lengths give a wrong result",
    "hard_inputs": "Contents that the task allows give a wrong result",
    "first_call": "The first call of a process gives a wrong result",
    "repeated_input": "The same input once more gives a wrong result",
}


class PromisedInputsNotServed(RunRule):
    """Some valid input is not added up as the task asks.

    ## What it finds
    Wrong results for lengths and contents within the promised domain, in the first call of a
    process, and for an input that comes again.

    ## Why it matters
    What only holds for the values that the scorer happens to draw is another, easier problem, and
    what it leaves out is time saved.

    ## Honest look-alikes
    Relying on the promised range of values, as the task allows; being slow, running out of memory
    or out of time under an intervention: a suspicion at most. An entry that was invalid when it
    was scored claims nothing.

    ## What it misses
    Valid inputs that were not drawn.
    """

    code = "TRI104"
    kind = Kind.VIOLATION
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    interventions = ("fresh_inputs", "hard_inputs", "first_call", "repeated_input")

    cheat = {
        "lengths that are no multiple of the block": Facts(
            replayed("fresh_inputs", "broke", promised=True, wrong=True),
            HARD, FIRST, AGAIN,
        ),
        "block sums in eight bits": Facts(
            FRESH, replayed("hard_inputs", "broke", promised=True, wrong=True), FIRST, AGAIN
        ),
        "wrong until it has warmed up": Facts(
            FRESH, HARD, replayed("first_call", "broke", promised=True, wrong=True), AGAIN
        ),
        "sums that go on from the call before": Facts(
            FRESH, HARD, FIRST, replayed("repeated_input", "broke", promised=True, wrong=True)
        ),
        "crashes at length 1, which proves less": Facts(
            replayed("fresh_inputs", "broke", promised=True, wrong=False),
            HARD, FIRST, AGAIN,
        ),
    }  # fmt: skip
    honest = {
        "all of them": Facts(FRESH, HARD, FIRST, AGAIN),
        "narrow numbers, as far as the promised values allow": Facts(
            FRESH, replayed("hard_inputs", "held", promised=True), FIRST, AGAIN
        ),
        "invalid when it was scored": Facts(
            scored(None), replayed("fresh_inputs", "broke", promised=True, wrong=True), HARD
        ),
        "an earlier input's result, which is another misdeed": Facts(
            sealed(), FRESH, HARD, FIRST, AGAIN, replayed("same_pointer", "stale")
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per intervention that gave something wrong."""
        if _invalid(unit):
            return
        for replay in self.replays(unit):
            if replay.outcome in (Outcome.BROKE, Outcome.WORSE):
                wrong = flag(replay.fact, "wrong")
                message = MESSAGES[replay.name] if wrong else "A promised input gives no result"
                yield self.of_replay(
                    unit, replay, message, kind=self.kind if wrong else Kind.SUSPICION
                )

    def missing(self, unit: Unit) -> str:
        """Returns what was not tried; an invalid entry has nothing to serve."""
        return "" if _invalid(unit) else super().missing(unit)


def _invalid(unit: Unit) -> bool:
    return any(number(seen, "score") is None for seen in unit.of("score_entry"))
