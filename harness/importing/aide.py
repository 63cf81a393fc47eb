"""AIDE's journal: a tree of complete programs, each with a plan, what it printed and its metric."""

from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.importing.run import (
    JSON_BYTES,
    ROWS,
    Hashed,
    Row,
    Run,
    moment,
    number,
    plain,
    text,
)
from harness.models import Agent
from harness.trajectory import Event, EventKind

NAME = "journal.json"
PROGRAM = "runfile.py"
"""What AIDE calls the file that it executes."""


def is_journal(value: object) -> bool:
    """Returns whether a JSON value is a journal."""
    nodes = value.get("nodes") if isinstance(value, Mapping) else None
    return isinstance(nodes, list) and bool(nodes) and all(
        isinstance(node, Mapping) and isinstance(node.get("code"), str) for node in nodes[:20]
    )  # fmt: skip


def load(path: Path) -> Run:
    """Returns the run in a journal: an entry for each program, in the order they were made.

    Raises:
        UsageError: it is none.
    """
    file = Hashed(path, JSON_BYTES)
    value = file.json(path)
    if not is_journal(value):
        raise UsageError(
            f"{path} is not a journal: it has no nodes with code.",
            hint="Name a journal.json as AIDE writes it.",
        )
    assert isinstance(value, Mapping)
    found = value["nodes"]
    nodes = [node for node in found if isinstance(node, Mapping)] if isinstance(found, list) else []
    nodes.sort(key=lambda node: number(node.get("step")) or 0.0)
    events: list[Event] = []
    rows: list[Row] = []
    maximize: set[bool] = set()
    for node in nodes[:ROWS]:
        metric = node.get("metric")
        told = metric if isinstance(metric, Mapping) else {"value": metric}
        if isinstance(told.get("maximize"), bool):
            maximize.add(bool(told["maximize"]))
        at = moment(node.get("ctime"))
        code = text(str(node.get("code") or ""), 1 << 20)
        first = len(events)
        events += _events(node, first, len(rows), code, at, number(told.get("value")))
        rows.append(
            Row(
                score=None if node.get("is_buggy") is True else number(told.get("value")),
                at=at,
                message={"analysis": plain(node.get("analysis"))},
                details={
                    "event": first + 1, "node": plain(node.get("id")),
                    "parent": plain(_parent(value, node)), "exception": plain(node.get("exc_type")),
                    "exec_time": plain(node.get("exec_time")), "buggy": plain(node.get("is_buggy")),
                },
                files={PROGRAM: code},
            )
        )  # fmt: skip
    return Run(
        name=path.parent.name or "journal",
        format="aide",
        events=tuple(events),
        rows=tuple(rows),
        files=rows[-1].files or {},
        agent=Agent(name="aide", scaffold="AIDE"),
        start=min((row.at for row in rows if row.at), default=None),
        end=max((row.at for row in rows if row.at), default=None),
        direction=None if len(maximize) != 1 else "higher" if maximize == {True} else "lower",
        seen=(
            *(["only the first nodes of the journal were read"] if len(nodes) > ROWS else []),
            *(
                ["the journal's nodes disagree on which metric is better"]
                if len(maximize) > 1
                else []
            ),
        ),
        sha256=file.sha256,
    )


def _events(
    node: Mapping[str, object], first: int, entry: int, code: str, at: object, value: float | None
) -> list[Event]:
    printed = node.get("_term_out", node.get("term_out"))
    output = "".join(map(str, printed[:5_000])) if isinstance(printed, list) else str(printed or "")
    failed = bool(node.get("exc_type"))
    fields: list[dict[str, object]] = [
        {"kind": EventKind.MESSAGE, "text": text(str(node.get("plan") or ""), 1 << 18)},
        {
            "kind": EventKind.ACTION, "tool": "run", "language": "python", "text": code,
            "output": text(output, 1 << 18), "exit_code": 1 if failed else None,
        },
        {
            "kind": EventKind.SCORE, "who": "harness", "score": value, "entry": entry,
            "text": text(str(node.get("analysis") or ""), 1 << 16),
        },
    ]  # fmt: skip
    return [
        Event.model_validate({"index": first + number, "at": at, **field})
        for number, field in enumerate(fields)
    ]


def _parent(journal: Mapping[str, object], node: Mapping[str, object]) -> object:
    parents = journal.get("node2parent")
    told = node.get("parent")
    return parents.get(node.get("id"), told) if isinstance(parents, Mapping) else told
