"""The list of facts of one audit; every fact gets an id that findings cite."""

from collections.abc import Mapping
from threading import Lock

from pydantic import JsonValue

from auditor.models import Evidence, How


class Book:
    """Facts in the order they were found."""

    def __init__(self) -> None:
        self._facts: list[Evidence] = []
        self._about: dict[int | None, list[Evidence]] = {}
        self._lock = Lock()

    def add(
        self,
        kind: str,
        data: Mapping[str, JsonValue],
        *,
        stage: str,
        entry: int | None = None,
        how: How = How.OBSERVED,
    ) -> Evidence:
        """Writes one fact down and returns it with its id."""
        with self._lock:
            fact = Evidence(
                id=f"e{len(self._facts) + 1}", entry=entry, stage=stage, kind=kind, how=how,
                data=dict(data),
            )  # fmt: skip
            self._facts.append(fact)
            self._about.setdefault(entry, []).append(fact)
        return fact

    def all(self) -> tuple[Evidence, ...]:
        """Returns every fact, oldest first."""
        return tuple(self._facts)

    def about(self, entry: int | None) -> tuple[Evidence, ...]:
        """Returns the facts about one entry, or about the whole attempt."""
        return tuple(self._about.get(entry, ()))
