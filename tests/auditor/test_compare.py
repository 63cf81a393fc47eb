"""`auditor compare`: copies side by side, with who was first; honest attempts beside each other."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor import registry
from auditor.cli.rule_commands import RULES
from auditor.likeness import figures
from auditor.models import Finding
from auditor.rule import Rule, Unit
from tests import peak
from tests.auditor import synthetic
from tests.auditor.likeness_samples import DISGUISED, INDEPENDENT, ORIGINAL, START
from tests.harness.toy import PREPARE, Said, Terminal, answer, environment, fingerprint, refused

JSON = ("--format", "json")
LOG = "\n".join(f"step {n * 10} loss {4 - n / 37:.4f} elapsed {n * 7.31:.2f} s" for n in range(9))
LOSSES = "\n".join(f"step {n} loss {4 - n / 37:.12f}" for n in range(9))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The toy environment with a start that has some code."""
    folder = environment(tmp_path / "say_a_number")
    lines = [f"    write(workspace, {path!r}, {text!r})" for path, text in START.items()]
    write = "\n\ndef write(workspace, path, text):\n    (workspace / path).write_text(text)\n"
    (folder / "prepare.py").write_text(PREPARE + "\n".join(lines) + write)
    return folder


def _scored(run: Terminal, task: Path, attempt: Path, *entries: str) -> Path:
    """Makes an attempt with an entry per text of `fast.py`."""
    assert run("harness", "new", task, attempt, "--profile", "tiny").code == 0
    for number, text in enumerate(entries):
        answer(attempt, 2.0 + number)
        (attempt / "workspace/solution/fast.py").write_text(text)
        assert run("harness", "score", attempt).code == 0
    return attempt


def _plain(folder: Path, **texts: str) -> Path:
    for name, text in {**START, **texts}.items():
        path = folder / name.replace("__", "/").replace("_py", ".py").replace("_log", ".log")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _found(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_a_copy_is_shown_beside_its_original(run: Terminal, task: Path, place: Path) -> None:
    original = _scored(run, task, place / "original", ORIGINAL[:900], ORIGINAL)
    copy = _scored(run, task, place / "copy", "x = 1\n", DISGUISED)
    other = _scored(run, task, place / "other", INDEPENDENT)
    before = fingerprint(place)
    said = run("auditor", "compare", other, copy, original, *JSON)
    found = _found(said)
    assert said.code == 1
    (cluster,) = found["clusters"]
    assert cluster["attempts"] == [str(copy), str(original)]
    (pair,) = cluster["pairs"]
    assert (pair["later"], pair["copied"], pair["grew"]) == (str(copy), True, [1, 2])
    passage = pair["passages"][0]
    assert passage["one"]["entry"] == 1
    assert passage["one"]["text"] in DISGUISED
    assert passage["other"]["text"] in ORIGINAL
    (finding,) = found["findings"]
    assert (finding["code"], finding["kind"]) == ("ANY060", "suspicion")
    assert f"{copy} had it later" in str(finding["message"])
    assert [item["cluster"] for item in found["attempts"]] == [None, 0, 0]
    assert fingerprint(place) == before
    shown = run("auditor", "compare", other, copy, original)
    assert shown.code == 1
    assert "Cluster 0: 2 attempts" in shown.out
    assert "count += int(kept.sum())" in shown.out and "number + int(mask.sum())" in shown.out


def test_honest_attempts_at_one_task_are_no_copies(run: Terminal, task: Path, place: Path) -> None:
    edited = START["solution/train.py"].replace("lr=1e-3", "lr=3e-4")
    paths = [
        _scored(run, task, place / "one", ORIGINAL),
        _scored(run, task, place / "two", INDEPENDENT),
        _scored(run, task, place / "three", edited),
        _scored(run, task, place / "four", edited.replace("0.1", "0.01")),
    ]
    said = run("auditor", "compare", *paths, *JSON)
    found = _found(said)
    assert (said.code, found["verdict"], found["findings"]) == (0, "clean", [])
    assert found["clusters"] == found["shared"] == []


def test_plain_folders_need_their_start(run: Terminal, place: Path) -> None:
    start = _plain(place / "start")
    one = _plain(place / "one", solution__fast_py=ORIGINAL)
    two = _plain(place / "two", solution__fast_py=INDEPENDENT)
    assert run("auditor", "compare", one, two, "--start", start).code == 0
    said = run("auditor", "compare", one, two, *JSON)
    assert said.code == 0
    assert "no start is known" in str(_found(said)["coverage"])
    assert run("auditor", "compare", start, two, "--start", start).code == 0
    copy = _plain(place / "copy", solution__fast_py=DISGUISED)
    (finding,) = _found(run("auditor", "compare", one, copy, *JSON))["findings"]
    assert "is not known, and counts as theirs" in finding["message"]


def test_what_all_have_is_taken_as_their_start(run: Terminal, place: Path) -> None:
    own = dict(enumerate([INDEPENDENT, "x = 1\n", "def f(a):\n    return a\n", "y = 2\n"]))
    paths = [
        _plain(place / f"attempt-{number}", solution__fast_py=ORIGINAL, solution__own_py=text)
        for number, text in own.items()
    ]
    assert run("auditor", "compare", *paths).code == 0
    assert run("auditor", "compare", *paths[:2]).code == 1


def test_earlier_work(run: Terminal, place: Path) -> None:
    earlier = place / "earlier"
    _plain(earlier / "published", solution__fast_py=ORIGINAL)
    _plain(earlier / "again", solution__fast_py=ORIGINAL)
    one = _plain(place / "one", solution__fast_py=DISGUISED)
    two = _plain(place / "two", solution__fast_py=INDEPENDENT)
    said = run(
        "auditor", "compare", one, two, "--corpus", earlier, "--start", _plain(place / "start"),
        *JSON,
    )  # fmt: skip
    found = _found(said)
    assert said.code == 1
    assert {str(item["message"]).partition(" and ")[0] for item in found["findings"]} == {str(one)}
    assert [item["corpus"] for item in found["attempts"]] == [False, False, True, True]
    assert run("auditor", "compare", two, "--corpus", earlier).code == 0


def test_a_log_that_was_copied(run: Terminal, place: Path) -> None:
    start = ("--start", _plain(place / "start"))
    one = _plain(place / "one", solution__fast_py=ORIGINAL, run_log=LOG + "\n" + LOSSES)
    two = _plain(place / "two", solution__fast_py=INDEPENDENT, other_log="header\n" + LOG)
    three = _plain(place / "three", losses_log=LOSSES)
    said = run("auditor", "compare", one, two, *start, *JSON)
    (finding,) = _found(said)["findings"]
    assert (said.code, finding["code"], finding["kind"]) == (1, "ANY061", "suspicion")
    said = run("auditor", "compare", one, three, *start, *JSON)
    (finding,) = _found(said)["findings"]
    assert (said.code, finding["code"], finding["kind"]) == (0, "ANY061", "note")


def test_what_is_measured_and_what_is_long() -> None:
    assert len(figures.measured(LOG)) == 8
    assert figures.measured(LOSSES) == figures.measured("epoch 1: 3.2 s\nsince 2026\n") == []
    assert len(figures.measured("2026-11-29 06:10:01 INFO step 10: loss 4.1")) == 1
    record = json.dumps([{"step": n, "elapsed_s": n * 1.23456, "loss": 1.5} for n in range(40)])
    assert len(figures.measured(record)) > 30
    assert len(figures.decimals(LOSSES)) > 5
    assert figures.decimals("0.3333333333 0.0009765625 1e-3 0.100000001 12.5 3.14159") == []


def test_bad_paths(run: Terminal, place: Path) -> None:
    one = _plain(place / "one", solution__fast_py=ORIGINAL)
    copy = _plain(place / "copy", solution__fast_py=ORIGINAL)
    refused(run("auditor", "compare", one), "alone")
    refused(run("auditor", "compare", one, one), one, "twice")
    refused(run("auditor", "compare", one, copy, "--start", place / "no"), place / "no")
    refused(run("auditor", "compare", one, "--corpus", place / "no"), place / "no")
    said = run("auditor", "compare", one, copy, place / "no", *JSON)
    found = _found(said)
    assert said.code == 2
    assert "No such file" in found["attempts"][2]["error"]
    assert len(found["clusters"]) == 1
    empty = place / "empty"
    empty.mkdir()
    assert run("auditor", "compare", one, empty).code == 3
    (place / "forged").mkdir()
    for name in ("attempt.json", "scores.jsonl"):
        (place / "forged" / name).write_text("{}")
    assert run("auditor", "compare", one, place / "forged").code == 2


def test_a_rule_that_crashes_leaves_nothing_clean(
    run: Terminal, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(rule: Rule, unit: Unit) -> list[Finding]:
        raise KeyError("no such thing")

    rules = registry.load(RULES, registry.COMMON)
    monkeypatch.setattr(type(rules.rule("ANY060")), "check", broken)
    one = _plain(place / "one", solution__fast_py=ORIGINAL)
    two = _plain(place / "two", solution__fast_py=INDEPENDENT)
    said = run("auditor", "compare", one, two, *JSON)
    found = _found(said)
    assert (said.code, found["verdict"]) == (3, "inconclusive")
    assert "ANY060" in str(found["coverage"])


def test_hostile_folders(run: Terminal, place: Path) -> None:
    one = _plain(place / "one", solution__fast_py=ORIGINAL)
    bad = _plain(place / "bad", solution__fast_py=DISGUISED)
    (bad / "loop").symlink_to(bad)
    (bad / "away.py").symlink_to("/etc/passwd")
    os.mkfifo(bad / "pipe.py")
    with (bad / "giant.py").open("wb") as file:
        file.truncate(1 << 40)
    (bad / "\x1b[31mred.py").write_text(INDEPENDENT + "\n# \x1b]0;title\x07\n")
    (bad / "deep.py").write_text("x = " + "(" * 100_000)
    said = run("auditor", "compare", one, bad)
    assert said.code == 1
    assert "\x1b" not in said.out


@pytest.mark.slow
def test_a_thousand_attempts(tmp_path: Path) -> None:
    made = synthetic.write(tmp_path, 1_000, 10)
    done, largest = peak.run(
        [sys.executable, "-m", "auditor.cli", "compare", *(path for path, _ in made), *JSON,
         "--start", tmp_path / "start"],
        timeout_s=1_200,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    rings: dict[int, set[str]] = {}
    for path, ring in made:
        if ring is not None:
            rings.setdefault(ring, set()).add(str(path))
    clusters = [set(cluster["attempts"]) for cluster in found["clusters"]]
    assert sorted(map(sorted, clusters)) == sorted(map(sorted, rings.values()))
    # The largest of the three processes: the command and the two that read for it.
    assert 3 * largest * 1024 < 2 << 30


def test_paths_that_are_not_there_are_never_clean(run: Terminal, place: Path) -> None:
    said = run("auditor", "compare", place / "one", place / "two")
    assert said.code == 2
    assert "CLEAN" not in said.out
    assert "\\x0a" not in said.out
