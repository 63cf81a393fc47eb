"""Lays out a workspace and calls its `prefix_sum`, one input at a time, from outside."""

import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from harness import sandbox
from harness.errors import InvalidSolution
from harness.sandbox.calls import MOVEMENT

from .inputs import Input, expected
from .settings import ROOT, Settings

PAGES = ("instructions.md", "score.py", "task.json")
PLAIN = "torch.Tensor"
LATE_S = 0.5
"""How long a result that was wrong when it was handed over is waited for."""
IDLE_CALLS = 12
BUSY = 1.5
"""How much more than the least of them idle calls cost on a machine that is not busy."""
SENTENCE = 100


@dataclass(frozen=True)
class Result:
    """What one call gave."""

    x: Input
    answer: sandbox.Answer

    @property
    def ms(self) -> float:
        """Milliseconds from outside, asking included."""
        return 1000 * self.answer.seconds

    @property
    def y(self) -> Input:
        """The result's elements as they lay in memory; shape [n], or [0] if it was not there."""
        return _elements(self.answer.output, len(self.x))

    @property
    def kind(self) -> str:
        """The class of the result, as the server in the solution's process tells it."""
        return _told(self.answer.said.get("type", ""))

    def wrong(self) -> str:
        """Returns what is wrong with it; empty when it is right."""
        said, answer = self.answer.said, self.answer
        where = f"at length {len(self.x)}"
        if answer.limit == MOVEMENT:
            return f"{where} something went on while everything had to stand still"
        if answer.limit:
            return f"{where} prefix_sum did not return ({answer.limit})"
        if answer.error:
            return f"{where} prefix_sum failed: {answer.error}"
        if self.kind != PLAIN:
            return f"{where} the result is a {self.kind or 'thing without a name'}, not a {PLAIN}"
        if said.get("dtype") != "torch.int32" or said.get("shape") != [len(self.x)]:
            shape, dtype = _told(said.get("shape")), _told(said.get("dtype"))
            return f"{where} the result has shape {shape} and is {dtype}"
        if answer.input_changed:
            return f"{where} the input was changed"
        y, right = self.y, expected(self.x)
        if y.shape != right.shape:
            return f"{where} the result cannot be read"
        if not np.array_equal(y, right):
            first = int(np.argmax(y != right))
            return f"{where} the result is wrong from element {first} on"
        return ""

    def is_answer_to(self, x: Input) -> bool:
        """Returns whether it is just what an input of this length, or another, must give."""
        return np.array_equal(self.y, expected(x))


def _elements(output: bytes, length: int) -> Input:
    """Returns what was read of a result; nothing unless it is all there."""
    return np.frombuffer(output if len(output) == 4 * length else b"", dtype=np.int32)


def _told(value: JsonValue) -> str:
    """What the solution's process says, at a length that fits a sentence."""
    return str(value)[:SENTENCE]


class Served:
    """A solution that waits for inputs."""

    def __init__(self, calls: sandbox.Calls, settings: Settings) -> None:
        self._calls, self._settings = calls, settings

    def load(self) -> str:
        """Imports the solution; returns why that failed, or nothing."""
        answer = self._calls.ask({"what": "load", "threads": self._settings.threads})
        if answer.limit:
            return f"solution.py did not load ({answer.limit}) {self._calls.stderr[-300:]}".strip()
        return f"solution.py did not load: {answer.error}" if answer.error else ""

    def call(self, x: Input, offset: int = 0) -> Result:
        """Calls the solution on `x`, which lies `offset` elements into the shared memory."""
        data = np.zeros(offset + len(x), np.int32) if offset else x
        if offset:
            data[offset:] = x
        request: dict[str, JsonValue] = {
            "what": "call", "length": len(x), "offset": 4 * offset,
            "device": self._settings.device,
        }  # fmt: skip
        return Result(x, self._calls.ask(request, data.data, 4 * len(x)))

    def late(self, result: Result) -> bool:
        """Returns whether elements that were wrong when handed over are right a moment later."""
        if result.answer.limit or result.answer.error or result.is_answer_to(result.x):
            return False
        output = self._calls.later(result.answer, 4 * len(result.x), LATE_S)
        return np.array_equal(_elements(output, len(result.x)), expected(result.x))

    def rouse(self) -> None:
        """Has memory and threads as the classic scorer has them before a call."""
        size, device = self._settings.max_size, self._settings.device
        self._calls.ask({"what": "rouse", "length": size, "device": device})

    def idle_ms(self) -> float:
        """Returns what asking costs without any work: what most calls cost at least.

        On a busy machine most of them cost much more than that, and a call that was spared would
        seem to take no time at all if it were taken off: so little more than the least of them is.
        """
        asked = []
        for _ in range(IDLE_CALLS):
            self.rouse()
            asked.append(1000 * self._calls.ask({"what": "empty"}).seconds)
        return min(statistics.quantiles(asked, n=4)[0], BUSY * min(asked))

    def copy_ms(self) -> float:
        """Returns the time of the fastest copy of the largest input, hot and with all threads."""
        request: dict[str, JsonValue] = {
            "what": "copy", "length": self._settings.max_size,
            "device": self._settings.device, "threads": self._settings.threads,
        }  # fmt: skip
        answer = self._calls.ask(request)
        best = answer.said.get("ms")
        return float(best) if isinstance(best, int | float) else 0.0


@contextmanager
def served(tree: Path, settings: Settings) -> Iterator[Served]:
    """Yields the solution of the workspace `tree`, not imported yet."""
    with sandbox.Calls(
        ROOT / "server.py",
        workspace=tree,
        capacity=2 * settings.input_bytes,
        env=environment(settings),
        limits=limits(settings, settings.call_limit_s),
        cpus=settings.threads,
    ) as calls:
        yield Served(calls, settings)


def environment(settings: Settings) -> dict[str, str]:
    """Returns the variables that keep thread pools to the promised number of cores.

    Waiting threads spin only briefly: on cores that are shared with anything else, spinning ones
    hold up the very threads they wait for.
    """
    return {"OMP_NUM_THREADS": str(settings.threads), "GOMP_SPINCOUNT": "4000"}


def limits(settings: Settings, wall_s: float) -> sandbox.Limits:
    """Returns the limits of a run that may take so long."""
    return sandbox.Limits(wall_s=wall_s, memory_bytes=(4 << 30) + 32 * settings.input_bytes)


def lay_out(snapshot: Path, target: Path, pages: Path) -> None:
    """Copies `snapshot` to `target`, with pristine pages beside the solution.

    Raises:
        InvalidSolution: there is no folder `solution`.
    """
    shutil.copytree(snapshot, target, symlinks=True)
    solution = target / "solution"
    if solution.is_symlink() or not solution.is_dir():
        raise InvalidSolution("There is no folder `solution` in the workspace.")
    for name in PAGES:
        page = target / name
        if page.is_dir() and not page.is_symlink():
            shutil.rmtree(page)
        elif os.path.lexists(page):
            page.unlink()
        shutil.copyfile(pages / name, page)
