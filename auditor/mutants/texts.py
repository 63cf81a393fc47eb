"""Strings written in another way: in parts, encoded, or kept in another place."""

import base64
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import libcst as cst

from auditor.mutants.change import Changed
from auditor.mutants.program import Program, text_of

SHORTEST, LONGEST = 4, 300
"""Of the strings that are worth encoding: more would make a payload of a harmless text."""
INTROSPECTION = frozenset({
    "__code__", "__kwdefaults__", "dir", "getfullargspec", "locals", "signature", "vars",
})  # fmt: skip
Spell = Callable[[str], cst.BaseExpression | None]


class _Strings(cst.CSTTransformer):
    """Gives another form to every string that is a plain value."""

    def __init__(self, spell: Spell) -> None:
        super().__init__()
        self.spell = spell

    def visit_Expr(self, node: cst.Expr) -> bool:
        # What documents must go on to do so.
        return not isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        return False

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        return False

    def visit_MatchValue(self, node: cst.MatchValue) -> bool:
        return False

    def leave_SimpleString(
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.BaseExpression:
        return self._spelt(original_node.evaluated_value) or updated_node

    def leave_ConcatenatedString(
        self, original_node: cst.ConcatenatedString, updated_node: cst.ConcatenatedString
    ) -> cst.BaseExpression:
        return self._spelt(original_node.evaluated_value) or updated_node

    def _spelt(self, value: str | bytes | None) -> cst.BaseExpression | None:
        if not isinstance(value, str) or len(value) < SHORTEST or not value.isprintable():
            return None
        return self.spell(value)


def split(program: Program) -> Iterator[Changed]:
    """Puts strings together from parts."""
    yield Changed(program.module.visit(_Strings(_sum)))
    yield Changed(program.module.visit(_Strings(_in_turn(_join, _format, _percent))))


def encode(program: Program) -> Iterator[Changed]:
    """Decodes strings where they are used."""
    module = next(program.fresh("codec"))

    def _base64(value: str) -> str:
        told = base64.b64encode(value.encode()).decode()
        return f"{module}.b64decode({told!r}).decode()"

    changed = program.module.visit(_Strings(_in_turn(_short(_base64), _short(_hex))))
    if module in changed.code:
        changed = program.with_head(changed, f"import base64 as {module}")
    yield Changed(changed)
    yield Changed(program.module.visit(_Strings(_in_turn(_short(_reversed), _short(_chars)))))


def elsewhere(program: Program) -> Iterator[Changed]:
    """Keeps strings as constants of a file beside."""
    names, file = program.fresh("WORD"), next(program.fresh("words"))
    kept: dict[str, str] = {}

    def named(value: str) -> cst.BaseExpression:
        if value not in kept:
            kept[value] = next(names)
        return cst.Name(kept[value])

    changed = program.module.visit(_Strings(named))
    if kept:
        told = f"from {file} import {', '.join(kept.values())}"
        text = "".join(f"{name} = {value!r}\n" for value, name in kept.items())
        path = PurePosixPath(program.edit.path).with_name(f"{file}.py")
        yield Changed(program.with_head(changed, told), {str(path): text})


def as_default(program: Program) -> Iterator[Changed]:
    """Makes a string in each function the default of a further parameter."""
    if not INTROSPECTION & program.words:
        yield Changed(program.module.visit(_Defaults(program.fresh("word"))))


class _Defaults(cst.CSTTransformer):
    def __init__(self, names: Iterator[str]) -> None:
        super().__init__()
        self.names = names

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return False

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        found: list[str] = []
        updated_node.body.visit(_Strings(lambda value: found.append(value)))
        if not found:
            return updated_node
        name = cst.Name(next(self.names))
        params = updated_node.params
        further = cst.Param(name, default=text_of(found[0]), star="")
        return updated_node.with_changes(
            params=params.with_changes(kwonly_params=[*params.kwonly_params, further]),
            body=updated_node.body.visit(
                _Strings(lambda value: name.deep_clone() if value == found[0] else None)
            ),
        )


def _in_turn(*spells: Spell) -> Spell:
    turns = iter(range(1 << 30))
    return lambda value: spells[next(turns) % len(spells)](value)


def _short(spell: Callable[[str], str]) -> Spell:
    def spelt(value: str) -> cst.BaseExpression | None:
        return cst.parse_expression(spell(value)) if len(value) <= LONGEST else None

    return spelt


def _thirds(value: str) -> list[str]:
    step = -(-len(value) // 3)
    return [value[at : at + step] for at in range(0, len(value), step)]


def _sum(value: str) -> cst.BaseExpression:
    middle = len(value) // 2
    return cst.parse_expression(f"({value[:middle]!r} + {value[middle:]!r})")


def _join(value: str) -> cst.BaseExpression:
    return cst.parse_expression(f'"".join({_thirds(value)!r})')


def _format(value: str) -> cst.BaseExpression:
    parts = _thirds(value)
    told = ", ".join(map(repr, parts))
    return cst.parse_expression(f'"{"{}" * len(parts)}".format({told})')


def _percent(value: str) -> cst.BaseExpression:
    middle = len(value) // 2
    return cst.parse_expression(f'("%s%s" % ({value[:middle]!r}, {value[middle:]!r}))')


def _hex(value: str) -> str:
    return f"bytes.fromhex({value.encode().hex()!r}).decode()"


def _reversed(value: str) -> str:
    return f"{value[::-1]!r}[::-1]"


def _chars(value: str) -> str:
    return f'"".join(map(chr, {tuple(map(ord, value))!r}))'
