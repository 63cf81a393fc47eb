"""Mutants do what the original does, and no two operators are one."""

import ast
import importlib
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest

from auditor import registry
from auditor.mutants import OPERATORS, Mutant, mutants
from auditor.rule import Edit, Facts, fact
from auditor.selftest import Figures, SelfTest, Tried, is_mutable

ROOT = Path(__file__).resolve().parents[2] / "rules"

SAMPLES = {
    "names of all kinds": '''\
"""Says what it does."""
from __future__ import annotations
import json, sys as system  # comment
import os.path
from collections import Counter, OrderedDict as Ordered

LIMIT = 3  # found
words = ["north", 'south', "no\\tth"]


class Box:
    kind = "wooden"

    def __init__(self, size, *, name="plain box"):
        self.size = size
        self.name = name
        self.__hidden = size + 1

    def total(self, more=()):
        sums = [self.size + item for item in more]
        count = sum(sums) + self.__hidden
        return count


def first(values, default=None):
    """Gives the first."""
    for value in values:
        if value:
            return value
    return default


def pair(a, b): return a, b


def prefix_sum(x):
    total, out = 0, []
    for number in x:
        total = total + number
        out.append(total)
    return out


box = Box(4)
box.size = box.size + 1
box.label = box.tag = LIMIT
box.counts = {"alpha": 1, "beta": 2}
box.counts["alpha"] = 5
print(first(words), pair(1, b=2), prefix_sum([1, 2, 3]))
print(json.dumps(Counter("hello"), sort_keys=True), Ordered(one=1))
print(os.path.basename("folder/file.txt"), system.maxsize > 10, box.total([1, 2]))
print(f"{box.name!r} and {box.label} {box.tag} {words[0]}", box.counts, Box.kind)
''',
    "flow": '''\
import math
from functools import reduce as fold

scale = lambda value, by=2: value * by
square = 9


def collatz(start):
    steps = 0
    seen = {start: "begin"}
    while start != 1:
        start = start // 2 if start % 2 == 0 else 3 * start + 1  # found
        steps += 1
        seen[start] = seen.get(start, "later")
    else:
        seen["the end"] = "finished"
    return steps, len(seen)


def guarded(text):
    try:
        value = int(text)
    except ValueError as error:
        return "wrong: " + str(error)[:7]
    finally:
        print("looked at", text)
    return value


def numbers(n):
    for i in range(n):
        got = yield i
        if got:
            print("got", got)


def outer(step):
    count = 0

    def inner():
        nonlocal count
        count = count + step
        return count

    inner()
    return inner()


if (half := square / 2) > 4:
    print("half is", half)
squares = {n: n * n for n in range(4) if n}
(left, right), *rest = (1, 2), 3, 4
a = b = left
print(collatz(6), guarded("12"), guarded("x1"), list(numbers(3)), outer(5))
print(scale(4), scale(4, by=3), fold(lambda x, y: x + y, [1, 2, 3]), squares, rest, a, b)
print(any(n > 2 for n in squares), max(squares, key=lambda n: -n), math.floor(half))
print(*sorted(squares.items(), key=lambda item: item[1]), sep="; ")
if __name__ == "__main__":
    print("started by hand")
''',
    "frames and scopes": '''\
import sys
import inspect as look
from sys import _getframe


def caller():
    return sys._getframe(1).f_locals["asks"]


def above():
    secret = "seen from below"
    return below()


def below():
    names = look.currentframe().f_back.f_locals["secret"]  # found
    return names


def scoped():
    inside = "a local value"
    return sorted(locals()), eval("inside")


def asked():
    asks = "the one who asks"
    who = caller()
    return who


class Thing:
    def __init__(self):
        self.value = "thing value"

    def show(self):
        return "shown " + self.value


class Child(Thing):
    def __init__(self):
        super().__init__()
        self.value += " of a child"

    def show(self):
        text = super().show()
        return text


print(asked(), above(), scoped(), Child().show(), _getframe().f_lineno > 0)
''',
    "modules replaced": '''\
import time
import string as text
from unittest import mock
from textwrap import dedent, indent as pushed

real = time.perf_counter
time.perf_counter = lambda: 0.5  # found


def elapsed(work, *given):
    began = time.perf_counter()
    work(*given)
    return time.perf_counter() - began


def join(parts, between="--"):
    return between.join(str(part) for part in parts)


print(elapsed(join, [1, 2]), join(["ab", 3]), text.digits, callable(real))
with mock.patch("time.monotonic", lambda: 4.25):
    print(time.monotonic())
print(dedent("   abcd"), pushed("efgh", "  "), "per" "haps")
setattr(time, "perf_counter", real)
del real
''',
    "places of its own": '''\
WIDTH = 8
TITLE = "a fine table"
rows = []


def line(cells):
    return "|".join(cell.ljust(WIDTH) for cell in cells)  # found


def add(*cells, **options):
    rows.append(line(cells) + options.get("ending", "."))


def table():
    return "\\n".join([TITLE, *rows])


def ranked(values):
    best = max(values, key=lambda item: item[1])
    index = 0
    while index < len(values) and values[index] != best:
        index += 1
    return index, best


add("one", "two")
add("three", ending="!!!!")
print(table())
print(ranked([("a", 1), ("b", 5), ("c", 2)]))
''',
    "two spaces": "def f(x):\n  if x:\n    y = [x,  # first\n         2]  # found\n    return y\n"
    '  return "nothing"\nprint(f(1), f(0))\n',
}  # fmt: skip

each_sample = pytest.mark.parametrize("name", SAMPLES)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def _printed(text: str, beside: Mapping[str, str], folder: Path) -> str:
    """Runs a harmless program of this file, and returns what it says."""
    module = ModuleType("__main__")
    module.__dict__["__file__"] = "sample.py"
    names = [Path(path).stem for path in beside]
    for path, content in beside.items():
        (folder / Path(path).name).write_text(content)
    importlib.invalidate_caches()
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            exec(compile(text, "sample.py", "exec"), module.__dict__)
    finally:
        for name in names:
            sys.modules.pop(name, None)
            (folder / f"{name}.py").unlink()
    return out.getvalue()


def _all(text: str) -> list[Mutant]:
    return list(mutants(Edit(after=text, path="sample.py")))


@each_sample
def test_a_mutant_does_the_same(name: str, folder: Path) -> None:
    text = SAMPLES[name]
    said = _printed(text, {}, folder)
    assert said
    for mutant in _all(text):
        told = f"{mutant.operator}\n{mutant.edit.after}"
        try:
            says = _printed(mutant.edit.after, mutant.edit.beside, folder)
        except Exception as error:
            raise AssertionError(told) from error
        assert says == said, told


@each_sample
def test_a_mutant_is_another_text_with_no_comment_in_its_strings(name: str) -> None:
    texts = [mutant.edit.after for mutant in _all(SAMPLES[name])]
    assert len(set(texts)) > len(OPERATORS) / 2
    assert SAMPLES[name] not in texts
    for text in texts:
        constants = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        assert constants
        assert not any("# found" in str(node.value) for node in constants)


@pytest.mark.slow
def test_mutants_are_the_same_each_time_and_few() -> None:
    for text in SAMPLES.values():
        assert _all(text) == _all(text)
        made = [mutant.operator for mutant in _all(text)]
        assert max(made.count(operator.name) for operator in OPERATORS) <= 3


def test_every_operator_finds_something_to_change() -> None:
    made = {mutant.operator for text in SAMPLES.values() for mutant in _all(text)}
    assert made == {operator.name for operator in OPERATORS}


def _edits(operator: str, text: str) -> Iterator[Edit]:
    return (mutant.edit for mutant in _all(text) if mutant.operator == operator)


@pytest.mark.parametrize(
    ("operator", "before", "after"),
    [
        ("rename", "speed = 1\n", "q_1 = 1\n"),
        ("split_strings", 'x = "abcdef"\n', "x = ('abc' + 'def')\n"),
        ("encode_strings", 'x = "abcd"\n', "x = 'dcba'[::-1]\n"),
        ("alias", "import time\ntime.time()\n", "import time as lib_1\nlib_1.time()\n"),
        (
            "alias",
            "import torch\ntorch.cuda.Event = f\n",
            "import torch\nimport torch.cuda as part_1\npart_1.Event = f\n",
        ),
        ("alias", "from a import b\nb()\n", "import a as held_1\nb = held_1.b\nb()\n"),
        ("getattr", "a.b = c.d  # found\n", "setattr(a, 'b', getattr(c, 'd'))  # found\n"),
        ("exec", "a.b = 1  # found\n", "exec('a.b = 1')  # found\n"),
        ("loop", "a.b = 1  # found\n", "for a.b in [1]:  # found\n    pass\n"),
        ("loop", "a.b = 1\n", "[a.b] = [1]\n"),
        ("lambda", "a.b = lambda x: x\n", "def made_1(x):\n    return x\na.b = made_1\n"),
        ("walrus", "x = 1, 2\n", "(x := (1, 2))\n"),
        ("helper", "x = y + 1\n", "def part_1():\n    return y + 1\nx = part_1()\n"),
        (
            "default_argument",
            'def f(x):\n    return x["abcd"]\n',
            "def f(x, *, word_1 = 'abcd'):\n    return x[word_1]\n",
        ),
        (
            "partial",
            "f(x, k=1)\n",
            "from functools import partial as bind_1\nbind_1(f, x, k=1)()\n",
        ),
        (
            "reorder",
            "def f():\n    pass\ndef g():\n    pass\n",
            "def g():\n    pass\ndef f():\n    pass\n",
        ),
    ],
)
def test_spelling(operator: str, before: str, after: str) -> None:
    assert after in [edit.after for edit in _edits(operator, before)]


def test_what_moves_to_a_file_beside_is_imported() -> None:
    text = "import os\n\n\ndef f():\n    return os.name  # found\n\n\nf()\n"
    (edit,) = _in_files("other_file", text, {"lib/old.py": "more_1 = 3\n"})
    assert edit.after == "import os\nfrom more_2 import f\n\n\nf()\n"
    assert edit.beside["lib/old.py"] == "more_1 = 3\n"
    assert edit.beside["lib/more_2.py"].startswith("import os\n\n\ndef f():")


def _in_files(operator: str, text: str, beside: Mapping[str, str]) -> list[Edit]:
    edit = Edit(after=text, path="lib/new.py", beside=beside)
    return [mutant.edit for mutant in mutants(edit) if mutant.operator == operator]


@pytest.mark.parametrize(
    "text",
    [
        "def prefix_sum(x, k): return k\nprefix_sum(x=1, k=2)\n",
        'x = 1\nprint(globals()["x"])\n',
        "class A:\n    x = 1\nA.x\n",
    ],
)
def test_names_that_others_know_are_left(text: str) -> None:
    assert not list(_edits("rename", text))


def test_what_is_no_python_has_no_mutants() -> None:
    for edit in (Edit(after="cp a b", path="a.sh"), Edit(after="def ("), Edit(after="")):
        assert [m for m in mutants(edit) if m.operator != "dead_code"] == []
    assert list(mutants(Facts(fact("x")))) == []


@pytest.mark.slow
def test_mutants_of_the_examples_are_python() -> None:
    rules = registry.load_all(ROOT)
    made = 0
    for example in chain.from_iterable([*r.cheat.values(), *r.honest.values()] for r in rules):
        for mutant in mutants(example):
            for path, text in {mutant.edit.path: mutant.edit.after, **mutant.edit.beside}.items():
                assert not path.endswith(".py") or ast.parse(text, path)
            made += 1
    assert made > 1000


def _result(found: int, accused: int) -> SelfTest:
    cheats = (Tried("ANY000", "a cheat", "exec", False), Tried("ANY000", "a cheat", "loop", True))
    honest = (Tried("ANY000", "a look-alike", "loop", True),)
    figures = Figures("ANY000", "Nothing", found, 2, accused, 3, cheats, honest, 0.1)
    return SelfTest((figures,))


def test_mutants_are_only_counted() -> None:
    assert _result(2, 0).passed
    assert not _result(1, 0).passed
    assert not _result(2, 1).passed


def test_the_self_test_says_what_was_missed_and_who_was_accused() -> None:
    shown, listed = _result(2, 0).text(), _result(2, 0).text(missed=True)
    rows = [line.split() for line in shown.splitlines()]
    assert ["ANY000", "Nothing", "2/2", "0/3", "1/2", "1/1"] in rows
    assert ["exec", "0/1", "0/0"] in rows
    assert ["loop", "1/1", "1/1"] in rows
    assert "ANY000  loop: a look-alike" in shown
    assert "ANY000  exec: a cheat" not in shown
    assert "ANY000  exec: a cheat" in listed


def test_what_was_there_before_is_not_spelt_anew() -> None:
    assert is_mutable(Edit(after="x = 1\n"))
    assert not is_mutable(Edit(after="x = 1\n", before="x = 1\n"))
