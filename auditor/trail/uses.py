"""Which process read which file and wrote which: a small graph of one watched run.

What a Python tells of itself (`inside`) may be left out or made up by the program: it can speak
against the attempt and never for it. What was seen from outside cannot, and misses what lasts
shorter than the time between two looks.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from harness.models import WorkspaceFacts, matches
from harness.sandbox.records import Event, Interpreter
from harness.sandbox.witness import Report

How = Literal["read", "written", "executed"]
Role = Literal["answer", "protected", "output", "code", "other"]
FILES = 200
"""Files of one entry that are kept; answers, outputs and protected ones first."""
USES = 600
SHOWN = 200
_MOVES = ("os.rename", "os.link", "os.symlink", "shutil.copyfile", "shutil.move", "shutil.copytree")
_ORDER: tuple[Role, ...] = ("answer", "output", "protected", "code", "other")


class Process(NamedTuple):
    """A process of a watched run."""

    id: str
    """The run's number and the process's."""
    program: str
    scorer: bool
    """It runs the protected scorer."""


class Use(NamedTuple):
    """What a process did with a file."""

    process: str
    path: str
    """Within the workspace, or absolute where it lies elsewhere."""
    how: How
    inside: bool
    at: str
    """The place in the code, where it is known."""
    order: int
    """Place among what the process told; 0 for what was seen from outside."""


class Trail(NamedTuple):
    """Processes, files by role, and what was done."""

    processes: tuple[Process, ...]
    files: dict[str, Role]
    uses: tuple[Use, ...]


def trail(
    reports: Iterable[Report],
    rules: WorkspaceFacts,
    home: str,
    known: frozenset[str],
    is_scorer: Callable[[Interpreter], bool],
) -> Trail:
    """Puts together what was seen of the runs of one entry.

    Args:
        reports: what the witness saw.
        rules: which paths are answers, outputs and protected.
        home: the workspace within the run.
        known: paths of the snapshot; a relative path is looked for among them.
        is_scorer: says whether a process is the scorer's own.
    """
    places = _Places(rules, home, known)
    processes: dict[str, Process] = {}
    uses: dict[tuple[str, str, How], Use] = {}
    for run, report in enumerate(reports):
        for process in _processes(run, report, is_scorer):
            processes.setdefault(process.id, process)
        for use in (*_outside(run, report), *_inside(run, report)):
            path = places.named(use.path)
            if path and not path.startswith(("/proc/", "/dev/", "/sys/")):
                uses.setdefault((use.process, path, use.how), use._replace(path=path))
    ranked = sorted(uses.values(), key=lambda use: (_ORDER.index(places.role(use.path)), use.order))
    paths = list(dict.fromkeys(use.path for use in ranked))[:FILES]
    kept = [use for use in ranked if use.path in set(paths)][:USES]
    users = {use.process for use in kept}
    return Trail(
        tuple(process for process in processes.values() if process.id in users),
        {path: places.role(path) for path in paths},
        tuple(kept),
    )


class _Places:
    """Names paths as the workspace has them, and says what they are."""

    def __init__(self, rules: WorkspaceFacts, home: str, known: frozenset[str]) -> None:
        self._rules = rules
        self._home = home
        self._known = known
        self._bases = ("", *sorted({posixpath.dirname(entry) for entry in rules.entrypoints}))

    def named(self, path: str) -> str:
        """Returns a path within the workspace where it lies there, else as it was given."""
        plain = posixpath.normpath(path) if path else ""
        if plain.startswith("/"):
            return plain.removeprefix(f"{self._home}/")[:SHOWN]
        joined = [posixpath.normpath(posixpath.join(base, plain)) for base in self._bases]
        for one in joined:
            if one in self._known or self.role(one) in ("answer", "output", "protected"):
                return one[:SHOWN]
        return joined[-1][:SHOWN]

    def role(self, path: str) -> Role:
        """Returns what a path is to the task."""
        if matches(path, self._rules.answers):
            return "answer"
        if matches(path, self._rules.outputs):
            return "output"
        if matches(path, self._rules.protected) or path.startswith("/protected/"):
            return "protected"
        return "code" if path.endswith((".py", ".sh", ".so", ".pth")) else "other"


def _processes(
    run: int, report: Report, is_scorer: Callable[[Interpreter], bool]
) -> Iterator[Process]:
    for one in report.interpreters:
        yield Process(f"{run}.{one.pid}", (one.argv or one.main)[:SHOWN], is_scorer(one))
    for seen in report.outside.processes:
        yield Process(f"{run}.{seen.pid}", (seen.argv or seen.exe)[:SHOWN], scorer=False)


def _outside(run: int, report: Report) -> Iterator[Use]:
    for held in report.outside.held:
        how: How = "written" if held.written else "read"
        yield Use(f"{run}.{held.pid}", held.path.removesuffix(" (deleted)"), how, False, "", 0)
    for mapped in report.outside.mapped:
        path = mapped.path.removesuffix(" (deleted)")
        yield Use(f"{run}.{mapped.pid}", path, "executed", False, "", 0)


def _inside(run: int, report: Report) -> Iterator[Use]:
    for one in report.interpreters:
        for order, event in enumerate(one.events, start=1):
            for path, how in _of_event(event):
                yield Use(f"{run}.{one.pid}", path, how, True, event.at[:SHOWN], order)


def _of_event(event: Event) -> Iterator[tuple[str, How]]:
    if event.name == "open":
        path = event.detail.removesuffix(" (written)")
        yield path, "written" if path != event.detail else "read"
    elif event.name in _MOVES:
        source, _, target = event.detail.partition(" ")
        yield source, "read"
        if target:
            yield target.split(" ")[0], "written"
    elif event.name == "exec" and not event.detail.startswith("<"):
        yield event.detail, "executed"
