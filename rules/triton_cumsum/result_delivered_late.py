"""The result was not there when it was handed over, and was there a moment later."""

from collections.abc import Iterable

from pydantic import JsonValue

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
    number,
    replayed,
    sealed,
    word,
)


class ResultDeliveredLate(ScoreRule):
    """`prefix_sum` returns before its result is computed, and something goes on behind it.

    ## What it finds
    Sealed calls whose output is wrong at the moment of the hand-over, with every process stopped,
    and right after they were let go on for a little. Classic runs in which the result's memory is
    wrong when the call returns and right once the scorer has stopped its clock.

    ## Why it matters
    The clock stops when the call returns. What a thread or a process does afterwards is work that
    nobody timed.

    ## Honest look-alikes
    Thread pools and workers that stay alive between calls and write nothing after the return; a
    result that is wrong and stays wrong.

    ## What it misses
    Work done before the clock starts: an input is written while everything is stopped instead.
    """

    code = "TRI106"
    kind = Kind.CHEATING
    misdeed = Misdeed.MEASUREMENT_TAMPERED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH

    cheat = {
        "a thread fills it in": Facts(
            sealed(value=None, reached=False, error="wrong", details={"late": True})
        ),
        "on both splits": Facts(
            sealed(value=None, reached=False, details={"late": True}),
            sealed("test", value=None, reached=False, details={"late": True}),
        ),
        "on one of them": Facts(
            sealed(),
            sealed("test", value=None, reached=False, details={"late": True}),
        ),
        "by a hook on the scorer's next call": Facts(
            sealed(value=None, reached=False, details={"late": False}),
            replayed("result_at_return", "stale", forbidden=True),
        ),
        "a child process with shared memory": Facts(
            sealed(value=None, reached=False, survivors=1, details={"late": True})
        ),
    }
    honest = {
        "in time": Facts(sealed()),
        "in time, with a pool that stays": Facts(sealed(survivors=3)),
        "wrong for good": Facts(
            sealed(value=None, reached=False, error="wrong", details={"late": False})
        ),
        "looked at before the clock stops": Facts(
            sealed(), replayed("result_at_return", "held", forbidden=True)
        ),
        "wrong then and later": Facts(
            sealed(value=None, reached=False, details={"late": False}),
            replayed("result_at_return", "broke", forbidden=True),
        ),
        "slow, and in time": Facts(sealed(value=9.0, reached=False, seconds=8.1)),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per split on which a result came late."""
        for seen in unit.of("sealed_score"):
            if _late(seen) is True:
                yield self.report(
                    unit,
                    f"On the {word(seen, 'split')} split the result was wrong when the call had "
                    "returned and everything was stopped, and right a moment after.",
                    [seen],
                    effect=Effect.EFFECTIVE,
                )
        for item in unit.interventions(["result_at_return"]):
            if item.proves:
                yield self.report(
                    unit,
                    f"The result came after the call: {item.shown}.",
                    [item.fact],
                    effect=Effect.EFFECTIVE,
                )

    def missing(self, unit: Unit) -> str:
        """Returns that no hand-over was looked at, where that is so; what is valid was in time."""
        looked = any(
            number(seen, "value") is not None or isinstance(_late(seen), bool)
            for seen in unit.of("sealed_score")
        )
        return super().missing(unit) or ("" if looked else "no result was handed over")


def _late(seen: Evidence) -> JsonValue:
    details = seen.data.get("details")
    return details.get("late") if isinstance(details, dict) else None
