"""Git's object store as a plain store: no configuration, hook or filter of a repository counts.

Every git process gets a repository of ours with the object folder of `history.git`, so that what
an attempt's repository configures is never read.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from harness.errors import HarnessError, LogForged
from harness.files import write_atomic

BRANCH = "refs/heads/snapshots"
COMMIT_BYTES = 1 << 16


def create(repository: Path) -> None:
    """Makes an empty bare repository."""
    for folder in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
        (repository / folder).mkdir(parents=True)
    (repository / "HEAD").write_text(f"ref: {BRANCH}\n")
    (repository / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")


def ref(repository: Path, name: str) -> str:
    """Returns the commit that a reference points to, or nothing.

    Raises:
        LogForged: it holds something else.
    """
    path = repository / name
    if not path.is_file():
        return ""
    commit = path.read_bytes().decode("ascii", errors="replace").strip()
    require_commit(commit)
    return commit


def require_commit(name: str) -> None:
    """Refuses what only leads to a commit, such as a branch.

    Raises:
        LogForged: it is not the name of a commit itself.
    """
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name):
        raise LogForged(f"{name[:100]!r} is not a commit.")


def set_ref(repository: Path, name: str, commit: str) -> None:
    """Points a reference to a commit."""
    write_atomic(repository / name, f"{commit}\n".encode())


def write(repository: Path, stream: Iterator[bytes]) -> str:
    """Writes a `git fast-import` stream that ends with a commit to `BRANCH`; returns it."""
    with _ours(repository) as environment:
        with subprocess.Popen(
            ["git", "-c", "core.fsync=all", "fast-import", "--quiet", "--force"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment,
        ) as process:  # fmt: skip
            assert process.stdin is not None and process.stderr is not None, "both are pipes"
            with suppress(BrokenPipeError):  # git has ended early, and says why
                for part in stream:
                    process.stdin.write(part)
            with suppress(BrokenPipeError):
                process.stdin.close()
            told = process.stderr.read().decode(errors="replace")
        if process.returncode != 0:
            raise HarnessError(f"The snapshot could not be stored: {told.strip()[-500:]}")
        return ref(Path(environment["GIT_DIR"]), BRANCH)


def blobs(
    repository: Path, names: Sequence[str], max_bytes: int, kind: str = "blob"
) -> Iterator[bytes]:
    """Yields the contents of all `names`, each a `commit:path`, in their order.

    Raises:
        LogForged: the history does not hold one of them, or it is larger than it may be.
    """
    # With all questions in a file, git ends after the last answer: one that is shorter than
    # announced is followed by an end, where a conversation would wait forever.
    with _ours(repository) as environment, tempfile.TemporaryFile() as questions:
        questions.write("".join(f"{name}\n" for name in names).encode())
        questions.seek(0)
        with subprocess.Popen(
            ["git", "cat-file", "--batch"],
            stdin=questions, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        ) as process:  # fmt: skip
            assert process.stdout is not None, "it is a pipe"
            try:
                for name in names:
                    yield _blob(process.stdout, name, max_bytes, kind)
            finally:
                process.kill()


def committed(repository: Path, commits: Sequence[str]) -> Iterator[datetime | None]:
    """Yields when each of `commits` was stored, by the committer's line; None where it has none.

    Raises:
        LogForged: the history does not hold one of them.
    """
    for content in blobs(repository, commits, COMMIT_BYTES, kind="commit"):
        found = re.search(rb"^committer .* ([0-9]{1,11}) [+-][0-9]{4}$", content, re.MULTILINE)
        yield datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _blob(source: IO[bytes], name: str, max_bytes: int, kind: str) -> bytes:
    found = re.fullmatch(rb"[0-9a-f]+ %s ([0-9]+)\n" % kind.encode(), source.readline())
    if not found:
        raise LogForged(f"history.git does not hold {name}.")
    size = int(found[1])
    if size > max_bytes:
        raise LogForged(f"history.git holds {size} bytes for {name}; {max_bytes} are allowed.")
    content = source.read(size + 1)
    if len(content) != size + 1:
        raise LogForged(f"history.git holds a part of {name} only.")
    return content[:-1]


@contextmanager
def _ours(repository: Path) -> Iterator[dict[str, str]]:
    _require_plain(repository / "objects")
    with tempfile.TemporaryDirectory(prefix="git-") as scratch:
        ours = Path(scratch)
        create(ours)
        if commit := ref(repository, BRANCH):
            (ours / BRANCH).write_text(commit + "\n")
        yield {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": scratch,
            "GIT_DIR": scratch,
            "GIT_OBJECT_DIRECTORY": str((repository / "objects").absolute()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }


def _require_plain(store: Path) -> None:
    """Refuses an object folder that leads git elsewhere, or to a pipe that it would wait for."""
    waiting = [store]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for item in found:
                folder = item.is_dir(follow_symlinks=False)
                if folder:
                    waiting.append(Path(item.path))
                if item.name == "alternates" or not (folder or item.is_file(follow_symlinks=False)):
                    raise LogForged(f"{item.path} is not an object that the harness has stored.")
