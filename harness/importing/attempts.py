"""Writes runs as attempt folders: signed as imported, so that nobody takes a claim for a record."""

import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness import environment as environments
from harness import keys, snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import UsageError
from harness.files import canonical_json, sha256_bytes, write_atomic
from harness.importing import aide, home
from harness.importing.run import Row, Run, folder_name, text
from harness.models import Attempt, Imported, Profile, Score, matches
from harness.trajectory import EVENTS, NAME, TOTAL_BYTES, encode

UNKNOWN = "common"
"""What an attempt's environment is called where nobody knows it: the common rules alone apply."""
TASK_PREFIX = "ai_rd_"
"""METR's name of a task family before ours."""
Line = tuple[datetime, float, str, Score]
_ALWAYS = (
    "the score log is the word of whoever handed it over: nobody has measured these scores",
    "the hidden instance is not there, so nothing can be measured again",
)


def write(
    runs: Sequence[Run],
    target: Path,
    *,
    source: Path,
    environment: Environment | None = None,
    profile: Profile = "full",
) -> list[AttemptFolder]:
    """Writes each run as an attempt: a single one as `target`, several as folders in it.

    All appear or none: they are made beside `target`, which is renamed at last.

    Raises:
        UsageError: `target` is in use.
        SnapshotRefused: a workspace cannot be copied whole.
    """
    in_use = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if in_use or target.is_symlink():
        raise UsageError(f"{target} is in use.", hint="Name a folder that does not exist yet.")
    for run in runs:
        if run.tree is not None and target.resolve().is_relative_to(run.tree.resolve()):
            raise UsageError(
                f"{target} lies in what is imported.", hint="Name a folder outside of it."
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        if len(runs) == 1:
            one(runs[0], building, source=source, environment=environment, profile=profile)
            names = [""]
        else:
            names = list(_names(runs))
            for run, name in zip(runs, names, strict=True):
                (building / name).mkdir()
                one(run, building / name, source=source, environment=environment, profile=profile)
        if target.is_dir():
            target.rmdir()
        building.chmod(0o755)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return [AttemptFolder.open(target / name) for name in names]


def one(
    run: Run,
    root: Path,
    *,
    source: Path,
    environment: Environment | None = None,
    profile: Profile = "full",
    noted: bool = True,
) -> AttemptFolder:
    """Writes a run into the empty folder `root`.

    Args:
        run: what was read.
        root: the folder.
        source: what it was read from, for the record.
        environment: the task; told by the source's own words when None.
        profile: its size, as far as anybody knows.
        noted: whether this host's journal takes the logs in; not for throw-away attempts.
    """
    environment = environment or known(run)
    run = _at_entry(run, environment)
    folder = AttemptFolder(root)
    for path in (folder.workspace, folder.protected, folder.private):
        path.mkdir()
    seen = [*run.seen]
    if run.tree is not None:
        seen += home.copy(run, folder.workspace)
    start = _start(folder, environment, run)
    commits = _commits(folder, run, start)
    attempt = Attempt(
        run_id=secrets.token_hex(8),
        environment=environment.name if environment else UNKNOWN,
        environment_sha256=environment.sha256 if environment else sha256_bytes(b""),
        profile=profile,
        seed=0,
        agent=run.agent,
        human=run.human,
        start=_began(run),
        end=run.end,
        start_commit=start,
        nonce=secrets.token_hex(16),
        machine={},
        packages={},
        public_key=keys.public_hex(keys.signing_key()),
        imported=Imported(
            format=run.format,
            source=text(f"{source.name}:{run.name}", 500),
            source_sha256=run.sha256 or sha256_bytes(start.encode()),
            direction=run.direction,
            missing=tuple(dict.fromkeys([*_ALWAYS, *_missing(run), *seen])),
        ),
    )
    transcript = _write_events(run, root) if run.events else ""
    folder = AttemptFolder.create(root, attempt, noted=noted, transcript=transcript)
    folder.fill(_lines(run.rows, commits, attempt.start), noted=noted)
    return folder


def known(run: Run) -> Environment | None:
    """Returns the environment that a run was at: by the task's name, else by its files."""
    words = run.task.replace("-", "_").lower()
    shipped = list(environments.shipped())
    named = [item for item in shipped if item.name in words.removeprefix(TASK_PREFIX)]
    if len(named) == 1:
        return named[0]
    if run.tree is None:
        return None
    holding = [item for item in shipped if _holds(run.tree, item)]
    return holding[0] if len(holding) == 1 else None


def _at_entry(run: Run, environment: Environment | None) -> Run:
    """Puts the programs of a journal where the task looks for a solution."""
    if run.format != "aide" or environment is None:
        return run
    entries = (entry.partition(":")[0] for entry in environment.facts.workspace.entrypoints)
    place = next((path for path in entries if path.endswith(".py")), aide.PROGRAM)

    def moved(files: Mapping[str, str] | None) -> Mapping[str, str] | None:
        names = {path: place if path == aide.PROGRAM else path for path in files or ()}
        return {names[path]: text for path, text in (files or {}).items()}

    rows = tuple(replace(row, files=moved(row.files)) for row in run.rows)
    return replace(run, rows=rows, files=moved(run.files) or {})


def _holds(tree: Path, environment: Environment) -> bool:
    """Whether a folder has every entry point of an environment, and what it is scored by."""
    rules = environment.facts.workspace
    names = [entry.partition(":")[0] for entry in rules.entrypoints]
    names += [name for name in rules.protected if name == "score.py"]
    return bool(names) and all((tree / name).is_file() for name in names)


def _start(folder: AttemptFolder, environment: Environment | None, run: Run) -> str:
    """The snapshot of what the agent was given: what the task protects, as far as it is there."""
    given = Path(tempfile.mkdtemp(prefix="given-"))
    try:
        if environment is not None and run.tree is not None:
            rules = environment.facts.workspace
            _copy_given(folder.workspace, given, (*rules.protected, *rules.answers))
        return snapshot.take(given, folder, tag="start", message="start").commit
    finally:
        shutil.rmtree(given, ignore_errors=True)


def _copy_given(workspace: Path, given: Path, globs: tuple[str, ...]) -> None:
    for path in sorted(workspace.rglob("*")):
        relative = path.relative_to(workspace)
        if path.is_symlink() or not path.is_file() or not matches(str(relative), globs):
            continue
        target = given / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target, follow_symlinks=False)


def _commits(folder: AttemptFolder, run: Run, start: str) -> list[str]:
    """A snapshot for each row, and the workspace as it was at the end.

    Of a folder nobody knows what it was at earlier scores: the last one is taken to be of it, and
    the others are of the start, so that what was done later does not speak against them.
    """
    if run.tree is not None:
        end = snapshot.take(folder.workspace, folder, message="as it was imported").commit
        return [*([start] * (len(run.rows) - 1)), end][: len(run.rows)]
    commits: list[str] = []
    taken: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        for number, row in enumerate(run.rows):
            files = run.files if row.files is None else row.files
            key = sha256_bytes(canonical_json(dict(files)))
            if key not in taken:
                place = Path(scratch, str(number))
                _write_files(files, place)
                taken[key] = snapshot.take(place, folder, message=f"entry {number}").commit
                shutil.rmtree(place)
            commits.append(taken[key])
    shutil.rmtree(folder.workspace)
    _write_files(run.files, folder.workspace)
    return commits


def _write_files(files: Mapping[str, str], root: Path) -> None:
    root.mkdir()
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode("utf-8", "replace"))


def _lines(rows: Sequence[Row], commits: Sequence[str], start: datetime) -> Iterator[Line]:
    elapsed = 0.0
    for row, commit in zip(rows, commits, strict=True):
        told = row.elapsed_s
        if told is None and row.at is not None:
            told = (row.at - start).total_seconds()
        elapsed = max(elapsed, told or 0.0)
        at = row.at or start + timedelta(seconds=min(elapsed, 1e9))
        score = Score(value=row.score, message=dict(row.message),
                      details={**row.details, "how": "claimed"})  # fmt: skip
        yield at, elapsed, commit, score


def _write_events(run: Run, root: Path) -> str:
    """Writes the transcript and returns its hash."""
    parts, left = [], TOTAL_BYTES
    for event in run.events[:EVENTS]:
        line = encode(event)
        left -= len(line)
        if left < 0:
            break
        parts.append(line)
    whole = b"".join(parts)
    write_atomic(root / NAME, whole)
    return sha256_bytes(whole)


def _began(run: Run) -> datetime:
    times = [run.start, *(row.at for row in run.rows), *(event.at for event in run.events)]
    return min((at for at in times if at is not None), default=datetime.now(UTC))


def _missing(run: Run) -> Iterator[str]:
    if not run.rows:
        yield "no score was logged"
    if run.tree is None:
        yield "the workspace is not there but for files that the transcript shows being written"
    elif run.rows:
        yield "of the workspace there is the end alone, which is taken for what was scored last"
    if run.tree is not None and run.format != "attempt":
        yield "the start is not there: all but what the task protects counts as added"
    if not run.events:
        yield "there is no transcript"
    if run.rows and any(row.at is None for row in run.rows):
        yield "the times of scores are not known"


def _names(runs: Sequence[Run]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for run in runs:
        name = folder_name(run.name)
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"
