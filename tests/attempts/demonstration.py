"""`make audit`: makes, runs, scores and audits four attempts, and shows the verdicts."""

import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from auditor.cli.audit_command import Request, run
from auditor.models import Evidence, Kind, Verdict
from auditor.rule import gravity
from harness import environment as environments
from harness import sandbox
from harness.errors import HarnessError, UsageError
from tests.attempts.builder import Prepared, Say, build
from tests.attempts.recipe import differences, find

ATTEMPTS = ("honest_one_process", "copy_cp", "camouflage_noise", "honest_then_copy")
MARKER = ".demonstration"
"""Lies in a folder that an earlier demonstration made, and that may therefore be replaced."""


def main() -> int:
    """Returns 0 when every verdict is the expected one, 1 when not, 2 when it cannot be tried."""
    parser = ArgumentParser(prog="python -m tests.attempts.demonstration", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the attempts and their reports")
    out = parser.parse_args().out
    console = Console(stderr=True)
    try:
        sandbox.require()
        _make_room(out)
        began = time.monotonic()
        _build(out, console)
        verdicts = _audit(out)
    except HarnessError as error:
        console.print(error.diagnostics(), style="red", markup=False)
        return 2
    wrong = _show(out, verdicts, time.monotonic() - began)
    for name, sentence in wrong:
        console.print(f"{name}: {sentence}", style="red", markup=False, soft_wrap=True)
    return 1 if wrong else 0


def _make_room(out: Path) -> None:
    """Empties `out` if an earlier demonstration made it; anything else stays untouched."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder.", hint="Name one that does not exist yet.")
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).is_file():
            raise UsageError(
                f"{out} holds something else, so it is not replaced.",
                hint="Name a folder that does not exist yet, or empty this one.",
            )
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("Made by tests.attempts.demonstration; replaced by its next run.\n")


def _build(out: Path, console: Console) -> None:
    """Makes the attempts; they share the visible instance and what is measured on it."""
    with _progress(console) as say:
        shared = Prepared.of(environments.find("optimize_llm_foundry"), out / ".instance")
        for name in ATTEMPTS:
            build(name, out / name, environment=shared, say=_named(name, say))
    shutil.rmtree(out / ".instance")


def _named(name: str, say: Say) -> Say:
    return lambda text: say(f"{name}: {text}")


@contextmanager
def _progress(console: Console) -> Iterator[Say]:
    """Yields a function that shows what is being done: a live line, or one line each."""
    if not console.is_terminal:
        yield lambda text: console.print(text, style="dim", markup=False, soft_wrap=True)
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting")

        def say(text: str) -> None:
            progress.update(task, description=text)

        yield say


def _audit(out: Path) -> list[Verdict]:
    """Audits all attempts in one go, by the code path of `auditor audit --format json`."""
    request = Request(
        paths=tuple(out / name for name in ATTEMPTS), environment=None, replay="always",
        budget=None, format="json", output=None, fail_on="suspect", unsafe=False,
    )  # fmt: skip
    printed = StringIO()
    with redirect_stdout(printed):
        run(request)
    return [Verdict.model_validate_json(line) for line in printed.getvalue().splitlines()]


def _show(out: Path, verdicts: list[Verdict], seconds: float) -> list[tuple[str, str]]:
    """Prints the table and where the reports are; returns what differs from the expected."""
    table = Table(title="Was the score earned?", caption="scores are ln(seconds), lower is better")
    for column in ("attempt", "verdict", "earned", "claimed", "remeasured", "hidden", "vetted"):
        table.add_column(column, no_wrap=True)
    table.add_column("what it rests on")
    wrong = []
    for name, verdict in zip(ATTEMPTS, verdicts, strict=True):
        scores = (
            verdict.claimed_score, verdict.remeasured_score,
            verdict.hidden_score, verdict.vetted_score,
        )  # fmt: skip
        table.add_row(
            name, verdict.verdict, _word(verdict.earned), *map(_figure, scores), _basis(verdict)
        )
        evidence = _evidence(out / name)
        wrong += [
            (name, sentence) for sentence in differences(find(name).expected, verdict, evidence)
        ]
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    console.print(f"{len(ATTEMPTS)} attempts made, scored and audited in {seconds:.0f} s. Reports:")
    for name in ATTEMPTS:
        console.print(f"  {out / name / 'audit' / 'report.html'}", markup=False, soft_wrap=True)
    return wrong


def _evidence(folder: Path) -> tuple[Evidence, ...]:
    lines = (folder / "audit" / "evidence.jsonl").read_text("utf-8").splitlines()
    return tuple(Evidence.model_validate_json(line) for line in lines)


def _basis(verdict: Verdict) -> str:
    """The gravest findings and the interventions that were not withstood, or how many held."""
    found = [item for item in verdict.findings if gravity(item.kind) > gravity(Kind.NOTE)]
    if found:
        worst = max(gravity(item.kind) for item in found)
        grave = {f"{i.code} {i.misdeed}" for i in found if gravity(i.kind) == worst}
        failed = {f"{i.name} {i.outcome}" for i in verdict.interventions if i.held is False}
        return "; ".join([", ".join(sorted(grave)), *([", ".join(sorted(failed))] * bool(failed))])
    if verdict.error:
        return verdict.error
    ran = [item for item in verdict.interventions if item.held is not None]
    return f"{sum(bool(item.held) for item in ran)} of {len(ran)} interventions held"


def _word(earned: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[earned]


def _figure(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"


if __name__ == "__main__":
    sys.exit(main())
