"""`auditor audit`: many attempts in, one verdict each out; one that fails harms no other."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import typer
from pydantic import BaseModel

from auditor.audit import Audit, Auditor, Options
from auditor.cli.progress import Progress
from auditor.cli.rule_commands import RULES
from auditor.models import Verdict, VerdictName
from auditor.summary import failed
from harness import environment as environments
from harness import sandbox
from harness.errors import HarnessError, UsageError
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
    options = Options(
        rules_root=RULES,
        environment=environments.find(request.environment) if request.environment else None,
        replay=cast(Literal["auto", "always", "never"], request.replay),
        budget_s=seconds(request.budget) if request.budget else None,
    )
    sandbox.allow_unsafe(request.unsafe)
    if request.replay != "never":
        sandbox.require()
    codes = []
    with Progress(len(request.paths)) as progress:
        auditor = Auditor(options, environments.find, progress.say)
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
    try:
        found = auditor.audit(path)
    except HarnessError as error:
        progress.warn(error.diagnostics())
        return failed(path, error.diagnostics())
    _keep(path / "audit", found, progress)
    if request.output:
        _keep(request.output / path.resolve().name, found, progress)
    return found.verdict


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
