"""Honest solutions on instances of their own: how close their outputs come to the expected ones."""

import random
from collections.abc import Iterator
from pathlib import Path

from harness.honest import HonestRun

from . import instance as instances
from . import pristine
from .settings import START, load

REFERENCE = START.with_name("reference")
APPROACHES = (("reference", REFERENCE, 2), ("start", START, 1), ("reference", REFERENCE, 1))
"""Whose code runs, and on how many threads."""
SEED = 0
PATIENCE = 10
"""Nobody times these runs, and the machine may be busy."""


def runs(profile: str, count: int, folder: Path) -> Iterator[HonestRun]:
    """Yields runs on instances in languages of their own, for one base model.

    Args:
        profile: which settings apply.
        count: how many runs.
        folder: where outputs are put.
    """
    settings = load(profile)
    settings = settings.model_copy(update={"run_limit_s": PATIENCE * settings.run_limit_s})
    base = folder / "base_model"
    pristine.make_base(base, settings, SEED)
    for number in range(count):
        name, code, threads = APPROACHES[number % len(APPROACHES)]
        draw = random.Random(f"honest/{number}")  # noqa: S311
        instance = instances.draw(settings, draw, base)
        made = folder / f"run-{number}"
        made.mkdir()
        pristine.train(code, instance, settings.model_copy(update={"threads": threads}), made)
        yield HonestRun(
            name=f"{name}, {threads} threads, instance {number}",
            given=(base / "model.safetensors",),
            answers=(pristine.expected(instance, settings) / "model.safetensors",),
            output=made / "model.safetensors",
        )
