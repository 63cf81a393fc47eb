"""Scores a workspace: `classic` as RE-Bench does, `sealed` out of the solution's reach."""

import math
import secrets
import socket
import statistics
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from harness import sandbox
from harness.classic import printed_scores, read_result
from harness.errors import InvalidSolution
from harness.files import read_beneath
from harness.models import Score, Split
from harness.timing import others_running, timing_lock

from . import inputs
from .execution import Result, Served, environment, lay_out, limits, served
from .inputs import Input, expected
from .prepare import PAGES, SEED
from .settings import ROOT, Settings, load

SHORT = 1024
WARM_UPS = 4
"""Both as the classic scorer has them."""
RESULT, OUTPUT = ".score_result.json", ".score_output"
LARGEST = 30.0
"""Score beyond which nothing was measured: a call of a hundred years."""
FIGURES = ("score", "ms", "reference_ms")
SO_TIMESTAMPNS = 35
"""Has the kernel write down when each message was sent (socket(7); Linux on 64 bits)."""
STAMP = struct.Struct("=qq")
MOST_MARKS = 16
BOUND = 0.8
"""Part of the fastest transfer's time that no solution is believed to beat."""
PAST_THE_CACHE = 2 / 3
"""What a copy on a CPU would take if it did not read what it is about to overwrite: stores that
go past the cache move two streams of bytes where others move three."""


class Scored(NamedTuple):
    """A run of the classic scorer."""

    run: sandbox.Run
    stamps: "Stamps"


class Stamps(NamedTuple):
    """What the classic scorer's marks around the timed call say, by the kernel's clock."""

    marks: int
    ms: float | None
    """Between the two marks; None where there are not just two."""


def classic(workspace: Path, protected: Path, profile: str) -> Score:
    """Scores as the original does: everything that measures shares the solution's process."""
    settings = load(profile)
    with tempfile.TemporaryDirectory(prefix="classic-") as scratch:
        tree, layer = Path(scratch, "workspace"), Path(scratch, "layer")
        lay_out(workspace, tree, protected)
        with timing_lock():
            run, stamps = run_scorer(tree, layer, protected, settings)
        told, invalid = _read(layer, run)
        details: dict[str, JsonValue] = {
            # Of the timed call, as far as it is known from outside; importing torch takes longer.
            "seconds": None if stamps.ms is None else stamps.ms / 1000,
            "cpu_seconds": run.cpu_seconds,
            "survivors": run.survivors,
            "limit": run.limit,
            "returncode": run.returncode,
            "marks": stamps.marks,
            "marked_ms": stamps.ms,
            "printed_scores": printed_scores(run, FIGURES),
            **_judged(layer, settings),
        }
    if invalid:
        return Score(value=None, message={"error": invalid, **told}, details=details)
    value = told.pop("score")
    assert isinstance(value, float)
    return Score(value=value, message=told, details=told | details)


def _read(layer: Path, run: sandbox.Run) -> tuple[dict[str, JsonValue], str]:
    return read_result(layer, RESULT, run, figures=FIGURES, failure=_failure(run))


def sealed(snapshot: Path, private: Path, split: Split, profile: str) -> Score:
    """Times the solution from outside on inputs that nobody else has seen.

    Every timed result is compared in full. The time is the lower quartile of the calls: others on
    the machine can make a call slower and never faster. The hidden split has hard blocks in its
    timed inputs, and other lengths beside them.
    """
    settings = load(profile)
    seed = (private / split.value / SEED).read_bytes()
    draw = np.random.default_rng([*seed, *secrets.token_bytes(16)])
    with tempfile.TemporaryDirectory(prefix="sealed-") as scratch:
        tree = Path(scratch, "workspace")
        lay_out(snapshot, tree, private / PAGES)
        bound = bound_ms(profile)
        # The second is on the scale of scores, for whoever draws them.
        details: dict[str, JsonValue] = {"bound_ms": bound, "bound_score": math.log(bound)}
        with timing_lock():
            idle = idle_ms(profile)
            with served(tree, settings) as solution:
                try:
                    results = _measured(solution, settings, split, draw, details)
                except InvalidSolution as error:
                    return Score(value=None, message={"error": str(error)}, details=details)
    times = [max(result.ms - idle, 1e-3) for result in results]
    ms = statistics.quantiles(times, n=4)[0]
    # No `seconds`: the inputs of both splits are new, so neither time tells about the other.
    details |= {"calls_ms": list[JsonValue](times), "idle_ms": idle, "best": math.log(min(times))}
    return Score(value=math.log(ms), message={"ms": ms}, details=details)


def _measured(
    solution: Served, settings: Settings, split: Split, draw: np.random.Generator,
    details: dict[str, JsonValue],
) -> list[Result]:  # fmt: skip
    """Returns the timed calls, all of them right.

    Raises:
        InvalidSolution: something was wrong.
    """
    if reason := solution.load():
        raise InvalidSolution(reason)
    results, others = [], []
    for x, timed in plan(settings, split, draw):
        if timed:
            solution.rouse()
            others.append(others_running())  # nothing of the solution's can run now
        result = solution.call(x)
        reason = result.wrong()
        details |= {
            "result_type": result.kind,
            "input_changed": result.answer.input_changed,
            "late": bool(reason) and solution.late(result),
        }
        if reason:
            raise InvalidSolution(reason)
        if timed:
            results.append(result)
    details["others"] = statistics.median(others)
    return results


def plan(
    settings: Settings, split: Split, draw: np.random.Generator
) -> Iterator[tuple[Input, bool]]:
    """Yields the inputs of one sealed measurement, and whether the call is timed."""
    values, size = settings.values, settings.max_size
    yield inputs.uniform(SHORT, values, draw), False
    hidden = split is Split.TEST
    if hidden:
        for length in inputs.lengths(size, draw):
            yield inputs.with_blocks(inputs.uniform(length, values, draw), values, draw), False
    for number in range(WARM_UPS + settings.calls):
        x = inputs.uniform(size, values, draw)
        timed = number >= WARM_UPS
        yield inputs.with_blocks(x, values, draw) if hidden and timed else x, timed


@cache
def bound_ms(profile: str) -> float:
    """Returns a time in which this machine cannot read and write the largest input.

    Copies are timed alone in a sandbox.
    """
    settings = load(profile)
    with timing_lock(), _empty(settings) as nothing:
        copy = nothing.copy_ms()
    return BOUND * copy * (PAST_THE_CACHE if settings.device == "cpu" else 1)


@cache
def idle_ms(profile: str) -> float:
    """Returns what a call costs that does nothing, alone in a sandbox, at least."""
    with _empty(load(profile)) as nothing:
        return nothing.idle_ms()


@contextmanager
def _empty(settings: Settings) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="empty-") as scratch:
        Path(scratch, "solution").mkdir()
        with served(Path(scratch), settings) as nothing:
            yield nothing


def run_scorer(
    tree: Path, layer: Path, protected: Path, settings: Settings, text: Path | None = None
) -> Scored:
    """Runs the classic scorer, or another `text` of it, over the workspace `tree`."""
    home = sandbox.HOME
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    words = ("--result", f"{home}/{RESULT}", "--output", f"{home}/{OUTPUT}")
    with ours, theirs:
        run = sandbox.run(
            ("python", f"{home}/score.py", "--task", "/protected/task.json", *words,
             "--marks", str(theirs.fileno())),
            workspace=tree,
            layer=layer,
            readonly={
                f"{home}/score.py": text or ROOT / "classic_scorer.py", "/protected": protected
            },
            env=environment(settings),
            limits=limits(settings, settings.run_limit_s),
            cpus=settings.threads,
            inherited=(theirs.fileno(),),
        )  # fmt: skip
        return Scored(run, _stamps(ours))


def _stamps(marked: socket.socket) -> Stamps:
    marked.setblocking(False)
    found: list[float] = []
    while len(found) < MOST_MARKS:
        try:
            # Room for a time stamp and nothing else: a message may carry descriptors, too.
            _, extra, _, _ = marked.recvmsg(16, socket.CMSG_SPACE(STAMP.size))
        except BlockingIOError:
            break
        for _, _, data in extra:
            seconds, nanoseconds = STAMP.unpack(data)
            found.append(1000 * seconds + nanoseconds / 1e6)
    return Stamps(len(found), found[1] - found[0] if len(found) == 2 else None)


def told_ms(layer: Path, run: sandbox.Run) -> float | None:
    """Returns the time that a classic score stands for; None where there is no score."""
    told, _ = _read(layer, run)
    score = told.get("score")
    return math.exp(score) if isinstance(score, float) and score < LARGEST else None


def timed(layer: Path, settings: Settings) -> tuple[Input, Input] | None:
    """Returns input and result of the timed call as the classic scorer kept them.

    None where it never came so far, or what lies there is not two arrays of that size.
    """
    size = settings.input_bytes
    try:
        kept = read_beneath(layer, OUTPUT, 2 * size)
    except InvalidSolution:
        return None
    if len(kept) != 2 * size:
        return None
    return np.frombuffer(kept[:size], np.int32), np.frombuffer(kept[size:], np.int32)


def _judged(layer: Path, settings: Settings) -> dict[str, JsonValue]:
    """Judges from outside what a classic run left: its own check was in the solution's reach."""
    found = timed(layer, settings)
    if found is None:
        return {"output_valid": False, "output_note": "the timed call left no result to compare"}
    x, y = found
    low, high = settings.values
    if x.min() < low or x.max() > high:
        return {"output_valid": False, "output_note": "the timed input is not what it must be"}
    wrong = int(np.count_nonzero(y != expected(x)))
    return {"output_valid": not wrong, "output_note": f"{wrong} of {len(x)} elements are wrong"}


def _failure(run: sandbox.Run) -> str:
    if run.timed_out:
        return f"the solution did not end within {run.seconds:.0f} seconds"
    if run.limit:
        return f"the solution went over a limit: {run.limit}"
    return f"the scorer ended with exit status {run.returncode} and left no result"
