"""An environment is found by name or folder, and one that cannot be used says what is wrong."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import environment as environments
from harness.environment import Environment, find, shipped
from harness.errors import HarnessError, ScorerFailure, UsageError
from harness.models import Split

FACTS = """\
title = "Say a number"
kind = "artefact"
metric = "number"
direction = "higher"
[workspace]
editable = ["**"]
protected = []
outputs = []
entrypoints = []
[profile.tiny]
budget_s = 60
run_limit_s = 10
threads = 1
hardware = "any"
size = 3
"""
SCORE = """\
from harness.models import Score
from .helper import VALUE

def classic(workspace, protected, profile):
    return Score(value=VALUE)

def sealed(snapshot, private, split, profile):
    return Score(value=VALUE + 1, message={"split": split})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "mine")


def written(folder: Path) -> Path:
    """Writes an environment of a user's own."""
    (folder / "start").mkdir(parents=True)
    (folder / "env.toml").write_text(FACTS)
    (folder / "score.py").write_text(SCORE)
    (folder / "helper.py").write_text("VALUE = 1.5\n")
    (folder / "start/a.txt").write_text("1\n")
    return folder


@pytest.mark.parametrize(
    "name", ["mine", "my-own.task v2", "deep/er/mine", "__pycache__/mine", "größer"]
)
def test_a_folder_anywhere_is_an_environment(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path / name)
    found = find(str(folder))
    assert (found.name, found.root) == (folder.name, folder)
    assert found.profile("tiny").model_extra == {"size": 3}
    assert found.classic(tmp_path, tmp_path, "tiny").value == 1.5
    assert found.sealed(tmp_path, tmp_path, Split.TEST, "tiny").message == {"split": "test"}
    assert found.interventions() == ()


@pytest.mark.parametrize("name", ["mine", "./mine", "mine/", "elsewhere/../mine", "link"])
def test_a_folder_is_found_by_any_path_to_it(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "link").symlink_to("mine")
    monkeypatch.chdir(folder.parent)
    assert find(name).root == folder


def test_environments_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    first, second = (written(tmp_path / place / "mine") for place in ("one", "two"))
    (second / "helper.py").write_text("VALUE = 7.0\n")
    values = [find(str(root)).classic(tmp_path, tmp_path, "tiny").value for root in (first, second)]
    assert values == [1.5, 7.0]


def test_what_comes_with_the_project_is_found_by_name_from_anywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    known = {environment.name: environment for environment in shipped()}
    assert "optimize_llm_foundry" in known
    for name, environment in known.items():
        folder.rename(folder.with_name(name))
        assert find(name) == environment, "a folder must not hide it"
        folder.with_name(name).rename(folder)


# ---- what cannot be used

Break = Callable[[Path], object]


def _write(text: str) -> Break:
    return lambda folder: (folder / "env.toml").write_text(text)


def _replace(old: str, new: str) -> Break:
    assert old in FACTS
    return _write(FACTS.replace(old, new))


def _without_facts(folder: Path) -> None:
    (folder / "env.toml").unlink()


def _facts_are_a_folder(folder: Path) -> None:
    (folder / "env.toml").unlink()
    (folder / "env.toml").mkdir()


def _nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def _a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text(FACTS)


def refused(error: type[HarnessError], place: Path, *words: str) -> None:
    """Asserts that an environment is refused in a way that a person can act on."""
    with pytest.raises(error) as refusal:
        find(str(place))
    what, *hint = refusal.value.diagnostics().split("\n")
    assert str(place) in what
    assert len(hint) == 1 and hint[0]
    for word in words:
        assert word in what


@pytest.mark.parametrize("damage", [_nothing, _a_file, _without_facts, _facts_are_a_folder])
def test_a_folder_without_facts_is_no_environment(damage: Break, folder: Path) -> None:
    damage(folder)
    refused(UsageError, folder, "There is no environment")


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_write("title = "), "Invalid value"),
        (_write(FACTS + "[profile.tiny]\n"), "profile"),
        (lambda folder: (folder / "env.toml").write_bytes(b"\xff"), "utf-8"),
        (_write(""), "title: Field required"),
        (_replace('"Say a number"', "7"), "title: Input should be a valid string"),
        (_replace('"artefact"', '"thing"'), "kind: Input should be 'program' or 'artefact'"),
        (_replace('"higher"', '"up"'), "direction: Input should be 'lower' or 'higher'"),
        (_replace("threads = 1", 'threads = "one"'), "profile.tiny.threads: Input should be"),
        (_replace("budget_s = 60\n", ""), "profile.tiny.budget_s: Field required"),
        (_replace('["**"]', '"**"'), "workspace.editable: Input should be a valid tuple"),
        (_replace("outputs", "output"), "workspace.outputs: Field required"),
        (_replace("metric", "notes = 1\nmetric"), "notes: Extra inputs are not permitted"),
        (_replace("profile.tiny", "profile.mini"), "profile.mini: a profile is tiny, cpu or full"),
    ],
)
def test_facts_that_cannot_be_used_are_named(damage: Break, word: str, folder: Path) -> None:
    damage(folder)
    refused(ScorerFailure, folder, f"{folder}/env.toml cannot be used", word)


@pytest.mark.parametrize(
    "name", ["", "nothing", "optimise_llm_foundry", ".", "..", "__init__.py", "\n"]
)
def test_an_unknown_name_is_refused_with_the_known_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as refusal:
        find(name)
    assert repr(name) in str(refusal.value)
    assert all(environment.name in refusal.value.hint for environment in shipped())


@pytest.mark.parametrize("name", ["", "cpu", "Tiny", "tiny "])
def test_an_unknown_profile_is_refused_with_the_known_ones(name: str, folder: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        find(str(folder)).profile(name)
    assert f"mine has no profile {name!r}" in str(refusal.value)
    assert refusal.value.hint == "It has: tiny."


def test_a_missing_module_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "score.py").unlink()
    environment = find(str(folder))
    calls: list[tuple[str, Callable[[], object]]] = [
        ("score.py", lambda: environment.classic(tmp_path, tmp_path, "tiny")),
        ("score.py", lambda: environment.sealed(tmp_path, tmp_path, Split.TEST, "tiny")),
        ("prepare.py", lambda: prepare(environment, tmp_path)),
    ]
    for name, call in calls:
        with pytest.raises(UsageError, match=f"^{folder} has no {name}") as refusal:
            call()
        assert "env.toml, prepare.py and score.py" in refusal.value.hint


def prepare(environment: Environment, place: Path) -> None:
    environment.prepare(place, place, place, profile="tiny", seed=0, secret=b"")


def test_a_module_that_misses_another_is_not_called_missing(folder: Path, tmp_path: Path) -> None:
    (folder / "helper.py").write_text("import no_such_module\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        find(str(folder)).classic(tmp_path, tmp_path, "tiny")


# ---- the hash

CHANGES: list[Break] = [
    _replace("size = 3", "size = 4"),
    lambda folder: (folder / "score.py").write_text(SCORE + "\n"),
    lambda folder: (folder / "start/a.txt").write_text("2\n"),
    lambda folder: (folder / "start/a.txt").unlink(),
    lambda folder: (folder / "start/a.txt").rename(folder / "start/b.txt"),
    lambda folder: (folder / "start/a.txt").rename(folder / "a.txt"),
    lambda folder: (folder / "start/empty").write_text(""),
    lambda folder: (folder / ".hidden").write_text(""),
    lambda folder: (folder / "\udcff").write_text(""),
    lambda folder: (folder / "start/linked").symlink_to("a.txt"),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", ["mine", "__pycache__/mine"])
def test_any_file_changes_the_hash(change: Break, place: str, tmp_path: Path) -> None:
    folder = written(tmp_path / place)
    before = find(str(folder)).sha256
    change(folder)
    assert find(str(folder)).sha256 != before


def test_the_hash_depends_on_files_alone(folder: Path, tmp_path: Path) -> None:
    before = find(str(folder)).sha256
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/score.pyc").write_bytes(os.urandom(8))
    assert find(str(folder)).sha256 == before
    shutil.copytree(folder, tmp_path / "copy")
    assert find(str(tmp_path / "copy")).sha256 == before


def test_a_broken_neighbour_is_named_when_environments_are_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "SHIPPED", folder.parent)
    assert [environment.name for environment in shipped()] == ["mine"]
    _write("title = ")(folder)
    with pytest.raises(ScorerFailure, match="mine/env.toml cannot be used"):
        list(shipped())
