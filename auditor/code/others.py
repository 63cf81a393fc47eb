"""Typed facts of files that are not Python: Python and shell in them, their options, their kind.

Everything here is read from files that an attempt may have written to hurt its reader. Each
function takes time and memory that are about linear in its input, and raises nothing: what cannot
be read is left out.
"""

import hashlib
import json
import math
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from pydantic import JsonValue

from auditor.code.shell import Doings, Session, of_shell
from auditor.code.source import parse
from auditor.code.words import MOST_TEXT, Piece

MOST_OPTIONS = 2_000
"""Keys beyond this many are left out."""
LONGEST = 200
"""Longer keys and values are cut, and end with a digest of what they were."""
_KEPT = 64
"""Files of which it is remembered what their shell texts do."""
_MOST_OPTIONS_TEXT = 1 << 20
_MOST_EXPANDED = 1 << 20
"""Characters that the variables of one Makefile may add; later references stay as they are."""
_MOST_DOTS = 64
"""A TOML key of more parts takes tomllib the square of them; numbers are not counted."""
_NUMBER = re.compile(r"(?<![\w.+-])[-+]?\d+\.\d+(?:[eE][-+]?\d+)?(?![\w.])")


class OptionChange(NamedTuple):
    """An option that was added, removed or given another value."""

    key: str
    old: JsonValue
    """None where it was not there."""
    new: JsonValue
    """None where it is no more."""


def pythons(path: str, text: str) -> tuple[Piece, ...]:
    """Returns the Python text that a file in another form holds, in the order of its lines.

    Args:
        path: of the file, by whose name and text its form is told.
        text: what it holds.

    Returns:
        Code cells, arguments of `python -c`, here-documents that Python reads or that become a
        Python file, lines that are echoed into either, import lines of a `.pth` file, and a whole
        file that only its first line calls Python. Nothing for a `.py` file.
    """
    text = text[:MOST_TEXT]
    kind = _text_kind(path, text)
    found: list[Piece] = []
    if kind == "notebook":
        found += [item for cell in _cells(text) for item in _cell_python(cell)]
    if kind == "pth":
        found += _import_lines(text)
    if kind == "python" and _suffix(path) not in _PYTHON_SUFFIXES:
        found.append(Piece(1, text))
    for doing in doings(path, text):
        found += doing.snippets
        found += [Piece(it.line, it.text.rstrip()) for it in doing.files if it.path.endswith(".py")]
    return tuple(sorted(dict.fromkeys(found), key=lambda piece: piece.line))


@lru_cache(maxsize=_KEPT)
def doings(path: str, text: str) -> tuple[Doings, ...]:
    """Returns what the shell texts do that a file holds, in the order of its lines."""
    return tuple(of_shell(piece, Session()) for piece in shells(path, text))


def shells(path: str, text: str) -> tuple[Piece, ...]:
    """Returns the shell text that a file holds, in the order of its lines.

    Args:
        path: of the file, by whose name and text its form is told.
        text: what it holds.

    Returns:
        A shell script as a whole; the recipes of a Makefile, one text for each rule, and what
        `$(shell …)` and `!=` run, with the file's variables; `!` lines and shell cells of a
        notebook; what a Dockerfile runs.
    """
    text = text[:MOST_TEXT]
    match _text_kind(path, text):
        case "shell":
            return (Piece(1, text),)
        case "makefile":
            found = _Makefile(text).commands()
        case "notebook":
            found = [item for cell in _cells(text) for item in _cell_shell(cell)]
        case "dockerfile":
            found = list(_docker_runs(text))
        case _:
            found = []
    return tuple(sorted(found, key=lambda piece: piece.line))


# ---- Makefiles

_SET = re.compile(r"(?:export\s+|override\s+)*([\w.-]+)\s*(\+|\?|!|:{0,3})=(.*)", re.S)
_DEFINE = re.compile(r"\s*(?:override\s+|export\s+)*define\s+([\w.-]+)")
_USE = re.compile(r"\$(?:\(([\w.-]+)\)|\{([\w.-]+)\}|([A-Za-z$]))")
_LEFT = re.compile(r"\$(?:\$|\(([\w.-]+)\))")
_PREFIX = re.compile(r"^[ \t]*[@+-]+[ \t]*")


class _Makefile:
    """What a Makefile has shells run."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._known: dict[str, str] = {}
        self._left = _MOST_EXPANDED
        self._found: list[Piece] = []

    def commands(self) -> list[Piece]:
        """Returns the recipes, one text for each rule, and what is run while it is read."""
        recipes: list[Piece] = []
        number = 0
        while number < len(self._lines):
            if self._lines[number].startswith("\t"):
                end = self._recipe_end(number)
                recipes.append(Piece(number + 1, self._recipe(number, end)))
            elif match := _DEFINE.match(self._lines[number]):
                end = self._define(number, match[1])
            else:
                end = self._logical_end(number)
                recipes += self._other(number, "\n".join(self._lines[number:end]))
            number = end
        # A recipe is expanded when it is run, after all of the file was read.
        self._found += [Piece(line, self._expanded(text)) for line, text in recipes]
        return self._found

    def _logical_end(self, number: int) -> int:
        while self._lines[number].endswith("\\") and number + 1 < len(self._lines):
            number += 1
        return number + 1

    def _recipe_end(self, number: int) -> int:
        while number < len(self._lines) and self._lines[number].startswith("\t"):
            number = self._logical_end(number)
        return number

    def _recipe(self, number: int, end: int) -> str:
        """The lines of a recipe without what make takes off before a shell is given them."""
        continued, lines = False, []
        for line in self._lines[number:end]:
            line = line.removeprefix("\t")
            lines.append(line if continued else _PREFIX.sub("", line, count=1))
            continued = line.endswith("\\")
        return "\n".join(lines)

    def _define(self, number: int, name: str) -> int:
        end = number + 1
        while end < len(self._lines) and self._lines[end].strip() != "endef":
            end += 1
        self._known[name] = "\n".join(self._lines[number + 1 : end])
        return end + 1

    def _other(self, number: int, logical: str) -> Iterator[Piece]:
        """Notes a variable, or yields a recipe that stands on the line of its rule."""
        if logical.lstrip().startswith("#"):
            return
        self._found += [
            Piece(number + 1 + logical.count("\n", 0, at), self._expanded(text))
            for at, text in _shell_calls(logical)
        ]
        if match := _SET.match(logical.strip()):
            name, sign, value = match[1], match[2], match[3].strip()
            if sign == "!":
                self._found.append(Piece(number + 1, self._expanded(value)))
            elif sign == "+":
                self._append(name, value)
            elif sign != "?" or name not in self._known:
                self._known[name] = value
        else:
            head, colon, rest = logical.partition(":")
            before, semicolon, recipe = rest.partition(";")
            if colon and semicolon:
                line = number + 1 + (head + before).count("\n")
                yield Piece(line, _PREFIX.sub("", recipe, count=1))

    def _append(self, name: str, value: str) -> None:
        longer = f"{self._known.get(name, '')} {value}"
        if self._spent(longer):
            self._known[name] = longer

    def _spent(self, text: str) -> bool:
        """Takes the length of a text off what is left; returns whether that was enough."""
        if len(text) > self._left:
            return False
        self._left -= len(text)
        return True

    def _expanded(self, text: str) -> str:
        """Puts in the file's variables, and theirs; `$$` becomes `$`."""

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2] or match[3]
            found = self._known.get(name)
            return match[0] if name == "$" or found is None or not self._spent(found) else found

        for _ in range(8):
            after = _USE.sub(value, text)
            if after == text:
                break
            text = after
        # `$(PYTHON)` would open a command in a shell; as `${PYTHON}` it stays a variable.
        return _LEFT.sub(lambda m: f"${{{m[1]}}}" if m[1] else "$", text)


def _shell_calls(text: str) -> Iterator[tuple[int, str]]:
    """Yields what `$(shell …)` runs, and where it stands; the outermost of nested ones."""
    at = 0
    while (at := text.find("$(shell", at)) >= 0:
        start = end = at + len("$(shell")
        depth = 1
        for match in re.compile(r"[()]").finditer(text, start):
            depth += 1 if match[0] == "(" else -1
            end = match.start()
            if not depth:
                break
        end = end if not depth else len(text)
        yield start, text[start:end].strip()
        at = max(end, start)


# ---- notebooks

_JSON_TOKEN = re.compile(r"\"(?:[^\"\\]++|\\.)*+\"|[{}\[\]]", re.S)
_SHELL_CELL = re.compile(r"%%(?:(?:bash|sh|system|sx|script\s+\S*sh)\b|!)")
_FOREIGN_CELL = re.compile(
    r"%%(?:html|HTML|javascript|js|latex|svg|SVG|markdown|perl|ruby|script)\b|%%writefile(?!.*\.py\s*$)"
)
_MAGIC = re.compile(r"(?m)^([ \t]*)(?:[%!?].*|[\w.]+\?+[ \t]*)$")
_MAGIC_VALUE = re.compile(r"(?m)^([\w., \t]++=[ \t]*+)[%!].*$")
_SHELL_LINE = re.compile(r"^(?:[ \t]*+|[\w., \t]++=[ \t]*+)!{1,2}((?:[^\n\\]|\\.)*+)", re.S | re.M)


def _cells(text: str) -> Iterator[Piece]:
    """Yields the sources of code cells and where they begin in the file."""
    book = _json(text)
    cells = book.get("cells") if isinstance(book, dict) else None
    if not isinstance(cells, list):
        return
    lines = _source_lines(text)
    for number, cell in enumerate(cells):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source")
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        if isinstance(source, str) and source.strip():
            yield Piece(lines.get(number, 1), source)


def _source_lines(text: str) -> dict[int, int]:
    """The line of each cell's first source text, by the place of the cell."""
    found: dict[int, int] = {}
    depth, cell, line, at = 0, -1, 1, 0
    inside = wanted = False
    for match in _JSON_TOKEN.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        sign = match[0]
        if wanted and sign != "[":
            found[cell], wanted = line, False
        if sign in ("{", "["):
            cell += inside and depth == 2
            depth += 1
        elif sign in ("}", "]"):
            depth -= 1
        elif text[match.end() : match.end() + 40].lstrip().startswith(":"):
            if depth == 1:
                inside, cell = sign == '"cells"', -1
            wanted = inside and depth == 3 and sign == '"source"'
    return found


def _cell_python(cell: Piece) -> Iterator[Piece]:
    """The Python of a cell; what only a notebook understands is blanked."""
    if _SHELL_CELL.match(cell.text) or _FOREIGN_CELL.match(cell.text.partition("\n")[0]):
        return
    text = cell.text
    magic = _MAGIC.search(text) or _MAGIC_VALUE.search(text)
    if magic and parse(text) is None:  # else `%` begins the rest of an expression, or of a text
        text = _MAGIC.sub(lambda m: m[1] + "pass" if m[1] else "", text)
        text = _MAGIC_VALUE.sub(r"\1None", text)
    yield Piece(cell.line, text)


def _cell_shell(cell: Piece) -> Iterator[Piece]:
    if _SHELL_CELL.match(cell.text):
        yield Piece(cell.line + 1, cell.text.partition("\n")[2])
    elif _SHELL_LINE.search(cell.text) and parse(cell.text) is None:
        at, line = 0, cell.line
        for match in _SHELL_LINE.finditer(cell.text):
            line, at = line + cell.text.count("\n", at, match.start(1)), match.start(1)
            yield Piece(line, match[1])


# ---- other forms

_RUN = re.compile(r"\s*(?:ONBUILD\s+)?(?:RUN|CMD|ENTRYPOINT)\s+((?:--\S+\s+)*)(.*)", re.I | re.S)
_DOCUMENT = re.compile(r"(?<!<)<<-?\s*(['\"]?)(\w+)\1")


def _docker_runs(text: str) -> Iterator[Piece]:
    """Yields what a Dockerfile has a shell run; comments between continued lines are blanked."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first, logical = number, [lines[number]]
        while _goes_on(logical[-1]) and number + 1 < len(lines):
            number += 1
            comment = lines[number].lstrip().startswith("#") or not lines[number].strip()
            logical.append("\\" if comment else lines[number])
        number += 1
        if not (match := _RUN.fullmatch("\n".join(logical))):
            continue
        line, command = first + 1 + match[1].count("\n"), match[2]
        body = []
        if document := _DOCUMENT.search(command):
            while number < len(lines) and lines[number].strip() != document[2]:
                body.append(lines[number])
                number += 1
            number += 1
            body.append(document[2])
        if document and command.strip() == document[0]:
            yield Piece(first + 2, "\n".join(body[:-1]))
        else:
            yield Piece(line, "\n".join([_executed(command), *body]))


def _goes_on(line: str) -> bool:
    return line.rstrip().endswith("\\")


def _executed(command: str) -> str:
    """A command in its list form as a shell would be given it."""
    words = _json(command) if command.lstrip().startswith("[") else None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return shlex.join(str(word) for word in words)
    return command


def _import_lines(text: str) -> Iterator[Piece]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.startswith(("import ", "import\t")):
            yield Piece(number, line)


# ---- options


def options(path: str, text: str) -> Mapping[str, JsonValue] | None:
    """Returns the options of a TOML, JSON or YAML file: scalars by dotted keys.

    Items of lists go by their number, a part of a key that holds a dot is quoted, and what is empty
    is written `{}` or `[]`. YAML is read by a minimal reader of nested `key: value` lines, `- item`
    lines and block texts: flow collections, anchors, aliases and tags stay as they are written, and
    of several documents the last one's keys hold.

    Args:
        path: of the file, by whose name and text its form is told.
        text: what it holds.

    Returns:
        At most `MOST_OPTIONS` keys, the first in the file; keys and values of at most `LONGEST`
        characters. None for another form and for what cannot be read.
    """
    if len(text) > _MOST_OPTIONS_TEXT:
        return None
    match _text_kind(path, text):
        case "toml":
            table = _toml(text)
            return None if table is None else _flat(table)
        case "json" if _suffix(path) != ".jsonl":
            try:
                return _flat(json.loads(text))
            except (ValueError, RecursionError, MemoryError):
                return None
        case "yaml":
            return _yaml(text)
    return None


def option_changes(before: str | None, after: str, path: str) -> tuple[OptionChange, ...]:
    """Returns the options that differ between two texts of a file, by key.

    Args:
        before: the text before; None for a new file. One that cannot be read counts as empty.
        after: the text now; where it cannot be read nothing is returned.
        path: of the file.
    """
    old = (options(path, before) if before is not None else None) or {}
    new = options(path, after)
    if new is None:
        return ()
    return tuple(
        OptionChange(key, old.get(key), new.get(key))
        for key in sorted({*old, *new})
        if (key in old) != (key in new)
        or type(old[key]) is not type(new[key])
        or old[key] != new[key]
    )


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError):
        return None


def _toml(text: str) -> dict[str, object] | None:
    for line in text.split("\n"):
        if line.count(".") > _MOST_DOTS and _NUMBER.sub("", line).count(".") > _MOST_DOTS:
            return None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError, MemoryError):
        return None


def _flat(value: object) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting and len(found) < MOST_OPTIONS:
        prefix, item = waiting.pop()
        inner: list[tuple[str, object]] = []
        if isinstance(item, dict):
            inner = [(str(key), child) for key, child in item.items()]
        elif isinstance(item, list):
            inner = [(str(number), child) for number, child in enumerate(item[: MOST_OPTIONS + 1])]
        if inner:
            waiting += [(_joined(prefix, key), child) for key, child in reversed(inner)]
        else:
            found[prefix] = _scalar(item)
    return found


def _joined(prefix: str, key: str) -> str:
    part = f'"{key}"' if not key or "." in key or '"' in key else key
    return _short(f"{prefix}.{part}" if prefix else part)


def _scalar(value: object) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else _short(hex(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return _short(str(value))


def _short(text: str) -> str:
    """Cuts a text; those that differ still do. What cannot be written as UTF-8 is escaped."""
    encoded = text.encode("utf-8", "backslashreplace")
    text = encoded.decode("utf-8") if len(encoded) != len(text) else text
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 18] + "…" + hashlib.sha256(encoded).hexdigest()[:16]


_YAML_KEY = re.compile(
    r"(?:(\"(?:[^\"\\]|\\.)*+\"|'[^']*+')\s*+|((?:[^\s#:\"'{\[&*!|>]|<<)[^:#]*+)):(?:\s|$)"
)
_YAML_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?")
_YAML_WORDS: Mapping[str, JsonValue] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


_DEEPEST_SEQUENCE = 16
"""Dashes on one line."""


class _Level(NamedTuple):
    indent: int
    prefix: str
    """Of the keys on it."""


def _yaml(text: str) -> dict[str, JsonValue]:
    """Reads plain mappings, sequences and scalars."""
    found: dict[str, JsonValue] = {}
    counts: dict[str, int] = {}
    levels = [_Level(-1, "")]
    lines = text.split("\n")
    number = 0
    while number < len(lines) and len(found) < MOST_OPTIONS:
        line = lines[number].rstrip()
        number += 1
        content = line.lstrip(" ")
        if line.startswith(("---", "...")):
            levels, counts = [_Level(-1, "")], {}
            continue
        if not content or content.startswith(("#", "%")):
            continue
        key, indent, value = _yaml_line(content, len(line) - len(content), levels, counts)
        if key is None:
            continue
        if _YAML_BLOCK.fullmatch(value):
            block = _yaml_block(lines, number, indent)
            number += len(block)
            found[key] = _short("\n".join(item.strip() for item in block).strip("\n"))
        else:
            found[key] = _yaml_scalar(value)
    return _without_parents(found)


def _yaml_line(
    content: str, indent: int, levels: list[_Level], counts: dict[str, int]
) -> tuple[str | None, int, str]:
    """Returns the key, the column and the value of a line; no key where it is not understood."""
    for _ in range(_DEEPEST_SEQUENCE):
        if content != "-" and not content.startswith("- "):
            break
        # A sequence may stand at the column of the key that holds it.
        while (
            levels[-1].indent > indent
            or levels[-1].prefix.endswith("\0")
            and (levels[-1].indent == indent)
        ):
            levels.pop()
        prefix = levels[-1].prefix.removesuffix("\0")
        counts[prefix] = counts.get(prefix, -1) + 1
        levels.append(_Level(indent, _joined(prefix, str(counts[prefix])) + "\0"))
        rest = content[1:].lstrip(" ")
        indent += len(content) - len(rest)
        content = rest
    return _yaml_pair(content, indent, levels)


def _yaml_pair(content: str, indent: int, levels: list[_Level]) -> tuple[str | None, int, str]:
    match = _YAML_KEY.match(content)
    if match is None:
        top = levels[-1]
        return (top.prefix[:-1] if top.prefix.endswith("\0") else None), top.indent, _plain(content)
    while levels[-1].indent >= indent:
        levels.pop()
    key = _joined(levels[-1].prefix.removesuffix("\0"), _unquoted(match[1] or match[2].rstrip()))
    levels.append(_Level(indent, key))
    return key, indent, _plain(content[match.end() :])


def _yaml_block(lines: list[str], start: int, indent: int) -> list[str]:
    end = start
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            break
        end += 1
    return lines[start:end]


def _plain(value: str) -> str:
    """A value without its comment."""
    value = value.strip()
    if match := re.match(r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^']|'')*+'", value):
        return match[0]
    return "" if value.startswith("#") else re.split(r"\s#", value, maxsplit=1)[0].rstrip()


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        read = _json(text)
        return read if isinstance(read, str) else text[1:-1]
    return text


def _yaml_scalar(value: str) -> JsonValue:
    if value in _YAML_WORDS:
        return _YAML_WORDS[value]
    if len(value) <= 40 and re.fullmatch(r"[-+]?\d+", value):
        return _scalar(int(value))
    if len(value) <= 40 and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value):
        return _scalar(float(value))
    return _short(_unquoted(value))


def _without_parents(found: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Leaves out the keys that hold others and nothing themselves."""
    parents = set()
    for key in found:
        while key := key.rpartition(".")[0]:
            if key in parents:
                break
            parents.add(key)
    return {key: value for key, value in found.items() if value is not None or key not in parents}


# ---- kinds

_PYTHON_SUFFIXES = frozenset({".py", ".pyi", ".pyw"})
_SUFFIXES = {
    ".py": "python", ".pyi": "python", ".pyw": "python", ".ipynb": "notebook", ".sh": "shell",
    ".bash": "shell", ".zsh": "shell", ".ksh": "shell", ".mk": "makefile", ".mak": "makefile",
    ".dockerfile": "dockerfile", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml",
    ".json": "json", ".jsonl": "json", ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp",
    ".cxx": "cpp", ".hpp": "cpp", ".hh": "cpp", ".cu": "cuda", ".cuh": "cuda", ".rs": "rust",
    ".s": "assembly", ".asm": "assembly", ".ptx": "assembly", ".sass": "assembly",
    ".md": "prose", ".rst": "prose", ".txt": "prose", ".pth": "pth",
}  # fmt: skip
_NAMES = {
    "makefile": "makefile", "gnumakefile": "makefile", "dockerfile": "dockerfile",
    "containerfile": "dockerfile", "readme": "prose", "license": "prose", "notice": "prose",
}  # fmt: skip
_RUN_BY_NAME = frozenset({"python", "notebook", "makefile", "dockerfile", "pth", "shell"})
"""Whose first line is no matter: an import or a tool goes by the name."""
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "elf"),
    (b"PK\x03\x04", "archive"), (b"PK\x05\x06", "archive"), (b"\x1f\x8b", "archive"),
    (b"\xfd7zXZ\0", "archive"), (b"\x28\xb5\x2f\xfd", "archive"),
    (b"\x93NUMPY", "numpy"),
    (b"\x89PNG\r\n\x1a\n", "image"), (b"\xff\xd8\xff", "image"),
    (b"II*\0", "image"), (b"MM\0*", "image"),
)  # fmt: skip
_TEXT_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"BZh", "archive"), (b"GIF8", "image"), (b"BM", "image"), (b"RIFF", "image"),
)  # fmt: skip
"""Beginnings that a text may have as well."""
_NO_TEXT = [chr(code) for code in range(32) if chr(code) not in "\t\n\r\f\b\x1b"] + ["\ufffd"]
"""Characters that texts do not have; the last stands for bytes that are no UTF-8."""
_PYTHON_LINE = re.compile(r"(?m)^(?:import \w|from [\w.]+ import |def \w+\(|class \w+[(:])")


def kind_of(path: str, content: bytes) -> str:
    """Returns what a file is: by its bytes first, by its name second.

    Args:
        path: of the file.
        content: all of its bytes.

    Returns:
        One of python, notebook, shell, makefile, dockerfile, yaml, toml, json, c, cpp, cuda, rust,
        assembly, prose, elf, pyc, pth, archive, pickle, safetensors, numpy, image, text, binary,
        empty, and unreadable for what is nearly all text but no valid UTF-8 or holds NULs.
    """
    if not content:
        return "empty"
    if content[2:4] == b"\r\n" and (path.endswith(".pyc") or "__pycache__" in path.split("/")):
        return "pyc"
    for magic, kind in _MAGICS:
        if content.startswith(magic):
            return kind
    if re.match(rb"\x80[\x02-\x05]", content):
        return "pickle"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return _binary_kind(content)
    return _binary_kind(content) if "\0" in text else _text_kind(path, text)


def _binary_kind(content: bytes) -> str:
    size = int.from_bytes(content[:8], "little")
    if content[8:9] == b"{" and size <= len(content) - 8:
        return "safetensors"
    if content[257:262] == b"ustar":
        return "archive"
    text = content[:MOST_TEXT].decode("utf-8", "replace")
    bad = sum(map(text.count, _NO_TEXT))
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or bad <= len(text) // 10:
        return "unreadable"
    return next((kind for magic, kind in _TEXT_MAGICS if content.startswith(magic)), "binary")


def _text_kind(path: str, text: str) -> str:
    """What a text is: by a name that decides how it is run, then by itself, then by its name."""
    named = _named(path)
    if named in _RUN_BY_NAME:
        return named
    first = text[:200].partition("\n")[0]
    if first.startswith("#!"):
        if re.search(r"python|pypy", first):
            return "python"
        if re.search(r"\b(?:a|ba|da|k|z)?sh\b", first):
            return "shell"
    if named:
        return named
    if text.lstrip()[:1] in ("{", "[") and isinstance(_json(text), dict | list):
        return "json"
    return "python" if _PYTHON_LINE.search(text) and parse(text) else "text"


def _named(path: str) -> str:
    name = path.rsplit("/", 1)[-1].lower()
    return _SUFFIXES.get(_suffix(path)) or _NAMES.get(name.partition(".")[0], "")


def _suffix(path: str) -> str:
    name = path.rsplit("/", 1)[-1].lower()
    return "." + name.rpartition(".")[2] if "." in name else ""
