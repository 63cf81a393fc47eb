"""`auditor audit`: many paths in, one verdict each out; one that fails harms no other."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import chain, groupby
from pathlib import Path
from typing import Literal, NamedTuple, cast

import typer
from pydantic import BaseModel

from auditor import answers, transcript
from auditor.audit import Audit, Auditor, Options
from auditor.cli import one_attempt
from auditor.cli.formats import FORMATS, written
from auditor.cli.material import material_of
from auditor.cli.progress import Progress
from auditor.cli.rule_commands import RULES
from auditor.engine import described
from auditor.errors import AuditError
from auditor.models import Verdict, VerdictName
from auditor.plain import PlainAuditor
from auditor.pool import Pool
from auditor.registry import COMMON
from auditor.summary import failed
from harness import environment as environments
from harness import importing, origin, sandbox
from harness.cli.duration import seconds
from harness.cli.refusal import lines
from harness.environment import Environment
from harness.errors import HarnessError, UsageError, unusable
from harness.files import write_atomic
from reports import trail
from reports.material import Material

GRAVITY = (2, 1, 3, 0)
"""Exit codes of several paths, gravest first."""
FEW = 3
"""Trees that are audited sooner than further processes have started."""
SIGNS = ("history.git", "scores.jsonl", "scores.head.json")
"""What tells an attempt of ours, however damaged, from a folder with a file of that name."""
ORDER = (VerdictName.SUSPECT, VerdictName.VIOLATION, VerdictName.CHEATING)


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    paths: tuple[Path, ...]
    environment: str | None
    replay: str
    budget: str | None
    format: str
    output: Path | None
    fail_on: str
    unsafe: bool
    start: Path | None = None

    @property
    def common(self) -> bool:
        """Whether the common rules are applied alone."""
        return self.environment == COMMON

    @property
    def chosen(self) -> Environment | None:
        """The environment that was named; None where none was, or the common rules alone.

        Raises:
            UsageError: there is no such environment.
        """
        if self.environment is None or self.common:
            return None
        return environments.find(self.environment)


class Told(NamedTuple):
    """What became of one path, ready to be printed."""

    report: str
    """Or its part of a document about all paths, where a format has one."""
    code: int
    warnings: tuple[str, ...]


def run(request: Request) -> int:
    """Audits every path, prints the verdicts and returns the exit code."""
    _require_own_names(request)
    _require_one_page(request)
    _require_start(request)
    options = options_of(request)
    sandbox.allow_unsafe(request.unsafe)
    if options.replay != "never" and any(
        _kind(path, request) == "attempt" for path in request.paths
    ):
        sandbox.require()
    codes, parts = set(), []
    join = FORMATS[request.format].join
    with Progress(len(request.paths)) as progress:
        for told in _audited(request, options, progress):
            for warning in told.warnings:
                progress.warn(warning)
            codes.add(told.code)
            if join is None:
                typer.echo(told.report)
            else:
                parts.append(told.report)
    if join is not None:
        typer.echo(join(parts))
    return next(code for code in GRAVITY if code in codes)


def options_of(request: Request) -> Options:
    """Returns how far the audits go that were asked for.

    Raises:
        UsageError: the budget is no duration, or there is no such environment.
    """
    replay = "never" if request.common else request.replay
    return Options(
        rules_root=RULES,
        environment=request.chosen,
        common=request.common,
        replay=cast(Literal["auto", "always", "never"], replay),
        budget_s=None if request.budget is None else seconds(request.budget),
    )


def exit_code(verdict: Verdict, fail_on: str) -> int:
    """Returns 0 clean or milder than `fail_on`, 1 found, 2 error, 3 inconclusive."""
    return code_of(verdict.verdict, fail_on)


def code_of(verdict: VerdictName, fail_on: str) -> int:
    """Returns the same of a verdict's name."""
    if verdict is VerdictName.ERROR:
        return 2
    if fail_on == "never" or verdict is VerdictName.CLEAN:
        return 0
    if verdict is VerdictName.INCONCLUSIVE:
        return 3
    return int(ORDER.index(verdict) >= ORDER.index(VerdictName(fail_on)))


@dataclass
class Plain:
    """The audit of plain trees as a job for another process, which loads the rules once."""

    request: Request
    processes: bool = False
    """Whether it may start further ones, for a large tree."""

    def __call__(self, path: Path) -> Told:
        """Audits one tree."""
        return _one(self._auditor.audit, path, self.request)

    @cached_property
    def _auditor(self) -> PlainAuditor:
        chosen, start = self.request.chosen, self.request.start
        return PlainAuditor(RULES, chosen, start, processes=self.processes)

    def lost(self, path: Path) -> Told:
        """What is said of a path whose process died."""
        hint = "It may need more memory than there is; audit a part of it."
        error = AuditError("The process that audited it came to an end.", hint=hint)
        return _failed(path, error, self.request)


def _audited(request: Request, options: Options, progress: Progress) -> Iterator[Told]:
    """Audits in the order given; attempts one by one and alone, since they are timed."""
    auditor = Auditor(options, origin.find, progress.say)
    try:
        for kind, group in groupby(request.paths, lambda path: _kind(path, request)):
            if kind == "plain":
                yield from _plain_ones(list(group), request, progress)
                continue
            for path in group:
                progress.start(path)
                if kind == "log":
                    yield from _log_ones(auditor, path, request, progress)
                    continue
                yield _one(lambda path: _attempt(auditor, path, request), path, request, path)
    finally:
        auditor.close()


def _plain_ones(paths: Sequence[Path], request: Request, progress: Progress) -> Iterator[Told]:
    if len(paths) <= FEW:
        alone = Plain(request, processes=True)
        for path in paths:
            progress.start(path)
            yield alone(path)
        return
    job = Plain(request)
    with Pool(job, job.lost) as pool:
        results = pool.run(paths)
        for path in paths:
            progress.start(path)
            yield next(results)


def _log_ones(auditor: Auditor, path: Path, request: Request, progress: Progress) -> Iterator[Told]:
    """Audits each run of another program's log."""
    try:
        if request.start is not None:
            raise UsageError(f"{path} is a log.", hint="Audit it without --start.")
        chosen = request.chosen
        runs = importing.load(path, progress.say)
    except HarnessError as error:
        yield _failed(path, error, request)
        return
    except OSError as error:
        yield _failed(path, unusable(error), request)
        return
    for run in runs:
        shown = transcript.name_of(run, path, len(runs))
        job = partial(transcript.audit, auditor, run, path, str(shown), chosen)
        yield _one(lambda _, job=job: job(), shown, request)  # type: ignore[misc]


def _kind(path: Path, request: Request) -> Literal["attempt", "plain", "log"]:
    if _is_log(path):
        return "log"
    return "plain" if _is_plain(path, request) else "attempt"


@lru_cache
def _is_log(path: Path) -> bool:
    try:
        return importing.is_transcript(path)
    except (HarnessError, OSError):
        return False


def _is_plain(path: Path, request: Request) -> bool:
    """Whether a path is to be read as a tree: it is no attempt, and a person said what applies."""
    if request.environment is None:
        return False
    is_attempt = os.path.lexists(path / "attempt.json")
    return not (is_attempt and any(os.path.lexists(path / sign) for sign in SIGNS))


def _attempt(auditor: Auditor, path: Path, request: Request) -> Audit:
    if path.exists() and not os.path.lexists(path / "attempt.json"):
        raise UsageError(
            f"{path} is not an attempt: it has no file attempt.json.",
            hint="Say `--environment common`, or the environment it was made at, to audit any "
            "folder or file; or make an attempt with `harness new ENV DIR`.",
        )
    if request.start is not None:
        raise UsageError(
            f"{path} is an attempt, which holds its own start.", hint="Audit it without --start."
        )
    return auditor.audit(path)


def _one(
    audit: Callable[[Path], Audit], path: Path, request: Request, attempt: Path | None = None
) -> Told:
    """Audits one path; whatever goes wrong with it becomes its verdict, and harms no other."""
    own = [attempt / "audit"] if attempt else []
    asked = [request.output / _name(path)] if request.output else []
    try:
        before = one_attempt.content(attempt) if attempt else None
        found = audit(path)
        if attempt:
            one_attempt.remember(attempt, options_of(request), found.verdict, before)
        found = replace(found, verdict=answers.shown(found.verdict, own + asked))
        material = material_of(found)
        warnings = [warning for place in own for warning in keep(place, found, material)]
        lost = [warning for place in asked for warning in keep(place, found, material)]
        told = _told(material, request, [*warnings, *lost])
        return told._replace(code=2) if lost else told  # who asked for files is not content without
    except HarnessError as error:
        return _failed(path, error, request)
    except OSError as error:
        return _failed(path, unusable(error), request)
    except Exception as error:
        hint = "This is a fault of the auditor or the environment, not of the attempt: report it."
        broken = AuditError(f"The audit broke off: {described(error)}.", hint=hint)
        return _failed(path, broken, request)


def _told(material: Material, request: Request, warnings: Iterable[str]) -> Told:
    code = exit_code(material.verdict, request.fail_on)
    return Told(FORMATS[request.format].render(material), code, tuple(warnings))


def _failed(path: Path, error: HarnessError, request: Request) -> Told:
    return _told(Material(failed(path, " ".join(lines(error)))), request, lines(error))


def _require_own_names(request: Request) -> None:
    """Refuses paths whose reports would replace each other."""
    again = [name for name, count in Counter(map(_name, request.paths)).items() if count > 1]
    if request.output and again:
        raise UsageError(
            f"Several paths are called {again[0]!r}, and {request.output} has one place for it.",
            hint="Audit them one by one, each with its own --output.",
        )


def _require_one_page(request: Request) -> None:
    """Refuses to print several pages as one text."""
    if request.format == "html" and len(request.paths) > 1:
        raise UsageError(
            "--format html prints one page, and there are several paths.",
            hint="Say `--output DIR`, which keeps a page of each, and another format.",
        )


def _require_start(request: Request) -> None:
    if request.start is None:
        return
    if request.environment is None:
        raise UsageError(
            "--start belongs to plain folders and files; an attempt holds its own.",
            hint="Say `--environment common`, or the environment it was made at.",
        )
    if not (request.start.is_dir() or request.start.is_file()):
        what = "is neither a folder nor a file" if request.start.exists() else "does not exist"
        raise UsageError(
            f"The start {request.start} {what}.",
            hint="Name what the agent was given, a folder or a file.",
        )


def _name(path: Path) -> str:
    return os.path.basename(os.path.abspath(path)) or "root"  # a link keeps its own name


def keep(folder: Path, found: Audit, material: Material) -> Iterator[str]:
    """Writes evidence, checks, verdict and reports; yields a warning where that cannot be."""
    facts = [("evidence.jsonl", _lines(found.evidence)), ("checks.jsonl", _lines(found.checks))]
    if picture := trail.render(found.evidence):
        facts.append(("trail.svg", picture))
    try:
        if folder.is_symlink():
            raise OSError(f"{folder} is a link")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in chain(facts, written(material)):  # each as soon as it is made
            write_atomic(folder / name, content.rstrip("\n").encode("utf-8", "replace") + b"\n")
    except OSError as error:
        yield f"The audit could not be written to {folder}: {error}"


def _lines(records: Iterable[BaseModel]) -> str:
    return "\n".join(record.model_dump_json() for record in records)
