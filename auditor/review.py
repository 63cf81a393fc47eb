"""What people say of the cases: a table with blank columns, written out and read back."""

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Literal

from auditor.models import VerdictName
from auditor.vet import wilson
from auditor.vetting import Agreement, Review, Row, RuleRecord, Standing, Vetting
from harness.errors import UsageError
from harness.files import write_atomic

OURS = (
    "case", "attempt", "model", "environment", "profile", "verdict", "claimed", "counted",
    "effect", "rules", "evidence",
)  # fmt: skip
"""What the auditor fills in."""
THEIRS = ("decision", "wrong_rules", "reviewer", "note")
"""What a person fills in, and nothing else changes."""
COLUMNS = (*OURS, *THEIRS)
DECISIONS = ("honest", "violation", "cheating", "unsure")
AUDITOR = "auditor"
LARGEST = 64 << 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""

Decision = Literal["honest", "violation", "cheating", "unsure"]


@dataclass(frozen=True)
class Opinion:
    """What one person said of one case."""

    case: str
    decision: str
    """Empty where nothing was decided yet."""
    wrong_rules: tuple[str, ...]
    """Codes of rules that had no reason to speak, though the decision may stand without them."""
    reviewer: str
    cells: Mapping[str, str] = field(repr=False)
    """The whole row as it was read, with whatever columns they have added."""

    @property
    def honest(self) -> bool | None:
        """Whether they found the attempt honest; None where they did not say."""
        return None if self.decision in ("", "unsure") else self.decision == "honest"


def read(path: Path) -> tuple[Opinion, ...]:
    """Returns what people have filled in; nothing where there is no such file yet.

    Raises:
        UsageError: it is no table of ours, or a decision is none of `DECISIONS`.
    """
    if not os.path.lexists(path):
        return ()
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is no review.", hint="Name a file that is not there yet.")
    try:
        text = path.read_text("utf-8-sig")  # a spreadsheet begins its files with a mark
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be read as a review: {error}.", hint="Save it as CSV, in UTF-8."
        ) from error
    needed = {"case", *THEIRS}
    if rows and (missing := needed - rows[0].keys()):
        raise UsageError(
            f"{path} is no review: it has no column {min(missing)!r}.",
            hint="Name a file that is not there yet, or one that `auditor vet --review` wrote.",
        )
    return tuple(_opinion(path, number, row) for number, row in enumerate(rows, start=2))


def write(path: Path, vetting: Vetting, opinions: Sequence[Opinion]) -> None:
    """Writes the cases, the ones that move the headline most first, with what people have said.

    Rows about attempts that are not among these, or have changed since, stay as they were, at
    the end: nobody's work is thrown away.
    """
    said: dict[str, list[Opinion]] = defaultdict(list)
    for opinion in opinions:
        said[opinion.case].append(opinion)
    out = io.StringIO(newline="")
    added = dict.fromkeys(name for opinion in opinions for name in opinion.cells)
    columns = [*COLUMNS, *(name for name in added if name not in COLUMNS)]
    table = csv.DictWriter(out, columns, lineterminator="\n")
    table.writeheader()
    rows = ordered(vetting.rows)
    for row in rows:
        ours = _ours(row)
        for theirs in [opinion.cells for opinion in said[row.case.case]] or [{}]:
            table.writerow({**theirs, **ours})
    current = {row.case.case for row in rows}
    for opinion in opinions:
        if opinion.case not in current:
            table.writerow(opinion.cells)
    write_atomic(path, out.getvalue().encode("utf-8", "replace"))


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Returns the cases for a person: what was found first, then by what the headline moves."""
    cases = {row.case.case: row for row in rows if row.case.case}  # two copies are one case
    return sorted(
        cases.values(), key=lambda row: (row.standing in _QUIET, -row.effect, row.case.attempt)
    )


def judge(path: Path, vetting: Vetting, opinions: Sequence[Opinion]) -> Review:
    """Returns how the auditor does beside people: precision per rule, and agreement."""
    rows = {row.case.case: row for row in vetting.rows if row.case.case}
    about = [opinion for opinion in opinions if opinion.case in rows]
    decided = [opinion for opinion in about if opinion.decision]
    people = sorted({opinion.reviewer for opinion in decided})
    return Review(
        file=str(path),
        reviewers=tuple(people),
        decided=len({opinion.case for opinion in decided if opinion.honest is not None}),
        unsure=sum(opinion.decision == "unsure" for opinion in decided),
        stale=len(opinions) - len(about),
        rules=tuple(_records(decided, rows)),
        agreement=tuple(_agreements(decided, rows, people)),
        falsely_accused=_disputed(decided, rows, accused=True),
        missed=_disputed(decided, rows, accused=False),
    )


_QUIET = (Standing.STANDS, Standing.ABSENT)
_DECIDED = {
    VerdictName.CLEAN: False,
    VerdictName.VIOLATION: True,
    VerdictName.CHEATING: True,
}
"""Whether a verdict accuses. What was left open was not decided, so nobody can agree with it."""


def _opinion(path: Path, number: int, row: Mapping[str, str]) -> Opinion:
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {name: value.strip() for name, value in row.items() if name and value}
    decision = cells["decision"].lower()
    if decision and decision not in DECISIONS:
        raise UsageError(
            f"{path}, line {number}: {decision!r} is no decision.",
            hint=f"Write one of {', '.join(DECISIONS)}, or nothing yet.",
        )
    codes = tuple(code.upper() for code in re.split(r"[\s,;]+", cells["wrong_rules"]) if code)
    spoke = set(_codes(cells["rules"]))
    if spoke and (unknown := set(codes) - spoke):
        raise UsageError(
            f"{path}, line {number}: the rule {min(unknown)} did not speak there.",
            hint=f"`wrong_rules` may name {', '.join(sorted(spoke))}, or be empty.",
        )
    return Opinion(cells["case"], decision, codes, cells["reviewer"] or "person", cells)


def _ours(row: Row) -> dict[str, str]:
    case = row.case
    return {
        "case": case.case,
        "attempt": _cell(case.attempt),
        "model": _cell(case.model),
        "environment": _cell(case.environment),
        "profile": case.profile,
        "verdict": case.verdict.value,
        "claimed": _number(row.claimed),
        "counted": _number(row.counted),
        "effect": _number(row.effect),
        "rules": " ".join(ground.code for ground in case.rests_on),
        "evidence": _cell(f"{case.attempt}/audit"),
    }


def _codes(cell: str) -> list[str]:
    return [code.upper() for code in cell.split()]


def _cell(text: str) -> str:
    """A text of somebody else's as a cell that is only shown, on one line."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _records(decided: Sequence[Opinion], rows: Mapping[str, Row]) -> Iterable[RuleRecord]:
    """Per rule, how often people found that it was right to speak."""
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for opinion in decided:
        for ground in rows[opinion.case].case.rests_on:
            mistaken = opinion.honest is True or ground.code in opinion.wrong_rules
            how = "wrong" if mistaken else "unsure" if opinion.honest is None else "right"
            counts[(ground.code, ground.rule)][how] += 1
    for (code, rule), count in sorted(counts.items()):
        right, wrong = count["right"], count["wrong"]
        yield RuleRecord(
            code=code, rule=rule, right=right, wrong=wrong, unsure=count["unsure"],
            precision=wilson(right, right + wrong),
        )  # fmt: skip


def _agreements(
    decided: Sequence[Opinion], rows: Mapping[str, Row], people: Sequence[str]
) -> Iterable[Agreement]:
    """Between the auditor and each person, then between people, where both have decided."""
    said: dict[str, dict[str, bool]] = defaultdict(dict)
    for opinion in decided:
        if opinion.honest is not None:
            said[opinion.reviewer][opinion.case] = opinion.honest
    ours: dict[str, bool] = {
        case: not _DECIDED[row.case.verdict]
        for case, row in rows.items()
        if row.case.verdict in _DECIDED
    }
    pairs = [((AUDITOR, name), (ours, said[name])) for name in people]
    pairs += [((a, b), (said[a], said[b])) for a, b in combinations(people, 2)]
    for names, (one, other) in pairs:
        both = sorted(one.keys() & other.keys())
        left, right = [one[case] for case in both], [other[case] for case in both]
        same = wilson(sum(a == b for a, b in zip(left, right, strict=True)), len(both))
        if same is not None:
            yield Agreement(judges=names, same=same, kappa=_kappa(left, right))


def _kappa(left: Sequence[bool], right: Sequence[bool]) -> float | None:
    """Cohen's kappa: agreement beyond what two judges who do not look would have."""
    if len(set(left)) < 2 or len(set(right)) < 2:
        return None
    n = len(left)
    same = sum(a == b for a, b in zip(left, right, strict=True)) / n
    chance = sum(left.count(value) * right.count(value) for value in (True, False)) / n**2
    return (same - chance) / (1 - chance)


def _disputed(
    decided: Sequence[Opinion], rows: Mapping[str, Row], *, accused: bool
) -> tuple[str, ...]:
    """The attempts that were accused and found honest, or the other way round."""
    found = [
        rows[opinion.case].case.attempt
        for opinion in decided
        if opinion.honest is accused and _DECIDED.get(rows[opinion.case].case.verdict) is accused
    ]
    return tuple(dict.fromkeys(found))
