"""Which files of a workspace run when it is scored: those that others import, run or load.

A file is told by what another one does, not by the words in it: by its imports, by the texts that
name it as a module or a path, and by the commands that are given it. Names that are put together
at run time are followed by the program that is made of what is found here.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from auditor.code import others
from auditor.code.commands import INTERPRETERS, LOOKERS, MODERS, QUIET, REMOVERS
from auditor.code.program import parsed
from auditor.code.shell import Command, Verb
from auditor.code.source import parse, walk
from harness.models import WorkspaceFacts, matches

START_UP = ("sitecustomize.py", "usercustomize.py")
PACKAGE, PROGRAM = "__init__.py", "__main__.py"
REMAKES = "solution/reproduce.sh"
"""Makes what is scored anew, where an environment asks for it."""
TESTS = "conftest.py"
"""Runs when pytest does."""
STARTS = re.compile(
    r"__file__|runpy|multiprocessing|subprocess|sys\.argv|__name__\s*(=[^=]|:=)"
    r"|globals|setattr|vars\(|exec|eval|system|popen|spawn",
)
"""What an imported file may become a program by, or call itself one."""
MODULE = re.compile(r"-[A-Za-z]*m([\w.]*)")
"""An option of Python's by which a module is run, with its name or before it."""
SHELLS = frozenset({"ash", "bash", "dash", "sh", "zsh", *INTERPRETERS})
MAKES = frozenset({"gmake", "make"})
MAKEFILES = ("GNUmakefile", "Makefile", "makefile")
LANGUAGES = {
    ".py": "python", ".pth": "pth", ".sh": "shell", ".bash": "shell", ".yaml": "yaml",
    ".yml": "yaml", ".toml": "toml", ".json": "json", ".jsonl": "json", ".c": "c", ".cc": "c",
    ".cpp": "c", ".h": "c", ".rs": "rust", ".mk": "make", ".md": "prose", ".txt": "prose",
}  # fmt: skip
_DOTTED = re.compile(r"\.*[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*(:\w+)?")
_CODE = re.compile(r"(?:^|\s)(?:import|from|-m)\s+([\w.]+)")
_SPACES = re.compile(r"[\s'\"=:,;()&|<>]+")
_WORD = re.compile(r"\w+")
_NUMBERED = re.compile(r"\\(?:x(?:[2-6]|7[\daA])|u00[2-7]|U000000[2-7]|N\{|(?:0[67]|1)[0-7])")
"""Letters that are written as numbers."""
_JOINT = re.compile(
    r"""["'](?<=\w["'])(?:[\s\\]++|#[^\n]{0,99}+\n){0,8}+[bfruBFRU]{0,2}["'](?=\w)"""
)
"""Between two pieces of one text."""
_LONGEST = 10_000
"""Longer texts in code are data."""


@dataclass
class Named:
    """What a file may load."""

    modules: set[str] = field(default_factory=set)
    """Parts of the names of modules, and names of files without their endings."""
    files: set[str] = field(default_factory=set)
    """Names of files, without their folders."""
    patterns: set[str] = field(default_factory=set)
    """What a shell puts names of files in place of."""

    def means(self, path: str) -> bool:
        """Returns whether a file may be among them."""
        folder, _, name = path.rpartition("/")
        if name == PROGRAM and folder.rpartition("/")[2] in self.files:
            return True
        if any(fnmatchcase(name, pattern) for pattern in self.patterns):
            return True
        return name in self.files or _module(path) in self.modules


def reachable(texts: Mapping[str, str], workspace: WorkspaceFacts) -> frozenset[str]:
    """Returns the files that run when an entry point is called, or whenever Python starts."""
    entries = {glob.partition(":")[0] for glob in workspace.entrypoints} | {REMAKES}
    waiting = [
        path
        for path in texts
        if path in entries or path.endswith(".pth") or path.rpartition("/")[2] in START_UP
    ]
    # What lies where the agent may not edit can stand in the way of what the scorer imports.
    scorers = [
        path for path in texts if path.endswith(".py") and matches(path, workspace.protected)
    ]
    beside = {path for path in texts if not workspace.allows(path)} - set(scorers)
    tests = not workspace.entrypoints
    for scorer in scorers:
        named = _named(scorer, texts[scorer], workspace)
        tests |= "pytest" in named.modules
        waiting += [path for path in beside if named.means(path) and _may_run(path, texts[path])]
    found = set(waiting)
    left = {path for path in texts if _may_run(path, texts[path])} - found
    sought = _Sought(left)
    while waiting and left:
        path = waiting.pop()
        form = language(path, texts[path])
        if form == "prose" or (form == "python" and not sought.may_be_in(texts[path])):
            continue  # most files of a large tree name none of the few that are left
        named = _named(path, texts[path], workspace)
        tests |= "pytest" in named.modules
        fresh = {
            path
            for path in left
            if named.means(path) or (tests and path.rpartition("/")[2] == TESTS)
        }
        waiting += fresh
        found |= fresh
        left -= fresh
    return frozenset(found)


def is_imported(path: str, text: str, workspace: WorkspaceFacts) -> bool:
    """Returns whether a file is an entry point that is imported and never run as a program.

    One that may start itself, or change the name it goes by, is not.
    """
    entries = (entry.partition(":") for entry in workspace.entrypoints)
    if not any(path == file and function for file, _, function in entries):
        return False
    return not (STARTS.search(text) or path.rpartition("/")[2] in text)


def language(path: str, text: str) -> str:
    """Returns the language by suffix, else by shebang, else `unknown`."""
    suffix = "." + path.rsplit(".", 1)[-1] if "." in path.rsplit("/", 1)[-1] else ""
    if suffix in LANGUAGES:
        return LANGUAGES[suffix]
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return "python" if "python" in first else "shell"
    return "unknown"


class _Sought:
    """The words of which Python text must have some to name one of certain files."""

    def __init__(self, paths: Iterable[str]) -> None:
        words = {word for path in paths for word in (_module(path), _stem(path))}
        words |= {"pytest"} if _stem(TESTS) in words else set()
        words |= MAKES if not words.isdisjoint(MAKEFILES) else set()
        words -= {_stem(PACKAGE), _stem(PROGRAM)}
        self._words = [frozenset(_WORD.findall(word)) for word in words]

    def may_be_in(self, text: str) -> bool:
        """Returns whether a text has the words, or may spell them as nobody reads here."""
        if not text.isascii() or _NUMBERED.search(text):
            return True
        words = set(_WORD.findall(text))
        if (joined := _JOINT.sub("", text)) != text:
            words.update(_WORD.findall(joined))
        return any(sought <= words for sought in self._words)


def _module(path: str) -> str:
    """Returns the last part of the name by which a file is imported, or run as a program."""
    folder, _, name = path.rpartition("/")
    return folder.rpartition("/")[2] if folder and name in (PACKAGE, PROGRAM) else _stem(path)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _may_run(path: str, text: str) -> bool:
    """Whether a file is of a form that can be run, whoever names it."""
    return language(path, text) not in ("prose", "json")


def _named(path: str, text: str, workspace: WorkspaceFacts) -> Named:
    """Returns what a file may load when it is loaded as scoring loads it."""
    return _loads(path, text, is_imported(path, text, workspace))


@lru_cache(maxsize=256)  # entry after entry, most files are as they were
def _loads(path: str, text: str, imported: bool) -> Named:
    """Returns what a file may load; without what it does as a program where it is imported."""
    found = Named()
    if language(path, text) == "python":
        tree = parsed(path, text)
        if tree is not None:
            _of_python(walk(tree) if imported else ast.walk(tree), found)
            return found
    doings = others.doings(path, text)
    pieces = others.pythons(path, text)
    for doing in doings:
        for deed in doing.deeds:
            if deed.verb is Verb.RUN:
                found.files.add(deed.path.rpartition("/")[2])
        for command in doing.commands:
            _of_command(command, found)
        fed = {command.line for command in doing.commands if _is_fed(command)}
        given = (deed.path for deed in doing.deeds if deed.verb is Verb.READ and deed.line in fed)
        found.files.update(path.rpartition("/")[2] for path in given)
    for piece in pieces:
        if (tree := parse(piece.text)) is not None:
            _of_python(ast.walk(tree), found)
    if not doings and not pieces:  # of a form that nobody reads here
        found.modules.update(re.findall(r"\w+", re.sub(r"(?m)(^|\s)#.*", "", text)))
    return found


def _of_command(command: Command, found: Named) -> None:
    words = command.words
    program = next((word for word in words if "=" not in word), "").rpartition("/")[2]
    if program in QUIET | LOOKERS | REMOVERS | MODERS:
        return
    if program in MAKES:
        found.modules.update(MAKEFILES)
    if program == "pytest":
        found.modules.add(program)
    for word, after in zip(words, (*words[1:], ""), strict=True):
        if module := MODULE.fullmatch(word):
            found.modules.update((module[1] or after).split("."))
        elif not word.startswith("-"):
            path = word.rstrip("/")
            name = path.partition("=")[2].rpartition("/")[2] or path.rpartition("/")[2]
            found.files.add(name)
            if re.search(r"[*?\[]", name) and re.search(r"\w", name):
                found.patterns.add(name)


def _is_fed(command: Command) -> bool:
    """Whether a command is an interpreter that gets its program by standard input."""
    program, *rest = [word.rpartition("/")[2] for word in command.words if "=" not in word] or [""]
    fed = all(word.startswith("-") and not MODULE.fullmatch(word) for word in rest)
    return fed and (program in SHELLS or re.match(r"python|pypy", program) is not None)


def _of_python(nodes: Iterable[ast.AST], found: Named) -> None:
    prose: set[int] = set()
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for item in names:
                    found.modules.update(item.name.split("."))
            case ast.ImportFrom(module=module, names=names):
                found.modules.update((module or "").split("."))
                found.modules.update(item.name for item in names)
            case ast.Expr(value=ast.Constant() as words):
                prose.add(id(words))
            case ast.Constant(value=str() as text) if len(text) < _LONGEST:
                if id(node) not in prose:
                    _of_text(text, found)
    found.modules.discard("")


def _of_text(text: str, found: Named) -> None:
    """Notes what a text in code names, if it is the name of a module, a path or a command."""
    if _DOTTED.fullmatch(text):
        found.modules.update(re.split(r"[.:]+", text))
    for name in _CODE.findall(text):
        found.modules.update(name.split("."))
    for part in _SPACES.split(text):
        name = part.rpartition("/")[2]
        if "." in name.strip("."):
            found.files.add(name)
        elif part in MAKES:
            found.modules.update(MAKEFILES)
