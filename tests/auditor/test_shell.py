"""What shell text does: where files go, and what is run with what."""

import pytest

from auditor.code.shell import Session, Verb, matches, of_shell
from auditor.code.words import Piece


def copies(text: str) -> set[tuple[str, str]]:
    deeds = of_shell(Piece(1, text), Session()).deeds
    return {(deed.path, deed.to) for deed in deeds if deed.verb is Verb.COPY}


@pytest.mark.parametrize(
    "text",
    [
        "cp ref out",
        'A=r; B=${A}ef; cp -r "$B" \\\n  out',
        "cat ref > out",
        "cat < ref >> out",
        "head -c 9 ref | tail -n 1 | tee out",
        "cat ref | while read x; do echo $x; done > out",
        "while read x; do echo $x >> out; done < ref",
        "for f in ref; do cp $f out; done",
        "(cat ref; echo) > out",
        "(echo; cat ref) | tee out",
        "{ cat ref; echo; } > out",
        'X=$(cat ref)\necho "$X" > out',
        "X=`cat ref`; Y=$X; printf %s $Y > out",
        'echo "$(cat "ref")" > out',
        "cat > out <<E\n$(cat ref)\nE",
        "X=$(cat ref)\ncat > out <<E\na $X\nE",
        "cp <(cat ref) out",
        "cp $(ls ref) out",
        "cp $(echo ref) out",
        'f() { cp "$1" $2; }\nf ref out',
        'function f {\n  cat "$@" > out\n}\nf ref',
        "set -e; if [ -e ref ]; then cp ref out; fi",
        "bash -c 'cp ref out'",
        "bash <<E\ncp ref out\nE",
        "ls ref | xargs -I{} cp {} out",
        "ls ref | xargs cat > out",
        "find ref -type f -exec cp {} out \\;",
        "sort ref -o out",
        "dd if=ref of=out",
        "tar -cf - ref | tar -C out -xf -",
        "tar -C ref -cf - . | tar -C out -xf -",
        "tar xf ref -C out",
        "cd sub && cp ../ref ../out",
        "(cd sub; ls); cp ref out",
        "eval 'cp ref out'",
        "base64 ref | base64 -d > out",
        "gzip -dc ref > out",
        "install -m 644 -t out ref",
    ],
)
def test_content_goes_from_a_file_to_another(text: str) -> None:
    assert ("ref", "out") in copies(text)


@pytest.mark.parametrize(
    "text",
    [
        "# cp ref out",
        "echo cp ref out",
        "echo 'cp ref out' > notes",
        "cat ref; date > out",
        "cmp ref out",
        "diff -q ref out || exit 1",
        "ls ref > out",
        "sha256sum ref > out",
        "test -e ref && date > out",
        "cat <<'E' > out\n$(cat ref)\nE",
        "cat > notes.md <<E\ncp ref out\nE",
        "X=$(cat ref)\necho done > out",
        'f() { cp "$1" out; }\nf mine',
        "rm -rf ref; mkdir out",
        "cp mine out; cat ref",
        "(cat ref); date > out",
    ],
)
def test_other_commands_take_nothing_along(text: str) -> None:
    assert ("ref", "out") not in copies(text)


def test_what_a_file_is_given() -> None:
    text = "X=b\npython -u a.py $X --to 'c d' < e\nbash run.sh 1 2\n./tool x\n"
    deeds = of_shell(Piece(3, text), Session()).deeds
    assert [(deed.line, deed.path, deed.given) for deed in deeds if deed.verb is Verb.RUN] == [
        (4, "a.py", ("b", "--to", "c d")),
        (5, "run.sh", ("1", "2")),
        (6, "tool", ("x",)),
    ]


def test_commands_are_told_with_what_comes_before_them() -> None:
    text = "A=1 timeout 5 env B=$A x y\nbash -c 'C=3 z'\n"
    found = of_shell(Piece(1, text), Session()).commands
    assert [command.words for command in found] == [
        ("A=1", "timeout", "5", "env", "B=$A", "x", "y"),
        ("bash", "-c", "C=3 z"),
        ("C=3", "z"),
    ]


@pytest.mark.parametrize("text", ["f() {\n" * 9000, "$(" * 9000, '"$(' * 9000, "`x" * 9001])
def test_open_ends_are_no_harm(text: str) -> None:
    of_shell(Piece(1, text), Session())


def test_names_in_paths() -> None:
    assert matches("one_tw*/x", "one_two")
    assert not matches("*", "one_two")
    assert not matches("one", "one_two")
