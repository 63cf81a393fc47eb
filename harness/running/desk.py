"""Where an agent asks for scores: a socket that lies in its sandbox, served one request at a time.

Every request that can be read ends as an entry of the score log. Nothing but the kind of a request
comes from the agent; who connects and says nothing, or does not listen, is let go.
"""

import json
import os
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

WAITING = 16
"""Connections that may be open at once."""
PATIENCE_S = 5.0
"""For whoever has connected to say what it wants, and to take the answer."""
REQUEST_BYTES = 32
Answer = Callable[[], dict[str, object] | list[dict[str, object]]]


class Desk:
    """A listening socket; leaving the context closes it."""

    def __init__(self, path: Path, answers: dict[str, Answer]) -> None:
        """Opens it.

        Args:
            path: where it lies; anybody may connect.
            answers: what is done for each kind of request.
        """
        self._answers = answers
        self._listening = socket.socket(socket.AF_UNIX)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:  # an address has room for about a hundred characters
            self._listening.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        self._listening.listen(WAITING)
        self._listening.setblocking(False)
        self._open: dict[socket.socket, tuple[bytes, float]] = {}

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (*self._open, self._listening):
            connection.close()
        self._open.clear()

    def serve(self) -> None:
        """Answers who has asked by now; returns at once where nobody has."""
        self._accept()
        for connection in list(self._open):
            if (asked := self._asked(connection)) is None:
                continue
            del self._open[connection]
            with connection:
                if answer := self._answers.get(asked):
                    _tell(connection, answer())

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while len(self._open) < WAITING:
                connection, _ = self._listening.accept()
                connection.setblocking(False)
                self._open[connection] = b"", time.monotonic() + PATIENCE_S

    def _asked(self, connection: socket.socket) -> str | None:
        """Returns the first line that was said; None while there is none, empty when none comes."""
        said, deadline = self._open[connection]
        try:
            part = connection.recv(REQUEST_BYTES)
        except BlockingIOError:
            return "" if time.monotonic() > deadline else None
        except OSError:
            return ""
        said += part
        if b"\n" in said:
            return said.partition(b"\n")[0].decode("ascii", "replace")
        self._open[connection] = said, deadline
        return "" if not part or len(said) >= REQUEST_BYTES else None


def _tell(connection: socket.socket, answer: object) -> None:
    connection.settimeout(PATIENCE_S)
    with suppress(OSError):
        connection.sendall(json.dumps(answer).encode() + b"\n")
