"""What others recorded becomes an attempt: whole, marked as claimed, and harmless to read."""

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness import importing, trajectory
from harness.attempt import AttemptFolder
from harness.errors import UsageError
from harness.importing import attempts, home, inspect_log, score_log
from harness.importing.run import Run, moment, number, plain, rooted
from harness.importing.tools import did
from harness.models import Attempt, ScoreLine
from harness.trajectory import Event, EventKind
from harness.verify import verify
from tests.harness.toy import Terminal, refused

LOG = (
    "timestamp,score,message,details\n"
    '2024-11-01T10:00:00,5.6,"{""time"": 272}","{""x"": [1]}"\n'
    '2024-11-01T11:00:00,nan,"{""timeout"": true}",{}\n'
    "2024-11-01T12:30:00,4.4,just words,\n"
)


def written(path: Path, content: str | bytes | Mapping[str, Any] | list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def made(source: Path, target: Path) -> tuple[Attempt, tuple[ScoreLine, ...], tuple[Event, ...]]:
    (folder,) = attempts.write(importing.load(source), target, source=source)
    found = trajectory.read(folder.root)
    assert found is None or not found.problems
    assert verify(folder.root).transcript == ("signed" if found else "none")
    return folder.attempt(), folder.scores(), found.events if found else ()


def missing(attempt: Attempt) -> str:
    assert attempt.imported is not None
    return "; ".join(attempt.imported.missing)


# ---- homes, repositories, folders


@pytest.fixture
def metr_home(tmp_path: Path) -> Path:
    folder = tmp_path / "agent"
    written(folder / "solution" / "main.py", "print(1)\n")
    written(folder / "score.log", LOG)
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    return folder


def test_a_home_becomes_a_whole_attempt(metr_home: Path, place: Path) -> None:
    attempt, lines, events = made(metr_home, place / "made")
    assert attempt.imported is not None
    assert (attempt.imported.format, attempt.environment) == ("home", "common")
    assert [line.score for line in lines] == [5.6, None, 4.4]
    assert [line.elapsed_s for line in lines] == [0, 3600, 9000]
    assert [line.message for line in lines] == [
        {"time": 272}, {"timeout": True}, {"text": "just words"}
    ]  # fmt: skip
    assert all(line.details["how"] == "claimed" for line in lines)
    assert events == ()
    names = {path.name for path in (place / "made").iterdir()}
    assert names == {
        "attempt.json", "workspace", "history.git", "objects", "scores.jsonl", "scores.head.json",
        "hidden.jsonl", "hidden.head.json", "protected", "private",
    }  # fmt: skip
    workspace = place / "made" / "workspace"
    assert (workspace / "solution" / "main.py").read_text() == "print(1)\n"
    assert os.readlink(workspace / "link") == "/etc/passwd"
    assert {path.name for path in workspace.iterdir()} == {"solution", "link"}
    for told in ("whoever handed it over", "instance is not there", "pipe", "no transcript"):
        assert told in missing(attempt)


@pytest.mark.parametrize(
    ("at", "found"),
    [("agent/score.log", True), ("agent/protected/score.log", True), ("score.log", True),
     ("protected/score.log", True), ("other/score.log", False)],
)  # fmt: skip
def test_where_the_score_log_may_lie(tmp_path: Path, at: str, found: bool) -> None:
    written(tmp_path / "x" / "agent" / "a.py", "")
    log = written(tmp_path / "x" / at, LOG)
    assert home.find_log(tmp_path / "x" / "agent") == (log if found else None)


def test_a_log_beside_several_homes_belongs_to_none(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "x" / name).mkdir(parents=True)
    written(tmp_path / "x" / "score.log", LOG)
    assert home.find_log(tmp_path / "x" / "a") is None


def test_a_container_keeps_its_home_within(tmp_path: Path, place: Path) -> None:
    written(tmp_path / "c" / "home" / "agent" / "solution" / "a.py", "1")
    written(tmp_path / "c" / "protected" / "score.log", LOG)
    _, lines, _ = made(tmp_path / "c", place / "made")
    assert len(lines) == 3
    assert (place / "made" / "workspace" / "solution" / "a.py").is_file()
    assert not (place / "made" / "workspace" / "protected").exists()


def test_a_repository_is_taken_as_it_lies(tmp_path: Path, place: Path) -> None:
    repository = tmp_path / "r"
    written(repository / "a.py", "1")
    hook = written(repository / ".git" / "hooks" / "post-checkout", "#!/bin/sh\ntouch /tmp/ran\n")
    hook.chmod(0o755)
    written(repository / ".git" / "config", "[core]\n\tfsmonitor = touch ran\n")
    attempt, lines, _ = made(repository, place / "made")
    assert attempt.imported is not None
    assert (attempt.imported.format, lines) == ("repository", ())
    assert (place / "made" / "workspace" / ".git" / "config").is_file()
    assert not (place / "ran").exists() and not (repository / "ran").exists()
    assert "no score was logged" in missing(attempt)


def test_the_task_is_told_by_its_files(tmp_path: Path, place: Path) -> None:
    written(tmp_path / "h" / "solution" / "finetune.sh", "true")
    written(tmp_path / "h" / "score.py", "")
    attempt, _, _ = made(tmp_path / "h", place / "made")
    assert attempt.environment == "optimize_llm_foundry"


def test_an_attempt_of_somebody_else_is_not_believed(moulded: Path, place: Path) -> None:
    attempt, lines, _ = made(moulded / "attempt", place / "made")
    assert attempt.imported is not None
    assert attempt.imported.format == "attempt"
    assert attempt.run_id != AttemptFolder.open(moulded / "attempt").attempt().run_id
    assert all(line.details["how"] == "claimed" for line in lines)


@pytest.mark.parametrize(
    "content",
    ["", "a,b\n1,2\n", "\0\0\0", "timestamp;score\n", '"' + "x" * (score_log.FIELD + 10)],
)
def test_what_is_no_score_log_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError):
        score_log.read(written(tmp_path / "score.log", content))


def test_odd_rows_are_told(tmp_path: Path) -> None:
    log = 'timestamp,score,message,details\nx,inf,{,\n2024,1e400\n1,2,3,4,5\n\n,3,"\x1b[31m",\n'
    rows, seen = score_log.read(written(tmp_path / "score.log", log))
    assert [row.score for row in rows] == [None, None, 3.0]
    assert any("no rows" in text for text in seen)


# ---- journals and runs

NODE = {"code": "print(1)", "plan": "Print.", "ctime": 1730455200.0, "_term_out": ["1\n"]}
JOURNAL = {
    "nodes": [
        NODE | {"step": 0, "id": "a", "metric": {"value": 0.5, "maximize": False}},
        NODE | {"step": 1, "id": "b", "metric": {"value": None, "maximize": None},
                "is_buggy": True, "exc_type": "ValueError", "code": "raise ValueError"},
        NODE | {"step": 2, "id": "c", "metric": {"value": 0.25, "maximize": False}},
    ],
    "node2parent": {"c": "a"},
}  # fmt: skip


def test_a_journal_has_an_entry_per_program(tmp_path: Path, place: Path) -> None:
    attempt, lines, events = made(written(tmp_path / "journal.json", JOURNAL), place / "made")
    assert attempt.imported is not None
    assert (attempt.imported.format, attempt.imported.direction) == ("aide", "lower")
    assert [line.score for line in lines] == [0.5, None, 0.25]
    assert lines[2].details["parent"] == "a"
    assert [event.kind for event in events[:3]] == ["message", "action", "score"]
    assert (events[4].text, events[4].exit_code) == ("raise ValueError", 1)
    assert (place / "made" / "workspace" / "runfile.py").read_text() == "print(1)"
    assert importing.load(tmp_path)[0].rows == importing.load(tmp_path / "journal.json")[0].rows


def test_programs_lie_where_the_task_looks_for_them(
    run: Terminal, tmp_path: Path, place: Path
) -> None:
    journal = written(tmp_path / "journal.json", JOURNAL)
    said = run("harness", "import", journal, place / "made", "--environment", "triton_cumsum")
    assert said.code == 0
    assert (place / "made" / "workspace" / "solution" / "solution.py").read_text() == "print(1)"


def entry(kind: str, **content: object) -> dict[str, object]:
    return {"calledAt": 1730455200000, "content": {"type": kind, **content}}


RUN = {
    "run": {"id": 7, "taskId": "ai_rd_triton_cumsum/main", "agentRepoName": "modular"},
    "traceEntries": [
        entry("generation", agentRequest={"prompt": "Make it fast."},
              finalResult={"outputs": [{"completion": "I look.", "function_call": None}]}),
        entry("action", action={"type": "run_bash", "args": {"command": "cat /protected/x"}}),
        entry("observation", observation="Permission denied"),
        entry("intermediateScore", score=1.56, message={"ms": 4.7}, details={}),
        entry("intermediateScore", score=float("nan"), message={}, details={}),
        entry("submission", value="done"),
    ],
}  # fmt: skip
CHAT = {
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Make it fast."}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "1", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}]},
        {"role": "tool", "content": "a.py"},
    ],
    "model": "m", "score": 0.5,
}  # fmt: skip


def test_a_run_of_vivaria(tmp_path: Path, place: Path) -> None:
    attempt, lines, events = made(written(tmp_path / "7.json", RUN), place / "made")
    assert (attempt.environment, attempt.agent and attempt.agent.name) == (
        "triton_cumsum", "modular",
    )  # fmt: skip
    assert [line.score for line in lines] == [1.56, None]
    assert [(event.index, event.kind.value, event.language) for event in events] == [
        (0, "message", ""), (0, "message", ""), (1, "action", "shell"), (2, "result", ""),
        (3, "score", ""), (4, "score", ""), (5, "note", ""),
    ]  # fmt: skip
    assert (events[0].who, events[3].of) == ("user", 1)


def test_a_list_of_messages_is_a_run(tmp_path: Path, place: Path) -> None:
    _, lines, events = made(written(tmp_path / "chat.json", CHAT), place / "made")
    assert [line.score for line in lines] == [0.5]
    assert [event.text for event in events] == ["Make it fast.", "I look.", "ls", "a.py"]


def test_a_folder_of_runs_becomes_several_attempts(tmp_path: Path, place: Path) -> None:
    for name in ("a", "b", "c"):
        written(tmp_path / "runs" / f"{name}.json", RUN if name != "c" else CHAT)
    folders = attempts.write(importing.load(tmp_path / "runs"), place / "made", source=tmp_path)
    assert [folder.root.name for folder in folders] == ["7", "7-2", "c"]
    assert all(folder.attempt().imported for folder in folders)


def test_logs_may_lie_in_folders_and_beside_words(tmp_path: Path) -> None:
    for name in ("x/a.json", "y/b.json"):
        written(tmp_path / "runs" / name, RUN)
    written(tmp_path / "runs" / "README.md", "Runs.")
    written(tmp_path / "runs" / "facts.json", {"a": 1})
    runs = importing.load(tmp_path / "runs")
    assert [run.format for run in runs] == ["vivaria", "vivaria"]
    assert all("facts.json" in "; ".join(run.seen) for run in runs)


def test_a_workspace_with_a_log_in_it_is_a_workspace(tmp_path: Path) -> None:
    written(tmp_path / "w" / "7.json", RUN)
    written(tmp_path / "w" / "solution" / "main.py", "1")
    assert [run.format for run in importing.load(tmp_path / "w")] == ["folder"]


@pytest.mark.parametrize(
    ("tool", "arguments", "language", "text"),
    [
        ("bash", {"cmd": "ls"}, "shell", "ls"), ("bash", {"command": "ls"}, "shell", "ls"),
        ("execute", {"command": ["bash", "-lc", "ls -l"]}, "shell", "ls -l"),
        ("shell", {"command": ["ls", "-l"]}, "shell", "ls -l"),
        ("python", {"code": "1"}, "python", "1"),
        ("run_python_code", '{"code": "1"}', "python", "1"),
        ("str_replace_editor", {"command": "create", "path": "a", "file_text": "x"}, "file", "x"),
        ("edit", {"path": "a", "old_str": "x", "new_str": "y"}, "file", "y"),
        ("text_editor", {"command": "view", "path": "a"}, "",
         '{"command": "view", "path": "a"}'),
        ("score", {}, "", ""), ("submit", {"answer": "x"}, "", '{"answer": "x"}'),
        ("bash", "ls", "shell", "ls"), ("odd", None, "", ""), ("odd", 3, "", '{"input": 3}'),
    ],
)  # fmt: skip
def test_what_a_tool_does(tool: str, arguments: object, language: str, text: str) -> None:
    found = did(tool, arguments)
    assert (found.language, found.text) == (language, text)


def test_files_follow_the_edits(tmp_path: Path, place: Path) -> None:
    calls = [
        {"command": "create", "path": "/home/agent/a/b.py", "file_text": "x = 1\n"},
        {"command": "str_replace", "path": "a/b.py", "old_str": "1", "new_str": "2"},
        {"command": "create", "path": "../../etc/passwd", "file_text": "no"},
        {"command": "create", "path": "/etc/passwd", "file_text": "no"},
        {"command": "create", "path": ".git/hooks/x", "file_text": "no"},
        {"command": "create", "path": "a/b.py/c", "file_text": "x"},
    ]
    entries = [entry("action", action={"type": "edit", "args": call}) for call in calls]
    made(written(tmp_path / "7.json", {"taskId": "t", "trace": entries}), place / "made")
    files = [path for path in (place / "made" / "workspace").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["c"]


# ---- hostile sources


def test_values_are_bounded() -> None:
    deep: object = 1
    for _ in range(1000):
        deep = [deep]
    assert "too deeply" in json.dumps(plain(deep))
    assert plain({"a": float("nan"), "b": 10**400, "c": "\ud800", 3: (1,)}) == {
        "a": None, "b": None, "c": "?", "3": [1],
    }  # fmt: skip
    values: tuple[object, ...] = ("1e999", "x", True, 10**400, None)
    assert [number(value) for value in values] == [None, None, 1.0, None, None]
    times: tuple[object, ...] = (1e300, "x", -5, [], 10**30)
    assert [moment(value) for value in times] == [None] * 5
    assert [rooted(path) for path in ("a/../../b", "/a", "", "a\0", "./a//b")] == [
        None, None, None, None, "a/b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "[" * 100_000), ("a.json", "{"), ("a.json", "{}"), ("a.json", '{"nodes": []}'),
        ("a.json", b"\xff\xfe"), ("a.eval", b"no archive"), ("a.eval", b""), ("a.txt", "x"),
        ("a.json", '{"version": 2, "status": "success", "eval": 3}'), ("a.json", "NaN"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_clear_refusal(
    run: Terminal, tmp_path: Path, place: Path, name: str, content: str | bytes
) -> None:
    said = run("harness", "import", written(tmp_path / name, content), place / "made")
    refused(said)
    assert not (place / "made").exists()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "pipe", "device"])
def test_sources_that_are_no_files(run: Terminal, tmp_path: Path, place: Path, kind: str) -> None:
    source = {"missing": tmp_path / "x", "pipe": tmp_path / "p.eval", "device": Path("/dev/zero")}
    os.mkfifo(tmp_path / "p.eval")
    refused(run("harness", "import", source[kind], place / "made"))


def archive(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def bomb(path: Path) -> Path:
    return archive(path, {"header.json": b"0" * (inspect_log.MEMBER_BYTES + 1)})


def many(path: Path) -> Path:
    return archive(path, {f"{number}": b"" for number in range(inspect_log.MEMBERS + 1)})


def lying(path: Path) -> Path:
    whole = archive(path, {"header.json": b"0" * 100_000}).read_bytes()
    at = whole.rindex(b"PK\x01\x02") + 24
    path.write_bytes(whole[:at] + (10).to_bytes(4, "little") + whole[at + 4 :])
    return path


def truncated(path: Path) -> Path:
    path.write_bytes(archive(path, {"header.json": b"{}" * 1000}).read_bytes()[:-30])
    return path


def foreign(path: Path) -> Path:
    return archive(path, {"../../evil": b"x", "header.json": b"[1]", "\x1b[31m": b""})


@pytest.mark.parametrize("make", [bomb, many, lying, truncated, foreign])
def test_hostile_archives_are_refused(
    run: Terminal, tmp_path: Path, place: Path, make: Callable[[Path], Path]
) -> None:
    said = run("harness", "import", make(tmp_path / "log.eval"), place / "made")
    refused(said)
    assert "\x1b[31m" not in said.err
    assert not (place / "made").exists()


def test_a_sparse_giant_and_a_deep_folder_are_left_out(tmp_path: Path, place: Path) -> None:
    source = tmp_path / "h"
    written(source / "a.py", "1")
    with (source / "giant.bin").open("wb") as file:
        file.truncate(1 << 42)
    deep = source
    for _ in range(home.DEEPEST + 5):
        deep = deep / "d"
    deep.mkdir(parents=True)
    attempt, _, _ = made(source, place / "made")
    assert "too large" in missing(attempt) and "too deep" in missing(attempt)
    assert (place / "made" / "workspace" / "a.py").is_file()


# ---- the command


def test_an_imported_attempt_is_sealed_and_never_measured(
    run: Terminal, metr_home: Path, place: Path
) -> None:
    said = run("harness", "import", metr_home, place / "made")
    assert (said.code, said.out.strip()) == (0, str(place / "made"))
    assert "nobody has measured" in said.err
    assert run("auditor", "verify", place / "made").code == 0
    for command in ("score", "hidden"):
        refused(run("harness", command, place / "made"))
    assert len(AttemptFolder.open(place / "made").scores()) == 3


def test_nothing_is_imported_into_itself(run: Terminal, metr_home: Path) -> None:
    refused(run("harness", "import", metr_home, metr_home / "made"))
    assert not (metr_home / "made").exists()


def test_an_empty_folder_is_no_attempt(run: Terminal, place: Path) -> None:
    (place / "empty").mkdir()
    refused(run("harness", "import", place / "empty", place / "made"), "empty")
    assert not (place / "made").exists()


def test_a_folder_in_use_is_left_alone(run: Terminal, metr_home: Path, place: Path) -> None:
    written(place / "made" / "mine", "x")
    refused(run("harness", "import", metr_home, place / "made"))
    assert (place / "made" / "mine").read_text() == "x"


def test_an_event_beside_a_run(tmp_path: Path) -> None:
    made_ = Run(name="x", format="inspect", events=(Event(index=0, kind=EventKind.NOTE),))
    folder = attempts.one(made_, tmp_path, source=tmp_path, noted=False)
    assert folder.scores() == ()
