"""Reads the header of a safetensors file: eight bytes of length, JSON, then the tensors' bytes.

Every byte of the data must belong to exactly one tensor, as the format asks. What breaks that is
named, and the tensors that are whole are read all the same.
"""

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from auditor.trail.blob import Blob, Part
from auditor.trail.faults import Unreadable
from auditor.trail.tensor import ITEM_BYTES, NAME, Tensor, require_form
from harness.files import parse_line

HEADER_BYTES = 32 << 20
"""The format allows 100 MB; 20,000 tensors take 2."""
TENSORS = 50_000
TYPES = {
    "BOOL": "bool", "U8": "u8", "I8": "i8", "I16": "i16", "U16": "u16", "I32": "i32", "U32": "u32",
    "I64": "i64", "U64": "u64", "F16": "f16", "BF16": "bf16", "F32": "f32", "F64": "f64",
    "F8_E4M3": "f8_e4m3", "F8_E5M2": "f8_e5m2",
}  # fmt: skip


def is_safetensors(head: bytes, size: int) -> bool:
    """Returns whether a file begins as one of this kind; `head` are its first nine bytes."""
    length = int.from_bytes(head[:8], "little")
    return len(head) > 8 and head[8:9] == b"{" and 2 <= length <= min(size, 100_000_000)


def read(blob: Blob) -> tuple[list[Tensor], list[str]]:
    """Returns the tensors of a file, and what is wrong with it.

    Raises:
        Unreadable: the header cannot be used at all.
    """
    length = int.from_bytes(blob.read(0, 8), "little")
    if length > HEADER_BYTES:
        raise Unreadable(f"its header claims {length} bytes")
    header = blob.read(8, length)
    if len(header) < length:
        raise Unreadable("its header is cut off")
    try:
        entries = parse_line(header.rstrip(b" "))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"its header cannot be read: {str(error)[:100]}") from error
    entries.pop("__metadata__", None)
    if len(entries) > TENSORS:
        raise Unreadable(f"it lists {len(entries)} tensors")
    data = Part(blob, 8 + length, blob.size - 8 - length)
    found, faults = [], []
    for name, entry in entries.items():
        try:
            found.append(_tensor(name[:NAME], entry, data))
        except Unreadable as error:
            faults.append(str(error))
    return found, [*faults, *_misplaced(found, data, whole=not faults)]


def _tensor(name: str, entry: JsonValue, data: Part) -> Tensor:
    if not isinstance(entry, dict):
        raise Unreadable(f"tensor {name!r} is not described")
    kind, shape = entry.get("dtype"), _whole_numbers(entry.get("shape"))
    offsets = _whole_numbers(entry.get("data_offsets"))
    if not isinstance(kind, str) or shape is None or offsets is None or len(offsets) != 2:
        raise Unreadable(f"tensor {name!r} is not described")
    if kind not in TYPES:
        raise Unreadable(f"tensor {name!r} has the unknown type {kind[:40]!r}")
    begin, end = offsets
    if not 0 <= begin <= end:
        raise Unreadable(f"tensor {name!r} ends before it begins")
    own = Part(data, begin, end - begin)
    tensor = require_form(Tensor(name, TYPES[kind], tuple(shape), own))
    if tensor.elements * ITEM_BYTES[tensor.dtype] != end - begin:
        raise Unreadable(f"tensor {name!r} does not fill its {end - begin} bytes")
    if end > data.size:
        raise Unreadable(f"tensor {name!r} claims {end - begin} bytes that are not in the file")
    return tensor


def _misplaced(tensors: Sequence[Tensor], data: Part, *, whole: bool) -> Iterator[str]:
    """Yields where tensors share bytes, and how many bytes belong to none."""
    spans = sorted((_begin(item), _begin(item) + item.blob.size, item.name) for item in tensors)
    reached, before = 0, ""
    unused = 0
    for begin, end, name in spans:
        if begin < reached and end > begin:
            yield f"tensor {name!r} overlaps {before!r}"
        unused += max(begin - reached, 0)
        if end > reached:
            reached, before = end, name
    if whole and (unused := unused + data.size - reached):
        yield f"{unused} bytes belong to no tensor"


def _begin(tensor: Tensor) -> int:
    assert isinstance(tensor.blob, Part), "every tensor has a part of the file"
    return tensor.blob.offset


def _whole_numbers(value: JsonValue) -> list[int] | None:
    if not isinstance(value, list) or len(value) > 64:
        return None
    found = [item for item in value if isinstance(item, int) and not isinstance(item, bool)]
    return found if len(found) == len(value) else None
