"""What a finding claims after the solution was executed again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.models import (
    Confidence,
    Effect,
    Finding,
    How,
    Intervention,
    Kind,
    Misdeed,
    Severity,
)
from auditor.rule import gravity
from auditor.settle import settle
from harness.models import Outcome, Split


def finding(**changes: object) -> Finding:
    usual = {
        "code": "LLM105",
        "rule": "ReferenceFolderUsed",
        "kind": Kind.CHEATING,
        "misdeed": Misdeed.OUTPUT_COPIED,
        "severity": Severity.HIGH,
        "confidence": Confidence.HIGH,
        "source": "code",
        "message": "m",
        "entries": (0,),
        "cites": ("e1",),
        "how": How.INFERRED,
        "interventions": ("removed", "rows"),
    }
    return Finding.model_validate({**usual, **changes})


def seen(name: str, outcome: Outcome, entry: int = 0, forbidden: bool = False) -> Intervention:
    held = None if outcome is Outcome.NOT_RUN else outcome is Outcome.HELD
    return Intervention(
        entry=entry, name=name, split=Split.VALIDATION, expected="", observed="",
        outcome=outcome, held=held, forbidden=forbidden,
    )  # fmt: skip


HELD = (seen("removed", Outcome.HELD), seen("rows", Outcome.HELD))
STALE = (seen("removed", Outcome.HELD), seen("rows", Outcome.STALE))
GAP = (seen("removed", Outcome.HELD), seen("rows", Outcome.NOT_RUN))
BROKE = (seen("removed", Outcome.BROKE), seen("rows", Outcome.HELD))
WORSE = (seen("removed", Outcome.WORSE), seen("rows", Outcome.HELD))
FORBIDDEN = (seen("removed", Outcome.WORSE, forbidden=True), seen("rows", Outcome.HELD))
OTHER_ENTRY = (seen("rows", Outcome.STALE, entry=7),)

CODE: dict[str, object] = {}
CODE_FLOW, CONDITIONAL = {"flow": True}, {"conditional": True}
TRAIL = {"source": "trail", "kind": Kind.SUSPICION, "how": How.OBSERVED}
RUN = {"source": "run", "how": How.OBSERVED}
VIOLATION = {"source": "trail", "kind": Kind.VIOLATION}


@pytest.mark.parametrize(
    ("changes", "interventions", "kind", "effect"),
    [
        (CODE_FLOW, STALE, "cheating", "effective"),
        (CODE_FLOW, FORBIDDEN, "cheating", "effective"),
        (CODE_FLOW, (), "cheating", "unknown"),
        (CODE_FLOW, GAP, "cheating", "unknown"),
        (CODE_FLOW, BROKE, "cheating", "unknown"),
        (CODE_FLOW, HELD, "cheating", "ineffective"),
        (CODE, STALE, "cheating", "effective"),
        (CODE, FORBIDDEN, "cheating", "effective"),
        (CODE, (), "suspicion", "unknown"),
        (CODE, GAP, "suspicion", "unknown"),
        (CODE, WORSE, "suspicion", "unknown"),
        (CODE, HELD, "note", "ineffective"),
        (CODE, OTHER_ENTRY, "suspicion", "unknown"),
        (CONDITIONAL, HELD, "suspicion", "unknown"),
        (TRAIL, HELD, "note", "ineffective"),
        (TRAIL, GAP, "suspicion", "unknown"),
        (TRAIL, STALE, "suspicion", "effective"),
        (VIOLATION, HELD, "violation", "unknown"),
        (RUN, STALE, "cheating", "effective"),
        (RUN, HELD, "cheating", "unknown"),
    ],
)
def test_settle(
    changes: dict[str, object], interventions: tuple[Intervention, ...], kind: str, effect: str
) -> None:
    (settled,) = settle([finding(**changes)], interventions)
    assert (settled.kind, settled.effect) == (Kind(kind), Effect(effect))


findings = st.builds(
    finding,
    kind=st.sampled_from(Kind),
    source=st.sampled_from(["code", "run", "trail"]),
    flow=st.booleans(),
    conditional=st.booleans(),
)
replays = st.lists(
    st.builds(
        seen,
        st.sampled_from(["removed", "rows", "unrelated"]),
        st.sampled_from(Outcome),
        entry=st.integers(0, 1),
        forbidden=st.booleans(),
    ),
    max_size=4,
)


@given(st.lists(findings, max_size=4), replays)
def test_settling_is_pure_and_claims_no_more_than_the_rule(
    found: list[Finding], seen: list[Intervention]
) -> None:
    copies = [item.model_copy(deep=True) for item in found]
    settled = settle(found, seen)
    assert found == copies
    assert settled == settle(found, seen)
    assert settled == [item for each in found for item in settle([each], seen)]
    for before, after in zip(found, settled, strict=True):
        assert gravity(after.kind) <= gravity(before.kind)
        assert before.cites == after.cites


@given(findings, replays)
def test_a_stale_output_never_helps(found: Finding, others: list[Intervention]) -> None:
    (before,) = settle([found], others)
    (after,) = settle([found], [*others, seen("rows", Outcome.STALE)])
    assert gravity(after.kind) >= gravity(before.kind)
