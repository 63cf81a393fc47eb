"""What one run is given: training rows, options and a base model."""

import hashlib
import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import language
from .settings import Option, Settings, full_rows

BASE_FILES = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class Instance:
    """Training rows and options, and the folder of the base model they are for."""

    rows: tuple[str, ...]
    """Lines of `train_data.jsonl`, without their ends."""
    options: Mapping[str, Option]
    base: Path

    @property
    def data(self) -> bytes:
        """The bytes of `train_data.jsonl`."""
        return "".join(f"{row}\n" for row in self.rows).encode()

    @property
    def yaml(self) -> str:
        """The text of `finetune.yaml`."""
        return "".join(f"{key}: {value}\n" for key, value in self.options.items())

    def identity(self) -> dict[str, str]:
        """Returns hashes over everything that the expected output depends on."""
        contents = {name: (self.base / name).read_bytes() for name in BASE_FILES}
        contents |= {"rows": self.data, "yaml": self.yaml.encode()}
        return {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}

    def lay(self, solution: Path) -> None:
        """Puts rows, options and base model into the folder `solution`, over what is there."""
        self.save(solution)
        remove(solution / "base_model")
        shutil.copytree(self.base, solution / "base_model")

    def save(self, folder: Path) -> None:
        """Writes rows and options into `folder`."""
        for name, data in (("train_data.jsonl", self.data), ("finetune.yaml", self.yaml.encode())):
            remove(folder / name)
            (folder / name).write_bytes(data)

    def with_options(self, **options: Option) -> "Instance":
        """Returns the same rows with some options changed."""
        return replace(self, options={**self.options, **options})

    def with_rows(self, changes: Mapping[int, str]) -> "Instance":
        """Returns the same options with the rows at some places changed."""
        changed = (changes.get(place, row) for place, row in enumerate(self.rows))
        return replace(self, rows=tuple(changed))

    def mixed(self, draw: random.Random) -> str:
        """Returns a row with the prompt of one row and the response of another."""
        prompt, response = (json.loads(row) for row in draw.sample(self.rows, 2))
        return json.dumps({"prompt": prompt["prompt"], "response": response["response"]})

    def batches(self) -> list[list[int]]:
        """Returns which rows each step of the first epoch reads, as the start orders them."""
        size, order = int(self.options["global_batch_size"]), list(range(len(self.rows)))
        random.Random(int(self.options["seed"]) * 1000).shuffle(order)  # noqa: S311
        return [order[place : place + size] for place in range(0, len(order), size)]


def draw(settings: Settings, source: random.Random, base: Path) -> Instance:
    """Draws rows in a new language, under the shipped options."""
    if settings.data_path:
        lines = source.sample(full_rows(settings), settings.rows)
    else:
        lines = language.rows(language.Language(source), source, settings.rows, settings.lengths)
    return Instance(tuple(lines), settings.options, base)


def load(folder: Path, base: Path) -> Instance:
    """Returns the instance that `save` wrote into `folder`."""
    options: dict[str, Option] = {}
    for line in (folder / "finetune.yaml").read_text("utf-8").splitlines():
        key, _, value = line.partition(": ")
        options[key] = float(value) if set(value) & set(".e") else int(value)
    rows = (folder / "train_data.jsonl").read_text("utf-8").splitlines()
    return Instance(tuple(rows), options, base)


def remove(path: Path) -> None:
    """Deletes what is at `path`, whatever it is; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
