"""The Python of an attempt as one program: what it calls, stores and tests, and what of it runs.

Texts in other forms are parts of it: the Python in shell scripts and notebooks, and what `exec`
and `pickle` are given, where it is constant.
"""

import ast
import hashlib
import itertools
import pickletools
import re
import shlex
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from auditor.code import arguments, folding, others
from auditor.code.resolve import IMPORTERS, MOST, Resolver, Target, Thing, paired
from auditor.code.scopes import Index, Place, Scope, Sort, Stored, home
from auditor.code.source import ChangedSource, parse
from harness.models import EnvironmentFacts

EXECUTORS = frozenset({"exec", "eval", "compile", "runpy.run_path"})
LOADERS = frozenset({
    "_pickle.loads", "cloudpickle.loads", "dill.loads", "pickle._loads", "pickle.loads",
})  # fmt: skip
BLIND = frozenset({"marshal.loads", "types.CodeType", "types.FunctionType"})
"""Calls that make code of what nobody can read here."""
SETTERS = frozenset({
    "setattr", "object.__setattr__", "type.__setattr__", "monkeypatch.setattr", "operator.setitem",
    "super().__setattr__", "delattr", "object.__delattr__", "type.__delattr__",
})  # fmt: skip
PATCHERS = re.compile(r"(^|\.)(mock\.patch|mocker\.patch|patch)(\.object|\.dict|\.multiple)?$")
UPDATERS = frozenset({"update", "__setitem__", "setdefault", "__setattr__"})
REGISTRARS = frozenset({
    "torch.library.Library().impl", "torch.library.impl", "torch.library.register_kernel",
})  # fmt: skip
"""Calls that give an operator other code, for the whole process."""
NATIVE = "aten::"
NAMESPACE_ENDS = (".__dict__", "globals()", "sys.modules", "vars()", "locals()")
WRAPPERS = re.compile(
    r"^(functools|contextlib|dataclasses|abc|typing|torch|triton|numba|jax|cython|enum|property"
    r"|staticmethod|classmethod|overload|final|override|pytest|hypothesis)\b|\.(setter|getter)$"
)
"""Decorators that only wrap; others may register a function to be called."""
CALLED_BY_TORCH = frozenset({"backward", "forward", "jvp", "setup_context", "vmap"})
"""Methods that run when an instance, or `apply`, is called: nobody names them."""
DEEPEST_TEXT = 4
"""Texts executed by texts executed by texts."""
MOST_TEXTS = 200
WEIGHTS: Mapping[str, int] = {"code": 3, "import": 2, "name": 1}
"""How much an opaque call hides: whole code, a module, one name."""
_CACHE_SIZE = 512
_indexes: OrderedDict[str, Index | None] = OrderedDict()
_PROGRAMS = 4
_programs: "OrderedDict[tuple[object, ...], Program]" = OrderedDict()


class Site(NamedTuple):
    """A place in a file of the program."""

    path: str
    line: int
    node: ast.AST
    scope: Scope


class Call(NamedTuple):
    """A call, with what it may call and what that is given."""

    site: Site
    node: ast.Call
    names: frozenset[str]
    """Foreign functions that it may call."""
    args: tuple[ast.expr, ...]
    keywords: tuple[ast.keyword, ...]

    def keyword(self, name: str) -> ast.expr | None:
        """Returns what is given by a name."""
        return next((item.value for item in self.keywords if item.arg == name), None)


class Store(NamedTuple):
    """Something foreign, or of another object, that is assigned to."""

    site: Site
    names: frozenset[str]
    """What is replaced, by its dotted names."""
    values: tuple[ast.expr, ...]
    """What takes its place; empty for a deletion."""


class Opaque(NamedTuple):
    """A call of which nobody can tell by reading what it does."""

    site: Site
    what: str
    weight: int


class Entry(NamedTuple):
    """Where scoring enters a program."""

    path: str
    function: str
    """Called after the file was imported; empty for a file that is run."""


class Program:
    """What the code rules ask about."""

    def __init__(
        self, sources: Sequence[ChangedSource], entries: Iterable[Entry] | None = None
    ) -> None:
        """Reads the sources; without `entries` every reachable file may be the first that runs.

        Args:
            sources: every text of the tree that may take part, changed or not.
            entries: where scoring enters, besides the files that run whenever Python starts.
        """
        self.entries = None if entries is None else tuple(entries)
        self.sources = tuple(sources)
        self._sources = {source.path: source for source in sources}
        self.modules: list[Index] = [index for source in sources for index in _parts(source)]
        named = {_dotted(index.path): index for index in self.modules if index.at is None}
        folders = {index: self._folders(index) for index in self.modules}
        self.resolver = Resolver(named, folders, arguments.given(self.sources))
        self._prepare(self.modules)
        self._texts = 0
        self._unfold(self.modules, DEEPEST_TEXT)
        self.resolver.settled = True
        if self.entries is not None:  # else others may call whatever is not called here
            self._leave_out_idle()

    # ---- what rules ask for

    @cached_property
    def broken(self) -> frozenset[str]:
        """Python files that cannot be parsed."""
        parsed = {index.path for index in self.modules}
        python = {source.path for source in self.sources if source.language == "python"}
        return frozenset(python - parsed)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call that may run, in the order of files and places."""
        return tuple(
            Call(site, place.node, self._foreign(target.thing), target.args, target.keywords)
            for index in self.modules
            for place in index.calls
            if isinstance(place.node, ast.Call) and (site := self._running(index, place))
            for target in self._targets(place.node)
        )

    @cached_property
    def reads(self) -> tuple[tuple[Site, frozenset[str]], ...]:
        """Every attribute and item that may be read, with its names."""
        return tuple(
            (site, self.names(place.node))
            for index in self.modules
            for place in index.attributes
            if isinstance(place.node, ast.expr) and (site := self._running(index, place))
        )

    @cached_property
    def stores(self) -> tuple[Store, ...]:
        """Everything that may be assigned to beyond the program's own variables."""
        found = [
            Store(site, self._target_names(stored), self._stored_values(stored))
            for index in self.modules
            for stored in index.stored
            if (site := self._running(index, stored.place))
        ]
        found += [store for call in self.calls for store in self._stores_of(call)]
        return tuple(found)

    @cached_property
    def tests(self) -> tuple[Site, ...]:
        """Every expression that decides which way is taken."""
        return tuple(
            site
            for index in self.modules
            for place in index.tests
            if (site := self._running(index, place))
        )

    @cached_property
    def opaque(self) -> tuple[Opaque, ...]:
        """Calls that stay opaque."""
        return tuple(itertools.chain.from_iterable(map(self._opaque, self.calls)))

    def names(self, node: ast.expr) -> frozenset[str]:
        """Returns the dotted names of the foreign things that an expression may refer to."""
        return self.resolver.names(node)

    def values(self, node: ast.expr) -> tuple[folding.Value, ...]:
        """Returns the constants that an expression may be."""
        return self.resolver.values(node)

    def texts(self, node: ast.expr) -> tuple[str, ...]:
        """Returns the texts that an expression may be, bytes as text."""
        plain = (folding.plain(value) for value in self.values(node))
        return tuple(value for value in plain if isinstance(value, str))

    def command_lines(self, node: ast.expr) -> Iterator[str]:
        """Yields the command lines that an expression may be: texts, and words in a list.

        A word that is not known stands as `?`.
        """
        known = False
        for value in self.values(node):
            known = True
            if isinstance(value, tuple):
                yield shlex.join(map(str, value))
            elif isinstance(plain := folding.plain(value), str):
                yield plain
        for whole in () if known else self.resolver.origins(node):
            if isinstance(whole, ast.List | ast.Tuple):
                words = ((self.texts(part) or ("?",))[0] for part in whole.elts)
                yield shlex.join(words)

    def together(self, items: Sequence[ast.expr]) -> Iterator[tuple[ast.expr, ...]]:
        """Yields expressions once per caller, where each gives several parameters together."""
        yield from itertools.islice(self._together(tuple(items), DEEPEST_TEXT), MOST * MOST)

    def _together(self, items: tuple[ast.expr, ...], depth: int) -> Iterator[tuple[ast.expr, ...]]:
        named = [item for item in items if isinstance(item, ast.Name)]
        holders = [holder for item in named if (holder := self._parameter_of(item)) is not None]
        callers = self.resolver.callers.get(holders[0], []) if len(holders) > 1 else []
        if not callers or not depth or len(set(holders)) > 1:
            yield items
            return
        for caller in callers:
            given = dict(paired(holders[0], caller))
            theirs = tuple(_said(item, given) for item in items)
            yield from self._together(theirs, depth - 1) if theirs != items else (items,)

    def functions(self, node: ast.expr) -> frozenset[Scope]:
        """Returns the program's own functions that an expression may refer to."""
        return frozenset(
            thing
            for thing in self.resolver.things(node)
            if isinstance(thing, Scope) and thing.sort is Sort.FUNCTION
        )

    def entry_functions(self) -> frozenset[Scope]:
        """Returns the functions that scoring calls."""
        found: set[Scope] = set()
        for entry in self.entries or ():
            for index in self.modules:
                if index.path == entry.path and entry.function:
                    found |= self._named(index, entry.function)
        return frozenset(found)

    def runs(self, scope: Scope) -> bool:
        """Returns whether a function, or a module's own level, may run."""
        return scope.function() in self._reached

    def loads(self, path: str) -> bool:
        """Returns whether a file may be loaded."""
        return any(index.path == path and index.root in self._reached for index in self.modules)

    # ---- making it

    def _folders(self, index: Index) -> tuple[str, ...]:
        """Dotted folders in which an absolute import of a module may find others."""
        packages = {
            path.rpartition("/")[0] for path in self._sources if path.endswith("/__init__.py")
        }
        folder = index.path.rpartition("/")[0]
        found = []
        while folder:
            if folder not in packages:
                found.append(folder.replace("/", "."))
            folder = folder.rpartition("/")[0]
        entered = [entry.path.rpartition("/")[0].replace("/", ".") for entry in self.entries or ()]
        return tuple(dict.fromkeys([*found, *entered, ""]))

    def _leave_out_idle(self) -> None:
        """Forgets what is handed over by calls that cannot run."""
        idle = {
            place.node
            for index in self.modules
            for place in index.calls
            if not self.may_run(index, place)
        }
        if idle and self.resolver.callers:
            self.resolver.forget()
            self._prepare(self.modules, idle)
            self.resolver.settled = True

    def _prepare(self, modules: Sequence[Index], idle: Collection[ast.AST] = ()) -> None:
        """Notes who calls whom, and what is appended to what."""
        for index in modules:
            for place in index.calls:
                assert isinstance(place.node, ast.Call)
                if place.node in idle:
                    continue
                for target in self.resolver.targets(place.node):
                    if isinstance(target.thing, Scope):
                        self.resolver.callers.setdefault(target.thing, []).append(target)
                match place.node:
                    case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr=attr)):
                        if attr == "append":
                            self.resolver.grow(owner, place.node.args)

    def _unfold(self, modules: Sequence[Index], depth: int) -> None:
        """Reads the texts that the program executes, and theirs."""
        inner = [
            found
            for index in modules
            for place in index.calls
            if isinstance(place.node, ast.Call)
            for found in self._executed(index, place)
        ]
        if inner and depth:
            self.modules += inner
            self.resolver.forget()  # names may stand for what the texts bind
            self._prepare(self.modules)
            self._unfold(inner, depth - 1)

    def _executed(self, index: Index, place: Place) -> Iterator[Index]:
        call, scope = place.node, place.scope
        assert isinstance(call, ast.Call)
        names = self.names(call.func) if call.args else frozenset()
        if names.isdisjoint(EXECUTORS | LOADERS):
            return
        for value in self.values(call.args[0]):
            if self._texts >= MOST_TEXTS or not isinstance(value, str | bytes):
                return
            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
            if not names.isdisjoint(LOADERS) and isinstance(value, bytes):
                text = _pickled(value)
            tree = parse(text)
            if tree is None or not tree.body:
                continue
            self._texts += 1
            made = Index(tree, index.path, at=index.line(call), within=scope, by_hand=place.by_hand)
            index.bound_by_texts = True
            for name, bindings in made.root.bindings.items():  # `exec` binds where it stands
                scope.function().bindings.setdefault(name, []).extend(bindings)
                index.root.bindings.setdefault(name, []).extend(bindings)
            yield made

    # ---- what is called and stored

    def _targets(self, call: ast.Call) -> Iterator[Target]:
        found = list(self.resolver.targets(call))
        foreign = [target for target in found if isinstance(target.thing, str)]
        for target in foreign or [Target("", tuple(call.args), tuple(call.keywords))]:
            yield from self._told_apart(call, target)

    def _told_apart(self, call: ast.Call, target: Target) -> Iterator[Target]:
        """Yields a target once per caller, where parameters are given together by each."""
        for func, *args in self.together((call.func, *target.args)):
            things = self.resolver.things(func) if func is not call.func else ()
            if not things or target.thing in things:
                yield target._replace(args=tuple(args))

    def _parameter_of(self, name: ast.Name) -> Scope | None:
        """Returns the function of which a name is a parameter, and nothing else."""
        scope = home(name)
        found = self.resolver.bindings(name.id, scope) if scope is not None else None
        if found is None or any(binding.value is not found[1] for binding in found[0]):
            return None
        return found[1]

    @staticmethod
    def _foreign(thing: Thing) -> frozenset[str]:
        return frozenset({thing} if isinstance(thing, str) and thing else ())

    def _target_names(self, stored: Stored) -> frozenset[str]:
        owner = stored.target.value
        owners = self.names(owner)
        if isinstance(stored.target, ast.Attribute):
            attr = stored.target.attr
            own = self.resolver.things(owner)
            names = {f"{name}.{attr}" for name in owners}
            names |= {
                f"<{thing.bare}>.{attr}"
                for thing in own
                if isinstance(thing, Scope) and thing.sort is Sort.FUNCTION
            }
            return frozenset(names or ({f"?.{attr}"} if not own else ()))
        return frozenset(
            name
            for holder, key in self.together((owner, stored.target.slice))
            for name in self._item_names(self.names(holder), key)
        )

    def _item_names(self, owners: frozenset[str], key: ast.expr) -> frozenset[str]:
        found = set()
        for owner in owners:
            base = owner.removesuffix("__dict__") if owner.endswith(".__dict__") else f"{owner}."
            if owner.endswith(NAMESPACE_ENDS) or owner == "__builtins__":
                found |= {f"{base}{text}" for text in self.texts(key)} or {f"{base}?"}
            else:
                found.add(f"{owner}[]")
        return frozenset(found)

    def _stored_values(self, stored: Stored) -> tuple[ast.expr, ...]:
        if stored.value is None:
            return ()
        return tuple(self.resolver.parts(stored.value, stored.way)) or (stored.value,)

    def _stores_of(self, call: Call) -> Iterator[Store]:
        """What a call assigns to: `setattr` and its like, and patches."""
        for name in call.names:
            last = name.rpartition(".")[2]
            if (name in SETTERS or name.endswith(("__setattr__", "monkeypatch.setattr"))) and (
                len(call.args) > 1
            ):
                owners = self.names(call.args[0])
                texts = self.texts(call.args[1]) or ("?",)
                found = {f"{owner}.{text}" for owner in owners for text in texts}
                if found:
                    yield Store(call.site, frozenset(found), call.args[2:3])
            elif PATCHERS.search(name) and call.args:
                yield from self._patches(call, name)
            elif last in UPDATERS and name.rpartition(".")[0].endswith(NAMESPACE_ENDS):
                yield from self._updates(call, name.rpartition(".")[0], last)
            elif name in REGISTRARS and call.args:
                yield from self._registered(call)

    def _registered(self, call: Call) -> Iterator[Store]:
        """Operators of torch's own that are given other code: functions and methods alike."""
        said = [text for item in call.args[:2] for text in self.texts(item)]
        operators = [text.removeprefix(NATIVE) for text in said if text.startswith(NATIVE)]
        owners = [
            call.args[0],
            *([f.value] if isinstance(f := call.node.func, ast.Attribute) else []),
        ]
        libraries = (made for owner in owners for made in self.resolver.origins(owner))
        if not operators and any(map(self._is_native, libraries)):
            operators = said
        plain = {text.partition(".")[0] for text in operators}
        names = {f"{owner}.{name}" for owner in ("torch", "torch.Tensor") for name in plain}
        functions = tuple(item for item in call.args if self.functions(item))
        if names:
            yield Store(call.site, frozenset(names), functions)

    def _is_native(self, node: ast.expr) -> bool:
        """Whether an expression makes a library of torch's own operators."""
        return (
            isinstance(node, ast.Call)
            and "torch.library.Library" in self.names(node.func)
            and any(text == "aten" for item in node.args[:1] for text in self.texts(item))
        )

    def _patches(self, call: Call, name: str) -> Iterator[Store]:
        given = call.args[1:]
        if name.endswith(".object") and given:
            owners = self.names(call.args[0])
            found = {f"{owner}.{text}" for owner in owners for text in self.texts(given[0])}
            yield Store(call.site, frozenset(found), given[1:])
        elif not name.endswith((".dict", ".multiple")):
            yield Store(call.site, frozenset(self.texts(call.args[0])), given)

    def _updates(self, call: Call, owner: str, how: str) -> Iterator[Store]:
        base = owner.removesuffix("__dict__") if owner.endswith(".__dict__") else f"{owner}."
        if how != "update":
            if len(call.args) > 1:
                names = {f"{base}{text}" for text in self.texts(call.args[0])}
                yield Store(call.site, frozenset(names), call.args[1:2])
            return
        for item in call.keywords:
            if item.arg:
                yield Store(call.site, frozenset({f"{base}{item.arg}"}), (item.value,))
        for argument in call.args:
            for whole in self.resolver.origins(argument):
                if isinstance(whole, ast.Dict):
                    for key, value in zip(whole.keys, whole.values, strict=True):
                        names = {f"{base}{text}" for text in self.texts(key)} if key else set()
                        yield Store(call.site, frozenset(names), (value,))

    def _opaque(self, call: Call) -> Iterator[Opaque]:
        args = call.args
        for name in call.names:
            if name in BLIND:
                yield Opaque(call.site, f"`{name}` makes code of data", WEIGHTS["code"])
            elif name in EXECUTORS | LOADERS and args and not self._is_read(args[0]):
                yield Opaque(call.site, f"`{name}` is given what is not constant", WEIGHTS["code"])
            elif name in IMPORTERS and args and not self.values(args[0]):
                yield Opaque(call.site, f"`{name}` imports by a computed name", WEIGHTS["import"])
            elif name == "getattr" and len(args) > 1 and self._is_hidden(args[0], args[1]):
                yield Opaque(call.site, "an attribute by a computed name", WEIGHTS["name"])

    def _is_hidden(self, owner: ast.expr, name: ast.expr) -> bool:
        """Whether an attribute of something foreign is taken, and nobody knows which."""
        known = any(not foreign.startswith("?") for foreign in self.names(owner))
        return known and not self.values(name)

    def _executes_unknown(self, call: ast.Call) -> bool:
        names = self.names(call.func)
        return bool(names & EXECUTORS and call.args) and not self._is_read(call.args[0])

    def _may_rename(self, call: ast.Call) -> bool:
        """Whether a call may set the name by which a module asks what it is."""
        if len(call.args) < 2 or self.names(call.func).isdisjoint(SETTERS):
            return False
        said = self.texts(call.args[1])
        return not said or any(text == "__name__" or folding.UNKNOWN in text for text in said)

    def _is_read(self, node: ast.expr) -> bool:
        """Whether a text that is executed is known, or was compiled from one that is."""
        if values := self.values(node):
            return folding.UNKNOWN not in values
        made = [item for item in self.resolver.origins(node) if isinstance(item, ast.Call)]
        return any("compile" in self.names(item.func) for item in made)

    # ---- what runs

    def _running(self, index: Index, place: Place) -> Site | None:
        """Returns the site of a place that may run; None for one that cannot."""
        if not self.may_run(index, place):
            return None
        return Site(index.path, index.line(place.node), place.node, place.scope)

    def may_run(self, index: Index, place: Place) -> bool:
        """Returns whether a place in a file may run."""
        if place.scope.function() not in self._reached:
            return False
        if place.by_hand is None or index.path not in self._only_imported:
            return True
        return not self._is_by_hand(place.by_hand)

    def _is_by_hand(self, asked: ast.expr | None) -> bool:
        """Whether a place is under `if __name__ == "__main__"`, by what the name is asked for."""
        return asked is not None and self.values(asked) == ("__main__",)

    @cached_property
    def _only_imported(self) -> frozenset[str]:
        """Files that scoring imports and that nothing may run as a program."""
        return self._imported_only(self._loaded_paths)

    def _imported_only(self, loaded: frozenset[str]) -> frozenset[str]:
        entered = {entry.path for entry in self.entries or () if entry.function}
        if not entered:
            return frozenset()
        texts = "\n".join(
            source.text
            for source in self.sources
            if source.path in loaded or (source.reachable and source.language != "python")
        )
        hidden = {
            index.path
            for index in self.modules
            for place in index.calls
            if isinstance(place.node, ast.Call)
            and (self._executes_unknown(place.node) or self._may_rename(place.node))
        }
        return frozenset(
            path
            for path in loaded
            if path.rpartition("/")[2] not in texts
            and not STARTS.search(self._sources[path].text)
            and path not in hidden
        )

    @cached_property
    def _loaded_paths(self) -> frozenset[str]:
        return frozenset(scope.index.path for scope in self._reached if scope.parent is None)

    @cached_property
    def _reached(self) -> frozenset[Scope]:
        return frozenset(_Reach(self).run())

    def _named(self, index: Index, function: str) -> set[Scope]:
        """The functions that an entry's name stands for, through aliases and other files."""
        found = set()
        for binding in index.root.bindings.get(function, ()):
            match binding.value:
                case Scope() as own:
                    found.add(own)
                case str() as full:
                    found |= _functions(self.resolver.imported(full, index))
                case ast.expr() as value:
                    found |= _functions(self.resolver.things(value))
        return found


def entries(facts: EnvironmentFacts | None) -> tuple[Entry, ...] | None:
    """Returns where scoring enters the code of an environment; None where none is known."""
    points = facts.workspace.entrypoints if facts is not None else ()
    found = (point.partition(":") for point in points)
    return tuple(Entry(path, function) for path, _, function in found) or None


def program_of(
    sources: Sequence[ChangedSource], entries: tuple[Entry, ...] | None = None
) -> Program:
    """Returns the program of some sources; the last ones are remembered by content."""
    key = (entries, tuple((source.path, source.text, source.reachable) for source in sources))
    if key not in _programs:
        _programs[key] = Program(sources, entries)
        if len(_programs) > _PROGRAMS:
            _programs.popitem(last=False)
    return _programs[key]


class _Reach:
    """Finds what runs, by what is named where: generous, since names can be made up at run time."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._found: set[Scope] = set()
        self._said: set[str] = set()
        self._started: set[str] = set()
        """Files that may be run as programs."""
        self._by_name: dict[str, list[Scope]] = {}
        self._files: dict[str, list[Index]] = {}
        for index in program.modules:
            self._files.setdefault(index.path.rpartition("/")[2], []).append(index)
        self._imports: dict[Scope, list[tuple[str, Place]]] = {}
        self._calls: dict[Scope, list[Place]] = {}
        for index in program.modules:
            for name, place in index.imports:
                self._imports.setdefault(place.scope.function(), []).append((name, place))
            for place in index.calls:
                self._calls.setdefault(place.scope.function(), []).append(place)
        self._texts: dict[Scope, list[Scope]] = {}
        """Texts that a function executes."""
        for index in program.modules:
            if index.within is not None:
                self._texts.setdefault(index.within.function(), []).append(index.root)
        self._held: dict[Scope, list[Scope]] = {}
        for index in program.modules:
            for scope in index.scopes:
                if scope.parent is not None:
                    self._held.setdefault(scope.parent.function(), []).append(scope)

    def run(self) -> set[Scope]:
        """Returns the modules, classes and functions that may run."""
        for index in self._first():
            self._load(index)
        for function in self._called_from_outside():
            self._add(function)
        while self._start():
            pass
        return self._found

    def _called_from_outside(self) -> Iterable[Scope]:
        """What scoring calls; where nobody knows what it is, every function may be."""
        program = self._program
        if program.entries is not None:
            return program.entry_functions()
        loaded = {index.root for index in self._first()}
        return [
            scope
            for index in program.modules
            if index.root in loaded
            for scope in index.scopes
            if scope.sort is Sort.FUNCTION and scope.parent is not None and not _is_nested(scope)
        ]

    def _start(self) -> bool:
        """Follows what files do when they are started; returns whether one more may be."""
        loaded = frozenset(scope.index.path for scope in self._found if scope.parent is None)
        fresh = loaded - self._program._imported_only(loaded) - self._started
        self._started |= fresh
        for scope in [scope for scope in self._found if scope.index.path in fresh]:
            for found in [*self._spoken_of(scope), *self._loaded_by(scope)]:
                self._add(found)
        return bool(fresh)

    def _runs(self, scope: Scope, asked: ast.expr | None) -> bool:
        """Whether what stands under a test of `__name__`, if it does, may run."""
        return scope.index.path in self._started or not self._program._is_by_hand(asked)

    def _spoken_of(self, scope: Scope) -> Iterator[Scope]:
        """Yields what a scope, or a comprehension in it, is the first to name."""
        loops = [inner for inner in self._held.get(scope, ()) if inner.sort is Sort.LOOP]
        for spoken in (scope, *loops):
            words = set(spoken.mentions)
            words |= {word for word, asked in spoken.by_hand if self._runs(scope, asked)}
            for word in words - self._said:
                self._said.add(word)
                yield from self._by_name.get(word, ())
                yield from self._files_in(word)

    def _loaded_by(self, scope: Scope) -> Iterator[Scope]:
        """Yields the files that a scope imports, and the texts that it executes."""
        yield from (index.root for index in self._imported(scope))
        yield from self._texts.get(scope, ())

    def _first(self) -> Iterator[Index]:
        program = self._program
        paths = {entry.path for entry in program.entries or ()}
        for index in program.modules:
            source = program._sources[index.path]
            if index.at is None and (index.path in paths or source.reachable):
                yield index

    def _load(self, index: Index) -> None:
        if index.root not in self._found:
            self._add(index.root)

    def _add(self, scope: Scope) -> None:
        waiting = [scope]
        while waiting:
            scope = waiting.pop()
            if scope in self._found:
                continue
            self._found.add(scope)
            for inner in self._held.get(scope, ()):
                if self._comes_along(inner):
                    waiting.append(inner)
                else:
                    self._by_name.setdefault(inner.bare, []).append(inner)
                    if inner.bare in self._said:
                        waiting.append(inner)
            waiting += [*self._spoken_of(scope), *self._loaded_by(scope)]

    def _comes_along(self, scope: Scope) -> bool:
        """Whether a scope runs with what holds it, whoever names it."""
        if scope.sort is not Sort.FUNCTION:
            return True
        if isinstance(scope.node, ast.Lambda):
            return True
        if scope.is_method and (scope.bare.startswith("__") or scope.bare in CALLED_BY_TORCH):
            return True
        decorators = getattr(scope.node, "decorator_list", ())
        names = {name for item in decorators for name in self._program.names(item)}
        return any(not WRAPPERS.search(name) and not name.startswith("?") for name in names)

    def _files_in(self, word: str) -> Iterator[Scope]:
        """The files that a text names."""
        for part in re.split(r"[\s'\"=:,]+", word) if len(word) < 1000 else ():
            for index in self._files.get(part.rpartition("/")[2], ()):
                yield index.root

    def _imported(self, scope: Scope) -> Iterator[Index]:
        program = self._program
        for name, place in self._imports.get(scope, ()):
            if self._runs(scope, place.by_hand):
                parts = name.removesuffix(".*").split(".")
                for end in range(1, len(parts) + 1):
                    found = program.resolver.module(".".join(parts[:end]), scope.index)
                    if found is not None:
                        yield found
        for place in self._calls.get(scope, ()):
            if isinstance(place.node, ast.Call):
                for thing in program.resolver.things(place.node):
                    if isinstance(thing, Scope) and thing.sort is Sort.MODULE:
                        yield thing.index


STARTS = re.compile(
    r"__file__|runpy|multiprocessing|subprocess|sys\.argv|__name__\s*(=[^=]|:=)"
    r"|globals|vars\(|system|popen|spawn",
)
"""What an imported file may become a program by, or call itself one."""


def _parts(source: ChangedSource) -> Iterator[Index]:
    """Yields the indexes of a source's Python texts; remembered by path and content."""
    if source.language == "python":
        if (index := _indexed(source.path, source.text, 0)) is not None:
            yield index
        return
    for piece in others.pythons(source.path, source.text):
        index = _indexed(source.path, piece.text, piece.line - 1)
        if index is not None:
            yield index


def parsed(path: str, text: str) -> ast.Module | None:
    """Returns the tree of a Python file, which is kept for the program that it is part of."""
    index = _indexed(path, text, 0)
    return index.tree if index is not None else None


def _indexed(path: str, text: str, shift: int) -> Index | None:
    digest = hashlib.sha256(f"{path}\0{shift}\0".encode("utf-8", "surrogatepass"))
    digest.update(text.encode("utf-8", "surrogatepass"))
    key = digest.hexdigest()
    known = _indexes.get(key)
    if key in _indexes and not (known is not None and known.bound_by_texts):
        _indexes.move_to_end(key)
        return known
    tree = parse(text)
    index = None if tree is None else Index(tree, path, shift)
    _indexes[key] = index
    if len(_indexes) > _CACHE_SIZE:
        _indexes.popitem(last=False)
    return index


def _said(argument: ast.expr, given: Mapping[str, ast.expr]) -> ast.expr:
    return given.get(argument.id, argument) if isinstance(argument, ast.Name) else argument


def _is_nested(scope: Scope) -> bool:
    """Whether a function stands within another one, and is called by nobody else."""
    return scope.parent is not None and scope.parent.function().sort is Sort.FUNCTION


def _dotted(path: str) -> str:
    name = path.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")


def _functions(things: Iterable[Thing]) -> set[Scope]:
    return {item for item in things if isinstance(item, Scope) and item.sort is Sort.FUNCTION}


def _pickled(data: bytes) -> str:
    """What a pickle calls, as Python text: every name it looks up, given every text in it."""
    names: list[str] = []
    texts: list[str] = []
    try:
        for opcode, argument, _ in itertools.islice(pickletools.genops(data), 2000):
            if opcode.name == "GLOBAL":
                names.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
                names.append(".".join(texts[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except (ValueError, IndexError, KeyError, UnicodeError):
        pass
    given = ", ".join(repr(text) for text in texts[:16])
    lines = [
        f"__import__({name.rpartition('.')[0]!r}).{name.rpartition('.')[2]}({given})"
        for name in names[:16]
        if name.replace(".", "").isidentifier()
    ]
    return "\n".join(lines)


__all__ = ["Call", "Entry", "Opaque", "Program", "Site", "Store", "entries", "program_of"]
