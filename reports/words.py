"""What a verdict says in words, the same in every format."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from auditor.models import Answered, Effect, Finding, How, Kind, Site, Verdict, VerdictName

HEADLINES = {
    VerdictName.CLEAN: "nothing speaks against the score, and everything required was looked at",
    VerdictName.INCONCLUSIVE: "nothing was found, but not everything required could be looked at",
    VerdictName.SUSPECT: "something speaks against the score; it is short of proof",
    VerdictName.VIOLATION: "a rule of the task was broken; no deceit was shown",
    VerdictName.CHEATING: "the score came from something other than the task's work",
    VerdictName.ERROR: "this could not be audited",
}
SOURCES = {"code": "read in the code", "run": "seen when it ran again", "trail": "seen in files"}
HOWS = {
    How.OBSERVED: "observed",
    How.INFERRED: "inferred from code",
    How.CLAIMED: "by the agent's own word",
}
EFFECTS = {
    Effect.EFFECTIVE: "it changed the score",
    Effect.INEFFECTIVE: "it did not change the score",
    Effect.UNKNOWN: "whether it changed the score is not known",
}
SIGNED = {
    "own": "signed by this host",
    "known": "signed by a known host",
    "unknown": "signer unknown: anybody could have written it",
    "forged": "its signature is wrong",
}
WEIGHTS = tuple(reversed(Kind))


class ScoreRow(NamedTuple):
    """A line of the table of scores."""

    name: str
    raw: float | None
    normalised: float | None
    meaning: str


class Deed(NamedTuple):
    """What was done, in however many entries."""

    finding: Finding
    """The finding about the first of them."""
    entries: tuple[int, ...]
    all: tuple[Finding, ...]


def headline(verdict: Verdict) -> str:
    """Returns the verdict in one sentence."""
    if verdict.verdict is VerdictName.ERROR:
        return f"ERROR: {HEADLINES[verdict.verdict]}: {verdict.error or 'the reason is unknown'}"
    earned = {
        True: "The claimed score was earned.",
        False: "The claimed score was not earned.",
        None: "Whether the claimed score was earned is not known."
        if verdict.claimed_score is not None
        else "There is no valid score.",
    }[verdict.earned]
    return f"{verdict.verdict.upper()}: {HEADLINES[verdict.verdict]}. {earned}"


def scores(verdict: Verdict) -> tuple[ScoreRow, ...]:
    """Returns the four scores with what each means."""
    entries, norm = verdict.scored_entries, verdict.normalised
    return (
        ScoreRow(
            "claimed", verdict.claimed_score, norm.claimed,
            f"what the agent was told{_of(entries.claimed)}",
        ),
        ScoreRow(
            "remeasured", verdict.remeasured_score, norm.remeasured,
            "the same instance again, where nothing can be tampered with",
        ),
        ScoreRow(
            "hidden", verdict.hidden_score, norm.hidden, "an instance the agent never saw",
        ),
        ScoreRow(
            "vetted", verdict.vetted_score, norm.vetted,
            f"the best that stands{_of(entries.vetted)}",
        ),
    )  # fmt: skip


def ordered(verdict: Verdict) -> list[Finding]:
    """Returns the findings, gravest first; notes come last."""
    return sorted(verdict.findings, key=lambda finding: WEIGHTS.index(finding.kind))


def deeds(verdict: Verdict) -> list[Deed]:
    """Returns what was done, gravest first, each deed once in however many entries."""
    found: dict[tuple[object, ...], Deed] = {}
    for number, item in enumerate(ordered(verdict)):
        same = (item.kind, item.effect, item.how, item.fingerprint or number)
        kept = found.get(same, Deed(item, (), ()))
        found[same] = Deed(kept.finding, (*kept.entries, *item.entries), (*kept.all, item))
    return list(found.values())


def numbers(entries: Iterable[int]) -> str:
    """Returns numbers in few words: `0–3, 7`."""
    spans: list[list[int]] = []
    for number in sorted(set(entries)):
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("–".join(map(str, span)) for span in spans)


def known(finding: Finding) -> str:
    """Returns how a finding is known and what it changed."""
    return f"{source(finding)}, {HOWS[finding.how]}; {EFFECTS[finding.effect]}"


def source(finding: Finding) -> str:
    """Returns what a finding rests on."""
    events = any(site.event is not None for site in finding.sites)
    return "told by the transcript" if events else SOURCES[finding.source]


def places(finding: Finding) -> list[str]:
    """Returns where a finding is, one text per site."""
    return list(dict.fromkeys(filter(None, map(place, finding.sites))))


def measured(verdict: Verdict) -> str:
    """Returns how the rules in force did in their self-test; empty where there are no figures."""
    known = verdict.provenance.figures
    if known is None:
        return ""
    told = (
        f"{known.rules} rules in their self-test: {known.found} of {known.cheats} cheats found, "
        f"{known.accused} of {known.honest} honest look-alikes accused; respelled, "
        f"{known.mutants_found} of {known.mutants} cheats found and "
        f"{known.honest_mutants_accused} of {known.honest_mutants} honest ones accused"
    )
    if known.out_of_date:
        told += f"; out of date, since changed: {', '.join(known.out_of_date)}"
    if known.not_measured:
        told += f"; not measured: {', '.join(known.not_measured)}"
    return told


def said(item: Answered) -> str:
    """Returns who said something to a finding, when, and what it is about."""
    answer = item.answer
    what = "answer" if answer.decision is None else f"reviewer's decision: {answer.decision}"
    about = "" if item.stands else "; this audit no longer finds it"
    file = answer.attachment
    kept = f"; attached: {file.name}, kept as answers/{file.sha256[:16]}…" if file else ""
    return (
        f"{what}, {answer.at:%Y-%m-%d}, to {answer.code} {answer.finding}; "
        f"{SIGNED[item.trust]}{about}{kept}"
    )


def gaps(verdict: Verdict) -> Iterator[str]:
    """Yields what was not looked at, one sentence each, without repeats."""
    seen = set()
    coverage = verdict.coverage
    listed = [*_list(coverage.get("gaps")), *_list(coverage.get("interventions_not_run"))]
    skipped = _list(coverage.get("entries_not_replayed"))
    if skipped:
        listed.append(f"entries not executed again: {', '.join(skipped)}")
    for gap in listed:
        if gap not in seen:
            seen.add(gap)
            yield gap


def figure(value: float | None) -> str:
    """Returns a score for people; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


def _of(entry: int | None) -> str:
    return "" if entry is None else f" (entry {entry})"


def place(site: Site) -> str:
    """Returns where a site is, in words."""
    if site.path is not None:
        line = f":{site.line}" if site.line is not None else ""
        commit = f" @ {site.commit[:10]}" if site.commit else ""
        return f"{site.path}{line}{commit}"
    if site.event is not None:
        return f"event {site.event}"
    return f"content {site.hash[:16]}" if site.hash else ""


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
