"""How much of the code of an entry is the reference solution's, or the scorer's."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydantic import JsonValue

from auditor import tree
from auditor.code.source import ChangedSource
from auditor.evidence.book import Book
from auditor.evidence.code import texts_of
from auditor.likeness.marks import Given
from auditor.likeness.passages import passages
from auditor.likeness.work import Source, Work
from auditor.models import How
from harness.attempt import AttemptFolder
from harness.environment import Environment

REFERENCE, SCORER = "reference", "scorer"
SCORERS = ("score.py", "classic_scorer.py")
"""Files of an environment's folder that score; what of them an agent may read is no secret."""
PASSAGES = 5


class Likeness:
    """Holds the entries of one attempt against what belongs to its environment."""

    def __init__(self, folder: AttemptFolder, environment: Environment) -> None:
        attempt = folder.attempt()
        self._maker = ""
        if maker := attempt.agent or attempt.human:
            self._maker = str(getattr(maker, "name", "") or getattr(maker, "pool", ""))
        self._given = Given.of(texts_of(folder, attempt.start_commit))
        self._theirs = {
            name: (Work.of(name, _sources(texts), given), given)
            for name, texts, given in (
                (REFERENCE, _texts(environment, REFERENCE), self._given),
                (SCORER, _texts(environment, *SCORERS), Given()),
            )
        }

    def collect(
        self, book: Book, entry: int, commit: str, sources: Sequence[ChangedSource]
    ) -> None:
        """Notes what the changed code of an entry shares with the reference and the scorer."""
        changed = _sources({item.path: item.text for item in sources if item.changed})
        for name, (theirs, given) in self._theirs.items():
            for data in _compared(Work.of("", changed, given), theirs):
                book.add(
                    "code_likened",
                    {"with": name, "maker": self._maker, "commit": commit, **data},
                    stage="likeness",
                    entry=entry,
                    how=How.INFERRED,
                )
        book.add("code_compared", {"commit": commit}, stage="likeness", entry=entry)


def _texts(environment: Environment, *names: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        path = environment.root / name
        if path.exists():
            found |= {f"{name}/{inner}": text for inner, text in tree.read(path).texts.items()}
    return found


def _sources(texts: Mapping[str, str]) -> list[Source]:
    return [Source(path, text) for path, text in texts.items()]


def _compared(own: Work, theirs: Work) -> Iterator[dict[str, JsonValue]]:
    """Yields what two works share as trees and as tokens, with the longest passages of it."""
    for view in sorted(own.spots.keys() & theirs.spots.keys() & {"tree", "code"}):
        mine, other = own.spots[view], theirs.spots[view]
        common = np.intersect1d(mine.hashes, other.hashes, assume_unique=True)
        if not len(common):
            continue
        found: list[JsonValue] = [
            {
                "path": own.paths[one.file], "line": one.line, "end": one.end,
                "other": theirs.paths[two.file], "other_line": two.line, "other_end": two.end,
            }
            for one, two, _ in passages(mine, other, common)[:PASSAGES]
        ]  # fmt: skip
        yield {
            "view": view,
            "marks": len(common),
            "share": round(len(common) / len(mine), 4),
            "share_of_it": round(len(common) / len(other), 4),
            "passages": found,
        }
