"""Audits what was imported: an attempt whose environment nobody knows, or another program's log."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from auditor.registry import COMMON
from harness.environment import Environment
from harness.models import Attempt, EnvironmentFacts, ProfileFacts, WorkspaceFacts

ROOT = Path(tempfile.gettempdir(), "no-environment-at-all", COMMON)
"""Where the files of an unknown environment would lie: nowhere."""


def unknown(attempt: Attempt, entrypoints: Iterable[str] = ()) -> Environment:
    """Returns an environment of which nothing is known but what the import tells.

    Args:
        attempt: an imported one.
        entrypoints: files that may be what runs.
    """
    imported = attempt.imported
    direction = imported.direction if imported is not None else None
    settings = ProfileFacts(budget_s=0, run_limit_s=0, threads=1, hardware="unknown")
    facts = EnvironmentFacts(
        title="an unknown task",
        kind="program",
        metric="",
        direction=direction or "higher",
        workspace=WorkspaceFacts(
            editable=("*",), protected=(), outputs=(), entrypoints=tuple(entrypoints)
        ),
        profile={attempt.profile: settings},
    )
    return Environment(ROOT, facts)
