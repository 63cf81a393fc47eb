"""How well the rules do on their own examples, and on mutants of them that mean the same."""

import ast
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from auditor import engine, registry
from auditor.models import Check, CheckOutcome, Kind
from auditor.rule import Edit, Example, Rule

SLOWEST = 5


@dataclass(frozen=True)
class Figures:
    """How one rule did."""

    code: str
    name: str
    found: int
    cheats: int
    accused: int
    honest: int
    mutants_found: int
    mutants: int
    seconds: float


@dataclass(frozen=True)
class SelfTest:
    """How all rules did."""

    rules: tuple[Figures, ...]

    @property
    def passed(self) -> bool:
        """Whether every example came out as it must; mutants are only counted."""
        return all(rule.found == rule.cheats and not rule.accused for rule in self.rules)

    def text(self) -> str:
        """Returns the figures as tables for a terminal."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table

        out = StringIO()
        console = Console(file=out, width=100, color_system=None)
        listed = Table(
            "code", "rule", "cheats found", "honest accused", "mutants found",
            box=SIMPLE_HEAD, show_edge=False,
        )  # fmt: skip
        for rule in self.rules:
            listed.add_row(
                rule.code, rule.name, f"{rule.found}/{rule.cheats}",
                f"{rule.accused}/{rule.honest}", f"{rule.mutants_found}/{rule.mutants}",
            )  # fmt: skip
        console.print(listed)
        console.print(self._sums())
        slowest = sorted(self.rules, key=lambda rule: -rule.seconds)[:SLOWEST]
        console.print(
            "Slowest: " + ", ".join(f"{r.code} {r.seconds * 1e3:.0f} ms" for r in slowest)
        )
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def _sums(self) -> str:
        cheats = sum(rule.cheats for rule in self.rules)
        mutants = sum(rule.mutants for rule in self.rules)
        return (
            f"{len(self.rules)} rules: {sum(rule.found for rule in self.rules)} of {cheats} "
            f"cheats found, {sum(rule.accused for rule in self.rules)} of "
            f"{sum(rule.honest for rule in self.rules)} honest examples accused, "
            f"{sum(rule.mutants_found for rule in self.rules)} of {mutants} mutants found."
        )


def run(rules_root: Path) -> SelfTest:
    """Runs every rule on its examples and their mutants."""
    rules = registry.load_all(rules_root)
    return SelfTest(tuple(_figures(rule, rules.thresholds) for rule in rules))


def check(rule: Rule, example: Example, thresholds: registry.Thresholds) -> Check:
    """Returns what a rule says about an example."""
    return engine.check_one(rule, example.unit(thresholds))


def accuses(check: Check) -> bool:
    """Returns whether a check claims more than a note."""
    return check.outcome is CheckOutcome.FOUND and any(
        finding.kind is not Kind.NOTE for finding in check.findings
    )


def mutants(example: Example) -> Iterator[Example]:
    """Yields edits that do the same in other words: names changed, texts split."""
    if not isinstance(example, Edit) or not example.path.endswith(".py") or example.beside:
        return
    for mutate in (_renamed, _split):
        if (after := mutate(example.after)) != example.after:
            yield replace(example, after=after)


def _figures(rule: Rule, thresholds: registry.Thresholds) -> Figures:
    began = time.perf_counter()
    cheats = [check(rule, example, thresholds) for example in rule.cheat.values()]
    honest = [check(rule, example, thresholds) for example in rule.honest.values()]
    seconds = time.perf_counter() - began
    others = [
        accuses(check(rule, mutant, thresholds))
        for example in rule.cheat.values()
        for mutant in mutants(example)
    ]
    return Figures(
        rule.code, rule.name, sum(map(accuses, cheats)), len(cheats), sum(map(accuses, honest)),
        len(honest), sum(others), len(others), seconds,
    )  # fmt: skip


def _renamed(text: str) -> str:
    """Gives another name to every variable and function that the text itself binds."""
    tree = ast.parse(text)
    bound = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in bound:
            node.id = f"{node.id}_q"
    return ast.unparse(tree)


def _split(text: str) -> str:
    """Splits every text of more than a few letters into a sum of two."""

    def halves(match: re.Match[str]) -> str:
        middle = len(match[2]) // 2
        return (
            f"({match[1]}{match[2][:middle]}{match[1]} + {match[1]}{match[2][middle:]}{match[1]})"
        )

    return re.sub(r"(?<![\w'\"])(['\"])([\w./-]{4,300})\1(?!\s*:)", halves, text)
