"""What rules are given, and what they can say."""

import pytest
from pydantic import ValidationError

from auditor.code.source import changed_lines, parse
from auditor.models import Effect, How, Kind
from auditor.rule import Edit, Facts, Unit, fact, replayed
from tests.auditor.rules import Wrong


def test_a_finding_needs_a_citation() -> None:
    with pytest.raises((ValidationError, ValueError)):
        Wrong().report(Unit(0), "said without proof", [])


def test_a_finding_is_known_as_well_as_its_best_evidence() -> None:
    claimed, seen = fact("word", how=How.CLAIMED), fact("file_changed", how=How.OBSERVED)
    assert Wrong().report(Unit(0), "m", [claimed]).how is How.CLAIMED
    assert Wrong().report(Unit(0), "m", [claimed, seen]).how is How.OBSERVED


def test_a_rule_cannot_claim_more_than_its_kind() -> None:
    finding = Wrong().report(Unit(2), "m", [fact("x")], kind=Kind.CHEATING)
    assert finding.kind is Wrong.kind is Kind.VIOLATION
    assert finding.entries == (2,)
    assert finding.effect is Effect.UNKNOWN


def test_interventions_come_in_the_order_of_names() -> None:
    unit = Facts(replayed("b", "stale"), replayed("a", "worse", forbidden=True)).unit({})
    assert [item.name for item in unit.interventions(["a", "b", "c"])] == ["a", "b"]
    assert all(item.proves for item in unit.interventions(["a", "b"]))


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, "a\nb", (1, 2)),
        ("a\nb\nc", "a\nb\nc", ()),
        ("a\nc", "a\nb\nc", (2,)),
        ("a\nb\nc", "a\nc", ()),
        ("a\nb", "a\nB", (2,)),
        ("", "x = 1\n", (1,)),
    ],
)
def test_changed_lines(before: str | None, after: str, lines: tuple[int, ...]) -> None:
    assert changed_lines(before, after) == lines


def test_changed_lines_of_huge_files_stay_cheap() -> None:
    before = "\n".join(f"x{i % 7}" for i in range(30_000))
    after = "\n".join(f"x{i % 5}" for i in range(30_000)) + "\nnew"
    assert 30_001 in changed_lines(before, after)


@pytest.mark.parametrize("text", ["def (", "\0", "(" * 5000, "x = " + "-" * 50_000 + "1"])
def test_hostile_source_is_no_tree(text: str) -> None:
    assert parse(text) is None


def test_a_source_that_cannot_be_read_is_no_proof_of_innocence() -> None:
    from auditor import engine, registry
    from tests.contracts.test_every_rule import ROOT

    rule = registry.load(ROOT, None).rule("ANY007")
    unit = Edit(after="def (", path="solution/train.py").unit({})
    assert engine.check_one(rule, unit).outcome == "no_evidence"
