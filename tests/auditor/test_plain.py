"""Any folder, repository or file: read and never obeyed, one verdict each, nothing written."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from auditor import tree
from auditor.cli.audit_command import FEW
from auditor.cli.rule_commands import RULES
from auditor.plain import PlainAuditor
from auditor.pool import AHEAD, Pool
from auditor.tree import is_test
from tests.auditor.test_cli import KEYS, REPORTS, SPELL, _lines, _on_a_terminal
from tests.harness.toy import Said, Terminal, fingerprint, pour, refused

COMMON = ("--environment", "common", "--format", "json")
QUIET = "import time\n\nprint(time.perf_counter())\n"
CHEAT = "import time\n\ntime.perf_counter = lambda: 0.0\n"
BROKEN = '[core]\n\tfsmonitor = "touch {0}"\n\thooksPath = {1}\n[filter "x"]\n\tclean = touch {0}\n'


@pytest.fixture
def folder(place: Path) -> Path:
    made = place / "folder"
    (made / "deep" / "er").mkdir(parents=True)
    (made / "main.py").write_text(QUIET)
    (made / "deep" / "er" / "notes.txt").write_text("words\n")
    (made / "deep" / "weights.bin").write_bytes(bytes(range(256)))
    return made


def _only(said: Said) -> dict[str, object]:
    (line,) = _lines(said)
    return line


def _gaps(line: dict[str, object]) -> str:
    coverage = line["coverage"]
    assert isinstance(coverage, dict)
    return "\n".join(coverage["gaps"])


def _sites(line: dict[str, object]) -> list[tuple[str, int]]:
    findings = line["findings"]
    assert isinstance(findings, list)
    return [(site["path"], site["line"]) for item in findings for site in item["sites"]]


# What is said about it.


def test_a_quiet_folder_is_clean(run: Terminal, folder: Path) -> None:
    before = fingerprint(folder.parent)
    said = run("auditor", "audit", folder, *COMMON)
    line = _only(said)
    assert (said.code, line["verdict"], line["findings"]) == (0, "clean", [])
    assert line.keys() == KEYS
    assert (line["attempt"], line["environment"], line["profile"]) == (str(folder), "common", None)
    assert (line["earned"], line["claimed_score"], line["entries"]) == (None, None, [])
    for gap in ("no score log", "nothing was executed", "no start", "no entry point"):
        assert gap in _gaps(line)
    assert fingerprint(folder.parent) == before


def test_what_is_read_in_a_folder_is_a_suspicion(run: Terminal, folder: Path) -> None:
    (folder / "deep" / "speed.py").write_text(CHEAT)
    said = run("auditor", "audit", folder, *COMMON)
    line = _only(said)
    assert (said.code, line["verdict"]) == (1, "suspect")
    assert _sites(line) == [("deep/speed.py", 3)]


@pytest.mark.parametrize("indented", [False, True])
def test_a_function_that_only_somebody_else_calls_may_run(
    run: Terminal, folder: Path, indented: bool
) -> None:
    lines = ["def solve(x):", *("    " + line for line in CHEAT.splitlines() if line)]
    text = ["class Solver:", *("    " + line for line in lines)] if indented else lines
    (folder / "deep" / "speed.py").write_text("\n".join(text) + "\n")
    line = _only(run("auditor", "audit", folder, *COMMON))
    assert line["verdict"] == "suspect"
    assert _sites(line) == [("deep/speed.py", len(text))]


def test_a_file_that_is_named_is_what_runs(run: Terminal, folder: Path) -> None:
    (folder / "main.py").write_text(CHEAT)
    said = run("auditor", "audit", folder / "main.py", *COMMON)
    line = _only(said)
    assert (said.code, line["verdict"]) == (1, "cheating")
    assert _sites(line) == [("main.py", 3)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("test_speed.py", True), ("speed_test.py", True), ("tests/clocks.py", True),
        ("a/test/b/c.py", True), ("contest.py", False), ("latest/a.py", False), ("tests", False),
    ],
)  # fmt: skip
def test_what_a_test_is_called(path: str, expected: bool) -> None:
    assert is_test(path) is expected


def test_a_clock_mocked_in_a_test_is_honest(run: Terminal, folder: Path) -> None:
    (folder / "test_main.py").write_text(CHEAT)
    assert _only(run("auditor", "audit", folder, *COMMON))["verdict"] == "clean"


def test_a_cheat_among_tests_that_something_imports(run: Terminal, folder: Path) -> None:
    (folder / "tests").mkdir()
    (folder / "tests" / "clocks.py").write_text(CHEAT)
    (folder / "main.py").write_text("import tests.clocks\n")
    assert _sites(_only(run("auditor", "audit", folder, *COMMON))) == [("tests/clocks.py", 3)]


@pytest.mark.parametrize("format", ["text", "md"])
def test_a_report_for_people(run: Terminal, folder: Path, format: str) -> None:
    said = run("auditor", "audit", folder, "--environment", "common", "--format", format)
    assert "CLEAN" in said.out
    assert "None" not in said.out


# What it was before.


def test_only_what_differs_from_the_start_is_reported(
    run: Terminal, folder: Path, place: Path
) -> None:
    for name in ("old.py", "grown.py"):
        (folder / name).write_text(CHEAT)
        (place / "start").mkdir(exist_ok=True)
        (place / "start" / name).write_text(CHEAT)
    (folder / "grown.py").write_text(CHEAT + "time.time = lambda: 0.0\n")
    line = _only(run("auditor", "audit", folder, "--start", place / "start", *COMMON))
    assert _sites(line) == [("grown.py", 4)]
    assert "no start" not in _gaps(line)


def test_a_folder_is_no_different_from_itself(run: Terminal, folder: Path) -> None:
    (folder / "main.py").write_text(CHEAT)
    said = run("auditor", "audit", folder, "--start", folder, *COMMON)
    assert (said.code, _only(said)["verdict"]) == (0, "clean")


def test_a_file_is_compared_with_a_file_of_another_name(run: Terminal, place: Path) -> None:
    (place / "before.py").write_text(CHEAT)
    (place / "after.py").write_text(CHEAT + "x = 1\n")
    start = ("--start", place / "before.py")
    assert _only(run("auditor", "audit", place / "after.py", *start, *COMMON))["findings"] == []


# What is refused.


def test_a_folder_that_is_no_attempt_says_what_to_do(run: Terminal, folder: Path) -> None:
    refused(run("auditor", "audit", folder), str(folder), "--environment common")


@pytest.mark.parametrize("words", [COMMON, ()], ids=["common", "attempt"])
def test_a_path_that_is_missing(run: Terminal, place: Path, words: tuple[str, ...]) -> None:
    refused(run("auditor", "audit", place / "nowhere", *words), "nowhere")


def test_a_pipe_that_is_named_is_not_opened(run: Terminal, place: Path) -> None:
    os.mkfifo(place / "pipe")
    refused(run("auditor", "audit", place / "pipe", *COMMON), "neither a folder nor a file")


@pytest.mark.parametrize("kind", ["missing", "pipe"])
def test_a_start_that_is_none(run: Terminal, folder: Path, place: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(place / "start")
    said = run("auditor", "audit", folder, "--start", place / "start", *COMMON)
    refused(said, str(place / "start"))
    assert said.out == ""


def test_a_start_without_an_environment(run: Terminal, folder: Path) -> None:
    refused(run("auditor", "audit", folder, "--start", folder), "--environment common")


# Attempts, and environments.


def test_an_attempt_is_audited_as_one(
    run: Terminal, moulded: Path, task: Path, place: Path, harness_home: Path
) -> None:
    attempt = pour(moulded, place / "attempt", task, harness_home)
    said = run("auditor", "audit", attempt, *COMMON)
    line = _only(said)
    assert (said.code, line["verdict"], line["environment"]) == (3, "inconclusive", "common")
    assert (line["claimed_score"], line["remeasured_score"]) == (2.0, None)
    assert {path.name for path in (attempt / "audit").iterdir()} == REPORTS
    refused(run("auditor", "audit", attempt, "--start", place, *COMMON), "--start")


def test_an_attempt_without_its_facts_is_no_plain_folder(
    run: Terminal, moulded: Path, task: Path, place: Path, harness_home: Path
) -> None:
    attempt = pour(moulded, place / "attempt", task, harness_home)
    (attempt / "attempt.json").write_text("{}")
    refused(run("auditor", "audit", attempt, *COMMON), "attempt.json")


def test_a_workspace_that_no_harness_made(run: Terminal, task: Path, place: Path) -> None:
    workspace = place / "workspace"
    (workspace / "solution").mkdir(parents=True)
    (workspace / "solution" / "answer.txt").write_text("2.0")
    (workspace / "task.json").write_text("{}")
    options = ("--environment", task, "--format", "json")
    said = run("auditor", "audit", workspace, *options)
    line = _only(said)
    assert (said.code, line["verdict"]) == (3, "inconclusive")
    assert (line["environment"], line["findings"]) == ("say_a_number", [])
    for gap in ("ANY001", "ANY002", "what the task protects is taken as it was given"):
        assert gap in _gaps(line)
    (place / "start").mkdir()
    (place / "start" / "task.json").write_text("{ }")
    line = _only(run("auditor", "audit", workspace, *options, "--start", place / "start"))
    assert (line["verdict"], "task.json is protected" in str(line["findings"])) == (
        "violation", True,
    )  # fmt: skip


# Hostile trees.


def test_a_repository_is_read_and_not_asked(run: Terminal, folder: Path, place: Path) -> None:
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(parents=True)
    (folder / ".git" / "config").write_text(BROKEN.format(place / "touched", hooks))
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "planted.py").write_text(CHEAT)
    (folder / ".gitattributes").write_text("* filter=x\n")
    before = fingerprint(place)
    line = _only(run("auditor", "audit", folder, *COMMON))
    assert line["verdict"] == "clean"
    assert "whose history was not read: .git" in _gaps(line)
    assert fingerprint(place) == before


def test_links_are_evidence_and_lead_nowhere(place: Path, folder: Path) -> None:
    (place / "outside").mkdir()
    (place / "outside" / "cheat.py").write_text(CHEAT)
    (folder / "tree").symlink_to(place / "outside")
    (folder / "cheat.py").symlink_to("../outside/cheat.py")
    (folder / "loop").symlink_to(".")
    found = PlainAuditor(RULES).audit(folder)
    targets = {
        fact.data["path"]: fact.data["target"]
        for fact in found.evidence
        if fact.data.get("type") == "link"
    }
    assert targets == {
        "tree": str(place / "outside"), "cheat.py": "../outside/cheat.py", "loop": ".",
    }  # fmt: skip
    assert found.verdict.findings == ()
    assert [fact.data["path"] for fact in found.evidence if fact.kind == "source_changed"] == [
        "deep/er/notes.txt", "main.py",
    ]  # fmt: skip


def test_what_is_no_file_is_not_opened(run: Terminal, folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        line = _only(run("auditor", "audit", folder, *COMMON))
    assert line["verdict"] == "clean"
    assert "not opened: pipe.py, socket" in _gaps(line)


@pytest.mark.parametrize(
    ("name", "content", "verdict", "gap"),
    [
        ("big.txt", "words " * 200_000, "clean", "count as data: big.txt"),
        ("big.py", CHEAT + "#" * (1 << 20), "inconclusive", "to be read as code: big.py"),
        ("two.py", "print 'two'\n", "inconclusive", "not Python that can be parsed: two.py"),
        ("new.py", "x = t'{1}'\n", "inconclusive", "not Python that can be parsed: new.py"),
        ("test_two.py", "print 'two'\n", "clean", "not Python that can be parsed: test_two.py"),
    ],
)
def test_what_no_rule_reads_is_named(
    run: Terminal, folder: Path, name: str, content: str, verdict: str, gap: str
) -> None:
    (folder / name).write_text(content)
    line = _only(run("auditor", "audit", folder, *COMMON))
    assert line["verdict"] == verdict
    assert gap in _gaps(line)


def test_limits_are_kept_and_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tree.read(folder)
    assert whole.whole
    assert list(whole.entries) == [
        "deep", "deep/er", "deep/er/notes.txt", "deep/weights.bin", "main.py",
    ]  # fmt: skip
    for name, value, field in (
        ("ENTRIES", 3, "uncounted"), ("DEPTH", 1, "unread"), ("TEXTS", 0, "beyond"),
        ("TEXT_BYTES", 10, "beyond"), ("TOTAL_BYTES", 100, "unread"),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(tree, name, value)
            read = tree.read(folder)
        assert not read.whole
        assert getattr(read, field), name


def test_a_file_that_was_not_read_is_never_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "TOTAL_BYTES", 100)
    found = PlainAuditor(RULES, start=folder).audit(folder)
    changed = {fact.data["path"] for fact in found.evidence if fact.kind == "file_changed"}
    assert "deep/weights.bin" in changed


def test_a_tree_deeper_than_any_path_is_read_to_its_limit(place: Path) -> None:
    here = os.open(place, os.O_RDONLY)
    for _ in range(tree.DEPTH + 20):
        os.mkdir("d" * 100, dir_fd=here)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    read = tree.read(place)
    assert len(read.entries) == tree.DEPTH + 1
    assert len(read.unread) == 1
    assert "too deep" in read.unread[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"plain.py", "plain.py"), ("größe.py".encode(), "größe.py"), (b"a%b", "a%25b"),
        (b"\xff\x1b[2J", "%FF%1B[2J"), ("\u202e".encode(), "%E2%80%AE"), (b"a\nb", "a%0Ab"),
    ],
)  # fmt: skip
def test_a_name_is_kept_whatever_it_holds(place: Path, name: bytes, expected: str) -> None:
    (place / os.fsdecode(name)).write_text("")
    assert list(tree.read(place).entries) == [expected]


def test_a_folder_of_an_odd_name_has_a_verdict(run: Terminal, place: Path) -> None:
    odd = place / os.fsdecode(b"\xff\xfe")
    odd.mkdir()
    (odd / os.fsdecode(b"\xfd.py")).write_text(CHEAT)
    said = run("auditor", "audit", odd, *COMMON, "--output", place / "out")
    assert (said.code, _only(said)["verdict"]) == (1, "suspect")
    assert _sites(_only(said)) == [("%FD.py", 3)]


def test_nothing_of_a_tree_steers_the_terminal(place: Path) -> None:
    name = SPELL.replace("/", "")
    (place / name).mkdir()
    (place / name / f"{name}.py").write_text(CHEAT)
    (place / name / "link").symlink_to(SPELL)
    os.mkfifo(place / name / f"{name}.pipe")
    seen = _on_a_terminal("audit", place / name, "--environment", "common")
    assert "SUSPECT" in seen
    for steering in ("\x1b]0", "\x07", "\x1b[2J", "\x9b", "\u202e"):
        assert steering not in seen


# Many at once.


def test_many_paths_keep_their_order_and_one_harms_no_other(run: Terminal, place: Path) -> None:
    paths = []
    for number in range(AHEAD + FEW):
        path = place / f"{number}.py"
        path.write_text(CHEAT if number == 2 else QUIET)
        paths.append(path)
    paths.insert(5, place / "missing")
    before = fingerprint(place)
    said = run("auditor", "audit", *paths, *COMMON)
    lines = _lines(said)
    assert said.code == 2
    assert [line["attempt"] for line in lines] == [str(path) for path in paths]
    named = {"2.py": "cheating", "missing": "error"}
    assert [line["verdict"] for line in lines] == [named.get(p.name, "clean") for p in paths]
    assert [path.name for path in paths if f"{path}: reading" not in said.err] == []
    assert fingerprint(place) == before


def test_output_gets_every_format(run: Terminal, folder: Path, place: Path) -> None:
    paths = [folder, *(place / f"{number}.py" for number in range(FEW + 1))]
    for path in paths[1:]:
        path.write_text(QUIET)
    before = fingerprint(folder)
    said = run("auditor", "audit", *paths, *COMMON, "--output", place / "out")
    for path, line in zip(paths, _lines(said), strict=True):
        written = place / "out" / path.name
        assert {item.name for item in written.iterdir()} == REPORTS
        assert json.loads((written / "verdict.json").read_text()) == line
    assert fingerprint(folder) == before


def _die_on_two(path: Path) -> str:
    if path.name == "2":
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def _lost(path: Path) -> str:
    return f"lost {path.name}"


def test_a_worker_that_dies_costs_its_own_path_alone() -> None:
    paths = [Path(str(number)) for number in range(AHEAD + 2)]
    with Pool(_die_on_two, _lost) as pool:
        results = list(pool.run(paths))
    assert results == ["lost 2" if path.name == "2" else path.name for path in paths]


def test_a_large_tree_is_read_in_parts_of_neighbours(run: Terminal, folder: Path) -> None:
    for number in range(4):
        inner = folder / f"part{number}"
        inner.mkdir()
        for name in range(30):
            (inner / f"m{name}.py").write_text(QUIET)
    (folder / "part2" / "speed.py").write_text(CHEAT)
    line = _only(run("auditor", "audit", folder, *COMMON))
    assert _sites(line) == [("part2/speed.py", 3)]
    assert "parts of neighbouring files" in _gaps(line)


def test_a_large_tree_after_a_small_one(run: Terminal, folder: Path, place: Path) -> None:
    (place / "small.py").write_text(QUIET)
    for number in range(110):
        (folder / f"m{number}.py").write_text(QUIET)
    said = run("auditor", "audit", place / "small.py", folder, *COMMON)
    assert [line["verdict"] for line in _lines(said)] == ["clean", "clean"]
