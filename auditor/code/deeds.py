"""What commands and snippets do to files, programs and other machines: read, never executed.

A shell text is followed word by word, with its variables, `cd`, pipes, loops, here-documents and
the shell and Python texts within it; Python by the program it is part of. Each deed says where it
stands and what it is done to; whether that may be is for others to judge.
"""

import ast
import base64
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from auditor.code import others
from auditor.code.fetching import fetches, fetching
from auditor.code.folding import UNKNOWN
from auditor.code.others import Piece, Statement, Word
from auditor.code.program import Call, Program

MOST = 2_000
"""Deeds of one text; what people type does a dozen."""
STAGES = 5_000
"""Programs of one text, in pipelines and alone."""
TEXT = 1 << 18
"""Characters of one text that are read."""
DEEPEST = 5
ALTERNATIVES = 8
"""Values that a loop's variable is followed through."""
PATH = 1_000


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


@dataclass(frozen=True)
class Doings:
    """Everything that a text does, as far as it can be read."""

    deeds: tuple[Deed, ...]
    files: tuple[Made, ...]
    snippets: tuple[Piece, ...]
    """Python that the text has executed."""


def of_shell(text: str, session: Session) -> Doings:
    """Returns what shell text does, and takes along where it leaves the session."""
    reader = _Shell(session)
    reader.read(text[:TEXT], 1, DEEPEST)
    return Doings(tuple(reader.deeds[:MOST]), tuple(reader.files[:MOST]), tuple(reader.snippets))


# ---- shell

LOOKERS = frozenset({
    "[", "[[", "basename", "cksum", "cmp", "diff", "dirname", "du", "df", "fd", "file", "find",
    "ls", "ll", "lsof", "md5sum", "readlink", "realpath", "sha1sum", "sha256sum", "sha512sum",
    "stat", "test", "tree", "wc", "which", "locate", "exa", "namei",
})  # fmt: skip
READERS = frozenset({
    "emacs", "gpg", "nano", "openssl", "sqlite3", "vi", "vim",
    "ag", "awk", "base64", "bat", "cat", "column", "cut", "egrep", "expand", "fgrep", "fold",
    "gawk", "grep", "head", "hexdump", "join", "jq", "less", "more", "mawk", "nl", "od", "paste",
    "perl", "rev", "rg", "sed", "sort", "strings", "tac", "tail", "tr", "uniq", "view", "xxd",
    "yq", "zcat", "zgrep", "zless", "gunzip", "batcat", "source", ".",
})  # fmt: skip
FIRST_IS_NO_FILE = frozenset({
    "ag", "awk", "egrep", "fgrep", "gawk", "grep", "jq", "mawk", "perl", "rg", "sed", "tr", "yq",
    "zgrep",
})  # fmt: skip
"""Readers whose first operand is a pattern or a program."""
IN_PLACE = {"sed": re.compile(r"-[nErsz]*i|--in-place"), "perl": re.compile(r"-[a-z]*i")}
"""Readers that write, and the option that makes them."""
COPIERS = frozenset({"cp", "install", "ln", "mv", "rsync", "scp", "link"})
WRITERS = frozenset({"tee", "touch", "truncate", "patch", "ed", "sponge"})
INTO = frozenset({"-t", "--target-directory"})
REMOVERS = frozenset({"rm", "rmdir", "shred", "unlink"})
MODERS = frozenset({"chattr", "chgrp", "chmod", "chown", "setfacl"})
WAITERS = frozenset({"inotifywait", "sleep", "usleep"})
KILLERS = frozenset({"kill", "killall", "pkill"})
SCHEDULERS = frozenset({"at", "batch", "crontab", "systemd-run"})
SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
BEFORE = frozenset({
    "!", "builtin", "command", "do", "doas", "elif", "else", "exec", "if", "ionice", "nice",
    "nohup", "setsid", "stdbuf", "sudo", "then", "time", "unbuffer", "until", "while", "{", "env",
    "timeout", "xargs", "watch",
})  # fmt: skip
"""Words that come before the command that they run or that they begin."""
VALUED: Mapping[str, frozenset[str]] = {
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "nice": frozenset({"-n"}), "ionice": frozenset({"-c", "-n"}), "sudo": frozenset({"-u", "-g"}),
    "env": frozenset({"-u", "-C"}), "xargs": frozenset({"-I", "-n", "-P", "-L", "-d"}),
    "watch": frozenset({"-n"}), "stdbuf": frozenset(),
    "head": frozenset({"-n", "-c"}), "tail": frozenset({"-n", "-c"}),
    "grep": frozenset({"-A", "-B", "-C", "-m"}), "sed": frozenset(), "cut": frozenset({"-d", "-f"}),
    "sort": frozenset({"-k", "-t"}), "awk": frozenset({"-F", "-v"}),
    "touch": frozenset({"-d", "-t"}),
    "truncate": frozenset({"-s"}), "od": frozenset({"-N", "-t", "-A"}),
}  # fmt: skip
"""Options that take the next word as their value."""
NAMES = frozenset({"-name", "-iname", "-path", "-wholename"})
"""Options of `find` that say what is found."""
SHOWS = frozenset({"archive", "blame", "cat-file", "checkout", "diff", "grep", "log", "show"})
"""What git does that tells of a repository's content."""
INTERPRETERS = frozenset({"julia", "lua", "node", "perl", "php", "ruby", "Rscript"})
QUIET = frozenset({
    ":", "alias", "apropos", "break", "chdir", "date", "echo", "exit", "export", "false", "help",
    "history", "hostname", "info", "let", "man", "mkdir", "mkfifo", "printf", "ps", "pwd", "read",
    "return", "set", "shift", "sleep", "true", "type", "umask", "unset", "wait", "whereis",
})  # fmt: skip
"""Programs to which a path is only a name."""
LEAVES = frozenset({"nohup", "setsid"})
PATTERNS = frozenset({"-e", "-f", "--regexp", "--file", "--expression"})
_REDIRECTED = re.compile(r"(?:\d{0,2}|&)(>>|>\||>|<<<|<>|<)(.*)", re.S)
_INSIDE = re.compile(r"\$\(([^()]{1,4000})\)|`([^`]{1,4000})`")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.S)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-=+?]([^}]*))?\}|(\w+))")
_LITERAL = re.compile(r"['\"]((?:\.{1,2})?/[^'\"\s]+)['\"]")
_PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[\d.]*(?:w)?$")


class _Shell:
    """Reads shell text; each word is looked at a bounded number of times."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.deeds: list[Deed] = []
        self.files: list[Made] = []
        self.snippets: list[Piece] = []
        self._folders: list[str] = []
        self._opened: list[tuple[str, int]] = []
        self._outer: list[str] = []
        self._stages = 0
        self._waited: list[int] = []
        """How many deeds there were when something was waited for."""

    def read(self, text: str, line: int, depth: int) -> None:
        """Reads a text that begins on `line`."""
        for statement in others.statements(text):
            if len(self.deeds) > MOST or self._stages > STAGES:
                return
            self._statement(statement, line - 1, depth)

    def _statement(self, statement: Statement, shift: int, depth: int) -> None:
        documents = [Piece(item.line + shift, item.text) for item in statement.documents]
        pipeline: list[list[Word]] = []
        segment: list[Word] = []
        for word in (*statement.words, Word(0, ";", operator=True)):
            if not word.operator:
                segment.append(word._replace(line=word.line + shift))
                continue
            outer = f"{segment[0].text} {segment[-1].text}" if len(segment) > 1 else ""
            if segment:
                pipeline.append(segment)
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
                    self._outer.append(outer if outer.endswith("$") else "")
                    self._opened.append(("(", len(self.deeds)))
                    self._folders.append(self.session.folder)
                elif sign == ")":
                    self._hand_over(len(self.deeds))
                    self._close("(")
                    if self._folders:
                        self.session.folder = self._folders.pop()

    def _pipeline(
        self, stages: list[list[Word]], documents: list[Piece], depth: int, *, background: bool
    ) -> None:
        first = len(self.deeds)
        compound = False
        before: list[Word] = []
        said = ""
        for stage in stages:
            given = before if any(word.text == "xargs" for word in stage[:3]) else []
            compound |= self._stage([*stage, *given], documents, depth)
            before = [word for word in stage[1:] if not word.text.startswith("-")]
            said = self._said(stage, said, depth)
        self._value = said
        if len(stages) > 1 or documents:
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
    _value = ""
    """What the last pipeline puts out, where that can be told."""

    def _hand_over(self, end: int) -> None:
        """What a command substitution names is what the program around it is given."""
        outer = self._outer.pop() if self._outer else ""
        name = outer.partition(" ")[0].rsplit("/", 1)[-1]
        first = next((at for sign, at in reversed(self._opened) if sign == "("), end)
        if name in READERS:
            named = [item for item in self.deeds[first:end] if item.verb is Verb.LOOK]
            self.deeds += [replace(item, verb=Verb.READ) for item in named]
            for path in self._value.split():
                self._do(1, Verb.READ, path, what=name)

    def _leave_behind(self) -> None:
        """Marks what the compound that was closed last does: it was put into the background."""
        opened, first = self._closed
        if opened:
            self._mark(first)

    def _endless(self, first: int) -> None:
        self.deeds[first:] = [replace(item, loop=True) for item in self.deeds[first:]]

    # ---- one program

    def _stage(self, words: list[Word], documents: list[Piece], depth: int) -> bool:
        """Reads one program of a pipeline; returns whether it closes a compound."""
        line = words[0].line
        self._stages += 1
        words = [self._inside(word, depth) for word in self._without_ticks(words, depth)]
        words, redirected = self._redirections(words)
        texts = [word.text for word in words]
        closes = bool(texts) and texts[0] in ("done", "}", "fi", "esac")
        if closes:
            self._end(texts[0])
        if texts and texts[0] == "for":
            self._opened.append(("for", len(self.deeds)))
            self._loop_variable(texts)
            texts = []
        if texts and texts[0] in ("while", "until"):
            self._opened.append(("while", len(self.deeds)))
        if texts and texts[0] == "{":
            self._opened.append(("{", len(self.deeds)))
        began = len(self.deeds)
        for given in self._alternatives(texts):
            self._program(line, given, documents, depth)
        for verb, target in redirected:
            for path in self._expanded(target):
                self._do(line, verb, path, what="redirection")
        if redirected:
            self._join(began)
            self._made(line, texts, redirected, documents)
        return closes

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

    def _program(self, line: int, given: Sequence[str], documents: list[Piece], depth: int) -> None:
        words = [word for word in given if word]
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
        else:
            self._plain(line, name, words, depth)
        if what := fetching(words):
            installs = re.match(
                r"runs `(apt|apt-get|conda|mamba|npm|pip|uv|poetry|cargo|gem) ", what
            )
            verb = Verb.INSTALL if installs else Verb.FETCH
            self.deeds.append(Deed(line, verb, " ".join(words)[:PATH], what=what))
        if leaves:
            self._mark(began)
        if again:
            self._endless(began)

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
        self, line: int, name: str, rest: Sequence[str], documents: list[Piece], depth: int
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
            self._do(line, Verb.RUN, operands[0], what=name)
            if name in ("source", "."):
                self._do(line, Verb.READ, operands[0], what=name)
            return
        for document in documents:
            self._deeper(document.text, document.line, depth)

    def _python(self, line: int, rest: Sequence[str], documents: list[Piece]) -> None:
        words = list(rest)
        while words:
            word = words.pop(0)
            if re.fullmatch(r"-[bBdEhiIOPqRsSuvVx]*c", word):
                if words:
                    self._snippet(line, words[0])
                return
            if word == "-m":
                self._each(line, Verb.READ, filter(_is_path, words[1:]), "python")
                return
            if word in ("-W", "-X"):
                words = words[1:]
            elif word != "-" and not word.startswith("-"):
                self._do(line, Verb.RUN, word, what="python")
                return
        for document in documents:
            self._snippet(document.line, document.text)

    def _snippet(self, line: int, text: str) -> None:
        if len(self.snippets) < MOST:
            self.snippets.append(Piece(line, text))

    def _plain(self, line: int, name: str, words: Sequence[str], depth: int) -> None:
        rest = words[1:]
        operands = _operands(name, rest)
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
            self._do(line, Verb.RUN, words[0], what=name)
        elif name not in QUIET:  # whatever it is, it is given these files
            self._each(line, Verb.READ, filter(_is_path, operands), name)

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
        makes = name == "zip" or any(
            re.fullmatch(r"-{0,2}[a-z]*c[a-z]*|-{0,2}create", word) for word in rest[:1]
        )
        if name == "tar" and operands and not rest[0].startswith("-"):
            operands = operands[1:]
        if makes and len(operands) > 1:
            for source in operands[1:]:
                self._do(line, Verb.COPY, source, to=operands[0], what=name)
        elif operands:
            self._do(line, Verb.READ, operands[0], what=name)

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
        if depth and text:
            self.read(text, line, depth - 1)

    def _inside(self, word: Word, depth: int) -> Word:
        """Reads the commands whose output a word is made of, and puts that in if it is known."""
        if word.literal or ("$(" not in word.text and "`" not in word.text):
            return word
        text = word.text
        for match in _INSIDE.finditer(word.text):
            self._value = ""
            self._deeper(match[1] or match[2], word.line, depth)
            if self._value:
                text = text.replace(match[0], self._value, 1)
        return word._replace(text=text)

    def _without_ticks(self, words: list[Word], depth: int) -> list[Word]:
        """Reads commands in backquotes that span words, and leaves them out."""
        kept: list[Word] = []
        inside: list[str] | None = None
        for word in words:
            ticks = word.text[: word.bare].count("`")
            if inside is None and ticks % 2:
                inside = [word.text.partition("`")[2]]
            elif inside is not None:
                inside.append(word.text.partition("`")[0])
                if ticks:
                    self._deeper(" ".join(inside), word.line, depth)
                    inside = None
            else:
                kept.append(word)
        return kept or words[:1]

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

    def _redirections(self, words: list[Word]) -> tuple[list[Word], list[tuple[Verb, str]]]:
        """Splits the words of a program from what it is redirected from and to."""
        kept: list[Word] = []
        found: list[tuple[Verb, str]] = []
        sign = ""
        for word in words:
            if sign:
                _note_redirection(sign, word.text, found)
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
        return kept, found

    def _made(
        self, line: int, texts: list[str], redirected: list[tuple[Verb, str]],
        documents: list[Piece],
    ) -> None:  # fmt: skip
        """Notes a file that is written with text that stands here."""
        targets = [path for verb, path in redirected if verb is Verb.WRITE and path != "/dev/null"]
        name = texts[0].rsplit("/", 1)[-1] if texts else "cat"
        if not targets or name not in ("cat", "echo", "printf", "tee"):
            return
        if name in ("echo", "printf"):
            said = [text for text in texts[1:] if not re.fullmatch(r"-[neE]{1,3}", text)]
            text, at = " ".join(said).replace("\\n", "\n") + "\n", line
        elif documents:
            text, at = documents[0].text, documents[0].line
        else:
            return
        for target in targets:
            path = joined(self.session.folder, self._expanded(target)[0])
            self.files.append(Made(at, path, text, more=False))


def _is_path(word: str) -> bool:
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


# ---- Python

_OPENS = frozenset({"open", "fdopen"})
_LOADS = re.compile(
    r"(^|\.)(load|loadtxt|genfromtxt|fromfile|memmap|load_file|safe_open|read_\w+|imread|readlines"
    r"|from_pretrained|mmap_load|getline|getlines|run_path)$"
)
_SAVES = re.compile(r"(^|\.)(save|savez|savez_compressed|savetxt|save_file|save_model|to_\w+)$")
_COPIES = re.compile(
    r"^shutil\.(copy|copy2|copyfile|copytree|move)$|^os\.(rename|renames|replace|link|symlink)$"
)
_REMOVES = re.compile(r"^(os\.(remove|unlink|rmdir|removedirs)|shutil\.rmtree)$")
_MODES = re.compile(r"^os\.(chmod|chown|lchown)$")
_LOOKS = re.compile(
    r"^(os\.(listdir|scandir|walk|stat|lstat|access)|os\.path\.(exists|isfile|isdir|getsize)"
    r"|glob\.i?glob|filecmp\.cmp)$"
)
_RUNS = re.compile(
    r"^(os\.(system|popen|exec\w+|spawn\w+)|subprocess\.(run|call|check_call|check_output|Popen"
    r"|getoutput|getstatusoutput)|pty\.spawn|asyncio\.create_subprocess_(exec|shell))$"
)
QUIET_MODULES = frozenset({
    "argparse", "collections", "copy", "dataclasses", "datetime", "fnmatch", "functools", "glob",
    "hashlib", "itertools", "json", "logging", "math", "operator", "os", "pathlib", "posixpath",
    "pprint", "random", "re", "rich", "shlex", "shutil", "string", "tempfile", "textwrap", "time",
    "typing", "urllib", "warnings",
})  # fmt: skip
"""Modules whose functions take paths as words, or are read above."""
_OWNER_READS = frozenset({"read_text", "read_bytes"})
_OWNER_WRITES = frozenset({"write_text", "write_bytes", "touch"})
_OWNER_REMOVES = frozenset({"unlink", "rmdir"})
_OWNER_COPIES = frozenset({"rename", "replace", "symlink_to", "hardlink_to"})
_OWNER_LOOKS = frozenset({"exists", "is_file", "is_dir", "iterdir", "stat", "glob", "rglob"})
_LEAVES = frozenset({"os.fork", "os.setsid", "daemon.DaemonContext"})


def of_python(program: Program) -> Iterator[tuple[str, Deed]]:
    """Yields what a program's Python does, each with the path of its source."""
    endless = {
        index.path: _endless_lines(index.tree) for index in program.modules if index.at is None
    }
    forks = any(_LEAVES & call.names for call in program.calls)
    for number, call in enumerate(program.calls):
        if number > MOST:
            return
        lines = endless.get(call.site.path, ())
        loop = any(first <= call.site.line <= last for first, last in lines)
        for deed in _of_call(call, program):
            left = deed.background or (forks and loop)
            yield call.site.path, replace(deed, loop=deed.loop or loop, background=left)
    for fetch in fetches(program):
        installs = re.match(
            r"runs `(apt|apt-get|conda|mamba|npm|pip|uv|poetry|cargo|gem) ", fetch.what
        )
        verb = Verb.INSTALL if installs else Verb.FETCH
        yield fetch.path, Deed(fetch.line, verb, fetch.what, what=fetch.what)


def _endless_lines(tree: ast.Module) -> tuple[tuple[int, int], ...]:
    """The lines of loops that nothing but a break ends."""
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value
    )


def _of_call(call: Call, program: Program) -> Iterator[Deed]:
    line = call.site.line
    func = call.node.func
    owner = _texts([func.value], program) if isinstance(func, ast.Attribute) else []
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    match func:
        case ast.Call(func=ast.Name(id="getattr"), args=[of, ast.Constant(value=str(attr)), *_]):
            owner, last = _texts([of], program), attr
    first, second = _texts(call.args[:1], program), _texts(call.args[1:2], program)
    names = call.names or frozenset({last})
    for name in names:
        if name.rpartition(".")[2] in _OPENS:
            paths = (
                owner
                if owner and name.rpartition(".")[0] not in ("io", "os", "gzip", "codecs")
                else first
            )
            modes = first if paths is owner else second
            modes = [
                *modes,
                *_texts([item.value for item in call.keywords if item.arg == "mode"], program),
            ]
            writes = any(set(mode) & set("wax+") and len(mode) < 5 for mode in modes)
            yield from _each(line, Verb.WRITE if writes else Verb.READ, paths, name)
        elif _COPIES.match(name):
            for source in first:
                for to in second[:ALTERNATIVES]:
                    yield Deed(line, Verb.COPY, _path(source), _path(to), name)
            yield from _each(line, Verb.WRITE, second, name)
            if name in ("shutil.move", "os.rename", "os.replace", "os.renames"):
                yield from _each(line, Verb.REMOVE, first, name)
        elif _REMOVES.match(name):
            yield from _each(line, Verb.REMOVE, first, name)
        elif _MODES.match(name):
            yield from _each(line, Verb.MODE, first, name)
        elif _LOOKS.match(name):
            yield from _each(line, Verb.LOOK, first, name)
        elif _RUNS.match(name):
            yield from _commands(call, program, line)
        elif _SAVES.search(name):
            yield from _each(line, Verb.WRITE, [*first, *second], name)
        elif _LOADS.search(name):
            yield from _each(line, Verb.READ, first, name)
        elif name == "os.kill":
            yield Deed(line, Verb.KILL, "a process", what=name)
        elif _is_foreign(name):  # whatever it does, it is given these files
            given = _texts([*call.args, *(item.value for item in call.keywords)], program)
            yield from _each(line, Verb.READ, filter(_is_path, given), name)
    if owner and last in _OWNER_READS:
        yield from _each(line, Verb.READ, owner, last)
    elif owner and last in _OWNER_WRITES:
        yield from _each(line, Verb.WRITE, owner, last)
    elif owner and last in _OWNER_REMOVES:
        yield from _each(line, Verb.REMOVE, owner, last)
    elif owner and last in _OWNER_LOOKS:
        yield from _each(line, Verb.LOOK, owner, last)
    elif owner and last == "chmod":
        yield from _each(line, Verb.MODE, owner, last)
    elif owner and last in _OWNER_COPIES and first:
        back = last.endswith("_to")
        for one in owner[:ALTERNATIVES]:
            source, to = (first[0], one) if back else (one, first[0])
            yield Deed(line, Verb.COPY, _path(source), _path(to), last)
            yield Deed(line, Verb.WRITE, _path(to), what=last)


def _is_foreign(name: str) -> bool:
    """Whether a call is one of a module that may open what it is given."""
    return "." in name and name[0] not in "?<" and name.partition(".")[0] not in QUIET_MODULES


def _commands(call: Call, program: Program, line: int) -> Iterator[Deed]:
    """What the command lines do that a call is given."""
    given: list[str] = []
    for item in call.args[:1]:
        given += program.texts(item)
        for whole in program.resolver.origins(item):
            if isinstance(whole, ast.List | ast.Tuple):
                given.append(" ".join(_quoted(part, program) for part in whole.elts))
    left = any(
        item.arg in ("start_new_session", "preexec_fn", "creationflags") for item in call.keywords
    )
    for text in given[:ALTERNATIVES]:
        if UNKNOWN not in text:
            for deed in of_shell(text, Session()).deeds[:200]:
                if deed.verb not in (Verb.FETCH, Verb.INSTALL):  # told of by `fetches`
                    yield replace(deed, line=line, background=deed.background or left)


def _quoted(node: ast.expr, program: Program) -> str:
    found = program.texts(node)
    word = found[0] if found else "?"
    return word if re.fullmatch(r"[\w./:=@%+,-]+", word) else "'" + word.replace("'", "'\\''") + "'"


def _texts(given: Iterable[ast.expr], program: Program) -> list[str]:
    found: list[str] = []
    for item in given:
        texts = program.texts(item)
        known = texts and UNKNOWN not in "".join(texts)
        letters = len(texts) > 2 and all(len(text) == 1 for text in texts)  # of a pattern's text
        found += texts if known and not letters else _looped(item, program)
    return found[:ALTERNATIVES]


def _looped(node: ast.expr, program: Program, depth: int = 3) -> list[str]:
    """The folders and patterns that a path comes from, where a loop goes through what they hold."""
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    found: list[str] = []
    for index in program.modules if names and depth else ():
        for place in index.statements:
            for target, source in _loops(place.node):
                if names.isdisjoint(_bound(target)):
                    continue
                for call in ast.walk(source):
                    if isinstance(call, ast.Call):
                        owner = [call.func.value] if isinstance(call.func, ast.Attribute) else []
                        for item in (*owner, *call.args):
                            found += [text for text in program.texts(item) if UNKNOWN not in text]
                if not found:
                    found += _looped(source, program, depth - 1)
    return found[:ALTERNATIVES]


def _loops(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.For | ast.AsyncFor):
        yield node.target, node.iter
    for generator in getattr(node, "generators", ()):
        yield generator.target, generator.iter


def _bound(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _each(line: int, verb: Verb, paths: Iterable[str], what: str) -> Iterator[Deed]:
    for path in list(paths)[:ALTERNATIVES]:
        if path and "\n" not in path and len(path) < PATH:
            yield Deed(line, verb, _path(path), what=what)


def _path(text: str) -> str:
    return joined("", text)
