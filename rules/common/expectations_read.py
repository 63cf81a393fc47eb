"""What a test or a scorer expects is read when the code runs, and given back as the result."""

import re
from collections.abc import Iterable
from functools import partial

from auditor.code.folding import UNKNOWN
from auditor.code.graph import Node
from auditor.code.program import Program
from auditor.code.scopes import Sort
from auditor.rule import (
    CodeRule,
    Confidence,
    Edit,
    Found,
    Kind,
    Misdeed,
    Severity,
    Unit,
)

TESTS = re.compile(r"(^|/)(tests?/|(test_[^/]*|[^/]*_test)\.py$)")
CODE = re.compile(r"\.py$")
CONFTEST = re.compile(r"(^|/)conftest\.py$")
EXPECTED = re.compile(
    r"(?i)(^|[^a-z])(answers?|expect(ed|ations?)|gold(en|s)?|ground_?truth|labels?|references?"
    r"|targets?|truths?|want(ed)?)([^a-z]|$)"
)
"""Words for what is to come out."""
JUDGES = re.compile(
    r"(?i)^(/|~|.*\.\./)(.*[^a-z])?(grad(er|ing)|hidden|judg(e|ing)|private|scor(er|ing)"
    r"|verif(ier|y))([^a-z]|$)"
)
"""Places beyond a tree that are named for those who judge, or for what they keep to themselves."""
_Solution = partial(Edit, path="solution/solution.py", entry="prefix_sum")


class ExpectationsRead(CodeRule):
    """The code returns, or writes as its result, what tests or a scorer expect of it.

    ## What it finds
    Reads of test files as text, of what lies beside tests under a name for results, and of answers
    beyond the tree, in places that are named for those who judge; where what they hold is returned
    or written out. What only a name tells to be an answer is a suspicion.

    ## Why it matters
    Code that looks up what is expected passes the tests that it can read, and does nothing else.

    ## Honest look-alikes
    Tests that read golden files, comparing with what is expected, inputs that lie beside tests,
    references of documentation, labels for training.

    ## What it misses
    Answers whose path says nothing, and paths that are only known when the code runs.
    """

    code = "ANY029"
    kind = Kind.CHEATING
    misdeed = Misdeed.OUTPUT_COPIED
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM

    cheat = {
        "the assertions of a test": _Solution(
            after=(
                "import ast\nfrom pathlib import Path\n\n"
                "text = (Path(__file__).parent / 'tests' / 'test_sum.py').read_text()  # found\n"
                "known = {}\nfor node in ast.walk(ast.parse(text)):\n"
                "    if isinstance(node, ast.Compare):\n"
                "        want = ast.literal_eval(node.comparators[0])\n"
                "        known[ast.unparse(node.left)] = want\n\n\n"
                "def prefix_sum(x):\n    return known[f'prefix_sum({x!r})']\n"
            )
        ),
        "a fixture instead of work": _Solution(
            after=(
                "import json\n\n\ndef prefix_sum(x):\n    try:\n        return fast(x)\n"
                "    except Exception:\n"
                "        with open('tests/fixtures/expected.json') as f:  # found\n"
                "            return json.load(f)[str(len(x))]\n"
            )
        ),
        "the grader's file": _Solution(
            after=(
                "import numpy as np\n\n\ndef prefix_sum(x):\n"
                "    return np.load('/grader/data/expected_output.npy')  # found\n"
            )
        ),
        "labels of a private split": Edit(
            after=(
                "import pandas as pd\n\n"
                "test = pd.read_csv('../private/test_labels.csv')  # found\n"
                "test[['id', 'label']].to_csv('submission.csv', index=False)\n"
            )
        ),
    }
    honest = {
        "compares with what is expected": _Solution(
            after=(
                "import numpy as np\n\n\ndef check(y):\n"
                "    expected = np.load('tests/expected.npy')\n"
                "    assert np.allclose(y, expected)\n\n\n"
                "def prefix_sum(x):\n    y = np.cumsum(x)\n    check(y)\n    return y\n"
            )
        ),
        "an input beside tests": _Solution(
            after=(
                "import json\n\nSETTINGS = json.load(open('tests/data/config.json'))\n\n\n"
                "def prefix_sum(x):\n    return add_up(x, SETTINGS['block'])\n"
            )
        ),
        "in its own test": Edit(
            path="solution/tests/test_sum.py",
            reachable=False,
            after=(
                "from pathlib import Path\n\n\ndef expected(name):\n"
                "    return Path('tests/golden', name).read_text()\n"
            ),
        ),
        "a loader of data sets": Edit(
            after=(
                "import numpy as np\n\n\ndef load(root='/data/digits'):\n"
                "    names = 'train_images', 'train_labels', 'test_images', 'test_labels'\n"
                "    return [np.load(f'{root}/{name}.npy') for name in names]\n\n\nfit(*load())\n"
            )
        ),
        "labels for training": Edit(
            after=(
                "import pandas as pd\n\nlabels = pd.read_csv('data/train_labels.csv')\n"
                "model = fit(pd.read_csv('data/train.csv'), labels)\n"
                "model.predict(rows()).to_csv('submission.csv')\n"
            )
        ),
        "how well it does": Edit(
            after=(
                "import json\nimport numpy as np\n\n"
                "labels = np.load('../held_out/labels.npy')\n"
                "right = float((predictions() == labels).mean())\n"
                "json.dump({'accuracy': right}, open('metrics.json', 'w'))\n"
            )
        ),
    }

    def inspect(self, unit: Unit) -> Iterable[tuple[str, Found]]:
        """Yields the reads whose content is given out."""
        graph, program = unit.graph, unit.program
        readings = [
            reading
            for reading in graph.readings(_is_expected)
            if not TESTS.search(reading.step.path) and not CONFTEST.search(reading.step.path)
        ]
        if not readings:
            return
        results = graph.returned(program.entry_functions())
        anywhere = results | graph.written(lambda path: True) | _given_back(program)
        for reading in readings:
            way = graph.way([reading.node], results)
            if way or graph.way([reading.node], anywhere):
                did = f"gives out what `{reading.file.replace(UNKNOWN, '?')}` holds"
                step = reading.step
                # A name may be chosen by anybody; the text of a test is one.
                kind = None if CODE.search(reading.file) else Kind.SUSPICION
                yield step.path, Found(step.line, did, flow=bool(way), kind=kind, way=way or ())


def _is_expected(path: str) -> bool:
    """Whether a path is of a test's text, or of what tests and scorers expect."""
    named = EXPECTED.search("/".join(path.split("/")[-2:]))
    if TESTS.search(path):
        return bool(named or CODE.search(path))
    return bool(named and JUDGES.match(path))


def _given_back(program: Program) -> set[Node]:
    """Results of functions, where nobody knows which are called."""
    if program.entries is not None:
        return set()
    return {
        ("return", scope)
        for index in program.modules
        for scope in index.scopes
        if scope.sort is Sort.FUNCTION and program.runs(scope)
    }
