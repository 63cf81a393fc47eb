"""Whole attempts at `optimize_llm_foundry`, made, scored and audited end to end."""

from pathlib import Path

import pytest

from auditor.cli.material import material_of
from reports import html
from tests.attempts.court import Court, attempts, judge, judge_all
from tests.attempts.demonstration import ATTEMPTS
from tests.attempts.recipe import Recipe, find
from tests.reports.browser import browser, program

ENVIRONMENT = "optimize_llm_foundry"


@pytest.mark.parametrize("recipe", attempts(ENVIRONMENT))
def test_verdict_is_the_expected_one(recipe: Recipe, court: Court) -> None:
    judge(recipe, court)


@pytest.mark.slow
def test_nobody_honest_is_accused_and_hardly_a_cheat_is_missed(court: Court) -> None:
    judge_all(ENVIRONMENT, court)


@pytest.mark.slow
@pytest.mark.skipif(program() is None, reason="Chromium is not installed")
def test_every_report_opens_and_is_quiet(court: Court, tmp_path: Path) -> None:
    for name in ATTEMPTS:
        court.audit(find(name))
    with browser() as chromium:
        for name, audit in court.audits.items():
            page = tmp_path / f"{name}.html"
            page.write_text(html.render(material_of(audit)), "utf-8")
            for width in (1200, 390):
                chromium.open(page, width=width)
                assert chromium.complaints() == [], name
                assert set(chromium.requests()) <= {page.as_uri(), "data:,"}, name
                assert chromium.value("document.documentElement.scrollWidth") <= width, name
            links = chromium.value("document.querySelectorAll('nav a[href^=\"#f-\"]').length")
            told = chromium.value("document.querySelectorAll('article').length")
            assert links == told, name
            assert bool(told) is bool(audit.verdict.findings), name
