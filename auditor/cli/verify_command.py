"""`auditor verify`: whether the signed logs of an attempt are intact, and who vouches for that."""

from pathlib import Path

import typer

from harness.verify import verify

EXIT = {"intact": 0, "forged": 1, "unreadable": 2}


def print_verification(directory: Path, key: str | None) -> int:
    """Prints what was found, one line per fact, and returns the exit code."""
    found = verify(directory, key)
    typer.echo(f"{found.status}: {directory}")
    typer.echo(f"  signer   {found.signer or '-'} ({found.trust})")
    for label, lines in (
        ("problem", found.problems),
        ("unsealed", found.unsealed),
        ("gap", found.gaps),
    ):
        for line in lines:
            typer.echo(f"  {label:8} {line}")
    return EXIT[found.status]
