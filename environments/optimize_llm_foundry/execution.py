"""Runs `bash finetune.sh` in the sandbox and reads what it wrote, from outside."""

from pathlib import Path

from harness import sandbox
from harness.errors import InvalidSolution
from harness.files import read_beneath

from .instance import Instance
from .settings import Settings
from .weights import SPARE_BYTES

COMMAND = ("bash", "finetune.sh")
MODEL = "solution/trained_model/model.safetensors"
CONFIG = "solution/trained_model/config.json"
CONFIG_BYTES = 1 << 16


def limits(settings: Settings) -> sandbox.Limits:
    """Returns the limits of one scored run."""
    return sandbox.Limits(wall_s=settings.run_limit_s)


def execute(tree: Path, layer: Path, settings: Settings) -> sandbox.Run:
    """Runs the solution of the workspace `tree`; what it writes lands in `layer`."""
    return sandbox.run(
        COMMAND,
        workspace=tree,
        layer=layer,
        env=threads(settings),
        limits=limits(settings),
        cpus=settings.threads,
    )


def threads(settings: Settings) -> dict[str, str]:
    """Returns the environment that keeps thread pools to the promised number of cores."""
    return {"OMP_NUM_THREADS": str(settings.threads)}


def failure(run: sandbox.Run) -> str:
    """Returns why a run gave no result; empty when it ended well."""
    if run.timed_out:
        return f"finetune.sh did not end within {run.seconds:.0f} seconds"
    if run.limit:
        return f"finetune.sh went over the {run.limit} limit"
    if run.returncode != 0:
        return f"finetune.sh ended with exit status {run.returncode}"
    return ""


def read_output(layer: Path, settings: Settings, instance: Instance) -> tuple[bytes, bytes]:
    """Returns the bytes of the model and of its configuration.

    Raises:
        InvalidSolution: one is missing, too large, or not a plain file of its own.
    """
    cap = (instance.base / "model.safetensors").stat().st_size + SPARE_BYTES
    return read_beneath(layer, MODEL, cap), read_beneath(layer, CONFIG, CONFIG_BYTES)
