"""Which source lines an attempt added or changed, and which files run when it is scored.

This is the simple form: lines by difflib, reachability by names that one file mentions of
another. Both err towards saying less: what is not reached is lowered by the rules, and what is
decided by running the solution does not depend on it.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from auditor.code.source import ChangedSource, decoded, parse, walk
from auditor.evidence.book import Book
from auditor.models import How
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import EnvironmentFacts, matches

LIMIT_BYTES = 1 << 20
"""A text file above this is data: no rule parses it, and it is noted as such."""
START_UP = ("sitecustomize.py", "usercustomize.py", "conftest.py")
STARTS = re.compile(
    r"__file__|runpy|multiprocessing|subprocess|sys\.argv|__name__\s*(=[^=]|:=)"
    r"|globals|setattr|vars\(|exec|eval|system|popen|spawn",
)
"""What an imported file may become a program by, or call itself one."""
LANGUAGES = {
    ".py": "python", ".pth": "python", ".sh": "shell", ".bash": "shell", ".yaml": "yaml",
    ".yml": "yaml", ".toml": "toml", ".json": "json", ".jsonl": "json", ".c": "c", ".cc": "c",
    ".cpp": "c", ".h": "c", ".rs": "rust", ".mk": "make", ".md": "prose", ".txt": "prose",
}  # fmt: skip


def collect(
    book: Book, folder: AttemptFolder, facts: EnvironmentFacts, entry: int, commit: str
) -> tuple[ChangedSource, ...]:
    """Notes every text file that is not as it was given, and returns them for the code rules."""
    now = texts_of(folder, commit)
    before = texts_of(folder, folder.attempt().start_commit)
    return compare(book, now, before, facts, entry, commit)


def compare(
    book: Book,
    now: Mapping[str, str],
    before: Mapping[str, str],
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
) -> tuple[ChangedSource, ...]:
    """Notes every text that differs from the one before, by path, and returns them."""
    reached = reachable(now, facts)
    sources = []
    for path, text in sorted(now.items()):
        if text == before.get(path):
            continue
        source = ChangedSource(
            path=path,
            text=text,
            start_text=before.get(path),
            reachable=path in reached,
            language=language(path, text),
            imported=is_imported(path, text, facts),
        )
        sources.append(source)
        book.add(
            "source_changed",
            {
                "path": path,
                "lines": list[JsonValue](sorted(source.changed)),
                "commit": commit,
                "reachable": source.reachable,
                "language": source.language,
            },
            stage="code",
            entry=entry,
            how=How.INFERRED,
        )
    return tuple(sources)


def language(path: str, text: str) -> str:
    """Returns the language by suffix, else by shebang, else `unknown`."""
    suffix = "." + path.rsplit(".", 1)[-1] if "." in path.rsplit("/", 1)[-1] else ""
    if suffix in LANGUAGES:
        return LANGUAGES[suffix]
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return "python" if "python" in first else "shell"
    return "unknown"


def reachable(texts: Mapping[str, str], facts: EnvironmentFacts) -> frozenset[str]:
    """Returns the files that run when an entry point is called, or whenever Python starts."""
    protected = facts.workspace.protected
    entries = {glob.partition(":")[0] for glob in facts.workspace.entrypoints}
    waiting = [
        path
        for path in texts
        if path in entries or path.endswith(".pth") or path.rsplit("/", 1)[-1] in START_UP
    ]
    # What lies where the agent may not edit can stand in the way of what the scorer imports.
    scorers = [path for path in texts if path.endswith(".py") and matches(path, protected)]
    beside = {path for path in texts if not facts.workspace.allows(path)} - set(scorers)
    for scorer in scorers:
        waiting += _named(scorer, texts, beside)
    found: set[str] = set(waiting)
    loaded = {path: _loaded(path, text, facts) for path, text in texts.items()}
    while waiting:
        named = _named(waiting.pop(), loaded, texts.keys() - found)
        found.update(named)
        waiting += named
    return frozenset(found)


def is_imported(path: str, text: str, facts: EnvironmentFacts) -> bool:
    """Returns whether a file is an entry point that is imported and never run as a program.

    One that may start itself, or change the name it goes by, is not.
    """
    entries = (entry.partition(":") for entry in facts.workspace.entrypoints)
    if not any(path == file and function for file, _, function in entries):
        return False
    return not (STARTS.search(text) or path.rsplit("/", 1)[-1] in text)


def _loaded(path: str, text: str, facts: EnvironmentFacts) -> str:
    """What of a file runs when it is loaded as scoring loads it."""
    tree = parse(text) if is_imported(path, text, facts) else None
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


def _named(path: str, texts: Mapping[str, str], among: Iterable[str]) -> list[str]:
    """Returns which files another one may load, by the names and folders it mentions."""
    words = set(re.findall(r"\w+", _without_comments(path, texts)))
    return [
        other
        for other in among
        if words & {other.rsplit("/", 1)[-1].split(".", 1)[0], *_package(other)}
        and language(other, texts[other]) not in ("prose", "json")
    ]


def _package(path: str) -> tuple[str, ...]:
    """The folder that a package's `__init__.py` makes importable."""
    folder, _, name = path.rpartition("/")
    return (folder.rsplit("/", 1)[-1],) if name == "__init__.py" else ()


def _without_comments(path: str, texts: Mapping[str, str]) -> str:
    text = texts[path]
    if language(path, text) != "python":
        return re.sub(r"(^|\s)#.*", "", text)
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return " ".join(token.string for token in tokens if token.type != tokenize.COMMENT)
    except (tokenize.TokenError, SyntaxError):
        return text


def texts_of(folder: AttemptFolder, commit: str) -> dict[str, str]:
    """Returns every file of a snapshot that is text and not too large, by path."""
    small = {
        item.path
        for item in snapshot.manifest(folder, commit).entries
        if item.type == "file" and item.size <= LIMIT_BYTES
    }
    texts = {item.path: decoded(text) for item, text in snapshot.read(folder, commit, small)}
    return {path: text for path, text in texts.items() if text is not None}
