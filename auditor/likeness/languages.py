"""What a text is, and its tokens once names, layout and remarks no longer count."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from auditor.likeness import figures

View = Literal["tree", "code", "words", "measured", "decimals"]
"""How a text is looked at: as Python's syntax trees, as tokens of a program, as words, as lines
that hold a measured time, as long decimals."""

CODE = {
    "py": "#", "pyi": "#", "pyx": "#", "pth": "#", "sh": "#", "bash": "#", "zsh": "#", "rb": "#",
    "pl": "#", "r": "#", "jl": "#", "mk": "#", "c": "/", "cc": "/", "cpp": "/", "cxx": "/",
    "h": "/", "hpp": "/", "cu": "/", "cuh": "/", "rs": "/", "go": "/", "java": "/", "js": "/",
    "ts": "/", "swift": "/", "kt": "/", "scala": "/", "cs": "/", "zig": "/", "lua": "-", "sql": "-",
    "hs": "-",
}  # fmt: skip
"""Languages of programs by suffix, with how a remark begins in each."""
PROSE = ("md", "rst", "tex", "txt", "")
_REMARKS = {
    "#": r"\#[^\n]*",
    "/": r"//[^\n]*|/\*.*?(?:\*/|\Z)",
    "-": r"--[^\n]*",
}
_STRING = r"""(?:'''.*?'''|\"\"\".*?\"\"\"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_LEXEME = (
    r"(?P<remark>{remark})|(?P<string>{string})|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)"
    r"|(?P<mark>->|::|[<>=!+\-*/%&|^]=|&&|\|\||<<|>>|\*\*|[^\s\w])"
)
_WORD = re.compile(r"[^\W_]+")
_WORDS = """
False None True and as assert async await break case catch class const continue crate default
def del do done double elif else enum esac except extern fi final finally float fn for from
func function global goto if impl import in inline int is lambda let local long loop match mod
move mut new nonlocal not null or pass pub raise ref restrict return self short sizeof static
struct super switch template then this throw trait try typedef typename union unsafe unsigned
until use using var virtual void volatile where while with yield
"""
KEYWORDS = frozenset(_WORDS.split())
_BEFORE_DEFINED = frozenset({"fn", "def", "function", "func", "struct", "class", "enum", "trait"})
_BEFORE_MEMBER = frozenset({".", "::", "->"})


class Token(NamedTuple):
    """One token as it is compared, and the 1-based line it stands on."""

    text: str
    line: int


def views(path: str, text: str) -> tuple[View, ...]:
    """Returns how a file is looked at; not at all where it holds data."""
    kind = suffix(path, text)
    if kind in ("py", "pth"):
        return ("tree", "code")
    if kind in CODE:
        return ("code",)
    recorded: tuple[View, ...] = ("measured", "decimals") if kind in figures.DATA else ()
    return ("words", *recorded) if kind in PROSE else recorded


def suffix(path: str, text: str) -> str:
    """Returns the suffix of a file in lower case; by its first line where it has none."""
    name = path.rpartition("/")[2].lower()
    if "." in name.lstrip("."):
        return name.rpartition(".")[2]
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return "py" if "python" in first else "sh"
    return "mk" if name == "makefile" else ""


def words(text: str) -> list[Token]:
    """Returns the words of a text in lower case."""
    return [
        Token(word.lower(), number)
        for number, line in enumerate(text.split("\n"), start=1)
        for word in _WORD.findall(line)
    ]


def tokens(path: str, text: str) -> list[Token]:
    """Returns the tokens of a program without remarks and layout.

    A name that the text itself gives to something becomes `n`, since anybody can rename it; names
    of what comes from elsewhere, which a text only calls or reaches into, stay. Strings become
    `s`, and numbers beyond 2 become `0`.
    """
    found = list(_scan(path, text))
    own = _own_names(found)
    return [Token(_shown(kind, word, own), line) for kind, word, line in found]


class _Raw(NamedTuple):
    kind: str
    text: str
    line: int


_LEXERS = {
    style: re.compile(_LEXEME.format(remark=remark, string=_STRING), re.S)
    for style, remark in _REMARKS.items()
}


def _scan(path: str, text: str) -> Iterator[_Raw]:
    lexer = _LEXERS[CODE.get(suffix(path, text), "#")]
    line, seen = 1, 0
    for found in lexer.finditer(text):
        line += text.count("\n", seen, found.start())
        seen = found.start()
        kind = found.lastgroup or "mark"
        if kind != "remark":
            yield _Raw(kind, found[0], line)


def _own_names(found: Sequence[_Raw]) -> frozenset[str]:
    """Names that stand somewhere for a value of the text's own, or that it defines."""
    own = set()
    for place, item in enumerate(found):
        if item.kind != "name" or item.text in KEYWORDS:
            continue
        before = found[place - 1].text if place else ""
        after = found[place + 1].text if place + 1 < len(found) else ""
        if before in _BEFORE_DEFINED:
            own.add(item.text)
        elif before in _BEFORE_MEMBER or after in (".", "::", "!"):
            continue
        elif after == "(":
            if _opens_body(found, place + 1):
                own.add(item.text)
        else:
            own.add(item.text)
    return frozenset(own)


def _opens_body(found: Sequence[_Raw], place: int) -> bool:
    """Whether the bracket at a place closes before a `{`, as in the definition of a function."""
    depth = 0
    for following in range(place, min(place + 400, len(found))):
        text = found[following].text
        depth += (text == "(") - (text == ")")
        if depth == 0:
            return following + 1 < len(found) and found[following + 1].text == "{"
    return False


def _shown(kind: str, text: str, own: frozenset[str]) -> str:
    if kind == "name":
        return "n" if text in own else text
    if kind == "string":
        return "s"
    if kind == "number":
        return text if text in ("0", "1", "2") else "0"
    return text
