"""Many attempts on one page: everything in the tables, pictures beside them, nothing obeyed."""

import pytest

from auditor.vet import assess
from auditor.vetting import Policy, Vetting
from reports import vetting_page
from tests.auditor.test_reports import HOSTILE
from tests.auditor.test_vet import CHEAT, HONEST, case
from tests.reports.test_html import Page, assert_inert


def vetted(hostile: str = "m") -> Vetting:
    """Two models at two tasks, one that cheats; one attempt could not be read."""
    hacked = CHEAT.model_copy(update={"attempt": f"a/{hostile}", "model": hostile})
    return assess(
        [
            hacked, HONEST, case("open", "suspect", 2.0, again=0.5, model="n"),
            case("elsewhere", environment="other", model=hostile, again=1.0, vetted=1.0),
            case("gone", "error", None).model_copy(update={"environment": "", "error": hostile}),
        ],
        Policy.VETTED,
    )  # fmt: skip


def test_the_page_says_what_the_tables_say() -> None:
    page = Page(vetting_page.render(vetted()))
    for expected in (
        "5 attempts", "1 cheating", "1 suspect", "Hacks", "Ranking", "Headline", "honest", "cheat",
        "score@k", "the best of its entries that stands",
    ):  # fmt: skip
        assert expected in page.text, expected
    labels = [attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg"]
    assert len(labels) == 4
    assert {label.partition(":")[0].partition(" of ")[0] for label in labels} == {
        "What is left", "Share",
    }  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_an_attempt_is_obeyed(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.charts.available", lambda: False)
    text = vetting_page.render(vetted(hostile))
    assert_inert(text)
    assert "matplotlib is not installed" in text


def test_nothing_from_an_attempt_is_obeyed_in_a_picture() -> None:
    assert_inert(vetting_page.render(vetted(" ".join(HOSTILE)[:150] + "$x_1^$ <b>")))


def test_nothing_to_show_is_a_page_too() -> None:
    page = Page(vetting_page.render(assess([], Policy.DROP)))
    assert "0 attempts" in page.text
    assert not any(tag == "svg" for tag, _ in page.tags)


def test_many_attempts_stay_a_small_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.charts.available", lambda: False)
    cases = [case(f"attempts/{n}", again=0.9, model=f"m{n % 40}") for n in range(2_000)]
    assert len(vetting_page.render(assess(cases, Policy.ZERO))) < 1_000_000
