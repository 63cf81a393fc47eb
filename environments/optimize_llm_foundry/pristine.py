"""Runs the untouched start: makes the base model and every expected output."""

import hashlib
import importlib.metadata
import json
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from harness.cache import cached
from harness.errors import InvalidSolution, ScorerFailure

from . import language, tokens, weights
from .execution import execute, failure, read_output
from .instance import BASE_FILES, Instance
from .settings import START, Settings, given
from .weights import Weights

OUTPUT_FILES = ("model.safetensors", "config.json")
BASE_LEARNING_RATE = 0.003
"""Higher than any that is promised, so that one pass over few rows gives a usable model."""


def expected(instance: Instance, settings: Settings) -> Path:
    """Returns a read-only folder with what the start makes of `instance`."""
    inputs = {
        **instance.identity(),
        "start": start_sha256(),
        "torch": importlib.metadata.version("torch"),
        "threads": str(settings.threads),
    }
    return cached("optimize_llm_foundry", inputs, lambda to: train(START, instance, settings, to))


def expected_weights(instance: Instance, settings: Settings) -> Weights:
    """Returns the weights that the start makes of `instance`."""
    return weights.load((expected(instance, settings) / "model.safetensors").read_bytes())


def base_weights(instance: Instance) -> Weights:
    """Returns the weights that training begins with."""
    return weights.load((instance.base / "model.safetensors").read_bytes())


def start_sha256() -> str:
    """Returns a hash over the start's files."""
    digest = hashlib.sha256()
    for path in sorted(START.iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def make_base(folder: Path, settings: Settings, seed: int) -> None:
    """Fills `folder` with the base model of `seed`, or with the given one.

    Raises:
        ScorerFailure: the profile wants a given model, and it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.base_path:
        for name in BASE_FILES:
            shutil.copyfile(given(f"{settings.base_path}/{name}", "a base model"), folder / name)
        return
    draw = random.Random(f"optimize_llm_foundry/base/{seed}")  # noqa: S311
    rows = language.mixture(draw, settings.base_rows, settings.lengths)
    with tempfile.TemporaryDirectory(prefix="base-") as scratch:
        origin = Path(scratch)
        _initialise(origin, rows, settings, seed)
        options = {**settings.options, "learning_rate": BASE_LEARNING_RATE}
        trained = expected(Instance(tuple(rows), options, origin), settings)
        shutil.copyfile(origin / "tokenizer.json", folder / "tokenizer.json")
        for name in OUTPUT_FILES:
            shutil.copyfile(trained / name, folder / name)


def _initialise(folder: Path, rows: list[str], settings: Settings, seed: int) -> None:
    """Writes random weights, their configuration and a tokeniser."""
    texts = [text for row in rows for text in json.loads(row).values()]
    merges = tokens.learn_merges(texts, settings.merges)
    (folder / "tokenizer.json").write_text(tokens.tokenizer_json(merges), "utf-8")
    config = {**settings.model, "vocab_size": 256 + settings.merges + 1}
    (folder / "config.json").write_text(json.dumps(config) + "\n", "utf-8")
    save_file(_random_weights(config, seed), folder / "model.safetensors")


def _random_weights(config: dict[str, int], seed: int) -> Weights:
    generator = np.random.default_rng(seed)
    width, layers = config["n_embd"], config["n_layer"]

    def normal(rows: int, columns: int, scale: float = 0.02) -> np.ndarray:
        return (generator.standard_normal((rows, columns)) * scale).astype(np.float32)

    made: Weights = {
        "wte.weight": normal(config["vocab_size"], width),
        "wpe.weight": normal(config["n_positions"], width),
        "ln_f.weight": np.ones(width, np.float32),
    }
    # As in GPT-2, what is added to the residual stream shrinks with its number of additions.
    narrow = 0.02 / (2 * layers) ** 0.5
    for name in (f"h.{layer}" for layer in range(layers)):
        made[f"{name}.ln_1.weight"] = np.ones(width, np.float32)
        made[f"{name}.attn.c_attn.weight"] = normal(3 * width, width)
        made[f"{name}.attn.c_proj.weight"] = normal(width, width, narrow)
        made[f"{name}.ln_2.weight"] = np.ones(width, np.float32)
        made[f"{name}.c_fc.weight"] = normal(4 * width, width)
        made[f"{name}.c_proj.weight"] = normal(width, 4 * width, narrow)
    return made


def train(code: Path, instance: Instance, settings: Settings, folder: Path) -> None:
    """Runs one of our own solutions in the sandbox and puts its output into `folder`.

    Raises:
        ScorerFailure: it gave none.
    """
    with tempfile.TemporaryDirectory(prefix="pristine-") as scratch:
        tree, layer = Path(scratch, "workspace"), Path(scratch, "layer")
        shutil.copytree(code, tree / "solution", ignore=shutil.ignore_patterns("__pycache__"))
        instance.lay(tree / "solution")
        run = execute(tree, layer, settings)
        if reason := failure(run):
            raise ScorerFailure(f"{code.name} failed: {reason}", hint=run.stderr[-2000:])
        try:
            output = read_output(layer, instance)
        except InvalidSolution as error:
            raise ScorerFailure(f"{code.name} failed: {error}") from error
        for name, data in zip(OUTPUT_FILES, output, strict=True):
            (folder / name).write_bytes(data)


def copy_output(source: Path, target: Path) -> None:
    """Copies an output, and nothing that a cache keeps beside it, to the new folder `target`."""
    target.mkdir(parents=True)
    for name in OUTPUT_FILES:
        shutil.copyfile(source / name, target / name)
