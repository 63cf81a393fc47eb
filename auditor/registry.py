"""Which rules are in force: found by folder, never by import string."""

import hashlib
import importlib.util
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pydantic import Field, ValidationError

from auditor.errors import RuleSetError
from auditor.models import Scope
from auditor.rule import Rule
from harness.environment import Environment
from harness.models import Record

Thresholds = Mapping[str, float]
COMMON = "common"
DATA = "ruleset.toml"


class Threshold(Record):
    """A number that rules compare with, and the reason for it."""

    value: float
    why: str = Field(min_length=1)


class RuleSetFile(Record):
    """`ruleset.toml`: the data half of a folder of rules."""

    extends: tuple[str, ...] = (COMMON,)
    required: tuple[str, ...] = ()
    """Codes that must have looked before anything is called clean."""
    thresholds: dict[str, Threshold] = Field(default_factory=dict)


@dataclass(frozen=True)
class RuleSet:
    """The rules that apply to one environment."""

    rules: tuple[Rule, ...]
    required: Mapping[str, Scope]
    """Codes that must have looked before anything is clean, with their scopes."""
    thresholds: Thresholds
    sha256: str
    """Hash over every file that was loaded, by name and content."""

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def rule(self, code: str) -> Rule:
        """Returns the rule with a code, whatever its case.

        Raises:
            RuleSetError: there is none.
        """
        for rule in self.rules:
            if rule.code == code.upper():
                return rule
        known = ", ".join(rule.code for rule in self.rules)
        raise RuleSetError(f"There is no rule {code!r}.", hint=f"Known: {known}.")


def load(rules_root: Path, environment: str | None, extra: Path | None = None) -> RuleSet:
    """Returns the rules for an environment: the common ones, its own, and a user's beside it.

    Args:
        rules_root: the folder that holds `common/` and a folder per environment.
        environment: its name; None or `common` for the common rules alone.
        extra: a folder of further rules, for example in a user's environment; need not exist.

    Raises:
        RuleSetError: a file cannot be used, a code is taken twice, or there is no rule at all.
    """
    names = [environment] if environment and _is_folder(rules_root / _plain(environment)) else []
    own = [rules_root / name for name in names]
    own += [extra] if extra is not None and _is_folder(extra) else []
    data = [_data(folder) for folder in own]
    above = {name for file in data for name in file.extends} if own else {COMMON}
    folders = [rules_root / _plain(name) for name in sorted(above) if name not in names]
    return _compose([*folders, *own])


def of(rules_root: Path, environment: Environment | None) -> RuleSet:
    """Returns the rules for an environment, with those beside its files; None for the common ones.

    Raises:
        RuleSetError: as `load`.
    """
    if environment is None:
        return load(rules_root, None)
    return load(rules_root, environment.name, environment.root / "rules")


def load_all(rules_root: Path) -> RuleSet:
    """Returns every rule under `rules_root`, for listings and self-tests."""
    return _compose([path for path in sorted(rules_root.iterdir()) if _is_folder(path)])


def snake_case(name: str) -> str:
    """Returns the file name that a rule class asks for."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _compose(folders: Sequence[Path]) -> RuleSet:
    rules: dict[str, Rule] = {}
    thresholds: dict[str, float] = {}
    required: set[str] = set()
    digest = hashlib.sha256()
    for folder in folders:
        for rule in _rules(folder):
            if rule.code in rules:
                raise RuleSetError(
                    f"Two rules have the code {rule.code}: {rules[rule.code].name} and {rule.name}."
                )
            rules[rule.code] = rule
        data = _data(folder)
        required |= set(data.required)
        thresholds |= {name: item.value for name, item in data.thresholds.items()}
        _hash(folder, digest)
    if not rules:
        places = ", ".join(map(str, folders)) or "the given folders"
        raise RuleSetError(f"There is no rule in {places}.", hint="A rule set must hold a rule.")
    if unknown := required - rules.keys():
        raise RuleSetError(f"Required, but not there: {', '.join(sorted(unknown))}.")
    ordered = tuple(rules[code] for code in sorted(rules))
    scopes = {code: rules[code].scope for code in sorted(required)}
    return RuleSet(ordered, scopes, thresholds, digest.hexdigest())


def _rules(folder: Path) -> Iterator[Rule]:
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield _rule(path)


def _rule(path: Path) -> Rule:
    """Returns the one rule that a file holds."""
    module = _module(path)
    found = [
        member
        for member in vars(module).values()
        if inspect.isclass(member)
        and issubclass(member, Rule)
        and not inspect.isabstract(member)
        and member.__module__ == module.__name__
    ]
    if len(found) != 1 or snake_case(found[0].__name__) != path.stem:
        raise RuleSetError(
            f"{path} must define one rule, named for the file.",
            hint=f"It defines: {', '.join(item.__name__ for item in found) or 'none'}.",
        )
    rule: Rule = found[0]()
    return rule


def _module(path: Path) -> ModuleType:
    digest = hashlib.sha256(bytes(path.resolve())).hexdigest()[:8]
    name = f"rule_{digest}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RuleSetError(f"{path} cannot be loaded: {error!r}.") from error
    return module


def _data(folder: Path) -> RuleSetFile:
    path = folder / DATA
    if not path.is_file():
        return RuleSetFile()
    try:
        return RuleSetFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise RuleSetError(f"{path} cannot be used: {error}") from error


def _hash(folder: Path, digest: "hashlib._Hash") -> None:
    for path in sorted([*folder.glob("*.py"), *folder.glob(DATA)]):
        digest.update(f"{folder.name}/{path.name}".encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())


def _plain(name: str) -> str:
    """Refuses a name that would lead out of the folder of rules."""
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise RuleSetError(f"{name!r} is not the name of an environment.")
    return name


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith((".", "__"))
