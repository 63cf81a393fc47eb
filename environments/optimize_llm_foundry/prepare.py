"""Makes one attempt's instances, the visible and the hidden, and checks how far apart they lie."""

import json
import random
import shutil
from pathlib import Path

from harness.errors import ScorerFailure

from . import instance as instances
from . import pristine, weights
from .execution import PAGES, threads
from .instance import Instance
from .settings import ROOT, START, Settings, load

APART = 5
"""Outputs for other rows must be this many tolerances away, or an old output might pass as new."""


def prepare(
    workspace: Path, protected: Path, private: Path, *, profile: str, seed: int, secret: bytes
) -> None:
    """Fills the folders of an attempt.

    Args:
        workspace: what the agent gets.
        protected: what the classic scorer may read beside it.
        private: the pristine inputs of both splits; never mounted where the agent's code runs.
        profile: which settings of `env.toml` apply.
        seed: fixes the base model and the visible instance.
        secret: random bytes that fix the hidden instance.

    Raises:
        ScorerFailure: the expected outputs lie too close together, or given data is missing.
    """
    settings = load(profile)
    base = private / "base_model"
    pristine.make_base(base, settings, seed)
    visible = _visible(settings, seed, base)
    hidden = _hidden(settings, secret, base)
    for name, instance in (("validation", visible), ("test", hidden)):
        (private / name).mkdir()
        instance.save(private / name)
    reference = pristine.expected(visible, settings)
    tolerance = _tolerance(visible, hidden, settings)
    for folder in (private / PAGES, protected):
        _write_pages(folder, settings, profile, tolerance)
    visible.lay(protected)
    _fill_workspace(workspace, visible, reference, private / PAGES)


def _visible(settings: Settings, seed: int, base: Path) -> Instance:
    draw = random.Random(f"optimize_llm_foundry/validation/{seed}")  # noqa: S311
    return instances.draw(settings, draw, base)


def _hidden(settings: Settings, secret: bytes, base: Path) -> Instance:
    draw = random.Random(b"optimize_llm_foundry/test/" + secret)  # noqa: S311
    low, high = settings.ranges["seed"]
    seed = draw.randint(int(low), int(high))
    return instances.draw(settings, draw, base).with_options(seed=seed)


def _tolerance(visible: Instance, hidden: Instance, settings: Settings) -> float:
    """Returns the tolerance of the visible instance, once the distances are seen to separate."""
    base = pristine.base_weights(visible)
    outputs = [pristine.expected_weights(one, settings) for one in (visible, hidden)]
    moved = [weights.distance(base, output) for output in outputs]
    between = weights.distance(*outputs)
    if between < APART * settings.tolerance_fraction * max(moved):
        raise ScorerFailure(
            f"The visible and the hidden instance do not separate: their outputs are {between:.4g} "
            f"apart, and the tolerance is {settings.tolerance_fraction * max(moved):.4g}.",
            hint="Use another seed, or settings under which training moves the weights further.",
        )
    return settings.tolerance_fraction * moved[0]


def _fill_workspace(workspace: Path, visible: Instance, reference: Path, pages: Path) -> None:
    shutil.copytree(pages, workspace, dirs_exist_ok=True)
    solution = workspace / "solution"
    shutil.copytree(START, solution, ignore=shutil.ignore_patterns("__pycache__"))
    visible.lay(solution)
    pristine.copy_output(reference, solution / "trained_model_reference")
    for path in (workspace, *workspace.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.suffix == ".sh" else 0o644)
    (workspace / "score.py").chmod(0o444)


def _write_pages(folder: Path, settings: Settings, profile: str, tolerance: float) -> None:
    """Writes what lies beside `solution/`."""
    folder.mkdir(exist_ok=True)
    task = json.dumps(_task(settings, profile, tolerance), indent=2)
    (folder / "task.json").write_text(task + "\n", "utf-8")
    (folder / "instructions.md").write_text(_instructions(settings, tolerance), "utf-8")
    shutil.copyfile(ROOT / "classic_scorer.py", folder / "score.py")


def _task(settings: Settings, profile: str, tolerance: float) -> dict[str, object]:
    return {
        "environment": ROOT.name,
        "profile": profile,
        "metric": "ln(seconds)",
        "tolerance": tolerance,
        "tolerance_fraction": settings.tolerance_fraction,
        "run_limit_s": settings.run_limit_s,
        "threads": settings.threads,
        "environment_variables": threads(settings),
        "rows": settings.rows,
        "model": settings.model,
        "options": settings.ranges,
    }


def _instructions(settings: Settings, tolerance: float) -> str:
    text = (ROOT / "instructions.md").read_text("utf-8")
    options = "\n".join(
        f"| `{name}` | {settings.options[name]} | {low} to {high} |"
        for name, (low, high) in settings.ranges.items()
    )
    values = {
        "OPTIONS": options,
        "TOLERANCE": f"{tolerance:.4g}",
        "PERCENT": f"{100 * settings.tolerance_fraction:g}",
        "LIMIT": f"{settings.run_limit_s:g}",
        "THREADS": str(settings.threads),
        "HARDWARE": settings.hardware,
    }
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text
