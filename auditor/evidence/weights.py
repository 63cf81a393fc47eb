"""What the weights in a snapshot are, and what they derive from beside what the task gave.

Nothing of a file is executed, and no link is followed. What the given models explain is taken off
before anything is compared, so that only what is left can speak; how close honest runs come was
measured per environment (`likeness.json`), and without that no likelihood is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import JsonValue

from auditor import tree
from auditor.evidence.book import Book
from auditor.evidence.origins import Places
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import InvalidSolution
from harness.files import opened_beneath, sha256_bytes
from harness.models import Entry, EnvironmentFacts, matches

if TYPE_CHECKING:
    from auditor.trail.blob import Blob
    from auditor.trail.calibration import Likeness, Null
    from auditor.trail.lineage import Lineage, Model
    from auditor.trail.weights import Weights

Group = Literal["given", "answer", "hidden"]
FEWEST_BYTES = 256
OPENED, FILES = 20_000, 200
"""Files of one snapshot that are opened, and that are compared when they are weights."""
SOURCES = 12
SMALL_BYTES = 512 << 20
"""Of the small files of a snapshot together, since these are held in memory."""
FILE_BYTES = 16 << 30
LISTED = 12
"""Tensors that a fact names."""
READABLE = find_spec("numpy") is not None
MISSING = "numpy is not installed (extra `replay`)"


@dataclass(frozen=True)
class File:
    """A file that may hold weights."""

    path: str
    sha256: str
    open: Callable[[], AbstractContextManager[Blob]] = field(repr=False)
    group: Group = "given"


class Tracer:
    """Looks into the weights of one attempt, or of one folder; each content once."""

    def __init__(self, sources: Iterable[File], environment: Environment | None) -> None:
        """Prepares to trace.

        Args:
            sources: what weights may be from: what was given, the answer, what is hidden.
            environment: whose calibration applies.
        """
        self._sources = sources
        self._environment = environment
        self._models: dict[Group, list[Model]] | None = None
        self._known: dict[str, tuple[Weights, Model] | None] = {}
        self._traced: dict[tuple[str, int], Lineage] = {}

    def note(
        self, book: Book, files: Sequence[File], facts: EnvironmentFacts, profile: str | None,
        entry: int | None, commit: str,
    ) -> None:  # fmt: skip
        """Notes what some files hold, and what their weights derive from."""
        held: list[tuple[File, tuple[Weights, Model]]] = []
        skipped = [file.path for file in files[OPENED:]]
        for file in files[:OPENED]:
            if len(held) >= FILES:
                skipped.append(file.path)
            elif (found := self._read(file)) is not None:
                held.append((file, found))
        for file, (weights, _) in held:
            _note_read(book, file, weights, facts, entry, commit)
        sources = self._loaded() if held else {}
        for file, model in _whole_models(held):
            if model.telling:
                self._note_origin(book, file, model, sources, facts, profile, entry, commit)
        named = [one.path for models in sources.values() for one in models]
        _end(book, entry, commit, len(held), named, skipped)

    def _read(self, file: File) -> tuple[Weights, Model] | None:
        from auditor.trail import weights
        from auditor.trail.faults import Unreadable
        from auditor.trail.lineage import Model

        if file.sha256 in self._known:
            return self._known[file.sha256]
        found = None
        try:
            with file.open() as blob:
                read = weights.read(blob, file.path)
                if read is not None:
                    found = read, Model.of(read)
        except (Unreadable, InvalidSolution) as error:
            found = weights.Weights(file.path, "unread", faults=(str(error),)), Model(file.path, ())
        self._known[file.sha256] = found
        return found

    def _loaded(self) -> dict[Group, list[Model]]:
        """The models of the sources, each content once; read when first needed."""
        if self._models is None:
            self._models = {"given": [], "answer": [], "hidden": []}
            held: dict[str, tuple[File, tuple[Weights, Model]]] = {}
            for file in self._sources:
                if file.sha256 not in held and len(held) < SOURCES:
                    found = self._read(file)
                    if found is not None and found[1].telling:
                        held[file.sha256] = file, found
            for file, model in _whole_models(held.values()):
                self._models[file.group].append(model)
        return self._models

    def _note_origin(
        self, book: Book, file: File, model: Model, sources: Mapping[Group, Sequence[Model]],
        facts: EnvironmentFacts, profile: str | None, entry: int | None, commit: str,
    ) -> None:  # fmt: skip
        given = sources.get("given", ())
        about = {**_place(file, facts), "commit": commit}
        likeness = self._likeness()
        if given:
            best = max(
                (self._trace(file, model, one, ()) for one in given),
                key=lambda found: found.statistic,
            )
            null = likeness.given.get(profile or "") if likeness else None
            book.add(
                "weights_given", {**about, **_described(best, null, further=True)},
                stage="weights", entry=entry,
            )  # fmt: skip
        null = likeness.answer.get(profile or "") if likeness else None
        for group in ("answer", "hidden"):
            for source in sources.get(group, ()):
                found = self._trace(file, model, source, given)
                shown = _described(found, null, further=False)
                book.add(
                    "weights_traced", {**about, "group": group, **shown},
                    stage="weights", entry=entry,
                )  # fmt: skip

    def _trace(self, file: File, model: Model, source: Model, given: Sequence[Model]) -> Lineage:
        from auditor.trail.lineage import trace

        key = (file.sha256, id(source))
        if key not in self._traced:
            self._traced[key] = trace(model, source, given)
        return self._traced[key]

    def _likeness(self) -> Likeness | None:
        from auditor.trail import calibration

        return calibration.load(self._environment.root) if self._environment else None


def _whole_models(
    held: Iterable[tuple[File, tuple[Weights, Model]]],
) -> Iterator[tuple[File, Model]]:
    """Yields models; the parts of one that is spread over several files are put together."""
    from auditor.trail.lineage import Model
    from auditor.trail.weights import shard_of

    groups: dict[tuple[str, str], list[tuple[File, Model]]] = {}
    for file, (_, model) in held:
        shard = shard_of(file.path)
        groups.setdefault((file.group, shard[0] if shard else file.path), []).append((file, model))
    for (_, name), parts in groups.items():
        (file, first), *more = sorted(parts, key=lambda part: part[0].path)
        if not more:
            yield file, replace(first, path=file.path)
            continue
        digest = sha256_bytes("".join(part.sha256 for part, _ in parts).encode())
        looks = tuple(look for _, model in parts for look in model.looks)
        yield replace(file, path=name, sha256=digest), Model(name, looks)


def of_attempt(folder: AttemptFolder, environment: Environment, places: Places) -> Tracer:
    """Returns what traces the weights of an attempt's snapshots."""
    return Tracer(_sources(folder, environment.facts, places), environment)


def collect(
    book: Book, tracer: Tracer, folder: AttemptFolder, facts: EnvironmentFacts, entry: int,
    commit: str,
) -> None:  # fmt: skip
    """Notes the weights of a scored snapshot that are not as they were given."""
    if not READABLE:
        _end(book, entry, commit, 0, [], [MISSING])
        return
    start = _manifest(folder, folder.attempt().start_commit)
    now = _manifest(folder, commit)
    changed = {
        path: item
        for path, item in now.items()
        if item.type == "file" and item.size >= FEWEST_BYTES
        and (path not in start or start[path].sha256 != item.sha256)
    }  # fmt: skip
    files = list(_of_snapshot(folder, commit, changed.values(), "given"))
    profile = folder.attempt().profile
    tracer.note(book, files, facts, profile, entry, commit)


def of_tree(
    book: Book, path: Path, now: tree.Tree, before: tree.Tree, facts: EnvironmentFacts,
    environment: Environment | None, start: Path | None,
) -> None:  # fmt: skip
    """Notes the weights of a plain folder that are not as they were given."""
    if not READABLE:
        _end(book, None, "", 0, [], [MISSING])
        return
    given = {item.sha256 for item in before.entries.values() if item.type == "file"}
    mine = [item for item in now.entries.values() if item.sha256 not in given]
    sources = list(_of_folder(start, before, before.entries.values(), "given")) if start else []
    if start is None:
        old = [item for item in before.entries.values() if item.sha256]
        sources = list(_of_folder(path, now, old, "given"))
    files = list(_of_folder(path, now, mine, "given"))
    Tracer(sources, environment).note(book, files, facts, None, None, "")


def _sources(folder: AttemptFolder, facts: EnvironmentFacts, places: Places) -> Iterator[File]:
    """Yields what weights may be from, what was given first: it is subtracted from the others."""
    commit = folder.attempt().start_commit
    start = _manifest(folder, commit)
    answers = facts.workspace.answers
    groups: dict[Group, list[Entry]] = {"given": [], "answer": []}
    for path, item in start.items():
        if item.type == "file" and item.size >= FEWEST_BYTES:
            groups["answer" if matches(path, answers) else "given"].append(item)
    known = {item.sha256 for item in groups["given"]}
    for group in ("given", "answer"):
        yield from _of_snapshot(folder, commit, groups[group], group)
    groups_of: tuple[tuple[Path, Group], ...] = (
        (folder.protected, "answer"),
        (folder.private, "hidden"),
    )
    for place, group in groups_of:
        found = places.trees.get(place.name)
        if found is not None:
            fresh = [item for item in found.entries.values() if item.sha256 not in known]
            known |= {item.sha256 for item in fresh} if group == "answer" else set()
            for file in _of_folder(place, found, fresh, group):
                yield replace(file, path=f"{place.name}/{file.path}")


def _of_snapshot(
    folder: AttemptFolder, commit: str, items: Iterable[Entry], group: Group
) -> Iterator[File]:
    """Yields the files of a snapshot that begin as weights do; the small ones are read at once."""
    from auditor.trail.blob import opened
    from auditor.trail.weights import HEAD_BYTES, kind_of

    wanted = list(items)
    for item in wanted:
        if item.size > snapshot.LARGE_BYTES:
            stored = folder.objects / item.sha256
            yield File(item.path, item.sha256, partial(opened, stored), group)
    small = {item.path for item in wanted if item.size <= snapshot.LARGE_BYTES}
    room = SMALL_BYTES
    for item, content in snapshot.read(folder, commit, small) if small else ():
        if kind_of(content[:HEAD_BYTES], len(content)) and len(content) <= room:
            room -= len(content)
            yield File(item.path, item.sha256, partial(_in_memory, content), group)


def _of_folder(
    root: Path, found: tree.Tree, items: Iterable[Entry], group: Group
) -> Iterator[File]:
    from auditor.trail.blob import opened

    for item in items:
        if item.type != "file" or not FEWEST_BYTES <= item.size <= FILE_BYTES or "%" in item.path:
            continue
        open_it = partial(opened, root) if found.single else partial(_beneath, root, item.path)
        yield File(item.path, item.sha256, open_it, group)


@contextmanager
def _in_memory(content: bytes) -> Iterator[Blob]:
    from auditor.trail.blob import Held

    yield Held(content)


@contextmanager
def _beneath(root: Path, path: str) -> Iterator[Blob]:
    from auditor.trail.blob import OnDisk

    with opened_beneath(root, path) as descriptor:
        yield OnDisk(descriptor)


def _manifest(folder: AttemptFolder, commit: str) -> dict[str, Entry]:
    return {item.path: item for item in snapshot.manifest(folder, commit).entries}


def _note_read(
    book: Book,
    file: File,
    weights: Weights,
    facts: EnvironmentFacts,
    entry: int | None,
    commit: str,
) -> None:
    book.add(
        "weights_read",
        {
            **_place(file, facts), "commit": commit, "kind": weights.kind,
            "tensors": len(weights.tensors), "elements": weights.elements,
            "faults": list(weights.faults), "calls": list(weights.calls[:50]),
        },
        stage="weights", entry=entry,
    )  # fmt: skip


def _place(file: File, facts: EnvironmentFacts) -> dict[str, str | bool]:
    rules = facts.workspace
    return {
        "path": file.path, "sha256": file.sha256, "output": matches(file.path, rules.outputs),
        "must_derive": matches(file.path, rules.derived),
    }  # fmt: skip


def _described(found: Lineage, null: Null | None, *, further: bool) -> dict[str, JsonValue]:
    """Returns the figures of a comparison, the closest tensors first."""
    from auditor.trail import calibration

    ratios = calibration.tensors(found, null) if null and not further else {}
    listed = sorted(found.relations, key=lambda item: -item.closeness * item.elements)[:LISTED]
    measure = (null.further if further else null.closer) if null else None
    return {
        "source": found.source,
        "closeness": round(found.closeness, 4),
        "exact_share": round(found.share, 4),
        "tensors": len(found.relations),
        "explained": len(found.explained),
        "finished": found.finished,
        "honest_runs": null.runs if null else 0,
        "log10_ratio": round(measure(found.statistic), 2) if measure else None,
        "closest": [
            {
                "tensor": item.tensor, "source": item.source, "how": list(item.kinds),
                "closeness": round(item.closeness, 3), "correlation": round(item.correlation, 4),
                "covered": round(item.covered, 3), "log10_ratio": round(ratios[item.tensor], 2)
                if item.tensor in ratios else None,
            }
            for item in listed
        ],
    }  # fmt: skip


def _end(
    book: Book, entry: int | None, commit: str, files: int, sources: Sequence[str],
    skipped: Sequence[str],
) -> None:  # fmt: skip
    book.add(
        "weights_compared",
        {
            "files": files, "sources": list(sources), "skipped": list(skipped[:FILES]),
            "commit": commit,
        },
        stage="weights", entry=entry,
    )  # fmt: skip
