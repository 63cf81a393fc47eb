"""What expressions refer to, and which constants they may be, across scopes, calls and files.

Everything is looked up when it is asked for, remembered, and bounded: the code is hostile. Where
several things are possible all are given; where nothing is known, nothing is.
"""

import ast
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar, cast

from auditor.code import folding
from auditor.code.arguments import UNGIVEN, Given, Option, option, taken
from auditor.code.folding import UNKNOWN, Value
from auditor.code.scopes import ANY, Binding, Index, Scope, Sort, Stored, Way, home, opened

T = TypeVar("T")
Thing = str | Scope
"""The dotted name of something foreign, or a module, class or function of the program's own.

`f()` is what a call of the foreign `f` gives, `x[]` an item of it; `?` is an unknown owner.
"""
Things = tuple[Thing, ...]
NOTHING: Things = ()
Key = tuple[str, ast.AST | Scope, str]
Environment = Mapping[str, tuple[Value, ...]]
"""Values of loop variables, while a loop over constants is unrolled."""

MOST = 16
"""Things and values followed per expression."""
DEEPEST = 30
"""Expressions that one answer may lead through."""
STEPS = 200_000
"""Expressions looked at per file, on average; far more than honest code needs."""
LONGEST_NAME = 240
ENVIRONMENT = frozenset({"os.getenv", "os.environ.get"})

IMPORTERS = frozenset({
    "__import__", "builtins.__import__", "importlib.__import__", "importlib.import_module",
    "pkgutil.resolve_name", "sys.modules.get", "sys.modules.__getitem__", "sys.modules.pop",
    "pydoc.locate", "importlib.util.find_spec",
})  # fmt: skip
GETTERS = frozenset({
    "getattr", "inspect.getattr_static", "object.__getattribute__", "type.__getattribute__",
    "operator.getitem",
})  # fmt: skip
NAMESPACES = frozenset({"globals()", "locals()", "vars()"})
PARTIALS = frozenset({"functools.partial", "functools.partialmethod", "partial"})
COPIES = frozenset({"list", "tuple", "sorted", "reversed", "iter", "set"})
"""Calls that give the elements of their first argument."""
SOME_MODULE = r"^sys\.modules(\.\w+\(\))*(\[\])+\."
"""How names begin that are of a module which is looked for among all that are loaded."""
SAME = frozenset({"importlib.reload", "copy.copy", "copy.deepcopy", "typing.cast", "iter"})
"""Calls that give their last argument, or something like it."""


class Target(NamedTuple):
    """What a call calls, with the arguments that it is given in the end."""

    thing: Thing
    args: tuple[ast.expr, ...]
    keywords: tuple[ast.keyword, ...]


@dataclass(eq=False)
class Resolver:
    """Answers what expressions refer to, over the modules of one program."""

    modules: Mapping[str, Index]
    """Indexes by dotted name, from the root of the tree."""
    search: Mapping[Index, tuple[str, ...]] = field(default_factory=dict)
    """Dotted folders that each module's absolute imports look through."""
    given: Given = UNGIVEN
    """What the files are given when they are run."""
    _unique: tuple[Index, ...] = field(init=False)
    _most_steps: int = field(init=False)
    callers: dict[Scope, list[Target]] = field(default_factory=dict)
    """Calls of the program's own functions."""
    exhausted: bool = False
    """There was more to follow than `STEPS`."""
    _answers: dict[Key, object] = field(default_factory=dict)
    _for_now: dict[Key, object] = field(default_factory=dict)
    """Answers that were cut short, while the question they belong to is open."""
    _open: set[Key] = field(default_factory=set)
    _steps: int = 0
    _cuts: int = 0
    """Counts answers that were cut short, or rest on callers that are not known yet."""
    _grown: dict[tuple[Scope, str], list[ast.expr]] = field(default_factory=dict)
    settled: bool = False
    """All callers are known, so that answers that rest on them may be remembered."""

    def __post_init__(self) -> None:
        self._unique = tuple(dict.fromkeys(self.modules.values()))
        self._most_steps = STEPS * (1 + len(self._unique))

    def forget(self) -> None:
        """Drops every answer, since more is known of what names stand for."""
        for answers in (self._answers, self._for_now, self.callers, self._grown):
            answers.clear()
        self.settled = False

    # ---- what is referred to

    def things(self, node: ast.expr, depth: int = 0) -> Things:
        """Returns what an expression may refer to."""
        if isinstance(node, ast.Constant):
            return NOTHING
        key = self._key("things", node)
        known = self._answers.get(key)
        if known is not None:  # most questions are asked many times
            return cast(Things, known)
        return self._ask(key, depth, NOTHING, lambda: self._possible(node, depth))

    def _possible(self, node: ast.expr, depth: int) -> Things:
        try:
            return _few(self._find(node, depth + 1))
        except folding.WRONG:
            return NOTHING

    def _ask(self, key: Key, depth: int, nothing: T, answer: Callable[[], T]) -> T:
        """Returns an answer that is known, or finds it; `nothing` where it goes in circles."""
        known = self._answered(key)
        if known is not None:
            return cast(T, known)
        if key in self._open or not self._may(depth):
            self._cuts += 1
            return nothing
        self._open.add(key)
        before, found = self._cuts, nothing
        try:
            found = answer()
        finally:
            self._open.discard(key)
            self._remember(key, found, before)
        return found

    @staticmethod
    def _key(question: str, node: ast.expr) -> Key:
        """What an answer is remembered by: all uses of a variable have one."""
        if isinstance(node, ast.Name) and (scope := home(node)) is not None:
            return question, scope, node.id
        return question, node, ""

    def _answered(self, key: Key) -> object:
        found = self._answers.get(key)
        return self._for_now.get(key) if found is None else found

    def _remember(self, key: Key, found: object, before: int) -> None:
        """Keeps an answer: for good if nothing cut it short, else while the question is open."""
        if self._cuts == before or (self.settled and not self._open):
            self._answers[key] = found
        else:
            self._for_now[key] = found
        if not self._open:
            self._for_now.clear()

    def names(self, node: ast.expr) -> frozenset[str]:
        """Returns the dotted names of the foreign things that an expression may refer to."""
        return frozenset(thing for thing in self.things(node) if isinstance(thing, str))

    def _may(self, depth: int) -> bool:
        self._steps += 1
        self.exhausted = self.exhausted or self._steps > self._most_steps
        return depth < DEEPEST and not self.exhausted

    def _find(self, node: ast.expr, depth: int) -> Iterator[Thing]:
        match node:
            case ast.Name(id=name):
                scope = home(node)
                if scope is not None:
                    yield from self._name(name, scope, depth)
            case ast.Attribute(value=value, attr=attr):
                yield from self._member(self.things(value, depth), attr, value, depth)
            case ast.Call():
                for target in self.targets(node, depth):
                    yield from self._result(target, depth)
            case ast.Subscript():
                yield from self._item(node, depth)
            case ast.Lambda():
                yield opened(node)
            case ast.IfExp(body=body, orelse=orelse):
                yield from self.things(body, depth)
                yield from self.things(orelse, depth)
            case ast.BoolOp(values=options):
                for option in options:
                    yield from self.things(option, depth)
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                yield from self.things(value, depth)
            case ast.YieldFrom(value=value):
                yield from self.things(value, depth)

    def bindings(self, name: str, scope: Scope) -> tuple[Sequence[Binding], Scope] | None:
        """Returns what a name may stand for where it is used, and the scope that binds it."""
        where: Scope | None = scope
        if scope.function().elsewhere.get(name) == "global":
            where = scope.index.root
        while where is not None:
            skipped = where.sort is Sort.CLASS and where is not scope
            if not skipped and name in where.bindings:
                return where.bindings[name], where
            where = where.parent
        return None

    def _name(self, name: str, scope: Scope, depth: int) -> Iterator[Thing]:
        found = self.bindings(name, scope)
        if found is None:
            stars = self._starred(scope.index, name, depth)
            yield from stars
            if not stars or name in BUILTIN_NAMES:
                yield name
            return
        for binding in found[0][:MOST]:
            yield from self._bound(name, binding, found[1], depth)

    def _bound(self, name: str, binding: Binding, holder: Scope, depth: int) -> Iterator[Thing]:
        match binding.value:
            case Scope() as own if own is holder:
                yield from self._parameter(name, own, depth)
            case Scope() as own:
                yield own
            case str() as full:
                yield from self.imported(full, holder.index, depth)
            case ast.expr() as value if binding.added is None:
                yield from self._drawn(value, binding.way, depth)

    def _drawn(self, node: ast.expr, way: Way, depth: int) -> Iterator[Thing]:
        """Yields what a way through an expression leads to, be it through something foreign."""
        known = False
        for part in self.parts(node, way, depth):
            known = True
            yield from self.things(part, depth)
        if not known:
            for whole in self._copied(node, depth):
                if isinstance(whole, str):
                    yield f"{whole}{'[]' * len(way)}"[:LONGEST_NAME]

    def _copied(self, node: ast.expr, depth: int) -> Iterator[Thing]:
        """Yields what an expression stands for, or what it has its elements from."""
        for whole in self.origins(node, depth):
            source = self._source(whole, depth) if isinstance(whole, ast.Call) else None
            if source is not None and self._may(depth):
                yield from self._copied(source, depth + 1)
            else:
                yield from self.things(whole, depth)

    def _source(self, call: ast.Call, depth: int) -> ast.expr | None:
        """Returns what a call gives the elements of, or some of them, if it does that."""
        if not call.args or not self._may(depth):
            return None
        names = self.things(call.func, depth + 1)
        if "filter" in names:
            return call.args[-1]
        return None if COPIES.isdisjoint(names) else call.args[0]

    def module(self, full: str, index: Index | None) -> Index | None:
        """Returns the program's own module that an import finds, or None."""
        if full.partition(".")[0] in sys.builtin_module_names:
            return None  # nothing in a folder stands in the way of these
        folders = self.search.get(index, ("",)) if index is not None else self._everywhere
        for folder in folders:
            found = self.modules.get(f"{folder}.{full}" if folder else full)
            if found is not None:
                return found
        return None

    @property
    def _everywhere(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(itertools.chain.from_iterable(self.search.values()))) or ("",)

    def imported(self, full: str, index: Index | None, depth: int = 0) -> Iterator[Thing]:
        """Yields what a dotted name refers to: something of the program's own, or foreign."""
        full = full.removeprefix("builtins.")
        if (found := self.module(full, index)) is not None:
            yield found.root
            return
        parts = full.split(".")
        for end in range(len(parts) - 1, 0, -1):
            found = self.module(".".join(parts[:end]), index)
            if found is not None and self._may(depth):
                yield from self._path((found.root,), parts[end:], depth + 1)
                return
        yield full[:LONGEST_NAME]

    def _parameter(self, name: str, function: Scope, depth: int) -> Iterator[Thing]:
        if function.is_method and function.parameters[:1] == (name,):
            assert function.parent is not None, "a method is in a class"
            yield function.parent
            return
        self._cuts += not self.settled
        for argument in self.arguments(name, function):
            yield from self.things(argument, depth)

    def arguments(self, name: str, function: Scope) -> Iterator[ast.expr]:
        """Yields what callers give for a parameter."""
        for target in self.callers.get(function, ())[:MOST]:
            for parameter, argument in paired(function, target):
                if parameter == name:
                    yield argument

    def _member(
        self, owners: Things, attr: str, value: ast.expr | None, depth: int
    ) -> Iterator[Thing]:
        if attr == "__call__":
            yield from owners
            return
        for owner in owners:
            if isinstance(owner, str):
                yield self._joined(owner, attr)
            else:
                yield from self._own_member(owner, attr, value, depth)
        if not owners:
            yield f"?.{attr}"

    @staticmethod
    def _joined(owner: str, attr: str) -> str:
        if owner == "builtins":
            return attr
        if owner.endswith(".__dict__") and attr in ("get", "__getitem__", "pop", "setdefault"):
            return f"{owner}.{attr}"
        return f"{owner}.{attr}"[:LONGEST_NAME]

    def _own_member(
        self, owner: Scope, attr: str, value: ast.expr | None, depth: int
    ) -> Iterator[Thing]:
        if owner.sort is Sort.FUNCTION:
            yield f"<{owner.bare}>.{attr}"
            return
        known = owner.bindings.get(attr, ())
        for binding in known[:MOST]:
            yield from self._bound(attr, binding, owner, depth)
        if owner.sort is Sort.MODULE:
            if not known:
                yield from self._name_or_submodule(owner, attr, depth)
            return
        found = bool(known)
        for stored in owner.index.fields.get(attr, ())[:MOST]:
            if stored.value is not None and self.is_instance(stored.target.value, owner):
                found = True
                for part in self.parts(stored.value, stored.way, depth):
                    yield from self.things(part, depth)
        if not found:
            for base in getattr(owner.node, "bases", ())[:MOST]:
                for above in self.things(base, depth):
                    if above is not owner:
                        yield from self._member((above,), attr, None, depth + 1)

    def _name_or_submodule(self, owner: Scope, attr: str, depth: int) -> Iterator[Thing]:
        for name, index in self.modules.items():
            if index.root is owner and (inner := self.modules.get(f"{name}.{attr}")) is not None:
                yield inner.root
                return
        yield from self._starred(owner.index, attr, depth)
        if attr.startswith("__"):
            yield f"<module>.{attr}"

    def _starred(self, index: Index, name: str, depth: int) -> Things:
        """What a name stands for that a module may have from an `import *`; they may go round."""
        if not index.stars:
            return NOTHING
        found = self._through_stars(index, name, depth + 1)
        key: Key = ("starred", index.root, name)
        return self._ask(key, depth, NOTHING, lambda: _few(found))

    def _through_stars(self, index: Index, name: str, depth: int) -> Iterator[Thing]:
        for module in index.stars:
            other = self.module(module, index)
            if other is None:
                yield f"{module}.{name}"[:LONGEST_NAME]
            elif name in other.root.bindings:
                for binding in other.root.bindings[name][:MOST]:
                    yield from self._bound(name, binding, other.root, depth)
            else:
                yield from self._starred(other, name, depth)

    def is_instance(self, node: ast.expr, owner: Scope) -> bool:
        """Returns whether an expression is `self` in a class, or made by calling the class."""
        if isinstance(node, ast.Name) and (scope := home(node)) is not None:
            function = scope.function()
            if function.parent is owner and function.parameters[:1] == (node.id,):
                return True
        return owner in cast(Things, self._answers.get(self._key("things", node), NOTHING))

    # ---- calls

    def targets(self, call: ast.Call, depth: int = 0) -> Iterator[Target]:
        """Yields what a call may call, with what `functools.partial` was given before."""
        args, keywords = tuple(call.args), tuple(call.keywords)
        for maker in self._makers(call.func, depth):
            inner = [
                Target(target.thing, (*target.args, *args), (*target.keywords, *keywords))
                for target in self._partial(maker, depth)
            ]
            yield from inner
            if inner:
                return
        for thing in self.things(call.func, depth):
            target = Target(thing, args, keywords)
            yield target
            if isinstance(thing, Scope) and thing.sort is Sort.FUNCTION:
                for forwarded in self._forwarded(target, thing, call):
                    yield from self.targets(forwarded, depth + 1) if self._may(depth) else ()

    def _forwarded(self, target: Target, function: Scope, at: ast.Call) -> Iterator[ast.Call]:
        """Yields the calls of its arguments that a function consists of: `return what(*args)`."""
        given = None
        for value in function.returns[:MOST]:
            if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name)):
                continue
            given = given or dict(paired(function, target))
            if (called := given.get(value.func.id)) is not None:
                rest = target.args[len(function.parameters) :]
                args = [
                    argument
                    for inner in value.args
                    for argument in _handed_on(inner, function, given, rest)
                ]
                more = [item for item in target.keywords if item.arg not in function.parameters]
                made = ast.Call(func=called, args=args, keywords=more)
                yield ast.copy_location(made, at)

    def _makers(self, func: ast.expr, depth: int) -> Iterator[ast.Call]:
        """Yields the calls that made what is called."""
        if isinstance(func, ast.Attribute):
            return
        for origin in self.origins(func, depth):
            if isinstance(origin, ast.Call):
                yield origin

    def _partial(self, made: ast.Call, depth: int) -> Iterator[Target]:
        names = self.things(made.func, depth)
        if not PARTIALS.isdisjoint(names) and made.args:
            inner = ast.copy_location(
                ast.Call(func=made.args[0], args=made.args[1:], keywords=made.keywords), made
            )
            yield from self.targets(inner, depth + 1) if self._may(depth) else ()
        elif "operator.attrgetter" in names or "operator.methodcaller" in names:
            for value in self.values(made.args[0], depth=depth) if made.args else ():
                which = "getattr" if "operator.attrgetter" in names else "?"
                if isinstance(value, str):
                    yield Target(f"operator.{which}:{value}", tuple(made.args[1:]), ())

    def origins(self, node: ast.expr, depth: int = 0) -> tuple[ast.expr, ...]:
        """Returns the expressions that an expression stands for, through names."""
        if not isinstance(node, ast.Name):
            return (node,)
        stands = self._stands_for(node, depth)
        return self._ask(
            self._key("origins", node),
            depth,
            (),
            lambda: tuple(dict.fromkeys(itertools.islice(stands, MOST))),
        )

    def _stands_for(self, node: ast.Name, depth: int) -> Iterator[ast.expr]:
        scope = home(node)
        found = self.bindings(node.id, scope) if scope is not None else None
        if found is None:
            yield node
            return
        for binding in found[0][:MOST]:
            if isinstance(binding.value, ast.expr) and binding.added is None:
                for part in self.parts(binding.value, binding.way, depth + 1):
                    yield from self.origins(part, depth + 1)
            elif binding.value is found[1]:
                self._cuts += not self.settled
                for argument in self.arguments(node.id, found[1]):
                    yield from self.origins(argument, depth + 1)
            else:
                yield node

    def _result(self, target: Target, depth: int) -> Iterator[Thing]:
        thing, args = target.thing, target.args
        if isinstance(thing, Scope):
            if thing.sort is Sort.CLASS:
                yield thing
            elif self._may(depth):
                for value in thing.returns[:MOST]:
                    yield from self.things(value, depth + 1)
            return
        if thing.startswith("operator.getattr:") and args:
            yield from self._path(
                self.things(args[-1], depth), thing.partition(":")[2].split("."), depth
            )
        elif thing in GETTERS and len(args) > 1:
            for name in self._texts(args[1], depth):
                yield from self._path(self.things(args[0], depth), [name], depth)
        elif thing in IMPORTERS and args:
            for name in self._texts(args[0], depth):
                yield from self.imported(name.replace(":", "."), None, depth)
        elif thing.endswith((".__dict__.get", ".__dict__.__getitem__", ".__dict__.pop")) and args:
            for name in self._texts(args[0], depth):
                yield f"{thing.rpartition('.__dict__.')[0]}.{name}"[:LONGEST_NAME]
        elif thing.endswith(".__getattribute__") and args:
            for name in self._texts(args[-1], depth):
                yield f"{thing.removesuffix('.__getattribute__')}.{name}"[:LONGEST_NAME]
        elif thing in NAMESPACES or (thing == "vars" and args):
            yield from self._namespace(args, depth)
        elif thing == "next" and args:
            yield from self._drawn(args[0], (ANY,), depth)
        elif thing in SAME and args:
            yield from self.things(args[-1], depth)
        else:
            yield f"{thing}()"[:LONGEST_NAME]
            for argument in args[:MOST]:
                yield from self._wrapped(argument, depth)

    def _wrapped(self, argument: ast.expr, depth: int) -> Iterator[Thing]:
        """What is handed to a foreign call may be what comes back: wrappers do that."""
        if isinstance(argument, ast.Name | ast.Lambda | ast.Attribute):
            for thing in self.things(argument, depth):
                if isinstance(thing, Scope) and thing.sort is Sort.FUNCTION:
                    yield thing

    def _namespace(self, args: Sequence[ast.expr], depth: int) -> Iterator[Thing]:
        for thing in self.things(args[0], depth) if args else ():
            yield f"{thing}.__dict__" if isinstance(thing, str) else thing

    def _path(self, owners: Things, attrs: Sequence[str], depth: int) -> Things:
        for attr in attrs[:8]:
            owners = tuple(dict.fromkeys(self._member(owners, attr, None, depth + 1)))
        return owners

    def _texts(self, node: ast.expr, depth: int) -> Iterator[str]:
        for value in self.values(node, depth=depth):
            if isinstance(value, str):
                yield value

    def _item(self, node: ast.Subscript, depth: int) -> Iterator[Thing]:
        found = False
        for part in self._literal_items(node, depth):
            found = True
            yield from self.things(part, depth)
        if found:
            return
        for owner in self._copied(node.value, depth):
            yield from self._item_of(owner, node, depth)

    def _item_of(self, owner: Thing, node: ast.Subscript, depth: int) -> Iterator[Thing]:
        if isinstance(owner, Scope):
            if owner.sort is Sort.MODULE:  # `vars(module)[name]`
                for name in self._texts(node.slice, depth):
                    yield from self._own_member(owner, name, None, depth)
            return
        if owner in ("globals()", "locals()", "vars()", "<module>.__dict__"):
            scope = self._nearest(node)
            for name in self._texts(node.slice, depth) if scope is not None else ():
                yield from self._name(name, scope or node, depth)  # type: ignore[arg-type]
        elif owner == "sys.modules" and (names := tuple(self._texts(node.slice, depth))):
            for name in names:
                yield from self.imported(name, None, depth)
        elif owner.endswith(".__dict__") or owner == "__builtins__":
            base = owner.removesuffix("__dict__") if owner != "__builtins__" else ""
            for name in self._texts(node.slice, depth):
                yield f"{base}{name}".removeprefix("builtins.")[:LONGEST_NAME]
        else:
            yield f"{owner}[]"[:LONGEST_NAME]

    def _nearest(self, node: ast.AST) -> Scope | None:
        """The scope of some name within an expression."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and (scope := home(inner)) is not None:
                return scope
        return None

    def _literal_items(self, node: ast.Subscript, depth: int) -> Iterator[ast.expr]:
        for whole in self.origins(node.value, depth):
            if isinstance(whole, ast.Dict):
                keys = set(self.values(node.slice, depth=depth))
                for key, value in zip(whole.keys, whole.values, strict=True):
                    if key is not None and (not keys or keys & set(self.values(key, depth=depth))):
                        yield value
            elif isinstance(whole, ast.List | ast.Tuple):
                places = [v for v in self.values(node.slice, depth=depth) if isinstance(v, int)]
                items = whole.elts[:MOST]
                yield from (
                    [whole.elts[place] for place in places if -len(items) <= place < len(items)]
                    if places
                    else items
                )

    # ---- parts of what is built in the program

    def parts(self, node: ast.expr, way: Way, depth: int = 0) -> Iterator[ast.expr]:
        """Yields the expressions that lie within an expression, on a way through it."""
        if not way:
            yield node
            return
        if not self._may(depth):
            return
        for inner in itertools.islice(self._elements(node, way[0], depth), 4 * MOST):
            yield from self.parts(inner, way[1:], depth + 1)

    def _elements(self, node: ast.expr, number: int | None, depth: int) -> tuple[ast.expr, ...]:
        question, about, name = self._key("elements", node)
        within = self._within(node, number, depth + 1)
        return self._ask(
            (f"{question} {number}", about, name),
            depth,
            (),
            lambda: tuple(dict.fromkeys(itertools.islice(within, folding.LONGEST))),
        )

    def _within(self, node: ast.expr, number: int | None, depth: int) -> Iterator[ast.expr]:
        for whole in self.origins(node, depth):
            match whole:
                case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                    if number is ANY:
                        yield from items
                    elif number is not None and number < len(items):
                        yield items[number]
                case ast.Dict(keys=keys):
                    yield from (key for key in keys if key is not None)
                case ast.ListComp(elt=item) | ast.SetComp(elt=item) | ast.GeneratorExp(elt=item):
                    yield item
                case ast.BinOp(left=left, right=right):
                    yield from self._elements(left, number, depth + 1)
                    yield from self._elements(right, number, depth + 1)
                case ast.Call():
                    yield from self._elements_of_call(whole, number, depth)
        yield from self._added(node)

    def _elements_of_call(
        self, call: ast.Call, number: int | None, depth: int
    ) -> Iterator[ast.expr]:
        func, args = call.func, call.args
        attr = func.attr if isinstance(func, ast.Attribute) else ""
        if attr in ("items", "values", "keys") and isinstance(func, ast.Attribute):
            for whole in self.origins(func.value, depth):
                if isinstance(whole, ast.Dict):
                    for key, value in zip(whole.keys, whole.values, strict=True):
                        if key is not None:
                            pair = ast.Tuple(elts=[key, value], ctx=ast.Load())
                            yield {"items": pair, "keys": key}.get(attr, value)
            return
        names = self.things(func, depth + 1)
        if "zip" in names:
            rows = [list(self._elements(item, ANY, depth + 1))[:MOST] for item in args]
            for row in zip(*rows, strict=False):
                yield ast.Tuple(elts=list(row), ctx=ast.Load())
        elif "enumerate" in names and args:
            for count, item in enumerate(self._elements(args[0], ANY, depth + 1)):
                yield ast.Tuple(elts=[ast.Constant(count), item], ctx=ast.Load())
        elif (source := self._source(call, depth)) is not None:
            yield from self._elements(source, number, depth + 1)
        else:
            for target in self.targets(call, depth):
                if isinstance(target.thing, Scope) and target.thing.sort is Sort.FUNCTION:
                    for value in target.thing.returns[:MOST]:
                        yield from self._elements(value, number, depth + 1)

    def _added(self, node: ast.expr) -> Iterator[ast.expr]:
        """What was appended to a list that a name holds."""
        if isinstance(node, ast.Name) and (scope := home(node)) is not None:
            found = self.bindings(node.id, scope)
            if found is not None:
                yield from self._grown.get((found[1], node.id), ())

    def grow(self, owner: ast.Name, values: Sequence[ast.expr]) -> None:
        """Notes that values are appended to what a name holds."""
        scope = home(owner)
        found = self.bindings(owner.id, scope) if scope is not None else None
        if found is not None:
            self._grown.setdefault((found[1], owner.id), []).extend(values[:MOST])

    # ---- constants

    def values(
        self, node: ast.expr, scope: Environment | None = None, depth: int = 0
    ) -> tuple[Value, ...]:
        """Returns the constants an expression may be; empty when it is not constant."""
        if isinstance(node, ast.Constant):
            return _constant(node)
        key = self._key("values", node)
        if not scope:
            known = self._answered(key)
            if known is not None:
                return cast(tuple[Value, ...], known)
        if (not scope and key in self._open) or not self._may(depth):
            self._cuts += 1
            return ()
        if not scope:
            self._open.add(key)
        before = self._cuts
        found: list[Value] = []
        try:
            for value in itertools.islice(self._fold(node, scope or {}, depth + 1), MOST):
                if value not in found and folding.small(value):
                    found.append(value)
        except folding.WRONG:
            pass  # a constant expression that would raise has no value
        finally:
            if not scope:
                self._open.discard(key)
                self._remember(key, tuple(found), before)
        return tuple(found)

    def _fold(self, node: ast.expr, scope: Environment, depth: int) -> Iterator[Value]:
        match node:
            case ast.Name(id=name) if name in scope:
                yield from scope[name]
            case ast.Name(id=name):
                yield from self._fold_name(node, depth)
            case ast.Attribute():
                yield from self._fold_member(node, scope, depth)
            case ast.JoinedStr(values=parts):
                yield from folding.joined([self._part(part, scope, depth) for part in parts])
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
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                yield from self.values(value, scope, depth)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                yield from self._sequence(items, scope, depth)
            case ast.Subscript(value=value, slice=key):
                yield from self._fold_item(value, key, scope, depth)
            case (
                ast.ListComp(elt=element, generators=[loop])
                | ast.GeneratorExp(elt=element, generators=[loop])
            ):
                yield from self._comprehension(element, loop, scope, depth)
            case ast.Call():
                yield from self._fold_call(node, scope, depth)

    def _sequence(
        self, items: Sequence[ast.expr], scope: Environment, depth: int
    ) -> Iterator[Value]:
        found: list[Value] = []
        for item in items[: folding.LONGEST]:
            if isinstance(item, ast.Constant) and isinstance(item.value, str | bytes | int | float):
                found.append(item.value)
                continue
            values = self.values(item, scope, depth)
            if not values:
                return
            if isinstance(item, ast.Starred) and isinstance(values[0], tuple | str):
                found.extend(values[0])
            else:
                found.append(values[0])
        yield tuple(found)

    def _fold_name(self, node: ast.Name, depth: int) -> Iterator[Value]:
        scope = home(node)
        found = self.bindings(node.id, scope) if scope is not None else None
        if found is None:
            return
        bindings, holder = found
        added = [binding for binding in bindings if binding.added is not None]
        plain = itertools.chain.from_iterable(
            self._fold_binding(node.id, binding, holder, depth)
            for binding in bindings[:MOST]
            if binding.added is None
        )
        grown = self._grown.get((holder, node.id), ())
        if not added and not grown:
            yield from plain
            return
        for value in itertools.islice(plain, MOST):
            yield from self._with_added(value, added, grown, depth)

    def _fold_binding(
        self, name: str, binding: Binding, holder: Scope, depth: int
    ) -> Iterator[Value]:
        match binding.value:
            case Scope() as own if own is holder:
                self._cuts += not self.settled
                for argument in self.arguments(name, own):
                    yield from self.values(argument, depth=depth)
            case str() as full:
                yield from self._fold_import(full, holder.index, depth)
            case ast.expr() as value if not binding.way:
                yield from self.values(value, depth=depth)
            case ast.expr() as value:
                for whole in self.values(value, depth=depth):
                    yield from _within(whole, binding.way)
                for part in self.parts(value, binding.way, depth):
                    yield from self.values(part, depth=depth)

    def _with_added(
        self, value: Value, added: Sequence[Binding], grown: Sequence[ast.expr], depth: int
    ) -> Iterator[Value]:
        for binding in added[: 4 * MOST]:
            assert binding.added is not None and isinstance(binding.value, ast.expr)
            for more in self._turns(binding.value, binding.added.loop, depth):
                joined = next(folding.combined(value, binding.added.op, more), None)
                if joined is None or not folding.small(joined):
                    return
                value = joined
        if grown and isinstance(value, tuple):
            more_items = [self.values(item, depth=depth) for item in grown[: folding.LONGEST]]
            value = (*value, *(values[0] if values else UNKNOWN for values in more_items))
        yield value

    def _turns(self, value: ast.expr, loop: ast.For | None, depth: int) -> Iterator[Value]:
        """What is added, once, or once per turn of a loop over constants."""
        if loop is not None and isinstance(loop.target, ast.Name):
            wholes = self.values(loop.iter, depth=depth)
            if wholes and isinstance(wholes[0], str | bytes | tuple):
                for item in wholes[0]:
                    turn = self.values(value, {loop.target.id: (item,)}, depth)
                    if turn:
                        yield turn[0]
                return
        values = self.values(value, depth=depth)
        if values:
            yield values[0]

    def _fold_import(self, full: str, index: Index, depth: int) -> Iterator[Value]:
        module, _, name = full.rpartition(".")
        other = self.module(module, index)
        if other is not None:
            for binding in other.root.bindings.get(name, ())[:MOST]:
                yield from self._fold_binding(name, binding, other.root, depth + 1)
        elif full == "sys.argv":
            yield from self._given_to(index)
        elif full in KNOWN_VALUES:
            yield KNOWN_VALUES[full]

    def _fold_member(self, node: ast.Attribute, scope: Environment, depth: int) -> Iterator[Value]:
        for owner in self.things(node.value, depth):
            if isinstance(owner, Scope) and owner.sort is not Sort.FUNCTION:
                for binding in owner.bindings.get(node.attr, ())[:MOST]:
                    yield from self._fold_binding(node.attr, binding, owner, depth)
            elif isinstance(owner, str) and f"{owner}.{node.attr}" in KNOWN_VALUES:
                yield KNOWN_VALUES[f"{owner}.{node.attr}"]
            elif owner == "sys" and node.attr == "argv":
                yield from self._given_to(self._index_of(node))
            elif isinstance(owner, str) and owner.endswith(".parse_args()"):
                yield from self._option(node, depth)
        if isinstance(node.value, ast.Name) and (where := home(node.value)) is not None:
            for stored in where.index.fields.get(node.attr, ())[:MOST]:
                if stored.value is not None and _same_owner(stored, node.value.id):
                    yield from self.values(stored.value, depth=depth)
        if node.attr in ("parent", "name", "stem", "suffix"):
            for value in self.values(node.value, scope, depth):
                yield from _path_part(value, node.attr)

    def _index_of(self, node: ast.AST) -> Index | None:
        scope = self._nearest(node)
        return scope.index if scope is not None else None

    def _given_to(self, index: Index | None) -> Iterator[tuple[str, ...]]:
        """The words that a file is given, or those that import it, each time one is run."""
        if index is None or not self.given.words:
            return
        for run in self._unique:
            words = self.given.words.get(run.path, ())
            if words and (run.path == index.path or self._imports(run, index)):
                yield from words

    def _imports(self, importer: Index, other: Index) -> bool:
        names = (name.removesuffix(".*") for name, _ in importer.imports)
        return any(
            self.module(part, importer) is other
            for name in names
            for part in (name, name.rpartition(".")[0])
            if part
        )

    def _option(self, node: ast.Attribute, depth: int) -> Iterator[Value]:
        """What an option of `argparse` may be: as it is given, and if it is not."""
        for words in self._given_to(self._index_of(node)):
            yield from taken(self._options, node.attr, words[1:])
        for item in self._options:
            if item.name == node.attr and item.default is not None:
                yield from self.values(item.default, depth=depth)
                yield UNKNOWN

    @cached_property
    def _options(self) -> tuple[Option, ...]:
        """What is added to parsers of arguments, in the order of files and places."""
        return tuple(
            found
            for index in self._unique
            for place in index.calls
            if isinstance(place.node, ast.Call)
            and isinstance(place.node.func, ast.Attribute)
            and place.node.func.attr == "add_argument"
            and (found := option(place.node))
        )

    def _variable(self, given: Sequence[tuple[Value, ...]]) -> Iterator[Value]:
        """What a variable of the environment may be: as shells set it, and if it is not set."""
        for name in given[0] if given else ():
            yield from self.given.variables.get(str(name), ())
        if len(given) > 1 and given[1]:
            yield from given[1]
            yield UNKNOWN

    def _part(self, part: ast.expr, scope: Environment, depth: int) -> tuple[Value, ...]:
        if isinstance(part, ast.FormattedValue):
            values = self.values(part.value, scope, depth)
            if part.format_spec is not None:
                specs = self.values(part.format_spec, scope, depth)
                if not specs or folding.pads("{" + str(folding.plain(specs[0])) + "}"):
                    return (UNKNOWN,)
                values = tuple(
                    format(value, str(specs[0])) for value in values if not isinstance(value, bytes)
                )
            return tuple(folding.plain(value) for value in values) or (UNKNOWN,)
        return tuple(folding.plain(value) for value in self.values(part, scope, depth)) or (
            UNKNOWN,
        )

    def _binary(
        self, left: ast.expr, op: ast.operator, right: ast.expr, scope: Environment, depth: int
    ) -> Iterator[Value]:
        chain = [right]
        while isinstance(left, ast.BinOp) and type(left.op) is type(op) and len(chain) < 4096:
            chain.append(left.right)  # long sums lean to the left: no recursion for them
            left = left.left
        found = self.values(left, scope, depth)
        for operand in reversed(chain):
            theirs = self.values(operand, scope, depth)
            found = tuple(itertools.islice(self._pairs(found, op, theirs), MOST))
        yield from found

    @staticmethod
    def _pairs(
        ours: tuple[Value, ...], op: ast.operator, theirs: tuple[Value, ...]
    ) -> Iterator[Value]:
        texts = any(isinstance(item, str) for item in ours + theirs)
        if isinstance(op, ast.Div) and texts:
            yield from folding.joined([ours or (UNKNOWN,), theirs or (UNKNOWN,)], "/")
            return
        if isinstance(op, ast.Add) and texts:
            ours, theirs = ours or (UNKNOWN,), theirs or (UNKNOWN,)
        if isinstance(op, ast.Mod) and texts:
            theirs = theirs or (UNKNOWN,)
        for one, other in itertools.product(ours, theirs):
            try:
                yield from folding.combined(one, op, other)
            except folding.WRONG:
                continue

    def _fold_item(
        self, value: ast.expr, key: ast.expr, scope: Environment, depth: int
    ) -> Iterator[Value]:
        for whole_node in self.origins(value, depth):
            if isinstance(whole_node, ast.Dict):
                keys = set(self.values(key, scope, depth))
                for name, item in zip(whole_node.keys, whole_node.values, strict=True):
                    if name is not None and set(self.values(name, scope, depth)) & keys:
                        yield from self.values(item, scope, depth)
        if isinstance(value, ast.Attribute | ast.Name) and "os.environ" in self.things(
            value, depth
        ):
            yield from self._variable([self.values(key, scope, depth)])
        for whole in self.values(value, scope, depth):
            if not isinstance(whole, str | bytes | tuple):
                continue
            if isinstance(key, ast.Slice):
                yield whole[self._slice(key, scope, depth)]
            else:
                for place in self.values(key, scope, depth):
                    if isinstance(place, int):
                        yield whole[place]

    def _slice(self, key: ast.Slice, scope: Environment, depth: int) -> slice:
        ends = []
        for part in (key.lower, key.upper, key.step):
            values = self.values(part, scope, depth) if part is not None else ()
            ends.append(values[0] if values and isinstance(values[0], int) else None)
        return slice(*ends)

    def _comprehension(
        self, element: ast.expr, loop: ast.comprehension, scope: Environment, depth: int
    ) -> Iterator[Value]:
        wholes = self.values(loop.iter, scope, depth)
        if loop.ifs or not wholes:
            return
        for whole in wholes:
            if not isinstance(whole, str | bytes | tuple):
                continue
            folded: list[Value] = []
            for item in whole:
                inner = {**scope, **_unpacked(loop.target, item)}
                values = self.values(element, inner, depth)
                if not values:
                    break
                folded.append(values[0])
            else:
                yield tuple(folded)

    def _fold_call(self, node: ast.Call, scope: Environment, depth: int) -> Iterator[Value]:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in (
            folding.METHODS | folding.PATH_METHODS
        ):
            yield from self._fold_method(func, node, scope, depth)
        for target in self.targets(node, depth):
            if isinstance(target.thing, Scope):
                yield from self._fold_own(target, scope, depth)
                continue
            given = [self.values(argument, scope, depth) for argument in target.args]
            if target.thing in ENVIRONMENT:
                yield from self._variable(given)
            elif target.thing in GETTERS and "sys.argv" in self.things(node, depth):
                yield from self._given_to(self._index_of(node))
            elif target.thing in folding.PATHS and any(given) and not _is_decoding(target):
                yield from folding.joined([item or (UNKNOWN,) for item in given], "/")
            elif target.thing == "map" and len(given) == 2:
                yield from self._mapped(target.args[0], given[1], depth)
            elif target.thing in ("filter",):
                continue
            elif given and all(given):
                for chosen in itertools.islice(itertools.product(*given), MOST):
                    yield from folding.called(target.thing, chosen)

    def _fold_own(self, target: Target, scope: Environment, depth: int) -> Iterator[Value]:
        """What a function of the program's own returns for constants, if it is one expression."""
        function = target.thing
        assert isinstance(function, Scope)
        if function.sort is not Sort.FUNCTION or len(function.returns) > MOST:
            return
        key: Key = ("called", function, "")
        if key in self._open:
            self._cuts += 1
            return  # it calls itself
        inner: dict[str, tuple[Value, ...]] = {}
        for name, argument in paired(function, target):
            if values := self.values(argument, scope, depth):
                inner[name] = values
        self._open.add(key)
        try:
            found = [
                item for value in function.returns for item in self.values(value, inner, depth)
            ]
        finally:
            self._open.discard(key)
        yield from found

    def _mapped(self, function: ast.expr, wholes: tuple[Value, ...], depth: int) -> Iterator[Value]:
        for whole in wholes:
            if not isinstance(whole, str | bytes | tuple):
                continue
            for thing in self.things(function, depth):
                found: list[Value] = []
                for item in whole:
                    if isinstance(thing, str):
                        found.extend(folding.called(thing, (item,)))
                    else:
                        inner = dict.fromkeys(thing.parameters[:1], (item,))
                        for value in thing.returns[:1]:
                            found.extend(self.values(value, inner, depth + 1)[:1])
                if len(found) == len(whole):
                    yield tuple(found)

    def _fold_method(
        self, func: ast.Attribute, call: ast.Call, scope: Environment, depth: int
    ) -> Iterator[Value]:
        owners = self.values(func.value, scope, depth)
        given = [self.values(argument, scope, depth) for argument in call.args]
        if func.attr in folding.PATH_METHODS:
            if owners:
                yield from folding.joined([owners, *(a or (UNKNOWN,) for a in given)], "/")
            return
        if func.attr == "format":
            given = [item or (UNKNOWN,) for item in given]
        for owner, *chosen in itertools.product(owners, *given):
            yield from folding.method(owner, func.attr, tuple(chosen))


KNOWN_VALUES: Mapping[str, Value] = {
    "os.sep": "/", "os.path.sep": "/", "os.curdir": ".", "os.pardir": "..", "os.linesep": "\n",
    "string.ascii_lowercase": "abcdefghijklmnopqrstuvwxyz",
    "string.ascii_uppercase": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "string.ascii_letters": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "string.digits": "0123456789", "string.punctuation": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
}  # fmt: skip
BUILTIN_NAMES = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


def _few(found: Iterator[Thing]) -> Things:
    """Returns the first things, each once: in an order of the text's, not of hashes."""
    return tuple(dict.fromkeys(itertools.islice(found, MOST)))


def paired(function: Scope, target: Target) -> Iterator[tuple[str, ast.expr]]:
    """Yields the parameters of a function with what a call gives for them."""
    names = function.parameters
    if function.is_method and len(target.args) < len(names):
        names = names[1:]
    placed = itertools.takewhile(lambda item: not isinstance(item, ast.Starred), target.args)
    yield from zip(names, placed, strict=False)
    for keyword in target.keywords:
        if keyword.arg:
            yield keyword.arg, keyword.value


def _constant(node: ast.Constant) -> tuple[Value, ...]:
    value = node.value
    known = isinstance(value, str | bytes | int | float) and folding.small(value)
    return (value,) if known else ()  # type: ignore[return-value]


def _is_decoding(target: Target) -> bool:
    """Whether `str` is given bytes and how to read them, and not a path."""
    return target.thing == "str" and len(target.args) > 1


def _handed_on(
    inner: ast.expr, function: Scope, given: Mapping[str, ast.expr], rest: Sequence[ast.expr]
) -> Sequence[ast.expr]:
    """What a function hands on for an argument, in its caller's words."""
    match inner:
        case ast.Starred(value=ast.Name(id=name)):
            star = getattr(function.node, "args", None)
            is_rest = star is not None and star.vararg is not None and star.vararg.arg == name
            return rest if is_rest else [inner]
        case ast.Name(id=name) if name in given:
            return [given[name]]
    return [inner]


def _within(value: Value, way: Way) -> Iterator[Value]:
    """What lies on a way through a constant."""
    if not way:
        yield value
    elif isinstance(value, str | bytes | tuple):
        number = way[0]
        chosen = value if number is ANY else value[number:][:1]
        for item in chosen:
            yield from _within(item, way[1:])


def _unpacked(target: ast.expr, item: Value) -> dict[str, tuple[Value, ...]]:
    if isinstance(target, ast.Name):
        return {target.id: (item,)}
    if isinstance(target, ast.Tuple) and isinstance(item, str | bytes | tuple):
        found: dict[str, tuple[Value, ...]] = {}
        for inner, value in zip(target.elts, item, strict=False):
            found.update(_unpacked(inner, value))
        return found
    return {}


def _same_owner(stored: Stored, name: str | None) -> bool:
    owner = stored.target.value
    return isinstance(owner, ast.Name) and owner.id == name


def _path_part(value: Value, attr: str) -> Iterator[Value]:
    if isinstance(value, str):
        folder, _, last = value.rpartition("/")
        stem, dot, suffix = last.rpartition(".")
        above = folder or (UNKNOWN if UNKNOWN in last else ".")
        parts = {"parent": above, "name": last, "stem": stem if dot else last}
        yield parts.get(attr, dot + suffix)
