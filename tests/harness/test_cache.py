"""A cached result is used only when it is what this host made from the same inputs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness import cache, keys
from harness.cache import SEAL, cached
from harness.files import canonical_json, sha256_file

INPUTS: Mapping[str, str | bytes] = {"rows": b"1\n2\n", "threads": "2", "torch": "2.6.0"}


class Build:
    """A build that can be counted."""

    def __init__(self, content: str = "result") -> None:
        self.content = content
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "output").write_text(self.content)
        (folder / "facts").write_text("{}")


@pytest.fixture
def build() -> Build:
    return Build()


@pytest.fixture
def made(build: Build) -> Path:
    """An entry made from `INPUTS`."""
    return cached("kind", INPUTS, build)


def _age(entry: Path, seconds: int) -> None:
    """Lets an entry have been used that long ago."""
    os.utime(entry, (1e9 - seconds, 1e9 - seconds))


def test_the_same_inputs_are_built_once(build: Build, made: Path) -> None:
    again = cached("kind", dict(reversed(list(INPUTS.items()))), build)
    assert again == made
    assert build.times == 1
    assert (again / "output").read_text() == "result"


CHANGES: list[tuple[str, Mapping[str, str | bytes]]] = [
    ("other", INPUTS),
    ("kind", {**INPUTS, "rows": b"1\n2"}),
    ("kind", {**INPUTS, "threads": "1"}),
    ("kind", {**INPUTS, "torch": "2.6.1"}),
    ("kind", {**INPUTS, "more": ""}),
    ("kind", {"rows": b"1\n2\n", "threads": "2"}),
    ("kind", {"rows": "2", "threads": b"1\n2\n", "torch": "2.6.0"}),
    ("kind", {"Rows": b"1\n2\n", "threads": "2", "torch": "2.6.0"}),
    ("kind", {}),
]


@pytest.mark.parametrize(("kind", "inputs"), CHANGES)
def test_any_other_input_is_another_entry(
    kind: str, inputs: Mapping[str, str | bytes], build: Build, made: Path
) -> None:
    other = cached(kind, inputs, build)
    assert other != made
    assert build.times == 2
    assert cached("kind", INPUTS, build) == made
    assert build.times == 2


def _content(entry: Path) -> None:
    (entry / "output").write_text("poison")


def _added(entry: Path) -> None:
    (entry / "more").write_text("")


def _removed(entry: Path) -> None:
    (entry / "facts").unlink()


def _renamed(entry: Path) -> None:
    (entry / "facts").rename(entry / "fact")


def _exchanged(entry: Path) -> None:
    one, two = ((entry / name).read_text() for name in ("output", "facts"))
    (entry / "output").write_text(two)
    (entry / "facts").write_text(one)


def _added_folder(entry: Path) -> None:
    (entry / "folder").mkdir()


def _linked(entry: Path) -> None:
    """The content is the same, and can be changed after it was looked at."""
    (entry / "output").rename(entry.parent / "elsewhere")
    (entry / "output").symlink_to(entry.parent / "elsewhere")


def _pipe(entry: Path) -> None:
    (entry / "output").unlink()
    os.mkfifo(entry / "output")


def _linked_entry(entry: Path) -> None:
    entry.rename(entry.parent / "elsewhere")
    entry.symlink_to(entry.parent / "elsewhere")


def _file_entry(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.write_text("")


def _empty(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.mkdir()


def _gone(entry: Path) -> None:
    shutil.rmtree(entry)


def _no_seal(entry: Path) -> None:
    (entry / SEAL).unlink()


def _other_seal(entry: Path) -> None:
    seal = (entry / SEAL).read_bytes()
    (entry / SEAL).write_bytes(seal[:-3] + bytes([seal[-3] ^ 1]) + seal[-2:])


def _seal_without_key(entry: Path) -> None:
    """What who does not hold the key can say about a poisoned entry."""
    _content(entry)
    files = {name: sha256_file(entry / name) for name in ("facts", "output")}
    text = canonical_json({"key": entry.name, "files": files, "mac": "0" * 64})
    (entry / SEAL).write_bytes(text)


def _seal_with_pipe(entry: Path) -> None:
    (entry / SEAL).unlink()
    os.mkfifo(entry / SEAL)


def _linked_seal(entry: Path) -> None:
    (entry / SEAL).rename(entry.parent / "elsewhere")
    (entry / SEAL).symlink_to(entry.parent / "elsewhere")


TAMPERED: list[Callable[[Path], None]] = [
    _content, _added, _removed, _renamed, _exchanged, _added_folder, _linked, _pipe, _linked_entry,
    _file_entry, _empty, _gone, _no_seal, _other_seal, _seal_without_key, _seal_with_pipe,
    _linked_seal,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERED)
def test_an_entry_that_is_not_as_it_was_made_is_built_again(
    tamper: Callable[[Path], None], build: Build, made: Path
) -> None:
    tamper(made)
    again = cached("kind", INPUTS, build)
    assert build.times == 2
    assert (again / "output").read_text() == "result"
    assert not any(path.is_symlink() for path in (again, *again.iterdir()))
    assert sorted(path.name for path in again.iterdir()) == [SEAL, "facts", "output"]
    cached("kind", INPUTS, build)
    assert build.times == 2, "it is intact again"


def test_an_entry_of_another_host_is_built_again(
    build: Build, made: Path, harness_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "another"))
    assert keys.home() != harness_home
    shutil.copytree(harness_home / "cache", keys.home() / "cache")
    assert (keys.home() / "cache" / made.name / SEAL).is_file()
    cached("kind", INPUTS, build)
    assert build.times == 2


@pytest.mark.parametrize("renamed", [False, True])
def test_an_entry_moved_to_another_key_is_built_again(
    renamed: bool, build: Build, made: Path
) -> None:
    """Whether or not its seal was told the new key."""
    other = cached("kind", {**INPUTS, "threads": "1"}, build)
    shutil.rmtree(other)
    made.rename(other)
    if renamed:
        seal = (other / SEAL).read_bytes()
        assert made.name.encode() in seal
        (other / SEAL).write_bytes(seal.replace(made.name.encode(), other.name.encode()))
    cached("kind", {**INPUTS, "threads": "1"}, build)
    assert build.times == 3


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_a_build_that_fails_leaves_nothing(raised: type[BaseException], harness_home: Path) -> None:
    def failing(folder: Path) -> None:
        (folder / "output").write_text("half")
        raise raised

    for _ in range(2):
        with pytest.raises(raised):
            cached("kind", INPUTS, failing)
    assert list((harness_home / "cache").iterdir()) == []


def test_a_build_that_makes_folders_is_refused(harness_home: Path) -> None:
    with pytest.raises(ValueError, match="more than plain files"):
        cached("kind", INPUTS, lambda folder: (folder / "sub").mkdir())
    assert list((harness_home / "cache").iterdir()) == []


def test_who_comes_second_takes_what_the_first_has_made(harness_home: Path) -> None:
    """The first may be reading it already, so it must not be exchanged."""
    first, inner = Build("first"), list[tuple[Path, int]]()

    def second(folder: Path) -> None:
        entry = cached("kind", INPUTS, first)
        inner.append((entry, entry.stat().st_ino))
        (folder / "output").write_text("second")

    entry = cached("kind", INPUTS, second)
    assert inner == [(entry, entry.stat().st_ino)]
    assert (entry / "output").read_text() == "first"
    assert list((harness_home / "cache").iterdir()) == [entry]


AT_ONCE = """
import sys
from pathlib import Path
from harness.cache import cached

def build(folder: Path) -> None:
    print("building", flush=True)
    sys.stdin.readline()
    (folder / "output").write_text("result")

print((cached("kind", {"x": "1"}, build) / "output").read_text())
"""


def test_processes_that_build_at_once_both_have_the_result(harness_home: Path) -> None:
    keys.signing_key()
    both = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [process.stdout and process.stdout.readline() for process in both] == ["building\n"] * 2
    for process in both:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in both] == ["result\n"] * 2
    assert [process.returncode for process in both] == [0, 0]
    (entry,) = (harness_home / "cache").iterdir()
    assert sorted(path.name for path in entry.iterdir()) == [SEAL, "output"]


def _filled(monkeypatch: pytest.MonkeyPatch, room: int) -> list[Path]:
    """Makes three entries, the last used first, and leaves room for that many."""
    entries = [cached("kind", {"number": str(number)}, Build()) for number in range(3)]
    for number, entry in enumerate(entries):
        _age(entry, 10 - number)
    size = sum(path.stat().st_size for path in entries[0].iterdir())
    monkeypatch.setattr(cache, "BOUND_BYTES", room * size)
    return entries


def _kept(entries: list[Path]) -> list[int]:
    return [number for number, entry in enumerate(entries) if entry.exists()]


def test_within_the_bound_nothing_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = _filled(monkeypatch, room=4)
    entries.append(cached("kind", {"number": "3"}, Build()))
    assert _kept(entries) == [0, 1, 2, 3]


def test_the_least_recently_used_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = _filled(monkeypatch, room=3)
    build = Build()
    cached("kind", {"number": "0"}, build)
    assert build.times == 0, "a hit is a use"
    entries.append(cached("kind", {"number": "3"}, build))
    assert _kept(entries) == [0, 2, 3]


@pytest.mark.parametrize("room", [0, 1])
def test_the_one_just_made_is_never_forgotten(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = _filled(monkeypatch, room)
    for entry in entries:
        _age(entry, -(1 << 31))  # as a clock that was set back leaves them
    entries.append(cached("kind", {"number": "3"}, Build()))
    assert entries[3].is_dir()
    assert len(_kept(entries)) == 1 + room


def test_what_is_no_entry_does_not_stop_the_forgetting(
    monkeypatch: pytest.MonkeyPatch, harness_home: Path
) -> None:
    entries = _filled(monkeypatch, room=1)
    (harness_home / "cache/file").write_text("")
    (harness_home / "cache/dangling").symlink_to("nowhere")
    entries.append(cached("kind", {"number": "3"}, Build()))
    assert _kept(entries) == [3]
