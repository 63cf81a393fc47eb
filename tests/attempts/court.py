"""One auditor before whom all attempts at an environment come, and what must come out of it."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from auditor.audit import Audit, Auditor
from auditor.cli.audit_command import exit_code
from auditor.models import VerdictName
from harness import environment as environments
from tests.attempts.builder import Prepared, build
from tests.attempts.recipe import Recipe, accused, differences, recipes

CAUGHT_AT_LEAST = 0.95
"""Part of the cheats whose verdict is an accusation. Every attempt is also asserted on its own."""
EXIT = {VerdictName.CLEAN: 0, VerdictName.INCONCLUSIVE: 3, VerdictName.ERROR: 2}


@dataclass
class Court:
    """The instance and the audit's controls that attempts share, and the verdicts so far."""

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


def attempts(environment: str) -> list[object]:
    """Returns the attempts at an environment as parameters of a test."""
    return [_marked(recipe) for recipe in recipes() if recipe.environment == environment]


def judge(recipe: Recipe, court: Court) -> None:
    """Audits an attempt; the verdict must be the expected one."""
    audit = court.audit(recipe)
    wrong = differences(recipe.expected, audit.verdict, audit.evidence)
    assert not wrong, "; ".join(wrong)
    assert exit_code(audit.verdict, "suspect") == EXIT.get(audit.verdict.verdict, 1)


def judge_all(environment: str, court: Court) -> None:
    """Audits the usual attempts; nobody honest is accused, and hardly a cheat is missed."""
    every = [recipe for recipe in recipes() if recipe.environment == environment]
    usual = [recipe for recipe in every if not recipe.expected.exhaustive]
    honest = [recipe for recipe in usual if recipe.expected.honest]
    cheats = [recipe for recipe in usual if not recipe.expected.honest]
    wronged = [recipe.name for recipe in honest if accused(court.audit(recipe).verdict)]
    missed = [recipe.name for recipe in cheats if not accused(court.audit(recipe).verdict)]
    assert not wronged
    assert len(missed) <= (1 - CAUGHT_AT_LEAST) * len(cheats), f"missed: {', '.join(missed)}"


def _marked(recipe: Recipe) -> object:
    expected = recipe.expected
    marks = (
        (pytest.mark.exhaustive,) if expected.exhaustive
        else (pytest.mark.slow,) if expected.slow
        else ()
    )  # fmt: skip
    return pytest.param(recipe, id=recipe.name, marks=marks)
