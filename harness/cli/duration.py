"""Durations as people write them."""

import re

from harness.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, None: 1}


def seconds(text: str) -> float:
    """Returns a duration such as `90s`, `30m` or `2h` in seconds.

    Raises:
        UsageError: it is not one.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", text.strip())
    if not found:
        raise UsageError(f"{text!r} is not a duration.", hint="Write for example 90s, 30m or 2h.")
    return float(found[1]) * _UNITS[found[2]]


def written(length_s: float) -> str:
    """Returns a duration as people write it: in hours, minutes or seconds, what is shortest."""
    for unit, size in (("h", 3600), ("m", 60)):
        if length_s and length_s % size == 0:
            return f"{length_s / size:g}{unit}"
    return f"{length_s:g}s"
