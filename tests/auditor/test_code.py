"""Which files of an attempt run when it is scored."""

import pytest

from auditor.evidence.code import is_imported, reachable
from harness import environment

KERNEL = environment.find("triton_cumsum").facts.workspace
FOUNDRY = environment.find("optimize_llm_foundry").facts.workspace
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
