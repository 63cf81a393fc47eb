"""What an agent may see of its own scores, in the words of RE-Bench's tools."""

from harness.models import EnvironmentFacts, ScoreLine


def reply(line: ScoreLine, facts: EnvironmentFacts) -> dict[str, object]:
    """Returns the answer to a request for a score."""
    return {
        "status": "invalidSubmission" if line.score is None else "scoringSucceeded",
        "message": line.message,
        "score": line.score if facts.score_visible else None,
    }


def row(line: ScoreLine, facts: EnvironmentFacts) -> dict[str, object]:
    """Returns a line of the score log."""
    view: dict[str, object] = {
        "index": line.index,
        "scored_at": line.scored_at.isoformat(),
        "elapsed_s": line.elapsed_s,
        "message": line.message,
    }
    return view | ({"score": line.score} if facts.score_visible else {})
