"""What an audit knows of an imported attempt: maybe no environment, and files only events show."""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from auditor import engine
from auditor.code.others import kind_of
from auditor.code.program import entries
from auditor.evidence import code, files
from auditor.evidence.book import Book
from auditor.evidence.places import HOMES, SOLUTION
from auditor.models import Check, Finding, How, Scope, Site, VerdictName
from auditor.registry import COMMON, RuleSet
from auditor.rule import CodeRule, TrailRule
from auditor.tree import is_test
from auditor.unit import Unit
from auditor.verdict import Decision, worst
from harness import objects, snapshot
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.models import Attempt, Entry, EnvironmentFacts, ProfileFacts, WorkspaceFacts

ROOT = Path(tempfile.gettempdir(), "no-environment-at-all", COMMON)
"""Where the files of an unknown environment would lie: nowhere."""
TRANSCRIPTS = ("inspect", "vivaria")
"""Formats that hold no workspace but what their events show."""


def is_unknown(attempt: Attempt) -> bool:
    """Returns whether nobody could tell at which environment an attempt was made."""
    return attempt.imported is not None and attempt.environment == COMMON


def environment_of(attempt: Attempt, find: Callable[[Attempt], Environment]) -> Environment:
    """Returns the environment of an attempt, which may be an unknown one where it was imported."""
    return unknown(attempt) if is_unknown(attempt) else find(attempt)


def is_transcript(attempt: Attempt) -> bool:
    """Returns whether an attempt's workspace is known from its events alone."""
    return attempt.imported is not None and attempt.imported.format in TRANSCRIPTS


def unknown(attempt: Attempt) -> Environment:
    """Returns an environment of which nothing is known but which scores are better."""
    told = attempt.imported
    settings = ProfileFacts(budget_s=0, run_limit_s=0, threads=1, hardware="unknown")
    direction = told.direction if told is not None else None
    facts = EnvironmentFacts(
        title="an unknown task",
        kind="program",
        metric="",
        direction=direction or "higher",
        workspace=_anything(()),
        profile={attempt.profile: settings},
    )
    return Environment(ROOT, facts)


def facts_of(environment: Environment, folder: AttemptFolder, commit: str) -> EnvironmentFacts:
    """Returns the facts of an unknown environment for a snapshot, any file of which may run."""
    names = [entry.path for entry in snapshot.manifest(folder, commit).entries]
    return environment.facts.model_copy(update={"workspace": _anything(names)})


def unmeasured(decision: Decision) -> Decision:
    """Returns a decision about claims: nobody has measured them, so nothing of it is clean."""

    def least(verdict: VerdictName) -> VerdictName:
        return worst([verdict, VerdictName.INCONCLUSIVE])

    entries = tuple(
        entry.model_copy(update={"verdict": least(entry.verdict)}) for entry in decision.entries
    )
    return replace(
        decision, verdict=least(decision.verdict), entries=entries, vetted=None,
        gaps=tuple(few(decision.gaps)),
    )  # fmt: skip


def few(gaps: Iterable[str]) -> Iterator[str]:
    """Yields gaps; of those about single entries the first entry's, and how many have them too."""
    seen: dict[str, int] = {}
    for gap in gaps:
        general = re.sub(r"\bentry \d+\b", "entry", gap)
        seen[general] = seen.get(general, 0) + 1
        if seen[general] == 1:
            yield gap
    more = max(seen.values(), default=1) - 1
    if more:
        yield f"so it is with other entries (up to {more})"


class Written:
    """The files that a transcript shows being written, for the rules about code."""

    def __init__(self, environment: Environment, found: Mapping[str, tuple[str, int]]) -> None:
        self._environment = environment
        self._known = environment.root != ROOT
        entries = environment.facts.workspace.entrypoints
        self._entries = {entry.partition(":")[0] for entry in entries}
        self._files = {self._place(path): made for path, made in found.items()}

    def checks(self, rules: RuleSet, book: Book) -> list[Check]:
        """Applies the rules about code to the files as they were last written."""
        if not self._files:
            return []
        texts = {path: text for path, (text, _) in self._files.items()}
        facts = self._environment.facts
        if not self._known:
            facts = facts.model_copy(update={"workspace": _anything(texts)})
        now = {path: Entry(path=path, type="file", mode=0o644) for path in texts}
        first = len(book.all())
        forms = {
            path: kind_of(path, text.encode("utf-8", "surrogatepass"))
            for path, text in texts.items()
        }
        files.note(book, {}, now, sorted(now), texts, forms, facts, None, "")
        sources = code.compare(book, texts, {}, facts, None, "")
        code.note_hidden(book, code.hidden(sources, entries(facts)), None, "")
        unit = Unit(
            entry=None,
            evidence=book.all()[first:],
            sources=sources,
            thresholds=rules.thresholds,
            facts=facts if self._known else None,
        )
        return [
            check.model_copy(update={"findings": tuple(map(self._cited, check.findings))})
            for check in _checked(rules, unit)
        ]

    def _cited(self, finding: Finding) -> Finding:
        """Cites the event that wrote a file beside the file; both are what an import claims."""
        paths = dict.fromkeys(site.path for site in finding.sites if site.path in self._files)
        events = [Site(event=self._files[path][1]) for path in paths if path is not None]
        cited = (*finding.sites, *events)
        return finding.model_copy(update={"sites": cited, "how": How.CLAIMED})

    def _place(self, path: str) -> str:
        """Where in a workspace a file lies, as far as its path tells."""
        for home in HOMES:
            path = path.removeprefix(f"{home}/")
        path = path.strip("/").removeprefix("../") or "file"
        inner = f"{SOLUTION}/{path}"
        return inner if path not in self._entries and inner in self._entries else path


def workspace_checks(
    rules: RuleSet, book: Book, folder: AttemptFolder, environment: Environment
) -> list[Check]:
    """Applies the rules about code and files to an attempt without a score, as it was imported."""
    known = environment.root != ROOT
    commit = objects.ref(folder.history, objects.BRANCH)
    if commit is None:
        return []
    facts = environment.facts if known else facts_of(environment, folder, commit)
    first = len(book.all())
    files.collect(book, folder, facts, None, commit)
    sources = code.collect(book, folder, facts, None, commit)
    evidence = book.all()[first:]
    unit = Unit(None, evidence, sources, rules.thresholds, facts if known else None)
    return _checked(rules, unit)


def _checked(rules: RuleSet, unit: Unit) -> list[Check]:
    """Applies what is about an entry's code and files to an attempt as a whole."""
    return [
        engine.check_one(rule, unit)
        for rule in rules
        if rule.scope is Scope.ENTRY and isinstance(rule, CodeRule | TrailRule)
    ]


def _anything(names: Iterable[str]) -> WorkspaceFacts:
    """Which paths belong to whom where nobody knows: whatever is no test may run."""
    entries = sorted(name for name in names if not is_test(name))
    return WorkspaceFacts(editable=("*",), protected=(), outputs=(), entrypoints=tuple(entries))
