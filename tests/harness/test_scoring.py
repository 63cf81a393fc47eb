"""Attempts are made whole or not at all, and what is scored is a copy that nobody changes."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from harness import snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment, find
from harness.errors import LogForged, ScorerFailure, SnapshotRefused, UsageError
from harness.models import Agent, Score, ScoreLine, Split
from harness.scoring import elapsed, materialised, measure_hidden, new, score
from harness.verify import verify
from tests.harness.trees import Link, Mode, make, seen

FACTS = """\
title = "Say a number"
kind = "artefact"
metric = "number"
direction = "lower"
[workspace]
editable = ["**"]
protected = []
outputs = []
entrypoints = []
[profile.tiny]
budget_s = 60
run_limit_s = 10
threads = 1
hardware = "any"
"""
PREPARE = """\
def prepare(workspace, protected, private, *, profile, seed, secret):
    (workspace / "answer").write_text("10")
    (workspace / "instance").write_text(f"{profile} {seed}")
    (protected / "instance").write_text(f"{profile} {seed}")
    (private / "secret").write_bytes(secret)
"""
SCORE = """\
from harness.errors import InvalidSolution, ScorerFailure
from harness.models import Score, Split

def classic(workspace, protected, profile):
    assert (protected / "instance").read_text().startswith(profile)
    return read(workspace)

def sealed(snapshot, private, split, profile):
    assert len((private / "secret").read_bytes()) == 32
    found = read(snapshot)
    return found.model_copy(update={"value": found.value + (100 if split is Split.TEST else 0)})

def read(workspace):
    text = (workspace / "answer").read_text()
    if text == "fail":
        raise ScorerFailure("The scorer has no room.")
    if not text.isdigit():
        raise InvalidSolution(f"{text!r} is no number.")
    return Score(value=float(text), message={"said": text}, details={"hidden": True})
"""


def environment(folder: Path, **changes: str) -> Environment:
    """Writes an environment; `changes` are texts of its files, by stem."""
    texts = {"env.toml": FACTS, "prepare.py": PREPARE, "score.py": SCORE}
    texts |= {f"{stem}.py": text for stem, text in changes.items()}
    make(folder, {name.encode(): text.encode() for name, text in texts.items()})
    return find(str(folder))


@pytest.fixture
def task(tmp_path: Path) -> Environment:
    return environment(tmp_path / "task")


@pytest.fixture
def attempt(task: Environment, tmp_path: Path) -> AttemptFolder:
    return new(task, tmp_path / "attempt", profile="tiny")


def say(attempt: AttemptFolder, text: str) -> None:
    (attempt.workspace / "answer").write_text(text)


def logs(attempt: AttemptFolder) -> dict[str, bytes]:
    names = ("scores.jsonl", "scores.head.json", "hidden.jsonl", "hidden.head.json")
    return {name: (attempt.root / name).read_bytes() for name in names}


# ---- new


def test_a_new_attempt_is_complete(task: Environment, tmp_path: Path) -> None:
    told: list[str] = []
    made = new(
        task, tmp_path / "deep/er/attempt", profile="tiny", seed=7, agent=Agent(name="a"),
        say=told.append,
    )  # fmt: skip
    facts = made.attempt()
    assert (facts.environment, facts.environment_sha256) == ("task", task.sha256)
    assert (facts.profile, facts.seed, facts.agent) == ("tiny", 7, Agent(name="a"))
    assert (facts.time_budget_s, facts.measured) == (60.0, {"start_score": 10.0})
    assert (made.scores(), made.hidden()) == ((), ())
    assert (made.workspace / "instance").read_text() == "tiny 7"
    assert made.root.stat().st_mode & 0o777 == 0o755
    assert told == ["making the instance", "measuring the start"]
    with materialised(made, facts.start_commit) as tree:
        assert seen(tree) == seen(made.workspace)
    assert os.listdir(made.root.parent) == ["attempt"]


def test_a_new_attempt_may_fill_an_empty_folder(task: Environment, tmp_path: Path) -> None:
    (tmp_path / "attempt").mkdir()
    assert new(task, tmp_path / "attempt", profile="tiny").scores() == ()


@pytest.mark.parametrize(
    "there",
    [
        {b"attempt": b""},
        {b"attempt/x": b""},
        {b"attempt/.hidden": b""},
        {b"attempt": Link(b"nowhere")},
        {b"attempt": Link(b"empty"), b"empty": Mode(0o755)},
    ],
)
def test_a_place_that_is_in_use_is_refused(
    there: dict[bytes, bytes | Link | Mode], task: Environment, tmp_path: Path
) -> None:
    place = make(tmp_path / "place", there)
    before = seen(place)
    with pytest.raises(UsageError, match="attempt is in use") as refusal:
        new(task, place / "attempt", profile="tiny")
    assert refusal.value.hint
    assert seen(place) == before


def test_the_current_folder_is_not_replaced(
    task: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(UsageError, match="beneath you"):
        new(task, Path(), profile="tiny")
    assert not any(here.iterdir())


def test_an_unknown_profile_makes_nothing(task: Environment, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no profile 'cpu'"):
        new(task, tmp_path / "place/attempt", profile="cpu")
    assert not (tmp_path / "place").exists()


def raising(error: str) -> str:
    """A `prepare.py` that fails when its work is done."""
    return f"{PREPARE}    raise {error}\n"


NO_VALUE = """
def sealed(snapshot, private, split, profile):
    return Score(value=None, message={"error": "too far"})
"""


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"prepare": raising("OSError('no room')")}, OSError, "no room"),
        ({"prepare": raising("KeyboardInterrupt('stopped')")}, KeyboardInterrupt, "stopped"),
        ({"prepare": "x ="}, SyntaxError, "invalid syntax"),
        (
            {"prepare": PREPARE + "    import os; os.mkfifo(workspace / 'x')\n"},
            SnapshotRefused,
            "x",
        ),
        ({"prepare": PREPARE.replace("10", "ten")}, ScorerFailure, "'ten' is no number"),
        ({"prepare": PREPARE.replace("10", "fail")}, ScorerFailure, "has no room"),
        ({"score": SCORE + NO_VALUE}, ScorerFailure, "does not score: .*too far"),
        ({"score": SCORE + "raise ValueError('broken')"}, ValueError, "broken"),
    ],
)
def test_a_new_attempt_that_fails_leaves_nothing(
    changes: dict[str, str], error: type[BaseException], words: str, tmp_path: Path
) -> None:
    task = environment(tmp_path / "task", **changes)
    (tmp_path / "place").mkdir()
    with pytest.raises(error, match=words):
        new(task, tmp_path / "place/attempt", profile="tiny")
    assert os.listdir(tmp_path / "place") == []


def test_a_failing_attempt_leaves_an_empty_folder_as_it_was(tmp_path: Path) -> None:
    task = environment(tmp_path / "task", prepare=raising("ValueError"))
    (tmp_path / "attempt").mkdir()
    with pytest.raises(ValueError):
        new(task, tmp_path / "attempt", profile="tiny")
    assert os.listdir(tmp_path / "attempt") == []


def test_the_seed_fixes_the_visible_instance_only(task: Environment, tmp_path: Path) -> None:
    first, second, other = (
        new(task, tmp_path / f"attempt {number}", profile="tiny", seed=seed)
        for number, seed in enumerate((3, 3, 4))
    )
    assert seen(first.workspace) == seen(second.workspace) != seen(other.workspace)
    assert seen(first.protected) == seen(second.protected) != seen(other.protected)
    secrets = {(made.private / "secret").read_bytes() for made in (first, second, other)}
    assert len(secrets) == 3
    assert len({made.attempt().nonce for made in (first, second, other)}) == 3


def test_the_secret_lies_nowhere_but_in_private(attempt: AttemptFolder, harness_home: Path) -> None:
    secret = (attempt.private / "secret").read_bytes()
    known = b"".join(
        path.read_bytes()
        for root in (attempt.root, harness_home)
        for path in root.rglob("*")
        if path.is_file() and attempt.private not in path.parents
    )
    with materialised(attempt, attempt.attempt().start_commit) as tree:
        known += b"".join(path.read_bytes() for path in tree.rglob("*") if path.is_file())
    assert attempt.attempt().nonce.encode() in known
    assert secret not in known
    assert secret.hex().encode() not in known


# ---- score


def test_a_score_is_logged_with_the_workspace_as_it_was(
    task: Environment, attempt: AttemptFolder
) -> None:
    for text in ("5", "4"):
        say(attempt, text)
        score(attempt, task)
    say(attempt, "3")
    lines = attempt.scores()
    assert [(line.index, line.score, line.message) for line in lines] == [
        (0, 5.0, {"said": "5"}),
        (1, 4.0, {"said": "4"}),
    ]
    assert lines[0].details == {"hidden": True}
    assert [stored(attempt, line) for line in lines] == ["5", "4"]
    assert attempt.hidden() == ()


def stored(attempt: AttemptFolder, line: ScoreLine) -> str:
    with materialised(attempt, line.commit) as tree:
        return (tree / "answer").read_text()


def test_the_environment_is_found_when_it_is_not_named(attempt: AttemptFolder) -> None:
    assert score(attempt).score == 10.0


def test_an_invalid_solution_is_a_line_without_a_score(
    task: Environment, attempt: AttemptFolder
) -> None:
    say(attempt, "ten")
    line = score(attempt, task)
    assert (line.score, line.message) == (None, {"error": "'ten' is no number."})
    assert attempt.scores() == (line,)
    assert stored(attempt, line) == "ten"


def test_a_scorer_that_fails_logs_nothing(task: Environment, attempt: AttemptFolder) -> None:
    score(attempt, task)
    before = logs(attempt)
    say(attempt, "fail")
    with pytest.raises(ScorerFailure, match="has no room"):
        score(attempt, task)
    assert logs(attempt) == before
    say(attempt, "4")
    assert score(attempt, task).index == 1, "and nothing stands in the way of the next"


def test_a_scorer_that_crashes_logs_nothing(task: Environment, attempt: AttemptFolder) -> None:
    before = logs(attempt)
    (attempt.workspace / "answer").unlink()
    with pytest.raises(FileNotFoundError):
        score(attempt, task)
    assert logs(attempt) == before


@pytest.mark.parametrize("value", ["float('inf')", "float('nan')"])
def test_what_is_no_number_is_not_logged(
    value: str, attempt: AttemptFolder, tmp_path: Path
) -> None:
    before = logs(attempt)
    text = SCORE.replace("value=float(text)", f"value={value}")
    with pytest.raises(ValueError, match="finite number"):
        score(attempt, environment(tmp_path / "other", score=text))
    text = SCORE.replace('"said": text', f'"said": {value}')
    with pytest.raises(ScorerFailure, match="cannot be logged"):
        score(attempt, environment(tmp_path / "another", score=text))
    assert logs(attempt) == before


def test_a_workspace_that_cannot_be_copied_logs_nothing(
    task: Environment, attempt: AttemptFolder
) -> None:
    before, history = logs(attempt), seen(attempt.history)
    os.mkfifo(attempt.workspace / "pipe")
    with pytest.raises(SnapshotRefused, match="pipe"):
        score(attempt, task)
    assert logs(attempt) == before
    assert seen(attempt.history) == history
    (attempt.workspace / "pipe").unlink()
    assert score(attempt, task).index == 0


def test_the_copy_is_what_runs(attempt: AttemptFolder, tmp_path: Path) -> None:
    """Neither what runs nor what the agent's processes do meanwhile changes what was stored."""
    live = attempt.workspace
    meddling = f"""
import pathlib
def classic(workspace, protected, profile):
    live = pathlib.Path({str(live)!r})
    assert live.resolve() not in (workspace.resolve(), *workspace.resolve().parents)
    (live / "answer").write_text("1")
    (live / "planted").write_text("x")
    found = read(workspace)
    (workspace / "answer").write_text("2")
    return found
"""
    line = score(attempt, environment(tmp_path / "other", score=SCORE + meddling))
    assert line.score == 10.0
    assert (live / "answer").read_text() == "1", "the attack took place"
    assert stored(attempt, line) == "10"
    assert "planted" not in {
        entry.path for entry in snapshot.manifest(attempt, line.commit).entries
    }


def test_throw_away_copies_are_thrown_away(attempt: AttemptFolder) -> None:
    with materialised(attempt, attempt.attempt().start_commit) as tree:
        (tree / "more").write_text("")
    assert not tree.parent.exists()


def test_an_entry_that_was_tampered_with_is_not_measured(
    task: Environment, attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LARGE_BYTES", 1)
    say(attempt, "12")
    score(attempt, task)
    (large,) = [path for path in attempt.objects.iterdir() if path.read_bytes() == b"12"]
    large.chmod(0o644)
    large.write_bytes(b"11")
    before = logs(attempt)
    with pytest.raises(LogForged, match="answer in objects/ is not what was stored"):
        measure_hidden(attempt, environment=task)
    assert logs(attempt) == before


# ---- hidden


@pytest.fixture
def scored(task: Environment, attempt: AttemptFolder) -> AttemptFolder:
    """An attempt with the entries 5, 3, none and 4."""
    for text in ("5", "3", "none", "4"):
        say(attempt, text)
        score(attempt, task)
    say(attempt, "1")
    return attempt


@pytest.mark.parametrize(
    ("which", "entries"),
    [("best", [1]), ("last", [3]), ("all", [0, 1, 2, 3]), ("0", [0]), (2, [2]), ("3", [3])],
)
def test_entries_are_measured_on_both_splits(
    which: str | int, entries: list[int], scored: AttemptFolder, task: Environment
) -> None:
    lines = measure_hidden(scored, which, task)
    values = [5.0, 3.0, None, 4.0]
    expected = []
    for entry in entries:
        value = values[entry]
        expected += [(entry, Split.VALIDATION, value), (entry, Split.TEST, value and value + 100)]
    assert [(line.entry, line.split, line.score) for line in lines] == expected
    assert {line.commit for line in lines} == {scored.scores()[entry].commit for entry in entries}
    assert list(scored.hidden()) == lines
    assert len(scored.scores()) == 4


@pytest.mark.parametrize("which", ["4", 4, -1, "-1", "", "first", "1.0", "01", "²"])
def test_an_entry_that_is_not_there_is_refused(
    which: str | int, scored: AttemptFolder, task: Environment
) -> None:
    before = logs(scored)
    with pytest.raises(UsageError, match="There is no entry") as refusal:
        measure_hidden(scored, which, task)
    assert "0 to 3" in refusal.value.hint
    assert logs(scored) == before


@pytest.mark.parametrize("which", ["best", "last", "0"])
def test_without_entries_there_is_nothing_to_measure(
    which: str, attempt: AttemptFolder, task: Environment
) -> None:
    with pytest.raises(UsageError, match="no entry") as refusal:
        measure_hidden(attempt, which, task)
    assert refusal.value.hint


def test_the_last_entry_counts_where_the_environment_says_so(
    scored: AttemptFolder, tmp_path: Path
) -> None:
    other = environment(tmp_path / "other")
    facts = (other.root / "env.toml").read_text()
    (other.root / "env.toml").write_text(f'aggregate = "last"\n{facts}')
    lines = measure_hidden(scored, "best", find(str(other.root)))
    assert {line.entry for line in lines} == {3}


def test_a_measurement_that_fails_keeps_what_was_logged_before(
    scored: AttemptFolder, tmp_path: Path
) -> None:
    text = SCORE.replace(
        "found = read", "split is Split.TEST and exec('raise OSError'); found = read"
    )
    with pytest.raises(OSError):
        measure_hidden(scored, "best", environment(tmp_path / "other", score=text))
    assert [(line.entry, line.split) for line in scored.hidden()] == [(1, Split.VALIDATION)]


# ---- elapsed


def test_time_never_runs_backwards(attempt: AttemptFolder, task: Environment) -> None:
    begin = attempt.attempt().start
    assert elapsed(attempt, begin + timedelta(seconds=5)) == 5.0
    assert elapsed(attempt, begin - timedelta(days=1)) == 0.0, "the clock was set back"
    line = attempt.append_score(
        scored_at=begin,
        elapsed_s=50.0,
        commit=attempt.attempt().start_commit,
        score=Score(value=1),
    )
    assert elapsed(attempt, begin + timedelta(seconds=5)) == line.elapsed_s == 50.0
    assert score(attempt, task).elapsed_s == 50.0
    hidden = measure_hidden(attempt, "last", task)
    assert [line.elapsed_s for line in hidden] == [50.0, 50.0]
    assert elapsed(attempt, begin + timedelta(seconds=70)) == 70.0


def test_what_is_measured_late_makes_later_scores_later(
    attempt: AttemptFolder, task: Environment
) -> None:
    begin, score_ = attempt.attempt().start, Score(value=1)
    commit = score(attempt, task).commit
    attempt.append_hidden(
        scored_at=begin, elapsed_s=90.0, commit=commit, score=score_, entry=0, split=Split.TEST
    )
    assert score(attempt, task).elapsed_s == 90.0


@pytest.mark.parametrize("name", ["protected/instance", "private/secret", "private/planted"])
def test_another_instance_in_the_place_of_the_first_shows(
    attempt: AttemptFolder, name: str
) -> None:
    assert verify(attempt.root).status == "intact"
    (attempt.root / name).write_text("easier")
    found = verify(attempt.root)
    assert found.status == "forged"
    assert any(name.partition("/")[0] in problem for problem in found.problems)


def test_an_attempt_without_its_instance_is_a_gap(attempt: AttemptFolder) -> None:
    shutil.rmtree(attempt.private)
    found = verify(attempt.root)
    assert found.status == "intact"
    assert any("private/" in gap for gap in found.gaps)
