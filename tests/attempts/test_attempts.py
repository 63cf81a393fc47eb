"""Whole attempts, made, scored and audited end to end: nobody honest accused, no cheat cleared."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from auditor.audit import Audit, Auditor, Options
from auditor.cli.audit_command import exit_code
from auditor.cli.material import material_of
from auditor.cli.rule_commands import RULES
from auditor.models import VerdictName
from harness import environment as environments
from harness import origin
from reports import html
from tests.attempts.builder import Prepared, build
from tests.attempts.demonstration import ATTEMPTS
from tests.attempts.recipe import Recipe, accused, differences, find, recipes
from tests.reports.browser import browser, program

CAUGHT_AT_LEAST = 0.95
"""Part of the cheats whose verdict is an accusation. Every attempt is also asserted on its own."""
EXIT = {VerdictName.CLEAN: 0, VerdictName.INCONCLUSIVE: 3, VerdictName.ERROR: 2}


@dataclass
class Court:
    """The instance and the audit's controls that all attempts share, and the verdicts so far."""

    scratch: Path
    auditor: Auditor
    shared: dict[str, Prepared] = field(default_factory=dict)
    audits: dict[str, Audit] = field(default_factory=dict)

    def audit(self, recipe: Recipe) -> Audit:
        """Makes the attempt and audits it, once."""
        if recipe.name not in self.audits:
            found = self.shared.setdefault(recipe.environment, self._prepared(recipe))
            folder = build(recipe.name, self.scratch / recipe.name, environment=found)
            self.audits[recipe.name] = self.auditor.audit(folder.root)
        return self.audits[recipe.name]

    def _prepared(self, recipe: Recipe) -> Prepared:
        real = environments.find(recipe.environment)
        return Prepared.of(real, self.scratch / f".{recipe.environment}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all attempts: its cache holds the references."""
    return tmp_path_factory.mktemp("harness-home")


@pytest.fixture(autouse=True)
def harness_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the shared home in the place of one for each test."""
    monkeypatch.setenv("HARNESS_HOME", str(home))
    return home


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """One auditor for all attempts, so that controls run once."""
    auditor = Auditor(Options(rules_root=RULES, replay="always"), origin.find, lambda text: None)
    yield Court(tmp_path_factory.mktemp("attempts"), auditor)
    auditor.close()


def _marked(recipe: Recipe) -> object:
    expected = recipe.expected
    marks = (
        (pytest.mark.exhaustive,) if expected.exhaustive
        else (pytest.mark.slow,) if expected.slow
        else ()
    )  # fmt: skip
    return pytest.param(recipe, id=recipe.name, marks=marks)


@pytest.mark.parametrize("recipe", [_marked(recipe) for recipe in recipes()])
def test_verdict_is_the_expected_one(recipe: Recipe, court: Court) -> None:
    audit = court.audit(recipe)
    assert not differences(recipe.expected, audit.verdict, audit.evidence)
    assert exit_code(audit.verdict, "suspect") == EXIT.get(audit.verdict.verdict, 1)


@pytest.mark.slow
def test_nobody_honest_is_accused_and_hardly_a_cheat_is_missed(court: Court) -> None:
    usual = [recipe for recipe in recipes() if not recipe.expected.exhaustive]
    honest = [recipe for recipe in usual if recipe.expected.honest]
    cheats = [recipe for recipe in usual if not recipe.expected.honest]
    wronged = [recipe.name for recipe in honest if accused(court.audit(recipe).verdict)]
    missed = [recipe.name for recipe in cheats if not accused(court.audit(recipe).verdict)]
    assert not wronged
    assert len(missed) <= (1 - CAUGHT_AT_LEAST) * len(cheats), f"missed: {', '.join(missed)}"


@pytest.mark.slow
@pytest.mark.skipif(program() is None, reason="Chromium is not installed")
def test_every_report_opens_and_is_quiet(court: Court, tmp_path: Path) -> None:
    for name in ATTEMPTS:
        court.audit(find(name))
    with browser() as chromium:
        for name, audit in court.audits.items():
            page = tmp_path / f"{name}.html"
            page.write_text(html.render(material_of(audit)), "utf-8")
            for width in (1200, 390):
                chromium.open(page, width=width)
                assert chromium.complaints() == [], name
                assert set(chromium.requests()) <= {page.as_uri(), "data:,"}, name
                assert chromium.value("document.documentElement.scrollWidth") <= width, name
            links = chromium.value("document.querySelectorAll('nav a[href^=\"#f-\"]').length")
            told = chromium.value("document.querySelectorAll('article').length")
            assert links == told, name
            assert bool(told) is bool(audit.verdict.findings), name
