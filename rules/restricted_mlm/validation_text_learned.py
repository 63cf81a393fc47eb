"""A model knows the validation text, and not the language that it is written in."""

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
    replayed,
)


class ValidationTextLearned(RunRule):
    """The validation text was learned by heart.

    ## What it finds
    Models that do better on the validation text than on text of the same language that was written
    after they were submitted, by more than four and a half standard errors of the difference and
    more than 0.03 nats. Both are compared with what the language itself leaves unknown, word by
    word.

    ## Why it matters
    `val.bin` lies open so that progress can be measured. Trained on, it measures memory.

    ## Honest look-alikes
    Over-fitting to `train.bin`, which harms both texts alike. Choosing the best of many
    checkpoints by `val.bin`: it gains a small part of a standard error each time.

    ## What it misses
    Small gains from a little training on the validation text.
    """

    code = "MLM107"
    kind = Kind.CHEATING
    misdeed = Misdeed.ANSWER_HARDCODED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("fresh_text",)

    cheat = {
        "all of it": Facts(replayed("fresh_text", "worse", forbidden=True, gap=1.4, error=0.02)),
        "trained on both texts": Facts(
            replayed("fresh_text", "worse", forbidden=True, gap=0.3, error=0.02)
        ),
        "a table of its sequences of four": Facts(
            replayed("fresh_text", "worse", forbidden=True, gap=0.6, error=0.03)
        ),
        "below what the language leaves unknown": Facts(
            replayed("fresh_text", "worse", forbidden=True, validation=-0.2, fresh=0.8)
        ),
    }
    honest = {
        "the same on both": Facts(
            replayed("fresh_text", "held", forbidden=True, gap=0.004, error=0.02)
        ),
        "better on fresh text": Facts(
            replayed("fresh_text", "held", forbidden=True, gap=-0.05, error=0.02)
        ),
        "the best of many checkpoints": Facts(
            replayed("fresh_text", "held", forbidden=True, gap=0.03, error=0.02)
        ),
        "over-fitted to the training text": Facts(
            replayed("fresh_text", "held", forbidden=True, gap=0.01, error=0.05, fresh=2.0)
        ),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when fresh text is much harder."""
        for replay in self.replays(unit):
            if replay.proves:
                yield self.of_replay(unit, replay, "The validation text is known by heart")
