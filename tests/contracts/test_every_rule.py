"""Every rule keeps the contract of rules, and does as its own examples say."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from auditor import engine, registry, selftest
from auditor.catalogue import sections
from auditor.models import CheckOutcome, Finding, Kind
from auditor.mutants import mutants
from auditor.rule import HEADINGS, CodeRule, Edit, Example, Rule, Unit, gravity

ROOT = Path(__file__).resolve().parents[2] / "rules"
RULES = registry.load_all(ROOT)
PREFIXES = {
    "common": r"ANY0\d\d",
    "optimize_llm_foundry": r"LLM1\d\d",
    "restricted_mlm": r"MLM1\d\d",
    "triton_cumsum": r"TRI1\d\d",
}
FOLLOWED = {"dead_code", "encode_strings", "rename", "reorder", "split_strings"}
"""Spellings through which every rule has to find its cheats; the others are counted."""
MISSED = {("ANY010", "split_strings"), ("ANY030", "rename")}
"""Not found all the same: a payload in parts, each short enough to be harmless; and tests, whose
names say which they are and whether they run.
"""


def _examples(kind: str) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.code}-{name}")
        for rule in RULES
        for name, example in getattr(rule, kind).items()
    ]


USUAL = 1
"""So many of each sort are spelled in other ways in `make test`; `make test-all` has the rest."""


def _spelled(kind: str) -> list[object]:
    """The examples for tests that spell each of them in sixteen other ways."""
    return [
        pytest.param(
            rule, example, id=f"{rule.code}-{name}", marks=[pytest.mark.slow] * (place >= USUAL)
        )
        for rule in RULES
        for place, (name, example) in enumerate(getattr(rule, kind).items())
    ]


each_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in RULES])


@pytest.mark.parametrize(("rule", "example"), _examples("cheat"))
def test_cheat(rule: Rule, example: Example) -> None:
    check = engine.check_one(rule, example.unit(RULES.thresholds))
    assert check.outcome is CheckOutcome.FOUND, check.reason
    assert selftest.accuses(check)
    if example.marked is not None:
        # Further sites of a finding are what its data passes.
        sites = {(site.path, site.line) for item in check.findings for site in item.sites[:1]}
        assert sites == example.marked


@pytest.mark.parametrize(("rule", "example"), _examples("honest"))
def test_honest(rule: Rule, example: Example) -> None:
    check = engine.check_one(rule, example.unit(RULES.thresholds))
    assert check.outcome is CheckOutcome.NOTHING, (check.reason, check.findings)


@pytest.mark.parametrize(("rule", "example"), _spelled("cheat"))
def test_cheat_in_other_words(rule: Rule, example: Example) -> None:
    for mutant in mutants(example):
        if mutant.operator in FOLLOWED and (rule.code, mutant.operator) not in MISSED:
            check = engine.check_one(rule, mutant.edit.unit(RULES.thresholds))
            assert selftest.accuses(check), (mutant.operator, mutant.edit.shown())


@pytest.mark.parametrize(("rule", "example"), _spelled("honest"))
def test_honest_in_other_words(rule: Rule, example: Example) -> None:
    if not selftest.is_mutable(example):
        return
    for mutant in mutants(example):
        check = engine.check_one(rule, mutant.edit.unit(RULES.thresholds))
        assert check.outcome is not CheckOutcome.CRASHED, check.reason
        assert not selftest.accuses(check), (mutant.operator, mutant.edit.shown())


@pytest.mark.parametrize(("rule", "example"), _examples("cheat"))
def test_a_file_as_it_was_given_is_never_found(rule: Rule, example: Example) -> None:
    if isinstance(example, Edit) and not example.beside:
        same = Edit(
            example.after, before=example.after, path=example.path, reachable=example.reachable
        )
        check = engine.check_one(rule, same.unit(RULES.thresholds))
        assert check.outcome is CheckOutcome.NOTHING


@each_rule
def test_documentation(rule: Rule) -> None:
    text = inspect.cleandoc(type(rule).__doc__ or "")
    assert text.split("\n")[0].endswith(".")
    found = sections(rule)
    assert list(found) == list(HEADINGS)
    assert all(len(body) > 20 for body in found.values())


@each_rule
def test_examples_in_number(rule: Rule) -> None:
    assert len(rule.cheat) >= 4
    assert len(rule.honest) >= 4
    assert not rule.cheat.keys() & rule.honest.keys()
    if isinstance(rule, CodeRule):
        assert all(example.marked for example in rule.cheat.values())
        assert not any(example.marked for example in rule.honest.values())


@each_rule
def test_code_and_file_name(rule: Rule) -> None:
    path = Path(inspect.getfile(type(rule)))
    assert re.fullmatch(PREFIXES[path.parent.name], rule.code)
    assert path.stem == registry.snake_case(rule.name)
    assert not re.search(r"Check|Detect|Rule|Avoid|^No[A-Z]", rule.name)


@each_rule
def test_without_evidence_nothing_is_cleared(rule: Rule) -> None:
    example = next(iter(rule.honest.values()))
    entry = example.unit(RULES.thresholds).entry
    check = engine.check_one(rule, Unit(entry, thresholds=RULES.thresholds))
    assert check.outcome is CheckOutcome.NO_EVIDENCE
    assert check.reason


@each_rule
def test_one_that_raises_harms_no_other(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Rule, unit: Unit) -> Iterable[Finding]:
        raise RecursionError("a hostile file")

    unit = next(iter(rule.cheat.values())).unit(RULES.thresholds)
    others = [check for check in engine.apply(RULES, [unit]) if check.code != rule.code]
    monkeypatch.setattr(type(rule), "check", broken)
    checks = engine.apply(RULES, [unit])
    crashed = [check for check in checks if check.outcome is CheckOutcome.CRASHED]
    assert [check.code for check in crashed] == [rule.code]
    assert "a hostile file" in crashed[0].reason
    left = [check for check in checks if check.code != rule.code]
    assert [(c.code, c.outcome, c.findings) for c in left] == [
        (c.code, c.outcome, c.findings) for c in others
    ]


@each_rule
def test_applicability_is_blind_to_the_attempt(rule: Rule) -> None:
    assert list(inspect.signature(rule.applies).parameters) == ["facts"]


def test_codes_are_unique_and_ordered() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))


def test_no_rule_is_left_out() -> None:
    files = [path for path in ROOT.rglob("*.py") if path.name != "__init__.py"]
    assert len(files) == len(RULES.rules)


@pytest.mark.slow
def test_the_self_test_passes() -> None:
    result = selftest.run(ROOT)
    assert result.passed
    assert "0 of" in result.text()


def test_an_honest_name_for_the_strongest_kind() -> None:
    assert [gravity(kind) for kind in Kind] == sorted(gravity(kind) for kind in Kind)
