"""Two sandboxes with torch loaded: one for solutions, one for our judge, kept while we run."""

import atexit
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

from harness import sandbox

from .settings import ROOT, Settings, load

INSIDE = ROOT / "inside"
TRACING, JUDGE = "/tracing.py", "/judge.py"
MODULES = (
    "torch", "numpy", "torch.utils._python_dispatch", "torch.overrides", "safetensors.torch",
)  # fmt: skip


def environment(settings: Settings) -> dict[str, str]:
    """Returns the variables that keep thread pools to the promised number of cores."""
    return {"OMP_NUM_THREADS": str(settings.threads), "GOMP_SPINCOUNT": "4000"}


def limits(settings: Settings, wall_s: float) -> sandbox.Limits:
    """Returns the limits of a run that may take so long."""
    return sandbox.Limits(wall_s=wall_s, memory_bytes=(6 << 30) + (settings.constants_mb << 23))


class Worker:
    """One sandbox; its runs come one after another, whoever asks.

    They have a thread of their own: a sandbox ends with the thread that started it.
    """

    def __init__(self, profile: str, files: Mapping[str, Path]) -> None:
        settings = load(profile)
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._warm = sandbox.Warm(
            MODULES,
            readonly=files,
            env=environment(settings),
            limits=limits(settings, settings.run_limit_s),
        )
        atexit.register(self._warm.__exit__, None, None, None)

    def run(self, program: str, tree: Path, layer: Path, cwd: str) -> sandbox.Run:
        """Runs one of our programs over a copy of `tree`; what it wrote lands in `layer`."""
        asked = partial(self._warm.run, [program], workspace=tree, layer=layer, cwd=cwd)
        return self._thread.submit(asked).result()


@cache
def solutions(profile: str) -> Worker:
    """Returns where solutions run; every run is a fork that knows nothing of the ones before."""
    return Worker(profile, {TRACING: INSIDE / "tracing.py"})


@cache
def judge(profile: str) -> Worker:
    """Returns where programs are executed; nothing of a solution ever runs there."""
    names = ("judge.py", "operators.py", "pruning.py")
    return Worker(profile, {f"/{name}": INSIDE / name for name in names})
