"""Reads what `torch.save` wrote, in the zip form and in the one before it, without torch."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from auditor.trail import pickled
from auditor.trail.archive import Archive
from auditor.trail.blob import Blob, Part
from auditor.trail.faults import Unreadable
from auditor.trail.pickled import PICKLE_BYTES, Made, Named, Stored
from auditor.trail.tensor import ITEM_BYTES, Tensor, contiguous, require_form

Fetch = Callable[[str], Blob]
OLD_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of the form before zip: a number."""
TENSORS = 50_000
STORAGES = {
    "FloatStorage": "f32", "DoubleStorage": "f64", "HalfStorage": "f16", "BFloat16Storage": "bf16",
    "LongStorage": "i64", "IntStorage": "i32", "ShortStorage": "i16", "CharStorage": "i8",
    "ByteStorage": "u8", "BoolStorage": "bool", "UntypedStorage": "u8",
    "ComplexFloatStorage": "c64", "ComplexDoubleStorage": "c128",
}  # fmt: skip
TYPES = {
    "float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int64": "i64",
    "int32": "i32", "int16": "i16", "int8": "i8", "uint8": "u8", "bool": "bool",
    "float8_e4m3fn": "f8_e4m3", "float8_e5m2": "f8_e5m2", "uint16": "u16", "uint32": "u32",
    "uint64": "u64", "complex64": "c64", "complex128": "c128",
}  # fmt: skip
_NUMPYS = ("numpy.core.multiarray", "numpy._core.multiarray")
_BUILTINS = (
    *("set", "frozenset", "dict", "list", "tuple", "int", "float", "bool", "complex", "bytearray"),
    *("slice", "range", "object"),
)
INERT = frozenset(
    (
        *((module, name) for module in ("builtins", "__builtin__") for name in _BUILTINS),
        *((module, name) for module in _NUMPYS for name in ("_reconstruct", "scalar")),
        *(("numpy", "dtype"), ("numpy", "ndarray"), ("_codecs", "encode")),
        *(("collections", "OrderedDict"), ("collections", "defaultdict")),
        *(("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor")),
        *(("argparse", "Namespace"), ("types", "SimpleNamespace"), ("uuid", "UUID")),
        *(("pathlib", "PosixPath"), ("pathlib", "PurePosixPath"), ("pathlib._local", "PosixPath")),
        *(("datetime", "datetime"), ("datetime", "timedelta"), ("decimal", "Decimal")),
    )
)
"""What checkpoints hold beside tensors, and whose making does nothing else."""


class Read(NamedTuple):
    """What a file holds."""

    tensors: list[Tensor]
    faults: list[str]
    calls: list[str]
    """What loading it the usual way would import or call, beyond rebuilding tensors."""


def read_archive(archive: Archive) -> Read:
    """Returns the tensors of the zip form.

    Raises:
        Unreadable: the archive has no pickle that can be followed.
    """
    root = next((name for name in archive.names() if name.endswith("/data.pkl")), None)
    if root is None:
        raise Unreadable("its archive has no data.pkl")
    folder = root.removesuffix("data.pkl")
    followed = pickled.follow(_whole(archive.member(root)))
    big = _says_big(archive, f"{folder}byteorder")

    def storage(key: str) -> Blob:
        return archive.member(f"{folder}data/{key}")

    return _read(followed, storage, swapped=big)


def read_old(blob: Blob) -> Read:
    """Returns the tensors of the form before zip: pickles, then the storages one by one.

    Raises:
        Unreadable: a pickle cannot be followed, or the storages are not where they must be.
    """
    data = blob.read(0, PICKLE_BYTES)
    at = 0
    for _ in range(3):  # a number, a version, and what the machine is like
        at = pickled.follow(data, at).end
    followed = pickled.follow(data, at)
    listed = pickled.follow(data, followed.end)
    keys = [str(key) for key in listed.value] if isinstance(listed.value, list) else []
    sizes = {_text(key[2]): _stored_type(key) for key in _stored(followed.value)}
    places: dict[str, Blob] = {}
    offset = listed.end
    for key in keys:
        count = int.from_bytes(blob.read(offset, 8), "little", signed=True)
        size = ITEM_BYTES.get(sizes.get(key, ""), 0) * count
        if not 0 <= size <= blob.size - offset - 8:
            raise Unreadable(f"storage {key[:40]!r} is cut off")
        places[key] = Part(blob, offset + 8, size)
        offset += 8 + size

    def storage(key: str) -> Blob:
        if key not in places:
            raise Unreadable(f"storage {key[:40]!r} is missing")
        return places[key]

    return _read(followed, storage, swapped=False)


def read_pickle(blob: Blob) -> Read:
    """Returns what a bare pickle would call; it has no tensors that torch stored."""
    followed = pickled.follow(_whole(blob))
    return Read([], [], sorted(set(_foreign(followed.wishes))))


def _read(followed: pickled.Followed, fetch: Fetch, *, swapped: bool) -> Read:
    known: dict[str, Blob] = {}
    tensors: dict[str, Tensor] = {}
    faults = []
    seen: set[tuple[str, _Form]] = set()
    for path, made in pickled.calls(followed.value):
        form = _form(made)
        if form is None or (path, form) in seen:
            continue
        seen.add((path, form))
        if len(tensors) >= TENSORS:
            faults.append(f"it has more than {TENSORS} tensors")
            break
        name = _unused(path or "tensor", tensors)
        try:
            if form.key not in known:
                known[form.key] = fetch(form.key)
            blob = known[form.key]
            tensor = Tensor(name, form.dtype, form.shape, blob, form.start, form.strides, swapped)
            tensors[name] = require_form(tensor)
        except Unreadable as error:
            faults.append(str(error))
    return Read(list(tensors.values()), faults, sorted(set(_foreign(followed.wishes))))


class _Form(NamedTuple):
    key: str
    dtype: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None


def _form(made: Made) -> _Form | None:
    """Returns the form of the tensor that a call rebuilds; None for any other call."""
    if isinstance(made.by, Named) and made.by.name.startswith("_rebuild_parameter"):
        made = made.args[0] if made.args and isinstance(made.args[0], Made) else made
    if not isinstance(made.by, Named) or not made.by.name.startswith("_rebuild_tensor"):
        return None
    if made.by.module != "torch._utils" or len(made.args) < 4:
        return None
    stored, start, shape, strides = made.args[:4]
    if not isinstance(stored, Stored) or not isinstance(start, int):
        return None
    if not isinstance(stored.key, tuple) or len(stored.key) < 3:
        return None
    sides, steps = _numbers(shape), _numbers(strides)
    if sides is None or steps is None:
        return None
    dtype = _stored_type(stored.key)
    if made.by.name == "_rebuild_tensor_v3" and len(made.args) > 6:
        asked = made.args[6]
        dtype = TYPES.get(asked.name, asked.name) if isinstance(asked, Named) else dtype
    plain = steps == contiguous(sides)
    return _Form(_text(stored.key[2]), dtype, start, sides, None if plain else steps)


def _stored_type(key: tuple[object, ...]) -> str:
    named = key[1]
    name = named.name if isinstance(named, Named) else _text(named)
    return STORAGES.get(name, name[:40])


def _stored(value: object) -> Iterator[tuple[object, ...]]:
    for _, made in pickled.calls(value):
        for item in made.args:
            if isinstance(item, Stored) and isinstance(item.key, tuple) and len(item.key) > 2:
                yield item.key


def _foreign(wishes: list[Named]) -> Iterator[str]:
    """Yields what is neither a tensor's part nor plain data, nor a class of the model's own."""
    for wish in wishes:
        if wish in INERT or _is_torchs(wish):
            continue
        yield str(wish)


def _is_torchs(wish: Named) -> bool:
    module, name = wish
    if module == "torch":
        return name in STORAGES or name in TYPES or name in ("Size", "device", "Tensor", "strided")
    rebuilt = module in ("torch._utils", "torch._tensor", "torch.nn.parameter")
    if rebuilt:
        return name.startswith(("_rebuild_", "Parameter", "Buffer", "UninitializedParameter"))
    return module.startswith(("torch.nn.modules.", "torch.optim.")) and name[:1].isupper()


def _says_big(archive: Archive, name: str) -> bool:
    try:
        return archive.member(name).read(0, 8) == b"big"
    except Unreadable:
        return False


def _whole(blob: Blob) -> bytes:
    if blob.size > PICKLE_BYTES:
        raise Unreadable(f"its pickle has {blob.size} bytes")
    return blob.read(0, blob.size)


def _numbers(value: object) -> tuple[int, ...] | None:
    """A form as plain numbers; `torch.Size` is a call around one."""
    if isinstance(value, Made) and len(value.args) == 1:
        value = value.args[0]
    if not isinstance(value, tuple | list):
        return None
    found = tuple(item for item in value if isinstance(item, int) and abs(item) < 1 << 60)
    return found if len(found) == len(value) else None


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else str(value)[:20] if _small(value) else ""


def _small(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 1 << 64


def _unused(name: str, taken: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    return free
