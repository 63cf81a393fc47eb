"""Audits what no harness of ours made: a folder, a repository, a file. Nothing in it is executed.

The whole tree is one unit, to which every rule is applied. There is no score, so there is nothing
to earn: the verdict rests on what was found, and says what could not be looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from auditor import engine, imported, parts, registry, tree
from auditor.audit import Audit
from auditor.evidence import code, files, history, weights
from auditor.evidence.book import Book
from auditor.imported import few
from auditor.models import Check, Finding, How, Scope, ScoredEntries, Verdict, VerdictName
from auditor.parts import Part, Reader, Reading
from auditor.passages import Passages
from auditor.rule import CodeRule
from auditor.settle import settle
from auditor.summary import unscored
from auditor.tree import Tree, is_test
from auditor.unit import Unit
from auditor.verdict import Decision, Examined, decide, worst
from harness.environment import Environment
from harness.errors import HarnessError
from harness.importing import score_log
from harness.importing.home import find_log
from harness.importing.run import Row
from harness.models import EnvironmentFacts, WorkspaceFacts, matches

NAMED = 20
"""Paths that a gap lists; the others are counted."""
NO_LOG = "there is no score log: nothing was claimed, and nothing was measured"
CLAIMS = "the score log is the word of whoever handed it over: nobody has measured these scores"
NOTHING_RAN = "nothing was executed"
NO_START = "no start was given: every file counts as added"


class PlainAuditor:
    """Audits trees one after another by the same rules, each against the same start."""

    def __init__(
        self,
        rules_root: Path,
        environment: Environment | None = None,
        start: Path | None = None,
        *,
        processes: bool = False,
    ) -> None:
        """Loads the rules.

        Args:
            rules_root: the folder that holds `common/` and a folder per environment.
            environment: whose rules and facts apply; None for the common rules alone.
            start: what the agent was given; everything counts as added when None.
            processes: whether parts of a large tree may be read by processes of their own.
        """
        self._environment = environment
        self._processes = processes
        self._rules_root = rules_root
        self._rules = registry.of(rules_root, environment)
        self._start_path = start

    def audit(self, path: Path) -> Audit:
        """Audits the folder or file in `path`; nothing in it is changed.

        Raises:
            UsageError: it cannot be read at all.
        """
        now = tree.read(path)
        spread = self._processes and self._is_unknown(now) and len(now.texts) > parts.WHOLE
        with parts.reading(self._reader, spread=spread) as reading:
            return self._audit(path, now, reading)

    def _audit(self, path: Path, now: Tree, reading: Reading) -> Audit:
        before = self._before(now)
        changed = files.differing(before.entries, now.entries)
        facts = self._facts(now, changed)
        book = Book()
        _note(book, now)
        claims = Claims.beside(path)
        claims.note(book)
        unread = history.collect_plain(book, path, now, self._environment)
        files.note(
            book, before.entries, now.entries, changed, now.texts.keys(), now.forms, facts, None, ""
        )
        sources = code.compare(book, now.texts, before.texts, facts, None, "")
        weights.of_tree(book, path, now, before, facts, self._environment, self._start_path)
        pieces = parts.parts(sources, book.all(), whole=not self._is_unknown(now))
        read = reading(pieces)
        checks = [*read.checks, *self._others(book)]
        code.note_hidden(book, read.hidden, None, "")
        places = Passages({None: sources})
        findings = places.named(self._settled(now, checks))
        places.note(book, findings)
        left = [*_gaps(now, read.broken, unread), *_cut(pieces)]
        whole = now.whole and all(map(is_test, read.broken))  # a newer Python may well run it
        verdict = self._verdict(path, now, checks, findings, claims, left, whole=whole)
        return Audit(verdict, book.all(), tuple(checks), self._rules.rules)

    @cached_property
    def _reader(self) -> Reader:
        """One for all trees: it loads the rules when it is first asked."""
        return Reader(self._rules_root, self._environment.root if self._environment else None)

    def _others(self, book: Book) -> Iterator[Check]:
        """Applies the rules that do not read code."""
        unit = Unit(
            entry=None,
            evidence=book.all(),
            thresholds=self._rules.thresholds,
            facts=self._environment.facts if self._environment else None,
        )
        for rule in self._rules:
            if rule.scope is not Scope.SET and not isinstance(rule, CodeRule):
                yield engine.check_one(rule, unit)

    @cached_property
    def _start(self) -> Tree | None:
        return None if self._start_path is None else tree.read(self._start_path)

    def _before(self, now: Tree) -> Tree:
        """What is not the agent's: the start, or what the task protects where there is none."""
        start = self._start
        if start is None:
            given = self._protected()
            return now.only({name for name in now.entries if matches(name, given)})
        return _renamed(start, next(iter(now.entries))) if now.single and start.single else start

    def _protected(self) -> tuple[str, ...]:
        if self._environment is None:
            return ()
        rules = self._environment.facts.workspace
        return (*rules.protected, *rules.answers)

    def _facts(self, now: Tree, changed: Sequence[str]) -> EnvironmentFacts:
        if self._environment is not None:
            return self._environment.facts
        return _anywhere(
            name for name in changed if name in now.texts and (now.single or not is_test(name))
        )

    def _settled(self, now: Tree, checks: Sequence[Check]) -> list[Finding]:
        raw = [finding for check in checks for finding in check.findings]
        return settle(map(_without_flow, raw) if self._is_unknown(now) else raw, [])

    def _is_unknown(self, now: Tree) -> bool:
        """Whether nobody knows what of a tree is called."""
        return self._environment is None and not now.single

    def _verdict(
        self,
        path: Path,
        now: Tree,
        checks: Sequence[Check],
        findings: Sequence[Finding],
        claims: "Claims",
        left: Sequence[str],
        *,
        whole: bool,
    ) -> Verdict:
        required = {code: Scope.ATTEMPT for code in self._rules.required}  # the tree is one unit
        facts = self._environment.facts if self._environment else None
        decision = decide(
            claims.entries(), findings, checks, required=required,
            direction=facts.direction if facts else "higher",
            aggregate=facts.aggregate if facts else "best",
        )  # fmt: skip
        read = VerdictName.CLEAN if whole else VerdictName.INCONCLUSIVE
        gaps = [
            *few(decision.gaps),
            *claims.gaps(),
            NOTHING_RAN,
            *self._unknown(self._is_unknown(now)),
            *left,
        ]
        verdict = unscored(
            path,
            worst([decision.verdict, read]),
            environment=self._environment.name if self._environment else registry.COMMON,
            findings=findings,
            checks=checks,
            coverage={
                "replay": "never",
                "entries_replayed": [],
                "entries_not_replayed": [],
                "interventions_not_run": [],
                "environment_changed": False,
                "gaps": list(gaps),
            },
            rules_sha256=self._rules.sha256,
            environment_sha256=self._environment.sha256 if self._environment else "",
            sandbox="not used: nothing was executed",
            rules=self._rules,
        )
        return claims.told(verdict, decision, known=facts is not None)

    def _unknown(self, no_entry_point: bool) -> Iterator[str]:
        if self._start_path is None:
            protected = "; what the task protects is taken as it was given"
            yield NO_START + (protected if self._environment else "")
        if no_entry_point:
            yield (
                "no entry point is known: every file but tests is taken to run, "
                "and what is read in code remains a suspicion"
            )


@dataclass(frozen=True)
class Claims:
    """What METR's score log in a home, or beside it, says that the agent was told."""

    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()

    @classmethod
    def beside(cls, path: Path) -> "Claims":
        """Returns the claims of a folder; none where there is no log."""
        log = find_log(path) if path.is_dir() else None
        if log is None:
            return cls()
        try:
            rows, problems = score_log.read(log)
        except HarnessError as error:
            return cls(problems=(f"the score log could not be read: {error}",))
        return cls(rows, problems)

    def note(self, book: Book) -> None:
        """Notes what is claimed, as a claim."""
        for index, row in enumerate(self.rows[: files.CAP]):
            book.add(
                "score_claimed",
                {
                    "index": index, "score": row.score, "message": dict(row.message),
                    "scored_at": row.at.isoformat() if row.at else None,
                },
                stage="scores",
                how=How.CLAIMED,
            )  # fmt: skip

    def entries(self) -> list[Examined]:
        """Returns the claims as entries that nobody has measured."""
        return [Examined(index=index, score=row.score) for index, row in enumerate(self.rows)]

    def gaps(self) -> tuple[str, ...]:
        """Returns what these claims leave open, or that there are none."""
        return (CLAIMS if self.rows else NO_LOG, *self.problems)

    def told(self, verdict: Verdict, decision: Decision, *, known: bool) -> Verdict:
        """Returns a verdict with the claims in it; nobody knows which is best without a task."""
        if not self.rows:
            return verdict
        claimed = decision.claimed if known else None
        last = len(self.rows) - 1  # what is found is of the end, and says nothing of what was then
        entries = tuple(
            entry if entry.index == last
            else entry.model_copy(update={"verdict": VerdictName.INCONCLUSIVE})
            for entry in imported.unmeasured(decision).entries
        )  # fmt: skip
        score = None if claimed is None else self.rows[claimed].score
        scored = ScoredEntries(claimed=claimed, vetted=None)
        return verdict.model_copy(
            update={"entries": entries, "claimed_score": score, "scored_entries": scored}
        )


def _anywhere(entrypoints: Iterable[str]) -> EnvironmentFacts:
    """The facts of a place of which nothing is known but what may run."""
    return EnvironmentFacts(
        title="any folder",
        kind="program",
        metric="",
        direction="higher",
        workspace=WorkspaceFacts(
            editable=("*",), protected=(), outputs=(), entrypoints=tuple(entrypoints)
        ),
        profile={},
    )


def _without_flow(finding: Finding) -> Finding:
    """Nobody knows what is called here, so no path to a score was followed."""
    return finding.model_copy(update={"flow": False})


def _renamed(start: Tree, name: str) -> Tree:
    """A file is compared with a file, whatever the two are called."""
    (entry,) = start.entries.values()
    texts = dict(zip([name], start.texts.values(), strict=False))
    return replace(start, entries={name: entry.model_copy(update={"path": name})}, texts=texts)


def _note(book: Book, read: Tree) -> None:
    book.add(
        "tree_read",
        {
            "entries": len(read.entries),
            "texts": len(read.texts),
            "repositories": list(read.repositories[: files.CAP]),
            "special": list(read.special[: files.CAP]),
            "large_texts": list(read.large[: files.CAP]),
            "not_read": list(read.unread[: files.CAP]),
            "code_not_read": list(read.beyond[: files.CAP]),
            "uncounted": read.uncounted,
        },
        stage="files",
    )


def _cut(pieces: Sequence[Part]) -> Iterator[str]:
    if len(pieces) > 1:
        yield (
            f"the code was read in {len(pieces)} parts of neighbouring files: "
            "what goes from one part to another was not followed"
        )


def _gaps(read: Tree, broken: Iterable[str], unread: Sequence[str]) -> Iterator[str]:
    named = (
        ("could not be read", read.unread),
        ("too large, or too many, to be read as code", read.beyond),
        ("not Python that can be parsed", sorted(broken)),
        ("texts so large that they count as data", read.large),
        ("devices, sockets or pipes, which were not opened", read.special),
        ("repositories, whose history was not read", unread),
    )
    yield from (f"{what}: {_listed(paths)}" for what, paths in named if paths)
    if read.uncounted:
        yield f"only the first {tree.ENTRIES} entries were read, {read.uncounted} more were not"


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - NAMED
    return ", ".join(paths[:NAMED]) + (f" and {more} more" if more > 0 else "")
