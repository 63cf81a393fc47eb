"""Where a finding points, kept so that it can be read and recognised again without the attempt.

A finding gets a fingerprint that stays when unrelated lines move, and the lines around each place
that it names become evidence, with what stood there before.
"""

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from auditor.code.source import DIFF_CAP, ChangedSource
from auditor.evidence.book import Book
from auditor.models import Finding, How, Site

AROUND = 4
"""Lines shown before and after a place."""
MOST_ROWS = 12
"""Lines shown before and after at most, with those that are gone."""
LONGEST = 200
"""Characters kept of a line."""
MOST = 400
"""Passages kept of one audit: a report shows no more, and each costs about a kilobyte."""
FINGERPRINT = 16
"""Hexadecimal digits: a thousand findings share one by chance once in 10^13 audits."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")

Sources = Mapping[int, Sequence[ChangedSource]] | Mapping[None, Sequence[ChangedSource]]


class Row(NamedTuple):
    """A line of a file beside the one before: `+` new, `-` gone, a blank for both."""

    sign: str
    line: int | None
    """1-based line in the new text; None for a line that is gone."""
    text: str


class Passages:
    """The places of one audit's findings."""

    def __init__(self, sources: Sources) -> None:
        self._sources = {
            (entry, source.path): source for entry, group in sources.items() for source in group
        }
        self._rows: dict[tuple[str | None, str], list[Row]] = {}

    def named(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Returns the findings, each with its fingerprint."""
        return tuple(
            item.model_copy(update={"fingerprint": self._fingerprint(item)}) for item in findings
        )

    def note(self, book: Book, findings: Iterable[Finding]) -> None:
        """Writes down the lines around each place of each finding, once where they are the same."""
        seen: set[tuple[str, str]] = set()
        for finding in findings:
            entry = _entry(finding)
            for site in finding.sites:
                source = self._source(entry, site)
                if source is None or site.line is None:
                    continue
                shown = window(self._diff(source), site.line)
                key = (source.path, repr(shown))
                if key in seen or not shown or len(seen) >= MOST:
                    continue
                seen.add(key)
                rows: list[JsonValue] = [
                    {"sign": row.sign, "line": row.line, "text": row.text[:LONGEST]}
                    for row in shown
                ]
                book.add(
                    "passage",
                    {"path": source.path, "line": site.line, "commit": site.commit, "rows": rows},
                    stage="code",
                    entry=entry,
                    how=How.INFERRED,
                )

    def _source(self, entry: int | None, site: Site) -> ChangedSource | None:
        return self._sources.get((entry, site.path)) if site.path is not None else None

    def _diff(self, source: ChangedSource) -> list[Row]:
        key = (source.start_text, source.text)
        if key not in self._rows:
            self._rows[key] = rows(source)
        return self._rows[key]

    def _fingerprint(self, finding: Finding) -> str:
        """A hash over what was done and where, by content: numbers of lines play no part."""
        place = finding.sites[0] if finding.sites else Site()
        parts = [finding.code, place.path or "", *self._said(finding, place)]
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest()[:FINGERPRINT]

    def _said(self, finding: Finding, place: Site) -> list[str]:
        source = self._source(_entry(finding), place)
        if source is None or place.line is None:
            return [place.hash or "", *sorted(finding.interventions), _wordy(finding.message)]
        lines = source.text.split("\n")[: place.line]
        line = lines[-1].strip()
        return [line, str(Counter(item.strip() for item in lines)[line])]


def rows(source: ChangedSource) -> list[Row]:
    """Returns a file line by line, with the lines that it had before where they stood."""
    new = source.text.split("\n")
    old = [] if source.start_text is None else source.start_text.split("\n")
    if not old or len(old) * len(new) > DIFF_CAP:
        changed = source.changed
        return [
            Row("+" if number in changed else " ", number, text)
            for number, text in enumerate(new, start=1)
        ]
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    found = []
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        sign = " " if tag == "equal" else "+"
        if tag in ("delete", "replace"):
            found += [Row("-", None, text) for text in old[old_from:old_to]]
        found += [Row(sign, number + 1, new[number]) for number in range(new_from, new_to)]
    return found


def window(listed: Sequence[Row], line: int) -> list[Row]:
    """Returns the rows around a line of the new text; none where there is no such line."""
    at = next((index for index, row in enumerate(listed) if row.line == line), None)
    if at is None:
        return []
    before, after = listed[max(0, at - MOST_ROWS) : at], listed[at + 1 : at + 1 + MOST_ROWS]
    return [*_near(before[::-1])[::-1], listed[at], *_near(after)]


def _near(listed: Sequence[Row]) -> list[Row]:
    """The first rows, up to so many that are still there."""
    there = 0
    for number, row in enumerate(listed):
        there += row.line is not None
        if there > AROUND:
            return list(listed[:number])
    return list(listed)


def _entry(finding: Finding) -> int | None:
    return finding.entries[0] if finding.entries else None


def _wordy(message: str) -> str:
    """A message without its figures, which differ from one measurement to the next."""
    return _NUMBER.sub("#", message)
