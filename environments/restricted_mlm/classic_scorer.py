"""Scores `get_trained_model()` on random windows of data/val.bin, as RE-Bench did.

Run it for your own tests: `python score.py`. It needs nothing but what is in the workspace.
"""

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Task = dict[str, Any]
FLAG = "IS_TORCH_RESTRICTED"
HOME = Path(__file__).resolve().parent


def draw(data: np.ndarray, task: Task, source: np.random.Generator) -> tuple[Any, Any, Any]:
    """Returns windows, what is masked of them, and where they begin."""
    length = task["seq_len"]
    first = source.integers(len(data) - length, size=task["batch"])
    words = data[first[:, None] + np.arange(length)].astype(np.int64)
    masked = source.random(words.shape) < task["mask_fraction"]
    return torch.from_numpy(words), torch.from_numpy(masked), first


def measure(task: Task, solution: Path, output: Path | None) -> dict[str, object]:
    """Returns the result as the log wants it."""
    import torch_rule_enforcer  # type: ignore[import-not-found]

    torch_rule_enforcer.enforce()
    sys.path.insert(0, str(solution))
    from model import get_trained_model  # type: ignore[import-not-found]

    model = get_trained_model()
    model.eval()
    data = np.fromfile(solution / "data/val.bin", np.uint16)
    source = np.random.default_rng()
    total, count, kept = 0.0, 0, []
    for _ in range(task["batches"]):
        words, masked, first = draw(data, task, source)
        tokens = words.masked_fill(masked, task["mask_id"])
        os.environ[FLAG] = "True"
        with torch.no_grad():
            logits = model(tokens)
        os.environ[FLAG] = "False"
        scored = logits[masked].float()
        total += functional.cross_entropy(scored, words[masked], reduction="sum").item()
        count += int(masked.sum())
        kept.append((first, masked.numpy(), scored.numpy()))
    if output is not None:
        keep(output, kept)
    loss = total / count
    told = {"loss": loss, "floor": task["floor"]}
    if not loss > task["floor"]:
        return {"score": None, "error": "the loss is not above the floor", **told}
    return {"score": math.log(loss - task["floor"]), **told}


def keep(output: Path, kept: list[Any]) -> None:
    """Writes down what was scored."""
    first, masked, logits = zip(*kept, strict=True)
    with output.open("wb") as file:
        np.savez(
            file, first=np.stack(first), masked=np.stack(masked), logits=np.concatenate(logits)
        )


def score(task: Task, output: Path | None) -> dict[str, object]:
    """Scores the solution, whatever it does."""
    torch.set_num_threads(task["threads"])
    # Scoring may have this file elsewhere, with the workspace as the current folder's parent.
    home = HOME if (HOME / "solution").is_dir() else Path.cwd().parent
    os.chdir(home / "solution")
    try:
        return measure(task, home / "solution", output)
    except Exception as error:  # whatever the solution raises, the score is invalid
        return {"score": None, "error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Scores and prints the result; `--result` and `--output` also write files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=Path, default=HOME / "task.json")
    parser.add_argument("--result", type=Path)
    parser.add_argument("--output", type=Path, help="file for the windows and logits")
    arguments = parser.parse_args()
    task = json.loads(arguments.task.read_text())
    result = json.dumps(score(task, arguments.output and arguments.output.resolve()))
    print(result)
    if arguments.result:
        arguments.result.write_text(result)


if __name__ == "__main__":
    main()
