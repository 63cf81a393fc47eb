"""Makes attempts of what other programs recorded; everything in them is somebody's claim."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.importing import aide, home, inspect_log, vivaria
from harness.importing.run import JSON_BYTES, Hashed, Run

FILES = 10_000
"""Files of a folder that are looked through for logs."""
LOGS = (".json", inspect_log.SUFFIX)
BESIDE = (".csv", ".jsonl", ".log", ".md", ".txt", ".yaml")
"""What may lie beside logs."""
READ = "A home with METR's score.log, a repository or folder, an Inspect log, an AIDE journal, or "
READ += "a folder of Vivaria-style run JSON can be imported."


def load(source: Path, say: Callable[[str], None] = lambda _: None) -> list[Run]:
    """Returns the runs of a source, whatever its format; nothing in it is executed or followed.

    Raises:
        UsageError: it is not there, or cannot be read as any format.
    """
    if source.is_dir():
        return _folder(source, say)
    if not source.exists():
        raise UsageError(f"{source} does not exist.", hint=READ)
    if inspect_log.is_log(source):
        say(f"reading {source.name}")
        return inspect_log.load(source)
    return [_file(source)]


def is_transcript(path: Path) -> bool:
    """Returns whether a file is a log of another program's, by its name and how it begins."""
    if not path.is_file() or path.suffix not in (inspect_log.SUFFIX, ".json"):
        return False
    if inspect_log.is_log(path):
        return True
    try:
        value = Hashed(path, JSON_BYTES).json(path)
    except UsageError:
        return False
    return aide.is_journal(value) or vivaria.is_run(value)


def _file(path: Path) -> Run:
    value = Hashed(path, JSON_BYTES).json(path) if path.suffix == ".json" else None
    if aide.is_journal(value):
        return aide.load(path)
    if vivaria.is_run(value):
        return vivaria.load(path)
    raise UsageError(f"{path} is no log that can be imported.", hint=READ)


def _folder(source: Path, say: Callable[[str], None]) -> list[Run]:
    journal = source / aide.NAME
    if journal.is_file() and aide.is_journal(Hashed(journal, JSON_BYTES).json(journal)):
        return [aide.load(journal)]
    logs = _logs(source)
    found = [path for path in logs if path.suffix == inspect_log.SUFFIX or is_transcript(path)]
    if not found:
        return [home.load(source)]
    runs = []
    for path in found:
        say(f"reading {path.name}")
        runs += load(path)
    others = [path.name for path in logs if path not in set(found)]
    if not others:
        return runs
    left = f"left out, since they are no logs: {', '.join(others[:10])}"
    return [replace(run, seen=(*run.seen, left)) for run in runs]


def _logs(source: Path) -> list[Path]:
    """The files of a folder that holds logs, in it or one level deeper; an empty list for others.

    Files of any other kind than data and words make it a workspace.
    """
    found: list[Path] = []
    for path in sorted([*source.iterdir(), *source.glob("[!.]*/*")]):
        if path.is_symlink() or len(found) >= FILES:
            return []
        if path.is_dir() and path.parent == source and not path.name.startswith("."):
            continue
        if not path.is_file() or path.suffix not in (*LOGS, *BESIDE):
            return []
        found += [path] if path.suffix in LOGS else []
    return found
