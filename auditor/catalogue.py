"""The rules as people read them: a list, and one rule explained."""

import inspect
import json
import textwrap
from io import StringIO
from pathlib import Path

from auditor import registry
from auditor.registry import RuleSet
from auditor.rule import HEADINGS, Rule

COLUMNS = ("code", "this attempt shows …", "at most", "misdeed", "about", "source", "required")


def table(rules: RuleSet, format: str = "text") -> str:
    """Returns the rules as `text`, `md` or `json`, in the order of their codes."""
    if format == "json":
        return json.dumps([_described(rule, rules) for rule in rules], indent=1)
    rows = [_row(rule, rules) for rule in rules]
    return _markdown(rows) if format == "md" else _text(rows)


def explain(code: str, rules_root: Path) -> str:
    """Returns a rule's documentation with the first example of each kind.

    Raises:
        RuleSetError: there is no such rule.
    """
    rule = registry.load_all(rules_root).rule(code)
    title = f"{rule.code} {rule.name}: {rule.kind} at most, {rule.misdeed.replace('_', ' ')}"
    parts = [f"{title}\n{'=' * len(title)}", inspect.cleandoc(type(rule).__doc__ or "")]
    for kind, examples in (("found", rule.cheat), ("not found", rule.honest)):
        name, example = next(iter(examples.items()))
        parts.append(
            f"## Example that is {kind}: {name}\n{textwrap.indent(example.shown(), '    ')}"
        )
    if rule.interventions:
        parts.append(f"## Settled by running again\n{', '.join(rule.interventions)}")
    return "\n\n".join(parts)


def sections(rule: Rule) -> dict[str, str]:
    """Returns the parts of a rule's docstring by their headings."""
    text = inspect.cleandoc(type(rule).__doc__ or "")
    found = {}
    for part in text.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        found[title.strip()] = body.strip()
    return found


def _row(rule: Rule, rules: RuleSet) -> tuple[str, ...]:
    required = "yes" if rule.code in rules.required else ""
    return (
        rule.code, rule.name, rule.kind.value, rule.misdeed.value, rule.scope.value, rule.source,
        required,
    )  # fmt: skip


def _described(rule: Rule, rules: RuleSet) -> dict[str, object]:
    return {
        "code": rule.code, "rule": rule.name, "kind": rule.kind, "misdeed": rule.misdeed,
        "severity": rule.severity, "confidence": rule.confidence, "scope": rule.scope,
        "source": rule.source, "needs": list(rule.needs),
        "interventions": list(rule.interventions), "required": rule.code in rules.required,
        "summary": inspect.cleandoc(type(rule).__doc__ or "").split("\n")[0],
        **{heading: sections(rule).get(heading, "") for heading in HEADINGS},
        "examples": {"cheat": list(rule.cheat), "honest": list(rule.honest)},
    }  # fmt: skip


def _markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [
        "# Rules",
        "",
        "Written by `make docs`; `auditor explain CODE` says more about each.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
    ]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _text(rows: list[tuple[str, ...]]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    out = StringIO()
    listed = Table(*COLUMNS, box=SIMPLE_HEAD, show_edge=False)
    for row in rows:
        listed.add_row(*row)
    Console(file=out, width=110, color_system=None).print(listed)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
