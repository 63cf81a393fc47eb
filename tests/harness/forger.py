"""What a forger without the harness's key can do to the files of an attempt."""

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

from harness import chain
from harness.attempt import AttemptFolder
from harness.files import canonical_json
from harness.journal import LogName
from tests.harness import logbook

Fields = dict[str, Any]
Lines = list[Fields]
Forge = Callable[[AttemptFolder], object]


def lines(folder: AttemptFolder, log: LogName) -> Lines:
    return [json.loads(text) for text in (folder.root / f"{log}.jsonl").read_bytes().splitlines()]


def write(folder: AttemptFolder, log: LogName, found: Lines) -> None:
    text = b"".join(canonical_json(fields) + b"\n" for fields in found)
    (folder.root / f"{log}.jsonl").write_bytes(text)


def rehashed(found: Lines) -> Lines:
    return [fields | {"hash": chain.digest(fields)} for fields in found]


def rechained(found: Lines) -> Lines:
    """Makes a whole chain again, as anybody can."""
    prev, made = chain.ZERO, []
    for index, fields in enumerate(found):
        made += rehashed([fields | {"index": index, "prev": prev}])
        prev = made[-1]["hash"]
    return made


def as_they_are(found: Lines) -> Lines:
    return found


def edit(
    log: LogName, change: Callable[[Lines], object], then: Callable[[Lines], Lines] = as_they_are
) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        found = lines(folder, log)
        change(found)
        write(folder, log, then(found))

    return forge


def rewrite(name: str, **changes: object) -> Forge:
    """Changes fields of a file that is one JSON object."""

    def forge(folder: AttemptFolder) -> None:
        path = folder.root / name
        path.write_bytes(canonical_json(json.loads(path.read_bytes()) | changes) + b"\n")

    return forge


def replace_bytes(name: str, change: Callable[[bytes], bytes]) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        path = folder.root / name
        path.write_bytes(change(path.read_bytes()))

    return forge


def remove(*names: str) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        for name in names:
            (folder.root / name).unlink()

    return forge


def folder_in_place_of(name: str) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        (folder.root / name).unlink()
        (folder.root / name).mkdir()

    return forge


def pipe_in_place_of(name: str) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        (folder.root / name).unlink()
        os.mkfifo(folder.root / name)

    return forge


def exchange(one: str, other: str) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        first, second = folder.root / one, folder.root / other
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(kept)

    return forge


def take_from_another_attempt(*names: str) -> Forge:
    """Another attempt that this very host has signed."""

    def forge(folder: AttemptFolder) -> None:
        other = logbook.begin(folder.root.with_name("other"), run_id="f" * 16)
        for value in logbook.SCORES:
            logbook.score(other, value and value / 2)
        for name in names:
            shutil.copy(other.root / name, folder.root / name)

    return forge


def keep_older(*names: str, then: Forge) -> Forge:
    """Lets the attempt go on, then puts older files back."""

    def forge(folder: AttemptFolder) -> None:
        old = {name: (folder.root / name).read_bytes() for name in names}
        then(folder)
        for name, text in old.items():
            (folder.root / name).write_bytes(text)

    return forge


def in_turn(*steps: Forge) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        for step in steps:
            step(folder)

    return forge


def score_once(folder: AttemptFolder) -> object:
    return logbook.score(folder, 9.0)


def hide_once(folder: AttemptFolder) -> object:
    return logbook.hide(folder, 3)


def follow(folder: AttemptFolder, log: LogName = "scores", score: float = 0.1) -> Lines:
    """The log with one line more, which chains but which nobody has signed."""
    found = lines(folder, log)
    return rechained([*found, found[-1] | {"score": score}])


def append_unsigned(log: LogName, times: int = 1) -> Forge:
    def forge(folder: AttemptFolder) -> None:
        for _ in range(times):
            write(folder, log, follow(folder, log))

    return forge


def seal_by_hand(folder: AttemptFolder) -> None:
    """Names the forged last line in the head, whose signature is then for another line."""
    found = lines(folder, "scores")
    rewrite("scores.head.json", index=len(found) - 1, hash=found[-1]["hash"])(folder)


def sign_with_another_key(log: LogName) -> Forge:
    """Makes a head that is right in all but the key."""

    def forge(folder: AttemptFolder) -> None:
        found, before = folder.check(log), folder.head(log)
        assert before is not None
        with logbook.host(folder.root.with_name("forger")):
            head = chain.head(found.lines, before.binding).model_dump(mode="json")
        (folder.root / f"{log}.head.json").write_bytes(canonical_json(head) + b"\n")

    return forge


def append_half_a_line(folder: AttemptFolder) -> None:
    with (folder.root / "scores.jsonl").open("ab") as file:
        file.write(b'{"artifacts":{')
