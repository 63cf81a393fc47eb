"""The figures of one profile, read from `env.toml`."""

import tomllib
from functools import cache
from pathlib import Path

from harness.errors import UsageError
from harness.models import EnvironmentFacts, ProfileFacts

ROOT = Path(__file__).resolve().parent
START = ROOT / "start"


class Settings(ProfileFacts):
    """What `[profile.NAME]` says beyond the facts that every environment has."""

    max_size: int
    """Length of the timed input, and the greatest that is promised."""
    values: tuple[int, int]
    """Lowest and highest value of an element."""
    device: str
    call_limit_s: float
    """Seconds that one call may take."""
    calls: int
    """Timed calls of one sealed measurement."""

    @property
    def input_bytes(self) -> int:
        """Size of the largest input."""
        return 4 * self.max_size


@cache
def load(profile: str) -> Settings:
    """Returns the settings of `profile`.

    Raises:
        UsageError: there is no such profile.
    """
    facts = EnvironmentFacts.model_validate(tomllib.loads((ROOT / "env.toml").read_text("utf-8")))
    if profile not in facts.profile:
        raise UsageError(f"triton_cumsum has no profile {profile!r}.")
    return Settings.model_validate(facts.profile[profile].model_dump())
