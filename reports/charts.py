"""Pictures as inline SVG: drawn by matplotlib, coloured by the page that shows them.

matplotlib writes fixed colours into style attributes. Here each colour stands for a variable of
the page's style sheet, so that a picture follows light, dark and print, and each style becomes a
class, so that a page needs no inline style.
"""

import importlib.util
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from reports.plain import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "ink": "#010101",
    "soft": "#020202",
    "line": "#030303",
    "paper": "#040404",
    "claimed": "#050505",
    "remeasured": "#060606",
    "hidden": "#070707",
    "bad": "#080808",
    "good": "#090909",
}
"""Stand-ins, one per variable of the style sheet; no picture uses another colour."""
WIDE, NARROW = (8.6, 3.4), (3.7, 3.3)
"""Inches: for a desktop and for a phone, where the text keeps its size."""
ROW = 0.3
"""Inches of a line in a picture that has lines."""
_STYLE = re.compile(r'style="([^"]*)"')
_HEAD = re.compile(
    r"^.*?(?=<svg)|<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*<style.*?</defs>", re.S
)
_ID = re.compile(r'(\bid="|href="#|url\(#)')

LARGEST = 1e12
"""What is drawn of larger figures, which an attempt may claim: scales end near 1e308."""
Draw = Callable[["Figure", bool], None]


def drawable(value: object) -> float | None:
    """Returns a figure as it can be drawn; None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(max(-LARGEST, min(value, LARGEST)))


def available() -> bool:
    """Returns whether matplotlib is installed; without it a report has tables alone."""
    return importlib.util.find_spec("matplotlib") is not None


@dataclass
class Sheet:
    """The pictures of one page; their styles are shared."""

    _classes: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def css(self) -> str:
        """Returns the rules that the pictures need."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._classes.items())

    def picture(self, title: str, draw: Draw, *, rows: int = 0) -> Markup:
        """Returns a picture for wide pages and one for phones, of which a page shows one.

        Args:
            title: what it shows, for those who cannot see it.
            draw: draws into a figure; told whether it is narrow.
            rows: lines that it has, where its height depends on them.
        """
        pictures = (self._svg(title, draw, narrow, rows) for narrow in (False, True))
        return Markup("").join(pictures)

    def _svg(self, title: str, draw: Draw, narrow: bool, rows: int) -> Markup:
        import matplotlib

        matplotlib.use("svg")
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its caches
        from matplotlib.figure import Figure

        settings: dict[Any, Any] = {
            "svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 9,
            "text.color": COLOURS["ink"], "axes.labelcolor": COLOURS["ink"],
            "axes.edgecolor": COLOURS["soft"], "xtick.color": COLOURS["soft"],
            "ytick.color": COLOURS["soft"], "grid.color": COLOURS["line"],
            "axes.facecolor": "none", "figure.facecolor": "none", "text.parse_math": False,
            "axes.spines.top": False, "axes.spines.right": False, "savefig.transparent": True,
        }  # fmt: skip
        out = StringIO()
        with matplotlib.rc_context(settings), warnings.catch_warnings():
            # A sign that the font lacks is measured as another; the page shows it all the same.
            warnings.simplefilter("ignore")
            width, height = NARROW if narrow else WIDE
            height = ROW * rows + 1.1 if rows else height
            figure = Figure(figsize=(width, height), layout="constrained")
            draw(figure, narrow)
            figure.savefig(out, format="svg", metadata={"Date": None})
        self._count += 1
        text = self._own(_HEAD.sub("", out.getvalue()), f"p{self._count}-")
        kind = "narrow" if narrow else "wide"
        label = str(Markup.escape(plain(title)))
        start = f'<svg class="{kind}" role="img" aria-label="{label}" '
        # Every text in the picture was written by matplotlib, which escapes it.
        return Markup(text.replace("<svg ", start, 1))  # noqa: S704

    def _own(self, text: str, prefix: str) -> str:
        """Gives a picture names of its own, and classes and variables for styles."""
        text = _ID.sub(lambda found: f"{found[1]}{prefix}", text)
        text = re.sub(r'(<svg\b[^>]*?)\swidth="[^"]*"', r"\1", text, count=1)
        text = re.sub(r'(<svg\b[^>]*?)\sheight="[^"]*"', r"\1", text, count=1)
        text = text.replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "", 1)
        text = text.replace("xlink:href", "href")
        return _STYLE.sub(lambda found: f'class="{self._class(found[1])}"', text).strip()

    def _class(self, style: str) -> str:
        for name, colour in COLOURS.items():
            style = style.replace(colour, f"var(--{name})")
        style = re.sub(r"'[^']*'|\bDejaVu Sans\b", "inherit", style)
        return self._classes.setdefault(style, f"s{len(self._classes)}")


class Series(NamedTuple):
    """Scores of entries: one kind of measurement."""

    name: str
    points: Sequence[tuple[int, float]]


class Level(NamedTuple):
    """A score that others are compared with."""

    name: str
    value: float


@dataclass(frozen=True)
class Timeline:
    """Scores over the entries of an attempt."""

    label: str
    series: Sequence[Series]
    levels: Sequence[Level]
    convicted: Sequence[tuple[int, float]]
    """Entries on which the verdict is violation or cheating, at what they claimed."""

    def draw(self, figure: "Figure", narrow: bool) -> None:
        """Draws it; told apart by form as well as by colour."""
        axes = figure.add_subplot()
        many = max((len(item.points) for item in self.series), default=0) > 40
        forms = {"claimed": "o", "remeasured": "D", "hidden": "s"}
        for item in self.series:
            axes.plot(
                [x for x, _ in item.points], [y for _, y in item.points],
                marker=forms[item.name], markersize=3 if many else 6, label=item.name,
                color=COLOURS[item.name], linewidth=1, zorder=3,
                linestyle="-" if item.name == "claimed" else "none",
                markerfacecolor=COLOURS[item.name] if item.name == "claimed" else "none",
            )  # fmt: skip
        if self.convicted:
            axes.plot(
                [x for x, _ in self.convicted], [y for _, y in self.convicted], linestyle="none",
                marker="x", markersize=7 if many else 12, markeredgewidth=2, color=COLOURS["bad"],
                label="convicted", zorder=4,
            )  # fmt: skip
        dashes = {"start": (6, 3), "reference": (2, 2), "physics": (1, 3)}
        for level in self.levels:
            axes.axhline(
                level.value, color=COLOURS["ink"], linewidth=1, label=level.name,
                dashes=dashes[level.name],
            )  # fmt: skip
        _whole_numbers(axes)
        places = [x for item in self.series for x, _ in item.points]
        axes.set_xlim(min(places) - 0.5, max(places) + 0.5)
        axes.set_xlabel("score entry")
        axes.set_ylabel(plain(self.label, 60))
        axes.grid(axis="y", linewidth=0.5)
        figure.legend(loc="outside upper left", ncols=3 if narrow else 6, frameon=False, fontsize=8)


@dataclass(frozen=True)
class Bars:
    """A figure per tensor: how far it is from what an honest solution gives."""

    values: Mapping[str, float]
    honest: tuple[float, float]
    """The lowest and the highest that honest solutions give."""
    label: str

    def draw(self, figure: "Figure", narrow: bool) -> None:
        """Draws it, the tensors furthest from the honest first."""
        axes = figure.add_subplot()
        low, high = self.honest
        names = list(self.values)
        values, places = list(self.values.values()), range(len(names))
        near = [min(max(value, low), high) for value in values]
        axes.hlines(places, near, values, color=COLOURS["bad"], linewidth=2)
        axes.plot(values, places, linestyle="none", marker="o", markersize=6, color=COLOURS["bad"])
        axes.axvline(low, color=COLOURS["good"], linewidth=2, label="an honest solution")
        if high > low:
            axes.axvspan(low, high, color=COLOURS["good"], alpha=0.3)
        cut = 18 if narrow else 40
        shown = [name if len(name) <= cut else f"…{name[1 - cut :]}" for name in names]
        axes.set_yticks(places, shown)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.margins(x=0.1)
        axes.set_xlabel(fill(plain(self.label, 110), 36 if narrow else 110))
        figure.legend(loc="outside upper left", frameon=False, fontsize=8)


class Shift(NamedTuple):
    """A mean before and after vetting, on the scale where the start is 0 and the reference 1."""

    name: str
    claimed: float | None
    counted: float | None
    worst: float | None
    """If every open question is answered against the attempts."""


@dataclass(frozen=True)
class Effects:
    """What vetting makes of each headline."""

    shifts: Sequence[Shift]

    def draw(self, figure: "Figure", narrow: bool) -> None:
        """Draws an arrow from the claim to what counts."""
        axes = figure.add_subplot()
        for at, item in enumerate(self.shifts):
            known = [v for v in (item.claimed, item.counted, item.worst) if v is not None]
            axes.plot([min(known), max(known)], [at, at], color=COLOURS["line"], linewidth=3)
        for name, form, filled in (("claimed", "o", False), ("counted", "o", True),
                                   ("worst", "|", True)):  # fmt: skip
            points = [
                (value, at)
                for at, item in enumerate(self.shifts)
                if (value := getattr(item, name)) is not None
            ]
            colour = COLOURS["claimed" if name == "claimed" else "ink"]
            label = "if all open ones fall" if name == "worst" else name
            axes.plot(
                [x for x, _ in points], [y for _, y in points], linestyle="none", marker=form,
                markersize=10 if name == "worst" else 7, color=colour, label=label,
                markerfacecolor=colour if filled else COLOURS["paper"], zorder=3,
            )  # fmt: skip
        for at, word in ((0, "start"), (1, "reference")):
            axes.axvline(at, color=COLOURS["soft"], linewidth=1, dashes=(2, 2), zorder=1)
            axes.annotate(
                word, (at, 1), xycoords=("data", "axes fraction"), fontsize=7, ha="center",
                va="bottom", color=COLOURS["soft"],
            )  # fmt: skip
        _names(axes, [item.name for item in self.shifts], narrow)
        axes.set_xlabel("mean; start 0, reference 1")
        figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)


@dataclass(frozen=True)
class Rates:
    """Shares with their intervals."""

    rows: Sequence[tuple[str, float, float, float]]
    """Name, share, lower and upper bound."""

    def draw(self, figure: "Figure", narrow: bool) -> None:
        """Draws a point and its interval on a line each."""
        axes = figure.add_subplot()
        for at, (_, value, low, high) in enumerate(self.rows):
            axes.plot([100 * low, 100 * high], [at, at], color=COLOURS["bad"], linewidth=2)
            axes.plot([100 * value], [at], marker="o", color=COLOURS["bad"], markersize=6)
        _names(axes, [name for name, *_ in self.rows], narrow)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("cheating, % of attempts")
        axes.grid(axis="x", linewidth=0.5)


class Edge(NamedTuple):
    """Something passes from one thing to another."""

    source: str
    target: str
    how: str


@dataclass(frozen=True)
class Graph:
    """Files and programs, from left to right as data passes."""

    edges: Sequence[Edge]
    programs: frozenset[str]
    marked: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """Lines of its tallest column, twice as high as those of bars."""
        return 2 * int(max((y for _, y in self._places().values()), default=0)) + 2

    def draw(self, figure: "Figure", narrow: bool) -> None:
        """Draws it in columns: a thing stands right of everything that it came from."""
        axes = figure.add_subplot()
        axes.set_axis_off()
        places = self._places()
        cut = 16 if narrow else 34
        for edge in self.edges:
            (x, y), (u, v) = places[edge.source], places[edge.target]
            axes.plot([x, u], [y, v], color=COLOURS["soft"], linewidth=1, zorder=1)
            # Its head stands in the middle, where no box can hide it.
            at, to = (x + 0.46 * (u - x), y + 0.46 * (v - y)), ((x + u) / 2, (y + v) / 2)
            axes.annotate(
                "", xy=to, xytext=at, zorder=2,
                arrowprops={"arrowstyle": "-|>", "color": COLOURS["soft"], "shrinkA": 0,
                            "shrinkB": 0},
            )  # fmt: skip
            axes.annotate(
                edge.how[:12], xy=to, xytext=(0, 4), textcoords="offset points", fontsize=7,
                ha="center", va="bottom", color=COLOURS["soft"], zorder=2,
            )  # fmt: skip
        for name, (x, y) in places.items():
            text = name if len(name) <= cut else f"…{name[1 - cut :]}"
            box = "round4" if name in self.programs else "square"
            edge_colour = COLOURS["bad"] if name in self.marked else COLOURS["soft"]
            axes.text(
                x, y, text, ha="center", va="center", fontsize=7 if narrow else 8, zorder=3,
                bbox={"boxstyle": f"{box},pad=0.4", "facecolor": COLOURS["paper"],
                      "edgecolor": edge_colour},
            )  # fmt: skip
        columns = max((x for x, _ in places.values()), default=0)
        rows = max((y for _, y in places.values()), default=0)
        axes.set_xlim(-0.5, columns + 0.5)
        axes.set_ylim(rows + 0.5, -0.5)

    def _places(self) -> dict[str, tuple[float, float]]:
        column = _columns(self.edges)
        height: dict[int, int] = {}
        for at in column.values():
            height[at] = height.get(at, 0) + 1
        tallest = max(height.values(), default=1)
        taken: dict[int, int] = {}
        places = {}
        for name, at in column.items():
            row = taken[at] = taken.get(at, -1) + 1
            places[name] = (float(at), row + (tallest - height[at]) / 2)
        return places


def _columns(edges: Iterable[Edge]) -> dict[str, int]:
    """Returns how many steps each thing is from where nothing leads to; circles are cut."""
    listed = list(edges)
    column = {name: 0 for edge in listed for name in (edge.source, edge.target)}
    for _ in range(min(len(column), 6)):
        for edge in listed:
            if edge.source != edge.target:
                column[edge.target] = max(column[edge.target], min(column[edge.source] + 1, 6))
    used = sorted(set(column.values()))
    return {name: used.index(at) for name, at in column.items()}


def _names(axes: "Axes", names: Sequence[str], narrow: bool) -> None:
    """Writes the names of lines, the first on top; long ones are cut in the middle."""
    cut = 20 if narrow else 46
    half = cut // 2
    listed = [plain(name, 200) for name in names]
    shown = [n if len(n) <= cut else f"{n[:half]}…{n[1 - half :]}" for n in listed]
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
