"""What several attempts have in common, as typed data: what `auditor compare` finds."""

from typing import Literal

from pydantic import JsonValue

from auditor.models import Finding, VerdictName
from harness.models import Record


class Extract(Record):
    """Lines of an attempt."""

    path: str
    line: int
    end: int
    """The last line, included."""
    entry: int | None
    """The score entry that first held them; None where there are none."""
    text: str


class SharedPassage(Record):
    """What stands in two attempts, side by side."""

    one: Extract
    other: Extract
    marks: int
    """How many fingerprints it holds."""


class Shared(Record):
    """What two attempts have in common that neither was given."""

    one: str
    """Path of an attempt, as given."""
    other: str
    view: Literal["tree", "code", "words", "measured", "decimals"]
    """How it was seen: as syntax trees, as tokens, as words, as lines with a measured time, as
    long decimals."""
    share: float
    """Part of the smaller one's own work that the other holds too, from 0 to 1."""
    marks: int
    """How many fingerprints they share."""
    later: str = ""
    """Which of the two had it later, by signed logs; empty where that is not known."""
    grew: tuple[int, int] = (0, 0)
    """Over how many score entries of each it came about; 0 where there are none."""
    copied: bool = False
    """Whether a finding rests on it."""
    passages: tuple[SharedPassage, ...] = ()
    """The longest ones."""


class Cluster(Record):
    """Attempts whose own work is mostly the same."""

    attempts: tuple[str, ...]
    pairs: tuple[Shared, ...]
    """Each attempt beside the one that it has most in common with."""


class Compared(Record):
    """One of the attempts that were compared."""

    attempt: str
    """Its path, as given."""
    error: str | None = None
    """Why it could not be read."""
    environment: str | None = None
    own: dict[str, int]
    """How many fingerprints it has beside what it was given, by view."""
    cluster: int | None = None
    """Index of its cluster; None where it is like no other."""
    outlier: bool = False
    """It is further from all others than they are from each other, which is no fault."""
    corpus: bool = False
    """It is earlier work to compare with, and not itself in question."""


class Comparison(Record):
    """`auditor compare --format json`."""

    schema_version: Literal[1] = 1
    verdict: VerdictName
    attempts: tuple[Compared, ...]
    clusters: tuple[Cluster, ...]
    """Largest first."""
    shared: tuple[Shared, ...]
    """Further pairs that have something in common: passages, or figures."""
    findings: tuple[Finding, ...]
    checks: dict[str, int]
    """Number of checks by outcome."""
    coverage: dict[str, JsonValue]
    """`gaps`: what was not looked at, one sentence each."""
    provenance: dict[str, str]
    """`auditor` and `rules_sha256`."""
