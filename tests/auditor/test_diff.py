"""What was done to a Python file, as functions, classes and statements."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.code import alignment, diff, outline
from auditor.code.alignment import align
from auditor.code.diff import Kind, changes, compare

BEFORE = '''"""A trainer."""
import os

RATE = 1


class Trainer:
    """Trains."""

    size = 3

    def step(self, n):
        total = 0
        for i in range(n):
            total += i
        return total

    def stop(self):
        return self.size


def helper(a):
    return helper(a - 1)


def last():
    print("last")
    return 3
'''
Told = set[tuple[str, str, str]]


def _told(before: str | None, after: str | None) -> Told:
    return {(change.kind.value, change.what, change.name) for change in changes(before, after)}


def _edit(*pairs: tuple[str, str]) -> str:
    text = BEFORE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ([("RATE = 1", "RATE = 2")], {("changed", "statement", "")}),
        ([("RATE = 1\n", "RATE = 1\nSEED = 0\n")], {("added", "statement", "")}),
        ([("RATE = 1\n", "")], {("removed", "statement", "")}),
        (
            [("import os\n", ""), ("RATE = 1\n", "RATE = 1\nimport os\n")],
            {("moved", "statement", "")},
        ),
        (
            [("total += i", "total -= i")],
            {("changed", "function", "Trainer.step"), ("changed", "statement", "Trainer.step")},
        ),
        (
            [("        return total", "        print(n)\n        return total")],
            {("changed", "function", "Trainer.step"), ("added", "statement", "Trainer.step")},
        ),
        (
            [("            total += i", "            if n:\n                total += i")],
            {
                ("changed", "function", "Trainer.step"),
                ("added", "statement", "Trainer.step"),
                ("moved", "statement", "Trainer.step"),
            },
        ),
        (
            [("size = 3", "size = 4")],
            {("changed", "class", "Trainer"), ("changed", "statement", "Trainer")},
        ),
        ([("class Trainer:", "class Trainer(Base):")], {("changed", "class", "Trainer")}),
        (
            [("def stop(self)", "@cache\n    def stop(self)")],
            {("changed", "function", "Trainer.stop")},
        ),
        ([("helper", "assist")], {("renamed", "function", "assist")}),
        ([("Trainer", "Coach")], {("renamed", "class", "Coach")}),
        (
            [("def stop(self)", "def end(self)"), ("RATE = 1", "RATE = 2")],
            {("renamed", "function", "Trainer.end"), ("changed", "statement", "")},
        ),
        (
            [("total", "acc"), ("n)", "m)"), ("RATE = 1", "RATE = 2")],
            {("respelled", "function", "Trainer.step"), ("changed", "statement", "")},
        ),
        (
            [("        total = 0", "        # why\n        total = 0"), ("RATE = 1", "RATE = 2")],
            {
                ("reformatted", "function", "Trainer.step"),
                ("reformatted", "statement", "Trainer.step"),
                ("changed", "statement", ""),
            },
        ),
        (
            [('print("last")', "print('last')"), ("RATE = 1", "RATE = 2")],
            {
                ("reformatted", "function", "last"),
                ("reformatted", "statement", "last"),
                ("changed", "statement", ""),
            },
        ),
        (
            [("class Trainer", "def new():\n    def inner(): ...\n\n\nclass Trainer")],
            {("added", "function", "new")},
        ),
        (
            [("def helper(a):\n    return helper(a - 1)\n\n\n", "")],
            {("removed", "function", "helper")},
        ),
    ],
    ids=lambda value: "" if isinstance(value, set) else value[0][1].split("\n")[0][:24],
)
def test_an_edit_is_told(edits: Sequence[tuple[str, str]], told: Told) -> None:
    assert _told(BEFORE, _edit(*edits)) == told


def test_a_function_that_changes_its_place_is_moved() -> None:
    text = BEFORE.replace('\n\ndef last():\n    print("last")\n    return 3\n', "")
    at_the_top = text.replace(
        "import os\n", 'import os\ndef last():\n    print("last")\n    return 3\n'
    )
    in_the_class = text.replace(
        "    size = 3\n",
        '    size = 3\n\n    def last():\n        print("last")\n        return 3\n',
    )
    assert _told(BEFORE, at_the_top) == {("moved", "function", "last")}
    (moved,) = changes(BEFORE, in_the_class)
    assert (moved.kind, moved.name, moved.old_name) == (Kind.MOVED, "Trainer.last", "last")


def test_lines_are_those_of_the_files() -> None:
    (renamed,) = changes(
        BEFORE, _edit(("def helper(a):\n    return helper", "\n\ndef aid(a):\n    return aid"))
    )
    assert (renamed.line, renamed.end_line, renamed.old_line) == (24, 25, 22)
    assert renamed.old_name == "helper"
    (removed,) = changes(BEFORE, _edit(("RATE = 1\n", "")))
    assert (removed.line, removed.end_line, removed.old_line) == (0, 0, 4)
    function, statement = changes(BEFORE, _edit(("return 3", "return [\n        3,\n    ]")))
    assert (function.line, function.end_line) == (26, 30)
    assert (statement.line, statement.end_line, statement.old_line) == (28, 30, 28)


@pytest.mark.parametrize(
    ("before", "after", "respelled"),
    [
        ("def f(a):\n    b = a\n    return b", "def f(x):\n    y = x\n    return y", True),
        ("def f(a):\n    return [i for i in a]", "def f(a):\n    return [j for j in a]", True),
        ("def f(a, b):\n    return a - b", "def f(b, a):\n    return b - a", True),
        ("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a", False),
        ("def f():\n    return g()", "def f():\n    return h()", False),
        ("def f(a):\n    return a.b", "def f(a):\n    return a.c", False),
        ("def f():\n    global a\n    a = 1", "def f():\n    global b\n    b = 1", False),
        ("def f():\n    import a\n    return a", "def f():\n    import b\n    return b", False),
        ("def f(a):\n    return locals()", "def f(b):\n    return locals()", False),
        # What an inner scope binds is free outside of it.
        (
            "def f():\n    g = lambda a: a\n    return a, g",
            "def f():\n    g = lambda b: b\n    return b, g",
            False,
        ),
        ("def f(a=a):\n    return a", "def f(b=b):\n    return b", False),
        ("def f():\n    return [a for a in a]", "def f():\n    return [b for b in b]", False),
        (
            "def f():\n    g = lambda a: a\n    return g(a=1)",
            "def f():\n    g = lambda b: b\n    return g(a=1)",
            False,
        ),
        ("def f(a, b):\n    c = a\n    return b", "def f(a, b):\n    a = a\n    return b", False),
    ],
)
def test_only_consistent_names_of_variables_are_a_respelling(
    before: str, after: str, respelled: bool
) -> None:
    kinds = {change.kind for change in changes(before, after)}
    assert (kinds == {Kind.RESPELLED}) == respelled
    assert respelled or Kind.CHANGED in kinds


def test_one_of_several_definitions_of_a_name() -> None:
    text = "class A:\n" + "".join(
        f"    @x.{part}\n    def x(self): return {number}\n"
        for number, part in enumerate(("getter", "setter", "deleter"))
    )
    after = text.replace("    @x.getter\n    def x(self): return 0\n", "")
    assert _told(text, after) == {("removed", "function", "A.x")}


def test_no_file_is_none() -> None:
    assert changes(None, None) == ()
    (added,) = changes(None, "x = 1\ny = 2")
    assert (added.kind, added.what, added.line, added.end_line) == (Kind.ADDED, "module", 1, 2)
    (removed,) = changes("x = 1", None)
    assert (removed.kind, removed.line, removed.old_line) == (Kind.REMOVED, 0, 1)


def test_syntax_newer_than_this_python_is_compared() -> None:
    before = "def f():\n    try: pass\n    except* A: pass\ntype X[T] = list[T]\nx = f'{'a'}'\n"
    assert _told(before, before.replace("except* A", "except* B")) == {
        ("changed", "function", "f"),
        ("changed", "statement", "f"),
    }
    assert not compare(before, before.replace("pass\n", "...\n")).reason


def test_a_text_that_is_no_python_is_said() -> None:
    found = compare("x = 1", "x = (")
    assert found.changes == ()
    assert "after" in found.reason
    assert "before" in compare("x = (", "x = 1").reason


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        f"x = {'(' * 5000}1{')' * 5000}",
        f"x = {'[' * 150}1{']' * 150}",
        f"x = {'1 and ' * 20_000}1",
        f"x = {'1 and ' * 20_000}1\ntype X = int",
        f"x = a{'.b' * 20_000}",
        f"x = {'-' * 20_000}1",
        "if a:\n  b\n" + "elif a:\n  b\n" * 12_000,
        "".join(" " * depth + "if a:\n" for depth in range(99)) + " " * 99 + "b",
        "x" * 20_000_000,
        "x = " + "'a' " * 3_000,
        "x = " + "9" * 5_000,
        "".join(f"x{number} = {number}\n" for number in range(20_000)),
        "x = 1\ny = 2\n" * 4_000,
        "x = '\0'",
        "x = '\ud800'",
        "\ufeffx = 1\r\ny = 2\rz = '\\d'\f",
        "\\",
        "\t",
    ],
    ids=lambda text: f"{len(text)} characters",
)
def test_hostile_text_is_compared_or_refused_with_a_reason(text: str) -> None:
    for before, after in ((text, "x = 1\n"), ("x = 1\n", text), (text, text + "\nx = 2\n")):
        found = compare(before, after)
        assert found.changes or found.reason
        assert len(found.changes) <= diff.MOST


def test_what_is_too_much_for_libcst_is_compared_by_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(diff, "LARGEST_READ", 10)
    found = compare(BEFORE, _edit(("total += i", "total -= i"), ("helper", "assist")))
    assert {(change.kind, change.name) for change in found.changes} == {
        (Kind.CHANGED, "Trainer.step"),
        (Kind.RENAMED, "assist"),
    }
    assert "too much" in found.reason
    assert _told(BEFORE, _edit(("RATE = 1", "RATE = 2"), ("import os", "import  os"))) == {
        ("changed", "module", "")
    }


@pytest.mark.parametrize(
    ("before", "after", "renamed"),
    [
        ("def f(a):\n    return f(a)", "def g(a):\n    return g(a)", True),
        ("def f(a):\n    return f(a)", "def g(b):\n    return g(b)", True),
        ("def f(a):\n    return f(a)", "def g(a):\n    return f(a)", False),
        ("def f(f):\n    return f", "def g(a):\n    return g", False),
        ("def f():\n    import f\n    return f", "def g():\n    import g\n    return g", False),
        ("def f(a):\n    return h(f=a)", "def g(a):\n    return h(g=a)", False),
        ("def f(self):\n    self.f()", "def g(self):\n    self.g()", True),
        ("def f(self):\n    self.f()", "def g(self):\n    self.f()", False),
    ],
)
def test_a_renamed_function_may_call_itself(
    before: str, after: str, renamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff, "LARGEST_READ", 0)
    assert _told(before, after) == (
        {("renamed", "function", "g")}
        if renamed
        else {("removed", "function", "f"), ("added", "function", "g")}
    )


def test_what_is_exactly_the_same_goes_before_another_name() -> None:
    text = "def f(a):\n    return a\n\n\nclass A:\n    def g(self): ...\n"
    moved = "def g(a):\n    return a\n\n\nclass A:\n    def f(a):\n        return a\n"
    (kept,) = (change for change in changes(text, moved) if change.name == "A.f")
    assert (kept.kind, kept.old_name) == (Kind.MOVED, "f")


def test_what_is_too_much_to_be_respelled_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "LARGEST_SPELLED", 10)
    found = compare("def f(a):\n    return a", "def f(b):\n    return b")
    assert {change.kind for change in found.changes} == {Kind.CHANGED}
    assert "not all" in found.reason


def test_a_pair_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "REMEMBERED", 2)
    found = compare(BEFORE, BEFORE + "x = 1\n")
    assert compare(BEFORE, BEFORE + "x = 1\n") is found
    for number in range(3):
        compare(BEFORE, BEFORE + f"y = {number}\n")
    assert len(diff._known) == 2
    assert compare(BEFORE, BEFORE + "x = 1\n") is not found


def test_only_what_differs_is_given_to_libcst(monkeypatch: pytest.MonkeyPatch) -> None:
    given_to: list[str] = []
    read = outline.by_nodes

    def noted(pieces: Iterable[str], offset: int = 0) -> outline.Unit | None:
        found = list(pieces)
        given_to.extend(found)
        return read(found, offset)

    monkeypatch.setattr(outline, "by_nodes", noted)
    assert _told(BEFORE, _edit(("RATE = 1", "RATE = 77"))) == {("changed", "statement", "")}
    assert [text.strip() for text in given_to] == ["RATE = 1", "RATE = 77"]


def test_a_statement_is_read_once_however_often_what_is_around_it_changes() -> None:
    outline._entries.cache_clear()
    for number in range(3):
        compare("a = 1\n", f"{BEFORE}\n# counts\nb = {number}\n")
    assert outline._entries.cache_info().misses == 1 + len(ast.parse(BEFORE).body) + 3


def test_libcst_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys; from auditor.code.diff import changes; changes('x=1', 'x = 1');"
        "sys.exit('libcst' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


PIECES = st.lists(
    st.sampled_from([
        "x = 1\n", "y = [1,\n     2]\n", "def f(a):\n    b = a\n    return b\n",
        "class A:\n    z = 1\n\n    def m(self): return 'q'\n",
        "if x:\n    y = 2\nelse:\n    y = 3\n",
        "@d\ndef g(): ...\n", "try:\n    h()\nexcept E as e:\n    raise\n",
        "for i in y: print(i); x += i\n",
    ]),
    max_size=7,
).map("".join)  # fmt: skip


@given(PIECES)
def test_nothing_was_done_to_what_is_equal(text: str) -> None:
    assert changes(text, text) == ()


@given(PIECES, st.data())
def test_comments_and_blank_lines_only_reformat(text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(["", "# c"])))
    assert {change.kind for change in changes(text, "\n".join(lines))} == {Kind.REFORMATTED}


@settings(deadline=None)
@given(PIECES, PIECES)
def test_something_is_told_exactly_where_the_meaning_differs(before: str, after: str) -> None:
    found = compare(before, after)
    assert found.reason == ""
    same = ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    assert same == all(change.kind == Kind.REFORMATTED for change in found.changes)
    lines = (before.count("\n") + 1, after.count("\n") + 1)
    for change in found.changes:
        assert 0 <= change.old_line <= lines[0]
        assert 0 <= change.line <= change.end_line <= lines[1]
        assert (change.line == 0) == (change.kind == Kind.REMOVED)
        assert (change.old_line == 0) == (change.kind == Kind.ADDED)


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30))
def test_what_is_aligned_is_the_same_and_in_order(old: list[int], new: list[int]) -> None:
    pairs = align(old, new)
    assert all(old[one] == new[other] for one, other in pairs)
    for one, next_one in zip(pairs, pairs[1:], strict=False):
        assert one[0] < next_one[0] and one[1] < next_one[1]


@pytest.mark.parametrize("small", [0, alignment.SMALL])
def test_an_insertion_costs_nothing_else(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "SMALL", small)
    old = ["a", "b", "c", "b", "d"] * 9
    assert len(align(old, ["n", *old[:7], "m", *old[7:], "o"])) >= len(old) - 1
    assert len(align(old, old[:20] + ["new"] + old[20:])) == len(old)
