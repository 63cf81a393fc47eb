"""What code means, whatever its spaces, comments, quotes and names of variables."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from auditor.code.source import parse

if TYPE_CHECKING:
    import libcst as cst

SEEING = frozenset({"dir", "eval", "exec", "f_locals", "locals", "vars"})
"""A function that uses one of these may depend on what its variables are called."""
SEPARATOR = "\x1f"
"""Between the parts of a key; never in one, since constants are written by `repr`."""
_BLANK = frozenset({
    "Colon", "Comma", "EmptyLine", "LeftParen", "MaybeSentinel", "ParenthesizedWhitespace",
    "RightParen", "Semicolon", "SimpleWhitespace", "TrailingWhitespace",
})  # fmt: skip
"""What a text may have or lack without a change of meaning."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def meaning(text: str, *, named: bool = True) -> tuple[str, str] | None:
    """Returns a function without its spelling, and also without its variables' names.

    Parameters count as variables: a caller that names one is not looked at.

    Args:
        text: The function's lines, indented or not.
        named: Its own name is part of it, and so are its calls of itself.
    """
    node = _function(text)
    if node is None:
        return None
    try:
        if not named:
            _forget_name(node)
        plain = ast.dump(node)
        _rename(node)
        return plain, ast.dump(node)
    except RecursionError:
        return None


def _function(text: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    tree = parse(text) or parse(f"if 1:\n{text}")
    if tree is None or len(tree.body) != 1:
        return None
    first = tree.body[0]
    node = first.body[0] if isinstance(first, ast.If) else first
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _forget_name(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Blanks a function's own name, also where it calls itself."""
    own, function.name = function.name, ""
    everywhere = own not in _fixed(function)
    for node in ast.walk(function):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if name == own:
                node.attr = ""
        for field in _name_fields(node) if everywhere else ():
            if getattr(node, field) == own:
                setattr(node, field, "")


def _rename(function: ast.AST) -> None:
    """Numbers the variables by the place where they first appear."""
    kept = _fixed(function)
    if kept & SEEING:
        return
    kept |= _free(function)
    kept.update(name for node in _outside(function) for name in _names(node))
    numbers: dict[str, str] = {}
    for node in ast.walk(function):
        for field in _name_fields(node):
            name = getattr(node, field)
            if isinstance(name, str) and name not in kept:
                setattr(node, field, numbers.setdefault(name, f"${len(numbers)}"))


def _name_fields(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.Name():
            return ("id",)
        case ast.arg():
            return ("arg",)
        case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
            return ("name",)
        case ast.MatchMapping():
            return ("rest",)
        case ast.alias():
            return ("asname",)
    return ()


def _fixed(function: ast.AST) -> set[str]:
    """Names that are known outside, or under which something is looked up."""
    found: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Global(names=names):
                found.update(names)
            case ast.keyword(arg=str() as name):
                found.add(name)
            case ast.Attribute(attr=name) if name in SEEING:
                found.add(name)
            case ast.alias(name=name, asname=None):
                found.add(name.partition(".")[0])
            case ast.NamedExpr(target=ast.Name(id=name)):
                found.add(name)  # in a comprehension it is bound outside of it
            case ast.ClassDef(name=name):
                found |= {name, *(item for child in node.body for item in _names(child))}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Name(id=name) if name in SEEING or name.startswith("__"):
                found.add(name)
            case ast.Nonlocal(names=names):
                found.update(names)  # plain text in the tree, so it could not be numbered
    return found


def _names(node: ast.AST) -> Iterator[str]:
    return (item.id for item in ast.walk(node) if isinstance(item, ast.Name))


def _free(scope: ast.AST) -> set[str]:
    """Names used in a function or comprehension that none of the scopes in it binds."""
    bound: set[str] = set()
    used: set[str] = set()
    waiting = list(_inside(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS)):
            used |= _free(node)
            waiting += _outside(node)
            continue
        else:
            bound.update(_bound(node))
        waiting += ast.iter_child_nodes(node)
    return used - bound


def _bound(node: ast.AST) -> Iterator[str]:
    for field in _name_fields(node):
        name = getattr(node, field)
        if isinstance(name, str):
            yield name


def _inside(scope: ast.AST) -> Iterable[ast.AST]:
    """What of a function or comprehension is evaluated in its own scope."""
    match scope:
        case ast.FunctionDef(args=args, body=body) | ast.AsyncFunctionDef(args=args, body=body):
            return [*_parameters(args), *body]
        case ast.Lambda(args=args, body=value):
            return [*_parameters(args), value]
    outer = {id(node) for node in _outside(scope)}
    parts: list[ast.AST] = []
    for child in ast.iter_child_nodes(scope):
        inner = ast.iter_child_nodes(child) if isinstance(child, ast.comprehension) else (child,)
        parts += (node for node in inner if id(node) not in outer)
    return parts


def _outside(scope: ast.AST) -> list[ast.AST]:
    """What of a function or comprehension is evaluated where it stands."""
    match scope:
        case ast.Lambda(args=args):
            return [*args.defaults, *filter(None, args.kw_defaults)]
        case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args):
            notes = [argument.annotation for argument in _arguments(args)]
            parts = [*args.defaults, *args.kw_defaults, *notes, scope.returns]
            return [*scope.decorator_list, *filter(None, parts)]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return [scope.generators[0].iter]
    return []


def _arguments(args: ast.arguments) -> list[ast.arg]:
    single = [argument for argument in (args.vararg, args.kwarg) if argument]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *single]


def _parameters(args: ast.arguments) -> list[ast.AST]:
    """The parameters, without annotations: those are evaluated outside."""
    return [ast.arg(arg=argument.arg) for argument in _arguments(args)]


def key(node: "cst.CSTNode", without: frozenset[str] = frozenset()) -> str:
    """Returns what a node of libcst means, equal for equal code, but for some of its fields."""
    parts: list[str] = []
    _spell(node, parts, without)
    return SEPARATOR.join(parts)


def _spell(value: object, parts: list[str], without: frozenset[str] = frozenset()) -> None:
    """Appends what a node means, without what is blank."""
    kind = type(value).__name__
    if kind in _BLANK:
        parts.append("_")
    elif kind in ("list", "tuple"):
        parts.append("[")
        for item in value if isinstance(value, list | tuple) else ():
            if type(item).__name__ != "EmptyLine":
                _spell(item, parts)
        parts.append("]")
    elif kind == "Name":
        parts.append(f"N:{value_of(value)}")
    elif not hasattr(value, "children"):
        parts.append(repr(value))
    elif (literal := _literal(value, kind)) is not None:
        parts.append(literal)
    else:
        parts.append(f"{kind}(")
        for field in fields(value):  # type: ignore[arg-type]
            if field.name not in without:
                _spell_field(value, kind, field.name, parts)
        parts.append(")")


def _spell_field(node: object, kind: str, field: str, parts: list[str]) -> None:
    value = getattr(node, field)
    match kind, field:
        case "Attribute", "attr":
            parts.append(f"A:{value_of(value)}")
        case "Arg", "keyword":
            parts.append(f"K:{value_of(value)}")
        case "FormattedString", "start":
            parts.append("raw" if "r" in value.lower() else "plain")
        case "FormattedString", "end":
            parts.append("_")
        case "Subscript", "slice" if len(value) == 1:
            # `x[1,]` is given a tuple, `x[1]` is not; everywhere else the comma means nothing.
            parts.append(type(value[0].comma).__name__)
            _spell(value, parts)
        case _:
            _spell(value, parts)


def value_of(node: object) -> object:
    """Returns the value of a node of libcst, if it has one."""
    return getattr(node, "value", None)


def _literal(node: object, kind: str) -> str | None:
    """What a constant stands for: `'a'` and `"a"` are one, as are `1_000` and `1000`."""
    if kind not in ("SimpleString", "ConcatenatedString", "Integer", "Float", "Imaginary"):
        return None
    try:
        value = getattr(node, "evaluated_value")  # noqa: B009
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return repr(value_of(node))
    return None if value is None else f"{kind[0]}:{value!r}"
