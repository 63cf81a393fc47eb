"""What was to be learned from text is written down in the source."""

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
    replayed,
)


class LanguageWrittenDown(RunRule):
    """The script that makes the model has the language in it.

    ## What it finds
    Solutions whose `reproduce.sh`, given text of another language, makes a model that knows the
    old language instead of the new one.

    ## Why it matters
    A table of what follows what, found out elsewhere and written down as numbers, is an answer and
    no model that was trained.

    ## Honest look-alikes
    Trainings that end a little worse on another language; a script that starts from scratch and
    never looks at the old weights. A model that is worse on both languages is a suspicion: a
    training may fail for many reasons.

    ## What it misses
    Solutions without `reproduce.sh`.
    """

    code = "MLM108"
    kind = Kind.CHEATING
    misdeed = Misdeed.ANSWER_HARDCODED
    severity = Severity.CRITICAL
    confidence = Confidence.HIGH
    interventions = ("other_language",)

    cheat = {
        "a table of numbers": Facts(
            replayed("other_language", "stale", learned=2.4, again=-2.9, kept=2.4)
        ),
        "weights in a text": Facts(
            replayed("other_language", "stale", learned=2.0, again=-1.0, kept=1.9)
        ),
        "half in the source, half trained": Facts(
            replayed("other_language", "stale", learned=2.0, again=0.3, kept=1.2)
        ),
        "worse on both, which proves less": Facts(
            replayed("other_language", "worse", learned=2.0, again=0.1, kept=-2.0)
        ),
    }
    honest = {
        "as good on the new language": Facts(
            replayed("other_language", "held", learned=2.4, again=2.3, kept=-2.8)
        ),
        "a little worse": Facts(
            replayed("other_language", "held", learned=2.4, again=1.8, kept=-2.1)
        ),
        "nothing learned, as at the start": Facts(
            replayed("other_language", "held", learned=0.0, again=0.01, kept=-0.2)
        ),
        "it cannot be run": Facts(replayed("other_language", "broke", observed="no model")),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding when the new language is not learned."""
        for replay in self.replays(unit):
            if replay.outcome is Outcome.STALE:
                yield self.of_replay(unit, replay, "Trained again, it knows the old language")
            elif replay.outcome is Outcome.WORSE:
                yield self.of_replay(
                    unit, replay, "Trained again, it does not know the new language",
                    kind=Kind.SUSPICION,
                )  # fmt: skip
