"""Decides whether an output is what the start would have made, within the task's tolerance."""

from dataclasses import dataclass

from pydantic import JsonValue

from harness.errors import InvalidSolution

from . import pristine, weights
from .instance import Instance
from .settings import Settings
from .weights import Weights

WORST = 5
"""How many tensors are named."""


@dataclass(frozen=True)
class Comparison:
    """An output beside the expected one."""

    output: Weights
    expected: Weights
    tensors: dict[str, float]
    """L2 distance of each tensor."""
    tolerance: float

    @property
    def distance(self) -> float:
        """The sum that the task limits."""
        return sum(self.tensors.values())

    @property
    def within(self) -> bool:
        """Whether the output counts as the expected one."""
        return self.distance <= self.tolerance

    def facts(self) -> dict[str, JsonValue]:
        """Returns the figures for a log."""
        worst = sorted(self.tensors, key=lambda name: -self.tensors[name])[:WORST]
        return {
            "distance": self.distance,
            "tolerance": self.tolerance,
            "worst_tensors": {name: self.tensors[name] for name in worst},
        }


def compare(model: bytes, config: bytes, instance: Instance, settings: Settings) -> Comparison:
    """Compares the bytes of an output with what the start makes of `instance`.

    Raises:
        InvalidSolution: the output does not have the form of the base model.
    """
    base = pristine.base_weights(instance)
    output = weights.load(model)
    if reason := weights.fits(output, base):
        raise InvalidSolution(f"trained_model does not fit: {reason}.")
    if not weights.same_config(config, (instance.base / "config.json").read_bytes()):
        raise InvalidSolution("trained_model/config.json differs from base_model/config.json.")
    wanted = pristine.expected_weights(instance, settings)
    return Comparison(
        output,
        wanted,
        weights.distances(output, wanted),
        settings.tolerance_fraction * weights.distance(base, wanted),
    )
