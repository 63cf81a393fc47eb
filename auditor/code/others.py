"""Typed facts of files that are not Python."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.code import shell


class Piece(NamedTuple):
    """Text in another language that a file holds."""

    line: int
    """Of the file, where the text begins; 1-based."""
    text: str


def pythons(path: str, text: str) -> tuple[Piece, ...]:
    """Returns the Python text that a file in another form holds."""
    name = path.rsplit("/", 1)[-1]
    if name.endswith(".ipynb"):
        return tuple(_notebook(text))
    if name.endswith(".pth"):
        lines = enumerate(text.splitlines(), 1)
        return tuple(
            Piece(n, line) for n, line in lines if line.startswith(("import ", "import\t"))
        )
    first = text.partition("\n")[0]
    shebang = re.match(r"#!.*\b(ba|da|z|k|a)?sh\b", first)
    if name.endswith((".sh", ".bash", ".mk")) or name in ("Makefile", "makefile") or shebang:
        return tuple(Piece(item.line, item.text) for item in shell.python(text))
    return ()


def _notebook(text: str) -> Iterator[Piece]:
    try:
        book = json.loads(text)
    except (ValueError, RecursionError):
        return
    cells = book.get("cells") if isinstance(book, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            if isinstance(source, list):
                source = "".join(part for part in source if isinstance(part, str))
            if isinstance(source, str):
                yield Piece(1, re.sub(r"(?m)^[%!].*$", "", source))
