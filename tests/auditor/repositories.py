"""Repositories of agents, made with git as agents make them, and hostile ones made by hand."""

import hashlib
import os
import struct
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path


class Repository:
    """A repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str, at: float | None = None) -> str:
        """Runs git, with the clock of its commits set where `at` says so."""
        stamp = (
            {} if at is None else dict.fromkeys(_DATES, datetime.fromtimestamp(at, UTC).isoformat())
        )
        done = subprocess.run(
            ["git", "-c", "gc.auto=0", *words], cwd=self.folder, check=True, capture_output=True,
            env={**_NOBODY, **stamp},
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, subject: str, at: float | None = None, **texts: str) -> str:
        """Commits everything, after writing some files, and returns the commit's name."""
        for name, text in texts.items():
            (self.folder / name.replace("_py", ".py")).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject, at=at)
        return self.git("rev-parse", "HEAD")


_DATES = ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE")
_NOBODY = {
    "PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}  # fmt: skip


def bare(folder: Path) -> Path:
    """Makes the folders of a repository by hand."""
    for name in ("objects/pack", "objects/info", "refs/heads", "hooks", "info"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text("[core]\n\tbare = false\n")
    return folder


def loose(repository: Path, header: bytes, content: bytes, name: str | None = None) -> str:
    """Writes a loose object with any header, under any name."""
    name = name or hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    path = repository / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(header + content))
    return name


def pack(repository: Path, objects: list[tuple[str, bytes]]) -> None:
    """Writes a pack of raw entries, each with the name it claims, and an index for it."""
    body, offsets = b"PACK" + struct.pack(">II", 2, len(objects)), []
    for _, entry in objects:
        offsets.append(len(body))
        body += entry
    body += hashlib.sha1(body, usedforsecurity=False).digest()
    order = sorted(range(len(objects)), key=lambda number: objects[number][0])
    names = [bytes.fromhex(objects[number][0]) for number in order]
    table = b"".join(
        struct.pack(">I", sum(name[0] <= first for name in names)) for first in range(256)
    )
    index = b"\xfftOc" + struct.pack(">I", 2) + table + b"".join(names)
    index += b"\0" * 4 * len(names)
    index += b"".join(struct.pack(">I", offsets[number]) for number in order) + body[-20:]
    index += hashlib.sha1(index, usedforsecurity=False).digest()
    stem = repository / "objects/pack" / f"pack-{'ab' * 20}"
    stem.with_suffix(".pack").write_bytes(body)
    stem.with_suffix(".idx").write_bytes(index)


def entry(kind: int, size: int, content: bytes, before: bytes = b"") -> bytes:
    """Returns a pack's entry that claims to have `size` bytes."""
    first, rest = size & 15, size >> 4
    head = [(kind << 4) | first | (0x80 if rest else 0)]
    while rest:
        head.append((rest & 127) | (0x80 if rest >> 7 else 0))
        rest >>= 7
    return bytes(head) + before + zlib.compress(content)
