"""Named examples of a rule: its tests and its documentation at once."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from auditor.code.program import Entry
from auditor.code.source import ChangedSource
from auditor.evidence import trajectory
from auditor.evidence.book import Book
from auditor.models import Evidence, How
from auditor.unit import Unit
from harness.models import EnvironmentFacts, WorkspaceFacts
from harness.trajectory import Event, EventKind, Trajectory


class Example(ABC):
    """A named case of a rule: a test and a piece of documentation at once."""

    @abstractmethod
    def unit(self, thresholds: Mapping[str, float]) -> Unit:
        """Returns what the rule would be given."""

    @property
    def marked(self) -> frozenset[tuple[str, int]] | None:
        """The places that must be reported, all and only; None where places mean nothing."""
        return None

    @abstractmethod
    def shown(self) -> str:
        """Returns the example as documentation."""


@dataclass(frozen=True)
class Edit(Example):
    """What an agent changed: the text after, against the text before; `# found` marks lines."""

    after: str
    before: str | None = None
    path: str = "solution/finetune.py"
    reachable: bool = True
    beside: Mapping[str, str] = field(default_factory=dict)
    """Further files the agent added, by path; reachable as the first."""
    entry: str = ""
    """The function that scoring calls; none where the file is run as a program."""
    facts: EnvironmentFacts | None = None
    """The environment's, where the rule asks for them."""

    def unit(self, thresholds: Mapping[str, float]) -> Unit:
        """Returns the unit a collector would make of this edit."""
        sources = [self._source(self.path, self.after, self.before)]
        sources += [self._source(path, text, None) for path, text in self.beside.items()]
        evidence = [fact("files_compared", changed=len(sources), commit="c0ffee")]
        evidence += [_source_fact(source) for source in sources]
        enters = (Entry(self.path, self.entry),) if self.entry and self.reachable else None
        return Unit(0, _numbered(evidence), tuple(sources), thresholds, self.facts, enters)

    @property
    def marked(self) -> frozenset[tuple[str, int]]:
        """The lines that carry `# found`."""
        texts = {self.path: self.after, **self.beside}
        return frozenset(
            (path, number)
            for path, text in texts.items()
            for number, line in enumerate(text.split("\n"), start=1)
            if line.rstrip().endswith("# found")
        )

    def shown(self) -> str:
        """Returns the text after the edit, with its path."""
        return f"# {self.path}\n{self.after.rstrip()}"

    def _source(self, path: str, text: str, before: str | None) -> ChangedSource:
        suffix = path.rsplit(".", 1)[-1]
        languages = {"py": "python", "pth": "pth", "sh": "shell", "md": "prose"}
        return ChangedSource(path, text, before, self.reachable, languages.get(suffix, "unknown"))


@dataclass(frozen=True, init=False)
class Facts(Example):
    """Evidence as the collectors would have written it down."""

    evidence: tuple[Evidence, ...]
    entry: int | None
    several: bool
    """They are about several attempts."""

    def __init__(self, *evidence: Evidence, entry: int | None = 0, several: bool = False) -> None:
        object.__setattr__(self, "evidence", _numbered(evidence))
        object.__setattr__(self, "entry", None if several else entry)
        object.__setattr__(self, "several", several)

    def unit(self, thresholds: Mapping[str, float]) -> Unit:
        """Returns the unit that holds this evidence."""
        return Unit(self.entry, self.evidence, (), thresholds, several=self.several)

    def shown(self) -> str:
        """Returns a line per fact."""
        return "\n".join(
            f"{item.kind} " + " ".join(f"{key}={value!r}" for key, value in item.data.items())
            for item in self.evidence
        )


@dataclass(frozen=True, init=False)
class Transcript(Example):
    """Events as an agent's harness records them; the collector reads them as it reads real ones.

    A text that begins with `$ ` is a command, with `>>> ` Python, with `@PATH ` the content of a
    file that is written, with `user: ` what the agent is told, with `score: ` a score, and with
    `... ` what the action before it printed; anything else is what the agent says.
    """

    texts: tuple[str, ...]
    facts: EnvironmentFacts | None

    def __init__(self, *texts: str, facts: EnvironmentFacts | None = None) -> None:
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "facts", facts)

    def unit(self, thresholds: Mapping[str, float]) -> Unit:
        """Returns the unit that the collector makes of the events."""
        book = Book()
        events = tuple(_event(index, text) for index, text in enumerate(self.texts))
        trajectory.collect(book, Trajectory(events, ()), facts=self.facts, imported=True)
        return Unit(None, book.all(), (), thresholds, self.facts)

    def shown(self) -> str:
        """Returns the events as they are written here."""
        return "\n".join(self.texts)


def _event(index: int, text: str) -> Event:
    signs = {"$ ": "shell", ">>> ": "python"}
    for sign, language in signs.items():
        if text.startswith(sign):
            return _action(index, language, text.removeprefix(sign))
    if text.startswith("@"):
        path, _, content = text[1:].partition(" ")
        return _action(index, "file", content, path=path)
    for sign, fields in (
        ("user: ", {"kind": "message", "who": "user"}),
        ("score: ", {"kind": "score", "who": "harness"}),
        ("... ", {"kind": "result", "who": "harness", "of": index - 1}),
    ):
        if text.startswith(sign):
            fields = {**fields, "index": index, "text": text.removeprefix(sign)}
            return Event.model_validate(fields)
    return Event(index=index, kind=EventKind.MESSAGE, text=text)


def _action(index: int, language: str, text: str, path: str = "") -> Event:
    tool = {"shell": "bash", "python": "python", "file": "edit"}[language]
    return Event.model_validate(
        {"index": index, "kind": "action", "tool": tool, "language": language, "text": text,
         "path": path}
    )  # fmt: skip


def environment(**workspace: tuple[str, ...]) -> EnvironmentFacts:
    """Builds the facts of an environment with this workspace."""
    usual: dict[str, tuple[str, ...]] = {
        "editable": ("solution/**",), "protected": (), "outputs": (),
        "entrypoints": ("solution/finetune.sh",),
    }  # fmt: skip
    return EnvironmentFacts(
        title="an example",
        kind="program",
        metric="seconds",
        direction="lower",
        workspace=WorkspaceFacts.model_validate({**usual, **workspace}),
        profile={},
    )


def fact(kind: str, /, *, how: How = How.OBSERVED, **data: JsonValue) -> Evidence:
    """Builds one fact of an example."""
    return _fact(kind, data, how)


def replayed(
    name: str, outcome: str, *, forbidden: bool = False, promised: bool = False, **data: JsonValue
) -> Evidence:
    """Builds the fact that an intervention ended with `outcome`."""
    usual: dict[str, JsonValue] = {
        "name": name, "outcome": outcome, "forbidden": forbidden, "promised": promised,
        "expected": "what the changed instance gives", "observed": outcome,
    }  # fmt: skip
    return _fact("intervention", {**usual, **data})


def sealed(split: str = "validation", **data: JsonValue) -> Evidence:
    """Builds a sealed score: an honest one at first, changed by `data`."""
    usual: dict[str, JsonValue] = {
        "value": 1.0, "runs": [1.0, 1.02], "error": "", "seconds": 2.72, "survivors": [],
        "claimed": 1.0, "margin": 0.1, "reached": True, "start_beside": [2.0],
    }  # fmt: skip
    return _fact("sealed_score", {"split": split, **usual, **data})


def scored(score: float | None = 1.0, **details: JsonValue) -> Evidence:
    """Builds a score entry as the harness logged it."""
    return fact("score_entry", index=0, score=score, message={}, details=details, elapsed_s=60.0)


def compared(*changes: Evidence) -> tuple[Evidence, ...]:
    """Returns file changes with the fact that every file was compared."""
    return (fact("files_compared", changed=len(changes)), *changes)


def changed(path: str, change: str = "added", **data: JsonValue) -> Evidence:
    """Builds the fact that a file of the snapshot is not as it was given."""
    usual: dict[str, JsonValue] = {
        "type": "file", "text": False, "size": 1, "sha256": "aa", "start_sha256": "",
        "target": "", "protected": False, "editable": True, "output": False, "commit": "c0ffee",
    }  # fmt: skip
    return _fact("file_changed", {"path": path, "change": change, **usual, **data})


def _fact(kind: str, data: Mapping[str, JsonValue], how: How = How.OBSERVED) -> Evidence:
    return Evidence(id="e0", entry=0, stage="example", kind=kind, how=how, data=dict(data))


def _source_fact(source: ChangedSource) -> Evidence:
    lines: list[JsonValue] = list(sorted(source.changed))
    return fact(
        "source_changed", how=How.INFERRED, path=source.path, lines=lines, commit="c0ffee",
        reachable=source.reachable, language=source.language,
    )  # fmt: skip


def _numbered(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(
        item.model_copy(update={"id": f"e{number}"})
        for number, item in enumerate(evidence, start=1)
    )
