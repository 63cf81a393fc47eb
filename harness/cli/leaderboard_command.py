"""`harness leaderboard`: many attempts in, one board out; a broken one harms no other."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import typer

from harness import environment as environments
from harness import origin
from harness.approaches import MOST, added, distinct
from harness.attempt import AttemptFolder
from harness.board import Board, Failure, Invalid
from harness.cli.board_csv import Rows, table
from harness.cli.duration import seconds
from harness.cli.refusal import lines, shown
from harness.environment import Environment
from harness.errors import HarnessError, UsageError, unusable
from harness.files import write_atomic
from harness.leaderboard import BUDGETS_S, KS, Choice, board
from harness.ranking import Estimator
from harness.results import Basis, Distinct, Result, read, sources
from reports.plain import plain

T = TypeVar("T")

ENTRIES = 50
"""Of one attempt, that are compared with each other."""
LARGEST_K = 10_000


@dataclass(frozen=True)
class Request:
    """What a person asked for."""

    format: Literal["text", "csv", "json"]
    rows: Rows
    """Of CSV."""
    plots: Path | None
    choice: Choice
    environments: Sequence[str]
    """Names or folders, for attempts whose environment this host does not know."""
    approaches: bool


def choice(
    basis: Basis, invalid: Invalid, estimator: Estimator, budgets: str | None, ks: str | None
) -> Choice:
    """Returns what is compared, from words of the command line.

    Raises:
        UsageError: a word is not a duration, or not a number.
    """
    return Choice(
        basis=basis,
        invalid=invalid,
        estimator=estimator,
        budgets_s=_durations(budgets) if budgets is not None else BUDGETS_S,
        ks=sorted(set(map(_count, ks.split(",")))) if ks is not None else KS,
    )


def run(paths: Sequence[Path], request: Request) -> int:
    """Prints the board; returns 0, or 2 where an attempt could not be read."""
    if request.plots:
        request.plots.mkdir(parents=True, exist_ok=True)
    reader = _Reader(request)
    found = list(_attempts(paths))
    results = [one for path in _followed(found) if (one := reader.read(path))]
    if not results and len(reader.errors) == 1:
        raise reader.errors[0]
    for failure in reader.failures:
        typer.secho(plain(f"{failure.attempt}: {failure.error}"), err=True, fg=typer.colors.RED)
    made = board(
        results,
        request.choice,
        approaches=reader.approaches if request.approaches else None,
        failures=reader.failures,
    )
    _print(made, request)
    if request.plots:
        _draw(made, request.plots)
    return 2 if reader.failures else 0


def _durations(text: str) -> list[float]:
    found = sorted({seconds(word) for word in text.split(",")})
    if not found or found[0] <= 0:
        raise UsageError(f"{text!r} holds no time at all.", hint="Write for example 30m,2h,8h.")
    return found


def _count(text: str) -> int:
    if not text.strip().isascii() or not text.strip().isdigit() or not 1 <= int(text) <= LARGEST_K:
        raise UsageError(
            f"{text!r} is no number of runs.", hint=f"Write for example 1,4,16; up to {LARGEST_K}."
        )
    return int(text)


def _attempts(paths: Iterable[Path]) -> Iterator[Path]:
    """Yields the paths; a folder of attempts stands for those in it."""
    for path in paths:
        inside = [] if (path / "attempt.json").exists() else sorted(path.glob("*/attempt.json"))
        yield from (one.parent for one in inside) if inside else (path,)


def _followed(paths: Sequence[Path]) -> Iterable[Path]:
    """Shows how far reading is, where somebody watches."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(
        paths, "reading attempts", console=console, transient=True, disable=not console.is_terminal
    )


class _Reader:
    """Reads attempts and, later again, the solutions they ended with."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._named = {one.name: one for one in map(environments.find, request.environments)}
        self._opened: dict[str, tuple[AttemptFolder, Environment]] = {}
        self.failures: list[Failure] = []
        self.errors: list[HarnessError] = []

    def read(self, path: Path) -> Result | None:
        """Returns what an attempt came to; notes why not where that cannot be said."""
        try:
            name = shown(path)
            folder = AttemptFolder.open(path)
            task = self._environment(folder)
            result = read(name, folder, task, self._request.choice.basis)
            self._opened[name] = folder, task
            if not self._request.approaches:
                return result
            return result.model_copy(update={"approaches": self._tried(folder, task)})
        except OSError as error:
            self._failed(path, unusable(error))
        except HarnessError as error:
            self._failed(path, error)
        return None

    def approaches(self, results: Sequence[Result]) -> Distinct:
        """Counts approaches among the solutions that attempts ended with."""
        ended = [one for one in results if one.entry is not None]
        solutions = []
        for one in _some(ended, MOST):
            folder, task = self._opened[one.attempt]
            lines = folder.score_log().lines
            solutions.append(_solution(folder, task, lines[one.entry or 0].commit))
        return Distinct(looked_at=len(solutions), distinct=len(set(distinct(solutions))))

    def _tried(self, folder: AttemptFolder, task: Environment) -> Distinct:
        """Counts approaches among entries; those with the same snapshot are one."""
        commits = list(dict.fromkeys(line.commit for line in folder.score_log().lines))
        solutions = [_solution(folder, task, commit) for commit in _some(commits, ENTRIES)]
        return Distinct(looked_at=len(solutions), distinct=len(set(distinct(solutions))))

    def _environment(self, folder: AttemptFolder) -> Environment:
        attempt = folder.attempt()
        named = self._named.get(attempt.environment)
        return origin.find(attempt, str(named.root) if named else None)

    def _failed(self, path: Path, error: HarnessError) -> None:
        self.errors.append(error)
        self.failures.append(Failure(attempt=shown(path), error=" ".join(lines(error))))


def _solution(folder: AttemptFolder, task: Environment, commit: str) -> Counter[str]:
    places = task.facts.workspace
    start = sources(folder, places, folder.attempt().start_commit)
    return added(sources(folder, places, commit), start)


def _some(items: Sequence[T], most: int) -> Sequence[T]:
    """Returns at most so many of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[number * (len(items) - 1) // (most - 1)] for number in range(most)]


def _print(made: Board, request: Request) -> None:
    if request.format == "json":
        typer.echo(json.dumps(made.model_dump(mode="json"), allow_nan=False))
    elif request.format == "csv":
        typer.echo(table(made, request.rows), nl=False)
    else:
        from harness.cli.board_views import show

        show(made)


def _draw(made: Board, folder: Path) -> None:
    from harness.cli.board_plots import pictures

    for name, content in pictures(made):
        write_atomic(folder / f"{name}.svg", content)
        typer.secho(f"· {plain(str(folder / name))}.svg", err=True, dim=True)
