"""`make docs`: a page per rule and per environment, written from their sources."""

import inspect
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from auditor import catalogue, registry
from auditor.cli.rule_commands import RULES
from auditor.registry import COMMON, DATA, RuleSet, RuleSetFile
from auditor.rule import Example, Rule
from harness import environment as environments
from harness.environment import Environment
from harness.files import write_atomic
from harness.models import ProfileFacts

ROOT = RULES.parent
MADE = "Written by `make docs` from the source; change that instead."
HOWS = {"code": "read in the code", "run": "seen when it runs again", "trail": "seen in files"}


def main() -> None:
    """Writes every page that differs from what its source says, and removes those without one."""
    made = pages()
    for folder in ("rules", "environments"):
        for path in (ROOT / "docs" / folder).glob("*.md"):
            if path.relative_to(ROOT).as_posix() not in made:
                path.unlink()
    for name, text in made.items():
        path = ROOT / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode())


def pages() -> dict[str, str]:
    """Returns the text of every page that is written from a source, by its place."""
    rules = registry.load_all(RULES)
    tasks = list(environments.shipped())
    found = {
        "rules/README.md": catalogue.table(rules, "md") + "\n",
        "docs/README.md": _text(_index(rules, tasks)),
    }
    for rule in rules:
        found[f"docs/rules/{rule.code}.md"] = _text(_rule(rule, _home(rule)))
    for task in tasks:
        found[f"docs/environments/{task.name}.md"] = _text(_environment(task))
    return found


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _index(rules: RuleSet, tasks: Iterable[Environment]) -> Iterator[str]:
    yield from ("# Rules and environments", "", MADE, "", "## Environments", "")
    yield from _table(
        ("environment", "what is made", "metric"),
        (
            (f"[{task.name}](environments/{task.name}.md)", task.facts.title, task.facts.metric)
            for task in tasks
        ),
    )
    yield from ("", "## Rules", "")
    yield from _table(
        ("code", "this attempt shows …", "at most", "misdeed", "for"),
        (
            (f"[{rule.code}](rules/{rule.code}.md)", rule.name, rule.kind.value,
             rule.misdeed.replace("_", " "), _home(rule))
            for rule in rules
        ),
    )  # fmt: skip


def _rule(rule: Rule, home: str) -> Iterator[str]:
    yield from (f"# {rule.code} {rule.name}", "", MADE, "", _summary(rule), "")
    everywhere = home == COMMON
    yield from _table(
        ("at most", "misdeed", "severity", "confidence", "about", "proof", "applies to"),
        [
            (rule.kind.value, rule.misdeed.replace("_", " "), rule.severity.value,
             rule.confidence.value, f"one {rule.scope.value}", HOWS[rule.source],
             "everything" if everywhere else f"[{home}](../environments/{home}.md)")
        ],
    )  # fmt: skip
    for title, body in catalogue.sections(rule).items():
        yield from ("", f"## {title}", "", body)
    if rule.interventions:
        yield from ("", "## Settled by running again", "")
        yield ", ".join(f"`{name}`" for name in rule.interventions)
    if rule.needs:
        yield from ("", "## Says nothing without", "")
        yield ", ".join(f"`{kind}`" for kind in rule.needs)
    yield from _examples("Found", rule.cheat.items())
    yield from _examples("Not found", rule.honest.items())


def _examples(title: str, examples: Iterable[tuple[str, Example]]) -> Iterator[str]:
    """Yields every named example, the first in full: they are the rule's tests as well."""
    listed = list(examples)
    yield from ("", f"## {title}", "")
    yield from (f"- {name}" for name, _ in listed)
    name, example = listed[0]
    yield from ("", f"For example, {name}:", "", "````", example.shown().rstrip("\n"), "````")


def _environment(task: Environment) -> Iterator[str]:
    facts, workspace = task.facts, task.facts.workspace
    rules = registry.load(RULES, task.name)
    yield from (f"# {facts.title}", "", MADE, "")
    readme = f"../../environments/{task.name}/README.md"
    yield f"[What is measured, how it was cheated before, and every figure]({readme})"
    yield ""
    scored = {
        "program": "running code, so it can always be run again",
        "artefact": "a file made in hours of work",
    }[facts.kind]
    yield from _table(
        ("", ""),
        [
            ("name", f"`{task.name}`"),
            ("scored by", scored),
            ("metric", f"{facts.metric}, {facts.direction} is better"),
            ("counts", "the best entry" if facts.aggregate == "best" else "the last valid entry"),
            ("agent sees scores", "yes" if facts.score_visible else "no"),
            ("may be edited", _globs(workspace.editable)),
            ("protected", _globs((*workspace.protected, *workspace.restored))),
            ("must be written", _globs(workspace.outputs)),
            ("called by the scorer", _globs(workspace.entrypoints)),
            ("answers within reach", _globs(workspace.answers)),
        ],
    )
    yield from ("", "## Profiles", "")
    yield from _table(
        ("profile", "start (noise)", "reference (noise)", "budget", "hardware"),
        (_profile(name, item) for name, item in facts.profile.items()),
    )
    yield from ("", "```", f"harness new {task.name} my-attempt --profile tiny", "```", "")
    yield from ("## Interventions", "")
    yield from _table(
        ("name", "what is changed or removed", "on", "may show"),
        (
            (f"`{item.name}`", item.summary, "the hidden instance" if item.split == "test"
             else "the visible instance",
             "that what the task forbids was used" if item.forbidden
             else "that what is promised is not kept" if item.promised else "what it shows")
            for item in task.interventions()
        ),
    )  # fmt: skip
    yield from ("", "## Rules", "", "Required before anything is clean:", "")
    yield ", ".join(_link(code) for code in rules.required) or "none"
    own = [rule for rule in rules if _home(rule) == task.name]
    yield from ("", "Of this environment:", "")
    yield from _table(
        ("code", "this attempt shows …", ""),
        ((_link(rule.code), rule.name, _summary(rule)) for rule in own),
    )
    others = len(rules.rules) - len(own)
    yield from ("", f"And {others} that hold everywhere: see [all](../README.md).")
    yield from _thresholds(task.name)


def _thresholds(name: str) -> Iterator[str]:
    listed = [
        (f"`{key}`", f"{item.value:g}", item.why)
        for folder in (name, COMMON)
        for key, item in _data(folder).thresholds.items()
    ]
    if listed:
        yield from ("", "## Thresholds", "")
        yield from _table(("name", "value", "why"), listed)


def _data(folder: str) -> RuleSetFile:
    path = RULES / folder / DATA
    if not path.is_file():
        return RuleSetFile()
    return RuleSetFile.model_validate(tomllib.loads(path.read_text("utf-8")))


def _profile(name: str, item: ProfileFacts) -> tuple[str, ...]:
    scores = (
        "not measured" if score is None else f"{score.value:g} ({score.noise_sd:g})"
        for score in (item.start_score, item.reference_score)
    )
    return (f"`{name}`", *scores, f"{item.budget_s / 60:g} min", item.hardware)


def _globs(globs: Iterable[str]) -> str:
    return ", ".join(f"`{glob}`" for glob in globs) or "–"


def _link(code: str) -> str:
    return f"[{code}](../rules/{code}.md)"


def _summary(rule: Rule) -> str:
    return inspect.cleandoc(type(rule).__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _home(rule: Rule) -> str:
    """The folder that a rule lies in: an environment's name, or `common`."""
    return Path(inspect.getfile(type(rule))).parent.name


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = list(columns)
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
