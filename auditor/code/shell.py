"""What commands do to files, programs and other machines: read, never executed.

A shell text is followed word by word, with its variables, functions, `cd`, pipes, loops,
here-documents and the shell and Python texts within it. Each deed says where it stands and what it
is done to; whether that may be is for others to judge.
"""

import base64
import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from auditor.code.commands import (
    BEFORE,
    COPIERS,
    FIRST_IS_NO_FILE,
    IN_PLACE,
    INTERPRETERS,
    INTO,
    KILLERS,
    LEAVES,
    LOOKERS,
    MODERS,
    NAMES,
    OUTPUTS,
    PATTERNS,
    QUIET,
    READERS,
    REMOVERS,
    SCHEDULERS,
    SHELLS,
    SHOWS,
    VALUED,
    WAITERS,
    WRITERS,
    fetching,
)  # fmt: skip
from auditor.code.words import Document, Piece, Statement, Word, inside, statements

MOST = 20_000
"""Deeds of one text; what people type does a dozen."""
STAGES = 30_000
"""Programs of one text, in pipelines and alone."""
TEXT = 1 << 20
"""Characters of one text that are read."""
DEEPEST = 5
ALTERNATIVES = 8
"""Values that a loop's variable is followed through."""
PATH = 1_000
GIVEN = 64
"""Words that a file is given which are kept."""


class Verb(StrEnum):
    """What is done."""

    LOOK = "look"
    """Its name, size or existence is told, or it is compared; its content stays where it is."""
    READ = "read"
    """Its content is shown, or taken in."""
    COPY = "copy"
    """Its content becomes that of `to`."""
    WRITE = "write"
    REMOVE = "remove"
    MODE = "mode"
    """Who may read or write it is changed."""
    RUN = "run"
    FETCH = "fetch"
    INSTALL = "install"
    KILL = "kill"
    SCHEDULE = "schedule"
    """Somebody else is told to run it later."""


@dataclass(frozen=True)
class Deed:
    """One thing that a command or a snippet does."""

    line: int
    verb: Verb
    path: str
    """What it is done to: a path as it is written, joined to where `cd` has led; or words."""
    to: str = ""
    what: str = ""
    """The program or function that does it."""
    background: bool = False
    """It goes on after the command has returned."""
    loop: bool = False
    """It is done again and again without an end, or in the background after some wait."""
    given: tuple[str, ...] = ()
    """The words that a file is given that is run."""


class Command(NamedTuple):
    """A program that is run, with the words that it is given."""

    line: int
    words: tuple[str, ...]
    """All of them, with variables and quotes resolved; those before the program included."""


class Made(NamedTuple):
    """A file whose content the text itself gives."""

    line: int
    path: str
    text: str
    more: bool
    """It is appended to what is there."""


@dataclass
class Session:
    """What a shell keeps from one command to the next."""

    folder: str = ""
    """Where it stands, relative to where it began, or absolute."""
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What variables may be."""
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Files of which variables hold the content."""
    functions: dict[str, Piece] = field(default_factory=dict)


@dataclass(frozen=True)
class Doings:
    """Everything that a text does, as far as it can be read."""

    deeds: tuple[Deed, ...]
    files: tuple[Made, ...]
    snippets: tuple[Piece, ...]
    """Python that the text has executed."""
    commands: tuple[Command, ...] = ()


def of_shell(piece: Piece, session: Session) -> Doings:
    """Returns what shell text does, and takes along where it leaves the session."""
    reader = _Shell(session)
    reader.read(piece.text[:TEXT], piece.line, DEEPEST)
    return Doings(
        tuple(reader.deeds[:MOST]),
        tuple(reader.files[:MOST]),
        tuple(reader.snippets),
        tuple(reader.commands),
    )


_REDIRECTED = re.compile(r"(?:\d{0,2}|&)(>>|>\||>|<<<|<>|<)(.*)", re.S)
_INSIDE = re.compile(r"\$\(([^()]{1,4000})\)|`([^`]{1,4000})`")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.S)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-=+?]([^}]*))?[^}]*\}|(\w+))")
_ALL_GIVEN = re.compile(r"\$(?:[@*]|\{[@*]\})")
_FUNCTION = re.compile(
    r"^[ \t]*(?:function[ \t]+([\w-]+)(?:[ \t]*\(\))?|([\w-]+)[ \t]*\(\))\s*\{", re.M
)
_FUNCTION_END = re.compile(r"(?m)^[ \t]*\}|;[ \t]*\}")
INSTALLS = re.compile(r"runs `(apt|apt-get|conda|mamba|npm|pip|uv|poetry|cargo|gem) ")
POSITIONS = tuple(map(str, range(1, 10)))
"""Variables that stand for what a script or a function is given."""
_LITERAL = re.compile(r"['\"]((?:\.{1,2})?/[^'\"\s]+)['\"]")
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:w)?$|\$\{?\w*PY", re.I)
"""A program that is Python, or a variable that is called after it."""
_CODE = re.compile(r"-[bBdEhiIOPqRsSuvVx]*c(.*)", re.S)


class _Shell:
    """Reads shell text; each word is looked at a bounded number of times."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.deeds: list[Deed] = []
        self.files: list[Made] = []
        self.snippets: list[Piece] = []
        self._texts: dict[str, str] = {}
        """Python that was met, once for each text."""
        self.commands: list[Command] = []
        self._folders: list[str] = []
        self._opened: list[tuple[str, int]] = []
        self._stages = 0
        self._left = 2 * TEXT
        """Characters that texts within the text may have."""
        self._waited: list[int] = []
        """How many deeds there were when something was waited for."""

    def read(self, text: str, line: int, depth: int) -> None:
        """Reads a text that begins on `line`."""
        self._learn(text, line)
        for statement in statements(Piece(line, text)):
            if len(self.deeds) > MOST or self._stages > STAGES:
                return
            self._statement(statement, depth)

    def _learn(self, text: str, line: int) -> None:
        """Notes the functions that a text defines."""
        at = 0
        while match := _FUNCTION.search(text, at):
            end = _FUNCTION_END.search(text, match.end())
            if end is None:
                return
            body = Piece(line + text.count("\n", 0, match.end()), text[match.end() : end.start()])
            self.session.functions[match[1] or match[2]] = body
            at = end.end()

    def _statement(self, statement: Statement, depth: int) -> None:
        documents = list(statement.documents)
        pipeline: list[list[Word]] = []
        segment: list[Word] = []
        for word in (*statement.words, Word(0, ";", operator=True)):
            if not word.operator:
                segment.append(word)
                continue
            if segment:
                pipeline.append(segment)
            elif not pipeline and word.text == "|":
                self._piped = self._closed[1]
            segment = []
            if self._stages > STAGES:
                return
            ended = not re.fullmatch(r"\|&?", word.text)
            for sign in re.findall(r"&&|\|\||[;&|()]", word.text) if ended else ():
                if pipeline:
                    self._pipeline(pipeline, documents, depth, background=sign == "&")
                    pipeline = []
                elif sign == "&":
                    self._leave_behind()
                if sign == "(":
                    self._opened.append(("(", len(self.deeds)))
                    self._folders.append(self.session.folder)
                elif sign == ")":
                    self._close("(")
                    if self._folders:
                        self.session.folder = self._folders.pop()

    def _pipeline(
        self, stages: list[list[Word]], documents: list[Document], depth: int, *, background: bool
    ) -> None:
        first = len(self.deeds) if self._piped is None else self._piped
        joins = len(stages) > 1 or bool(documents) or self._piped is not None
        self._piped = None
        compound = False
        before: list[Word] = []
        said = ""
        for stage in stages:
            self._first = first
            if any(word.text == "xargs" for word in stage[:3]):
                stage = _handed_on(stage, before)
            compound |= self._stage(stage, documents, depth)
            if compound and len(stages) > 1:
                first = min(first, self._closed[1])
            before = [word for word in stage[1:] if not word.text.startswith("-")]
            said = self._said(stage, said, depth)
        self._value = said
        if joins:
            self._join(first)
        if background and not compound:
            self._mark(first)
        elif background:
            self._leave_behind()

    def _said(self, stage: list[Word], said: str, depth: int) -> str:
        """What a program of a pipeline puts out, where that can be told; a shell executes it."""
        name, rest = stage[0].text.rsplit("/", 1)[-1], [word.text for word in stage[1:]]
        if name in ("echo", "printf"):
            words = [self._expanded(word)[0] for word in rest if not re.match(r"-[neE]+$|%s", word)]
            return " ".join(words)[:PATH]
        if not said:
            return ""
        if name == "base64" and {"-d", "--decode", "-D"} & set(rest):
            try:
                return base64.b64decode(said, validate=False).decode("utf-8", "replace").strip()
            except ValueError:
                return ""
        if name == "rev":
            return said[::-1]
        if name in SHELLS and not [word for word in rest if not word.startswith("-")]:
            self._deeper(said, stage[0].line, depth)
        elif _PYTHON.match(name) and not [word for word in rest if word != "-"]:
            self._snippet(stage[0].line, said)
        return ""

    def _join(self, first: int) -> None:
        """What one program of a pipeline reads is what another one writes."""
        new = self.deeds[first:]
        read = [item for item in new if item.verb is Verb.READ][:ALTERNATIVES]
        wrote = [item for item in new if item.verb is Verb.WRITE][:ALTERNATIVES]
        self.deeds += [
            replace(source, verb=Verb.COPY, to=sink.path)
            for source in read
            for sink in wrote
            if source.path != sink.path
        ]

    # ---- what goes on

    def _mark(self, first: int) -> None:
        """Puts deeds into the background; those after a wait are as if they were in a loop."""
        late = min((at for at in self._waited if at >= first), default=len(self.deeds))
        self.deeds[first:] = [
            replace(item, background=True, loop=item.loop or at >= late)
            for at, item in enumerate(self.deeds[first:], start=first)
        ]

    def _close(self, sign: str) -> None:
        while self._opened:
            opened, first = self._opened.pop()
            self._closed = (opened, first)
            if opened == sign:
                return

    _closed: tuple[str, int] = ("", 0)
    """The sign of the compound that was closed last, and the deeds before it."""
    _value = ""
    """What the last pipeline puts out, where that can be told."""
    _lines: Mapping[str, int] = {}
    """Where the words of the program stand that is read."""
    _first = 0
    """The deeds before the pipeline that is read."""
    _piped: int | None = None
    """The deeds before a compound whose output the next pipeline is given."""

    def _leave_behind(self) -> None:
        """Marks what the compound that was closed last does: it was put into the background."""
        opened, first = self._closed
        if opened:
            self._mark(first)

    def _endless(self, first: int) -> None:
        self.deeds[first:] = [replace(item, loop=True) for item in self.deeds[first:]]

    # ---- one program

    def _stage(self, words: list[Word], documents: list[Document], depth: int) -> bool:
        """Reads one program of a pipeline; returns whether it closes a compound."""
        line = words[0].line
        self._stages += 1
        began = len(self.deeds)
        words = [item for word in words for item in self._inside(word, depth)]
        inner = self.deeds[began:]
        words, redirected, strings = self._redirections(words)
        documents = [*documents, *strings]
        texts = [word.text for word in words]
        self._lines = {word.text: word.line for word in words}
        closes = bool(texts) and texts[0] in ("done", "}", "fi", "esac")
        if closes:
            self._end(texts[0])
        if closes or (redirected and not texts):
            began = min(began, self._closed[1])
        self._hold(texts, inner)
        self._mention(line, [*texts, *self._read_texts(documents, depth)])
        if texts and texts[0] == "for":
            self._opened.append(("for", len(self.deeds)))
            self._loop_variable(texts)
            texts = []
        if texts and texts[0] in ("while", "until"):
            self._opened.append(("while", self._first))
        if texts and texts[0] == "{":
            self._opened.append(("{", len(self.deeds)))
        for given in self._alternatives(texts):
            self._program(line, given, documents, depth)
        for verb, target in redirected:
            for path in self._expanded(target):
                self._do(line, verb, path, what="redirection")
        if redirected:
            self._join(began)
            self._made(line, texts, redirected, documents)
        return closes

    # ---- variables that hold what files hold

    def _hold(self, texts: Sequence[str], inner: Sequence[Deed]) -> None:
        """Notes the files of which an assignment keeps the content."""
        for text in texts:
            match = _ASSIGNED.fullmatch(text)
            if match is None:
                if text not in ("export", "local", "declare", "readonly"):
                    return
                continue
            held = [item.path for item in inner if item.verb is Verb.READ]
            held += [path for name in _names(match[2]) for path in self.session.held.get(name, ())]
            self.session.held[match[1]] = tuple(held[:ALTERNATIVES])

    def _mention(self, line: int, texts: Iterable[str]) -> None:
        """A program that is given a variable is given what it holds."""
        names = dict.fromkeys(name for text in texts for name in _names(text))
        for name in names:
            for path in self.session.held.get(name, ()):
                self.deeds.append(Deed(line, Verb.READ, path, what=f"${name}"))

    def _read_texts(self, documents: Sequence[Document], depth: int) -> Iterator[str]:
        """Yields the here-documents in which variables and commands have a meaning."""
        for document in documents:
            if not document.literal:
                for _, command in inside(document.text):
                    self._deeper(command, document.line, depth)
                yield document.text

    def _end(self, word: str) -> None:
        if word == "done":
            while self._opened:
                self._closed = self._opened.pop()
                if self._closed[0] in ("for", "while"):
                    break
            if self._closed[0] == "while":
                self._endless(self._closed[1])
        elif word == "}":
            self._close("{")

    def _loop_variable(self, texts: Sequence[str]) -> None:
        if len(texts) > 3 and texts[2] == "in":
            values = [path for text in texts[3:] for path in self._expanded(text)]
            self.session.known[texts[1]] = tuple(values[:ALTERNATIVES])

    def _alternatives(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yields the words once per value of a loop's variable, if they use one."""
        given = self.session.known.get("@", ())
        texts = [
            item for text in texts for item in (given if _ALL_GIVEN.fullmatch(text) else [text])
        ]
        names = {name for text in texts for name in _names(text)}
        several = [name for name in names if len(self.session.known.get(name, ())) > 1]
        if not several:
            yield [self._expanded(text)[0] for text in texts]
            return
        name, saved = several[0], self.session.known[several[0]]
        for value in saved:
            self.session.known[name] = (value,)
            yield [self._expanded(text)[0] for text in texts]
        self.session.known[name] = saved

    def _program(
        self, line: int, given: Sequence[str], documents: list[Document], depth: int
    ) -> None:
        words = [word for word in given if word]
        if words and len(self.commands) < STAGES:
            self.commands.append(Command(line, tuple(words)))
        leaves = again = False
        while words and (words[0] in BEFORE or _ASSIGNED.fullmatch(words[0])):
            leaves |= words[0] in LEAVES
            again |= words[0] == "watch"
            words = self._without_first(words)
        if not words:
            return
        began = len(self.deeds)
        name, rest = words[0].rsplit("/", 1)[-1], words[1:]
        if name in ("export", "local", "declare", "readonly", "alias"):
            for word in rest:
                self._assign(word)
        elif name in ("cd", "pushd"):
            to = next((word for word in rest if not word.startswith("-")), "~")
            self.session.folder = joined(self.session.folder, to)
        elif " " in words[0]:
            self._deeper(words[0], line, depth)
        elif name in SHELLS or name in ("eval", "source", ".", "su", "runuser"):
            self._nested(line, name, rest, documents, depth)
        elif name == "trap":
            self._deeper("".join(rest[:1]), line, depth)
        elif _PYTHON.match(name):
            self._python(line, rest, documents)
        elif name == "ssh":
            self._deeper(" ".join(rest[1:]), line, depth)
        elif name in self.session.functions:
            self._function(self.session.functions[name], rest, depth)
        else:
            self._plain(line, name, words, depth)
        if what := fetching(words):
            verb = Verb.INSTALL if INSTALLS.match(what) else Verb.FETCH
            self.deeds.append(Deed(line, verb, " ".join(words)[:PATH], what=what))
        if leaves:
            self._mark(began)
        if again:
            self._endless(began)

    def _function(self, body: Piece, given: Sequence[str], depth: int) -> None:
        """Reads what a function does with what it is given."""
        known = self.session.known
        self.session.known = {**known, **positional(given)}
        self._deeper(body.text, body.line, depth)
        self.session.known = {**self.session.known, **{k: known.get(k, ()) for k in POSITIONS}}

    def _without_first(self, words: Sequence[str]) -> list[str]:
        """What a word that runs others runs; its own options are left out."""
        first, rest = words[0], list(words[1:])
        self._assign(first)
        valued = VALUED.get(first)
        if valued is None:
            return rest
        while rest and rest[0].startswith("-"):
            rest = rest[2:] if rest[0] in valued else rest[1:]
        if first == "timeout" and rest:
            rest = rest[1:]
        return rest

    def _assign(self, word: str) -> None:
        if match := _ASSIGNED.fullmatch(word):
            self.session.known[match[1]] = (match[2][:PATH],)

    def _nested(
        self, line: int, name: str, rest: Sequence[str], documents: list[Document], depth: int
    ) -> None:
        if name == "eval":
            self._deeper(" ".join(rest), line, depth)
            return
        for number, word in enumerate(rest):
            if re.fullmatch(r"-[a-z]*c[a-z]*", word):
                self._deeper(next(iter(rest[number + 1 :]), ""), line, depth)
                return
        operands = [word for word in rest if not word.startswith("-")]
        if operands and name not in ("su", "runuser"):
            self._run(line, operands[0], rest[rest.index(operands[0]) + 1 :], name)
            if name in ("source", "."):
                self._do(line, Verb.READ, operands[0], what=name)
            return
        for document in documents:
            self._deeper(document.text, document.line, depth)

    def _python(self, line: int, rest: Sequence[str], documents: list[Document]) -> None:
        words = list(rest)
        while words and words[0] != "-":
            word = words.pop(0)
            if match := _CODE.fullmatch(word):
                if match[1] or words:
                    at = self._lines.get(word if match[1] else words[0], line)
                    self._snippet(at, match[1] or words[0])
                return
            if word == "-m":
                self._each(line, Verb.READ, filter(is_path, words[1:]), "python")
                return
            if word in ("-W", "-X"):
                words = words[1:]
            elif not word.startswith("-"):
                self._run(line, word, words, "python")
                return
        for document in documents:
            self._snippet(document.line, self._filled(document))

    def _run(self, line: int, path: str, given: Sequence[str], what: str) -> None:
        self._do(line, Verb.RUN, path, what=what)
        if self.deeds and self.deeds[-1].verb is Verb.RUN:
            self.deeds[-1] = replace(self.deeds[-1], given=tuple(given[:GIVEN]))

    def _snippet(self, line: int, text: str) -> None:
        if len(self.snippets) < MOST:
            self.snippets.append(Piece(line, self._texts.setdefault(text, text)))

    def _plain(self, line: int, name: str, words: Sequence[str], depth: int) -> None:
        rest = words[1:]
        operands = _operands(name, rest)
        began = len(self.deeds)
        into = [b for a, b in zip(rest, rest[1:], strict=False) if a in OUTPUTS.get(name, ())]
        self._each(line, Verb.WRITE, into, name)
        operands = [word for word in operands if word not in into]
        if name in COPIERS:
            self._copies(line, name, rest, operands)
        elif name in IN_PLACE and any(map(IN_PLACE[name].match, rest)):
            self._each(line, Verb.WRITE, _after_pattern(rest, operands), name)
        elif name in READERS:
            files = _after_pattern(rest, operands) if name in FIRST_IS_NO_FILE else operands
            self._each(line, Verb.READ, files, name)
        elif name == "find":
            self._find(line, rest, depth)
        elif name in LOOKERS:
            self._each(line, Verb.LOOK, operands, name)
            if name == "diff":  # what differs is shown
                self._each(line, Verb.READ, operands, name)
        elif name in ("curl", "wget"):
            local = [word.removeprefix("file://") for word in operands if word.startswith("file:")]
            self._each(line, Verb.READ, local, name)
        elif name in WRITERS:
            self._each(line, Verb.WRITE, operands, name)
        elif name in REMOVERS:
            self._each(line, Verb.REMOVE, operands, name)
        elif name in MODERS:
            harmless = name == "chmod" and re.fullmatch(r"[ugoa]*\+x", "".join(operands[:1]))
            self._each(line, Verb.LOOK if harmless else Verb.MODE, operands[1:], name)
        elif name in WAITERS:
            self._waited.append(len(self.deeds))
        elif name in KILLERS:
            self.deeds.append(Deed(line, Verb.KILL, " ".join(rest)[:PATH], what=name))
        elif name == "dd":
            self._dd(line, rest)
        elif name == "mount":
            self._copies(line, name, rest, operands)
        elif name in ("tar", "zip", "unzip", "7z"):
            self._archive(line, name, rest, operands)
        elif name in SCHEDULERS or (name == "systemctl" and {"start", "enable"} & set(rest)):
            self.deeds.append(Deed(line, Verb.SCHEDULE, " ".join(rest)[:PATH], what=name))
        elif name in ("tmux", "screen"):
            self._detached(line, rest, depth)
        elif name == "git":
            asked = [rest[at + 1] for at, word in enumerate(rest[:-1]) if word == "-C"]
            self._each(line, Verb.READ if SHOWS & set(rest) else Verb.LOOK, asked, name)
        elif name in INTERPRETERS and any(word in ("-e", "-r", "--eval") for word in rest):
            literals = [path for word in rest for path in _LITERAL.findall(word)]
            self._each(line, Verb.READ, literals, name)
        elif "/" in words[0]:
            self._run(line, words[0], rest, name)
        elif name not in QUIET:  # whatever it is, it is given these files
            self._each(line, Verb.READ, filter(is_path, operands), name)
        if into:
            self._join(began)

    def _detached(self, line: int, rest: Sequence[str], depth: int) -> None:
        began = len(self.deeds)
        command = " ".join(word for word in rest if " " in word or "/" in word) or " ".join(rest)
        self._deeper(re.sub(r"^(new-session|new|-dmS?|-d)\s+", "", command), line, depth)
        self._mark(began)

    def _copies(self, line: int, name: str, rest: Sequence[str], operands: list[str]) -> None:
        asked = [number for number, word in enumerate(rest[:-1]) if word in INTO]
        into = rest[asked[0] + 1] if asked else None
        if into is not None:
            sources, to = [word for word in operands if word != into], into
        elif len(operands) > 1:
            sources, to = operands[:-1], operands[-1]
        elif name == "ln" and operands:
            sources, to = operands, posixpath.basename(operands[0])
        else:
            return
        for source in sources:
            self._do(line, Verb.COPY, source, to=to, what=name)
            if name == "mv":
                self._do(line, Verb.REMOVE, source, what=name)
        self._do(line, Verb.WRITE, to, what=name)

    def _dd(self, line: int, rest: Sequence[str]) -> None:
        named = dict(word.split("=", 1) for word in rest if "=" in word)
        source, to = named.get("if"), named.get("of")
        if source:
            self._do(line, Verb.READ, source, what="dd")
        if to:
            self._do(line, Verb.WRITE, to, what="dd")
        if source and to:
            self._do(line, Verb.COPY, source, to=to, what="dd")

    def _archive(self, line: int, name: str, rest: Sequence[str], operands: list[str]) -> None:
        """Reads `tar` and its like, which leave for a folder first where they are told so."""
        flags = [word for word in rest if re.fullmatch(r"-[a-zA-Z]+", word) and word != "-C"]
        if name in ("tar", "7z") and operands and rest[:1] == operands[:1]:
            flags.append(operands[0])
            operands = operands[1:]
        said = "".join(flags)
        makes = name == "zip" or "--create" in rest or ("a" if name == "7z" else "c") in said
        options = dict(zip(rest, rest[1:], strict=False))
        folder = options.get("-C") or options.get("-d") or options.get("--directory") or ""
        if name == "tar" and "f" not in said and not any(it.startswith("--file") for it in rest):
            operands = ["-", *operands]
        operands = [word for word in operands if word != folder]
        archive, *inner = operands or ["-"]
        if makes:
            for path in inner:
                source = posixpath.join(folder, path)
                if archive == "-":
                    self._do(line, Verb.READ, source, what=name)
                else:
                    self._do(line, Verb.COPY, source, to=archive, what=name)
            return
        if archive != "-":
            self._do(line, Verb.READ, archive, what=name)
            self._do(line, Verb.COPY, archive, to=folder or ".", what=name)
        self._do(line, Verb.WRITE, folder or ".", what=name)

    def _find(self, line: int, rest: Sequence[str], depth: int) -> None:
        roots = []
        for word in rest:
            if word.startswith(("-", "(", "!")):
                break
            roots.append(word)
        self._each(line, Verb.LOOK, roots, "find")
        for number, word in enumerate(rest):
            if word in ("-exec", "-execdir", "-ok"):
                command = []
                for item in rest[number + 1 :]:
                    if item in (";", "+"):
                        break
                    command.append(item)
                names = [rest[at + 1] for at, option in enumerate(rest[:-1]) if option in NAMES]
                for root in roots or ["."]:
                    found = posixpath.join(root, names[0]) if names else root
                    given = [item.replace("{}", found) for item in command]
                    self._program(line, given, [], depth)
            elif word == "-delete":
                self._each(line, Verb.REMOVE, roots, "find")

    # ---- words

    def _each(self, line: int, verb: Verb, paths: Iterable[str], what: str) -> None:
        for path in paths:
            self._do(line, verb, path, what=what)

    def _do(self, line: int, verb: Verb, path: str, *, to: str = "", what: str = "") -> None:
        if path and path not in ("-", "$") and len(self.deeds) <= MOST:
            folder = self.session.folder
            target = joined(folder, to) if to else ""
            self.deeds.append(Deed(line, verb, joined(folder, path), target, what))

    def _deeper(self, text: str, line: int, depth: int) -> None:
        self._left -= len(text)
        if depth and text and self._left > 0:
            self.read(text, line, depth - 1)

    def _inside(self, word: Word, depth: int) -> list[Word]:
        """Reads the commands whose output a word is made of, and puts in what they put out.

        A word that is nothing else becomes what they name, where that is all that is known.
        """
        if word.literal or not any(sign in word.text for sign in ("$(", "`", "<(", ">(")):
            return [word]
        text, began = word.text, len(self.deeds)
        for written, command in inside(word.text):
            self._value = ""
            self._deeper(command, word.line, depth)
            if self._value:
                text = text.replace(written, self._value, 1)
            elif written == word.text:
                verb = Verb.READ if written.startswith("<") else Verb.LOOK
                named = [item.path for item in self.deeds[began:] if item.verb is verb]
                return [word._replace(text=path) for path in named[:ALTERNATIVES]] or [word]
        return [word._replace(text=text)]

    def _expanded(self, text: str) -> list[str]:
        """What a word may be, with the variables that are known."""
        names = _names(text)
        if not names or len(text) > PATH:
            return [text]
        known = self.session.known
        several = next((name for name in names if len(known.get(name, ())) > 1), None)
        found = []
        for number in range(len(known[several]) if several else 1):

            def value(match: re.Match[str], number: int = number) -> str:
                values = known.get(match[1] or match[3])
                if not values:
                    return match[2] or match[0]
                return values[min(number, len(values) - 1)]

            found.append(_VARIABLE.sub(value, text)[:PATH])
        return found[:ALTERNATIVES] or [text]

    def _filled(self, document: Document) -> str:
        """A here-document with the variables that are known."""
        if document.literal or "$" not in document.text:
            return document.text

        def value(match: re.Match[str]) -> str:
            return next(iter(self.session.known.get(match[1] or match[3], ())), match[0])

        return _VARIABLE.sub(value, document.text)[:TEXT]

    def _redirections(
        self, words: list[Word]
    ) -> tuple[list[Word], list[tuple[Verb, str]], list[Document]]:
        """Splits the words of a program from what it is redirected from and to."""
        strings: list[Document] = []
        kept: list[Word] = []
        found: list[tuple[Verb, str]] = []
        sign = ""
        for word in words:
            if sign == "<<<":
                strings.append(Document(word.line, word.text, word.literal))
            elif sign:
                _note_redirection(sign, word.text, found)
            if sign:
                sign = ""
                continue
            at = re.search(r"(?:\b\d{1,2}|&)?[<>]", word.text[: word.bare])
            if at is None:
                kept.append(word)
                continue
            if at.start():
                kept.append(word._replace(text=word.text[: at.start()]))
            match = _REDIRECTED.match(word.text, at.start())
            if match is None:
                continue
            if match[2]:
                _note_redirection(match[1], match[2], found)
            else:
                sign = match[1]
        return kept, found, strings

    def _made(
        self, line: int, texts: list[str], redirected: list[tuple[Verb, str]],
        documents: list[Document],
    ) -> None:  # fmt: skip
        """Notes a file that is written with text that stands here."""
        targets = [path for verb, path in redirected if verb is Verb.WRITE and path != "/dev/null"]
        name = texts[0].rsplit("/", 1)[-1] if texts else "cat"
        if not targets or name not in ("cat", "echo", "printf", "tee"):
            return
        if name in ("echo", "printf"):
            said = [text for text in texts[1:] if not re.fullmatch(r"-[neE]{1,3}", text)]
            said = said[1:] if name == "printf" and len(said) > 1 else said
            text, at = " ".join(said).replace("\\n", "\n") + "\n", line
        elif documents:
            text, at = self._filled(documents[0]), documents[0].line
        else:
            return
        for target in targets:
            path = joined(self.session.folder, self._expanded(target)[0])
            self.files.append(Made(at, path, text, more=False))


def positional(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns the variables by which a script or a function reads what it is given."""
    words = {name: (word,) for name, word in zip(POSITIONS, given, strict=False)}
    return {name: () for name in POSITIONS} | words | {"@": tuple(given[:GIVEN])}


def _handed_on(stage: Sequence[Word], before: Sequence[Word]) -> list[Word]:
    """What `xargs` runs: with the words before the pipe, in the place it says or at the end."""
    texts = [word.text for word in stage]
    sign = texts[texts.index("-I") + 1] if "-I" in texts[:-1] else ""
    sign = sign or next((text[2:] for text in texts if text.startswith("-I") and text[2:]), "")
    if not sign:
        return [*stage, *before]
    at = len(texts) - 1 - texts[::-1].index(sign) if sign in texts else len(texts)
    head = [word for word in stage[:at] if word.text not in ("-I", sign, f"-I{sign}")]
    return [*head, *before, *stage[at + 1 :]]


def is_path(word: str) -> bool:
    """Returns whether a word leads through a folder."""
    return "/" in word and ":" not in word


def _note_redirection(sign: str, target: str, found: list[tuple[Verb, str]]) -> None:
    if sign.startswith(">") and not target.startswith("&"):
        found.append((Verb.WRITE, target))
    elif sign == "<":
        found.append((Verb.READ, target))


def _names(text: str) -> list[str]:
    return [match[1] or match[3] for match in _VARIABLE.finditer(text)] if "$" in text else []


def _operands(name: str, rest: Sequence[str]) -> list[str]:
    """The words that are no options, nor values of options."""
    valued = VALUED.get(name.removeprefix("e").removeprefix("f") if "grep" in name else name, ())
    found: list[str] = []
    words = iter(rest)
    for word in words:
        if word == "--":
            found += words
        elif word in valued or (name in FIRST_IS_NO_FILE and word in PATTERNS):
            next(words, None)
        elif not word.startswith("-") or word == "-":
            found.append(word)
    return found


def _after_pattern(rest: Sequence[str], operands: list[str]) -> list[str]:
    """Operands without the pattern or program, unless an option has given it."""
    return operands if PATTERNS & set(rest) else operands[1:]


def joined(folder: str, path: str) -> str:
    """Returns a path as seen from where a session began; `..` is taken out where it can be."""
    if path.startswith(("~", "$")):
        return path[:PATH]
    whole = posixpath.join(folder, path)[:PATH]
    return re.sub(r"^//+", "/", posixpath.normpath(whole)) if whole else ""


def matches(word: str, name: str) -> bool:
    """Returns whether a path, as a word of a command, has a component that may be `name`."""
    return any(_component(part, name) for part in re.split(r"[/=:@,]", word))


def _component(part: str, name: str) -> bool:
    if part == name:
        return True
    literal = re.sub(r"[*?]|\[[^]]*\]", "", part)
    return literal != part and len(literal) >= 3 and fnmatch.fnmatchcase(name, part)
