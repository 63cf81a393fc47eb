"""What the signed logs say, and whether they can be believed."""

from auditor.evidence.book import Book
from auditor.models import How
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.models import Attempt, ScoreLine
from harness.verify import Verification


def task(book: Book, environment: Environment, attempt: Attempt) -> None:
    """Notes what scores are compared with: which way is better, the start's and the reference's."""
    facts = environment.facts
    known = environment.profile(attempt.profile)
    book.add(
        "task",
        {
            "title": facts.title,
            "metric": facts.metric,
            "direction": facts.direction,
            "aggregate": facts.aggregate,
            "start_score": known.start_score.model_dump() if known.start_score else None,
            "reference_score": known.reference_score.model_dump()
            if known.reference_score
            else None,
            "measured": dict(attempt.measured),
        },
        stage="log",
    )


def collect(
    book: Book,
    verification: Verification,
    lines: tuple[ScoreLine, ...],
    *,
    claimed: bool = False,
) -> None:
    """Notes the state of the logs and every score entry; `claimed` ones were imported."""
    book.add(
        "log_verified",
        {
            "status": verification.status,
            "problems": list(verification.problems),
            "gaps": list(verification.gaps),
            "unsealed": list(verification.unsealed),
            "signer": verification.signer,
            "trust": verification.trust,
            "imported": claimed,
            "transcript": verification.transcript,
        },
        stage="log",
    )
    for line in lines:
        book.add(
            "score_entry",
            line.model_dump(mode="json", exclude={"prev", "hash"}),
            stage="scores",
            entry=line.index,
            how=How.CLAIMED if claimed else How.OBSERVED,
        )


def hidden(book: Book, folder: AttemptFolder) -> None:
    """Notes the sealed scores that the harness logged at scoring time."""
    for line in folder.hidden_log().lines:
        book.add(
            "hidden_entry",
            line.model_dump(mode="json", exclude={"prev", "hash"}),
            stage="scores",
            entry=line.entry,
        )
