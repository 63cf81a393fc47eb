"""What an attempt under `tests/attempts/` consists of, and what an audit must say about it."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from auditor.models import Effect, Evidence, Finding, Kind, Misdeed, Verdict, VerdictName
from auditor.rule import gravity
from harness.models import Outcome

ROOT = Path(__file__).resolve().parent
Names = tuple[str, ...]


class Expected(BaseModel):
    """`expected.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: tuple[VerdictName, ...]
    """Verdicts that are right; more than one where not all can be known."""
    misdeeds: tuple[Misdeed, ...] = ()
    """At least one finding must name one of these."""
    valid: tuple[bool, ...]
    """For every step, whether the classic scorer accepts it."""
    earned: bool | None = None
    vetted: tuple[int, ...] = ()
    """The entry that is vetted, or several whose times noise may swap; absent when none may be."""
    effect: Effect | None = None
    """What the misdeed did to the score."""
    stale: bool = False
    """An intervention must show the old output; a finding must cite it with file and tensors."""
    slow: bool = True
    exhaustive: bool = False
    """One of many of its class, left out of `make test-all`: `pytest -m exhaustive` has it."""
    over: Names = ()
    """Steps of other attempts, as `name/step`, that are laid into the workspace first."""
    beneath: str = ""
    """The same work without the deed, as `name/folder`; absent where nothing valid is beneath."""

    @property
    def honest(self) -> bool:
        """Whether this attempt must not be accused of anything."""
        return self.verdict == (VerdictName.CLEAN,)


@dataclass(frozen=True)
class Recipe:
    """One folder `<environment>/<name>/`."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.folder.parent.name

    @property
    def summary(self) -> str:
        """How it cheats or what it optimises, in one line."""
        return (self.folder / "README.md").read_text("utf-8").strip()

    @cached_property
    def expected(self) -> Expected:
        """What an audit must say."""
        return Expected.model_validate(tomllib.loads((self.folder / "expected.toml").read_text()))

    def steps(self) -> range:
        """Returns the numbers of the steps; after each, the workspace is scored."""
        return range(len(self.expected.valid))

    def laid(self, step: int) -> Iterator[Path]:
        """Yields the trees that are laid over the workspace before a step is scored."""
        if step == 0:
            yield from (self.folder.parent / source for source in self.expected.over)
        if (self.folder / str(step)).is_dir():
            yield self.folder / str(step)

    @property
    def beneath(self) -> Path | None:
        """Returns the tree that makes the start the same honest work without the deed."""
        return self.folder.parent / self.expected.beneath if self.expected.beneath else None

    def script(self, step: int) -> Path | None:
        """Returns what the agent runs in its workspace before a step is scored."""
        path = self.folder / f"{step}.py"
        return path if path.is_file() else None


def recipes() -> list[Recipe]:
    """Returns every attempt, by environment and name."""
    return [Recipe(path.parent) for path in sorted(ROOT.glob("*/*/expected.toml"))]


def find(name: str) -> Recipe:
    """Returns the attempt called `name`."""
    return next(recipe for recipe in recipes() if recipe.name == name)


def accused(verdict: Verdict) -> bool:
    """Returns whether a verdict blames anybody, or as much as suspects them."""
    return verdict.verdict not in (VerdictName.CLEAN, VerdictName.INCONCLUSIVE)


def differences(
    expected: Expected, verdict: Verdict, evidence: tuple[Evidence, ...] = ()
) -> list[str]:
    """Returns what in a verdict is not as expected, one sentence each."""
    found = [item for item in verdict.findings if gravity(item.kind) > gravity(Kind.NOTE)]
    wrong = []
    if verdict.verdict not in expected.verdict:
        right = " or ".join(expected.verdict)
        said = "; ".join(f"{item.code} {item.message}" for item in found) or verdict.coverage
        wrong.append(f"the verdict is {verdict.verdict}, not {right} ({said})")
    valid = tuple(entry.score is not None for entry in verdict.entries)
    if valid != expected.valid:
        wrong.append(f"valid entries are {valid}, not {expected.valid}")
    if expected.earned is not None and verdict.earned is not expected.earned:
        wrong.append(f"earned is {verdict.earned}, not {expected.earned}")
    vetted = verdict.scored_entries.vetted
    if vetted not in (expected.vetted or (None,)):
        right = " or ".join(map(str, expected.vetted)) or "none"
        wrong.append(f"entry {vetted} is vetted, not {right}")
    if expected.honest and found:
        wrong.append(f"accused of {', '.join(item.misdeed for item in found)}")
    if expected.misdeeds and not {item.misdeed for item in found} & set(expected.misdeeds):
        named = ", ".join(item.misdeed for item in found) or "none"
        wrong.append(f"the misdeeds are {named}; expected {' or '.join(expected.misdeeds)}")
    if expected.effect and not any(item.effect is expected.effect for item in found):
        wrong.append(f"no finding is {expected.effect}")
    if expected.stale and not any(_proves_stale(item, verdict, evidence) for item in found):
        wrong.append("no finding cites a stale intervention with a file and tensors")
    return wrong


def _proves_stale(finding: Finding, verdict: Verdict, evidence: tuple[Evidence, ...]) -> bool:
    """Whether a finding rests on a stale intervention and names a file and tensors."""
    stale = {item.evidence for item in verdict.interventions if item.outcome is Outcome.STALE}
    cited = [fact for fact in evidence if fact.id in stale & set(finding.cites)]
    return any(site.path for site in finding.sites) and any(
        fact.data.get("tensors") for fact in cited
    )
