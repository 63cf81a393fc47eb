"""Shell text word by word: each character is looked at about once, and nothing raises."""

import re
from collections.abc import Iterator
from typing import NamedTuple

MOST_TEXT = 1 << 22
"""Characters of a text that are read."""
_BARE = re.compile(
    r"[$<>]\(|`|\\.?|\$?'|\$?\"|[ \t\r]+|\n|(?<![^\s;&|()])#[^\n]*|[<>]&|&>|<<<|<<-?|[;&|()]+", re.S
)
"""What means something outside quotes."""
_SINGLE = re.compile(r"([^']*+)(?:'|\Z)")
_DOUBLE = re.compile(r"((?:[^\"\\$]++|\\(?:.|\Z)|\$(?!\())*+)(\"|\$\(|\Z)", re.S)
_ANSI = re.compile(r"((?:[^'\\]++|\\(?:.|\Z))*+)(?:'|\Z)", re.S)
_NESTED = re.compile(r"\\.|['\"()]", re.S)
"""What decides where a command within a word ends."""
_INSIDE = re.compile(r"\$\((?!\()|[<>]\(|`")
_DELIMITER = re.compile(r"[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+)")
_ANSI_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


class Piece(NamedTuple):
    """Text in another language that a file holds."""

    line: int
    """Of the file, where the text begins; 1-based."""
    text: str


class Word(NamedTuple):
    """A word of a command, without its quotes; or what stands between commands."""

    line: int
    text: str
    operator: bool = False
    bare: int = 0
    """Characters at its beginning that stood outside quotes, and may thus be a redirection."""
    literal: bool = False
    """A part of it stood in single quotes, within which nothing has a meaning."""


class Statement(NamedTuple):
    """The commands of one line."""

    words: tuple[Word, ...]
    documents: tuple["Document", ...]
    """Here-documents, in the order in which the words ask for them."""


class Document(NamedTuple):
    """A text that a program reads as its input."""

    line: int
    """Where it begins."""
    text: str
    literal: bool
    """Nothing in it has a meaning."""


class _Delimiter(NamedTuple):
    end: str
    tabs: bool
    """Leading tabs are taken away."""
    literal: bool


class _Reader:
    """Reads shell text word by word; each character is looked at about once."""

    def __init__(self, piece: Piece) -> None:
        self._text = piece.text
        self._line = piece.line
        self._at = 0
        self._part: list[str] | None = None
        self._bare, self._unquoted, self._literal = 0, True, False
        self._began = piece.line
        self._words: list[Word] = []
        self._waiting: list[_Delimiter] = []
        self._arithmetic = False

    def statements(self) -> Iterator[Statement]:
        """Yields the commands of each line with the here-documents that follow it."""
        while self._at < len(self._text):
            match = _BARE.search(self._text, self._at)
            if match is None:
                self._add(self._text[self._at :])
                break
            if match.start() > self._at:
                self._add(self._text[self._at : match.start()])
            self._at = match.end()
            if match[0] == "\n":
                yield self._statement()
            else:
                self._token(match[0])
        yield self._statement()

    def _add(self, text: str, *, quoted: bool = False) -> None:
        if self._part is None:
            self._part, self._began = [], self._line
            self._bare, self._unquoted, self._literal = 0, True, False
        self._unquoted = self._unquoted and not quoted
        self._bare += len(text) if self._unquoted else 0
        self._part.append(text)

    def _end_word(self) -> None:
        if self._part is not None:
            text = "".join(self._part)
            self._words.append(Word(self._began, text, bare=self._bare, literal=self._literal))
        self._part = None

    def _statement(self) -> Statement:
        self._end_word()
        self._line += 1
        documents = tuple(self._document(item) for item in self._waiting)
        found = Statement(tuple(self._words), documents)
        self._words, self._waiting = [], []
        return found

    def _token(self, sign: str) -> None:
        if sign == "\\\n":
            self._line += 1
        elif sign.startswith("\\"):
            self._add(sign[1:], quoted=True)
        elif sign[-1] in "'\"":
            self._quoted(sign)
        elif sign in ("$(", "<(", ">(", "`"):
            self._add(self._command(sign), quoted=True)
        elif sign in ("<<", "<<-"):
            self._here(sign)
        elif sign == "<<<":
            self._end_word()
            self._words.append(Word(self._line, sign, bare=len(sign)))
        elif sign in (">&", "<&", "&>"):
            self._add(sign)
        elif sign[0] in ";&|()":
            self._operator(sign)
        else:
            self._end_word()

    def _operator(self, sign: str) -> None:
        self._end_word()
        if "))" in sign:
            self._arithmetic = False
        if "((" in sign:
            self._arithmetic = True
        self._words.append(Word(self._line, sign, operator=True))

    def _command(self, sign: str) -> str:
        """A command whose output is a part of a word, as it is written."""
        start = self._at
        self._at = _end(self._text, start, sign)
        self._line += self._text.count("\n", start, self._at)
        return sign + self._text[start : self._at]

    def _double(self) -> None:
        while True:
            match = _DOUBLE.match(self._text, self._at)
            raw, end = (match[1], match[2]) if match else (self._text[self._at :], "")
            self._at = match.end() if match else len(self._text)
            self._add(re.sub(r"\\([$`\"\\])|\\\n", r"\1", raw), quoted=True)
            self._line += raw.count("\n")
            if end != "$(":
                return
            self._add(self._command(end), quoted=True)

    def _quoted(self, sign: str) -> None:
        if sign.endswith('"'):
            self._double()
            return
        pattern = {"'": _SINGLE}.get(sign, _ANSI)
        match = pattern.match(self._text, self._at)
        raw = match[1] if match else self._text[self._at :]
        self._at = match.end() if match else len(self._text)
        if pattern is _ANSI:
            said = re.sub(r"\\(.)", lambda m: _ANSI_ESCAPES.get(m[1], m[0]), raw, flags=re.S)
            self._add(said, quoted=True)
        else:
            self._add(raw, quoted=True)
            self._literal = True
        self._line += raw.count("\n")

    def _here(self, sign: str) -> None:
        match = None if self._arithmetic else _DELIMITER.match(self._text, self._at)
        self._end_word()
        if match is not None:
            self._at = match.end()
            end = re.sub(r"[\\'\"]", "", match[1])
            self._waiting.append(_Delimiter(end, sign == "<<-", end != match[1]))

    def _document(self, wanted: _Delimiter) -> Document:
        first, body = self._line, []
        while self._at < len(self._text):
            line, _, _ = self._text[self._at : self._line_end()].partition("\n")
            self._at = self._line_end() + 1
            self._line += 1
            line = line.lstrip("\t") if wanted.tabs else line
            if line.removesuffix("\r") == wanted.end:
                break
            body.append(line)
        text = "\n".join(body)
        said = text if wanted.literal else re.sub(r"\\([$`\\])|\\\n", r"\1", text)
        return Document(first, said, wanted.literal)

    def _line_end(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end


def statements(piece: Piece) -> Iterator[Statement]:
    """Yields the commands of each line of shell text, with the here-documents that follow it."""
    yield from _Reader(piece._replace(text=piece.text[:MOST_TEXT])).statements()


def inside(text: str) -> Iterator[tuple[str, str]]:
    """Yields the commands whose output a word is made of: as they are written, and their texts."""
    at = 0
    while match := _INSIDE.search(text, at):
        at = _end(text, match.end(), match[0])
        closing = "`" if match[0] == "`" else ")"
        yield text[match.start() : at], text[match.end() : at].removesuffix(closing)


def _end(text: str, start: int, sign: str) -> int:
    """Where a command ends that begins at `start`, behind the sign that closes it."""
    if sign == "`":
        return text.find("`", start) + 1 or len(text)
    quoted = [False]
    """Of each open command: whether a double quote is open in it."""
    at = start
    while match := _NESTED.search(text, at):
        at = match.end()
        if match[0] == "'" and not quoted[-1]:
            at = text.find("'", at) + 1 or len(text)
        elif match[0] == '"':
            quoted[-1] = not quoted[-1]
        elif match[0] == "(" and (not quoted[-1] or text[match.start() - 1] == "$"):
            quoted.append(False)
        elif match[0] == ")" and not quoted[-1]:
            quoted.pop()
            if not quoted:
                return at
    return len(text)
