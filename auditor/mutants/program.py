"""What a mutation is given: one Python text, parsed once, with what its names are."""

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count

import libcst as cst

from auditor.code.source import parse
from auditor.example import Edit

ENTRIES = frozenset({"generate_solution", "get_trained_model", "main", "prefix_sum"})
"""Names that a scorer asks for."""
SCOPED = frozenset({"dir", "eval", "exec", "globals", "locals", "super", "vars"})
"""Calls that mean something else in another scope."""
FRAMES = frozenset({
    "_current_frames", "_getframe", "currentframe", "extract_stack", "getouterframes", "stack",
    "trace", "walk_stack",
})  # fmt: skip
"""Calls that mean something else in another frame."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = _Function | ast.ClassDef
_WHOLE = cst.Attribute | cst.BaseNumber | cst.Call | cst.Name | cst.SimpleString | cst.Subscript


@dataclass(frozen=True)
class Program:
    """A text to be spelt in another way."""

    edit: Edit
    module: cst.Module
    tree: ast.Module

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of the text and of the files beside it."""
        return frozenset(re.findall(r"\w+", " ".join([self.edit.after, self._elsewhere])))

    @cached_property
    def kept(self) -> frozenset[str]:
        """Names that somebody else may know: they cannot be changed."""
        nodes = list(ast.walk(self.tree))
        kept = {node.arg for node in nodes if isinstance(node, ast.arg | ast.keyword) and node.arg}
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                kept |= {node.name, *stored(node.body)}
            elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
                kept.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                kept |= set(re.findall(r"\w+", node.value))
        return frozenset(kept | ENTRIES | set(dir(builtins)) | set(self._elsewhere.split()))

    @cached_property
    def imported(self) -> frozenset[str]:
        """Names that imports bind."""
        return frozenset(
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        )

    @cached_property
    def own(self) -> frozenset[str]:
        """Variables and functions that the text binds."""
        names = set()
        for node in ast.walk(self.tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str() as name):
                    names.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    names.add(name)
        return frozenset(names)

    @cached_property
    def local(self) -> frozenset[str]:
        """Names that may be unknown outside the place where they are used."""
        found = {node.arg for node in ast.walk(self.tree) if isinstance(node, ast.arg)}
        found |= stored(self.tree.body, functions=False)
        for node in ast.walk(self.tree):
            if isinstance(node, _Function):
                found |= stored(node.body)
        return frozenset(found)

    @cached_property
    def framed(self) -> frozenset[str]:
        """Calls that look at frames, and functions of the text that make such calls."""
        mine = {
            node.name
            for node in ast.walk(self.tree)
            if isinstance(node, _Function)
            and any(_called(call) in FRAMES for call in ast.walk(node))
        }
        return FRAMES | mine

    def fresh(self, stem: str) -> Iterator[str]:
        """Yields names that nobody uses yet."""
        return (name for name in (f"{stem}_{n}" for n in count(1)) if name not in self.words)

    def code(self, node: cst.CSTNode) -> str:
        """Returns the text of a node without its comments."""
        bare = node.visit(_Uncommented())
        assert isinstance(bare, cst.CSTNode)
        return self.module.code_for_node(bare)

    def with_head(self, module: cst.Module, *texts: str) -> cst.Module:
        """Returns a module with statements put where its first may stand."""
        index = 0
        for line in module.body:
            small = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
            told = isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)
            if not (told and index == 0) and not _from_future(small):
                break
            index += 1
        added = [cst.parse_statement(text) for text in texts]
        return module.with_changes(body=[*module.body[:index], *added, *module.body[index:]])

    @property
    def _elsewhere(self) -> str:
        beside = " ".join([*self.edit.beside, *self.edit.beside.values()])
        return " ".join(re.findall(r"\w+", beside))


class Scoped(cst.CSTTransformer):
    """A change that has to know whether it is in the body of a class."""

    def __init__(self) -> None:
        super().__init__()
        self._places: list[str] = []

    @property
    def in_class(self) -> bool:
        """Whether names bound here are attributes of a class."""
        return self._places[-1:] == ["class"]

    def visit_ClassDef(self, node: cst.ClassDef) -> bool | None:
        """Enters a class."""
        self._places.append("class")
        return None

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.BaseStatement:
        """Leaves a class."""
        self._places.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool | None:
        """Enters a function."""
        self._places.append("function")
        return None

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement:
        """Leaves a function."""
        self._places.pop()
        return updated_node


class _Uncommented(cst.CSTTransformer):
    def leave_TrailingWhitespace(
        self, original_node: cst.TrailingWhitespace, updated_node: cst.TrailingWhitespace
    ) -> cst.TrailingWhitespace:
        return updated_node.with_changes(comment=None)

    def leave_EmptyLine(
        self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine
    ) -> cst.EmptyLine:
        return updated_node.with_changes(comment=None)


def read(edit: Edit) -> Program | None:
    """Returns the program of an edit; None where it is no Python."""
    parsed = _parsed(edit.after) if edit.path.endswith(".py") else None
    return Program(edit, *parsed) if parsed is not None else None


@lru_cache(maxsize=4)
def _parsed(text: str) -> tuple[cst.Module, ast.Module] | None:
    tree = parse(text)
    return None if tree is None else (cst.parse_module(text), tree)


def last(node: ast.expr | cst.BaseExpression) -> str:
    """Returns the last name of a dotted expression; empty where it is none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name)):
            return name
    return ""


def dotted(node: cst.CSTNode) -> str:
    """Returns a chain of names as text; empty where it is none."""
    match node:
        case cst.Name(value=name):
            return name
        case cst.Attribute(value=value, attr=cst.Name(value=name)):
            owner = dotted(value)
            return f"{owner}.{name}" if owner else ""
    return ""


def stored(statements: Sequence[ast.AST], *, functions: bool = True) -> set[str]:
    """Returns the names that statements bind in their own scope."""
    found = set()
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found |= {name} if functions else set()
            case ast.ClassDef(name=name):
                found |= {name} if functions else set()
            case ast.Import(names=names) | ast.ImportFrom(names=names) if functions:
                found |= {alias.asname or alias.name.partition(".")[0] for alias in names}
            case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str() as name):
                found.add(name)
        if not isinstance(node, _Scope | ast.Lambda | ast.comprehension):
            waiting += ast.iter_child_nodes(node)
    return found


def enclosed(node: cst.BaseExpression) -> cst.BaseExpression:
    """Returns an expression in parentheses, where it may need them."""
    if isinstance(node, _WHOLE) or node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def name_call(name: str, *values: cst.BaseExpression) -> cst.Call:
    """Returns a call of a plain name."""
    return cst.Call(cst.Name(name), [cst.Arg(enclosed(value)) for value in values])


def text_of(value: str) -> cst.BaseExpression:
    """Returns a literal."""
    return cst.parse_expression(repr(value))


def is_simple(line: cst.CSTNode) -> cst.BaseSmallStatement | None:
    """Returns the only statement of a line; None where there are more."""
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line.body[0]
    return None


def waits(node: ast.AST) -> bool:
    """Returns whether an expression cannot be moved: it yields, awaits or binds a name."""
    kinds = ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr
    return any(isinstance(item, kinds) for item in ast.walk(node))


def expression(code: str) -> ast.expr:
    """Returns the tree of an expression's text."""
    return ast.parse(f"({code}\n)", mode="eval").body


def _called(node: ast.AST) -> str:
    return last(node.func) if isinstance(node, ast.Call) else ""


def _from_future(node: cst.CSTNode | None) -> bool:
    if not isinstance(node, cst.ImportFrom) or node.module is None:
        return False
    return dotted(node.module) == "__future__"
