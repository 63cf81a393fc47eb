"""What code refers to, which constants it uses, what of it runs, and what stays hidden."""

import ast
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from auditor.code.program import Entry, Program
from auditor.code.source import ChangedSource, parse


def program(text: str, beside: Mapping[str, str] | None = None, entry: str = "") -> Program:
    """A program of one file that runs, and of others beside it."""
    texts = {"solution/main.py": text, **(beside or {})}
    sources = [
        ChangedSource(path, item, None, path == "solution/main.py", language(path))
        for path, item in texts.items()
    ]
    return Program(sources, [Entry("solution/main.py", entry)] if entry else None)


def language(path: str) -> str:
    return {"py": "python", "sh": "shell"}.get(path.rpartition(".")[2], "unknown")


def called(found: Program) -> set[str]:
    return {name for call in found.calls for name in call.names}


def stored(found: Program) -> set[str]:
    return {name for store in found.stores for name in store.names}


@pytest.mark.parametrize(
    "expression",
    [
        '"trained" + "_model"',
        '"ledom_deniart"[::-1]',
        '"".join(["trained", "_", "model"])',
        '"".join(chr(c) for c in [116,114,97,105,110,101,100,95,109,111,100,101,108])',
        '"".join(map(chr, (116,114,97,105,110,101,100,95,109,111,100,101,108)))',
        '"".join(map(lambda c: chr(c ^ 1), (117,115,96,104,111,100,101,94,108,110,101,100,109)))',
        'bytes.fromhex("747261696e65645f6d6f64656c").decode()',
        '__import__("base64").b64decode("dHJhaW5lZF9tb2RlbA==").decode()',
        'f"{name}_model"',
        'f"{name:s}_model"',
        '"%s_model" % name',
        '"{}_{}".format(name, "model")',
        '"trained-model".replace("-", "_")',
        'codecs.decode("genvarq_zbqry", "rot13")',
        '{"a": "trained_model"}["a"]',
        '("x", "trained_model")[1]',
        f"zlib.decompress({zlib.compress(b'trained_model')!r})",
        '"_".join(reversed(["model", "trained"]))',
        "grown",
        "looped",
        'made("trained")',
        "Words.both",
        '"".join(parts)',
        '"trained_model other".split()[0]',
        "there.NAME",
        'bytes(c - 1 for c in b"usbjofe`npefm").decode()',
        '(lambda a, b: a + "_" + b)("trained", "model")',
        'str(b"trained_model", "utf8")',
        'name + "_" + (second := "model")',
    ],
)
def test_constants_are_followed(expression: str) -> None:
    text = (
        "import codecs, zlib, there\n"
        'name = "trained"\n'
        'grown = "trained"\ngrown += "_"\ngrown += "model"\n'
        'looped = ""\nfor letter in "usbjofe`npefm":\n    looped += chr(ord(letter) - 1)\n'
        'def made(first, last="model"):\n    return f"{first}_{last}"\n'
        'class Words:\n    both = "trained" + "_model"\n'
        'parts = []\nparts.append("trained_")\nparts.append("model")\n'
        f"found = {expression}\nprint(found)\n"
    )
    found = program(text, {"solution/there.py": 'NAME = "_".join(("trained", "model"))\n'})
    printed = next(call for call in found.calls if call.site.line == text.count("\n"))
    assert "trained_model" in found.texts(printed.args[0])


@pytest.mark.parametrize(
    "expression",
    [
        '"a" * 10**9',
        '"{:>999999999}".format("a")',
        '"%999999999d" % 1',
        'f"{1:>999999999}"',
        '"a".zfill(10**9)',
        "x + x",
        "[y for y in y]",
        "f(f)",
        "range(10**9)",
        "9 ** 9 ** 9",
        "1 << 10**9",
        'zlib.decompress(b"not compressed")',
        f"zlib.decompress({zlib.compress(bytes(1 << 22))!r})",
        '"a"["b"]',
        'int("9" * 4300)',
        "(lambda g: g(g))(lambda g: g(g))",
        "+".join(["'a'"] * 3000),
    ],
)
def test_folding_is_bounded(expression: str) -> None:
    found = program(f"import zlib\nx = {expression}\nprint(x)\n")
    for call in found.calls:
        for argument in call.args:
            assert all(len(str(value)) < 1 << 19 for value in found.values(argument))


@pytest.mark.parametrize(
    "text",
    [
        "import time as t\nt.sleep()",
        "from time import sleep as p\np()",
        'import time\ngetattr(time, "sl" + "eep")()',
        '__import__("time").sleep()',
        'import importlib\nimportlib.import_module("ti" "me").sleep()',
        'import sys\nsys.modules["time"].sleep()',
        'import sys\nsys.modules.get("time").sleep()',
        'import time\nvars(time)["sleep"]()',
        'import time\ntime.__dict__["sleep"]()',
        'import time\ntime.__dict__.get("sleep")()',
        'import time\nglobals()["time"].sleep()',
        "import time\nclock = time\nclock.sleep()",
        "import time\nfor f in (time.sleep,):\n    f()",
        "import time\nfor m, n in [(time, 'sleep')]:\n    getattr(m, n)()",
        "import time\na, (b, c) = 1, (2, time.sleep)\nc()",
        "import time\ntable = {'a': time.sleep}\ntable['a']()",
        "import time, functools\nf = functools.partial(time.sleep, 1)\nf()",
        "import time, operator\noperator.attrgetter('sleep')(time)()",
        "import time\ndef f(m):\n    m.sleep()\nf(time)",
        "import time\ndef f():\n    return time\nf().sleep()",
        "import time\n(lambda m, n: getattr(m, n)())(time, 'sleep')",
        "import time\nclass A:\n    def __init__(self):\n        self.m = time\n"
        "    def go(self):\n        self.m.sleep()\nA().go()",
        "import time\ndef call(what, *args):\n    return what(*args)\ncall(time.sleep, 1)",
        "from there import again\nagain.sleep()",
        "import there\nthere.again.sleep()",
        "from there import *\nagain.sleep()",
        'exec("import time\\ntime.sleep()")',
        "eval(\"__import__('time').sleep()\")",
        'exec(compile("import time; time.sleep()", "x", "exec"))',
        "import base64\nexec(base64.b64decode(b'aW1wb3J0IHRpbWUKdGltZS5zbGVlcCgp'))",
        "import time\n(x := time.sleep)()",
        "import time\n(time.sleep if time else None)()",
        "import builtins\nbuiltins.__import__('time').sleep()",
        "import time\nobject.__getattribute__(time, 'sleep')()",
        "import time\ntime.sleep.__call__()",
    ],
)
def test_names_are_followed(text: str) -> None:
    assert "time.sleep" in called(program(text, {"solution/there.py": "import time as again\n"}))


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        import time

        return time.sleep, (1,)


def test_a_pickle_is_read_and_never_loaded() -> None:
    text = f"import pickle\npickle.loads({pickle.dumps(_Harmful())!r})\n"
    assert "time.sleep" in called(program(text))


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep = f",
        "import time\nsetattr(time, 'sl' 'eep', f)",
        "import time\nobject.__setattr__(time, 'sleep', f)",
        "import time\ntime.__dict__['sleep'] = f",
        "import time\ntime.__dict__.update(sleep=f)",
        "import time\ntime.__dict__.update({'sleep': f})",
        "import time\nvars(time)['sleep'] = f",
        "import time\ndel time.sleep",
        "import time\na, time.sleep = 1, f",
        "import time\nfor time.sleep in [f]: pass",
        "import time\nwith f() as time.sleep: pass",
        "from unittest import mock\nmock.patch('time.sleep', f).start()",
        "from unittest.mock import patch\nimport time\npatch.object(time, 'sleep', f).start()",
        "import time, functools\nfunctools.partial(setattr, time, 'sleep')(f)",
        "import time\ndef put(owner, name, value):\n    setattr(owner, name, value)\n"
        "put(time, 'sleep', f)",
        "import time\n[setattr(time, n, f) for n in ('sleep',)]",
        "import sys\nsys.modules['time'].sleep = f",
    ],
)
def test_stores_are_seen(text: str) -> None:
    assert "time.sleep" in stored(program(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("L = torch.library.Library('aten', 'IMPL')\nL.impl('eq.Tensor', f, 'CPU')", {"eq"}),
        ("L = torch.library.Library('aten', 'IMPL')\ntorch.library.impl(L, 'all', 'CPU')", {"all"}),
        ("torch.library.register_kernel('aten::cumsum', 'cpu', f)", {"cumsum"}),
        ("@torch.library.impl('aten::' + 'sum', 'CPU')\ndef g(x):\n    return x", {"sum"}),
        ("L = torch.library.Library('mine', 'DEF')\nL.impl('eq', f, 'CPU')", set()),
        ("torch.library.register_kernel('mine::cumsum', 'cpu', f)", set()),
    ],
)
def test_operators_of_torch_that_get_other_code_are_stores(text: str, names: set[str]) -> None:
    found = stored(program(f"import torch\n\n\ndef f(x):\n    return x\n\n\n{text}\n"))
    assert found == {f"{owner}.{name}" for name in names for owner in ("torch", "torch.Tensor")}


@pytest.mark.parametrize(
    "text",
    [
        "class Run: pass\nrun = Run()\nrun.sleep = 3",
        "def f(time):\n    time.sleep = 3\nf(object)",
        "def f():\n    import time\ndef g(time):\n    time.sleep = 3\ng(Run())",
        "class A:\n    def go(self):\n        self.sleep = 3\nA().go()",
        "import time\ndef f():\n    time = Run()\n    time.sleep = 3\nf()",
    ],
)
def test_a_name_is_that_of_its_scope(text: str) -> None:
    assert "time.sleep" not in stored(program(text))


MARK = "mark()"


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (f"def prefix_sum(x):\n    {MARK}", True),
        (f"def prefix_sum(x):\n    return f(x)\ndef f(x):\n    {MARK}", True),
        (f"def prefix_sum(x):\n    pass\ndef f(x):\n    {MARK}", False),
        (f"def prefix_sum(x): pass\nif __name__ == '__main__':\n    {MARK}", False),
        (f"def prefix_sum(x): pass\nif '__ma' + 'in__' == __name__:\n    {MARK}", False),
        (f"__name__ = '__main__'\ndef prefix_sum(x): pass\n"
         f"if __name__ == '__main__':\n    {MARK}", True),
        (f"class A:\n    def f(self):\n        {MARK}\ndef prefix_sum(x):\n    A().f()", True),
        (f"class A:\n    def __call__(self):\n        {MARK}\nprefix_sum = A()", True),
        (f"prefix_sum = lambda x: {MARK}", True),
        (f"def other(x):\n    {MARK}\nprefix_sum = other", True),
        (f"import atexit\ndef prefix_sum(x): pass\n@atexit.register\ndef f():\n    {MARK}", True),
        (f"import functools\ndef prefix_sum(x): pass\n@functools.cache\ndef f():\n    {MARK}",
         False),
        (f"def prefix_sum(x):\n    globals()['f']()\ndef f():\n    {MARK}", True),
        (f"def prefix_sum(x): pass\nexec('{MARK}')", True),
        (f"def prefix_sum(x): pass\ndef unused():\n    exec('{MARK}')", False),
        (f"def prefix_sum(x):\n    return [f(y) for y in x]\ndef f(y):\n    {MARK}", True),
    ],
)  # fmt: skip
def test_what_runs(text: str, runs: bool) -> None:
    assert ("mark" in called(program(text, entry="prefix_sum"))) is runs


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ("import tools", True),
        ("from tools import x", True),
        ("def prefix_sum(x):\n    import tools", True),
        ("def unused():\n    import tools", False),
        ("import importlib\nimportlib.import_module('to' + 'ols')", True),
        ("import subprocess\nsubprocess.run(['python', 'tools.py'])", True),
        ("import os\nos.system('python tools.py')", True),
        ("import torch", False),
        ("# import tools", False),
    ],
)
def test_files_that_are_loaded(text: str, loads: bool) -> None:
    whole = f"{text}\ndef prefix_sum(x):\n    return x\n" if "def prefix_sum" not in text else text
    found = program(whole, {"solution/tools.py": f"{MARK}\n"}, "prefix_sum")
    assert found.loads("solution/tools.py") is loads
    assert ("mark" in called(found)) is loads


def test_a_file_of_the_attempt_stands_in_for_a_package() -> None:
    found = program("import fast.inner\nfast.inner.f()", {
        "solution/fast/__init__.py": "", "solution/fast/inner.py": f"def f():\n    {MARK}\n",
    })  # fmt: skip
    assert "mark" in called(found)


def test_a_relative_import_is_followed() -> None:
    found = program("from fast import go\ngo()", {
        "solution/fast/__init__.py": "from .inner import go\n",
        "solution/fast/inner.py": f"def go():\n    {MARK}\n",
    })  # fmt: skip
    assert "mark" in called(found)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("exec(input())", 3),
        ("import marshal\nexec(marshal.loads(data))", 6),
        ("__import__(input())", 2),
        ("import time\ngetattr(time, input())", 1),
        ('exec("x = 1")', 0),
        ("def f(thing):\n    getattr(thing, input())\nf(1)", 0),
        ('import time\ngetattr(time, "sleep")', 0),
    ],
)
def test_what_stays_hidden_is_weighed(text: str, weight: int) -> None:
    assert sum(item.weight for item in program(text).opaque) == weight


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "f(" * 90 + ")" * 90,
        "def f(g):\n    return g(g)\nf(f)(f)(f)\n",
        "a = b\nb = c\nc = a\na.x = b.y(c)\n",
        "x = x[x](x)\nx.x = x\n",
        "\n".join(f"v{i} = v{i - 1}.a or v{i - 2}.b" for i in range(2, 3000)),
        "\n".join(f"def f{i}(x):\n    return f{(i * 7) % 500}(x) + f{(i * 3) % 500}(x)"
                  for i in range(500)),
        "class A(A): pass\nA().x.y.z()\n",
        "def f(*a, **k):\n    return f(*a, **k)\nf(f, f)\n",
        "exec('exec(\"exec(1)\")')\n" * 50,
        "s = 'a'\n" + "s += s\n" * 64 + "getattr(m, s)\n",
        "from main import *\nfrom main import x\nx()\n",
        "def f(a, b):\n    return f(a + b, b + a) + f(b, a) + g(a)\n"
        "def g(a):\n    return f(a, f(a, a))\nf('a', 'b')\n",
        "x = [" + "[" * 80 + "]" * 80 + "]\nfor a in x:\n    for b in a:\n        b()\n",
    ],
)  # fmt: skip
def test_hostile_code_ends(text: str) -> None:
    found = program(text)
    assert len(found.calls) + len(found.stores) >= 0
    assert found.resolver.exhausted in (True, False)
    for store in found.stores:
        assert all(len(name) < 1000 for name in store.names)


def test_lines_are_those_of_the_file() -> None:
    script = "echo hello\npython - <<E\nimport time\ntime.sleep()\nE\n"
    found = program("", {"solution/run.sh": script})
    source = ChangedSource("solution/run.sh", script, None, True, "shell")
    found = Program([source])
    assert [call.site.line for call in found.calls if "time.sleep" in call.names] == [4]


def test_a_file_that_a_script_runs_is_no_mere_import() -> None:
    train = 'if __name__ == "__main__":\n    import time\n    time.sleep()\n'
    sources = [
        ChangedSource("solution/model.py", "def get(): ...\n", None, True, "python"),
        ChangedSource("solution/train.py", train, None, True, "python"),
        ChangedSource("solution/reproduce.sh", "python train.py\n", None, True, "shell"),
    ]
    entered = [Entry("solution/model.py", "get")]
    for given, runs in ((sources, True), (sources[:2], False)):
        found = Program(given, entered)
        assert any("time.sleep" in call.names for call in found.calls) is runs


def test_annotations_are_listed_apart() -> None:
    text = "def f(a: 'one', *b: 'two') -> 'three':\n    c: 'four' = ['five', ('six',)]\n"
    (index,) = program(text).modules
    annotations = [ast.literal_eval(node) for node in index.annotations]
    assert annotations == ["one", "two", "three", "four"]
    assert [node.value for node in index.constants] == ["five", "six"]
    assert [ast.unparse(node) for node in index.collections] == ["['five', ('six',)]", "('six',)"]


def test_the_same_text_is_read_once() -> None:
    source = ChangedSource("a.py", "import time\ntime.sleep()\n", None, True, "python")
    assert Program([source]).modules[0] is Program([source]).modules[0]


def test_no_name_is_lost_in_a_long_sum() -> None:
    tree = parse("x = " + " + ".join(f"'{i}'" for i in range(900)))
    assert isinstance(tree, ast.Module)


def test_files_that_import_everything_of_each_other() -> None:
    names = [f"m{number}" for number in range(12)]
    beside = {
        f"solution/{name}.py": "".join(f"from {other} import *\n" for other in names)
        for name in names
    }
    beside["solution/m7.py"] += "from time import perf_counter as tell\n"
    found = program("from m0 import *\ntell()\nnowhere()\n", beside)
    assert "time.perf_counter" in called(found)
    assert found.resolver._steps < 10_000
