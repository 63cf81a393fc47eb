"""Durations as people write them, both ways."""

import pytest

from harness.cli.duration import seconds, written
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), (" 2 m ", 120), ("0s", 0)],
)
def test_a_duration(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "2d", "-1h", "1h30m", "nan", "1e3"])
def test_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["30m", "2h", "32h", "90s", "15m", "0s", "0.5s"])
def test_written_as_it_is_read(text: str) -> None:
    assert written(seconds(text)) == text
