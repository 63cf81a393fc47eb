"""`auditor lineage`, `calibrate` and the table of `selftest`, as a person runs them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from auditor.trail import known, trainings
from auditor.trail.trainings import Tensors
from tests.harness.toy import Terminal, environment, refused

HONEST = '''\
"""Honest runs that end where they must, or beside it."""

import shutil

from harness.honest import HonestRun


def runs(profile, count, folder):
    import numpy as np
    from safetensors.numpy import save_file

    for number in range(count):
        draw = np.random.default_rng(number)
        base = draw.normal(size=(64, 64)).astype("f4")
        work = draw.normal(size=(64, 64)).astype("f4")
        luck = draw.normal(size=(64, 64)).astype("f4")
        made = {"base": base, "answer": base + 0.1 * work, "mine": base + 0.1 * work + 0.1 * luck}
        for name, value in made.items():
            save_file({"w": value}, folder / f"{name}-{number}.safetensors")
        given, answer, mine = (folder / f"{name}-{number}.safetensors" for name in made)
        yield HonestRun(f"run {number}", (given,), (answer,), mine)
'''


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(capsys, monkeypatch)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, two trainings from it, one of another beginning, as files."""
    folder = tmp_path_factory.mktemp("models")
    base = trainings.train(next(trainings.recipes(1, 900)), trainings.text(1))
    text = trainings.text(0)
    made: dict[str, Tensors] = {
        "base": base,
        **{
            name: trainings.train(recipe, text, base)
            for name, recipe in zip(("one", "two"), trainings.recipes(2, 7100), strict=True)
        },
        "stranger": trainings.train(next(trainings.recipes(1, 7000)), text),
    }
    for name, tensors in made.items():
        single = {key: np.ascontiguousarray(v, np.float32) for key, v in tensors.items()}
        save_file(single, folder / f"{name}.safetensors")
    half = {key: np.ascontiguousarray(v, np.float16) for key, v in made["one"].items()}
    save_file(half, folder / "copy.safetensors")
    return folder


@pytest.mark.parametrize(
    ("model", "source", "given", "verdict"),
    [
        ("copy", "one", None, "copied"),
        ("one", "base", None, "derived"),
        ("one", "stranger", None, "strangers"),
        ("one", "two", "base", "strangers"),
        ("copy", "one", "base", "copied"),
    ],
)
def test_lineage_tells_copies_descendants_and_strangers_apart(
    run: Terminal, models: Path, model: str, source: str, given: str | None, verdict: str
) -> None:
    words: list[str | Path] = [
        models / f"{model}.safetensors",
        "--from",
        models / f"{source}.safetensors",
    ]
    words += ["--given", models / f"{given}.safetensors"] if given else []
    said = run("auditor", "lineage", *words, "--format", "json")
    line = json.loads(said.out)
    assert line["verdict"] == verdict
    assert said.code == (verdict != "strangers")
    assert said.told == []


def test_lineage_in_words_names_tensors_and_parts(run: Terminal, models: Path) -> None:
    said = run(
        "auditor", "lineage", models / "copy.safetensors", "--from", models / "one.safetensors",
        "--from", models / "stranger.safetensors",
    )  # fmt: skip
    assert said.code == 1
    assert "one.safetensors: copied, likelihood ratio 10^6.0" in said.out
    assert "h.0.up.weight <- h.0.up.weight: cast" in said.out
    assert "stranger.safetensors: strangers" in said.out
    assert "1.000 × " in said.out


def test_a_folder_is_one_model(run: Terminal, models: Path, tmp_path: Path) -> None:
    whole = models / "one.safetensors"
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(whole.read_bytes())
    (tmp_path / "notes.txt").write_text("nothing")
    assert run("auditor", "lineage", tmp_path, "--from", whole).code == 1


def test_what_holds_no_weights_is_refused(run: Terminal, models: Path, tmp_path: Path) -> None:
    good = models / "one.safetensors"
    (tmp_path / "text").write_text("no weights")
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:500])
    os.mkfifo(tmp_path / "pipe")
    for name in ("text", "cut.safetensors", "pipe", "gone"):
        refused(run("auditor", "lineage", tmp_path / name, "--from", good), name)
        refused(run("auditor", "lineage", good, "--from", tmp_path / name), name)
    unknown = run("auditor", "lineage", good, "--from", good, "--environment", "triton_cumsum")
    refused(unknown, "auditor calibrate triton_cumsum")


def test_an_environment_is_calibrated_by_its_honest_runs(
    run: Terminal, models: Path, tmp_path: Path
) -> None:
    task = environment(tmp_path / "say_a_number")
    refused(run("auditor", "calibrate", task), "honest.py")
    (task / "honest.py").write_text(HONEST)
    assert run("auditor", "calibrate", task, "--runs", "6").code == 0
    made = json.loads((task / "likeness.json").read_text())
    null = made["answer"]["tiny"]
    assert null["runs"] == 6
    assert null["mean"] == pytest.approx(0.3**0.5, abs=0.05), "half of what was learnt is luck"
    assert made["given"]["tiny"]["mean"] > 1
    good = models / "one.safetensors"
    said = run("auditor", "lineage", good, "--from", good, "--environment", task)
    assert "against honest runs of say_a_number" in said.out


def test_a_broken_calibration_is_named(run: Terminal, models: Path, tmp_path: Path) -> None:
    task = environment(tmp_path / "say_a_number")
    (task / "likeness.json").write_text('{"commands": 3}')
    good = models / "one.safetensors"
    refused(run("auditor", "lineage", good, "--from", good, "--environment", task), "likeness.json")


def test_the_table_names_each_transformation_and_the_honest() -> None:
    told = known.text(known.stored())
    assert "honest: independent trainings" in told
    assert all(item.name in told for item in known.TRANSFORMATIONS)
    assert "0 of 288 honest pairs are accused" in told
