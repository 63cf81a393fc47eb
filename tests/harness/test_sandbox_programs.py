"""What honest work needs runs as it does outside, and the same in every kind of run."""

import json
import os
import shutil
import tempfile
import venv
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import root
from tests.harness.box import Box
from tests.harness.probe import PRINT, SEEN

PREFIXES = root._prefixes()

WARNING = "ignore:This DataLoader will create:UserWarning"
"""Fewer processors than workers is no fault of the sandbox."""
TRAIN = """
import torch
from torch.utils.data import DataLoader, TensorDataset

def main():
    torch.manual_seed(0)
    rows = TensorDataset(torch.randn(64, 8), torch.randn(64, 1))
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 1))
    optimiser = torch.optim.AdamW(model.parameters())
    for x, y in DataLoader(rows, batch_size=16, num_workers=2):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimiser.step()
    torch.save(model.state_dict(), "model.pt")

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.mark.slow
def test_torch_trains_with_loader_workers(box: Box) -> None:
    box.write("solution/train.py", TRAIN)
    run = box.run("python", "train.py", env={"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": WARNING})
    assert (run.returncode, run.stderr) == (0, "")
    assert (run.survivors, run.limit) == (0, None)
    assert (run.layer / "solution/model.pt").stat().st_size > 1000


@pytest.mark.slow
def test_torch_compiles(box: Box) -> None:
    run = box.python(
        "import torch\n"
        "f = torch.compile(lambda x: torch.sin(x) * 2 + x)\n"
        "x = torch.randn(100)\n"
        "assert torch.allclose(f(x), torch.sin(x) * 2 + x)"
    )
    assert run.returncode == 0, run.stderr[-2000:]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc on this machine")
def test_gcc_compiles(box: Box) -> None:
    box.write("solution/a.c", '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    run = box.run("sh", "-c", "gcc -O2 a.c -o a && ./a")
    assert run.stdout == "hello\n", run.stderr


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_processes_share_work(box: Box, start: str) -> None:
    box.write(
        "solution/work.py",
        "import multiprocessing\n"
        "def square(x): return x * x\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context({start!r}).Pool(2) as pool:\n"
        "        print(pool.map(square, range(4)))",
    )
    run = box.run("python", "work.py")
    assert run.stdout == "[0, 1, 4, 9]\n", run.stderr


def test_python_is_ours_under_every_name(box: Box) -> None:
    show = "import sys; print(sys.prefix)"
    outputs = [box.run(name, "-c", show).stdout for name in ("python", "python3")]
    assert len(set(outputs)) == 1
    assert "site-packages" in box.python("import torch; print(torch.__file__)").stdout


# Each with its reason. A program that wants to behave well only when it is watched has no more.
DIFFER_WHEN_PINNED = {"affinity", "status"}  # `cpus` is for timed runs; Cpus_allowed follows it


def probe(box: Box, **options: Any) -> dict[str, Any]:
    box.write("solution/probe.py", SEEN + PRINT)
    box.write("solution/data", "x")
    for path in (box.workspace, box.workspace / "solution", box.workspace / "solution/data"):
        os.utime(path, (10**9, 10**9))
    run = box.run("python", "probe.py", **options)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    assert len(found["mounts"]) > 10
    return found


def test_runs_look_alike(box: Box, tmp_path: Path) -> None:
    """Q23: what a program sees does not tell one kind of run from another."""
    other = tmp_path / "a folder with a telling name"
    other.mkdir()
    plain, again = probe(box), probe(Box(other))
    assert {name for name in plain if plain[name] != again[name]} == set()
    pinned = probe(Box(tmp_path / "third"), cpus=1)
    assert {name for name in plain if plain[name] != pinned[name]} <= DIFFER_WHEN_PINNED
    assert len(pinned["affinity"]) == 1


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/home"])
def test_the_project_may_be_installed_in_any_folder(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary folder is one: inside, `/tmp` is a fresh one, and Python must still be there."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        Path(name).chmod(0o755)
        venv.create(Path(name, "venv"), symlinks=True)
        monkeypatch.setattr(root, "_prefixes", lambda: [*PREFIXES, Path(name, "venv")])
        Box(tmp_path).run(f"{name}/venv/bin/python", "-c", "open('ran', 'w')")
        assert (tmp_path / "layer1/solution/ran").is_file()


def test_python_beneath_the_workspace_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "_prefixes", lambda: [Path(root.HOME, "earned/.venv")])
    with pytest.raises(SandboxUnavailable, match="is the workspace"):
        Box(tmp_path).run("true")
