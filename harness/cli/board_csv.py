"""The leaderboard as CSV: one line per attempt, per agent, task and k, or per split of a total."""

import csv
import io
from collections.abc import Iterator
from typing import Literal

from harness.board import AtK, Board, Estimate
from harness.results import Distinct, Result
from reports.plain import plain

Rows = Literal["attempts", "agents", "budgets"]
Cell = str | float | int | bool | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would execute."""
COLUMNS: dict[Rows, tuple[str, ...]] = {
    "attempts": (
        "attempt", "by", "environment", "profile", "claimed", "claimed_normalised", "remeasured",
        "remeasured_normalised", "hidden", "hidden_normalised", "percentile", "entry", "late",
        "entries", "invalid", "budget_s", "lasted_s", "entries_per_hour", "approaches",
        "approaches_looked_at", "known", "imported", "error",
    ),
    "agents": (
        "by", "task", "attempts", "without_score", "mean", "best", "percentile",
        "entries_per_hour", "approaches", "approaches_looked_at", "k", "subsets", "subsets_low",
        "subsets_high", "draws", "draws_low", "draws_high",
    ),
    "budgets": ("by", "total_s", "runs", "length_s", "available", "score", "low", "high", "best"),
}  # fmt: skip
"""A task that is empty stands for all of an agent's."""


def table(board: Board, rows: Rows = "attempts") -> str:
    """Returns the lines as CSV; attempts that could not be read are at their end."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS[rows], lineterminator="\n")
    writer.writeheader()
    for row in _ROWS[rows](board):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _attempts(board: Board) -> Iterator[dict[str, Cell]]:
    yield from map(_row, board.attempts)
    for failure in board.failures:
        yield {"attempt": failure.attempt, "error": failure.error}


def _agents(board: Board) -> Iterator[dict[str, Cell]]:
    for one in board.competitors:
        over_all: dict[str, Cell] = {
            "by": one.by, "task": "", "attempts": one.attempts,
            "without_score": one.without_score, "entries_per_hour": one.entries_per_hour,
        }  # fmt: skip
        yield from ({**over_all, "mean": one.mean, **_at(at)} for at in one.score_at_k)
        for standing in one.standings:
            facts: dict[str, Cell] = {
                "by": one.by, "task": standing.task, "attempts": standing.attempts,
                "without_score": standing.without_score, "mean": standing.mean,
                "best": standing.best, "percentile": standing.percentile,
                "entries_per_hour": standing.entries_per_hour, **_distinct(standing.approaches),
            }  # fmt: skip
            yield from ({**facts, **_at(at)} for at in standing.score_at_k)
            if not standing.score_at_k:
                yield facts


def _budgets(board: Board) -> Iterator[dict[str, Cell]]:
    for one in board.competitors:
        for budget in one.budgets:
            for split in budget.splits:
                yield {
                    "by": one.by, "total_s": budget.total_s, "runs": split.runs,
                    "length_s": split.length_s, "available": split.available,
                    "best": split == budget.best,
                    **_bounds(split.estimate, "score", "low", "high"),
                }  # fmt: skip


_ROWS = {"attempts": _attempts, "agents": _agents, "budgets": _budgets}


def _at(at: AtK) -> dict[str, Cell]:
    return {
        "k": at.k,
        **_bounds(at.subsets, "subsets", "subsets_low", "subsets_high"),
        **_bounds(at.draws, "draws", "draws_low", "draws_high"),
    }


def _bounds(found: Estimate | None, *names: str) -> dict[str, Cell]:
    if found is None:
        return {}
    return dict(zip(names, (found.score, found.low, found.high), strict=True))


def _distinct(found: Distinct | None) -> dict[str, Cell]:
    if found is None:
        return {}
    return {"approaches": found.distinct, "approaches_looked_at": found.looked_at}


def _row(result: Result) -> dict[str, Cell]:
    values = {
        name: cell
        for basis in ("claimed", "remeasured", "hidden")
        for value in (getattr(result, basis),)
        for name, cell in ((basis, value.raw), (f"{basis}_normalised", value.normalised))
    }
    names = (
        "attempt", "by", "environment", "profile", "percentile", "entry", "late", "entries",
        "invalid", "budget_s", "lasted_s", "entries_per_hour", "known", "imported",
    )  # fmt: skip
    row = {name: getattr(result, name) for name in names}
    return {**row, **values, **_distinct(result.approaches)}


def _cell(value: Cell) -> Cell:
    """What a spreadsheet shows and never executes."""
    if not isinstance(value, str):
        return value
    shown = plain(value, 4_000)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
