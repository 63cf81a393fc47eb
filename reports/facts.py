"""What can be shown of evidence, whatever collected it: quotes, tensors, trails, figures.

A fact is shown by the form of its data, not by its kind:

- `event` and `text`, `quote` or `output`: something that was said or done, with its number.
- `event` and `deeds`, a list of `{"verb", "path", "to", "quote"}`: what an event did, quoted, and
  a trail where it read, wrote or copied.
- `tensors` or `worst_tensors`, a number by name: bars. `honest` (a number or a pair) says what an
  honest solution gives, `tensors_show` what the numbers are.
- `closest`, a list of `{"tensor", "log10_ratio"}`: bars, where honest runs stay at 0 or below.
- `processes`, `uses` and `files`, as one watched run gives them: a trail, answers marked.
- `edges`, a list of `{"from", "to", "how"}`: a trail of files and programs; `programs` names those
  nodes that are programs, `marked` those that nothing should lead from.
- any other list of objects without further lists in them: a table.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from auditor.models import Evidence
from reports.charts import Bars, Edge, Graph, drawable
from reports.plain import plain

QUOTES = ("quote", "text", "output")
TENSORS = ("tensors", "worst_tensors")
DRAWN = ("edges", "programs", "marked", "rows", "deeds", "processes", "uses", "files", *TENSORS)
"""Keys that are shown as a picture or a table, not as text."""
MOST = 14
"""Tensors or edges in a picture."""
DEEDS = 6
"""Deeds of one event that are quoted."""
RATIO = "log10 of the likelihood ratio that it was taken; honest runs: 0 or less"
ROWS, COLUMNS = 12, 8
"""Of a table in a fact."""
LONGEST = 400
HOME = "/home/agent/"
"""Where a sandbox keeps the workspace."""


class Listed(NamedTuple):
    """A list of objects in a fact."""

    name: str
    columns: list[str]
    rows: list[list[str]]
    more: int


class Quote(NamedTuple):
    """Something that was said or done."""

    event: int | None
    text: str
    fact: str
    """Id of the evidence."""


def quotes(facts: Iterable[Evidence]) -> list[Quote]:
    """Returns what facts quote, with the numbers of the events."""
    found = []
    for fact in facts:
        number = event(fact)
        texts = [str(fact.data[key]) for key in QUOTES if isinstance(fact.data.get(key), str)][:1]
        if number is None and "quote" not in fact.data:
            continue
        told = (str(deed["quote"]) for deed in _deeds(fact) if deed.get("quote"))
        texts += list(dict.fromkeys(told))[:DEEDS]
        found += [Quote(number, text, fact.id) for text in texts]
    return found


def bars(facts: Iterable[Evidence]) -> Iterator[tuple[Evidence, Bars]]:
    """Yields the tensors of each fact that tells what an honest solution gives."""
    for fact in facts:
        honest = _range(fact.data.get("honest"))
        values = next((found for key in TENSORS if (found := _numbers(fact.data.get(key)))), {})
        label = str(fact.data.get("tensors_show", "distance"))
        if ratios := _ratios(fact):
            honest, values, label = (0.0, 0.0), ratios, RATIO
        if honest is None or not values:
            continue
        middle = sum(honest) / 2
        furthest = sorted(values, key=lambda name: -abs(values[name] - middle))[:MOST]
        yield fact, Bars({plain(name, 80): values[name] for name in furthest}, honest, label)


def tables(fact: Evidence) -> list[Listed]:
    """Returns the lists of objects in a fact as tables."""
    found = []
    for key, value in fact.data.items():
        rows = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
        if (
            key in DRAWN
            or not rows
            or any(isinstance(v, dict) for row in rows for v in row.values())
        ):
            continue
        columns = list(dict.fromkeys(name for row in rows[:ROWS] for name in row))[:COLUMNS]
        cells = [[_text(row.get(name)) for name in columns] for row in rows[:ROWS]]
        heads = [plain(name, 40).replace("_", " ") for name in columns]
        found.append(Listed(plain(key, 60), heads, cells, max(0, len(rows) - ROWS)))
    return found


def trail(facts: Sequence[Evidence], marked: Iterable[str] = ()) -> Graph | None:
    """Returns which files were read and written by which programs, as far as facts tell."""
    edges: dict[tuple[str, str], Edge] = {}
    programs: set[str] = set()
    red = set(marked)
    for fact in facts:
        listed = fact.data.get("edges")
        if isinstance(listed, list):
            programs |= _names(fact.data.get("programs"))
            red |= _names(fact.data.get("marked"))
            found = [_edge(item) for item in listed if isinstance(item, dict)]
        elif _deeds(fact):
            found = _done(fact, programs)
        elif isinstance(fact.data.get("uses"), list):
            found = _used(fact, programs, red)
        else:
            found = _watched(fact, programs)
        for edge in found:
            edges.setdefault((edge.source, edge.target), edge)
    kept = sorted(edges.values(), key=lambda edge: not {edge.source, edge.target} & red)[:MOST]
    return Graph(tuple(kept), frozenset(programs), frozenset(red)) if kept else None


def lines(fact: Evidence) -> list[tuple[str, str]]:
    """Returns a fact's data as pairs of name and text, without what a picture shows."""
    drawn = {*DRAWN, *(item.name for item in tables(fact))}
    pairs = ((key, value) for key, value in fact.data.items() if key not in drawn)
    return [(plain(key, 60), _text(value)) for key, value in pairs if value not in ("", None, [])]


def event(fact: Evidence) -> int | None:
    """Returns the number of the event that a fact is about."""
    number = fact.data.get("event")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _deeds(fact: Evidence) -> list[dict[str, JsonValue]]:
    return _objects(fact.data.get("deeds"))


def _done(fact: Evidence, programs: set[str]) -> list[Edge]:
    """What an event of the agent's read, wrote or copied."""
    name = f"event {event(fact)}"
    found = []
    for deed in _deeds(fact):
        path, to = (plain(deed.get(key) or "", 80) for key in ("path", "to"))
        verb = deed.get("verb")
        if verb == "copy" and path and to:
            found += [Edge(path, name, "copied"), Edge(name, to, "copied")]
        elif verb == "read" and path:
            found.append(Edge(path, name, "read"))
        elif verb == "write" and path:
            found.append(Edge(name, path, "wrote"))
    if found:
        programs.add(name)
    return found


def _used(fact: Evidence, programs: set[str], marked: set[str]) -> list[Edge]:
    """What the processes of a watched run read and wrote, libraries left out."""
    roles, names = fact.data.get("files"), {}
    roles = roles if isinstance(roles, dict) else {}
    for process in _objects(fact.data.get("processes")):
        names[str(process.get("id"))] = plain(f"{process.get('program')} ({process.get('id')})", 80)
    marked |= {plain(path, 80) for path, role in roles.items() if role == "answer"}
    found = []
    for use in _objects(fact.data.get("uses")):
        path, program = str(use.get("path", "")), names.get(str(use.get("process")))
        if program is None or roles.get(path, "other") in ("code", "other") and path[:1] == "/":
            continue
        file = plain(path, 80)
        if use.get("how") == "written":
            found.append(Edge(program, file, "wrote"))
        elif roles.get(path) != "code":
            found.append(Edge(file, program, "read"))
    programs |= {edge.source if edge.how == "wrote" else edge.target for edge in found}
    return found


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _ratios(fact: Evidence) -> dict[str, float]:
    listed = _objects(fact.data.get("closest"))
    return _numbers({str(item.get("tensor")): item.get("log10_ratio") for item in listed})


def _watched(fact: Evidence, programs: set[str]) -> list[Edge]:
    """What a run that was watched from inside read or wrote beneath the workspace."""
    detail, main = str(fact.data.get("detail", "")), str(fact.data.get("main", ""))
    if fact.kind != "runtime_event" or not detail or not main:
        return []
    program = plain(_beneath(main), 80)
    what = fact.data.get("event")
    if what == "open":
        path, written = detail.removesuffix(" (written)"), detail.endswith(" (written)")
        if not _is_data(path):
            return []
        file = plain(_beneath(path), 80)
        programs.add(program)
        return [Edge(program, file, "wrote") if written else Edge(file, program, "read")]
    if what == "shutil.copyfile" and detail.count(" ") == 1:
        old, new = (plain(_beneath(path), 80) for path in detail.split(" "))
        return [Edge(old, new, "copied")] if _is_data(old) and _is_data(new) else []
    return []


def _is_data(path: str) -> bool:
    inside = not path.startswith("/") or path.startswith(HOME)
    return inside and not path.endswith((".py", ".pyc"))


def _beneath(path: str) -> str:
    return path.removeprefix(HOME)


def _edge(item: Mapping[str, JsonValue]) -> Edge:
    return Edge(*(plain(item.get(key, "?"), 80) for key in ("from", "to", "how")))


def _names(value: JsonValue) -> set[str]:
    return {plain(item, 80) for item in value} if isinstance(value, list) else set()


def _numbers(value: JsonValue) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {k: found for k, v in value.items() if (found := drawable(v)) is not None}


def _range(value: JsonValue) -> tuple[float, float] | None:
    pair = value if isinstance(value, list) and len(value) == 2 else [value, value]
    low, high = drawable(pair[0]), drawable(pair[1])
    return None if low is None or high is None else (low, high)


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(text, LONGEST)
