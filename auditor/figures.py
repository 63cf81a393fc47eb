"""How well the rules in force do, as `auditor selftest` measured it: kept beside them as data.

A figure belongs to a rule as it was when it was measured. Where the rule's file is another one
since, the figure is out of date: it is named and does not count.
"""

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from auditor.errors import RuleSetError
from auditor.models import RuleFigures, SetFigures
from auditor.rule import Rule
from harness.files import sha256_file, write_atomic
from harness.models import Record

if TYPE_CHECKING:
    from auditor.selftest import SelfTest

FILE = "figures.json"
COUNTED = tuple(name for name in RuleFigures.model_fields if name != "sha256")


class Stored(Record):
    """`figures.json`: the figures of every rule under a folder of rules, by code."""

    rules: dict[str, RuleFigures]


def write(rules: Iterable[Rule], measured: "SelfTest") -> Path:
    """Keeps what a self-test measured beside the rules, one line a rule, and returns the file.

    Raises:
        RuleSetError: a rule fails one of its own examples, so that it has no figures to keep.
    """
    if not measured.passed:
        raise RuleSetError(
            "A rule fails one of its own examples.", hint="`auditor selftest` says which."
        )
    files = {rule.code: _file(rule) for rule in rules}
    lines = []
    for rule in sorted(measured.rules, key=lambda item: item.code):
        kept = RuleFigures(
            sha256=sha256_file(files[rule.code]),
            cheats=rule.cheats,
            found=rule.found,
            honest=rule.honest,
            accused=rule.accused,
            mutants=len(rule.cheat_mutants),
            mutants_found=sum(item.accused for item in rule.cheat_mutants),
            honest_mutants=len(rule.honest_mutants),
            honest_mutants_accused=sum(item.accused for item in rule.honest_mutants),
        )
        lines.append(f"{json.dumps(rule.code)}: {json.dumps(kept.model_dump())}")
    target = next(iter(files.values())).parents[1] / FILE
    body = ",\n".join(lines)
    write_atomic(target, f'{{"rules": {{\n{body}\n}}}}\n'.encode())
    return target


def of(rules: Iterable[Rule]) -> SetFigures:
    """Returns the figures of the rules in force, and which of them have none that count.

    Raises:
        RuleSetError: the figures beside the rules cannot be read.
    """
    stored: dict[Path, Stored] = {}
    sums = dict.fromkeys(COUNTED, 0)
    current, stale, missing = 0, [], []
    for rule in rules:
        file = _file(rule)
        place = file.parents[1] / FILE
        if place not in stored:
            stored[place] = _read(place)
        known = stored[place].rules.get(rule.code)
        if known is None:
            missing.append(rule.code)
        elif known.sha256 != sha256_file(file):
            stale.append(rule.code)
        else:
            current += 1
            for name in COUNTED:
                sums[name] += getattr(known, name)
    return SetFigures(rules=current, out_of_date=tuple(stale), not_measured=tuple(missing), **sums)


def _read(place: Path) -> Stored:
    if not place.is_file():
        return Stored(rules={})
    try:
        return Stored.model_validate_json(place.read_bytes())
    except (OSError, ValidationError) as error:
        raise RuleSetError(
            f"{place} cannot be used: {error}", hint="`auditor selftest --write` makes it anew."
        ) from error


def _file(rule: Rule) -> Path:
    return Path(inspect.getfile(type(rule)))
