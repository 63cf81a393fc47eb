"""What names and constant expressions of a Python file may stand for, without running it.

Names are followed through imports, assignments and look-ups by string; strings through joining,
formatting, slicing and decoding. Everything is bounded, since the code is hostile.
"""

import ast
import base64
import binascii
import codecs
import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeGuard

Value = str | bytes | int | float | tuple["Value", ...]
Scope = Mapping[str, tuple[Value, ...]]

UNKNOWN = "\ufffc"
"""Stands in a folded string for a part that is not constant."""
LONGEST = 1 << 14
MOST = 16
"""Values followed per expression."""
DEEPEST = 24
STEPS = 60_000
"""Expressions folded per file; far more than honest code needs."""
METHODS = frozenset({
    "as_posix", "capitalize", "casefold", "decode", "encode", "format", "fromhex", "hex", "join",
    "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip", "split", "strip",
    "swapcase", "title", "upper",
})  # fmt: skip
PATHS = frozenset({
    "os.fsdecode", "os.fsencode", "os.fspath", "os.path.abspath", "os.path.expanduser",
    "os.path.join", "os.path.normpath", "os.path.realpath", "pathlib.Path", "pathlib.PosixPath",
    "pathlib.PurePath", "posixpath.join", "str",
})  # fmt: skip
PATH_METHODS = frozenset({"joinpath", "resolve", "absolute", "expanduser", "glob", "rglob"})


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, LONGEST)


DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "base64.b64decode": base64.b64decode,
    "base64.standard_b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.decodebytes": base64.decodebytes,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": base64.a85decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
    "bytes.fromhex": binascii.unhexlify,
    "bytearray.fromhex": binascii.unhexlify,
    "zlib.decompress": _inflate,
}


class Names:
    """The names of one module and what they may stand for."""

    def __init__(self, tree: ast.Module, beside: Mapping[str, "Names"] | None = None) -> None:
        self.tree = tree
        self.beside = {} if beside is None else beside
        """Other modules of the attempt, by name."""
        self.imports: dict[str, str] = {}
        self.bound: dict[str, list[ast.expr]] = {}
        self._steps = 0
        for node in ast.walk(tree):
            self._bind(node)

    def dotted(self, node: ast.expr, depth: int = 0) -> str | None:
        """Returns the full name of what an expression refers to, such as `time.perf_counter`."""
        if depth > DEEPEST:
            return None
        match node:
            case ast.Name(id=name):
                return self._named(name, depth)
            case ast.Attribute(value=value, attr=attr):
                return self._member(value, (attr,), depth)
            case ast.Call(func=func, args=[first, second, *_]) if _last(func) == "getattr":
                return self._member(first, self.values(second), depth)
            case ast.Call(func=func, args=[first, *_]) if _last(func) in (
                "__import__",
                "import_module",
            ):
                return _text(self.values(first))
            case ast.Subscript(value=ast.Attribute(value=value, attr="__dict__"), slice=key):
                return self._member(value, self.values(key), depth)
            case ast.Subscript(value=ast.Call(func=func, args=[value]), slice=key) if (
                _last(func) == "vars"
            ):
                return self._member(value, self.values(key), depth)
            case ast.Subscript(value=value, slice=key):
                if self.dotted(value, depth + 1) == "sys.modules":
                    return _text(self.values(key))
        return None

    def values(
        self, node: ast.expr, scope: Scope | None = None, depth: int = 0
    ) -> tuple[Value, ...]:
        """Returns the constants an expression may have; empty when it is not constant."""
        self._steps += 1
        if depth > DEEPEST or self._steps > STEPS:
            return ()
        found: list[Value] = []
        try:
            for value in itertools.islice(self._fold(node, scope or {}, depth + 1), MOST):
                if value not in found and _small(value):
                    found.append(value)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, LookupError):
            pass  # a constant expression that would raise has no value
        except (OverflowError, MemoryError, zlib.error, RecursionError):
            pass
        return tuple(found)

    def _named(self, name: str, depth: int) -> str | None:
        if name in self.imports:
            return self.imports[name]
        bound = self.bound.get(name, [])
        if len(bound) == 1 and isinstance(
            bound[0], ast.Name | ast.Attribute | ast.Call | ast.Subscript
        ):
            return self.dotted(bound[0], depth + 1) or name
        return name

    def _member(self, value: ast.expr, attrs: tuple[Value, ...], depth: int) -> str | None:
        owner, attr = self.dotted(value, depth + 1), _text(attrs)
        return None if owner is None or attr is None else f"{owner}.{attr}"

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    self.imports[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    self.imports[alias.asname or alias.name] = f"{module or ''}.{alias.name}"
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value)
            case ast.NamedExpr(target=target, value=value):
                self._assign(target, value)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                left = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), target)
                self._assign(target, ast.copy_location(ast.BinOp(left, op, value), node))
            case ast.For(target=target, iter=ast.List(elts=items) | ast.Tuple(elts=items)):
                for item in items:
                    self._assign(target, item)
            case ast.arguments(posonlyargs=first, args=args, defaults=defaults) if defaults:
                for arg, default in zip([*first, *args][-len(defaults) :], defaults, strict=True):
                    self.bound.setdefault(arg.arg, []).append(default)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for inner, item in zip(target.elts, value.elts, strict=True):
                    self._assign(inner, item)
        elif (name := raw(target)) is not None:
            self.bound.setdefault(name, []).append(value)

    def _fold(self, node: ast.expr, scope: Scope, depth: int) -> Iterator[Value]:
        match node:
            case ast.Constant(value=str() | bytes() | int() | float() as constant):
                yield constant
            case ast.Name(id=name) if name in scope:
                yield from scope[name]
            case ast.Name() | ast.Attribute():
                yield from self._lookup(node, scope, depth)
            case ast.JoinedStr(values=parts):
                yield from self._join([self._part(part, scope, depth) for part in parts])
            case ast.BinOp(left=left, op=op, right=right):
                yield from self._binary(left, op, right, scope, depth)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                for value in self.values(operand, scope, depth):
                    if isinstance(value, int | float):
                        yield -value
            case ast.IfExp(body=body, orelse=orelse):
                yield from self.values(body, scope, depth)
                yield from self.values(orelse, scope, depth)
            case ast.BoolOp(values=options):
                for option in options:
                    yield from self.values(option, scope, depth)
            case ast.NamedExpr(value=value):
                yield from self.values(value, scope, depth)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                folded = [self.values(item, scope, depth) for item in items[:LONGEST]]
                if all(folded):
                    yield tuple(values[0] for values in folded)
            case ast.Subscript(value=value, slice=key):
                yield from self._item(value, key, scope, depth)
            case (
                ast.ListComp(elt=element, generators=[loop])
                | ast.GeneratorExp(elt=element, generators=[loop])
            ):
                yield from self._comprehension(element, loop, scope, depth)
            case ast.Call():
                yield from self._call(node, scope, depth)

    def _lookup(self, node: ast.expr, scope: Scope, depth: int) -> Iterator[Value]:
        for expression in self.bound.get(raw(node) or "", ())[:MOST]:
            yield from self.values(expression, scope, depth)
        full = self.dotted(node) or ""
        module, _, name = full.rpartition(".")
        other = self.beside.get(module.rpartition(".")[2])
        if other is not None and other is not self:
            yield from other.values(ast.Name(id=name, ctx=ast.Load()), {}, depth)

    def _part(self, part: ast.expr, scope: Scope, depth: int) -> tuple[Value, ...]:
        if isinstance(part, ast.FormattedValue):
            part = part.value
        return tuple(_plain(value) for value in self.values(part, scope, depth)) or (UNKNOWN,)

    @staticmethod
    def _join(parts: list[tuple[Value, ...]], between: str = "") -> Iterator[str]:
        for chosen in itertools.product(*parts):
            yield between.join(str(_plain(piece)) for piece in chosen)

    def _binary(
        self, left: ast.expr, op: ast.operator, right: ast.expr, scope: Scope, depth: int
    ) -> Iterator[Value]:
        ours, theirs = self.values(left, scope, depth), self.values(right, scope, depth)
        if isinstance(op, ast.Div) and any(isinstance(item, str) for item in ours + theirs):
            yield from self._join([ours or (UNKNOWN,), theirs or (UNKNOWN,)], "/")
            return
        if isinstance(op, ast.Add) and any(isinstance(item, str) for item in ours + theirs):
            ours, theirs = ours or (UNKNOWN,), theirs or (UNKNOWN,)
        for one, other in itertools.product(ours, theirs):
            yield from _combined(one, op, other)

    def _item(self, value: ast.expr, key: ast.expr, scope: Scope, depth: int) -> Iterator[Value]:
        if isinstance(value, ast.Dict):
            for name, item in zip(value.keys, value.values, strict=True):
                if name is not None and set(self.values(name, scope, depth)) & set(
                    self.values(key, scope, depth)
                ):
                    yield from self.values(item, scope, depth)
        for whole in self.values(value, scope, depth):
            if not isinstance(whole, str | bytes | tuple):
                continue
            if isinstance(key, ast.Slice):
                yield whole[self._slice(key, scope, depth)]
            else:
                for place in self.values(key, scope, depth):
                    if isinstance(place, int):
                        yield whole[place]

    def _slice(self, key: ast.Slice, scope: Scope, depth: int) -> slice:
        ends = []
        for part in (key.lower, key.upper, key.step):
            values = self.values(part, scope, depth) if part is not None else ()
            ends.append(values[0] if values and isinstance(values[0], int) else None)
        return slice(*ends)

    def _comprehension(
        self, element: ast.expr, loop: ast.comprehension, scope: Scope, depth: int
    ) -> Iterator[Value]:
        if loop.ifs or not isinstance(loop.target, ast.Name):
            return
        for whole in self.values(loop.iter, scope, depth):
            if not isinstance(whole, str | bytes | tuple):
                continue
            folded = [
                self.values(element, {**scope, loop.target.id: (item,)}, depth) for item in whole
            ]
            if all(folded):
                yield tuple(values[0] for values in folded)

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> Iterator[Value]:
        name = self.dotted(node.func) or ""
        arguments = [self.values(argument, scope, depth) for argument in node.args]
        if name in PATHS and arguments:
            yield from self._join([item or (UNKNOWN,) for item in arguments], "/")
        elif name == "map" and len(arguments) == 2:
            yield from self._mapped(self.dotted(node.args[0]) or "", arguments[1])
        elif isinstance(node.func, ast.Attribute) and node.func.attr in PATH_METHODS | METHODS:
            yield from self._method(node.func, arguments, scope, depth)
        if not all(arguments):
            return
        for chosen in itertools.islice(itertools.product(*arguments), MOST):
            yield from _called(name, chosen)

    def _mapped(self, function: str, wholes: tuple[Value, ...]) -> Iterator[Value]:
        for whole in wholes:
            if isinstance(whole, str | bytes | tuple):
                yield tuple(value for item in whole for value in _called(function, (item,)))

    def _method(
        self, func: ast.Attribute, arguments: list[tuple[Value, ...]], scope: Scope, depth: int
    ) -> Iterator[Value]:
        owners = self.values(func.value, scope, depth)
        if func.attr in PATH_METHODS:
            yield from self._join(
                [owners or (UNKNOWN,), *(a or (UNKNOWN,) for a in arguments)], "/"
            )
            return
        if func.attr == "format":
            arguments = [item or (UNKNOWN,) for item in arguments]
        for owner, *chosen in itertools.product(owners, *arguments):
            if isinstance(owner, str | bytes) and not _pads(owner):
                yield getattr(owner, func.attr)(*chosen)


def raw(node: ast.expr) -> str | None:
    """Returns a dotted name as it is written, for example `self.path`."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _combined(one: Value, op: ast.operator, other: Value) -> Iterator[Value]:
    match op:
        case ast.Add():
            yield one + other  # type: ignore[operator]  # a wrong pair raises, and has no value
        case ast.Mod() if isinstance(one, str) and not _pads(one):
            yield one % other
        case ast.Mult() if isinstance(one, str | bytes) and isinstance(other, int):
            if 0 <= other * len(one) <= LONGEST:
                yield one * other
        case ast.Sub() | ast.BitXor() if isinstance(one, int) and isinstance(other, int):
            yield one - other if isinstance(op, ast.Sub) else one ^ other


def _called(name: str, arguments: tuple[Value, ...]) -> Iterator[Value]:
    """The value of a pure built-in call on constants."""
    if name in DECODERS:
        yield DECODERS[name](_bytes(arguments[0]))
    elif name == "codecs.decode" and len(arguments) > 1:
        yield codecs.decode(arguments[0], str(arguments[1]))  # type: ignore[arg-type]
    elif name in ("bytes", "bytearray") and isinstance(arguments[0], tuple):
        yield bytes(item for item in arguments[0] if isinstance(item, int))
    elif name in ("bytes.decode", "str.join", "str.replace", "str.lower"):
        yield getattr(arguments[0], name.partition(".")[2])(*arguments[1:])
    elif name == "chr" and isinstance(arguments[0], int):
        yield chr(arguments[0])
    elif name == "ord" and isinstance(arguments[0], str | bytes):
        yield ord(arguments[0])
    elif name == "int" and isinstance(arguments[0], str | int) and len(str(arguments[0])) < 99:
        yield int(arguments[0])
    elif name in ("reversed", "list", "tuple") and isinstance(arguments[0], str | bytes | tuple):
        whole = tuple(arguments[0])
        yield whole[::-1] if name == "reversed" else whole


def _bytes(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[arg-type]


def _plain(value: Value) -> Value:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _small(value: Value) -> bool:
    if isinstance(value, int):
        return abs(value) < 1 << 64
    return not isinstance(value, str | bytes | tuple) or len(value) <= LONGEST


def _pads(template: str | bytes) -> bool:
    """Whether a template could ask for a width that fills the memory."""
    text = template if isinstance(template, str) else template.decode("latin-1")
    return any(
        len(run) > 3 for run in "".join(c if c.isdigit() else " " for c in text).split()
    ) and ("{" in text or "%" in text)


def _text(values: tuple[Value, ...]) -> str | None:
    return next((value for value in values if isinstance(value, str)), None)


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def running(names: Names) -> Iterator[ast.AST]:
    """Yields every node of a module but those that run only when the file itself is started."""
    waiting: list[ast.AST] = [names.tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.orelse if by_hand(node, names) else ast.iter_child_nodes(node))


def called(names: Names, entry: str) -> Iterator[ast.AST]:
    """Yields what runs on import, and in functions that are then named, from `entry` on."""
    functions: dict[str, list[ast.AST]] = {}
    known = {entry}
    waiting: list[ast.AST] = [names.tree]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.FunctionDef(name=name, body=body) | ast.AsyncFunctionDef(name=name, body=body):
                waiting.extend([*node.decorator_list, node.args])
                functions.setdefault(name, []).extend(body)
            case _:
                waiting.extend(node.orelse if by_hand(node, names) else ast.iter_child_nodes(node))
        if isinstance(node, ast.Name | ast.Attribute):
            known.add(node.id if isinstance(node, ast.Name) else node.attr)
        for name in known & functions.keys():
            waiting.extend(functions.pop(name))


def by_hand(node: ast.AST, names: Names) -> TypeGuard[ast.If]:
    """Returns whether a node is a branch that is taken only when the file itself is started."""
    match node:
        case ast.If(
            test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[other])
        ):
            return "__main__" in names.values(other) and "__name__" not in names.bound
    return False
