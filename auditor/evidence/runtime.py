"""Runs a scored snapshot once more the classic way, watched from inside and from outside.

What the inside says (`inside: true`) comes from the process that is watched: it can speak against
the attempt and never for it. What is seen from outside is out of the attempt's reach.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from auditor.evidence.book import Book
from auditor.evidence.subject import Subject
from auditor.trail import uses
from harness import sandbox
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError, InvalidSolution
from harness.models import Score, ScoreLine
from harness.sandbox.records import Event, Interpreter, Replaced
from harness.sandbox.witness import Report
from harness.scoring import Say, materialised

CAP = 200
"""Facts of one kind per entry. Watched objects are fewer, and each is noted once or twice."""
PER_EVENT = 8
OPERATORS = 50
SHOWN = 300
COMPILER = re.compile(
    r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|clang\+\+|ld|ld\.\w+|lld|collect2|rustc|nvcc)(-[\d.]+)?"
)


class Runtime:
    """The watched runs of one attempt."""

    def __init__(
        self,
        folder: AttemptFolder,
        environment: Environment,
        book: Book,
        say: Say,
        *,
        operators: bool = True,
    ) -> None:
        """Prepares to watch.

        Args:
            folder: the attempt.
            environment: where its scorer comes from.
            book: takes the facts.
            say: told what is being done.
            operators: also list tensor operators; it takes time, and compiled functions run in
                parts.
        """
        self._folder = folder
        self._environment = environment
        self._book = book
        self._say = say
        self._operators = operators

    def watch(self, line: ScoreLine) -> None:
        """Runs an entry's snapshot once and notes what was seen; a failure of ours is a gap."""
        self._say(f"entry {line.index}: watched run")
        subject = Subject(self._folder, self._environment, line.commit)
        notes = _Notes(self._book, line.index)
        with (
            materialised(self._folder, line.commit) as tree,
            sandbox.witnessed(operators=self._operators, only=subject.is_in) as witness,
        ):
            try:
                score = self._score(tree)
            except HarnessError as error:
                notes.gap(f"the watched run failed: {error}", inside=False)
                return
        if not witness.reports:
            notes.gap("the classic scorer ran nothing that can be watched", inside=False)
        for report in witness.reports:
            _note_gaps(notes, report, subject)
            _note_inside(notes, report, subject)
            _note_outside(notes, report, subject)
        notes.add("file_trail", _trail(witness.reports, subject, score), inside=True)
        notes.add("runtime_score", _compared(line, score, witness.reports), inside=False)

    def _score(self, tree: Path) -> Score:
        profile = self._folder.attempt().profile
        try:
            return self._environment.classic(tree, self._folder.protected, profile)
        except InvalidSolution as error:
            return Score(value=None, message={"error": str(error)})


class _Notes:
    """Writes facts about one entry, a bounded number of each kind."""

    def __init__(self, book: Book, entry: int) -> None:
        self._book = book
        self._entry = entry
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, data: Mapping[str, JsonValue], *, inside: bool) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= CAP:
            self._book.add(kind, {**data, "inside": inside}, stage="runtime", entry=self._entry)

    def gap(self, reason: str, *, inside: bool, scorer: bool = True) -> None:
        """Says what was not seen, and whether that is about the scorer's own process."""
        self.add("runtime_gap", {"reason": reason[:SHOWN], "scorer": scorer}, inside=inside)


def _compared(line: ScoreLine, score: Score, reports: Sequence[Report]) -> dict[str, JsonValue]:
    """Puts the watched run beside the claim."""
    same: dict[str, JsonValue] = {
        path: score.artifacts.get(path) == digest for path, digest in line.artifacts.items()
    }
    return {
        "claimed": line.score,
        "watched": score.value,
        "error": str(score.message.get("error", ""))[:SHOWN],
        "artifacts_same": same,
        "runs": len(reports),
        "interpreters": sum(len(report.interpreters) for report in reports),
        "looks": sum(report.outside.looks for report in reports),
    }


def _trail(reports: Sequence[Report], subject: Subject, score: Score) -> dict[str, JsonValue]:
    """Who read and wrote what, as a graph, and which outputs are files that were there before."""
    found = uses.trail(reports, subject.rules, sandbox.HOME, subject.paths, subject.is_scorer)
    return {
        "processes": [dict(process._asdict()) for process in found.processes],
        "files": {path: role for path, role in found.files.items()},
        "uses": [dict(use._asdict()) for use in found.uses],
        "same": [
            {"path": path, "as": other}
            for path, digest in score.artifacts.items()
            for other in subject.holding(digest)
            if other != path
        ],
    }


def _note_gaps(notes: _Notes, report: Report, subject: Subject) -> None:
    if report.reason:
        notes.gap(report.reason, inside=False)
        return
    for process in report.silent:
        notes.gap(f"not seen from inside: {process.argv}", inside=False, scorer=False)
    if report.cut:
        notes.gap("the log of the inside was cut off", inside=True)
    if report.malformed:
        notes.gap(f"{report.malformed} lines of the log were not written by us", inside=True)
    if report.outside.full:
        notes.gap("more processes or files than are listed", inside=False, scorer=False)
    if report.outside.unreadable:
        what = "processes that did not let themselves be looked at"
        notes.gap(what, inside=False, scorer=False)
    scorers = list(filter(subject.is_scorer, report.interpreters))
    if not scorers:
        notes.gap("the scorer was not seen from inside", inside=False)
    for interpreter in scorers:
        if interpreter.lost:
            notes.gap(f"{interpreter.lost} records of the scorer got lost", inside=True)
        if not interpreter.ended:
            notes.gap("the scorer ended without a last look", inside=True)
        for what in interpreter.broken:
            notes.gap(f"in the scorer: {what}", inside=True)


def _note_inside(notes: _Notes, report: Report, subject: Subject) -> None:
    seen = [(one, _whose(one, subject)) for one in report.interpreters]
    objects = [{**_replaced(item, subject), **whose} for one, whose in seen for item in one.objects]
    # What the attempt did in the scorer's process comes first: no crowd of others may hide it.
    objects.sort(key=lambda item: (not item["scorer"], not item["own"]))
    noted = set()
    for item in objects:
        key = tuple(item[name] for name in ("pid", "object", "own", "back"))
        if key not in noted:
            noted.add(key)
            notes.add("runtime_object", item, inside=True)
    for one, whose in seen:
        for name in one.rewritten:
            notes.add("runtime_rewritten", {"object": name[:SHOWN], **whose}, inside=True)
    for one, whose in sorted(seen, key=lambda item: item[0].arrived - item[0].sent):
        notes.add("runtime_canary", {**_canaries(one, subject), **whose}, inside=True)
    events: Counter[str] = Counter()
    for one, whose in seen:
        for event in one.events:
            events[event.name] += subject.is_own(event.at)
            if subject.is_own(event.at) and events[event.name] <= PER_EVENT:
                notes.add("runtime_event", {**_event(event), **whose}, inside=True)
        _note_operators(notes, one, whose, subject)


def _whose(interpreter: Interpreter, subject: Subject) -> dict[str, JsonValue]:
    return {
        "scorer": subject.is_scorer(interpreter),
        "main": interpreter.main[:SHOWN],
        "pid": interpreter.pid,
    }


def _note_operators(
    notes: _Notes, interpreter: Interpreter, whose: dict[str, JsonValue], subject: Subject
) -> None:
    """Lists the operators that the attempt's code asked for, the most frequent first."""
    operators = [item for item in interpreter.operators if subject.is_own(item.at)]
    operators.sort(key=lambda item: -item.count)
    listed: list[JsonValue] = [
        {"name": item.name, "shapes": item.shapes, "at": item.at, "count": item.count}
        for item in operators[:OPERATORS]
    ]
    if listed:
        data = {"operators": listed, "kinds": len(operators), **whose}
        notes.add("runtime_operator", data, inside=True)


def _replaced(item: Replaced, subject: Subject) -> dict[str, JsonValue]:
    return {
        "object": item.name,
        "was": item.was,
        "now": item.now,
        "origin": item.origin,
        "place": item.place,
        "at": item.at,
        "back": item.back,
        "direct": item.direct,
        "own": (item.origin == "workspace" and subject.is_own(item.place))
        or (item.direct and subject.is_own(item.at)),
    }


def _canaries(interpreter: Interpreter, subject: Subject) -> dict[str, JsonValue]:
    by = [place for place in interpreter.silenced if subject.is_own(place)]
    return {
        "sent": interpreter.sent,
        "arrived": interpreter.arrived,
        "silenced": list[JsonValue](by[:PER_EVENT]),
        "ended": interpreter.ended,
        "lost": interpreter.lost,
    }


def _event(event: Event) -> dict[str, JsonValue]:
    return {"event": event.name, "detail": event.detail, "at": event.at, "thread": event.thread}


def _note_outside(notes: _Notes, report: Report, subject: Subject) -> None:
    for process in report.outside.processes:
        shown: dict[str, JsonValue] = {
            "exe": process.exe, "argv": process.argv[:SHOWN], "threads": process.threads,
        }  # fmt: skip
        notes.add("runtime_process", shown, inside=False)
    built = frozenset(_built(report))
    for mapped in report.outside.mapped:
        name = mapped.path.removesuffix(" (deleted)")
        facts: dict[str, JsonValue] = {
            "path": mapped.path,
            "sha256": mapped.sha256,
            "known": mapped.sha256 in subject.given,
            "built": _basename(name) in built,
        }
        notes.add("runtime_mapped", facts, inside=False)


def _built(report: Report) -> Iterator[str]:
    """Yields the names of files that compilers of the run wrote, also under a later name."""
    names = set()
    for process in report.outside.processes:
        words = process.argv.split()
        if COMPILER.fullmatch(_basename(process.exe)):
            named = zip(words, words[1:], strict=False)
            names |= {_basename(name) for option, name in named if option == "-o"}
    yield from names
    for event in (event for one in report.interpreters for event in one.events):
        words = event.detail.split()
        if event.name == "os.rename" and len(words) > 1 and _basename(words[0]) in names:
            yield _basename(words[1])


def _basename(path: str) -> str:
    return path.rpartition("/")[2]
