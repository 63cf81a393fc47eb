"""Audits another program's log as it is: each run in it becomes an attempt that is thrown away."""

import tempfile
from dataclasses import replace
from pathlib import Path

from auditor.audit import Audit, Auditor
from harness.environment import Environment
from harness.importing import attempts
from harness.importing.run import Run, folder_name


def audit(
    auditor: Auditor, run: Run, source: Path, shown: str, chosen: Environment | None
) -> Audit:
    """Audits one run of a log.

    Args:
        auditor: applies the rules.
        run: as it was read.
        source: the log.
        shown: what the verdict calls it.
        chosen: the environment that a person named; told by the log when None.
    """
    with tempfile.TemporaryDirectory(prefix="log-") as scratch:
        root = Path(scratch, "attempt")
        root.mkdir()
        attempts.one(run, root, source=source, environment=chosen, noted=False)
        found = auditor.audit(root)
    return replace(found, verdict=found.verdict.model_copy(update={"attempt": shown}))


def name_of(run: Run, source: Path, count: int) -> Path:
    """Returns what a run of a log is called: as the log, and by its own name among several."""
    return source if count == 1 else Path(f"{source}:{folder_name(run.name)}")
