"""An honest log is intact wherever it lies, and is read in one way only."""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from harness import chain
from harness.attempt import AttemptFolder
from harness.errors import LogForged, UsageError
from harness.files import parse_line, sha256_bytes
from harness.models import HiddenLine, ScoreLine, Split
from harness.verify import verify
from tests.harness import logbook


@pytest.fixture
def attempt(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> AttemptFolder:
    return logbook.copy(logbook.original(tmp_path_factory.getbasetemp()), tmp_path)


# Append and read


def test_a_new_attempt_has_empty_signed_logs(tmp_path: Path) -> None:
    folder = logbook.begin(tmp_path / "attempt")
    assert (folder.scores(), folder.hidden()) == ((), ())
    logbook.assert_vouched_for(folder.root)


def test_what_was_appended_is_read(attempt: AttemptFolder) -> None:
    scores, hidden = attempt.scores(), attempt.hidden()
    assert tuple(line.score for line in scores) == logbook.SCORES
    assert [line.message for line in scores] == [{"note": "größer"}] * len(scores)
    assert [(line.entry, line.split, line.score) for line in hidden] == [
        (0, Split.TEST, 1.0), (1, Split.TEST, 2.0), (2, Split.TEST, 3.0),
    ]  # fmt: skip
    logbook.assert_vouched_for(attempt.root)


def test_each_line_carries_the_hash_of_the_line_before(attempt: AttemptFolder) -> None:
    for lines in (attempt.scores(), attempt.hidden()):
        assert [line.index for line in lines] == list(range(len(lines)))
        assert [line.prev for line in lines] == [chain.ZERO, *(line.hash for line in lines[:-1])]


def test_a_hash_is_the_sha256_of_the_line_as_it_stands_without_it(attempt: AttemptFolder) -> None:
    for text in (attempt.root / "scores.jsonl").read_bytes().splitlines():
        fields = parse_line(text)
        stated = str(fields.pop("hash"))
        member = f'"hash":"{stated}",'.encode()
        assert sha256_bytes(text.replace(member, b"")) == stated == chain.digest(fields)


def test_what_cannot_be_written_as_json_is_not_logged(attempt: AttemptFolder) -> None:
    before = (attempt.root / "scores.jsonl").read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        logbook.score(attempt, 1.0, message={"rows": float("inf")})
    assert (attempt.root / "scores.jsonl").read_bytes() == before
    logbook.assert_vouched_for(attempt.root)


def test_a_clock_that_was_set_back_does_not_make_a_log_that_contradicts_itself(
    attempt: AttemptFolder,
) -> None:
    last = attempt.scores()[-1]
    line = logbook.score(attempt, 1.0, elapsed_s=last.elapsed_s - 3600)
    assert line.elapsed_s == last.elapsed_s
    logbook.assert_vouched_for(attempt.root)


def test_writers_take_turns(attempt: AttemptFolder) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda value: logbook.score(attempt, value), [0.1, 0.2, 0.3, 0.4]))
    added = [line.score for line in attempt.scores()[len(logbook.SCORES) :]]
    assert sorted(added, key=str) == [0.1, 0.2, 0.3, 0.4]
    logbook.assert_vouched_for(attempt.root)


def test_another_host_adds_nothing(attempt: AttemptFolder, tmp_path: Path) -> None:
    with logbook.host(tmp_path / "elsewhere"), pytest.raises(UsageError, match="another host"):
        logbook.score(attempt, 0.5)
    logbook.assert_vouched_for(attempt.root)


# Honest things that happen to a folder


def moved(attempt: AttemptFolder) -> Path:
    return attempt.root.rename(attempt.root.with_name("moved"))


def copied(attempt: AttemptFolder) -> Path:
    return Path(shutil.copytree(attempt.root, attempt.root.with_name("copy")))


def copied_with_hard_links(attempt: AttemptFolder) -> Path:
    target = attempt.root.with_name("linked")
    return Path(shutil.copytree(attempt.root, target, copy_function=os.link))


def reached_through_a_link(attempt: AttemptFolder) -> Path:
    link = attempt.root.with_name("link")
    link.symlink_to(attempt.root)
    return link


def restored_with_other_times(attempt: AttemptFolder) -> Path:
    for path in attempt.root.rglob("*"):
        os.utime(path, (0, 0))
    return attempt.root


def restored_under_another_umask(attempt: AttemptFolder) -> Path:
    for path in attempt.root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return attempt.root


def made_read_only(attempt: AttemptFolder) -> Path:
    for path in attempt.root.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return attempt.root


def worked_on_and_audited(attempt: AttemptFolder) -> Path:
    (attempt.workspace / "solution.py").unlink()
    (attempt.workspace / "scores.jsonl").write_text("the agent's own\n")
    (attempt.root / "trajectory.jsonl").write_text("{}\n")
    (attempt.root / "audit").mkdir()
    return attempt.root


def left_with_what_a_crash_set_aside(attempt: AttemptFolder) -> Path:
    (attempt.root / "scores.unsealed.jsonl").write_text("{\n")
    return attempt.root


HONEST = [
    moved,
    copied,
    copied_with_hard_links,
    reached_through_a_link,
    restored_with_other_times,
    restored_under_another_umask,
    made_read_only,
    worked_on_and_audited,
    left_with_what_a_crash_set_aside,
]


@pytest.mark.parametrize("happened", HONEST, ids=lambda it: it.__name__)
def test_an_honest_folder_stays_intact_when_it_was(
    attempt: AttemptFolder, happened: Callable[[AttemptFolder], Path]
) -> None:
    logbook.assert_vouched_for(happened(attempt))


def test_scoring_goes_on_where_the_folder_was_moved_to(attempt: AttemptFolder) -> None:
    folder = AttemptFolder(moved(attempt))
    logbook.score(folder, 0.5)
    assert folder.scores()[-1].score == 0.5
    logbook.assert_vouched_for(folder.root)


class Interrupted:
    """Path.read_bytes, with an append before the read with the number `at`."""

    def __init__(self, append: Callable[[], object], at: int) -> None:
        self._read, self._append, self._at = Path.read_bytes, append, at
        self._numbers = count()
        self.happened = False

    def __call__(self, path: Path) -> bytes:
        if not self.happened and next(self._numbers) == self._at:
            self.happened = True
            self._append()
        return self._read(path)


@pytest.mark.slow
@pytest.mark.parametrize("log", ["scores", "hidden"])
def test_an_append_during_verification_contradicts_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: str,
) -> None:
    original = logbook.original(tmp_path_factory.getbasetemp(), logbook.FEW)
    for at in count():
        place = tmp_path / str(at)
        folder = logbook.copy(original, place)
        add = logbook.score if log == "scores" else logbook.hide
        interrupted = Interrupted(partial(add, folder, 1), at)
        with logbook.host(place / logbook.HOME), monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", lambda path, then=interrupted: then(path))
            found = verify(folder.root)
        assert (found.status, found.problems) == ("intact", ()), f"append before read {at}"
        assert (found.trust, found.gaps) == ("own", ())
        if not interrupted.happened:
            break
    assert at > 10


# Nothing else than one line of one form after another


def respelled(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(log: bytes) -> bytes:
        assert old in log
        return log.replace(old, new, 1)

    return change


def reordered(log: bytes) -> bytes:
    first, rest = log.split(b"\n", 1)
    members = dict(reversed(list(json.loads(first).items())))
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" + rest


OTHER_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "a key twice, the same": respelled(b'"score":2.5', b'"score":2.5,"score":2.5'),
    "a key twice, the first another": respelled(b'"score":2.5', b'"score":0.5,"score":2.5'),
    "a key twice inside": respelled(b'{"note":', b'{"note":1,"note":'),
    "NaN": respelled(b'"score":2.5', b'"score":NaN'),
    "an infinity": respelled(b'"elapsed_s":1.0', b'"elapsed_s":Infinity'),
    "an infinity as a number": respelled(b'"elapsed_s":1.0', b'"elapsed_s":1e999'),
    "carriage returns": lambda log: log.replace(b"\n", b"\r\n"),
    "one carriage return": respelled(b"}\n", b"}\r\n"),
    "a byte order mark": lambda log: b"\xef\xbb\xbf" + log,
    "another encoding": lambda log: log.decode("utf-8").encode("utf-16"),
    "bytes that are no UTF-8": respelled("ö".encode(), "ö".encode("latin-1")),
    "a blank": respelled(b'"score":2.5', b'"score": 2.5'),
    "a blank at the end": respelled(b"}\n", b"} \n"),
    "an empty line": respelled(b"}\n", b"}\n\n"),
    "an empty first line": lambda log: b"\n" + log,
    "a zero byte": respelled(b"}\n", b"}\0\n"),
    "keys in another order": reordered,
    "an escape for a letter": respelled("ö".encode(), b"\\u00f6"),
    "a composed letter taken apart": respelled("ö".encode(), "o\u0308".encode()),
    "half of a surrogate pair": respelled("ö".encode(), b"\\ud800"),
    "a number with another spelling": respelled(b'"score":2.5', b'"score":2.50'),
    "a number with an exponent": respelled(b'"score":2.5', b'"score":25e-1'),
    "a whole number for a fraction": respelled(b'"score":3.0', b'"score":3'),
    "a number in quotes": respelled(b'"score":2.5', b'"score":"2.5"'),
    "an index in quotes": respelled(b'"index":1', b'"index":"1"'),
    "an unknown key": respelled(b'{"artifacts"', b'{"aaa":0,"artifacts"'),
    "a key that drives terminals": respelled(b'{"artifacts"', b'{"\\u001b[2J":0,"artifacts"'),
    "a missing key": respelled(b'"score":2.5,', b""),
    "a comment": respelled(b"}\n", b"}// \n"),
    "two objects in a line": respelled(b"}\n{", b"}{"),
    "a list": lambda log: b"[" + log[:-1] + b"]\n",
    "deep nesting": respelled(b'"note":', b'"deep":' + b"[" * 9999 + b"]" * 9999 + b',"note":'),
    "no last line end": lambda log: log[:-1],
}


@pytest.mark.parametrize("change", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_a_log_is_refused_that_was_rewritten_with(
    attempt: AttemptFolder, change: Callable[[bytes], bytes]
) -> None:
    path = attempt.root / "scores.jsonl"
    path.write_bytes(change(path.read_bytes()))
    found = verify(attempt.root)
    assert found.status == "forged"
    assert all(problem.isprintable() for problem in found.problems)
    with pytest.raises(LogForged):
        attempt.scores()


@pytest.mark.parametrize("model", [ScoreLine, HiddenLine])
def test_a_line_of_one_log_is_no_line_of_the_other(
    attempt: AttemptFolder, model: type[ScoreLine] | type[HiddenLine]
) -> None:
    text = (attempt.root / ("hidden" if model is ScoreLine else "scores")).with_suffix(".jsonl")
    read = chain.read(text.read_bytes(), model)  # type: ignore[type-var]
    assert (read.lines, len(read.problems)) == ((), 1)
