"""Loads a solution's model and calls it on batches, some of them traced to ATen calls.

It runs in the solution's process, so nothing that it writes is believed: what it calls a program is
executed again elsewhere. Only the text of this file goes into the sandbox.
"""

import contextlib
import hashlib
import json
import os
import sys
from typing import Any

FLAG = "IS_TORCH_RESTRICTED"
"""What the classic scorer sets around each call."""
EXPORTS = frozenset(
    ["numpy", "tolist", "item", "__array__", "__dlpack__", "__float__", "__int__", "__bool__"]
)
"""Ways out of tensors that hide nothing."""
MOST_STEPS = 20_000


class Recorder:
    """What one call of a model does, as a program of ATen calls."""

    def __init__(self, tokens: Any, storages: dict[str, bytes]) -> None:
        self._known: dict[int, int] = {id(tokens): 0}
        self._kept: list[Any] = [tokens]
        self._storages = storages
        self._seen: dict[int, str] = {}
        self.constants: dict[int, dict[str, Any]] = {}
        self.steps: list[Any] = []
        self.exports: list[str] = []

    def note(self, func: Any, given: Any, out: Any) -> None:
        """Writes one call down; `given` are its arguments as they were before it."""
        if len(self.steps) < MOST_STEPS:
            name, overload = func._schema.name, func._schema.overload_name
            self.steps.append([name, overload, *given, self._made(out)])

    def said(self, value: Any) -> Any:
        """Returns an argument as a program has it."""
        import torch

        if isinstance(value, torch.Tensor):
            return {"t": self.number(value)}
        if isinstance(value, list | tuple):
            return [self.said(item) for item in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return {"f": repr(value)}
        for letter, kind in (("d", torch.dtype), ("m", torch.memory_format)):
            if isinstance(value, kind):
                return {letter: str(value).removeprefix("torch.")}
        if isinstance(value, torch.device | torch.layout):
            return None
        return {"other": str(type(value))}

    def number(self, tensor: Any) -> int:
        """Returns the number of a tensor; one that no traced call made is a constant."""
        if id(tensor) not in self._known:
            number = self._add(tensor)
            self.constants[number] = self._content(tensor)
        return self._known[id(tensor)]

    def _add(self, tensor: Any) -> int:
        self._kept.append(tensor)
        return self._known.setdefault(id(tensor), len(self._known))

    def _made(self, out: Any) -> Any:
        import torch

        if isinstance(out, torch.Tensor):
            return self._add(out)
        if isinstance(out, list | tuple):
            return [self._made(item) for item in out]
        return None

    def _content(self, tensor: Any) -> dict[str, Any]:
        """Returns where a tensor's elements lie, and keeps what lies there as it is now."""
        import torch

        if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
            return {"class": type(tensor).__name__}
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_neg():
            return {"error": f"a tensor of layout {tensor.layout} takes part"}
        storage = tensor.untyped_storage()
        where = storage.data_ptr()
        if where not in self._seen:
            flat = torch.empty(0, dtype=torch.uint8).set_(storage.cpu())
            data = flat.numpy().tobytes()
            self._seen[where] = hashlib.sha256(data).hexdigest()
            self._storages[self._seen[where]] = data
        return {
            "storage": self._seen[where],
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "size": list(tensor.shape),
            "stride": list(tensor.stride()),
            "offset": tensor.storage_offset(),
        }

    def program(self, output: Any) -> dict[str, Any]:
        """Returns all of it."""
        return {
            "output": self.number(output),
            "constants": {str(number): told for number, told in self.constants.items()},
            "steps": self.steps,
            "exports": sorted(set(self.exports)),
        }


def traced(model: Any, tokens: Any, storages: dict[str, bytes]) -> tuple[Any, dict[str, Any]]:
    """Returns logits, and the program that made them."""
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    recorder = Recorder(tokens, storages)

    class Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """Sees every operator of this thread and runs it as it is."""

    class Exports(TorchFunctionMode):
        """Sees tensors become numbers and arrays."""

    def called(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        given = (
            [recorder.said(item) for item in args],
            {name: recorder.said(item) for name, item in named.items()},
        )
        out = func(*args, **named)
        recorder.note(func, given, out)
        return out

    def exported(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in EXPORTS:
            recorder.exports.append(func.__name__)
        return func(*args, **(kwargs or {}))

    # In the classes' own bodies they would be decorated, and the first call load the compiler.
    setattr(Calls, "__torch_dispatch__", called)  # noqa: B010
    setattr(Exports, "__torch_function__", exported)  # noqa: B010
    with Calls(), Exports():  # type: ignore[no-untyped-call]
        logits = model(tokens)
    return logits, recorder.program(logits)


def load() -> Any:
    """Returns the solution's model."""
    sys.path.insert(0, os.getcwd())
    from model import get_trained_model  # type: ignore[import-not-found]

    model = get_trained_model()
    if hasattr(model, "eval"):
        model.eval()
    return model


def call(model: Any, tokens: Any, flag: bool, storages: dict[str, bytes] | None) -> Any:
    """Returns logits, and the program that made them where it is traced."""
    import torch

    os.environ.pop(FLAG, None)
    if flag:
        os.environ[FLAG] = "True"
    with torch.no_grad():
        if storages is None:
            return model(tokens), None
        return traced(model, tokens, storages)


def main() -> None:
    """Does what the request says; one file of logits, and one program, per call."""
    import numpy as np
    import torch

    with open("../.request.json", encoding="utf-8") as file:
        request = json.load(file)
    batches = np.load("../.tokens.npy")
    os.unlink("../.request.json")
    os.unlink("../.tokens.npy")
    out = os.path.abspath("../.out")
    os.mkdir(out)
    torch.set_num_threads(request["threads"])
    model = load()
    written: set[str] = set()
    for number, (batch, trace, flag) in enumerate(request["calls"]):
        tokens = torch.from_numpy(batches[batch].astype(np.int64))
        storages: dict[str, bytes] | None = {} if trace else None
        logits, program = call(model, tokens, flag, storages)
        masked = tokens == request["mask_id"]
        kept = logits.detach()[masked].to(torch.float32).contiguous().numpy()
        if tuple(logits.shape) != (*tokens.shape, request["vocab_size"]):
            raise ValueError(f"the logits have shape {tuple(logits.shape)}")
        np.save(f"{out}/logits-{number}.npy", kept)
        for name, data in (storages or {}).items():
            if name not in written:
                written.add(name)
                with open(f"{out}/storage-{name}", "wb") as file:
                    file.write(data)
        if program is not None:
            with open(f"{out}/program-{number}.json", "w", encoding="utf-8") as file:
                json.dump(program, file)


if __name__ == "__main__":
    sys.path.pop(0)
    try:
        main()
    except Exception as error:  # the harness tells the agent
        text = f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace").decode()
        with contextlib.suppress(OSError), open("../.error", "w", encoding="utf-8") as told:
            told.write(text)
        raise
