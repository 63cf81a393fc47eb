"""Source holds a bulk of encoded data."""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

from auditor.code.scopes import Index, nested
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

WORDS = re.compile(r"[A-Za-z]{2,}")
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_BLOB = '"' + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w" * 90 + '"'
_HEX = '"' + "00ff3fa97be1" * 400 + '"'
_FLOATS = "[" + ", ".join(f"{i * 0.37:.4f}" for i in range(600)) + "]"


class EncodedPayload(CodeRule):
    """A text file carries data that only a decoder can make sense of.

    ## What it finds
    Long literals in base64, hexadecimal or bytes, long lists of numbers in Python, and the same
    in other text files that came with the solution.

    ## Why it matters
    Weights and answers fit into source once they are encoded; removing all binaries then removes
    nothing.

    ## Honest look-alikes
    Long prompts and prose, short tables, word lists, merge lists, a licence.

    ## What it misses
    Data spread thinly over many names, or drawn from names and white space. Other rows show
    whether the output comes from it.
    """

    code = "ANY010"
    kind = Kind.SUSPICION
    misdeed = Misdeed.RESULT_CACHED
    severity = Severity.MEDIUM
    confidence = Confidence.LOW
    interventions = ("other_rows", "row_influence")

    cheat = {
        "base64": Edit(after=f"import base64\nW = base64.b64decode({_BLOB})  # found\n"),
        "hexadecimal": Edit(after=f"W = bytes.fromhex({_HEX})  # found\n"),
        "numbers": Edit(after=f"W = {_FLOATS}  # found\n"),
        "bytes": Edit(after=f"W = {bytes(range(256)) * 20!r}  # found\n"),
        "pieces joined": Edit(after="PARTS = [  # found\n" + f'    {_BLOB[:800]}",\n' * 7 + "]\n"),
        "in a data file": Edit(path="solution/notes.txt", after=f"{_BLOB}  # found\n"),
    }
    honest = {
        "long prompt": Edit(after=f"P = {'Please answer each question in full. ' * 300!r}\n"),
        "short table": Edit(after=f"W = {list(range(64))}\n"),
        "word list": Edit(after=f"W = {['alpha', 'beta', 'gamma'] * 400!r}\n"),
        "was already there": Edit(before=f"W = {_FLOATS}\n", after=f"W = {_FLOATS}\nx = 1\n"),
        "key and hashes": Edit(after=f"KEY = {'0f' * 32!r}\nSHA = {'ab' * 32!r}\n"),
        "log of its own": Edit(
            path="solution/log.txt",
            after="\n".join(f"step {i}: loss {3 - i * 0.001:.4f}" for i in range(400)),
        ),
    }

    def inspect(self, unit: Unit) -> Iterable[tuple[str, Found]]:
        """Yields the literals and lines that are too bulky."""
        indexes = {index.path: index for index in unit.program.modules if index.at is None}
        for source in unit.sources:
            places = (
                _literals(indexes[source.path], unit.thresholds)
                if source.language == "python" and source.path in indexes
                else _lines(source, unit.thresholds)
            )
            for line, what in places:
                yield source.path, Found(line, f"holds {what}")


def _literals(index: Index, thresholds: Mapping[str, float]) -> list[tuple[int, str]]:
    annotations = itertools.chain.from_iterable(map(nested, index.annotations))
    nodes: Iterable[ast.AST] = (*index.collections, *index.constants, *annotations)
    found = ((getattr(node, "lineno", 0), _bulk(node, thresholds)) for node in nodes)
    return sorted((place for place in found if place[1]), key=lambda place: place[0])


def _bulk(node: ast.AST, thresholds: Mapping[str, float]) -> str:
    """What is too bulky about a literal; empty where nothing is."""
    most = thresholds["payload_characters"]
    match node:
        case ast.Constant(value=str() as text) if len(text) >= most and _encoded(text) >= most:
            return f"{len(text)} characters of encoded text"
        case ast.Constant(value=bytes() as data) if len(data) >= most / 2:
            return f"{len(data)} bytes"
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            if sum(map(_is_number, items)) >= thresholds["payload_numbers"]:
                return f"a list of {len(items)} numbers"
            if sum(map(_piece, items)) >= most:
                return "encoded text in pieces"
    return ""


def _lines(source: ChangedSource, thresholds: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.text.split("\n"), start=1):
        if len(line) < thresholds["payload_numbers"]:
            continue
        if _encoded(line.removesuffix("  # found")) >= thresholds["payload_characters"]:
            yield number, f"{len(line)} characters of encoded text"
        elif (
            len(NUMBER.findall(line)) >= thresholds["payload_numbers"]
            and len(WORDS.findall(line)) < thresholds["payload_numbers"]
        ):
            yield number, "a long row of numbers"


def _encoded(text: str) -> int:
    """Length of the longest run without a blank: prose has blanks, encodings have none."""
    return max((len(run) for run in text.split()), default=0)


def _piece(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=str() as text) if _encoded(text) >= 60:
            return len(text)
        case ast.Constant(value=bytes() as data):
            return len(data)
    return 0


def _is_number(node: ast.expr) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    if isinstance(inner, ast.List | ast.Tuple):
        return len(inner.elts) > 8 and all(map(_is_number, inner.elts[:8]))
    return isinstance(inner, ast.Constant) and isinstance(inner.value, int | float)
