"""Reads what a classic scorer wrote: a file that the solution may have written instead."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from harness.errors import InvalidSolution
from harness.files import read_beneath
from harness.sandbox import Run

RESULT_BYTES = 1 << 16
LINES = 1000
"""How many of the last lines that a scorer printed are looked at."""
TAIL = 2000
"""How many characters of a failed run's messages the agent is shown."""


def read_result(
    layer: Path, name: str, run: Run, *, figures: Sequence[str], failure: str
) -> tuple[dict[str, JsonValue], str]:
    """Returns what the scorer told, and why the score is invalid (else empty).

    Args:
        layer: holds what the run wrote.
        name: the result's path in it.
        run: the run of the scorer.
        figures: keys that are passed on where they are finite numbers; `score` must be one.
        failure: what is wrong where there is no result.
    """
    try:
        result = json.loads(read_beneath(layer, name, RESULT_BYTES))
    except (InvalidSolution, ValueError, RecursionError):
        return {"stderr": run.stderr[-TAIL:]}, failure
    if not isinstance(result, dict):
        return {}, "the scorer left no result"
    told = {key: result[key] for key in figures if _is_number(result.get(key))}
    if isinstance(error := result.get("error"), str):
        told.pop("score", None)
        # Half a surrogate pair cannot be logged.
        readable = error[:TAIL].encode("utf-8", "replace").decode()
        return {**told, "stderr": run.stderr[-TAIL:]}, readable
    return told, "" if "score" in told else "the scorer gave no number"


def printed_scores(run: Run, figures: Sequence[str]) -> list[JsonValue]:
    """Returns the scores in what a scorer printed: lines that are objects with all `figures`.

    What it printed and what it wrote are one text, until somebody changes one of the two.
    """
    found: list[JsonValue] = []
    for line in run.stdout.splitlines()[-LINES:]:
        try:
            said = json.loads(line) if line.startswith("{") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and said.keys() >= set(figures) and _is_number(said["score"]):
            found.append(said["score"])
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
