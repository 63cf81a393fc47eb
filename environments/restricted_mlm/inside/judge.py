"""Executes traced programs on tokens of ours, with nothing of a solution's in the process.

A program is data: numbered tensors, and calls of operators that are looked up in a list. Nothing in
it can name anything else.
"""

import json
import sys
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from operators import (  # type: ignore[import-not-found]
    CREATING,
    UNWRITTEN,
    WRAPPING,
    is_allowed,
    plain,
)
from pruning import MALFORMED, pruned  # type: ignore[import-not-found]

DTYPES = {
    name: getattr(torch, name)
    for name in (
        "float32", "float64", "bfloat16", "float16", "int64", "int32", "int16", "int8", "uint8",
        "bool",
    )
}  # fmt: skip
FORMATS = {
    name: getattr(torch, name) for name in ("contiguous_format", "preserve_format", "channels_last")
}
DROPPED = ("device", "layout", "pin_memory", "non_blocking", "generator", "names")
FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class Refused(Exception):
    """A program is not one that may be executed; `kind` says which rule it breaks."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Program:
    """A program with its constants."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.check()

    def check(self) -> None:
        """Raises `Refused` unless every operator is on the list."""
        forbidden: dict[str, int] = {}
        steps = self.told["steps"]
        for step, after in zip_longest(steps, steps[1:]):
            if not is_allowed(step[0]) and not _wraps(step, after):
                forbidden[step[0]] = forbidden.get(step[0], 0) + 1
        if forbidden:
            # As torch.ops has them: reports take a double colon for a command to a CI service.
            named = ", ".join(sorted(forbidden)[:10]).replace("::", ".")
            raise Refused("operator", f"{named} is not on the list")
        for constant in self.told["constants"].values():
            if "class" in constant:
                named = str(constant["class"])[:100]
                raise Refused(
                    "operator",
                    f"a tensor class with operators of its own, {named}, is not on the list",
                )
            if "error" in constant:
                raise Refused("form", str(constant["error"])[:200])

    def run(self, tokens: torch.Tensor, storages: dict[str, torch.UntypedStorage]) -> torch.Tensor:
        """Returns what the program makes of tokens.

        Raises:
            Refused: a call cannot be executed, or makes an index of an activation.
        """
        values: dict[int, torch.Tensor] = {0: tokens.clone()}
        copies: dict[str, torch.UntypedStorage] = {}
        for number, told in self.told["constants"].items():
            values[int(number)] = _constant(told, storages, copies)
        for place, step in enumerate(self.told["steps"]):
            try:
                self._step(step, values)
            except Refused:
                raise
            except Exception as error:
                first = str(error).partition("\n")[0][:200]
                raise Refused("form", f"call {place}, {step[0]}, fails: {first}") from error
        return values[int(self.told["output"])]

    def _step(self, step: list[Any], values: dict[int, torch.Tensor]) -> None:
        name, overload, args, kwargs, made = step
        operator = getattr(torch.ops.aten, name.partition("::")[2])
        function = getattr(operator, overload or "default")
        given = [_value(item, values) for item in args]
        named = {key: _value(item, values) for key, item in kwargs.items() if key not in DROPPED}
        named = {key: item for key, item in named.items() if item is not None}
        inputs = list(_tensors([given, named]))
        out = function(*given, **named)
        if plain(name) in UNWRITTEN:
            out.zero_()
        _check_types(plain(name), inputs, out)
        _keep(made, out, values)


def _wraps(step: list[Any], after: list[Any] | None) -> bool:
    """Whether a call does no more than bring the indices of a `gather` into range."""
    if step[0] != WRAPPING or after is None or after[0] != "aten::gather":
        return False
    return bool(after[2][2] == {"t": step[4]})


def _check_types(name: str, inputs: list[torch.Tensor], out: Any) -> None:
    """Raises `Refused` where a number that was computed becomes an index or a truth value."""
    if name in CREATING:
        return
    floating = any(item.dtype in FLOATS for item in inputs)
    for tensor in _tensors(out):
        if tensor.dtype is torch.bool and not any(item.dtype is torch.bool for item in inputs):
            raise Refused("operator", f"{name} compares: it makes truth values of numbers")
        if floating and tensor.dtype not in FLOATS:
            raise Refused("index", f"{name} makes {tensor.dtype} of an activation")


def _constant(
    told: dict[str, Any],
    storages: dict[str, torch.UntypedStorage],
    copies: dict[str, torch.UntypedStorage],
) -> torch.Tensor:
    name = str(told["storage"])
    if name not in storages or told["dtype"] not in DTYPES:
        raise Refused("form", "a constant of the program cannot be read")
    if name not in copies:  # a program may write to it
        copies[name] = storages[name].clone()  # type: ignore[no-untyped-call]
    try:
        empty = torch.empty(0, dtype=DTYPES[told["dtype"]])
        return empty.set_(copies[name], told["offset"], told["size"], told["stride"])
    except Exception as error:
        raise Refused("form", "a constant of the program does not fit its memory") from error


def _value(told: Any, values: dict[int, torch.Tensor]) -> Any:
    if isinstance(told, list):
        return [_value(item, values) for item in told]
    if not isinstance(told, dict):
        if told is not None and not isinstance(told, bool | int | str):
            raise Refused("form", "an argument is of no known kind")
        return told
    ((kind, item),) = told.items()
    if kind == "t":
        return values[int(item)]
    if kind == "f":
        return float(item)
    if kind == "d":
        return DTYPES[item]
    if kind == "m":
        return FORMATS[item]
    raise Refused("form", f"an argument is {str(item)[:100]}")


def _tensors(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _keep(made: Any, out: Any, values: dict[int, torch.Tensor]) -> None:
    if isinstance(made, list):
        for number, tensor in zip(made, out, strict=True):
            _keep(number, tensor, values)
    elif made is not None and isinstance(out, torch.Tensor):
        values[int(made)] = out


def _storage(path: str) -> torch.UntypedStorage:
    data = np.fromfile(path, np.uint8)
    return torch.from_numpy(data).untyped_storage()


def main() -> None:
    """Executes each job of the request: a program, and a batch of tokens."""
    with open("request.json", encoding="utf-8") as file:
        request = json.load(file)
    torch.set_num_threads(request["threads"])
    batches = np.load("tokens.npy")
    storages = {name: _storage(f"storage-{name}") for name in request["storages"]}
    programs = _read([f"program-{number}.json" for number in range(request["programs"])])
    told: list[dict[str, str]] = []
    for number, (which, batch) in enumerate(request["jobs"]):
        try:
            told.append(_job(number, programs[which], batches[batch], request, storages))
        except Refused as refused:
            told.append({"kind": refused.kind, "reason": str(refused)})
    with open("told.json", "w", encoding="utf-8") as file:
        json.dump(told, file)


def _read(paths: list[str]) -> "list[Program | Refused]":
    """Returns the program in each file, or why it is none."""
    told = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            try:
                told.append(json.load(file))
            except MALFORMED:
                told.append(None)
    return [_program(one) for one in pruned(told)]


def _program(told: Any) -> "Program | Refused":
    try:
        return Program(told)
    except Refused as refused:
        return refused
    except MALFORMED:
        return Refused("form", "the program is not of the form that a trace has")


def _job(
    number: int,
    program: Program | Refused,
    batch: Any,
    request: dict[str, Any],
    storages: dict[str, torch.UntypedStorage],
) -> dict[str, str]:
    if isinstance(program, Refused):
        raise program
    tokens = torch.from_numpy(batch.astype(np.int64))
    try:
        with torch.no_grad():
            logits = program.run(tokens, storages)
    except MALFORMED as error:
        raise Refused("form", "the program is not of the form that a trace has") from error
    if tuple(logits.shape) != (*tokens.shape, request["vocab_size"]):
        raise Refused("form", f"on other tokens the logits have shape {tuple(logits.shape)}")
    kept = logits[tokens == request["mask_id"]].to(torch.float32).contiguous()
    if not bool(torch.isfinite(kept).all()):
        raise Refused("form", "the logits are not finite")
    np.save(f"logits-{number}.npy", kept.numpy())
    return {}


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    main()
