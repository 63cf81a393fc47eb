"""Runs as Vivaria keeps them: a JSON file for each, with facts of the run and its trace entries.

Files of this kind differ: facts may stand under `run` or at the top, and the entries under several
names. Lists of chat messages, alone or as nodes, are read likewise.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.importing.run import (
    JSON_BYTES,
    ROWS,
    Hashed,
    Row,
    Run,
    described,
    moment,
    number,
    plain,
    text,
)
from harness.importing.tools import Files, action
from harness.models import Agent
from harness.trajectory import EVENTS, Event, EventKind

TRACES = ("traceEntries", "trace_entries", "trace", "entries", "transcript", "messages", "nodes")
SCORES = ("scoreLog", "score_log", "intermediateScores", "intermediate_scores")
FACTS = ("taskId", "task_id", "runId", "run_id", "agentRepoName", "task", "model")

Object = Mapping[str, object]


def is_run(value: object) -> bool:
    """Returns whether a JSON value is a run, or a list of trace entries."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_entry, value[:20]))
    if not isinstance(value, Mapping):
        return False
    entries = _entries(value)
    told = any(name in {**value, **_object(value.get("run"))} for name in (*FACTS, *SCORES))
    return bool(entries) and (told or all(map(_is_entry, entries[:20])))


def load(path: Path) -> Run:
    """Returns the run in a file.

    Raises:
        UsageError: it holds none.
    """
    file = Hashed(path, JSON_BYTES)
    value = file.json(path)
    if not is_run(value):
        raise UsageError(
            f"{path} is not a run: it has no trace entries.",
            hint=f"A run's JSON lists them under {', '.join(TRACES[:4])}.",
        )
    return _Reader(value, path.stem, file.sha256).run()


class _Reader:
    def __init__(self, value: object, name: str, digest: str) -> None:
        self._value: Object = value if isinstance(value, Mapping) else {"entries": value}
        self._facts: Object = {**self._value, **_object(self._value.get("run"))}
        self._name, self._digest = name, digest
        self._all = _entries(self._value)
        self._acts = any(_type(entry) == "action" for entry in self._all)
        self._events: list[Event] = []
        self._rows: list[Row] = []
        self._files = Files()
        self._seen: list[str] = []

    def run(self) -> Run:
        """Returns the run."""
        for index, entry in enumerate(self._all[:EVENTS]):
            self._entry(index, _object(entry))
        if len(self._all) > EVENTS:
            self._seen.append(f"only the first {EVENTS} trace entries were read")
        rows = list(self._logged()) or self._rows
        final = number(self._facts.get("score"))
        if not rows and final is not None:
            rows = [Row(final, files=self._files.now())]
        facts = self._facts
        return Run(
            name=text(str(self._told("runId", "run_id", "id") or self._name), 100),
            format="vivaria",
            task=text(str(self._told("taskId", "task_id", "task", "taskFamilyName") or ""), 300),
            events=tuple(self._events),
            rows=tuple(rows[:ROWS]),
            files=self._files.now(),
            agent=Agent(
                name=text(str(self._told("agentRepoName", "agent", "agentName") or "unknown"), 200),
                model=text(str(self._told("model", "modelName") or ""), 200),
                version=text(str(self._told("agentCommitId", "agentVersion") or ""), 100),
            ),
            start=moment(self._told("createdAt", "startedAt", "started_at")),
            end=moment(facts.get("completedAt", facts.get("completed_at"))),
            seen=tuple(self._seen),
            sha256=self._digest,
        )

    def _told(self, *names: str) -> object:
        found = (self._facts.get(name) for name in names)
        return next((value for value in found if isinstance(value, str | int | float)), None)

    def _logged(self) -> Iterator[Row]:
        """Yields the rows of a score log that the run carries beside its trace."""
        log = next((self._facts[key] for key in SCORES if self._facts.get(key)), [])
        for item in map(_object, log if isinstance(log, list) else []):
            elapsed = number(item.get("elapsedTime", item.get("elapsed_time")))
            seconds = number(item.get("elapsedSeconds", item.get("elapsed_seconds")))
            yield Row(
                score=number(item.get("score")),
                at=moment(item.get("scoredAt", item.get("scored_at", item.get("createdAt")))),
                elapsed_s=seconds if seconds is not None else elapsed and elapsed / 1000,
                message=described(item.get("message")),
                details=described(item.get("details")),
                files=self._files.now(),
            )

    def _entry(self, index: int, entry: Object) -> None:
        content = _object(entry.get("content"))
        at = moment(entry.get("calledAt", entry.get("called_at", entry.get("timestamp"))))
        match _type(entry):
            case "generation":
                self._generation(index, at, content)
            case "action":
                done = content.get("action")
                self._act(index, at, *_call(done))
            case "observation":
                self._result(index, at, _words(content.get("observation")))
            case "log":
                self._say(index, at, EventKind.NOTE, "agent", _words(content.get("content")))
            case "submission":
                words = f"submitted: {_words(content.get('value', content.get('submission')))}"
                self._say(index, at, EventKind.NOTE, "agent", words)
            case "intermediateScore":
                self._score(index, at, content)
            case "input":
                words = _words(content.get("userMessage", content.get("description")))
                self._say(index, at, EventKind.MESSAGE, "user", words)
            case "rating":
                self._rating(index, at, content)
            case "error":
                self._say(index, at, EventKind.NOTE, "harness", _words(content.get("detail")))
            case "message":
                self._message(index, at, _chat(entry))

    def _generation(self, index: int, at: object, content: Object) -> None:
        request = _object(content.get("agentRequest"))
        if not any(event.who == "user" for event in self._events):
            prompts = request.get("messages", request.get("prompt"))
            self._say(index, at, EventKind.MESSAGE, "user", _prompts(prompts))
        result = _object(content.get("finalResult"))
        outputs = result.get("outputs")
        for output in map(_object, outputs if isinstance(outputs, list) else []):
            self._say(index, at, EventKind.MESSAGE, "agent", _words(output.get("completion")))
            called = output.get("function_call")
            if called and not self._acts:
                self._act(index, at, *_call(called))

    def _rating(self, index: int, at: object, content: Object) -> None:
        options, choice = content.get("options"), content.get("choice")
        if isinstance(options, list) and isinstance(choice, int) and 0 <= choice < len(options):
            chosen = _object(options[choice])
            words = _words(chosen.get("action", options[choice]))
            self._say(index, at, EventKind.THOUGHT, "agent", words)

    def _message(self, index: int, at: object, message: Object) -> None:
        role = message.get("role")
        words = _words(message.get("content"))
        if role in ("function", "tool"):
            self._result(index, at, words)
            return
        self._say(index, at, EventKind.MESSAGE, "agent" if role == "assistant" else "user", words)
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else [message.get("function_call")]:
            if call and role == "assistant":
                self._act(index, at, *_call(call))

    def _act(self, index: int, at: object, name: str, arguments: object) -> None:
        made = action(index, text(name, 200), plain(arguments), at=at)
        self._events.append(made)
        self._files.follow(made)

    def _result(self, index: int, at: object, words: str) -> None:
        last = next(
            (event for event in reversed(self._events[-50:]) if event.kind is EventKind.ACTION),
            None,
        )
        self._add(
            index=index, at=at, kind=EventKind.RESULT, who="harness", text=words,
            of=last.index if last else None, tool=last.tool if last else "",
        )  # fmt: skip

    def _score(self, index: int, at: object, content: Object) -> None:
        value = number(content.get("score"))
        message = described(content.get("message"))
        self._add(
            index=index, at=at, kind=EventKind.SCORE, who="harness", score=value,
            text=_words(content.get("message")), entry=len(self._rows),
        )  # fmt: skip
        details = described(content.get("details")) | {"event": index}
        self._rows.append(
            Row(value, moment(at), None, message, details, self._files.now())
        )  # fmt: skip

    def _say(self, index: int, at: object, kind: EventKind, who: str, words: str) -> None:
        if words.strip():
            self._add(index=index, at=at, kind=kind, who=who, text=words)

    def _add(self, **fields: object) -> None:
        self._events.append(Event.model_validate(fields))


def _entries(value: Object) -> Sequence[object]:
    for place in (value, _object(value.get("run"))):
        for name in TRACES:
            found = place.get(name)
            if isinstance(found, list) and found:
                return found
    return ()


def _is_entry(entry: object) -> bool:
    return _type(entry) != ""


def _type(entry: object) -> str:
    """What kind an entry is of; `message` for a chat message, however it is wrapped."""
    item = _object(entry)
    content = item.get("content")
    if isinstance(content, Mapping) and isinstance(content.get("type"), str):
        return str(content["type"])
    return "message" if isinstance(_chat(item).get("role"), str) else ""


def _chat(entry: Object) -> Object:
    for key in ("node_data", "message"):
        entry = _object(entry.get(key)) or entry
    return entry


def _call(value: object) -> tuple[str, object]:
    """The name and the arguments of a call, however they are spelt."""
    item = _object(value)
    item = _object(item.get("function")) or item
    name = next((item[key] for key in ("name", "type", "tool", "function") if item.get(key)), "")
    keys = ("arguments", "args", "parameters", "input")
    arguments = next((item[key] for key in keys if key in item), None)
    if arguments is None:
        arguments = {key: item[key] for key in item if key not in ("name", "type", "tool")}
    return str(name) or "action", arguments


def _prompts(value: object) -> str:
    if isinstance(value, list):
        said = (_object(item) for item in value)
        return "\n\n".join(
            _words(item.get("content")) for item in said if item.get("role") != "assistant"
        )
    return _words(value)


def _words(value: object) -> str:
    """What a value says: texts, and those in lists and in parts of messages."""
    if isinstance(value, str):
        return text(value, 1 << 20)
    if isinstance(value, list):
        return "\n".join(filter(None, map(_words, value[:1000])))
    item = _object(value)
    for key in ("text", "content", "output", "message", "value", "observation"):
        if isinstance(item.get(key), str | list):
            return _words(item[key])
    return text(str(plain(value)), 1 << 16) if value is not None else ""


def _object(value: object) -> Object:
    return value if isinstance(value, Mapping) else {}
