"""`auditor contest`: an answer to a finding, kept beside the verdict that it does not change."""

from pathlib import Path

import typer

from auditor import answers
from auditor.models import Decision
from reports.plain import plain


def contest(
    directory: Path, finding: str, because: str, attach: Path | None, decide: str | None
) -> None:
    """Keeps an answer, or a reviewer's decision, and says where it is shown."""
    decision = None if decide is None else Decision(decide)
    answer = answers.add(directory, finding, because, attach=attach, decision=decision)
    said = "An answer to" if decision is None else f"A reviewer's decision ({decision}) on"
    typer.echo(f"{said} {plain(answer.code)} {plain(answer.finding)} is kept.")
    typer.echo("The next audit shows it, beside the verdict, which stays what it was.", err=True)
