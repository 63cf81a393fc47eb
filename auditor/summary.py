"""Puts a decision and the figures behind it into the form that `verdict.json` has."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from pydantic import JsonValue

from auditor import figures
from auditor.evidence.replay import Worth
from auditor.models import (
    Check,
    CheckOutcome,
    Finding,
    Intervention,
    Normalised,
    Provenance,
    ScoredEntries,
    Verdict,
    VerdictName,
)
from auditor.registry import RuleSet
from auditor.rule import Rule, gravity
from auditor.verdict import Decision
from harness import sandbox
from harness.environment import Environment
from harness.models import Attempt, HiddenLine, Outcome, ScoreLine, Split
from harness.normalise import normalise, scale
from harness.verify import Verification

UNSIGNED = "trajectory.jsonl is not signed: what it tells is a claim, and convicts nobody"


@dataclass(frozen=True)
class Looked:
    """Everything that was looked at in one attempt."""

    path: str
    attempt: Attempt
    environment: Environment
    judged_as: str
    """Whose rules were applied: the environment's, or the common ones alone."""
    rules: RuleSet
    verification: Verification
    lines: tuple[ScoreLine, ...]
    hidden: tuple[HiddenLine, ...]
    worth: Mapping[int, Worth]
    interventions: Mapping[int, Sequence[Intervention]]
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    replay: str


def summarise(looked: Looked, decision: Decision) -> Verdict:
    """Returns the verdict with its scores, findings, interventions, coverage and provenance."""
    shown = decision.vetted if decision.vetted is not None else decision.claimed
    worth = looked.worth.get(shown) if shown is not None else None
    remeasured = _sealed(looked, shown, Split.VALIDATION)
    hidden = worth.hidden if worth else _sealed(looked, shown, Split.TEST)
    claimed_score = next(
        (line.score for line in looked.lines if line.index == decision.claimed), None
    )
    vetted_score = remeasured if decision.vetted is not None else None
    scores = {
        "claimed": claimed_score, "remeasured": remeasured, "hidden": hidden,
        "vetted": vetted_score,
    }  # fmt: skip
    return Verdict(
        attempt=looked.path,
        environment=looked.judged_as,
        profile=looked.attempt.profile,
        verdict=decision.verdict,
        earned=decision.earned,
        claimed_score=claimed_score,
        remeasured_score=remeasured,
        hidden_score=hidden,
        vetted_score=vetted_score,
        scored_entries=ScoredEntries(claimed=decision.claimed, vetted=decision.vetted),
        normalised=Normalised(**{name: _normal(looked, value) for name, value in scores.items()}),
        entries=decision.entries,
        findings=_gravest_first(looked.findings),
        interventions=tuple(item for group in looked.interventions.values() for item in group),
        checks=_counted(looked.checks),
        coverage=_coverage(looked, decision),
        provenance=Provenance(
            auditor=version(),
            rules_sha256=looked.rules.sha256,
            environment_sha256=looked.environment.sha256,
            sandbox=sandbox.describe(),
            figures=figures.of(looked.rules),
        ),
    )


def failed(path: Path, reason: str) -> Verdict:
    """Returns the verdict on something that could not be audited at all."""
    return unscored(path, VerdictName.ERROR, error=reason)


def unscored(
    path: Path,
    verdict: VerdictName,
    *,
    environment: str | None = None,
    error: str | None = None,
    findings: Iterable[Finding] = (),
    checks: Iterable[Check] = (),
    coverage: Mapping[str, JsonValue] = MappingProxyType({}),
    rules_sha256: str = "",
    environment_sha256: str = "",
    sandbox: str = "",
    rules: Iterable[Rule] = (),
) -> Verdict:
    """Returns the verdict on something that has no score, so that nothing of it can be earned."""
    return Verdict(
        attempt=str(path),
        environment=environment,
        profile=None,
        verdict=verdict,
        error=error,
        earned=None,
        claimed_score=None,
        remeasured_score=None,
        hidden_score=None,
        vetted_score=None,
        scored_entries=ScoredEntries(claimed=None, vetted=None),
        normalised=Normalised(),
        entries=(),
        findings=_gravest_first(findings),
        interventions=(),
        checks=_counted(checks),
        coverage=dict(coverage),
        provenance=Provenance(
            auditor=version(),
            rules_sha256=rules_sha256,
            environment_sha256=environment_sha256,
            sandbox=sandbox,
            figures=figures.of(applied) if (applied := tuple(rules)) else None,
        ),
    )


def _gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda item: -gravity(item.kind)))


def _sealed(looked: Looked, entry: int | None, split: Split) -> float | None:
    """The sealed score of an entry: measured now, else what the harness logged."""
    if entry is None:
        return None
    worth = looked.worth.get(entry)
    if worth is not None:
        return worth.again.value if split is Split.VALIDATION else worth.hidden
    logged = [line for line in looked.hidden if line.entry == entry and line.split is split]
    return logged[-1].score if logged and looked.verification.status == "intact" else None


def _normal(looked: Looked, value: float | None) -> float | None:
    on = scale(looked.attempt, looked.environment.profile(looked.attempt.profile))
    return normalise(value, *on) if on else None


def _counted(checks: Iterable[Check]) -> dict[str, int]:
    count = Counter(check.outcome.value for check in checks)
    return {outcome.value: count[outcome.value] for outcome in CheckOutcome}


def _coverage(looked: Looked, decision: Decision) -> dict[str, JsonValue]:
    replayed = sorted(looked.interventions)
    not_run = [
        f"entry {item.entry}: {item.name} ({item.reason})"
        for group in looked.interventions.values()
        for item in group
        if item.outcome is Outcome.NOT_RUN
    ]
    skipped = [
        line.index
        for line in looked.lines
        if line.score is not None and line.index not in looked.interventions
    ]
    imported = looked.attempt.imported
    gaps = [
        *decision.gaps,
        *(imported.missing if imported is not None else looked.verification.gaps),
        *(f"{line}, so it does not count" for line in looked.verification.unsealed),
        *([UNSIGNED] if looked.verification.transcript == "unsigned" else []),
        *(["nothing was executed again (--replay never)"] if looked.replay == "never" else []),
    ]
    return {
        "replay": looked.replay,
        "entries_replayed": list(replayed),
        "entries_not_replayed": list(skipped),
        "interventions_not_run": list(not_run),
        "environment_changed": looked.attempt.environment_sha256 != looked.environment.sha256,
        "gaps": list(gaps),
    }


def version() -> str:
    """Returns which auditor this is."""
    try:
        return f"earned {metadata.version('earned')}"
    except metadata.PackageNotFoundError:
        return "earned (not installed)"
