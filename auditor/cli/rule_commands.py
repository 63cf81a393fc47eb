"""`auditor rules`, `explain` and `selftest`: what the rules are and how well they do."""

from pathlib import Path

import typer

from auditor import catalogue, registry
from harness import environment as environments

RULES = Path(__file__).resolve().parents[2] / "rules"
"""The rules that come with this project."""


def print_rules(environment: str | None, format: str) -> None:
    """Prints the rules that apply to an environment, or all of them."""
    if environment is None:
        listed = registry.load_all(RULES)
    else:
        task = environments.find(environment)
        listed = registry.load(RULES, task.name, task.root / "rules")
    typer.echo(catalogue.table(listed, format))


def print_explanation(code: str) -> None:
    """Prints a rule's documentation and the first example of each kind."""
    typer.echo(catalogue.explain(code, RULES))


def print_selftest(*, missed: bool, write: bool) -> int:
    """Runs every rule on its examples and their mutants; 0 when none is wrong."""
    from auditor import figures
    from auditor import selftest as selftests  # the library behind mutants takes a while to load
    from auditor.cli.trail_commands import stored_table

    result = selftests.run(RULES)
    typer.echo(result.text(missed=missed))
    typer.echo(f"\n{stored_table()}")
    if write:
        kept = figures.write(registry.load_all(RULES), result)
        typer.echo(f"The figures are kept in {kept}.", err=True)
    return 0 if result.passed else 1
