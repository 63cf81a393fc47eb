"""Code put elsewhere: into functions, other files, strings, another order, or among padding."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

import libcst as cst

from auditor.mutants.change import Changed
from auditor.mutants.forms import with_first
from auditor.mutants.program import (
    SCOPED,
    Program,
    Scoped,
    dotted,
    expression,
    is_simple,
    last,
    stored,
    waits,
)

OF_THE_FILE = frozenset({
    "__file__", "__main__", "__name__", "co_filename", "f_globals", "getsource", "globals",
})  # fmt: skip
"""What differs between one file and another."""
PADDING = """\
def {0}(first, second=2):
    total = 0
    for step in range(second):
        total += step * first
    return total
"""
Runs = list[list[cst.BaseStatement]]
Node = TypeVar("Node", bound=cst.CSTNode)


def to_helper(program: Program) -> Iterator[Changed]:
    """Moves the right-hand sides of statements into functions, or the calls."""
    moved = _Moved(program)
    changed = program.module.visit(moved)
    yield Changed(program.with_head(changed, *moved.functions))
    name = next(program.fresh("call"))
    changed = program.module.visit(_Applied(program, name))
    if name in changed.code:
        text = f"def {name}(what, /, *args, **more):\n    return what(*args, **more)\n"
        changed = program.with_head(changed, text)
    yield Changed(changed)


class _Values(Scoped):
    """Changes what is assigned, returned or called for its effect."""

    def moved(self, value: cst.BaseExpression) -> cst.BaseExpression | None:
        """Returns what stands instead of a value."""
        raise NotImplementedError

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        return self._with(updated_node, updated_node.value)

    def leave_Return(self, original_node: cst.Return, updated_node: cst.Return) -> cst.Return:
        return self._with(updated_node, updated_node.value)

    def leave_Expr(self, original_node: cst.Expr, updated_node: cst.Expr) -> cst.Expr:
        called = isinstance(updated_node.value, cst.Call)
        return self._with(updated_node, updated_node.value) if called else updated_node

    def _with(self, node: Node, value: cst.BaseExpression | None) -> Node:
        changed = None if value is None or self.in_class else self.moved(value)
        return node if changed is None else node.with_changes(value=changed)


class _Moved(_Values):
    """`x = y + 1` becomes `x = f(y)`."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.names = program.fresh("part")
        self.functions: list[str] = []

    def moved(self, value: cst.BaseExpression) -> cst.BaseExpression | None:
        if isinstance(value, cst.Name | cst.GeneratorExp):
            return None
        taken = _Taken(self.program)
        handed = value.visit(taken)
        assert isinstance(handed, cst.BaseExpression)
        code = self.program.code(handed)
        needs = _needs(expression(code), self.program)
        if code in taken.calls or needs is None:
            return None
        name = next(self.names)
        params = ", ".join([*needs, *taken.calls])
        self.functions.append(f"def {name}({params}):\n    return {code}\n")
        return cst.parse_expression(f"{name}({', '.join([*needs, *taken.calls.values()])})")


class _Taken(cst.CSTTransformer):
    """Calls that look at frames are made where they were, and their results handed over."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.names = program.fresh("given")
        self.calls: dict[str, str] = {}

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if last(original_node.func) not in self.program.framed:
            return updated_node
        name = next(self.names)
        self.calls[name] = self.program.code(updated_node)
        return cst.Name(name)


def _needs(value: ast.expr, program: Program) -> list[str] | None:
    """Returns the names an expression has to be given; None where it cannot be moved."""
    nodes = list(ast.walk(value))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    inner = {
        name.id
        for node in nodes
        if isinstance(node, ast.comprehension)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name)
    }
    needs = (names & program.local) - inner
    late = any(isinstance(node, ast.Lambda) for node in nodes) and needs
    private = any("__" in last(node)[:2] for node in nodes if isinstance(node, ast.Attribute))
    fixed = names & SCOPED or inner & program.local or late or private or waits(value)
    return None if fixed else sorted(needs)


class _Applied(_Values):
    """`f(x)` becomes `call(f, x)`."""

    def __init__(self, program: Program, name: str) -> None:
        super().__init__()
        self.program = program
        self.name = name

    def moved(self, value: cst.BaseExpression) -> cst.BaseExpression | None:
        if not isinstance(value, cst.Call) or last(value.func) in SCOPED | self.program.framed:
            return None
        return cst.Call(cst.Name(self.name), with_first(value))


def to_file(program: Program) -> Iterator[Changed]:
    """Moves a function of the module, with what it needs, to a file beside."""
    if len(program.module.body) != len(program.tree.body):
        return
    for function in _by_interest(program):
        numbers = _closure(program, function)
        if numbers is not None:
            yield _apart(program, numbers)
            return


def _by_interest(program: Program) -> list[ast.FunctionDef]:
    """The functions of the module, first those that have something to report in them."""
    functions = [node for node in program.tree.body if isinstance(node, ast.FunctionDef)]
    lines = program.edit.after.split("\n")

    def marked(node: ast.FunctionDef) -> bool:
        return any(line.endswith("# found") for line in lines[node.lineno - 1 : node.end_lineno])

    return sorted(functions, key=lambda node: not marked(node))


def _closure(program: Program, function: ast.FunctionDef) -> list[int] | None:
    """Returns the statements that have to move together; None where they cannot."""
    body = program.tree.body
    binds = {number: stored([node]) for number, node in enumerate(body)}
    found, waiting = set(), [body.index(function)]
    while waiting:
        number = waiting.pop()
        if number in found:
            continue
        found.add(number)
        node = body[number]
        names = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
        attributes = {item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute)}
        if (names | attributes) & OF_THE_FILE or not _movable(node):
            return None
        for other, bound in binds.items():
            waiting += [other] if bound & names and other != number else []
    times = Counter(name for bound in binds.values() for name in bound)
    once = all(times[name] == 1 for number in found for name in binds[number])
    shared = any(isinstance(node, ast.Global) for node in ast.walk(program.tree))
    return None if shared or not once else sorted(found)


def _movable(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.FunctionDef(decorator_list=[]):
            return True
        case ast.ImportFrom(module=module):
            return module != "__future__"
        case ast.Assign(targets=[ast.Name()], value=ast.Constant()):
            return True
    return False


def _apart(program: Program, numbers: list[int]) -> Changed:
    file = next(program.fresh("more"))
    body, tree = program.module.body, program.tree.body
    imports = [n for n in numbers if isinstance(tree[n], ast.Import | ast.ImportFrom)]
    moved = [n for n in numbers if n not in imports]
    names = sorted(name for n in moved for name in stored([tree[n]]))
    text = program.module.with_changes(body=[body[n] for n in numbers], header=(), footer=()).code
    line = cst.parse_statement(f"from {file} import {', '.join(names)}")
    kept = [line if n == moved[0] else item for n, item in enumerate(body) if n not in moved[1:]]
    path = PurePosixPath(program.edit.path).with_name(f"{file}.py")
    return Changed(program.module.with_changes(body=kept), {str(path): text})


def to_exec(program: Program) -> Iterator[Changed]:
    """Executes statements of the module from strings."""
    module = program.module
    simple = [_executed(program, line) or line for line in module.body]
    yield Changed(module.with_changes(body=simple))
    functions = [_compiled(program, line) or line for line in module.body]
    yield Changed(module.with_changes(body=functions))


def _executed(program: Program, line: cst.CSTNode) -> cst.BaseStatement | None:
    small = is_simple(line)
    if not isinstance(small, cst.Assign | cst.Expr | cst.Import | cst.ImportFrom):
        return None
    if isinstance(small, cst.Expr) and not isinstance(small.value, cst.Call):
        return None
    code = program.code(small)
    if _names(code) & (program.framed | SCOPED | {"__future__"}):
        return None
    assert isinstance(line, cst.SimpleStatementLine)
    call = cst.parse_expression(f"exec({code!r})")
    return line.with_changes(body=[cst.Expr(call)])


def _compiled(program: Program, line: cst.CSTNode) -> cst.BaseStatement | None:
    if not isinstance(line, cst.FunctionDef) or line.decorators:
        return None
    if OF_THE_FILE & program.words - {"__main__", "__name__"}:
        return None
    code = program.code(line.with_changes(leading_lines=()))
    text = f'exec(compile({code!r}, "<text>", "exec"))'
    made = cst.parse_statement(text)
    return made.with_changes(leading_lines=line.leading_lines)


def pad(program: Program) -> Iterator[Changed]:
    """Puts code around that never runs, or never matters."""
    names = program.fresh("spare")
    name = next(names)
    changed = program.module.visit(_Padded(name, names))
    lines = [PADDING.format(name), f"if len('{name}') < 3:\n    {next(names)} = {name}(3, 4)\n"]
    yield Changed(program.with_head(changed, *lines))


class _Padded(cst.CSTTransformer):
    def __init__(self, called: str, names: Iterator[str]) -> None:
        super().__init__()
        self.called = called
        self.names = names

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        body = updated_node.body
        if not isinstance(body, cst.IndentedBlock):
            return updated_node
        small = is_simple(body.body[0])
        told = isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)
        name = next(self.names)
        first = cst.parse_statement(f"if 2 < 1:\n    {name} = {self.called}(5)\n")
        end = cst.parse_statement(f"while not 1:\n    {name} = {self.called}(7)\n")
        at = int(told)
        return updated_node.with_changes(
            body=body.with_changes(body=[*body.body[:at], first, *body.body[at:], end])
        )


def reorder(program: Program) -> Iterator[Changed]:
    """Puts functions and imports that do not depend on each other in another order."""
    if len(program.module.body) != len(program.tree.body):
        return
    for kinds in ((cst.Import, cst.ImportFrom), (cst.FunctionDef,)):
        runs = _runs(program.module.body, program, kinds)
        yield Changed(
            program.module.with_changes(body=[line for run in runs for line in reversed(run)])
        )


def _runs(
    body: Sequence[cst.BaseStatement], program: Program, kinds: tuple[type[cst.CSTNode], ...]
) -> Runs:
    """Returns neighbours that may change places, together; every other statement alone."""
    runs: Runs = []
    bound: set[str] = set()
    for line, node in zip(body, program.tree.body, strict=True):
        names = stored([node])
        free = isinstance(is_simple(line) or line, kinds) and _free(line, program)
        if free and bound and not names & bound:
            runs[-1].append(line)
            bound |= names
        else:
            runs.append([line])
            bound = set(names) if free else set()
    return runs


def _free(line: cst.CSTNode, program: Program) -> bool:
    """Whether a definition does the same wherever it is made."""
    small = is_simple(line)
    if isinstance(small, cst.ImportFrom):
        return small.module is not None and dotted(small.module) != "__future__"
    if isinstance(line, cst.FunctionDef):
        plain = not line.decorators and line.returns is None
        return plain and not set("=:") & set(program.code(line.params))
    return True


def _names(code: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(code)))
    found = {node.id for node in nodes if isinstance(node, ast.Name)}
    found |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return found | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
