"""The leaderboard as tables for a terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.board import Board, Budget, Competitor, Estimate, Reference, Standing
from harness.cli.duration import written
from harness.published import suite
from harness.results import FULL, Distinct, Result
from reports.plain import plain

_WORDS = ("attempt", "by", "task", "best split", "others", "agents")
"""Columns of text, which may be broken; numbers may not."""


def show(board: Board) -> None:
    """Prints the board on stdout."""
    console = Console()
    for part in _parts(board, console.width):
        console.print(part)
        console.print()


def _parts(board: Board, width: int) -> Iterator[RenderableType]:
    yield from _attempts(board, width)
    for one in board.competitors:
        yield _competitor(one, board)
    if board.published:
        yield _published(board.published)
    if notes := list(_notes(board)):
        yield Text("\n".join(notes), "dim")


def _attempts(board: Board, width: int) -> Iterator[Table]:
    """Columns that would be empty are left out: a terminal is narrow."""
    folder = _shared([one.attempt for one in board.attempts])
    title = f"Attempts in {plain(folder)}" if folder else "Attempts"
    columns: dict[str, Callable[[Result], str]] = {
        "attempt": lambda one: plain(one.attempt[len(folder) :]),
        "by": lambda one: plain(one.by),
        "task": lambda one: plain(one.task),
        "claimed": _claimed,
        "norm.": lambda one: _number(one.claimed.normalised),
        "again": lambda one: _number(one.remeasured.raw),
        "hidden": lambda one: _number(one.hidden.raw),
        "h. norm.": lambda one: _number(one.hidden.normalised),
        "people": lambda one: _percentile(one.percentile, one.profile),
        "entries": lambda one: str(one.entries),
        "invalid": lambda one: str(one.invalid or "-"),
        "per hour": lambda one: _number(one.entries_per_hour, 1),
        "approaches": lambda one: _distinct(one.approaches),
    }
    cells = {name: [cell(one) for one in board.attempts] for name, cell in columns.items()}
    shown = [name for name in cells if name in _WORDS or any(text != "-" for text in cells[name])]
    for names in _parted(shown, cells, width):
        made = _table(*names, title=title)
        for row in zip(*(cells[name] for name in names), strict=True):
            _add(made, *row)
        yield made
        title = ""


def _parted(
    names: Sequence[str], cells: Mapping[str, Sequence[str]], width: int
) -> Iterator[list[str]]:
    """Parts columns so that each part fits; all but the first begin with the attempt again."""
    part = [name for name in names if name in _WORDS]
    room = width - 12 * len(part)
    for name in names:
        if name in _WORDS:
            continue
        needed = 2 + max(map(len, (name, *cells[name])))
        if needed > room and part != names[:1]:
            yield part
            part, room = [names[0]], width - 24
        part.append(name)
        room -= needed
    yield part


def _competitor(one: Competitor, board: Board) -> Group:
    tasks = _table(
        "task", "attempts", "mean", "best", "people", "per hour", "approaches",
        title=f"{plain(one.by)}: {board.score}, normalised",
    )  # fmt: skip
    for standing in one.standings:
        _add(
            tasks,
            plain(standing.task),
            _attempted(standing),
            _number(standing.mean),
            _number(standing.best),
            _percentile(standing.percentile, standing.profile),
            _number(standing.entries_per_hour, 1),
            _distinct(standing.approaches),
        )
    runs = _table(
        "k", "score@k, subsets", "score@k, draws", title="Best of k runs, mean over tasks"
    )
    for at in one.score_at_k:
        _add(runs, str(at.k), _estimate(at.subsets), _estimate(at.draws))
    time = _table("total", "best split", "score", "others", title="Best use of time")
    for budget in one.budgets:
        _add(time, *_budget(budget))
    return Group(tasks, *([runs] if one.score_at_k else ()), time)


def _published(references: Sequence[Reference]) -> Table:
    made = _table(
        "task", "start", "reference", "ceiling", "people", "best", "median", "agents",
        title="Published (RE-Bench), normalised",
    )  # fmt: skip
    for one in references:
        people = one.people
        agents = (f"{plain(run.agent)} {run.normalised:.2f}" for run in one.agents)
        _add(
            made,
            one.environment,
            _number(one.start),
            _number(one.reference),
            f"{one.ceiling[0]:.2f} to {one.ceiling[1]:.2f}",
            str(len(people)) if people else "rows not public",
            _number(people[0] if people else None),
            _number(people[len(people) // 2] if people else None),
            "; ".join(agents),
        )
    return made


def _notes(board: Board) -> Iterator[str]:
    if any(one.percentile is not None for one in board.attempts):
        yield "people: how many published runs of people are worse, in per cent."
    if any(one.profile != FULL and one.percentile is not None for one in board.attempts):
        yield "~ people worked at the paper's scale; another profile compares with them loosely."
    if any(not one.known for one in board.attempts):
        yield "? this host did not write that log: anybody may have signed it."
    if any(one.imported for one in board.attempts):
        yield "* imported: what somebody else recorded; nobody here has measured it."
    if any(one.late for one in board.attempts):
        yield "> the entry came after the time budget."
    if board.invalid == "drop" and any(one.without_score for one in board.competitors):
        yield "Attempts without a score are left out of means; `--invalid start` counts the start."
    if board.published:
        rates = suite().scores_per_hour
        told = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        yield f"Published scores per hour: {told}."


def _shared(paths: Sequence[str]) -> str:
    """Returns the folder that all paths begin with; empty where they share none."""
    folders = {path.rpartition("/")[0] for path in paths}
    return f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""


def _table(*columns: str, title: str) -> Table:
    made = Table(
        title=Text(title, "bold") if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for name in columns:
        words = name in _WORDS
        made.add_column(
            name,
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=not words,
            min_width=8 if words else None,
        )
    return made


def _add(table: Table, *cells: str) -> None:
    """Adds a row of plain text: names of strangers are no markup."""
    table.add_row(*map(Text, cells))


def _claimed(one: Result) -> str:
    if one.claimed.raw is None:
        return "invalid" if one.entries else "no entry"
    return _number(one.claimed.raw) + ">" * one.late + "?" * (not one.known) + "*" * one.imported


def _attempted(standing: Standing) -> str:
    lacking = standing.without_score
    return f"{standing.attempts}" + (f" ({lacking} without)" if lacking else "")


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percentile(value: float | None, profile: str) -> str:
    return "-" if value is None else f"{'' if profile == FULL else '~'}{value:.0f} %"


def _distinct(found: Distinct | None) -> str:
    if found is None or found.share is None:
        return "-"
    return f"{found.distinct}/{found.looked_at}"


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return "too few runs"
    if found.low is None or found.high is None:
        return f"{found.score:.3f}"
    return f"{found.score:.3f} ({found.low:.3f} to {found.high:.3f})"


def _budget(budget: Budget) -> tuple[str, str, str, str]:
    others = [
        f"{one.runs} × {written(one.length_s)}: {_estimate(one.estimate)}"
        for one in budget.splits
        if one != budget.best
    ]
    best = budget.best
    split = f"{best.runs} × {written(best.length_s)}" if best else "too few runs"
    return (
        written(budget.total_s),
        split,
        _estimate(best.estimate) if best else "-",
        "; ".join(others) or "-",
    )
