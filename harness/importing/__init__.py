"""Makes attempts of what other programs recorded; everything in them is somebody's claim."""

from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError
from harness.importing import aide, home, inspect_log, vivaria
from harness.importing.run import JSON_BYTES, Hashed, Run

FILES = 10_000
"""Files of a folder that are looked through for logs."""
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
    names = _plain_files(source)
    logs = [path for path in names if path.suffix == inspect_log.SUFFIX]
    texts = [path for path in names if path.suffix == ".json"]
    if logs and len(logs) == len(names):
        runs = []
        for path in logs:
            say(f"reading {path.name}")
            runs += inspect_log.load(path)
        return runs
    if texts and len(texts) == len(names) and all(map(is_transcript, texts[:3])):
        return [run for path in texts for run in load(path, say)]
    return [home.load(source)]


def _plain_files(source: Path) -> list[Path]:
    """The files of a folder that holds nothing but files; an empty list for others."""
    found: list[Path] = []
    for path in sorted(source.iterdir()):
        if path.is_symlink() or not path.is_file() or len(found) >= FILES:
            return []
        found.append(path)
    return found
