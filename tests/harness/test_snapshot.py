"""A snapshot holds every entry of a workspace and gives it back byte for byte."""

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import objects, snapshot
from tests.harness.trees import Link, Mode, Place, Tree, make, place, restored, seen

PLAIN = b"print('hello')\n"
ODD = (
    b"a\nb", b"a\rb", b"tab\t", b" lead", b"trail ", b"-rf", b'"quoted"', b"it's", b"back\\slash",
    b"100%", b"%41", b"%", b"%2e%2e", b".hidden", b"..two", b"...", b"\xff\xfe", b"caf\xc3\xa9",
    b"cafe\xcc\x81", b"\xe2\x80\xae", b"\x01\x1b[31m\x7f", b"*?[a]", b":(top)x", b"!x", b"#x",
    b"$x", b"~", b"x~", b"x~1", b"git~1", b"GIT~1", b".git", b".GIT", b".git ", b".gitmodules",
    b"HEAD", b"x@{0}", b"@{u}", b"x@{upstream}", b"@{-1}", b"x^{tree}", b"x^0", b"a:b", b"a..b",
    b"a blob 5", b"manifest.json", b"con", b"{}", b"\x80-gbeef", b"n" * 255,
)  # fmt: skip


@pytest.fixture
def where(tmp_path: Path) -> Place:
    return place(tmp_path)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "workspace", {})


# ---- what comes back

TREES: dict[str, Tree] = {
    "nothing": {},
    "empty folders": {b"a/b/c": Mode(0o755), b"d": Mode(0o700)},
    "empty files": {b"a": b"", b"b/c": b""},
    "ignored files": {b".gitignore": b"*\n!.gitignore\n", b"kept": b"1", b"build/x.so": b"\0\1"},
    "attributes and filters": {
        b".gitattributes": b"* text=auto eol=crlf filter=x ident export-ignore\n",
        b"unix": b"a\nb\n$Id$\n", b"dos": b"a\r\nb\r\n", b"sub/.gitattributes": b"* binary\n",
    },
    "a repository beneath": {
        b"sub/.git/HEAD": b"ref: refs/heads/x\n", b"sub/.git/config": b"[core]\n",
        b"sub/.git/objects": Mode(0o755), b"sub/code.py": PLAIN,
    },
    "a repository elsewhere": {b"sub/.git": b"gitdir: /etc\n", b"sub/code.py": PLAIN},
    "a repository on top": {b".git/HEAD": b"x", b".git/hooks/post-commit": Mode(0o755, b"x")},
    "submodules": {b".gitmodules": Link(b"/etc/passwd"), b"a/.gitmodules": b'[submodule "x"]\n'},
    "names alike but for case": {b"a": b"1", b"A": b"2", b"b/x": b"3", b"B/x": b"4", b"B/X": b"5"},
    "names that sort oddly": {b"a/b": b"1", b"a-b": b"2", b"a.b": b"3", b"a0": b"4", b"a b": b"5"},
    "odd names of files": {name: name for name in ODD},
    "odd names of folders": {name + b"/x": name for name in ODD},
    "odd names of empty folders": {name: Mode(0o755) for name in ODD},
    "odd targets of links": {b"%d" % number: Link(name) for number, name in enumerate(ODD)},
    "modes": {b"%o" % mode: Mode(mode, b"x") for mode in (0o400, 0o644, 0o755, 0o711, 0o777)},
    "read-only folders": {
        b"a": Mode(0o555), b"a/b": Mode(0o500), b"a/b/c": Mode(0o444, b"x"), b"a/link": Link(b"b"),
    },
    "links": {
        b"file": b"x", b"folder/x": b"y", b"to file": Link(b"file"), b"to folder": Link(b"folder"),
        b"dangling": Link(b"nowhere"), b"absolute": Link(b"/etc/passwd"), b"up": Link(b"../../x"),
        b"itself": Link(b"itself"), b"folder/root": Link(b"/"), b"far": Link(b"x/" * 2000),
    },
    "large files": {
        b"over": Mode(0o755, b"a" * 101), b"sub/same": b"a" * 101, b"at": b"b" * 100,
        b"read-only": Mode(0o400, b"c" * 500),
    },
    "a thousand files": {b"%d/%d" % (n % 7, n): b"%d" % n for n in range(1000)},
    "deep folders": {b"/".join([b"d"] * 500) + b"/x": b"deep"},
    "bytes of every kind": {b"x": bytes(range(256)) * 9, b"y": b"\ndata 5\nM 100644 inline x\n"},
}  # fmt: skip


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_everything_comes_back(
    tree: Tree, where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LARGE_BYTES", 100)
    workspace = make(tmp_path / "workspace", tree)
    before = seen(workspace)
    taken = snapshot.take(workspace, where, message="m")
    assert tree.keys() <= before.keys()
    assert seen(workspace) == before, "taking a snapshot changes nothing"
    assert seen(restored(where, taken, tmp_path / "again")) == before
    assert [snapshot.unescape(entry.path) for entry in taken.manifest.entries] == sorted(before)


def test_a_real_repository_beneath_comes_back(
    where: Place, workspace: Path, tmp_path: Path
) -> None:
    make(workspace, {b"sub/tracked": b"1", b"sub/.gitignore": b"ignored\n", b"sub/ignored": b"2"})
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(workspace / "sub")]
    for words in (["init", "-q"], ["add", "tracked"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    taken = snapshot.take(workspace, where, message="m")
    assert seen(restored(where, taken, tmp_path / "again")) == seen(workspace)


def test_hard_links_come_back_as_files_of_their_own(
    where: Place, workspace: Path, tmp_path: Path
) -> None:
    (make(workspace, {b"a": b"x"}) / "b").hardlink_to(workspace / "a")
    again = restored(where, snapshot.take(workspace, where, message="m"), tmp_path / "again")
    assert seen(again) == seen(workspace)
    assert (again / "a").stat().st_nlink == 1


def test_setuid_bits_do_not_come_back(where: Place, workspace: Path, tmp_path: Path) -> None:
    make(workspace, {b"tool": Mode(0o6755, b"x"), b"folder": Mode(0o1777)})
    again = restored(where, snapshot.take(workspace, where, message="m"), tmp_path / "again")
    assert seen(again) == {b"tool": Mode(0o755, b"x"), b"folder": Mode(0o777)}


def test_a_file_too_large_for_git_comes_back(where: Place, workspace: Path, tmp_path: Path) -> None:
    with (workspace / "large").open("wb") as file:
        file.truncate(snapshot.LARGE_BYTES + 1)
        file.write(b"begin")
    taken = snapshot.take(workspace, where, message="m")
    (entry,) = taken.manifest.entries
    assert [path.name for path in where.objects.iterdir()] == [entry.sha256]
    again = restored(where, taken, tmp_path / "again")
    assert (again / "large").read_bytes() == (workspace / "large").read_bytes()


def test_one_object_serves_all_that_have_its_content(
    where: Place, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LARGE_BYTES", 3)
    make(workspace, {b"a": b"same", b"b": b"same", b"c": b"other"})
    snapshot.take(workspace, where, message="m")
    kept = list(where.objects.iterdir())
    assert sorted(path.read_bytes() for path in kept) == [b"other", b"same"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o444}


def test_snapshots_follow_one_another(where: Place, workspace: Path, tmp_path: Path) -> None:
    make(workspace, {b"a": b"1", b"gone": b"2"})
    first = snapshot.take(workspace, where, message="start", tag="start")
    (workspace / "gone").unlink()
    (workspace / "a").write_bytes(b"3")
    second = snapshot.take(workspace, where, message="entry 0")
    assert objects.ref(where.history, "refs/tags/start") == first.commit
    assert objects.ref(where.history, objects.BRANCH) == second.commit != first.commit
    assert seen(restored(where, second, tmp_path / "two")) == {b"a": Mode(0o644, b"3")}
    assert restored(where, first, tmp_path / "one").joinpath("gone").read_bytes() == b"2"


def test_reading_yields_the_small_files_that_were_asked_for(
    where: Place, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LARGE_BYTES", 3)
    make(
        workspace,
        {b"a": b"1", b"b/c": b"2", b"large": b"four", b"link": Link(b"a"), b"d/\xff": b"3"},
    )
    commit = snapshot.take(workspace, where, message="m").commit
    assert _read(where, commit, None) == {"a": b"1", "b/c": b"2", "d/%FF": b"3"}
    assert _read(where, commit, {"b/c", "large", "b", "nowhere"}) == {"b/c": b"2"}


def _read(where: Place, commit: str, paths: set[str] | None) -> dict[str, bytes]:
    return {entry.path: content for entry, content in snapshot.read(where, commit, paths)}


def test_paths_that_git_takes_for_revisions_come_back(
    where: Place, workspace: Path, tmp_path: Path
) -> None:
    """`git cat-file` reads `text-g1234` as the object 1234, whatever stands before it."""
    blob = subprocess.run(
        ["git", "hash-object", "--stdin"], input=b"later", capture_output=True, check=True
    ).stdout.decode()
    names = [f"notes-g{blob[:length]}" for length in (4, 7, 39)]
    make(workspace, {name.encode(): name.encode() for name in names})
    first = snapshot.take(workspace, where, message="start")
    make(workspace, {b"x-g%s%s" % (first.commit.encode(), end): end for end in (b"", b"~0", b"~1")})
    make(workspace, {b"later": b"later"})
    second = snapshot.take(workspace, where, message="entry 0")
    assert seen(restored(where, second, tmp_path / "two")) == seen(workspace)
    assert restored(where, first, tmp_path / "one").joinpath(names[0]).read_text() == names[0]


NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@given(st.lists(NAMES, min_size=1, max_size=4).map(b"/".join))
def test_an_escaped_path_is_harmless_and_leads_back(path: bytes) -> None:
    escaped = snapshot.escape(path)
    assert snapshot.unescape(escaped) == path
    assert escaped.isascii() and escaped.isprintable()
    assert not set('"\\~^*?') & set(escaped)
    assert not any(part.lower().startswith(".git") for part in escaped.split("/"))


@settings(max_examples=12, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=9), max_size=9))
def test_whatever_the_names_everything_comes_back(tree: dict[bytes, bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root, where = Path(scratch), place(Path(scratch))
        workspace = make(root / "workspace", tree)
        taken = snapshot.take(workspace, where, message="m")
        assert seen(restored(where, taken, root / "again")) == seen(workspace)


# ---- the manifest


def test_the_manifest_depends_on_nothing_but_the_workspace(tmp_path: Path) -> None:
    tree: Tree = {b"b": b"1", b"a/c": Link(b"b"), b"\xff": Mode(0o755)}
    first, second = (make(tmp_path / name, {}) for name in ("first", "second"))
    hashes = set[str]()
    for folder, items in ((first, tree), (second, {name: tree[name] for name in sorted(tree)})):
        workspace = make(folder / "workspace", items)
        os.utime(workspace / "b", (len(hashes), len(hashes)))
        taken = snapshot.take(workspace, place(folder), message=str(folder))
        assert snapshot.manifest(place(folder), taken.commit) == taken.manifest
        assert snapshot.manifest_sha256(place(folder), taken.commit) == taken.manifest_sha256
        hashes.add(taken.manifest_sha256)
    assert len(hashes) == 1


BASE: Tree = {b"a": b"1", b"b": Link(b"a"), b"c": Mode(0o755)}
CHANGED: dict[str, Tree] = {
    "content": {**BASE, b"a": b"2"},
    "mode": {**BASE, b"a": Mode(0o755, b"1")},
    "mode of the group": {**BASE, b"a": Mode(0o664, b"1")},
    "target": {**BASE, b"b": Link(b"c")},
    "link to file": {**BASE, b"b": b"1"},
    "mode of a folder": {**BASE, b"c": Mode(0o700)},
    "folder added": {**BASE, b"d": Mode(0o755)},
    "file added": {**BASE, b"c/x": b""},
    "renamed": {b"A": b"1", b"b": Link(b"a"), b"c": Mode(0o755)},
}


@pytest.mark.parametrize("tree", CHANGED.values(), ids=CHANGED)
def test_every_change_changes_the_manifest(tree: Tree, where: Place, tmp_path: Path) -> None:
    before = snapshot.take(make(tmp_path / "before", BASE), where, message="m")
    after = snapshot.take(make(tmp_path / "after", tree), where, message="m")
    assert before.manifest_sha256 != after.manifest_sha256
