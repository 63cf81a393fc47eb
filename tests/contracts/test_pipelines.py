"""Review pipelines do what they say: what a service would run is run here."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HONEST = "import time\n\n\ndef work(x):\n    began = time.perf_counter()\n    return x, began\n"
CHEAT = "import time\n\ntime.perf_counter = lambda: 0.0\n"
HOSTILE = "$(touch pwned) `touch pwned`;\"'.py"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad one").mkdir()
    (tmp_path / "good" / "work.py").write_text(HONEST)
    (tmp_path / "bad one" / HOSTILE).write_text(CHEAT)
    return tmp_path


def _read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def _environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "HOME": str(folder / "home"), "HARNESS_HOME": str(folder / "home"), **more,
    }  # fmt: skip


def _bash(script: str, folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=folder,
        env=_environment(folder, **more), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_action_names_what_it_uses() -> None:
    action = _read("action.yml")
    steps = {step.get("id", step.get("name", "")): step for step in action["runs"]["steps"]}
    used = str([step.get("env", {}) for step in steps.values()])
    for name in set(action["inputs"]):
        assert f"inputs.{name} " in used, name
    assert not any("${{" in step.get("run", "") for step in steps.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("paths", "fail_on", "code"), [("good\n", "suspect", 0), ("good\nbad one\n", "suspect", 1),
                                   ("bad one", "never", 0), ("nowhere", "suspect", 2)],
)  # fmt: skip
def test_the_action_audits(repository: Path, paths: str, fail_on: str, code: int) -> None:
    (step,) = [item for item in _read("action.yml")["runs"]["steps"] if item.get("id") == "audit"]
    usual = {name: str(item["default"]) for name, item in _read("action.yml")["inputs"].items()}
    inputs = {name.replace("-", "_").upper(): value for name, value in usual.items()}
    done = _bash(
        step["run"], repository,
        **{**inputs, "PATHS": paths, "FAIL_ON": fail_on, "ENVIRONMENT": "common",
           "GITHUB_OUTPUT": "out", "GITHUB_STEP_SUMMARY": "summary"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert f"code={code}" in (repository / "out").read_text()
    assert not list(repository.rglob("pwned"))
    lines = done.stdout.splitlines()
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)
    if "bad" in paths:
        assert any("ANY007" in line and "line=3" in line for line in lines)
        assert "ANY007" in (repository / "summary").read_text()
        assert (repository / "audit-reports" / "bad one" / "report.sarif").is_file()


@pytest.mark.slow
def test_the_hook_reads_the_files_of_a_commit(repository: Path) -> None:
    (hook,) = _read(".pre-commit-hooks.yaml")
    files = ["good/work.py", f"bad one/{HOSTILE}"]
    for names, code in ((files[:1], 0), (files, 1)):
        done = subprocess.run(
            [*hook["entry"].split(), *names], cwd=repository, env=_environment(repository),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
    assert "ANY007" in done.stdout


@pytest.mark.slow
def test_the_job_writes_what_the_test_view_reads(repository: Path) -> None:
    job = _read("pipelines/gitlab.yml")["auditor"]
    (script,) = job["script"]
    done = _bash(script, repository, **{**job["variables"], "AUDITOR_PATHS": "good"})
    assert done.returncode == 0, done.stderr
    tree = ElementTree.parse(repository / job["artifacts"]["reports"]["junit"])
    (suite,) = tree.getroot()
    assert int(suite.get("tests", 0)) > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("auditor audit --environment tri", "triton_cumsum"),
        ("auditor audit --environment com", "common"),
        ("auditor explain ANY00", "ANY001"),
        ("auditor cont", "contest"),
        ("harness new opt", "optimize_llm_foundry"),
    ],
)
def test_a_shell_completes(tmp_path: Path, words: str, offered: str) -> None:
    program = words.split()[0]
    done = subprocess.run(
        [Path(sys.executable).with_name(program)], capture_output=True, text=True, check=False,
        env=_environment(
            tmp_path, COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1),
            **{f"_{program.upper()}_COMPLETE": "complete_bash"},
        ),
    )  # fmt: skip
    assert offered in done.stdout.split(), done.stderr
