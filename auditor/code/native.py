"""Native code: in files of its own, and in the texts of programs that compile it."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from auditor.code.program import Program
from auditor.code.source import ChangedSource

OTHERS = frozenset({"python", "prose"})
"""What is read otherwise, or not at all."""
STATEMENTS = re.compile(r"\{[^{}]*;")
"""What every native function has, and hardly a text that is none."""


class Native(NamedTuple):
    """A piece of native code."""

    path: str
    line: int
    """Of its beginning."""
    text: str

    def found(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
        """Yields where a pattern occurs: the line of the file, and the match."""
        for match in pattern.finditer(self.text):
            yield self.line + self.text.count("\n", 0, match.start()), match


def pieces(sources: Iterable[ChangedSource], program: Program) -> Iterator[Native]:
    """Yields all files that may be native code or say how it is linked, and texts that run."""
    for source in sources:
        if source.language not in OTHERS:
            yield Native(source.path, 1, source.text)
    for index in program.modules:
        for node in index.constants if program.runs(index.root) else ():
            if isinstance(node.value, str):
                yield Native(index.path, index.line(node), node.value)


def functions(sources: Iterable[ChangedSource], program: Program) -> Iterator[Native]:
    """Yields the pieces that hold functions."""
    return (piece for piece in pieces(sources, program) if STATEMENTS.search(piece.text))
