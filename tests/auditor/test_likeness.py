"""Copies are found in disguise; a shared start, an idiom and the same task are no copies."""

import random
from collections.abc import Mapping

import pytest

from auditor.example import Edit
from auditor.likeness import languages, trees
from auditor.likeness.groups import clusters, outliers
from auditor.likeness.marks import Given, marks_of, own
from auditor.likeness.work import Source, Work
from auditor.mutants import mutants
from tests.auditor import synthetic
from tests.auditor.likeness_samples import (
    DISGUISED,
    INDEPENDENT,
    NATIVE,
    NATIVE_INDEPENDENT,
    ORIGINAL,
    RUST,
    SHELL,
    START,
    renamed,
)

C_NAMES = "piece own argument odd plain turned value source target begin end parity total scan "
C_NAMES += "measure fill workers threads pieces each length before inner w i"
PYTHON_NAMES = (
    "Packed items width rows ids answer chosen longest tokens labels place total merges words "
)
PYTHON_NAMES += (
    "pieces found pairs parts best seen schedule step steps warm floor done evaluate count kept"
)
RUST_NAMES = "Grid cells height width parse neighbours regions found row column seen counts letter "
RUST_NAMES += "waiting grid text count line"
WRITER = """\
def write_all(folder, items):
    folder.mkdir(parents=True, exist_ok=True)
    for name, item in sorted(items.items()):
        with open(folder / name, "w", encoding="utf-8") as file:
            json.dump(item, file, indent=2, sort_keys=True)
"""


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return clusters([one, other], START) == [[0, 1]]


def _with(path: str, text: str) -> dict[str, str]:
    return {**START, path: text}


@pytest.mark.parametrize(
    ("path", "original", "copy"),
    [
        ("solution/fast.py", ORIGINAL, ORIGINAL),
        ("solution/fast.py", ORIGINAL, DISGUISED),
        ("solution/fast.py", ORIGINAL, INDEPENDENT + DISGUISED),
        ("solution/fast.py", ORIGINAL, renamed(ORIGINAL, PYTHON_NAMES) + "def broken(:\n"),
        ("solution/scan.c", NATIVE, renamed(NATIVE, C_NAMES)),
        ("solution/scan.c", NATIVE, "/* mine */\n" + NATIVE.replace(";", " ;\n\n")),
        ("solution/main.rs", RUST, renamed(RUST, RUST_NAMES)),
        ("solution/run.sh", SHELL, renamed(SHELL, "work part shards name").replace("  ", "\t")),
    ],
    ids=["same", "disguised", "beside own work", "does not parse", "C", "C laid out", "Rust",
         "shell"],
)  # fmt: skip
def test_a_copy_is_found(path: str, original: str, copy: str) -> None:
    folder, _, name = path.rpartition("/")
    assert original == copy or set(original.split("\n")) != set(copy.split("\n"))
    assert _alike(_with(path, original), _with(f"{folder}/other/{name}", copy))


def test_a_copy_is_found_in_every_spelling() -> None:
    spelt = list(mutants(Edit(after=ORIGINAL)))
    assert len({mutant.operator for mutant in spelt}) >= 14
    for mutant in spelt:
        copy = {"solution/mine.py": mutant.edit.after, **mutant.edit.beside}
        assert _alike(_with("solution/fast.py", ORIGINAL), {**START, **copy}), mutant.operator


@pytest.mark.parametrize(("copied", "found"), [(16, True), (12, True), (4, False), (0, False)])
def test_how_much_has_to_be_copied(copied: int, found: bool) -> None:
    for seed in range(2):
        one, other = synthetic.partly(16, copied, random.Random(seed))
        assert _alike(_with("solution/a.py", one), _with("solution/b.py", other)) == found


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("solution/fast.py", ORIGINAL, INDEPENDENT),
        ("solution/scan.c", NATIVE, NATIVE_INDEPENDENT),
        ("solution/fast.py", WRITER + ORIGINAL, WRITER + INDEPENDENT),
        ("solution/fast.py", WRITER, WRITER),
        ("solution/train.py", START["solution/train.py"], START["solution/train.py"]),
        (
            "solution/train.py",
            START["solution/train.py"].replace("lr=1e-3", "lr=3e-4"),
            START["solution/train.py"].replace("torch.manual_seed(0)", "torch.manual_seed(1)"),
        ),
        (
            "solution/train.py",
            START["solution/train.py"] + ORIGINAL,
            renamed(START["solution/train.py"], "model optimizer row") + INDEPENDENT,
        ),
    ],
    ids=["same task", "same task in C", "same idiom", "only an idiom", "start", "start with edits",
         "start renamed"],
)  # fmt: skip
def test_independent_work_is_no_copy(path: str, one: str, other: str) -> None:
    assert not _alike(_with(path, one), _with(path, other))


def test_what_many_independent_attempts_share_is_an_idiom() -> None:
    sources = [_with("solution/fast.py", WRITER + _program(seed)) for seed in range(12)]
    assert clusters(sources, START) == [[number] for number in range(12)]


def test_many_copies_are_no_idiom() -> None:
    honest = [_with("solution/fast.py", _program(seed)) for seed in range(6)]
    copies = [_with("solution/fast.py", _program(seed) + DISGUISED) for seed in range(20, 26)]
    found = clusters([*honest, *copies], START)
    assert found[0] == list(range(6, 12))
    assert len(found) == 7


def test_one_unlike_all_others_is_named() -> None:
    given = Given.of(START)
    texts = [START["solution/train.py"] + f"\nx = {number}\n" for number in range(30)]
    works = [Work.of("", [Source("solution/train.py", text)], Given()) for text in texts]
    odd = Work.of("", [Source("solution/train.py", _program(1) + NATIVE_INDEPENDENT)], given)
    assert outliers([*works[:15], odd, *works[15:]]) == [15]
    assert outliers([*works[:5], odd]) == []


def test_code_that_never_runs_does_not_count() -> None:
    bare = "def f(a, b):\n    return g(a * 2 + h(b), [a, b, k(a)], key=m(b - a))\n"
    padded = (
        "def f(x, y):\n    '''Words.'''\n    if 0:\n        launch(x, y, x + y, z(x))\n"
        "    unused = 3\n    return g(h(y) + 2 * x, [x, y, k(x)], key=m(y - x))\n    print(x)\n"
    )
    one, other = trees.branches(bare), trees.branches(padded)
    assert one and other
    assert {item.mark for item in one} == {item.mark for item in other}


def test_what_differs_in_meaning_differs() -> None:
    def largest(text: str) -> int:
        found = trees.branches(text)
        assert found
        return found[-1].mark

    base = "y = f(a - b, c < d, [k, 1, 2], torch.sum(a))"
    for other in (
        base.replace("a - b", "b[0] - a"), base.replace("<", "<="), base.replace("sum", "mean"),
        base.replace("1, 2", "1, 3"), base.replace("f(", "g("),
    ):  # fmt: skip
        assert largest(base) != largest(other)
    assert largest(base) == largest(base.replace("c < d", "d > c"))


@pytest.mark.parametrize(
    "text",
    ["x = " + "(" * 5_000, "x = " + "+".join(["1"] * 20_000), "\x0c\\", "a" * 70_000, "'" * 999],
    ids=["brackets", "sum", "page", "name", "quotes"],
)
def test_hostile_texts_cost_little(text: str) -> None:
    for path in ("a.py", "a.c", "a.sh", "notes.md"):
        marks_of(path, text)


def test_lines_that_were_given_do_not_count() -> None:
    path = "solution/train.py"
    assert own(path, START[path] + "\n\n# end\n", Given.of(START)) == {}
    assert own("elsewhere.py", START[path], Given.of(START)) == {}


def test_a_text_is_taken_for_what_it_is() -> None:
    assert languages.views("a.py", "") == ("tree", "code")
    assert languages.views("tool", "#!/usr/bin/env python3\n") == ("tree", "code")
    assert languages.views("a.CU", "") == ("code",)
    assert languages.views("README.md", "") == ("words", "measured", "decimals")
    assert languages.views("log.json", "") == ("measured", "decimals")
    assert languages.views("weights.bin", "") == ()


def _program(seed: int) -> str:
    """A program that nobody else would write."""
    draw = random.Random(seed)
    calls = [f"lib{draw.randrange(1 << 30)}.f{draw.randrange(1 << 30)}" for _ in range(12)]
    lines = ["import json"]
    for number in range(12):
        one, two, three = (draw.choice(calls) for _ in range(3))
        lines += [
            f"def step{number}(a, b):",
            f"    c = {one}(a, {draw.randrange(1000)}, {two}(b[{draw.randrange(99)}]))",
            f"    for d in {three}(c, b):",
            f"        a = {two}(d {draw.choice('+-*/')} {draw.randrange(1000)}, c, {one}(a))",
            "    return a",
        ]
    return "\n".join(lines) + "\n"
