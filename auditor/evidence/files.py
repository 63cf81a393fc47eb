"""Which files of a scored snapshot differ from the start, by content and not by time."""

from collections.abc import Collection, Mapping, Sequence

from auditor.code.others import kind_of
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
    texts, forms = _read(folder, commit, {path for path in changed[:CAP] if path in now})
    note(book, start, now, changed, texts, forms, facts, entry, commit)


def differing(start: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Returns the paths that are not as they were; what was not read counts as changed."""
    return [path for path in sorted({*start, *now}) if not _same(start.get(path), now.get(path))]


def note(
    book: Book,
    start: Mapping[str, Entry],
    now: Mapping[str, Entry],
    changed: Sequence[str],
    texts: Collection[str],
    forms: Mapping[str, str],
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
) -> None:
    """Notes what became of each changed path.

    Args:
        book: takes the facts.
        start: every entry as it was given, by path.
        now: every entry as it is, by path.
        changed: the paths that differ.
        texts: the files that hold nothing but text.
        forms: what files are by their content, as `auditor.code.others.kind_of` tells.
        facts: the environment's.
        entry: index of the score entry; None where nothing was scored.
        commit: its snapshot, or empty.
    """
    for path in changed[:CAP]:
        described = _described(start.get(path), now.get(path))
        role = {**_role(path, facts), "text": path in texts}
        book.add(
            "file_changed",
            {**described, **role, "form": forms.get(path, ""), "commit": commit},
            stage="files",
            entry=entry,
        )
    book.add(
        "files_compared",
        {"changed": len(changed), "noted": min(len(changed), CAP), "commit": commit},
        stage="files",
        entry=entry,
    )


def _read(folder: AttemptFolder, commit: str, paths: set[str]) -> tuple[set[str], dict[str, str]]:
    """Returns which of some files hold nothing but text, and what each of them is."""
    texts, forms = set[str](), dict[str, str]()
    for entry, content in snapshot.read(folder, commit, paths) if paths else ():
        forms[entry.path] = kind_of(entry.path, content)
        if decoded(content) is not None:
            texts.add(entry.path)
    return texts, forms


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
