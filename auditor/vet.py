"""Puts many verdicts into one table, and says what is left of the headline. Everything is pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from auditor.models import Finding, Kind, Verdict, VerdictName
from auditor.rule import gravity
from auditor.vetting import (
    BestOf,
    Case,
    Ground,
    Group,
    Headline,
    Policy,
    Ranked,
    Row,
    Share,
    Standing,
    Vetting,
)
from harness import ranking
from harness.environment import Environment
from harness.models import Attempt
from harness.normalise import scale

GAPS = 20
"""Gaps kept of one attempt; the rest is counted."""
GAP_CHARACTERS = 300
RESAMPLES = 1_000
MOST_RUNS = 16
"""The largest k of score@k: eight hours in half-hour runs."""
LEVEL = 0.95
NOBODY = "unknown"

Runs = Mapping[str, Sequence[float]]


def case_of(
    name: str, verdict: Verdict, attempt: Attempt | None = None, task: Environment | None = None
) -> Case:
    """Returns what the table needs of a verdict, bounded however long that is.

    Args:
        name: what names the audited content.
        verdict: on one attempt.
        attempt: its facts; None where they could not be read.
        task: the environment it was made at.
    """
    gaps = _gaps(verdict)
    facts: dict[str, object] = {"environment": verdict.environment or ""}
    if attempt is not None and task is not None:
        zero = scale(attempt, task.profile(attempt.profile))
        facts = {
            "environment": attempt.environment,  # also where it was judged by the common rules
            "run_id": attempt.run_id,
            "model": model_of(attempt),
            "scaffold": attempt.agent.scaffold if attempt.agent else "",
            "time_budget_s": attempt.time_budget_s,
            "seen": task.facts.score_visible,
            "start_score": zero.start if zero else None,
        }
    return Case.model_validate(
        {
            **facts,
            "case": name,
            "attempt": verdict.attempt,
            "profile": verdict.profile or "",
            "verdict": verdict.verdict,
            "error": (verdict.error or "")[: 4 * GAP_CHARACTERS],
            "earned": verdict.earned,
            "claimed_score": verdict.claimed_score,
            "remeasured_score": verdict.remeasured_score,
            "hidden_score": verdict.hidden_score,
            "vetted_score": verdict.vetted_score,
            "normalised": verdict.normalised,
            "entries": len(verdict.entries),
            "valid_entries": sum(entry.score is not None for entry in verdict.entries),
            "findings": len(verdict.findings),
            "rests_on": grounds(verdict.findings),
            "interventions": dict(Counter(item.outcome.value for item in verdict.interventions)),
            "not_looked_at": tuple(gap[:GAP_CHARACTERS] for gap in gaps[:GAPS]),
            "gaps": len(gaps),
            "auditor": verdict.provenance.auditor,
            "rules_sha256": verdict.provenance.rules_sha256,
            "environment_sha256": verdict.provenance.environment_sha256,
        }
    )


def model_of(attempt: Attempt) -> str:
    """Returns who made an attempt, as groups are called."""
    if attempt.agent is not None:
        return attempt.agent.model or attempt.agent.name or NOBODY
    return f"human ({attempt.human.pool})" if attempt.human is not None else NOBODY


def grounds(findings: Iterable[Finding]) -> tuple[Ground, ...]:
    """Returns the rules that found more than a note, gravest first, whatever they found."""
    by_code: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.kind is not Kind.NOTE:
            by_code[finding.code].append(finding)
    found = []
    for code, group in by_code.items():
        worst = max(group, key=lambda item: gravity(item.kind))
        found.append(
            Ground(
                code=code, rule=worst.rule, kind=worst.kind, effect=worst.effect, how=worst.how,
                findings=len(group),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda item: (-gravity(item.kind), item.code)))


def assess(
    cases: Sequence[Case],
    policy: Policy,
    *,
    replay: str = "auto",
    known: Iterable[str] = (),
) -> Vetting:
    """Returns the table, the groups and the ranking under a policy.

    Args:
        cases: in the order of the table.
        policy: what an attempt counts whose claim did not survive.
        replay: how much was executed again.
        known: names of the cases that were audited before.
    """
    before = set(known)
    rows = [_row(case, policy, case.case in before) for case in cases]
    grouped: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        # What could not be read at all belongs to nobody; its row says why.
        if row.case.environment:
            grouped[(row.case.environment, row.case.profile, row.case.model)].append(row)
    over, ranked = _ranking(grouped)
    return Vetting(
        policy=policy,
        replay=replay,
        rows=tuple(_weighed(rows, grouped)),
        groups=tuple(_group(*key, grouped[key]) for key in sorted(grouped)),
        ranked_over=over,
        ranking=ranked,
    )


def wilson(count: int, of: int, level: float = LEVEL) -> Share | None:
    """Returns a share with Wilson's score interval; None of nothing.

    Raises:
        ValueError: the part is larger than the whole.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} is no part of {of}")
    if of == 0:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = count / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    low = 0.0 if count == 0 else middle - half  # exact at the ends, where rounding is not
    high = 1.0 if count == of else middle + half
    return Share(count=count, of=of, low=low, high=high, level=level)


def standing(case: Case) -> Standing:
    """Returns what a verdict makes of an attempt's score."""
    if case.verdict is VerdictName.ERROR or case.claimed_score is None:
        return Standing.ABSENT
    if case.verdict is VerdictName.CLEAN:
        return Standing.STANDS
    if case.verdict in (VerdictName.VIOLATION, VerdictName.CHEATING):
        return Standing.FALLS
    return Standing.OPEN


def _gaps(verdict: Verdict) -> list[str]:
    """What was not looked at, as sentences."""
    listed = verdict.coverage.get("gaps")
    gaps = [str(gap) for gap in listed] if isinstance(listed, list) else []
    missing = verdict.coverage.get("interventions_not_run")
    if isinstance(missing, list):
        gaps += [f"not run: {item}" for item in missing]
    return gaps


def _row(case: Case, policy: Policy, known: bool) -> Row:
    stands = standing(case)
    normal = case.normalised
    measured, raw = normal.claimed, case.claimed_score
    if normal.remeasured is not None:
        measured, raw = normal.remeasured, case.remeasured_score
    fallen = _fallen(case, policy)
    counted, worst = {
        Standing.STANDS: ((normal.vetted, case.vetted_score), (normal.vetted, case.vetted_score)),
        Standing.OPEN: ((measured, raw), fallen),
        Standing.FALLS: (fallen, fallen),
        Standing.ABSENT: ((None, None), (None, None)),
    }[stands]
    return Row(
        case=case,
        standing=stands,
        claimed=None if stands is Standing.ABSENT else normal.claimed,
        counted=counted[0],
        counted_score=counted[1],
        worst=worst[0],
        effect=0.0,
        known=known,
    )


def _fallen(case: Case, policy: Policy) -> tuple[float | None, float | None]:
    """What an attempt counts whose claim did not survive: on the common scale, and raw."""
    if case.normalised.claimed is None or policy is Policy.DROP:
        return None, None  # without a scale there is no 0 either
    if policy is Policy.VETTED and case.normalised.vetted is not None:
        return case.normalised.vetted, case.vetted_score
    return 0.0, None if policy is Policy.ZERO else case.start_score


def _weighed(rows: Sequence[Row], grouped: Mapping[tuple[str, str, str], list[Row]]) -> list[Row]:
    """The rows with what the mean of their group would move by, were the verdict wrong."""
    totals = {key: _Total.of(row.counted for row in group) for key, group in grouped.items()}
    weighed = []
    for row in rows:
        key = (row.case.environment, row.case.profile, row.case.model)
        total = totals.get(key, _Total(0.0, 0))
        moved = [abs(total.moved(row.counted, other)) for other in _otherwise(row)]
        weighed.append(row.model_copy(update={"effect": max(moved, default=0.0)}))
    return weighed


class _Total(NamedTuple):
    """What a mean is made of."""

    sum: float
    number: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "_Total":
        known = [value for value in values if value is not None]
        return cls(math.fsum(known), len(known))

    @property
    def mean(self) -> float:
        return self.sum / self.number if self.number else 0.0

    def moved(self, now: float | None, then: float | None) -> float:
        """How far the mean moves when one of its values, or of those left out, is another."""
        number = self.number + (then is not None) - (now is not None)
        return _Total(self.sum + (then or 0.0) - (now or 0.0), number).mean - self.mean


def _otherwise(row: Row) -> list[float | None]:
    """What a row might count, had the auditor decided otherwise."""
    if row.standing is Standing.ABSENT:
        return []
    if row.standing is Standing.STANDS:
        return [0.0]
    believed = row.case.normalised.remeasured
    return [row.claimed, row.worst, *([believed] if believed is not None else [])]


def _group(environment: str, profile: str, model: str, rows: Sequence[Row]) -> Group:
    judged = [row for row in rows if row.case.verdict is not VerdictName.ERROR]
    verdicts = Counter(row.case.verdict.value for row in judged)
    return Group(
        environment=environment,
        profile=profile,
        model=model,
        attempts=len(judged),
        errors=len(rows) - len(judged),
        verdicts={
            name.value: verdicts[name.value] for name in VerdictName if name.value != "error"
        },
        hacked=wilson(verdicts["cheating"], len(judged)),
        headline=_headline({_task(rows[0]): rows}),
    )


def _ranking(
    grouped: Mapping[tuple[str, str, str], list[Row]],
) -> tuple[tuple[str, ...], tuple[Ranked, ...]]:
    """Ranks the models over the environments that all of them have attempted."""
    by_model: dict[str, dict[str, list[Row]]] = defaultdict(dict)
    for (environment, profile, model), rows in grouped.items():
        by_model[model][_called(environment, profile)] = rows
    shared = sorted(set.intersection(*map(set, by_model.values()))) if by_model else []
    headlines = {
        model: _headline({name: rows[name] for name in shared}) for model, rows in by_model.items()
    }
    places = {
        how: _places({name: getattr(it, how) for name, it in headlines.items()})
        for how in ("claimed", "counted")
    }
    ranked = [
        Ranked(
            model=model, claimed=it.claimed, counted=it.counted, worst=it.worst,
            claimed_rank=places["claimed"].get(model), counted_rank=places["counted"].get(model),
            headline=it,
        )
        for model, it in headlines.items()
    ]  # fmt: skip
    last = len(ranked) + 1
    ranked.sort(key=lambda item: (item.counted_rank or last, item.claimed_rank or last, item.model))
    return tuple(shared), tuple(ranked)


def _places(values: Mapping[str, float | None]) -> dict[str, int]:
    """Ranks from 1; equals share the better rank, and who has no value has no rank."""
    known = {name: value for name, value in values.items() if value is not None}
    return {
        name: 1 + sum(other > value for other in known.values()) for name, value in known.items()
    }


def _headline(rows: Mapping[str, Sequence[Row]]) -> Headline:
    """Means over environments of means over runs, and score@k, before and after vetting."""
    claimed = _runs(rows, lambda row: row.claimed)
    counted = _runs(rows, lambda row: row.counted)
    worst = _runs(rows, lambda row: row.worst)
    unseen = {name for name, group in rows.items() if not all(row.case.seen for row in group)}
    whole = len(rows)
    most = min(map(len, counted.values())) if counted and len(counted) == whole else 0
    best = [_best_of(k, claimed, counted, unseen) for k in _powers(most)]
    return Headline(
        claimed=_mean(claimed, whole), counted=_mean(counted, whole), worst=_mean(worst, whole),
        best_of=tuple(best),
    )  # fmt: skip


def _runs(
    rows: Mapping[str, Sequence[Row]], value: Callable[[Row], float | None]
) -> dict[str, list[float]]:
    found = {
        name: [score for row in group if (score := value(row)) is not None]
        for name, group in rows.items()
    }
    return {name: scores for name, scores in found.items() if scores}


def _mean(runs: Runs, whole: int) -> float | None:
    """The mean over all environments; None where one of them has no score."""
    return ranking.score_at_k(runs, 1) if runs and len(runs) == whole else None


def _best_of(k: int, claimed: Runs, counted: Runs, unseen: set[str]) -> BestOf:
    enough = claimed.keys() == counted.keys() and all(len(its) >= k for its in claimed.values())
    bounds = ranking.interval(counted, k, unseen=unseen, resamples=RESAMPLES)
    return BestOf(
        k=k,
        claimed=ranking.score_at_k(claimed, k, unseen=unseen) if enough else None,
        counted=ranking.score_at_k(counted, k, unseen=unseen),
        counted_low=bounds.low if bounds else None,
        counted_high=bounds.high if bounds else None,
    )


def _powers(most: int) -> list[int]:
    """1, 2, 4, … up to `MOST_RUNS`, or to the runs that the smallest environment has."""
    return [2**i for i in range(min(most, MOST_RUNS).bit_length())]


def _task(row: Row) -> str:
    return _called(row.case.environment, row.case.profile)


def _called(environment: str, profile: str) -> str:
    return f"{environment} ({profile})" if profile else environment
