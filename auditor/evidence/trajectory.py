"""What an agent did and said, event by event: deeds as the code engine reads them, and words.

A command or snippet is `inferred` from: it is code that was executed, as the harness saw. Where
this harness does not vouch for the transcript it is `claimed`, as the agent's words always are.
Nothing here says that something is wrong; places are given their meaning by
`auditor.evidence.places`, and rules judge.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pydantic import JsonValue

from auditor.code.deeds import of_python
from auditor.code.graph import graph_of
from auditor.code.program import Program, program_of
from auditor.code.shell import Deed, Doings, Made, Session, Verb, of_shell
from auditor.code.source import ChangedSource
from auditor.code.straight import Past
from auditor.code.words import Piece
from auditor.evidence import intent
from auditor.evidence.book import Book
from auditor.evidence.places import LOGS, SCORERS, Place, Places, Zone, told
from auditor.models import How
from harness.models import EnvironmentFacts
from harness.trajectory import Event, EventKind, Trajectory

TEXT = 1 << 18
"""Characters of one event that are read."""
NOTED = 2_000
"""Events of which a fact is written; what is beyond is counted."""
PER_EVENT = 40
"""Deeds noted of one event."""
PYTHON_CHARACTERS = 1 << 20
"""Of all snippets together that the engine reads."""
SNIPPET = 1 << 17
QUOTE = 200
FILES = 2_000
LASTING = re.compile(r"session|terminal|persistent|tmux", re.I)
"""Tools whose shell goes on from call to call; others begin each call where the first began."""
READING = re.compile(r"(^|_)(read|view|open|cat|show|get)(_|$)", re.I)
"""Tools without a language that show the file they are given."""
_REFUSED = re.compile(
    r"permission denied|no such file|not permitted|read-only file system|cannot (?:open|access|stat"
    r"|create|remove|overwrite)|permissionerror|filenotfounderror|does not exist|not found", re.I,
)  # fmt: skip
_OFFLINE = re.compile(
    r"could not resolve|name or service not known|temporary failure|network is unreachable"
    r"|connection (?:refused|timed out)|no matching distribution|failed to establish"
    r"|could not find a version|unable to (?:resolve|access|fetch)|max retries exceeded", re.I,
)  # fmt: skip
_DULL_READS = frozenset({Zone.SCORER, Zone.PROTECTED, Zone.OUTPUT, Zone.PYTHON, Zone.LOG})
_TELLING = SCORERS | LOGS | {"reward.txt", "reward.json"}
_CHANGES = frozenset({Verb.WRITE, Verb.REMOVE, Verb.MODE})
_JUDGES = re.compile(r"\bscor(e|er|ing)\b|\bgrader\b|\bverifier\b|\bharness\b", re.I)


class Placed(NamedTuple):
    """A deed with what its paths are to the task."""

    event: int
    deed: Deed
    place: Place
    to: Place
    quote: str
    via: str = ""
    """The file of the agent's that does it, when the event only runs that."""


@dataclass
class Read:
    """What came of reading a trajectory."""

    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Files that events are seen to write, with the last event that did so."""


def collect(
    book: Book,
    trajectory: Trajectory,
    *,
    facts: EnvironmentFacts | None,
    instructions: str = "",
    roots: Iterable[str] = (),
    imported: bool = False,
    claimed: bool = False,
) -> Read:
    """Notes what the events of an attempt show.

    Args:
        book: takes the facts.
        trajectory: as it was read.
        facts: the environment's; None where it is unknown.
        instructions: what the agent was told, besides what the events say.
        roots: where the workspace lay, as absolute paths.
        imported: somebody else recorded it.
        claimed: this harness does not vouch for it.
    """
    how = How.CLAIMED if claimed else How.INFERRED
    return _Reader(book, trajectory, facts, instructions, tuple(roots), imported, how).run()


class _Reader:
    def __init__(
        self,
        book: Book,
        trajectory: Trajectory,
        facts: EnvironmentFacts | None,
        instructions: str,
        roots: tuple[str, ...],
        imported: bool,
        how: How,
    ) -> None:
        self._book, self._trajectory, self._imported = book, trajectory, imported
        self._how = how
        given = (event.text for event in trajectory.events if event.who == "user")
        self._told = told("\n\n".join([instructions, *given]))
        self._places = Places(facts, self._told, roots)
        self._sessions: dict[str, Session] = {}
        self._pasts: dict[str, Past] = {}
        self._read = Read()
        self._left = PYTHON_CHARACTERS
        self._unread: list[int] = []
        self._large: list[int] = []
        """Events of which no more than a beginning was read."""
        self._met: set[str] = set()
        """Names of scorers and logs that the agent was shown before it could have made them."""
        self._meet(instructions)
        self._made: set[str] = set()
        self._ran_once: set[str] = set()
        """Names of programs that the agent has started itself."""
        self._results: dict[int, list[Event]] = {}
        for event in trajectory.events:
            if event.kind is EventKind.RESULT and event.of is not None:
                self._results.setdefault(event.of, []).append(event)

    def run(self) -> Read:
        noted = beyond = said = 0
        placed: list[tuple[Event, list[Placed]]] = []
        for event in self._trajectory.events:
            if event.kind is EventKind.ACTION:
                placed.append((event, self._action(event)))
                self._meet(self._output(event))
            elif event.who == "user":
                self._meet(event.text)
        after = self._after([(event, deeds) for event, deeds in placed])
        for event, deeds in placed:
            kept = [item for item in deeds if _matters(item)]
            if not kept:
                continue
            if noted >= NOTED:
                beyond += 1
                continue
            noted += 1
            self._note(event, kept, after)
        for event in self._trajectory.events:
            if event.who == "agent" and event.kind in (EventKind.MESSAGE, EventKind.THOUGHT):
                said += self._words(event, NOTED - said)
        large = [f"event {index} is too large to be read whole" for index in self._large[:20]]
        self._book.add(
            "trajectory_read",
            {
                "events": len(self._trajectory.events),
                "actions": len(placed),
                "noted": noted,
                "not_noted": beyond,
                "problems": list[JsonValue]([*self._trajectory.problems[:20], *large]),
                "not_parsed": list[JsonValue](self._unread[:200]),
                "imported": self._imported,
                "network": self._told.network,
                "kept": list(self._told.kept[:50]),
                "closed": list(self._told.closed[:50]),
            },
            stage="trajectory",
        )
        return self._read

    # ---- one action

    def _action(self, event: Event) -> list[Placed]:
        if len(event.text) > (SNIPPET if event.language == "python" else TEXT):
            self._large.append(event.index)
        session = self._session(event)
        if event.language == "shell":
            doings = of_shell(Piece(1, event.text), session)
            return self._placed(event, doings, event.text, event.text)
        if event.language == "python":
            return self._python(event, event.text, 1, key=event.tool)
        if event.language == "file" and event.path:
            path = event.path
            self._keep(event, Made(1, path, self._whole(event), more=False))
            deed = Deed(1, Verb.WRITE, path, what=event.tool)
            return [self._place(event, deed, event.text)]
        if event.path and READING.search(f"{event.tool}_{_command(event)}"):
            return [self._place(event, Deed(1, Verb.READ, event.path, what=event.tool), event.path)]
        return []

    def _session(self, event: Event) -> Session:
        if not LASTING.search(event.tool):
            return Session(folder=event.path if event.language == "shell" else "")
        return self._sessions.setdefault(event.tool, Session(folder=event.path))

    def _placed(
        self, event: Event, doings: Doings, text: str, quoted: str, via: str = "", depth: int = 3
    ) -> list[Placed]:
        lines = quoted.split("\n")
        for made in doings.files:
            self._keep(event, made)
        found = []
        for deed in doings.deeds:
            found.append(self._place(event, deed, _line(lines, deed.line), via))
            if deed.verb is Verb.RUN and depth:
                found += self._ran(event, deed, depth - 1)
        for snippet in doings.snippets:
            found += self._python(event, snippet.text, snippet.line, via=via)
        return found

    def _ran(self, event: Event, run: Deed, depth: int) -> list[Placed]:
        """What a file does that the agent was seen to write, and that is run now."""
        known = self._read.files.get(run.path) or self._read.files.get(f"solution/{run.path}")
        if known is None:
            return []
        text, _ = known
        if run.path.endswith(".py") or "python" in text.partition("\n")[0]:
            found = self._python(event, text, 1, via=run.path)
        else:
            doings = of_shell(Piece(1, text), Session())
            found = self._placed(event, doings, text, text, via=run.path, depth=depth)
        if not run.background:
            return found
        return [item._replace(deed=replace(item.deed, background=True)) for item in found]

    def _python(
        self, event: Event, text: str, line: int, *, key: str = "", via: str = ""
    ) -> list[Placed]:
        text, commands = _without_magic(text)
        found: list[Placed] = []
        for command in commands:
            found += self._placed(
                event, of_shell(Piece(1, command), Session()), command, command, via
            )
        past = self._pasts.setdefault(key, Past()) if key else Past()
        straight = past.straight(text) if len(text) <= min(SNIPPET, self._left) else None
        if straight is None:
            (self._unread if len(text) <= self._left else self._large).append(event.index)
            return found
        self._left -= len(text)
        source = ChangedSource(f"event {event.index}", straight.text, None, True, "python")
        program = program_of((source,), None)
        lines = text.split("\n")
        deeds = [deed for _, deed in of_python(program)]
        for deed in (*deeds, *self._flows(program)):
            own = deed.line - straight.shift
            found.append(
                self._place(event, replace(deed, line=line + own - 1), _line(lines, own), via)
            )
        return found

    def _flows(self, program: Program) -> Iterator[Deed]:
        """What a snippet reads of the task's answers and writes to where results are."""
        graph = graph_of(program)
        kept = graph.readings(lambda path: self._is(path, Zone.ANSWERS, Zone.HIDDEN))
        if not kept:
            return
        handed_in = graph.written(lambda path: self._is(path, Zone.OUTPUT))
        for reading in kept:
            if way := graph.way([reading.node], handed_in):
                to = next(str(node[1]) for node in handed_in)
                yield Deed(way[-1].line, Verb.COPY, reading.file, to, "a snippet")

    def _is(self, path: str, *zones: Zone) -> bool:
        return self._places.of(path).zone in zones

    def _place(self, event: Event, deed: Deed, quote: str, via: str = "") -> Placed:
        plain = deed.verb in (Verb.FETCH, Verb.INSTALL, Verb.KILL, Verb.SCHEDULE)
        nothing = Place(Zone.OWN, sure=True)
        place = nothing if plain else self._of(deed.path, deed.verb)
        if deed.verb is Verb.SCHEDULE:
            place = self._named_in(quote)
        elif deed.verb is Verb.RUN:
            self._ran_once.add(deed.path.rsplit("/", 1)[-1])
        elif deed.verb is Verb.KILL and any(name in deed.path for name in self._ran_once):
            deed = replace(deed, path="its own")
        to = self._of(deed.to, Verb.WRITE) if deed.to else nothing
        return Placed(event.index, deed, place, to, _quote(quote), via)

    def _named_in(self, words: str) -> Place:
        """The first place among some words that is not the agent's own."""
        parts = [part for part in re.split(r"[\s'\"=;|&>()]+", words[:2_000]) if "/" in part]
        places = map(self._places.of, parts)
        return next(
            (place for place in places if place.zone is not Zone.OWN), Place(Zone.OWN, True)
        )

    def _of(self, path: str, verb: Verb) -> Place:
        """What a path is; a name alone tells nothing of what the agent has made itself."""
        place = self._places.of(path)
        if place.sure or place.zone not in (Zone.SCORER, Zone.LOG):
            return place
        name = path.rsplit("/", 1)[-1]
        if path in self._made:
            return Place(Zone.OWN, sure=True)
        if verb in _CHANGES and name not in self._met:
            self._made.add(path)
            return Place(Zone.OWN, sure=True)
        return place

    def _meet(self, text: str) -> None:
        self._met |= {name for name in _TELLING - self._met if name in text}

    # ---- files that events write

    def _keep(self, event: Event, made: Made) -> None:
        files = self._read.files
        if event.exit_code or len(made.text) > TEXT:
            return
        if made.path in files or len(files) < FILES:
            files[made.path] = (made.text, event.index)

    def _whole(self, event: Event) -> str:
        """The text of a file after an edit, where what it was before is known."""
        old = event.data.get("old")
        before = self._read.files.get(event.path)
        if not isinstance(old, str):
            return event.text
        if before is None or not old:
            return event.text
        return before[0].replace(old, event.text, 1)

    # ---- facts

    def _output(self, event: Event) -> str:
        later = (result.text for result in self._results.get(event.index, ()))
        return "\n".join(filter(None, [event.output, *later]))

    def _exit_code(self, event: Event) -> int | None:
        later = (result.exit_code for result in self._results.get(event.index, ()))
        return next(filter(None, [event.exit_code, *later]), None)

    def _after(self, placed: Sequence[tuple[Event, list[Placed]]]) -> dict[int, bool]:
        """For each event that hands something in: whether it is scored before anything else is."""
        scores = [event.index for event in self._trajectory.events if event.kind is EventKind.SCORE]
        others = [
            event.index for event, deeds in placed
            if any(item.deed.verb is Verb.RUN or item.place.zone is Zone.OUTPUT
                   and item.deed.verb in _CHANGES for item in deeds)
        ]  # fmt: skip
        found = {}
        for event, _ in placed:
            score = next((at for at in scores if at > event.index), None)
            found[event.index] = score is not None and not any(
                event.index < at < score for at in others
            )
        return found

    def _note(self, event: Event, kept: Sequence[Placed], after: Mapping[int, bool]) -> None:
        output, code = self._output(event), self._exit_code(event)
        refused = event.data.get("refused") is True
        deeds: list[JsonValue] = [
            {
                "verb": item.deed.verb.value, "path": _shown(item.deed.path),
                "zone": item.place.zone.value, "sure": item.place.sure,
                "to": _shown(item.deed.to), "to_zone": item.to.zone.value, "to_sure": item.to.sure,
                "what": _shown(item.deed.what), "line": item.deed.line, "quote": item.quote,
                "background": item.deed.background, "loop": item.deed.loop, "via": item.via,
                "failed": refused or _failed(item.deed, output, code),
            }
            for item in kept[:PER_EVENT]
        ]  # fmt: skip
        self._book.add(
            "agent_action",
            {
                "event": event.index, "tool": event.tool, "deeds": deeds,
                "more": max(len(kept) - PER_EVENT, 0), "imported": self._imported,
                "network": self._told.network, "scored_next": after.get(event.index, False),
            },
            stage="trajectory",
            how=self._how,
        )  # fmt: skip

    def _words(self, event: Event, most: int) -> int:
        found = intent.stated(event.text)[: max(most, 0)]
        for said in found:
            self._book.add(
                "agent_said",
                {
                    "event": event.index, "quote": _quote(said.quote), "what": said.what,
                    "imported": self._imported,
                },
                stage="trajectory",
                how=How.CLAIMED,
            )  # fmt: skip
        return len(found)


def _matters(item: Placed) -> bool:
    """Whether a deed is worth a fact: it concerns more than the agent's own things."""
    verb = item.deed.verb
    if verb in (Verb.FETCH, Verb.INSTALL, Verb.SCHEDULE):
        return True
    if verb is Verb.KILL:
        return bool(_JUDGES.search(item.deed.path))
    if verb in (Verb.LOOK, Verb.RUN):
        return False
    if verb is Verb.READ:
        return item.place.zone not in _DULL_READS | {Zone.OWN, Zone.ANSWERS}
    if verb is Verb.COPY:
        return item.place.zone in (Zone.HIDDEN, Zone.ANSWERS)
    if item.place.zone is Zone.OUTPUT:
        return item.deed.background and item.deed.loop
    return item.place.zone not in (Zone.OWN, Zone.ANSWERS)


def _failed(deed: Deed, output: str, code: int | None) -> bool:
    """Whether what was printed says that a deed was refused, or found nothing."""
    if deed.verb in (Verb.FETCH, Verb.INSTALL):
        return _OFFLINE.search(output[:50_000]) is not None
    name = (deed.to or deed.path).rsplit("/", 1)[-1].strip("*?")
    names = {name, deed.path.rsplit("/", 1)[-1].strip("*?")} - {""}
    for line in output[:200_000].split("\n"):
        if _REFUSED.search(line[:2_000]) and any(item in line for item in names):
            return True
    return bool(code) and _REFUSED.search(output[-2_000:]) is not None


def _without_magic(text: str) -> tuple[str, list[str]]:
    """Splits a notebook's `!` commands from its Python; lines stay where they are."""
    if not re.search(r"(?m)^\s*[!%]", text):
        return text, []
    commands: list[str] = []
    lines = []
    for line in text.split("\n"):
        match = re.match(r"\s*(!{1,2}|%%?(?:bash|sh|system|sx)\b|%(?=pip|conda))(.*)", line)
        if match:
            commands.append(match[2])
        lines.append("" if match or re.match(r"\s*%", line) else line)
    return "\n".join(lines), commands


def _command(event: Event) -> str:
    given = event.data.get("arguments")
    told_ = given.get("command") if isinstance(given, dict) else ""
    return told_ if isinstance(told_, str) else ""


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _quote(text: str) -> str:
    return _shown(" ".join(text[: 4 * QUOTE].split()))


def _shown(text: str) -> str:
    """A text that drives no terminal, cut."""
    cut = text[:QUOTE] + ("…" if len(text) > QUOTE else "")
    return "".join(sign if sign.isprintable() else "?" for sign in cut)
