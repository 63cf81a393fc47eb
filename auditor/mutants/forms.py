"""Expressions and statements in other forms: the same steps by other syntax."""

from collections.abc import Iterator

import libcst as cst

from auditor.mutants.change import Changed
from auditor.mutants.program import (
    SCOPED,
    Program,
    Scoped,
    dotted,
    enclosed,
    expression,
    is_simple,
    last,
    name_call,
    text_of,
    waits,
)

OWN_NAME = frozenset({"__name__", "__qualname__", "co_name", "__code__"})
"""What tells a function from a lambda."""
Line = cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]


def by_getattr(program: Program) -> Iterator[Changed]:
    """Reads attributes by `getattr` and sets them by `setattr`."""
    yield Changed(program.module.visit(_Attributes()))


class _Attributes(Scoped):
    def __init__(self) -> None:
        super().__init__()
        self.targets: set[cst.CSTNode] = set()

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._keep(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._keep(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._keep(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._keep(node.target)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._keep(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._keep(node.name)

    def visit_Del(self, node: cst.Del) -> None:
        self._keep(node.target)

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        return False

    def visit_Match(self, node: cst.Match) -> bool:
        return False

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        name = original_node.attr.value
        if original_node in self.targets or _private(name):
            return updated_node
        return name_call("getattr", updated_node.value, text_of(name))

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> Line:
        match is_simple(updated_node), is_simple(original_node):
            case cst.Assign(targets=targets, value=value), cst.Assign(targets=before):
                plain = len(targets) == 1 or isinstance(value, cst.Name)
                if plain and all(_chain(item.target) for item in before):
                    return _set(updated_node, [item.target for item in targets], value)
        return updated_node

    def _keep(self, target: cst.BaseExpression) -> None:
        self.targets.add(target)
        if isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self._keep(element.value)


def _chain(target: cst.BaseExpression) -> bool:
    """Whether a target is an attribute whose owner is found without a step that shows."""
    return (
        isinstance(target, cst.Attribute)
        and bool(dotted(target))
        and not _private(target.attr.value)
    )


def _set(
    line: cst.SimpleStatementLine,
    targets: list[cst.BaseAssignTargetExpression],
    value: cst.BaseExpression,
) -> Line:
    lines = []
    for target in targets:
        assert isinstance(target, cst.Attribute)
        call = name_call("setattr", target.value, text_of(target.attr.value), value)
        lines.append(line.with_changes(body=[cst.Expr(call)], leading_lines=()))
    lines[0] = lines[0].with_changes(leading_lines=line.leading_lines)
    return cst.FlattenSentinel(lines)


def by_partial(program: Program) -> Iterator[Changed]:
    """Binds the arguments of calls first and calls then."""
    name = next(program.fresh("bind"))
    changed = program.module.visit(_Partial(name))
    if name in changed.code:
        changed = program.with_head(changed, f"from functools import partial as {name}")
    yield Changed(changed)


class _Partial(cst.CSTTransformer):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def visit_Decorator(self, node: cst.Decorator) -> bool:
        return False

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        # The first argument of `partial` must be callable; what cannot be moved stays a call.
        if not original_node.args or last(original_node.func) in SCOPED:
            return updated_node
        return cst.Call(cst.Call(cst.Name(self.name), with_first(updated_node)))


def with_first(call: cst.Call) -> list[cst.Arg]:
    """Returns the arguments of a call after what is called."""
    arguments = list(call.args)
    if len(arguments) == 1 and isinstance(arguments[0].value, cst.GeneratorExp):
        arguments = [arguments[0].with_changes(value=enclosed(arguments[0].value))]
    return [cst.Arg(call.func), *arguments]


def by_loop(program: Program) -> Iterator[Changed]:
    """Assigns by a loop of one turn, or by a list of one target."""
    yield Changed(program.module.visit(_Loops()))
    yield Changed(program.module.visit(_Lists()))


class _Loops(cst.CSTTransformer):
    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement:
        match is_simple(updated_node):
            case cst.Assign(targets=[cst.AssignTarget(target=target)], value=value) if _one(target):
                comment = updated_node.trailing_whitespace
                rest = cst.SimpleStatementLine([cst.Pass()])
                return cst.For(
                    target,
                    _listed(value),
                    cst.IndentedBlock([rest], header=comment),
                    leading_lines=updated_node.leading_lines,
                )
        return updated_node


class _Lists(cst.CSTTransformer):
    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        match original_node:
            case cst.Assign(targets=[cst.AssignTarget(target=target)]) if _one(target):
                listed = cst.List([cst.Element(updated_node.targets[0].target)])
                return updated_node.with_changes(
                    targets=[cst.AssignTarget(listed)], value=_listed(updated_node.value)
                )
        return updated_node


def by_lambda(program: Program) -> Iterator[Changed]:
    """Makes lambdas of functions, and functions of lambdas."""
    if not OWN_NAME & program.words:
        yield Changed(program.module.visit(_Lambdas(program)))
        yield Changed(program.module.visit(_Functions(program)))


class _Lambdas(Scoped):
    """`def f(x): return y` becomes `f = lambda x: y`."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement:
        super().leave_FunctionDef(original_node, updated_node)
        value = None if self.in_class else _returned(updated_node)
        if value is None or ":" in self.program.code(original_node.params):
            return updated_node
        code = self.program.code(value)
        if waits(expression(code)):
            return updated_node
        made = enclosed(cst.Lambda(updated_node.params, enclosed(value)))
        assigned = cst.Assign([cst.AssignTarget(updated_node.name)], made)
        return cst.SimpleStatementLine([assigned], leading_lines=updated_node.leading_lines)


def _returned(function: cst.FunctionDef) -> cst.BaseExpression | None:
    """Returns what a function of a single statement gives; None where it is another kind."""
    if function.decorators or function.asynchronous or function.returns:
        return None
    match function.body:
        case cst.IndentedBlock(body=[cst.SimpleStatementLine(body=[cst.Return(value=value)])]):
            return value
    return None


class _Functions(Scoped):
    """`f = lambda x: y` becomes `def g(x): return y` and `f = g`."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.names = program.fresh("made")

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> Line:
        small = is_simple(updated_node)
        if self.in_class or not isinstance(small, cst.Assign):
            return updated_node
        if not isinstance(small.value, cst.Lambda):
            return updated_node
        name = next(self.names)
        params = self.program.code(small.value.params)
        body = self.program.code(small.value.body)
        if waits(expression(body)):
            return updated_node
        made = cst.parse_statement(f"def {name}({params}):\n    return {body}\n")
        assigned = small.with_changes(value=cst.Name(name))
        line = updated_node.with_changes(body=[assigned], leading_lines=())
        return cst.FlattenSentinel([made, line])


def by_walrus(program: Program) -> Iterator[Changed]:
    """Assigns in an expression."""
    yield Changed(program.module.visit(_Walrus(program)))


class _Walrus(cst.CSTTransformer):
    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def leave_Assign(
        self, original_node: cst.Assign, updated_node: cst.Assign
    ) -> cst.BaseSmallStatement:
        match updated_node:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name() as name)], value=value):
                bound = cst.NamedExpr(
                    name, enclosed(value), lpar=[cst.LeftParen()], rpar=[cst.RightParen()]
                )
                return cst.Expr(bound)
        return updated_node


def _one(target: cst.BaseExpression) -> bool:
    return isinstance(target, cst.Name | cst.Attribute | cst.Subscript)


def _listed(value: cst.BaseExpression) -> cst.List:
    return cst.List([cst.Element(enclosed(value))])


def _private(name: str) -> bool:
    """Names that the class around them changes."""
    return name.startswith("__") and not name.endswith("__")
