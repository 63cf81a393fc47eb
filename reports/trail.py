"""Draws who read and who wrote what in a watched run: files, processes, files, left to right."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jinja2 import Environment
from pydantic import JsonValue

from auditor.models import Evidence
from reports.plain import plain

ROWS = 24
"""Boxes of a column; what is beyond is counted."""
SAME = 6
LETTERS = 34
WIDTH, HEIGHT, STEP = 250, 24, 34
COLUMNS = (10, 355, 700)
_COLOURS = {
    "answer": "#b3261e", "output": "#1b6e3c", "protected": "#8a5a00", "code": "#3b4a6b",
    "other": "#666666", "process": "#222222", "scorer": "#5b2a86", "paper": "#ffffff",
}  # fmt: skip
_VARIABLES = {
    "answer": "bad", "output": "good", "protected": "warn", "code": "claimed", "other": "soft",
    "process": "ink", "scorer": "remeasured", "paper": "paper",
}  # fmt: skip
"""What a page's style sheet calls them, so that they follow light, dark and print."""
_SVG = Environment(autoescape=True).from_string("""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {{ height }}" role="img" \
aria-label="{{ title }}" font-family="system-ui, sans-serif" font-size="12">
{% for line in lines %}<path d="M{{ line.x }} {{ line.y }}C{{ line.x + 50 }} {{ line.y }} \
{{ line.to_x - 50 }} {{ line.to_y }} {{ line.to_x }} {{ line.to_y }}" fill="none" \
stroke="{{ line.colour }}" stroke-opacity=".6"{% if line.inside %} stroke-dasharray="5 3"\
{% endif %}/>
{% endfor %}{% for box in boxes %}<g><title>{{ box.whole }}</title><rect x="{{ box.x }}" \
y="{{ box.y }}" width="{{ width }}" height="{{ box_height }}" rx="4" fill="{{ paper }}" \
stroke="{{ box.colour }}"/><text x="{{ box.x + 8 }}" y="{{ box.y + 16 }}" \
fill="{{ box.colour }}">{{ box.text }}</text></g>
{% endfor %}{% for note in notes %}<text x="{{ note.x }}" y="{{ note.y }}" fill="{{ soft }}">\
{{ note.text }}</text>
{% endfor %}</svg>
""")


class _Box(NamedTuple):
    x: int
    y: int
    text: str
    whole: str
    colour: str


class _Line(NamedTuple):
    x: int
    y: int
    to_x: int
    to_y: int
    colour: str
    inside: bool


class _Note(NamedTuple):
    x: int
    y: int
    text: str


def render(evidence: Iterable[Evidence], entry: int | None = None, *, page: bool = False) -> str:
    """Returns the picture of one entry's watched run as SVG; empty where none was watched.

    Args:
        evidence: all facts of an audit.
        entry: whose run; that of the first that was watched when None.
        page: for a page of ours, whose style sheet names the colours.
    """
    facts = [item for item in evidence if item.kind == "file_trail"]
    chosen = next((item for item in facts if entry is None or item.entry == entry), None)
    if chosen is None:
        return ""
    colours = {k: f"var(--{v})" for k, v in _VARIABLES.items()} if page else _COLOURS
    files = _texts(chosen.data.get("files"))
    uses = [_texts(item) for item in _listed(chosen.data.get("uses"))]
    if not uses:
        return ""
    processes = {item["id"]: item for item in map(_texts, _listed(chosen.data.get("processes")))}
    read = _unique(use["path"] for use in uses if use.get("how") != "written")
    written = _unique(use["path"] for use in uses if use.get("how") == "written")
    doing = _unique(use["process"] for use in uses if use.get("process") in processes)
    columns = (read, doing, written)
    place = {
        (column, key): (COLUMNS[column], 34 + STEP * row)
        for column, keys in enumerate(columns)
        for row, key in enumerate(keys[:ROWS])
    }
    boxes = [
        _box(x, y, *_shown(column, key, files, processes, colours))
        for (column, key), (x, y) in place.items()
    ]
    lines = [line for use in uses if (line := _line(use, place, files, colours)) is not None]
    rows = max(min(len(keys), ROWS) for keys in columns)
    notes = [
        _Note(COLUMNS[column], 20, title)
        for column, title in enumerate(("read or executed", "processes", "written"))
    ]
    notes += [
        _Note(COLUMNS[column], 34 + STEP * ROWS + 12, f"and {len(keys) - ROWS} more")
        for column, keys in enumerate(columns)
        if len(keys) > ROWS
    ]
    same = [_texts(item) for item in _listed(chosen.data.get("same"))][:SAME]
    height = 34 + STEP * rows + 40 + 18 * len(same)
    notes += [
        _Note(
            10,
            height - 28 - 18 * number,
            plain(f"{item['path']} has the content of {item['as']}", 150),
        )
        for number, item in enumerate(same)
    ]
    notes.append(_Note(10, height - 10, "dashed: told by the process itself, which may lie"))
    return _SVG.render(
        title=f"Files of entry {chosen.entry}", boxes=boxes, lines=lines, notes=notes,
        height=height, width=WIDTH, box_height=HEIGHT, paper=colours["paper"],
        soft=colours["other"],
    )  # fmt: skip


def _shown(
    column: int,
    key: str,
    files: Mapping[str, str],
    processes: Mapping[str, Mapping[str, str]],
    colours: Mapping[str, str],
) -> tuple[str, str]:
    if column != 1:
        return key, colours.get(files.get(key, "other"), colours["other"])
    process = processes[key]
    scorer = process.get("scorer") == "True"
    return f"{process.get('program', '')} ({key})", colours["scorer" if scorer else "process"]


def _box(x: int, y: int, whole: str, colour: str) -> _Box:
    clean = plain(whole)
    text = clean if len(clean) <= LETTERS else f"{clean[:12]}…{clean[-(LETTERS - 13) :]}"
    return _Box(x, y, text, clean, colour)


def _line(
    use: Mapping[str, str],
    place: Mapping[tuple[int, str], tuple[int, int]],
    files: Mapping[str, str],
    colours: Mapping[str, str],
) -> _Line | None:
    written = use.get("how") == "written"
    process, file = place.get((1, use["process"])), place.get((2 if written else 0, use["path"]))
    if process is None or file is None:
        return None
    begin, end = (process, file) if written else (file, process)
    colour = colours.get(files.get(use["path"], "other"), colours["other"])
    middle = HEIGHT // 2
    return _Line(
        begin[0] + WIDTH, begin[1] + middle, end[0], end[1] + middle, colour,
        use.get("inside") == "True",
    )  # fmt: skip


def _unique(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _texts(value: JsonValue) -> dict[str, str]:
    return {key: str(held) for key, held in value.items()} if isinstance(value, dict) else {}
