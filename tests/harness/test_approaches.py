"""Solutions of one approach fall together however they are spelt, and others stay apart."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from auditor.example import Edit
from auditor.mutants import mutants
from harness.approaches import MOST, added, distinct

ROOT = Path(__file__).resolve().parents[2]
START = (ROOT / "environments/triton_cumsum/start/solution.py").read_text("utf-8")
ATTEMPTS = ROOT / "tests/attempts/triton_cumsum"
IN_KIND = ("rename", "reorder", "other_file", "default_argument")
"""Ways of spelling that leave what is called and in which order nearly as it was."""


def kernel(name: str) -> str:
    return (ATTEMPTS / name / "0/solution/solution.py").read_text("utf-8")


def of(text: str, beside: Mapping[str, str] | None = None) -> Counter[str]:
    return added({"solution.py": text, **(beside or {})}, {"solution.py": START})


DIFFERENT = (
    "honest_simd_threads", "honest_matmul_scan", "honest_compiled_by_shape", "honest_thread_pool",
    "honest_leftovers_and_mocks",
)  # fmt: skip


def test_different_kernels_are_different_approaches() -> None:
    assert distinct([of(kernel(name)) for name in DIFFERENT]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["honest_matmul_scan", "honest_thread_pool"])
def test_another_spelling_is_the_same_approach(name: str) -> None:
    text = kernel(name)
    spelt = [m for m in mutants(Edit(after=text, before=START)) if m.operator in IN_KIND]
    assert spelt
    for mutant in spelt:
        other = of(mutant.edit.after, mutant.edit.beside)
        assert distinct([of(text), other, of(kernel("honest_simd_threads"))]) == [0, 0, 1]


def test_numbers_texts_and_comments_are_no_approach() -> None:
    text = kernel("honest_matmul_scan")
    tuned = text.replace("1024", "2048").replace("# ", "# by the way, ") + "\n# tuned\n"
    assert distinct([of(text), of(tuned)]) == [0, 0]


def test_what_the_start_has_does_not_count() -> None:
    assert not of(START)
    assert not of(f"# a comment\n{START}")
    two = [of(START + "\nimport numpy\nnumpy.cumsum(x)\n"), of(START + "\nsubprocess.run('cc')\n")]
    assert distinct(two) == [0, 1]


def test_doing_nothing_is_an_approach_of_its_own() -> None:
    some = of(kernel("honest_matmul_scan"))
    assert distinct([some, of(START), of(START), some]) == [0, 1, 1, 0]
    assert distinct([]) == []
    assert distinct([of(START)]) == [0]


@pytest.mark.parametrize("suffix", ["py", "c", "rs"])
@pytest.mark.parametrize("text", ['"', "'", '"""', "/*", "//", "\\", '"\\', "def f(", "x=", "\0é"])
def test_hostile_texts_are_read_once(text: str, suffix: str) -> None:
    found = added({f"a.{suffix}": text * 20_000}, {})
    assert bool(found) is not (text == "//" and suffix != "py")


def test_languages_have_their_own_comments() -> None:
    assert added({"a.c": "// x\n/* y */ f(1);"}, {}) == added({"a.c": "f(2);"}, {})
    assert added({"a.py": "# x\nf(1)"}, {}) == added({"a.py": "f(2)"}, {})
    assert added({"a.c": "#include <omp.h>"}, {})


def test_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        distinct([Counter({str(n): 1}) for n in range(MOST + 1)])
