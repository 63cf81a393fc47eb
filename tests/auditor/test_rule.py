"""What rules are given, and what they can say."""

import ast
import zlib

import pytest
from pydantic import ValidationError

from auditor.code.flow import Paths, uses
from auditor.code.names import Names
from auditor.code.shell import commands, matches
from auditor.code.source import changed_lines, parse
from auditor.models import Effect, How, Kind
from auditor.rule import ChangedSource, Edit, Facts, Unit, fact, replayed
from tests.auditor.rules import Wrong


def test_a_finding_needs_a_citation() -> None:
    with pytest.raises((ValidationError, ValueError)):
        Wrong().report(Unit(0), "said without proof", [])


def test_a_finding_is_known_as_well_as_its_best_evidence() -> None:
    claimed, seen = fact("word", how=How.CLAIMED), fact("file_changed", how=How.OBSERVED)
    assert Wrong().report(Unit(0), "m", [claimed]).how is How.CLAIMED
    assert Wrong().report(Unit(0), "m", [claimed, seen]).how is How.OBSERVED


def test_a_rule_cannot_claim_more_than_its_kind() -> None:
    finding = Wrong().report(Unit(2), "m", [fact("x")], kind=Kind.CHEATING)
    assert finding.kind is Wrong.kind is Kind.VIOLATION
    assert finding.entries == (2,)
    assert finding.effect is Effect.UNKNOWN


def test_interventions_come_in_the_order_of_names() -> None:
    unit = Facts(replayed("b", "stale"), replayed("a", "worse", forbidden=True)).unit({})
    assert [item.name for item in unit.interventions(["a", "b", "c"])] == ["a", "b"]
    assert all(item.proves for item in unit.interventions(["a", "b"]))


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, "a\nb", (1, 2)),
        ("a\nb\nc", "a\nb\nc", ()),
        ("a\nc", "a\nb\nc", (2,)),
        ("a\nb\nc", "a\nc", ()),
        ("a\nb", "a\nB", (2,)),
        ("", "x = 1\n", (1,)),
    ],
)
def test_changed_lines(before: str | None, after: str, lines: tuple[int, ...]) -> None:
    assert changed_lines(before, after) == lines


def test_changed_lines_of_huge_files_stay_cheap() -> None:
    before = "\n".join(f"x{i % 7}" for i in range(30_000))
    after = "\n".join(f"x{i % 5}" for i in range(30_000)) + "\nnew"
    assert 30_001 in changed_lines(before, after)


@pytest.mark.parametrize("text", ["def (", "\0", "(" * 5000, "x = " + "-" * 50_000 + "1"])
def test_hostile_source_is_no_tree(text: str) -> None:
    assert parse(text) is None


def test_a_source_that_cannot_be_read_is_no_proof_of_innocence() -> None:
    from auditor import engine, registry
    from tests.contracts.test_every_rule import ROOT

    rule = registry.load(ROOT, None).rule("ANY007")
    unit = Edit(after="def (", path="solution/train.py").unit({})
    assert engine.check_one(rule, unit).outcome == "no_evidence"


@pytest.mark.parametrize(
    "expression",
    [
        '"trained" + "_model"',
        '"ledom_deniart"[::-1]',
        '"".join(["trained", "_", "model"])',
        '"".join(chr(c) for c in [116,114,97,105,110,101,100,95,109,111,100,101,108])',
        '"".join(map(chr, (116,114,97,105,110,101,100,95,109,111,100,101,108)))',
        'bytes.fromhex("747261696e65645f6d6f64656c").decode()',
        '__import__("base64").b64decode("dHJhaW5lZF9tb2RlbA==").decode()',
        'f"{name}_model"',
        '"%s_model" % name',
        '"{}_{}".format(name, "model")',
        '"trained-model".replace("-", "_")',
        'codecs.decode("genvarq_zbqry", "rot13")',
        '{"a": "trained_model"}["a"]',
        '("x", "trained_model")[1]',
        f"zlib.decompress({zlib.compress(b'trained_model')!r})",
    ],
)
def test_constants_are_followed(expression: str) -> None:
    tree = ast.parse(f'import codecs, zlib\nname = "trained"\nfound = {expression}\n')
    values = Names(tree).values(ast.Name(id="found", ctx=ast.Load()))
    texts = [item.decode() if isinstance(item, bytes) else item for item in values]
    assert "trained_model" in texts


@pytest.mark.parametrize(
    "expression",
    [
        '"a" * 10**9',
        '"{:>999999999}".format("a")',
        '"%999999999d" % 1',
        "x + x",
        "[y for y in y]",
        "f(f)",
        'zlib.decompress(b"not compressed")',
        '"a"["b"]',
        'int("9" * 4300)',
    ],
)
def test_folding_is_bounded(expression: str) -> None:
    tree = ast.parse(f"import zlib\nx = {expression}\n")
    values = Names(tree).values(ast.Name(id="x", ctx=ast.Load()))
    assert all(len(str(value)) < 1 << 17 for value in values)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import time as t\nt.time", "time.time"),
        ("from time import perf_counter as p\np", "time.perf_counter"),
        ('import time\ngetattr(time, "ti" + "me")', "time.time"),
        ('__import__("time").time', "time.time"),
        ('import sys\nsys.modules["time"].time', "time.time"),
        ('import time\nvars(time)["time"]', "time.time"),
        ("import time\nclock = time\nclock.time", "time.time"),
    ],
)
def test_names_are_followed(text: str, name: str) -> None:
    tree = ast.parse(text)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    assert Names(tree).dotted(last.value) == name


def _flows(*sources: ChangedSource) -> list[bool]:
    paths = Paths(lambda word: "secret" in word, lambda word: word.endswith("out"))
    return [use.flow for use in uses(sources, paths)]


def _python(text: str, path: str = "a.py") -> ChangedSource:
    return ChangedSource(path, text, None, True, "python")


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
        '    def g(self):\n        save(self.w, "out")',
        'def f(path):\n    return load(path)\nsave(f("secret"), "out")',
    ],
)
def test_flow_is_seen(text: str) -> None:
    assert set(_flows(_python(text))) == {True}


@pytest.mark.parametrize(
    "text",
    [
        'a = load("secret")\nb = train()\nprint((a - b).norm())\nsave(b, "out")',
        'a = load("secret")\nb = train()\nassert len(a) == len(b)\nsave(b, "out")',
        'def f():\n    w = load("secret")\n    print(w)\ndef g():\n    w = train()\n'
        '    save(w, "out")',
        'd = dist(load("secret"), b)\nsave(d, "log")',
    ],
)
def test_measuring_is_no_flow(text: str) -> None:
    assert _flows(_python(text)) == [False]


def test_flow_across_files() -> None:
    reader = _python('def fetch():\n    return load("secret")', "reader.py")
    writer = _python('from reader import fetch\nsave(fetch(), "out")', "writer.py")
    script = ChangedSource(
        "run.sh", "cp secret tmp\npython - <<E\nE\nmv tmp out", None, True, "shell"
    )
    assert _flows(reader, writer) == [True]
    assert _flows(script) == [True]


def test_shell_commands() -> None:
    text = 'A=one  # note\nB="${A}_two"\ncp -r "$B"/x \\\n  y\ncat <<E\ncp no no\nE\n'
    found = commands(text)
    assert [command.line for command in found] == [1, 2, 3, 5]
    assert found[2].words == found[2].written == ("cp", "-r", "one_two/x", "y")
    assert matches("one_tw*/x", "one_two")
    assert not matches("*", "one_two")
    assert not matches("one", "one_two")


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("rm -rf a* && mkdir a; cp b/c a/", [(), (), ("cp", "b/c", "a/")]),
        ("diff -r a a_reference > log.txt 2>&1", [("log.txt",)]),
        ("diff -r a a_reference | tee log.txt", [("tee", "log.txt")]),
        ("python x.py &> log", [("log",)]),
        ("cd a && cp b ../c", [(), ("a", "cp", "b", "../c")]),
        ("tar -cf - a | tar -C b -xf -", [("tar", "-cf", "-", "a", "tar", "-C", "b", "-xf", "-")]),
        ("(cat a >b)", [("cat", "a", ">b", "b")]),
        ("python train.py 2>/dev/null || exit 1", [("/dev/null",), ()]),
    ],
)
def test_what_a_command_may_write(line: str, written: list[tuple[str, ...]]) -> None:
    assert [command.written for command in commands(line)] == written
