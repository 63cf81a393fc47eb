"""Git's object store as a plain store: no configuration, hook or filter of a repository counts.

Every git process gets a repository of ours with the object folder of `history.git`, so that what
an attempt's repository configures is never read.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, LogForged
from harness.files import write_atomic

BRANCH = "refs/heads/snapshots"


def create(repository: Path) -> None:
    """Makes an empty bare repository."""
    for folder in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
        (repository / folder).mkdir(parents=True)
    (repository / "HEAD").write_text(f"ref: {BRANCH}\n")
    (repository / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")


def ref(repository: Path, name: str) -> str:
    """Returns what a reference points to, or nothing."""
    path = repository / name
    return path.read_text("ascii").strip() if path.is_file() else ""


def set_ref(repository: Path, name: str, commit: str) -> None:
    """Points a reference to a commit."""
    write_atomic(repository / name, f"{commit}\n".encode())


def write(repository: Path, stream: Iterator[bytes]) -> str:
    """Writes a `git fast-import` stream that ends with a commit to `BRANCH`; returns it."""
    with _ours(repository) as environment:
        with subprocess.Popen(
            ["git", "fast-import", "--quiet", "--force"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment,
        ) as process:  # fmt: skip
            assert process.stdin is not None and process.stderr is not None, "both are pipes"
            try:
                for part in stream:
                    process.stdin.write(part)
                process.stdin.close()
            except BrokenPipeError:
                pass
            told = process.stderr.read().decode(errors="replace")
        if process.returncode != 0:
            raise HarnessError(f"The snapshot could not be stored: {told.strip()[-500:]}")
        return ref(Path(environment["GIT_DIR"]), BRANCH)


class Reader:
    """Reads objects through one `git cat-file` process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def blob(self, name: str, max_bytes: int) -> bytes:
        """Returns the content of `commit:path`.

        Raises:
            LogForged: the history does not hold it, or it is larger than it may be.
        """
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None and sink is not None, "both are pipes"
        sink.write(name.encode() + b"\n")
        sink.flush()
        words = source.readline().split()
        if len(words) != 3 or words[1] != b"blob":
            raise LogForged(f"history.git does not hold {name}.")
        size = int(words[2])
        if size > max_bytes:
            raise LogForged(f"history.git holds {size} bytes for {name}; {max_bytes} are allowed.")
        content = source.read(size)
        source.read(1)
        return content


@contextmanager
def reader(repository: Path) -> Iterator[Reader]:
    """Yields a reader of the objects of `repository`."""
    with _ours(repository) as environment, subprocess.Popen(
        ["git", "cat-file", "--batch"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
    ) as process:  # fmt: skip
        try:
            yield Reader(process)
        finally:
            process.kill()


@contextmanager
def _ours(repository: Path) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="git-") as scratch:
        ours = Path(scratch)
        create(ours)
        if commit := ref(repository, BRANCH):
            (ours / BRANCH).write_text(commit + "\n")
        yield {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": scratch,
            "GIT_DIR": scratch,
            "GIT_OBJECT_DIRECTORY": str((repository / "objects").resolve()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
