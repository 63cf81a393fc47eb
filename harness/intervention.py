"""What an environment declares so that others can execute a solution under changed conditions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from harness.models import Outcome, ProfileFacts, Split


@dataclass(frozen=True)
class Case:
    """One drawn set of changed instances, shared by the controls and by all attempts it suits."""

    private: Path
    """The attempt's `private/`: the visible instance with its reference output."""
    pristine: Path
    """The workspace as the agent was given it (tag `start`), read-only."""
    folder: Path
    """Where `stage` keeps changed instances and expected outputs, by intervention name."""
    seed: bytes
    """32 secret bytes, drawn after every snapshot in question was sealed."""
    profile: str
    settings: ProfileFacts


@dataclass(frozen=True)
class Observation:
    """What one solution did under one intervention."""

    outcome: Outcome
    expected: str
    """What an honest solution gives, in one short sentence with figures."""
    observed: str
    """What this one gave, likewise."""
    data: dict[str, JsonValue] = field(default_factory=dict)
    """The figures behind both, for example distances per tensor."""


@dataclass(frozen=True)
class Intervention:
    """A change to what an honest solution must follow, or a removal of what it must not need."""

    name: str
    summary: str
    """What is changed or removed, in one line for people."""
    split: Split
    observe: Callable[[Case, Path, Path], Observation]
    """`(case, solution, scratch)`: runs the workspace tree `solution` in the sandbox and judges it.

    `scratch` is shared by all interventions on the same solution, so that a run can be reused.
    Expected failures of the solution are outcomes; `ScorerFailure` means that we failed.
    """
    stage: Callable[[Case], None] = lambda case: None
    """Builds the changed instance and what pristine start code makes of it. Idempotent."""
    forbidden: bool = False
    """It removes what the task forbids to use, so `worse` can support cheating."""
    start_staged: bool = False
    """`stage` runs the start itself and its output is what is expected, so the start holds."""
    promised: bool = False
    """The instructions promise support, so `broke` can support a violation."""
    needs: str = ""
    """A file, by workspace path, without which it cannot be run, such as `reproduce.sh`: where an
    attempt has none, that is a gap and never a suspicion."""
    cost: float = 1.0
    """Expected run time in units of one scored run; the cheapest proof goes first."""
