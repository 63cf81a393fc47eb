"""No change of a signed log passes: it is forged, or nobody vouches for it and a gap says so."""

import shutil
from pathlib import Path

import pytest

from harness import chain
from harness.attempt import LOGS, AttemptFolder
from harness.errors import HarnessError, LogForged
from harness.files import canonical_json
from harness.journal import LogName
from harness.verify import verify
from tests.harness import logbook
from tests.harness.forger import (
    Forge,
    append_half_a_line,
    append_unsigned,
    edit,
    exchange,
    folder_in_place_of,
    follow,
    hide_once,
    in_turn,
    keep_older,
    pipe_in_place_of,
    rechained,
    rehashed,
    remove,
    replace_bytes,
    rewrite,
    score_once,
    seal_by_hand,
    sign_with_another_key,
    take_from_another_attempt,
)


@pytest.fixture
def attempt(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> AttemptFolder:
    return logbook.copy(logbook.original(tmp_path_factory.getbasetemp()), tmp_path)


BETTER = {"score": 0.1}
LOG_FILES = ("scores.jsonl", "scores.head.json", "hidden.jsonl", "hidden.head.json")
FORGERIES: dict[str, Forge] = {
    "a score edited": edit("scores", lambda at: at[1].update(BETTER)),
    "a score edited, its hash too": edit("scores", lambda at: at[1].update(BETTER), rehashed),
    "a score edited, the chain too": edit("scores", lambda at: at[1].update(BETTER), rechained),
    "the last score edited, its hash too": edit(
        "scores", lambda at: at[-1].update(BETTER), rehashed
    ),
    "a score edited, the head too": in_turn(
        edit("scores", lambda at: at[-1].update(BETTER), rechained), seal_by_hand
    ),
    "an invalid score made valid": edit("scores", lambda at: at[2].update(BETTER), rechained),
    "a commit edited": edit("scores", lambda at: at[1].update(commit=at[0]["commit"]), rechained),
    "details edited": edit("scores", lambda at: at[1].update(details={"a": 1}), rechained),
    "times edited": edit("scores", lambda at: at[3].update(elapsed_s=2.5), rechained),
    "a time before the line before": edit("scores", lambda at: at[3].update(elapsed_s=0), rehashed),
    "artefacts edited": edit("scores", lambda at: at[1]["artifacts"].clear(), rechained),
    "the first line cut": edit("scores", lambda at: at.pop(0)),
    "the first line cut, the chain too": edit("scores", lambda at: at.pop(0), rechained),
    "a middle line cut": edit("scores", lambda at: at.pop(1)),
    "a middle line cut, the chain too": edit("scores", lambda at: at.pop(1), rechained),
    "the last line cut": edit("scores", lambda at: at.pop()),
    "the last line cut, the head too": in_turn(edit("scores", lambda at: at.pop()), seal_by_hand),
    "two last lines cut": edit("scores", lambda at: at.__delitem__(slice(-2, None))),
    "all lines cut": edit("scores", lambda at: at.clear()),
    "lines reordered": edit("scores", lambda at: at.reverse()),
    "lines reordered, the chain too": edit("scores", lambda at: at.reverse(), rechained),
    "a line doubled": edit("scores", lambda at: at.insert(1, at[1])),
    "a line inserted, the chain too": edit("scores", lambda at: at.insert(1, at[3]), rechained),
    "a line of another attempt": take_from_another_attempt("scores.jsonl"),
    "a log of another attempt": take_from_another_attempt("scores.jsonl", "scores.head.json"),
    "all logs of another attempt": take_from_another_attempt(*LOG_FILES),
    "two lines added": append_unsigned("scores", 2),
    "three sealed scores added": append_unsigned("hidden", 3),
    "a line added, named in the head": in_turn(append_unsigned("scores"), seal_by_hand),
    "the score log removed": remove("scores.jsonl"),
    "the score log and its head removed": remove("scores.jsonl", "scores.head.json"),
    "both logs and heads removed": remove(*LOG_FILES),
    "a sealed score edited": edit("hidden", lambda at: at[0].update(BETTER)),
    "a sealed score edited, the chain too": edit(
        "hidden", lambda at: at[0].update(BETTER), rechained
    ),
    "a sealed score given to another entry": edit(
        "hidden", lambda at: at[0].update(entry=3), rechained
    ),
    "a sealed score given to another split": edit(
        "hidden", lambda at: at[0].update(split="validation"), rechained
    ),
    "a sealed score cut": edit("hidden", lambda at: at.pop()),
    "the sealed scores removed": remove("hidden.jsonl"),
    "the sealed scores and their head removed": remove("hidden.jsonl", "hidden.head.json"),
    "the logs exchanged": exchange("scores.jsonl", "hidden.jsonl"),
    "the heads exchanged": exchange("scores.head.json", "hidden.head.json"),
    "the seed edited": rewrite("attempt.json", seed=2),
    "the measured start edited": rewrite("attempt.json", measured={"start_score": 9.0}),
    "the start edited": rewrite("attempt.json", start="2025-01-01T00:00:00Z"),
    "the end edited": rewrite("attempt.json", end="2027-01-01T00:00:00Z"),
    "the environment's hash edited": rewrite("attempt.json", environment_sha256="0" * 64),
    "the profile edited": rewrite("attempt.json", profile="full"),
    "the id edited": rewrite("attempt.json", run_id="1" * 16),
    "the nonce edited": rewrite("attempt.json", nonce="1" * 32),
    "the key edited": rewrite("attempt.json", public_key="1" * 64),
    "the key no key": rewrite("attempt.json", public_key="\x1b[2J"),
    "a blank in attempt.json": replace_bytes("attempt.json", lambda text: text + b" "),
    "attempt.json of another attempt": take_from_another_attempt("attempt.json"),
    "the head removed": remove("scores.head.json"),
    "the hidden head removed": remove("hidden.head.json"),
    "the head emptied": replace_bytes("scores.head.json", lambda _: b""),
    "a folder for a head": folder_in_place_of("scores.head.json"),
    "a pipe for a head": pipe_in_place_of("scores.head.json"),
    "a pipe for a log": pipe_in_place_of("scores.jsonl"),
    "a head that goes on for ever": replace_bytes(
        "scores.head.json", lambda at: at + b" " * (1 << 21)
    ),
    "a head of another attempt": take_from_another_attempt("scores.head.json"),
    "a head that names fewer lines": rewrite("scores.head.json", index=2),
    "a head that names none": rewrite("scores.head.json", index=-1, hash=chain.ZERO),
    "a head that names less than none": rewrite("scores.head.json", index=-9),
    "a head that names more lines": rewrite("scores.head.json", index=9),
    "a head without a signature": rewrite("scores.head.json", signature=""),
    "a head with a made-up signature": rewrite("scores.head.json", signature="00" * 64),
    "a head that binds nothing": rewrite("scores.head.json", binding={}),
    "a head with another key": rewrite("scores.head.json", public_key="0" * 64),
    "a head that another key has signed": sign_with_another_key("scores"),
    "a hidden head that another key has signed": sign_with_another_key("hidden"),
    "a score edited, and signed with another key": in_turn(
        edit("scores", lambda at: at[1].update(BETTER), rechained), sign_with_another_key("scores")
    ),
    "a line added, and signed with another key": in_turn(
        append_unsigned("scores"), sign_with_another_key("scores")
    ),
    "the last line's end cut off": replace_bytes("scores.jsonl", lambda text: text[:-1]),
    "sealed scores older than the score that followed them": keep_older(
        "hidden.jsonl", "hidden.head.json", then=in_turn(hide_once, score_once)
    ),
    "a hidden head older than the score that followed it": keep_older(
        "hidden.head.json", then=in_turn(hide_once, score_once)
    ),
    "scores older than the sealed score that followed them": keep_older(
        "scores.jsonl", "scores.head.json", then=in_turn(score_once, hide_once)
    ),
    "a score unsealed that a sealed one followed": keep_older(
        "scores.head.json", then=in_turn(score_once, hide_once)
    ),
}
ROLLBACKS: dict[str, Forge] = {
    "the last score": keep_older(*LOG_FILES, then=score_once),
    "the last sealed score": keep_older(*LOG_FILES, then=hide_once),
    "several lines of both logs": keep_older(
        *LOG_FILES, then=in_turn(score_once, hide_once, score_once)
    ),
    "the last score, and half a line left": in_turn(
        keep_older(*LOG_FILES, then=score_once), append_half_a_line
    ),
    "the last score, and another left in its place": in_turn(
        keep_older(*LOG_FILES, then=score_once), append_unsigned("scores")
    ),
    "the last sealed score, and a score left unsealed": in_turn(
        keep_older(*LOG_FILES, then=hide_once), append_unsigned("scores")
    ),
    "the last sealed score, and half a score left": in_turn(
        keep_older(*LOG_FILES, then=hide_once), append_half_a_line
    ),
}
EVERY = FORGERIES | ROLLBACKS


@pytest.mark.parametrize("forge", EVERY.values(), ids=EVERY)
def test_a_host_that_made_the_attempt_finds(attempt: AttemptFolder, forge: Forge) -> None:
    forge(attempt)
    found = verify(attempt.root)
    assert found.status == "forged"
    assert found.problems


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_any_other_host_finds(attempt: AttemptFolder, forge: Forge) -> None:
    forge(attempt)
    assert logbook.seen_elsewhere(attempt).status == "forged"
    assert logbook.seen_without_journal(attempt).status == "forged"


@pytest.mark.parametrize("forge", ROLLBACKS.values(), ids=ROLLBACKS)
def test_a_host_without_the_journal_does_not_exclude_a_rollback_of(
    attempt: AttemptFolder, forge: Forge
) -> None:
    forge(attempt)
    for found in (logbook.seen_elsewhere(attempt), logbook.seen_without_journal(attempt)):
        assert found.status == "intact"
        assert [gap for gap in found.gaps if gap.startswith("rollback of scores.jsonl")]
        assert [gap for gap in found.gaps if gap.startswith("rollback of hidden.jsonl")]


@pytest.mark.parametrize("forge", EVERY.values(), ids=EVERY)
def test_the_harness_signs_nothing_on_top_of(attempt: AttemptFolder, forge: Forge) -> None:
    forge(attempt)
    paths = [path for log in LOGS for path in attempt.root.glob(f"{log}.*") if path.is_file()]
    before = {path: path.read_bytes() for path in paths}
    for add in (score_once, hide_once):
        with pytest.raises(HarnessError):
            add(attempt)
    assert {path: path.read_bytes() for path in paths} == before


def test_every_byte_that_is_signed_counts(attempt: AttemptFolder) -> None:
    for name in ("attempt.json", *LOG_FILES):
        path = attempt.root / name
        text = path.read_bytes()
        for at in range(0, len(text), 1 + len(text) // 40):
            path.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
            assert verify(attempt.root).status != "intact", f"{name}, byte {at}"
        path.write_bytes(text)
    logbook.assert_vouched_for(attempt.root)


# What nobody has signed does not count


@pytest.mark.parametrize("log", LOGS)
def test_a_line_that_anybody_could_have_added_does_not_count(
    attempt: AttemptFolder, log: LogName
) -> None:
    append_unsigned(log)(attempt)
    found = verify(attempt.root)
    assert (found.status, len(found.unsealed)) == ("intact", 1)
    assert "was never sealed" in found.unsealed[0]
    read = attempt.scores() if log == "scores" else attempt.hidden()
    log_read = attempt.score_log() if log == "scores" else attempt.hidden_log()
    assert log_read.lines == read
    assert 0.1 not in [line.score for line in read]


@pytest.mark.parametrize("log", LOGS)
def test_it_is_set_aside_by_the_next_run(attempt: AttemptFolder, log: LogName) -> None:
    added = follow(attempt, log)[-1]
    append_unsigned(log)(attempt)
    line = score_once(attempt) if log == "scores" else hide_once(attempt)
    kept = attempt.scores() if log == "scores" else attempt.hidden()
    assert kept[-1] == line
    aside = (attempt.root / f"{log}.unsealed.jsonl").read_bytes()
    assert aside == canonical_json(added) + b"\n"
    logbook.assert_vouched_for(attempt.root)


# Rollback to the beginning, and forks


def test_an_attempt_set_back_to_its_beginning_is_found(tmp_path: Path) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    forge = keep_older(*LOG_FILES, then=score_once)
    forge(folder)
    assert verify(folder.root).status == "forged"


def test_an_attempt_without_entries_is_its_own_beginning(tmp_path: Path) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    logbook.assert_vouched_for(folder.root)
    assert len(logbook.seen_elsewhere(folder).gaps) == 3


def test_of_two_copies_only_one_can_go_on(attempt: AttemptFolder) -> None:
    copy = AttemptFolder(Path(shutil.copytree(attempt.root, attempt.root.with_name("copy"))))
    score_once(attempt)
    with pytest.raises(LogForged, match="rolled back"):
        logbook.score(copy, 0.5)
    logbook.assert_vouched_for(attempt.root)
    assert verify(copy.root).status == "forged"


@pytest.mark.parametrize("further", [0, 1, 2])
def test_a_copy_that_was_scored_behind_the_journal_is_found(
    attempt: AttemptFolder, harness_home: Path, further: int
) -> None:
    """A second journal, from before the fork, lets the copy go on; the first tells them apart."""
    copy = AttemptFolder(Path(shutil.copytree(attempt.root, attempt.root.with_name("copy"))))
    behind = Path(shutil.copytree(harness_home, harness_home.with_name("behind")))
    score_once(attempt)
    with logbook.host(behind):
        for value in range(1 + further):
            logbook.score(copy, value / 10)
    assert verify(copy.root).status == "forged"
    logbook.assert_vouched_for(attempt.root)
