"""What the shell offers when a word is half typed; no rule is loaded for it."""

import re
from pathlib import Path

from harness.cli import completion

RULES = Path(__file__).resolve().parents[2] / "rules"
_CODE = re.compile(r'^    code = "(\w+)"', re.M)


def environments(incomplete: str) -> list[str]:
    """Returns the environments, and `common`, whose names begin so."""
    return [
        *completion.environments(incomplete),
        *(["common"] if "common".startswith(incomplete) else []),
    ]


def codes(incomplete: str) -> list[str]:
    """Returns the codes of rules that begin so."""
    texts = (path.read_text("utf-8") for path in sorted(RULES.glob("*/*.py")))
    found = sorted(code for text in texts for code in _CODE.findall(text))
    return [code for code in found if code.startswith(incomplete)]
