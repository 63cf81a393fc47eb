"""How both commands refuse: what and where, then what to do next, on stderr, with exit code 2."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from harness.errors import HarnessError

LONGEST = 2_000
"""Characters of a line; most are less than 200."""


def guarded(app: Callable[[], object]) -> None:
    """Runs a command; what it refuses, or the system refuses it, is said in plain words."""
    from harness.errors import HarnessError, unusable

    try:
        app()
    except HarnessError as error:
        _refuse(error)
    except OSError as error:
        _refuse(unusable(error))


def shown(path: Path) -> str:
    """Returns a path as text that can be written; bytes that are no UTF-8 are spelt out."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def lines(error: "HarnessError") -> list[str]:
    """Returns what happened and what to try next, a line each; names in it stay as they are."""
    return [line for line in (str(error), error.hint) if line]


def _refuse(error: "HarnessError") -> NoReturn:
    from reports.plain import plain

    for line in lines(error):
        typer.secho(plain(line, LONGEST), err=True, fg=typer.colors.RED)
    raise SystemExit(2)
