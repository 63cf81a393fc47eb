"""Where data goes: a graph over variables, attributes, calls, results and files of a program.

Names are followed without regard to order, and functions without regard to who calls. What is
only measured (a length, a norm, a comparison) carries nothing, but for the tests of branches.
"""

import ast
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from auditor.code import others, shell
from auditor.code.arguments import named
from auditor.code.folding import UNKNOWN
from auditor.code.program import Program
from auditor.code.resolve import PARTIALS, Target, paired
from auditor.code.scopes import Place, Scope, Sort, children, home
from auditor.code.shell import Verb
from auditor.code.words import Piece

MEASURES = frozenset({
    "allclose", "array_equal", "assert_allclose", "assert_close", "assert_equal",
    "cosine_similarity", "device", "dist", "dtype", "equal", "exists", "getsize", "hasattr",
    "hexdigest", "id", "is_dir", "is_file", "isclose", "isdir", "isfile", "isinstance",
    "issubclass", "keys", "len", "mse_loss", "ndim", "norm", "numel", "print", "shape", "size",
    "stat", "strides", "type", "vector_norm",
})  # fmt: skip
"""Calls and attributes whose result tells about data but is not the data."""
REMOVERS = frozenset({"chdir", "makedirs", "mkdir", "remove", "rmdir", "rmtree", "unlink", "walk"})
RUNNERS = frozenset({
    "call", "check_call", "check_output", "getoutput", "popen", "Popen", "run", "system",
})  # fmt: skip
"""Calls that are given a command line, as text or as a list."""
COPIERS = frozenset({
    "copy", "copy2", "copyfile", "copytree", "link", "move", "rename", "renames", "replace",
    "symlink",
})  # fmt: skip
"""Calls that make their second path what the first is; of a path, the argument what it is."""
LINKERS = frozenset({"hardlink_to", "symlink_to"})
"""Methods that make their path what the argument is."""
WRITERS = frozenset({
    "copyfileobj", "dump", "export", "print", "save", "save_file", "save_model", "save_pretrained",
    "savez", "savez_compressed", "sendfile", "serialize_file", "to_csv", "to_json", "tofile",
    "write", "write_bytes", "write_text", "writelines", "writestr",
})  # fmt: skip
MUTATORS = frozenset({
    "add_", "append", "appendleft", "copy_", "data", "extend", "fill_", "index_copy_", "insert",
    "lerp_", "load_state_dict", "masked_scatter_", "put", "put_", "put_nowait", "scatter_", "send",
    "set_", "setdefault", "update",
})  # fmt: skip
COMPARERS = frozenset({
    "__contains__", "__eq__", "count", "endswith", "eq", "find", "findall", "fnmatch", "fullmatch",
    "index", "match", "search", "startswith",
})  # fmt: skip
"""Calls that compare texts."""
INTO = frozenset({"copyto", "memmove", "memcpy", "pack_into", "readinto"})
"""Calls that fill their first argument."""
KNOWN = 16
"""Answers about where data goes that are kept."""
Node = Any
"""An expression, or a tuple: `(scope, name)`, `("return", scope)`, `("field", owner, name)`,
`("read", path)`, `("written", path)`, `("test", expression)`, `("measure", expression)`."""


_graphs: "WeakKeyDictionary[Program, Graph]" = WeakKeyDictionary()


class Step(NamedTuple):
    """A place that data passes."""

    path: str
    line: int


class Reading(NamedTuple):
    """A place that reads a file."""

    step: Step
    node: Node
    file: str


class Graph:
    """The data flow of one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._edges: dict[Node, dict[Node, None]] = {}
        self._places: dict[Node, Step] = {}
        self._mutated: set[tuple[Scope, str]] = set()
        self._handed: list[tuple[tuple[Scope, str], ast.expr]] = []
        self._read: list[Reading] = []
        self._files: set[Node] = set()
        self._known: OrderedDict[tuple[tuple[Node, ...], bool], dict[Node, Node]] = OrderedDict()
        self._leading: tuple[frozenset[Node], frozenset[Node]] | None = None
        self.tests: list[Node] = []
        """`("test", expression)` of every branch."""
        for index in program.modules:
            self._path = index.path
            for place in (*index.attributes, *index.calls, *index.statements):
                if program.may_run(index, place):
                    self._note(place.node, Step(index.path, index.line(place.node)))
                    BUILDERS.get(type(place.node), Graph._nothing)(self, place)
            for scope in index.scopes:
                if isinstance(scope.node, ast.Lambda):
                    self._flow(self._inputs(scope.node.body), ("return", scope))
        for site in program.tests:
            assert isinstance(site.node, ast.expr)
            node = ("test", site.node)
            self.tests.append(node)
            self._note(node, Step(site.path, site.line))
            self._flow(self._inputs(site.node), node)
        self._scripts = {
            source.path: others.shells(source.path, source.text)
            for source in program.sources
            if source.reachable
        }
        for path, pieces in self._scripts.items():
            for piece in pieces:
                self._shell(path, piece)
        self._join_texts()
        self._join_arguments()
        self._join_files()

    # ---- questions

    def readings(self, origin: Callable[[str], bool]) -> list[Reading]:
        """Returns the places that read a file of which `origin` holds."""
        return [reading for reading in self._read if origin(reading.file)]

    def written(self, target: Callable[[str], bool]) -> set[Node]:
        """Returns the nodes of files that are written to and of which `target` holds."""
        return {node for node in self._files if node[0] == "written" and target(node[1])}

    @staticmethod
    def returned(functions: Iterable[Scope]) -> set[Node]:
        """Returns the nodes of what functions return."""
        return {("return", function) for function in functions}

    def held(self, expressions: Iterable[ast.expr]) -> set[Node]:
        """Returns the nodes whose data expressions hold."""
        return {node for item in expressions for node in self._inputs(item)}

    def comparisons(self, told: Callable[[Sequence[str]], bool]) -> Iterator[Node]:
        """Yields comparisons with texts of which `told` holds, by operator or by method."""
        yield from (node for node, texts in self._compared if told(texts))

    @cached_property
    def _compared(self) -> tuple[tuple[Node, Sequence[str]], ...]:
        """Every comparison, with the texts in it."""
        found: list[tuple[Node, Sequence[str]]] = []
        for node in list(self._places):
            match node:
                case ("measure", ast.Compare(left=left, comparators=others)):
                    found.append((node, self._texts([left, *others])))
                case ast.Call():
                    for target in self._program.resolver.targets(node):
                        name = str(target.thing).rpartition(".")[2]
                        if isinstance(target.thing, str) and name in COMPARERS:
                            found.append((node, self._texts(target.args)))
        return tuple(found)

    def way(
        self, sources: Iterable[Node], sinks: Collection[Node], *, measured: bool = False
    ) -> tuple[Step, ...] | None:
        """Returns the places on the shortest way from a source to a sink; None if there is none.

        Args:
            sources: where data starts.
            sinks: where it may arrive.
            measured: whether what only tells about data, such as a comparison, carries it too.
        """
        before = self._spread(tuple(dict.fromkeys(sources)), measured)
        few = [node for node in sinks if node in before] if len(sinks) == 1 else None
        among = before if few is None else few
        return next((self._steps(node, before) for node in among if node in sinks), None)

    def reached(self, sources: Iterable[Node], *, measured: bool = False) -> Collection[Node]:
        """Returns all that data from the sources arrives at; as `way`, for many sinks."""
        return self._spread(tuple(dict.fromkeys(sources)), measured)

    def leads(self, sources: Iterable[Node], sinks: frozenset[Node]) -> bool:
        """Returns whether there is a way from any source to a sink.

        What leads to the sinks that were asked about last is kept, however many ask.
        """
        if self._leading is None or self._leading[0] != sinks:
            self._leading = (sinks, frozenset(self._back(sinks)))
        return not self._leading[1].isdisjoint(sources)

    def _back(self, sinks: Iterable[Node]) -> Iterator[Node]:
        """Yields what leads to some sinks, the nearest first."""
        found = dict.fromkeys(sinks)
        waiting = deque(found)
        while waiting:
            node = waiting.popleft()
            yield node
            if _is_measure(node):
                continue  # a way may begin in what tells about data, not lead through it
            for before in self._edges_back.get(node, ()):
                if before not in found:
                    found[before] = None
                    waiting.append(before)

    @cached_property
    def _edges_back(self) -> dict[Node, list[Node]]:
        found: dict[Node, list[Node]] = {}
        for source, targets in self._edges.items():
            for target in targets:
                found.setdefault(target, []).append(source)
        return found

    def _spread(self, sources: tuple[Node, ...], measured: bool) -> dict[Node, Node]:
        """Returns all that data reaches from some sources, nearest first, each with what led to it.

        The last answers are kept: rules ask from the same sources again and again.
        """
        key = (sources, measured)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        before: dict[Node, Node] = dict.fromkeys(sources)
        waiting = deque(before)
        while waiting:
            node = waiting.popleft()
            for after in self._edges.get(node, ()):
                if after not in before and (measured or not _is_measure(after)):
                    before[after] = node
                    waiting.append(after)
        self._known[key] = before
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return before

    def owner(self, call: ast.Call, target: Target) -> list[ast.expr]:
        """Returns what a method is called of: one expression, or none."""
        return _owner(call, self._program) or _bound(call, target, self._program)

    def step(self, node: Node) -> Step | None:
        """Returns where a node stands."""
        return self._places.get(node)

    def _steps(self, node: Node, before: Mapping[Node, Node]) -> tuple[Step, ...]:
        steps: list[Step] = []
        while node is not None:
            step = self._places.get(node)
            if step is not None and (not steps or steps[-1] != step):
                steps.append(step)
            node = before[node]
        return tuple(reversed(steps))

    # ---- building

    def _note(self, node: Node, step: Step) -> None:
        self._places.setdefault(node, step)

    def _flow(self, sources: Iterable[Node], target: Node) -> None:
        for source in sources:
            if source is not target:
                self._edges.setdefault(source, {})[target] = None

    def _nothing(self, place: Place) -> None:
        """Most places carry no data anywhere."""

    def _inputs(self, node: ast.AST | None) -> Iterator[Node]:
        """Yields the nodes whose data an expression holds."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            match node:
                case None | ast.Constant() | ast.Lambda():
                    continue
                case ast.Compare():
                    yield self._measure(node)
                case ast.Attribute(attr=attr) if attr in MEASURES:
                    yield self._measure(node)
                case ast.Call(func=func) if last(func) in MEASURES:
                    yield self._measure(node)
                case ast.Call() | ast.Attribute() | ast.Subscript():
                    yield node
                case ast.Name():
                    yield from self._variable(node)
                case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                    yield node
                case ast.IfExp(body=body, orelse=orelse):
                    waiting += [body, orelse]
                case _:
                    waiting += children(node)

    def _measure(self, node: ast.AST) -> Node:
        """Returns the node of what tells about data, without being it."""
        measured = ("measure", node)
        if measured not in self._places:
            self._places[measured] = Step(self._path, getattr(node, "lineno", 0))
            for child in children(node):
                self._flow(self._inputs(child), measured)
        return measured

    def _variable(self, name: ast.Name) -> Iterator[Node]:
        scope = home(name)
        if scope is None:
            return
        found = self._program.resolver.bindings(name.id, scope)
        if found is None:  # bound nowhere in sight: one thing for the whole file
            yield (scope.index.root, name.id)
            return
        yield (found[1], name.id)
        for binding in found[0]:
            if isinstance(binding.value, str):  # a variable of another module
                yield from self._imported(binding.value, found[1])

    def _imported(self, full: str, holder: Scope) -> Iterator[Node]:
        module, _, name = full.rpartition(".")
        other = self._program.resolver.module(module, holder.index) if module else None
        if other is not None and name in other.root.bindings:
            yield (other.root, name)

    def _attribute(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.Attribute)
        if node.attr not in MEASURES:
            self._flow(self._inputs(node.value), node)
            self._flow(self._fields(node), node)

    def _fields(self, node: ast.Attribute) -> list[Node]:
        """The nodes of an attribute: of a class or module of the program's, else none."""
        things = self._program.resolver.things(node.value)
        found: list[Node] = []
        for thing in things:
            if isinstance(thing, Scope) and thing.sort is Sort.MODULE:
                found.append((thing, node.attr))
            elif isinstance(thing, Scope):
                found.append(("field", thing, node.attr))
        return found

    def _item(self, place: Place) -> None:
        assert isinstance(place.node, ast.Subscript)
        self._flow(self._inputs(place.node.value), place.node)

    def _assign(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.Assign)
        for target in node.targets:
            self._bind(target, node.value)

    def _assign_one(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr)
        if node.value is not None:
            self._bind(node.target, node.value)

    def _loop(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.For | ast.AsyncFor)
        self._bind(node.target, node.iter)

    def _with(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.withitem) and node.optional_vars is not None
        self._bind(node.optional_vars, node.context_expr)

    def _comprehension(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp)
        for loop in node.generators:
            self._bind(loop.target, loop.iter)
        given = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for item in given:
            self._flow(self._inputs(item), node)

    def _return(self, place: Place) -> None:
        node = place.node
        assert isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)
        self._flow(self._inputs(node.value), ("return", place.scope.function()))

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            pairs: Sequence[ast.expr] = [value] * len(target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                pairs = value.elts
            for item, part in zip(target.elts, pairs, strict=True):
                self._bind(item, part)
            return
        sources = list(self._inputs(value))
        if isinstance(target, ast.Name):
            for node in self._variable(target):
                self._flow(sources, node)
            if isinstance(value, ast.Name):  # two names of one object: what fills one fills both
                self._alias(target, value)
        else:
            self._fill(target, sources)

    def _alias(self, target: ast.Name, value: ast.Name) -> None:
        for one in self._variable(target):
            for other in self._variable(value):
                self._edges.setdefault(("filled", one), {})[other] = None
                self._edges.setdefault(("filled", one), {})[("filled", other)] = None

    def _fill(self, target: ast.expr, sources: Iterable[Node]) -> None:
        """Lets data into an object that an expression refers to."""
        sources = list(sources)
        while True:
            match target:
                case ast.Attribute():
                    for node in self._fields(target):
                        self._flow(sources, node)
                    target = target.value
                    if isinstance(target, ast.Name) and target.id in ("self", "cls"):
                        return
                case ast.Subscript(value=inner) | ast.Starred(value=inner):
                    target = inner
                case ast.Call(func=ast.Attribute(value=inner)):
                    target = inner
                case ast.Name():
                    for node in self._variable(target):
                        self._flow(sources, node)
                        self._flow(sources, ("filled", node))
                        self._mutated.add(node)
                    return
                case _:
                    return

    def _call(self, place: Place) -> None:
        call = place.node
        assert isinstance(call, ast.Call)
        step = Step(place.scope.index.path, place.scope.index.line(call))
        targets = list(self._program.resolver.targets(call))
        foreign = [target for target in targets if isinstance(target.thing, str)]
        for target in targets:
            if isinstance(target.thing, Scope):
                self._own_call(call, target)
        if not targets:
            foreign = [Target(last(call.func), tuple(call.args), tuple(call.keywords))]
        for target in foreign:
            self._foreign_call(call, target, step)

    def _foreign_call(self, call: ast.Call, target: Target, step: Step) -> None:
        name = str(target.thing).rpartition(".")[2]
        owner = self.owner(call, target)
        given = [*target.args, *(keyword.value for keyword in target.keywords)]
        if name not in MEASURES or name == "print":
            for item in (*given, *owner):
                self._flow(self._inputs(item), call)
            self._callbacks(call, given)
        if name in MUTATORS and owner:
            self._fill(owner[0], [n for item in given for n in self._inputs(item)])
            self._fill_drawn_from(owner[0], given)
        for keyword in target.keywords:
            if keyword.arg == "out":
                self._fill(keyword.value, [call])
        if name in INTO and target.args:
            self._fill(target.args[0], [call])
        if str(target.thing) not in PARTIALS:
            self._touch_files(call, target, name, owner, step)

    def _fill_drawn_from(self, owner: ast.expr, given: Sequence[ast.expr]) -> None:
        """What fills a loop's variable fills what the loop goes through."""
        name = owner
        while isinstance(name, ast.Attribute | ast.Subscript | ast.Call):
            name = name.func if isinstance(name, ast.Call) else name.value
        if not isinstance(name, ast.Name) or (scope := home(name)) is None:
            return
        found = self._program.resolver.bindings(name.id, scope)
        for binding in found[0] if found else ():
            if isinstance(binding.value, ast.expr) and binding.way:
                for inner in ast.walk(binding.value):
                    if isinstance(inner, ast.Name):
                        for item in given:
                            self._fill(inner, self._inputs(item))

    def _own_call(self, call: ast.Call, target: Target) -> None:
        function = target.thing
        if not isinstance(function, Scope) or function.sort is Sort.MODULE:
            return
        if function.sort is Sort.CLASS:
            for item in (*target.args, *(keyword.value for keyword in target.keywords)):
                self._flow(self._inputs(item), call)
            for binding in function.bindings.get("__init__", ()):
                if isinstance(binding.value, Scope):
                    self._hand_over(target._replace(thing=binding.value), binding.value)
            return
        self._hand_over(target, function)
        self._flow([("return", function)], call)
        for owner in _owner(call, self._program):
            self._flow(self._inputs(owner), call)

    def _hand_over(self, target: Target, function: Scope) -> None:
        for name, argument in paired(function, target):
            self._flow(self._inputs(argument), (function, name))
            self._handed.append(((function, name), argument))
        loose = [argument.value for argument in target.args if isinstance(argument, ast.Starred)]
        loose += [keyword.value for keyword in target.keywords if keyword.arg is None]
        rest = getattr(getattr(function.node, "args", None), "vararg", None)
        names = [*function.parameters, *([rest.arg] if rest is not None else [])]
        handed = loose or (list(target.args) if rest is not None else [])
        for given in handed:
            for name in names if loose else names[-1:]:
                self._flow(self._inputs(given), (function, name))

    def _callbacks(self, call: ast.Call, given: Sequence[ast.expr]) -> None:
        """A function that is handed over is called, with what is handed over beside it."""
        for item in given:
            if not isinstance(item, ast.Name | ast.Attribute | ast.Lambda):
                continue
            for function in self._program.functions(item):
                self._flow([("return", function)], call)
                for other in given:
                    if other is not item:
                        for name in function.parameters:
                            self._flow(self._inputs(other), (function, name))
                            self._handed.append(((function, name), other))

    def _join_texts(self) -> None:
        """What a text that is executed binds is bound where it is executed."""
        for index in self._program.modules:
            if index.within is not None:
                for name in index.root.bindings:
                    for holder in (index.within.function(), index.within.index.root):
                        self._flow([(index.root, name)], (holder, name))

    def _join_arguments(self) -> None:
        """What a function fills was its caller's."""
        for _ in range(4):
            before = len(self._mutated)
            for parameter, argument in self._handed:
                if parameter in self._mutated:
                    self._fill_all(argument, [("filled", parameter)])
            if len(self._mutated) == before:
                return

    def _fill_all(self, argument: ast.expr, sources: Sequence[Node]) -> None:
        items = argument.elts if isinstance(argument, ast.Tuple | ast.List) else [argument]
        for item in items:
            self._fill(item, sources)

    # ---- files

    def _touch_files(
        self, call: ast.Call, target: Target, name: str, owner: list[ast.expr], step: Step
    ) -> None:
        if name in REMOVERS or name in MEASURES - {"print"} or self._program.values(call):
            return
        values = [keyword.value for keyword in target.keywords]
        if name in RUNNERS:
            for item in (*target.args, *values):
                for text in self._program.command_lines(item):
                    self._commands(text, call, step)
            return
        first, second = list(target.args[:1]), list(target.args[1:2])
        if name in LINKERS:
            second = owner
        elif name in COPIERS and owner and not second:
            first, second = owner, first
        if name in COPIERS | LINKERS and second:
            if name != "replace" or self._texts(second):
                self._reads(self._texts(first), call, step)
                self._writes(self._texts(second), call)
            return
        given = [*target.args, *values, *owner]
        if name in WRITERS:
            self._writes(self._texts([*given, *self._handles(given)]), call)
        elif not (name == "open" and self._opens_to_write(target, owner)):
            self._reads(self._texts(given), call, step)

    def _opens_to_write(self, target: Target, owner: list[ast.expr]) -> bool:
        of_a_path = bool(owner and self._program.values(owner[0]))
        place = 0 if of_a_path else 1
        modes = list(target.args[place : place + 1])
        modes += [keyword.value for keyword in target.keywords if keyword.arg == "mode"]
        return any(
            set(text) & set("wax") and len(text) < 5
            for mode in modes
            for text in self._program.texts(mode)
        )

    def _handles(self, given: Sequence[ast.expr]) -> Iterator[ast.expr]:
        """What files were opened by, that expressions stand for."""
        for item in given:
            for origin in self._program.resolver.origins(item):
                if isinstance(origin, ast.Call):
                    yield from origin.args[:1]
                    if isinstance(origin.func, ast.Attribute):
                        yield origin.func.value

    def _texts(self, given: Iterable[ast.expr]) -> list[str]:
        found: list[str] = []
        for item in given:
            inner = item.value if isinstance(item, ast.Starred) else item
            for value in self._program.values(inner):
                if isinstance(value, tuple):
                    found.append(" ".join(str(part) for part in value))
                elif isinstance(value, str | bytes):
                    found.append(
                        value if isinstance(value, str) else value.decode("utf-8", "replace")
                    )
        return found

    def _reads(self, texts: Iterable[str], node: Node, step: Step) -> None:
        for text in texts:
            path = normal(text)
            if path and len(path) < 1000:
                self._files.add(("read", path))
                self._flow([("read", path)], node)
                self._read.append(Reading(step, node, path))

    def _writes(self, texts: Iterable[str], node: Node) -> None:
        for text in texts:
            path = normal(text)
            if path and UNKNOWN not in path and len(path) < 1000:
                self._files.add(("written", path))
                self._flow([node], ("written", path))

    def _commands(self, text: str, node: Node, step: Step) -> None:
        """What a call has a shell do; what only shows what files hold is given to nothing."""
        doings = shell.of_shell(Piece(step.line, text), shell.Session())
        for deed in doings.deeds:
            if deed.verb is Verb.COPY:
                self._reads([deed.path], node, step)
                self._writes([deed.to], node)

    def _shell(self, path: str, piece: Piece, given: Sequence[str] = (), depth: int = 4) -> None:
        """Follows a shell text, and the texts that it runs with words of its own."""
        doings = shell.of_shell(piece, shell.Session(known=shell.positional(given)))
        made = {item.path: item for item in doings.files}
        for number, deed in enumerate(doings.deeds):
            if deed.verb is Verb.COPY:
                node, step = ("command", path, piece.line, given, number), Step(path, deed.line)
                self._note(node, step)
                self._reads([deed.path], node, step)
                self._writes([deed.to], node)
            elif deed.verb is Verb.RUN and depth:
                if deed.path in made:
                    line, _, text, _ = made[deed.path]
                    self._shell(path, Piece(line, text), deed.given, depth - 1)
                elif deed.given and (other := named(deed.path, path, self._scripts)):
                    for inner in self._scripts[other]:
                        self._shell(other, inner, deed.given, depth - 1)

    def _join_files(self) -> None:
        """What was written to a file is what is read from it, or from the folder that holds it."""
        written = {node[1] for node in self._files if node[0] == "written"}
        read = {node[1] for node in self._files if node[0] == "read"}
        for path in sorted(written):
            for other in (path, *(above for above in _folders(path) if above in read)):
                self._flow([("written", path)], ("read", other))
        for path in sorted(read):
            for above in _folders(path):
                if above in written:
                    self._flow([("written", above)], ("read", path))


BUILDERS: Mapping[type[ast.AST], Callable[[Graph, Place], None]] = {
    ast.Attribute: Graph._attribute, ast.Subscript: Graph._item, ast.Call: Graph._call,
    ast.Assign: Graph._assign, ast.AnnAssign: Graph._assign_one, ast.AugAssign: Graph._assign_one,
    ast.NamedExpr: Graph._assign_one, ast.For: Graph._loop, ast.AsyncFor: Graph._loop,
    ast.withitem: Graph._with, ast.Return: Graph._return, ast.Yield: Graph._return,
    ast.YieldFrom: Graph._return, ast.ListComp: Graph._comprehension,
    ast.SetComp: Graph._comprehension, ast.GeneratorExp: Graph._comprehension,
    ast.DictComp: Graph._comprehension,
}  # fmt: skip


def graph_of(program: Program) -> Graph:
    """Returns the graph of a program, made when it is asked for first."""
    if program not in _graphs:
        _graphs[program] = Graph(program)
    return _graphs[program]


def _is_measure(node: Node) -> bool:
    return isinstance(node, tuple) and node[0] == "measure"


def normal(text: str) -> str:
    """Returns a path without repeated and leading or trailing separators."""
    return re.sub(r"/+", "/", text).removeprefix("./").rstrip("/")


def _folders(path: str) -> Iterator[str]:
    """Yields the folders that hold a path, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def last(func: ast.expr) -> str:
    """Returns the last part of what is called, as it is written."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _owner(call: ast.Call, program: Program) -> list[ast.expr]:
    """What a method is called of: one expression, or none."""
    match call.func:
        case ast.Attribute(value=value):
            return [value]
        case ast.Call(func=getter, args=[value, _, *_]) if "getattr" in program.names(getter):
            return [value]
    return []


def _bound(call: ast.Call, target: Target, program: Program) -> list[ast.expr]:
    """What a method is called of that was handed over: to `partial`, or to what calls it."""
    makers = [item for item in program.resolver.origins(call.func) if isinstance(item, ast.Call)]
    given = [argument for item in (*makers, call) for argument in item.args[:1]]
    return [
        item.value for item in given if isinstance(item, ast.Attribute) and item not in target.args
    ][:1]


__all__ = ["Graph", "Node", "Reading", "Step", "graph_of", "last", "normal"]
