"""The report for programs: one object per attempt, on one line, in ASCII."""

import json

from pydantic import JsonValue

from auditor.models import Verdict


def render(verdict: Verdict) -> str:
    """Returns one line of JSON, without its end."""
    data = verdict.model_dump(mode="json")
    for absent in [key for key in ("error", "answers") if not data[key]]:
        del data[absent]
    for finding in data["findings"]:
        finding["sites"] = [_known(site) for site in finding["sites"]]
    line = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    # Some CI services obey this wherever it stands in a line; `#` only occurs inside strings.
    return line.replace("##", "#\\u0023")


def _known(site: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {key: value for key, value in site.items() if value is not None}
