"""What `audit` and `vet` share: a verdict is kept with what it rests on, and made once."""

from contextlib import suppress
from pathlib import Path

from auditor import known
from auditor.audit import Options
from auditor.imported import environment_of
from auditor.known import Basis
from auditor.models import Verdict
from auditor.vet import case_of
from auditor.vetting import Case
from harness import origin
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import HarnessError
from harness.models import Attempt


def made_at(path: Path, options: Options) -> tuple[Attempt, Environment]:
    """Returns an attempt's facts, and the environment that it is audited at.

    Raises:
        UsageError: it is no attempt, or this host does not know its environment.
    """
    attempt = AttemptFolder.open(path).attempt()
    return attempt, options.environment or environment_of(attempt, origin.find)


def basis(path: Path, options: Options, rules: str, environment: str) -> Basis | None:
    """Returns what a verdict on an attempt rests on; None where that cannot be said."""
    with suppress(HarnessError, OSError, RecursionError):
        return known.basis(
            path, rules=rules, environment=environment, common=options.common,
            replay=options.replay, budget_s=options.budget_s,
        )  # fmt: skip
    return None


def content(path: Path) -> str | None:
    """Returns a hash over what an audit reads of an attempt; None where it cannot be read."""
    with suppress(HarnessError, OSError, RecursionError):
        return known.content(path)
    return None


def remember(path: Path, options: Options, verdict: Verdict, before: str | None) -> Case:
    """Keeps a verdict for the next vetting, if the attempt is as it was `before` the audit.

    Args:
        path: the attempt.
        options: how it was audited.
        verdict: what was found.
        before: the `content` of the attempt when the audit began.
    """
    case = case_of(known.name(path), verdict, *made_at(path, options))
    made = verdict.provenance
    its = basis(path, options, made.rules_sha256, made.environment_sha256)
    if its is not None and its.attempt == before:
        with suppress(OSError):  # without room for it, it is made again next time
            known.remember(its, case)
    return case
