"""Lays out a workspace, runs `bash finetune.sh` in the sandbox, reads its output from outside."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from harness import sandbox
from harness.errors import InvalidSolution
from harness.files import read_beneath

from .instance import Instance, remove
from .settings import Settings
from .weights import SPARE_BYTES

COMMAND = ("bash", "finetune.sh")
TRAINED = "solution/trained_model"
OUTPUTS = (f"{TRAINED}/model.safetensors", f"{TRAINED}/config.json")
ANSWER = "solution/trained_model_reference"
PAGES = "pages"
"""Folder in `private/` with the protected files that lie beside `solution/`."""
PAGE_FILES = ("instructions.md", "score.py", "task.json")
CONFIG_BYTES = 1 << 16
NAMED = 50
"""How many changed files are named."""


def lay_out(snapshot: Path, target: Path, instance: Instance, pages: Path) -> None:
    """Copies `snapshot` to `target`, with pristine inputs and without earlier outputs.

    Raises:
        InvalidSolution: there is no folder `solution`.
    """
    shutil.copytree(snapshot, target, symlinks=True)
    solution = target / "solution"
    if solution.is_symlink() or not solution.is_dir():
        raise InvalidSolution("There is no folder `solution` in the workspace.")
    instance.lay(solution)
    remove(target / TRAINED)
    for name in PAGE_FILES:
        remove(target / name)
        shutil.copyfile(pages / name, target / name)


def execute(
    tree: Path, layer: Path, settings: Settings, command: Sequence[str] = COMMAND
) -> sandbox.Run:
    """Runs the solution of the workspace `tree`; what it writes lands in `layer`."""
    layer.mkdir(exist_ok=True)
    return sandbox.run(
        command,
        workspace=tree,
        layer=layer,
        env=threads(settings),
        limits=limits(settings),
        cpus=settings.threads,
    )


def limits(settings: Settings, spare_s: float = 0.0) -> sandbox.Limits:
    """Returns the limits of one scored run; large models need more than the usual."""
    usual = sandbox.Limits()
    memory, disk = settings.memory_gb << 30, settings.disk_gb << 30
    return sandbox.Limits(
        wall_s=settings.run_limit_s + spare_s,
        memory_bytes=memory or usual.memory_bytes,
        disk_bytes=disk or usual.disk_bytes,
        file_bytes=disk or usual.file_bytes,
    )


def threads(settings: Settings) -> dict[str, str]:
    """Returns the environment that keeps thread pools to the promised number of cores.

    Waiting threads spin only briefly: where two runs share their cores, spinning ones hold up
    the very threads they wait for, and a run of 5 s takes more than 100 s. Alone, a run is as fast
    with this count as with the usual one.
    """
    return {"OMP_NUM_THREADS": str(settings.threads), "GOMP_SPINCOUNT": "4000"}


def failure(run: sandbox.Run) -> str:
    """Returns why a run gave no result; empty when it ended well."""
    if run.timed_out:
        return f"finetune.sh did not end within {run.seconds:.0f} seconds"
    if run.limit:
        return f"finetune.sh went over a limit: {run.limit}"
    if run.returncode != 0:
        return f"finetune.sh ended with exit status {run.returncode}"
    return ""


def read_output(layer: Path, instance: Instance, folder: str = TRAINED) -> tuple[bytes, bytes]:
    """Returns the bytes of the model and of its configuration.

    Raises:
        InvalidSolution: one is missing, too large, or not a plain file of its own.
    """
    cap = (instance.base / "model.safetensors").stat().st_size + SPARE_BYTES
    model = read_beneath(layer, f"{folder}/model.safetensors", cap)
    return model, read_beneath(layer, f"{folder}/config.json", CONFIG_BYTES)


def artifacts(model: bytes, config: bytes) -> dict[str, str]:
    """Returns the hashes of an output by workspace path."""
    contents = zip(OUTPUTS, (model, config), strict=True)
    return {path: hashlib.sha256(content).hexdigest() for path, content in contents}


def changed_files(tree: Path, layer: Path) -> list[str]:
    """Returns files of the workspace that the run changed or removed, at most `NAMED` of them."""
    found: list[str] = []
    for path in sorted(layer.rglob("*")):
        relative = path.relative_to(layer)
        if not (path.is_dir() and not path.is_symlink()) and (tree / relative).is_file():
            found.append(str(relative).encode(errors="backslashreplace").decode())
        if len(found) == NAMED:
            break
    return found
