"""Which files of a scored snapshot differ from the start, by content and not by time."""

from collections.abc import Collection, Mapping, Sequence

from auditor.code.source import decoded
from auditor.evidence.book import Book
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.models import Entry, EnvironmentFacts, Manifest, matches

CAP = 5_000
"""Changed entries noted per snapshot; what is beyond is counted."""


def collect(
    book: Book, folder: AttemptFolder, facts: EnvironmentFacts, entry: int | None, commit: str
) -> None:
    """Notes every file, folder and link of the snapshot that is not as it was given."""
    start = _by_path(snapshot.manifest(folder, folder.attempt().start_commit))
    now = _by_path(snapshot.manifest(folder, commit))
    changed = differing(start, now)
    texts = _texts(folder, commit, {path for path in changed[:CAP] if path in now})
    note(book, start, now, changed, texts, facts, entry, commit)


def differing(start: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Returns the paths that are not as they were; what was not read counts as changed."""
    return [path for path in sorted({*start, *now}) if not _same(start.get(path), now.get(path))]


def note(
    book: Book,
    start: Mapping[str, Entry],
    now: Mapping[str, Entry],
    changed: Sequence[str],
    texts: Collection[str],
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
) -> None:
    """Notes what became of each changed path, of which `texts` hold nothing but text."""
    for path in changed[:CAP]:
        described = _described(start.get(path), now.get(path))
        role = {**_role(path, facts), "text": path in texts}
        book.add(
            "file_changed",
            {**described, **role, "commit": commit},
            stage="files",
            entry=entry,
        )
    book.add(
        "files_compared",
        {"changed": len(changed), "noted": min(len(changed), CAP), "commit": commit},
        stage="files",
        entry=entry,
    )


def _texts(folder: AttemptFolder, commit: str, paths: set[str]) -> set[str]:
    """Returns which of some files hold nothing but text."""
    if not paths:
        return set()
    contents = snapshot.read(folder, commit, paths)
    return {entry.path for entry, content in contents if decoded(content) is not None}


def _by_path(manifest: Manifest) -> dict[str, Entry]:
    return {entry.path: entry for entry in manifest.entries}


def _same(before: Entry | None, after: Entry | None) -> bool:
    if before is None or after is None:
        return before is after
    if before.type == "file" and not before.sha256:
        return False
    return (before.type, before.sha256, before.target, before.mode & 0o111) == (
        after.type, after.sha256, after.target, after.mode & 0o111,
    )  # fmt: skip


def _described(before: Entry | None, after: Entry | None) -> dict[str, str | int]:
    present = after or before
    assert present is not None, "a changed path is in one of the two manifests"
    if before is None:
        change = "added"
    elif after is None:
        change = "removed"
    else:
        change = "changed" if before.type == after.type else "type"
    return {
        "path": present.path,
        "change": change,
        "type": present.type,
        "size": present.size,
        "sha256": after.sha256 if after else "",
        "start_sha256": before.sha256 if before else "",
        "target": present.target,
    }


def _role(path: str, facts: EnvironmentFacts) -> dict[str, bool]:
    rules = facts.workspace
    return {
        "protected": matches(path, (*rules.protected, *rules.answers)),
        "editable": rules.allows(path),
        "output": matches(path, rules.outputs),
    }
