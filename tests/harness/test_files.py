"""Files of attempts are read only where they claim to lie; ours are written whole or not at all."""

import json
import math
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from harness import files
from harness.errors import InvalidSolution
from harness.files import (
    append_durably,
    canonical_json,
    parse_line,
    read_beneath,
    sha256_bytes,
    sha256_file,
    write_atomic,
)

SECRET = b"the answer"


# ---- reading what an attempt has made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What an attempt may write to, beside a secret that it may not read."""
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "private").mkdir()
    (tmp_path / "private/answer").write_bytes(SECRET)
    (tmp_path / "root/sub").mkdir(parents=True)
    (tmp_path / "root/sub/file").write_bytes(b"honest")
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("name", "content"),
    [("sub/file", b"honest"), ("empty", b""), ("odd \n\udcff name", b"1"), ("a" * 255, b"2")],
)
def test_a_plain_file_is_read(name: str, content: bytes, root: Path) -> None:
    (root / name).write_bytes(content)
    assert read_beneath(root, name, 6) == content


@pytest.mark.parametrize(
    "name",
    ["", "/", ".", "..", "../secret", "sub/../file", "sub//file", "./sub/file", "sub/", "a\0b"],
)
def test_only_a_path_below_is_read(name: str, root: Path) -> None:
    with pytest.raises(InvalidSolution, match="is not a path below the workspace"):
        read_beneath(root, name, 100)


def test_an_absolute_path_is_not_read(root: Path) -> None:
    for path in (root.parent / "secret", root / "sub/file"):
        with pytest.raises(InvalidSolution, match="is not a path below"):
            read_beneath(root, str(path), 100)


def _link(path: Path) -> None:
    path.symlink_to("../secret")


def _absolute_link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "secret")


def _inner_link(path: Path) -> None:
    path.symlink_to("sub/file")


def _dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _magic_link(path: Path) -> None:
    path.symlink_to(f"/proc/self/root{path.parent.parent}/secret")


def _hard_link(path: Path) -> None:
    path.hardlink_to(path.parent.parent / "secret")


def _inner_hard_link(path: Path) -> None:
    path.hardlink_to(path.parent / "sub/file")


def _folder(path: Path) -> None:
    path.mkdir()


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
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def _too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_link, "is a link"),
        (_absolute_link, "is a link"),
        (_inner_link, "is a link"),
        (_dangling_link, "is a link"),
        (_link_to_itself, "is a link"),
        (_magic_link, "is a link"),
        (_hard_link, "is a hard link"),
        (_inner_hard_link, "is a hard link"),
        (_folder, "is not a plain file"),
        (_pipe, "is not a plain file"),
        (_socket, "is not a plain file"),
        (_device, "is not a plain file"),
        (_too_large, "at most 100 are read"),
        (lambda path: None, "is missing"),
    ],
)
def test_anything_but_a_plain_file_is_refused(
    make: Callable[[Path], None], words: str, root: Path
) -> None:
    make(root / "output")
    with pytest.raises(InvalidSolution, match=f"^output .*{words}"):
        read_beneath(root, "output", 100)


@pytest.mark.parametrize(
    "target", ["../private", "{root}/../private", "sub", ".", "/proc/self/cwd"]
)
@pytest.mark.parametrize("depth", ["", "one/", "one/two/"])
def test_a_link_in_place_of_a_folder_is_refused(target: str, depth: str, root: Path) -> None:
    (root / depth).mkdir(parents=True, exist_ok=True)
    (root / depth / "output").symlink_to(target.format(root=root))
    with pytest.raises(InvalidSolution, match=f"^{depth}output is a link"):
        read_beneath(root, f"{depth}output/answer", 100)


@pytest.mark.parametrize("make", [_pipe, _socket, _device])
def test_what_is_no_folder_is_not_entered(make: Callable[[Path], None], root: Path) -> None:
    make(root / "output")
    with pytest.raises(InvalidSolution, match="^output is not a plain file"):
        read_beneath(root, "output/x", 100)


def test_a_file_is_not_entered(root: Path) -> None:
    with pytest.raises(InvalidSolution, match="^sub/file cannot be opened: Not a directory"):
        read_beneath(root, "sub/file/x", 100)


def test_a_name_too_long_is_refused(root: Path) -> None:
    with pytest.raises(InvalidSolution, match="cannot be opened: File name too long"):
        read_beneath(root, "x" * 256, 100)


def test_another_file_system_is_not_entered() -> None:
    for place, name in ((Path("/"), "proc/self/status"), (Path("/dev"), "shm")):
        if os.stat(place).st_dev != os.stat(place / name.split("/")[0]).st_dev:
            with pytest.raises(InvalidSolution, match="lies on another file system"):
                read_beneath(place, name, 1 << 20)
            return
    pytest.skip("this machine has one file system")


def test_a_file_may_be_as_large_as_the_bound_and_no_larger(root: Path) -> None:
    assert read_beneath(root, "sub/file", 6) == b"honest"
    with pytest.raises(InvalidSolution, match="has 6 bytes; at most 5 are read"):
        read_beneath(root, "sub/file", 5)


def test_a_file_that_grows_meanwhile_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.read

    def reading(descriptor: int, size: int) -> bytes:
        with (root / "sub/file").open("ab") as file:
            file.write(b"!")
        return really(descriptor, size)

    monkeypatch.setattr(files, "CHUNK", 4)
    monkeypatch.setattr(os, "read", reading)
    with pytest.raises(InvalidSolution, match="grew past 7 bytes"):
        read_beneath(root, "sub/file", 7)


@pytest.mark.parametrize("swapped", ["sub", "file"])
def test_a_link_that_comes_between_looking_and_opening_is_not_followed(
    swapped: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.stat
    (root.parent / "private/file").write_bytes(SECRET)

    def looking(
        path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        facts = really(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if path == swapped:
            os.rename(swapped, "aside", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            os.symlink(root.parent / "private" / swapped.replace("sub", ""), swapped, dir_fd=dir_fd)
        return facts

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", looking)
        with pytest.raises(InvalidSolution, match="cannot be opened"):
            read_beneath(root, "sub/file", 100)
    assert any(path.is_symlink() for path in (root / "sub", root / "sub/file"))


@pytest.fixture
def descriptors() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_nothing_is_left_open(root: Path, descriptors: None) -> None:
    _link(root / "link")
    read_beneath(root, "sub/file", 100)
    for name in ("link", "link/x", "nowhere", "sub", "sub/nowhere", "sub/file/x", ".."):
        with pytest.raises(InvalidSolution):
            read_beneath(root, name, 100)


# ---- writing what must survive


def _listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data, mode in ((b"old", 0o644), (b"newer", 0o600), (b"", 0o755)):
        write_atomic(path, data, mode)
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o777 == mode
    assert _listed(tmp_path) == ["file"]


@pytest.mark.parametrize("failing", ["fsync", "chmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file_whole(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no room")

    path = tmp_path / "file"
    write_atomic(path, b"old", 0o640)
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="no room"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert path.stat().st_mode & 0o777 == 0o640
    assert _listed(tmp_path) == ["file"]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "folder", b"new")
    assert _listed(tmp_path) == ["folder"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"old"
    assert not (tmp_path / "link").is_symlink()


def test_lines_are_appended_with_one_end_each(tmp_path: Path) -> None:
    for line in (b"one", b"two\n", b"three\n\n"):
        append_durably(tmp_path / "log", line)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\nthree\n"


def test_a_file_has_the_hash_of_its_content(tmp_path: Path) -> None:
    content = os.urandom(files.CHUNK + 1)
    with tempfile.NamedTemporaryFile(dir=tmp_path) as file:
        file.write(content)
        file.flush()
        assert sha256_file(Path(file.name)) == sha256_bytes(content)


# ---- JSON

STRICT = [
    ("not UTF-8", b'{"a":"\xff"}'),
    ("UTF-16", '{"a":1}'.encode("utf-16")),
    ("a byte order mark", b'\xef\xbb\xbf{"a":1}'),
    ("nothing", b""),
    ("blanks", b" \n"),
    ("a list", b"[]"),
    ("a string", b'"a"'),
    ("a number", b"1"),
    ("null", b"null"),
    ("two objects", b"{}{}"),
    ("two lines", b"{}\n{}"),
    ("no end", b'{"a":1'),
    ("a comma too many", b'{"a":1,}'),
    ("single quotes", b"{'a':1}"),
    ("a comment", b'{"a":1}//x'),
    ("a key twice", b'{"a":1,"a":1}'),
    ("a key twice, escaped", b'{"a":1,"\\u0061":2}'),
    ("a key twice, deep", b'{"x":[{"a":1,"a":2}]}'),
    ("NaN", b'{"a":NaN}'),
    ("infinity", b'{"a":[Infinity]}'),
    ("minus infinity", b'{"a":{"b":-Infinity}}'),
    ("a number too large", b'{"a":1e999}'),
    ("a number too small", b'{"a":[-1e999]}'),
    ("digits without end", b'{"a":' + b"9" * 10_000 + b"}"),
    ("half a character", b'{"a":"\\ud800"}'),
    ("the other half", b'{"a":["\\uDFFF"]}'),
    ("half a character as a key", b'{"\\udc00x":1}'),
    ("a control character", b'{"a":"\n"}'),
    ("nesting", b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"),
    ("nesting without end", b'{"a":' * 200_000),
]


@pytest.mark.parametrize("text", [text for _, text in STRICT], ids=[name for name, _ in STRICT])
def test_what_is_not_strictly_one_object_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse_line(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b' {"b": 1.5, "a": [true, null]}\n', {"b": 1.5, "a": [True, None]}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (b'{"a":1e308}', {"a": 1e308}),
        (b'{"a":12345678901234567890123}', {"a": 12345678901234567890123}),
    ],
)
def test_one_object_is_read(text: bytes, value: JsonValue) -> None:
    assert parse_line(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.0, None]}, b'{"a":[1.0,null],"b":1}'),
        ({"gr\xf6\xdfe": "\u20ac\n"}, '{"gr\xf6\xdfe":"\u20ac\\n"}'.encode()),
        ({"a": {"z": 0, "y": 1e-9}}, b'{"a":{"y":1e-09,"z":0}}'),
        ({}, b"{}"),
    ],
)
def test_a_value_has_one_form(value: JsonValue, text: bytes) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_does_not_know_has_no_form(value: float) -> None:
    with pytest.raises(ValueError):
        canonical_json({"a": [value]})


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = st.recursive(
    LEAVES | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_was_written_is_read_again_and_has_the_same_form(value: dict[str, JsonValue]) -> None:
    text = canonical_json(value)
    assert parse_line(text) == value
    assert canonical_json(parse_line(text)) == text
    assert canonical_json(parse_line(json.dumps(value, indent=1).encode())) == text
