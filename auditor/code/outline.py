"""Which functions, classes and statements a Python text holds, in a form that can be compared.

libcst reads what differs, since it keeps comments and knows syntax that is newer than the Python
that runs here. It is imported late, and only given text that cannot overflow its parser's stack.
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from auditor.code.respelling import SEPARATOR, key, value_of

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodeRange

DEEPEST = 60
"""libcst's parser crashes the process above some 2,000 levels; Python's own limit is near 300."""
DEEPEST_BRACKETS = 30
"""Of a text that Python cannot parse; libcst's time is quadratic in it."""
LONGEST_RUN = 400
"""Characters outside of which a text that Python cannot parse may not hold one expression."""
LONGEST_UNKNOWN = 12_000
"""Above this a text that Python cannot parse is not given to libcst."""
ABOVE = 1
"""Lines that are put above a piece for libcst."""
_BODIES = frozenset({"body", "orelse", "handlers", "finalbody", "cases"})


@dataclass(frozen=True, eq=False)
class Entry:
    """One statement, the head of a compound one, or a function or class in its place."""

    key: str
    """Equal for equal code, whatever its spaces and comments."""
    depth: int
    """How many blocks it lies in, within its function or class."""
    line: int
    end: int
    text: str
    """Its lines with the comments above it, without blank lines."""
    unit: "Unit | None" = None


@dataclass(frozen=True, eq=False)
class Unit:
    """A function, a class or the module, with what lies in it."""

    what: str
    name: str
    """Qualified; empty for the module."""
    line: int
    end: int
    head: str
    """Key of all that is not in the entries."""
    entries: tuple[Entry, ...]
    text: str
    first: int
    """The line where the comments above it begin."""

    @property
    def units(self) -> tuple["Unit", ...]:
        """The functions and classes directly in it."""
        return tuple(entry.unit for entry in self.entries if entry.unit)

    @cached_property
    def own(self) -> tuple[str, ...]:
        """Key of the code that is in it and in none of its functions and classes."""
        inner = (f"{item.depth} {item.key}" for item in self.entries if item.unit is None)
        return (self.head, *inner)

    @cached_property
    def whole(self) -> str:
        """Key of all its code."""
        parts = [self.head]
        for entry in self.entries:
            parts += [str(entry.depth), entry.unit.whole if entry.unit else entry.key]
        return SEPARATOR.join((*parts, "end"))

    @cached_property
    def shape(self) -> str:
        """Key of all its code, but for its own name and its calls of itself."""
        name = self.name.rpartition(".")[2]
        owners = ("self", "cls")
        # What `ast.dump` wrote cannot be told from a text that looks like it: no name is left out.
        calls = (f"(id='{owner}', ctx=Load()), attr='{name}'" for owner in owners)
        if any(call in self.whole for call in (f"(id='{name}'", *calls)):
            return self.whole
        shape = self.whole.replace(*_twice(f"N:{name}", "N:"))
        for owner in owners:
            call = f"N:{owner}{SEPARATOR}A:"
            shape = shape.replace(*_twice(call + name, call))
        return shape

    @cached_property
    def own_text(self) -> str:
        """Its lines that are in none of its functions and classes, without blank ones."""
        kept = self.text.split("\n")
        for unit in reversed(self.units):
            kept[unit.first - self.first : unit.end - self.first + 1] = []
        return tidy(kept)

    def inner(self) -> Iterator["Unit"]:
        """Yields every function and class in it, at any depth, outer ones first."""
        for unit in self.units:
            yield unit
            yield from unit.inner()


def _twice(old: str, new: str) -> tuple[str, str]:
    return f"{SEPARATOR}{old}{SEPARATOR}", f"{SEPARATOR}{new}{SEPARATOR}"


def lines_of(text: str) -> list[str]:
    """Returns the lines as Python counts them."""
    return re.split(r"\r\n|\r|\n", text)


def tidy(lines: Iterable[str]) -> str:
    """Returns lines without blank ones and without what is blank at their ends."""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def effort(nodes: Iterable[ast.AST], text: str) -> int | None:
    """Returns about how much libcst has to do, or None where syntax is too deep for it.

    One node takes some 30 microseconds, and so do two characters, since redundant parentheses are
    not in the tree; brackets take the longer the deeper they are. `a or b or …` nests in libcst.
    """
    level = list(nodes)
    found = 0.0
    for depth in range(DEEPEST):
        if any(isinstance(node, ast.BoolOp) and len(node.values) > DEEPEST for node in level):
            return None
        found += len(level) * (1 + depth / 10)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return max(int(found), len(text) // 2)
    return None


def is_calm(text: str) -> bool:
    """Returns whether a text that Python cannot parse cannot overflow libcst's parser."""
    if len(text) > LONGEST_UNKNOWN or re.search("[\0\ud800-\udfff]", text):
        return False
    if len(re.findall(r"^\s*elif\b", text, re.M)) > DEEPEST:
        return False
    depth = begin = 0
    for match in re.finditer(r"[(\[{]|[)\]}]|(?<!\\)\n|\Z", text):
        if match[0] in ("\n", ""):
            if depth == 0:
                begin = match.end()
        else:
            depth = max(0, depth + (1 if match[0] in "([{" else -1))
        if depth > DEEPEST_BRACKETS or match.end() - begin > LONGEST_RUN:
            return False
    return max(map(len, lines_of(text))) <= LONGEST_RUN


def by_nodes(pieces: Iterable[str], offset: int = 0) -> Unit | None:
    """Returns the outline of a text down to statements, or None where libcst cannot read it.

    Args:
        pieces: Whole statements at module level, each piece with the comments above it; snapshot
            after snapshot most are as they were, and are not read again.
        offset: Lines of the file above the text.
    """
    entries: list[Entry] = []
    lines: list[str] = []
    for piece in pieces:
        if (read := _entries(piece)) is None:
            return None
        entries += (_lower(entry, offset + len(lines)) for entry in read)
        lines += lines_of(piece)
    first, last = offset + 1, offset + len(lines)
    return Unit("module", "", first, last, "", tuple(entries), "\n".join(lines), first)


@lru_cache(maxsize=4096)
def _entries(text: str) -> tuple[Entry, ...] | None:
    """Returns what a piece of a text holds; None where libcst cannot read it."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # What is above the first statement of a text would not be told from the text's head.
            module = cst.parse_module(f"pass\n{text}")
            wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
            positions = wrapper.resolve(PositionProvider)
            return _Reader(module, ["pass", *lines_of(text)], positions).entries()[1:]
    # libcst lets through what goes wrong within it, KeyError where a deep tree was half visited.
    except (cst.ParserSyntaxError, RecursionError, MemoryError, ValueError, KeyError, TypeError):
        return None


def _lower(entry: Entry, lines: int) -> Entry:
    """Returns an entry so many lines further down: another one, since texts may share pieces."""
    unit = entry.unit and replace(
        entry.unit,
        line=entry.unit.line + lines,
        end=entry.unit.end + lines,
        first=entry.unit.first + lines,
        entries=tuple(_lower(inner, lines) for inner in entry.unit.entries),
    )
    return replace(entry, line=entry.line + lines, end=entry.end + lines, unit=unit)


class _Reader:
    """Makes the outline of one text that libcst has parsed."""

    def __init__(
        self,
        module: "cst.Module",
        lines: Sequence[str],
        positions: "Mapping[cst.CSTNode, CodeRange]",
    ) -> None:
        self._module = module
        self._lines = lines
        self._positions = positions

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries(self._module.body, "", 0))

    def _entries(self, nodes: "Iterable[cst.CSTNode]", owner: str, depth: int) -> Iterator[Entry]:
        for node in nodes:
            kind = type(node).__name__
            if kind == "SimpleStatementLine":
                yield from self._simple(node, depth)
            elif kind in ("FunctionDef", "ClassDef"):
                unit = self._unit(node, owner)
                yield Entry(f"unit {unit.name}", depth, unit.line, unit.end, "", unit)
            elif hasattr(node, "body"):
                yield from self._compound(node, owner, depth)
            else:
                yield self._entry(node, depth)

    def _simple(self, node: "cst.CSTNode", depth: int) -> Iterator[Entry]:
        parts = _sequence(node, "body")
        for part in parts:
            yield self._entry(part, depth, self._first(node) if len(parts) == 1 else 0)

    def _entry(self, node: "cst.CSTNode", depth: int, first: int = 0) -> Entry:
        line, end = self._positions[node].start.line, self._positions[node].end.line
        text = (
            tidy(self._lines[first - 1 : end])
            if first
            else self._module.code_for_node(node).strip().rstrip(";").rstrip()
        )
        return Entry(key(node), depth, line - ABOVE, end - ABOVE, text)

    def _compound(
        self, node: "cst.CSTNode", owner: str, depth: int, prefix: str = ""
    ) -> Iterator[Entry]:
        line, first, end = self._head(node)
        text = tidy(self._lines[first - 1 : end])
        spelled = prefix + key(node, _BODIES)
        yield Entry(spelled, depth, line - ABOVE, end - ABOVE, text)
        yield from self._entries(_block(node), owner, depth + 1)
        for branch in _branches(node):
            yield from self._compound(branch, owner, depth, "branch ")

    def _unit(self, node: "cst.CSTNode", owner: str) -> Unit:
        what = "class" if type(node).__name__ == "ClassDef" else "function"
        name = ".".join(filter(None, (owner, str(value_of(getattr(node, "name"))))))  # noqa: B009
        line, first, _ = self._head(node)
        end = self._positions[node].end.line
        return Unit(
            what=what,
            name=name,
            line=line - ABOVE,
            end=end - ABOVE,
            head=key(node, _BODIES),
            entries=tuple(self._entries(_block(node), name, 0)),
            text="\n".join(self._lines[first - 1 : end]),
            first=first - ABOVE,
        )

    def _head(self, node: "cst.CSTNode") -> tuple[int, int, int]:
        """Where a compound statement begins, where its comments do, and where its head ends."""
        line = self._line(node)
        inner = [self._first(child) for child in _block(node)[:1]]
        return line, self._first(node), max([line, *(number - 1 for number in inner)])

    def _line(self, node: "cst.CSTNode") -> int:
        decorators = _sequence(node, "decorators")
        return self._positions[decorators[0] if decorators else node].start.line

    def _first(self, node: "cst.CSTNode") -> int:
        return self._line(node) - len(_sequence(node, "leading_lines"))


def _sequence(node: "cst.CSTNode", field: str) -> "Sequence[cst.CSTNode]":
    found = getattr(node, field, ())
    return found if isinstance(found, list | tuple) else ()


def _block(node: "cst.CSTNode") -> "Sequence[cst.CSTNode]":
    """The statements of the body of a function, class or compound statement."""
    if type(node).__name__ == "Match":
        return ()
    return _sequence(getattr(node, "body"), "body")  # noqa: B009


def _branches(node: "cst.CSTNode") -> "Iterator[cst.CSTNode]":
    """The clauses that follow the body of a compound statement."""
    yield from _sequence(node, "cases")
    yield from _sequence(node, "handlers")
    for field in ("orelse", "finalbody"):
        if (branch := getattr(node, field, None)) is not None:
            yield branch


def by_functions(text: str, statements: Sequence[ast.stmt], offset: int = 0) -> Unit:
    """Returns the outline of a text down to functions and classes, from its syntax tree.

    Args:
        text: The lines of the statements.
        statements: They, as parsed from the whole file.
        offset: Lines of the file above the text.
    """
    lines = lines_of(text)
    head, entries = _own(statements, lines, "", offset)
    last = offset + len(lines)
    return Unit("module", "", offset + 1, last, head, entries, "\n".join(lines), offset + 1)


def _own(
    statements: Sequence[ast.stmt], lines: Sequence[str], owner: str, offset: int
) -> tuple[str, tuple[Entry, ...]]:
    """The key of the statements that are no functions or classes, and those that are."""
    keys, entries = [], []
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            unit = _from_ast(node, lines, owner, offset)
            entries.append(Entry(f"unit {unit.name}", 0, unit.line, unit.end, "", unit))
        else:
            keys.append(_dump(node, lines, offset))
    return SEPARATOR.join(keys), tuple(entries)


def _from_ast(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
    lines: Sequence[str],
    owner: str,
    offset: int,
) -> Unit:
    name = f"{owner}.{node.name}" if owner else node.name
    line, end = first_line(node), node.end_lineno or node.lineno
    head, entries = _own(node.body, lines, name, offset)
    bare = type(node)(**{**dict(ast.iter_fields(node)), "name": "", "body": []})
    return Unit(
        what="class" if isinstance(node, ast.ClassDef) else "function",
        name=name,
        line=line,
        end=end,
        head=SEPARATOR.join(("", f"N:{node.name}", _dump(bare, lines, offset), head)),
        entries=entries,
        text="\n".join(lines[line - offset - 1 : end - offset]),
        first=line,
    )


def _dump(node: ast.stmt, lines: Sequence[str], offset: int) -> str:
    try:
        return ast.dump(node)
    except RecursionError:
        first, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", None) or 1
        return tidy(lines[first - offset - 1 : end - offset])


def first_line(node: ast.stmt) -> int:
    """Returns the line of a statement, or of the first of its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])
