"""Figures of the rules in force: kept as measured, and never those of another rule."""

import json
import shutil
from pathlib import Path

import pytest

from auditor import figures, registry
from auditor.errors import RuleSetError
from auditor.models import Provenance, SetFigures
from auditor.selftest import Figures, SelfTest, Tried
from reports import html, json_lines, markdown, text
from reports.material import Material
from tests.auditor.test_reports import verdict

RULES = Path(__file__).resolve().parents[2] / "rules"
ONE = "result_rewritten.py"


@pytest.fixture
def rules(tmp_path: Path) -> registry.RuleSet:
    """A folder of one rule."""
    (tmp_path / "rules" / "common").mkdir(parents=True)
    shutil.copy(RULES / "common" / ONE, tmp_path / "rules" / "common" / ONE)
    return registry.load_all(tmp_path / "rules")


def measured(rules: registry.RuleSet, *, found: int = 4) -> SelfTest:
    (rule,) = rules
    cheats = tuple(Tried(rule.code, "a", "walrus", accused) for accused in (True, True, False))
    honest = (Tried(rule.code, "b", "walrus", False),)
    return SelfTest((Figures(rule.code, rule.name, found, 4, 0, 5, cheats, honest, 0.1),))


def test_what_was_measured_is_what_a_verdict_shows(rules: registry.RuleSet) -> None:
    figures.write(rules, measured(rules))
    found = figures.of(rules)
    assert found == SetFigures(
        rules=1, cheats=4, found=4, honest=5, accused=0, mutants=3, mutants_found=2,
        honest_mutants=1, honest_mutants_accused=0,
    )  # fmt: skip


def test_a_rule_that_was_changed_since_has_no_figures(
    rules: registry.RuleSet, tmp_path: Path
) -> None:
    figures.write(rules, measured(rules))
    with (tmp_path / "rules" / "common" / ONE).open("a") as file:
        file.write("# another rule\n")
    found = figures.of(rules)
    (rule,) = rules
    assert (found.rules, found.found, found.out_of_date) == (0, 0, (rule.code,))


def test_a_rule_that_was_never_measured_is_named(rules: registry.RuleSet) -> None:
    (rule,) = rules
    assert figures.of(rules).not_measured == (rule.code,)


def test_figures_of_a_rule_that_fails_are_not_kept(rules: registry.RuleSet, tmp_path: Path) -> None:
    with pytest.raises(RuleSetError):
        figures.write(rules, measured(rules, found=3))
    assert not (tmp_path / "rules" / figures.FILE).exists()


def test_figures_that_cannot_be_read_are_refused(rules: registry.RuleSet, tmp_path: Path) -> None:
    (tmp_path / "rules" / figures.FILE).write_text("{")
    with pytest.raises(RuleSetError, match="cannot be used"):
        figures.of(rules)


def test_every_report_tells_them() -> None:
    known = SetFigures(
        rules=7, cheats=61, found=60, honest=52, accused=1, mutants=300, mutants_found=298,
        honest_mutants=200, honest_mutants_accused=3, out_of_date=("ANY001",),
    )  # fmt: skip
    made = Provenance(
        auditor="a", rules_sha256="0" * 64, environment_sha256="", sandbox="s", figures=known
    )
    told = verdict(provenance=made)
    for report in (text.render(told), markdown.render(told), html.render(Material(told))):
        shown = " ".join(report.replace("\\", "").split())
        for expected in ("60 of 61", "1 of 52", "298 of 300", "3 of 200", "ANY001"):
            assert expected in shown
    assert json.loads(json_lines.render(told))["provenance"]["figures"]["found"] == 60


def test_the_figures_that_are_kept_are_those_of_their_rules() -> None:
    """Of the rules that were not changed since: every example counts, none is wrong."""
    kept = json.loads((RULES / figures.FILE).read_text("utf-8"))["rules"]
    rules = registry.load_all(RULES)
    stale = {*(found := figures.of(rules)).out_of_date, *found.not_measured}
    for rule in rules:
        if rule.code not in stale:
            known = kept[rule.code]
            assert (known["cheats"], known["honest"]) == (len(rule.cheat), len(rule.honest))
            assert (known["found"], known["accused"]) == (len(rule.cheat), 0)
