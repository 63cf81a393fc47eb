"""A signed line vouches for the snapshot that was scored: no other can be put in its place."""

import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import snapshot
from harness.attempt import AttemptFolder
from harness.files import canonical_json, sha256_bytes, sha256_file
from harness.verify import verify
from tests.harness import logbook
from tests.harness.forger import Forge


@pytest.fixture
def attempt(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> AttemptFolder:
    return logbook.copy(logbook.original(tmp_path_factory.getbasetemp()), tmp_path)


def stored(folder: AttemptFolder, holds: bytes) -> Path:
    """The loose object of `history.git` whose content begins with some bytes."""
    for path in folder.history.glob("objects/??/*"):
        _, _, content = zlib.decompress(path.read_bytes()).partition(b"\0")
        if content.startswith(holds):
            return path
    raise AssertionError(f"nothing holds {holds!r}")


def replace_stored(holds: bytes, content: bytes) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        path = stored(folder, holds)
        path.chmod(0o644)
        path.write_bytes(zlib.compress(b"blob %d\0%s" % (len(content), content)))

    return forge


def replace_history(folder: AttemptFolder) -> None:
    other = logbook.begin(folder.root.with_name("other"), run_id="f" * 16)
    shutil.rmtree(folder.history)
    other.history.rename(folder.history)


def remove_history(folder: AttemptFolder) -> None:
    shutil.rmtree(folder.history)


def file_for_history(folder: AttemptFolder) -> None:
    shutil.rmtree(folder.history)
    folder.history.write_bytes(b"")


def replace_a_manifest(folder: AttemptFolder) -> None:
    """Names another content in a manifest, and stores it: it is consistent in itself."""
    solution = b"# 9.9 1.0\n"
    assert len(solution) == len(b"# 2.5 1.0\n")
    replace_stored(b"# 2.5 1.0", solution)(folder)
    line = folder.score_log().lines[1]
    manifest = snapshot.manifest(folder, line.commit).model_dump(mode="json")
    manifest["entries"][0]["sha256"] = sha256_bytes(solution)
    for path in folder.history.glob("objects/??/*"):
        if line_manifest(path) == snapshot.manifest_sha256(folder, line.commit):
            path.chmod(0o644)
            content = canonical_json(manifest)
            path.write_bytes(zlib.compress(b"blob %d\0%s" % (len(content), content)))
    snapshot._manifest.cache_clear()


def line_manifest(path: Path) -> str:
    return sha256_bytes(zlib.decompress(path.read_bytes()).partition(b"\0")[2])


SNAPSHOTS: dict[str, Forge] = {
    "a solution": replace_stored(b"# 2.5 1.0", b"# 9.9 1.0\n"),
    "a solution by another length": replace_stored(b"# 2.5 1.0", b"# honest\n" * 9),
    "the start": replace_stored(b"# start", b"# stort\n"),
    "a solution and its manifest": replace_a_manifest,
    "the history by that of another attempt": replace_history,
    "the history by nothing": remove_history,
    "the history by a file": file_for_history,
}


@pytest.mark.parametrize("forge", SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_a_snapshot_is_found_that_replaces(attempt: AttemptFolder, forge: Forge) -> None:
    forge(attempt)
    assert verify(attempt.root).status == "forged"
    assert logbook.seen_elsewhere(attempt).status == "forged"


def large_removed(path: Path) -> None:
    path.unlink()


def large_edited(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"x")


def large_cut(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, 5)


def large_linked(path: Path) -> None:
    path.rename(path.with_name("kept"))
    path.symlink_to("kept")


@pytest.mark.parametrize("forge", [large_removed, large_edited, large_cut, large_linked])
def test_a_large_file_is_found_that_was(tmp_path: Path, forge: Callable[[Path], None]) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    large = folder.workspace / "weights.bin"
    large.touch()
    os.truncate(large, snapshot.LARGE_BYTES + 1)
    logbook.score(folder, 1.0)
    logbook.assert_vouched_for(folder.root)
    forge(folder.objects / sha256_file(large))
    found = verify(folder.root)
    assert (found.status, found.problems) == ("forged", ("objects/ has lost weights.bin",))
