"""Attempts for leaderboards: as values, and on disk without a scorer having run."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from harness import keys, snapshot
from harness.attempt import AttemptFolder
from harness.models import Agent, Attempt, Human, Score, Split
from harness.results import Result, Step, Value

START = datetime(2026, 1, 1, tzinfo=UTC)


class Made(NamedTuple):
    """An entry: when, which score, and what it was on the hidden instance."""

    elapsed_s: float
    score: float | None
    hidden: float | None = None
    code: str = ""


def result(
    *steps: tuple[float, float],
    by: str = "agent",
    task: str = "say_a_number/tiny",
    budget_s: float | None = 28800,
    visible: bool = True,
) -> Result:
    """Returns an attempt whose steps are times and normalised scores."""
    environment, _, profile = task.partition("/")
    final = steps[-1][1] if steps else None
    return Result(
        attempt="somewhere", by=by, environment=environment, profile=profile, ours=False,
        score_visible=visible, known=True, budget_s=budget_s,
        lasted_s=steps[-1][0] if steps else 60.0, entries=max(len(steps), 1),
        invalid=not steps, entry=len(steps) - 1 if steps else None, late=False,
        claimed=Value(raw=final, normalised=final), entries_per_hour=1.0,
        progress=tuple(Step(elapsed_s=at, score=score) for at, score in steps),
    )  # fmt: skip


def attempt(
    root: Path,
    entries: Sequence[Made],
    *,
    environment: str = "triton_cumsum",
    agent: Agent | None = None,
    human: Human | None = None,
    budget_s: float = 900.0,
    code: str = "",
    **facts: Any,
) -> Path:
    """Makes an attempt on disk, with real logs and snapshots; nothing was really scored."""
    folder = AttemptFolder(root)
    solution = folder.workspace / "solution" / "solution.py"
    solution.parent.mkdir(parents=True)
    solution.write_text(code)
    start = snapshot.take(folder.workspace, folder, tag="start", message="start")
    facts = {"profile": "tiny", **facts}
    made_at = Attempt(
        run_id=secrets.token_hex(8), environment=environment, environment_sha256="e" * 64,
        seed=0, agent=agent, human=human, time_budget_s=budget_s, start=START,
        start_commit=start.commit, nonce="n" * 32, machine={}, packages={},
        public_key=keys.public_hex(keys.signing_key()), **facts,
    )  # fmt: skip
    AttemptFolder.create(root, made_at)
    for index, made in enumerate(entries):
        solution.write_text(made.code or f"{code}\nstep({index})\n")
        commit = snapshot.take(folder.workspace, folder, message="entry").commit
        at = START + timedelta(seconds=made.elapsed_s)
        folder.append_score(
            scored_at=at, elapsed_s=made.elapsed_s, commit=commit, score=Score(value=made.score)
        )
        if made.hidden is not None:
            for split in Split:
                folder.append_hidden(
                    scored_at=at, elapsed_s=made.elapsed_s, commit=commit, entry=index,
                    score=Score(value=made.hidden), split=split,
                )  # fmt: skip
    return root
