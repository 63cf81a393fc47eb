"""A workspace that cannot be copied whole, or that changes meanwhile, has no snapshot at all."""

import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from harness import objects, snapshot
from harness.errors import HarnessError, SnapshotRefused
from tests.harness.trees import Mode, Place, Tree, make, place, restored, seen

NOBODY = 65534


@pytest.fixture
def where(tmp_path: Path) -> Place:
    return place(tmp_path)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "workspace", {})


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of somebody who is not root, and who runs the test."""
    with tempfile.TemporaryDirectory() as folder:
        user = os.geteuid()
        if user == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            if user == 0:
                os.seteuid(user)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(path.parent)  # the name of a socket may have 107 bytes
        try:
            listening.bind(path.name)
        finally:
            os.chdir(before)


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize("kind", [_pipe, _socket, _device])
@pytest.mark.parametrize("name", ["x", "sub/\udcff"])
def test_what_is_not_file_folder_or_link_is_refused(
    kind: Callable[[Path], None], name: str, where: Place, workspace: Path
) -> None:
    make(workspace, {b"a": b"1", b"sub": Mode(0o755)})
    kind(workspace / name)
    with pytest.raises(SnapshotRefused, match="a device, a socket or a pipe") as refusal:
        snapshot.take(workspace, where, message="m")
    assert snapshot.escape(os.fsencode(name)) in str(refusal.value)
    assert refusal.value.hint
    assert not where.history.exists()


@pytest.mark.parametrize(
    ("limit", "value", "tree", "words"),
    [
        ("ENTRIES", 3, {b"a": b"", b"b/c": b"", b"d": b""}, "more than 3 entries"),
        ("ENTRIES", 3, {b"a/b/c/d": Mode(0o755)}, "more than 3 entries"),
        ("TOTAL_BYTES", 9, {b"a": b"12345", b"b/c": b"12345"}, "holds more than"),
        ("TOTAL_BYTES", 9, {b"a": b"1234567890"}, "holds more than"),
        ("PATH_BYTES", 9, {b"123456/890": b""}, "too long: 123456/890"),
    ],
)
def test_too_much_is_refused_and_one_less_is_not(
    limit: str,
    value: int,
    tree: Tree,
    words: str,
    where: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace = make(tmp_path / "workspace", tree)
    monkeypatch.setattr(snapshot, limit, value)
    with pytest.raises(SnapshotRefused, match=words):
        snapshot.take(workspace, where, message="m")
    assert not where.history.exists()
    monkeypatch.setattr(snapshot, limit, value + 1)
    taken = snapshot.take(workspace, where, message="m")
    assert seen(restored(where, taken, tmp_path / "again")) == seen(workspace)


def test_a_huge_file_of_holes_is_refused_unread(
    where: Place, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (workspace / "holes").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(snapshot, "_pump", None)
    with pytest.raises(SnapshotRefused, match="holds more than 8 GiB"):
        snapshot.take(workspace, where, message="m")


def _changing(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Makes somebody append to the file `x` during each of the first `times` copies."""
    pump, left = snapshot._pump, [times]

    def pumping(source: int, sink: BinaryIO, max_bytes: int) -> snapshot.Copied:
        copied = pump(source, sink, max_bytes)
        if left[0]:
            left[0] -= 1
            with open(f"/proc/self/fd/{source}", "ab") as file:
                file.write(b"+")
        return copied

    monkeypatch.setattr(snapshot, "_pump", pumping)
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_a_file_that_changes_while_it_is_copied_is_refused(
    where: Place, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(workspace, {b"x": b"1"})
    _changing(monkeypatch, snapshot.TRIES)
    with pytest.raises(SnapshotRefused, match="x changes while it is copied"):
        snapshot.take(workspace, where, message="m")
    assert not where.history.exists()


def test_a_file_that_comes_to_rest_is_copied_as_it_is_then(
    where: Place, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(workspace, {b"x": b"1"})
    _changing(monkeypatch, snapshot.TRIES - 1)
    taken = snapshot.take(workspace, where, message="m")
    assert restored(where, taken, tmp_path / "again").joinpath("x").read_bytes() == b"1++"


@pytest.mark.parametrize("opened", [b"a", b"a/b", b"a/secret", b"a/b/secret"])
def test_a_link_that_takes_the_place_of_a_folder_is_not_followed(
    opened: bytes, where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may read `private/` must not be led there between looking and opening."""
    tree = {b"a/secret": b"decoy", b"a/b/secret": b"decoy"}
    workspace, private = (make(tmp_path / name, tree) for name in ("workspace", "private"))
    really = os.open

    def opening(
        path: bytes | str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        if path == opened and not (workspace / "aside").exists():
            (workspace / "a").rename(workspace / "aside")
            (workspace / "a").symlink_to(private / "a")
        return really(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opening)
    with pytest.raises(SnapshotRefused, match="cannot be opened|was moved while"):
        snapshot.take(workspace, where, message="m")
    assert (workspace / "a").is_symlink(), "the attack took place"
    assert not where.history.exists()


def test_a_workspace_that_is_gone_is_refused(where: Place, tmp_path: Path) -> None:
    with pytest.raises(SnapshotRefused, match="cannot be opened: No such file"):
        snapshot.take(tmp_path / "nowhere", where, message="m")


@pytest.mark.parametrize("item", [Mode(0o000, b"x"), Mode(0o000), Mode(0o444), Mode(0o311)])
def test_what_cannot_be_read_is_refused(item: Mode, unprivileged: Path) -> None:
    workspace = make(unprivileged / "workspace", {b"x/y": b"1"} if item.content is None else {})
    make(workspace, {b"x": item})
    with pytest.raises(SnapshotRefused, match="^x.* cannot be .*: Permission denied"):
        snapshot.take(workspace, place(unprivileged), message="m")


READ_ONLY: Tree = {b"a": Mode(0o555), b"a/b": Mode(0o500), b"a/b/c": Mode(0o444, b"x")}


def test_read_only_folders_come_back_for_who_is_not_root(unprivileged: Path) -> None:
    workspace = make(unprivileged / "workspace", READ_ONLY)
    taken = snapshot.take(workspace, place(unprivileged), message="m")
    again = restored(place(unprivileged), taken, unprivileged / "again")
    assert seen(again) == seen(workspace)


def test_a_git_that_fails_says_why(
    where: Place, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = make(
        tmp_path / "tools", {b"git": Mode(0o755, b"#!/bin/sh\necho no room >&2\nexit 1\n")}
    )
    make(workspace, {b"x": b"x" * (4 << 20)})
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(HarnessError, match="could not be stored: no room"):
        snapshot.take(workspace, where, message="m")
    assert not objects.ref(where.history, objects.BRANCH)
