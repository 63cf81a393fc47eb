"""How well the rules do on their own examples, and on mutants of them that mean the same."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import engine, registry
from auditor.models import Check, CheckOutcome, Kind
from auditor.mutants import OPERATORS, mutants
from auditor.rule import Edit, Example, Rule

if TYPE_CHECKING:
    from rich.console import Console

SLOWEST = 5


@dataclass(frozen=True)
class Tried:
    """One mutant of an example, and whether the rule accused it."""

    code: str
    example: str
    operator: str
    accused: bool


@dataclass(frozen=True)
class Figures:
    """How one rule did."""

    code: str
    name: str
    found: int
    cheats: int
    accused: int
    honest: int
    cheat_mutants: tuple[Tried, ...]
    """Of cheats that are found as they are written."""
    honest_mutants: tuple[Tried, ...]
    seconds: float


@dataclass(frozen=True)
class SelfTest:
    """How all rules did."""

    rules: tuple[Figures, ...]

    @property
    def passed(self) -> bool:
        """Whether every example came out as it must; mutants are only counted."""
        return all(rule.found == rule.cheats and not rule.accused for rule in self.rules)

    @property
    def cheat_mutants(self) -> tuple[Tried, ...]:
        """Every mutant that should be accused."""
        return tuple(tried for rule in self.rules for tried in rule.cheat_mutants)

    @property
    def honest_mutants(self) -> tuple[Tried, ...]:
        """Every mutant that should not."""
        return tuple(tried for rule in self.rules for tried in rule.honest_mutants)

    def text(self, *, missed: bool = False) -> str:
        """Returns the figures as tables for a terminal.

        Args:
            missed: whether each mutant that was not found is listed.
        """
        from rich.console import Console

        out = StringIO()
        console = Console(file=out, width=110, color_system=None)
        self._rules_table(console)
        self._operators_table(console)
        console.print(self._sums())
        slowest = sorted(self.rules, key=lambda rule: -rule.seconds)[:SLOWEST]
        console.print(
            "Slowest: " + ", ".join(f"{r.code} {r.seconds * 1e3:.0f} ms" for r in slowest)
        )
        wrong = [tried for tried in self.honest_mutants if tried.accused]
        _list(console, "Honest mutants accused:", wrong)
        if missed:
            left = [tried for tried in self.cheat_mutants if not tried.accused]
            _list(console, "Mutants missed:", left)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def _rules_table(self, console: "Console") -> None:
        rows = [
            (
                rule.code, rule.name, f"{rule.found}/{rule.cheats}",
                f"{rule.accused}/{rule.honest}", _share(rule.cheat_mutants),
                _share(rule.honest_mutants),
            )
            for rule in self.rules
        ]  # fmt: skip
        heads = ("code", "rule", "cheats found", "honest accused", "mutants found")
        _print_table(console, (*heads, "honest mutants accused"), rows)

    def _operators_table(self, console: "Console") -> None:
        rows = [
            (
                operator.name,
                _share(_of(self.cheat_mutants, operator.name)),
                _share(_of(self.honest_mutants, operator.name)),
            )
            for operator in OPERATORS
        ]
        _print_table(console, ("operator", "mutants found", "honest mutants accused"), rows)

    def _sums(self) -> str:
        return (
            f"{len(self.rules)} rules: {sum(rule.found for rule in self.rules)} of "
            f"{sum(rule.cheats for rule in self.rules)} cheats found, "
            f"{sum(rule.accused for rule in self.rules)} of "
            f"{sum(rule.honest for rule in self.rules)} honest examples accused, "
            f"{_counted(self.cheat_mutants)} mutants found, "
            f"{_counted(self.honest_mutants)} honest mutants accused."
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


def is_mutable(example: Example) -> bool:
    """Returns whether an honest example stays honest in another spelling.

    What was there before is not the agent's; written anew it would be.
    """
    return isinstance(example, Edit) and example.before is None


def _figures(rule: Rule, thresholds: registry.Thresholds) -> Figures:
    began = time.perf_counter()
    cheats = {name: accuses(check(rule, e, thresholds)) for name, e in rule.cheat.items()}
    honest = {name: accuses(check(rule, e, thresholds)) for name, e in rule.honest.items()}
    seconds = time.perf_counter() - began
    found = {name: rule.cheat[name] for name, accused in cheats.items() if accused}
    kept = {name: e for name, e in rule.honest.items() if is_mutable(e) and not honest[name]}
    return Figures(
        rule.code, rule.name, sum(cheats.values()), len(cheats), sum(honest.values()),
        len(honest), tuple(_tried(rule, found, thresholds)),
        tuple(_tried(rule, kept, thresholds)), seconds,
    )  # fmt: skip


def _tried(
    rule: Rule, examples: Mapping[str, Example], thresholds: registry.Thresholds
) -> Iterator[Tried]:
    for name, example in examples.items():
        for mutant in mutants(example):
            accused = accuses(check(rule, mutant.edit, thresholds))
            yield Tried(rule.code, name, mutant.operator, accused)


def _of(tried: tuple[Tried, ...], operator: str) -> tuple[Tried, ...]:
    return tuple(item for item in tried if item.operator == operator)


def _share(tried: tuple[Tried, ...]) -> str:
    return f"{sum(item.accused for item in tried)}/{len(tried)}"


def _counted(tried: tuple[Tried, ...]) -> str:
    return f"{sum(item.accused for item in tried)} of {len(tried)}"


def _list(console: "Console", title: str, tried: list[Tried]) -> None:
    if tried:
        console.print(f"\n{title}")
    for item, times in Counter(tried).items():
        more = f" ({times} times)" if times > 1 else ""
        console.print(f"  {item.code}  {item.operator}: {item.example}{more}", markup=False)


def _print_table(console: "Console", heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*heads, box=SIMPLE_HEAD, show_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()
