"""METR's score log: a CSV with the columns timestamp, score, message and details."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.importing.run import ROWS, Row, described, moment, number, read_bounded

NAME = "score.log"
COLUMNS = ("timestamp", "score", "message", "details")
BYTES = 64 << 20
FIELD = 1 << 20
"""Characters of one field."""


def read(path: Path) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Returns the rows of a log, and what was wrong with others, in sentences.

    An invalid score is NaN there, and None here. Times have no zone and count as UTC.

    Raises:
        UsageError: it is no such log.
    """
    return parse(read_bounded(path, BYTES), path)


def parse(content: bytes, path: Path) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Returns the rows of a log's content; see `read`."""
    text = content.decode("utf-8", "replace").replace("\0", "\ufffd").lstrip("\ufeff")
    before = csv.field_size_limit(FIELD)
    try:
        table = csv.reader(io.StringIO(text, newline=""))
        head = [name.strip().lower() for name in next(table, [])]
        if not {"timestamp", "score"} <= set(head):
            raise UsageError(
                f"{path} is not a score log: its first line is not {','.join(COLUMNS)}.",
                hint="Name a log as METR's task-protected scoring writes it.",
            )
        return _rows(table, head)
    except csv.Error as error:
        raise UsageError(f"{path} is not a CSV that can be read: {error}.") from error
    finally:
        csv.field_size_limit(before)


def _rows(table: Iterator[list[str]], head: list[str]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    rows: list[Row] = []
    seen: list[str] = []
    broken = 0
    for fields in table:
        if not any(field.strip() for field in fields):
            continue
        if len(rows) >= ROWS:
            seen.append(f"only the first {ROWS} rows of the score log were read")
            break
        if len(fields) < head.index("score") + 1 or len(fields) > len(head):
            broken += 1
            continue
        named = dict(zip(head, fields, strict=False))
        rows.append(
            Row(
                score=number(named["score"]),
                at=moment(named["timestamp"]),
                message=described(named.get("message", "")),
                details=described(named.get("details", "")),
            )
        )
    if broken:
        seen.append(f"{broken} lines of the score log are no rows and were left out")
    if any(b.at and a.at and b.at < a.at for a, b in zip(rows, rows[1:], strict=False)):
        seen.append("the times of the score log go back")
    return tuple(rows), tuple(seen)
