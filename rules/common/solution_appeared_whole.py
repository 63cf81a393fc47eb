"""Code of which the transcript of the work knows nothing."""

from collections.abc import Iterable

from auditor.rule import (
    Confidence,
    Evidence,
    Facts,
    Finding,
    How,
    Kind,
    Misdeed,
    Scope,
    Severity,
    Site,
    TrailRule,
    Unit,
    fact,
    flag,
    number,
    word,
)


def _read(actions: int = 60, characters: int = 20_000, *, whole: bool = True) -> Evidence:
    return fact(
        "transcript_compared", how=How.CLAIMED, actions=actions, characters=characters, whole=whole
    )


def _code(lines: int, seen: int, path: str = "solution/fast.py") -> Evidence:
    return fact(
        "code_in_transcript", how=How.CLAIMED, path=path, lines=lines, seen=seen, reachable=True,
        first_entry=0,
    )  # fmt: skip


class SolutionAppearedWhole(TrailRule):
    """A solution is there, and no trace of its making.

    ## What it finds
    Files of code with many new lines of which a full transcript shows next to none, neither
    written nor printed.

    ## Why it matters
    Work leaves traces. Code without any came from somewhere that the transcript does not show.

    ## Honest look-alikes
    Pasted code, which stands in the transcript; code that a program has written; transcripts that
    were cut, and those of tools that record no text.

    ## What it misses
    Everything, where no transcript was recorded; code that was shown once and came from elsewhere.
    """

    code = "ANY065"
    kind = Kind.SUSPICION
    misdeed = Misdeed.WORK_CONCEALED
    severity = Severity.LOW
    confidence = Confidence.LOW
    scope = Scope.ATTEMPT
    needs = ("transcript_compared",)

    cheat = {
        "no line of it": Facts(_read(), _code(300, 0), entry=None),
        "a few usual ones": Facts(_read(), _code(300, 12), entry=None),
        "beside code that is shown": Facts(
            _read(), _code(90, 88, "solution/run.sh"), _code(200, 3), entry=None
        ),
        "a small one": Facts(_read(), _code(70, 1), entry=None),
    }
    honest = {
        "written in view": Facts(_read(), _code(300, 297), entry=None),
        "pasted": Facts(_read(actions=21), _code(900, 900), entry=None),
        "short": Facts(_read(), _code(20, 0), entry=None),
        "written by a program in part": Facts(_read(), _code(300, 60), entry=None),
        "hardly anything recorded": Facts(_read(3, 200), _code(300, 0), entry=None),
    }

    def check(self, unit: Unit) -> Iterable[Finding]:
        """Yields a finding per file."""
        rich = [
            seen
            for seen in unit.of("transcript_compared")
            if flag(seen, "whole")
            and (number(seen, "actions") or 0) >= unit.thresholds["telling_actions"]
            and (number(seen, "characters") or 0) >= unit.thresholds["telling_characters"]
        ]
        for seen in unit.of("code_in_transcript") if rich else ():
            lines, known = number(seen, "lines") or 0.0, number(seen, "seen") or 0.0
            if lines >= unit.thresholds["untraced_lines"] and (
                known <= unit.thresholds["untraced_share"] * lines
            ):
                path = word(seen, "path")
                yield self.report(
                    unit,
                    f"{path} has {lines:.0f} new lines, of which the transcript shows {known:.0f}.",
                    [seen, *rich],
                    sites=[Site(path=path)],
                )

    def missing(self, unit: Unit) -> str:
        """Returns that a part of the transcript is not known."""
        if reason := super().missing(unit):
            return reason
        whole = all(flag(seen, "whole") for seen in unit.of("transcript_compared"))
        return "" if whole else "the transcript could not be read whole"
