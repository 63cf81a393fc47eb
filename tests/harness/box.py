"""A workspace with a sandbox around it, for tests."""

import json
from pathlib import Path
from typing import Any

from harness import sandbox
from harness.sandbox import Limits, Run

__all__ = ["Box", "Limits", "Run"]


class Box:
    """Runs programs in fresh sandboxes over one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        (self.workspace / "solution").mkdir(parents=True)
        self._runs = 0
        self.others: set[str] = set()
        """Processes that ran before; a test may note them."""

    def write(self, name: str, content: str) -> None:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def run(self, *command: str, **options: Any) -> Run:
        self._runs += 1
        layer = self.folder / f"layer{self._runs}"
        return sandbox.run(command, workspace=self.workspace, layer=layer, **options)

    def python(self, program: str, **options: Any) -> Run:
        return self.run("python", "-c", program, **options)

    def json(self, program: str, **options: Any) -> Any:
        """Runs a program that prints one JSON value."""
        run = self.python(program, **options)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)


def files(folder: Path) -> set[str]:
    """Returns what is in a folder, but for folders that only lead to something."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    }
