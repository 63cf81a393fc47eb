"""What pure operations on constants give: joining, formatting, slicing, decoding; all bounded."""

import ast
import base64
import binascii
import bz2
import codecs
import inspect
import itertools
import lzma
import re
import textwrap
import zlib
from collections.abc import Callable, Iterator, Mapping

Value = str | bytes | int | float | tuple["Value", ...]

UNKNOWN = "\ufffc"
"""Stands in a folded text for a part that is not constant."""
LONGEST = 1 << 16
"""Characters, bytes or items of a folded value."""
NUMBERS = re.compile(r"(?<!%)%[-+ #0-9.]*[diouxXeEfFgG]")
METHODS = frozenset({
    "as_posix", "capitalize", "casefold", "center", "decode", "encode", "expandtabs", "format",
    "fromhex", "hex", "join", "ljust", "lower", "lstrip", "partition", "removeprefix",
    "removesuffix", "replace", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
    "strip", "swapcase", "title", "to_bytes", "translate", "upper", "zfill",
})  # fmt: skip
"""Methods of texts and bytes that a constant may be put through."""
PATHS = frozenset({
    "os.fsdecode", "os.fsencode", "os.fspath", "os.path.abspath", "os.path.expanduser",
    "os.path.join", "os.path.normpath", "os.path.realpath", "pathlib.Path", "pathlib.PosixPath",
    "pathlib.PurePath", "posixpath.join", "str",
})  # fmt: skip
PATH_METHODS = frozenset({"joinpath", "resolve", "absolute", "expanduser", "glob", "rglob"})
WRONG = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, LookupError, OverflowError,
    MemoryError, RecursionError, ZeroDivisionError, EOFError, OSError, zlib.error, lzma.LZMAError,
    UnicodeError,
)  # fmt: skip
"""What a constant expression that has no value may raise."""


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, LONGEST)


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(data, LONGEST)


DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "base64.b64decode": base64.b64decode,
    "base64.standard_b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.decodebytes": base64.decodebytes,
    "base64.b32decode": base64.b32decode,
    "base64.b32hexdecode": base64.b32hexdecode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": base64.a85decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
    "bytes.fromhex": binascii.unhexlify,
    "bytearray.fromhex": binascii.unhexlify,
    "zlib.decompress": _inflate,
    "gzip.decompress": _gunzip,
    "bz2.decompress": lambda data: bz2.BZ2Decompressor().decompress(data, LONGEST),
    "lzma.decompress": lambda data: lzma.LZMADecompressor(memlimit=1 << 26).decompress(
        data, LONGEST
    ),
}
ENCODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "base64.b64encode": base64.b64encode,
    "base64.urlsafe_b64encode": base64.urlsafe_b64encode,
    "base64.b32encode": base64.b32encode,
    "base64.b16encode": base64.b16encode,
    "base64.b85encode": base64.b85encode,
    "binascii.hexlify": binascii.hexlify,
    "binascii.b2a_hex": binascii.hexlify,
}
TEXT_CODECS = frozenset({
    "ascii", "base64", "base64_codec", "bz2", "hex", "hex_codec", "latin-1", "latin1", "rot13",
    "rot_13", "unicode_escape", "utf-8", "utf8", "zlib", "zlib_codec",
})  # fmt: skip
KEPT = frozenset({"bytearray", "bytes", "iter", "list", "memoryview", "sorted", "tuple"})
"""Calls that give what they are given, as a sequence."""


def combined(one: Value, op: ast.operator, other: Value) -> Iterator[Value]:
    """Yields `one op other`; raises what the operation raises."""
    match op:
        case ast.Add():
            yield one + other  # type: ignore[operator]  # a wrong pair raises, and has no value
        case ast.Mod() if isinstance(one, str | bytes):
            if not pads(one):
                yield _for_unknown(one, other) % other
        case ast.Mult() if isinstance(one, str | bytes | tuple) and isinstance(other, int):
            if 0 <= other * len(one) <= LONGEST:
                yield one * other
        case _ if isinstance(one, int) and isinstance(other, int):
            yield from _integers(one, op, other)


def _for_unknown(template: str | bytes, given: Value) -> str | bytes:
    """A template that takes a text where a number is meant, if that is not known."""
    unknown = given == UNKNOWN or (isinstance(given, tuple) and UNKNOWN in given)
    return NUMBERS.sub("%s", template) if unknown and isinstance(template, str) else template


def _integers(one: int, op: ast.operator, other: int) -> Iterator[int]:
    match op:
        case ast.Sub():
            yield one - other
        case ast.BitXor():
            yield one ^ other
        case ast.BitAnd():
            yield one & other
        case ast.BitOr():
            yield one | other
        case ast.Mult():
            yield one * other
        case ast.Mod():
            yield one % other
        case ast.FloorDiv():
            yield one // other
        case ast.RShift() if other < 64:
            yield one >> other
        case ast.LShift() if other < 64:
            yield one << other


def called(name: str, arguments: tuple[Value, ...]) -> Iterator[Value]:
    """Yields the value of a pure call on constants; raises what the call raises."""
    first = arguments[0] if arguments else ""
    if name in DECODERS or name in ENCODERS:
        yield (DECODERS.get(name) or ENCODERS[name])(as_bytes(first))
    elif name in ("codecs.decode", "codecs.encode") and len(arguments) > 1:
        if str(arguments[1]).lower() in TEXT_CODECS:
            yield getattr(codecs, name[7:])(first, str(arguments[1]))
    elif name in ("bytes", "bytearray") and isinstance(first, tuple):
        yield bytes(item for item in first if isinstance(item, int))
    elif name.startswith(("str.", "bytes.")) and name.partition(".")[2] in METHODS:
        yield from method(first, name.partition(".")[2], arguments[1:])
    elif name in ("chr", "ord", "hex", "bin", "oct", "abs", "len", "float", "ascii", "repr"):
        yield BUILTINS[name](first)
    elif name == "int" and len(str(first)) < 99:
        yield int(*arguments)  # type: ignore[arg-type]
    elif name == "str" and len(arguments) == 2 and isinstance(first, bytes):
        yield first.decode(str(arguments[1]))
    elif name == "range" and all(isinstance(item, int) for item in arguments):
        whole = range(*arguments)  # type: ignore[arg-type]
        if len(whole) <= LONGEST:
            yield tuple(whole)
    elif name == "reversed" and isinstance(first, str | bytes | tuple):
        yield tuple(first)[::-1]
    elif name == "sorted" and isinstance(first, str | bytes | tuple):
        yield tuple(sorted(first))
    elif name in LAYOUTS and isinstance(first, str):
        yield LAYOUTS[name](first)
    elif name in KEPT and isinstance(first, str | bytes | tuple):
        yield first if name == "bytes" and isinstance(first, bytes) else tuple(first)


LAYOUTS: Mapping[str, Callable[[str], str]] = {
    "inspect.cleandoc": inspect.cleandoc, "textwrap.dedent": textwrap.dedent,
}  # fmt: skip
"""Calls that change only the blanks of a text."""
BUILTINS: Mapping[str, Callable[..., Value]] = {
    "chr": chr, "ord": ord, "hex": hex, "bin": bin, "oct": oct, "abs": abs, "len": len,
    "float": float, "ascii": ascii, "repr": repr,
}  # fmt: skip


def method(owner: Value, name: str, arguments: tuple[Value, ...]) -> Iterator[Value]:
    """Yields what a method of a constant gives; raises what it raises."""
    if isinstance(owner, int) and not isinstance(owner, bool) and name == "to_bytes":
        if isinstance(arguments[0], int) and arguments[0] <= LONGEST:
            yield owner.to_bytes(*arguments)  # type: ignore[arg-type]
    elif isinstance(owner, str | bytes) and not (name == "format" and pads(owner)):
        widths = name in ("center", "ljust", "rjust", "zfill", "expandtabs")
        if widths and isinstance(arguments[0], int) and arguments[0] > LONGEST:
            return
        given = getattr(owner, name)(*arguments)
        yield tuple(given) if isinstance(given, list | tuple) else given


def joined(parts: list[tuple[Value, ...]], between: str = "") -> Iterator[str]:
    """Yields every way to choose one value of each part, as one text."""
    for chosen in itertools.product(*parts):
        yield between.join(str(plain(piece)) for piece in chosen)


def as_bytes(value: Value) -> bytes:
    """Returns what a decoder would be given."""
    return value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[arg-type]


def plain(value: Value) -> Value:
    """Returns bytes as text, and everything else as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def small(value: Value) -> bool:
    """Returns whether a value is worth keeping."""
    if isinstance(value, int):
        return abs(value) < 1 << 512
    return not isinstance(value, str | bytes | tuple) or len(value) <= LONGEST


def pads(template: str | bytes) -> bool:
    """Returns whether a template could ask for a width that fills the memory."""
    text = template if isinstance(template, str) else template.decode("latin-1")
    if "{" not in text and "%" not in text:
        return False
    return any(len(run) > 3 for run in "".join(c if c.isdigit() else " " for c in text).split())
