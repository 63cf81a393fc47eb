"""Python that says in a roundabout way what has a plain form, put into that form."""

import ast
import re
from typing import TypeVar

from auditor.code.source import parse

_ROUNDABOUT = re.compile(r"getattr|exec|:=|partial|\bin\s*[\[(]|[\]),]\s*=\s*[\[(]")
"""Signs that there may be something to change; most texts have none."""
N = TypeVar("N", bound=ast.expr | ast.stmt)


def plainly(tree: ast.Module, text: str) -> ast.Module:
    """Returns a module with plain attributes, calls and assignments, and with executed texts read.

    `getattr(a, "b")` is `a.b`, `partial(f, a)(b)` is `f(a, b)`, a name that is bound on the way is
    its value, one that is bound by a loop over one thing, or by taking one apart, is assigned.
    Places stay what they were; an executed text stands where it is executed.
    """
    if not _ROUNDABOUT.search(text):
        return tree
    partials = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "functools"
        for alias in node.names
        if alias.name == "partial"
    }
    found = _Plainly(partials).visit(tree)
    assert isinstance(found, ast.Module)
    return found


class _Plainly(ast.NodeTransformer):
    def __init__(self, partials: set[str]) -> None:
        self._partials = partials

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(
                func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str() as name)]
            ) if name.isidentifier():
                return _at(node, ast.Attribute(value, name, ast.Load()))
            case ast.Call(func=ast.Call(func=inner, args=[called, *first], keywords=named)) if (
                self._is_partial(inner)
            ):
                args, keywords = [*first, *node.args], [*named, *node.keywords]
                return _at(node, ast.Call(called, args, keywords))
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        self.generic_visit(node)
        return node.value

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        if isinstance(node.value, ast.NamedExpr):
            target, value = node.value.target, node.value.value
            return self._assigned(node, target, value)
        if (text := _executed(node.value)) is not None and (inner := parse(text)) is not None:
            for part in ast.walk(inner):
                if isinstance(part, ast.expr | ast.stmt):
                    ast.copy_location(part, node)
            self.generic_visit(inner)
            return inner.body
        self.generic_visit(node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        self.generic_visit(node)
        match node:
            case ast.Assign(
                targets=[ast.List(elts=[target]) | ast.Tuple(elts=[target])],
                value=ast.List(elts=[value]) | ast.Tuple(elts=[value]),
            ) if not isinstance(target, ast.Starred):
                return _at(node, ast.Assign([target], value))
        return node

    def visit_For(self, node: ast.For) -> ast.stmt:
        match node:
            case ast.For(
                iter=ast.List(elts=[value]) | ast.Tuple(elts=[value]), body=[ast.Pass()], orelse=[]
            ):
                return self._assigned(node, node.target, value)
        self.generic_visit(node)
        return node

    def _assigned(self, place: ast.stmt, target: ast.expr, value: ast.expr) -> ast.stmt:
        assigned = _at(place, ast.Assign([target], value))
        self.generic_visit(assigned)
        return assigned

    def _is_partial(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self._partials
            case ast.Attribute(value=ast.Name(id="functools"), attr="partial"):
                return True
        return False


def _at(place: ast.expr | ast.stmt, node: N) -> N:
    return ast.copy_location(node, place)


def _executed(node: ast.expr) -> str | None:
    """The text that a call executes, where it is there to read."""
    match node:
        case ast.Call(func=ast.Name(id="exec"), args=[ast.Constant(value=str() as text), *_]):
            return text
        case ast.Call(
            func=ast.Name(id="exec"),
            args=[
                ast.Call(func=ast.Name(id="compile"), args=[ast.Constant(value=str() as text), *_]),
                *_,
            ],
        ):
            return text
    return None
