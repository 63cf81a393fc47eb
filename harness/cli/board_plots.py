"""The leaderboard as pictures: one SVG each, the same bytes for the same board."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from harness.board import Board, Competitor, Estimate
from harness.cli.duration import written
from reports.plain import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (7.2, 4.0)
"""Inches."""
MOST = 12
"""Competitors with a line of their own."""
_TICKS_S = (10, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 57600, 115200)
_STYLE: Any = {
    "svg.hashsalt": "leaderboard",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "font.size": 9,
}
"""Names of agents are texts of strangers: not formulas, and kept as texts."""


def pictures(board: Board) -> Iterator[tuple[str, bytes]]:
    """Yields the pictures that a board has something for, by name."""
    competitors = [one for one in board.competitors if one.score_at_k][:MOST]
    if any(one.over_time for one in competitors):
        yield "score_over_time", _drawn(lambda axes: _over_time(axes, competitors))
    if competitors:
        yield "score_at_k", _drawn(lambda axes: _at_k(axes, board, competitors))
    if any(budget.best for one in competitors for budget in one.budgets):
        yield "time_budgets", _drawn(lambda axes: _budgets(axes, competitors))
    if any(one.value(board.score).normalised is not None for one in board.attempts):
        yield "attempts", _drawn(lambda axes: _attempts(axes, board))


def _drawn(draw: Callable[["Axes"], None]) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot())
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def _over_time(axes: "Axes", competitors: list[Competitor]) -> None:
    for one in competitors:
        if one.over_time:
            times = [point.elapsed_s for point in one.over_time]
            axes.plot(times, [point.score for point in one.over_time], label=plain(one.by, 40))
    _along_time(axes, _TICKS_S)
    axes.set(xlabel="time", ylabel="mean normalised score", title="Score over time")
    _landmarks(axes)
    axes.legend()


def _at_k(axes: "Axes", board: Board, competitors: list[Competitor]) -> None:
    subsets = board.estimator == "subsets"
    for one in competitors:
        found = [(at.k, at.subsets if subsets else at.draws) for at in one.score_at_k]
        known = [(k, estimate) for k, estimate in found if estimate]
        if known:
            _with_bounds(axes, [float(k) for k, _ in known], [e for _, e in known], one.by)
    axes.set_xticks(sorted({at.k for one in competitors for at in one.score_at_k}))
    axes.set(xlabel="k", ylabel="normalised score", title=f"Best of k runs ({board.estimator})")
    _landmarks(axes)
    axes.legend()


def _budgets(axes: "Axes", competitors: list[Competitor]) -> None:
    for one in competitors:
        best = [(b.total_s, b.best) for b in one.budgets if b.best and b.best.estimate]
        if not best:
            continue
        totals = [total for total, _ in best]
        _with_bounds(axes, totals, [b.estimate for _, b in best if b and b.estimate], one.by)
        for at, split in best:
            if split and split.estimate:
                words = f"{split.runs}×{written(split.length_s)}"
                axes.annotate(words, (at, split.estimate.score), fontsize=7, xytext=(3, 4),
                              textcoords="offset points")  # fmt: skip
    _along_time(axes, [budget.total_s for one in competitors for budget in one.budgets])
    axes.set(xlabel="time in total", ylabel="normalised score", title="Best use of time")
    _landmarks(axes)
    axes.legend()


def _attempts(axes: "Axes", board: Board) -> None:
    """Each attempt as a dot, by task, over what people and agents reached there."""
    tasks = list(dict.fromkeys(one.task for one in board.attempts))
    published = {one.environment: one for one in board.published}
    by = list(dict.fromkeys(one.by for one in board.attempts))
    for row, task in enumerate(tasks):
        facts = published.get(task.partition("/")[0])
        if facts and facts.people:
            axes.scatter(facts.people, [row + 0.2] * len(facts.people), marker="|", color="grey")
        if facts:
            scores = [run.normalised for run in facts.agents]
            axes.scatter(scores, [row + 0.2] * len(scores), marker="*", color="grey", s=25)
    for number, name in enumerate(by):
        dots = [
            (score, tasks.index(one.task))
            for one in board.attempts
            if one.by == name and (score := one.value(board.score).normalised) is not None
        ]
        if dots:
            axes.scatter(
                [score for score, _ in dots],
                [row for _, row in dots],
                s=22,
                color=f"C{number % 10}",
                zorder=3,
                label=plain(name, 40) if number < MOST else None,
            )
    axes.set_yticks(range(len(tasks)), [plain(task, 40) for task in tasks])
    axes.set_ylim(-0.6, len(tasks) - 0.4)
    axes.set(xlabel="normalised score", title="Attempts; grey: published people (|) and agents (★)")
    for at in (0.0, 1.0):
        axes.axvline(at, color="black", linewidth=0.8, linestyle=":")
    axes.legend()


def _along_time(axes: "Axes", marks_s: Iterable[float]) -> None:
    """Makes the horizontal axis one of durations, with a mark at those that are in sight."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    marks = sorted({mark for mark in marks_s if low <= mark <= high})
    axes.set_xticks(marks, [written(mark) for mark in marks])
    axes.set_xticks([], minor=True)


def _with_bounds(axes: "Axes", x: list[float], found: list[Estimate], by: str) -> None:
    line = axes.plot(x, [one.score for one in found], marker="o", markersize=3, label=plain(by, 40))
    low = [one.score if one.low is None else one.low for one in found]
    high = [one.score if one.high is None else one.high for one in found]
    axes.fill_between(x, low, high, color=line[0].get_color(), alpha=0.15, linewidth=0)


def _landmarks(axes: "Axes") -> None:
    """The reference is 1, the start 0."""
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.set_ylim(bottom=0)
