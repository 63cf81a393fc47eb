"""What a tool call of a transcript does, told by its name and by what its arguments are called."""

import json
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import JsonValue

from harness.importing.run import FILE_BYTES, FILES, plain, rooted
from harness.importing.run import text as cut
from harness.trajectory import Event, EventKind

HOMES = ("/home/agent", "/root", "/workspace", "/app", "/work", "/home/user", "/testbed", "/repo")
"""Where tasks put their agents; what lies beneath is the workspace."""
_SHELL = re.compile(
    r"bash|shell|terminal|(^|_)(sh|exec|cmd|command|run_command|execute)(_|$)", re.I
)
_PYTHON = re.compile(r"python|jupyter|notebook|code_interpreter|(^|_)(py|repl)(_|$)", re.I)
_SHELL_KEYS = ("cmd", "command", "commands", "bash", "shell", "script", "keystrokes")
_CODE_KEYS = ("code", "python", "source", "snippet", "input", "script")
_PATH_KEYS = ("path", "file_path", "filepath", "filename", "file", "target_file")
_CONTENT_KEYS = ("file_text", "content", "contents", "text", "new_content", "code")
_FOLDER_KEYS = ("cwd", "workdir", "working_directory", "directory")


class Did(NamedTuple):
    """A tool call as an event tells it."""

    language: Literal["", "shell", "python", "file"]
    text: str
    path: str = ""
    old: str | None = None
    """What `text` takes the place of in the file; None where it is the whole file."""
    data: dict[str, JsonValue] = {}


def did(name: str, arguments: object) -> Did:
    """Returns what a call of a tool does; arguments that are no object are its only one."""
    given = _object(arguments)
    path, folder = _first(given, _PATH_KEYS), _first(given, _FOLDER_KEYS)
    content = _first(given, _CONTENT_KEYS)
    verb = given.get("command") if isinstance(given.get("command"), str) else ""
    if path and _is_edit(given):
        return _edit(path, given)
    if path and content is not None and verb not in ("view", "read") and not _SHELL.search(name):
        return Did("file", content, path)
    if _PYTHON.search(name) and not _SHELL.search(name):
        code = _first(given, _CODE_KEYS) or _only(given)
        if code is not None:
            return Did("python", code, folder or "")
    if not path or _SHELL.search(name):
        command = _first(given, _SHELL_KEYS)
        if command is None and _SHELL.search(name):
            command = _first(given, ("input", "code", "text", "args")) or _only(given)
        if command is not None:
            return Did("shell", command, folder or "")
        if (code := _first(given, ("code", "python"))) is not None:
            return Did("python", code, folder or "")
    found = plain(given)
    return Did("", json.dumps(found) if given else "", path or "", data={"arguments": found})


def action(
    index: int, name: str, arguments: object, *, at: object = None, output: str = "",
    failed: bool = False,
    refused: bool = False,
) -> Event:  # fmt: skip
    """Returns the event of a tool call; one that was `refused` was never run."""
    done = did(name, arguments)
    data: dict[str, JsonValue] = {"refused": True} if refused else {}
    data |= dict(done.data) | ({"old": done.old[:FILE_BYTES]} if done.old is not None else {})
    return Event.model_validate(
        {
            "index": index, "at": at, "kind": EventKind.ACTION, "tool": name[:200], "data": data,
            "language": done.language, "path": done.path[:1_000], "text": done.text,
            "output": output, "exit_code": 1 if failed else None,
        }
    )  # fmt: skip


class Files:
    """The files that a transcript shows being written, as they are after each event."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    def follow(self, event: Event) -> None:
        """Takes an event in; what is written outside the workspace is left out."""
        path = rooted(event.path, HOMES) if event.language == "file" else None
        if path is None or event.exit_code:
            return
        text, old = event.text, event.data.get("old")
        if isinstance(old, str):
            before = self._files.get(path)
            if before is None or not old or old not in before:
                return
            text = before.replace(old, text, 1)
        if len(text) <= FILE_BYTES and (path in self._files or len(self._files) < FILES):
            self._files[path] = cut(text, FILE_BYTES)

    def now(self) -> dict[str, str]:
        """Returns the files as they are now; one that lies where a folder must is left out."""
        folders = {
            "/".join(parts[:end])
            for parts in (path.split("/") for path in self._files)
            for end in range(1, len(parts))
        }
        return {path: text for path, text in self._files.items() if path not in folders}


def _object(arguments: object) -> Mapping[str, object]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return {"input": arguments}
    if isinstance(arguments, Mapping):
        return arguments
    return {} if arguments is None else {"input": arguments}


def _first(given: Mapping[str, object], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = given.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return _joined([str(item) for item in value])
    return None


def _joined(words: list[str]) -> str:
    """A command given as a list: what a shell is told to execute, or its words, or its lines."""
    if len(words) == 3 and words[1] in ("-c", "-lc") and words[0].endswith("sh"):
        return words[2]
    return "\n".join(words) if any(" " in word for word in words) else " ".join(words)


def _only(given: Mapping[str, object]) -> str | None:
    texts = [value for value in given.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else None


def _is_edit(given: Mapping[str, object]) -> bool:
    return any(isinstance(given.get(key), str) for key in ("old_str", "old_string", "old_text"))


def _edit(path: str, given: Mapping[str, object]) -> Did:
    old = _first(given, ("old_str", "old_string", "old_text")) or ""
    return Did("file", _first(given, ("new_str", "new_string", "new_text")) or "", path, old)
