"""On whose word a log is believed, and what is then still open."""

import shutil
from pathlib import Path

import pytest

from auditor.cli import main
from harness import chain, journal, keys
from harness.attempt import LOGS, AttemptFolder
from harness.errors import UsageError
from harness.files import canonical_json, sha256_file
from harness.journal import LogName
from harness.verify import verify
from tests.harness import logbook
from tests.harness.forger import Fields, Forge, edit, lines, rechained, rewrite


@pytest.fixture
def attempt(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> AttemptFolder:
    return logbook.copy(logbook.original(tmp_path_factory.getbasetemp()), tmp_path)


def test_a_pinned_key_is_all_that_is_believed(attempt: AttemptFolder, tmp_path: Path) -> None:
    own = attempt.attempt().public_key
    with logbook.host(tmp_path / "elsewhere"):
        assert verify(attempt.root, own).trust == "pinned"
        assert verify(attempt.root, f" {own.upper()}\n").status == "intact"
        stranger = keys.public_hex(keys.signing_key())
        for home in (tmp_path / "elsewhere", tmp_path / logbook.HOME):
            with logbook.host(home):
                found = verify(attempt.root, stranger)
                assert (found.status, found.trust) == ("forged", "")


@pytest.mark.parametrize("slip", ["", " ", "abc", "g" * 64, "a" * 63, "a" * 66])
def test_what_is_no_key_is_an_error_not_a_forgery(attempt: AttemptFolder, slip: str) -> None:
    assert verify(attempt.root, slip).status == "unreadable"


def test_a_listed_key_is_known_and_says_so(attempt: AttemptFolder, tmp_path: Path) -> None:
    with logbook.host(tmp_path / "elsewhere"):
        listed = attempt.attempt().public_key.upper()
        (keys.home() / keys.KNOWN).write_text(f"# other hosts\n\n{listed}  # the lab's\n")
        found = verify(attempt.root)
    assert (found.status, found.trust) == ("intact", "known")
    assert [gap.startswith("rollback of") for gap in found.gaps] == [True, True]


def test_an_unknown_key_is_a_gap(attempt: AttemptFolder, tmp_path: Path) -> None:
    with logbook.host(tmp_path / "elsewhere"):
        found = verify(attempt.root)
    assert (found.status, found.trust, len(found.gaps)) == ("intact", "unknown", 3)
    assert "the signer is unknown" in found.gaps[0]


def test_without_its_journal_a_host_does_not_exclude_rollback(
    attempt: AttemptFolder, harness_home: Path
) -> None:
    (harness_home / "journal.jsonl").unlink()
    found = verify(attempt.root)
    assert (found.status, found.trust) == ("intact", "own")
    assert [gap.startswith("rollback of") for gap in found.gaps] == [True, True]


def test_a_journal_restored_from_before_the_last_score_is_a_gap(
    attempt: AttemptFolder, harness_home: Path
) -> None:
    before = (harness_home / "journal.jsonl").read_bytes()
    logbook.score(attempt, 0.5)
    (harness_home / "journal.jsonl").write_bytes(before)
    found = verify(attempt.root)
    assert (found.status, [gap[:24] for gap in found.gaps]) == (
        "intact", ["rollback of scores.jsonl"],
    )  # fmt: skip


def test_a_host_that_lost_its_key_still_knows_what_it_made(
    attempt: AttemptFolder, tmp_path: Path, harness_home: Path
) -> None:
    renewed = tmp_path / "renewed"
    renewed.mkdir()
    shutil.copy(harness_home / "journal.jsonl", renewed)
    with logbook.host(renewed):
        logbook.assert_vouched_for(attempt.root)
        with pytest.raises(UsageError):
            logbook.score(attempt, 0.5)


def test_a_torn_line_in_the_journal_costs_nothing(
    attempt: AttemptFolder, harness_home: Path
) -> None:
    path = harness_home / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at":"2026-01-01T0')
    line = logbook.score(attempt, 0.5)
    run_id = attempt.attempt().run_id
    assert journal.knows(run_id, "scores", line.index, line.hash)
    logbook.assert_vouched_for(attempt.root)


@pytest.mark.parametrize(
    "name",
    ["attempt.json", "scores.jsonl", "hidden.jsonl", "scores.head.json", "hidden.head.json"],
)
def test_what_this_user_may_not_read_is_unreadable_not_forged(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert verify(attempt.root).status == "unreadable"


@pytest.mark.parametrize("place", ["nothing", "workspace", "attempt.json"])
def test_what_is_no_attempt_is_unreadable(attempt: AttemptFolder, place: str) -> None:
    assert verify(attempt.root / place).status == "unreadable"


def test_the_command_tells_the_three_states_apart(
    attempt: AttemptFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def verified(*words: str | Path) -> tuple[object, str]:
        monkeypatch.setattr("sys.argv", ["auditor", "verify", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    root, own = attempt.root, attempt.attempt().public_key
    assert verified(root)[0] == 0
    assert verified(root, "--key", own)[0] == 0
    assert verified(root, "--key", "a" * 64)[0] == 1
    assert verified(root, "--key", "")[0] == 2
    assert verified(attempt.workspace)[0] == 2
    with logbook.host(tmp_path / "elsewhere"):
        code, text = verified(root)
        assert (code, own in text, "signer is unknown" in text) == (0, True, True)
    (root / "scores.head.json").unlink()
    code, text = verified(root)
    assert (code, "head is missing" in text) == (1, True)


# Signing all of it again


def sign_anew(folder: AttemptFolder, forger: Path, **changes: object) -> None:
    """Does all that the harness does, with the key of another host."""
    with logbook.host(forger):
        own = keys.public_hex(keys.signing_key())
        rewrite("attempt.json", public_key=own, **changes)(folder)
        path = folder.root / "attempt.json"
        found = {log: lines(folder, log) for log in LOGS}
        commits = (folder.attempt().start_commit, *(at["commit"] for at in found["scores"]))
        pairs: tuple[tuple[LogName, LogName], ...] = (("scores", "hidden"), ("hidden", "scores"))
        for log, other in pairs:
            binding = {
                "attempt_sha256": sha256_file(path),
                "other_hash": found[other][-1]["hash"],
                "manifests_sha256": folder.rolled(commits),
            }
            read = folder.score_log() if log == "scores" else folder.hidden_log()
            head = chain.head(read.lines, binding).model_dump(mode="json")
            (folder.root / f"{log}.head.json").write_bytes(canonical_json(head) + b"\n")


def better(log: LogName) -> Forge:
    return edit(log, lambda at: at[0].update(score=0.1), rechained)


def untouched(folder: AttemptFolder) -> None:
    """Signing anew is all that is done."""


RESIGNED: dict[str, tuple[Forge, Fields]] = {
    "as it was": (untouched, {}),
    "with a better score": (better("scores"), {}),
    "with a better sealed score": (better("hidden"), {}),
    "without its last score": (edit("scores", lambda at: at.pop()), {}),
    "with another start score": (untouched, {"measured": {"start_score": 99.0}}),
    "with an end": (untouched, {"end": "2027-01-01T00:00:00Z"}),
}
resigned = pytest.mark.parametrize(("forge", "changes"), RESIGNED.values(), ids=RESIGNED)


@resigned
def test_a_folder_signed_anew_under_its_own_id_is_forged_where_it_was_made(
    attempt: AttemptFolder, tmp_path: Path, forge: Forge, changes: Fields
) -> None:
    forge(attempt)
    sign_anew(attempt, tmp_path / "forger", **changes)
    assert verify(attempt.root).status == "forged"
    forger = attempt.attempt().public_key
    assert verify(attempt.root, forger).status == "forged"
    (keys.home() / keys.KNOWN).write_text(forger)
    assert verify(attempt.root).status == "forged"


@resigned
def test_a_folder_signed_anew_is_vouched_for_nowhere_else(
    attempt: AttemptFolder, tmp_path: Path, forge: Forge, changes: Fields
) -> None:
    genuine = attempt.attempt().public_key
    forge(attempt)
    sign_anew(attempt, tmp_path / "forger", **changes)
    found = logbook.seen_elsewhere(attempt)
    assert (found.status, found.trust) == ("intact", "unknown")
    assert found.signer == attempt.attempt().public_key != genuine
    assert "the signer is unknown" in found.gaps[0]
    with logbook.host(tmp_path / "elsewhere"):
        assert verify(attempt.root, genuine).status == "forged"


def test_no_key_makes_time_run_backwards(attempt: AttemptFolder, tmp_path: Path) -> None:
    edit("scores", lambda at: at[-1].update(elapsed_s=0.5), rechained)(attempt)
    sign_anew(attempt, tmp_path / "forger")
    assert logbook.seen_elsewhere(attempt).status == "forged"


def test_a_folder_signed_anew_under_another_id_is_vouched_for_nowhere(
    attempt: AttemptFolder, tmp_path: Path
) -> None:
    sign_anew(attempt, tmp_path / "forger", run_id="2" * 16)
    found = verify(attempt.root)
    assert (found.status, found.trust, len(found.gaps)) == ("intact", "unknown", 3)


@pytest.mark.parametrize("log", LOGS)
def test_one_head_signed_anew_is_forged(
    attempt: AttemptFolder, tmp_path: Path, log: LogName
) -> None:
    genuine = {path: path.read_bytes() for path in attempt.root.glob("*.json")}
    sign_anew(attempt, tmp_path / "forger")
    for path, text in genuine.items():
        if path.name != f"{log}.head.json":
            path.write_bytes(text)
    assert verify(attempt.root).status == "forged"
    assert logbook.seen_elsewhere(attempt).status == "forged"
