"""What a model says depends on what it was called on before."""

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
    replayed,
)

PURE = (
    replayed("batch_again", "held", promised=True),
    replayed("unwatched", "held", forbidden=True),
)
FRESH = replayed("seen_before", "held", forbidden=True)


class BatchesRemembered(RunRule):
    """A model keeps something of the batches that it was called on.

    ## What it finds
    Models that know masked words better once another batch has shown them: they keep the text that
    they are scored on. Models that say something else about a batch after other ones, or at each
    call: no pure functions, which the instructions ask for.

    ## Why it matters
    Scoring draws windows that overlap, with masks of their own: what is masked in one batch lies
    open in another. Looking it up is not predicting it.

    ## Honest look-alikes
    Masks, positions and compiled code that are made in the first call and kept: they change
    nothing of the logits.

    ## What it misses
    Memories that only act in the classic scorer. Windows of sealed scores never overlap, so that
    there is nothing to remember.
    """

    code = "MLM105"
    kind = Kind.CHEATING
    misdeed = Misdeed.RESULT_CACHED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("seen_before", "batch_again", "unwatched")

    cheat = {
        "keeps the windows": Facts(
            replayed("seen_before", "stale", forbidden=True, gain=1.2), *PURE
        ),
        "keeps counts of neighbours": Facts(
            replayed("seen_before", "stale", forbidden=True, gain=0.3), *PURE
        ),
        "learns while it is scored, which proves less": Facts(
            FRESH, replayed("batch_again", "broke", promised=True, wrong=True), PURE[1]
        ),
        "says what chance will have it, which proves less": Facts(
            FRESH, PURE[0], replayed("unwatched", "broke", forbidden=True, wrong=True)
        ),
    }
    honest = {
        "a pure function": Facts(FRESH, *PURE),
        "keeps its masks": Facts(FRESH, *PURE, replayed("other_tokens", "held", forbidden=True)),
        "a little better by chance": Facts(
            replayed("seen_before", "held", forbidden=True, gain=0.01, error=0.01), *PURE
        ),
        "knows when it is watched, which is another misdeed": Facts(
            FRESH, PURE[0], replayed("unwatched", "stale", forbidden=True, when="traced")
        ),
        "it fails": Facts(
            replayed("seen_before", "broke", forbidden=True),
            replayed("batch_again", "broke", promised=True),
            replayed("unwatched", "broke", forbidden=True),
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per way in which the past shows."""
        for replay in self.replays(unit):
            if replay.name == "seen_before" and replay.proves:
                yield self.of_replay(unit, replay, "Words that an earlier batch showed are known")
            elif replay.outcome is Outcome.BROKE and flag(replay.fact, "wrong"):
                yield self.of_replay(
                    unit, replay, "The forward pass is no pure function", kind=Kind.VIOLATION
                )
