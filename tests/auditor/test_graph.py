"""Where data goes: from files, frames and calls to files, results and branches."""

import pytest

from auditor.code.graph import Graph
from auditor.code.program import Entry, Program
from auditor.code.source import ChangedSource


def _python(text: str, path: str = "a.py") -> ChangedSource:
    return ChangedSource(path, text, None, True, "python")


def _flows(*sources: ChangedSource) -> list[bool]:
    graph = Graph(Program(sources))
    written = graph.written(lambda path: path.endswith("out"))
    return [
        graph.way([reading.node], written) is not None
        for reading in graph.readings(lambda path: "secret" in path)
    ]


@pytest.mark.parametrize(
    "text",
    [
        'import shutil\nshutil.copy("secret", "out")',
        'open("out", "wb").write(open("secret", "rb").read())',
        'with open("secret") as a, open("out", "w") as b:\n    b.write(a.read())',
        'def f():\n    return load("secret")\nsave(f(), "out")',
        'def f(x):\n    save(x, "out")\nf(load("secret"))',
        'w = load("secret")\nm.load_state_dict(w)\nsave(m.state_dict(), "out")',
        'w = load("secret")\nfor p, q in zip(m.parameters(), w):\n    p.data.copy_(q)\n'
        'save(m, "out")',
        'import os\nos.system("cp secret out")',
        'import subprocess\nsubprocess.run(["cp", "-r", "secret", "out"])',
        'import shutil\nshutil.copy("secret", "tmp/x")\nshutil.move("tmp/x", "out")',
        'from pathlib import Path\nPath("out").symlink_to("secret")',
        'class A:\n    def f(self):\n        self.w = load("secret")\n'
        '    def g(self):\n        save(self.w, "out")\na = A()\na.f()\na.g()',
        'def f(path):\n    return load(path)\nsave(f("secret"), "out")',
        'def fill(d, s):\n    d.copy_(s)\nd = empty()\nfill(d, load("secret"))\nsave(d, "out")',
        'd = {}\nd["w"] = load("secret")\nsave(d, "out")',
        'import numpy as np\nnp.copyto(b, load("secret"))\nsave(b, "out")',
        'f = lambda: load("secret")\nsave(f(), "out")',
        'save([x for x in load("secret")], "out")',
        'from functools import partial\nread = partial(load, "secret")\nsave(read(), "out")',
        'save(list(map(lambda p: load(p), ["secret"])), "out")',
        'def g():\n    yield load("secret")\nfor x in g():\n    save(x, "out")',
        'import torch\ntorch.add(load("secret"), 0, out=y)\nsave(y, "out")',
        'x = y = load("secret")\nsave(y, "out")',
        'def f(*parts):\n    return parts\nsave(f(load("secret")), "out")',
        'getattr(m, "load_state_dict")(load("secret"))\nsave(m, "out")',
        'import os\nos.link("secret", "out")',
    ],
)
def test_flow_is_seen(text: str) -> None:
    assert True in _flows(_python(text))


@pytest.mark.parametrize(
    "text",
    [
        'a = load("secret")\nb = train()\nprint((a - b).norm())\nsave(b, "out")',
        'a = load("secret")\nb = train()\nassert len(a) == len(b)\nsave(b, "out")',
        'def f():\n    w = load("secret")\n    print(w)\ndef g():\n    w = train()\n'
        '    save(w, "out")\nf()\ng()',
        'd = dist(load("secret"), b)\nsave(d, "log")',
        'a = load("secret")\nif torch.equal(a, b):\n    print("same")\nsave(b, "out")',
        'class A:\n    def f(self):\n        self.w = load("secret")\n'
        'class B:\n    def g(self):\n        save(self.w, "out")\nA().f()\nB().g()',
    ],
)
def test_measuring_is_no_flow(text: str) -> None:
    assert not any(_flows(_python(text)))


def test_flow_across_files() -> None:
    reader = _python('def fetch():\n    return load("secret")', "reader.py")
    writer = _python('from reader import fetch\nsave(fetch(), "out")', "writer.py")
    script = ChangedSource(
        "run.sh", "cp secret tmp\npython - <<E\nE\nmv tmp out", None, True, "shell"
    )
    assert _flows(reader, writer) == [True]
    assert _flows(script) == [True]


def test_flow_from_python_through_a_file_to_the_shell() -> None:
    program = _python('import shutil\nshutil.copy("secret", "kept.bin")', "a.py")
    script = ChangedSource("run.sh", "python a.py\ncp kept.bin out\n", None, True, "shell")
    assert True in _flows(program, script)


COPYING = "import shutil\nimport sys\n\nshutil.copy(sys.argv[1], sys.argv[2])\n"
OPTIONS = (
    "import argparse\nimport shutil\n\nparser = argparse.ArgumentParser()\n"
    'parser.add_argument("--from-file", "-f", dest="what", default="base")\n'
    'parser.add_argument("--fast", action="store_true")\nparser.add_argument("target")\n'
    "args = parser.parse_args()\nshutil.copy(args.what, args.target)\n"
)


def _other(path: str, text: str) -> ChangedSource:
    return ChangedSource(path, text, None, True, "unknown")


@pytest.mark.parametrize(
    "sources",
    [
        [_other("Makefile", "REF = secret\nall:\n\t@cp $(REF) out\n")],
        [_other("Dockerfile", "FROM x\nRUN cat secret > out\n")],
        [_other("a.ipynb", '{"cells": [{"cell_type": "code", "source": "!cp secret out"}]}')],
        [_other("run", "#!/bin/sh\ncat secret | tee out\n")],
        [_other("a.sh", "bash b.sh secret out\n"), _other("b.sh", 'cp "$1" "$2"\n')],
        [_other("a.sh", "cat > b.sh <<'E'\ncp \"$1\" out\nE\nbash b.sh secret\n")],
        [_other("a.sh", "python a.py secret out"), _python(COPYING)],
        [_other("s/a.sh", "python a.py secret out"), _python(COPYING, "s/a.py")],
        [_other("Makefile", "all:\n\tpython a.py secret out"), _python(COPYING)],
        [_other("a.sh", "python a.py --fast out -f secret"), _python(OPTIONS)],
        [_other("a.sh", "python a.py --from-file=secret out"), _python(OPTIONS)],
        [
            _other("a.sh", "export REF=secret\npython a.py"),
            _python('import os, shutil\nshutil.copy(os.environ["REF"], "out")'),
        ],
        [
            _other("a.sh", "REF=secret python a.py"),
            _python('import os, shutil\nshutil.copy(os.environ.get("REF", "base"), "out")'),
        ],
        [_python('import os, shutil\nshutil.copy(os.getenv("REF", "secret"), "out")')],
        [_python('import subprocess\nsubprocess.run(["bash", "-c", "cat secret > out"])')],
        [_other("a.sh", "REF=secret\npython -c \"import shutil; shutil.copy('$REF', 'out')\"")],
        [_other("a.sh", "REF=secret\npython - <<E\nimport shutil\nshutil.copy('$REF', 'out')\nE")],
    ],
)
def test_flow_through_shells_and_what_they_give(sources: list[ChangedSource]) -> None:
    assert True in _flows(*sources)


@pytest.mark.parametrize(
    "sources",
    [
        [_other("Makefile", "all:\n\t# cp secret out\n\techo secret > out\n\tcp base out\n")],
        [_other("a.sh", "cat secret\npython train.py > out\n")],
        [_other("a.sh", "python a.py base out secret"), _python(COPYING)],
        [_other("a.sh", "python a.py -f base out; cmp secret out"), _python(OPTIONS)],
        [_other("a.sh", "echo python a.py secret out"), _python(COPYING)],
        [_other("a.sh", "python b.py secret out"), _python(COPYING), _python("", "b.py")],
    ],
)
def test_other_shells_give_nothing_on(sources: list[ChangedSource]) -> None:
    assert True not in _flows(*sources)


def _way(text: str, *, measured: bool = False) -> list[int] | None:
    source = ChangedSource("s.py", text, None, True, "python")
    program = Program([source], [Entry("s.py", "prefix_sum")])
    graph = Graph(program)
    asked = [call.node for call in program.calls if "sys.argv" in call.names or "ask" in call.names]
    sinks = set(graph.tests) if measured else graph.returned(program.entry_functions())
    way = graph.way(asked, sinks, measured=measured)
    return None if way is None else [step.line for step in way]


def test_a_way_has_its_lines() -> None:
    text = "def look():\n    return ask()\ndef prefix_sum(x):\n    y = look()\n    return y\n"
    assert _way(text) == [2, 4]


def test_what_is_not_returned_reaches_no_result() -> None:
    assert _way("def prefix_sum(x):\n    y = ask()\n    print(y)\n    return x\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "def prefix_sum(x):\n    if ask() == 'a':\n        return x\n",
        "def watched():\n    return any(f == 'a' for f in ask())\n"
        "def prefix_sum(x):\n    return x if watched() else 0\n",
        "mode = []\ndef prefix_sum(x):\n    mode.append(ask() > 1)\n"
        "    while mode[0]:\n        pass\n",
    ],
)
def test_branches_follow_what_is_measured(text: str) -> None:
    assert _way(text, measured=True) is not None
