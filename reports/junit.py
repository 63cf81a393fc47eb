"""The report for test views: JUnit XML, one suite per attempt and one case per rule."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from auditor.models import CheckOutcome, Finding, Kind, Verdict, VerdictName
from reports.material import Material
from reports.plain import plain
from reports.words import gaps, headline, known, ordered, places

SHOWN = 20
"""Findings told per rule; the rest is counted."""


def render(material: Material) -> str:
    """Returns a document with one suite."""
    return join([suite(material)])


def join(suites: Iterable[str]) -> str:
    """Returns a document of suites."""
    inside = "".join(suites)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="auditor">{inside}</testsuites>'
    )


def suite(material: Material) -> str:
    """Returns one attempt's suite, to be joined."""
    verdict = material.verdict
    top = Element("testsuite", name=plain(verdict.attempt))
    _verdict(top, verdict)
    found: dict[str, list[Finding]] = {}
    for finding in ordered(verdict):
        found.setdefault(finding.code, []).append(finding)
    checked: dict[str, list[CheckOutcome]] = {}
    names: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for check in material.checks:
        checked.setdefault(check.code, []).append(check.outcome)
        names[check.code] = check.rule
        reasons[check.code] = check.reason or reasons.get(check.code, "")
    for code, findings in found.items():
        names.setdefault(code, findings[0].rule)
    for code in sorted(names):
        item = _case(top, verdict, f"{plain(code)} {plain(names[code])}")
        _rule(item, found.get(code, []), checked.get(code, []), reasons.get(code, ""))
    for tag, attribute in (("testcase", "tests"), ("failure", "failures"), ("error", "errors"),
                           ("skipped", "skipped")):  # fmt: skip
        top.set(attribute, str(sum(1 for _ in top.iter(tag))))
    text: str = tostring(top, encoding="unicode")
    return text


def _verdict(top: Element, verdict: Verdict) -> None:
    item, told = _case(top, verdict, "verdict"), plain(headline(verdict))
    if verdict.verdict is VerdictName.ERROR:
        SubElement(item, "error", message=told)
    elif verdict.verdict is VerdictName.INCONCLUSIVE:
        SubElement(item, "skipped", message=told).text = _listed(gaps(verdict))
    elif verdict.verdict is not VerdictName.CLEAN:
        SubElement(item, "failure", message=told, type=verdict.verdict)


def _rule(
    item: Element, findings: list[Finding], outcomes: list[CheckOutcome], reason: str
) -> None:
    against = [finding for finding in findings if finding.kind is not Kind.NOTE]
    if against:
        worst = against[0]
        failure = SubElement(item, "failure", message=plain(worst.message), type=worst.kind.value)
        failure.text = _listed(map(_told, against))
    elif CheckOutcome.CRASHED in outcomes:
        SubElement(item, "error", message=plain(reason))
    elif findings:
        SubElement(item, "system-out").text = _listed(map(_told, findings))
    elif outcomes and set(outcomes) <= {CheckOutcome.NO_EVIDENCE, CheckOutcome.NOT_APPLICABLE}:
        SubElement(item, "skipped", message=plain(reason or "it does not apply here"))


def _told(finding: Finding) -> str:
    at = "".join(f"; at {place}" for place in places(finding)[:5])
    return f"{finding.kind.upper()}: {finding.message} ({known(finding)}){at}"


def _listed(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = [f"and {len(listed) - SHOWN} more"] if len(listed) > SHOWN else []
    return "\n".join([*map(plain, listed[:SHOWN]), *more])


def _case(top: Element, verdict: Verdict, name: str) -> Element:
    place = plain(verdict.environment or "auditor")
    return SubElement(top, "testcase", classname=f"auditor.{place}", name=name)
