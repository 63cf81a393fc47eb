"""Work is put where neither the caller nor the scorer's waiting sees it end."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from auditor.code.program import Call, Program
from auditor.code.scopes import Index, Scope, Sort, opened
from auditor.rule import (
    CodeRule,
    Confidence,
    Edit,
    Found,
    Kind,
    Misdeed,
    Severity,
    Unit,
)

WAITING = frozenset({
    "torch._C._cuda_synchronize", "torch.accelerator.synchronize", "torch.cuda.current_stream",
    "torch.cuda.default_stream", "torch.cuda.is_available",
})  # fmt: skip
"""What the scorer's waiting rests on; `ClockReplaced` knows `torch.cuda.synchronize` itself."""
STREAMS = frozenset({"torch.cuda.set_stream", "torch.cuda.stream", "torch.cuda.StreamContext"})
THREADS = frozenset({
    "_thread.start_new_thread", "multiprocessing.Process", "os.fork", "threading.Thread",
    "threading.Timer",
})  # fmt: skip
CALLERS_STREAMS = frozenset({"torch.cuda.current_stream()", "torch.cuda.default_stream()"})
FILLING = frozenset({"_foreach_copy_", "copy_", "data_ptr", "index_copy_", "set_"})
"""Calls that put an input where a graph reads it, or ask where it lies."""
CAPTURING = re.compile(
    r"(^torch\.cuda\.(graphs\.)?(graph|make_graphed_callables)|\.capture_begin)$"
)
NEAREST = 4
"""Calls between a replay and what puts the input in."""
JOINS = frozenset({"acquire", "as_completed", "get", "join", "result", "wait", "waitpid"})
PERSISTING = re.compile(
    r"PersistingL2Cache|accessPolicyWindow|AccessPropertyPersisting|LIMIT_PERSISTING_L2"
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
NATIVE = (".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp")
_Solution = partial(Edit, path="solution/solution.py", entry="prefix_sum")


class WorkOffTheTimedStream(CodeRule):
    """Waiting is disabled, or work goes on beside what is waited for.

    ## What it finds
    Assignments to what the scorer's `synchronize` rests on; side streams that the caller's stream
    never waits for; threads and processes that nothing joins; graphs that are replayed without the
    input being put into them; parts of the L2 cache that are held on to.

    ## Why it matters
    The clock is stopped when the call has returned and the device is idle. What is not waited for
    is not timed, and what a graph or a cache holds is not read again.

    ## Honest look-alikes
    Side streams that are joined by `wait_stream`, an event or `synchronize`; thread pools whose
    results are awaited; graphs that copy their input on each replay; work space that is kept.

    ## What it misses
    Streams and threads of native code. `ResultDeliveredLate` and the interventions decide by
    running the solution; but for the assignments, all of this is a suspicion.
    """

    code = "TRI113"
    kind = Kind.CHEATING
    misdeed = Misdeed.MEASUREMENT_TAMPERED
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    interventions = ("fresh_inputs", "first_call", "same_pointer", "repeated_input")

    cheat = {
        "nothing to wait for": _Solution(
            after="import torch\n\ntorch.cuda.is_available = lambda: False  # found\n"
        ),
        "waiting below Python": _Solution(
            after=(
                "import torch\n\ncore = torch._C\n"
                'setattr(core, "_cuda_" + "synchronize", lambda: None)  # found\n'
            )
        ),
        "a stream that nobody joins": _Solution(
            after=(
                "import torch\n\nside = torch.cuda.Stream()\n\n\ndef prefix_sum(x):\n"
                "    y = torch.empty_like(x)\n"
                "    side.wait_stream(torch.cuda.current_stream())\n"
                "    with torch.cuda.stream(side):  # found\n"
                "        scan[(64,)](x, y)\n    return y\n"
            )
        ),
        "a graph of the first input": _Solution(
            after=(
                "import torch\n\ngraph = torch.cuda.CUDAGraph()\nheld = {}\n\n\n"
                "def prefix_sum(x):\n"
                "    if not held:\n        with torch.cuda.graph(graph):\n"
                '            held["y"] = scan(x)\n'
                "    graph.replay()  # found\n"
                '    return held["y"]\n'
            )
        ),
        "a thread that goes on": _Solution(
            after=(
                "import threading as t\nimport torch\n\n\ndef prefix_sum(x):\n"
                "    y = torch.empty_like(x)\n"
                "    t.Thread(target=scan, args=(x, y), daemon=True).start()  # found\n"
                "    return y\n"
            )
        ),
        "a worker that alone waits": _Solution(
            after=(
                "import queue\nimport threading\nimport torch\n\njobs = queue.SimpleQueue()\n\n\n"
                "def _serve():\n    while job := jobs.get():\n        scan(*job)\n\n\n"
                "threading.Thread(target=_serve, daemon=True).start()  # found\n\n\n"
                "def prefix_sum(x):\n    y = torch.empty_like(x)\n    jobs.put((x, y))\n"
                "    return y\n"
            )
        ),
        "the cache held": _Solution(
            after=(
                "from torch.utils.cpp_extension import load_inline\n\n"
                'SOURCE = """\nvoid keep(cudaStream_t s, cudaStreamAttrValue v) {\n'
                "  v.accessPolicyWindow.hitRatio = 1.0; // # found\n"
                '}\n"""\nload_inline("keep", cuda_sources=SOURCE)\n'
            )
        ),
        "the cache held by a file of its own": _Solution(
            path="solution/keep.cu",
            after=(
                "// sets the cache aside\nvoid keep() {\n"
                "  cudaDeviceSetLimit(cudaLimitPersistingL2CacheSize, 1 << 24);  // # found\n}\n"
            ),
        ),
        "a graph filled only when it is captured": _Solution(
            after=(
                "import torch\n\ngraph = torch.cuda.CUDAGraph()\nheld = {}\n\n\n"
                "def _captured(x):\n    held[0] = torch.empty_like(x)\n    held[0].copy_(x)\n"
                "    with torch.cuda.graph(graph):\n        held[1] = scan(held[0])\n\n\n"
                "def prefix_sum(x):\n    if not held:\n        _captured(x)\n"
                "    graph.replay()  # found\n    return held[1]\n"
            )
        ),
    }
    honest = {
        "a worker whose answer is awaited": _Solution(
            after=(
                "import queue\nimport threading\nimport torch\n\n"
                "jobs, done = queue.SimpleQueue(), queue.SimpleQueue()\n\n\n"
                "def _serve():\n    while job := jobs.get():\n        done.put(scan(job))\n\n\n"
                "threading.Thread(target=_serve, daemon=True).start()\n\n\n"
                "def prefix_sum(x):\n    jobs.put(x)\n    return done.get()\n"
            )
        ),
        "a stream that its class joins": _Solution(
            after=(
                "import torch\n\n\nclass Runner:\n    def __init__(self):\n"
                "        self.side = torch.cuda.Stream()\n\n    def run(self, x):\n"
                "        with torch.cuda.stream(self.side):\n            y = scan(x)\n"
                "        self.join()\n        return y\n\n    def join(self):\n"
                "        torch.cuda.current_stream().wait_stream(self.side)\n\n\n"
                "_runner = Runner()\n\n\ndef prefix_sum(x):\n    return _runner.run(x)\n"
            )
        ),
        "a graph filled by a helper": _Solution(
            after=(
                "import torch\n\ngraph = torch.cuda.CUDAGraph()\ngiven = torch.empty(4096)\n\n\n"
                "def _fill(x):\n    given[: len(x)] = x\n\n\n"
                "def prefix_sum(x):\n    _fill(x)\n    graph.replay()\n    return given\n"
            )
        ),
        "threads that another file joins": _Solution(
            after=(
                "import threading\nimport crew\n\n\ndef prefix_sum(x):\n    y = x.clone()\n"
                "    halves = [threading.Thread(target=scan, args=(y, i)) for i in range(2)]\n"
                "    crew.work(halves)\n    return y\n"
            ),
            beside={
                "solution/crew.py": (
                    "def work(halves):\n    for half in halves:\n        half.start()\n"
                    "    for half in halves:\n        half.join()\n"
                )
            },
        ),
        "joined by the caller's stream": _Solution(
            after=(
                "import torch\n\nside = torch.cuda.Stream()\n\n\ndef prefix_sum(x):\n"
                "    with torch.cuda.stream(side):\n        y = scan(x)\n"
                "    torch.cuda.current_stream().wait_stream(side)\n    return y\n"
            )
        ),
        "joined by an event": _Solution(
            after=(
                "import torch\n\n\ndef prefix_sum(x):\n    side = torch.cuda.Stream()\n"
                "    done = torch.cuda.Event()\n    with torch.cuda.stream(side):\n"
                "        y = scan(x)\n        done.record(side)\n"
                "    torch.cuda.current_stream().wait_event(done)\n    return y\n"
            )
        ),
        "joined by synchronize": _Solution(
            after=(
                "import torch\n\n\ndef prefix_sum(x):\n    side = torch.cuda.Stream()\n"
                "    with torch.cuda.stream(side):\n        y = scan(x)\n"
                "    side.synchronize()\n    return y\n"
            )
        ),
        "a graph that copies its input": _Solution(
            after=(
                "import torch\n\n_graphs = {}\n\n\ndef prefix_sum(x):\n"
                "    graph, given, y = _graphs.get(len(x)) or _captured(x)\n"
                "    given.copy_(x)\n    graph.replay()\n    return y\n"
            )
        ),
        "a graph per place in memory": _Solution(
            after=(
                "import torch\n\n_graphs = {}\n\n\ndef prefix_sum(x):\n"
                "    graph, y = _graphs[x.data_ptr(), len(x)]\n    graph.replay()\n    return y\n"
            )
        ),
        "a pool that is waited for": _Solution(
            after=(
                "from concurrent.futures import ThreadPoolExecutor\nimport torch\n\n"
                "_pool = ThreadPoolExecutor(2)\n_work = {}\n\n\ndef prefix_sum(x):\n"
                "    y = _work.setdefault(len(x), torch.empty_like(x))\n"
                "    for half in [_pool.submit(scan, x, y, i) for i in range(2)]:\n"
                "        half.result()\n    return y\n"
            )
        ),
        "threads that are joined": _Solution(
            after=(
                "import threading\n\n\ndef prefix_sum(x):\n    y = x.clone()\n"
                "    halves = [threading.Thread(target=scan, args=(y, i)) for i in range(2)]\n"
                "    for half in halves:\n        half.start()\n"
                "    for half in halves:\n        half.join()\n    return y\n"
            )
        ),
        "words about the cache": _Solution(
            after=(
                '"""Needs no accessPolicyWindow: one pass."""\n\nimport triton.language as tl\n\n'
                'EVICT = "evict_first"  # cudaLimitPersistingL2CacheSize would be of no use\n'
            )
        ),
        "asks whether there is a device": _Solution(
            after='import torch\n\nDEVICE = "cuda" if torch.cuda.is_available() else "cpu"\n'
        ),
    }

    def inspect(self, unit: Unit) -> Iterable[tuple[str, Found]]:
        """Yields the places in code that runs."""
        program = unit.program
        for store in program.stores:
            for full in sorted(store.names & WAITING):
                yield store.site.path, Found(store.site.line, f"replaces `{full}`", flow=True)
        for did, calls in (
            ("works on a stream that the caller's stream never waits for", _streams(program)),
            ("starts work that nothing waits for", _threads(program)),
            ("replays a graph without filling in the input", _graphs(program)),
        ):
            for call in calls:
                yield call.site.path, Found(call.site.line, did)
        for path, line in (*_native(unit), *_told(program)):
            yield path, Found(line, "holds on to a part of the L2 cache")


def _ends(call: Call) -> set[str]:
    """The last parts of the names of what a call calls."""
    return {name.rpartition(".")[2] for name in call.names}


def _owner(call: Call, program: Program) -> ast.expr | None:
    """What a method is called of."""
    match call.node.func:
        case ast.Attribute(value=value):
            return value
        case ast.Call(func=getter, args=[value, _, *_]) if "getattr" in program.names(getter):
            return value
    return None


def _streams(program: Program) -> Iterator[Call]:
    """Yields side streams that are entered, and joined nowhere."""
    for call in program.calls:
        if call.names & STREAMS and call.args and not isinstance(call.args[0], ast.Starred):
            side = call.args[0]
            if not program.names(side) & CALLERS_STREAMS and not any(
                _joined(other, side, program) for other in program.calls
            ):
                yield call


def _joined(call: Call, side: ast.expr, program: Program) -> bool:
    """Whether a call makes somebody else wait for a stream, or for an event on it."""
    ends = _ends(call)
    if "wait_stream" in ends:
        named = [item for item in call.args if not isinstance(item, ast.Starred)]
        return any(_may_be(item, side, program) for item in named)
    if ends & {"wait_event", "wait"}:
        owner = _owner(call, program)
        by_name = {name.rpartition(".")[0] for name in call.names}
        waits = {name for name in by_name if name.endswith("Stream()")}
        return not waits if owner is None else not (waits and _may_be(owner, side, program))
    return "synchronize" in ends


def _may_be(one: ast.expr, other: ast.expr, program: Program) -> bool:
    """Whether two expressions may be one stream: not if each is made, and elsewhere."""
    if program.names(one) & CALLERS_STREAMS:
        return False
    ones, others = (list(program.resolver.origins(item)) for item in (one, other))
    made = all(_makes_stream(item, program) for item in (*ones, *others))
    return not made or any(item in others for item in ones)


def _makes_stream(node: ast.expr, program: Program) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return any(name.endswith(("Stream", "_stream")) for name in program.names(node.func))


def _threads(program: Program) -> list[Call]:
    """Returns what starts threads and processes, if nothing waits for any."""
    started = [call for call in program.calls if _starts(call, program)]
    given = [item for call in started for item in _given(call)]
    workers = {function for item in given for function in program.functions(item)}
    joined = any(
        _joins(call, program)
        for call in (program.calls if started else ())
        if call.site.scope.function() not in workers  # they wait for work, not for its end
    )
    return [] if joined else started


def _given(call: Call) -> list[ast.expr]:
    return [*call.args, *(item.value for item in call.keywords)]


def _starts(call: Call, program: Program) -> bool:
    """Whether a call makes a thread or process, or one of a class of the program's own."""
    own = {
        name
        for thing in program.resolver.things(call.node.func)
        if isinstance(thing, Scope) and thing.sort is Sort.CLASS
        for base in getattr(thing.node, "bases", [])
        for name in program.names(base)
    }
    return bool((call.names | own) & THREADS)


def _joins(call: Call, program: Program) -> bool:
    """Whether a call waits for a thread, a process or a result."""
    ends = _ends(call) & JOINS
    owner = _owner(call, program)
    if not ends or (owner is not None and (program.values(owner) or _is_text(owner))):
        return False
    if ends == {"get"}:
        return not call.args
    return not all(name.endswith(("path.join", "str.join")) for name in call.names)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr)


def _graphs(program: Program) -> Iterator[Call]:
    """Yields replays in functions that neither fill the graph nor ask where the input lies."""
    replays = [call for call in program.calls if "replay" in _ends(call)]
    if not replays or not _knows_graphs(program):
        return
    filling = _functions(program, FILLING) | {
        store.site.scope.function()
        for store in program.stores
        if isinstance(store.site.node, ast.Subscript) and _is_whole(store.site.node.slice)
    }
    calls = _called_functions(program)
    callers: dict[Scope, set[Scope]] = {}
    for function, called in calls.items():
        for other in called if function.sort is Sort.FUNCTION else ():
            callers.setdefault(other, set()).add(function)
    for call in replays:
        above = _reach({call.site.scope.function()}, callers)
        if not _reach(above, calls) & filling:
            yield call


def _is_whole(key: ast.expr) -> bool:
    """Whether a key stands for places of a tensor, not for one entry of a table."""
    items = key.elts if isinstance(key, ast.Tuple) else [key]
    return any(isinstance(i, ast.Slice) or getattr(i, "value", 0) is ... for i in items)


def _called_functions(program: Program) -> dict[Scope, set[Scope]]:
    """The program's own functions that functions call, but for those that capture graphs."""
    capturing = {
        call.site.scope.function()
        for call in program.calls
        if any(map(CAPTURING.search, call.names))
    }
    found: dict[Scope, set[Scope]] = {}
    for call in program.calls:
        called = program.functions(call.node.func) - capturing
        found.setdefault(call.site.scope.function(), set()).update(called)
    return found


def _reach(start: set[Scope], ways: Mapping[Scope, set[Scope]]) -> set[Scope]:
    near = set(start)
    for _ in range(NEAREST):
        near |= {other for function in near for other in ways.get(function, ())}
    return near


def _knows_graphs(program: Program) -> bool:
    """Whether a program makes graphs."""
    named = [*(names for _, names in program.reads), *(call.names for call in program.calls)]
    return any(part == "CUDAGraph" for names in named for name in names for part in _parts(name))


def _parts(name: str) -> list[str]:
    return name.replace("()", "").replace("[]", "").split(".")


def _functions(program: Program, wanted: frozenset[str]) -> set[Scope]:
    """The functions that call, or name, something by the last part of its name."""
    found = {
        call.site.scope.function()
        for call in program.calls
        if _ends(call) & wanted and not _hands_on(call)
    }
    return found | {
        site.scope.function()
        for site, names in program.reads
        if any(name.rpartition(".")[2] in wanted for name in names)
    }


def _hands_on(call: Call) -> bool:
    """Whether a call only hands on what a function was given: `what(*args)`."""
    starred = any(isinstance(item, ast.Starred) for item in call.args)
    return starred and isinstance(call.node.func, ast.Name)


def _native(unit: Unit) -> Iterator[tuple[str, int]]:
    """Yields the places in native files that set parts of the L2 cache aside."""
    for source in unit.sources:
        if source.reachable and source.path.endswith(NATIVE):
            for line in _persisting(source.text):
                yield source.path, line


def _told(program: Program) -> Iterator[tuple[str, int]]:
    """Yields the places of texts of native code that set parts of the L2 cache aside."""
    found = [place for index in program.modules for place in _constants(index, program)]
    yield from found
    for call in program.calls if not found else ():
        texts = (text for item in _given(call) for text in program.texts(item))
        if any(PERSISTING.search(_bare(text)) for text in texts):
            yield call.site.path, call.site.line


def _constants(index: Index, program: Program) -> Iterator[tuple[str, int]]:
    """Yields the places in texts of a module, in functions that run, that are not only said."""
    texts = (node.value for node in index.constants if isinstance(node.value, str))
    told = any(PERSISTING.search(_bare(text)) for text in texts)
    waiting: list[ast.AST] = [index.tree] if told and program.runs(index.root) else []
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not program.runs(opened(node)):
                continue
            case ast.Constant(value=str() as text):
                first, last = index.line(node), node.end_lineno or node.lineno
                for line in _persisting(text):
                    yield index.path, first + min(line - 1, last - node.lineno)
        waiting.extend(ast.iter_child_nodes(node))


def _bare(text: str) -> str:
    """Native code with its comments taken out, line by line."""
    return COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)


def _persisting(text: str) -> Iterator[int]:
    """Yields the lines that set parts of the L2 cache aside."""
    for number, line in enumerate(_bare(text).split("\n"), start=1):
        if PERSISTING.search(line):
            yield number
