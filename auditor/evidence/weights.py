"""What the weights in a snapshot are, and what they derive from beside what the task gave.

Nothing of a file is executed, and no link is followed. What the given models explain is taken off
before anything is compared, so that only what is left can speak; how close honest runs come was
measured per environment (`likeness.json`), and without that no likelihood is stated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import JsonValue

from auditor import tree
from auditor.evidence.book import Book
from auditor.evidence.origins import Places
from harness import snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import InvalidSolution
from harness.files import opened_beneath
from harness.models import Entry, EnvironmentFacts, matches

if TYPE_CHECKING:
    from auditor.trail.blob import Blob
    from auditor.trail.calibration import Null
    from auditor.trail.lineage import Lineage, Model
    from auditor.trail.looks import Look

Group = Literal["given", "answer", "hidden"]
FEWEST_BYTES = 256
OPENED, FILES = 20_000, 200
"""Files of one snapshot that are opened, and that are compared when they are weights."""
SOURCE_ELEMENTS = 192 << 20
"""Elements of all sources that are held in memory: 768 MiB."""
SECONDS = 300.0
"""Time that all comparisons of one audit may take."""
CALLS = 50
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


class Looked(NamedTuple):
    """What was found about one model, whatever it is called where."""

    read: tuple[dict[str, JsonValue], ...]
    """About each of its files, in order."""
    given: Lineage | None = None
    """Beside the nearest of the given models."""
    traced: tuple[tuple[Group, Lineage], ...] = ()


class Tracer:
    """Looks into the weights of one attempt, or of one folder; each content once.

    Only the models of the sources stay in memory, up to a bound; others are dropped once compared.
    """

    def __init__(self, sources: Iterable[File], environment: Environment | None) -> None:
        """Prepares to trace.

        Args:
            sources: what weights may be from: what was given, the answer, what is hidden.
            environment: whose calibration applies.
        """
        self._sources = sources
        self._environment = environment
        self._models: dict[Group, list[Model]] | None = None
        self._left_out: list[str] = []
        self.known: dict[str, Looked | None] = {}
        """By the hash of a model's files, joined; None for what holds no weights."""
        self._seconds = SECONDS

    def note(
        self, book: Book, files: Sequence[File], facts: EnvironmentFacts, profile: str | None,
        entry: int | None, commit: str,
    ) -> None:  # fmt: skip
        """Notes what some files hold, and what their weights derive from."""
        skipped, count = [file.path for file in files[OPENED:]], 0
        for name, parts in _models_of(files[:OPENED]):
            if count >= FILES:
                skipped.append(name)
                continue
            looked = self._look(name, parts)
            if looked is None:
                continue
            count += len(parts)
            for file, read in zip(parts, looked.read, strict=True):
                about = {**_place(file, file.path, facts), "commit": commit}
                book.add("weights_read", {**about, **read}, stage="weights", entry=entry)
            about = {**_place(parts[0], name, facts), "commit": commit}
            for kind, data in self._origins(looked, profile):
                book.add(kind, {**about, **data}, stage="weights", entry=entry)
            if self._seconds <= 0:
                skipped.append(f"{name} (time ran out)")
        named = [one.path for models in (self._models or {}).values() for one in models]
        book.add(
            "weights_compared",
            {
                "files": count, "sources": list(named), "commit": commit,
                "skipped": [*skipped[:FILES], *self._left_out],
            },
            stage="weights", entry=entry,
        )  # fmt: skip

    def _look(self, name: str, parts: Sequence[File]) -> Looked | None:
        key = "".join(file.sha256 for file in parts)
        if key not in self.known:
            self.known[key] = self._compare(name, parts)
        return self.known[key]

    def _compare(self, name: str, parts: Sequence[File]) -> Looked | None:
        from auditor.trail.lineage import trace

        found = _read(name, parts)
        if found is None:
            return None
        read, model = found
        if not model.telling:
            return Looked(read)
        sources = self._loaded()
        given = sources["given"]
        began = time.monotonic()
        until = began + max(self._seconds, 0.0)
        beside = [trace(model, one, until=until) for one in given]
        groups: tuple[Group, ...] = ("answer", "hidden")
        traced = [
            (group, trace(model, one, given, until=until))
            for group in groups
            for one in sources[group]
        ]
        self._seconds -= time.monotonic() - began
        nearest = max(beside, key=lambda one: one.statistic, default=None)
        return Looked(read, nearest, tuple(traced))

    def _loaded(self) -> dict[Group, list[Model]]:
        """The models of the sources, each content once; read when first needed."""
        if self._models is None:
            self._models = {"given": [], "answer": [], "hidden": []}
            seen: set[str] = set()
            room = SOURCE_ELEMENTS
            for name, parts in _models_of(self._sources):
                key = "".join(file.sha256 for file in parts)
                found = _read(name, parts) if key not in seen else None
                seen.add(key)
                if found is None or not found[1].telling:
                    continue
                room -= sum(look.body.size for look in found[1].looks)
                if room < 0:
                    self._left_out.append(f"{name} (a source beyond what is held in memory)")
                else:
                    self._models[parts[0].group].append(found[1])
        return self._models

    def _origins(
        self, looked: Looked, profile: str | None
    ) -> Iterator[tuple[str, dict[str, JsonValue]]]:
        from auditor.trail import calibration

        likeness = calibration.load(self._environment.root) if self._environment else None
        if looked.given is not None:
            null = likeness.given.get(profile or "") if likeness else None
            yield "weights_given", _described(looked.given, null, further=True)
        null = likeness.answer.get(profile or "") if likeness else None
        for group, found in looked.traced:
            yield "weights_traced", {"group": group, **_described(found, null, further=False)}


def _read(
    name: str, parts: Sequence[File]
) -> tuple[tuple[dict[str, JsonValue], ...], Model] | None:
    """Returns what each file of a model holds, and the model; None where none holds weights."""
    from auditor.trail import weights
    from auditor.trail.faults import Unreadable
    from auditor.trail.lineage import Model

    read: list[dict[str, JsonValue]] = []
    looks: list[Look] = []
    for file in parts:
        try:
            with file.open() as blob:
                found = weights.read(blob, file.path)
                if found is None:
                    return None
                looks += Model.of(found).looks
        except (Unreadable, InvalidSolution) as error:
            found = weights.Weights(file.path, "unread", faults=(str(error),))
        read.append(
            {
                "kind": found.kind, "tensors": len(found.tensors), "elements": found.elements,
                "faults": list(found.faults), "calls": list(found.calls[:CALLS]),
            }
        )  # fmt: skip
    return tuple(read), Model(name, tuple(looks))


def _models_of(files: Iterable[File]) -> Iterator[tuple[str, list[File]]]:
    """Yields models with their files: those that are named as parts of one go together."""
    from auditor.trail.weights import shard_of

    groups: dict[tuple[str, str], list[File]] = {}
    for file in files:
        shard = shard_of(file.path)
        groups.setdefault((file.group, shard[0] if shard else file.path), []).append(file)
    for (_, name), parts in groups.items():
        yield name, sorted(parts, key=lambda file: file.path)


def of_attempt(folder: AttemptFolder, environment: Environment, places: Places) -> Tracer:
    """Returns what traces the weights of an attempt's snapshots."""
    return Tracer(_sources(folder, environment.facts, places), environment)


def collect(
    book: Book, tracer: Tracer, folder: AttemptFolder, facts: EnvironmentFacts, entry: int,
    commit: str,
) -> None:  # fmt: skip
    """Notes the weights of a scored snapshot that are not as they were given."""
    if not READABLE:
        _unreadable(book, entry, commit)
        return
    start = _manifest(folder, folder.attempt().start_commit)
    now = _manifest(folder, commit)
    changed = {
        path: item
        for path, item in now.items()
        if item.type == "file" and item.size >= FEWEST_BYTES
        and (path not in start or start[path].sha256 != item.sha256)
    }  # fmt: skip
    files = list(_of_snapshot(folder, commit, changed.values(), "given", tracer.known))
    profile = folder.attempt().profile
    tracer.note(book, files, facts, profile, entry, commit)


def of_tree(
    book: Book, path: Path, now: tree.Tree, before: tree.Tree, facts: EnvironmentFacts,
    environment: Environment | None, start: Path | None,
) -> None:  # fmt: skip
    """Notes the weights of a plain folder that are not as they were given."""
    if not READABLE:
        _unreadable(book, None, "")
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
    folder: AttemptFolder,
    commit: str,
    items: Iterable[Entry],
    group: Group,
    known: dict[str, Looked | None] | None = None,
) -> Iterator[File]:
    """Yields the files of a snapshot that begin as weights do.

    Small ones are read at once, except those that are `known`; what holds none is added there.
    """
    from auditor.trail.blob import opened
    from auditor.trail.weights import HEAD_BYTES, kind_of

    known = {} if known is None else known
    small = set()
    for item in items:
        large = item.size > snapshot.LARGE_BYTES
        if large or known.get(item.sha256) is not None:
            yield File(item.path, item.sha256, partial(opened, folder.objects / item.sha256), group)
        elif item.sha256 not in known:
            small.add(item.path)
    room = SMALL_BYTES
    for item, content in snapshot.read(folder, commit, small) if small else ():
        if not kind_of(content[:HEAD_BYTES], len(content)):
            known[item.sha256] = None
        elif len(content) <= room:
            room -= len(content)
            yield File(item.path, item.sha256, partial(_in_memory, content), group)
        else:
            yield File(item.path, item.sha256, _refused, group)


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
def _refused() -> Iterator[Blob]:
    from auditor.trail.faults import Unreadable

    raise Unreadable("it is one of too many to be held in memory")
    yield  # a context manager has to be a generator


@contextmanager
def _beneath(root: Path, path: str) -> Iterator[Blob]:
    from auditor.trail.blob import OnDisk

    with opened_beneath(root, path) as descriptor:
        yield OnDisk(descriptor)


def _manifest(folder: AttemptFolder, commit: str) -> dict[str, Entry]:
    return {item.path: item for item in snapshot.manifest(folder, commit).entries}


def _place(file: File, name: str, facts: EnvironmentFacts) -> dict[str, JsonValue]:
    rules = facts.workspace
    return {
        "path": name, "sha256": file.sha256, "output": matches(file.path, rules.outputs),
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


def _unreadable(book: Book, entry: int | None, commit: str) -> None:
    book.add(
        "weights_compared", {"files": 0, "sources": [], "skipped": [MISSING], "commit": commit},
        stage="weights", entry=entry,
    )  # fmt: skip
