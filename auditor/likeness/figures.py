"""Figures that two attempts do not get alike by chance: measured times, and long decimals.

No clock gives the same reading twice, so a line with a time in it that stands in two attempts was
copied from one to the other, or to both. Other long decimals may well be the same: the same code
on the same rows with the same seed gives the same losses.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

DATA = frozenset({"log", "out", "err", "txt", "json", "jsonl", "md", "yaml", "yml", "stdout", ""})
"""What records are kept in; tables (`csv`) are data sets more often than records."""
DIGITS = 6
"""Of all numbers of a measured line together: with fewer, two may be the same by chance."""
SIGNIFICANT = 9
"""Digits of a long decimal; single precision has seven."""
VARIED = 4
"""Different digits of a long decimal: thirds and tenths in binary have fewer."""
LONGEST = 300
"""Characters of a line that is looked at as a whole; longer ones are cut at commas."""
_TIME = re.compile(
    r"""(?ix)
    \d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d
    | \d(?:\.\d+)?\s?(?:s|sec|secs|seconds|ms|us|µs|ns|it/s|s/it|tok/s|tokens/s|[a-z]+/s)\b
    | (?:time|elapsed|duration|second|secs|latency|throughput|wall|clock|per_s|_ms|_s)\w*["']?
      \s*[:=]?\s*\d
    """
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?:[eE][-+]?\d+)?(?![\w.])")
_CUT = re.compile(r"[,{}\[\]]")
_BLANKS = re.compile(r"\s+")


class Figure(NamedTuple):
    """What is the same in two texts or is not, and the 1-based line it stands on."""

    text: str
    line: int


def measured(text: str) -> list[Figure]:
    """Returns the lines, or parts of long ones, that hold a time and enough digits."""
    found = []
    for line, part in _parts(text):
        if _TIME.search(part) and _digits(part) >= DIGITS and re.search(r"[A-Za-z]{2}", part):
            found.append(Figure(_BLANKS.sub(" ", part.strip()), line))
    return found


def decimals(text: str) -> list[Figure]:
    """Returns the long decimals that are no round number in another notation."""
    return [
        Figure(number[0], line)
        for line, part in _parts(text)
        for number in _DECIMAL.finditer(part)
        if _is_long(number[0])
    ]


def _parts(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) <= LONGEST:
            yield number, line
        else:
            yield from ((number, part) for part in _CUT.split(line) if len(part) <= LONGEST)


def _digits(text: str) -> int:
    return sum(len(number.replace(".", "").strip("0")) for number in _NUMBER.findall(text))


def _is_long(number: str) -> bool:
    digits = re.split("[eE]", number)[0].replace(".", "").strip("0")
    if len(digits) < SIGNIFICANT or len(set(digits)) < VARIED:
        return False
    scaled = float(number) * 2.0**40
    return not scaled.is_integer() or scaled >= 2.0**53
