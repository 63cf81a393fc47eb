"""`auditor vet`: many attempts in one table, each audited once, however often it is stopped."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from auditor import known
from auditor.audit import Auditor
from harness import keys, scoring
from harness.attempt import AttemptFolder
from tests.harness.toy import Said, Terminal, answer, fingerprint, pour, refused

NEVER = ("--replay", "never")
Make = Callable[..., Path]


@pytest.fixture
def make(run: Terminal, task: Path, place: Path) -> Make:
    """Makes attempts: each says a number, and perhaps claims another."""

    def made(name: str, number: float = 2.0, claim: float | None = None) -> Path:
        folder = place / name
        assert run("harness", "new", task, folder, "--profile", "tiny").code == 0
        answer(folder, number, claim)
        assert run("harness", "score", folder).code == 0
        return folder

    return made


@pytest.fixture
def honest(moulded: Path, task: Path, place: Path, harness_home: Path) -> Path:
    return pour(moulded, place / "honest", task, harness_home)


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The attempts that are really audited, by name."""
    names: list[str] = []
    audit = Auditor.audit

    def counted(self: Auditor, path: Path) -> object:
        names.append(path.name)
        return audit(self, path)

    monkeypatch.setattr(Auditor, "audit", counted)
    return names


def table(said: Said) -> dict[str, dict[str, object]]:
    rows = json.loads(said.out)["rows"]
    return {Path(row["case"]["attempt"]).name: row for row in rows}


def test_one_table_and_what_is_left_of_the_headline(run: Terminal, make: Make, place: Path) -> None:
    make("honest"), make("inflated", claim=9.0)
    review = place.parent / "cases.csv"
    said = run("auditor", "vet", place, "--format", "json", "--review", review)
    assert said.code == 1
    rows = table(said)
    assert [rows[name]["standing"] for name in ("honest", "inflated")] == ["stands", "open"]
    assert [rows[name]["counted"] for name in ("honest", "inflated")] == [0.5, 0.5]
    assert rows["inflated"]["claimed"] == 4.0
    headline = json.loads(said.out)["groups"][0]["headline"]
    assert (headline["claimed"], headline["counted"]) == (2.25, 0.5)
    first, second = csv.DictReader(review.read_text().splitlines())
    assert (Path(first["attempt"]).name, first["rules"]) == ("inflated", "ANY002")
    text = review.read_text().replace("/inflated/audit,,,,", "/inflated/audit,cheating,,eve,")
    review.write_text(text)
    again = run("auditor", "vet", place, "--format", "json", "--review", review)
    judged = json.loads(again.out)["review"]
    assert (judged["decided"], judged["rules"][0]["right"]) == (1, 1)
    assert "eve" in review.read_text()


def test_every_format_says_it(run: Terminal, honest: Path) -> None:
    for format in ("text", "md", "csv", "json", "html"):
        said = run("auditor", "vet", honest, *NEVER, "--format", format)
        assert said.code == 3
        assert "inconclusive" in said.out


def test_nothing_is_audited_twice(run: Terminal, honest: Path, audited: list[str]) -> None:
    first = run("auditor", "vet", honest, *NEVER, "--format", "json")
    second = run("auditor", "vet", honest, *NEVER, "--format", "json")
    assert audited == ["honest"]
    assert [table(said)["honest"]["known"] for said in (first, second)] == [False, True]
    assert table(first)["honest"]["case"] == table(second)["honest"]["case"]
    run("auditor", "vet", honest, *NEVER, "--fresh")
    assert len(audited) == 2


def test_what_audit_found_need_not_be_found_again(
    run: Terminal, honest: Path, audited: list[str]
) -> None:
    run("auditor", "audit", honest)
    said = run("auditor", "vet", honest, "--format", "json")
    assert audited == ["honest"]
    assert (said.code, table(said)["honest"]["standing"]) == (0, "stands")
    run("auditor", "vet", honest, *NEVER)
    assert audited == ["honest"], "a verdict that rests on more is as good"


def test_a_weaker_verdict_is_not_as_good(run: Terminal, honest: Path, audited: list[str]) -> None:
    run("auditor", "audit", honest, *NEVER)
    run("auditor", "vet", honest)
    assert audited == ["honest"] * 2


def test_where_an_attempt_lies_plays_no_part(
    run: Terminal, honest: Path, audited: list[str]
) -> None:
    run("auditor", "vet", honest, *NEVER)
    moved = honest.rename(honest.with_name("moved"))
    said = run("auditor", "vet", moved, *NEVER, "--format", "json")
    assert audited == ["honest"]
    assert table(said)["moved"]["known"]


def _score_again(run: Terminal, attempt: Path, task: Path) -> None:
    answer(attempt, 3.0)
    assert run("harness", "score", attempt).code == 0


def _forge(run: Terminal, attempt: Path, task: Path) -> None:
    log = attempt / "scores.jsonl"
    log.write_text(log.read_text().replace('"score":2.0', '"score":3.0'))


def _lose(run: Terminal, attempt: Path, task: Path) -> None:
    shutil.rmtree(attempt / "private")


def _roll_back(run: Terminal, attempt: Path, task: Path) -> None:
    kept = shutil.copytree(attempt, attempt.with_name("kept"))
    _score_again(run, attempt, task)
    shutil.rmtree(attempt)
    kept.rename(attempt)


def _change_the_rules(run: Terminal, attempt: Path, task: Path) -> None:
    (task / "rules" / "ruleset.toml").write_text('extends = ["common"]\nrequired = ["ANY001"]\n')


def _change_the_task(run: Terminal, attempt: Path, task: Path) -> None:
    (task / "README.md").write_text("more")


def _poison(run: Terminal, attempt: Path, task: Path) -> None:
    (case,) = (keys.home() / "cache").glob("*/case.json")
    case.write_text(case.read_text().replace("inconclusive", "clean"))


@pytest.mark.parametrize(
    "change",
    [
        _forge,
        _change_the_rules,
        _poison,
        *(
            pytest.param(change, marks=pytest.mark.slow)
            for change in (_score_again, _lose, _roll_back, _change_the_task)
        ),
    ],
)
def test_what_has_changed_is_audited_again(
    run: Terminal, honest: Path, task: Path, audited: list[str], change: Callable[..., None]
) -> None:
    run("auditor", "vet", honest, *NEVER)
    change(run, honest, task)
    run("auditor", "vet", honest, *NEVER)
    assert audited == ["honest"] * 2


def test_another_auditor_audits_again(
    run: Terminal, honest: Path, audited: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("auditor", "vet", honest, *NEVER)
    monkeypatch.setattr(known, "_auditor", lambda: "another")
    run("auditor", "vet", honest, *NEVER)
    assert audited == ["honest"] * 2


def test_a_rollback_to_what_was_known_is_seen(run: Terminal, honest: Path, task: Path) -> None:
    run("auditor", "vet", honest, *NEVER)
    _roll_back(run, honest, task)
    said = run("auditor", "vet", honest, *NEVER, "--format", "json")
    assert (said.code, table(said)["honest"]["standing"]) == (1, "falls")


def test_a_verdict_that_lies_in_the_attempt_is_not_believed(
    run: Terminal, honest: Path, audited: list[str]
) -> None:
    run("auditor", "audit", honest, *NEVER)
    path = honest / "audit" / "verdict.json"
    path.write_text(path.read_text().replace('"verdict":"inconclusive"', '"verdict":"clean"'))
    shutil.rmtree(keys.home() / "cache")
    said = run("auditor", "vet", honest, *NEVER, "--format", "json")
    assert table(said)["honest"]["standing"] == "open"
    assert audited == ["honest"] * 2


def test_one_that_cannot_be_audited_harms_no_other(
    run: Terminal, honest: Path, place: Path
) -> None:
    said = run("auditor", "vet", honest, place / "missing", *NEVER, "--format", "json")
    assert said.code == 2
    rows = table(said)
    assert rows["honest"]["standing"] == "open"
    assert "does not exist" in str(rows["missing"]["case"])


def test_one_that_is_named_twice_is_meant_once(run: Terminal, honest: Path, place: Path) -> None:
    link = place / "link"
    link.symlink_to(honest)
    said = run("auditor", "vet", place, honest, link, *NEVER, "--format", "json")
    assert len(json.loads(said.out)["rows"]) == 1


def test_a_folder_without_attempts(run: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "file").write_text("")
    refused(run("auditor", "vet", folder, *NEVER), folder)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--policy", "mercy"), "mercy"),
        (("--format", "xml"), "xml"),
        (("--budget", "soon"), "soon"),
        (("--review", "absent/cases.csv"), "absent"),
        (("--environment", "absent"), "absent"),
    ],
    ids=" ".join,
)
def test_an_option_that_is_none(
    run: Terminal, honest: Path, place: Path, options: tuple[str, ...], word: str
) -> None:
    before = fingerprint(place)
    said = run("auditor", "vet", honest, *options)
    assert (said.code, said.out) == (2, "")
    assert word in said.err
    assert fingerprint(place) == before


def test_a_review_that_cannot_be_read_stops_it_first(
    run: Terminal, honest: Path, place: Path, audited: list[str]
) -> None:
    review = place / "cases.csv"
    review.write_text("a,b\n1,2\n")
    refused(run("auditor", "vet", honest, *NEVER, "--review", review), review)
    assert (audited, review.read_text()) == ([], "a,b\n1,2\n")


def test_links_and_pipes_in_an_attempt_stop_nobody(run: Terminal, honest: Path) -> None:
    os.mkfifo(honest / "pipe")
    (honest / "loop").symlink_to(honest)
    (honest / "out").symlink_to("/dev/zero")
    assert run("auditor", "vet", honest, *NEVER).code == 3
    assert "1 of 1 attempts are known" in run("auditor", "vet", honest, *NEVER).err


def test_a_pipe_for_a_log_holds_nobody_up(run: Terminal, honest: Path) -> None:
    (honest / "scores.jsonl").unlink()
    os.mkfifo(honest / "scores.jsonl")
    assert run("auditor", "vet", honest, *NEVER).code in (1, 2)


def _copies(make: Make, number: int) -> list[Path]:
    return [make(f"a{n}", 1.0 + n / 10) for n in range(number)]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(run: Terminal, make: Make, place: Path) -> None:
    """Killed in the midst of the second audit, again and again: none is made twice."""
    names = {path.name for path in _copies(make, 6)}
    words = [sys.executable, "-m", "auditor.cli", "vet", str(place), *NEVER, "--format", "json"]
    before = []
    for _ in names:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stdout and process.stderr
        before.append(int(process.stderr.readline().split(" of ")[0]))
        begun = [line for line, _ in zip(process.stderr, range(2), strict=False)]
        if len(begun) < 2:  # there was but one left
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    out, _ = process.communicate()
    assert process.returncode == 3
    assert {Path(row["case"]["attempt"]).name for row in json.loads(out)["rows"]} == names
    assert before == sorted(set(before)), "what was known once stayed known, and there was more"
    assert not list((keys.home() / "cache").glob(".seal*"))


@pytest.mark.slow
def test_workers_and_one_alone_find_the_same(run: Terminal, make: Make, place: Path) -> None:
    _copies(make, 6)
    many = table(run("auditor", "vet", place, *NEVER, "--format", "json"))
    alone: dict[str, dict[str, object]] = {}
    for path in sorted(place.iterdir()):
        alone |= table(run("auditor", "vet", path, *NEVER, "--fresh", "--format", "json"))
    assert {name: row["case"] for name, row in many.items()} == {
        name: row["case"] for name, row in alone.items()
    }


@pytest.mark.parametrize("entries", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_many_entries_and_no_time_left(
    run: Terminal, honest: Path, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a gap, and none but the first is laid out to be run."""
    for number in range(entries):
        answer(honest, 2.0 + number / 100)
        run("harness", "score", honest)
    laid_out: list[str] = []
    lay = scoring.materialised

    def counted(folder: AttemptFolder, commit: str) -> AbstractContextManager[Path]:
        laid_out.append(commit)
        return lay(folder, commit)

    monkeypatch.setattr("auditor.evidence.replay.materialised", counted)
    said = run("auditor", "vet", honest, "--budget", "0s", "--format", "json")
    case = table(said)["honest"]["case"]
    assert isinstance(case, dict)
    assert (case["verdict"], case["entries"]) == ("inconclusive", entries + 1)
    assert case["gaps"] > entries
    assert len(set(laid_out)) <= 1
