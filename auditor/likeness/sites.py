"""The places that facts about two attempts name, as findings cite them."""

from collections.abc import Iterator

from auditor.models import Evidence, Site
from auditor.unit import items, word


def sites(seen: Evidence) -> Iterator[Site]:
    """Yields where the passages of a fact stand, first in the one attempt, then in the other."""
    for passage in items(seen, "passages"):
        if isinstance(passage, dict):
            for end in ("one", "other"):
                path, _, lines = str(passage.get(end, "")).rpartition(":")
                yield Site(path=f"{word(seen, end)}/{path}", line=int(lines.partition("-")[0]))
