"""`auditor audit` prints each format whole, whatever the number of paths."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.harness.toy import Terminal
from tests.reports.test_forms import VALID
from tests.reports.test_html import Page

COMMON = ("--environment", "common")


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A folder in which nothing is wrong, and one with a replaced clock."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder, text in ((good, "x = 1\n"), (bad, "import time\ntime.time = lambda: 0\n")):
        folder.mkdir()
        (folder / "solve.py").write_text(text)
    return good, bad


def test_code_scanning_gets_one_log(run: Terminal, trees: tuple[Path, Path]) -> None:
    said = run("auditor", "audit", *trees, "gone", *COMMON, "--format", "sarif")
    log = json.loads(said.out)
    VALID.validate(log)
    found = [[item["ruleId"] for item in one["results"]] for one in log["runs"]]
    assert (found[0], "ANY007" in found[1], found[2]) == ([], True, [])
    done = [one["invocations"][0]["executionSuccessful"] for one in log["runs"]]
    assert done == [True, True, False]
    assert said.code == 2


def test_a_test_view_gets_one_document(run: Terminal, trees: tuple[Path, Path]) -> None:
    said = run("auditor", "audit", *trees, *COMMON, "--format", "junit")
    good, bad = ElementTree.fromstring(said.out)
    assert (good.get("failures"), good.get("errors")) == ("0", "0")
    assert int(bad.get("failures", 0)) >= 2
    assert said.code == 1


def test_a_workflow_gets_its_commands(run: Terminal, trees: tuple[Path, Path]) -> None:
    said = run("auditor", "audit", trees[1], *COMMON, "--format", "github")
    assert any("line=2" in line and "ANY007" in line for line in said.out.splitlines())


def test_a_page_is_printed_alone(run: Terminal, trees: tuple[Path, Path]) -> None:
    said = run("auditor", "audit", trees[1], *COMMON, "--format", "html")
    assert "ANY007" in Page(said.out).text
    refused = run("auditor", "audit", *trees, *COMMON, "--format", "html")
    assert (refused.code, refused.out) == (2, "")
    assert "--output" in refused.err


def test_every_form_is_kept(run: Terminal, trees: tuple[Path, Path], tmp_path: Path) -> None:
    said = run("auditor", "audit", *trees, *COMMON, "--output", tmp_path / "out")
    assert said.code == 1
    for name in ("good", "bad"):
        folder = tmp_path / "out" / name
        assert {path.name for path in folder.iterdir()} >= {
            "report.html", "report.md", "report.txt", "report.sarif", "report.junit.xml",
            "verdict.json", "evidence.jsonl", "checks.jsonl",
        }  # fmt: skip
        Page((folder / "report.html").read_text("utf-8"))
        VALID.validate(json.loads((folder / "report.sarif").read_text("utf-8")))


def test_an_answer_is_in_the_reports_of_the_next_audit(
    run: Terminal, trees: tuple[Path, Path], tmp_path: Path
) -> None:
    audit = ("auditor", "audit", trees[1], *COMMON, "--output", tmp_path / "out")
    folder = tmp_path / "out" / "bad"
    before = run(*audit)
    finding = json.loads((folder / "verdict.json").read_text())["findings"][0]
    because = ("--because", "A fixture of\nour tests.")
    assert run("auditor", "contest", folder, finding["fingerprint"], *because).code == 0
    after = run(*audit)
    assert (after.code, "A fixture of" in before.out) == (before.code, False)
    assert "A fixture of" in after.out
    told = json.loads((folder / "verdict.json").read_text())
    assert told["verdict"] == "suspect"
    assert [item["trust"] for item in told["answers"]] == ["own"]
    assert "A fixture of our tests." in Page((folder / "report.html").read_text()).text
