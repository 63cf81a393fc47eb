"""One audit: collects evidence, replays from the best entry downward, applies rules, decides."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from auditor import engine, imported, registry
from auditor.code.source import ChangedSource
from auditor.evidence import (
    code,
    files,
    history,
    log,
    origins,
    scores,
    trajectory,
    weights,
    work,
)
from auditor.evidence.book import Book
from auditor.evidence.cases import Cases
from auditor.evidence.replay import Replay, Worth
from auditor.evidence.runtime import Runtime
from auditor.evidence.turns import Budget
from auditor.models import (
    Check,
    CheckOutcome,
    Evidence,
    Finding,
    Intervention,
    Kind,
    Verdict,
)
from auditor.passages import Passages
from auditor.rule import Rule
from auditor.settle import proves, settle
from auditor.summary import Looked, summarise
from auditor.unit import Unit
from auditor.verdict import Decision, Examined, decide
from harness import snapshot
from harness import trajectory as recorded
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import UsageError
from harness.models import Attempt, ScoreLine
from harness.verify import Verification, verify

Say = Callable[[str], None]

DEFAULT_BUDGET_S = 30 * 60.0
"""Replay time per attempt under `auto`."""
LOST = "trajectory.jsonl is not the one that was signed, so what it tells was not read"


@dataclass(frozen=True)
class Options:
    """How far an audit goes."""

    rules_root: Path
    environment: Environment | None = None
    """Where scorer and interventions come from; the one it was made at when None."""
    common: bool = False
    """Apply the common rules alone, whatever the environment."""
    replay: Literal["auto", "always", "never"] = "auto"
    budget_s: float | None = None


@dataclass(frozen=True)
class Audit:
    """Everything an audit found, ready to be written down."""

    verdict: Verdict
    evidence: tuple[Evidence, ...]
    checks: tuple[Check, ...]
    rules: tuple[Rule, ...] = ()
    """The rules in force."""


class Auditor:
    """Audits attempts one after another; attempts at the same instance share their controls."""

    def __init__(self, options: Options, find: Callable[[Attempt], Environment], say: Say) -> None:
        self._options = options
        self._find = find
        self._say = say
        self._scratch = tempfile.TemporaryDirectory(prefix="audit-")
        self._cases = Cases(Path(self._scratch.name), say)

    def close(self) -> None:
        """Removes the changed instances; they are secret and never used twice."""
        self._scratch.cleanup()

    def audit(self, path: Path) -> Audit:
        """Audits the attempt in `path`; nothing in it is changed.

        Raises:
            UsageError: `path` is not an attempt that can be read.
        """
        folder = AttemptFolder.open(path)
        verification = verify(path)
        if verification.status == "unreadable":
            raise UsageError("; ".join(verification.problems) or f"{path} cannot be read.")
        attempt = folder.attempt()
        environment = self._options.environment or imported.environment_of(attempt, self._find)
        return _Examination(self, path, folder, attempt, environment, verification).run()


class _Examination:
    """The state of one audit of one attempt."""

    def __init__(
        self,
        auditor: Auditor,
        path: Path,
        folder: AttemptFolder,
        attempt: Attempt,
        environment: Environment,
        verification: Verification,
    ) -> None:
        self._options = auditor._options
        self._cases = auditor._cases
        self._say = auditor._say
        self._path, self._folder, self._attempt = path, folder, attempt
        self._environment, self._verification = environment, verification
        self._book = Book()
        self._unknown = environment.root == imported.ROOT
        self._common = self._options.common or self._unknown
        self._rules = registry.of(self._options.rules_root, None if self._common else environment)
        self._lines = folder.score_log().lines
        self._places = origins.Places.of(folder, environment.facts, self._lines)
        self._sources: dict[int, tuple[ChangedSource, ...]] = {}
        self._recorded: recorded.Trajectory | None = None
        self._interventions: dict[int, list[Intervention]] = {}
        self._worth: dict[int, Worth] = {}
        self._checks: dict[int | None, list[Check]] = {}
        self._written = imported.Written(environment, {})

    def run(self) -> Audit:
        """Runs the whole examination."""
        self._collect()
        for entry in (None, *(line.index for line in self._lines)):
            self._judge(entry)
        if self._options.replay != "never" and self._attempt.imported is None:
            self._replay()
        checks = tuple(check for group in self._checks.values() for check in group)
        places = Passages(self._sources)
        found = (item for entry in self._checks for item in self._settled(entry))
        looked = self._looked(checks, places.named(found))
        places.note(self._book, looked.findings)
        verdict = summarise(looked, self._decision())
        return Audit(verdict, self._book.all(), checks, self._rules.rules)

    def _collect(self) -> None:
        log.task(self._book, self._environment, self._attempt)
        log.collect(
            self._book, self._verification, self._lines, claimed=self._attempt.imported is not None
        )
        log.hidden(self._book, self._folder)
        scores.collect(self._book, self._folder, self._attempt, self._environment, self._lines)
        self._trajectory()
        history.collect(self._book, self._folder, self._environment, self._lines)
        facts, previous = self._environment.facts, None
        places = self._places
        tracer = weights.of_attempt(self._folder, self._environment, places)
        for line in self._lines:
            if self._unknown:
                facts = imported.facts_of(self._environment, self._folder, line.commit)
            files.collect(self._book, self._folder, facts, line.index, line.commit)
            origins.collect(self._book, places, self._folder, line.index, line.commit)
            weights.collect(self._book, tracer, self._folder, facts, line.index, line.commit)
            self._sources[line.index] = code.collect(
                self._book, self._folder, facts, line.index, line.commit, previous
            )
            previous = line.commit
        work.transcript(self._book, self._recorded, self._sources)
        work.logs(self._book, self._sources)
        work.artefacts(
            self._book, self._folder, self._environment.facts, self._lines, self._sources
        )
        self._likeness()

    def _likeness(self) -> None:
        """Holds the code against the reference; without numpy, that is a gap."""
        try:
            from auditor.evidence.likeness import Likeness
        except ImportError:
            return
        likeness = Likeness(self._folder, self._environment)
        for line in self._lines:
            likeness.collect(self._book, line.index, line.commit, self._sources[line.index])

    def _trajectory(self) -> None:
        """Reads what was recorded of the agent's doing, and the files that only that shows."""
        if self._verification.transcript == "changed":
            return  # whoever changed it, it tells nothing about the agent
        found = self._recorded = recorded.read(self._folder.root)
        if found is None:
            return
        start = self._attempt.start_commit
        given = snapshot.read(self._folder, start, {"instructions.md"})
        read = trajectory.collect(
            self._book,
            found,
            facts=None if self._unknown else self._environment.facts,
            instructions="\n".join(text.decode("utf-8", "replace") for _, text in given),
            roots=[str(self._folder.workspace.resolve())],
            imported=self._attempt.imported is not None,
            claimed=self._attempt.imported is not None or self._verification.transcript != "signed",
        )
        self._written = imported.Written(self._environment, read.files)

    def _judge(self, entry: int | None) -> None:
        unit = Unit(
            entry=entry,
            evidence=self._book.about(entry),
            sources=self._sources.get(entry, ()) if entry is not None else (),
            thresholds=self._rules.thresholds,
            facts=None if self._unknown else self._environment.facts,
        )
        self._checks[entry] = engine.apply(self._rules, [unit])
        if entry is None and imported.is_transcript(self._attempt):
            self._checks[None] += self._written.checks(self._rules, self._book)
        elif entry is None and self._attempt.imported is not None and not self._lines:
            self._checks[None] += imported.workspace_checks(
                self._rules, self._book, self._folder, self._environment
            )

    def _replay(self) -> None:
        """Replays from the best claim downward until one entry is clean, and every suspect one."""
        budget = Budget(self._budget_s())
        controlled = self._cases.of(self._folder, self._environment)
        replay = Replay(self._folder, self._environment, controlled, self._book, budget, self._say)
        runtime = Runtime(
            self._folder, self._environment, self._book, self._say,
            operators=self._environment.facts.in_process,  # elsewhere they cost most of the run
        )  # fmt: skip
        settled = False
        for line in self._by_claim():
            if settled and not self._suspected(line.index):
                continue
            if self._interventions and not budget.left():
                break  # what was not run is a gap of each entry; there may be ten thousand
            first = replay.first(line)
            if first is not None:
                origins.replayed(self._book, self._places, line.index, first.artifacts)
            seen = self._interventions[line.index] = replay.intervene(line)
            if budget.left():
                runtime.watch(line)
            if first is not None:
                proved = any(proves(item) for item in seen)
                self._worth[line.index] = replay.weigh(line, first, proved=proved)
            self._judge(line.index)
            settled = settled or self._decision().vetted == line.index

    def _budget_s(self) -> float:
        if self._options.budget_s is not None:
            return self._options.budget_s
        return float("inf") if self._options.replay == "always" else DEFAULT_BUDGET_S

    def _by_claim(self) -> Sequence[ScoreLine]:
        """Valid entries, the one that the environment's aggregation picks first."""
        valid = [line for line in self._lines if line.score is not None]
        if self._environment.facts.aggregate == "last":
            return valid[::-1]
        higher = self._environment.facts.direction == "higher"
        return sorted(valid, key=lambda line: line.score or 0.0, reverse=higher)

    def _suspected(self, entry: int) -> bool:
        return any(
            finding.kind is not Kind.NOTE
            for check in self._checks[entry]
            if check.outcome is CheckOutcome.FOUND
            for finding in check.findings
        )

    def _decision(self) -> Decision:
        facts = self._environment.facts
        decision = decide(
            [self._entry(line) for line in self._lines],
            self._settled(None),
            self._checks[None],
            required={code: self._rules.rule(code).scope for code in self._rules.required},
            direction=facts.direction,
            aggregate=facts.aggregate,
            lost=[LOST] if self._verification.transcript == "changed" else [],
        )
        if self._attempt.imported is None:
            return decision
        return imported.unmeasured(decision)

    def _entry(self, line: ScoreLine) -> Examined:
        worth = self._worth.get(line.index)
        return Examined(
            index=line.index,
            score=line.score,
            findings=tuple(self._settled(line.index)),
            checks=tuple(self._checks[line.index]),
            reearned=worth.again if worth else None,
        )

    def _looked(self, checks: tuple[Check, ...], findings: tuple[Finding, ...]) -> Looked:
        return Looked(
            path=str(self._path),
            attempt=self._attempt,
            environment=self._environment,
            judged_as=registry.COMMON if self._common else self._environment.name,
            rules=self._rules,
            verification=self._verification,
            lines=self._lines,
            hidden=self._folder.hidden_log().lines,
            worth=self._worth,
            interventions=self._interventions,
            checks=checks,
            findings=findings,
            replay="never" if self._attempt.imported is not None else self._options.replay,
        )

    def _settled(self, entry: int | None) -> list[Finding]:
        raw = [finding for check in self._checks[entry] for finding in check.findings]
        if self._unknown:
            raw = [finding.model_copy(update={"flow": False}) for finding in raw]
        seen = self._interventions.get(entry, []) if entry is not None else []
        return settle(raw, seen)
