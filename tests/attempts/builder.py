"""Makes the attempts under `tests/attempts/`: a workspace, its steps, a score after each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import environment as environments
from harness import scoring
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.models import Agent, Score, Split
from tests.attempts.recipe import Recipe, find

SEED = 20
"""All attempts share one visible instance, and with it references and the audit's controls."""
STEP_LIMIT_S = 300
Say = Callable[[str], None]


def _quiet(_: str) -> None:
    return None


@dataclass(frozen=True)
class Prepared(Environment):
    """An environment whose instance and start score are made once and then copied.

    Attempts made with it differ in nothing but what their agents do, and cost a run of the start
    less each.
    """

    kept: Path = field(kw_only=True)
    """Folder of the prepared instance."""
    measured: dict[str, Score] = field(default_factory=dict, kw_only=True, hash=False)

    @classmethod
    def of(cls, environment: Environment, kept: Path) -> "Prepared":
        """Returns `environment` with a place to keep what is prepared."""
        return cls(environment.root, environment.facts, kept=kept)

    def prepare(
        self, workspace: Path, protected: Path, private: Path, *, profile: str, seed: int,
        secret: bytes,
    ) -> None:  # fmt: skip
        """Copies the instance of this profile and seed, which is made on first use."""
        kept = self.kept / f"{profile}-{seed}"
        folders = {"workspace": workspace, "protected": protected, "private": private}
        if not kept.exists():
            for name in folders:
                (kept / name).mkdir(parents=True)
            super().prepare(
                *(kept / name for name in folders), profile=profile, seed=seed, secret=secret
            )
        for name, folder in folders.items():
            shutil.copytree(kept / name, folder, symlinks=True, dirs_exist_ok=True)

    def sealed(self, snapshot: Path, private: Path, split: Split, profile: str) -> Score:
        """Returns the start's score, measured on first use; nothing else is measured here."""
        if profile not in self.measured:
            self.measured[profile] = super().sealed(snapshot, private, split, profile)
        return self.measured[profile]


def build(
    name: str,
    target: Path,
    *,
    seed: int = SEED,
    profile: str = "tiny",
    environment: Environment | None = None,
    say: Say = _quiet,
) -> AttemptFolder:
    """Makes the attempt `name` in `target` by doing what its agent does, step by step.

    Args:
        name: a folder of `tests/attempts/<environment>/`.
        target: the attempt folder to make.
        seed: fixes the visible instance.
        profile: which profile of the environment.
        environment: makes the instance; pass a `Prepared` one to share it.
        say: told what is being done.
    """
    recipe = find(name)
    real = environments.find(recipe.environment)
    folder = scoring.new(
        environment or real, target, profile=profile, seed=seed, agent=Agent(name=name), say=say
    )
    for step in recipe.steps():
        say(f"step {step}: the agent works")
        work(recipe, step, folder.workspace)
        say(f"step {step}: scoring")
        line = scoring.score(folder, real)
        shown = "invalid" if line.score is None else f"ln(seconds) {line.score:.2f}"
        say(f"step {step}: {shown}")
    return folder


def work(recipe: Recipe, step: int, workspace: Path) -> None:
    """Lays the step's files over the workspace and runs its script there, as the agent did."""
    for tree in recipe.laid(step):
        shutil.copytree(tree, workspace, symlinks=True, dirs_exist_ok=True)
    script = recipe.script(step)
    if script is None:
        return
    done = subprocess.run(
        [sys.executable, str(script)], cwd=workspace, env=_environment(workspace.parent),
        capture_output=True, text=True, timeout=STEP_LIMIT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stderr[-2000:]}")


def _environment(scratch: Path) -> dict[str, str]:
    """What an agent's shell knows: the interpreter, two threads, a place for temporary files."""
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    return {
        "PATH": binaries,
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "OMP_NUM_THREADS": "2",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
