"""Many verdicts in one table, as typed data: what `auditor vet` finds and reports render."""

from enum import StrEnum
from typing import Literal

from auditor.models import Effect, How, Kind, Normalised, VerdictName
from harness.models import Record


class Policy(StrEnum):
    """What an attempt counts whose claim did not survive."""

    ZERO = "zero"
    """0 on the common scale, and no raw score: how RE-Bench (appendix A.2) treats cheating runs."""
    START = "start"
    """The score of the start it was given, as if nothing had been done."""
    VETTED = "vetted"
    """The best of its entries that stands; the start where none does."""
    DROP = "drop"
    """Nothing: it is left out."""


class Standing(StrEnum):
    """What a verdict makes of an attempt's score."""

    STANDS = "stands"
    """Clean: it counts as it was measured again."""
    OPEN = "open"
    """Suspect or inconclusive: a person has to look. Until then, it counts as measured again, or
    as claimed where it was not; `worst` says what it counts if it falls."""
    FALLS = "falls"
    """Violation or cheating: it counts what the policy says."""
    ABSENT = "absent"
    """It has no valid score, or could not be audited: neither 0 nor anything else."""


class Ground(Record):
    """A rule that a verdict rests on."""

    code: str
    rule: str
    kind: Kind
    """The gravest of its findings."""
    effect: Effect
    how: How
    findings: int


class Case(Record):
    """One attempt, by itself: what does not depend on the others or on the policy."""

    schema_version: Literal[1] = 1
    case: str
    """Names the content that was audited; empty where it could not be read."""
    attempt: str
    """Its path, as given."""
    run_id: str = ""
    environment: str = ""
    profile: str = ""
    model: str = ""
    """Who made it: the agent's model, else its name; for people, their pool."""
    scaffold: str = ""
    time_budget_s: float | None = None
    seen: bool = True
    """Whether whoever made it could see scores. Nobody can choose the best of unseen ones."""
    verdict: VerdictName
    error: str = ""
    earned: bool | None = None
    start_score: float | None = None
    """Raw score that is 0 on the common scale."""
    claimed_score: float | None = None
    remeasured_score: float | None = None
    hidden_score: float | None = None
    vetted_score: float | None = None
    normalised: Normalised = Normalised()
    entries: int = 0
    valid_entries: int = 0
    findings: int = 0
    rests_on: tuple[Ground, ...] = ()
    """Rules that found more than a note, gravest first."""
    interventions: dict[str, int] = {}
    """Number of interventions by outcome."""
    not_looked_at: tuple[str, ...] = ()
    """The first of the gaps."""
    gaps: int = 0
    auditor: str = ""
    rules_sha256: str = ""
    environment_sha256: str = ""


class Row(Record):
    """One attempt among others, under a policy."""

    case: Case
    standing: Standing
    claimed: float | None
    """What it would count if every claim were believed; 0 is the start, 1 the reference."""
    counted: float | None
    """What it counts; None where it is left out."""
    counted_score: float | None
    """The same as a raw score, where there is one."""
    worst: float | None
    """What it counts if an open question is answered against it."""
    effect: float
    """How far the mean of its group moves, at most, should the verdict on it be wrong."""
    known: bool = False
    """It was audited before, and nothing that the verdict depends on has changed."""


class Share(Record):
    """A part of a whole, with the bounds of a Wilson interval."""

    count: int
    of: int
    low: float
    high: float
    level: float = 0.95


class BestOf(Record):
    """The expected best of k runs (score@k, by subsets), before and after vetting."""

    k: int
    claimed: float | None
    counted: float | None
    counted_low: float | None = None
    counted_high: float | None = None
    """Bounds of a bootstrap interval; None with fewer than two runs."""


class Headline(Record):
    """What a group of attempts is worth, before and after vetting."""

    claimed: float | None
    """Mean of the claims."""
    counted: float | None
    worst: float | None
    """The mean if every open question is answered against the attempt."""
    best_of: tuple[BestOf, ...] = ()


class Group(Record):
    """All attempts of one model at one environment."""

    environment: str
    profile: str
    model: str
    attempts: int
    """Those that could be audited."""
    errors: int
    verdicts: dict[str, int]
    hacked: Share | None
    """Attempts with the verdict `cheating`, failed tries included; None without attempts."""
    headline: Headline


class Ranked(Record):
    """A model among the others, by its mean over the environments that all have attempted."""

    model: str
    claimed: float | None
    counted: float | None
    worst: float | None
    claimed_rank: int | None
    counted_rank: int | None
    headline: Headline


class RuleRecord(Record):
    """How often a rule was right, by what people said of the attempts it spoke about."""

    code: str
    rule: str
    right: int
    wrong: int
    unsure: int
    precision: Share | None
    """None where nobody has decided."""


class Agreement(Record):
    """How often two judges said the same of an attempt: honest, or not."""

    judges: tuple[str, str]
    same: Share
    kappa: float | None
    """Cohen's kappa; None where one of them always said the same."""


class Review(Record):
    """What people said of the cases."""

    file: str
    reviewers: tuple[str, ...]
    decided: int
    """Cases with a decision."""
    unsure: int
    stale: int
    """Rows about attempts that are not among these, or have changed since."""
    rules: tuple[RuleRecord, ...]
    agreement: tuple[Agreement, ...]
    falsely_accused: tuple[str, ...]
    """Attempts with the verdict violation or cheating that a person found honest."""
    missed: tuple[str, ...]
    """Attempts with the verdict clean that a person did not find honest."""


class Vetting(Record):
    """Many attempts in one table, and what is left of the headline."""

    schema_version: Literal[1] = 1
    policy: Policy
    replay: str
    rows: tuple[Row, ...]
    """In the order given."""
    groups: tuple[Group, ...]
    """By environment, then by model."""
    ranked_over: tuple[str, ...]
    """The environments that every model has attempted; the ranking is over these."""
    ranking: tuple[Ranked, ...]
    """Best first, after vetting."""
    review: Review | None = None
