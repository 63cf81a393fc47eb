"""A real browser opens the pages: it complains of nothing, asks for nothing and reaches all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reports import html
from tests.auditor.test_reports import HOSTILE, verdict
from tests.reports.browser import Browser, browser, program
from tests.reports.test_html import long, rich

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed"),
]
SIZES = {"desktop": (1200, 900), "phone": (390, 800)}
TRAP = (
    '"><script>document.title="x"</script><img src=http://evil.example/a.png onerror="x()">'
    "<svg onload=x()></svg></style><style>@import url(http://evil.example/b.css)</style>"
    "{{ 7 * 7 }} javascript:x() <meta http-equiv=refresh content='0;url=http://evil.example'>"
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pages") / "report.html"
    hostile = TRAP + " ".join(text for text in HOSTILE if len(text) < 100)
    target.write_text(html.render(rich(hostile)), "utf-8")
    return target


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_hostile_page_is_quiet_and_fits(
    chromium: Browser, page: Path, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    chromium.open(page, width=width, height=height, prefers_color_scheme=scheme)
    assert chromium.value("document.title").startswith("CHEATING: ")
    assert chromium.value("document.scripts.length") == 0
    assert chromium.value("document.images.length") == 0
    assert chromium.value("document.documentElement.scrollWidth") <= width
    dark = chromium.value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark is (scheme == "dark")
    drawn = (
        "[...document.querySelectorAll('svg[class]')].filter(s => s.getBoundingClientRect().width)"
    )
    assert chromium.value(f"{drawn}.length") == 4
    assert chromium.value(f"{drawn}.every(s => s.classList[0] === '{_kind(size)}')")
    assert chromium.complaints() == []
    assert chromium.requests() in ([page.as_uri()], [page.as_uri(), "data:,"])


def _kind(size: str) -> str:
    return {"desktop": "wide", "phone": "narrow"}[size]


def test_every_text_can_be_read(chromium: Browser, page: Path) -> None:
    """Text stands out from its ground by 4.5 to 1 at least (WCAG 2.2, AA)."""
    for scheme in ("light", "dark"):
        chromium.open(page, prefers_color_scheme=scheme)
        assert chromium.value(CONTRAST) == []


def test_every_finding_is_reached_by_keyboard(chromium: Browser, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text(html.render(long()), "utf-8")
    chromium.open(target)
    reached = set()
    for _ in range(1_100):
        chromium.press("Tab", 9)
        reached.add(chromium.value("document.activeElement.getAttribute('href')"))
    assert len({link for link in reached if link and link.startswith("#f-")}) == 1_000
    chromium.value("document.querySelector('a[href=\"#f-00000000000001f4\"]').focus()")
    chromium.press("Enter", 13)
    assert chromium.value("location.hash") == "#f-00000000000001f4"


def test_print_shows_what_is_folded(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    seen = "document.querySelector('article dl.facts').checkVisibility()"
    assert chromium.value(seen) is False
    chromium.call("Emulation.setEmulatedMedia", media="print")
    assert chromium.value(seen) is True
    chromium.call("Emulation.setEmulatedMedia", media="")


def test_a_page_of_an_error_opens(chromium: Browser, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    from reports.material import Material

    told = verdict("error", error=TRAP, findings=(), entries=(), interventions=())
    target.write_text(html.render(Material(told)), "utf-8")
    chromium.open(target)
    assert "ERROR" in chromium.value("document.title")
    assert chromium.complaints() == []


CONTRAST = """
(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(c => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.getBoundingClientRect().width) continue;
    const style = getComputedStyle(node);
    const inside = node.closest('svg');
    const pair = [light(rgb(inside ? style.fill : style.color)), light(ground(node))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) poor.add(`${node.tagName} ${node.className} ${ratio.toFixed(2)}`);
  }
  return [...poor];
})()
"""
