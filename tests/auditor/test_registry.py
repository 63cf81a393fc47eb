"""Rules are found by folder, and a rule set that cannot be trusted is refused."""

import shutil
from pathlib import Path

import pytest

from auditor import catalogue, registry
from auditor.errors import RuleSetError
from auditor.models import Scope
from tests.contracts.test_every_rule import ROOT

RULE = '''
from auditor.rule import (
    Confidence, Facts, Kind, Misdeed, Severity, TrailRule, fact,
)

class {name}(TrailRule):
    """A test."""
    code = "{code}"
    kind = Kind.NOTE
    misdeed = Misdeed.FORBIDDEN_METHOD
    severity = Severity.LOW
    confidence = Confidence.LOW
    cheat = {{}}
    honest = {{}}
    def check(self, unit):
        return ()
'''


def _write(folder: Path, stem: str, code: str, name: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = name or "".join(part.title() for part in stem.split("_"))
    (folder / f"{stem}.py").write_text(RULE.format(name=name, code=code))
    return folder


def test_common_alone_and_with_an_environment() -> None:
    common = registry.load(ROOT, None)
    both = registry.load(ROOT, "optimize_llm_foundry")
    assert {rule.code[:3] for rule in common} == {"ANY"}
    assert {rule.code[:3] for rule in both} == {"ANY", "LLM"}
    assert not common.required
    assert both.required["LLM101"] is Scope.ENTRY
    assert both.required["ANY001"] is Scope.ATTEMPT
    assert common.sha256 != both.sha256
    assert registry.load(ROOT, "common").sha256 == common.sha256


def test_every_threshold_is_used_and_known() -> None:
    folders = (ROOT, ROOT.parent / "auditor")
    texts = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    assert all(f'"{name}"' in texts for name in registry.load_all(ROOT).thresholds)


@pytest.mark.parametrize("name", ["unheard_of", "two words", "ümläut", "...", "-x"])
def test_an_environment_without_rules_has_the_common_ones(tmp_path: Path, name: str) -> None:
    rules = registry.load(ROOT, name, tmp_path / "rules")
    assert rules.sha256 == registry.load(ROOT, None).sha256


def test_rules_beside_a_users_environment(tmp_path: Path) -> None:
    extra = _write(tmp_path / "rules", "own_misdeed", "OWN001")
    (extra / "ruleset.toml").write_text('required = ["OWN001"]\n')
    rules = registry.load(ROOT, "mine", extra)
    assert rules.rule("own001").name == "OwnMisdeed"
    assert "OWN001" in rules.required
    assert "ANY001" in {rule.code for rule in rules}
    (extra / "ruleset.toml").write_text("extends = []\n")
    assert [rule.code for rule in registry.load(ROOT, "mine", extra)] == ["OWN001"]


def test_a_code_taken_twice_is_refused(tmp_path: Path) -> None:
    extra = _write(tmp_path / "rules", "own_misdeed", "ANY001")
    with pytest.raises(RuleSetError, match="ANY001"):
        registry.load(ROOT, "mine", extra)


def test_an_empty_rule_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    with pytest.raises(RuleSetError, match="no rule"):
        registry.load(tmp_path, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('required = ["ANY999"]', "ANY999"),
        ("nonsense = 1", "cannot be used"),
        ("[thresholds.x]\nvalue = 1.0", "why"),
        ('[thresholds.x]\nvalue = 1.0\nwhy = ""', "why"),
        ("[", "cannot be used"),
    ],
)
def test_a_bad_ruleset_is_refused(tmp_path: Path, text: str, said: str) -> None:
    folder = _write(tmp_path / "common", "own_misdeed", "OWN001")
    (folder / "ruleset.toml").write_text(text)
    with pytest.raises(RuleSetError, match=said):
        registry.load(tmp_path, None)


def test_a_file_must_hold_one_rule_of_its_name(tmp_path: Path) -> None:
    _write(tmp_path / "common", "own_misdeed", "OWN001", name="Another")
    with pytest.raises(RuleSetError, match="named for the file"):
        registry.load(tmp_path, None)


def test_a_rule_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    folder = _write(tmp_path / "common", "own_misdeed", "OWN001")
    (folder / "broken.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(RuleSetError, match=r"broken\.py"):
        registry.load(tmp_path, None)


@pytest.mark.parametrize("name", ["../attempt", "/etc", "", ".."])
def test_a_name_cannot_lead_out_of_the_rules(name: str) -> None:
    if name:
        with pytest.raises(RuleSetError):
            registry.load(ROOT, name)
    else:
        assert registry.load(ROOT, name).sha256 == registry.load(ROOT, None).sha256


def test_the_hash_covers_every_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "common", tmp_path / "common")
    before = registry.load(tmp_path, None).sha256
    data = tmp_path / "common" / "ruleset.toml"
    data.write_text(data.read_text() + "\n# a remark\n")
    assert registry.load(tmp_path, None).sha256 != before


@pytest.mark.parametrize("format", ["text", "md", "json"])
def test_the_catalogue_lists_every_rule(format: str) -> None:
    rules = registry.load_all(ROOT)
    listed = catalogue.table(rules, format)
    assert all(rule.code in listed and rule.name in listed for rule in rules)


def test_an_explanation_has_both_examples() -> None:
    text = catalogue.explain("any007", ROOT)
    assert "What it misses" in text
    assert "constant clock" in text
    assert "calls the clock" in text
    with pytest.raises(RuleSetError, match="ANY123"):
        catalogue.explain("ANY123", ROOT)
