"""What was done to the code of a Python file, as functions, classes and statements.

Every text is hostile: what is too large, too deep or no Python is compared as far as that can be
done in bounded time, and the reason is said. Nothing is raised.
"""

import hashlib
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby
from threading import Lock
from typing import NamedTuple

from auditor.code import outline, respelling
from auditor.code.alignment import Finder, Text, align, differing, in_turn, without
from auditor.code.outline import Entry, Unit
from auditor.code.source import parse

LARGEST = 250_000
"""Characters above which nothing is compared; parsing and comparing that takes 3 s at worst."""
LARGEST_READ = 40_000
"""Effort, as of `outline.effort`, above which libcst is not asked: that takes 3 s at worst."""
LARGEST_SPELLED = 150_000
"""Characters of functions that are compared without their names; of nested ones, all count."""
MOST = 5_000
"""Changes told of one pair of texts."""
REMEMBERED = 512
"""Pairs whose changes are kept; snapshots of one attempt repeat few."""


class Kind(StrEnum):
    """What was done."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    """The same code, elsewhere."""
    RENAMED = "renamed"
    """The same code under another name, wherever it is now."""
    REFORMATTED = "reformatted"
    """The same code, with other spaces, comments or quotes."""
    RESPELLED = "respelled"
    """The same function, with other names of its own variables or parameters."""


class Change(NamedTuple):
    """One thing that was done to one part of a file."""

    kind: Kind
    what: str
    """`function`, `class`, `statement`, or `module` for the whole file."""
    name: str
    """Qualified name; of a statement, that of the function or class it is in."""
    line: int
    """1-based, in the text after; 0 for what was removed."""
    end_line: int
    old_line: int = 0
    """1-based, in the text before; 0 for what was added."""
    old_name: str = ""
    """Of what was renamed or moved to another parent."""


class Diff(NamedTuple):
    """What was done to a file, and what could not be told."""

    changes: tuple[Change, ...]
    reason: str = ""
    """Why the comparison is coarse or missing; empty where it is complete."""


_known: OrderedDict[tuple[bytes, bytes], Diff] = OrderedDict()
_lock = Lock()


def changes(before: str | None, after: str | None) -> tuple[Change, ...]:
    """Returns what was done to a Python file; None stands for no file."""
    return compare(before, after).changes


def compare(before: str | None, after: str | None) -> Diff:
    """Returns what was done to a Python file, and why that is not all, if it is not.

    A pair of texts that was compared lately is not compared again.
    """
    if before == after:
        return Diff(())
    if max(len(before or ""), len(after or "")) > LARGEST:
        return Diff((), "too large to compare")
    key = (_hash(before), _hash(after))
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    found = _compare(before, after)
    with _lock:
        _known[key] = found
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return found


def _hash(text: str | None) -> bytes:
    if text is None:
        return b""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _compare(before: str | None, after: str | None) -> Diff:
    if before is None or after is None:
        kind = Kind.ADDED if before is None else Kind.REMOVED
        return Diff((_whole(kind, before, after),))
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return _newer_syntax(before, after)
    one, other = differing(Text(before, old), Text(after, new))
    if one.means(other):
        return Diff((_whole(Kind.REFORMATTED, before, after),))
    reason = ""
    efforts = [found for text in (one, other) if (found := text.effort()) is not None]
    if len(efforts) < 2:
        reason = "nested too deeply: statements are not compared"
    elif sum(efforts) > LARGEST_READ:
        reason = "too much differs: statements are not compared"
    left = None if reason else one.by_nodes()
    right = left and other.by_nodes()
    if left is None or right is None:
        left, right = one.by_functions(), other.by_functions()
        reason = reason or "libcst cannot read it: statements are not compared"
    return _bounded(_Matching(left, right), reason)


def _newer_syntax(before: str, after: str) -> Diff:
    """Compares texts of which this Python cannot parse one; libcst may know their syntax."""
    if not all(outline.is_calm(text) for text in (before, after)):
        return Diff((), "Python cannot parse it, and it is too large or deep for libcst")
    left = outline.by_nodes([before])
    right = left and outline.by_nodes([after])
    if left is None or right is None:
        return Diff((), f"the text {'before' if left is None else 'after'} is not Python")
    if left.whole == right.whole:
        return Diff((_whole(Kind.REFORMATTED, before, after),))
    return _bounded(_Matching(left, right), "")


def _whole(kind: Kind, before: str | None, after: str | None) -> Change:
    end = 0 if after is None else len(outline.lines_of(after))
    return Change(kind, "module", "", min(end, 1), end, 0 if before is None else 1)


def _bounded(matching: "_Matching", reason: str) -> Diff:
    ordered = sorted(
        matching.found(), key=lambda change: (change.line or change.old_line, change.kind)
    )
    reason = reason or matching.reason
    if len(ordered) > MOST:
        return Diff(tuple(ordered[:MOST]), reason or f"only the first {MOST} changes are told")
    return Diff(tuple(ordered), reason)


class _Matching:
    """Which functions and classes before are which after, and what became of them."""

    def __init__(self, old: Unit, new: Unit) -> None:
        self.reason = ""
        self._left = LARGEST_SPELLED
        self._pairs, removed, added = _by_name(old, new)
        self._told: set[int] = set()
        self._elsewhere = list(self._matched(removed, added))
        self._removed = list(self._untold(removed))
        self._added = list(self._untold(added))

    def found(self) -> Iterator[Change]:
        """Yields the changes, in no order."""
        yield from self._elsewhere
        for unit in self._removed:
            yield Change(Kind.REMOVED, unit.what, unit.name, 0, 0, unit.line)
        for unit in self._added:
            yield Change(Kind.ADDED, unit.what, unit.name, unit.line, unit.end)
        paired = {id(unit) for pair in self._pairs for unit in pair}
        for old, new in self._pairs:
            if id(new) not in self._told:
                yield from self._pair(old, new, paired)

    def _matched(self, removed: Sequence[Unit], added: Sequence[Unit]) -> Iterator[Change]:
        """Yields what was moved or renamed, outer ones first.

        What is in a class that was renamed has kept its place in it. Of one depth, what is
        exactly the same is matched before what is the same but for its name.
        """
        if not removed or not added:
            return
        finders = [Finder(keys, added, self._told) for keys in (_exact, self._neutral)]
        for _, level in groupby(sorted(removed, key=_depth), key=_depth):
            units = list(level)
            for finder in finders:
                for old in units:
                    if id(old) in self._told or (new := finder.find(old)) is None:
                        continue
                    for unit in (old, new):
                        self._told.update(map(id, (unit, *unit.inner())))
                    kind = Kind.MOVED if _last(old) == _last(new) else Kind.RENAMED
                    yield Change(kind, new.what, new.name, new.line, new.end, old.line, old.name)

    def _untold(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """Yields those whose surroundings do not already tell of them."""
        for unit in units:
            if id(unit) not in self._told:
                yield unit
                self._told.update(id(inner) for inner in unit.inner())

    def _pair(self, old: Unit, new: Unit, paired: set[int]) -> Iterator[Change]:
        if old.own == new.own:
            if old.own_text != new.own_text and old.what != "module":
                yield _became(Kind.REFORMATTED, old, new)
        elif old.what == "function" and (kind := self._same(old, new)):
            yield _became(kind, old, new)
            self._told.update(id(unit) for unit in new.inner())
            return
        elif old.what != "module" or not any(not entry.unit for entry in new.entries):
            yield _became(Kind.CHANGED, old, new)
        yield from _statements(_kept(old, paired), _kept(new, paired), new.name)

    def _neutral(self, unit: Unit) -> Iterator[Hashable]:
        """Yields what a function or class is but for its name, and the names of its variables."""
        yield unit.what, unit.shape
        if unit.what == "function" and (found := self._meaning(unit, named=False)):
            yield found[1]

    def _same(self, old: Unit, new: Unit) -> Kind | None:
        """How two functions are spelled differently, or None where they differ in more."""
        one = self._meaning(old)
        other = one and self._meaning(new)
        if one is None or other is None:
            return None
        if one[0] == other[0]:
            return Kind.REFORMATTED
        return Kind.RESPELLED if one[1] == other[1] else None

    def _meaning(self, unit: Unit, *, named: bool = True) -> tuple[str, str] | None:
        self._left -= len(unit.text)
        if self._left >= 0:
            return respelling.meaning(unit.text, named=named)
        self.reason = "too many functions differ: not all were looked at for other names"
        return None


def _kept(unit: Unit, paired: set[int]) -> list[Entry]:
    """The entries but for functions and classes that are only in one of the texts."""
    return [entry for entry in unit.entries if not entry.unit or id(entry.unit) in paired]


def _became(kind: Kind, old: Unit, new: Unit) -> Change:
    return Change(kind, new.what, new.name, new.line, new.end, old.line)


def _by_name(old: Unit, new: Unit) -> tuple[list[tuple[Unit, Unit]], list[Unit], list[Unit]]:
    """Pairs what has one name, outer ones first, and returns what is left of both."""
    waiting: defaultdict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in old.inner():
        waiting[unit.what, unit.name].append(unit)
    pairs, added = [(old, new)], []
    for unit in new.inner():
        if same := waiting[unit.what, unit.name]:
            # A name may be defined several times, as a property is: equal ones belong together.
            wanted = unit.whole if len(same) > 1 else ""
            place = next((i for i, item in enumerate(same[:9]) if item.whole == wanted), 0)
            pairs.append((same.pop(place), unit))
        else:
            added.append(unit)
    left = {id(unit) for units in waiting.values() for unit in units}
    return pairs, [unit for unit in old.inner() if id(unit) in left], added


def _depth(unit: Unit) -> int:
    return unit.name.count(".")


def _last(unit: Unit) -> str:
    return unit.name.rpartition(".")[2]


def _exact(unit: Unit) -> Iterator[Hashable]:
    yield unit.what, unit.whole


def _statements(old: Sequence[Entry], new: Sequence[Entry], name: str) -> Iterator[Change]:
    """Yields what was done to the statements of one function, class or module."""
    aligned = align(
        [(entry.depth, entry.key) for entry in old], [(entry.depth, entry.key) for entry in new]
    )
    left = without(range(len(old)), (one for one, _ in aligned))
    right = without(range(len(new)), (other for _, other in aligned))
    moved = in_turn([(i, old[i].key) for i in left], [(j, new[j].key) for j in right])
    left = without(left, (one for one, _ in moved))
    right = without(right, (other for _, other in moved))
    # Between the same unchanged neighbours, the n-th of one kind of statement became the n-th.
    ends = [one for one, _ in aligned], [other for _, other in aligned]
    changed = in_turn(
        [(i, (bisect_left(ends[0], i), _sort(old[i]))) for i in left],
        [(j, (bisect_left(ends[1], j), _sort(new[j]))) for j in right],
    )
    told: tuple[tuple[Kind, Iterable[tuple[int, int]]], ...] = (
        (Kind.REFORMATTED, ((i, j) for i, j in aligned if old[i].text != new[j].text)),
        (Kind.MOVED, moved),
        (Kind.CHANGED, changed),
    )
    for kind, pairs in told:
        yield from (_told(kind, old[i], new[j], name) for i, j in pairs)
    for i in without(left, (one for one, _ in changed)):
        yield _told(Kind.REMOVED, old[i], None, name)
    for j in without(right, (other for _, other in changed)):
        yield _told(Kind.ADDED, None, new[j], name)


def _told(kind: Kind, old: Entry | None, new: Entry | None, name: str) -> Change:
    unit = new.unit if new else None
    line, end = (new.line, new.end) if new else (0, 0)
    what, name = (unit.what, unit.name) if unit else ("statement", name)
    return Change(kind, what, name, line, end, old.line if old else 0)


def _sort(entry: Entry) -> str:
    return entry.key.partition("(")[0]
