"""What lies in an attempt folder may be anything: it is checked, and none of it is executed."""

import os
import subprocess
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pydantic import JsonValue

from harness import objects, snapshot
from harness.errors import LogForged
from harness.files import canonical_json, sha256_bytes
from tests.harness.trees import Mode, Place, make, place, restored, seen

LARGE = b"large " * 100


@pytest.fixture
def where(tmp_path: Path) -> Place:
    return place(tmp_path)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "workspace", {})


# ---- objects that were changed


def _truncated(stored: Path) -> None:
    stored.write_bytes(LARGE[:-1])


def _longer(stored: Path) -> None:
    stored.write_bytes(LARGE + b"x")


def _changed(stored: Path) -> None:
    stored.write_bytes(LARGE.upper())


def _missing(stored: Path) -> None:
    stored.unlink()


def _linked(stored: Path) -> None:
    stored.rename(stored.with_name("elsewhere"))
    stored.symlink_to("elsewhere")


def _pipe(stored: Path) -> None:
    stored.unlink()
    os.mkfifo(stored)


def _folder(stored: Path) -> None:
    stored.unlink()
    stored.mkdir()


@pytest.mark.parametrize(
    "tamper", [_truncated, _longer, _changed, _missing, _linked, _pipe, _folder]
)
def test_a_large_file_that_was_changed_is_not_restored(
    tamper: Callable[[Path], None],
    where: Place,
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "LARGE_BYTES", 100)
    make(workspace, {b"large": LARGE})
    taken = snapshot.take(workspace, where, message="m")
    (stored,) = where.objects.iterdir()
    stored.chmod(0o644)
    tamper(stored)
    with pytest.raises(LogForged, match=r"large (is missing from|in) objects/"):
        restored(where, taken, tmp_path / "again")


def _loose(where: Place, content: bytes) -> Path:
    told = subprocess.run(
        ["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True
    )
    name = told.stdout.decode().strip()
    path = where.history / "objects" / name[:2] / name[2:]
    assert path.is_file(), "git keeps few objects loose"
    return path


@pytest.mark.parametrize("content", [b"blob 5\0xxxxx", b"blob 4\0tes", b"tree 0\0", None])
def test_a_blob_that_was_changed_is_not_restored(
    content: bytes | None, where: Place, workspace: Path, tmp_path: Path
) -> None:
    make(workspace, {b"a": b"12345"})
    taken = snapshot.take(workspace, where, message="m")
    path = _loose(where, b"12345")
    path.chmod(0o644)
    path.write_bytes(zlib.compress(content) if content else b"no object at all")
    with pytest.raises(LogForged):
        restored(where, taken, tmp_path / "again")
    with pytest.raises(LogForged):
        list(snapshot.read(where, taken.commit))


@pytest.mark.parametrize("name", ["HEAD", "", "snapshots", "--help", "0" * 39, "0" * 40, "f" * 64])
def test_only_a_commit_of_the_history_names_a_snapshot(
    name: str, where: Place, workspace: Path
) -> None:
    snapshot.take(workspace, where, message="m")
    with pytest.raises(LogForged):
        snapshot.manifest(where, name)


def _alternates(store: Path) -> None:
    (store / "info/alternates").write_text("/somewhere/objects\n")


def _pipe_object(store: Path) -> None:
    (store / "aa").mkdir(exist_ok=True)
    os.mkfifo(store / "aa" / ("b" * 38))


def _linked_pack(store: Path) -> None:
    (store / "pack/pack-x.idx").symlink_to("/etc/passwd")


def _linked_folder(store: Path) -> None:
    (store / "ab").symlink_to("/etc")


@pytest.mark.parametrize("tamper", [_alternates, _pipe_object, _linked_pack, _linked_folder])
def test_an_object_folder_that_leads_elsewhere_is_refused(
    tamper: Callable[[Path], None], where: Place, workspace: Path, tmp_path: Path
) -> None:
    taken = snapshot.take(workspace, where, message="m")
    tamper(where.history / "objects")
    with pytest.raises(LogForged, match="not an object that the harness has stored"):
        restored(where, taken, tmp_path / "again")
    with pytest.raises(LogForged):
        snapshot.take(workspace, where, message="m")


def test_a_branch_that_is_more_than_a_commit_is_refused(where: Place, workspace: Path) -> None:
    """It becomes part of what `git fast-import` obeys."""
    taken = snapshot.take(workspace, where, message="m")
    words = f"{taken.commit}\ndeleteall\n"
    (where.history / objects.BRANCH).write_text(words)
    with pytest.raises(LogForged, match="is not a commit"):
        snapshot.take(workspace, where, message="m")


# ---- manifests that no workspace has

Fields = dict[str, JsonValue]
NOTHING = sha256_bytes(b"")


def file(path: str, content: bytes = b"", **changes: JsonValue) -> Fields:
    facts: Fields = {"size": len(content), "sha256": sha256_bytes(content)}
    return {"path": path, "type": "file", "mode": 0o644, "target": "", **facts, **changes}


def folder(path: str, **changes: JsonValue) -> Fields:
    facts: Fields = {"size": 0, "sha256": "", "target": ""}
    return {"path": path, "type": "folder", "mode": 0o755, **facts, **changes}


def link(path: str, target: str) -> Fields:
    return folder(path, type="link", mode=0o777, target=target)


def _encoded(*entries: Fields) -> bytes:
    return canonical_json({"schema_version": 1, "entries": list(entries)})


def forged(where: Place, manifest: bytes | None, files: Iterable[tuple[str, bytes]] = ()) -> str:
    """Returns a commit with any manifest, as who has the folder can make it."""
    objects.create(where.history)
    where.objects.mkdir()
    stream = f"commit {objects.BRANCH}\ncommitter x <x> 0 +0000\ndata 0\n".encode()
    named = [*files, *([("manifest.json", manifest)] if manifest is not None else [])]
    for path, content in named:
        stream += f'M 100644 inline "{path}"\ndata {len(content)}\n'.encode() + content + b"\n"
    return objects.write(where.history, iter([stream]))


def test_a_manifest_as_a_workspace_has_it_is_believed(where: Place, tmp_path: Path) -> None:
    """The cases below fail for what they change, not for how they are made."""
    entries = [folder("a"), file("a/b", b"1"), link("c", "a"), folder("d", mode=0o500)]
    commit = forged(where, _encoded(*entries), [("workspace/a/b", b"1")])
    assert len(seen(restored(where, commit, tmp_path / "again"))) == len(entries)


FORGED: dict[str, list[Fields]] = {
    "beneath a link": [link("a", "{outside}"), file("a/planted")],
    "beneath a link in a folder": [folder("a"), link("a/b", "{outside}"), file("a/b/planted")],
    "through a link of the same name": [link("a", "{outside}/planted"), file("a")],
    "a folder over a link": [link("a", "{outside}"), folder("a"), file("a/planted")],
    "the same name, escaped": [link("a", "{outside}/planted"), file("%61")],
    "beneath a file": [file("a"), file("a/b")],
    "before its folder": [file("a/b"), folder("a")],
    "without its folder": [file("a/b")],
    "twice": [folder("a"), folder("a")],
    "above": [file("../outside/planted")],
    "above, escaped": [file("%2E%2e/outside/planted")],
    "above, by an escaped slash": [file("..%2Foutside%2Fplanted")],
    "above a folder": [folder("a"), folder("a/.."), file("a/../b")],
    "absolute": [file("{outside}/planted")],
    "absolute, escaped": [file("%2Ftmp")],
    "itself": [folder(".")],
    "no name": [file("")],
    "an end of its own": [folder("a"), file("a/")],
    "a null byte": [file("a%00b")],
    "a line end": [file("a\nb")],
    "a letter that git cannot carry": [file("\xe9")],
    "a setuid program": [file("a", mode=0o4755)],
    "a negative mode": [file("a", mode=-1)],
    "a negative size": [file("a", size=-1)],
    "more than may be stored": [file("a", size=9 << 30)],
    "more than may be stored, in parts": [file(name, size=5 << 30) for name in "ab"],
    "a hash that is a path": [file("a", size=9 << 20, sha256="../outside/secret")],
    "no hash": [file("a", sha256="")],
    "a link to nowhere": [link("a", "")],
    "a link to a null byte": [link("a", "x%00")],
    "a link to half a character": [link("a", "\xe9")],
    "a folder with a size": [folder("a", size=1)],
    "a file with a target": [file("a", target="x")],
    "a type of its own": [file("a", type="device")],
    "a field of its own": [file("a", owner="root")],
}


@pytest.mark.parametrize("entries", FORGED.values(), ids=FORGED)
def test_a_manifest_that_no_workspace_has_is_refused(
    entries: list[Fields], where: Place, tmp_path: Path
) -> None:
    outside = make(tmp_path / "outside", {b"secret": b"ours"})
    commit = forged(where, _encoded(*entries).replace(b"{outside}", bytes(outside)))
    with pytest.raises(LogForged, match=f"The manifest of {commit} (cannot|names)"):
        restored(where, commit, tmp_path / "again")
    assert seen(tmp_path / "again") == {}
    assert seen(outside) == {b"secret": Mode(0o644, b"ours")}


@pytest.mark.parametrize("changes", [{"size": 2}, {"size": 0}, {"sha256": sha256_bytes(b"2")}])
def test_a_file_that_is_not_what_the_manifest_says_is_refused(
    changes: Fields, where: Place, tmp_path: Path
) -> None:
    commit = forged(where, _encoded(file("a", b"1", **changes)), [("workspace/a", b"1")])
    with pytest.raises(LogForged, match="is not what was stored"):
        restored(where, commit, tmp_path / "again")


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"",
        b"[]",
        b"\xff",
        b'{"entries":[]',
        b'{"entries":[],"entries":[]}',
        b'{"schema_version":2,"entries":[]}',
        b'{"entries":' + b"[" * 100_000,
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(text: bytes | None, where: Place) -> None:
    commit = forged(where, text)
    with pytest.raises(LogForged):
        snapshot.manifest(where, commit)


def test_a_manifest_with_too_many_entries_is_refused(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = forged(where, _encoded(*map(folder, "abcd")))
    monkeypatch.setattr(snapshot, "ENTRIES", 3)
    with pytest.raises(LogForged, match="cannot hold 'd'"):
        snapshot.manifest(where, commit)


def test_a_manifest_too_large_to_be_read_is_refused(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = forged(where, _encoded())
    monkeypatch.setattr(snapshot, "MANIFEST_BYTES", 3)
    with pytest.raises(LogForged, match="3 are allowed"):
        snapshot.manifest(where, commit)


# ---- what git would execute

HOSTILE = """
[core]
    fsmonitor = touch {marker}; false
    hooksPath = {tools}
    pager = touch {marker}
    alternateRefsCommand = touch {marker}
[filter "x"]
    clean = touch {marker}; cat
    smudge = touch {marker}; cat
    required = true
[fastimport]
    unpackLimit = broken
"""


@pytest.fixture
def trap(tmp_path: Path, where: Place, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A marker that is made when git obeys the workspace, the history or the environment."""
    marker, tools = tmp_path / "marker", tmp_path / "tools"
    script = Mode(0o755, f"#!/bin/sh\ntouch {marker}\n".encode())
    hooks = (b"reference-transaction", b"post-index-change", b"pre-commit", b"post-commit")
    make(tools, dict.fromkeys((*hooks, b"git-fast-import", b"git-cat-file"), script))
    text = HOSTILE.format(marker=marker, tools=tools).encode()
    make(workspace, {b".gitattributes": b"* filter=x\n", b"a": b"1"})
    subprocess.run(["git", "init", "-q", str(workspace)], check=True)
    snapshot.take(make(tmp_path / "before", {b"a": b"0"}), where, message="start")
    for repository in (workspace / ".git", where.history):
        with (repository / "config").open("ab") as file:
            file.write(text)
        make(repository / "hooks", dict.fromkeys(hooks, script))
    make(tmp_path / "home", {b".gitconfig": text})
    variables = {
        "HOME": tmp_path / "home",
        "XDG_CONFIG_HOME": tmp_path / "home",
        "GIT_CONFIG_GLOBAL": tmp_path / "home" / ".gitconfig",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": f"touch {marker}; false",
        "GIT_TRACE": marker,
        "GIT_TRACE2_EVENT": marker,
        "GIT_EXEC_PATH": tools,
        "GIT_DIR": workspace / ".git",
        "GIT_WORK_TREE": workspace,
        "GIT_INDEX_FILE": workspace / "index",
        "GIT_OBJECT_DIRECTORY": workspace / "objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": workspace,
        "GIT_NAMESPACE": "x",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_TEMPLATE_DIR": tools,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(workspace)
    return marker


def test_the_trap_works(trap: Path, workspace: Path) -> None:
    """Each half of it: the environment alone, and the repository alone."""
    subprocess.run(["git", "cat-file", "-e", "HEAD"], check=False, stderr=subprocess.DEVNULL)
    assert trap.exists()
    trap.unlink()
    clean = {"PATH": os.environ["PATH"]}
    subprocess.run(["git", "status"], check=False, capture_output=True, env=clean)
    assert trap.exists()


def test_nothing_that_a_repository_or_the_environment_says_is_executed(
    trap: Path, where: Place, workspace: Path, tmp_path: Path
) -> None:
    taken = snapshot.take(workspace, where, message="m")
    assert seen(restored(where, taken, tmp_path / "again")) == seen(workspace)
    assert {entry.path: content for entry, content in snapshot.read(where, taken.commit)}[
        "a"
    ] == b"1"
    assert len(taken.commit) == 40
    assert not trap.exists()
