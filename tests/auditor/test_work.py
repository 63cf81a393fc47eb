"""Traces of work: code and its transcript, artefacts and their code, logs and what code prints."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from auditor import engine, registry
from auditor.cli.rule_commands import RULES
from auditor.code.source import ChangedSource
from auditor.evidence import work
from auditor.evidence.book import Book
from auditor.evidence.likeness import Likeness
from auditor.evidence.printed import same, series
from auditor.models import Evidence, Finding
from auditor.unit import Unit
from harness import environment as environments
from harness.attempt import AttemptFolder
from harness.models import Agent
from harness.trajectory import Event, EventKind, Trajectory
from tests.auditor.likeness_samples import INDEPENDENT, ORIGINAL, renamed

RULE_SET = registry.load(RULES, registry.COMMON)


def _source(text: str, path: str = "solution/fast.py", start: str | None = None) -> ChangedSource:
    language = "python" if path.endswith(".py") else "unknown"
    return ChangedSource(path, text, start, reachable=True, language=language)


def _told(texts: Mapping[str, str], actions: int = 30) -> Trajectory:
    events = [
        Event(index=number, kind=EventKind.ACTION, text=f"python measure.py --run {number} " * 8)
        for number in range(actions)
    ]
    for path, text in texts.items():
        events.append(
            Event(index=len(events), kind=EventKind.ACTION, language="file", path=path, text=text)
        )
    return Trajectory(tuple(events), ())


def _findings(code: str, facts: tuple[Evidence, ...], entry: int | None = None) -> list[Finding]:
    unit = Unit(entry, tuple(fact for fact in facts if fact.entry == entry),
                thresholds=RULE_SET.thresholds)  # fmt: skip
    return list(engine.check_one(RULE_SET.rule(code), unit).findings)


@pytest.mark.parametrize(
    ("shown", "accused"),
    [
        ({"solution/fast.py": INDEPENDENT}, False),
        ({"write.sh": "cat > fast.py <<'END'\n" + INDEPENDENT + "END\n"}, False),
        ({"solution/other.py": ORIGINAL}, True),
        ({}, True),
    ],
    ids=["written", "in a shell", "another", "nothing"],
)
def test_code_and_its_transcript(shown: Mapping[str, str], accused: bool) -> None:
    book = Book()
    work.transcript(book, _told(shown), {0: [_source(INDEPENDENT)], 1: [_source(INDEPENDENT)]})
    found = _findings("ANY065", book.all())
    assert len(found) == accused
    assert all("solution/fast.py" in item.message for item in found)


def test_a_poor_transcript_says_nothing() -> None:
    for trajectory in (_told({}, actions=3), Trajectory(_told({}).events, ("line 9 is broken",))):
        book = Book()
        work.transcript(book, trajectory, {0: [_source(INDEPENDENT)]})
        assert _findings("ANY065", book.all()) == []
    book = Book()
    work.transcript(book, None, {0: [_source(INDEPENDENT)]})
    assert book.all() == ()


def test_figures_are_found_and_compared() -> None:
    lines = [f"[{n}] train_loss: {5 - n / 7:.4f}, lr 1.00e-03, acc={n / 9:.3f}" for n in range(8)]
    found = series(lines)
    assert found.keys() == {"train_loss", "acc"}
    assert same(found, found, 0.0) == 1.0
    other = {name: [value * 1.2 for value in values] for name, values in found.items()}
    assert same(found, other, 0.01) < 0.2
    assert same({"loss": [1.0] * 9}, {"loss": [1.0] * 9}, 0.0) == -1.0
    assert same({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.0]}, 0.0) == -1.0
    book = Book()
    work.logs(book, {0: [_source("\n".join(lines), "solution/train.log"), _source(ORIGINAL)]})
    (fact,) = book.all()
    assert fact.data["path"] == "solution/train.log"


@pytest.fixture
def attempt(moulded: Path) -> AttemptFolder:
    """An attempt whose start has no code."""
    return AttemptFolder.open(moulded / "attempt")


def _likened(
    attempt: AttemptFolder, texts: Mapping[str, str], agent: str, monkeypatch: pytest.MonkeyPatch
) -> list[Finding]:
    facts = attempt.attempt().model_copy(update={"agent": Agent(name=agent) if agent else None})
    monkeypatch.setattr(AttemptFolder, "attempt", lambda self: facts)
    book = Book()
    sources = [_source(text, path) for path, text in texts.items()]
    Likeness(attempt, environments.find("triton_cumsum")).collect(book, 0, "c0ffee", sources)
    return _findings("ANY064", book.all(), 0)


def _reference() -> dict[str, str]:
    folder = environments.find("triton_cumsum").root / "reference"
    return {f"solution/{path.name}": path.read_text() for path in folder.iterdir()}


def test_the_reference_is_known_by_what_it_does(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = _reference()
    disguised = {
        path: renamed(text, "x y n i total rows block") for path, text in reference.items()
    }
    for texts in (reference, disguised):
        found = _likened(attempt, texts, "somebody", monkeypatch)
        assert {item.kind for item in found} == {"suspicion"}
        # Whoever runs the reference as a control names nobody.
        assert {item.kind for item in _likened(attempt, texts, "", monkeypatch)} == {"note"}


def test_honest_attempts_are_not_the_reference(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[1] / "attempts" / "triton_cumsum"
    for folder in sorted(root.glob("honest_*")):
        texts = {
            str(path): path.read_text()
            for path in folder.rglob("*")
            if path.suffix in (".py", ".c", ".cpp") and "solution" in path.parts
        }
        if texts:
            assert _likened(attempt, texts, "somebody", monkeypatch) == [], folder.name
