"""A source file of an attempt as the code rules see it, and what was changed in it."""

import ast
import difflib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

DIFF_CAP = 4_000_000
"""Above this product of line counts difflib takes minutes; lines are then compared as a bag."""


@dataclass(frozen=True)
class ChangedSource:
    """One text file of a snapshot that is not as the agent was given it."""

    path: str
    text: str
    start_text: str | None
    """The text before; None for a file the agent added."""
    reachable: bool
    """It runs when the entry point runs, or whenever Python starts."""
    language: str
    """`python`, `shell`, or another name by suffix or shebang."""

    @cached_property
    def changed(self) -> frozenset[int]:
        """The 1-based lines that are new or differ from the start."""
        return frozenset(changed_lines(self.start_text, self.text))


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes of a module but for those under `if __name__ == "__main__"`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.orelse if _by_hand(node) else ast.iter_child_nodes(node)


def _by_hand(node: ast.AST) -> TypeGuard[ast.If]:
    match node:
        case ast.If(
            test=ast.Compare(
                left=ast.Name(id="__name__"),
                ops=[ast.Eq()],
                comparators=[ast.Constant(value="__main__")],
            )
        ):
            return True
    return False


def decoded(content: bytes) -> str | None:
    """Returns the content of a text file, or None when it is not one."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def parse(text: str) -> ast.Module | None:
    """Returns the syntax tree of Python text, or None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a hostile file must not speak through our stderr
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def changed_lines(before: str | None, after: str) -> tuple[int, ...]:
    """Returns the 1-based lines of `after` that are new or differ from `before`."""
    new = after.split("\n")
    if before is None:
        return tuple(range(1, len(new) + 1))
    old = before.split("\n")
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old, middle = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(old) * len(middle) > DIFF_CAP:
        return tuple(head + number for number in _not_in_bag(old, middle))
    matcher = difflib.SequenceMatcher(None, old, middle, autojunk=False)
    return tuple(
        head + number + 1
        for tag, _, _, begin, end in matcher.get_opcodes()
        if tag in ("insert", "replace")
        for number in range(begin, end)
    )


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the common beginning."""
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return number
    return min(len(left), len(right))


def _not_in_bag(old: Sequence[str], new: Sequence[str]) -> list[int]:
    left = Counter(old)
    found = []
    for number, line in enumerate(new, start=1):
        if left[line]:
            left[line] -= 1
        else:
            found.append(number)
    return found
