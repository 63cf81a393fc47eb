"""A conversation with a model that is kept short enough to be read."""

from collections.abc import Mapping
from typing import Any

Message = dict[str, Any]
LONGEST = 300_000
"""Characters of a conversation, near 75,000 tokens; older turns are dropped first."""
NOTICE = "[Earlier messages were dropped to keep this conversation short enough.]"


class Talk:
    """What was said: what comes first always stays, then whole turns, the latest ones."""

    def __init__(self, first: list[Message], longest: int = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._turns: list[list[Message]] = []
        self._dropped = False

    def turn(self, message: Message) -> None:
        """Begins a turn with a message of the model, or of the user."""
        self._turns.append([message])

    def add(self, message: Message) -> None:
        """Adds an answer to the turn; a call and its answers must not be parted."""
        self._turns[-1].append(message)

    def shorten(self) -> bool:
        """Keeps half of it from now on; returns whether there is anything to leave out."""
        self._longest = sum(map(_length, self._first)) + self._size() // 2
        return len(self._turns) > 1

    def messages(self) -> list[Message]:
        """Returns what is sent."""
        room = self._longest - sum(map(_length, self._first))
        while len(self._turns) > 1 and self._size() > room:
            self._turns.pop(0)
            self._dropped = True
        notice = [{"role": "user", "content": NOTICE}] if self._dropped else []
        return [*self._first, *notice, *(message for turn in self._turns for message in turn)]

    def _size(self) -> int:
        return sum(_length(message) for turn in self._turns for message in turn)


def _length(message: Mapping[str, Any]) -> int:
    return len(str(message))
