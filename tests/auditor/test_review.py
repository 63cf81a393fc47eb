"""What people fill in is read back, kept, and held against what the auditor said."""

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import review
from auditor.models import Effect, How, Kind
from auditor.review import COLUMNS, OURS, THEIRS
from auditor.vet import assess
from auditor.vetting import Case, Ground, Policy, Review, Vetting
from harness.errors import UsageError
from tests.auditor.test_vet import case


def ground(code: str) -> Ground:
    return Ground(
        code=code, rule=f"Rule{code}", kind=Kind.CHEATING, effect=Effect.EFFECTIVE,
        how=How.OBSERVED, findings=1,
    )  # fmt: skip


def ruled(made: Case, *codes: str) -> Case:
    return made.model_copy(update={"rests_on": tuple(map(ground, codes))})


VETTING = assess(
    [
        case("clean", vetted=1.0, again=1.0),
        ruled(case("small", "cheating", 1.5), "AAA1"),
        ruled(case("big", "cheating", 9.0), "AAA1", "BBB2"),
        case("open", "inconclusive", 0.5),
        case("none", claimed=None),
    ],
    Policy.ZERO,
)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def fill(path: Path, **decisions: str | tuple[str, str, str]) -> None:
    """Decides as a person would, in a spreadsheet."""
    rows = table(path)
    for row in rows:
        said = decisions.get(row["case"], "")
        words = said if isinstance(said, tuple) else (said, "", "eve" if said else "")
        row["decision"], row["wrong_rules"], row["reviewer"] = words
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, rows[0].keys())
        out.writeheader()
        out.writerows(rows)


def judged(path: Path, vetting: Vetting = VETTING) -> Review:
    return review.judge(path, vetting, review.read(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "cases.csv"
    review.write(where, VETTING, ())
    return where


def test_the_cases_that_move_the_headline_come_first(path: Path) -> None:
    rows = table(path)
    assert tuple(rows[0]) == COLUMNS
    assert [row["case"] for row in rows] == ["big", "small", "open", "clean", "none"]
    assert rows[0]["rules"] == "AAA1 BBB2"
    assert {row[name] for row in rows for name in THEIRS} == {""}


def test_nothing_is_read_where_nothing_was_written(tmp_path: Path) -> None:
    assert review.read(tmp_path / "absent.csv") == ()


def test_precision_by_rule(path: Path) -> None:
    fill(path, big=("cheating", "bbb2", "eve"), small="honest")
    found = judged(path)
    assert {(item.code, item.right, item.wrong) for item in found.rules} == {
        ("AAA1", 1, 1),
        ("BBB2", 0, 1),
    }
    assert found.rules[0].precision is not None
    assert found.rules[0].precision.low < 0.5 < found.rules[0].precision.high
    assert found.falsely_accused == ("small",)
    assert (found.decided, found.reviewers) == (2, ("eve",))


def test_a_missed_cheat(path: Path) -> None:
    fill(path, clean="cheating", big="cheating")
    found = judged(path)
    assert found.missed == ("clean",)
    (agreement,) = found.agreement
    assert agreement.judges == ("auditor", "eve")
    assert (agreement.same.count, agreement.same.of) == (1, 2)


def test_agreement_beyond_chance(path: Path) -> None:
    fill(path, clean="honest", big="cheating", small="violation")
    (agreement,) = judged(path).agreement
    assert (agreement.same.count, agreement.same.of, agreement.kappa) == (3, 3, 1.0)


def test_what_is_open_agrees_with_nobody(path: Path) -> None:
    fill(path, open="honest")
    found = judged(path)
    assert found.agreement == ()
    assert found.decided == 1


def test_unsure_is_no_decision(path: Path) -> None:
    fill(path, big="unsure")
    found = judged(path)
    assert (found.decided, found.unsure) == (0, 1)
    assert {item.precision for item in found.rules} == {None}


def test_two_people_on_one_case(path: Path) -> None:
    fill(path, big="cheating", small="cheating")
    lines = path.read_text().splitlines()
    lines += [line.replace(",eve,", ",ada,") for line in lines if ",eve," in line]
    lines[-1] = lines[-1].replace("cheating,,ada", "honest,,ada")
    path.write_text("\n".join(lines) + "\n")
    found = judged(path)
    assert found.reviewers == ("ada", "eve")
    between = found.agreement[-1]
    assert between.judges == ("ada", "eve")
    assert (between.same.count, between.same.of, between.kappa) == (1, 2, None)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_agreement_of_any_two_is_in_bounds(draw: random.Random, number: int) -> None:
    said = [[draw.random() < 0.5 for _ in range(number)] for _ in range(2)]
    kappa = review._kappa(*said)
    assert kappa is None or -1 <= kappa <= 1


def test_what_people_wrote_stays_as_they_wrote_it(path: Path) -> None:
    fill(path, big=("cheating", "BBB2", "Ève, PhD"))
    text = path.read_text("utf-8").replace("decision,", "ticket,decision,", 1)
    rows = text.splitlines()
    rows[1:] = [row.replace("/audit,", "/audit,T-7,", 1) for row in rows[1:]]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    before = review.read(path)
    review.write(path, VETTING, before)
    again = review.read(path)
    assert [opinion.cells for opinion in again] == [opinion.cells for opinion in before]
    assert again[0].cells["ticket"] == "T-7"
    assert again[0].reviewer == "Ève, PhD"


def test_writing_again_and_again_adds_nothing(path: Path) -> None:
    copies = assess([*(row.case for row in VETTING.rows)] * 2, Policy.ZERO)
    for _ in range(3):
        review.write(path, copies, review.read(path))
    assert len(review.read(path)) == 5


def test_rows_about_others_are_kept(path: Path) -> None:
    fill(path, big="cheating", clean="honest")
    fewer = assess([row.case for row in VETTING.rows if row.case.case != "big"], Policy.ZERO)
    review.write(path, fewer, review.read(path))
    assert judged(path, fewer).stale == 1
    assert judged(path).falsely_accused == ()
    assert {item.code: item.right for item in judged(path).rules} == {"AAA1": 1, "BBB2": 1}


def test_what_a_spreadsheet_would_compute_is_only_shown(tmp_path: Path) -> None:
    hostile = case("x").model_copy(update={"attempt": "=cmd()\n", "model": "@SUM(1)"})
    path = tmp_path / "cases.csv"
    review.write(path, assess([hostile], Policy.ZERO), ())
    (row,) = table(path)
    assert (row["attempt"], row["model"]) == ("'=cmd()?", "'@SUM(1)")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (
            lambda text: text.replace("BBB2,", "BBB2,", 1).replace(",,,,\n", ",maybe,,,\n", 1),
            "maybe",
        ),
        (lambda text: text.replace(",,,,\n", ",honest,ZZZ9,,\n", 1), "ZZZ9"),
        (lambda text: text.replace("case,", "name,", 1), "case"),
        (lambda text: text.replace("big", "b\xff", 1), "CSV"),
        (lambda text: text.replace("big", '"b', 1), "CSV"),
    ],
    ids=[
        "no decision",
        "a rule that was silent",
        "another table",
        "not UTF-8",
        "a quote left open",
    ],
)
def test_what_cannot_be_read_is_refused(path: Path, change: object, word: str) -> None:
    assert callable(change)
    path.write_text(change(path.read_text()), encoding="latin-1")
    before = path.read_bytes()
    with pytest.raises(UsageError) as refused:
        review.read(path)
    assert word in refused.value.diagnostics()
    assert path.read_bytes() == before


def test_a_folder_is_no_review(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no review"):
        review.read(tmp_path)


def test_ours_and_theirs_are_apart() -> None:
    assert not set(OURS) & set(THEIRS)
