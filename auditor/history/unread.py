"""Which repositories were not read whole: there, silence proves nothing."""

from auditor.unit import Unit, flag, items, number, word


def unread(unit: Unit) -> str:
    """Returns why nothing can be said about some repositories; empty when all were read."""
    paths = [
        word(seen, "path")
        for seen in unit.of("repository_read")
        if word(seen, "reason")
        or number(seen, "unreadable")
        or items(seen, "not_copied")
        or ("whole" in seen.data and not flag(seen, "whole"))
    ]
    return f"not read whole: {', '.join(dict.fromkeys(paths))}" if paths else ""
