"""`auditor verify`: whether the signed logs of an attempt are intact, and who vouches for that."""

from pathlib import Path

import typer

from harness.errors import UsageError
from harness.verify import verify
from reports.plain import plain


def print_verification(directory: Path, key: str | None) -> int:
    """Prints what was found, one line per fact, and returns 0 for intact and 1 for forged.

    Raises:
        UsageError: there is nothing that can be verified.
    """
    found = verify(directory, key)
    if found.status == "unreadable":
        problem, _, hint = "; ".join(found.problems).partition("\n")
        raise UsageError(problem, hint=hint)
    forged = found.status == "forged" or found.transcript == "changed"
    typer.echo(f"{'forged' if forged else found.status}: {plain(directory)}")
    typer.echo(f"  signer   {plain(found.signer)} ({found.trust})")
    if found.transcript == "unsigned":
        typer.echo("  note     trajectory.jsonl is not signed: anybody could have written it")
    if found.transcript == "changed":
        typer.echo("  problem  trajectory.jsonl is not the one that was signed")
    for label, lines in (
        ("problem", found.problems),
        ("unsealed", found.unsealed),
        ("gap", found.gaps),
    ):
        for line in lines:
            typer.echo(f"  {label:8} {plain(line)}")
    return int(forged)
