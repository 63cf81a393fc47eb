"""`auditor vet`: many attempts in, one table out; what was audited before is not audited again."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import typer

from auditor import answers, imported, known, registry, review
from auditor.audit import Auditor, Options
from auditor.cli import one_attempt
from auditor.cli.audit_command import FEW, GRAVITY, Request, code_of, keep, options_of
from auditor.cli.material import material_of
from auditor.cli.progress import Progress
from auditor.cli.rule_commands import RULES
from auditor.engine import described
from auditor.errors import AuditError
from auditor.pool import Pool
from auditor.summary import failed
from auditor.vet import assess, case_of
from auditor.vetting import Case, Policy, Vetting
from harness import origin, sandbox
from harness.cli.refusal import lines
from harness.errors import HarnessError, UsageError, unusable
from harness.files import tree_sha256
from reports import vetting as reports
from reports import vetting_page

RENDERERS: dict[str, Callable[[Vetting], str]] = {
    "json": reports.json, "csv": reports.csv, "md": reports.markdown, "text": reports.text,
    "html": vetting_page.render,
}  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """What the command line asked for."""

    request: Request
    """What belongs to each audit; its paths are those that were named."""
    policy: str
    review: Path | None
    fresh: bool


def run(wish: Wish) -> int:
    """Audits what is not known, prints the table and returns the exit code."""
    request = wish.request
    opinions = review.read(wish.review) if wish.review else ()
    if wish.review and not wish.review.absolute().parent.is_dir():
        raise UsageError(f"{wish.review.parent} is not a folder.", hint="Make it, or name another.")
    paths = list(attempts_in(request.paths))
    options = options_of(request)
    sandbox.allow_unsafe(request.unsafe)
    if options.replay != "never":
        sandbox.require()
    with Progress(len(paths)) as progress:
        cases, before = _cases(paths, wish, options, progress)
        vetting = assess(cases, Policy(wish.policy), replay=options.replay, known=before)
        if wish.review:
            opinions = review.read(wish.review)  # people may have gone on while it was audited
            judged = review.judge(wish.review, vetting, opinions)
            vetting = vetting.model_copy(update={"review": judged if opinions else None})
            review.write(wish.review, vetting, opinions)
            progress.note(f"The cases are in {wish.review}.")
    typer.echo(RENDERERS[request.format](vetting))
    codes = {code_of(row.case.verdict, request.fail_on) for row in vetting.rows}
    return next(code for code in GRAVITY if code in codes)


def attempts_in(paths: Sequence[Path]) -> Iterator[Path]:
    """Yields the attempts that are named, and those that lie in a folder that is named.

    Raises:
        UsageError: a folder holds no attempt.
    """
    named = set()
    for path in paths:
        inside = [] if _is_attempt(path) or not path.is_dir() else sorted(path.iterdir())
        found = [child for child in inside if _is_attempt(child)] if inside else [path]
        if not found:
            raise UsageError(
                f"{path} is no attempt, and there is none in it.",
                hint="Name attempts, or folders of attempts.",
            )
        for attempt in found:
            if (real := os.path.realpath(attempt)) not in named:  # named twice is meant once
                named.add(real)
                yield attempt


@dataclass
class Vetter:
    """The audit of one attempt as a job, here or in another process."""

    options: Options
    say: Callable[[str], None] | None = None

    def __call__(self, path: Path) -> Case:
        """Audits an attempt and keeps what was found; whatever goes wrong becomes its verdict."""
        try:
            return self._vetted(path)
        except HarnessError as error:
            return _failed(path, error)
        except OSError as error:
            return _failed(path, unusable(error))
        except Exception as error:
            hint = "This is a fault of the auditor or the environment, not of the attempt."
            return _failed(path, AuditError(f"The audit broke off: {described(error)}.", hint=hint))

    def lost(self, path: Path) -> Case:
        """What is said of an attempt whose process died."""
        return _failed(path, AuditError("The process that audited it came to an end."))

    def close(self) -> None:
        """Removes what the audits shared."""
        self._auditor.close()

    @cached_property
    def _auditor(self) -> Auditor:
        return Auditor(self.options, origin.find, self.say or (lambda _: None))

    def _vetted(self, path: Path) -> Case:
        before = one_attempt.content(path)
        found = self._auditor.audit(path)
        case = one_attempt.remember(path, self.options, found.verdict, before)
        place = path / "audit"
        found = replace(found, verdict=answers.shown(found.verdict, [place]))
        for warning in keep(place, found, material_of(found)):
            if self.say:
                self.say(warning)
        return case


def _cases(
    paths: Sequence[Path], wish: Wish, options: Options, progress: Progress
) -> tuple[list[Case], set[str]]:
    """Returns the cases in the order of the paths, and the names of those that were known."""
    memory = _Memory(options)
    found = {} if wish.fresh else {path: memory.recall(path) for path in paths}
    cases = {path: case for path, case in found.items() if case is not None}
    before = {case.case for case in cases.values()}
    rest = [path for path in paths if path not in cases]
    progress.note(f"{len(cases)} of {len(paths)} attempts are known and unchanged.")
    try:
        cases |= zip(rest, _audited(rest, options, progress), strict=True)
    except KeyboardInterrupt:
        progress.warn("Stopped. What was audited is kept: the same command goes on from there.")
        raise typer.Exit(130) from None
    return [cases[path] for path in paths], before


def _audited(paths: Sequence[Path], options: Options, progress: Progress) -> Iterator[Case]:
    """Audits in the order given: side by side without replay, else alone, since runs are timed."""
    if options.replay == "never" and len(paths) > FEW:
        job = Vetter(options)
        with Pool(job, job.lost) as pool:
            results = pool.run(paths)
            for path in paths:
                progress.start(path)
                yield next(results)
        return
    vetter = Vetter(options, progress.say)
    try:
        for path in paths:
            progress.start(path)
            yield vetter(path)
    finally:
        vetter.close()


class _Memory:
    """What is known of attempts, as rules and environments are now."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rules = cache(self._loaded)
        self._environment = cache(tree_sha256)

    def recall(self, path: Path) -> Case | None:
        """Returns what is known of an attempt, if that still holds."""
        with suppress(HarnessError, OSError):
            _, environment = one_attempt.made_at(path, self._options)
            common = self._options.common or environment.root == imported.ROOT
            rules = self._rules(None if common else environment.root)
            its = one_attempt.basis(path, self._options, rules, self._environment(environment.root))
            case = known.recall(its) if its is not None else None
            return case.model_copy(update={"attempt": str(path)}) if case else None
        return None

    @staticmethod
    def _loaded(root: Path | None) -> str:
        """The hash of the rules in force for an environment's folder, or of the common ones."""
        if root is None:
            return registry.of(RULES, None).sha256
        return registry.load(RULES, root.name, root / "rules").sha256


def _failed(path: Path, error: HarnessError) -> Case:
    return case_of("", failed(path, " ".join(lines(error))))


def _is_attempt(path: Path) -> bool:
    return os.path.lexists(path / "attempt.json")
