"""`auditor compare`: many attempts in; what they share, side by side, out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import typer

from auditor import registry, tree
from auditor.cli.audit_command import ORDER
from auditor.cli.progress import Progress
from auditor.cli.rule_commands import RULES
from auditor.comparing import Comparison
from auditor.comparison import compare
from auditor.likeness import reading
from auditor.likeness.reading import Reader, Reading
from auditor.models import VerdictName
from auditor.pool import Pool
from harness import environment as environments
from harness.errors import UsageError
from reports import compared

FEW = 8
"""Attempts that are read sooner than further processes have started."""
GIVEN = ("start", "instructions.md", "score.py", "classic_scorer.py")
"""What of an environment's folder reaches those who work at it."""


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    paths: tuple[Path, ...]
    start: Path | None
    corpus: tuple[Path, ...]
    format: str
    fail_on: str


def run(request: Request) -> int:
    """Compares the attempts, prints what they share and returns the exit code."""
    _require(request)
    earlier = list(chain.from_iterable(map(reading.corpus, request.corpus)))
    reader = Reader(_given(), request.start)
    with Progress(len(request.paths) + len(earlier)) as progress:
        found = list(_readings([*request.paths, *earlier], reader, progress))
        for item in found:
            if item.error:
                progress.warn(item.error)
        progress.say("comparing all pairs")
        asked = len(request.paths)
        rules = registry.load(RULES, registry.COMMON)
        result = compare(found[:asked], found[asked:], rules, reader)
    typer.echo(compared.render(result) if request.format == "text" else compared.line(result))
    return exit_code(result, request.fail_on)


def exit_code(result: Comparison, fail_on: str) -> int:
    """Returns 2 where a path could not be read, else 1 found, 3 inconclusive, 0 nothing."""
    if any(item.error for item in result.attempts):
        return 2
    if fail_on == "never" or result.verdict is VerdictName.CLEAN:
        return 0
    if result.verdict is VerdictName.INCONCLUSIVE:
        return 3
    return int(ORDER.index(result.verdict) >= ORDER.index(VerdictName(fail_on)))


def _readings(paths: Sequence[Path], reader: Reader, progress: Progress) -> Iterator[Reading]:
    if len(paths) <= FEW:
        for path in paths:
            progress.start(path)
            yield reader(path)
        return
    with Pool(reader, reader.lost) as pool:
        results = pool.run(paths)
        for path in paths:
            progress.start(path)
            yield next(results)


def _given() -> dict[str, str]:
    """The texts that come with the tasks of this project: whoever works at one has them."""
    found: dict[str, str] = {}
    for environment in environments.shipped():
        for name in GIVEN:
            path = environment.root / name
            if path.exists():
                texts = tree.read(path).texts
                found |= {f"{environment.name}/{name}/{key}": text for key, text in texts.items()}
    return found


def _require(request: Request) -> None:
    paths = [path.absolute() for path in request.paths]
    if len(paths) < 2 and not request.corpus:
        raise UsageError(
            "One attempt alone cannot be compared.",
            hint="Name two or more, or a folder of earlier work with --corpus.",
        )
    again = [path for path, count in Counter(paths).items() if count > 1]
    if again:
        raise UsageError(f"{again[0]} is named twice.", hint="Name each attempt once.")
    if request.start is not None and not request.start.exists():
        raise UsageError(
            f"The start {request.start} does not exist.",
            hint="Name what the attempts were given, a folder or a file.",
        )
