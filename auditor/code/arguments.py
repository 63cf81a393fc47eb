"""What programs are given from outside: words after their name, and variables."""

import ast
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from auditor.code import others
from auditor.code.shell import Verb
from auditor.code.source import ChangedSource

RUNS = 8
"""Runs of one file that are told apart, and values of one variable."""
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.S)
_EXPORTS = frozenset({"export", "declare", "env"})


class Given(NamedTuple):
    """What shell texts give to the files that they run."""

    words: Mapping[str, tuple[tuple[str, ...], ...]]
    """By the path of the file, once for each run of it; each begins with the file's own name."""
    variables: Mapping[str, tuple[str, ...]]
    """By name, whoever is run with them."""


UNGIVEN = Given({}, {})


def given(sources: Iterable[ChangedSource]) -> Given:
    """Returns what the shell texts among some sources give to others of them."""
    sources = tuple(sources)
    paths = {source.path for source in sources}
    words: dict[str, list[tuple[str, ...]]] = {}
    variables: dict[str, list[str]] = {}
    for source in sources:
        for doing in others.doings(source.path, source.text) if source.reachable else ():
            for deed in doing.deeds:
                if deed.verb is Verb.RUN and (found := named(deed.path, source.path, paths)):
                    words.setdefault(found, []).append((deed.path, *deed.given))
            for command in doing.commands:
                for name, value in _set(command.words):
                    variables.setdefault(name, []).append(value)
    return Given(
        {path: tuple(dict.fromkeys(runs))[:RUNS] for path, runs in words.items()},
        {name: tuple(dict.fromkeys(values))[:RUNS] for name, values in variables.items()},
    )


def named(path: str, by: str, among: Collection[str]) -> str | None:
    """Returns the file that a path in another file means: beside it, or from the root."""
    folder = posixpath.dirname(by)
    for whole in (posixpath.join(folder, path), path):
        if (found := posixpath.normpath(whole)) in among:
            return found
    return None


def _set(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the variables that a command sets for programs."""
    for word in words:
        if match := _ASSIGNED.fullmatch(word):
            if "$" not in match[2]:
                yield match[1], match[2]
        elif word not in _EXPORTS and not word.startswith("-"):
            return


class Option(NamedTuple):
    """An argument that a program of `argparse` takes."""

    name: str
    """By which the program reads it."""
    flags: tuple[str, ...]
    """None for one that goes by its place."""
    default: ast.expr | None
    takes: bool
    """A flag of it is followed by a value."""


def option(call: ast.Call) -> Option | None:
    """Returns what a call of `add_argument` adds."""
    texts = [
        item.value
        for item in call.args
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    ]
    if not texts:
        return None
    said = {item.arg: item.value for item in call.keywords}
    flags = tuple(text for text in texts if text.startswith("-"))
    long = next((text for text in texts if text.startswith("--")), texts[0])
    name = long.lstrip("-").replace("-", "_")
    match said.get("dest"):
        case ast.Constant(value=str() as name):
            pass
    takes = True
    match said.get("action"):
        case ast.Constant(value=str() as action):
            takes = action in ("append", "extend", "store")
    return Option(name, flags, said.get("default"), takes)


def taken(options: Sequence[Option], name: str, words: Sequence[str]) -> Iterator[str]:
    """Yields what an option is among the words that a program is given."""
    own = [item for item in options if item.name == name]
    flags = {flag for item in own for flag in item.flags}
    known = {flag for item in options for flag in item.flags if item.takes}
    free: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in flags:
            yield value if equals else next(rest, "")
        elif flag in known and not equals:
            next(rest, None)
        elif not word.startswith("-"):
            free.append(word)
    places = [item.name for item in options if not item.flags]
    if name in places and places.index(name) < len(free):
        yield free[places.index(name)]
