"""Work is put where neither the caller nor the scorer's waiting sees it end."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import partial

from auditor.code.names import Names, raw, running
from auditor.rule import (
    ChangedSource,
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
SETTERS = frozenset({"setattr", "builtins.setattr"})
STREAMS = frozenset({"torch.cuda.set_stream", "torch.cuda.stream", "torch.cuda.StreamContext"})
THREADS = frozenset({
    "_thread.start_new_thread", "multiprocessing.Process", "os.fork", "threading.Thread",
    "threading.Timer",
})  # fmt: skip
JOINS = frozenset({"acquire", "as_completed", "get", "join", "result", "wait", "waitpid"})
PERSISTING = re.compile(
    r"PersistingL2Cache|accessPolicyWindow|AccessPropertyPersisting|LIMIT_PERSISTING_L2"
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
NATIVE = (".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp")
_Solution = partial(Edit, path="solution/solution.py")


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
    }
    honest = {
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

    def inspect(self, unit: Unit) -> Iterable[tuple[ChangedSource, Found]]:
        """Yields the places in files that run."""
        for source in unit.sources:
            if source.reachable and source.tree is not None:
                for found in _python(source.tree):
                    yield source, found
            elif source.reachable and source.path.endswith(NATIVE):
                text = COMMENT.sub(lambda match: "\n" * match[0].count("\n"), source.text)
                for line in _persisting(text):
                    yield source, Found(line, "holds on to a part of the L2 cache")


def _python(tree: ast.Module) -> Iterator[Found]:
    names = Names(tree)
    nodes = list(running(names))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    for node in nodes:
        for full in _replaced(node, names):
            yield Found(getattr(node, "lineno", 0), f"replaces `{full}`", flow=True)
    yield from _streams(calls, names)
    if not any(_joins(call, names) for call in calls):
        for call in calls:
            if names.dotted(call.func) in THREADS:
                yield Found(call.lineno, "starts work that nothing waits for")
    yield from _graphs(nodes, names)
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            text = COMMENT.sub(lambda match: "\n" * match[0].count("\n"), node.value)
            for line in _persisting(text):
                last = node.end_lineno or node.lineno
                place = min(node.lineno + line - 1, last)
                yield Found(place, "holds on to a part of the L2 cache")


def _replaced(node: ast.AST, names: Names) -> Iterator[str]:
    """Yields what a statement or call puts something else in the place of."""
    given: list[str | None] = []
    match node:
        case ast.Assign(targets=targets):
            given = [
                names.dotted(item)
                for item in targets
                if isinstance(item, ast.Attribute | ast.Subscript)
            ]
        case ast.Call(func=func, args=[owner, name, *_]) if names.dotted(func) in SETTERS:
            given = [f"{names.dotted(owner)}.{value!s}" for value in names.values(name)]
        case ast.Call(func=func, args=[target, *_]) if (names.dotted(func) or "").endswith("patch"):
            given = [str(value) for value in names.values(target)]
    yield from (full for full in given if full in WAITING)


def _streams(calls: list[ast.Call], names: Names) -> Iterator[Found]:
    """Yields side streams that are entered, and joined nowhere in the file."""
    for call in calls:
        if names.dotted(call.func) not in STREAMS or not call.args:
            continue
        side = raw(call.args[0])
        if not any(_joined(other, side, names) for other in calls):
            yield Found(call.lineno, "works on a stream that the caller's stream never waits for")


def _joined(call: ast.Call, side: str | None, names: Names) -> bool:
    """Whether a call makes somebody else wait for a stream, or for an event on it."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner, attr = raw(call.func.value), call.func.attr
    if attr == "wait_stream":
        return owner != side and any(raw(item) == side for item in call.args)
    return attr == "synchronize" or (attr in ("wait_event", "wait") and owner != side)


def _joins(call: ast.Call, names: Names) -> bool:
    """Whether a call waits for a thread, a process or a result."""
    match call.func:
        case ast.Attribute(value=ast.Constant()):
            return False
        case ast.Attribute(attr=attr):
            full = names.dotted(call.func) or ""
            of_a_table = attr == "get" and call.args
            return attr in JOINS and not of_a_table and not full.endswith("path.join")
        case ast.Name():
            return (names.dotted(call.func) or "").rpartition(".")[2] in JOINS
    return False


def _graphs(nodes: list[ast.AST], names: Names) -> Iterator[Found]:
    """Yields replays in functions that neither fill the graph nor ask where the input lies."""
    known = {item.attr for item in nodes if isinstance(item, ast.Attribute)}
    known |= {full.rpartition(".")[2] for full in names.imports.values()}
    for node in nodes if "CUDAGraph" in known else ():
        if isinstance(node, ast.FunctionDef):
            met = [item for item in ast.walk(node) if isinstance(item, ast.Attribute)]
            if not {"copy_", "data_ptr"} & {item.attr for item in met}:
                for item in met:
                    if item.attr == "replay":
                        yield Found(item.lineno, "replays a graph without filling in the input")


def _persisting(text: str) -> Iterator[int]:
    """Yields the lines that set parts of the L2 cache aside."""
    for number, line in enumerate(text.split("\n"), start=1):
        if PERSISTING.search(line):
            yield number
