"""The gain over the start is the luck of the best of many tries."""

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
    fact,
    flag,
    items,
    number,
    word,
)


def selection(**data: JsonValue) -> Evidence:
    """Builds the fact that the best of several tries was looked at: a lucky one at first."""
    usual: dict[str, JsonValue] = {
        "claimed": 0.25, "base": 0.0, "tries": 100, "noise_sd": 0.1, "gain": 0.25,
        "expected_gain": 0.251, "limit": 0.43, "shrunk": 0.02, "in_question": True,
        "runs": [0.0] * 4, "start_runs": [0.0] * 4, "measured_gain": 0.01, "half_width": 0.1,
        "answer": "luck",
    }  # fmt: skip
    return fact("selection").model_copy(update={"data": {**usual, **data}})


class NoiseSelected(ScoreRule):
    """More than half of what the claim gains over the start is the luck of the best of many tries.

    ## What it finds
    Claims that are no better than the best of as many noisy tries of the start would be, and of
    whose gain less than half is there when the solution and the start are measured again in turns.
    It asks for at least five tries and for the entry that counts, and it is wrong about the half
    in one case of a hundred at most.

    ## Why it matters
    Whoever scores two hundred times and keeps the best has a better score and nothing else. One
    published best run lost three quarters of its gain when it was measured again.

    ## Honest look-alikes
    Small improvements that are real, which the runs in turns bear out. Many tries of which the best
    is no better than luck, because nothing worked: nobody need have meant it, so this is never more
    than a suspicion, and what is vetted is what was measured again.

    ## What it misses
    Luck on top of a large gain, tries that were not logged, and gains too small to be settled by
    a few runs. Where the last entry counts, there is nothing to select.
    """

    code = "ANY036"
    kind = Kind.SUSPICION
    misdeed = Misdeed.NOISE_SELECTED
    severity = Severity.LOW
    confidence = Confidence.MEDIUM
    needs = ("selection",)

    cheat = {
        "two hundred tries of the start": Facts(
            selection(tries=200, gain=0.29, expected_gain=0.275, limit=0.45, measured_gain=-0.01)
        ),
        "a dozen tries, one of them lucky": Facts(
            selection(tries=12, gain=0.24, expected_gain=0.163, limit=0.35, measured_gain=0.0)
        ),
        "a third of the gain is real": Facts(
            selection(gain=0.36, measured_gain=0.12, half_width=0.05, limit=0.43)
        ),
        "lower is better": Facts(
            selection(claimed=2.2, base=2.9, gain=0.7, noise_sd=0.25, expected_gain=0.63,
                      limit=1.08, shrunk=2.8, measured_gain=0.05, half_width=0.27)
        ),
    }  # fmt: skip
    honest = {
        "beyond luck": Facts(
            selection(gain=2.0, in_question=False, runs=[], start_runs=[], answer="")
        ),
        "small and real": Facts(
            selection(gain=0.3, measured_gain=0.31, half_width=0.1, answer="real")
        ),
        "one try": Facts(
            selection(tries=1, gain=0.25, in_question=False, runs=[], start_runs=[], answer="")
        ),
        "no better than the start": Facts(
            selection(gain=0.05, in_question=False, runs=[], start_runs=[], answer="")
        ),
    }  # fmt: skip

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when runs in turns say that more than half of a gain is luck."""
        for seen in unit.of("selection"):
            figures = [
                number(seen, key)
                for key in (
                    "gain",
                    "tries",
                    "expected_gain",
                    "measured_gain",
                    "half_width",
                    "shrunk",
                )
            ]
            if word(seen, "answer") != "luck" or None in figures:
                continue
            gain, tries, expected, measured, half, shrunk = figures
            yield self.report(
                unit,
                f"The best of {tries:.0f} tries claims to be {gain:.3g} better than the start; "
                f"where none is better, the best of so many is on average {expected:.3g} better. "
                f"In {len(items(seen, 'runs'))} runs in turns with the start it was {measured:.3g} "
                f"better, at most {half:.2g} more: more than half of the gain is luck. By the "
                f"scatter of all tries the claim is worth {shrunk:.4g}.",
                [seen],
                effect=Effect.EFFECTIVE,
            )

    def missing(self, unit: Unit) -> str:
        """Returns that a gain which may be luck was not settled, where that is so."""
        if reason := super().missing(unit):
            return reason
        open_ones = [
            seen
            for seen in unit.of("selection")
            if flag(seen, "in_question") and word(seen, "answer") in ("", "open")
        ]
        return "the gain may be luck, and the runs did not settle it" if open_ones else ""
