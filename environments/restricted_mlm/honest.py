"""Honest trainings beside the reference's on the same text: how close two of them come.

Nobody needs the reference's weights, and no attempt holds them. What is measured is how alike the
weights of two people are who had the same idea and began with the same random numbers: no honest
work comes closer, and other seeds lead to strangers.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.honest import HonestRun

from .prepare import complete, fill, remake
from .settings import START, Settings, load

REFERENCE = START.with_name("reference")
PATIENCE = 10
"""Nobody times these runs, and the machine may be busy."""


class Approach(NamedTuple):
    """How a training differs from the reference's."""

    name: str
    changed: Mapping[str, str]


APPROACHES = (
    Approach("other batches", {'"tiny": 48': '"tiny": 32'}),
    Approach("another rate", {"LEARNING_RATE = 4e-3": "LEARNING_RATE = 2e-3"}),
    Approach("longer", {'"tiny": 300': '"tiny": 450'}),
    Approach("fewer masks", {"1.5 * facts": "1.2 * facts"}),
)


def runs(profile: str, count: int, folder: Path) -> Iterator[HonestRun]:
    """Yields trainings, those of one language one after another.

    Args:
        profile: `tiny`; the approaches are written for it.
        count: how many runs.
        folder: where instances and outputs are put.
    """
    settings = load(profile)
    patient = {"reproduce_limit_s": PATIENCE * settings.reproduce_limit_s}
    settings = settings.model_copy(update=patient)
    for number in range(count):
        language, place = divmod(number, len(APPROACHES))
        instance = folder / f"language-{language}"
        if place == 0:
            _prepare(instance, profile, language)
        approach = APPROACHES[place]
        yield HonestRun(
            name=f"{approach.name}, language {language}",
            given=(instance / "workspace/solution/basic_model.safetensors",),
            answers=(instance / "reference/solution/model.safetensors",),
            output=_trained(approach, number, instance, settings),
        )


def _prepare(instance: Path, profile: str, language: int) -> None:
    """Makes an instance, and the reference's model of it."""
    workspace, protected, private = (
        instance / name for name in ("workspace", "protected", "private")
    )
    for place in (workspace, protected, private):
        place.mkdir(parents=True)
    visible, hidden = (
        np.random.default_rng([*f"honest/{language}/{split}".encode()]) for split in range(2)
    )
    fill(workspace, protected, private, profile, visible, hidden)
    shutil.copytree(workspace, instance / "reference")
    shutil.copytree(REFERENCE, instance / "reference/solution", dirs_exist_ok=True)
    complete(instance / "reference", profile)


def _trained(approach: Approach, number: int, instance: Path, settings: Settings) -> Path:
    tree, layer = (instance / f"{name}-{number}" for name in ("tree", "layer"))
    shutil.copytree(instance / "workspace", tree)
    shutil.copytree(REFERENCE, tree / "solution", dirs_exist_ok=True)
    train = tree / "solution/train.py"
    code = train.read_text("utf-8")
    for old, new in approach.changed.items():
        if old not in code:
            raise ValueError(f"{train.name} has no {old}")
        code = code.replace(old, new)
    train.write_text(code, "utf-8")
    remake(tree, layer, settings)
    return layer / "solution/model.safetensors"


__all__ = ["runs"]
