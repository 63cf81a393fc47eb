"""Applies every rule to every unit: one check each, whatever happens."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from auditor.models import Check, CheckOutcome, Finding, Scope
from auditor.registry import RuleSet
from auditor.rule import Rule, Unit, gravity

PER_FILE = 20
"""Findings kept per rule and file; the rest is counted, so that nobody drowns the report."""
PER_CHECK = 200
"""Findings kept per rule and unit, however many files they are spread over."""

GRAVITY = (
    CheckOutcome.FOUND, CheckOutcome.CRASHED, CheckOutcome.NO_EVIDENCE, CheckOutcome.NOTHING,
    CheckOutcome.NOT_APPLICABLE,
)  # fmt: skip
"""Outcomes, the one that says most first."""


def apply(rules: RuleSet | Iterable[Rule], units: Sequence[Unit]) -> list[Check]:
    """Returns one check per rule and unit of its scope, in the order of units, then of codes."""
    return [
        check_one(rule, unit) for unit in units for rule in rules if rule.scope is scope_of(unit)
    ]


def scope_of(unit: Unit) -> Scope:
    """Returns the scope that a unit is for."""
    if unit.several:
        return Scope.SET
    return Scope.ATTEMPT if unit.entry is None else Scope.ENTRY


def check_one(rule: Rule, unit: Unit) -> Check:
    """Applies one rule to one unit; what it raises becomes data and harms no other rule."""
    began = time.perf_counter()
    findings: tuple[Finding, ...] = ()
    try:
        outcome, reason, findings = _judge(rule, unit)
    except Exception as error:
        outcome, reason = CheckOutcome.CRASHED, described(error)
    return Check(
        code=rule.code,
        rule=rule.name,
        entry=unit.entry,
        outcome=outcome,
        reason=reason,
        seconds=time.perf_counter() - began,
        findings=findings,
    )


def together(checks: Sequence[Check]) -> Check:
    """Returns one check of several parts of a unit: the gravest outcome, and every finding."""
    first = checks[0]
    if len(checks) == 1:
        return first
    outcomes = {check.outcome for check in checks}
    reasons = dict.fromkeys(check.reason for check in checks if check.reason)
    return first.model_copy(
        update={
            "outcome": next(outcome for outcome in GRAVITY if outcome in outcomes),
            "reason": "; ".join(reasons),
            "seconds": sum(check.seconds for check in checks),
            "findings": _capped([finding for check in checks for finding in check.findings]),
        }
    )


def _judge(rule: Rule, unit: Unit) -> tuple[CheckOutcome, str, tuple[Finding, ...]]:
    if not rule.applies(unit.facts):
        return CheckOutcome.NOT_APPLICABLE, "", ()
    found = list(rule.check(unit))
    for finding in found:
        _validate(rule, unit, finding)
    reason = rule.missing(unit)
    if found:
        return CheckOutcome.FOUND, reason, _capped(found)
    return (CheckOutcome.NO_EVIDENCE if reason else CheckOutcome.NOTHING), reason, ()


def _validate(rule: Rule, unit: Unit, finding: Finding) -> None:
    """Refuses findings that cite what is not there, or claim more than their rule may."""
    if absent := set(finding.cites) - unit.ids:
        raise ValueError(f"cites evidence that is not there: {', '.join(sorted(absent))}")
    if finding.code != rule.code or gravity(finding.kind) > gravity(rule.kind):
        raise ValueError(f"claims {finding.code} {finding.kind}, which is not this rule's to claim")


def _capped(found: list[Finding]) -> tuple[Finding, ...]:
    """Keeps the gravest findings of each file, and says how many more there were."""
    ordered = sorted(found, key=lambda finding: -gravity(finding.kind))
    totals, seen = Counter(map(_path, ordered)), Counter[str]()
    kept = []
    for finding in ordered:
        path = _path(finding)
        seen[path] += 1
        if seen[path] > PER_FILE:
            continue
        if seen[path] == PER_FILE and (more := totals[path] - PER_FILE):
            finding = _with(finding, f"{more} more of this kind in this file are not listed")
        kept.append(finding)
    if (more := len(kept) - PER_CHECK) > 0:
        kept = kept[:PER_CHECK]
        kept[-1] = _with(kept[-1], f"{more} more of this kind in other files are not listed")
    return tuple(kept)


def _with(finding: Finding, remark: str) -> Finding:
    return finding.model_copy(update={"message": f"{finding.message} ({remark})"})


def _path(finding: Finding) -> str:
    return next((site.path for site in finding.sites if site.path), "")


def described(error: Exception) -> str:
    """Returns an error and the place that raised it, in one line."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = ""
    if place is not None:
        where = f" at {Path(place.tb_frame.f_code.co_filename).name} line {place.tb_lineno}"
    return f"{type(error).__name__}: {str(error)[:300]}{where}"
