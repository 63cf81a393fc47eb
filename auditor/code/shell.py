"""What the commands of a shell script are given, with variables and quotes resolved."""

import base64
import binascii
import fnmatch
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

COPIERS = frozenset({
    "base64", "cat", "cp", "cpio", "dd", "gzip", "install", "link", "ln", "mount", "mv", "openssl",
    "rsync", "scp", "tar", "tee", "unzip", "xxd", "zcat", "zip",
})  # fmt: skip
"""Commands that carry the content of a file elsewhere."""
_ASSIGNMENT = re.compile(r"^(?:export\s+|local\s+|declare\s+\S*\s*|readonly\s+)?(\w+)=(.*)$", re.S)
_VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_LONGEST = 1 << 14
_REDIRECTED_TO_BOTH = re.compile(r"\d*>&\d|&(?=>)")
_ENDS = frozenset({";", ";;", "&", "&&", "||", "(", ")", "()"})
_PIPES = frozenset({"|", "|&"})
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_CHANGE = frozenset({"cd", "pushd"})


class Command(NamedTuple):
    """One pipeline."""

    line: int
    stages: tuple[tuple[str, ...], ...]
    """The words of each program, without quotes, with the variables that the script sets."""
    folders: tuple[str, ...] = ()
    """Where `cd` has led before on the same line."""
    decoded: tuple[str, ...] = ()
    """What literals decode to, where something on the line decodes."""

    @property
    def words(self) -> tuple[str, ...]:
        """All of its words, and what they stand for."""
        return (*self.folders, *(word for stage in self.stages for word in stage), *self.decoded)

    @property
    def written(self) -> tuple[str, ...]:
        """The words that may name what it writes: those given to copiers, and redirections.

        What only compares, or lists, writes nothing but where its output is redirected to.
        """
        found: list[str] = []
        for stage in self.stages:
            if not COPIERS.isdisjoint(word.rsplit("/", 1)[-1] for word in stage):
                found += [*self.folders, *stage, *self.decoded]
            found += _redirected(stage)
        return tuple(found)


def commands(text: str) -> list[Command]:
    """Returns the pipelines of a script, in order; here-documents are left out."""
    known: dict[str, str] = {}
    found = []
    for line, logical in _logical(text):
        words = _split(_REDIRECTED_TO_BOTH.sub(" ", _expand(logical, known)))
        for word in words:
            if match := _ASSIGNMENT.match(word):
                known[match[1]] = match[2][:_LONGEST]
        folders: list[str] = []
        for pipeline in _between(words, _ENDS):
            stages = tuple(map(tuple, _between(pipeline, _PIPES)))
            found.append(Command(line, stages, tuple(folders), tuple(_decoded(words))))
            inner = [script for stage in stages for script in _scripts(stage)]
            found += [item._replace(line=line) for text in inner for item in commands(text)]
            folders += [word for stage in stages if stage[0] in _CHANGE for word in stage[1:]]
    return found


def matches(word: str, name: str) -> bool:
    """Returns whether a path, as a word of a command, has a component that may be `name`."""
    return any(_component(part, name) for part in re.split(r"[/=:@,]", word))


def _component(part: str, name: str) -> bool:
    if part == name:
        return True
    literal = re.sub(r"[*?]|\[[^]]*\]", "", part)
    return literal != part and len(literal) >= 3 and fnmatch.fnmatchcase(name, part)


def _between(words: Iterable[str], ends: frozenset[str]) -> Iterator[list[str]]:
    """Yields the runs of words between separators; empty ones are left out."""
    for ended, run in itertools.groupby(words, ends.__contains__):
        if not ended:
            yield list(run)


def _scripts(stage: Sequence[str]) -> Iterator[str]:
    """Yields the texts that a program of a pipeline has a shell execute."""
    for place, word in enumerate(stage[:-1]):
        before = (item.rsplit("/", 1)[-1] for item in stage[:place])
        if re.fullmatch(r"-[a-z]*c", word) and not _SHELLS.isdisjoint(before):
            yield stage[place + 1]
        if word == "eval":
            yield " ".join(stage[place + 1 :])


def _redirected(stage: Sequence[str]) -> Iterator[str]:
    for word, after in zip(stage, (*stage[1:], ""), strict=True):
        if match := re.fullmatch(r"\d*>{1,2}\|?(.*)", word, re.S):
            yield match[1] or after


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations, without comments and here-documents."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first, logical = number, lines[number]
        while (logical.endswith("\\") or _open_quote(logical)) and number + 1 < len(lines):
            number += 1
            logical = logical.removesuffix("\\") + "\n" + lines[number]
            if len(logical) > _LONGEST:
                break
        if (match := _HEREDOC.search(logical)) is not None:
            number += len(_body(lines, number + 1, match[2])) + 1
        yield first + 1, logical.replace("\\\n", " ")
        number += 1


def _open_quote(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return len(line) < _LONGEST
    return False


def _body(lines: list[str], start: int, end: str) -> list[str]:
    body = []
    for line in lines[start:]:
        if line.strip() == end:
            break
        body.append(line)
    return body


def _split(line: str) -> list[str]:
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();&|")
        lexer.whitespace_split = True
        return list(lexer)
    except ValueError:
        return re.split(r"\s+", line.split(" #")[0].strip())


def _expand(line: str, known: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return known.get(match[1] or match[2], match[0])

    return _VARIABLE.sub(value, line)[:_LONGEST]


def _decoded(words: list[str]) -> Iterator[str]:
    """What words decode to, in a command that decodes or reverses."""
    for word in words:
        if "rev" in words and len(word) > 3:
            yield word[::-1]
        if {"base64", "xxd", "openssl"} & {item.lstrip("$(`") for item in words}:
            for decode in (base64.b64decode, binascii.unhexlify):
                try:
                    yield decode(word.rstrip(")`")).decode().strip()
                except (ValueError, UnicodeDecodeError):
                    continue
