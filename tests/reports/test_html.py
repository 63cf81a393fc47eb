"""The page says everything, and nothing of an attempt is markup, script or address in it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.models import (
    EntryVerdict,
    Evidence,
    Finding,
    How,
    Intervention,
    Kind,
    Site,
    Verdict,
    VerdictName,
)
from harness.models import Outcome
from reports import html
from reports.material import Material
from tests.auditor.test_reports import HOSTILE, verdict
from tests.auditor.test_settle import finding, seen
from tests.reports.test_forms import RULE, material, passage

VOID = {"meta", "link", "br"}
ALLOWED = {
    "html", "head", "meta", "title", "link", "style", "body", "a", "header", "h1", "h2", "h3",
    "h4", "p", "div", "main", "dl", "dt", "dd", "figure", "figcaption", "table", "caption",
    "thead", "tbody", "tr", "th", "td", "nav", "ol", "ul", "li", "article", "span", "pre", "code",
    "br", "blockquote", "details", "summary", "strong", "footer",
    "svg", "g", "path", "defs", "use", "clippath", "rect", "text", "lineargradient",
}  # fmt: skip
ATTRIBUTES = {"href", "src", "style", "action", "srcset", "background", "data", "xlink:href"}


class Page(HTMLParser):
    """What a browser would make of it: elements, their attributes and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def rich(hostile: str = "solution/x.py") -> Material:
    """A case with every kind of evidence that a page can show."""
    edges = [{"from": hostile, "to": f"run {hostile}", "how": "read"}]
    facts = (
        passage(hostile, 3, f"text {hostile}", 10),
        _fact("e1", "intervention", tensors={hostile: 0.1, "b": 0.2}, honest=1.0,
              tensors_show=hostile),
        _fact("e2", "trajectory_event", event=7, text=f"I said {hostile}"),
        _fact("e7", "agent_action", event=8, deeds=[
            {"verb": "copy", "path": hostile, "to": "out", "quote": f"cp {hostile} out"},
            {"verb": "read", "path": "answers", "to": "", "quote": "cat answers"},
            {"verb": "write", "path": "log", "to": "", "quote": "echo > log"},
        ]),
        _fact("e8", "weights_traced", closest=[
            {"tensor": hostile, "closeness": 5.8, "log10_ratio": 6.0},
            {"tensor": "other.weight", "closeness": 0.1, "log10_ratio": -1.0},
            {"tensor": "never measured", "closeness": 0.1, "log10_ratio": None},
        ]),
        _fact("e9", "file_trail",
              processes=[{"id": "0.7", "program": f"python {hostile}", "scorer": False}],
              files={"the_answer.bin": "answer", "/usr/lib/x.so": "code", hostile: "output"},
              uses=[{"process": "0.7", "path": "the_answer.bin", "how": "read"},
                    {"process": "0.7", "path": "/usr/lib/x.so", "how": "executed"},
                    {"process": "gone", "path": "nowhere", "how": "read"},
                    {"process": "0.7", "path": hostile, "how": "written"}]),
        _fact("e3", "file_trail", edges=edges, programs=[f"run {hostile}"]),
        _fact("e4", "task", title=hostile, metric=hostile, direction="lower",
              start_score={"value": 2.0}, reference_score={"value": 1.0}, measured={}),
        _fact("e5", "sealed_score", split="validation", value=1.1, details={"bound_score": -3.0}),
        _fact("e6", "hidden_entry", split="test", score=1.2),
    )  # fmt: skip
    told = finding(
        message=hostile,
        cites=("e1", "e2", "e3", "e7", "e8", "e9"),
        sites=(Site(path=hostile, line=3), Site(path="b.py", line=1), Site(event=7)),
        fingerprint="c0ffee",
        interventions=("removed",),
    )
    usual = material(hostile)
    return replace(usual, verdict=verdict(hostile=hostile, findings=(told,)), evidence=facts)


def _fact(id: str, kind: str, **data: object) -> Evidence:
    return Evidence.model_validate(
        {"id": id, "entry": 0, "stage": "replay", "kind": kind, "how": How.OBSERVED, "data": data}
    )


def _assert_no_markup(page: Page) -> None:
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ATTRIBUTES & attributes.keys():
            value = attributes[name] or ""
            assert name == "href", (tag, name)
            assert value == "data:," or re.fullmatch(r"#[\w:.-]+", value), value
    words = page.text
    assert not {c for c in words if c in "\u202e\u2066\u2069\u200b\u2028\U000e0041\x1b\x00\x9b"}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_an_attempt_is_more_than_text(
    hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.charts.available", lambda: False)
    assert_inert(html.render(rich(hostile)))


def test_nothing_from_an_attempt_is_more_than_text_in_a_picture() -> None:
    """All at once, since each picture takes a while."""
    hostile = " ".join(text for text in HOSTILE if len(text) < 100) + r"$\frac{a}{b}$ \usepackage"
    text = html.render(rich(hostile))
    assert "<svg" in text
    assert_inert(text)


def assert_inert(text: str) -> None:
    """Everything on a page is ours but the words."""
    text.encode("utf-8")
    page = Page(text)
    _assert_no_markup(page)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text and "##vso" not in text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_policy_forbids_everything_but_the_style_that_is_there() -> None:
    page = Page(html.render(rich()))
    metas = [attributes for tag, attributes in page.tags if tag == "meta"]
    (policy,) = [item["content"] for item in metas if "http-equiv" in item]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy and "script" not in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert [tag for tag, _ in page.tags].count("style") == 1
    assert not any("style" in attributes for _, attributes in page.tags)


def test_every_fragment_leads_somewhere_and_every_finding_has_one() -> None:
    many = tuple(finding(fingerprint=f"f{n}", entries=(n % 3,)) for n in range(60))
    page = Page(html.render(Material(verdict(findings=many))))
    ids = {attributes.get("id") for _, attributes in page.tags}
    links = {a["href"] for tag, a in page.tags if tag == "a" and a.get("href")}
    assert {f"#f-f{n}" for n in range(60)} <= links
    assert {(link or "")[1:] for link in links} <= ids


def test_a_dossier_holds_what_a_reader_needs() -> None:
    page = Page(html.render(rich()))
    for expected in (
        "LLM105", "reference folder used", "text solution/x.py", "event 7", "I said solution/x.py",
        "event 8", "cp solution/x.py out", "cat answers",
        "Executed again", "stale", "A comparison.", "refute", "auditor contest", "c0ffee",
        "The way of the data", "gone", "entries not executed again", "bubblewrap", "not earned",
    ):  # fmt: skip
        assert expected in page.text, expected
    labels = [attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg"]
    for expected in ("Scores by entry", "Tensors beside", "Which files"):
        assert any(expected in label for label in labels), expected
    for expected in ("claimed", "remeasured", "hidden", "start", "reference", "physics"):
        assert expected in page.words, expected
    assert {"answers", "log", "out", "the_answer.bin", "other.weight"} <= set(page.words)
    assert "log10 ratio" in page.text


def test_what_there_is_no_evidence_of_has_no_section() -> None:
    page = Page(html.render(Material(verdict(findings=(), interventions=(), entries=()))))
    for unexpected in ("Quoted", "Executed again", "The way of the data"):
        assert unexpected not in page.text
    assert not any(tag == "svg" for tag, _ in page.tags)
    assert "Nothing was found." in page.text


@pytest.mark.parametrize("name", [item.value for item in VerdictName])
def test_every_verdict_has_a_page(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.charts.available", lambda: False)
    error = "This is no attempt." if name == "error" else None
    page = Page(html.render(Material(verdict(name, error=error, findings=()))))
    assert name in page.text
    assert error is None or error in page.text


def test_without_the_library_for_pictures_the_tables_remain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reports.charts.available", lambda: False)
    page = Page(html.render(rich()))
    assert not any(tag == "svg" and "class" in attributes for tag, attributes in page.tags)
    assert "matplotlib is not installed" in page.text
    assert "I said solution/x.py" in page.text


@pytest.mark.parametrize("figure", [1e308, -1e308, 5e-324, 0.0])
def test_whatever_figure_is_claimed_is_drawn(figure: float) -> None:
    entries = (
        EntryVerdict(index=0, score=figure, verdict=VerdictName.CHEATING),
        EntryVerdict(index=1, score=-figure, verdict=VerdictName.CLEAN),
    )
    tensors = {"a": figure, "b": float("inf"), "c": float("nan"), "d": 1, "e": True}
    facts = (_fact("e1", "intervention", tensors=tensors, honest=[figure, 2 * figure]),)
    told = verdict(entries=entries, findings=(finding(cites=("e1",)),))
    page = Page(html.render(Material(told, facts)))
    assert [tag for tag, _ in page.tags].count("svg") >= 2


def test_a_deed_of_many_entries_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.charts.available", lambda: False)
    same = tuple(
        finding(fingerprint="f1", entries=(n,), message=f"took {n // 5} ms") for n in range(9)
    )
    page = Page(html.render(Material(verdict(findings=same))))
    assert [tag for tag, _ in page.tags].count("article") == 1
    assert "entry 0–8" in page.text
    assert page.text.count("took 1 ms") == 1


def test_a_long_attempt_stays_a_small_page() -> None:
    page = html.render(long())
    assert len(page) < 5_000_000
    read = Page(page)
    assert [tag for tag, _ in read.tags].count("article") == 1_000


def long() -> Material:
    """An attempt with 300 entries and 1,000 findings, all different."""
    findings: list[Finding] = []
    facts: list[Evidence] = []
    again: list[Intervention] = []
    for n in range(1_000):
        path = f"solution/some/folder/module_{n}.py"
        text = f"    value_{n} = cached[{n}] if {n} in cached else compute({n})"
        rows = [{"sign": "+", "line": n + i, "text": f"{text}  # {i}"} for i in range(-4, 5)]
        facts.append(_fact(f"e{n}", "passage", path=path, line=n, rows=rows))
        findings.append(
            finding(
                kind=list(Kind)[n % 4], entries=(n % 300,), fingerprint=f"{n:016x}",
                message=f"{path}:{n} keeps what it computed between calls and gives it again.",
                cites=(f"e{n}",), sites=(Site(path=path, line=n),),
            )
        )  # fmt: skip
    for n in range(300):
        again += [seen(f"intervention_{k}", Outcome.STALE, entry=n) for k in range(9)]
    entries = tuple(
        EntryVerdict(index=n, score=2.0 - n / 200, verdict=VerdictName.CHEATING) for n in range(300)
    )
    told: Verdict = verdict(findings=tuple(findings), entries=entries, interventions=tuple(again))
    return Material(told, tuple(facts), (), {"LLM105": RULE})


_KEYS = st.sampled_from(
    [
        "event",
        "text",
        "quote",
        "output",
        "tensors",
        "worst_tensors",
        "honest",
        "tensors_show",
        "deeds",
        "verb",
        "path",
        "to",
        "edges",
        "from",
        "how",
        "programs",
        "marked",
        "closest",
        "tensor",
        "log10_ratio",
        "rows",
        "line",
        "sign",
        "split",
        "value",
        "score",
        "details",
        "bound_score",
        "start_score",
        "reference_score",
        "measured",
        "title",
        "metric",
        "direction",
        "detail",
        "main",
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)
_FACT = st.builds(
    lambda kind, data, number: Evidence.model_construct(
        schema_version=1, id=f"e{number}", entry=0, stage="s", kind=kind, how=How.OBSERVED,
        data=data,
    ),
    st.sampled_from(["task", "passage", "sealed_score", "hidden_entry", "runtime_event", "any"]),
    st.dictionaries(_KEYS, _JSON, max_size=6),
    st.integers(1, 4),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(_FACT, max_size=5), st.none() | st.integers())
def test_whatever_form_evidence_has_there_is_a_page(facts: list[Evidence], at: int | None) -> None:
    """A report must never be what an audit fails at."""
    sites = (Site(path="x.py", line=at), Site(event=at))
    told = finding(cites=("e1", "e2", "e3", "e4"), sites=sites, fingerprint="ab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.charts.available", lambda: False)
        assert_inert(html.render(Material(verdict(findings=(told,)), tuple(facts))))
