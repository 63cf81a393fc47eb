"""Lines by which one text is told from another."""

import hashlib

LINE = 20
"""Bytes of the shortest line that counts."""


def line_hashes(content: bytes) -> set[str]:
    """Returns a short hash of each line that is long enough to tell one text from another."""
    lines = (line.strip() for line in content.split(b"\n"))
    return {hashlib.sha256(line).hexdigest()[:16] for line in lines if len(line) >= LINE}
