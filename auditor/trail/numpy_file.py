"""Reads `.npy` and `.npz`; arrays of objects are pickles and stay closed."""

import ast
import math

import numpy as np

from auditor.trail.archive import Archive
from auditor.trail.blob import Blob, Part
from auditor.trail.faults import Unreadable
from auditor.trail.tensor import Tensor, contiguous, require_form

MAGIC = b"\x93NUMPY"
HEADER_BYTES = 10_000
TYPES = {
    "b1": "bool", "u1": "u8", "i1": "i8", "u2": "u16", "i2": "i16", "u4": "u32", "i4": "i32",
    "u8": "u64", "i8": "i64", "f2": "f16", "f4": "f32", "f8": "f64", "c8": "c64", "c16": "c128",
}  # fmt: skip


def read_array(blob: Blob, name: str) -> Tensor:
    """Returns the one tensor of a `.npy`.

    Raises:
        Unreadable: its header is broken, or it holds objects.
    """
    descr, fortran, shape, begin = _header(blob.read(0, HEADER_BYTES + 16))
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError, SyntaxError) as error:
        raise Unreadable(f"{name[:100]!r} has the type {str(descr)[:40]}") from error
    if dtype.hasobject:
        raise Unreadable(f"{name[:100]!r} holds pickled objects, which stay closed")
    kind = TYPES.get(dtype.str[1:])
    if kind is None:
        raise Unreadable(f"{name[:100]!r} has the type {dtype.str[:40]}")
    strides = None
    if fortran and len(shape) > 1:
        strides = tuple(reversed(contiguous(tuple(reversed(shape)))))
    if any(not 0 <= side < 1 << 48 for side in shape):
        raise Unreadable(f"{name[:100]!r} has an impossible form")
    size = math.prod(shape) * dtype.itemsize
    body = Part(blob, begin, min(size, blob.size - begin))
    swapped = dtype.str[0] == ">"
    return require_form(Tensor(name, kind, tuple(shape), body, 0, strides, swapped))


def _header(head: bytes) -> tuple[str, bool, tuple[int, ...], int]:
    """Returns type, order, form, and where the numbers begin."""
    long = head[6:7] in (b"\x02", b"\x03")
    begin = 12 if long else 10
    begin += int.from_bytes(head[8:begin], "little")
    if not head.startswith(MAGIC) or begin > len(head):
        raise Unreadable("its header is cut off, or too long")
    try:
        found = ast.literal_eval(head[12 if long else 10 : begin].decode("latin-1"))
        descr, fortran, shape = found["descr"], found["fortran_order"], found["shape"]
    except (ValueError, TypeError, SyntaxError, KeyError, RecursionError, MemoryError) as error:
        raise Unreadable(f"its header cannot be read: {str(error)[:100]}") from error
    plain = isinstance(shape, tuple) and all(type(side) is int for side in shape)
    if not isinstance(descr, str) or not plain:
        raise Unreadable(f"it holds records, not numbers: {str(descr)[:40]}")
    return descr, fortran is True, shape, begin


def read_archive(archive: Archive) -> tuple[list[Tensor], list[str]]:
    """Returns the tensors of a `.npz`, and what is wrong with it."""
    tensors, faults = [], []
    for name in archive.names():
        if not name.endswith(".npy"):
            continue
        try:
            tensors.append(read_array(archive.member(name), name.removesuffix(".npy")[:200]))
        except Unreadable as error:
            faults.append(str(error))
    return tensors, faults
