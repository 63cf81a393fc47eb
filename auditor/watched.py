"""What a watched run showed, as rules read it."""

from collections.abc import Collection, Iterator

from auditor.models import Evidence, Kind, Site
from auditor.unit import Unit, flag, word

MOCK = "/unittest/mock.py:"


def replaced(unit: Unit, names: Collection[str]) -> Iterator[tuple[Evidence, Kind]]:
    """Yields watched objects that were replaced in the scorer's process, and how sure that is.

    It is certain where the new code is the attempt's own, where its code did it as the witness
    looked on, and where a builtin leads to other machine code, which takes writing into Python's
    memory. What a library puts in place of its own parts is nothing. What has no place otherwise is
    a suspicion if it stayed, and a note if it was put back: libraries do that for a moment.
    """
    objects = unit.of("runtime_object")
    returned = {word(seen, "object") for seen in objects if flag(seen, "back")}
    for seen in objects:
        name = word(seen, "object")
        if not flag(seen, "scorer") or flag(seen, "back") or not _is_one(name, names):
            continue
        if flag(seen, "own") or _is_rewritten_builtin(seen):
            yield seen, Kind.CHEATING
        elif word(seen, "origin") == "workspace" or _is_a_librarys(seen):
            continue
        else:
            yield seen, Kind.NOTE if name in returned else Kind.SUSPICION


def described(seen: Evidence) -> str:
    """Returns what a replaced object is now, and where, in one phrase."""
    now = word(seen, "now") or "other machine code"
    if flag(seen, "direct"):
        return f"{now}, at {word(seen, 'at')}"
    return f"{now} of {word(seen, 'place')}" if word(seen, "place") else now


def site(place: str) -> Site:
    """Returns a `path:line` as a site."""
    path, _, line = place.rpartition(":")
    return Site(path=path, line=int(line) if line.isdigit() else None)


def unproved(unit: Unit) -> str:
    """Returns why silence proves nothing; empty where the score was reproduced as well.

    The inside of a run can be silenced by what runs there, so that it says nothing clears nobody.
    """
    for gap in unit.of("runtime_gap"):
        if flag(gap, "scorer"):
            return word(gap, "reason")
    measured = [seen for seen in unit.of("sealed_score") if word(seen, "split") == "validation"]
    if not any(flag(seen, "reached") for seen in measured):
        return "the score was not reproduced, and a watched process may stay silent"
    return ""


def unseen(unit: Unit) -> tuple[str, ...]:
    """Returns the files that were mapped to be executed and that nobody has read.

    They are neither the system's nor in the snapshot, and no compiler of the run made them.
    """
    return tuple(
        word(seen, "path")
        for seen in unit.of("runtime_mapped")
        if not flag(seen, "known") and not flag(seen, "built")
    )


def _is_one(name: str, names: Collection[str]) -> bool:
    """Returns whether a name, or what it is a part of, is among `names`."""
    parts = name.split(".")
    return any(".".join(parts[:end]) in names for end in range(1, len(parts) + 1))


def _is_rewritten_builtin(seen: Evidence) -> bool:
    return word(seen, "origin") == "memory" and not word(seen, "object").endswith("(type)")


def _is_a_librarys(seen: Evidence) -> bool:
    return word(seen, "origin") == "library" and MOCK not in word(seen, "place")
