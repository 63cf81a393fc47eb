"""Inspect logs, `.eval` or JSON, read with inspect-ai; a run for each sample and epoch.

A log is measured before inspect-ai is given it: what an archive unpacks to is counted piece by
piece, since its own table of contents may say anything.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.errors import UsageError
from harness.importing.run import (
    Row,
    Run,
    described,
    moment,
    number,
    opened,
    plain,
    sha256_of,
    text,
)
from harness.importing.tools import Files, action
from harness.models import Agent
from harness.trajectory import Event, EventKind

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

SUFFIX = ".eval"
MEMBER_BYTES = 128 << 20
"""Of one unpacked member: inspect-ai needs about ten times as much for it."""
TOTAL_BYTES = 1 << 30
MEMBERS = 20_000
SAMPLES = 1_000
CHUNK = 1 << 20
_WORDS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Inspect's letters for correct, partly correct, incorrect and no answer."""


def is_log(path: Path) -> bool:
    """Returns whether a file is an Inspect log: by its name, or by how its JSON begins."""
    if not path.is_file():
        return False
    if path.suffix == SUFFIX:
        return True
    if path.suffix != ".json":
        return False
    with opened(path) as file:
        head = file.read(4096)
    return all(word in head for word in (b'"version"', b'"status"', b'"eval"'))


def load(path: Path) -> list[Run]:
    """Returns the runs of a log.

    Raises:
        UsageError: it cannot be read, is too large, or inspect-ai is not installed.
    """
    with opened(path) as file:
        digest = sha256_of(file)
        file.seek(0)
        _measure(path, file)
        log = _read(path)
    samples = log.samples or []
    if not samples:
        raise UsageError(f"{path} holds no samples.", hint="Name a log with transcripts.")
    seen = list(_about(log))
    if len(samples) > SAMPLES:
        seen.append(f"only the first {SAMPLES} of {len(samples)} samples were read")
    return [_Sample(log, sample, digest, tuple(seen)).run() for sample in samples[:SAMPLES]]


def _measure(path: Path, file: BinaryIO) -> None:
    """Refuses what would unpack to more than is read."""
    if path.suffix != SUFFIX or not zipfile.is_zipfile(file):
        file.seek(0, 2)
        if file.tell() > MEMBER_BYTES:
            raise UsageError(f"{path} holds more than {MEMBER_BYTES >> 20} MiB, which is not read.")
        return
    import_zstd()
    left = TOTAL_BYTES
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS:
                raise UsageError(f"{path} holds more than {MEMBERS} members, which are not read.")
            for member in members:
                size = _unpacked(archive, member, min(MEMBER_BYTES, left))
                left -= size
    except UsageError as error:
        raise UsageError(f"{path}: {error}", hint="Such an archive is not read.") from error
    except Exception as error:  # a hostile archive makes each unpacker fail in its own way
        raise _unreadable(path, error) from error


def import_zstd() -> None:
    """Teaches `zipfile` the compression of Inspect's archives, as inspect-ai does.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from inspect_ai._util import zipfile as _  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Inspect logs are read with inspect-ai, which is not installed.",
            hint="Install it with `pip install 'earned[inspect]'`.",
        ) from error


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> int:
    size = 0
    if member.flag_bits & 0x1:
        raise UsageError("a member is encrypted.")
    with archive.open(member) as stream:
        while part := stream.read(CHUNK):
            size += len(part)
            if size > most:
                raise UsageError(f"a member unpacks to more than {most >> 20} MiB.")
    return size


def _read(path: Path) -> "EvalLog":
    import_zstd()
    from inspect_ai.log import read_eval_log

    try:
        kind = "eval" if path.suffix == SUFFIX and zipfile.is_zipfile(path) else "json"
        return read_eval_log(path, resolve_attachments=True, format=kind)  # type: ignore[arg-type]
    except Exception as error:  # it is somebody else's reader, on what anybody may have written
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UsageError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return UsageError(
        f"{path} is not an Inspect log that can be read: {text(first, 200)}.",
        hint="Name a .eval or .json log as inspect-ai wrote it.",
    )


def _about(log: "EvalLog") -> Iterator[str]:
    if log.status != "success":
        yield f"the evaluation ended with status {log.status}"


class _Sample:
    """One sample on its way to a run."""

    def __init__(
        self, log: "EvalLog", sample: "EvalSample", digest: str, seen: tuple[str, ...]
    ) -> None:
        self._log, self._sample, self._digest = log, sample, digest
        self._seen = list(seen)
        self._events: list[Event] = []
        self._rows: list[Row] = []
        self._files = Files()
        self._scorer: str | None = None

    def run(self) -> Run:
        """Returns the run."""
        if self._sample.events:
            self._from_events()
        else:
            self._seen.append("the log holds no events, so its messages were read in their place")
            self._from_messages()
        self._final_scores()
        log, sample = self._log, self._sample
        return Run(
            name=f"{sample.id}_epoch_{sample.epoch}",
            format="inspect",
            task=text(str(log.eval.task), 300),
            events=tuple(self._events),
            rows=tuple(self._rows),
            files=self._files.now(),
            agent=Agent(
                name=text(str(log.eval.solver or "inspect"), 200),
                model=text(str(log.eval.model), 200),
                scaffold="inspect-ai",
                version=text(str(log.eval.packages.get("inspect_ai", "")), 50),
            ),
            start=moment(getattr(sample, "started_at", None)) or moment(log.eval.created),
            end=moment(getattr(sample, "completed_at", None)),
            direction="higher",
            seen=tuple(self._seen),
            sha256=self._digest,
        )

    def _from_events(self) -> None:
        events = list(_numbered(self._sample.events))
        shown = {event.id for _, event in events if event.event == "tool"}
        asked = [
            event.scorer for _, event in events if event.event == "score" and event.intermediate
        ]
        self._scorer = asked[0] if asked else None
        for index, event in events:
            if event.event == "model":
                self._model(index, event, shown)
            elif event.event in HANDLED:
                getattr(self, f"_{event.event}")(index, event)

    # ---- events, by their name in the log

    def _sample_init(self, index: int, event: Any) -> None:
        given = event.sample.input
        words = given if isinstance(given, str) else "\n\n".join(map(_content, given))
        self._say(index, event, words, who="user")

    def _model(self, index: int, event: Any, shown: set[str]) -> None:
        message = event.output.choices[0].message if event.output.choices else None
        if message is None:
            return
        if words := _content(message):
            self._say(index, event, words)
        for call in message.tool_calls or ():
            if call.id not in shown:  # whoever executed it wrote no event of its own
                self._act(index, call.function, call.arguments, event)

    def _tool(self, index: int, event: Any) -> None:
        failed = event.error is not None
        output = event.error.message if failed else _output(event.result)
        self._act(
            index, event.function, event.arguments, event, output=output, failed=failed,
            refused=failed and event.error.type in NEVER_RUN,
        )  # fmt: skip

    def _score(self, index: int, event: Any) -> None:
        self._row(index, event.score, event.scorer, event.timestamp, event)

    def _input(self, index: int, event: Any) -> None:
        self._say(index, event, str(event.input), who="user")

    def _info(self, index: int, event: Any) -> None:
        self._note(index, event, str(event.data))

    def _error(self, index: int, event: Any) -> None:
        self._note(index, event, str(event.error.message))

    def _sample_limit(self, index: int, event: Any) -> None:
        self._note(index, event, str(event.message))

    # ---- what they become

    def _say(self, index: int, event: Any, words: str, who: str = "agent") -> None:
        self._add(index=index, at=_at(event), kind=EventKind.MESSAGE, who=who, text=words)

    def _note(self, index: int, event: Any, words: str) -> None:
        self._add(
            index=index, at=_at(event), kind=EventKind.NOTE, who="harness", text=words[:20_000]
        )

    def _act(
        self, index: int, name: str, arguments: object, event: Any, *, output: str = "",
        failed: bool = False,
        refused: bool = False,
    ) -> None:  # fmt: skip
        made = action(
            index, name, arguments, at=_at(event), output=output, failed=failed, refused=refused
        )
        self._events.append(made)
        self._files.follow(made)

    def _row(self, index: int, score: Any, scorer: str | None, at: object, event: Any) -> None:
        if self._scorer is None:
            self._scorer = scorer
        value = _value(score.value)
        counts = scorer == self._scorer
        message = described(score.explanation)
        self._add(
            index=index, at=_at(event), kind=EventKind.SCORE, who="harness", score=value,
            text=text(str(score.explanation or ""), 20_000), tool=str(scorer or ""),
            entry=len(self._rows) if counts else None,
        )  # fmt: skip
        if counts:
            details = {"scorer": scorer, "value": plain(score.value), "answer": score.answer}
            kept = described(score.metadata) | {"event": index} | described(details)
            self._rows.append(
                Row(value, moment(at), None, message, kept, self._files.now())
            )  # fmt: skip

    def _add(self, **fields: object) -> None:
        self._events.append(Event.model_validate(fields))

    def _from_messages(self) -> None:
        outputs = {
            message.tool_call_id: message
            for message in self._sample.messages
            if message.role == "tool" and message.tool_call_id
        }
        for index, message in enumerate(self._sample.messages):
            if message.role in ("user", "system"):
                self._add(index=index, kind=EventKind.MESSAGE, who="user", text=_content(message))
            elif message.role == "assistant":
                if words := _content(message):
                    self._add(index=index, kind=EventKind.MESSAGE, text=words)
                for call in message.tool_calls or ():
                    result = outputs.get(call.id)
                    output = _content(result) if result is not None else ""
                    failed = getattr(result, "error", None) is not None
                    made = action(index, call.function, call.arguments, output=output,
                                  failed=failed)  # fmt: skip
                    self._events.append(made)
                    self._files.follow(made)

    def _final_scores(self) -> None:
        """Takes the scores of a log whose events tell of none."""
        if self._rows or not self._sample.scores:
            return
        for name, score in list(self._sample.scores.items())[:1]:
            details = described(score.metadata) | {"scorer": name}
            message = described(score.explanation)
            self._rows.append(
                Row(_value(score.value), None, None, message, details, self._files.now())
            )


NEVER_RUN = frozenset({"approval", "parsing"})
"""Errors of calls that reached no tool."""
HANDLED = frozenset({
    "sample_init", "tool", "score", "input", "info", "error", "sample_limit",
})  # fmt: skip


def _numbered(events: Any) -> Iterator[tuple[int, Any]]:
    """Yields events with their numbers; those within another one have its number."""
    for index, event in enumerate(events):
        waiting = [event]
        while waiting:
            inner = waiting.pop(0)
            yield index, inner
            waiting = [*(getattr(inner, "events", None) or ()), *waiting]


def _at(event: Any) -> object:
    return moment(event.timestamp)


def _value(value: object) -> float | None:
    """A score as a number; of several, the first that is one."""
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        return next((found for item in items if (found := number(item)) is not None), None)
    return number(value)


def _content(message: Any) -> str:
    """The words of a message; reasoning that was recorded comes before what was said."""
    content = message.content
    if isinstance(content, str):
        return content
    parts = []
    for part in content:
        for field in ("reasoning", "text", "refusal"):
            words = getattr(part, field, None)
            if isinstance(words, str) and words:
                parts.append(words)
                break
    return "\n".join(parts)


def _output(result: object) -> str:
    if isinstance(result, list):
        return "\n".join(str(getattr(part, "text", "")) for part in result)
    return str(getattr(result, "text", result))


__all__ = ["SUFFIX", "is_log", "load"]
