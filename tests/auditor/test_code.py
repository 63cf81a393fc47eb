"""Which files of an attempt run when it is scored."""

import pytest

from auditor.evidence.reach import is_imported, reachable
from harness import environment

KERNEL = environment.find("triton_cumsum").facts.workspace
FOUNDRY = environment.find("optimize_llm_foundry").facts.workspace
MASKED = environment.find("restricted_mlm").facts.workspace
BY_HAND = 'if __name__ == "__main__":\n    from bench import main\n    main()\n'
ENTRY = "solution/solution.py"


def _reached(text: str) -> bool:
    return "solution/bench.py" in reachable(
        {ENTRY: text, "solution/bench.py": "def main(): ..."}, KERNEL
    )


def test_what_an_imported_file_does_as_a_program_never_runs() -> None:
    assert not _reached("def prefix_sum(x): return x\n" + BY_HAND)
    assert is_imported(ENTRY, BY_HAND, KERNEL)


@pytest.mark.parametrize(
    "text",
    [
        "from bench import main\ndef prefix_sum(x): return main(x)\n",
        "import importlib\nprefix_sum = importlib.import_module('bench').main\n",
        '__name__ = "__main__"\n' + BY_HAND,
        'globals()["__name__"] = "__main__"\n' + BY_HAND,
        "import subprocess, sys\nsubprocess.run([sys.executable, 'solution.py'])\n" + BY_HAND,
        'if __name__ != "__main__":\n    from bench import main\n',
        BY_HAND + "else:\n    from bench import main\n",
        "not python (\n" + BY_HAND,
        f"x = {'(' * 90}1{')' * 90}\nfrom bench import main\n",
    ],
)
def test_every_way_to_another_file_counts(text: str) -> None:
    assert _reached(text)


def test_a_program_that_a_script_runs_is_one() -> None:
    texts = {
        "solution/finetune.sh": "python train.py\n",
        "solution/train.py": BY_HAND,
        "solution/bench.py": "def main(): ...",
    }
    assert "solution/bench.py" in reachable(texts, FOUNDRY)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("import bench  # what counts\n", True),
        ("run('#', 'bench')\n", True),
        ("run()  # not bench\n", False),
        ("# bench\nrun()\n", False),
    ],
)
def test_a_comment_names_no_file(text: str, named: bool) -> None:
    texts = {
        "solution/finetune.sh": "python train.py\n",
        "solution/train.py": text,
        "solution/bench.py": "def main(): ...",
    }
    assert ("solution/bench.py" in reachable(texts, FOUNDRY)) is named


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("solution/Makefile", {"finetune.sh": "make -C . all\n"}),
        ("solution/Makefile", {"finetune.sh": "python a.py", "a.py": "run(['make', 'all'])"}),
        ("solution/b.sh", {"finetune.sh": "bash ./b.sh x"}),
        ("solution/b.py", {"finetune.sh": "torchrun --nproc 2 b.py"}),
        ("solution/b.py", {"finetune.sh": "python -m b"}),
        ("solution/sub/b.py", {"finetune.sh": "python -m sub.b"}),
        ("solution/b.py", {"finetune.sh": "python3 -Imb"}),
        ("solution/b/__main__.py", {"finetune.sh": "python -um b"}),
        ("solution/b/__main__.py", {"finetune.sh": "python ./b/ --fast"}),
        ("solution/b.py", {"finetune.sh": "python < b.py"}),
        ("solution/b.py", {"finetune.sh": "cat b.py | python -"}),
        ("solution/b.py", {"finetune.sh": "ls b*.py | xargs -n1 python"}),
        ("solution/b.c", {"finetune.sh": "gcc k/*.c -o b"}),
        ("solution/b.py", {"finetune.sh": "python a.py", "a.py": "from . import b"}),
        ("solution/b.py", {"finetune.sh": "python a.py", "a.py": "os.system('python b.py')"}),
        ("solution/b.py", {"finetune.sh": "python a.py", "a.py": "import_module('b')"}),
        ("solution/b.py", {"finetune.sh": "python a.py", "a.py": "exec('import b')"}),
        ("solution/b.cu", {"finetune.sh": "python a.py", "a.py": "load(sources=['k/b.cu'])"}),
        ("solution/b.py", {"finetune.sh": "make", "Makefile": "all:\n\tpython b.py\n"}),
        ("solution/b/__init__.py", {"finetune.sh": "python -c 'import b.c'"}),
        ("solution/conftest.py", {"finetune.sh": "python -m pytest -q"}),
    ],
)
def test_what_is_run_imported_or_loaded_is_reached(path: str, texts: dict[str, str]) -> None:
    whole = {path: "x = 1\n"} | {f"solution/{name}": text for name, text in texts.items()}
    assert path in reachable(whole, FOUNDRY)


@pytest.mark.parametrize(
    "text",
    [
        "import_module('com' 'pare')",
        "os.system('python com' f'pare.py')",
        "os.system(\n    'python com'  # of\n    'pare.py'\n)",
        "import_module('com\\x70are')",
        "import_module('com\\160are')",
        "import_module('com\\u0070are')",
        "import_module('com\\N{LATIN SMALL LETTER P}are')",
        "import com\N{FULLWIDTH LATIN SMALL LETTER P}are",
    ],
)
def test_a_name_is_read_as_python_reads_it(text: str) -> None:
    texts = {
        "solution/finetune.sh": "python a.py\n",
        "solution/a.py": text,
        "solution/compare.py": "x = 1\n",
    }
    assert "solution/compare.py" in reachable(texts, FOUNDRY)


@pytest.mark.parametrize("text", ['x"#' * 300_000, '# x"\n' * 150_000, '"x" # y"\n\\' * 90_000])
def test_names_in_pieces_are_sought_in_bounded_time(text: str) -> None:
    texts = {"solution/finetune.sh": "python a.py\n", "solution/a.py": text, "b/c.py": "x = 1\n"}
    assert "b/c.py" not in reachable(texts, FOUNDRY)


@pytest.mark.parametrize(
    "text",
    [
        "compare = 1\nprint(compare)\n",
        "def compare(a, b):\n    return a - b\nx.compare(compare)\n",
        '"""See compare.py, and import compare there."""\n',
        "print('compare the results by hand')\n",
        "# import compare\n",
        "numpy.testing.compare()\n",
    ],
)
def test_a_name_alone_reaches_nothing(text: str) -> None:
    texts = {
        "solution/finetune.sh": "python a.py  # compare.py\necho compare.py; rm -f compare.py\n",
        "solution/a.py": text,
        "solution/compare.py": "x = 1\n",
        "solution/conftest.py": "x = 1\n",
        "solution/Makefile": "all:\n\tpython compare.py\n",
    }
    assert reachable(texts, FOUNDRY) == {"solution/finetune.sh", "solution/a.py"}


def test_words_about_a_file_do_not_run_it() -> None:
    texts = {
        "README.md": "See `tests/test_a.py`.\n",
        "a.py": "x = 1\n",
        "tests/test_a.py": "y = 1\n",
    }
    facts = KERNEL.model_copy(update={"entrypoints": ("README.md", "a.py")})
    assert "tests/test_a.py" not in reachable(texts, facts)


def test_what_makes_the_scored_file_anew_is_reached() -> None:
    texts = {
        "solution/model.py": "def get_trained_model(): ...\n",
        "solution/reproduce.sh": "python train.py\n",
        "solution/train.py": "x = 1\n",
        "solution/look.py": "x = 1\n",
    }
    assert reachable(texts, MASKED) == texts.keys() - {"solution/look.py"}
