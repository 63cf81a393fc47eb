"""`auditor audit`: many attempts in, one verdict each out; one that fails harms no other."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import typer
from pydantic import BaseModel

from auditor.audit import Audit, Auditor, Options
from auditor.cli.progress import Progress
from auditor.cli.rule_commands import RULES
from auditor.engine import described
from auditor.errors import AuditError
from auditor.models import Verdict, VerdictName
from auditor.summary import failed
from harness import environment as environments
from harness import origin, sandbox
from harness.cli.refusal import lines
from harness.errors import HarnessError, UsageError, unusable
from harness.files import write_atomic
from reports import json_lines, markdown, text

RENDERERS = {"json": json_lines.render, "md": markdown.render, "text": text.render}
SUFFIXES = {"json": "json", "md": "md", "text": "txt"}
GRAVITY = (2, 1, 3, 0)
"""Exit codes of several paths, gravest first."""
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


def run(request: Request) -> int:
    """Audits every path, prints the verdicts and returns the exit code."""
    _require_own_names(request)
    options = Options(
        rules_root=RULES,
        environment=None if request.environment is None else environments.find(request.environment),
        replay=cast(Literal["auto", "always", "never"], request.replay),
        budget_s=None if request.budget is None else seconds(request.budget),
    )
    sandbox.allow_unsafe(request.unsafe)
    if request.replay != "never":
        sandbox.require()
    codes = []
    with Progress(len(request.paths)) as progress:
        auditor = Auditor(options, origin.find, progress.say)
        try:
            for path in request.paths:
                progress.start(path)
                verdict = _one(auditor, path, request, progress)
                codes.append(exit_code(verdict, request.fail_on))
                typer.echo(RENDERERS[request.format](verdict))
        finally:
            auditor.close()
    return next(code for code in GRAVITY if code in codes)


def exit_code(verdict: Verdict, fail_on: str) -> int:
    """Returns 0 clean or milder than `fail_on`, 1 found, 2 error, 3 inconclusive."""
    if verdict.verdict is VerdictName.ERROR:
        return 2
    if fail_on == "never" or verdict.verdict is VerdictName.CLEAN:
        return 0
    if verdict.verdict is VerdictName.INCONCLUSIVE:
        return 3
    return int(ORDER.index(verdict.verdict) >= ORDER.index(VerdictName(fail_on)))


def seconds(text: str) -> float:
    """Returns a duration such as `90s`, `30m` or `2h` in seconds.

    Raises:
        UsageError: it is not one.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", text.strip())
    if not found:
        raise UsageError(f"{text!r} is not a duration.", hint="Write for example 90s, 30m or 2h.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[found[2]]


def _one(auditor: Auditor, path: Path, request: Request, progress: Progress) -> Verdict:
    """Audits one path; whatever goes wrong with it becomes its verdict, and harms no other."""
    try:
        found = auditor.audit(path)
        _keep(path / "audit", found, progress)
        if request.output:
            _keep(request.output / _name(path), found, progress)
        return found.verdict
    except HarnessError as error:
        return _failed(path, error, progress)
    except OSError as error:
        return _failed(path, unusable(error), progress)
    except Exception as error:
        hint = "This is a fault of the auditor or the environment, not of the attempt: report it."
        broken = AuditError(f"The audit broke off: {described(error)}.", hint=hint)
        return _failed(path, broken, progress)


def _failed(path: Path, error: HarnessError, progress: Progress) -> Verdict:
    for line in lines(error):
        progress.warn(line)
    return failed(path, " ".join(lines(error)))


def _require_own_names(request: Request) -> None:
    """Refuses paths whose reports would replace each other."""
    again = [name for name, count in Counter(map(_name, request.paths)).items() if count > 1]
    if request.output and again:
        raise UsageError(
            f"Several paths are called {again[0]!r}, and {request.output} has one place for it.",
            hint="Audit them one by one, each with its own --output.",
        )


def _name(path: Path) -> str:
    return os.path.basename(os.path.abspath(path)) or "root"  # a link keeps its own name


def _keep(folder: Path, found: Audit, progress: Progress) -> None:
    """Writes evidence, checks, verdict and reports; a read-only place is a warning."""
    contents = {
        "evidence.jsonl": _lines(found.evidence),
        "checks.jsonl": _lines(found.checks),
        "verdict.json": json_lines.render(found.verdict),
        "report.md": markdown.render(found.verdict),
        "report.txt": text.render(found.verdict),
    }
    try:
        if folder.is_symlink():
            raise OSError(f"{folder} is a link")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomic(folder / name, content.rstrip("\n").encode("utf-8", "replace") + b"\n")
    except OSError as error:
        progress.warn(f"The audit could not be written to {folder}: {error}")


def _lines(records: Iterable[BaseModel]) -> str:
    return "\n".join(record.model_dump_json() for record in records)
