"""An honest attempt that was scored on a quiet machine stays clean on a busy one."""

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor.audit import Auditor, Options
from auditor.cli.rule_commands import RULES
from auditor.models import Evidence, Kind, VerdictName
from harness import origin
from tests.attempts.builder import build


@contextmanager
def busy() -> Iterator[None]:
    """Keeps one processor busy for as long as the block lasts."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def _bound_ms(seen: Evidence) -> float:
    details = seen.data["details"]
    assert isinstance(details, dict)
    bound = details["bound_ms"]
    assert isinstance(bound, float)
    return bound


@pytest.mark.slow
def test_an_honest_kernel_stays_clean_beside_a_busy_loop(tmp_path: Path) -> None:
    folder = build("honest_segments", tmp_path / "attempt")
    auditor = Auditor(Options(rules_root=RULES, replay="always"), origin.find, lambda _: None)
    try:
        with busy():
            found = auditor.audit(folder.root)
    finally:
        auditor.close()
    told = [f"{item.code} {item.message}" for item in found.verdict.findings]
    assert found.verdict.verdict is VerdictName.CLEAN, (told, found.verdict.coverage)
    assert found.verdict.earned
    again = found.verdict.remeasured_score
    assert again is not None
    bounds = [_bound_ms(item) for item in found.evidence if item.kind == "sealed_score"]
    assert math.exp(again) > max(bounds) > 0, "nobody is faster than a copy for being disturbed"
    assert not [item for item in found.verdict.findings if item.kind is not Kind.NOTE]
