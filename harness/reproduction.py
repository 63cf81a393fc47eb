"""Has a solution remake what it is scored by, in a workspace of its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from harness import sandbox
from harness.errors import InvalidSolution

SCRIPT = "solution/reproduce.sh"
"""What the instructions of `kind = "artefact"` environments ask for."""


def reproduce(
    tree: Path,
    layer: Path,
    *,
    limits: sandbox.Limits,
    env: Mapping[str, str] = {},
    readonly: Mapping[str, Path] = {},
    cpus: int | None = None,
) -> sandbox.Run:
    """Runs `reproduce.sh` over a copy of the workspace `tree` and lays what it wrote over `tree`.

    Args:
        tree: the workspace; what the run made or removed is made or removed there.
        layer: an empty or missing folder that receives what the run wrote.
        limits: what the run may take.
        env: variables of the run.
        readonly: further files by their path inside.
        cpus: pin the run to this many processors.

    Raises:
        InvalidSolution: it fails or takes more than it may; `tree` is as it was then.
    """
    run = sandbox.run(
        ("bash", "reproduce.sh"), workspace=tree, layer=layer, limits=limits, env=env,
        readonly=readonly, cpus=cpus,
    )  # fmt: skip
    if run.limit:
        raise InvalidSolution(f"{SCRIPT} went over a limit: {run.limit}")
    if run.returncode:
        said = run.stderr.strip().rpartition("\n")[2][:200]
        raise InvalidSolution(f"{SCRIPT} ended with exit status {run.returncode}: {said}")
    lay_over(layer, tree, run.removed)
    return run


def lay_over(layer: Path, tree: Path, removed: tuple[str, ...] = ()) -> None:
    """Lays what a run wrote over the workspace it ran in.

    Links stay links, and nothing is written through one; what is neither file nor link is left out.
    """
    for name in removed:
        _remove(tree / name)
    for path in sorted(layer.rglob("*")):
        target = tree / path.relative_to(layer)
        if path.is_dir() and not path.is_symlink():
            if target.is_symlink() or not target.is_dir():
                _remove(target)
                target.mkdir()
        elif path.is_symlink() or path.is_file():
            _remove(target)
            shutil.copy2(path, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
