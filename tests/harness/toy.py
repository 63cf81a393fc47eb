"""A tiny environment of a user's own, and both commands run on attempts at it as a person would."""

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from auditor.cli import main as auditor
from harness import environment as environments
from harness import origin, scoring
from harness.attempt import AttemptFolder
from harness.cli import main as harness

FACTS = """\
title = "Say a number"
kind = "program"
metric = "number"
direction = "higher"

[workspace]
editable = ["solution/**"]
protected = ["task.json"]
outputs = []
entrypoints = ["solution/answer.txt:the first line"]

[profile.tiny]
budget_s = 60
run_limit_s = 10
threads = 1
hardware = "any"
start_score = { value = 1.0, noise_sd = 0.0 }
reference_score = { value = 3.0, noise_sd = 0.0 }
"""
PREPARE = """\
def prepare(workspace, protected, private, *, profile, seed, secret):
    (workspace / "solution").mkdir()
    (workspace / "solution" / "answer.txt").write_text("1.0")
    (workspace / "task.json").write_text("{}")
"""
SCORE = '''\
"""Classic believes the solution's own word where there is one; sealed does not."""

from harness.errors import InvalidSolution
from harness.files import read_beneath
from harness.models import Score


def classic(workspace, protected, profile):
    claimed = (workspace / "solution" / "claim.txt").is_file()
    return _read(workspace, "claim.txt" if claimed else "answer.txt")


def sealed(snapshot, private, split, profile):
    return _read(snapshot, "answer.txt")


def _read(workspace, name):
    text = read_beneath(workspace, f"solution/{name}", 10_000)
    lines = text.decode("utf-8", "replace").split("\\n")
    try:
        return Score(value=float(lines[0]), message={"said": lines[1:]})
    except ValueError as error:
        raise InvalidSolution(f"{name} says {lines[0]!r}, which is no number.") from error
'''
RULES = 'extends = ["common"]\nrequired = ["ANY001", "ANY002"]\n'
MAINS: dict[str, Callable[[], None]] = {"harness": harness, "auditor": auditor}
PROGRESS = re.compile(r"· |\[\d+/\d+\] ")
LIMIT_S = 120
"""A command that waits for a pipe would wait for ever."""


class Said(NamedTuple):
    """What a command left behind on a terminal."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """What it said on stderr beside progress."""
        return [line for line in self.err.splitlines() if not PROGRESS.match(line)]


class Terminal:
    """Runs the two commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
            monkeypatch.delenv(name, raising=False)

    def __call__(self, *words: str | Path) -> Said:
        self._monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended, _limited():
            MAINS[str(words[0])]()
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, out, err)


@contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"The command was not done after {LIMIT_S} seconds.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def environment(folder: Path, facts: str = FACTS) -> Path:
    """Writes the environment into `folder`."""
    (folder / "rules").mkdir(parents=True)
    files = {"env.toml": facts, "prepare.py": PREPARE, "score.py": SCORE}
    for name, text in {**files, "rules/ruleset.toml": RULES}.items():
        (folder / name).write_text(text)
    return folder


def mould(folder: Path) -> Path:
    """Makes one attempt that was scored once, for `pour` to copy: most tests need no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(folder / "home"))
        task = environments.find(str(environment(folder / "say_a_number")))
        made = scoring.new(task, folder / "attempt", profile="tiny")
        answer(made.root, 2.0)
        scoring.score(made, task)
    return folder


def pour(moulded: Path, attempt: Path, task: Path, home: Path) -> Path:
    """Copies that attempt and the home of its host, as if it had been made at `task`."""
    shutil.copytree(moulded / "home", home)
    shutil.copytree(moulded / "attempt", attempt)
    origin.note(AttemptFolder.open(attempt).attempt().run_id, environments.find(str(task)))
    return attempt


def answer(attempt: Path, number: float, claim: float | None = None, note: str = "") -> None:
    """Does an agent's work: says a number, and perhaps claims another."""
    solution = attempt / "workspace" / "solution"
    (solution / "answer.txt").write_text(f"{number}\n{note}")
    if claim is not None:
        (solution / "claim.txt").write_text(f"{claim}\n{note}")


def rewrite(attempt: Path, **changes: object) -> None:
    """Changes facts in `attempt.json`."""
    path = attempt / "attempt.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def fingerprint(root: Path) -> dict[str, str]:
    """Returns a hash of each thing beneath `root`, and of `root`, by path."""
    found = {}
    for path in [root, *root.rglob("*")]:
        facts = path.lstat()
        content = b""
        if stat.S_ISREG(facts.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(facts.st_mode):
            content = os.fsencode(os.readlink(path))
        told = f"{facts.st_mode} {facts.st_mtime_ns} {hashlib.sha256(content).hexdigest()}"
        found[str(path.relative_to(root))] = told
    return found


def refused(said: Said, *words: str | Path) -> None:
    """Asserts that a command said what is wrong and what to do next, and did nothing else."""
    assert said.code == 2, said
    what, *then = said.told
    assert what.endswith((".", "…]"))
    assert len(then) == 1, f"not one sentence and one hint: {said.told}"
    for word in words:
        assert str(word) in " ".join(said.told)
