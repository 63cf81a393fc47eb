"""The figures of one profile, read from `env.toml`."""

import os
import random
import tomllib
from functools import cache
from pathlib import Path

from harness.errors import ScorerFailure, UsageError
from harness.models import EnvironmentFacts, ProfileFacts

from .language import Lengths

ROOT = Path(__file__).resolve().parent
START = ROOT / "start"
Option = int | float


class Settings(ProfileFacts):
    """What `[profile.NAME]` says beyond the facts that every environment has."""

    tolerance_fraction: float
    """Allowed distance to the reference output, as a part of its distance to the base model."""
    model: dict[str, int]
    merges: int
    rows: int
    base_rows: int
    """Rows, in many languages, that the base model is trained on."""
    prompt_words: tuple[int, int]
    response_words: tuple[int, int]
    options: dict[str, Option]
    """The shipped `finetune.yaml`."""
    ranges: dict[str, tuple[Option, Option]]
    """Options that a scored run may change, with the values that the instructions promise."""
    base_path: str = ""
    """Folder, beneath `data_home`, with a ready base model; empty where `prepare` trains one."""
    data_path: str = ""
    """Rows, beneath `data_home`, to draw instances from; empty where `prepare` makes them up."""

    memory_gb: int = 0
    disk_gb: int = 0
    """Limits of a run; 0 for the sandbox's own."""

    def others(self, draw: random.Random) -> dict[str, Option]:
        """Draws another value for every promised option but the seed."""
        return {name: self.other(name, draw) for name in self.ranges if name != "seed"}

    def other(self, name: str, draw: random.Random) -> Option:
        """Draws another value of an option."""
        far = self.far(name)
        if isinstance(self.options[name], int):
            return draw.choice(far)
        return round(draw.uniform(*sorted(far)), 6)

    def far(self, name: str) -> list[Option]:
        """Returns values so far from the shipped one that ignoring the option shows.

        All of an integer, the two bounds of another number; the nearest comes first.
        """
        low, high = self.ranges[name]
        shipped = self.options[name]
        if not isinstance(shipped, int):
            bound = low if low and shipped / low > high / shipped else high
            return [(shipped + bound) / 2, bound]
        every = range(int(low), int(high) + 1)
        far = [value for value in every if 2 * abs(value - shipped) >= high - low] or [every[-1]]
        return sorted(far, key=lambda value: abs(value - shipped))

    @property
    def lengths(self) -> Lengths:
        """How long the rows of an instance are."""
        return Lengths(self.prompt_words, self.response_words)


@cache
def load(profile: str) -> Settings:
    """Returns the settings of `profile`.

    Raises:
        UsageError: there is no such profile.
    """
    facts = EnvironmentFacts.model_validate(tomllib.loads((ROOT / "env.toml").read_text("utf-8")))
    if profile not in facts.profile:
        raise UsageError(f"optimize_llm_foundry has no profile {profile!r}.")
    return Settings.model_validate(facts.profile[profile].model_dump())


def data_home() -> Path:
    """Returns the folder where people put what is too large to ship."""
    return Path(os.environ.get("EARNED_DATA", "~/.local/share/earned")).expanduser() / ROOT.name


def given(path: str, what: str) -> Path:
    """Returns where a model or data that people must provide lies.

    Raises:
        ScorerFailure: it is not there.
    """
    place = data_home() / path
    if not place.exists():
        raise ScorerFailure(
            f"This profile needs {what} at {place}, and nothing is there.",
            hint="Put it there, or set EARNED_DATA to the folder above optimize_llm_foundry. "
            "environments/optimize_llm_foundry/README.md describes its form.",
        )
    return place


def full_rows(settings: Settings) -> list[str]:
    """Returns all rows that instances may be drawn from.

    Raises:
        ScorerFailure: the file is missing or holds too few rows.
    """
    place = given(settings.data_path, "training rows")
    lines = [line for line in place.read_text("utf-8").splitlines() if line.strip()]
    if len(lines) < 4 * settings.rows:
        raise ScorerFailure(f"{place} has {len(lines)} rows; {4 * settings.rows} are needed.")
    return lines
