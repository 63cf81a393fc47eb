"""The report for a GitHub workflow: its commands, one a line, which show at the lines they name."""

from collections.abc import Iterator
from urllib.parse import unquote

from auditor.models import Finding, Kind, Site, Verdict, VerdictName
from reports.material import Material
from reports.places import address
from reports.plain import plain
from reports.words import headline, known, ordered

SHOWN = 10
"""Annotations of one level that GitHub shows of a step; more would hide which are the gravest."""
LEVELS = {
    Kind.CHEATING: "error",
    Kind.VIOLATION: "error",
    Kind.SUSPICION: "warning",
    Kind.NOTE: "notice",
}
VERDICTS = {
    VerdictName.CLEAN: "notice",
    VerdictName.INCONCLUSIVE: "warning",
    VerdictName.SUSPECT: "warning",
}


def render(material: Material) -> str:
    """Returns a command per finding, gravest first, and one for the verdict."""
    return "\n".join(_lines(material.verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    listed = ordered(verdict)
    for level in ("error", "warning", "notice"):
        of_level = [finding for finding in listed if LEVELS[finding.kind] == level]
        for finding in of_level[: SHOWN - 1]:
            yield _annotation(level, verdict, finding)
    told = f"{verdict.attempt}: {headline(verdict)}"
    yield _command(VERDICTS.get(verdict.verdict, "error"), told, title="Was the score earned?")


def _annotation(level: str, verdict: Verdict, finding: Finding) -> str:
    site = next((site for site in finding.sites if site.path), Site())
    place = {}
    if site.path is not None:
        place["file"] = unquote(address(verdict, site.path), errors="replace")
        if site.line is not None and site.line > 0:
            place["line"] = str(site.line)
    told = f"{finding.message} ({known(finding)})"
    return _command(level, told, **place, title=f"{finding.code} {finding.rule}")


def _command(level: str, message: str, **properties: str) -> str:
    """Returns a workflow command of which nothing but its own words is obeyed."""
    named = ",".join(f"{name}={_escaped(text, ':,')}" for name, text in properties.items())
    return f"::{level} {named}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """Returns a text as GitHub reads it back: `%25` for `%`, and so on."""
    shown = plain(text)
    for character in f"%{more}":
        shown = shown.replace(character, f"%{ord(character):02X}")
    return shown
