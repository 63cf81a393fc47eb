"""Tensors where they lie in a file: form first, numbers only on demand and in bounded number."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from auditor.trail.blob import CHUNK, Blob
from auditor.trail.faults import Unreadable

Numbers = NDArray[np.float32]
ITEM_BYTES = {
    "bool": 1, "u8": 1, "i8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "i64": 8, "u64": 8,
    "f16": 2, "bf16": 2, "f32": 4, "f64": 8, "f8_e4m3": 1, "f8_e5m2": 1, "c64": 8, "c128": 16,
}  # fmt: skip
_NUMPY = {
    "bool": "u1", "u8": "u1", "i8": "i1", "i16": "<i2", "u16": "<u2", "i32": "<i4", "u32": "<u4",
    "i64": "<i8", "u64": "<u8", "f16": "<f2", "f32": "<f4", "f64": "<f8", "c64": "<c8",
    "c128": "<c16",
}  # fmt: skip
FLOATS = ("f16", "bf16", "f32", "f64", "f8_e4m3", "f8_e5m2")
DIMENSIONS = 32
NAME = 200
"""Characters of a name that are kept."""


@dataclass(frozen=True)
class Tensor:
    """A tensor in a blob. Strides and start are in elements, as a view of the blob."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    blob: Blob = field(repr=False)
    start: int = 0
    strides: tuple[int, ...] | None = None
    """None where the elements lie one after another."""
    swapped: bool = False
    """Whether the bytes of each element are in big-endian order."""

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether its elements are fractions."""
        return self.dtype in FLOATS

    def matrix_shape(self) -> tuple[int, int]:
        """Returns the form as rows of the first dimension, by all others."""
        if len(self.shape) < 2:
            return 1, self.elements
        return self.shape[0], math.prod(self.shape[1:])

    def rows(self, wanted: Sequence[int] | NDArray[np.int64]) -> Numbers:
        """Returns some rows of the matrix, as f32 [rows, columns].

        Raises:
            Unreadable: the file has fewer bytes than it claims.
        """
        _, columns = self.matrix_shape()
        found = np.empty((len(wanted), columns), np.float32)
        for place, row in enumerate(wanted):
            found[place] = self._row(int(row), columns)
        return found

    def numbers(self) -> Numbers:
        """Returns all elements in their form, as f32; the caller has looked at their number.

        Raises:
            Unreadable: the file has fewer bytes than it claims.
        """
        if self.strides is None:
            raw = self._take(self.start, self.elements)
            return decoded(raw, self.dtype, swapped=self.swapped).reshape(self.shape)
        low, high = _span(self.shape, self.strides)
        raw = self._take(self.start + low, high - low + 1)
        flat = decoded(raw, self.dtype, swapped=self.swapped)
        item = flat.itemsize
        view = np.lib.stride_tricks.as_strided(
            flat[-low:], self.shape, [item * step for step in self.strides], writeable=False
        )
        return np.ascontiguousarray(view)

    def digest(self) -> str:
        """Returns a hash over type, form and content, read in pieces.

        Raises:
            Unreadable: the file has fewer bytes than it claims.
        """
        made = blake3(f"{self.dtype}{list(self.shape)}".encode())
        if self.strides is None and not self.swapped:
            for part in self._parts():
                made.update(part)
        else:
            made.update(self.numbers().tobytes())
        return str(made.hexdigest())

    def _row(self, row: int, columns: int) -> Numbers:
        if self.strides is None:
            raw = self._take(self.start + row * columns, columns)
            return decoded(raw, self.dtype, swapped=self.swapped)
        if len(self.shape) < 2:
            return self.numbers().ravel()
        first = self.start + row * self.strides[0]
        one = replace(self, shape=self.shape[1:], start=first, strides=self.strides[1:])
        return one.numbers().ravel()

    def _take(self, first: int, count: int) -> bytes:
        size = ITEM_BYTES[self.dtype]
        raw = self.blob.read(first * size, count * size)
        if len(raw) != count * size:
            raise Unreadable(f"tensor {self.name!r} is cut off")
        return raw

    def _parts(self) -> Iterator[bytes]:
        size = ITEM_BYTES[self.dtype]
        offset, left = self.start * size, self.elements * size
        while left:
            part = self.blob.read(offset, min(left, CHUNK))
            if not part:
                raise Unreadable(f"tensor {self.name!r} is cut off")
            yield part
            offset += len(part)
            left -= len(part)


def require_form(tensor: Tensor) -> Tensor:
    """Returns a tensor whose elements all lie in its blob.

    A claim of more bytes than there are is refused before anything is set aside for it.

    Raises:
        Unreadable: type or form are impossible.
    """
    name, size = tensor.name, ITEM_BYTES.get(tensor.dtype)
    if size is None:
        raise Unreadable(f"tensor {name!r} has the unknown type {tensor.dtype[:40]!r}")
    if len(tensor.shape) > DIMENSIONS or any(not 0 <= side < 1 << 48 for side in tensor.shape):
        raise Unreadable(f"tensor {name!r} has an impossible form")
    if not tensor.elements:
        return tensor
    low, high = 0, tensor.elements - 1
    if tensor.strides is not None:
        if len(tensor.strides) != len(tensor.shape):
            raise Unreadable(f"tensor {name!r} has an impossible form")
        low, high = _span(tensor.shape, tensor.strides)
        if tensor.elements > 4 * (high - low + 1):  # a few numbers that pose as petabytes
            raise Unreadable(f"tensor {name!r} repeats few numbers as {tensor.elements} elements")
    if tensor.start + low < 0 or (tensor.start + high + 1) * size > tensor.blob.size:
        claimed = tensor.elements * size
        raise Unreadable(f"tensor {name!r} claims {claimed} bytes that are not in the file")
    return tensor


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the strides of elements that lie one after another."""
    strides, step = [], 1
    for side in reversed(shape):
        strides.append(step)
        step *= max(side, 1)
    return tuple(reversed(strides))


def decoded(raw: bytes, dtype: str, *, swapped: bool = False) -> Numbers:
    """Returns bytes of a known type as f32; complex numbers as pairs."""
    if dtype == "bf16":
        order = ">u2" if swapped else "<u2"
        wide = np.frombuffer(raw, order).astype(np.uint32) << 16
        return wide.view(np.float32)
    if dtype.startswith("f8"):
        return _eights(dtype)[np.frombuffer(raw, np.uint8)]
    kind = np.dtype(_NUMPY[dtype])
    found = np.frombuffer(raw, kind.newbyteorder(">") if swapped else kind)
    if kind.kind == "c":
        found = found.view(found.real.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return found.astype(np.float32)


def _eights(dtype: str) -> Numbers:
    """The 256 values of a type of eight bits."""
    code = np.arange(256)
    bits = 3 if dtype == "f8_e4m3" else 2
    bias = 7 if dtype == "f8_e4m3" else 15
    power, rest = (code & 127) >> bits, code & ((1 << bits) - 1)
    small = power == 0
    size = np.where(small, rest, rest + (1 << bits)) * 2.0 ** (np.maximum(power, 1) - bias - bits)
    lost = (code & 127) == 127 if bits == 3 else power == 31
    return np.where(lost, np.nan, np.where(code > 127, -size, size)).astype(np.float32)


def _span(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """The lowest and the highest place of a view, beside its start."""
    ends = [(side - 1) * step for side, step in zip(shape, strides, strict=True)]
    return sum(min(end, 0) for end in ends), sum(max(end, 0) for end in ends)
