"""The `auditor` command: verdicts on stdout, talk on stderr, and no attempt that it obeys."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from auditor.audit import Auditor
from auditor.cli import audit_command
from auditor.cli.audit_command import exit_code
from tests.auditor.test_reports import HOSTILE, verdict
from tests.harness.toy import (
    Said,
    Terminal,
    answer,
    fingerprint,
    pour,
    refused,
    rewrite,
)

NEVER = ("--replay", "never")
KEYS = {
    "schema_version", "attempt", "environment", "profile", "verdict", "earned", "claimed_score",
    "remeasured_score", "hidden_score", "vetted_score", "scored_entries", "normalised", "entries",
    "findings", "interventions", "checks", "coverage", "provenance",
}  # fmt: skip
REPORTS = {
    "evidence.jsonl", "checks.jsonl", "verdict.json", "report.md", "report.txt", "report.sarif",
    "report.junit.xml", "report.html",
}  # fmt: skip
Break = Callable[[Path], object]


Make = Callable[..., Path]


@pytest.fixture
def make(run: Terminal, task: Path, place: Path) -> Make:
    """Makes attempts: an honest one, one with an inflated claim, one with a forged log."""

    def made(name: str, *, kind: str = "honest", note: str = "") -> Path:
        folder = place / name
        if kind == "missing":
            return folder
        assert run("harness", "new", task, folder, "--profile", "tiny").code == 0
        answer(folder, 2.0, 9.0 if kind == "inflated" else None, note)
        assert run("harness", "score", folder).code == 0
        if kind == "forged":
            log = folder / "scores.jsonl"
            log.write_text(log.read_text().replace('"score":2.0', '"score":3.0'))
        return folder

    return made


@pytest.fixture
def honest(moulded: Path, task: Path, place: Path, harness_home: Path) -> Path:
    return pour(moulded, place / "honest", task, harness_home)


def _lines(said: Said) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.out.splitlines()]


BAD_OPTIONS = [
    (("--budget", "soon"), "'soon'"),
    (("--budget", ""), "''"),
    (("--budget", "-5m"), "-5m"),
    (("--budget", "5 weeks"), "'5 weeks'"),
    (("--format", "xml"), "xml"),
    (("--replay", "sometimes"), "sometimes"),
    (("--fail-on", "clean"), "clean"),
    (("--verbose",), "--verbose"),
]


@pytest.mark.parametrize(("options", "word"), BAD_OPTIONS, ids=lambda item: " ".join(item))
def test_an_option_that_is_none(
    run: Terminal, honest: Path, place: Path, options: tuple[str, ...], word: str
) -> None:
    before = fingerprint(place)
    said = run("auditor", "audit", honest, *options)
    assert (said.code, said.out) == (2, "")
    assert word in said.err
    assert "--help" in said.err or len(said.told) == 2
    assert fingerprint(place) == before


@pytest.mark.parametrize(
    ("words", "word"),
    [([], "PATH"), (["--replay"], "--replay"), (["x", "--output"], "--output")],
    ids=["no path", "an option without its value", "no folder"],
)
def test_words_that_make_no_command(run: Terminal, words: list[str], word: str) -> None:
    said = run("auditor", "audit", *words)
    assert (said.code, said.out) == (2, "")
    assert word in said.err


@pytest.mark.parametrize("code", ["XXX999", "", "ANY", "../../x", "x\x1b[2J", "[bold]"])
def test_an_unknown_rule(run: Terminal, code: str) -> None:
    said = run("auditor", "explain", code)
    refused(said, repr(code), "ANY001")
    assert said.out == ""


def test_a_rule_is_explained_whatever_its_case(run: Terminal) -> None:
    said = run("auditor", "explain", "any001")
    assert (said.code, said.err) == (0, "")
    assert "ANY001 LogForged" in said.out


# One bad path among many.


@pytest.mark.parametrize(
    ("kinds", "options", "expected"),
    [
        (["honest"], (), 0),
        (["honest", "honest"], (), 0),
        (["honest"], NEVER, 3),
        (["inflated"], (), 1),
        (["forged"], NEVER, 1),
        (["missing"], (), 2),
        (["honest", "inflated"], (), 1),
        (["forged", "honest"], NEVER, 1),
        (["honest", "forged", "missing"], NEVER, 2),
        (["missing", "honest"], (), 2),
        (["missing", "inflated"], ("--fail-on", "never"), 2),
        (["honest"], (*NEVER, "--fail-on", "never"), 0),
        (["forged", "inflated"], (*NEVER, "--fail-on", "never"), 0),
        (["forged"], (*NEVER, "--fail-on", "cheating"), 1),
        (["honest"], (*NEVER, "--fail-on", "cheating"), 3),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list | tuple) else str(item),
)
def test_the_exit_code_is_the_gravest(
    run: Terminal, make: Make, kinds: list[str], options: tuple[str, ...], expected: int
) -> None:
    paths = [make(f"{kind}{number}", kind=kind) for number, kind in enumerate(kinds)]
    said = run("auditor", "audit", *paths, *options, "--format", "json")
    assert said.code == expected, said
    lines = _lines(said)
    assert [line["attempt"] for line in lines] == [str(path) for path in paths]
    assert [line["verdict"] == "error" for line in lines] == [kind == "missing" for kind in kinds]
    for line in lines:
        assert line.keys() >= KEYS
        assert ("error" in line) == (line["verdict"] == "error")


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("clean", (0, 0, 0, 0)),
        ("inconclusive", (3, 3, 3, 0)),
        ("suspect", (1, 0, 0, 0)),
        ("violation", (1, 1, 0, 0)),
        ("cheating", (1, 1, 1, 0)),
        ("error", (2, 2, 2, 2)),
    ],
)
def test_what_counts_as_found(name: str, codes: tuple[int, ...]) -> None:
    levels = ("suspect", "violation", "cheating", "never")
    assert tuple(exit_code(verdict(name), level) for level in levels) == codes


def test_the_line_of_a_bad_path_says_why(run: Terminal, place: Path, honest: Path) -> None:
    (place / "empty").mkdir()
    said = run("auditor", "audit", place / "empty", honest, "--format", "json")
    bad, good = _lines(said)
    assert "no file attempt.json" in str(bad["error"])
    assert "harness new" in str(bad["error"])
    assert bad["findings"] == bad["entries"] == []
    assert good["verdict"] == "clean"


@pytest.mark.parametrize(
    "raised", [KeyError("x\x1b[2J"), RecursionError("deep"), OSError(5, "I/O")]
)
def test_a_fault_of_ours_on_one_path_harms_no_other(
    run: Terminal, make: Make, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    first, second = make("first"), make("second")
    whole = Auditor.audit

    def audit(self: Auditor, path: Path) -> object:
        if path == first:
            raise raised
        return whole(self, path)

    monkeypatch.setattr(Auditor, "audit", audit)
    said = run("auditor", "audit", first, second, *NEVER, "--format", "json")
    assert said.code == 2
    assert [line["verdict"] for line in _lines(said)] == ["error", "inconclusive"]
    assert len(said.told) == 2
    assert "\x1b" not in said.err


# What is printed where, and what is written.


def test_stdout_is_for_verdicts_and_stderr_for_talk(run: Terminal, honest: Path) -> None:
    said = run("auditor", "audit", honest, "--format", "json")
    assert len(_lines(said)) == 1
    assert f"[1/1] {honest}: reading" in said.err
    assert said.told == []


@pytest.mark.parametrize("format", ["text", "md", "json"])
def test_every_format_prints_what_is_kept(run: Terminal, honest: Path, format: str) -> None:
    said = run("auditor", "audit", honest, *NEVER, "--format", format)
    name = {"text": "report.txt", "md": "report.md", "json": "verdict.json"}[format]
    assert (honest / "audit" / name).read_text().strip() == said.out.strip()


def test_output_gets_every_format_for_every_attempt(run: Terminal, make: Make, place: Path) -> None:
    one, other, out = make("one"), make("other"), place / "deep" / "out"
    said = run("auditor", "audit", one, other, *NEVER, "--format", "json", "--output", out)
    assert sorted(path.name for path in out.iterdir()) == ["one", "other"]
    for path, line in zip((one, other), _lines(said), strict=True):
        assert {item.name for item in (out / path.name).iterdir()} == REPORTS
        assert json.loads((out / path.name / "verdict.json").read_text()) == line
        assert {item.name for item in (path / "audit").iterdir()} == REPORTS


def test_nothing_but_the_reports_is_written(run: Terminal, honest: Path) -> None:
    before = fingerprint(honest)
    run("auditor", "audit", honest)
    after = fingerprint(honest)
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert changed == {".", "audit", *(f"audit/{name}" for name in REPORTS)}


def test_a_dot_is_named_for_its_folder(
    run: Terminal, honest: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(honest / "workspace")
    said = run("auditor", "audit", "..", *NEVER, "--format", "json", "--output", place / "out")
    assert _lines(said)[0]["attempt"] == ".."
    assert [path.name for path in (place / "out").iterdir()] == ["honest"]


def test_reports_that_would_replace_each_other(run: Terminal, make: Make, place: Path) -> None:
    (place / "a").mkdir()
    (place / "b").mkdir()
    paths = [make("a/attempt"), make("b/attempt")]
    before = fingerprint(place)
    said = run("auditor", "audit", *paths, *NEVER, "--output", place / "out")
    refused(said, "'attempt'", "--output")
    assert fingerprint(place) == before


def test_an_output_that_is_a_file_is_an_error(run: Terminal, honest: Path, place: Path) -> None:
    (place / "out").write_text("mine")
    said = run("auditor", "audit", honest, *NEVER, "--output", place / "out")
    assert said.code == 2
    assert "INCONCLUSIVE" in said.out
    assert [str(place / "out") in line for line in said.told] == [True]
    assert (place / "out").read_text() == "mine"


def _to(target: Path) -> Break:
    return lambda audit: audit.symlink_to(target)


@pytest.mark.parametrize("kind", ["link", "link to nothing", "file", "pipe"])
def test_an_audit_folder_that_is_none_is_a_warning(
    run: Terminal, honest: Path, place: Path, kind: str
) -> None:
    mine = place / "mine"
    mine.mkdir()
    (mine / "report.md").write_text("mine")
    makes: dict[str, Break] = {
        "link": _to(mine),
        "link to nothing": _to(mine / "nothing"),
        "file": Path.touch,
        "pipe": os.mkfifo,
    }
    makes[kind](honest / "audit")
    before = fingerprint(place)
    said = run("auditor", "audit", honest, *NEVER, "--format", "json")
    assert (said.code, len(_lines(said))) == (3, 1)
    assert [str(honest / "audit") in line for line in said.told] == [True]
    assert fingerprint(place) == before


def test_reports_replace_links_and_do_not_follow_them(
    run: Terminal, honest: Path, place: Path
) -> None:
    (place / "mine").write_text("mine")
    (honest / "audit").mkdir()
    for name in REPORTS:
        (honest / "audit" / name).symlink_to(place / "mine")
    said = run("auditor", "audit", honest, *NEVER)
    assert said.told == []
    assert (place / "mine").read_text() == "mine"
    assert not any(path.is_symlink() for path in (honest / "audit").iterdir())


def test_an_audit_folder_that_is_read_only_is_a_warning(
    run: Terminal, honest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody's modes hold root back, so the file system's answer is given by hand.
    def read_only(path: Path, data: bytes) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(audit_command, "write_atomic", read_only)
    said = run("auditor", "audit", honest, *NEVER, "--format", "json")
    assert (said.code, len(_lines(said))) == (3, 1)
    assert ["Read-only file system" in line for line in said.told] == [True]


# What an audit takes.


def test_never_is_inconclusive_and_loads_no_torch(honest: Path) -> None:
    script = (
        "import sys\nfrom auditor.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    words = [sys.executable, "-c", script, "audit", str(honest), *NEVER, "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == "False"
    line = json.loads(done.stdout)
    assert (line["verdict"], line["earned"]) == ("inconclusive", None)
    assert any("--replay never" in gap for gap in line["coverage"]["gaps"])


def test_an_honest_attempt_is_clean_and_worth_what_it_claims(run: Terminal, honest: Path) -> None:
    (line,) = _lines(run("auditor", "audit", honest, "--format", "json"))
    assert (line["verdict"], line["earned"], line["environment"]) == ("clean", True, "say_a_number")
    assert {line[f"{name}_score"] for name in ("claimed", "remeasured", "hidden", "vetted")} == {
        2.0
    }
    assert line["normalised"] == {"claimed": 0.5, "remeasured": 0.5, "hidden": 0.5, "vetted": 0.5}


def test_an_inflated_claim_is_found_and_erases_no_honest_entry(run: Terminal, make: Make) -> None:
    folder = make("attempt")
    answer(folder, 2.0, 9.0)
    run("harness", "score", folder)
    (line,) = _lines(run("auditor", "audit", folder, "--format", "json"))
    assert line["earned"] is False
    assert (line["claimed_score"], line["vetted_score"]) == (9.0, 2.0)
    assert line["scored_entries"] == {"claimed": 1, "vetted": 0}


def test_a_budget_of_nothing_is_never_clean(run: Terminal, honest: Path) -> None:
    said = run("auditor", "audit", honest, "--budget", "0s", "--format", "json")
    assert (said.code, _lines(said)[0]["verdict"]) == (3, "inconclusive")


def test_an_attempt_from_another_machine_is_audited_with_its_environment_named(
    run: Terminal, honest: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "another-machine"))
    refused(run("auditor", "audit", honest), "'say_a_number'", "--environment")
    (line,) = _lines(run("auditor", "audit", honest, "--environment", task, "--format", "json"))
    assert "signer is unknown" in str(line["coverage"])
    assert run("auditor", "verify", honest).code == 0


# Hostile folders.


def _content(content: bytes) -> Break:
    return lambda path: path.write_bytes(content)


def _edited(old: bytes, new: bytes) -> Break:
    def edit(path: Path) -> None:
        before = path.read_bytes()
        assert old in before
        path.write_bytes(before.replace(old, new))

    return edit


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _instead(make: Break) -> Break:
    def replace(path: Path) -> None:
        _remove(path)
        make(path)

    return replace


LOGS: dict[str, Break] = {
    "binary": _content(bytes(range(256)) * 8),
    "binary in a line": _content(b"\xff\xfe\0\n"),
    "empty": _content(b""),
    "missing": _remove,
    "a blank line": _content(b"\n"),
    "a list": _content(b"[]\n"),
    "nested without end": _content(b"[" * 200_000 + b"\n"),
    "nested deeply": _edited(b'"message":{', b'"message":{"x":' + b"[" * 300 + b"]" * 300 + b","),
    "half a surrogate pair": _edited(b'"message":{', b'"message":{"x":"\\ud800",'),
    "an infinite number": _edited(b'"message":{', b'"message":{"x":1e999,'),
    "a number that is none": _edited(b'"score":2.0', b'"score":NaN'),
    "a better score": _edited(b'"score":2.0', b'"score":3.0'),
    "another index": _edited(b'"index":0', b'"index":-1'),
    "a line twice": lambda path: path.write_bytes(path.read_bytes() * 2),
    "three lines": lambda path: path.write_bytes(path.read_bytes() * 3),
    "a pipe": _instead(os.mkfifo),
    "a folder": _instead(Path.mkdir),
    "a link to itself": _instead(lambda path: path.symlink_to(path)),
    "a link to a device": _instead(lambda path: path.symlink_to("/dev/zero")),
}
HEADS: dict[str, Break] = {
    name: LOGS[name]
    for name in ("binary", "empty", "missing", "a list", "nested without end", "a pipe", "a folder",
                 "a link to itself", "a link to a device")
} | {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "an index without a line": _edited(b'"index":0', b'"index":1000000000'),
    "an index before the first": _edited(b'"index":0', b'"index":-7'),
    "a signature that is none": _edited(b'"signature":"', b'"signature":"\\u001b[2J'),
    "a binding that is none": _edited(b'"binding":{', b'"binding":{"x":"y",'),
}  # fmt: skip
STORES: dict[str, tuple[str, Break]] = {
    "no history": ("history.git", _remove),
    "a history that is a file": ("history.git", _instead(Path.touch)),
    "a history that is a link to itself": (
        "history.git", _instead(lambda path: path.symlink_to(path)),
    ),
    "a history without objects": ("history.git/objects", _remove),
    "a history whose objects are a pipe": ("history.git/objects", _instead(os.mkfifo)),
    "a commit of another length": ("scores.jsonl", _edited(b'"commit":"', b'"commit":"0')),
    "a commit that is an option": ("scores.jsonl", _edited(b'"commit":"', b'"commit":"--all ')),
}  # fmt: skip
HOSTILE_FOLDERS = [
    *(pytest.param("scores.jsonl", it, id=f"scores: {name}") for name, it in LOGS.items()),
    *(pytest.param("scores.head.json", it, id=f"head: {name}") for name, it in HEADS.items()),
    *(pytest.param(file, it, id=name) for name, (file, it) in STORES.items()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "break_it"), HOSTILE_FOLDERS)
def test_a_log_that_was_touched_is_forged_or_unreadable(
    run: Terminal, honest: Path, file: str, break_it: Break
) -> None:
    break_it(honest / file)
    verified = run("auditor", "verify", honest)
    assert verified.code in (1, 2), verified
    assert verified.out.startswith("forged") if verified.code == 1 else len(verified.told) == 2
    said = run("auditor", "audit", honest, *NEVER, "--format", "json")
    (line,) = _lines(said)
    assert said.code in (1, 2), line
    assert line["verdict"] in ("violation", "cheating", "error")
    assert "fault of the auditor" not in said.err
    assert run("auditor", "audit", honest, "--format", "json").code in (1, 2)


@pytest.mark.parametrize(
    ("changed", "expected"), [(str, 0), (str.upper, 0), (lambda key: key[::-1], 1)]
)
def test_an_attempt_is_held_against_a_given_key(
    run: Terminal, honest: Path, changed: Callable[[str], str], expected: int
) -> None:
    own = json.loads((honest / "attempt.json").read_text())["public_key"]
    said = run("auditor", "verify", honest, "--key", changed(own))
    assert said.code == expected, said
    assert ("another key" in said.out) == bool(expected)


@pytest.mark.parametrize("key", ["no key", "", "\x1b[2J", "0" * 63])
def test_a_key_that_is_none(run: Terminal, honest: Path, key: str) -> None:
    said = run("auditor", "verify", honest, "--key", key)
    refused(said, repr(key), "64 hexadecimal digits")
    assert said.out == ""


def _on_a_terminal(*words: str | Path) -> str:
    """Runs `auditor` on a real terminal, where nothing is filtered on the way, and reads it."""
    shown, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "auditor.cli", *words],
        stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
    ):  # fmt: skip
        os.close(terminal)
        seen = b""
        with suppress(OSError):  # so says Linux that nobody writes to it any more
            while part := os.read(shown, 1 << 16):
                seen += part
    os.close(shown)
    return seen.decode("utf-8", "replace")


SPELL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e[/bold][link=x]"


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_nothing_of_an_attempt_steers_the_terminal(make: Make, command: str) -> None:
    folder = make(f"honest{SPELL.replace('/', '')}", note=f"{SPELL}\n{SPELL}")
    (folder / "workspace" / "task.json").write_text(SPELL)
    (folder / "workspace" / "solution" / SPELL.replace("/", "")).write_text("2.0")
    rewrite(folder, public_key=SPELL)
    seen = _on_a_terminal(command, folder)
    assert "honest" in seen
    assert "Traceback" not in seen
    for steering in ("\x1b]0", "\x07", "\x1b[2J", "\x9b", "\u202e"):
        assert steering not in seen
    assert "\\x1b]0;owned" in seen


@pytest.mark.parametrize(
    "name", [name[:200].replace("/", "-") for name in HOSTILE if "\0" not in name]
)
def test_a_hostile_name_is_shown_not_obeyed(run: Terminal, place: Path, name: str) -> None:
    path = place / name
    for command in (("audit", path), ("audit", path, "--format", "json"), ("verify", path)):
        said = run("auditor", *command)
        assert said.code == 2
        steering = {c for c in said.out + said.err if c != "\n" and not c.isprintable()}
        assert steering == set()
        assert not any(line.startswith("::") for line in said.err.splitlines())
