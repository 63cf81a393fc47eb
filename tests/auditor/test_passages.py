"""A finding is known again when other lines move, and its lines can be read without the attempt."""

import json
from pathlib import Path

import pytest

from auditor.cli.material import material_of
from auditor.cli.rule_commands import RULES
from auditor.code.source import ChangedSource
from auditor.evidence.book import Book
from auditor.models import Finding, Site
from auditor.passages import MOST, Passages
from auditor.plain import PlainAuditor
from reports import sarif
from tests.auditor.test_settle import finding

START = "import os\n\n\ndef work():\n    return 1\n"
NOW = "import os\n\n\ndef work():\n    return cached\n"


def source(text: str, start: str | None = START, path: str = "s.py") -> ChangedSource:
    return ChangedSource(path, text, start, reachable=True, language="python")


def at(line: int, **changes: object) -> Finding:
    return finding(sites=(Site(path="s.py", line=line),), **changes)


def fingerprint(text: str, line: int, **changes: object) -> str:
    return Passages({0: [source(text)]}).named([at(line, **changes)])[0].fingerprint


def test_a_fingerprint_stays_when_unrelated_lines_move() -> None:
    moved = f"# a\n# b\n{NOW}# c\n".replace("    return", "        return")
    assert fingerprint(NOW, 5) == fingerprint(moved, 7) != ""


@pytest.mark.parametrize(
    ("text", "line", "changes"),
    [
        (NOW.replace("cached", "other"), 5, {}),
        (NOW, 4, {}),
        (NOW, 5, {"code": "LLM106"}),
        (f"{NOW}    return cached\n", 6, {}),
    ],
)
def test_another_deed_has_another_fingerprint(
    text: str, line: int, changes: dict[str, object]
) -> None:
    assert fingerprint(text, line, **changes) != fingerprint(NOW, 5)


def test_a_deed_is_the_same_in_every_entry() -> None:
    places = Passages({0: [source(NOW)], 3: [source(f"\n{NOW}")]})
    first, later = places.named([at(5), at(6, entries=(3,))])
    assert first.fingerprint == later.fingerprint


def test_figures_of_a_measurement_do_not_name_a_deed() -> None:
    names = {
        Passages({}).named([finding(message=f"it took {seconds} s")])[0].fingerprint
        for seconds in ("0.31", "-4", "2e-05")
    }
    assert len(names) == 1
    assert names != {Passages({}).named([finding(message="it was late")])[0].fingerprint}


def test_the_lines_around_a_place_are_kept_with_what_was_there_before() -> None:
    book = Book()
    Passages({0: [source(NOW)]}).note(book, [at(5), at(5, entries=(0,))])
    (fact,) = book.all()
    assert (fact.kind, fact.entry) == ("passage", 0)
    shown = [(row["sign"], row["line"], row["text"]) for row in _rows(fact.data["rows"])]
    assert ("-", None, "    return 1") in shown
    assert ("+", 5, "    return cached") in shown
    assert (" ", 4, "def work():") in shown


def test_code_scanning_knows_a_finding_again(tmp_path: Path) -> None:
    """End to end: two clocks are replaced, then everything but those lines moves."""
    solve = tmp_path / "solve"
    solve.mkdir()
    clocks = "import time\n\ntime.time = lambda: 0\ntime.perf_counter = lambda: 0\n"
    found = []
    for text in (clocks, f'"""About it."""\n\nimport os\n{clocks}\n\ndef more():\n    return os\n'):
        (solve / "solve.py").write_text(text)
        material = material_of(PlainAuditor(RULES).audit(solve))
        results = json.loads(sarif.render(material))["runs"][0]["results"]
        found.append(
            {
                (item["ruleId"], item["partialFingerprints"]["auditor/v1"]): item["locations"][0][
                    "physicalLocation"
                ]["region"]["startLine"]
                for item in results
            }
        )
    assert found[0].keys() == found[1].keys()
    assert len(found[0]) >= 2
    assert all(found[1][key] > line for key, line in found[0].items())


def test_what_cannot_be_shown_is_left_out() -> None:
    book = Book()
    nowhere = [at(99), finding(sites=(Site(path="gone.py", line=1),)), finding(), at(-1)]
    Passages({0: [source(NOW)]}).note(book, nowhere)
    assert book.all() == ()


def test_passages_are_bounded() -> None:
    text = "\n".join(f"x{number} = '{'y' * 5_000}'" for number in range(2 * MOST))
    book = Book()
    found = [at(line) for line in range(1, 2 * MOST)]
    Passages({0: [source(text, None)]}).note(book, found)
    assert len(book.all()) == MOST
    assert sum(len(fact.model_dump_json()) for fact in book.all()) < 2_000_000


def _rows(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
