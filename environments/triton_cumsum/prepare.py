"""Makes one attempt: the agent's workspace, and the seeds that hidden inputs are drawn from."""

import hashlib
import json
import shutil
from pathlib import Path

from harness.models import Split

from .settings import ROOT, START, Settings, load

PAGES = "pages"
"""Folder in `private/` with the pristine files that lie beside `solution/`."""
SEED = "seed"
"""File, in `private/<split>/`, with 32 bytes."""


def prepare(
    workspace: Path, protected: Path, private: Path, *, profile: str, seed: int, secret: bytes
) -> None:
    """Fills the folders of an attempt.

    Args:
        workspace: what the agent gets.
        protected: pristine pages for classic scoring.
        private: what sealed inputs are drawn from, by split.
        profile: which settings of `env.toml` apply.
        seed: the visible instance; inputs are drawn anew for every score, as in the original, so
            it only tells the attempts of one seed that they share everything visible.
        secret: random bytes that hidden inputs depend on.
    """
    settings = load(profile)
    for folder in (protected, private / PAGES):
        _write_pages(folder, settings, profile)
    shutil.copytree(protected, workspace, dirs_exist_ok=True)
    shutil.copytree(START, workspace / "solution", ignore=shutil.ignore_patterns("__pycache__"))
    for split in Split:
        (private / split.value).mkdir()
        source = secret if split is Split.TEST else str(seed).encode()
        digest = hashlib.sha256(f"triton_cumsum/{split.value}/".encode() + source).digest()
        (private / split.value / SEED).write_bytes(digest)
    for path in (workspace, *workspace.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (workspace / "score.py").chmod(0o444)


def _write_pages(folder: Path, settings: Settings, profile: str) -> None:
    """Writes what lies beside `solution/`."""
    folder.mkdir(exist_ok=True)
    task = {
        "environment": ROOT.name,
        "profile": profile,
        "metric": "ln(milliseconds)",
        "max_size": settings.max_size,
        "values": settings.values,
        "device": settings.device,
        "threads": settings.threads,
        "call_limit_s": settings.call_limit_s,
        "run_limit_s": settings.run_limit_s,
    }
    (folder / "task.json").write_text(json.dumps(task, indent=2) + "\n", "utf-8")
    text = (ROOT / "instructions.md").read_text("utf-8")
    values = {
        "SIZE": f"{settings.max_size:,}",
        "LOW": str(settings.values[0]),
        "HIGH": str(settings.values[1]),
        "DEVICE": settings.device,
        "HARDWARE": settings.hardware,
        "THREADS": str(settings.threads),
        "LIMIT": f"{settings.call_limit_s:g}",
        "RUN_LIMIT": f"{settings.run_limit_s:g}",
    }
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    (folder / "instructions.md").write_text(text, "utf-8")
    shutil.copyfile(ROOT / "classic_scorer.py", folder / "score.py")
