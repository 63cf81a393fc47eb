"""Weights are read from every common form, and from hostile files without harm."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as save_safetensors

from auditor.trail import pickled, weights
from auditor.trail.blob import Held, opened
from auditor.trail.faults import Unreadable
from auditor.trail.tensor import Tensor, require_form
from auditor.trail.weights import Weights

A = np.arange(24, dtype=np.float32).reshape(4, 6) / 7


def read(data: bytes, path: str = "file") -> Weights:
    found = weights.read(Held(data), path)
    assert found is not None
    return found


def numbers(found: Weights) -> dict[str, NDArray[np.float32]]:
    return {tensor.name: tensor.numbers() for tensor in found.tensors}


def torched(value: object, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


FORMS: dict[str, Callable[[], bytes]] = {
    "safetensors": lambda: save_safetensors({"a": A}),
    "torch": lambda: torched({"a": torch.from_numpy(A)}),
    "torch-old": lambda: torched({"a": torch.from_numpy(A)}, _use_new_zipfile_serialization=False),
    "npz": lambda: npz(a=A),
}


@pytest.mark.parametrize("kind", FORMS)
def test_each_form_gives_the_same_tensor(kind: str) -> None:
    found = read(FORMS[kind]())
    assert (found.kind, found.faults, found.calls) == (kind, (), ())
    assert np.array_equal(numbers(found)["a"], A)


def test_one_array_and_its_orders() -> None:
    for array in (A, np.asfortranarray(A), A.astype(">f8")):
        file = io.BytesIO()
        np.save(file, array)
        (tensor,) = read(file.getvalue()).tensors
        assert np.allclose(tensor.numbers(), A)
        assert np.allclose(tensor.rows([2])[0], A[2])


@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.float8_e4m3fn,
     torch.float8_e5m2],
)  # fmt: skip
def test_types_are_decoded_as_torch_does(dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(A - 1).to(dtype)
    found = numbers(read(torched({"a": tensor})))
    assert np.array_equal(found["a"], tensor.to(torch.float32).numpy())


def test_views_parameters_and_ties() -> None:
    whole = torch.from_numpy(A.copy())
    tied = torch.nn.Parameter(whole)
    found = read(torched({"t": whole.t(), "cut": whole[1:3, 2:], "x": tied, "y": tied}))
    assert np.array_equal(numbers(found)["t"], A.T)
    assert np.array_equal(numbers(found)["cut"], A[1:3, 2:])
    assert {"x", "y"} <= numbers(found).keys()


def test_nested_checkpoints_and_whole_modules() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    saved = {"model": model.state_dict(), "optimizer": optimiser.state_dict(), "step": 3}
    found = read(torched(saved))
    assert {"model.0.weight", "optimizer.state.0.exp_avg"} <= numbers(found).keys()
    assert found.calls == ()
    whole = read(torched(model))
    assert np.array_equal(numbers(whole)["0.weight"], model.state_dict()["0.weight"].numpy())
    assert whole.calls == ()


def test_sharded_models_are_put_together() -> None:
    files = [
        read(save_safetensors({"a": A}), "m/model-00001-of-00003.safetensors"),
        read(save_safetensors({"b": A, "a": A}), "m/model-00002-of-00003.safetensors"),
        read(save_safetensors({"c": A}), "other.safetensors"),
    ]
    single, model = weights.together(files)
    assert single.path == "other.safetensors"
    assert [tensor.name for tensor in model.tensors] == ["a", "b"]
    assert model.faults == (
        "1 of 3 parts are missing", "tensor 'a' is in more than one part",
    )  # fmt: skip


def test_archives_in_archives() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/model.safetensors", save_safetensors({"a": A}))
        archive.writestr("notes.txt", "nothing")
        archive.writestr("y.npz", npz(b=A))
    found = read(file.getvalue())
    assert set(numbers(found)) == {"x/model.safetensors!a", "y.npz!b"}
    inner = file.getvalue()
    for _ in range(4):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w") as archive:
            archive.writestr("in.zip", inner)
        inner = outer.getvalue()
    assert "too many" in read(inner).faults[0]


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n", b"{}", bytes(range(128, 137))])
def test_other_files_are_no_weights(data: bytes) -> None:
    assert weights.read(Held(data), "x") is None


class _Reduced:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/executed-by-a-pickle",)


@pytest.mark.parametrize(
    "data",
    [
        lambda: torched({"a": torch.from_numpy(A), "b": _Reduced()}),
        lambda: torched({"b": _Reduced()}, _use_new_zipfile_serialization=False),
        lambda: pickle.dumps(_Reduced()),
        lambda: b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
        lambda: pickle.dumps([OrderedDict(a=_Reduced())], protocol=4),
    ],
)
def test_calls_are_told_and_not_made(data: Callable[[], bytes]) -> None:
    found = read(data())
    assert any(call in ("posix.system", "os.system") for call in found.calls), found
    assert not Path("/tmp/executed-by-a-pickle").exists()


def test_numpy_objects_stay_closed() -> None:
    file = io.BytesIO()
    np.save(file, np.array([_Reduced()], dtype=object), allow_pickle=True)
    assert "stay closed" in read(file.getvalue()).faults[0]


def header(entries: object, data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (header({"a": entry([1 << 47, 2], 0, 1 << 50)}, bytes(16)), "not in the file"),
        (header({"a": entry([1 << 60, 1 << 60], 0, 16)}, bytes(16)), "impossible form"),
        (header({"a": entry([-1, -4], 0, 16)}, bytes(16)), "impossible form"),
        (header({"a": entry([4], 0, 16), "b": entry([4], 8, 24)}, bytes(24)), "overlaps"),
        (header({"a": entry([4], 0, 16)}, bytes(40)), "belong to no tensor"),
        (header({"a": entry([4], 0, 16)}, bytes(8)), "not in the file"),
        (header({"a": entry([4], 16, 0)}, bytes(16)), "ends before"),
        (header({"a": entry([3], 0, 16)}, bytes(16)), "does not fill"),
        (header({"a": entry([4], 0, 16, "F7")}, bytes(16)), "unknown type"),
        (header({"a": 3}, bytes(16)), "not described"),
        (header({"a": {"dtype": [], "shape": {}, "data_offsets": 1}}), "not described"),
        (struct.pack("<Q", 9) + b'{"a": {', "cut off"),
        (struct.pack("<Q", 7) + b'{"a": {', "cannot be read"),
        (struct.pack("<Q", 90_000_000) + b"{" + bytes(10), "header"),
        (header(["a"]), ""),
    ],
)  # fmt: skip
def test_broken_safetensors_are_facts(data: bytes, fault: str) -> None:
    found = weights.read(Held(data), "x")
    assert (found is None) == (not fault or "90_000_000" in fault or _no_header(data))
    if found is not None:
        assert any(fault in item for item in found.faults), found.faults


def _no_header(data: bytes) -> bool:
    length = int.from_bytes(data[:8], "little")
    return data[8:9] != b"{" or length > len(data)


def test_what_is_whole_beside_a_broken_tensor_is_read() -> None:
    data = header({"a": entry([4], 0, 16), "b": entry([4], 16, 1 << 50)}, bytes(16))
    assert [tensor.name for tensor in read(data).tensors] == ["a"]


def test_a_few_numbers_that_pose_as_petabytes() -> None:
    tensor = torch.ones(1).expand(1 << 30, 1 << 18)
    found = read(torched({"a": tensor}))
    assert found.tensors == () and "repeats few numbers" in found.faults[0]
    small = read(torched({"a": torch.ones(2, 1).expand(2, 3)}))
    assert np.array_equal(numbers(small)["a"], np.ones((2, 3)))


def test_every_cut_of_every_form_is_a_fact() -> None:
    for kind, make in FORMS.items():
        whole = make()
        for end in range(0, len(whole), 37):
            found = weights.read(Held(whole[:end]), kind)
            for tensor in found.tensors if found else ():
                assert tensor.numbers().size == A.size


def test_every_flip_of_every_form_ends() -> None:
    generator = np.random.default_rng(0)
    for kind, make in FORMS.items():
        whole = make()
        for place in generator.integers(0, len(whole), 150):
            changed = bytearray(whole)
            changed[place] ^= int(generator.integers(1, 256))
            found = weights.read(Held(bytes(changed)), kind)
            for tensor in found.tensors if found else ():
                if tensor.elements < 1000:
                    tensor.numbers()


def bomb(size: int) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("a.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": (size // 4,)}
        )
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return file.getvalue()


def test_a_zip_bomb_is_not_inflated() -> None:
    found = read(bomb(64 << 20))
    assert found.tensors == () and "would grow" in found.faults[0]


def test_a_bomb_that_lies_about_its_size() -> None:
    data = bytearray(bomb(8 << 20))
    size = int.from_bytes(data[-22 + 12 : -22 + 16], "little")
    at = data.rfind(b"PK\x01\x02")
    assert size > 0 and at > 0
    data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    found = read(bytes(data))
    assert found.tensors == () and "size" in found.faults[0]


def test_a_directory_of_many_entries_is_not_read() -> None:
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, 1 << 30, 4, 0)
    assert "directory" in read(b"PK\x03\x04" + bytes(1000) + end).faults[0]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\x80\x02" + b"(" * 1000, "broken"),
        (b"\x80\x02]" + b"q\x00h\x00a" * 1000, "broken"),
        (b"\x80\x05\x96" + (1 << 62).to_bytes(8, "little") + b".", "broken"),
        (b"\x80\x02r\xff\xff\xff\xff.", "broken"),
        (b"\x80\x02N.", ""),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "broken"),
        (b"\x80\x02I" + b"9" * 5000 + b"\n.", "broken"),
    ],
)
def test_broken_pickles_are_facts(data: bytes, fault: str) -> None:
    faults = read(data).faults
    assert any(fault in item for item in faults) if fault else not faults


def test_a_pickle_that_doubles_itself_stays_small() -> None:
    # Each level holds the one before twice: 2**200 leaves for whoever walks them all.
    data = b"\x80\x02N" + b"2\x86" * 200 + b"."
    followed = pickled.follow(data)
    assert list(pickled.calls(followed.value)) == []
    keyed = b"\x80\x02}N" + b"2\x86" * 200 + b"Ns."
    assert read(keyed).faults == ()


def test_a_pickle_in_a_circle_ends() -> None:
    value: list[object] = [_Reduced()]
    value.append(value)
    assert read(pickle.dumps(value)).calls == ("posix.system",)


def test_long_pickles_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "INSTRUCTIONS", 1000)
    assert "too many" in read(b"\x80\x02" + b"N0" * 2000 + b"N.").faults[0]
    monkeypatch.setattr(pickled, "PICKLE_BYTES", 1000)
    with pytest.raises(Unreadable):
        pickled.follow(b"N0" * 2000)


def test_links_pipes_and_devices_stay_closed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "link", tmp_path / "pipe", tmp_path, Path("/dev/zero"), Path("gone")):
        with pytest.raises(Unreadable), opened(path):
            pass


def test_a_sparse_giant_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "giant.safetensors"
    text = json.dumps({"a": entry([1 << 38], 0, 1 << 40)}).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + (1 << 40))
    with opened(path) as blob:
        found = weights.read(blob, path.name)
        assert found is not None and found.faults == () and found.elements == 1 << 38
        tensor = found.tensors[0]
        assert not require_form(tensor).blob.read((1 << 40) - 4, 100)[4:]


def test_names_are_cut_and_shapes_bounded() -> None:
    found = read(header({"n" * 5000: entry([4], 0, 16)}, bytes(16)))
    assert len(found.tensors[0].name) == 200
    with pytest.raises(Unreadable):
        require_form(Tensor("a", "f32", (1,) * 40, Held(bytes(4))))
