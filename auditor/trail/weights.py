"""Files of weights as tensors, whatever their names: the kind is told by the first bytes.

Nothing is executed, mapped or inflated without bound. What is wrong with a file is kept beside
what could be read of it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from auditor.trail import numpy_file, safetensors_file, torch_file
from auditor.trail.archive import Archive
from auditor.trail.blob import Blob
from auditor.trail.faults import Unreadable
from auditor.trail.tensor import Tensor

HEAD_BYTES = 64
NESTED = 2
"""Archives in archives that are opened."""
FAULTS = 50
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,6})-of-(?P<count>\d{1,6})(?P<suffix>\.\w+)")


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds, or several that are one model."""

    path: str
    kind: str
    """`safetensors`, `torch`, `torch-old`, `pickle`, `npy`, `npz`, `zip` or `gguf`."""
    tensors: tuple[Tensor, ...] = field(default=(), repr=False)
    faults: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    """What loading it the usual way would import or call, beyond rebuilding tensors."""
    parts: tuple[str, ...] = ()
    """The files of a model that is spread over several."""

    @property
    def elements(self) -> int:
        """Number of elements of all tensors."""
        return sum(tensor.elements for tensor in self.tensors)


def kind_of(head: bytes, size: int) -> str:
    """Returns the kind of a file by its first `HEAD_BYTES`; empty when it is none of weights."""
    if safetensors_file.is_safetensors(head, size):
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(numpy_file.MAGIC):
        return "npy"
    if head.startswith(torch_file.OLD_MAGIC):
        return "torch-old"
    if head.startswith(b"GGUF"):
        return "gguf"
    return "pickle" if re.match(rb"\x80[\x02-\x05]", head) else ""


def read(blob: Blob, path: str, depth: int = 0) -> Weights | None:
    """Returns what a file holds; None when it is not of a kind that holds weights."""
    kind = kind_of(blob.read(0, HEAD_BYTES), blob.size)
    if not kind:
        return None
    try:
        found = _READERS[kind](blob, path, depth)
    except Unreadable as error:
        return Weights(path, kind, faults=(str(error),))
    return replace(found, faults=_few(found.faults))


def _safetensors(blob: Blob, path: str, depth: int) -> Weights:
    tensors, faults = safetensors_file.read(blob)
    return Weights(path, "safetensors", tuple(tensors), tuple(faults))


def _npy(blob: Blob, path: str, depth: int) -> Weights:
    return Weights(path, "npy", (numpy_file.read_array(blob, "array"),))


def _old(blob: Blob, path: str, depth: int) -> Weights:
    return _torch(path, "torch-old", torch_file.read_old(blob))


def _pickle(blob: Blob, path: str, depth: int) -> Weights:
    return _torch(path, "pickle", torch_file.read_pickle(blob))


def _gguf(blob: Blob, path: str, depth: int) -> Weights:
    raise Unreadable("its tensors are packed in blocks, which are not read")


def _zip(blob: Blob, path: str, depth: int) -> Weights:
    archive = Archive(blob)
    names = list(archive.names())
    if any(name.endswith("/data.pkl") for name in names):
        return _torch(path, "torch", torch_file.read_archive(archive))
    if names and all(name.endswith(".npy") for name in names):
        tensors, faults = numpy_file.read_archive(archive)
        return Weights(path, "npz", tuple(tensors), tuple(faults))
    return _nested(archive, names, path, depth)


def _nested(archive: Archive, names: Iterable[str], path: str, depth: int) -> Weights:
    """Puts together the weights of an archive's members, each under its name."""
    tensors: list[Tensor] = []
    faults: list[str] = []
    calls: list[str] = []
    if depth >= NESTED:
        raise Unreadable("it is an archive in too many others")
    for name in names:
        try:
            inner = read(archive.member(name), f"{path}!{name}", depth + 1)
        except Unreadable as error:
            faults.append(str(error))
            continue
        if inner is not None:
            tensors += (replace(item, name=f"{name}!{item.name}") for item in inner.tensors)
            faults += (f"{name}: {fault}" for fault in inner.faults)
            calls += inner.calls
    return Weights(path, "zip", tuple(tensors), tuple(faults), tuple(calls))


def _torch(path: str, kind: str, found: torch_file.Read) -> Weights:
    return Weights(path, kind, tuple(found.tensors), tuple(found.faults), tuple(found.calls))


_READERS = {
    "safetensors": _safetensors, "npy": _npy, "torch-old": _old, "pickle": _pickle, "gguf": _gguf,
    "zip": _zip,
}  # fmt: skip


def shard_of(path: str) -> tuple[str, int] | None:
    """Returns the model that a file is named as a part of, and which part."""
    found = _SHARD.fullmatch(path)
    if found is None:
        return None
    return f"{found['stem']}-of-{found['count']}{found['suffix']}", int(found["number"])


def together(files: Iterable[Weights]) -> Iterator[Weights]:
    """Yields models: files that are named as parts of one are put together."""
    groups: dict[str, dict[int, Weights]] = {}
    for file in files:
        shard = shard_of(file.path)
        if shard is None:
            yield file
        else:
            groups.setdefault(shard[0], {})[shard[1]] = file
    for key, parts in groups.items():
        yield _joined(key, parts)


def _joined(key: str, parts: Mapping[int, Weights]) -> Weights:
    count = int(key.rpartition("-of-")[2].partition(".")[0])
    found = [parts[number] for number in sorted(parts)]
    tensors: dict[str, Tensor] = {}
    faults = [fault for part in found for fault in part.faults]
    if len(found) < count:
        faults.append(f"{count - len(found)} of {count} parts are missing")
    for tensor in (tensor for part in found for tensor in part.tensors):
        if tensor.name in tensors:
            faults.append(f"tensor {tensor.name!r} is in more than one part")
        tensors.setdefault(tensor.name, tensor)
    return Weights(
        key, found[0].kind, tuple(tensors.values()), _few(faults),
        tuple(call for part in found for call in part.calls),
        tuple(part.path for part in found),
    )  # fmt: skip


def _few(faults: Iterable[str]) -> tuple[str, ...]:
    listed = list(faults)
    more = len(listed) - FAULTS
    return (*listed[:FAULTS], *([f"and {more} more faults"] if more > 0 else []))
