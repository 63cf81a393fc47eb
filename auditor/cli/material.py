"""Puts together what reports are made of: an audit, and its rules in their authors' words."""

import inspect

from auditor.audit import Audit
from auditor.catalogue import sections
from auditor.rule import Rule
from reports.material import Material, RuleText


def material_of(audit: Audit) -> Material:
    """Returns what the reports on an audit are made of."""
    spoke = {finding.code for finding in audit.verdict.findings}
    texts = {rule.code: described(rule) for rule in audit.rules if rule.code in spoke}
    return Material(audit.verdict, audit.evidence, audit.checks, texts)


def described(rule: Rule) -> RuleText:
    """Returns a rule as its author describes it."""
    return RuleText(
        code=rule.code,
        name=rule.name,
        kind=rule.kind,
        misdeed=rule.misdeed,
        severity=rule.severity.value,
        confidence=rule.confidence.value,
        summary=inspect.cleandoc(type(rule).__doc__ or "").split("\n\n")[0].replace("\n", " "),
        parts=sections(rule),
    )
