"""Names changed: those that a text binds itself, and those that it imports."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

import libcst as cst

from auditor.mutants.change import Changed
from auditor.mutants.program import Program, dotted, is_simple

MODULES = frozenset({
    "concurrent.futures", "importlib.util", "numpy.random", "os.path", "torch.cuda", "torch.nn",
    "unittest.mock",
})  # fmt: skip
"""Attributes of packages that are known to be modules, however they are written."""


class _Renamed(cst.CSTTransformer):
    """Changes variables; attributes, keywords and what an import asks for keep their names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return updated_node.with_changes(
            value=self.names.get(original_node.value, updated_node.value)
        )

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_MatchKeywordElement(
        self, original_node: cst.MatchKeywordElement, updated_node: cst.MatchKeywordElement
    ) -> cst.MatchKeywordElement:
        return updated_node.with_changes(key=original_node.key)

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom:
        return updated_node.with_changes(module=original_node.module)

    def leave_ImportAlias(
        self, original_node: cst.ImportAlias, updated_node: cst.ImportAlias
    ) -> cst.ImportAlias:
        new = self.names.get(_bound(original_node))
        named = cst.AsName(cst.Name(new)) if new is not None else original_node.asname
        return original_node.with_changes(asname=named)


def rename(program: Program) -> Iterator[Changed]:
    """Gives other names to what the text binds itself."""
    names = sorted(program.own - program.kept - program.imported)
    changed = dict(
        zip((n for n in names if not _called_from_outside(n)), program.fresh("q"), strict=False)
    )
    yield Changed(program.module.visit(_Renamed(changed)))


def alias(program: Program) -> Iterator[Changed]:
    """Imports the same under other names and by other forms."""
    yield _as_names(program)
    yield Changed(program.module.visit(_Rebound(program)))
    yield _submodules(program)


def _as_names(program: Program) -> Changed:
    """`import a` becomes `import a as b`."""
    names = sorted(_changeable(program))
    return Changed(
        program.module.visit(_Renamed(dict(zip(names, program.fresh("lib"), strict=False))))
    )


class _Rebound(cst.CSTTransformer):
    """`from a import b` becomes `import a` and `b = a.b`; `import a` is bound once more."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.names = program.fresh("held")
        self.read = {name: _members(program.tree, name) for name in _changeable(program)}

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        match is_simple(original_node):
            case cst.ImportFrom(module=cst.BaseExpression() as module, names=[*names]) as found:
                if found.relative or not all(self._is_value(item) for item in names):
                    return updated_node
                return _lines(updated_node, self._from_module(dotted(module), names))
            case cst.Import(names=[cst.ImportAlias(asname=None) as item]):
                return _lines(updated_node, self._held(dotted(item.name)))
        return updated_node

    def _from_module(self, module: str, names: list[cst.ImportAlias]) -> list[str]:
        held = next(self.names)
        bound = [f"{_bound(item)} = {held}.{dotted(item.name)}" for item in names]
        return [f"import {module} as {held}", *bound]

    def _held(self, name: str) -> list[str]:
        if name not in self.read:
            return []
        held = next(self.names)
        return [f"import {name} as {held}", f"{name} = {held}"]

    def _is_value(self, item: cst.ImportAlias) -> bool:
        """What is only called, or is a class, is no module that has to be imported."""
        return self.read.get(_bound(item)) == set() or dotted(item.name)[:1].isupper()


def _submodules(program: Program) -> Changed:
    """`a.b.c` becomes `d.c` after `import a.b as d`, or `b` after `from a import b`."""
    names, wanted = program.fresh("part"), {}
    written = _plain_stores(program.tree)
    for root in sorted(_changeable(program, plain=True)):
        members = _members(program.tree, root)
        for member in sorted(members or ()):
            full = f"{root}.{member}"
            if full in MODULES and full not in written:
                wanted[full] = f"import {full} as {next(names)}"
            elif members is not None and not _touched(program, root):
                wanted[full] = f"from {root} import {member} as {next(names)}"
    changed = program.module.visit(_Shortened({k: v.split()[-1] for k, v in wanted.items()}))
    return Changed(_after_imports(changed, list(wanted.values())))


class _Shortened(cst.CSTTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        new = self.names.get(dotted(original_node))
        return updated_node if new is None else cst.Name(new)

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False


def _changeable(program: Program, *, plain: bool = False) -> set[str]:
    """Names that module-level imports alone bind; without a dot, since that binds another."""
    found = set()
    for node in program.tree.body:
        if isinstance(node, ast.Import):
            found |= {
                item.asname or item.name
                for item in node.names
                if not (plain and item.asname) and (item.asname or "." not in item.name)
            }
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__" and not plain:
            found |= {item.asname or item.name for item in node.names if item.name != "*"}
    return found - program.kept - program.own - _again(program.tree)


def _again(tree: ast.Module) -> set[str]:
    """Names that are imported twice, or together with a module below theirs."""
    bound = Counter(
        item.asname or item.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for item in node.names
    )
    return {name for name, times in bound.items() if times > 1}


def _members(tree: ast.Module, name: str) -> set[str] | None:
    """Returns the attributes asked of a name; None where it is an argument or a value itself."""
    members, bare, called = set(), 0, 0
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attr) if owner == name:
                members.add(attr)
                bare -= 1
            case ast.Call(func=ast.Name(id=owner)) if owner == name:
                called += 1
            case ast.Name(id=owner) if owner == name:
                bare += 1
    return None if bare > called else members


def _touched(program: Program, root: str) -> bool:
    """Whether something is hung on a module, so that early and late look-ups differ."""
    return any(
        isinstance(node, ast.Attribute)
        and not isinstance(node.ctx, ast.Load)
        and ast.unparse(node).startswith(f"{root}.")
        for node in ast.walk(program.tree)
    ) or bool({"setattr", "patch", "__dict__"} & program.words)


def _plain_stores(tree: ast.Module) -> set[str]:
    return {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }


def _after_imports(module: cst.Module, texts: list[str]) -> cst.Module:
    """Puts imports after the last one at the beginning of the module."""
    index = 0
    for number, line in enumerate(module.body):
        small = is_simple(line)
        if isinstance(small, cst.Import | cst.ImportFrom):
            index = number + 1
    added = [cst.parse_statement(text) for text in texts]
    return module.with_changes(body=[*module.body[:index], *added, *module.body[index:]])


def _lines(
    line: cst.SimpleStatementLine, texts: list[str]
) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
    """Returns statements for one line; the line itself where there are none."""
    if not texts:
        return line
    added = [cst.parse_statement(text) for text in texts]
    first = added[0].with_changes(leading_lines=line.leading_lines)
    rest = [*added[1:-1], added[-1].with_changes(trailing_whitespace=line.trailing_whitespace)]
    return cst.FlattenSentinel([first, *rest])


def _bound(item: cst.ImportAlias) -> str:
    return item.evaluated_alias or item.evaluated_name


def _called_from_outside(name: str) -> bool:
    return name.startswith(("__", "pytest_"))
