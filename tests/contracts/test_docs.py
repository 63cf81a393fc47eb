"""What people read says what there is: each command, each rule, each environment."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from auditor import registry
from auditor.cli import docs
from auditor.cli.app import app as auditor
from harness import environment as environments
from harness.cli.app import app as harness
from harness.environment import Environment

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rules"
APPS = {"harness": harness, "auditor": auditor}
HEAVY = {
    "torch", "libcst", "git", "sklearn", "scipy", "numpy", "pydantic", "jinja2", "matplotlib",
    "cryptography", "safetensors", "triton",
}  # fmt: skip
ENVIRONMENT = {
    "README.md", "instructions.md", "env.toml", "prepare.py", "score.py", "interventions.py",
    "start", "reference",
}  # fmt: skip
STALE = "run `make docs`, or only `python -m auditor.cli.docs`"
KEEP_OUT = "keep this file out of training data"
MODULES = """\
import json, sys
from {0}.cli import main
sys.argv = ["{0}", "--help"]
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def _commands() -> list[object]:
    found: list[object] = []
    for name, app in APPS.items():
        group = typer.main.get_command(app)
        assert isinstance(group, typer.core.TyperGroup)
        for command in group.commands.values():
            found.append(pytest.param(name, command, id=f"{name} {command.name}"))
    return found


each_command = pytest.mark.parametrize(("app", "command"), _commands())
each_environment = pytest.mark.parametrize(
    "environment", [pytest.param(item, id=item.name) for item in environments.shipped()]
)


@each_command
def test_every_command_is_in_the_readme(app: str, command: typer.core.TyperCommand) -> None:
    assert f"{app} {command.name}" in (ROOT / "README.md").read_text("utf-8")


@each_command
def test_every_command_says_what_it_does(app: str, command: typer.core.TyperCommand) -> None:
    assert command.help and command.help.strip().partition("\n")[0].endswith(".")
    silent = [item.name for item in command.params if not getattr(item, "help", None)]
    assert silent == []


@pytest.mark.parametrize("app", APPS)
def test_help_costs_no_heavy_import(app: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES.format(app)], capture_output=True, text=True, check=True
    )
    assert "Usage" in done.stdout
    assert {name.partition(".")[0] for name in json.loads(done.stderr)} & HEAVY == set()


def test_the_list_of_rules_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["auditor", "rules", "--format", "md"])
    with pytest.raises(SystemExit):
        auditor()
    assert (RULES / "README.md").read_text("utf-8") == capsys.readouterr().out, STALE


def test_every_page_is_what_its_source_says() -> None:
    made = docs.pages()
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert there == {name for name in made if name.startswith("docs/")}, STALE
    for name, text in made.items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name}: {STALE}"


def test_every_link_of_a_page_leads_to_a_file() -> None:
    for name, text in docs.pages().items():
        prose = re.sub(r"````.*?````|`[^`]*`", "", text, flags=re.S)
        for link in re.findall(r"\]\(([^)#]+)\)", prose):
            assert (ROOT / name).parent.joinpath(link).resolve().is_file(), (name, link)


def test_every_rule_is_in_the_list() -> None:
    told = (RULES / "README.md").read_text("utf-8")
    rules = registry.load_all(RULES)
    assert rules.rules
    for rule in rules:
        assert f"| {rule.code} | {rule.name} |" in told


@each_environment
def test_an_environment_folder_is_complete(environment: Environment) -> None:
    present = {path.name for path in environment.root.iterdir()}
    assert ENVIRONMENT - present == set()
    for name in ENVIRONMENT:
        path = environment.root / name
        assert any(path.iterdir()) if path.is_dir() else path.read_text("utf-8").strip()


@each_environment
def test_a_reference_asks_to_be_kept_out_of_training_data(environment: Environment) -> None:
    files = [path for path in (environment.root / "reference").rglob("*") if path.is_file()]
    assert files
    for path in files:
        opening = path.read_text("utf-8").splitlines()[:2]
        # A program for a shell has to begin with the shell's name.
        first = opening[1] if opening[0].startswith("#!") else opening[0]
        assert KEEP_OUT in first, path


def test_every_environment_is_listed() -> None:
    assert {item.name for item in environments.shipped()} == {
        path.name
        for path in environments.SHIPPED.iterdir()
        if path.is_dir() and not path.name.startswith(("_", "."))
    }
