"""Progress of long audits on stderr, so that stdout stays for the verdicts."""

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.text import Text

from harness.cli.refusal import LONGEST
from reports.plain import plain


class Progress:
    """A status line with what is being done now; plain lines where there is no terminal."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._status = self._console.status("starting")
        self._total = total
        self._number = 0
        self._path = ""

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()

    def start(self, path: Path) -> None:
        """Says which attempt is looked at now."""
        self._number += 1
        self._path = f"[{self._number}/{self._total}] {path}"
        self.say("reading")

    def say(self, text: str) -> None:
        """Shows what is being done now."""
        line = Text(plain(f"{self._path}: {text}", LONGEST), "dim")
        if self._console.is_terminal:
            self._status.update(line)
        else:
            self._console.print(line, soft_wrap=True)

    def note(self, text: str) -> None:
        """Says something about the whole."""
        self._console.print(Text(plain(text, LONGEST), "dim"), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Shows something that a person should know."""
        self._console.print(Text(plain(text, LONGEST), "yellow"), soft_wrap=True)
