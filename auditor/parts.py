"""The code of a large tree in parts: neighbours are one program, and each part is a job.

Where nobody knows what is called, a tree of many files is read part by part. What goes from one
part to another is then not followed; whoever asks is told so.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from auditor import engine, registry
from auditor.code.source import ChangedSource
from auditor.evidence.code import Hidden, hidden
from auditor.models import Check, CheckOutcome, Evidence
from auditor.pool import Pool
from auditor.registry import RuleSet
from auditor.rule import CodeRule
from auditor.unit import Unit, word
from harness import environment as environments
from harness.environment import Environment

WHOLE = 100
"""Files up to which a tree is one program."""
MOST = 30
"""Files of a part of a larger tree. What one program costs grows faster than the files in it."""
Reading = Callable[[Sequence["Part"]], "Read"]
LOST = "the process that read this part came to an end; it may need more memory than there is"


class Part(NamedTuple):
    """Files that are read as one program, and the facts about them."""

    sources: tuple[ChangedSource, ...]
    evidence: tuple[Evidence, ...]


class Read(NamedTuple):
    """What was read in a part, or in all of them."""

    checks: tuple[Check, ...]
    hidden: tuple[Hidden, ...]
    broken: frozenset[str]
    """Python files that cannot be parsed."""


@dataclass(frozen=True)
class Reader:
    """Applies the rules about code to a part; another process can do it, and loads them there."""

    rules_root: Path
    environment: Path | None
    """The environment's folder, where one applies."""

    def __call__(self, part: Part) -> Read:
        """Reads a part as one program."""
        with _uncollected():
            return self._read(part)

    def _read(self, part: Part) -> Read:
        unit = Unit(
            entry=None,
            evidence=part.evidence,
            sources=part.sources,
            thresholds=self._rules.thresholds,
            facts=self._environment.facts if self._environment else None,
        )
        checks = tuple(engine.check_one(rule, unit) for rule in code_rules(self._rules))
        return Read(checks, hidden(part.sources, unit.entries), unit.program.broken)

    def lost(self, part: Part) -> Read:
        """Returns what is known of a part whose process died."""
        checks = (
            Check(
                code=rule.code, rule=rule.name, entry=None, outcome=CheckOutcome.CRASHED,
                reason=LOST, seconds=0.0,
            )
            for rule in code_rules(self._rules)
        )  # fmt: skip
        return Read(tuple(checks), (), frozenset())

    @cached_property
    def _environment(self) -> Environment | None:
        return None if self.environment is None else environments.find(str(self.environment))

    @cached_property
    def _rules(self) -> RuleSet:
        return registry.of(self.rules_root, self._environment)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Looks for no garbage meanwhile: nearly all of a program lives as long as the reading."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def reading(reader: Reader, *, spread: bool) -> Iterator[Reading]:
    """Yields what applies the rules to parts, here or on processes of their own.

    Those start at once, and have loaded the rules by the time that there are parts.
    """
    if not spread:
        yield lambda pieces: together([reader(piece) for piece in pieces])
        return
    fresh = replace(reader)  # rules that are loaded cannot be sent to another process
    with Pool(fresh, fresh.lost) as pool:
        pool.begin(Part((), ()))
        yield partial(_spread, pool)


def _spread(pool: Pool[Part, Read], pieces: Sequence[Part]) -> Read:
    """Reads parts on several processes, large ones first, so that none is left for the end."""
    order = sorted(range(len(pieces)), key=lambda number: -_size(pieces[number]))
    reads = dict(zip(order, pool.run(pieces[number] for number in order), strict=True))
    return together([reads[number] for number in range(len(pieces))])


def _size(part: Part) -> int:
    return sum(len(source.text) for source in part.sources)


def code_rules(rules: RuleSet) -> list[CodeRule]:
    """Returns the rules that read code, in the order of their codes."""
    return [rule for rule in rules if isinstance(rule, CodeRule)]


def parts(
    sources: Sequence[ChangedSource], evidence: Sequence[Evidence], *, whole: bool
) -> list[Part]:
    """Returns the sources in parts, each with the facts that are not about other parts.

    Args:
        sources: by path.
        evidence: what is known of the tree.
        whole: whether all is one program, however large.
    """
    one = whole or len(sources) <= WHOLE
    pieces = [tuple(sources)] if one else list(_pieces(sources))
    paths = [frozenset(source.path for source in piece) for piece in pieces]
    every = frozenset().union(*paths)
    return [
        Part(piece, tuple(fact for fact in evidence if word(fact, "path") not in every - own))
        for piece, own in zip(pieces, paths, strict=True)
    ]


def together(reads: Sequence[Read]) -> Read:
    """Returns what was read in all parts."""
    checks = zip(*(read.checks for read in reads), strict=True)
    return Read(
        tuple(map(engine.together, checks)),
        tuple(call for read in reads for call in read.hidden),
        frozenset().union(*(read.broken for read in reads)),
    )


def _pieces(sources: Sequence[ChangedSource]) -> Iterator[tuple[ChangedSource, ...]]:
    """Yields neighbours; a cut lies between folders that have as little in common as may be."""
    rest = list(sources)
    while len(rest) > MOST:
        places = range(MOST // 2, MOST + 1)
        cut = min(places, key=lambda place: (_shared(rest[place - 1], rest[place]), -place))
        yield tuple(rest[:cut])
        rest = rest[cut:]
    yield tuple(rest)


def _shared(one: ChangedSource, other: ChangedSource) -> int:
    """How many folders two files share."""
    pairs = zip(one.path.split("/")[:-1], other.path.split("/")[:-1], strict=False)
    count = 0
    for left, right in pairs:
        if left != right:
            break
        count += 1
    return count
