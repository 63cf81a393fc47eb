"""What one attempt came to: its scores on both scales, when they were reached, and by whom."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from pydantic import Field

from harness import snapshot
from harness.approaches import SOURCE_BYTES
from harness.attempt import AttemptFolder
from harness.environment import SHIPPED, Environment
from harness.models import (
    Attempt,
    EnvironmentFacts,
    HiddenLine,
    Number,
    Record,
    ScoreLine,
    Split,
    WorkspaceFacts,
)
from harness.normalise import Scale, normalise, pick, scale
from harness.published import published
from harness.ranking import percentile

Basis = Literal["claimed", "remeasured", "hidden"]
"""What the agent was told, the same measured sealed, or sealed on the hidden instance."""
FULL = "full"
"""The profile at the paper's scale."""
SOURCES = 500
"""Files of a solution that are read."""
_SPLITS: dict[str, Split] = {"remeasured": Split.VALIDATION, "hidden": Split.TEST}


class Value(Record):
    """A score on both scales; None where there is none, which is not 0."""

    raw: Number | None = None
    normalised: Number | None = None


class Step(Record):
    """From here on, the entry that counts has this normalised score; None where unmeasured."""

    elapsed_s: float
    score: Number | None


class Distinct(Record):
    """How many different approaches there were among solutions."""

    looked_at: int
    distinct: int

    @property
    def share(self) -> float | None:
        """Of the solutions looked at; None where there were none."""
        return self.distinct / self.looked_at if self.looked_at else None


class Result(Record):
    """One attempt."""

    attempt: str
    """Its path, as given."""
    by: str
    """Who made it."""
    environment: str
    profile: str
    ours: bool
    """The environment comes with this project, so that published results are about its task."""
    score_visible: bool
    known: bool
    """This host's journal knows the log's end; else anybody may have signed it."""
    imported: bool = False
    """Its scores are somebody else's word."""
    budget_s: float | None
    lasted_s: float
    """To its end, or to its last entry where no end was noted."""
    entries: int
    invalid: int
    """Entries without a score."""
    entry: int | None
    """The one that the environment's aggregation picks."""
    late: bool
    """That entry came after the time budget."""
    claimed: Value = Value()
    remeasured: Value = Value()
    hidden: Value = Value()
    entries_per_hour: float | None
    percentile: float | None = None
    """Among published results of people, on the normalised scale."""
    approaches: Distinct | None = None
    """Among its entries."""
    progress: tuple[Step, ...] = Field(default=(), repr=False)

    @property
    def task(self) -> str:
        """Environment and profile: what may be compared with each other."""
        return f"{self.environment}/{self.profile}"

    def value(self, basis: Basis) -> Value:
        """Returns its score by what it was measured."""
        found = {"claimed": self.claimed, "remeasured": self.remeasured, "hidden": self.hidden}
        return found[basis]

    def by_then(self, elapsed_s: float) -> Step | None:
        """Returns the last step until then; None before the first valid entry."""
        found = None
        for step in self.progress:
            if step.elapsed_s > elapsed_s:
                break
            found = step
        return found


def read(
    path: str, folder: AttemptFolder, environment: Environment, basis: Basis = "claimed"
) -> Result:
    """Returns what an attempt came to.

    Args:
        path: how the attempt is called.
        folder: the attempt.
        environment: what it was made at.
        basis: which of its scores is its progress.

    Raises:
        LogForged: a log does not verify.
    """
    attempt, facts = folder.attempt(), environment.facts
    checked, lines, hidden = folder.check("scores"), folder.scores(), folder.hidden()
    on = scale(attempt, environment.profile(attempt.profile)) or _printed(environment, attempt)
    picked = pick(lines, facts)
    sealed = _sealed(hidden)

    def value(line: ScoreLine | None, by: Basis) -> Value:
        if line is None or by == "claimed":
            return _value(line.score if line else None, on)
        return _value(sealed.get((line.index, _SPLITS[by])), on)

    lasted = _lasted(attempt, lines)
    people = _people(environment)
    claimed = value(picked, "claimed")
    place = None
    if people and claimed.normalised is not None:
        place = percentile(claimed.normalised, people)
    return Result(
        attempt=path,
        by=_by(attempt),
        environment=environment.name,
        profile=attempt.profile,
        ours=environment.root.parent == SHIPPED,
        score_visible=facts.score_visible,
        known=checked.noted,
        imported=attempt.imported is not None,
        budget_s=attempt.time_budget_s,
        lasted_s=lasted,
        entries=len(lines),
        invalid=sum(line.score is None for line in lines),
        entry=picked.index if picked else None,
        late=_late(picked, attempt),
        claimed=claimed,
        remeasured=value(picked, "remeasured"),
        hidden=value(picked, "hidden"),
        entries_per_hour=3600 * len(lines) / lasted if lasted > 0 else None,
        percentile=place,
        progress=tuple(_progress(lines, facts, lambda line: value(line, basis).normalised)),
    )


def sources(folder: AttemptFolder, facts: WorkspaceFacts, commit: str) -> dict[str, str]:
    """Returns the texts that an agent may edit, of a snapshot, by path.

    Raises:
        LogForged: the snapshot is not what was stored.
    """
    given = (*facts.protected, *facts.restored, *facts.outputs, *facts.answers)
    inputs = WorkspaceFacts(editable=given, protected=(), outputs=(), entrypoints=())
    wanted = [
        entry.path
        for entry in snapshot.manifest(folder, commit).entries
        if entry.type == "file" and 0 < entry.size <= SOURCE_BYTES
        if facts.allows(entry.path) and not inputs.allows(entry.path)
    ]
    found = snapshot.read(folder, commit, set(wanted[:SOURCES]))
    texts = ((entry.path, _text(content)) for entry, content in found)
    return {path: text for path, text in texts if text is not None}


def _text(content: bytes) -> str | None:
    try:
        return None if b"\0" in content else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _by(attempt: Attempt) -> str:
    if attempt.human:
        return f"people ({attempt.human.pool})" if attempt.human.pool else "people"
    if not attempt.agent:
        return "unnamed"
    name, model, scaffold = attempt.agent.name, attempt.agent.model, attempt.agent.scaffold
    if scaffold:
        return f"{model or name} in {scaffold}"
    return f"{name} ({model})" if name and model else name or model


def _lasted(attempt: Attempt, lines: Sequence[ScoreLine]) -> float:
    if attempt.end:  # later than the budget allows only where the clock was paused
        seconds = max(0.0, (attempt.end - attempt.start).total_seconds())
        return seconds if attempt.time_budget_s is None else min(seconds, attempt.time_budget_s)
    return lines[-1].elapsed_s if lines else 0.0


def _late(picked: ScoreLine | None, attempt: Attempt) -> bool:
    budget = attempt.time_budget_s
    return picked is not None and budget is not None and picked.elapsed_s > budget


def _people(environment: Environment) -> tuple[float, ...]:
    facts = published(environment.name) if environment.root.parent == SHIPPED else None
    return facts.people() if facts else ()


def _printed(environment: Environment, attempt: Attempt) -> Scale | None:
    """The published scale, for the paper's own size where nobody has measured it here."""
    ours = environment.root.parent == SHIPPED and attempt.profile == FULL
    facts = published(environment.name) if ours else None
    return Scale(facts.start.score, facts.reference.score) if facts else None


def _value(raw: float | None, on: Scale | None) -> Value:
    return Value(raw=raw, normalised=normalise(raw, *on) if on else None)


def _sealed(hidden: Iterable[HiddenLine]) -> dict[tuple[int, Split], float | None]:
    """Returns the last sealed score of each entry and split; None where it was invalid."""
    return {(line.entry, line.split): line.score for line in hidden}


def _progress(
    lines: Iterable[ScoreLine],
    facts: EnvironmentFacts,
    value: Callable[[ScoreLine], float | None],
) -> Iterator[Step]:
    """Yields a step for each entry that takes the place of the one that counted before."""
    sign = 1 if facts.direction == "higher" else -1
    best = -math.inf
    for line in lines:
        if line.score is None or (facts.aggregate == "best" and sign * line.score <= best):
            continue
        best = sign * line.score
        yield Step(elapsed_s=line.elapsed_s, score=value(line))
