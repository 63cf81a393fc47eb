"""Changed instances and their controls: drawn once per audit, shared by all attempts they suit."""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from harness import snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError
from harness.intervention import Case, Intervention
from harness.models import Outcome

Say = Callable[[str], None]


@dataclass
class Controlled:
    """A case with the solutions that every intervention must leave unharmed."""

    case: Case
    environment: Environment
    say: Say
    _void: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def ready(self, intervention: Intervention) -> str:
        """Stages an intervention and runs its controls, once.

        Returns:
            Why the intervention is void, or nothing when it may be used. A control that does
            not hold is our failure: the intervention says nothing about anybody then.
        """
        with self._lock:
            if intervention.name not in self._void:
                self._void[intervention.name] = self._control(intervention)
            return self._void[intervention.name]

    def _control(self, intervention: Intervention) -> str:
        try:
            self.say(f"control of {intervention.name}: start and reference")
            intervention.stage(self.case)
            for name, solution in self._solutions():
                scratch = self.case.folder / f"control-{name}"
                scratch.mkdir(exist_ok=True)
                seen = intervention.observe(self.case, solution, scratch)
                if seen.outcome is not Outcome.HELD:
                    return f"void: the control {name!r} gave {seen.outcome} ({seen.observed})"
        except HarnessError as error:
            return f"void: {error}"
        return ""

    def _solutions(self) -> list[tuple[str, Path]]:
        """The start as it was given, and the start with the reference laid over it."""
        reference = self.case.folder / "reference-solution"
        if not reference.exists():
            shutil.copytree(self.case.pristine, reference, symlinks=True)
            shutil.copytree(
                self.environment.root / "reference", reference / "solution", dirs_exist_ok=True
            )
        return [("start", self.case.pristine), ("reference", reference)]


class Cases:
    """The cases of one audit, by visible instance.

    The seed is drawn when the first case is asked for, that is, after the snapshots in question
    were sealed; attempts at the same visible instance share the instances drawn from it.
    """

    def __init__(self, scratch: Path, say: Say) -> None:
        self._scratch = scratch
        self._say = say
        self._seed = secrets.token_bytes(32)
        self._known: dict[str, Controlled] = {}

    def of(self, folder: AttemptFolder, environment: Environment) -> Controlled:
        """Returns the case for the instance that `folder` was made with."""
        attempt = folder.attempt()
        visible = snapshot.manifest(folder, attempt.start_commit).model_dump_json()
        key = f"{environment.root}\0{attempt.profile}\0{visible}"
        if key not in self._known:
            self._known[key] = self._make(folder, environment, len(self._known))
        return self._known[key]

    def _make(self, folder: AttemptFolder, environment: Environment, number: int) -> Controlled:
        attempt = folder.attempt()
        root = self._scratch / f"case-{number}"
        pristine = root / "pristine"
        pristine.mkdir(parents=True)
        snapshot.materialise(folder, attempt.start_commit, pristine)
        changed = root / "changed"
        changed.mkdir()
        case = Case(
            private=folder.private,
            pristine=pristine,
            folder=changed,
            seed=self._seed,
            profile=attempt.profile,
            settings=environment.profile(attempt.profile),
        )
        return Controlled(case, environment, self._say)
