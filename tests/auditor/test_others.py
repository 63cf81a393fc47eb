"""What is read from files that are not Python, and that nothing in them can stop the reader."""

import json
import random
from collections.abc import Callable

import pytest

from auditor.code import others
from auditor.code.others import OptionChange
from auditor.code.source import parse
from auditor.code.words import Piece

CODE = "import os"


def notebook(*sources: object, kind: object = "code") -> str:
    cells = [{"cell_type": kind, "metadata": {}, "source": source} for source in sources]
    return json.dumps({"cells": cells, "nbformat": 4}, indent=1)


def texts(path: str, text: str) -> list[str]:
    return [piece.text for piece in others.pythons(path, text)]


# ---- Python in shell text


@pytest.mark.parametrize(
    "script",
    [
        "python -c 'import os'",
        'python3.11 -u -c "import os"',
        "python3 -Sc 'import os'",
        "python3 -c'import os'",
        "python -W ignore -X dev -c 'import os'",
        "python \\\n  -c 'import os'",
        "PYTHONPATH=. timeout 5 /usr/bin/python3 -c 'import os' > out 2>&1",
        "cd /tmp && python 2>&1 -c 'import os'",
        "$PYTHON -c 'import os'",
        "p=python; $p -c 'import os'",
        "CODE='import os'\npython -c \"$CODE\"",
        "bash -c \"python -c 'import os'\"",
        "ssh host \"python -c 'import os'\"",
        "CMD=\"python -c 'import os'\"\neval $CMD",
        "(python -c 'import os')",
        "x=$(python -c 'import os')",
        "python <<EOF\nimport os\nEOF",
        "python - <<'EOF' arg\nimport os\nEOF",
        "cat <<EOF | python\nimport os\nEOF",
        "python <<-EOF\n\timport os\n\tEOF",
        "python <<EOF\nimport os",
        "cat > late.py <<EOF\nimport os\nEOF",
        "bash <<EOF\npython -c 'import os'\nEOF",
        "python <<< 'import os'",
        "echo 'import os' | python",
        "CODE='import os'; echo \"$CODE\" | python",
        "printf '%s\\n' 'import os' > late.py",
        "echo it\\'s # it's\npython -c 'import os'",
        "echo $'it\\'s'\npython -c 'import os'",
        "((x = 1 << 2))\npython -c 'import os'",
        "cat <<A <<B\n'\nA\nB\npython -c 'import os'",
    ],
)
def test_python_in_a_script_is_found(script: str) -> None:
    assert CODE in texts("run.sh", script)


@pytest.mark.parametrize(
    "script",
    [
        "gcc -c 'import os'",
        "python build.py -c 'import os'",
        "python -m tool -c 'import os'",
        "python x.py && gcc -c 'import os'",
        "# python -c 'import os'",
        "echo \"try python -c 'import os'\"",
        "cat <<EOF\nimport os\nEOF",
        "echo 'import os' | cat",
    ],
)
def test_what_python_is_not_given_is_left(script: str) -> None:
    assert texts("run.sh", script) == []


def test_lines_are_those_of_the_file() -> None:
    script = "#!/bin/sh\necho '\n'\npython \\\n  -c 'a\nb'\npython <<E\nc\nE\npython -c d\n"
    assert others.pythons("run", script) == (Piece(5, "a\nb"), Piece(8, "c"), Piece(10, "d"))


def test_escapes_of_the_shell_are_undone() -> None:
    assert texts("a.sh", 'python -c "print(\\"\\$x\\")"') == ['print("$x")']
    assert texts("a.sh", "python <<E\nprint('\\$x')\nE") == ["print('$x')"]
    assert texts("a.sh", "python <<'E'\nprint('\\$x')\nE") == ["print('\\$x')"]


# ---- other holders


def test_code_cells_are_found_on_their_lines() -> None:
    text = notebook(["import os\n", "x = 1"], "y = 2")
    found = others.pythons("a.ipynb", text)
    assert [piece.text for piece in found] == ["import os\nx = 1", "y = 2"]
    assert all(piece.text[:5] in text.split("\n")[piece.line - 1] for piece in found)


def test_other_cells_are_no_python() -> None:
    assert texts("a.ipynb", notebook("import os", kind="markdown")) == []
    assert texts("a.ipynb", notebook("%%html\n<b>")) == []
    assert texts("a.ipynb", notebook("%%bash\nls")) == []


def test_only_sources_of_cells_count_as_lines() -> None:
    cell = '{"cell_type": "code", "outputs": [{"source": "y"}],\n"source": "x"}'
    other = '"more": [{"source": "z"},\n{"source": "z"}]'
    for text in (f'{{"cells": [{cell}],\n{other}}}', f'{{{other},\n"cells": [{cell}]}}'):
        (found,) = others.pythons("a.ipynb", text)
        assert '"source": "x"' in text.split("\n")[found.line - 1]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%matplotlib inline\n!ls\nx = 1", "\n\nx = 1"),
        ("if x:\n    !ls", "if x:\n    pass"),
        ("x = !ls\ny = 1", "x = None\ny = 1"),
        ("x = (5\n% 3)", "x = (5\n% 3)"),
        ("%%time\nx = 1", "\nx = 1"),
        ("%%writefile late.py\nx = 1", "\nx = 1"),
    ],
)
def test_magics_are_blanked(cell: str, expected: str) -> None:
    assert texts("a.ipynb", notebook(cell)) == [expected]
    assert parse(expected) is not None


def test_shell_of_a_notebook() -> None:
    text = notebook(["x = 1\n", "!python -c 'import os'\n"], "%%bash\nls\n")
    lines = text.split("\n")
    first, second = others.shells("a.ipynb", text)
    assert (first.text, second.text) == ("python -c 'import os'", "ls\n")
    assert "!python" in lines[first.line - 1]
    assert CODE in texts("a.ipynb", text)


def test_recipes_are_found_with_their_variables() -> None:
    text = (
        "PY = python3\nRUN := $(PY) -c\nall: dep\n\techo\n\t@$(RUN) 'import os' $$HOME $@\n"
        "other: ; -$(PY) -c 'x = 1'\nNOW != date\nTHEN = $(shell $(PY) -c 'y = 2')\n"
    )
    assert others.shells("Makefile", text) == (
        Piece(4, "echo\npython3 -c 'import os' $HOME $@"),
        Piece(6, "python3 -c 'x = 1'"),
        Piece(7, "date"),
        Piece(8, "python3 -c 'y = 2'"),
    )
    assert others.pythons("sub/rules.mk", text)[0] == Piece(5, CODE)
    assert texts("Makefile", text) == [CODE, "x = 1", "y = 2"]


def test_recipes_over_many_lines() -> None:
    text = (
        ".ONESHELL:\nall:\n\tpython - <<E\n\timport os\n\tE\nb:\n\tpython -c 'if x: \\\n\t  pass'\n"
    )
    assert others.pythons("Makefile", text)[0] == Piece(4, CODE)
    assert parse(texts("Makefile", text)[1]) is not None
    assert CODE in texts("Makefile", "define X\nimport os\nendef\na:\n\tpython -c '$(X)'")


def test_a_default_in_a_makefile_overrides_nothing() -> None:
    text = "P = python\nP ?= cat\nQ ?= -c\na:\n\t$(P) $(Q) 'import os'"
    assert others.shells("Makefile", text) == (Piece(5, "python -c 'import os'"),)


def test_a_decorator_in_a_recipe_stays() -> None:
    text = "a:\n\tpython -c '\\\n\t@f'"
    assert "@f" in others.shells("Makefile", text)[0].text


def test_what_a_makefile_does_not_set_stays_a_variable() -> None:
    assert texts("Makefile", "a:\n\t$(PYTHON) -c 'import os'") == [CODE]
    assert others.shells("Makefile", "a:\n\t$$(pwd) $(X)") == (Piece(2, "$(pwd) ${X}"),)


def test_runs_of_a_dockerfile() -> None:
    text = (
        "FROM x\nRUN --mount=type=cache ls && \\\n# comment\n  python -c 'import os'\n"
        'CMD ["python", "-c", "x = 1"]\nRUN <<E\npwd\nE\nRUN python <<E\ny = 2\nE\nrun date\n'
    )
    found = others.shells("docker/Dockerfile", text)
    assert [piece.line for piece in found] == [2, 5, 7, 9, 12]
    assert others.pythons("Dockerfile", text) == (
        Piece(4, CODE),
        Piece(5, "x = 1"),
        Piece(10, "y = 2"),
    )


def test_lines_of_a_pth_file() -> None:
    text = "\ufeffimport os\n/somewhere\nimport\tsys; x()\nimports\n"
    assert others.pythons("a.pth", text) == (Piece(1, CODE), Piece(3, "import\tsys; x()"))


def test_a_script_by_its_first_line() -> None:
    assert others.pythons("run", "#!/usr/bin/env python\nx = 1")[0].line == 1
    assert others.pythons("run.py", "#!/bin/sh\npython -c 'import os'") == ()
    assert others.shells("run", "#!/bin/sh\nls") == (Piece(1, "#!/bin/sh\nls"),)


# ---- options


def test_toml_and_json_are_flattened() -> None:
    assert others.options("a.toml", 'a.b = 1\n[c]\nd = [true, "x"]\n"e.f" = 1.5\ng = {}\n') == {
        "a.b": 1,
        "c.d.0": True,
        "c.d.1": "x",
        'c."e.f"': 1.5,
        "c.g": "{}",
    }
    assert others.options("a.json", '{"a": {"b": null}, "a.b": NaN, "": {"a": []}}') == {
        "a.b": None,
        '"a.b"': "nan",
        '"".a': "[]",
    }


def test_yaml_is_read() -> None:
    text = (
        "# c\n%YAML 1.2\n---\na: 1  # one\nb:\n  c: 'x # y: z'\n  \"d.e\": true\n  f:\n    g: ~\n"
        "steps:\n- name: first\n  run: |\n    ls: 1\n    pwd\n- 2.5\nurl: http://x:80/#a\n"
        "flow: {a: 1}\nt: 10:30\n"
    )
    assert others.options("a.yml", text) == {
        "a": 1,
        "b.c": "x # y: z",
        'b."d.e"': True,
        "b.f.g": None,
        "steps.0.name": "first",
        "steps.0.run": "ls: 1\npwd",
        "steps.1": 2.5,
        "url": "http://x:80/#a",
        "flow": "{a: 1}",
        "t": "10:30",
    }


@pytest.mark.parametrize("path", ["a.toml", "a.json"])
def test_what_cannot_be_read_has_no_options(path: str) -> None:
    assert others.options(path, "{ = ") is None
    assert others.options("a.py", "{}") is None


def test_changes_of_options() -> None:
    before, after = '{"a": 1, "b": 2, "c": true, "d": null}', '{"a": 1, "b": 3, "c": 1, "e": null}'
    assert others.option_changes(before, after, "a.json") == (
        OptionChange("b", 2, 3),
        OptionChange("c", True, 1),
        OptionChange("d", None, None),
        OptionChange("e", None, None),
    )
    assert others.option_changes(None, "a: 1", "a.yaml") == (OptionChange("a", None, 1),)
    assert others.option_changes(before, "{", "a.json") == ()
    assert others.option_changes("{", '{"a": 1}', "a.json") == (OptionChange("a", None, 1),)


def test_options_are_bounded_and_long_ones_still_differ() -> None:
    many = others.options("a.json", json.dumps({f"k{number}": number for number in range(5000)}))
    assert many is not None
    assert list(many.items())[:2] == [("k0", 0), ("k1", 1)]
    assert len(many) == others.MOST_OPTIONS
    long = "x" * 100_000
    options = others.options("a.json", json.dumps({long + "1": long + "1", long + "2": 1 << 9999}))
    assert options is not None and len(options) == 2
    assert all(len(key) <= others.LONGEST for key in options)
    assert all(len(str(value)) <= others.LONGEST for value in options.values())
    changes = others.option_changes(f"a: {long}1", f"a: {long}2", "a.yaml")
    assert [change.key for change in changes] == ["a"]


# ---- kinds


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("a.py", b"x = 1", "python"),
        ("a.py", b"#!/bin/sh\nx = 1", "python"),
        ("a.py", b"GIF89a = 1", "python"),
        ("a.py", b"BZh = BM = 1", "python"),
        ("makefile.py", b"x = 1", "python"),
        ("a.py", b"\x7fELF", "elf"),
        ("run", b"#!/usr/bin/env python3\n", "python"),
        ("notes.txt", b"#!/bin/bash\n", "shell"),
        ("run", b"import os\n", "python"),
        ("run", b"some words\n", "text"),
        ("a.ipynb", b"{}", "notebook"),
        ("a.bash", b"ls", "shell"),
        ("b/Makefile", b"a:", "makefile"),
        ("a.mk", b"a:", "makefile"),
        ("Dockerfile.gpu", b"FROM x", "dockerfile"),
        ("a.yml", b"a: 1", "yaml"),
        ("a.toml", b"a = 1", "toml"),
        ("a.json", b"{}", "json"),
        ("settings", b' {"a": 1}', "json"),
        ("a.c", b"int x;", "c"),
        ("a.cpp", b"int x;", "cpp"),
        ("a.cu", b"int x;", "cuda"),
        ("a.rs", b"fn x", "rust"),
        ("a.S", b"nop", "assembly"),
        ("README", b"words", "prose"),
        ("a.pth", b"import os", "pth"),
        ("a.pth", b"PK\x03\x04...", "archive"),
        ("a.so", b"\x7fELF\x02\x01", "elf"),
        ("a.pyc", b"\xa7\x0d\r\n\0\0", "pyc"),
        ("__pycache__/a", b"\xa7\x0d\r\n\0\0", "pyc"),
        ("a.bin", b"\xa7\x0d\r\n\0\0", "binary"),
        ("a", b"\x1f\x8b\x08\0", "archive"),
        ("a", b"\xfd7zXZ\0", "archive"),
        ("a", b"\x28\xb5\x2f\xfd\0", "archive"),
        ("a", b"BZh91AY&SY\xff\xfe\0\x01", "archive"),
        ("a", b"a" + bytes(256) + b"ustar\0" + bytes(200), "archive"),
        ("a.txt", b"\x80\x04\x95", "pickle"),
        ("a", b"\x02\0\0\0\0\0\0\0{}", "safetensors"),
        ("a", b"\x03\0\0\0\0\0\0\0{}\0\0\0\0", "safetensors"),
        ("a", b"\xff\0\0\0\0\0\0\0{}", "binary"),
        ("a.npy", b"\x93NUMPY\x01\0", "numpy"),
        ("a", b"\x89PNG\r\n\x1a\n", "image"),
        ("a", b"GIF89a\0\0\x01\xff\xfe\0\0", "image"),
        ("a", bytes(range(256)), "binary"),
        ("a.py", b"", "empty"),
        ("a.py", b"# coding: latin-1\nx = '\xe9'\n", "unreadable"),
        ("a.py", b"x = 1 # a long comment\n\0", "unreadable"),
        ("a.py", "x = 1".encode("utf-16"), "unreadable"),
    ],
)
def test_kinds(path: str, content: bytes, kind: str) -> None:
    assert others.kind_of(path, content) == kind


# ---- hostile texts

NAMES = (
    "a.ipynb", "a.sh", "Makefile", "Dockerfile", "a.pth", "a.toml", "a.json", "a.yaml", "a", "a.py",
)  # fmt: skip
SIZE = 20_000
DEEP = 100_000
WRONG: list[object] = [None, 1, "x", [], {}, [[]], [None], [{}], True, [1, "x = 1\n", None]]
HOSTILE: dict[str, Callable[[], str]] = {
    "deep lists": lambda: "[" * DEEP + "]" * DEEP,
    "deep tables": lambda: '{"a":' * DEEP + "1" + "}" * DEEP,
    "deep cells": lambda: '{"cells": ' + "[" * DEEP + "]" * DEEP + "}",
    "deep toml": lambda: "a = " + "[" * DEEP,
    "dotted key": lambda: "a." * SIZE + "a = 1",
    "dotted header": lambda: "[" + "a." * 9000 + "a]\n" + "".join(f"k{n}=1\n" for n in range(9000)),
    "dotted inline": lambda: "x = {" + "a." * SIZE + "a = 1}",
    "dotted numbers": lambda: "11.11." * SIZE + "a = 1",
    "digits": lambda: '{"a": ' + "9" * SIZE + "}",
    "hex digits": lambda: "a = 0x" + "f" * SIZE,
    "many keys": lambda: json.dumps({str(number): {} for number in range(SIZE)}),
    "many lines": lambda: "".join(f"k{number}: 1\n" for number in range(SIZE)),
    "dashes": lambda: "- " * SIZE,
    "nested lines": lambda: "".join(" " * depth + "a:\n" for depth in range(1500)),
    "spaces": lambda: "a" + " " * SIZE + "\n" + " " * SIZE + "x\n!",
    "open quotes": lambda: "python -c '" + "x\n" * SIZE,
    "quotes": lambda: "python '\"" * SIZE,
    "escaped quotes": lambda: 'python "' + '\\"' * SIZE,
    "quoted lines": lambda: "python -c '\n'\n" * SIZE,
    "flags": lambda: "-c " * SIZE + "python",
    "here-documents": lambda: "python <<E\n" * SIZE,
    "many ends": lambda: "python " + " ".join(f"<<E{n}" for n in range(9000)) + "\nx" * 9000,
    "variables": lambda: "X='" + "python -c x " * 9000 + "'\n" + "echo $X $X | python; $X\n" * 9000,
    "echoes": lambda: "X='" + "x\\n" * 9000 + "'\n" + 'printf "$X" | python\n' * 9000,
    "flag in a variable": lambda: "X='-c" + "b" * SIZE + "'\n" + "python $X\n" * 9000,
    "digits in a variable": lambda: "X='" + "9" * SIZE + "'\n" + "python $X; $X\n" * 9000,
    "nested shells": lambda: "bash -c \"python " * SIZE,
    "continued": lambda: "a:\n\tpython \\\n" + "\t\\\n" * SIZE,
    "continued run": lambda: "RUN python \\\n" * SIZE,
    "run documents": lambda: "RUN python <<E\n" * SIZE,
    "run list": lambda: "RUN " + "[" * SIZE,
    "one into another": lambda: "A = $(B)$(B)\nB = $(A)$(A)\na:\n" + "\tpython $(A)\n" * 9000,
    "doubled": lambda: (
        "".join(f"V{n} = $(V{n + 1})$(V{n + 1})\n" for n in range(64)) + "a:\n\tpython $(V0)\n"
    ),
    "long value": lambda: f"A = {'x' * SIZE}\na:\n" + "\tpython $(A)$(A)\n" * 9000,
    "appended": lambda: "A += python\n" * SIZE + "a:\n\t$(A)",
    "shell calls": lambda: "A = " + "$(shell (python " * SIZE,
    "defines": lambda: "define A\n" * SIZE,
    "dollars": lambda: "a:\n\tpython " + "$" * SIZE + "(" * SIZE,
    "nuls": lambda: "\0" * SIZE + "python -c '\0'",
    "surrogates": lambda: 'a: "\udc80"\npython -c "\ud800"\n\udfff',
    "escaped surrogates": lambda: '{"\\ud800": "\\udfff", "cells": [{"source": "\\ud800"}]}',
    "magics": lambda: notebook("!ls\n" * SIZE, "a =" * SIZE + "\n!", "%%bash"),
    "cells": lambda: notebook(*["x = 1"] * 9000),
    "key twice": lambda: '{"cells": [], "cells": [{"source": ["x"]}], "cells": 1}',
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_stops_the_reader(name: str) -> None:
    text = HOSTILE[name]()
    content = text.encode("utf-8", "surrogatepass")
    for path in NAMES:
        last = text.count("\n") + text.count("\\n") + 2  # a cell's lines may be on one of the file
        for pieces in (others.pythons(path, text), others.shells(path, text)):
            kept = {id(piece.text): len(piece.text) for piece in pieces}
            assert sum(kept.values()) <= 4 * len(text) + (1 << 21)
            assert all(1 <= piece.line <= last for piece in pieces)
        found = others.options(path, text) or {}
        assert len(found) <= others.MOST_OPTIONS
        for key, value in found.items():
            assert len(key) <= others.LONGEST
            assert len(str(value)) <= others.LONGEST
            assert json.dumps({key: value}).encode()
        others.option_changes(text, text + "\n", path)
        assert others.kind_of(path, content)


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_notebooks_of_wrong_types(wrong: object) -> None:
    good = {"cell_type": "code", "source": "import os"}
    cells: list[object] = [wrong, {"cell_type": wrong, "source": "x"}]
    cells += [{"cell_type": "code", "source": wrong}, {"cell_type": "code"}, good]
    assert CODE in texts("a.ipynb", json.dumps({"cells": cells}))
    for book in (wrong, {"cells": wrong}, {"cells": {"0": wrong}}):
        assert CODE not in texts("a.ipynb", json.dumps(book))


def test_what_hides_behind_much_is_found() -> None:
    assert CODE in texts("a.sh", "echo '\n'\n" * 9000 + "python -c 'import os'")
    assert CODE in texts("Makefile", HOSTILE["doubled"]() + "\tpython -c 'import os'\n")
    assert CODE in texts("a.ipynb", notebook(*["x = 1"] * 3000, "import os"))


@pytest.mark.parametrize("seed", range(20))
def test_random_texts_raise_nothing(seed: int) -> None:
    chance = random.Random(seed)
    parts = [
        "python", " -c ", "'", '"', "\\", "\n", "\t", "<<E", "E", "$(", "$X", "X=", ")", "((", "|",
        "{", "}", "[", "]", ":", "- ", "#", "|\n", "a", ".", "=", "\0", "\udc80", "!", "%%bash",
        "RUN ",
        "define A\n", "endef", "echo ", ">a.py", "<<<", "é", ";", "&", '"source"', '"cells"',
    ]  # fmt: skip
    for _ in range(100):
        text = "".join(chance.choices(parts, k=chance.randrange(60)))
        for path in NAMES:
            for piece in (*others.pythons(path, text), *others.shells(path, text)):
                assert piece.line >= 1
            others.option_changes(None, text, path)
            assert others.kind_of(path, text.encode("utf-8", "surrogatepass"))
