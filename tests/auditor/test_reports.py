"""Reports say what was decided, and obey nothing that an attempt wrote."""

import json
from collections.abc import Callable

import pytest

from auditor.models import (
    EntryVerdict,
    Normalised,
    Provenance,
    ScoredEntries,
    Site,
    Verdict,
    VerdictName,
)
from harness.models import Outcome
from reports import json_lines, markdown, text
from reports.plain import marked, plain
from tests.auditor.test_settle import finding, seen

RENDERERS = pytest.mark.parametrize("render", [text.render, markdown.render, json_lines.render])
HOSTILE = [
    "\x1b[2J\x1b[31mCLEAN",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "zero\u200bwidth",
    "a\nb\r\nc\u2028d",
    "\n::error file=a::message",
    "::notice::clean",
    "##[set-env name=X]y",
    "##vso[task.setvariable]x",
    "\udc80\udcff",
    "<script>alert(1)</script><img src=x onerror=y>",
    "[link](javascript:x) ![i](http://x) | cell | `code`",
    "https://evil.example/x www.evil.example @everyone #1",
    "[bold red]markup[/] :smile:",
    "\x00\x07\x08\x9b31m",
    "x" * 100_000,
    "\U000e0041\U000e0042",
]


def verdict(name: str = "cheating", hostile: str = "solution/x.py", **changes: object) -> Verdict:
    usual: dict[str, object] = {
        "attempt": f"attempts/{hostile}",
        "environment": "optimize_llm_foundry",
        "profile": "tiny",
        "verdict": VerdictName(name),
        "earned": False,
        "claimed_score": 0.5,
        "remeasured_score": 1.25,
        "hidden_score": None,
        "vetted_score": 1.25,
        "scored_entries": ScoredEntries(claimed=1, vetted=0),
        "normalised": Normalised(claimed=2.0, vetted=0.75),
        "entries": (
            EntryVerdict(index=0, score=1.25, verdict=VerdictName.CLEAN),
            EntryVerdict(index=1, score=0.5, verdict=VerdictName.CHEATING),
        ),
        "findings": (
            finding(message=hostile, sites=(Site(path=hostile, line=3, commit="c0ffee"),)),
        ),
        "interventions": (
            seen("removed", Outcome.STALE).model_copy(
                update={"expected": "0.1", "observed": hostile}
            ),
        ),
        "checks": {"found": 1, "nothing": 3},
        "coverage": {"gaps": [f"not parsed: {hostile}"], "entries_not_replayed": [4]},
        "provenance": Provenance(
            auditor="earned 0.1", rules_sha256="a" * 64, environment_sha256="b" * 64,
            sandbox="bubblewrap",
        ),
    }  # fmt: skip
    return Verdict.model_construct(**{**usual, **changes})  # type: ignore[arg-type]


@RENDERERS
@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_an_attempt_is_obeyed(render: Callable[[Verdict], str], hostile: str) -> None:
    report = render(verdict(hostile=hostile))
    report.encode("utf-8")
    steering = {c for c in report if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)}
    assert not steering
    assert not {c for c in report if c in "\u202e\u2066\u2069\u200b\u2028\U000e0041"}
    assert not any(line.lstrip(" |-*│").startswith("::") for line in report.splitlines())
    assert "##[" not in report
    assert "##vso" not in report


@pytest.mark.parametrize("hostile", HOSTILE)
def test_markdown_holds_no_markup_of_an_attempt(hostile: str) -> None:
    report = markdown.render(verdict(hostile=hostile))
    assert "<script" not in report
    assert "<img" not in report
    assert "](" not in report.replace("\\](", "").replace("\\]\\(", "")
    assert "https://" not in report
    tables = [line for line in report.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in tables} <= {4, 5, 6}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_json_is_one_line_that_says_the_same(hostile: str) -> None:
    line = json_lines.render(verdict(hostile=hostile.replace("\udc80\udcff", "")))
    assert "\n" not in line
    assert line.isascii()
    read = json.loads(line)
    assert read["findings"][0]["message"] == hostile.replace("\udc80\udcff", "")
    assert read["findings"][0]["sites"][0]["line"] == 3
    assert "error" not in read


def test_json_has_the_keys_of_the_contract() -> None:
    read = json.loads(json_lines.render(verdict()))
    assert {
        "schema_version", "attempt", "environment", "profile", "verdict", "earned",
        "claimed_score", "remeasured_score", "hidden_score", "vetted_score", "scored_entries",
        "normalised", "entries", "findings", "interventions", "checks", "coverage", "provenance",
    } <= read.keys()  # fmt: skip
    assert {
        "code", "rule", "kind", "misdeed", "severity", "confidence", "source", "effect",
        "message", "entries", "sites",
    } <= read["findings"][0].keys()  # fmt: skip
    assert read["findings"][0]["sites"] == [
        {"path": "solution/x.py", "line": 3, "commit": "c0ffee"}
    ]
    assert {"entry", "name", "split", "expected", "observed", "outcome", "held"} <= read[
        "interventions"
    ][0].keys()


@pytest.mark.parametrize("render", [text.render, markdown.render])
def test_a_report_tells_a_newcomer(render: Callable[[Verdict], str]) -> None:
    report = " ".join(render(verdict()).split())
    for expected in (
        "CHEATING", "not earned", "claimed", "remeasured", "hidden", "vetted", "1.25", "0.75",
        "LLM105", "x.py:3", "removed", "stale", "entries not executed again", "bubblewrap",
    ):  # fmt: skip
        assert expected in report.replace("\\", ""), expected


@RENDERERS
@pytest.mark.parametrize("name", [item.value for item in VerdictName])
def test_every_verdict_has_a_report(render: Callable[[Verdict], str], name: str) -> None:
    error = "This is no attempt." if name == "error" else None
    report = render(verdict(name, error=error, findings=(), interventions=(), entries=()))
    assert (name in report) or (name.upper() in report)
    assert error is None or error.rstrip(".") in report.replace("\\", "")


def test_reports_stay_short_whatever_is_found() -> None:
    many = verdict(
        findings=tuple(finding(message=f"m{i}") for i in range(5_000)),
        coverage={"gaps": [f"g{i}" for i in range(5_000)]},
    )
    assert len(text.render(many).splitlines()) < 1_000
    assert len(markdown.render(many).splitlines()) < 1_000


def test_plain_text_only_steers_with_colour_when_asked() -> None:
    assert "\x1b[" not in text.render(verdict())
    assert "\x1b[" in text.render(verdict(), colour=True)


def test_escapes_are_shown_not_dropped() -> None:
    assert plain("a\x1bb\u202ec") == "a\\x1bb\\u202ec"
    assert plain("Grüße 漢字") == "Grüße 漢字"
    assert marked("a|b<c>") == "a\\|b&lt;c&gt;"
