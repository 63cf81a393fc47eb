"""The files of an attempt folder as typed data: one model per file, frozen, versioned."""

import fnmatch
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Names files of this host, so it can lead nowhere."""
Profile = Literal["tiny", "cpu", "full"]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Split(StrEnum):
    """Which instance a score is measured on."""

    VALIDATION = "validation"
    """The instance the agent sees and optimises."""
    TEST = "test"
    """The hidden instance."""


class Outcome(StrEnum):
    """How an intervention ended."""

    HELD = "held"
    """The output follows, or the score stays within noise."""
    STALE = "stale"
    """The output is what the old instance, or the removed file, would give."""
    WORSE = "worse"
    """Valid, but beyond noise."""
    BROKE = "broke"
    """Crash, time-out, or wrong in another way."""
    NOT_RUN = "not_run"
    """Not tried, or a control failed; a gap, never a suspicion."""


class Record(BaseModel):
    """A value that is written to disk: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Agent(Record):
    """Who made the attempt, when it was an AI agent."""

    name: str
    model: str = ""
    scaffold: str = ""
    version: str = ""
    prompt_sha256: str = ""


class Human(Record):
    """Who made the attempt, when it was a person."""

    pool: str


class Imported(Record):
    """Where an attempt came from that no harness of ours recorded; its scores are claims."""

    format: str
    """`inspect`, `vivaria`, `aide`, `home`, `repository` or `folder`."""
    source: str
    """Name of the file or folder it was read from, and of the run in it where there are several."""
    source_sha256: Sha256
    """Hash over what was read."""
    direction: Literal["lower", "higher"] | None = None
    """Which scores are better, where the source says so."""
    missing: tuple[str, ...] = ()
    """What an attempt of ours holds and this one does not, one sentence each."""


class Attempt(Record):
    """`attempt.json`: the facts of one run at one environment."""

    schema_version: Literal[1] = 1
    run_id: RunId
    environment: str
    """The environment folder's name."""
    environment_sha256: Sha256
    """Hash over every file of the environment folder when the attempt was made."""
    profile: Profile
    seed: int
    """Fixes the visible instance only; the hidden one comes from 32 secret random bytes."""
    agent: Agent | None = None
    human: Human | None = None
    time_budget_s: float | None = None
    start: datetime
    end: datetime | None = None
    start_commit: str
    """Commit of tag `start` in `history.git`."""
    instance_sha256: dict[str, Sha256] = Field(default_factory=dict)
    """Hash over every file of `protected` and of `private`, as `prepare` made them."""
    nonce: str
    """Random, so that two attempts never share a genesis."""
    machine: dict[str, JsonValue]
    """CPU model, cores, memory, kernel: what timings depend on."""
    packages: dict[str, str]
    """Versions of Python and of the packages that a score depends on."""
    measured: dict[str, float] = Field(default_factory=dict)
    """What `harness new` measured on this machine: `start_score`, `reference_score` (raw)."""
    public_key: str
    """Ed25519 verification key, hexadecimal."""
    imported: Imported | None = None
    """None for what this harness recorded itself."""


class Line(Record):
    """What every line of a hash-chained log carries."""

    index: int
    scored_at: datetime
    """Wall clock when scoring began, UTC."""
    elapsed_s: float
    """Monotonic seconds since the attempt began, never decreasing."""
    score: Number | None
    """Raw score; null when the submission was invalid."""
    message: dict[str, JsonValue]
    """What the agent is told."""
    details: dict[str, JsonValue]
    """What only the harness and the auditor see."""
    commit: str
    """Commit in `history.git` of the workspace as it was scored."""
    artifacts: dict[str, Sha256]
    """Scored output files of the run, by workspace path."""
    prev: Sha256
    """`hash` of the line before; 64 zeros for line 0."""
    hash: Sha256
    """SHA-256 of this line's canonical JSON without `hash`."""


class ScoreLine(Line):
    """A line of `scores.jsonl`: a classic score on the validation split."""


class HiddenLine(Line):
    """A line of `hidden.jsonl`: a sealed score that the agent never sees."""

    entry: int
    """Index of the score line whose snapshot was measured."""
    split: Split


class Head(Record):
    """`scores.head.json`, `hidden.head.json`: the signed end of a chain.

    The signature covers `index`, `hash` and `binding`, so that the head also vouches for
    `attempt.json`, the other chain and the snapshots' manifests.
    """

    index: int
    """Index of the last sealed line; -1 for an empty log."""
    hash: Sha256
    binding: dict[str, str]
    """`attempt_sha256`, `other_hash` (the other chain's head hash), `manifests_sha256`; once its
    transcript is complete `trajectory_sha256`; while an attempt is being ended also
    `next_attempt_sha256`, of `attempt.json` with its end."""
    public_key: str
    signature: str


class JournalLine(Record):
    """A line of the host journal, kept outside all attempts, that exposes rollback."""

    run_id: str
    log: Literal["scores", "hidden", "trajectory"]
    index: int
    hash: Sha256
    at: datetime


class Entry(Record):
    """One file-system entry of a snapshot."""

    path: str
    """Relative POSIX path; bytes that git or JSON cannot carry are percent-escaped, as is `%`."""
    type: Literal["file", "folder", "link"]
    mode: int
    size: int = 0
    sha256: str = ""
    """Of the content; empty for folders and links."""
    target: str = ""
    """Link target, escaped likewise."""


class Manifest(Record):
    """Every entry of a snapshot, sorted by path."""

    schema_version: Literal[1] = 1
    entries: tuple[Entry, ...]


class Score(Record):
    """What a scorer found: a value, or none with the reason in `message`."""

    value: Number | None
    message: dict[str, JsonValue] = Field(default_factory=dict)
    """What the agent is told; `error` names the reason of an invalid score."""
    details: dict[str, JsonValue] = Field(default_factory=dict)
    """Never shown to the agent."""
    artifacts: dict[str, Sha256] = Field(default_factory=dict)


class Measured(Record):
    """A score that was measured, with its spread over repeated runs."""

    value: Number
    noise_sd: Number


class Bound(Record):
    """The best score that there can be, whoever tries."""

    value: Number
    why: str
    """Where it comes from: arithmetic, entropy, a measured copy, …"""


class ProfileFacts(Record):
    """`[profile.NAME]` of `env.toml`; further keys are the environment's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    start_score: Measured | None = None
    """None for a profile that was never run here (`full` without its hardware)."""
    reference_score: Measured | None = None
    bound: Bound | None = None
    """What no score can be better than; None where nothing like that is known."""
    budget_s: float
    """Suggested time budget of one attempt."""
    run_limit_s: float
    """Wall-clock limit of one scored run."""
    threads: int
    hardware: str


class WorkspaceFacts(Record):
    """`[workspace]` of `env.toml`; globs are relative to `workspace/`."""

    editable: tuple[str, ...]
    protected: tuple[str, ...]
    """Inputs that are restored by hash before every run; changing them breaks a rule."""
    restored: tuple[str, ...] = ()
    """Inputs that are restored likewise, and that an agent may change for its own experiments."""
    outputs: tuple[str, ...]
    """What a run must write; removed before every run."""
    answers: tuple[str, ...] = ()
    """Reference outputs that lie readable in the workspace; removed in sealed runs."""
    entrypoints: tuple[str, ...]
    derived: tuple[str, ...] = ()
    """Outputs whose weights must come from those that the task gives."""

    def allows(self, path: str) -> bool:
        """Returns whether the agent may edit a workspace path."""
        return matches(path, self.editable)


def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Returns whether a workspace path is one of `globs`, or lies beneath one of them."""
    parts = path.split("/")
    prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    return any(fnmatch.fnmatchcase(prefix, glob) for glob in globs for prefix in prefixes)


class EnvironmentFacts(Record):
    """`env.toml`: facts only, no code and no import strings."""

    title: str
    kind: Literal["program", "artefact"]
    metric: str
    direction: Literal["lower", "higher"]
    aggregate: Literal["best", "last"] = "best"
    score_visible: bool = True
    in_process: bool = True
    """Whether the classic scorer runs the submission in its own process."""
    workspace: WorkspaceFacts
    profile: dict[str, ProfileFacts]
