"""Finds environment folders and loads what they declare: by path, never by import string."""

import hashlib
import importlib
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import cast, get_args

from pydantic import ValidationError

from harness.errors import ScorerFailure, UsageError
from harness.files import reason, tree_sha256
from harness.honest import HonestRun
from harness.intervention import Intervention
from harness.models import EnvironmentFacts, Profile, ProfileFacts, Score, Split

SHIPPED = Path(__file__).resolve().parent.parent / "environments"
"""The environments that come with this project."""
PROFILES = frozenset(get_args(Profile))


@dataclass(frozen=True)
class Environment:
    """One task: a folder with facts, a start, a reference, a scorer and interventions."""

    root: Path
    facts: EnvironmentFacts

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.name

    @cached_property
    def sha256(self) -> str:
        """Hash over every file of the folder, by path and content."""
        return tree_sha256(self.root)

    def profile(self, name: str) -> ProfileFacts:
        """Returns the settings of a profile.

        Raises:
            UsageError: the environment has no such profile.
        """
        if name not in self.facts.profile:
            known = ", ".join(self.facts.profile)
            raise UsageError(f"{self.name} has no profile {name!r}.", hint=f"It has: {known}.")
        return self.facts.profile[name]

    def prepare(
        self,
        workspace: Path,
        protected: Path,
        private: Path,
        *,
        profile: str,
        seed: int,
        secret: bytes,
    ) -> None:
        """Fills the three folders of an attempt; see the environment's `prepare.py`."""
        run = cast(Callable[..., None], self._module("prepare").prepare)
        run(workspace, protected, private, profile=profile, seed=seed, secret=secret)

    def complete(self, workspace: Path, profile: str) -> None:
        """Makes what a solution of ours is scored by, where the environment says how.

        The source of a reference comes with an environment; what it has learned, of an instance
        that was drawn, does not.
        """
        make = getattr(self._module("prepare"), "complete", None)
        if make is not None:
            cast(Callable[..., None], make)(workspace, profile)

    def classic(self, workspace: Path, protected: Path, profile: str) -> Score:
        """Scores as RE-Bench does, as hackable as the original was."""
        return cast(Score, self._module("score").classic(workspace, protected, profile))

    def sealed(self, snapshot: Path, private: Path, split: Split, profile: str) -> Score:
        """Scores with the parent's clock, in its own process, away from every answer."""
        return cast(Score, self._module("score").sealed(snapshot, private, split, profile))

    def interventions(self) -> tuple[Intervention, ...]:
        """Returns the interventions that the environment declares; empty when it has none."""
        if not (self.root / "interventions.py").is_file():
            return ()
        return cast(tuple[Intervention, ...], self._module("interventions").INTERVENTIONS)

    def honest(self, profile: str, count: int, folder: Path) -> Iterator[HonestRun]:
        """Yields honest runs, made in `folder`; see the environment's `honest.py`.

        Raises:
            UsageError: the environment has none.
        """
        run = cast(Callable[..., Iterator[HonestRun]], self._module("honest").runs)
        yield from run(profile, count, folder)

    def _module(self, name: str) -> ModuleType:
        """Imports `<root>/<name>.py` as part of a package whose path is the folder."""
        package = f"environment_{self.name}_{hashlib.sha256(bytes(self.root)).hexdigest()[:8]}"
        if package not in sys.modules:
            folder = ModuleType(package)
            folder.__path__ = [str(self.root)]
            sys.modules[package] = folder
        try:
            return importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise UsageError(
                f"{self.root} has no {name}.py.",
                hint="An environment folder needs env.toml, prepare.py and score.py.",
            ) from error


def find(name: str) -> Environment:
    """Returns the environment called `name`, or the one in the folder `name`.

    `name` is a person's; a folder must not hide what comes with this project.

    Raises:
        UsageError: there is none.
        ScorerFailure: its `env.toml` cannot be used.
    """
    ours = SHIPPED / name
    folder = ours if "/" not in name and (ours / "env.toml").is_file() else Path(name)
    if not name or not (folder / "env.toml").is_file():
        known = ", ".join(environment.name for environment in shipped())
        raise UsageError(
            f"There is no environment {name!r}.",
            hint=f"Use one of: {known}; or a path to a folder that has an env.toml.",
        )
    return Environment(folder.resolve(), _facts(folder / "env.toml"))


def shipped() -> Iterator[Environment]:
    """Yields the environments that come with this project, by name."""
    for path in sorted(SHIPPED.glob("*/env.toml")):
        yield Environment(path.parent, _facts(path))


def _facts(path: Path) -> EnvironmentFacts:
    try:
        facts = EnvironmentFacts.model_validate(tomllib.loads(path.read_text("utf-8")))
        if unknown := facts.profile.keys() - PROFILES:
            raise ValueError(f"profile.{min(unknown)}: a profile is tiny, cpu or full")
        return facts
    except (OSError, ValueError, ValidationError) as error:
        raise ScorerFailure(
            f"{path} cannot be used: {reason(error)}.", hint="Correct the file and try again."
        ) from error
