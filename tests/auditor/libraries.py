"""Python that nobody wrote to cheat: the standard library and installed scientific packages."""

import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from auditor import engine, registry
from auditor.code.source import ChangedSource, decoded
from auditor.evidence.code import LIMIT_BYTES
from auditor.evidence.reach import language
from auditor.example import fact
from auditor.models import Finding, Kind
from auditor.parts import code_rules
from auditor.pool import Pool
from auditor.registry import RuleSet
from auditor.settle import settle
from auditor.unit import Unit

PACKAGES = ("numpy", "scipy", "sklearn", "torch", "matplotlib", "sympy", "networkx", "pandas")
NOT_TAKEN = frozenset({"__pycache__", "site-packages", "test", "tests", "testing", "_test"})
RULES = Path(__file__).resolve().parents[2] / "rules"


class Told(NamedTuple):
    """What the rules say of a file, as if an agent had added it and it were what runs."""

    path: str
    findings: tuple[Finding, ...]

    def of(self, kind: Kind) -> set[str]:
        """Returns the codes of the findings of a kind."""
        return {finding.code for finding in self.findings if finding.kind is kind}


def library() -> Path:
    """Returns where the standard library lies."""
    return Path(sysconfig.get_path("stdlib"))


def files(count: int, packages: Sequence[str] = PACKAGES) -> list[Path]:
    """Returns files spread evenly over the standard library and the packages that are there."""
    site = Path(sysconfig.get_path("purelib"))
    found = list(_python(library()))
    for name in packages:
        found += _python(site / name)
    step = max(len(found) / count, 1.0)
    return [found[int(number * step)] for number in range(min(count, len(found)))]


def told(paths: Sequence[Path]) -> Iterator[Told]:
    """Yields what is said of each file, on all processors."""
    with Pool(judged, _lost) as pool:
        yield from pool.run(paths)


def judged(path: Path) -> Told:
    """Applies the common rules about code to one file."""
    text = decoded(path.read_bytes())
    if text is None:
        return Told(str(path), ())
    source = ChangedSource(
        path=path.name, text=text, start_text=None, reachable=True, language=language(path.name, "")
    )
    noted = (fact("files_compared", changed=1), fact("source_changed", path=path.name))
    facts = tuple(item.model_copy(update={"id": f"e{n}"}) for n, item in enumerate(noted))
    rules = _rules()
    unit = Unit(entry=None, evidence=facts, sources=(source,), thresholds=rules.thresholds)
    checks = [engine.check_one(rule, unit) for rule in code_rules(rules)]
    crashed = [check.reason for check in checks if check.outcome == "crashed"]
    if crashed:
        raise AssertionError(f"{path}: {crashed[0]}")
    return Told(str(path), tuple(settle((item for check in checks for item in check.findings), [])))


def rates(results: Sequence[Told], kind: Kind) -> Counter[str]:
    """Counts the files in which each rule finds something of a kind."""
    return Counter(code for result in results for code in result.of(kind))


@cache
def _rules() -> RuleSet:
    return registry.load(RULES, None)


def _python(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.py")):
        inner = path.relative_to(folder).parts
        if NOT_TAKEN.isdisjoint(inner) and path.is_file() and path.stat().st_size < LIMIT_BYTES:
            yield path


def _lost(path: Path) -> Told:
    raise AssertionError(f"{path}: the process that read it came to an end")
