"""Python as trees in which names, order, layout and what never runs no longer count.

The trees are those of `ast`: what libcst keeps beyond it is layout and comments, which do not count
here, so that pairs confirmed by it would be the same, and its parse with places takes twenty times
as long.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from auditor.code.source import parse
from auditor.likeness.plainly import plainly

SMALLEST = 9
"""Nodes of the smallest tree that counts; `x = f(y, 0)` has six."""
_COMMUTES = (ast.Add, ast.Mult, ast.BitOr, ast.BitAnd, ast.BitXor)
_FLIPPED = {ast.Gt: "Lt", ast.GtE: "LtE"}
_NEGATED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(), ast.Lt: ast.GtE(), ast.GtE: ast.Lt(),
    ast.Gt: ast.LtE(), ast.LtE: ast.Gt(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(),
    ast.In: ast.NotIn(), ast.NotIn: ast.In(),
}  # fmt: skip
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_SILENT = (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal)
_PURE = (
    ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context,
    ast.Tuple, ast.List, ast.Dict,
)  # fmt: skip


class Branch(NamedTuple):
    """A part of a tree that counts: a hash of what it does, and the lines it stands on."""

    mark: int
    line: int
    end: int


class _Form(NamedTuple):
    """What is left of a node."""

    digest: bytes
    size: int


def branches(text: str) -> list[Branch] | None:
    """Returns the branches of Python text that are large enough to mean something.

    None where it is no Python, or is nested too deeply.
    """
    tree = parse(text)
    if tree is None:
        return None
    try:
        tree = plainly(tree, text)
        reader = _Reader(tree)
        reader.block(tree.body)
    except RecursionError:
        return None
    return reader.found


class _Reader:
    """The state of one reading."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[Branch] = []
        self._names, self._members = set[str](), set[str]()
        self._origins: dict[str, str] = {}
        self._loaded = set[str]()
        for node in ast.walk(tree):
            self._learn(node)

    def block(self, body: Sequence[ast.stmt]) -> list[_Form]:
        """Returns the statements of a block that may run and do something."""
        return [self._statement(item) for item in self._alive(body)]

    def _learn(self, node: ast.AST) -> None:
        """Notes which names are the text's own, and which stand for something imported."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                self._loaded.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str() as name):
                self._names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                self._members.add(name)
            case ast.ClassDef(name=name, body=body):
                self._names.add(name)
                self._members |= {
                    item.name
                    for item in body
                    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                }
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._names.add(name)
            case ast.Import(names=names):
                for alias in names:
                    short = alias.asname or alias.name.partition(".")[0]
                    self._origins[short] = alias.name if alias.asname else short
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    self._origins[alias.asname or alias.name] = f"{module or ''}.{alias.name}"

    def _alive(self, body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
        for item in body:
            match item:
                case ast.If(test=ast.Constant(value=value)):
                    yield from self._alive(item.body if value else item.orelse)
                    continue
                case ast.While(test=ast.Constant(value=value)) if not value:
                    continue
                case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
                    continue
            if isinstance(item, _SILENT) or self._unused(item):
                continue
            yield item
            if isinstance(item, _ENDS):
                return

    def _unused(self, item: ast.stmt) -> bool:
        """Whether a name is given a value that is never asked for, and whose making does nothing.

        The names in capitals that a scorer may look for stay.
        """
        match item:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
                name not in self._loaded and not name.isupper()
            ):
                return all(isinstance(node, _PURE) for node in ast.walk(value))
        return False

    def _statement(self, node: ast.stmt) -> _Form:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                parts = [self._arguments(node.args), *self._each(node.decorator_list)]
                form = self._made(node, "def", parts, self.block(node.body))
            case ast.ClassDef():
                form = self._made(node, "class", self._each(node.bases), self.block(node.body))
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=test)) if node.orelse:
                form = self._either(node, test, node.orelse, node.body)
            case ast.If():
                form = self._either(node, node.test, node.body, node.orelse)
            case ast.For() | ast.AsyncFor():
                parts = [self.form(node.target), self.form(node.iter)]
                inner = [*self.block(node.body), *self.block(node.orelse)]
                form = self._made(node, "for", parts, inner)
            case ast.While():
                form = self._made(node, "while", [self.form(node.test)], self.block(node.body))
            case ast.With() | ast.AsyncWith():
                parts = self._each(item.context_expr for item in node.items)
                form = self._made(node, "with", parts, self.block(node.body))
            case ast.Try() | ast.TryStar():
                inner = [*self.block(node.body), *self.block(node.finalbody)]
                for handler in node.handlers:
                    inner += self.block(handler.body)
                form = self._made(node, "try", [], inner + self.block(node.orelse))
            case ast.AugAssign(target=target, op=op, value=value):
                sum_ = ast.copy_location(ast.BinOp(left=target, op=op, right=value), node)
                form = self._made(node, "=", [self.form(target), self.form(sum_)])
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                form = self._made(node, "=", [self.form(target), self.form(value)])
            case ast.Assign(targets=targets, value=value):
                form = self._made(node, "=", [*self._each(targets), self.form(value)])
            case ast.Expr(value=value):
                form = self.form(value)
            case _:
                form = self._made(node, type(node).__name__, self._each(_children(node)))
        return form

    def _either(
        self, node: ast.If, test: ast.expr, then: Sequence[ast.stmt], other: Sequence[ast.stmt]
    ) -> _Form:
        blocks = [_joined("then", self.block(then)), _joined("else", self.block(other))]
        return self._made(node, "if", [self.form(test), *blocks])

    def form(self, node: ast.AST) -> _Form:
        """Returns what is left of an expression."""
        match node:
            case ast.Name(id=name):
                return _leaf(self._origins.get(name) or ("n" if name in self._names else name))
            case ast.Attribute(attr=attr, value=value):
                if (dotted := self._dotted(node)) is not None:
                    return _Form(_digest(dotted.encode()), 2)
                name = "n" if attr in self._members else attr
                return self._made(node, f".{name}", [self.form(value)])
            case ast.Constant(value=value):
                return _leaf("s" if isinstance(value, str | bytes) else repr(value))
            case ast.JoinedStr(values=values):
                parts = [item.value for item in values if isinstance(item, ast.FormattedValue)]
                return self._made(node, "s", self._each(parts))
            case ast.Call(func=func, args=args, keywords=keywords):
                given = sorted(self._each(keywords))
                return self._made(node, "call", [self.form(func), *self._each(args), *given])
            case ast.keyword(arg=name, value=value):
                own = name is None or name in self._names
                return _joined(f"{'' if own else name}=", [self.form(value)])
            case ast.BinOp(left=left, op=op, right=right):
                sides = [self.form(left), self.form(right)]
                ordered = sorted(sides) if isinstance(op, _COMMUTES) else sides
                return self._made(node, type(op).__name__, ordered)
            case ast.BoolOp(op=op, values=values):
                return self._made(node, type(op).__name__, sorted(self._each(values)))
            case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[op]) as inner):
                flipped = ast.Compare(inner.left, [_NEGATED[type(op)]], inner.comparators)
                return self._compared(ast.copy_location(flipped, node))
            case ast.Compare(ops=[_]):
                return self._compared(node)
            case ast.Lambda(args=args, body=body):
                return self._made(node, "lambda", [self._arguments(args), self.form(body)])
            case ast.expr():
                return self._made(node, type(node).__name__, self._each(_children(node)))
        return _joined(type(node).__name__, self._each(_children(node)))

    def _compared(self, node: ast.Compare) -> _Form:
        left, right = self.form(node.left), self.form(node.comparators[0])
        kind = type(node.ops[0])
        if kind in _FLIPPED:
            return self._made(node, _FLIPPED[kind], [right, left])
        parts = [left, right]
        return self._made(
            node, kind.__name__, sorted(parts) if kind in (ast.Eq, ast.NotEq) else parts
        )

    def _dotted(self, node: ast.Attribute) -> str | None:
        """The full name of something imported, however it was imported."""
        parts: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and (origin := self._origins.get(inner.id)):
            return ".".join([origin, *reversed(parts)])
        return None

    def _arguments(self, node: ast.arguments) -> _Form:
        defaults = [item for item in (*node.defaults, *node.kw_defaults) if item is not None]
        count = len(node.posonlyargs) + len(node.args) + len(node.kwonlyargs)
        return _joined(f"arguments {count}", self._each(defaults))

    def _each(self, nodes: Iterable[ast.AST]) -> list[_Form]:
        return [self.form(node) for node in nodes]

    def _made(
        self,
        node: ast.stmt | ast.expr,
        label: str,
        parts: Sequence[_Form],
        body: Sequence[_Form] = (),
    ) -> _Form:
        """Puts a node together, its body in any order, and notes it if it is large enough."""
        form = _joined(label, [*parts, *sorted(body)])
        if form.size >= SMALLEST:
            mark = int.from_bytes(form.digest, "big")
            self.found.append(Branch(mark, node.lineno, node.end_lineno or node.lineno))
        return form


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr_context):
            yield child


def _leaf(text: str) -> _Form:
    return _Form(_digest(text.encode("utf-8", "replace")), 1)


def _joined(label: str, parts: Sequence[_Form]) -> _Form:
    inner = b"".join(part.digest for part in parts)
    return _Form(_digest(label.encode() + b"\0" + inner), 1 + sum(part.size for part in parts))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).digest()
