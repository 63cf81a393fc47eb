"""Reports for machines: each is valid, says the same, and obeys nothing that an attempt wrote."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
from pydantic import JsonValue

from auditor.models import Check, CheckOutcome, Evidence, Finding, How, Kind, Site, VerdictName
from reports import github, junit, markdown, sarif
from reports.material import Material, RuleText
from tests.auditor.test_reports import HOSTILE, verdict
from tests.auditor.test_settle import finding

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0.schema.json").read_text("utf-8"))
VALID = jsonschema.Draft4Validator(SCHEMA)
RULE = RuleText(
    "LLM105", "ReferenceFolderUsed", Kind.CHEATING, finding().misdeed, "high", "high",
    "The reference is read.",
    {"What it finds": "Reads.", "Why it matters": "It is the answer.",
     "Honest look-alikes": "A comparison.", "What it misses": "Much."},
)  # fmt: skip


def passage(path: str, line: int, text: str, number: int = 1) -> Evidence:
    rows: list[JsonValue] = [
        {"sign": "+", "line": line, "text": text},
        {"sign": "-", "line": None, "text": "gone"},
    ]
    return Evidence(
        id=f"e{number}", entry=0, stage="code", kind="passage", how=How.INFERRED,
        data={"path": path, "line": line, "rows": rows, "commit": None},
    )  # fmt: skip


def material(hostile: str = "solution/x.py", **changes: Any) -> Material:
    rules = {"LLM105": RULE}
    checks = [
        Check(code="LLM105", rule="ReferenceFolderUsed", entry=0, outcome=CheckOutcome.FOUND,
              seconds=0),
        Check(code="ANY001", rule="Looked", entry=0, outcome=CheckOutcome.NOTHING, seconds=0),
        Check(code="ANY002", rule="Broke", entry=0, outcome=CheckOutcome.CRASHED, reason=hostile,
              seconds=0),
        Check(code="ANY003", rule="Blind", entry=0, outcome=CheckOutcome.NO_EVIDENCE,
              reason=hostile, seconds=0),
    ]  # fmt: skip
    facts = (passage(hostile, 3, f"text {hostile}"),)
    return Material(verdict(hostile=hostile, **changes), facts, tuple(checks), rules)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_sarif_is_valid_whatever_an_attempt_wrote(hostile: str) -> None:
    text = sarif.render(material(hostile))
    assert text.isascii()
    assert "\n" not in text
    assert not re.search(r"##(vso)?\[", text)
    log = json.loads(text)
    VALID.validate(log)
    result = log["runs"][0]["results"][0]
    shown = json.dumps(result, ensure_ascii=False)
    assert not {c for c in shown if c in "\u202e\u2066\u2069\u200b\u2028\U000e0041\x1b"}
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[A-Za-z0-9_.~/%-]*", uri)


@pytest.mark.parametrize("name", [item.value for item in VerdictName])
def test_sarif_is_valid_for_every_verdict(name: str) -> None:
    error = "no attempt" if name == "error" else None
    log = json.loads(sarif.render(Material(verdict(name, error=error, findings=()))))
    VALID.validate(log)
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is (name != "error")
    assert log["runs"][0]["properties"]["verdict"] == name


def test_a_log_that_is_not_valid_is_refused() -> None:
    log = json.loads(sarif.render(material()))
    log["runs"][0]["results"][0]["level"] = "terrible"
    assert not VALID.is_valid(log)
    del log["runs"][0]["results"][0]["level"], log["runs"][0]["tool"]["driver"]["name"]
    assert not VALID.is_valid(log)


def test_sarif_explains_its_rules_and_shows_the_way_of_the_data() -> None:
    way = (
        Site(path="a b.py", line=3), Site(path="a b.py", line=3), Site(path="c.py", line=9),
        Site(hash="c0ffee"),
    )  # fmt: skip
    log = json.loads(sarif.render(material(findings=(finding(sites=way),))))
    run = log["runs"][0]
    rule = run["tool"]["driver"]["rules"][0]
    assert rule["id"] == "LLM105"
    for part in RULE.parts.values():
        assert part in rule["help"]["text"]
        assert part in rule["help"]["markdown"]
    flow = run["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"]
    files = [step["location"]["physicalLocation"]["artifactLocation"]["uri"] for step in flow]
    assert [unquote(file).rpartition("/")[2] for file in files] == ["a b.py", "c.py"]


def test_several_attempts_make_one_log_and_one_document() -> None:
    two = [material(), material("other.py")]
    log = json.loads(sarif.join([sarif.run(item) for item in two]))
    VALID.validate(log)
    names = {run["automationDetails"]["id"] for run in log["runs"]}
    assert len(names) == 2
    suites = ElementTree.fromstring(junit.join([junit.suite(item) for item in two]))
    assert [suite.tag for suite in suites] == ["testsuite", "testsuite"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_junit_is_xml_whatever_an_attempt_wrote(hostile: str) -> None:
    suite = ElementTree.fromstring(junit.render(material(hostile)))[0]
    assert {item.tag for item in suite.iter()} == {
        "testsuite", "testcase", "failure", "error", "skipped",
    }  # fmt: skip
    assert (suite.get("tests"), suite.get("failures")) == ("5", "2")
    assert (suite.get("errors"), suite.get("skipped")) == ("1", "1")


def test_junit_tells_what_was_not_looked_at_and_passes_what_is_clean() -> None:
    blind = ElementTree.fromstring(junit.render(Material(verdict("inconclusive", findings=()))))
    assert blind.find(".//skipped") is not None
    clean = ElementTree.fromstring(junit.render(Material(verdict("clean", findings=()))))
    assert {item.tag for item in clean.iter()} == {"testsuites", "testsuite", "testcase"}
    note = finding(kind=Kind.NOTE)
    noted = ElementTree.fromstring(junit.render(Material(verdict("clean", findings=(note,)))))
    assert noted.find(".//failure") is None


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_workflow_obeys_its_own_commands_alone(hostile: str) -> None:
    lines = github.render(material(hostile)).splitlines()
    assert len(lines) == 2
    for line in lines:
        command = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert command, line
        assert "::" not in command[3]
        names = [item.partition("=")[0] for item in command[2].split(",")]
        assert names in (["file", "line", "title"], ["title"])


def test_a_workflow_reads_signs_of_its_own_as_they_were() -> None:
    line = github.render(material("a,b:c%.py")).splitlines()[0]
    assert "file=attempts/a%2Cb%3Ac%25.py/workspace/a%2Cb%3Ac%25.py," in line


def test_a_workflow_shows_the_gravest_and_always_the_verdict() -> None:
    many = tuple(finding(message=f"m{n}", kind=kind) for n in range(50) for kind in Kind)
    lines = github.render(Material(verdict(findings=many))).splitlines()
    for level in ("error", "warning", "notice"):
        assert 5 <= sum(line.startswith(f"::{level} ") for line in lines) <= 10
    assert "CHEATING" in lines[-1]


def test_a_comment_is_short_and_says_a_deed_once() -> None:
    repeated = tuple(finding(fingerprint="f1", entries=(n,)) for n in range(300))
    report = markdown.render(verdict(findings=repeated))
    assert report.count("LLM105") == 1
    assert "entry 0–299" in report


@pytest.mark.parametrize("text", ["x" * 500, "://" * 200, "|&<>`" * 100])
def test_a_comment_fits_whatever_is_found(text: str) -> None:
    many = tuple(
        finding(message=f"{text}{n}", sites=(Site(path=text, line=n),) * 9) for n in range(900)
    )
    gaps = {"gaps": [f"{text}{n}" for n in range(900)]}
    report = markdown.render(verdict(findings=many, coverage=gaps))
    assert len(report) < 65_536
    assert len(report.splitlines()) < 120


@pytest.mark.parametrize(
    ("attempt", "profile", "path", "expected"),
    [
        ("attempts/a", "tiny", "solution/x.py", "attempts/a/workspace/solution/x.py"),
        ("repo", None, "src/x.py", "repo/src/x.py"),
        (".", None, "src/x.py", "src/x.py"),
        ("./repo/", None, "a b.py", "repo/a%20b.py"),
        ("folder/x.py", None, "x.py", "folder/x.py"),
        ("/home/a", "tiny", "solution/x.py", "solution/x.py"),
        ("../a", None, "x.py", "x.py"),
        ("a", None, "javascript:alert(1)//x.py", "a/javascript%3Aalert%281%29/x.py"),
    ],
)
def test_addresses_lead_to_the_file(
    attempt: str, profile: str | None, path: str, expected: str
) -> None:
    change: dict[str, Any] = {"attempt": attempt, "profile": profile}
    found: list[Finding] = [finding(sites=(Site(path=path, line=1),))]
    log = json.loads(sarif.render(Material(verdict(findings=tuple(found), **change))))
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == expected


@pytest.mark.parametrize("render", [sarif.render, junit.render, github.render])
def test_a_case_without_evidence_has_every_report(render: Callable[[Material], str]) -> None:
    assert "LLM105" in render(Material(verdict()))
