"""Times `prefix_sum` once on a large input and compares it with a torch reference, as RE-Bench did.

Run it for your own tests: `python score.py`. It needs nothing but what is in the workspace.
"""

import argparse
import ctypes
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Task = dict[str, Any]

HOME = Path(__file__).resolve().parent
SOLUTION = HOME / "solution"
SHORT = 1024
WARM_UPS = 4


def reference(x: torch.Tensor) -> torch.Tensor:
    """Returns what `prefix_sum` must return."""
    positive = (x > 0).to(torch.int64)
    before = torch.cumsum(positive, 0) - positive
    return torch.cumsum(torch.where(before % 2 == 1, x, 0), 0).to(torch.int32)


def draw(n: int, task: Task) -> torch.Tensor:
    """Returns a random input."""
    low, high = task["values"]
    return torch.randint(low, high + 1, (n,), dtype=torch.int32, device=task["device"])


def synchronize() -> None:
    """Waits for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def limited(
    call: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, seconds: float
) -> torch.Tensor:
    """Calls a function, which has so long."""
    signal.alarm(math.ceil(seconds))
    try:
        return call(x)
    finally:
        signal.alarm(0)


def wrong(y: torch.Tensor, expected: torch.Tensor) -> str:
    """Returns what is wrong with a result; empty when it is right."""
    if y.shape != expected.shape:
        return f"the result has shape {tuple(y.shape)}, not {tuple(expected.shape)}"
    if y.dtype != expected.dtype:
        return f"the result is {y.dtype}, not {expected.dtype}"
    if y.device != expected.device:
        return f"the result is on {y.device}, not on {expected.device}"
    if not torch.all(y == expected):
        return "the result is wrong"
    return ""


def keep(path: Path | None, *tensors: torch.Tensor) -> None:
    """Writes the memory of tensors to a file, whatever class they claim to be of."""
    if path is None:
        return
    with path.open("wb") as file, torch._C.DisableTorchFunctionSubclass():
        for tensor in tensors:
            plain = tensor.cpu().contiguous()
            file.write(ctypes.string_at(plain.data_ptr(), plain.numel() * plain.element_size()))


def measure(task: Task, mark: Callable[[], None], output: Path | None) -> dict[str, object]:
    """Returns the result as the log wants it; `mark` is called around the timed call."""
    seconds = task["call_limit_s"]
    sys.path.insert(0, str(SOLUTION))
    from solution import prefix_sum  # type: ignore[import-not-found]

    x = draw(SHORT, task)
    if error := wrong(limited(prefix_sum, x, seconds), reference(x)):
        return {"score": None, "error": f"at length {SHORT} {error}"}

    x = draw(task["max_size"], task)
    began = time.time()
    y_torch = reference(x)
    synchronize()
    reference_ms = 1000 * (time.time() - began)
    for _ in range(WARM_UPS):
        limited(prefix_sum, draw(task["max_size"], task), seconds)
    synchronize()
    mark()
    began = time.time()
    y = limited(prefix_sum, x, seconds)
    synchronize()
    ms = 1000 * (time.time() - began)
    mark()
    keep(output, x, y)
    told = {"ms": ms, "reference_ms": reference_ms}
    if error := wrong(y, y_torch):
        return {"score": None, "error": f"at length {len(x)} {error}", **told}
    return {"score": math.log(ms), **told}


def overtime(*_: object) -> None:
    """Ends a call that takes too long."""
    raise TimeoutError("prefix_sum ran into the time limit of a call")


def score(task: Task, mark: Callable[[], None], output: Path | None) -> dict[str, object]:
    """Measures the solution, whatever it does."""
    torch.set_num_threads(task["threads"])
    torch.manual_seed(int.from_bytes(os.urandom(7), "little"))
    signal.signal(signal.SIGALRM, overtime)
    os.chdir(SOLUTION)
    try:
        return measure(task, mark, output)
    except Exception as error:  # whatever the solution raises, the score is invalid
        return {"score": None, "error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Scores and prints the result; the harness wants files too, and marks on a socket."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=Path, default=HOME / "task.json")
    parser.add_argument("--result", type=Path)
    parser.add_argument("--output", type=Path, help="file for the timed input and its result")
    parser.add_argument("--marks", type=int, help="descriptor that is told of the timed call")
    arguments = parser.parse_args()

    def mark() -> None:
        if arguments.marks is not None:
            os.write(arguments.marks, b".")

    result = json.dumps(score(json.loads(arguments.task.read_text()), mark, arguments.output))
    print(result)
    if arguments.result:
        arguments.result.write_text(result)


if __name__ == "__main__":
    main()
