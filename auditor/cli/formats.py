"""The forms that a report can have: what prints them, and the files that keep them."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.errors import UsageError
from reports import github, html, json_lines, junit, markdown, sarif, text
from reports.material import Material


class Format(NamedTuple):
    """One form of a report."""

    render: Callable[[Material], str]
    join: Callable[[Sequence[str]], str] | None = None
    """Makes one document of what was rendered; None where each stands for itself."""


def one_page(pages: Sequence[str]) -> str:
    """Returns the only page.

    Raises:
        UsageError: there are several.
    """
    if len(pages) != 1:
        raise UsageError(
            f"--format html prints one page, and there are {len(pages)} verdicts.",
            hint="Say `--output DIR`, which keeps a page of each, and another format.",
        )
    return pages[0]


FORMATS = {
    "text": Format(lambda material: text.render(material.verdict)),
    "json": Format(lambda material: json_lines.render(material.verdict)),
    "md": Format(lambda material: markdown.render(material.verdict)),
    "sarif": Format(sarif.run, sarif.join),
    "junit": Format(junit.suite, junit.join),
    "github": Format(github.render),
    "html": Format(html.render, one_page),
}
FILES = {
    "verdict.json": "json",
    "report.txt": "text",
    "report.md": "md",
    "report.sarif": "sarif",
    "report.junit.xml": "junit",
    "report.html": "html",
}
"""What is kept beside the evidence, by name."""


def written(material: Material) -> Iterator[tuple[str, str]]:
    """Yields the reports to be kept by the name of the file, the verdict itself first."""
    for name, which in FILES.items():
        form = FORMATS[which]
        part = form.render(material)
        yield name, part if form.join is None else form.join([part])
