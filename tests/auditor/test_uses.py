"""Who read and who wrote what in a watched run, as a graph and as a picture."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from pydantic import JsonValue

from auditor import engine, registry
from auditor.cli.rule_commands import RULES
from auditor.evidence.book import Book
from auditor.models import CheckOutcome
from auditor.trail import uses
from auditor.trail.uses import Trail, trail
from auditor.unit import Unit
from harness.models import WorkspaceFacts
from harness.sandbox.records import Event, Interpreter
from harness.sandbox.sampling import Held, Mapped, Process, Sampled
from harness.sandbox.witness import Report
from reports import trail as picture

HOME = "/home/agent"
REFERENCE = "solution/trained_model_reference/model.safetensors"
OUTPUT = "solution/trained_model/model.safetensors"
WORKSPACE = WorkspaceFacts(
    editable=("solution/**",),
    protected=("score.py", "solution/train_data.jsonl"),
    outputs=(OUTPUT,),
    answers=("solution/trained_model_reference/**",),
    entrypoints=("solution/finetune.sh",),
)
SILENT = Interpreter(
    pid=7, argv="python finetune.py", main="", forks=(), ended=True, sent=0, arrived=0, lost=0,
    left_out=0, silenced=(), objects=(), rewritten=(), events=(), operators=(), broken=(),
)  # fmt: skip


def event(name: str, detail: str) -> Event:
    return Event(name, detail, "solution/finetune.py:3", "main")


def report(*events: Event, outside: Sampled | None = None) -> Report:
    told = (replace(SILENT, events=events),)
    return Report(("bash", "finetune.sh"), outside or Sampled(), told)


def graph(*reports: Report) -> Trail:
    known = frozenset({"solution/finetune.py", "solution/train_data.jsonl"})
    return trail(reports, WORKSPACE, HOME, known, lambda one: one.pid == 1)


def done(found: Trail) -> list[tuple[str, str, str]]:
    return [(use.process, use.path, use.how) for use in found.uses]


def test_what_a_python_tells_has_a_process_a_file_and_an_order() -> None:
    found = graph(
        report(
            event("open", f"{HOME}/{REFERENCE}"),
            event("open", "trained_model/model.safetensors (written)"),
            event("open", "train_data.jsonl"),
            event("shutil.copyfile", "a.txt b.txt"),
            event("exec", f"{HOME}/solution/finetune.py"),
            event("open", "/proc/self/maps"),
            event("import", "numpy"),
        )
    )
    assert done(found) == [
        ("0.7", REFERENCE, "read"), ("0.7", OUTPUT, "written"),
        ("0.7", "solution/train_data.jsonl", "read"),
        ("0.7", "solution/finetune.py", "executed"),
        ("0.7", "solution/a.txt", "read"), ("0.7", "solution/b.txt", "written"),
    ]  # fmt: skip
    assert found.files[REFERENCE] == "answer" and found.files[OUTPUT] == "output"
    assert [use.order for use in found.uses[:2]] == [1, 2]
    assert all(use.inside for use in found.uses)


def test_what_is_seen_from_outside_needs_nobodys_word() -> None:
    outside = Sampled(
        processes=(Process(9, "/usr/bin/cp", "cp a b", 1, 3),),
        held=(Held(f"{HOME}/{REFERENCE}", 9, False), Held(f"{HOME}/{OUTPUT}", 9, True)),
        mapped=(Mapped("/tmp/own.so (deleted)", "", 9),),
    )
    found = graph(report(outside=outside))
    assert ("0.9", REFERENCE, "read") in done(found)
    assert ("0.9", OUTPUT, "written") in done(found)
    assert ("0.9", "/tmp/own.so", "executed") in done(found)
    assert not any(use.inside for use in found.uses)
    assert [process.program for process in found.processes] == ["cp a b"]


def test_runs_are_kept_apart_and_idle_processes_left_out() -> None:
    idle = Sampled(processes=(Process(5, "sleep", "sleep 1", 1, 9),))
    read = report(event("open", REFERENCE), outside=idle)
    found = graph(read, report(event("open", f"{REFERENCE} (written)")))
    assert {process.id for process in found.processes} == {"0.7", "1.7"}


def test_a_flood_of_files_hides_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "FILES", 5)
    many = [event("open", f"f{number}.txt (written)") for number in range(50)]
    found = graph(report(*many, event("open", REFERENCE)))
    assert len(found.files) == 5 and REFERENCE in found.files


def fact(found: Trail) -> dict[str, JsonValue]:
    return {
        "processes": [dict(item._asdict()) for item in found.processes],
        "files": dict(found.files),
        "uses": [dict(item._asdict()) for item in found.uses],
        "inside": True,
    }


def book_of(found: Trail) -> Book:
    book = Book()
    book.add("file_trail", fact(found), stage="runtime", entry=0)
    return book


@pytest.mark.parametrize(
    ("details", "outcome"),
    [
        ((REFERENCE, f"{OUTPUT} (written)"), CheckOutcome.FOUND),
        ((f"{OUTPUT} (written)", REFERENCE), CheckOutcome.NOTHING),
        ((f"{OUTPUT} (written)",), CheckOutcome.NOTHING),
    ],
)
def test_the_rule_reads_the_graph(details: tuple[str, ...], outcome: CheckOutcome) -> None:
    book = book_of(graph(report(*(event("open", detail) for detail in details))))
    rule = registry.load_all(RULES).rule("ANY044")
    assert engine.check_one(rule, Unit(0, book.all())).outcome is outcome


def test_the_picture_shows_processes_between_what_they_read_and_wrote() -> None:
    found = graph(report(event("open", REFERENCE), event("open", f"{OUTPUT} (written)")))
    drawn = picture.render(book_of(found).all())
    root = ElementTree.fromstring(drawn)
    texts = [item.text for item in root.iter("{http://www.w3.org/2000/svg}title")]
    assert root.get("aria-label") == "Files of entry 0"
    assert texts == [REFERENCE, "python finetune.py (0.7)", OUTPUT]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 2
    assert "stroke-dasharray" in drawn
    assert picture.render(()) == ""


def test_the_picture_says_which_outputs_were_there_before() -> None:
    found = graph(report(event("open", f"{OUTPUT} (written)")))
    same: JsonValue = [{"path": OUTPUT, "as": f"<{REFERENCE}>"}]
    book = Book()
    book.add("file_trail", {**fact(found), "same": same}, stage="runtime", entry=0)
    drawn = picture.render(book.all())
    assert f"{OUTPUT} has the content of &lt;{REFERENCE}&gt;" in drawn


def test_hostile_names_stay_text_and_the_picture_small() -> None:
    odd = '"><script>alert(1)</script>\x1b[2J\x00'
    many = [event("open", f"{number}{odd} (written)") for number in range(150)]
    drawn = picture.render(book_of(graph(report(*many))).all())
    ElementTree.fromstring(drawn)
    assert "<script" not in drawn and "\x1b" not in drawn and "\x00" not in drawn
    assert "and 126 more" in drawn
    assert len(drawn) < 100_000
