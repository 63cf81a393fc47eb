"""What code fetches from other machines: connections, downloads, packages, in Python and shell."""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from auditor.code import others
from auditor.code.commands import ADDRESS, LOCAL
from auditor.code.folding import UNKNOWN
from auditor.code.graph import Node, normal
from auditor.code.program import Call, Program
from auditor.code.scopes import Scope, home
from auditor.code.shell import Session, Verb, of_shell
from auditor.code.source import ChangedSource
from auditor.code.words import Piece

CONNECTS = re.compile(
    r"^(urllib\.request\.(urlopen|urlretrieve|Request|build_opener\(\)\.open)"
    r"|(requests|httpx)\.((Session|Client|AsyncClient|session)\(\)\.)?"
    r"(get|post|put|head|request|stream)"
    r"|aiohttp\.(ClientSession\(\)\.)?(get|post|request)"
    r"|urllib3\.(request|PoolManager\(\)\.(request|urlopen))"
    r"|http\.client\.HTTPS?Connection|ftplib\.FTP(_TLS)?|wget\.download|gdown\.download"
    r"|torch\.hub\.(load_state_dict_from_url|download_url_to_file)"
    r"|socket\.(create_connection|socket\(\)\.connect(_ex)?)|asyncio\.open_connection"
    r"|paramiko\.SSHClient\(\)\.connect)$"
)
"""Calls that are given an address, first."""
HUBS = re.compile(
    r"^(huggingface_hub\.(hf_hub_download|snapshot_download)|torch\.hub\.load|timm\.create_model"
    r"|datasets\.load_dataset|evaluate\.load|spacy\.cli\.download|nltk\.download"
    r"|(transformers|diffusers|sentence_transformers|peft|tokenizers|open_clip)\..*from_pretrained"
    r"|sentence_transformers\.SentenceTransformer|transformers\.pipeline"
    r"|modelscope\.snapshot_download)$"
)
"""Calls that are given what a public collection calls a thing."""
RUNS = re.compile(
    r"^(os\.(system|popen|exec\w+|spawn\w+)|subprocess\.(run|call|check_call|check_output|Popen"
    r"|getoutput|getstatusoutput)|pty\.spawn|asyncio\.create_subprocess_(exec|shell))$"
)
BARE = ("asyncio.", "ftplib.", "http.client.", "paramiko.", "socket.")
"""Where hosts stand alone, rather than within an address."""
FETCHING = frozenset({Verb.FETCH, Verb.INSTALL})


class Fetch(NamedTuple):
    """Something that is fetched."""

    path: str
    line: int
    what: str
    nodes: tuple[Node, ...]
    """Where what it brings comes into the program."""


def fetches(program: Program) -> Iterator[Fetch]:
    """Yields what a program fetches: its Python first, then its shell scripts."""
    yield from _in_python(program)
    yield from _in_shell(program.sources)


def _in_python(program: Program) -> Iterator[Fetch]:
    for call in program.calls:
        what = ""
        for name in call.names:
            if CONNECTS.match(name):
                what = what or _connects(call, name, program)
            elif HUBS.match(name):
                what = what or _from_hub(call, name, program)
            elif RUNS.match(name):
                what = what or next(filter(None, map(_command, _scripts(call, program))), "")
        if what:
            brought = _named_in(call, program)
            yield Fetch(call.site.path, call.site.line, what, (call.node, *brought))


def _named_in(call: Call, program: Program) -> Iterator[Node]:
    """What other places may read that a call fetched: every path that it is given."""
    given = [*call.args, *(item.value for item in call.keywords)]
    for item in given:
        for text in program.texts(item):
            for word in re.split(r"\s+", text)[:64]:
                yield ("read", normal(word))


def _in_shell(sources: Iterable[ChangedSource]) -> Iterator[Fetch]:
    for source in sources:
        for doing in others.doings(source.path, source.text):
            for deed in doing.deeds:
                if deed.verb in FETCHING:
                    words = tuple(("read", normal(word)) for word in deed.path.split())
                    yield Fetch(source.path, deed.line, deed.what, words)


# ---- addresses


def _connects(call: Call, name: str, program: Program) -> str:
    given = call.args[:1]
    if name.endswith((".request", ".stream")) and len(call.args) > 1:
        given = call.args[1:2]
    given = given or tuple(
        item.value for item in call.keywords if item.arg in ("url", "host", "address")
    )
    if not given:
        return ""
    bare = name.startswith(BARE)
    hosts = list(_hosts(given[0], program, bare=bare))
    remote = [host for host in hosts if not LOCAL.match(host)]
    if remote:
        return f"connects to `{remote[0].replace(UNKNOWN, '?')}`"
    if hosts or _is_given(given[0], program):
        return ""
    return "connects to an address that is only known when it runs"


def _hosts(node: ast.expr, program: Program, *, bare: bool) -> Iterator[str]:
    """Yields the hosts that an address may lead to; empty ones are this machine's own."""
    for whole in program.resolver.origins(node):
        if isinstance(whole, ast.Call) and whole.args and "Request" in ast.unparse(whole.func):
            yield from _hosts(whole.args[0], program, bare=bare)  # a request that was made before
            return
        if isinstance(whole, ast.Tuple) and whole.elts:
            yield from program.texts(whole.elts[0])
            return
    for value in program.values(node):
        text = value[0] if isinstance(value, tuple) and value else value
        if not isinstance(text, str):
            continue
        match = ADDRESS.match(text)
        named = match is not None and (bare or match["scheme"] or text.startswith(UNKNOWN))
        yield match["host"] if match and named and _is_remote(match, text) else ""


def _is_remote(match: re.Match[str], text: str) -> bool:
    """Whether an address leads to a host at all: not a file, and not a socket of this machine."""
    return match["scheme"] not in ("file", "data", "unix") and not text.startswith(("/", "."))


def _is_given(node: ast.expr, program: Program) -> bool:
    """Whether something is what a caller gives, and nobody here calls."""
    for inner in ast.walk(node):
        scope = home(inner) if isinstance(inner, ast.Name) else None
        if not isinstance(inner, ast.Name) or scope is None:
            continue
        found = program.resolver.bindings(inner.id, scope)
        if found is None:
            continue
        for binding in found[0]:
            own = binding.value if binding.value is found[1] else None
            called = isinstance(own, Scope) and program.resolver.callers.get(own)
            if binding.value is None or (own is not None and not called):
                return True
    return False


def _from_hub(call: Call, name: str, program: Program) -> str:
    offline = call.keyword("local_files_only")
    if offline is not None and isinstance(offline, ast.Constant) and offline.value is True:
        return ""
    if name == "timm.create_model" and call.keyword("pretrained") is None:
        return ""
    given = [*call.args[:2], *(item.value for item in call.keywords if item.arg in NAMES_OF_THINGS)]
    for item in given:
        for text in program.texts(item):
            if _is_public(text, always="from_pretrained" not in name):
                return f"fetches `{text}` from a public collection"
    return ""


NAMES_OF_THINGS = frozenset({"model", "name", "path", "pretrained_model_name_or_path", "repo_id"})


def _is_public(text: str, *, always: bool) -> bool:
    """Whether a text is what a collection calls a thing, rather than a path of the workspace."""
    if UNKNOWN in text or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?", text):
        return False
    if text.startswith((".", "/", "~")) or re.search(r"\.(json|py|bin|pt|csv|txt)$", text):
        return False
    if "/" in text:
        return text.partition("/")[0] not in ("model", "models", "data", "checkpoints", "output")
    return always or re.search(r"\d|-(base|small|large|medium)", text) is not None


# ---- commands


def _scripts(call: Call, program: Program) -> Iterator[str]:
    """Yields the command lines that a call is given; words that are not known stand as `?`."""
    for item in call.args[:1]:
        yield from program.command_lines(item)
    if len(call.args) > 1:
        yield " ".join(_word(part, program) for part in call.args)


def _word(node: ast.expr, program: Program) -> str:
    found = program.texts(node)
    word = found[0] if found else "?"
    return word if re.fullmatch(r"[^\s'\"]+", word) else f"'{word}'"


def _command(text: str) -> str:
    deeds = of_shell(Piece(1, text), Session()).deeds
    return next((deed.what for deed in deeds if deed.verb in FETCHING), "")
