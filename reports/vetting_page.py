"""Many attempts on one page: the table, and what vetting makes of each model's headline."""

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from auditor.models import VerdictName
from auditor.vetting import Group, Vetting
from reports import charts, page
from reports.charts import Effects, Rates, Sheet, Shift, drawable
from reports.vetting import POLICIES, sections, share
from reports.words import figure

DRAWN = 24
"""Groups in a picture; tables have all."""
CLASSES = {
    "clean": "good", "cheating": "bad", "violation": "bad", "error": "bad",
    "suspect": "warn", "inconclusive": "warn",
}  # fmt: skip


def render(vetting: Vetting) -> str:
    """Returns the page."""
    sheet = Sheet()
    groups = vetting.groups[:DRAWN]
    return page.render(
        "vetting.html.j2",
        sheet,
        vetting=vetting,
        verdicts=_counted(vetting),
        counts_as=POLICIES[vetting.policy],
        moved=[item for item in vetting.groups if item.headline.claimed is not None],
        effect=_effect(groups, sheet),
        rates=_rates(groups, sheet),
        left_out=len(vetting.groups) - len(groups),
        sections=list(sections(vetting)),
        classes=CLASSES,
        pictures=charts.available(),
        figure=figure,
        share=share,
    )


def _counted(vetting: Vetting) -> list[tuple[str, int]]:
    counts = Counter(row.case.verdict for row in vetting.rows)
    return [(name.value, counts[name]) for name in reversed(VerdictName) if counts[name]]


def _effect(groups: Sequence[Group], sheet: Sheet) -> Markup | None:
    shifts = [
        Shift(_name(item), *map(drawable, (head.claimed, head.counted, head.worst)))
        for item in groups
        if (head := item.headline).claimed is not None
    ]
    if not shifts or not charts.available():
        return None
    title = "What is left of the headline: mean claimed and mean counted, by model"
    return sheet.picture(title, Effects(shifts).draw, rows=len(shifts))


def _rates(groups: Sequence[Group], sheet: Sheet) -> Markup | None:
    found = [(_name(item), item.hacked) for item in groups if item.hacked is not None]
    if not found or not charts.available():
        return None
    rates = Rates(tuple((name, item.count / item.of, item.low, item.high) for name, item in found))
    title = "Share of attempts with the verdict cheating, by model, with 95 % intervals"
    return sheet.picture(title, rates.draw, rows=len(found))


def _name(group: Group) -> str:
    return f"{group.model or 'unknown'}, {group.environment}"
