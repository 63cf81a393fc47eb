"""Has a model called and traced in the sandbox, and its program executed by our judge."""

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import sandbox
from harness.errors import InvalidSolution, ScorerFailure
from harness.files import read_beneath

from . import workers
from .settings import Settings

Ints = NDArray[np.int64]
Logits = NDArray[np.float32]
"""Shape [masked positions, vocabulary], in the order of rows and places."""
PROGRAM_BYTES = 32 << 20
ERROR_BYTES = 4096
SPARE = 4096
"""Bytes of a file's header."""


class Call(NamedTuple):
    """One call of a model: on which batch, whether traced, whether under the enforcer's flag."""

    batch: int
    traced: bool
    flag: bool = True


@dataclass(frozen=True)
class Traced:
    """A program as the sandbox wrote it down; none of it is believed."""

    text: bytes
    exports: tuple[str, ...]
    """Ways by which numbers left the tensors, as far as they were not hidden."""
    storages: frozenset[str]


@dataclass(frozen=True)
class Called:
    """What calls of a model gave."""

    logits: tuple[Logits, ...]
    """Per call, at the masked positions of its batch."""
    programs: tuple[Traced | None, ...]
    """Per call; None where it was not traced."""
    storages: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """Why a program was not executed."""

    kind: str
    """`operator` and `index` break a rule; `form` is anything else."""
    reason: str


def call(
    tree: Path, batches: Sequence[Ints], calls: Sequence[Call], settings: Settings, profile: str
) -> Called:
    """Calls the model of a workspace in one fresh process.

    Args:
        tree: the workspace, laid out.
        batches: tokens with masks, each of shape [batch, length].
        calls: which batches, in which order.
        settings: the profile's figures.
        profile: its name.

    Raises:
        InvalidSolution: it failed, or what it wrote is not what was asked for.
    """
    with _put(tree, ".request.json", ".tokens.npy", ".out", ".error"), _scratch() as layer:
        (tree / ".request.json").write_text(json.dumps(_request(calls, settings)))
        np.save(tree / ".tokens.npy", np.stack(batches).astype(np.int32))
        for name in (".request.json", ".tokens.npy"):
            (tree / name).chmod(0o644)
        run = workers.solutions(profile).run(workers.TRACING, tree, layer, "solution")
        if run.limit or run.returncode:
            raise InvalidSolution(_failure(run, layer))
        return _called(layer, batches, calls, settings)


def execute(
    called: Called,
    jobs: Sequence[tuple[Traced, int]],
    batches: Sequence[Ints],
    settings: Settings,
    profile: str,
) -> list[Logits | Refusal]:
    """Executes programs on tokens, in a process that knows no solution.

    Args:
        called: where the programs come from, with what they need.
        jobs: programs, and which of `batches` each is executed on.
        batches: tokens with masks, each of shape [batch, length].
        settings: the profile's figures.
        profile: its name.
    """
    texts = list(dict.fromkeys(program.text for program, _ in jobs))
    with _scratch() as folder, _scratch() as layer:
        for number, text in enumerate(texts):
            (folder / f"program-{number}.json").write_bytes(text)
        for name, data in called.storages.items():
            (folder / f"storage-{name}").write_bytes(data)
        np.save(folder / "tokens.npy", np.stack(batches).astype(np.int32))
        request = {
            "threads": settings.threads,
            "mask_id": settings.mask_id,
            "vocab_size": settings.vocab_size,
            "programs": len(texts),
            "storages": list(called.storages),
            "jobs": [[texts.index(program.text), batch] for program, batch in jobs],
        }
        (folder / "request.json").write_text(json.dumps(request))
        for path in folder.iterdir():
            path.chmod(0o644)
        run = workers.judge(profile).run(workers.JUDGE, folder, layer, ".")
        if run.limit or run.returncode:
            why = run.limit or run.stderr[-300:]
            return [Refusal("form", f"the traced program cannot be executed: {why}")] * len(jobs)
        told = json.loads((layer / "told.json").read_text())
        return [
            Refusal(**one) if one else _judged(layer, number) for number, one in enumerate(told)
        ]


def _request(calls: Sequence[Call], settings: Settings) -> dict[str, Any]:
    return {
        "threads": settings.threads,
        "mask_id": settings.mask_id,
        "vocab_size": settings.vocab_size,
        "calls": [list(one) for one in calls],
    }


def _called(
    layer: Path, batches: Sequence[Ints], calls: Sequence[Call], settings: Settings
) -> Called:
    logits, programs, storages = [], [], dict[str, bytes]()
    for number, one in enumerate(calls):
        count = int((batches[one.batch] == settings.mask_id).sum())
        logits.append(_logits(layer, f".out/logits-{number}.npy", count, settings))
        program = _program(layer, number, storages, settings) if one.traced else None
        programs.append(program)
    return Called(tuple(logits), tuple(programs), storages)


def _program(layer: Path, number: int, storages: dict[str, bytes], settings: Settings) -> Traced:
    text = read_beneath(layer, f".out/program-{number}.json", PROGRAM_BYTES)
    needed: set[str] = set()
    try:
        told = json.loads(text)
        exports = tuple(str(item)[:40] for item in told["exports"][:20])
        for constant in told["constants"].values():
            if "storage" in constant:
                needed.add(str(constant["storage"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidSolution("The trace of the model is not readable.") from error
    most = settings.constants_mb << 20
    for name in needed - storages.keys():
        if not name.isalnum() or len(name) != 64:
            raise InvalidSolution("The trace of the model is not readable.")
        left = most - sum(map(len, storages.values()))
        storages[name] = read_beneath(layer, f".out/storage-{name}", max(left, 0))
    return Traced(text, exports, frozenset(needed))


def _logits(layer: Path, name: str, count: int, settings: Settings) -> Logits:
    size = 4 * count * settings.vocab_size + SPARE
    try:
        found = np.load(io.BytesIO(read_beneath(layer, name, size)), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InvalidSolution("The model's logits are not readable.") from error
    if not isinstance(found, np.ndarray) or found.dtype != np.float32:
        raise InvalidSolution("The model's logits are not readable.")
    if found.shape != (count, settings.vocab_size):
        raise InvalidSolution(f"The logits at masked positions have shape {found.shape}.")
    if not np.isfinite(found).all():
        raise InvalidSolution("The logits are not finite.")
    return found


def _judged(layer: Path, number: int) -> Logits:
    found = np.load(layer / f"logits-{number}.npy", allow_pickle=False)
    if found.dtype != np.float32:
        raise ScorerFailure("Our judge wrote what it cannot write.")
    return np.asarray(found)


def _failure(run: sandbox.Run, layer: Path) -> str:
    if run.timed_out:
        return f"The model did not answer within {run.seconds:.0f} seconds."
    if run.limit:
        return f"The model went over a limit: {run.limit}."
    try:
        said = read_beneath(layer, ".error", ERROR_BYTES).decode("utf-8", "replace")
    except InvalidSolution:
        said = f"exit status {run.returncode}"
    return f"The model failed: {said}"


@contextmanager
def _put(tree: Path, *names: str) -> Iterator[None]:
    """Makes room for our files in a workspace, and takes them away again."""
    for name in names:
        remove(tree / name)
    try:
        yield
    finally:
        for name in names:
            remove(tree / name)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def remove(path: Path) -> None:
    """Deletes what is at `path`, whatever it is; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
