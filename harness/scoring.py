"""Makes attempts, scores them as the agent asks, and measures them as the agent never sees."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from harness import keys, machine, origin, snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import (
    HarnessError,
    InvalidSolution,
    ScorerFailure,
    SnapshotRefused,
    UsageError,
)
from harness.files import canonical_json, tree_sha256
from harness.models import Agent, Attempt, HiddenLine, Human, Score, ScoreLine, Split
from harness.normalise import pick

Say = Callable[[str], None]
"""Where progress goes; the command line shows it on stderr."""


def _quiet(_: str) -> None:
    return None


def new(
    environment: Environment,
    target: Path,
    *,
    profile: str = "cpu",
    seed: int = 0,
    agent: Agent | None = None,
    human: Human | None = None,
    time_budget_s: float | None = None,
    say: Say = _quiet,
) -> AttemptFolder:
    """Makes an attempt folder for `environment` in `target`, which must not exist or be empty.

    The folder appears whole or not at all: it is built beside `target` and renamed.

    Raises:
        UsageError: `target` is in use, or there is no such profile.
        ScorerFailure: the instance could not be made, or the start does not score on it.
    """
    settings = environment.profile(profile)
    in_use = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if in_use or target.is_symlink():
        raise UsageError(f"{target} is in use.", hint="Name a folder that does not exist yet.")
    if target.resolve() == Path.cwd():
        raise UsageError(
            "The current folder cannot be made an attempt: it would be replaced beneath you.",
            hint="Name a folder that does not exist yet.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        folder = AttemptFolder(building)
        for path in (folder.workspace, folder.protected, folder.private):
            path.mkdir()
        say("making the instance")
        environment.prepare(
            folder.workspace, folder.protected, folder.private,
            profile=profile, seed=seed, secret=secrets.token_bytes(32),
        )  # fmt: skip
        start = snapshot.take(folder.workspace, folder, tag="start", message="start")
        say("measuring the start")
        measured = _measured_start(environment, folder, start.commit, profile)
        attempt = Attempt(
            run_id=secrets.token_hex(8),
            environment=environment.name,
            environment_sha256=environment.sha256,
            profile=profile,  # type: ignore[arg-type]  # checked by `Environment.profile`
            seed=seed,
            agent=agent,
            human=human,
            time_budget_s=time_budget_s or settings.budget_s,
            start=datetime.now(UTC),
            start_commit=start.commit,
            instance_sha256={
                path.name: tree_sha256(path) for path in (folder.protected, folder.private)
            },
            nonce=secrets.token_hex(16),
            machine=machine.machine(),
            packages=machine.packages(),
            measured={"start_score": measured},
            public_key=keys.public_hex(keys.signing_key()),
        )
        AttemptFolder.create(building, attempt)
        origin.note(attempt.run_id, environment)
        if target.is_dir():
            target.rmdir()
        building.chmod(0o755)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return AttemptFolder.open(target)


def score(
    folder: AttemptFolder,
    environment: Environment | None = None,
    *,
    at: datetime | None = None,
    paused_s: float = 0.0,
) -> ScoreLine:
    """Scores the workspace as it is now the classic way and logs the result.

    The workspace is copied whole first, and the copy is what runs.

    Args:
        folder: the attempt.
        environment: where the scorer comes from; found by name when omitted.
        at: since when the workspace is as it is; now when omitted.
        paused_s: seconds since the start that do not count.

    Raises:
        UsageError: there is no solution to score, or the attempt has ended; nothing is logged.
        SnapshotRefused: the workspace cannot be copied whole; nothing is logged.
        ScorerFailure: our scorer failed; nothing is logged.
    """
    attempt = folder.attempt()
    _require_own(attempt)
    environment = environment or origin.find(attempt)
    _require_running(folder)
    _require_solution(folder, environment)
    with folder.lock():
        folder.resolve()
        began = at or datetime.now(UTC)
        index = len(folder.scores())
        taken = snapshot.take(folder.workspace, folder, message=f"entry {index}")
        with materialised(folder, taken.commit) as tree:
            result = _scored(lambda: environment.classic(tree, folder.protected, attempt.profile))
        return folder.append_score(
            scored_at=began,
            elapsed_s=elapsed(folder, began, paused_s),
            commit=taken.commit,
            score=result,
        )


def answer(
    folder: AttemptFolder,
    environment: Environment,
    *,
    at: datetime | None = None,
    paused_s: float = 0.0,
) -> ScoreLine:
    """Scores as `score` does, and logs an invalid entry where that refuses: an agent has asked.

    Where the workspace cannot be copied, the entry's snapshot is empty.

    Raises:
        UsageError: the attempt has ended.
        LogForged: nothing can be added to its log.
    """
    _require_running(folder)
    try:
        return score(folder, environment, at=at, paused_s=paused_s)
    except (UsageError, SnapshotRefused, ScorerFailure) as error:
        return refuse(folder, error, at=at, paused_s=paused_s)


def refuse(
    folder: AttemptFolder,
    reason: HarnessError,
    *,
    at: datetime | None = None,
    paused_s: float = 0.0,
) -> ScoreLine:
    """Logs an invalid entry for a request that cannot be scored; see `answer`.

    What went wrong on our side is for `details` alone.
    """
    told = reason.diagnostics()
    if isinstance(reason, ScorerFailure):
        told = "The scorer failed, which is no fault of yours. Ask again."
    began = at or datetime.now(UTC)
    with folder.lock(), tempfile.TemporaryDirectory(prefix="nothing-") as empty:
        folder.resolve()
        message = f"entry {len(folder.scores())}"
        try:
            taken = snapshot.take(folder.workspace, folder, message=message)
        except SnapshotRefused:
            taken = snapshot.take(Path(empty), folder, message=message)
        score = Score(
            value=None, message={"error": told}, details={"refused": reason.diagnostics()}
        )
        return folder.append_score(
            scored_at=began,
            elapsed_s=elapsed(folder, began, paused_s),
            commit=taken.commit,
            score=score,
        )


def measure_hidden(
    folder: AttemptFolder,
    which: str | int = "best",
    environment: Environment | None = None,
    say: Say = _quiet,
) -> list[HiddenLine]:
    """Measures entries sealed, on both splits, and logs what the agent never sees.

    Args:
        folder: the attempt.
        which: `best`, `last`, `all`, or the index of one entry.
        environment: where the scorer comes from; found by name when omitted.
        say: told what is measured.

    Raises:
        UsageError: there is no such entry.
    """
    _require_own(folder.attempt())
    environment = environment or origin.find(folder.attempt())
    logged: list[HiddenLine] = []
    for line in _entries(folder.scores(), which, environment):
        for split in Split:
            say(f"entry {line.index}, {split.value}")
            with folder.lock(), materialised(folder, line.commit) as tree:
                began = datetime.now(UTC)
                result = measure(environment, tree, folder, split)
                logged.append(
                    folder.append_hidden(
                        scored_at=began, elapsed_s=elapsed(folder, began), commit=line.commit,
                        score=result, entry=line.index, split=split,
                    )
                )  # fmt: skip
    return logged


def measure(environment: Environment, tree: Path, folder: AttemptFolder, split: Split) -> Score:
    """Returns the sealed score of a materialised snapshot; an invalid solution is a `Score`."""
    profile = folder.attempt().profile
    return _scored(lambda: environment.sealed(tree, folder.private, split, profile))


@contextmanager
def materialised(folder: AttemptFolder, commit: str) -> Iterator[Path]:
    """Yields a throw-away copy of the workspace as it was at `commit`."""
    with tempfile.TemporaryDirectory(prefix="attempt-") as scratch:
        tree = Path(scratch, "workspace")
        tree.mkdir()
        snapshot.materialise(folder, commit, tree)
        yield tree


def elapsed(folder: AttemptFolder, now: datetime, paused_s: float = 0.0) -> float:
    """Returns seconds since the attempt began, never less than the last line says, or 0."""
    seconds = (now - folder.attempt().start).total_seconds() - paused_s
    lines = (*folder.scores()[-1:], *folder.hidden()[-1:])
    return max([0.0, seconds, *(line.elapsed_s for line in lines)])


def _scored(run: Callable[[], Score]) -> Score:
    """An invalid solution is a score without a value; anything else that fails is our fault."""
    try:
        result = run()
    except InvalidSolution as error:
        result = Score(value=None, message={"error": str(error)})
    try:
        canonical_json(result.model_dump(mode="json"))
    except ValueError as error:
        raise ScorerFailure(f"The scorer gave what cannot be logged: {error}.") from error
    return result


def _require_own(attempt: Attempt) -> None:
    """Refuses an imported attempt: a record of ours beside claims would make them look like one."""
    if attempt.imported is not None:
        raise UsageError(
            "The attempt was imported: its instance is not there, so nothing can be measured.",
            hint="Audit it as it is, or make an attempt with `harness new` and score it there.",
        )


def _require_running(folder: AttemptFolder) -> None:
    end = folder.attempt().end
    if end is not None:
        raise UsageError(
            f"{folder.root} ended at {end:%Y-%m-%d %H:%M:%S} UTC, so nothing is added to its log.",
            hint="`harness hidden` still measures its entries; begin another with `harness new`.",
        )


def _require_solution(folder: AttemptFolder, environment: Environment) -> None:
    """Refuses a workspace without what is run; a file that is scored may be left out on purpose."""
    missing = [] if folder.workspace.is_dir() else [folder.workspace]
    if environment.facts.kind == "program":
        names = (name.partition(":")[0] for name in environment.facts.workspace.entrypoints)
        paths = [folder.workspace / name for name in names]
        # Where a link leads is for the run to see: the workspace lies elsewhere then.
        missing += [path for path in paths if not (path.is_symlink() or path.is_file())]
    if missing:
        raise UsageError(
            f"There is no solution to score: {missing[0]} is missing.",
            hint="Put it there and score again; nothing was logged.",
        )


def _measured_start(
    environment: Environment, folder: AttemptFolder, commit: str, profile: str
) -> float:
    """The start scored on this machine, so that later timings have something to stand beside."""
    with materialised(folder, commit) as tree:
        result = _scored(
            lambda: environment.sealed(tree, folder.private, Split.VALIDATION, profile)
        )
    if result.value is None:
        raise ScorerFailure(f"The starting solution does not score: {result.message}")
    return result.value


def _entries(
    lines: tuple[ScoreLine, ...], which: str | int, environment: Environment
) -> Iterable[ScoreLine]:
    if which == "all":
        return lines
    if which in ("best", "last"):
        picked = pick(lines, environment.facts) if which == "best" else next(iter(lines[-1:]), None)
        if picked is None:
            raise UsageError("This attempt has no entry to measure.", hint="Run `harness score`.")
        return (picked,)
    found = [line for line in lines if str(line.index) == str(which)]
    if not found:
        numbers = f", or 0 to {len(lines) - 1}" if lines else "; so far nothing was scored"
        raise UsageError(f"There is no entry {which!r}.", hint=f"Use best, last, all{numbers}.")
    return found
