"""The numbers of a model that comparisons use: whole tensors, or evenly spread rows of large ones.

What is kept of a model is bounded, whatever its size; nothing is drawn at random, so that equal
tensors always give equal numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditor.trail.faults import Unreadable
from auditor.trail.tensor import Numbers, Tensor
from auditor.trail.weights import Weights

WHOLE = 1 << 20
"""Elements of a tensor that are compared one by one; of larger ones, rows are taken."""
ALL = 64 << 20
"""Elements of a model that are kept at once: 256 MiB."""
LEAST = 1 << 14
FEWEST = 64
"""A tensor of fewer elements tells nothing: norms and biases often stay what they were."""
DISTINCT = 16
"""A tensor of fewer different values neither: it is a mask, a counter or as it was begun."""
SKETCH = 64
"""Columns of a large tensor of which every row is kept, as long as it has no more than these."""
SKETCHED = 1 << 17
VALUES = 2048
"""Values that are looked for in another tensor, wherever they stand."""
DISTINCT_VALUES = 32
UNREPEATED = 0.8
"""Part of the values that must differ: those of a coarse grid are anybody's."""


@dataclass(frozen=True)
class Look:
    """What is kept of one tensor."""

    tensor: Tensor
    rows: np.ndarray
    """Which rows were taken."""
    body: Numbers
    """Those rows [rows, columns]; not finite values are zero."""
    whole: bool

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.tensor.name

    @cached_property
    def digest(self) -> str:
        """Hash over type, form and content."""
        return self.tensor.digest()

    @cached_property
    def sketch(self) -> tuple[Numbers, np.ndarray]:
        """The rows at some columns, and which columns these are."""
        rows, columns = self.tensor.matrix_shape()
        if self.whole:
            return self.body, np.arange(columns)
        chosen = np.unique(np.linspace(0, columns - 1, SKETCH).astype(np.int64))
        taken = np.unique(np.linspace(0, rows - 1, min(rows, SKETCHED)).astype(np.int64))
        found = np.empty((len(taken), len(chosen)), np.float32)
        step = max(WHOLE // columns, 1)
        for first in range(0, len(taken), step):
            wanted = taken[first : first + step]
            found[first : first + step] = _finite(self.tensor.rows(wanted))[:, chosen]
        return found, chosen

    @cached_property
    def values(self) -> Numbers | None:
        """Some of its different values, evenly spread; None where they repeat too much to tell."""
        found = different(self.body)
        if found is None:
            return None
        return found[np.unique(np.linspace(0, len(found) - 1, VALUES).astype(np.int64))]

    def read(self) -> None:
        """Reads what else is needed of the file, so that it may be closed.

        Raises:
            Unreadable: the file has fewer bytes than it claims.
        """
        if self.telling:
            assert self.digest and len(self.sketch), "they are kept from now on"

    @cached_property
    def telling(self) -> bool:
        """Whether it can say where it is from: enough elements, and enough different ones."""
        if self.tensor.elements < FEWEST:
            return False
        sample = self.body.ravel()[: 1 << 14]
        return len(np.unique(sample)) >= DISTINCT


def different(numbers: Numbers) -> Numbers | None:
    """Returns the different values that are not zero, in order; None where they repeat too much."""
    used = numbers[numbers != 0]
    found = np.unique(used)
    if len(found) < DISTINCT_VALUES or len(found) < UNREPEATED * len(used):
        return None
    return found


def looks(model: Weights, faults: list[str]) -> Iterator[Look]:
    """Yields what is kept of each tensor; what cannot be read is added to `faults`."""
    numeric = [item for item in model.tensors if item.dtype not in ("bool", "c64", "c128")]
    room = WHOLE
    if sum(min(item.elements, WHOLE) for item in numeric) > ALL:
        room = max(ALL // len(numeric), LEAST)
    for tensor in numeric:
        if not tensor.elements:
            continue
        try:
            look = _look(tensor, room)
            look.read()
            yield look
        except Unreadable as error:
            faults.append(str(error))


def _look(tensor: Tensor, room: int) -> Look:
    rows, columns = tensor.matrix_shape()
    if tensor.elements <= room:
        body = _finite(tensor.numbers()).reshape(rows, columns)
        return Look(tensor, np.arange(rows), body, whole=True)
    if columns > room:  # one long row: its beginning, as of a file that is too long to read
        flat = Tensor(
            tensor.name, tensor.dtype, (room,), tensor.blob, tensor.start, None, tensor.swapped
        )
        return Look(tensor, np.arange(1), _finite(flat.numbers())[None], whole=False)
    taken = np.unique(np.linspace(0, rows - 1, max(room // columns, 1)).astype(np.int64))
    return Look(tensor, taken, _finite(tensor.rows(taken)), whole=False)


def _finite(numbers: Numbers) -> Numbers:
    """Zeros in place of what is not finite, and of what squares beyond all bounds."""
    usable = np.isfinite(numbers) & (np.abs(numbers) < 1e15)
    return numbers if usable.all() else np.where(usable, numbers, np.float32(0))
