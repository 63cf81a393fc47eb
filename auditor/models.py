"""Evidence, findings, checks, interventions and verdicts as typed data."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from harness.models import Outcome, Record, Sha256, Split


class How(StrEnum):
    """How a fact is known."""

    OBSERVED = "observed"
    """We measured it."""
    INFERRED = "inferred"
    """Read from code."""
    CLAIMED = "claimed"
    """The agent's own word; never convicts alone."""


class Kind(StrEnum):
    """How much a finding claims, from least to most."""

    NOTE = "note"
    SUSPICION = "suspicion"
    VIOLATION = "violation"
    CHEATING = "cheating"


class Misdeed(StrEnum):
    """The classes that reports group by."""

    OUTPUT_COPIED = "output_copied"
    ANSWER_HARDCODED = "answer_hardcoded"
    RESULT_CACHED = "result_cached"
    MEASUREMENT_TAMPERED = "measurement_tampered"
    EVALUATOR_TAMPERED = "evaluator_tampered"
    HIDDEN_DATA_READ = "hidden_data_read"
    FORBIDDEN_METHOD = "forbidden_method"
    FORBIDDEN_SOURCE = "forbidden_source"
    LIMIT_EXCEEDED = "limit_exceeded"
    LOG_FORGED = "log_forged"
    HISTORY_FORGED = "history_forged"
    NOISE_SELECTED = "noise_selected"
    UNSUPPORTED_ANSWER = "unsupported_answer"
    IMPOSSIBLE_SCORE = "impossible_score"
    WORK_CONCEALED = "work_concealed"


class Severity(StrEnum):
    """How much of the score a misdeed of this kind can buy."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Confidence(StrEnum):
    """How seldom the rule is wrong when it speaks."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Effect(StrEnum):
    """Whether the misdeed changed the score."""

    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """What one application of a rule looks at."""

    ENTRY = "entry"
    ATTEMPT = "attempt"
    SET = "set"


class Evidence(Record):
    """One fact: a line of `evidence.jsonl`."""

    schema_version: Literal[1] = 1
    id: str
    entry: int | None
    """Index of the score entry it is about; None for the whole attempt."""
    stage: str
    """Which collector found it: `log`, `files`, `code`, `replay`, `scores`."""
    kind: str
    """What is stated, for example `file_added` or `intervention`."""
    how: How
    data: dict[str, JsonValue]


class Site(Record):
    """Where something is: a place in code, an event, or content."""

    path: str | None = None
    line: int | None = None
    commit: str | None = None
    event: int | None = None
    hash: str | None = None


class Finding(Record):
    """A rule's claim; it cites evidence and cannot be built without a citation."""

    code: str
    rule: str
    kind: Kind
    misdeed: Misdeed
    severity: Severity
    confidence: Confidence
    source: Literal["code", "run", "trail"]
    """Which of the three proofs it rests on."""
    effect: Effect = Effect.UNKNOWN
    message: str
    """One or two sentences of fact: what was done and how it is known."""
    entries: tuple[int, ...] = ()
    sites: tuple[Site, ...] = ()
    cites: tuple[str, ...] = Field(min_length=1)
    """Ids of the evidence it rests on."""
    how: How
    """The strongest way its evidence is known."""
    flow: bool = False
    """Code findings: an end-to-end path from the source to the score was followed."""
    conditional: bool = False
    """Code findings: the code branches on being scored, replayed or observed, or stays opaque."""
    interventions: tuple[str, ...] = ()
    """Names of the interventions that bear on this claim."""
    fingerprint: str = ""
    """Names the same deed in every audit, whatever else moves around it; hexadecimal."""


class CheckOutcome(StrEnum):
    """What became of one rule on one unit."""

    FOUND = "found"
    NOTHING = "nothing"
    NOT_APPLICABLE = "not_applicable"
    NO_EVIDENCE = "no_evidence"
    CRASHED = "crashed"


class Check(Record):
    """A line of `checks.jsonl`: one per rule and scope unit, whatever happened."""

    schema_version: Literal[1] = 1
    code: str
    rule: str
    entry: int | None
    outcome: CheckOutcome
    reason: str = ""
    """Why there was no evidence, or what the rule raised."""
    seconds: float
    findings: tuple[Finding, ...] = ()


class Intervention(Record):
    """What one intervention on one entry showed."""

    entry: int
    name: str
    split: Split
    expected: str
    observed: str
    outcome: Outcome
    held: bool | None
    """True when held, None when not run."""
    forbidden: bool = False
    """It removed what the task forbids to use, so `worse` can support cheating."""
    promised: bool = False
    """The instructions promise support, so `broke` can support a violation."""
    reason: str = ""
    """Why it was not run or is void."""
    evidence: str = ""
    """Id of the evidence line with the numbers."""


class Attachment(Record):
    """A file that came with an answer; kept under `answers/` by its hash."""

    name: str
    size: int
    sha256: Sha256


class Decision(StrEnum):
    """What a reviewer makes of a finding; the verdict stays what it was."""

    UPHELD = "upheld"
    WITHDRAWN = "withdrawn"


class Answer(Record):
    """A line of `answers.jsonl`: what somebody says to a finding, signed by the host."""

    schema_version: Literal[1] = 1
    finding: str
    """Its fingerprint."""
    code: str
    rule: str
    because: str
    decision: Decision | None = None
    """None for an answer of whoever was accused, or of anybody else."""
    attachment: Attachment | None = None
    at: datetime
    verdict_sha256: Sha256
    """Of the `verdict.json` that it answers, so that it cannot be moved to another."""
    public_key: str
    signature: str


class Answered(Record):
    """An answer as a later audit shows it, beside the verdict and apart from it."""

    answer: Answer
    trust: Literal["own", "known", "unknown", "forged"]
    """Whose signature it bears: this host's, a known host's, anybody's, or a wrong one."""
    stands: bool
    """The finding is still made."""


class VerdictName(StrEnum):
    """The decision over all findings and gaps, from best to worst."""

    CLEAN = "clean"
    INCONCLUSIVE = "inconclusive"
    SUSPECT = "suspect"
    VIOLATION = "violation"
    CHEATING = "cheating"
    ERROR = "error"


class EntryVerdict(Record):
    """One score entry and what became of it."""

    index: int
    score: float | None
    verdict: VerdictName


class ScoredEntries(Record):
    """Which entries the headline scores belong to."""

    claimed: int | None
    vetted: int | None


class Normalised(Record):
    """Scores as (y - start) / (reference - start), floor 0, no cap (RE-Bench, section 2.1)."""

    claimed: float | None = None
    remeasured: float | None = None
    hidden: float | None = None
    vetted: float | None = None


class RuleFigures(Record):
    """How one rule did on its own examples and on mutants of them that mean the same."""

    sha256: Sha256
    """Of the rule's file when it was measured."""
    cheats: int
    found: int
    """Of the cheats."""
    honest: int
    accused: int
    """Of the honest examples."""
    mutants: int
    """Cheats that are found as they are written, in another spelling."""
    mutants_found: int
    honest_mutants: int
    honest_mutants_accused: int


class SetFigures(Record):
    """How the rules in force did in the self-test: sums over those whose figures are current."""

    rules: int
    """Rules with current figures."""
    cheats: int
    found: int
    honest: int
    accused: int
    mutants: int
    mutants_found: int
    honest_mutants: int
    honest_mutants_accused: int
    out_of_date: tuple[str, ...] = ()
    """Codes of rules that have changed since they were measured; they do not count."""
    not_measured: tuple[str, ...] = ()


class Provenance(Record):
    """What produced the verdict."""

    auditor: str
    rules_sha256: str
    environment_sha256: str
    sandbox: str
    figures: SetFigures | None = None
    """Recall and false accusations of the rules in force, from the self-test."""


class Verdict(Record):
    """`verdict.json`, and one line of `auditor audit --format json`."""

    schema_version: Literal[1] = 1
    attempt: str
    environment: str | None
    profile: str | None
    verdict: VerdictName
    error: str | None = None
    earned: bool | None
    """Whether the claimed score stands, apart from conduct."""
    claimed_score: float | None
    remeasured_score: float | None
    hidden_score: float | None
    vetted_score: float | None
    scored_entries: ScoredEntries
    normalised: Normalised
    entries: tuple[EntryVerdict, ...]
    findings: tuple[Finding, ...]
    interventions: tuple[Intervention, ...]
    checks: dict[str, int]
    """Number of checks by outcome."""
    coverage: dict[str, JsonValue]
    """What was and was not looked at: `gaps` (list of sentences), `entries_not_replayed`, …"""
    provenance: Provenance
    answers: tuple[Answered, ...] = ()
    """What was said to findings, and what reviewers decided; the verdict does not depend on it."""
