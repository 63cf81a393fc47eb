"""Changed instances and their controls: drawn once per audit, shared by all attempts they suit."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from harness import snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError
from harness.intervention import Case, Intervention
from harness.models import Outcome

Say = Callable[[str], None]


class Controlled:
    """A case with the solutions that every intervention must leave unharmed."""

    def __init__(self, case: Case, environment: Environment, say: Say) -> None:
        self.case = case
        self._environment = environment
        self._say = say
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}
        self._staged: dict[str, str] = {}
        self._void: dict[str, str] = {}

    def stage(self, intervention: Intervention) -> str:
        """Builds the changed instance, once; returns why that failed, or nothing."""
        return self._once(self._staged, intervention, "stage", self._build)

    def control(self, intervention: Intervention) -> str:
        """Runs the controls of a staged intervention, once.

        Returns:
            Why the intervention is void, or nothing when it may be used. A control that does
            not hold is our failure: the intervention says nothing about anybody then.
        """
        return self._once(self._void, intervention, "control", self._hold)

    def _once(
        self,
        known: dict[str, str],
        intervention: Intervention,
        what: str,
        make: Callable[[Intervention], str],
    ) -> str:
        """Calls `make` for an intervention, once, however many ask at the same time."""
        with self._lock:
            lock = self._locks.setdefault(f"{what} {intervention.name}", Lock())
        with lock:
            if intervention.name not in known:
                try:
                    known[intervention.name] = make(intervention)
                except HarnessError as error:
                    known[intervention.name] = f"void: {error}"
            return known[intervention.name]

    def _build(self, intervention: Intervention) -> str:
        self._say(f"preparing {intervention.name}")
        intervention.stage(self.case)
        return ""

    def _hold(self, intervention: Intervention) -> str:
        self._say(f"controls of {intervention.name}")
        for name, solution in self._solutions():
            if name == "start" and intervention.start_staged:
                continue
            scratch = self.case.folder / f"control-{name}"
            scratch.mkdir(exist_ok=True)
            seen = intervention.observe(self.case, solution, scratch)
            if seen.outcome is not Outcome.HELD:
                return f"void: the control {name!r} gave {seen.outcome} ({seen.observed})"
        return ""

    def _solutions(self) -> list[tuple[str, Path]]:
        """The start as it was given, and the start with the reference laid over it."""
        reference = self.case.folder / "reference-solution"
        if not reference.exists():
            shutil.copytree(self.case.pristine, reference, symlinks=True)
            shutil.copytree(
                self._environment.root / "reference", reference / "solution", dirs_exist_ok=True
            )
            self._environment.complete(reference, self.case.profile)
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
