"""Leaves out of traced programs the calls that nothing of their logits comes of.

A model may look at itself on the way, how large its activations are and how many are dead. That is
not between tokens and logits, whatever operators it takes.
"""

from collections.abc import Iterator
from typing import Any

import torch

MALFORMED = (
    ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError,
)  # fmt: skip
"""What comes of reading data that is not what it must be."""
Told = dict[str, Any]
"""A program as the trace has it."""


def pruned(programs: list[Told]) -> list[Told]:
    """Returns the programs of several batches without calls that nothing comes of.

    Numbers that left the tensors may have come back as constants, and then something does come of
    what made them. They differ from batch to batch. So programs are returned as they are unless
    the rest is the same for every batch.
    """
    try:
        rests = [_numbered_anew(_needed(told)) for told in programs]
    except MALFORMED:
        return programs  # whoever executes them says what is wrong
    return programs if any(rest != rests[0] for rest in rests) else rests


def _needed(told: Told) -> Told:
    """Returns a program without calls that write nowhere and whose results are not needed."""
    needed, steps = {told["output"]}, []
    for step in reversed(told["steps"]):
        name, overload, args, kwargs, made = step
        if _writes(name, overload) or not needed.isdisjoint(_flat(made)):
            needed.update(_tensors([args, list(kwargs.values())]))
            steps.append(step)
    constants = {key: one for key, one in told["constants"].items() if int(key) in needed}
    return {**told, "steps": steps[::-1], "constants": constants}


def _writes(name: str, overload: str) -> bool:
    """Whether a call may do more than return something; one that nobody knows may."""
    space, _, operator = name.partition("::")
    packet = getattr(torch.ops.aten, operator, None) if space == "aten" else None
    function = getattr(packet, overload or "default", None)
    return not isinstance(function, torch._ops.OpOverload) or function._schema.is_mutable


def _numbered_anew(told: Told) -> Told:
    """Returns the same program with its tensors numbered as they are met."""
    new = {0: 0}

    def tensor(old: int) -> int:
        return new.setdefault(old, len(new))

    def value(item: Any) -> Any:
        if isinstance(item, list):
            return [value(one) for one in item]
        if isinstance(item, dict) and "t" in item:
            return {"t": tensor(item["t"])}
        return item

    def result(made: Any) -> Any:
        if isinstance(made, list):
            return [result(one) for one in made]
        return None if made is None else tensor(made)

    steps = [
        [
            name,
            overload,
            value(args),
            {key: value(one) for key, one in kwargs.items()},
            result(made),
        ]
        for name, overload, args, kwargs, made in told["steps"]
    ]
    constants = {str(tensor(int(key))): one for key, one in told["constants"].items()}
    return {**told, "output": tensor(told["output"]), "steps": steps, "constants": constants}


def _tensors(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict) and "t" in value:
        yield value["t"]


def _flat(made: Any) -> Iterator[int]:
    if isinstance(made, list):
        for item in made:
            yield from _flat(item)
    elif made is not None:
        yield made
