"""What of two sequences or texts is the same in the same order, in bounded time."""

import ast
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from auditor.code import outline
from auditor.code.outline import Unit

SMALL = 2_500
"""Product of lengths up to which a longest common sequence is sought; that takes a millisecond."""


class Text:
    """Whole statements at the level of a module, and where they are in it."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.lines = outline.lines_of(text)
        self.statements: Sequence[ast.stmt] = tree.body
        self.offset = 0

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def starts(self) -> set[int]:
        """The lines where a statement begins that none ends on."""
        found, end = set(), 0
        for node in self.statements:
            if (line := outline.first_line(node)) > end:
                found.add(line)
            end = node.end_lineno or line
        return found | {end + 1}

    def cut(self, head: int, tail: int) -> None:
        """Leaves out lines at both ends."""
        last = len(self.lines) - tail
        self.statements = [
            node for node in self.statements if head < outline.first_line(node) <= last
        ]
        self.lines = self.lines[head:last]
        self.offset = head

    def means(self, other: "Text") -> bool:
        """Returns whether both mean the same."""
        pairs = zip(self.statements, other.statements, strict=False)
        try:
            return len(self.statements) == len(other.statements) and all(
                ast.dump(one) == ast.dump(two) for one, two in pairs
            )
        except RecursionError:
            return False

    def effort(self) -> int | None:
        """Returns about how much libcst would have to do, or None where it must not try."""
        return outline.effort(self.statements, self.text)

    def by_nodes(self) -> Unit | None:
        """Returns the outline down to statements, or None where libcst cannot read it."""
        ends = [*self._ends(), len(self.lines)]
        pieces = ("\n".join(self.lines[begin:end]) for begin, end in pairwise([0, *ends]))
        return outline.by_nodes(pieces, self.offset)

    def _ends(self) -> Iterator[int]:
        """Yields how many lines lie above each line that one can cut before, but for the first.

        What is above a statement belongs to it.
        """
        for node, after in pairwise(self.statements):
            end = node.end_lineno or node.lineno
            line = self.lines[end - self.offset - 1]
            if outline.first_line(after) > end and not line.endswith("\\"):
                yield end - self.offset

    def by_functions(self) -> Unit:
        """Returns the outline down to functions and classes."""
        return outline.by_functions(self.text, self.statements, self.offset)


def differing(old: Text, new: Text) -> tuple[Text, Text]:
    """Leaves out the statements that both texts begin and end with, line by line."""
    starts = (old.starts(), new.starts())
    same = _common(old.lines, new.lines)
    head = max((line for line in starts[0] & starts[1] if line <= same + 1), default=1) - 1
    same = _common(old.lines[head:][::-1], new.lines[head:][::-1])
    from_end = [
        {len(text.lines) + 1 - line for line in lines}
        for text, lines in zip((old, new), starts, strict=True)
    ]
    tail = max((count for count in from_end[0] & from_end[1] if count <= same), default=0)
    old.cut(head, tail)
    new.cut(head, tail)
    return old, new


def _common(old: Sequence[Hashable], new: Sequence[Hashable]) -> int:
    """Length of the common beginning."""
    for number, (one, other) in enumerate(zip(old, new, strict=False)):
        if one != other:
            return number
    return min(len(old), len(new))


def in_turn(
    old: Iterable[tuple[int, Hashable]], new: Iterable[tuple[int, Hashable]]
) -> list[tuple[int, int]]:
    """Pairs the n-th of each key with the n-th of that key."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for number, key in old:
        waiting[key].append(number)
    return [(waiting[key].popleft(), number) for number, key in new if waiting[key]]


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Returns the places of what is the same in the same order; not quadratic.

    What occurs once on both sides comes first, as in a patience diff; of what lies between as
    much as possible is aligned where that is cheap, else the n-th occurrence of each.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    found = [(place, place) for place in range(head)]
    found += [(head + one, head + other) for one, other in _patience(*middle)]
    found += [(len(old) - back, len(new) - back) for back in range(tail, 0, -1)]
    return found


def _patience(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    counts = Counter(old), Counter(new)
    once = [
        [(i, key) for i, key in enumerate(keys) if counts[0][key] == 1 == counts[1][key]]
        for keys in (old, new)
    ]
    begin = (0, 0)
    for anchor in (*_rising(in_turn(*once)), (len(old), len(new))):
        for one, other in _between(old[begin[0] : anchor[0]], new[begin[1] : anchor[1]]):
            yield begin[0] + one, begin[1] + other
        if anchor[0] < len(old):
            yield anchor
        begin = anchor[0] + 1, anchor[1] + 1


def _between(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    if len(old) * len(new) > SMALL:
        return _rising(in_turn(enumerate(old), enumerate(new)))
    return _longest(old, new)


def _longest(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The longest common sequence."""
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        row, below = longest[i], longest[i + 1]
        for j in reversed(range(len(new))):
            row[j] = below[j + 1] + 1 if old[i] == new[j] else max(below[j], row[j + 1])
    found = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def _rising(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs that rises on both sides."""
    tops: list[int] = []
    chains: list[tuple[int, int]] = []
    back: dict[tuple[int, int], tuple[int, int] | None] = {}
    for pair in sorted(pairs, key=lambda item: item[1]):
        place = bisect_right(tops, pair[0])
        back[pair] = chains[place - 1] if place else None
        tops[place : place + 1] = [pair[0]]
        chains[place : place + 1] = [pair]
    found: list[tuple[int, int]] = []
    last = chains[-1] if chains else None
    while last is not None:
        found.append(last)
        last = back[last]
    return found[::-1]


def without(numbers: Iterable[int], gone: Iterable[int]) -> list[int]:
    """Returns the numbers but for those that are gone."""
    left = set(gone)
    return [number for number in numbers if number not in left]


class Finder:
    """Functions and classes by what they are, each found once."""

    def __init__(
        self,
        keys: Callable[[Unit], Iterator[Hashable]],
        units: Sequence[Unit],
        told: set[int],
    ) -> None:
        self._keys = keys
        self._units = units
        self._told = told

    @cached_property
    def _known(self) -> dict[Hashable, deque[Unit]]:
        known: defaultdict[Hashable, deque[Unit]] = defaultdict(deque)
        for unit in self._units:
            if id(unit) not in self._told:
                for key in self._keys(unit):
                    known[key].append(unit)
        return dict(known)

    def find(self, unit: Unit) -> Unit | None:
        """Returns the first that is the same and not told of yet."""
        for waiting in (self._known.get(key, deque()) for key in self._keys(unit)):
            while waiting:
                if id(found := waiting.popleft()) not in self._told:
                    return found
        return None
