"""What Python does to files, programs and other machines: read, never executed."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from auditor.code.fetching import fetches
from auditor.code.folding import UNKNOWN
from auditor.code.program import Call, Program
from auditor.code.shell import (
    ALTERNATIVES,
    INSTALLS,
    PATH,
    Deed,
    Session,
    Verb,
    is_path,
    joined,
    of_shell,
)  # fmt: skip
from auditor.code.words import Piece

MOST = 2_000
"""Calls of one text that are read."""
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
        verb = Verb.INSTALL if INSTALLS.match(fetch.what) else Verb.FETCH
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
            yield from _each(line, Verb.READ, filter(is_path, given), name)
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
    given = [text for item in call.args[:1] for text in program.command_lines(item)]
    left = any(
        item.arg in ("start_new_session", "preexec_fn", "creationflags") for item in call.keywords
    )
    for text in given[:ALTERNATIVES]:
        if UNKNOWN not in text:
            for deed in of_shell(Piece(line, text), Session()).deeds[:200]:
                if deed.verb not in (Verb.FETCH, Verb.INSTALL):  # told of by `fetches`
                    yield replace(deed, line=line, background=deed.background or left)


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
