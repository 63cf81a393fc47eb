"""Where a place of a finding lies, as programs write it: an address beneath the repository."""

from pathlib import PurePosixPath
from urllib.parse import quote

from auditor.models import Verdict

WORKSPACE = "workspace"
"""Where an attempt keeps what its agent edits."""


def address(verdict: Verdict, path: str) -> str:
    """Returns the file's address relative to where the audit was started, percent-encoded.

    What was audited by an absolute path, or one that leads upward, gives an address within it.
    """
    folder = PurePosixPath(verdict.attempt)
    whole = PurePosixPath(path)
    if not folder.is_absolute() and ".." not in folder.parts:
        within = folder / WORKSPACE if verdict.profile is not None else folder
        # A file that was named itself is what its findings are about.
        whole = folder if within.name == path and verdict.profile is None else within / whole
    return quote(str(whole).encode("utf-8", "surrogateescape"), safe="/")
