"""Follows data from forbidden files to scored ones through changed Python and shell scripts.

Names are followed per function, without regard to order, through assignments, calls of the
attempt's own functions, mutation, and intermediate files. What is only measured (a length, a
norm, a comparison) carries nothing.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from auditor.code import shell
from auditor.code.names import UNKNOWN, Names, raw
from auditor.code.source import ChangedSource, parse

MEASURES = frozenset({
    "allclose", "assert_allclose", "assert_close", "cosine_similarity", "device", "dist", "dtype",
    "equal", "exists", "format", "getsize", "hexdigest", "is_dir", "is_file", "isclose", "isdir",
    "isfile", "isinstance", "item", "keys", "len", "mse_loss", "norm", "numel", "print", "shape",
    "size", "stat", "vector_norm",
})  # fmt: skip
"""Calls and attributes whose result tells about data but is not the data."""
REMOVERS = frozenset({"chdir", "makedirs", "mkdir", "remove", "rmdir", "rmtree", "unlink", "walk"})
RUNNERS = frozenset({
    "call", "check_call", "check_output", "getoutput", "popen", "Popen", "run", "system",
})  # fmt: skip
"""Calls that are given a command line, as text or as a list."""
WRITERS = RUNNERS | {
    "copy", "copy2", "copyfile", "copyfileobj", "copytree", "dump", "hardlink_to", "link",
    "link_to", "move", "rename", "replace", "save", "save_file", "save_model", "save_pretrained",
    "savez", "sendfile", "serialize_file", "symlink", "symlink_to", "tofile", "write",
    "write_bytes", "write_text", "writelines",
}  # fmt: skip
MUTATORS = frozenset({
    "add_", "append", "copy_", "data", "extend", "fill_", "insert", "lerp_", "load_state_dict",
    "put", "setdefault", "set_", "update",
})  # fmt: skip
PASSES = 6
"""Rounds until nothing new is carried; chains of files and functions are seldom longer."""

Labels = frozenset[tuple[str, int]]
NONE: Labels = frozenset()


class Use(NamedTuple):
    """A place that reads a forbidden file."""

    path: str
    line: int
    flow: bool
    """What it read reaches a scored file."""


@dataclass(frozen=True)
class Paths:
    """Which paths are forbidden to draw on, and which are scored."""

    origin: Callable[[str], bool]
    target: Callable[[str], bool]


def uses(sources: Sequence[ChangedSource], paths: Paths) -> list[Use]:
    """Returns the places that read a forbidden file, by file and line."""
    return _Program(sources, paths).uses()


@dataclass
class _Module:
    """Python text: a file, or a part of a shell script."""

    path: str
    tree: ast.Module
    names: Names
    shift: int = 0
    """Lines of the script above it."""

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        """Functions of the module by their bare names."""
        return {
            node.name: node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }

    @cached_property
    def nodes(self) -> tuple[tuple[str, ast.AST], ...]:
        """Every node with the innermost function that holds it."""
        return tuple(_scoped(self.tree, ""))

    @cached_property
    def local(self) -> frozenset[tuple[str, str]]:
        """Names that a function binds itself."""
        found = set()
        for scope, node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add((scope, node.id))
            elif isinstance(node, ast.arg):
                found.add((scope, node.arg))
        return frozenset(found)


@dataclass
class _Program:
    sources: Sequence[ChangedSource]
    paths: Paths
    read: set[tuple[str, int]] = field(default_factory=set)
    reaching: set[tuple[str, int]] = field(default_factory=set)
    carried: dict[tuple[str, str, str], Labels] = field(default_factory=dict)
    """(module, function, name) to the reads whose data it holds."""
    handles: set[tuple[str, str, str]] = field(default_factory=set)
    """Names that stand for a scored file."""
    copies: dict[str, Labels] = field(default_factory=dict)
    """Other files that hold the data, by path."""
    modules: dict[str, _Module] = field(default_factory=dict)

    def uses(self) -> list[Use]:
        modules = list(_modules(self.sources))
        self.modules = {_stem(module.path): module for module in reversed(modules)}
        for _ in range(PASSES):
            before = self._state()
            for source in self.sources:
                if source.language == "shell":
                    self._shell(source)
            for module in modules:
                _Walk(self, module).run()
            if self._state() == before:
                break
        return [Use(path, line, (path, line) in self.reaching) for path, line in sorted(self.read)]

    def _state(self) -> tuple[int, ...]:
        labels = [*self.carried.values(), *self.copies.values()]
        return (len(self.read), len(self.reaching), len(self.handles), sum(map(len, labels)))

    def origin(self, text: str, place: tuple[str, int]) -> Labels:
        """What a path, or a command line, draws on."""
        labels: Labels = NONE
        for word in re.split(r"[\s'\"<>;|&()]+", text):
            if word and self.paths.origin(word):
                self.read.add(place)
                labels |= {place}
            labels |= self._copied(word)
        return labels

    def target(self, text: str) -> bool:
        """Whether a path, or a command line, names a scored file."""
        return any(self.paths.target(word) for word in re.split(r"[\s'\"<>;|&()]+", text))

    def keep(self, text: str, labels: Labels) -> None:
        """Notes that a file holds the data now."""
        path = _normal(text)
        if labels and path and UNKNOWN not in path and not self.paths.origin(path):
            self.copies[path] = self.copies.get(path, NONE) | labels

    def _copied(self, word: str) -> Labels:
        path = _normal(word)
        labels: Labels = NONE
        while path:
            labels |= self.copies.get(path, NONE)
            path = path.rpartition("/")[0]
        return labels

    def _shell(self, source: ChangedSource) -> None:
        for command in shell.commands(source.text):
            if not command.written:
                continue
            place = (source.path, command.line)
            labels: Labels = NONE
            for word in command.words:
                labels |= self.origin(word, place)
            if not labels:
                continue
            if any(self.target(word) for word in command.written):
                self.reaching |= labels
            for word in command.written:
                if re.fullmatch(r"[\w./-]+", word) and word not in shell.COPIERS and word[0] != "-":
                    self.keep(word, labels)


class _Walk:
    """One pass over one module."""

    def __init__(self, program: _Program, module: _Module) -> None:
        self._program = program
        self._module = module
        self._scope = ""

    def run(self) -> None:
        for scope, node in self._module.nodes:
            self._scope = scope
            match node:
                case ast.Assign(targets=targets, value=value):
                    self._bind(targets, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._bind([target], value)
                case ast.AugAssign(target=target, value=value):
                    self._bind([target], value)
                case ast.NamedExpr(target=target, value=value):
                    self._bind([target], value)
                case ast.For(target=target, iter=value):
                    self._bind([target], value)
                case ast.comprehension(target=target, iter=value):
                    self._bind([target], value)
                case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                    self._bind([target], value)
                case ast.Return(value=ast.expr() as value) | ast.Yield(value=ast.expr() as value):
                    self._carry((self._module.path, self._scope, "return"), self._labels(value))
                case ast.Call():
                    self._call(node)

    def _bind(self, targets: Iterable[ast.expr], value: ast.expr) -> None:
        labels = self._labels(value)
        handle = isinstance(value, ast.Call) and self._is_target(value)
        for target in targets:
            for key in self._keys(target):
                self._carry(key, labels)
                if handle:
                    self._program.handles.add(key)

    def _carry(self, key: tuple[str, str, str], labels: Labels) -> None:
        if labels:
            carried = self._program.carried
            carried[key] = carried.get(key, NONE) | labels

    def _keys(self, target: ast.expr) -> Iterator[tuple[str, str, str]]:
        """The names that a target binds or changes."""
        if isinstance(target, ast.Tuple | ast.List):
            for item in target.elts:
                yield from self._keys(item)
            return
        while isinstance(target, ast.Subscript | ast.Starred | ast.Call) or (
            isinstance(target, ast.Attribute) and raw(target) is None
        ):
            target = target.func if isinstance(target, ast.Call) else target.value
        if (name := raw(target)) is not None:
            yield self._key(name)
            if isinstance(target, ast.Attribute) and not name.startswith("self."):
                yield self._key(name.partition(".")[0])

    def _key(self, name: str) -> tuple[str, str, str]:
        local = (self._scope, name.partition(".")[0]) in self._module.local
        scope = self._scope if local and not name.startswith("self.") else ""
        return (self._module.path, scope, name)

    def _labels(self, node: ast.AST) -> Labels:
        """The reads whose data an expression holds."""
        match node:
            case ast.Compare() | ast.Constant() | ast.Lambda():
                return NONE
            case ast.Attribute(attr=attr) if attr in MEASURES:
                return NONE
            case ast.Name() | ast.Attribute():
                return self._named(node)
            case ast.Call(func=func):
                if _last(func) in MEASURES:
                    return NONE
                return self._read(node) | self._returned(node) | self._children(node)
        return self._children(node)

    def _children(self, node: ast.AST) -> Labels:
        labels: Labels = NONE
        for child in ast.iter_child_nodes(node):
            labels |= self._labels(child)
        return labels

    def _named(self, node: ast.Name | ast.Attribute) -> Labels:
        name = raw(node)
        if name is None:
            return self._children(node)
        parts = name.split(".")
        prefixes = [".".join(parts[: end + 1]) for end in range(len(parts))]
        labels: Labels = NONE
        for prefix in prefixes:
            labels |= self._program.carried.get(self._key(prefix), NONE)
        full = self._module.names.dotted(node) or ""
        for other, scope, its in list(self._program.carried):
            if not scope and f"{_stem(other)}.{its}" == full:
                labels |= self._program.carried[(other, scope, its)]
        return labels

    def _read(self, call: ast.Call) -> Labels:
        """What a call draws from forbidden files, unless it only builds or removes a path."""
        last = _last(call.func)
        if last in REMOVERS or last in MEASURES or self._module.names.values(call):
            return NONE
        place = (self._module.path, call.lineno + self._module.shift)
        labels: Labels = NONE
        for text in self._texts(call):
            labels |= self._program.origin(text, place)
        return labels

    def _texts(self, call: ast.Call) -> Iterator[str]:
        """The constant paths and commands that a call is given, its object included."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        given += [call.func.value] if isinstance(call.func, ast.Attribute) else []
        for node in given:
            inner = node.value if isinstance(node, ast.Starred) else node
            for value in self._module.names.values(inner):
                if isinstance(value, tuple):
                    yield " ".join(str(item) for item in value)
                elif isinstance(value, str | bytes):
                    yield value if isinstance(value, str) else value.decode("utf-8", "replace")

    def _is_target(self, call: ast.Call) -> bool:
        if _last(call.func) in RUNNERS:
            return any(self._program.target(word) for word in self._written(call))
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        given += [call.func.value] if isinstance(call.func, ast.Attribute) else []
        if any(self._program.target(text) for text in self._texts(call)):
            return True
        if any(isinstance(node, ast.Call) and self._is_target(node) for node in given):
            return True
        names = [raw(node) for node in given]
        return any(name is not None and self._key(name) in self._program.handles for name in names)

    def _call(self, call: ast.Call) -> None:
        labels = self._read(call)
        for node in (*call.args, *(keyword.value for keyword in call.keywords)):
            labels |= self._labels(node)
        self._given(call)
        last = _last(call.func)
        if last in MUTATORS and labels and isinstance(call.func, ast.Attribute):
            self._mutated(call.func.value, labels)
        if last not in WRITERS:
            return
        if isinstance(call.func, ast.Attribute):
            labels |= self._labels(call.func.value)
        if self._is_target(call):
            self._program.reaching |= labels
        kept = self._written(call) if last in RUNNERS else self._texts(call)
        for text in kept:
            if not re.search(r"\s", text):
                self._program.keep(text, labels)

    def _written(self, call: ast.Call) -> Iterator[str]:
        """The words that a command line in a call may write to."""
        for text in self._texts(call):
            for command in shell.commands(text):
                yield from command.written

    def _mutated(self, owner: ast.expr, labels: Labels) -> None:
        """Marks what a method changed, and what a loop variable was drawn from."""
        for key in self._keys(owner):
            self._carry(key, labels)
            root = key[2].partition(".")[0]
            for _, node in self._module.nodes:
                if isinstance(node, ast.For) and root in _names(node.target):
                    for name in _names(node.iter):
                        self._carry(self._key(name), labels)

    def _given(self, call: ast.Call) -> None:
        """Hands what the arguments hold to the parameters of the attempt's own functions."""
        function = self._function(call)
        if function is None:
            return
        module, node = function
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        if names[:1] == ["self"]:
            names = names[1:]
        pairs = list(zip(names, call.args, strict=False))
        pairs += [(item.arg, item.value) for item in call.keywords if item.arg]
        for name, value in pairs:
            key = (module.path, node.name, name)
            self._carry(key, self._labels(value))
            texts = [item for item in self._module.names.values(value) if isinstance(item, str)]
            for text in texts:
                module.names.bound.setdefault(name, [])
                if not any(
                    isinstance(known, ast.Constant) and known.value == text
                    for known in module.names.bound[name]
                ):
                    module.names.bound[name].append(ast.Constant(value=text))

    def _returned(self, call: ast.Call) -> Labels:
        function = self._function(call)
        if function is None:
            return NONE
        module, node = function
        return self._program.carried.get((module.path, node.name, "return"), NONE)

    def _function(
        self, call: ast.Call
    ) -> tuple[_Module, ast.FunctionDef | ast.AsyncFunctionDef] | None:
        name = _last(call.func)
        if name in self._module.functions:
            return self._module, self._module.functions[name]
        full = self._module.names.dotted(call.func) or ""
        stem, _, last = full.rpartition(".")
        owner = self._program.modules.get(stem.rpartition(".")[2])
        if owner is not None and last in owner.functions:
            return owner, owner.functions[last]
        return None


def _modules(sources: Iterable[ChangedSource]) -> Iterator[_Module]:
    """Every Python text of the changed files, knowing each other by name."""
    beside: dict[str, Names] = {}
    for source in sources:
        parts = [(source.tree, 0)]
        if source.language == "shell":
            parts = [(parse(item.text), item.line - 1) for item in shell.python(source.text)]
        for tree, shift in parts:
            if tree is not None:
                names = Names(tree, beside)
                beside.setdefault(_stem(source.path), names)
                yield _Module(source.path, tree, names, shift)


def _scoped(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
    waiting = [(scope, node)]
    while waiting:
        where, current = waiting.pop()
        yield where, current
        inner = where
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = current.name
        waiting.extend((inner, child) for child in ast.iter_child_nodes(current))


def _names(node: ast.AST) -> set[str]:
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}


def _normal(text: str) -> str:
    return re.sub(r"/+", "/", text).removeprefix("./").strip("/")


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
