"""Imports go one way: environments → harness ← auditor ← rules, and reports beside them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = {
    "harness": {"harness"},
    "environments": {"environments", "harness"},
    "auditor": {"auditor", "harness"},
    "rules": {"rules", "auditor", "harness"},
    "reports": {
        "reports", "auditor.comparing", "auditor.models", "auditor.vetting", "harness.models",
    },
}  # fmt: skip
"""What the modules of each package may import of this project."""
COMPOSITION = ("harness/cli/", "auditor/cli/")
"""The only modules that may bring everything together."""
FROZEN = ("start", "reference")
"""Subjects of audits, not part of the house."""


def _modules(package: str) -> list[Path]:
    return [
        path
        for path in sorted((ROOT / package).rglob("*.py"))
        if "__pycache__" not in path.parts
        and not (package == "environments" and any(part in FROZEN for part in path.parts))
    ]


def imported(text: str) -> set[str]:
    """Every module a text imports by an absolute name, whatever the place or the manner."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                found |= {f"{module}.{alias.name}" for alias in names}
            case ast.Call(args=[ast.Constant(value=str() as name), *_], func=func) if (
                "import" in ast.unparse(func)
            ):
                found.add(name)
    return found


def back_arrows(package: str, text: str) -> set[str]:
    """Imports of this project that the package may not make."""
    ours = {name for name in imported(text) if name.partition(".")[0] in LAYERS}
    return {name for name in ours if not any(_within(name, may) for may in LAYERS[package])}


def _within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}.")


@pytest.mark.parametrize("package", LAYERS)
def test_no_back_arrow(package: str) -> None:
    modules = _modules(package)
    assert modules
    arrows = {
        path.relative_to(ROOT).as_posix(): back_arrows(package, path.read_text("utf-8"))
        for path in modules
        if not path.relative_to(ROOT).as_posix().startswith(COMPOSITION)
    }
    assert {path: names for path, names in arrows.items() if names} == {}


@pytest.mark.parametrize("package", LAYERS)
def test_nothing_imports_the_tests(package: str) -> None:
    for path in _modules(package):
        names = imported(path.read_text("utf-8"))
        assert not any(_within(name, "tests") for name in names), path


@pytest.mark.parametrize(
    ("package", "text"),
    [
        ("harness", "from auditor import engine"),
        ("harness", "def f():\n    import rules.common.log_forged"),
        ("environments", "import importlib\nimportlib.import_module('auditor.models')"),
        ("auditor", "from reports import text"),
        ("auditor", "import environments.optimize_llm_foundry.score"),
        ("rules", "from reports.plain import plain"),
        ("reports", "from auditor.verdict import decide"),
    ],
)
def test_a_back_arrow_is_seen(package: str, text: str) -> None:
    assert back_arrows(package, text)


def test_frozen_trees_know_nothing_of_the_house() -> None:
    for path in (ROOT / "environments").rglob("*.py"):
        if any(part in FROZEN for part in path.parts):
            names = {name.partition(".")[0] for name in imported(path.read_text("utf-8"))}
            assert not names & LAYERS.keys(), path
