"""Which environment an attempt was made at: by this host's word, never by the attempt's alone.

`attempt.json` says a name. What comes with this project is found by it. Where the folder of a
user's own environment lies is noted outside all attempts when one is made: a path in the attempt
would let whoever wrote it choose the code that scores and audits it.
"""

import os
from pathlib import Path

from harness import environment as environments
from harness import keys
from harness.environment import SHIPPED, Environment
from harness.errors import UsageError
from harness.files import write_atomic
from harness.models import Attempt

NAME_IT = "Name the environment's folder with --environment."


def note(run_id: str, environment: Environment) -> None:
    """Notes where the environment of a new attempt lies, unless it comes with this project."""
    if environment.root.parent != SHIPPED:
        path = _path(run_id)
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, os.fsencode(environment.root))


def find(attempt: Attempt, chosen: str | None = None) -> Environment:
    """Returns the environment that an attempt was made at.

    Args:
        attempt: what `attempt.json` says.
        chosen: a name or a folder that a person gave; looked up when omitted.

    Raises:
        UsageError: this host does not know it, or it is not the one the attempt was made at.
    """
    environment = environments.find(chosen) if chosen is not None else _known(attempt)
    if environment.name != attempt.environment:
        raise UsageError(
            f"The attempt was made at {attempt.environment!r}, not at {environment.name!r}.",
            hint=NAME_IT,
        )
    environment.profile(attempt.profile)
    return environment


def _known(attempt: Attempt) -> Environment:
    noted = _path(attempt.run_id)
    if noted.is_file():
        root = Path(os.fsdecode(noted.read_bytes()))
        if not (root / "env.toml").is_file():
            raise UsageError(f"The environment {root} is not there any more.", hint=NAME_IT)
        return environments.find(str(root))
    for environment in environments.shipped():
        if environment.name == attempt.environment:
            return environment
    raise UsageError(
        f"There is no environment {attempt.environment!r}, and this host has not made the attempt.",
        hint=NAME_IT,
    )


def _path(run_id: str) -> Path:
    return keys.home() / "environments" / run_id
