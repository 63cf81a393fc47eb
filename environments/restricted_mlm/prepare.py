"""Makes one attempt: a language that nobody knows, text in it, and a start that was trained."""

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from harness import keys, sandbox
from harness.cache import cached
from harness.errors import InvalidSolution, ScorerFailure
from harness.models import Split
from harness.reproduction import reproduce

from . import text, workers
from .inside.operators import FAMILIES
from .language import Language, Tokens
from .settings import ROOT, START, Settings, given, load

PAGES = "pages"
"""Folder in `private/` with the pristine files that lie beside `solution/`."""
DATA = "solution/data"
PAGE_FILES = ("instructions.md", "score.py", "task.json", "torch_rule_enforcer.py")
STRETCHES = 256
"""Stretches that training text consists of: many are drawn at once."""
FLOOR_DRAWS = 2


def prepare(
    workspace: Path, protected: Path, private: Path, *, profile: str, seed: int, secret: bytes
) -> None:
    """Fills the folders of an attempt.

    The language is drawn from `seed` and this host's key: the same seed gives the same text here,
    and nobody without the key can draw the language from the published generator.

    Args:
        workspace: what the agent gets.
        protected: pristine pages and text for classic scoring.
        private: the language, and the text of both splits.
        profile: which settings of `env.toml` apply.
        seed: fixes what is visible.
        secret: random bytes that the hidden text depends on.

    Raises:
        ScorerFailure: the start cannot be trained, or text that people must provide is missing.
    """
    visible = np.random.default_rng([*keys.derived(f"{ROOT.name}/{profile}/{seed}")])
    hidden = np.random.default_rng([*hashlib.sha256(b"restricted_mlm/test/" + secret).digest()])
    fill(workspace, protected, private, profile, visible, hidden)


def fill(
    workspace: Path,
    protected: Path,
    private: Path,
    profile: str,
    visible: np.random.Generator,
    hidden: np.random.Generator,
) -> None:
    """Fills the folders of an attempt from two draws, of what agents see and of what they do not.

    Raises:
        ScorerFailure: the start cannot be trained, or text that people must provide is missing.
    """
    settings = load(profile)
    texts = _write_texts(private, settings, visible, hidden)
    floor = _floor(private, settings, visible)
    for folder in (protected, private / PAGES):
        _write_pages(folder, settings, profile, floor)
    for place in (protected / "data", workspace / DATA):
        place.mkdir(parents=True)
        for name in ("train", "val"):
            texts[name].tofile(place / f"{name}.bin")
    shutil.copytree(private / PAGES, workspace, dirs_exist_ok=True)
    solution = workspace / "solution"
    shutil.copytree(
        START, solution, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    for path in (workspace, *workspace.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.suffix == ".sh" else 0o644)
    (workspace / "score.py").chmod(0o444)
    complete(workspace, profile)


def complete(tree: Path, profile: str) -> None:
    """Makes what a solution of ours loads beside its source, with its own `reproduce.sh`.

    Raises:
        ScorerFailure: that failed.
    """
    settings = load(profile)
    inputs: dict[str, str | bytes] = {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    inputs |= {
        "torch ": importlib.metadata.version("torch"), "threads ": str(settings.threads),
    }  # fmt: skip

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="complete-") as scratch:
            copy, layer = Path(scratch, "workspace"), Path(scratch, "layer")
            shutil.copytree(tree, copy)
            try:
                remake(copy, layer, settings)
            except InvalidSolution as error:
                raise ScorerFailure(f"A solution of ours cannot be made: {error}") from error
            for path in layer.glob("solution/*.safetensors"):
                shutil.copyfile(path, folder / path.name)

    for path in cached(ROOT.name, inputs, build).glob("*.safetensors"):
        shutil.copyfile(path, tree / "solution" / path.name)


def remake(
    tree: Path, layer: Path, settings: Settings, watch: Mapping[str, Path] = MappingProxyType({})
) -> sandbox.Run:
    """Has `reproduce.sh` remake what a workspace is scored by.

    Args:
        tree: the workspace.
        layer: receives what was written.
        settings: the profile's figures.
        watch: folders of ours that Python looks into first, by their path inside.

    Raises:
        InvalidSolution: it fails, or takes too long.
    """
    env = workers.environment(settings)
    if watch:
        env |= {"PYTHONPATH": ":".join(watch)}
    return reproduce(
        tree, layer, limits=workers.limits(settings, settings.reproduce_limit_s), env=env,
        readonly=watch,
    )  # fmt: skip


def draw_texts(
    settings: Settings, language: Language, draw: np.random.Generator
) -> dict[str, Tokens]:
    """Returns text in a language to train on, and text to measure on."""
    return {
        "train": language.texts(settings.train_tokens, draw, STRETCHES),
        "val": language.text(settings.val_tokens, draw),
    }


def _write_texts(
    private: Path, settings: Settings, visible: np.random.Generator, hidden: np.random.Generator
) -> dict[str, Tokens]:
    """Draws all text, and writes down what agents never see."""
    if settings.language is None:
        place = given(settings)
        texts = {name: text.read(place / f"{name}.bin") for name in ("train", "val", "test")}
    else:
        language = Language.draw(settings.language, visible)
        language.save(private / text.LANGUAGE)
        texts = draw_texts(settings, language, visible)
        texts["test"] = language.text(settings.val_tokens, hidden)
    for split, name in ((Split.VALIDATION, "val"), (Split.TEST, "test")):
        (private / split.value).mkdir()
        texts[name].tofile(private / split.value / text.TEXT)
    (private / "data").mkdir()
    for name in ("train", "val"):
        texts[name].tofile(private / "data" / f"{name}.bin")
    return texts


def _floor(private: Path, settings: Settings, draw: np.random.Generator) -> float:
    """Returns the least loss on the validation text, over a few draws of masks."""
    language = text.language_of(private)
    if language is None:
        return settings.floor
    val = text.of(private, Split.VALIDATION.value)
    drawn = [text.windows(val, language, settings, draw).least for _ in range(FLOOR_DRAWS)]
    return round(float(np.concatenate(drawn).mean()), 4)


def _write_pages(folder: Path, settings: Settings, profile: str, floor: float) -> None:
    """Writes what lies beside `solution/`."""
    folder.mkdir(exist_ok=True)
    task = {
        "environment": ROOT.name,
        "profile": profile,
        "metric": "ln(loss - floor)",
        "vocab_size": settings.vocab_size,
        "seq_len": settings.seq_len,
        "mask_id": settings.mask_id,
        "mask_fraction": settings.mask_fraction,
        "floor": floor,
        "batch": settings.batch,
        "batches": settings.classic_batches,
        "threads": settings.threads,
        "constants_mb": settings.constants_mb,
        "run_limit_s": settings.run_limit_s,
        "reproduce_limit_s": settings.reproduce_limit_s,
    }
    (folder / "task.json").write_text(json.dumps(task, indent=2) + "\n", "utf-8")
    (folder / "instructions.md").write_text(_instructions(settings, floor), "utf-8")
    shutil.copyfile(ROOT / "classic_scorer.py", folder / "score.py")
    shutil.copyfile(ROOT / "torch_rule_enforcer.py", folder / "torch_rule_enforcer.py")


def _instructions(settings: Settings, floor: float) -> str:
    values = {
        "OPERATORS": "\n".join(f"| {one.allowed} | `{one.example}` |" for one in FAMILIES),
        "LENGTH": str(settings.seq_len),
        "VOCABULARY": str(settings.vocab_size),
        "MASK": str(settings.mask_id),
        "PERCENT": f"{100 * settings.mask_fraction:g}",
        "TRAIN": f"{settings.train_tokens:,}",
        "VAL": f"{settings.val_tokens:,}",
        "FLOOR": f"{floor:.4f}",
        "CONSTANTS": str(settings.constants_mb),
        "REPRODUCE": f"{settings.reproduce_limit_s:g}",
        "HARDWARE": settings.hardware,
        "THREADS": str(settings.threads),
        "LIMIT": f"{settings.run_limit_s:g}",
    }
    page = (ROOT / "instructions.md").read_text("utf-8")
    for key, value in values.items():
        page = page.replace(f"{{{key}}}", value)
    return page
