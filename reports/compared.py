"""What attempts have in common: for a terminal, side by side, and for programs."""

import json
from collections.abc import Iterator
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from auditor.comparing import Comparison, Shared, SharedPassage
from auditor.models import VerdictName
from reports.plain import plain

WIDTH = 120
COLUMN = 56
PAIRS = 20
"""Pairs of a cluster that are shown; the others are counted."""
PASSAGES = 3
LINES = 14
GAPS = 20
HEADLINES = {
    VerdictName.CLEAN: "nothing that these attempts share is more than they were given",
    VerdictName.INCONCLUSIVE: "nothing was found, but not everything could be compared",
    VerdictName.SUSPECT: "attempts share work that none of them was given",
    VerdictName.VIOLATION: "attempts share work that none of them was given",
    VerdictName.CHEATING: "attempts share work that none of them was given",
}
VIEWS = {
    "tree": "of the smaller one's own syntax trees",
    "code": "of the smaller one's own code",
    "words": "of the smaller one's own words",
    "measured": "lines with a measured time",
    "decimals": "long decimals",
}


def line(comparison: Comparison) -> str:
    """Returns one line of JSON, in ASCII, without its end."""
    data = comparison.model_dump(mode="json")
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("##", "#\\u0023")  # some CI services obey this wherever it stands


def render(comparison: Comparison) -> str:
    """Returns the report as text."""
    out = StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, highlight=False, markup=False)
    for part in _parts(comparison):
        console.print(part)
    return "\n".join(text.rstrip() for text in out.getvalue().splitlines())


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    asked = [item for item in comparison.attempts if not item.corpus]
    yield Text(f"{comparison.verdict.upper()}: {HEADLINES[comparison.verdict]}.")
    yield Text(f"{len(asked)} attempts, {len(comparison.clusters)} clusters of like ones.")
    for item in comparison.attempts:
        if item.error:
            yield Text(plain(f"not read: {item.error}"))
    for number, cluster in enumerate(comparison.clusters):
        yield Text(f"\nCluster {number}: {len(cluster.attempts)} attempts")
        for name in cluster.attempts[:PAIRS]:
            yield Text(plain(f"  {name}"))
        yield from _more(len(cluster.attempts) - PAIRS, "attempts")
        for pair in cluster.pairs[:PAIRS]:
            yield from _pair(pair)
        yield from _more(len(cluster.pairs) - PAIRS, "pairs")
    if comparison.shared:
        yield Text("\nShared beside that")
        for pair in comparison.shared[:PAIRS]:
            yield from _pair(pair)
        yield from _more(len(comparison.shared) - PAIRS, "pairs")
    odd = [item.attempt for item in comparison.attempts if item.outlier]
    if odd:
        yield Text("\nUnlike all others (no fault in itself)")
        yield from (Text(plain(f"  {name}")) for name in odd[:PAIRS])
    gaps = comparison.coverage.get("gaps")
    if isinstance(gaps, list) and gaps:
        yield Text("\nNot looked at")
        yield from (Text(plain(f"  {gap}")) for gap in gaps[:GAPS])
        yield from _more(len(gaps) - GAPS, "gaps")


def _more(count: int, what: str) -> Iterator[Text]:
    if count > 0:
        yield Text(f"  and {count} more {what}")


def _pair(pair: Shared) -> Iterator[RenderableType]:
    figure = str(pair.marks) if pair.view in ("measured", "decimals") else f"{pair.share:.0%}"
    order = f"; {pair.later} had it later" if pair.later else ""
    weight = "" if pair.copied else " (accuses nobody)"
    told = f"{pair.one} and {pair.other} share {figure} {VIEWS[pair.view]}{order}{weight}"
    yield Text(f"  {plain(told)}")
    for passage in pair.passages[:PASSAGES]:
        yield Padding(_side_by_side(passage), (0, 0, 0, 2))


def _side_by_side(passage: SharedPassage) -> Table:
    heads = [
        f"{plain(item.path, COLUMN)}:{item.line}-{item.end}"
        + ("" if item.entry is None else f" (entry {item.entry})")
        for item in (passage.one, passage.other)
    ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads:
        table.add_column(Text(head), width=COLUMN, no_wrap=True)
    sides = [item.text.split("\n") for item in (passage.one, passage.other)]
    for number in range(min(LINES, max(map(len, sides)))):
        cells = (side[number] if number < len(side) else "" for side in sides)
        table.add_row(*(Text(plain(cell.expandtabs(4), COLUMN)) for cell in cells))
    return table
