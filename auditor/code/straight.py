"""Snippets as a person reads them: top to bottom, with what earlier ones have left behind.

The engine follows names without regard to order, which is right for programs and wrong for notes
that use `path` for one thing after another. Here each later binding of a name at the top level
gets a name of its own, on the same line, so that order is kept.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from auditor.code.source import parse

LONGEST = 400
"""Characters of an assignment that later snippets may need."""
NEEDED = 20


class Straight(NamedTuple):
    """A snippet, ready for the engine."""

    text: str
    shift: int
    """Lines that stand before the snippet's own first line."""


class Past:
    """What snippets of one session have bound so far."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._imports: dict[str, str] = {}

    def straight(self, text: str) -> Straight | None:
        """Returns a snippet with what it needs of the past; None where it is no Python."""
        tree = parse(text)
        if tree is None:
            return None
        needed = self._needed(tree)
        self._imports |= _imported(tree)
        made = _in_order(tree, text)
        for name, value in _simple(tree):
            source = ast.get_source_segment(text, value) if len(text) < 1 << 16 else None
            if source is not None and len(source) <= LONGEST and "\n" not in source:
                self._known[name] = source
            else:
                self._known.pop(name, None)
        return Straight("".join(f"{line}\n" for line in needed) + made, len(needed))

    def _needed(self, tree: ast.Module) -> list[str]:
        bound = _names(tree, ast.Store)
        wanted = _names(tree, ast.Load)
        lines: list[str] = []
        seen = set(bound)
        while wanted and len(lines) < NEEDED:
            name = wanted.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._imports:
                lines.insert(0, self._imports[name])
            if name not in self._known:
                continue
            lines.insert(0, f"{name} = {self._known[name]}")
            value = parse(self._known[name])
            wanted += _names(value, ast.Load) if value else []
        return lines


def _imported(tree: ast.Module) -> dict[str, str]:
    """The imports of the top level, by the names that they bind."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = (alias.asname or alias.name).partition(".")[0]
                found[name] = ast.unparse(node)[:LONGEST]
    return found


def _names(tree: ast.AST, context: type[ast.expr_context]) -> list[str]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return [node.id for node in found if isinstance(node.ctx, context)]


def _simple(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names that statements of the top level bind, with what they stand for afterwards."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Expr(value=ast.NamedExpr(target=ast.Name(id=name), value=value)):
                yield name, value
            case ast.Assign(
                targets=[ast.Tuple(elts=names) | ast.List(elts=names)],
                value=ast.Tuple(elts=values) | ast.List(elts=values),
            ) if len(names) == len(values):
                for target, value in zip(names, values, strict=True):
                    if isinstance(target, ast.Name):
                        yield target.id, value


class _Binding(NamedTuple):
    """What a statement of the top level binds itself."""

    targets: tuple[ast.Name, ...]
    before: frozenset[int]
    """Ids of the nodes that are evaluated before it does."""


def _binding(statement: ast.stmt) -> _Binding:
    match statement:
        case ast.Assign(targets=targets, value=value):
            parts, first = targets, [value]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            parts, first = [target], [value]
        case ast.For(target=target, iter=value):
            parts, first = [target], [value]
        case ast.With(items=items):
            parts = [item.optional_vars for item in items if item.optional_vars is not None]
            first = [item.context_expr for item in items]
        case ast.Expr(value=ast.NamedExpr(target=target, value=value)):
            parts, first = [target], [value]
        case _:
            return _Binding((), frozenset())
    names = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)]
    stored = tuple(node for node in names if isinstance(node.ctx, ast.Store))
    return _Binding(stored, frozenset(id(node) for part in first for node in ast.walk(part)))


def _in_order(tree: ast.Module, text: str) -> str:
    """Renames what is bound more than once by statements of the top level, and nowhere else."""
    bindings = [_binding(statement) for statement in tree.body]
    counts = Counter(name for found in bindings for name in {node.id for node in found.targets})
    own = {id(node) for found in bindings for node in found.targets}
    elsewhere = _bound_elsewhere(tree, own)
    several = {name for name, count in counts.items() if count > 1 and name not in elsewhere}
    if not several:
        return text
    version = dict.fromkeys(several, 0)
    edits: list[tuple[ast.Name, int]] = []
    local = {
        id(inner) for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }  # fmt: skip
    for statement, found in zip(tree.body, bindings, strict=True):
        bound = {node.id for node in found.targets} & several
        after = {name: version[name] + (name in bound) for name in several}
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in several and id(node) not in local:
                edits.append((node, (version if id(node) in found.before else after)[node.id]))
        version = after
    return _edited(text, [(node, number) for node, number in edits if number > 1])


def _edited(text: str, edits: list[tuple[ast.Name, int]]) -> str:
    lines = text.split("\n")
    for node, number in sorted(
        edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True
    ):
        raw = lines[node.lineno - 1].encode("utf-8", "surrogatepass")
        start, end = node.col_offset, node.col_offset + len(node.id.encode())
        if raw[start:end] != node.id.encode():
            return text  # Python is not sure where the names within a formatted text stand
        raw = raw[:end] + f"_{number}_".encode() + raw[end:]
        lines[node.lineno - 1] = raw.decode("utf-8", "surrogatepass")
    return "\n".join(lines)


def _bound_elsewhere(tree: ast.Module, own: set[int]) -> set[str]:
    """Names that are bound in other ways than by statements of the top level, or read in functions.

    A function's own names are its own: they may be called as others are.
    """
    functions = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]  # fmt: skip
    inside = {id(inner) for node in functions for inner in ast.walk(node)}
    found = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store | ast.Del) and id(node) not in own | inside
    }  # fmt: skip
    return found.union(*map(_free, functions))


def _free(function: ast.AST) -> set[str]:
    """The names that a function takes from outside."""
    read: set[str] = set()
    bound: set[str] = set()
    declared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            declared.update(node.names)
    return (read - bound) | declared
