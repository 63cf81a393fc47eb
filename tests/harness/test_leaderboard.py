"""What a leaderboard says of attempts whose worth is known."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.attempt import AttemptFolder
from harness.board import Competitor
from harness.cli.board_plots import pictures
from harness.leaderboard import Choice, board
from harness.models import Agent, Human, Imported
from harness.results import Result, Step
from tests.harness import logbook
from tests.harness.boards import Made, attempt, result
from tests.harness.toy import Terminal, fingerprint, refused

# Values


def one(results: list[Result], **choice: Any) -> Competitor:
    (found,) = board(results, Choice(**choice)).competitors
    return found


def test_tasks_count_alike_however_many_attempts_they_have() -> None:
    runs = [result((10, 1.0), task="a/tiny") for _ in range(9)] + [result((10, 0.0), task="b/tiny")]
    assert one(runs).mean == pytest.approx(0.5)


def test_profiles_are_different_tasks() -> None:
    found = one([result((1, 1.0), task="a/tiny"), result((1, 0.0), task="a/cpu")])
    assert [standing.task for standing in found.standings] == ["a/tiny", "a/cpu"]


def test_an_invalid_attempt_is_left_out_and_counted() -> None:
    runs = [result((10, 1.0)), result()]
    found = one(runs)
    assert found.mean == 1.0
    assert found.without_score == 1
    assert found.standings[0].mean == 1.0
    assert one(runs, invalid="start").mean == 0.5


def test_a_task_without_any_score_has_no_mean_and_comes_last() -> None:
    runs = [
        result(by="lost"),
        result((10, 0.1), by="weak"),
        result((10, 0.7), by="strong"),
    ]
    assert [found.by for found in board(runs).competitors] == ["strong", "weak", "lost"]
    assert board(runs).competitors[-1].score_at_k == ()
    assert [found.by for found in board(runs, Choice(invalid="start")).competitors][-1] == "lost"


def test_score_at_k_takes_no_subset_larger_than_the_whole() -> None:
    found = one([result((1, score)) for score in (0.0, 0.5, 1.0)], ks=(1, 2, 3, 4))
    assert [at.k for at in found.score_at_k] == [1, 2, 3]
    two = found.score_at_k[1]
    assert two.subsets and two.subsets.score == pytest.approx((0.5 + 1.0 + 1.0) / 3)
    assert two.draws.score == pytest.approx((0.0 + 3 * 0.5 + 5 * 1.0) / 9)
    assert two.subsets.low is not None and two.subsets.low <= two.subsets.score

    uneven = [result((1, s), task="a/tiny") for s in (0.0, 1.0)] + [result((1, 1.0), task="b/tiny")]
    at_two = one(uneven).score_at_k[1]
    assert at_two.subsets is None, "the other task has one run"
    assert at_two.draws.score == pytest.approx((0.75 + 1.0) / 2)


def test_who_cannot_see_scores_gets_the_mean() -> None:
    found = one([result((1, score), visible=False) for score in (0.0, 1.0)])
    assert [at.draws.score for at in found.score_at_k] == [0.5, 0.5]


def test_the_best_split_of_a_total() -> None:
    # Quick and lucky: half of the runs are done after half an hour, the others never.
    lucky = [result((600, 1.0)) for _ in range(4)] + [result((600, 0.0)) for _ in range(4)]
    two_hours = one(lucky).budgets[1]
    assert two_hours.total_s == 7200 and two_hours.best
    assert (two_hours.best.runs, two_hours.best.length_s) == (4, 1800)
    # Slow and steady: nothing after two hours, everything after eight.
    steady = [result((1200, 0.1), (20_000, 1.0)) for _ in range(8)]
    eight_hours = one(steady).budgets[2]
    assert eight_hours.best
    assert (eight_hours.best.runs, eight_hours.best.length_s) == (1, 28800)


def test_a_run_that_was_given_less_time_says_nothing_about_more() -> None:
    runs = [result((60, 0.3), budget_s=1800), result((60, 0.9), budget_s=28800)]
    budgets = one(runs).budgets
    lengths = {s.length_s: s for budget in budgets for s in budget.splits if s.runs == 1}
    assert lengths[1800].available == 2
    assert lengths[28800].available == 1
    assert lengths[28800].estimate and lengths[28800].estimate.score == 0.9
    assert 115200 not in lengths


def test_a_longer_run_is_cut_where_the_shorter_ends() -> None:
    budget = one([result((600, 0.2), (3600, 0.8))]).budgets[0]
    assert budget.best and budget.best.estimate
    assert budget.best.estimate.score == 0.2
    nothing_yet = one([result((3600, 0.8))]).budgets[0]
    assert nothing_yet.best and nothing_yet.best.estimate
    assert nothing_yet.best.estimate.score == 0.0, "it still had the start"


def test_more_runs_than_there_are_need_the_other_estimator() -> None:
    runs = [result((60, 0.0)), result((60, 1.0))]
    total = 28800
    (subsets,) = one(runs, budgets_s=(1800, total)).budgets[1:]
    many = {split.length_s: split for split in subsets.splits}
    assert many[1800].runs == 16 and many[1800].estimate is None
    (draws,) = one(runs, budgets_s=(1800, total), estimator="draws").budgets[1:]
    assert draws.best and draws.best.estimate and draws.best.runs == 16
    assert draws.best.estimate.score == pytest.approx(1 - 0.5**16)


def test_score_over_time_is_interpolated_along_the_logarithm() -> None:
    points = one([result((100, 0.0), (10_000, 1.0), budget_s=10_000)]).over_time
    middle = min(points, key=lambda point: abs(point.elapsed_s - 1000))
    assert middle.score == pytest.approx(0.5, abs=0.03)
    assert points[-1].score == pytest.approx(1.0)
    assert points[0].score == 0.0
    late = one([result((5_000, 1.0), budget_s=10_000)]).over_time
    assert {point.score for point in late} == {0.0, 1.0}, "before its first entry, the start"


def test_a_curve_ends_where_its_shortest_run_does() -> None:
    runs = [result((60, 1.0), budget_s=1800), result((60, 1.0), budget_s=28800)]
    assert one(runs).over_time[-1].elapsed_s == pytest.approx(1800)


def test_unmeasured_scores_are_not_shown() -> None:
    hidden = result((60, 1.0)).model_copy(update={"progress": (Step(elapsed_s=60, score=None),)})
    found = one([hidden], basis="hidden")
    assert found.without_score == 1
    assert found.score_at_k == () and found.budgets[0].best is None and found.over_time == ()


# Attempts on disk

KERNEL = "import torch\n\ndef prefix_sum(x):\n    return torch.cumsum(x, 0)\n"
OTHER = "import numpy, ctypes\n\ndef prefix_sum(x):\n    return ctypes.CDLL('k').run(x.numpy())\n"
MODULAR = Agent(name="m", model="gpt", scaffold="Modular")
# Of triton_cumsum/tiny: the start is 2.90, the reference -0.46.


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("boards")
    with logbook.host(place / "home"):
        make(place / "runs")
    return place


@pytest.fixture
def runs(made_once: Path, tmp_path: Path, harness_home: Path) -> Path:
    shutil.copytree(made_once / "home", harness_home)
    return shutil.copytree(made_once / "runs", tmp_path / "runs", symlinks=True)


def make(folder: Path) -> None:
    attempt(
        folder / "a", [Made(60, 1.22, 1.3), Made(120, None), Made(300, -0.46, 0.0)],
        agent=MODULAR, code=KERNEL,
    )  # fmt: skip
    attempt(folder / "b", [Made(600, 4.0)], agent=MODULAR, code=KERNEL)
    attempt(folder / "c", [Made(30, None)], human=Human(pool="students"), code=KERNEL)
    attempt(
        folder / "d", [Made(100, 2.0), Made(1000, -0.46, code=OTHER)],
        agent=Agent(name="=cmd|'/C calc'!A1"), code=KERNEL,
    )  # fmt: skip


def told(run: Terminal, *words: str | Path) -> dict[str, Any]:
    said = run("harness", "leaderboard", *words, "--format", "json")
    assert said.code == 0, said.err
    made: dict[str, Any] = json.loads(said.out)
    return made


def test_what_attempts_came_to(run: Terminal, runs: Path) -> None:
    before = fingerprint(runs)
    made = told(run, runs)
    assert fingerprint(runs) == before, "a board changes nothing"
    a, b, c, d = made["attempts"]
    assert a["by"] == "gpt in Modular" and c["by"] == "people (students)"
    assert a["claimed"] == {"raw": -0.46, "normalised": 1.0}
    assert a["hidden"] == {"raw": 0.0, "normalised": pytest.approx(2.9 / 3.36)}
    assert (a["entry"], a["entries"], a["invalid"]) == (2, 3, 1)
    assert a["entries_per_hour"] == pytest.approx(3 / (300 / 3600))
    assert b["claimed"] == {"raw": 4.0, "normalised": 0.0}, "worse than the start: 0"
    assert c["claimed"] == {"raw": None, "normalised": None}, "invalid: no score, never 0"
    assert c["percentile"] is None
    assert (a["late"], d["late"]) == (False, True)
    # Of nine people, four have more than 1.
    assert a["percentile"] == pytest.approx(100 * 5 / 9)
    first = made["competitors"][0]
    assert first["by"] == "=cmd|'/C calc'!A1"
    assert made["published"][0]["people"][0] == pytest.approx(1.803, abs=1e-3)


def test_approaches_are_counted_in_and_over_attempts(run: Terminal, runs: Path) -> None:
    made = told(run, runs)
    found = {one["attempt"].rpartition("/")[2]: one["approaches"] for one in made["attempts"]}
    assert found["a"] == {"looked_at": 3, "distinct": 1}
    assert found["d"] == {"looked_at": 2, "distinct": 2}
    modular = next(one for one in made["competitors"] if one["by"] == "gpt in Modular")
    assert modular["standings"][0]["approaches"] == {"looked_at": 2, "distinct": 1}
    without = told(run, runs, "--no-approaches")
    assert all(one["approaches"] is None for one in without["attempts"])


def test_hidden_scores_are_a_board_of_their_own(run: Terminal, runs: Path) -> None:
    made = told(run, runs, "--score", "hidden")
    by = {one["by"]: one for one in made["competitors"]}
    assert by["gpt in Modular"]["without_score"] == 1
    assert by["gpt in Modular"]["score_at_k"][0]["draws"]["score"] == pytest.approx(2.9 / 3.36)
    assert by["people (students)"]["score_at_k"] == []


def test_the_table_is_for_people(run: Terminal, runs: Path) -> None:
    said = run("harness", "leaderboard", runs)
    assert said.code == 0
    for words in ("invalid", "gpt in Modular", "Published", "left out of means", "~", "36.8"):
        assert words in said.out


def test_names_are_no_markup(run: Terminal, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    strange = Agent(name="[/red] [bold]x[/bold] \x1b[2J")
    attempt(runs / "[red]", [Made(30, 1.0)], agent=strange, code=KERNEL)
    said = run("harness", "leaderboard", runs, "--no-approaches")
    assert said.code == 0
    assert "[/red]" in said.out and "[bold]x" in said.out and "\x1b" not in said.out


@pytest.mark.parametrize("width", ["40", "80"])
def test_every_column_is_shown_however_narrow_the_terminal(
    run: Terminal, runs: Path, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    said = run("harness", "leaderboard", runs / "a", "--no-approaches").out
    for words in ("-0.460", "1.000", "0.863", "~56 %", "36.0"):
        assert words in said


def test_csv_executes_nothing(run: Terminal, runs: Path) -> None:
    said = run("harness", "leaderboard", runs, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["claimed"] for row in rows] == ["-0.46", "4.0", "", "-0.46"]
    assert rows[3]["by"] == "'=cmd|'/C calc'!A1"


def test_csv_of_agents_and_of_time(run: Terminal, runs: Path) -> None:
    words = ("--format", "csv", "--no-approaches", "--budgets", "5m,15m")
    agents = run("harness", "leaderboard", runs, *words, "--rows", "agents").out
    rows = [row for row in csv.DictReader(io.StringIO(agents)) if "Modular" in row["by"]]
    assert [(row["task"], row["k"], row["subsets"]) for row in rows] == [
        ("", "1", "0.5"), ("", "2", "1.0"),
        ("triton_cumsum/tiny", "1", "0.5"), ("triton_cumsum/tiny", "2", "1.0"),
    ]  # fmt: skip
    budgets = run("harness", "leaderboard", runs, *words, "--rows", "budgets").out
    splits = [row for row in csv.DictReader(io.StringIO(budgets)) if "Modular" in row["by"]]
    assert [(row["total_s"], row["runs"], row["length_s"], row["best"]) for row in splits] == [
        ("300.0", "1", "300.0", "True"), ("900.0", "3", "300.0", "False"),
        ("900.0", "1", "900.0", "True"),
    ]  # fmt: skip


def test_plots_are_pictures_of_their_own(run: Terminal, runs: Path, tmp_path: Path) -> None:
    strange = Agent(name="$\\frac{x^{<script>&\x1b[2J")  # neither a formula nor a command
    attempt(runs / "e", [Made(30, 1.0)], agent=strange, code=KERNEL)
    words = ("--plot", tmp_path / "plots", "--budgets", "5m,15m", "--no-approaches")
    assert run("harness", "leaderboard", runs, *words).code == 0
    names = {"score_over_time", "score_at_k", "time_budgets", "attempts"}
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {f"{n}.svg" for n in names}
    for name in names:
        content = (tmp_path / "plots" / f"{name}.svg").read_bytes()
        ElementTree.fromstring(content)
        assert b"<script" not in content


def test_the_same_board_is_the_same_picture() -> None:
    made = board([result((60, 1.0))])
    assert next(pictures(made)) == next(pictures(made))
    assert list(pictures(board([result()]))) == []


def test_a_broken_attempt_harms_no_other(run: Terminal, runs: Path) -> None:
    log = runs / "b" / "scores.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"score":4.0', b'"score":-4.0'))
    said = run("harness", "leaderboard", runs / "a", runs / "b", runs / "none", "--format", "json")
    assert said.code == 2
    made = json.loads(said.out)
    assert [one["attempt"] for one in made["attempts"]] == [str(runs / "a")]
    assert [one["attempt"] for one in made["failures"]] == [str(runs / "b"), str(runs / "none")]
    assert "scores.jsonl" in made["failures"][0]["error"]
    assert len(said.told) == 2


def test_a_log_that_another_host_signed_is_marked(
    run: Terminal, runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert told(run, runs / "a")["attempts"][0]["known"] is True
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "elsewhere"))
    assert told(run, runs / "a")["attempts"][0]["known"] is False
    assert "anybody may have signed it" in run("harness", "leaderboard", runs / "a").out


def test_an_imported_run_at_the_papers_size_is_on_the_papers_scale(
    run: Terminal, tmp_path: Path
) -> None:
    source = Imported(format="home", source="a home", source_sha256="a" * 64)
    best = attempt(
        tmp_path / "a", [Made(60, 1.56), Made(3600, -0.405465)], profile="full", imported=source
    )
    (found,) = told(run, best)["attempts"]
    assert found["claimed"]["normalised"] == pytest.approx(1.803, abs=1e-3)
    assert found["imported"] is True
    assert found["percentile"] == pytest.approx(100 * 8.5 / 9), "as good as the best of nine people"
    assert "nobody here has measured it" in run("harness", "leaderboard", best).out


@pytest.mark.parametrize(
    "words",
    [
        ("--budgets", "soon"),
        ("--budgets", "0s,1h"),
        ("--budgets", ""),
        ("--k", "0"),
        ("--k", "two"),
        ("--k", "1,"),
        ("--k", "99999999999999999999"),
        ("--environment", "nowhere"),
    ],
    ids=" ".join,
)
def test_words_that_cannot_be_meant(
    run: Terminal, runs: Path, tmp_path: Path, words: tuple[str, str]
) -> None:
    refused(run("harness", "leaderboard", runs, *words))


def test_one_attempt_that_is_none(run: Terminal, place: Path) -> None:
    refused(run("harness", "leaderboard", place / "none"), "none")
    refused(run("harness", "leaderboard", place), place)


def test_attempts_at_an_environment_of_ones_own(
    run: Terminal, task: Path, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = place / "attempt"
    assert run("harness", "new", task, made, "--profile", "tiny").code == 0
    assert run("harness", "score", made).code == 0
    assert told(run, made)["published"] == []
    facts = json.loads((made / "attempt.json").read_text())
    assert AttemptFolder.open(made).attempt().environment == facts["environment"] == task.name
    (next(iter((tmp_path / "harness-home" / "environments").iterdir()))).unlink()
    refused(run("harness", "leaderboard", made), "--environment")
    named = told(run, made, "--environment", task)
    assert named["attempts"][0]["claimed"]["normalised"] == 0.0
