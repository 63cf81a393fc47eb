"""What was done to the code of a snapshot, which files run when it is scored, and what is hidden.

Which files run is told by the names that one file mentions of another: generously, since what
only looks as if it ran is read by the rules function by function.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import JsonValue

from auditor.code import diff, others
from auditor.code.program import Entry, entries, program_of
from auditor.code.source import ChangedSource, decoded, parse, walk
from auditor.evidence.book import Book
from auditor.models import How
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import EnvironmentFacts, WorkspaceFacts, matches

LIMIT_BYTES = 1 << 20
"""A text file above this is data: no rule parses it, and it is noted as such."""
MOST_EDITS = 200
"""Edits noted per file; what is beyond is counted."""
MOST_HIDDEN = 500
Texts = tuple[tuple[str, str], ...]
"""Files by path, in order."""
START_UP = ("sitecustomize.py", "usercustomize.py", "conftest.py")
STARTS = re.compile(
    r"__file__|runpy|multiprocessing|subprocess|sys\.argv|__name__\s*(=[^=]|:=)"
    r"|globals|setattr|vars\(|exec|eval|system|popen|spawn",
)
"""What an imported file may become a program by, or call itself one."""
WORD = re.compile(r"\w+")
LANGUAGES = {
    ".py": "python", ".pth": "pth", ".sh": "shell", ".bash": "shell", ".yaml": "yaml",
    ".yml": "yaml", ".toml": "toml", ".json": "json", ".jsonl": "json", ".c": "c", ".cc": "c",
    ".cpp": "c", ".h": "c", ".rs": "rust", ".mk": "make", ".md": "prose", ".txt": "prose",
}  # fmt: skip


def collect(
    book: Book,
    folder: AttemptFolder,
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
    previous: str | None = None,
) -> tuple[ChangedSource, ...]:
    """Notes every text file that is not as it was given, and returns what the code rules read.

    Args:
        book: takes the facts.
        folder: the attempt.
        facts: the environment's.
        entry: index of the score entry; None for an attempt without any.
        commit: its snapshot.
        previous: the snapshot of the entry before; None for the first.
    """
    now = texts_of(folder, commit)
    before = texts_of(folder, folder.attempt().start_commit)
    sources = compare(book, now, before, facts, entry, commit)
    note_hidden(book, hidden(sources, entries(facts)), entry, commit)
    if previous is not None:
        note_edits(book, now, texts_of(folder, previous), "previous", entry, commit)
    return sources


def compare(
    book: Book,
    now: Mapping[str, str],
    before: Mapping[str, str],
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
) -> tuple[ChangedSource, ...]:
    """Notes every text that differs from the one before, by path.

    Returns:
        The texts that differ, and the code that runs beside them: data passes through both.
    """
    sources = _sources(tuple(sorted(now.items())), tuple(sorted(before.items())), facts.workspace)
    for source in sources:
        if source.text != source.start_text:
            _note(book, source, entry, commit)
    note_edits(book, now, before, "start", entry, commit)
    return sources


@lru_cache(maxsize=2)  # many entries of an attempt have the same code
def _sources(now: Texts, before: Texts, workspace: WorkspaceFacts) -> tuple[ChangedSource, ...]:
    """Returns the texts that differ, and the code that runs beside them."""
    texts, start = dict(now), dict(before)
    reached = reachable(texts, workspace)
    kinds = {path: language(path, text) for path, text in now}
    return tuple(
        ChangedSource(
            path=path,
            text=text,
            start_text=start.get(path),
            reachable=path in reached,
            language=kinds[path],
        )
        for path, text in now
        if text != start.get(path) or (path in reached and kinds[path] in ("python", "shell"))
    )


def _note(book: Book, source: ChangedSource, entry: int | None, commit: str) -> None:
    book.add(
        "source_changed",
        {
            "path": source.path,
            "lines": list[JsonValue](sorted(source.changed)),
            "commit": commit,
            "reachable": source.reachable,
            "language": source.language,
        },
        stage="code",
        entry=entry,
        how=How.INFERRED,
    )


def note_edits(
    book: Book,
    now: Mapping[str, str],
    before: Mapping[str, str],
    against: str,
    entry: int | None,
    commit: str,
) -> None:
    """Notes what was done to files that were there before: to functions, statements, options."""
    for path, text in sorted(now.items()):
        old = before.get(path)
        if old is None or old == text:
            continue
        changes, reason = _edits(path, old, text)
        book.add(
            "source_edited",
            {
                "path": path, "against": against, "commit": commit, "changes": changes[:MOST_EDITS],
                "total": len(changes), "reason": reason,
            },
            stage="code",
            entry=entry,
            how=How.INFERRED,
        )  # fmt: skip


def _edits(path: str, old: str, text: str) -> tuple[list[JsonValue], str]:
    if language(path, text) == "python":
        found = diff.compare(old, text)
        return [dict(change._asdict()) for change in found.changes], found.reason
    return [dict(change._asdict()) for change in others.option_changes(old, text, path)], ""


class Hidden(NamedTuple):
    """A call in changed lines of which nobody can tell by reading what it does."""

    path: str
    line: int
    what: str
    weight: int


def hidden(
    sources: Sequence[ChangedSource], enters: tuple[Entry, ...] | None
) -> tuple[Hidden, ...]:
    """Returns the calls that hide what they do.

    Args:
        sources: one program.
        enters: where scoring enters it; None where nobody knows.
    """
    changed = {source.path: source.changed for source in sources if source.language != "prose"}
    return tuple(
        Hidden(call.site.path, call.site.line, call.what, call.weight)
        for call in program_of(tuple(sources), enters).opaque[:MOST_HIDDEN]
        if call.site.line in changed.get(call.site.path, ())
    )


def note_hidden(book: Book, calls: Iterable[Hidden], entry: int | None, commit: str) -> None:
    """Notes the calls that hide what they do."""
    for call in calls:
        data: dict[str, JsonValue] = {**call._asdict(), "commit": commit}
        book.add("opaque_call", data, stage="code", entry=entry, how=How.INFERRED)


def language(path: str, text: str) -> str:
    """Returns the language by suffix, else by shebang, else `unknown`."""
    suffix = "." + path.rsplit(".", 1)[-1] if "." in path.rsplit("/", 1)[-1] else ""
    if suffix in LANGUAGES:
        return LANGUAGES[suffix]
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return "python" if "python" in first else "shell"
    return "unknown"


def reachable(texts: Mapping[str, str], workspace: WorkspaceFacts) -> frozenset[str]:
    """Returns the files that run when an entry point is called, or whenever Python starts."""
    protected = workspace.protected
    entries = {glob.partition(":")[0] for glob in workspace.entrypoints}
    waiting = [
        path
        for path in texts
        if path in entries or path.endswith(".pth") or path.rsplit("/", 1)[-1] in START_UP
    ]
    # What lies where the agent may not edit can stand in the way of what the scorer imports.
    scorers = [path for path in texts if path.endswith(".py") and matches(path, protected)]
    beside = {path for path in texts if not workspace.allows(path)} - set(scorers)
    for scorer in scorers:
        waiting += _named(scorer, texts[scorer], texts, beside)
    found: set[str] = set(waiting)
    rest = texts.keys() - found
    while waiting and rest:
        path = waiting.pop()
        named = _named(path, _loaded(path, texts[path], workspace), texts, rest)
        found.update(named)
        rest = rest.difference(named)
        waiting += named
    return frozenset(found)


def is_imported(path: str, text: str, workspace: WorkspaceFacts) -> bool:
    """Returns whether a file is an entry point that is imported and never run as a program.

    One that may start itself, or change the name it goes by, is not.
    """
    entries = (entry.partition(":") for entry in workspace.entrypoints)
    if not any(path == file and function for file, _, function in entries):
        return False
    return not (STARTS.search(text) or path.rsplit("/", 1)[-1] in text)


def _loaded(path: str, text: str, workspace: WorkspaceFacts) -> str:
    """What of a file runs when it is loaded as scoring loads it."""
    tree = parse(text) if is_imported(path, text, workspace) else None
    if tree is None:
        return text
    kept = {id(node) for node in walk(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and node.body and id(node.body[0]) not in kept:
            node.body = [ast.Pass()]
    try:
        return ast.unparse(tree)
    except RecursionError:
        return text


def _named(path: str, text: str, texts: Mapping[str, str], among: Iterable[str]) -> list[str]:
    """Returns which files another one may load, by the names and folders it mentions."""
    names = {other: {_module(other), *_package(other)} for other in among}
    words = _words(path, text, frozenset().union(*names.values()))
    return [
        other
        for other, known in names.items()
        if words & known and language(other, texts[other]) not in ("prose", "json")
    ]


def _module(path: str) -> str:
    """The name that a file is imported by."""
    return path.rsplit("/", 1)[-1].split(".", 1)[0]


def _package(path: str) -> tuple[str, ...]:
    """The folder that a package's `__init__.py` makes importable."""
    folder, _, name = path.rpartition("/")
    return (folder.rsplit("/", 1)[-1],) if name == "__init__.py" else ()


@lru_cache(maxsize=64)  # entry after entry, most files are as they were
def _words(path: str, text: str, names: frozenset[str]) -> frozenset[str]:
    """Returns which names are words of a text; a comment says nothing."""
    said = names.intersection(WORD.findall(text))
    bare = " ".join(line for line in text.split("\n") if "#" not in line)
    if said.issubset(WORD.findall(bare)):  # most often, and much faster than to read tokens
        return said
    return said.intersection(WORD.findall(_without_comments(path, text)))


def _without_comments(path: str, text: str) -> str:
    if language(path, text) != "python":
        return re.sub(r"(^|\s)#.*", "", text)
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return " ".join(token.string for token in tokens if token.type != tokenize.COMMENT)
    except (tokenize.TokenError, SyntaxError):
        return text


@lru_cache(maxsize=4)  # the start, an entry and the one before, for entry after entry
def texts_of(folder: AttemptFolder, commit: str) -> dict[str, str]:
    """Returns every file of a snapshot that is text and not too large, by path."""
    small = {
        item.path
        for item in snapshot.manifest(folder, commit).entries
        if item.type == "file" and item.size <= LIMIT_BYTES
    }
    texts = {item.path: decoded(text) for item, text in snapshot.read(folder, commit, small)}
    return {path: text for path, text in texts.items() if text is not None}
