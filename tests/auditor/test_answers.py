"""An answer to a finding is signed, kept and shown, and changes no verdict."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor import answers
from auditor.models import Decision, Finding, Verdict, VerdictName
from harness.errors import HarnessError
from reports import html, json_lines, markdown, sarif, text
from reports.material import Material
from tests.auditor.test_reports import HOSTILE, verdict
from tests.auditor.test_settle import finding
from tests.harness.toy import Terminal

FOUND = (
    finding(fingerprint="abcd0001", entries=(0,)),
    finding(fingerprint="abcd0001", entries=(1,)),
    finding(fingerprint="ffff0002", code="ANY011", rule="ScoreNotReproduced"),
    finding(fingerprint="ffff0003", code="ANY011", rule="ScoreNotReproduced"),
)


@pytest.fixture
def folder(tmp_path: Path, harness_home: Path) -> Path:
    return judged(tmp_path / "attempt")


def judged(folder: Path, findings: tuple[Finding, ...] = FOUND) -> Path:
    """An attempt beside whose workspace a verdict lies."""
    (folder / "audit").mkdir(parents=True, exist_ok=True)
    told = verdict(findings=findings, coverage={})
    (folder / "audit" / "verdict.json").write_text(json_lines.render(told))
    return folder


def again(folder: Path, findings: tuple[Finding, ...] = FOUND) -> Verdict:
    return answers.shown(verdict(findings=findings, coverage={}), [folder / "audit"])


@pytest.mark.parametrize("name", ["abcd0001", "ABCD", "llm105", " abcd0001 "])
def test_an_answer_is_shown_by_the_next_audit(folder: Path, name: str) -> None:
    answers.add(folder, name, "It was the cache of the tokeniser.")
    (item,) = again(folder).answers
    assert (item.answer.finding, item.answer.code) == ("abcd0001", "LLM105")
    assert (item.trust, item.stands) == ("own", True)
    assert item.answer.because == "It was the cache of the tokeniser."


def test_nothing_of_the_verdict_depends_on_answers(folder: Path) -> None:
    answers.add(folder, "abcd", "No.", decision=Decision.WITHDRAWN)
    told, plain = again(folder), verdict(findings=FOUND, coverage={})
    assert told.model_copy(update={"answers": (), "coverage": {}}) == plain.model_copy(
        update={"coverage": {}}
    )
    assert told.verdict is VerdictName.CHEATING


def test_answers_and_decisions_are_told_apart_in_every_report(folder: Path) -> None:
    answers.add(folder, "abcd", "It was the cache.")
    answers.add(folder, "abcd", "I looked: it was.", decision=Decision.WITHDRAWN)
    told = again(folder)
    reports = (
        text.render(told), markdown.render(told), html.render(Material(told)),
        sarif.render(Material(told)), json_lines.render(told),
    )  # fmt: skip
    for report in reports:
        shown = " ".join(report.replace("\\", "").split())
        assert "It was the cache." in shown
        assert "withdrawn" in shown
        assert "CHEATING" in shown or '"cheating"' in shown


def test_what_is_no_longer_found_is_still_shown(folder: Path) -> None:
    answers.add(folder, "abcd", "It was the cache.")
    (item,) = again(folder, FOUND[2:]).answers
    assert item.stands is False
    assert "no longer finds it" in html.render(Material(again(folder, FOUND[2:])))


def test_a_file_is_kept_with_an_answer(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("how it was")
    answers.add(folder, "abcd", "See the notes.", attach=tmp_path / "notes.txt")
    kept = again(folder).answers[0].answer.attachment
    assert kept is not None
    assert (folder / "audit" / "answers" / kept.sha256).read_text() == "how it was"
    assert "notes.txt" in markdown.render(again(folder)).replace("\\", "")


Spoil = Callable[[dict[str, object]], object]


@pytest.mark.parametrize(
    ("spoil", "trust"),
    [
        (lambda line: line.update(because="I admit it."), "forged"),
        (lambda line: line.update(decision="withdrawn"), "forged"),
        (lambda line: line.update(finding="ffff0002"), "forged"),
        (lambda line: line.update(public_key="0" * 64), "forged"),
        (lambda line: line.update(signature="not hexadecimal"), "forged"),
    ],
)
def test_a_changed_answer_is_told(folder: Path, spoil: Spoil, trust: str) -> None:
    answers.add(folder, "abcd", "It was the cache.")
    path = folder / "audit" / "answers.jsonl"
    line = json.loads(path.read_text())
    spoil(line)
    path.write_text(json.dumps(line) + "\n")
    assert [item.trust for item in again(folder).answers] == [trust]


def test_a_signer_is_believed_who_is_known(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.add(folder, "abcd", "It was the cache.")
    public = again(folder).answers[0].answer.public_key
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "elsewhere"))
    assert [item.trust for item in again(folder).answers] == ["unknown"]
    (tmp_path / "elsewhere" / "known_keys").write_text(public)
    assert [item.trust for item in again(folder).answers] == ["known"]


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(folder: Path) -> None:
    answers.add(folder, "abcd", "It was the cache.")
    with (folder / "audit" / "answers.jsonl").open("ab") as file:
        file.write(b'{"half": \n\xff\xfe\n[1]\n' + b"\n" * 1_000)
    told = again(folder)
    assert len(told.answers) == 1
    assert any("answers.jsonl" in str(gap) for gap in told.coverage["gaps"])  # type: ignore[union-attr]


def test_a_link_is_neither_read_nor_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine\n")
    (folder / "audit" / "answers.jsonl").symlink_to(tmp_path / "elsewhere")
    assert again(folder).answers == ()
    with pytest.raises(HarnessError, match="link"):
        answers.add(folder, "abcd", "No.")
    assert (tmp_path / "elsewhere").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("name", "because", "says"),
    [
        ("abcd9", "No.", "no finding"),
        ("abc", "No.", "no finding"),
        ("ANY011", "No.", "several"),
        ("ffff", "No.", "several"),
        ("abcd", "  ", "0 characters"),
        ("abcd", "x" * 10_001, "10001 characters"),
    ],
)
def test_a_bad_answer_is_refused(folder: Path, name: str, because: str, says: str) -> None:
    with pytest.raises(HarnessError, match=says):
        answers.add(folder, name, because)
    assert not (folder / "audit" / "answers.jsonl").exists()


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"verdict": 1}', "[" * 100_000])
def test_a_folder_without_a_verdict_is_refused(
    tmp_path: Path, harness_home: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(HarnessError):
        answers.add(tmp_path, "abcd", "No.")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_answers_are_shown_and_never_obeyed(folder: Path, hostile: str) -> None:
    answers.add(folder, "abcd", hostile.encode("utf-8", "replace").decode()[:9_000])
    told = again(folder)
    for report in (text.render(told), markdown.render(told)):
        assert not {c for c in report if c in "\u202e\u2066\u200b\x1b\x9b\x00"}
    assert "<script" not in markdown.render(told)
    page = html.render(Material(told))
    assert "<script" not in page and "<img" not in page


def test_the_command_keeps_what_it_was_told(run: Terminal, folder: Path) -> None:
    said = run("auditor", "contest", folder, "abcd", "--because", "It was the cache.")
    assert (said.code, "LLM105 abcd0001" in said.out) == (0, True)
    assert run("auditor", "contest", folder, "zzzz", "--because", "No.").code == 2
    decided = run("auditor", "contest", folder, "abcd", "--because", "Yes.", "--decide", "upheld")
    assert "upheld" in decided.out
    assert [item.answer.decision for item in again(folder).answers] == [None, Decision.UPHELD]
