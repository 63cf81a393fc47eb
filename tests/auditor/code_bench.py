"""What reading code costs: a library beside `bandit`, and the many snapshots of one attempt."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from auditor import engine, registry
from auditor.code.program import entries
from auditor.evidence import code
from auditor.evidence.book import Book
from auditor.parts import code_rules
from auditor.registry import RuleSet
from auditor.unit import Unit
from harness import environment as environments
from harness.environment import Environment
from tests.auditor import libraries

SNAPSHOTS = 300
TUNED = "\nTUNED = {}\n"


class Cost(NamedTuple):
    """CPU seconds that the code of an attempt's snapshots took."""

    first: float
    others: float


def library(root: Path, count: int) -> int:
    """Copies files of the standard library into a folder; returns how many."""
    found = libraries.files(count, packages=())
    top = Path(libraries.library())
    for path in found:
        target = root / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(found)


def wall(command: Sequence[str | Path]) -> float:
    """Returns how long a command takes, whatever it says of the files."""
    began = time.perf_counter()
    subprocess.run(command, check=False, capture_output=True)
    return time.perf_counter() - began


def commands(root: Path) -> tuple[list[str | Path], list[str | Path]]:
    """Returns our command and bandit's, each to read a tree with all its rules."""
    ours = Path(sys.executable).with_name("auditor")
    bandit = Path(sys.executable).with_name("bandit")
    return (
        [ours, "audit", root, "--environment", "common", "--format", "json"],
        [bandit, "-q", "-r", root, "-f", "json"],
    )


def snapshots(distinct: int) -> Cost:
    """Reads the snapshots of an attempt at the kernel that changed five files, with all rules.

    Args:
        distinct: how many of the snapshots differ from the one before, each by one line.
    """
    task = environments.find("triton_cumsum")
    rules = registry.of(libraries.RULES, task)
    start = {"solution/solution.py": (task.root / "start/solution.py").read_text("utf-8")}
    seconds: list[float] = []
    before = start
    for entry, now in enumerate(_versions(task, distinct)):
        began = time.process_time()
        _read(task, rules, entry, now, start, before)
        seconds.append(time.process_time() - began)
        before = now
    return Cost(seconds[0], sum(seconds[1:]))


def _versions(task: Environment, distinct: int) -> Iterator[dict[str, str]]:
    """Yields the code of each snapshot."""
    tree = {
        f"solution/{path.name}": path.read_text("utf-8")
        for path in sorted((task.root / "reference").glob("*.py"))
    }
    while len(tree) < 5:
        tree[f"solution/tune_{len(tree)}.py"] = "\n\n".join(
            f"def tuned_{number}(values):\n    return [value + {number} for value in values]"
            for number in range(25)
        )
    names = sorted(tree)
    steps = {round(number * SNAPSHOTS / distinct) for number in range(1, distinct)}
    for number in range(SNAPSHOTS):
        if number in steps:
            name = names[number % len(names)]
            tree[name] = tree[name].split(TUNED.split("=")[0])[0] + TUNED.format(number)
        yield dict(tree)


def _read(
    task: Environment,
    rules: RuleSet,
    entry: int,
    now: dict[str, str],
    start: dict[str, str],
    before: dict[str, str],
) -> None:
    """What an audit does with the code of one snapshot."""
    book, commit = Book(), f"{entry:040x}"
    sources = code.compare(book, now, start, task.facts, entry, commit)
    code.note_hidden(book, code.hidden(sources, entries(task.facts)), entry, commit)
    code.note_edits(book, now, before, "previous", entry, commit)
    unit = Unit(
        entry=entry,
        evidence=book.about(entry),
        sources=sources,
        thresholds=rules.thresholds,
        facts=task.facts,
    )
    for rule in code_rules(rules):
        engine.check_one(rule, unit)
