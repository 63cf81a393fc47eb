"""What was published about the seven tasks: scores of start, reference, people and agents.

One file per environment, named after its folder, whether that folder is here or not, and
`suite.toml` for what holds of all. Each number is as printed; where printed numbers contradict
each other, `inconsistencies` says so, and a test holds that list against the numbers.
"""

import math
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.models import Number, Record
from harness.normalise import normalise

FOLDER = Path(__file__).resolve().parent
SUITE = "suite"
HOURS = 8.0
"""Time limit of a person's run."""
About = Literal["start", "reference", "ceiling", "best_achieved", "experts_above", "agents"]


class Measure(Record):
    """How a raw score follows from what was measured."""

    unit: str
    log: bool = False
    """The score is the natural logarithm of what lies above `floor`."""
    floor: float = 0.0

    def raw(self, value: float) -> float:
        """Returns the raw score for a value in `unit`.

        Raises:
            ValueError: a logarithm is taken of something at or below the floor.
        """
        return math.log(value - self.floor) if self.log else value


class Point(Record):
    """A raw score, and what was measured where that is printed too."""

    score: Number
    measured: Number | None = None


class Ceiling(Record):
    """What experts thought could be reached in a week: worse and better estimate."""

    measured: tuple[Number, Number]
    normalised: tuple[Number, Number]


class Result(Record):
    """A person's raw final score."""

    score: Number
    hours: float | None = None
    """Time taken, where it is printed; else within the limit."""


class AgentResult(Record):
    """A published agent run."""

    agent: str
    measured: Number
    begun_at: Number
    """What the start measured in that run."""
    measured_again: Number | None = None
    note: str = ""


class Inconsistency(Record):
    """Printed numbers of which not all can be right."""

    about: About
    text: str


def _result(value: object) -> object:
    return {"score": value} if isinstance(value, int | float) else value


class Humans(Record):
    """People's runs; `results` is empty where the rows' values are not at hand."""

    source: str
    rows: int
    """How many rows the source has."""
    results: tuple[Annotated[Result, BeforeValidator(_result)], ...] = ()

    @property
    def in_time(self) -> tuple[float, ...]:
        """Raw scores of runs that took no longer than the limit."""
        return tuple(r.score for r in self.results if r.hours is None or r.hours <= HOURS)


class Published(Record):
    """What is public about one environment."""

    title: str
    family: str
    """Name and version of the task family."""
    source: str
    metric: str
    direction: Literal["lower", "higher"]
    aggregate: Literal["best", "last"] = "best"
    score_visible: bool = True
    measure: Measure
    start: Point
    reference: Point
    start_sd: float
    """Standard deviation of the starting score over more than 300 evaluations; unit not stated."""
    ceiling: Ceiling
    best_achieved: Number
    """Normalised, as printed."""
    experts_above: tuple[int, int]
    """How many of how many experts had more than 0.05 after eight hours, as printed."""
    humans: Humans
    agents: tuple[AgentResult, ...] = ()
    inconsistencies: tuple[Inconsistency, ...] = ()

    def normalised(self, score: float) -> float:
        """Returns a raw score on the published scale."""
        value = normalise(score, self.start.score, self.reference.score)
        assert value is not None
        return value

    def people(self) -> tuple[float, ...]:
        """Returns the normalised scores of people's runs within the limit, best first."""
        return tuple(sorted(map(self.normalised, self.humans.in_time), reverse=True))


class Pool(Record):
    """A group of people who took part."""

    name: str
    people: int
    runs: int
    mean: Number
    """Normalised score."""


class Standing(Record):
    """Where an agent stands among people."""

    agent: str
    percentile: Number


class Suite(Record):
    """What is public about all environments together."""

    source: str
    people: int
    runs: int
    mean: Number
    share_above_zero: Number
    share_at_reference: Number
    scores_per_hour: dict[str, Number]
    inconsistencies: dict[Literal["runs", "share_above_zero"], str]
    pools: tuple[Pool, ...] = Field(min_length=1)
    standings: tuple[Standing, ...] = ()


@cache
def published(environment: str) -> Published | None:
    """Returns what is public about an environment; None where nothing is."""
    path = FOLDER / f"{environment}.toml"
    if environment == SUITE or path.parent != FOLDER or not path.is_file():
        return None
    return Published.model_validate(tomllib.loads(path.read_text("utf-8")))


@cache
def suite() -> Suite:
    """Returns what is public about all environments together."""
    return Suite.model_validate(tomllib.loads((FOLDER / f"{SUITE}.toml").read_text("utf-8")))


def known() -> tuple[str, ...]:
    """Returns the names of the environments that something is public about."""
    return tuple(path.stem for path in sorted(FOLDER.glob("*.toml")) if path.stem != SUITE)
