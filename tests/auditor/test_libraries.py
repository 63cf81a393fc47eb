"""Nobody is accused for code like that of well-kept libraries."""

import pytest

from auditor.models import Kind
from tests.auditor import libraries

FILES = 2000


@pytest.mark.slow
def test_no_library_is_called_a_cheat() -> None:
    results = list(libraries.told(libraries.files(FILES)))
    assert len(results) > FILES // 2, "the packages are not there"
    accused = [
        f"{result.path}: {finding.message}"
        for result in results
        for finding in result.findings
        if finding.kind in (Kind.CHEATING, Kind.VIOLATION)
    ]
    assert not accused, "\n".join(accused[:20])
