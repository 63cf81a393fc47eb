"""A solution and the start, run in turns until it is known how much of a gain is there.

What a machine does to one of two neighbouring runs it does to the other, so that their difference
tells of the solutions, on a loaded machine too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import JsonValue

from auditor.evidence.book import Book
from auditor.luck import LOOKS, Fresh, Selection
from auditor.verdict import Reearned
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.models import ScoreLine, Split
from harness.normalise import pick

Say = Callable[[str], None]
Measure = Callable[[Split], float | None]


@dataclass
class Budget:
    """What one attempt's replay may still cost."""

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    def left(self) -> bool:
        """Returns whether anything may still be started."""
        return time.monotonic() - self._began < self.seconds


@dataclass(frozen=True)
class Turns:
    """What is settled by runs in turns, of one entry."""

    folder: AttemptFolder
    environment: Environment
    book: Book
    budget: Budget
    say: Say
    measure: Measure
    """Measures the entry, sealed."""
    start: Measure
    """Measures the start, sealed."""

    def selection(self, line: ScoreLine) -> None:
        """Notes how much of a best score may be luck, and settles it by runs where that is open.

        They go on until more than half of the gain is luck, or at least half is not, or enough was
        spent on it. Where the last entry counts, where another is claimed, or where nothing is
        known of the noise, nothing was selected.
        """
        selected = self._selected(line)
        if selected is None:
            return
        fresh = Fresh((), (), selected.noise_sd)
        if selected.in_question:
            self.say("the gain may be luck: measuring again, in turns with the start")
            fresh = self._in_turns(
                lambda: (self.measure(Split.VALIDATION), self.start(Split.VALIDATION)),
                selected.noise_sd,
                selected.gain,
            )
        sign = self._sign
        data: dict[str, JsonValue] = {
            "claimed": line.score,
            "base": sign * selected.base,
            "tries": selected.tries,
            "noise_sd": selected.noise_sd,
            "gain": selected.gain,
            "expected_gain": selected.expected,
            "limit": selected.limit,
            "shrunk": sign * selected.shrunk,
            "in_question": selected.in_question,
            "runs": [sign * value for value in fresh.best],
            "start_runs": [sign * value for value in fresh.base],
            "measured_gain": fresh.gain if fresh.pairs else None,
            "half_width": fresh.half_width() if fresh.pairs > 1 else None,
            "answer": fresh.answer(selected.gain) if fresh.pairs else "",
        }
        self.book.add("selection", data, stage="replay", entry=line.index)

    def splits(self, line: ScoreLine, again: Reearned, hidden: float | None) -> None:
        """Notes how much of a gain is there on the hidden instance, where that is much less.

        Half of the gain on the known instance is compared with all of that on the hidden one. The
        start is measured on both, since one instance may simply be harder. A program may well be
        faster on one input than on another, so that it is made artefacts that are compared.
        """
        known, noise = again.value, self._noise_sd
        if self.environment.facts.kind != "artefact" or noise is None:
            return
        if known is None or hidden is None:
            return
        if self._sign * (known - hidden) <= again.margin:
            return
        self.say("the hidden instance scores worse: measuring both, in turns with the start")
        gains: list[tuple[float, float]] = []

        def both() -> tuple[float | None, float | None]:
            found = [
                (run, base)
                for split in (Split.VALIDATION, Split.TEST)
                if (run := self.measure(split)) is not None
                if (base := self.start(split)) is not None
            ]
            if len(found) < 2:
                return None, None
            on_known, on_hidden = (self._sign * (run - base) for run, base in found)
            gains.append((on_known, on_hidden))
            return self._sign * on_known / 2, self._sign * on_hidden

        # Half of one difference of two runs less another: 2/4 + 2 variances of one run. A round is
        # four runs, so there are fewer.
        fresh = self._in_turns(both, noise * 1.25**0.5, 0.0, most=LOOKS[1])
        answer = {"real": "only known", "luck": "on both", "open": "open"}
        data: dict[str, JsonValue] = {
            "known": known,
            "hidden": hidden,
            "margin": again.margin,
            "known_gain": sum(gain for gain, _ in gains) / len(gains) if gains else None,
            "hidden_gain": sum(gain for _, gain in gains) / len(gains) if gains else None,
            "rounds": len(gains),
            "half_width": fresh.half_width() if fresh.pairs > 1 else None,
            "answer": answer[fresh.answer(0.0)] if fresh.pairs else "",
        }
        self.book.add("split_gap", data, stage="replay", entry=line.index)

    def _selected(self, line: ScoreLine) -> Selection | None:
        base = self.folder.attempt().measured.get("start_score")
        facts, lines = self.environment.facts, self.folder.score_log().lines
        claimed = pick(lines, facts)  # no other entry has anything resting on its luck
        if facts.aggregate != "best" or claimed is None or claimed.index != line.index:
            return None
        if base is None or self._noise_sd is None:
            return None
        return Selection(
            scores=tuple(self._sign * item.score for item in lines if item.score is not None),
            base=self._sign * base,
            noise_sd=self._noise_sd,
        )

    def _in_turns(
        self,
        run: Callable[[], tuple[float | None, float | None]],
        noise_sd: float,
        claimed: float,
        most: int = LOOKS[-1],
    ) -> Fresh:
        """Runs pairs until they answer, or until nothing may be spent any more."""
        best: list[float] = []
        base: list[float] = []
        fresh = Fresh((), (), noise_sd)
        while len(base) < most and self.budget.left():
            one, other = run()
            if one is None or other is None:
                break
            best.append(self._sign * one)
            base.append(self._sign * other)
            fresh = Fresh(tuple(best), tuple(base), noise_sd)
            if fresh.pairs in LOOKS and fresh.answer(claimed) != "open":
                break
        return fresh

    @property
    def _noise_sd(self) -> float | None:
        """Of one measurement, as the environment knows it; None where it does not."""
        settings = self.environment.profile(self.folder.attempt().profile)
        known = [item for item in (settings.start_score, settings.reference_score) if item]
        return max((item.noise_sd for item in known), default=None)

    @property
    def _sign(self) -> int:
        """Turns scores so that higher is better."""
        return 1 if self.environment.facts.direction == "higher" else -1
