"""The time budget of a run, by the parent's clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Counts from when it is made; stands still while it is paused."""

    def __init__(self, budget_s: float, elapsed_s: float = 0.0) -> None:
        self.budget_s = budget_s
        self._began = time.monotonic() - elapsed_s
        self._paused_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds that count."""
        return time.monotonic() - self._began - self._paused_s

    @property
    def left_s(self) -> float:
        """Seconds of the budget that are left; never negative."""
        return max(0.0, self.budget_s - self.elapsed_s)

    @property
    def paused_s(self) -> float:
        """Seconds that do not count."""
        return self._paused_s

    def spare(self, seconds: float) -> None:
        """Does not count so many of the seconds that have passed."""
        self._paused_s += seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens here does not count."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.spare(time.monotonic() - began)
