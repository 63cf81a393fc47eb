"""One Python text as scopes, bindings and places: what is bound where, called, stored, tested.

An index is made in one walk, without recursion, and depends on nothing but the text, so that it
can be shared between all snapshots that hold the same text.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

ANY: int | None = None
"""In a way into a value: some element, whichever."""
Way = tuple[int | None, ...]
"""How a name is drawn from a value: `(1,)` is its second element, `(None, 0)` the first of any."""


class Sort(Enum):
    """What a scope belongs to."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    """A `def` or a `lambda`."""
    LOOP = "loop"
    """A comprehension."""


class Binding(NamedTuple):
    """One of the things that a name may stand for."""

    value: "ast.expr | Scope | str | None"
    """An expression, a function or class, the dotted name of an import, or nothing known."""
    way: Way = ()
    line: int = 0
    added: "Added | None" = None
    """Set where the value is joined to what the name held before."""


class Added(NamedTuple):
    """`name += value`, perhaps once per turn of a loop."""

    op: ast.operator
    loop: ast.For | None


@dataclass(eq=False, slots=True, repr=False)
class Scope:
    """A module, class, function or comprehension, and the names it binds."""

    sort: Sort
    name: str
    """Qualified, without the module's; empty for a module."""
    node: ast.AST
    parent: "Scope | None"
    index: "Index"
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Names declared `global` or `nonlocal`."""
    parameters: tuple[str, ...] = ()
    """The positional parameters of a function, in order."""
    returns: list[ast.expr] = field(default_factory=list)
    mentions: set[str] = field(default_factory=set)
    """Names, attributes and texts that occur in it, by which it may reach a function."""
    by_hand: list[tuple[str, ast.expr]] = field(default_factory=list)
    """Those under a test of `__name__`, with what it is compared with."""

    def bind(self, name: str, binding: Binding) -> None:
        """Notes one of the things that a name may stand for."""
        self.bindings.setdefault(name, []).append(binding)

    @property
    def bare(self) -> str:
        """The name alone."""
        return self.name.rpartition(".")[2]

    @property
    def is_method(self) -> bool:
        """Whether it is a function that a class holds."""
        return (
            self.sort is Sort.FUNCTION
            and self.parent is not None
            and self.parent.sort is Sort.CLASS
        )

    def function(self) -> "Scope":
        """Returns the innermost scope that runs as a whole: what holds a comprehension."""
        scope = self
        while scope.sort is Sort.LOOP and scope.parent is not None:
            scope = scope.parent
        return scope


class Place(NamedTuple):
    """An expression or statement, and where it stands."""

    node: ast.AST
    scope: Scope
    by_hand: ast.expr | None
    """Set where it runs only if `__name__` equals this."""


class Stored(NamedTuple):
    """An attribute or item that is assigned to, deleted, or bound by a loop."""

    target: ast.Attribute | ast.Subscript
    value: ast.expr | None
    way: Way
    place: Place


@dataclass(eq=False, repr=False)
class Index:
    """What one Python text holds."""

    tree: ast.Module
    path: str = ""
    shift: int = 0
    """Lines of the file above the text."""
    at: int | None = None
    """The one line that stands for all: what is executed from a text has no lines of its own."""
    bound_by_texts: bool = False
    """Texts that one program executes have bound names here: no other can share it."""
    within: "Scope | None" = None
    """The scope that a text is executed in."""
    by_hand: ast.expr | None = None
    """Set where that happens only if `__name__` equals this."""
    root: Scope = field(init=False)
    scopes: list[Scope] = field(default_factory=list)
    calls: list[Place] = field(default_factory=list)
    attributes: list[Place] = field(default_factory=list)
    """Attributes and items that are read."""
    stored: list[Stored] = field(default_factory=list)
    tests: list[Place] = field(default_factory=list)
    """What `if`, `while` and conditional expressions decide by."""
    branches: list[ast.If | ast.While | ast.IfExp] = field(default_factory=list)
    """What stands under each of them."""
    constants: list[ast.Constant] = field(default_factory=list)
    """In the order of the text, but for annotations."""
    collections: list[ast.Dict | ast.List | ast.Set | ast.Tuple] = field(default_factory=list)
    """What is written down as a table or a row, but for annotations."""
    annotations: list[ast.expr] = field(default_factory=list)
    statements: list[Place] = field(default_factory=list)
    """Statements through which data flows: bindings, returns, loops."""
    fields: dict[str, list[Stored]] = field(default_factory=dict)
    """Stored attributes by name."""
    imports: list[tuple[str, Place]] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)
    """Modules that everything is imported from."""

    def line(self, node: ast.AST) -> int:
        """Returns the line of the file that a node stands on."""
        return self.at if self.at is not None else getattr(node, "lineno", 0) + self.shift

    def __post_init__(self) -> None:
        self.root = Scope(Sort.MODULE, "", self.tree, self.within, self)
        _Walk(self).run()


class _Walk:
    """One walk over a tree, with a stack of its own: nesting is the author's to choose."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._waiting: list[tuple[ast.AST, Scope, ast.expr | None, ast.For | None]] = []
        self._scope = index.root
        self._by_hand = index.by_hand
        self._loop: ast.For | None = None

    def run(self) -> None:
        index = self._index
        index.scopes.append(index.root)
        waiting = self._waiting
        by_hand = index.by_hand
        waiting.extend((node, index.root, by_hand, None) for node in reversed(index.tree.body))
        while waiting:
            node, self._scope, self._by_hand, self._loop = waiting.pop()
            handle = HANDLERS.get(type(node))
            if handle is None:
                self._children(node)
            else:
                handle(self, node)

    def _children(self, node: ast.AST) -> None:
        self._push(children(node))

    def _push(self, nodes: Iterable[ast.AST | None], scope: Scope | None = None) -> None:
        where, by_hand, loop = scope or self._scope, self._by_hand, self._loop
        if scope is not None and scope is not self._scope:
            loop = None
        self._waiting.extend(
            [(node, where, by_hand, loop) for node in nodes if node is not None][::-1]
        )

    def _mention(self, word: str) -> None:
        if self._by_hand is None:
            self._scope.mentions.add(word)
        else:
            self._scope.by_hand.append((word, self._by_hand))

    def _place(self, node: ast.AST) -> Place:
        return Place(node, self._scope, self._by_hand)

    # ---- expressions

    def name(self, node: ast.Name) -> None:
        _settle(node, self._scope)
        if isinstance(node.ctx, ast.Load):
            self._mention(node.id)

    def attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self._index.attributes.append(self._place(node))
            self._mention(node.attr)
        self._push((node.value,))

    def subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load):
            self._index.attributes.append(self._place(node))
        self._push((node.value, node.slice))

    def constant(self, node: ast.Constant) -> None:
        self._index.constants.append(node)
        if isinstance(node.value, str) and len(node.value) < 200:
            self._mention(node.value)

    def collection(self, node: ast.Dict | ast.List | ast.Set | ast.Tuple) -> None:
        self._index.collections.append(node)
        self._children(node)

    def call(self, node: ast.Call) -> None:
        self._index.calls.append(self._place(node))
        self._push((node.func, *node.args, *(keyword.value for keyword in node.keywords)))

    def walrus(self, node: ast.NamedExpr) -> None:
        self._index.statements.append(self._place(node))
        _settle(node.target, self._scope)
        self._scope.function().bind(node.target.id, Binding(node.value, line=node.lineno))
        self._push((node.value,))

    def lambda_(self, node: ast.Lambda) -> None:
        scope = self._open(Sort.FUNCTION, "<lambda>", node)
        self._parameters(node.args, scope)
        scope.returns.append(node.body)
        self._push((node.body,), scope)

    def comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        scope = self._open(Sort.LOOP, "", node)
        outer = self._scope
        self._push((node.generators[0].iter,), outer)
        inner: list[ast.AST] = []
        for number, loop in enumerate(node.generators):
            self._target(loop.target, loop.iter, (ANY,), scope)
            inner += [loop.target, *loop.ifs]
            if number:
                inner.append(loop.iter)
        inner += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._push(inner, scope)
        self._index.statements.append(Place(node, scope, self._by_hand))

    def if_expression(self, node: ast.IfExp) -> None:
        self._index.tests.append(self._place(node.test))
        self._index.branches.append(node)
        self._children(node)

    # ---- statements

    def import_(self, node: ast.Import) -> None:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            full = alias.name if alias.asname else bound
            self._scope.bind(bound, Binding(full, line=node.lineno))
            self._index.imports.append((alias.name, self._place(node)))

    def import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            folders = self._index.path.split("/")[:-1]
            kept = folders[: len(folders) - node.level + 1]
            module = ".".join([*kept, *([module] if module else [])])
        for alias in node.names:
            self._index.imports.append((f"{module}.{alias.name}", self._place(node)))
            if alias.name == "*":
                self._index.stars.append(module)
            else:
                full = f"{module}.{alias.name}" if module else alias.name
                self._scope.bind(alias.asname or alias.name, Binding(full, line=node.lineno))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        scope = self._open(Sort.FUNCTION, node.name, node)
        self._scope.bind(node.name, Binding(scope, line=node.lineno))
        self._parameters(node.args, scope)
        if node.returns is not None:
            self._index.annotations.append(node.returns)
        for decorator in node.decorator_list:
            self._decorated(node, decorator)
        self._push(node.decorator_list)
        self._push(node.body, scope)

    def class_(self, node: ast.ClassDef) -> None:
        scope = self._open(Sort.CLASS, node.name, node)
        self._scope.bind(node.name, Binding(scope, line=node.lineno))
        for decorator in node.decorator_list:
            self._decorated(node, decorator)
        self._push([*node.decorator_list, *node.bases, *(item.value for item in node.keywords)])
        self._push(node.body, scope)

    def assign(self, node: ast.Assign) -> None:
        self._index.statements.append(self._place(node))
        for target in node.targets:
            self._target(target, node.value, (), self._scope)
        self._children(node)

    def annotated(self, node: ast.AnnAssign) -> None:
        self._index.annotations.append(node.annotation)
        if node.value is not None:
            self._index.statements.append(self._place(node))
            self._target(node.target, node.value, (), self._scope)
        self._push((node.target, node.value))

    def augmented(self, node: ast.AugAssign) -> None:
        self._index.statements.append(self._place(node))
        if isinstance(node.target, ast.Name):
            added = Added(node.op, self._loop)
            self._bind(node.target.id, Binding(node.value, (), node.lineno, added), self._scope)
        else:
            self._target(node.target, node.value, (), self._scope)
        self._children(node)

    def deleted(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Attribute | ast.Subscript):
                self._store(target, None, ())
        self._children(node)

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        self._index.statements.append(self._place(node))
        self._target(node.target, node.iter, (ANY,), self._scope)
        self._push((node.target, node.iter))
        outer = self._loop
        self._loop = node if isinstance(node, ast.For) else outer
        self._push([*node.body, *node.orelse])
        self._loop = outer

    def with_item(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._index.statements.append(self._place(node))
            self._target(node.optional_vars, node.context_expr, (), self._scope)
        self._children(node)

    def returned(self, node: ast.Return | ast.Yield | ast.YieldFrom) -> None:
        if node.value is not None:
            self._index.statements.append(self._place(node))
            self._scope.function().returns.append(node.value)
            self._push((node.value,))

    def if_(self, node: ast.If) -> None:
        self._index.tests.append(self._place(node.test))
        self._index.branches.append(node)
        self._push((node.test,))
        self._push(node.orelse)
        if (name := _asked_name(node.test)) is not None:
            outer, self._by_hand = self._by_hand, self._by_hand or name
            self._push(node.body)
            self._by_hand = outer
        else:
            self._push(node.body)

    def while_(self, node: ast.While) -> None:
        self._index.tests.append(self._place(node.test))
        self._index.branches.append(node)
        self._children(node)

    def handler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._scope.bind(node.name, Binding(None, line=node.lineno))
        self._push((node.type,))
        self._push(node.body)

    def declared(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            self._scope.elsewhere[name] = "global" if isinstance(node, ast.Global) else "nonlocal"

    def matched(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._scope.bind(node.name, Binding(None, line=node.lineno))
        self._children(node)

    # ---- parts

    def _open(self, sort: Sort, name: str, node: ast.AST) -> Scope:
        above = self._scope.name
        scope = Scope(sort, f"{above}.{name}".strip("."), node, self._scope, self._index)
        self._index.scopes.append(scope)
        node.__dict__["opens"] = scope
        return scope

    def _decorated(self, node: ast.FunctionDef | ast.ClassDef | ast.AST, by: ast.expr) -> None:
        """A decorator is a call that is given what it decorates."""
        name = ast.copy_location(ast.Name(id=getattr(node, "name", ""), ctx=ast.Load()), by)
        _settle(name, self._scope)
        call = ast.copy_location(ast.Call(func=by, args=[name], keywords=[]), by)
        self._index.calls.append(self._place(call))

    def _parameters(self, args: ast.arguments, scope: Scope) -> None:
        positional = [*args.posonlyargs, *args.args]
        scope.parameters = tuple(arg.arg for arg in positional)
        for arg in (*positional, *args.kwonlyargs):
            scope.bind(arg.arg, Binding(scope, line=arg.lineno))
        rests = [rest for rest in (args.vararg, args.kwarg) if rest is not None]
        for rest in rests:
            scope.bind(rest.arg, Binding(None, line=rest.lineno))
        self._index.annotations += [
            arg.annotation
            for arg in (*positional, *args.kwonlyargs, *rests)
            if arg.annotation is not None
        ]
        first = len(positional) - len(args.defaults)
        pairs = [*zip(positional[first:], args.defaults, strict=True)]
        pairs += [
            (arg, value)
            for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if value is not None
        ]
        for arg, value in pairs:
            scope.bind(arg.arg, Binding(value, line=arg.lineno))
        self._push([value for _, value in pairs])

    def _target(self, target: ast.expr, value: ast.expr, way: Way, scope: Scope) -> None:
        """Binds the names of a target to a value, or to what lies within it."""
        waiting: list[tuple[ast.expr, Way]] = [(target, way)]
        while waiting:
            target, way = waiting.pop()
            match target:
                case ast.Name(id=name):
                    self._bind(name, Binding(value, way, target.lineno), scope)
                case ast.Tuple(elts=items) | ast.List(elts=items):
                    stars = any(isinstance(item, ast.Starred) for item in items)
                    waiting += [
                        (item, (*way, ANY if stars else number))
                        for number, item in enumerate(items)
                    ]
                case ast.Starred(value=inner):
                    waiting.append((inner, way[:-1]))
                case ast.Attribute() | ast.Subscript():
                    self._store(target, value, way)

    def _bind(self, name: str, binding: Binding, scope: Scope) -> None:
        where = scope
        if (declared := scope.elsewhere.get(name)) is not None:
            where = scope.index.root if declared == "global" else (scope.parent or scope)
        where.bind(name, binding)

    def _store(
        self, target: ast.Attribute | ast.Subscript, value: ast.expr | None, way: Way
    ) -> None:
        stored = Stored(target, value, way, self._place(target))
        self._index.stored.append(stored)
        if isinstance(target, ast.Attribute):
            self._index.fields.setdefault(target.attr, []).append(stored)


HANDLERS: dict[type[ast.AST], Callable[[_Walk, Any], None]] = {
    ast.Name: _Walk.name, ast.Attribute: _Walk.attribute, ast.Subscript: _Walk.subscript,
    ast.Constant: _Walk.constant, ast.Dict: _Walk.collection, ast.List: _Walk.collection,
    ast.Set: _Walk.collection, ast.Tuple: _Walk.collection, ast.Call: _Walk.call,
    ast.NamedExpr: _Walk.walrus,
    ast.Lambda: _Walk.lambda_, ast.ListComp: _Walk.comprehension,
    ast.SetComp: _Walk.comprehension, ast.GeneratorExp: _Walk.comprehension,
    ast.DictComp: _Walk.comprehension, ast.IfExp: _Walk.if_expression,
    ast.Import: _Walk.import_, ast.ImportFrom: _Walk.import_from,
    ast.FunctionDef: _Walk.function, ast.AsyncFunctionDef: _Walk.function,
    ast.ClassDef: _Walk.class_, ast.Assign: _Walk.assign, ast.AnnAssign: _Walk.annotated,
    ast.AugAssign: _Walk.augmented, ast.Delete: _Walk.deleted, ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop, ast.withitem: _Walk.with_item, ast.Return: _Walk.returned,
    ast.Yield: _Walk.returned, ast.YieldFrom: _Walk.returned, ast.If: _Walk.if_,
    ast.While: _Walk.while_, ast.ExceptHandler: _Walk.handler, ast.Global: _Walk.declared,
    ast.Nonlocal: _Walk.declared, ast.MatchAs: _Walk.matched, ast.MatchStar: _Walk.matched,
}  # fmt: skip
"""Each takes the node that it is listed for; all others only hold others."""


_HOLDERS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in ("arg", "attr", "ctx", "id"))
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each sort of node in which other nodes may lie."""


def _asked_name(test: ast.expr) -> ast.expr | None:
    """What `__name__` is asked to be."""
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[other]):
            return other
        case ast.Compare(left=other, ops=[ast.Eq()], comparators=[ast.Name(id="__name__")]):
            return other
    return None


def _settle(name: ast.Name, scope: Scope) -> None:
    name.__dict__["home"] = scope  # a table by node would cost more than all the rest


def home(name: ast.Name) -> Scope | None:
    """Returns the scope that a name is looked up from."""
    scope: Scope | None = name.__dict__.get("home")
    return scope


def opened(node: ast.AST) -> Scope:
    """Returns the scope that a function, lambda, class or comprehension opens.

    Raises:
        KeyError: it opens none.
    """
    scope: Scope = node.__dict__["opens"]
    return scope


def nested(node: ast.AST) -> Iterator[ast.AST]:
    """Yields a node and what is within it, in the order of the text, without recursion."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(children(current))


def children(node: ast.AST) -> list[ast.AST]:
    """Returns what lies directly in a node, as `ast.iter_child_nodes` but for contexts.

    Whole libraries are walked, and generators in generators are slow.
    """
    found: list[ast.AST] = []
    for name in _HOLDERS[type(node)]:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found
