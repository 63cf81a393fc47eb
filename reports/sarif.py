"""The report for code scanning: SARIF 2.1.0 (OASIS), one run per attempt."""

import json
from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from auditor.models import Finding, Kind, Site, Verdict, VerdictName
from reports.material import Material, RuleText, as_text, identity
from reports.places import address
from reports.plain import plain
from reports.words import gaps, headline, known, measured, said

Object = dict[str, JsonValue]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {
    Kind.CHEATING: "error",
    Kind.VIOLATION: "error",
    Kind.SUSPICION: "warning",
    Kind.NOTE: "note",
}
LONGEST = 2_000
ROOT = "%SRCROOT%"
FINGERPRINT = "auditor/v1"


def render(material: Material) -> str:
    """Returns a log with one run."""
    return join([run(material)])


def run(material: Material) -> str:
    """Returns one attempt's run as JSON, to be joined."""
    return _ascii(_run(material))


def join(runs: Iterable[str]) -> str:
    """Returns a log of runs."""
    head = _ascii({"$schema": SCHEMA, "version": "2.1.0"})
    return f'{head[:-1]},"runs":[{",".join(runs)}]}}'


def _ascii(value: JsonValue) -> str:
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    # Some CI services obey this wherever it stands in a line; `#` only occurs inside strings.
    return text.replace("##", "#\\u0023")


def _run(material: Material) -> Object:
    verdict = material.verdict
    rules = sorted({item.code for item in verdict.findings})
    return {
        "tool": {
            "driver": {
                "name": "auditor",
                "fullName": plain(verdict.provenance.auditor),
                "rules": [_rule(code, material) for code in rules],
            }
        },
        # Runs of one tool are told apart by this where they are uploaded together.
        "automationDetails": {"id": f"auditor/{plain(verdict.attempt)}/"},
        "invocations": [
            {
                "executionSuccessful": verdict.verdict is not VerdictName.ERROR,
                "toolExecutionNotifications": [_notice(*item) for item in _told(verdict)],
            }
        ],
        "originalUriBaseIds": {
            ROOT: {"description": {"text": "The folder in which the audit was started."}}
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, rules.index(item.code), material) for item in verdict.findings],
        "properties": {
            "verdict": verdict.verdict,
            "earned": verdict.earned,
            "claimedScore": verdict.claimed_score,
            "vettedScore": verdict.vetted_score,
            "rulesSha256": verdict.provenance.rules_sha256,
            "selftest": measured(verdict),
        },
    }


def _told(verdict: Verdict) -> Iterator[tuple[str, str]]:
    level = "error" if verdict.verdict is VerdictName.ERROR else "note"
    yield level, headline(verdict)
    if verdict.verdict is not VerdictName.ERROR:
        yield from (("warning", f"not looked at: {gap}") for gap in gaps(verdict))


def _notice(level: str, text: str) -> Object:
    return {"level": level, "message": {"text": plain(text, LONGEST)}}


def _rule(code: str, material: Material) -> Object:
    text = material.rules.get(code)
    named: Object = {"id": plain(code)}
    if text is None:
        return named
    return {
        **named,
        "name": text.name,
        "shortDescription": {"text": text.summary},
        "fullDescription": {"text": next(iter(text.parts.values()), text.summary)},
        "help": {"text": as_text(text), "markdown": _markdown(text)},
        "defaultConfiguration": {"level": LEVELS[text.kind]},
        "properties": {
            "precision": text.confidence,
            "severity": text.severity,
            "tags": [text.misdeed.value],
        },
    }


def _markdown(rule: RuleText) -> str:
    parts = (f"## {name}\n\n{body}" for name, body in rule.parts.items())
    return "\n\n".join([f"**{rule.code} {rule.name}**: {rule.summary}", *parts])


def _result(finding: Finding, rule: int, material: Material) -> Object:
    located = list(dict.fromkeys(site for site in finding.sites if site.path is not None))
    answers = [
        item for item in material.verdict.answers if item.answer.finding == finding.fingerprint
    ]
    result: Object = {
        "ruleId": plain(finding.code),
        "ruleIndex": rule,
        "level": LEVELS[finding.kind],
        "message": {"text": plain(f"{finding.message} ({known(finding)})", LONGEST)},
        "partialFingerprints": {FINGERPRINT: identity(finding)},
        "properties": {
            "kind": finding.kind, "misdeed": finding.misdeed, "effect": finding.effect,
            "how": finding.how, "source": finding.source, "entries": list(finding.entries),
            "evidence": list(finding.cites),
            "answers": [
                plain(f"{said(item)}: {item.answer.because}", LONGEST)
                for item in answers
            ],
        },
    }  # fmt: skip
    if located:
        result["locations"] = [_location(located[0], material)]
    if len(located) > 1:
        steps: list[JsonValue] = [{"location": _location(site, material)} for site in located]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _location(site: Site, material: Material) -> Object:
    assert site.path is not None, "only sites with a path are given"
    place: Object = {
        "artifactLocation": {"uri": address(material.verdict, site.path), "uriBaseId": ROOT}
    }
    if site.line is not None and site.line > 0:
        region: Object = {"startLine": site.line}
        if text := material.text(site.path, site.line):
            region["snippet"] = {"text": plain(text.strip())}
        place["region"] = region
    return {"physicalLocation": place}
