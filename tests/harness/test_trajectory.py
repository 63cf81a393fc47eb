"""What is written to a trajectory comes back, and nothing in one hurts its reader."""

import json
import os
from pathlib import Path

import pytest

from harness import trajectory
from harness.trajectory import Event, EventKind


def written(root: Path, *lines: bytes) -> Path:
    (root / trajectory.NAME).write_bytes(b"".join(lines))
    return root


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    events = [
        Event(index=0, kind=EventKind.MESSAGE, who="user", text="Make it fast.\nReally."),
        Event(index=1, kind=EventKind.ACTION, tool="bash", language="shell", text="ls", path="/x"),
        Event(index=2, kind=EventKind.RESULT, of=1, tool="bash", text="a\x1b[31m", exit_code=0),
        Event(index=3, kind=EventKind.SCORE, who="harness", score=1.5, entry=0, elapsed_s=2.0),
    ]
    found = trajectory.read(written(tmp_path, *map(trajectory.encode, events)))
    assert found == (tuple(events), ())


def test_no_trajectory_is_none(tmp_path: Path) -> None:
    assert trajectory.read(tmp_path) is None


def test_a_long_text_is_cut_and_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    event = Event(index=0, kind=EventKind.RESULT, text="\ud800" + "x" * (2 * trajectory.TEXT))
    found = trajectory.read(written(tmp_path, trajectory.encode(event)))
    assert found is not None and not found.problems
    assert found.events[0].text == "?" + "x" * (trajectory.TEXT - 1)


@pytest.mark.parametrize(
    "line",
    [
        b"{}", b"[]", b"\xff\xfe\x00", b'{"index": NaN, "kind": "note"}', b"[" * 100_000,
        b'{"index":0,"kind":"dance"}', b'{"index":-1,"kind":"note"}',
        b'{"index":0,"kind":"score","score":1e999}', b'{"index":0,"kind":"note","unknown":1}',
        b'{"index":0,"kind":"note","data":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: bytes) -> None:
    good = trajectory.encode(Event(index=1, kind=EventKind.NOTE, text="still read"))
    found = trajectory.read(written(tmp_path, line + b"\n", good))
    assert found is not None
    assert [event.text for event in found.events] == ["still read"]
    assert len(found.problems) == 1 and "line 1" in found.problems[0]


def test_a_huge_line_is_passed_over(tmp_path: Path) -> None:
    good = trajectory.encode(Event(index=1, kind=EventKind.NOTE))
    found = trajectory.read(written(tmp_path, b"x" * (3 * trajectory.LINE_BYTES) + b"\n", good))
    assert found is not None
    assert len(found.events) == 1 and len(found.problems) == 1


def test_many_bad_lines_end_the_reading(tmp_path: Path) -> None:
    found = trajectory.read(written(tmp_path, b"{}\n" * 10_000))
    assert found is not None
    assert len(found.problems) == trajectory.PROBLEMS + 1


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / trajectory.NAME
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    found = trajectory.read(tmp_path)
    assert found is not None
    assert not found.events and len(found.problems) == 1


def test_an_event_is_one_line_of_plain_json() -> None:
    line = trajectory.encode(Event(index=0, kind=EventKind.NOTE, text="two\nlines"))
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "schema_version": 1, "index": 0, "kind": "note", "text": "two\nlines",
    }  # fmt: skip
