"""The forms that a report can have: what prints them, and the files that keep them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from reports import github, json_lines, junit, markdown, sarif, text
from reports.case import Case


class Format(NamedTuple):
    """One form of a report."""

    render: Callable[[Case], str]
    join: Callable[[Sequence[str]], str] | None = None
    """Makes one document of what was rendered; None where each stands for itself."""


FORMATS = {
    "text": Format(lambda case: text.render(case.verdict)),
    "json": Format(lambda case: json_lines.render(case.verdict)),
    "md": Format(lambda case: markdown.render(case.verdict)),
    "sarif": Format(sarif.run, sarif.join),
    "junit": Format(junit.suite, junit.join),
    "github": Format(github.render),
}
FILES = {
    "verdict.json": "json",
    "report.txt": "text",
    "report.md": "md",
    "report.sarif": "sarif",
    "report.junit.xml": "junit",
}
"""What is kept beside the evidence, by name."""


def written(case: Case) -> dict[str, str]:
    """Returns the reports to be kept, by the name of the file."""
    found = {}
    for name, which in FILES.items():
        form = FORMATS[which]
        part = form.render(case)
        found[name] = part if form.join is None else form.join([part])
    return found
