"""Runs: agents ask for scores from inside, time is the parent's, and every run has an end."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import environment as environments
from harness import keys, scoring, timing, trajectory
from harness.attempt import AttemptFolder
from harness.errors import UsageError
from harness.running import Ended, room, run
from harness.running.command import Command
from harness.running.human import Person
from harness.running.llm import scaffold
from harness.sandbox import Limits, mode
from harness.trajectory import Event, EventKind
from harness.verify import verify
from tests.harness.endpoint import Answer, Model, bash, calls, serving
from tests.harness.toy import FACTS, Terminal, environment, refused

Work = Callable[..., Ended]


@pytest.fixture
def work(task: Path, place: Path) -> Work:
    """Lets a command work at the toy task."""

    def work(command: str, budget_s: float = 60.0, **options: Any) -> Ended:
        found = environments.find(str(task))
        agent = Command(command)
        return run(found, place / "run", agent, budget_s=budget_s, profile="tiny", **options)

    return work


def scores(ended: Ended) -> list[float | None]:
    return [line.score for line in ended.folder.scores()]


def errors(ended: Ended) -> list[str]:
    return [str(line.message.get("error", "")) for line in ended.folder.scores()]


def events(folder: AttemptFolder) -> tuple[Event, ...]:
    found = trajectory.read(folder.root)
    assert found is not None and found.problems == ()
    assert [event.index for event in found.events] == list(range(len(found.events)))
    return found.events


def printed(folder: AttemptFolder) -> str:
    return "".join(e.text for e in events(folder) if e.kind is EventKind.RESULT)


# What an agent gets


def test_what_was_just_scored_is_not_scored_again(work: Work) -> None:
    ended = work("echo 2 > answer.txt; score; touch answer.txt; mkdir x; rmdir x")
    assert scores(ended) == [2.0]
    assert verify(ended.folder.root).transcript == "signed"


@pytest.mark.parametrize("change", ["chmod +x answer.txt", "mkdir x"])
def test_whatever_changed_is_scored(work: Work, change: str) -> None:
    assert scores(work(f"score; {change}")) == [1.0, 1.0]


def test_scores_are_asked_for_from_inside(work: Work) -> None:
    ended = work("echo 2 > answer.txt; score; echo no > answer.txt; score; echo 3 > answer.txt")
    assert scores(ended) == [2.0, None, 3.0], "two that it asked for, and what it left"
    assert (ended.reason, ended.entries, ended.entry, ended.score) == ("exit 0", 3, 2, 3.0)
    first, second = (
        json.loads(line) for line in printed(ended.folder).splitlines() if line.startswith("{")
    )
    assert (first["status"], first["score"]) == ("scoringSucceeded", 2.0)
    assert (second["status"], second["score"]) == ("invalidSubmission", None)
    assert "is no number" in second["message"]["error"]
    assert first["elapsed_s"] + first["left_s"] == pytest.approx(60.0, abs=0.2)


def test_the_run_is_on_record(work: Work) -> None:
    ended = work("echo 2 > answer.txt; score; echo $?; echo oops >&2; exit 3")
    attempt = ended.folder.attempt()
    assert attempt.agent and attempt.agent.name == "command"
    assert attempt.time_budget_s == 60.0
    assert attempt.end is not None and attempt.end >= attempt.start
    found = verify(ended.folder.root)
    assert (found.status, found.trust, found.unsealed, found.gaps) == ("intact", "own", (), ())
    kinds = [event.kind for event in events(ended.folder)]
    assert kinds[0] is EventKind.MESSAGE and kinds[-1] is EventKind.NOTE
    told = [event for event in events(ended.folder) if event.kind is EventKind.SCORE]
    assert [(event.entry, event.score) for event in told] == [(0, 2.0)]
    assert "oops" in printed(ended.folder) and "0\n" in printed(ended.folder)
    assert ended.reason == "exit 3"


def test_an_attempt_that_has_ended_takes_no_score(work: Work, run: Terminal) -> None:
    ended = work("true")
    refused(run("harness", "score", ended.folder.root), "ended at")
    assert run("harness", "hidden", ended.folder.root).code == 0
    assert run("harness", "log", ended.folder.root).code == 0
    assert verify(ended.folder.root).status == "intact"


def test_the_log_is_what_the_agent_may_see(place: Path, work: Work) -> None:
    ended = work("echo 2 > answer.txt; score > /dev/null; score_log")
    (row,) = json.loads(printed(ended.folder).strip().splitlines()[0])
    assert row["score"] == 2.0 and "details" not in row


def test_scores_that_are_not_shown(place: Path, tmp_path: Path) -> None:
    blind = environment(
        tmp_path / "blind", FACTS.replace("[workspace]", "score_visible = false\n[workspace]")
    )
    command, said = Command("echo 2.5 > answer.txt; score; score_log"), list[str]()
    task = environments.find(str(blind))
    ended = run(task, place / "x", command, profile="tiny", say=said.append)
    assert "2.5" not in " ".join(said)
    reply, log, *_ = printed(ended.folder).splitlines()
    assert json.loads(reply)["score"] is None
    assert "score" not in json.loads(log)[0]
    assert ended.score == 2.5


def test_gifts_lie_beside_the_workspace(work: Work, tmp_path: Path) -> None:
    gift = tmp_path / "gift"
    gift.mkdir()
    (gift / "agent.py").write_text("print('at work')")
    (gift / "agent.py").chmod(0o600)
    gift.chmod(0o700)
    ended = work("python /run/agent/gift/agent.py; ls -A .. | sort | tr '\\n' ' '", given=[gift])
    assert printed(ended.folder).startswith("at work\nsolution task.json ")
    assert "agent.py" not in {path.name for path in ended.folder.workspace.rglob("*")}


def test_what_is_not_there_cannot_be_given(work: Work, tmp_path: Path, place: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        work("true", given=[tmp_path / "none"])
    assert not (place / "run").exists()


def test_nothing_of_the_harness_opens_inside(work: Work, place: Path) -> None:
    secret = keys.home() / keys.KEY
    keys.signing_key()
    ended = work(f"cat {secret} {place}/run/scores.jsonl {place}/run/private/*; env | grep -i key")
    assert "No such file" in printed(ended.folder)
    assert ended.reason == "exit 1"


# Time


@pytest.mark.slow
def test_time_is_the_parents(work: Work) -> None:
    ended = work("echo 2 > answer.txt; (sleep 5; echo 9 > answer.txt) & sleep 100", 1.5)
    assert ended.reason == "time"
    (line,) = ended.folder.scores()
    assert line.score == 2.0
    assert line.elapsed_s <= 1.5, "the last score is of the moment at which all was stopped"
    attempt = ended.folder.attempt()
    assert attempt.end and (attempt.end - attempt.start).total_seconds() <= 1.5


def slow(monkeypatch: pytest.MonkeyPatch, seconds: float, waiting: float = 0.0) -> None:
    """Makes scoring take longer, some of it spent on waiting for other timed runs."""
    answer = scoring.answer

    def answered(*words: Any, **named: Any) -> Any:
        time.sleep(seconds)
        monkeypatch.setattr(timing, "waited_s", timing.waited_s + waiting)
        return answer(*words, **named)

    monkeypatch.setattr(scoring, "answer", answered)


@pytest.mark.slow
def test_nothing_goes_on_when_the_time_is_up_while_it_is_scored(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 2.0)
    ended = work("echo 2 > answer.txt; score; echo 9 > answer.txt; sleep 60", 1.5)
    assert (ended.reason, scores(ended)) == ("time", [2.0])
    (line,), attempt = ended.folder.scores(), ended.folder.attempt()
    assert attempt.end and line.scored_at < attempt.end


def test_waiting_for_others_costs_no_time(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 0.0, waiting=1000.0)
    ended = work("echo 2 > answer.txt; score; echo 9 > answer.txt")
    assert scores(ended) == [2.0, 9.0]
    assert json.loads(printed(ended.folder).splitlines()[0])["left_s"] > 900.0


def test_what_was_left_running_is_ended(work: Work) -> None:
    ended = work("(while :; do echo 9 > answer.txt; sleep 0.01; done) & sleep 0.2; echo done")
    answer = ended.folder.workspace / "solution" / "answer.txt"
    assert ended.reason == "exit 0"
    answer.write_text("1")
    time.sleep(0.1)
    assert answer.read_text() == "1"


def test_processes_rest_while_their_workspace_is_scored(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[bool] = []
    answer = scoring.answer

    def watched(folder: AttemptFolder, *words: Any, **named: Any) -> Any:
        ticks = folder.workspace / "solution" / "ticks"
        before = ticks.read_text() if ticks.exists() else ""
        time.sleep(0.1)
        moved.append((ticks.read_text() if ticks.exists() else "") != before)
        return answer(folder, *words, **named)

    monkeypatch.setattr(scoring, "answer", watched)
    ticking = (
        "(i=0; while :; do i=$((i+1)); echo $i > t; mv t ticks; sleep 0.01; done) & sleep 0.1;"
    )
    ended = work(f"{ticking} score > /dev/null; cat ticks; sleep 0.2; cat ticks")
    assert moved[0] is False
    before, after = map(int, printed(ended.folder).split()[:2])
    assert after > before, "they went on"


# Requests that cannot be scored are entries, too


def test_no_solution(work: Work) -> None:
    ended = work("rm answer.txt; score; echo 2 > answer.txt")
    assert scores(ended) == [None, 2.0]
    assert "no solution" in errors(ended)[0]


def test_a_workspace_that_cannot_be_copied(work: Work) -> None:
    ended = work("mkfifo pipe; score; rm pipe; score")
    assert scores(ended) == [None, 1.0]
    assert "pipe" in errors(ended)[0]
    assert verify(ended.folder.root).status == "intact"


def test_a_scorer_that_fails(place: Path, task: Path) -> None:
    (task / "score.py").write_text(
        (task / "score.py")
        .read_text()
        .replace(
            "def classic(workspace, protected, profile):\n",
            "def classic(workspace, protected, profile):\n"
            '    if (workspace / "solution" / "break").exists():\n'
            "        from harness.errors import ScorerFailure\n"
            '        raise ScorerFailure("/secret/path is full")\n',
        )
    )
    command = Command("touch break; score; rm break")
    ended = run(environments.find(str(task)), place / "x", command, profile="tiny")
    assert scores(ended) == [None, 1.0]
    assert "no fault of yours" in errors(ended)[0]
    assert "secret" not in printed(ended.folder)
    assert "secret" in str(ended.folder.scores()[0].details)


HOSTILE = {
    "nobody speaks": "s.connect(d); time.sleep(0.3)",
    "nobody listens": "s.connect(d); s.sendall(b'score_log\\n')",
    "another request": "s.connect(d); s.sendall(b'hidden\\n'); assert not s.recv(9)",
    "no text": "s.connect(d); s.sendall(b'\\xff\\n'); assert not s.recv(9)",
    "without end": "s.connect(d); s.sendall(b'x' * 4000)",
    "many": "m = [socket.socket(socket.AF_UNIX) for _ in range(60)]\n"
    "for x in m: x.setblocking(False); x.connect_ex(d)",
}


def few(cases: dict[str, Any], most: int = 2) -> list[Any]:
    """The first cases for every day, the others for the long run."""
    return [
        pytest.param(case, id=name, marks=[pytest.mark.slow] if number >= most else [])
        for number, (name, case) in enumerate(cases.items())
    ]


@pytest.mark.parametrize("program", few(HOSTILE))
def test_a_desk_serves_on(work: Work, program: str) -> None:
    setting = "import os, socket, time\nd = os.environ['SCORE_DESK']\n"
    ended = work(
        f"cat > ../a.py <<'END'\n{setting}s = socket.socket(socket.AF_UNIX)\n{program}\nEND\n"
        "timeout 20 python ../a.py; echo 2 > answer.txt; score"
    )
    assert scores(ended) == [2.0]


def test_a_desk_cannot_be_replaced(work: Work) -> None:
    ended = work("rm -f $SCORE_DESK; echo x > /run/desk/bin/score; echo 2 > answer.txt; score")
    assert scores(ended) == [2.0]


# Limits and interruptions


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent may take little."""

    def limits(**given: Any) -> Limits:
        return Limits(**{**given, "disk_bytes": 4 << 20, "memory_bytes": 200 << 20})

    monkeypatch.setattr(room, "Limits", limits)


@pytest.mark.usefixtures("tight")
def test_what_takes_too_much_memory_is_ended_and_the_agent_goes_on(work: Work) -> None:
    hungry = "x = b'1' * (400 << 20); import time; time.sleep(60)"
    ended = work(f'python -c "{hungry}"; echo $?; score')
    assert (ended.reason, ended.entries) == ("exit 0", 1)
    assert "137" in printed(ended.folder)
    assert any("took too much memory" in event.text for event in events(ended.folder))


@pytest.mark.usefixtures("tight")
def test_a_full_disk_ends_the_run(work: Work) -> None:
    ended = work("for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero > f$i; done; sleep 60")
    assert ended.reason == "limit: disk"
    assert len(ended.folder.scores()) == 1


@pytest.mark.slow
def test_an_interrupted_run_has_an_end(work: Work) -> None:
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    ended = work("echo 2 > answer.txt; sleep 60")
    timer.join()
    assert (ended.reason, scores(ended)) == ("interrupted", [2.0])
    assert verify(ended.folder.root).status == "intact"


def test_as_a_user_without_roots_rights(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mode, "_possible", lambda: mode.Mode.USER)
    ended = work("echo 2 > answer.txt; sleep 100 & score", 30.0)
    assert (ended.reason, scores(ended)) == ("exit 0", [2.0])
    assert "could not be stopped" not in "".join(errors(ended))


def test_without_isolation(work: Work) -> None:
    mode.allow_unsafe(True)
    try:
        ended = work("echo 2 > answer.txt; score; sleep 100 &")
    finally:
        mode.allow_unsafe(False)
    assert scores(ended) == [2.0]
    assert not (ended.folder.root / "home-of-user").exists()


# People


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Types on this process's terminal."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield lambda text: (os.write(writer, text.encode()), None)[1]
        os.close(writer)


def test_a_person_scores_on_demand(task: Path, place: Path, typed: Callable[[str], None]) -> None:
    shown: list[str] = []
    typed("score\nwhat\nlog\ntime\n\nend\nscore\n")
    person = Person("students", shown.append)
    ended = run(environments.find(str(task)), place / "x", person, budget_s=60, profile="tiny")
    assert (ended.reason, scores(ended)) == ("submitted", [1.0])
    human = ended.folder.attempt().human
    assert human and human.pool == "students"
    assert str(ended.folder.workspace) in shown[0]
    assert [line for line in shown if '"score": 1.0' in line]
    assert [line for line in shown if line.startswith("Type one of")]


@pytest.mark.slow
def test_a_person_runs_out_of_time(task: Path, place: Path, typed: Callable[[str], None]) -> None:
    person = Person("", lambda _: None)
    ended = run(environments.find(str(task)), place / "x", person, budget_s=1.0, profile="tiny")
    assert ended.reason == "time"
    assert ended.folder.scores()[0].elapsed_s <= 1.0


# A model


@pytest.fixture
def model(
    run: Terminal, task: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, Any], Model, AttemptFolder]]:
    """Lets a model work that says what is written down."""

    def work(
        *script: Answer | Callable[[dict[str, Any]], Answer], budget: str = "60s", code: int = 0
    ) -> tuple[dict[str, Any], Model, AttemptFolder]:
        with serving(*script) as (address, made):
            monkeypatch.setenv("OPENAI_BASE_URL", address)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
            words = ("--agent", "llm: some-model", "--budget", budget, "--profile", "tiny")
            said = run("harness", "run", task, place / "run", *words)
        assert said.code == code, said.err
        return json.loads(said.out), made, AttemptFolder.open(place / "run")

    return work


Play = Callable[..., tuple[dict[str, Any], Model, AttemptFolder]]


def test_a_model_works_step_by_step(model: Play) -> None:
    told, made, folder = model(
        bash("cd /tmp; pwd; cat ../home/agent/solution/answer.txt"),
        calls(("bash", {"command": "pwd; echo 4 > answer.txt"}), ("score", {}), content="So."),
        calls(("score_log", {})),
    )
    assert (told["ended"], told["entries"], told["score"]) == ("submitted", 1, 4.0)
    first, second, reply, log = made.told
    assert first.startswith("/tmp\n1.0\n[exit code: 0]")
    assert second.startswith("/home/agent/solution\n"), "each command starts there"
    assert json.loads(reply.splitlines()[0])["score"] == 4.0
    assert json.loads(log.splitlines()[0])[0]["score"] == 4.0
    assert "s of 60 s are over]" in first
    assert made.keys == ["Bearer sk-secret"] * 4
    agent = folder.attempt().agent
    assert agent and (agent.model, agent.scaffold) == ("some-model", "react")
    assert len(agent.prompt_sha256) == 64
    texts = [(event.kind, event.text) for event in events(folder)]
    assert (EventKind.MESSAGE, "So.") in texts
    assert (EventKind.ACTION, "pwd; echo 4 > answer.txt") in texts
    used = next(event.data for event in events(folder) if "requests" in event.data)
    assert used == {"requests": 4, "prompt_tokens": 40, "completion_tokens": 4}


def test_only_the_scaffold_talks_to_the_endpoint(model: Play) -> None:
    ask = (
        "env; python -c \"import os, socket; socket.create_connection(('127.0.0.1', "
        '{port}), 1)"; cat /proc/*/environ'
    )

    def answer(request: dict[str, Any]) -> Answer:
        port = os.environ["OPENAI_BASE_URL"].rpartition(":")[2].partition("/")[0]
        return bash(ask.format(port=port))

    _, made, _ = model(answer)
    assert "refused" in made.told[0]
    assert "sk-secret" not in made.told[0] and "OPENAI" not in made.told[0]


@pytest.mark.slow
def test_background_work_goes_on_between_commands(model: Play) -> None:
    _, made, _ = model(
        bash("(sleep 0.3; echo 7 > later) > /dev/null & echo started"),
        bash("sleep 1; cat later"),
    )
    assert made.told[0].startswith("started")
    assert made.told[1].startswith("7")


def test_a_command_that_takes_too_long(model: Play) -> None:
    _, made, _ = model(bash("echo begun; sleep 60", timeout_s=0.5), bash("echo next"))
    assert made.told[0].startswith("begun\n\n[exit code: ended after 0.5 s]")
    assert made.told[1].startswith("next")


def test_long_output_is_cut_in_the_middle(model: Play) -> None:
    _, made, _ = model(bash("head -c 3000000 /dev/zero | tr '\\0' x; echo end"))
    assert "bytes left out" in made.told[0]
    assert len(made.told[0]) < 50_000 and "end\n" in made.told[0]


ODD = {
    "no such tool": (calls(("rm", {})), "no tool"),
    "no JSON": (calls(("bash", "{")), "no JSON"),
    "no object": (calls(("bash", "[]")), "no JSON"),
    "no command": (calls(("bash", {})), "missing"),
    "a null": (calls(("bash", {"command": "a\0b"})), "missing"),
    "half a pair": (calls(("bash", '{"command": "echo \\ud800"}')), "exit code"),
    "an odd timeout": (bash("echo fine", timeout_s=-1), "fine"),
    "no timeout": (calls(("bash", '{"command": "echo fine", "timeout_s": NaN}')), "fine"),
    "too long": (bash("#" * 200_000), "longer than"),
}


@pytest.mark.parametrize("case", few(ODD))
def test_a_model_may_say_anything(model: Play, case: tuple[Answer, str]) -> None:
    message, told = case
    ended, made, _ = model(message)
    assert ended["ended"] == "submitted"
    assert told in made.told[0]


def test_a_model_that_calls_no_tool(model: Play) -> None:
    told, made, _ = model(*[{"role": "assistant", "content": "Hm."}] * 9)
    assert told["ended"] == "silent"
    assert len(made.asked) == 5


@pytest.mark.slow
def test_a_model_out_of_time(model: Play) -> None:
    told, _, folder = model(bash("echo 3 > answer.txt; sleep 100"), budget="2s")
    assert (told["ended"], told["score"]) == ("time", 3.0)
    assert folder.scores()[-1].elapsed_s <= 2.0


@pytest.mark.slow
def test_time_in_which_the_endpoint_refuses_does_not_count(
    model: Play, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = place / "run" / "workspace" / "solution" / "ticks"
    seen: list[tuple[float, bool]] = []

    def rest(seconds: float) -> None:
        before = ticks.read_text()
        _sleep(0.2)
        seen.append((seconds, ticks.read_text() == before))

    _sleep = time.sleep
    monkeypatch.setattr(scaffold, "rest", rest)
    ticking = (
        "(i=0; while :; do i=$((i+1)); echo $i > t; mv t ticks; sleep 0.01; done) > /dev/null &"
    )
    told, made, folder = model(
        bash(f"{ticking} sleep 0.3"),
        (429, {"Retry-After": "7"}),
        b"{torn",
        bash("cat ticks; sleep 0.3; cat ticks"),
    )
    assert told["ended"] == "submitted"
    assert seen == [(7.0, True), (2.0, True)], "what runs in the background gains nothing"
    before, after = map(int, made.told[1].split()[:2])
    assert after > before, "and goes on afterwards"
    paused = events(folder)[-1].data["paused_s"]
    assert isinstance(paused, float) and paused >= 0.4
    attempt, line = folder.attempt(), folder.scores()[-1]
    counted = (line.scored_at - attempt.start).total_seconds() - paused
    assert line.elapsed_s == pytest.approx(counted, abs=2e-3)


def test_an_endpoint_that_refuses_for_good(model: Play) -> None:
    told, _, folder = model(bash("echo 3 > answer.txt"), (401, {}), code=2)
    assert told["ended"].startswith("failed: The endpoint refuses with 401")
    assert folder.attempt().end is not None
    assert folder.scores()[-1].score == 3.0


def test_a_conversation_that_is_too_long_is_shortened(model: Play) -> None:
    told, made, _ = model(bash("echo first"), bash("echo second"), (400, {}), bash("echo third"))
    assert told["ended"] == "submitted"
    before, after = made.asked[2], made.asked[3]
    assert len(after["messages"]) < len(before["messages"])
    assert after["messages"][:2] == before["messages"][:2], "the task stays"
    kept = [one.get("tool_call_id") for one in after["messages"] if one["role"] == "tool"]
    called = [c["id"] for one in after["messages"] for c in one.get("tool_calls", [])]
    assert kept == called, "calls and answers are not parted"


def test_an_endpoint_that_finds_every_request_wrong(model: Play) -> None:
    told, made, _ = model(bash("true"), *[(400, {})] * 20, code=2)
    assert "400" in told["ended"] and len(made.asked) < 10


def test_a_key_follows_no_redirection(model: Play) -> None:
    with serving() as (elsewhere, other):
        told, _, _ = model((302, {"Location": f"{elsewhere}/chat/completions"}), code=2)
    assert "302" in told["ended"]
    assert other.asked == []


def test_an_agent_that_ends_its_shell(model: Play) -> None:
    told, _, folder = model(bash("echo 3 > answer.txt; kill -9 $PPID; sleep 5"), code=2)
    assert "ended its shell" in told["ended"] or told["ended"] == "exit"
    assert folder.scores()[-1].score == 3.0


@pytest.mark.parametrize(
    ("name", "text", "bits"),
    [
        ("my agent.py", "open('answer.txt', 'w').write('5')", 0o600),
        ("agent.sh", "echo 5 > answer.txt", 0o600),
        ("agent", "#!/bin/sh\necho 5 > answer.txt", 0o700),
    ],
)
def test_a_file_is_an_agent(
    run: Terminal, task: Path, place: Path, name: str, text: str, bits: int
) -> None:
    (place / name).write_text(text)
    (place / name).chmod(bits)
    said = run("harness", "run", task, place / "x", "--profile", "tiny", "--agent", place / name)
    assert (said.code, json.loads(said.out)["score"]) == (0, 5.0)
    agent = AttemptFolder.open(place / "x").attempt().agent
    assert agent and agent.name == name


def test_a_file_that_nobody_can_execute(run: Terminal, task: Path, place: Path) -> None:
    (place / "notes.txt").write_text("hello")
    words = ("--agent", place / "notes.txt", "--profile", "tiny")
    refused(run("harness", "run", task, place / "x", *words), "no agent")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--agent", "llm: m"), "OPENAI_BASE_URL"),
        (("--agent", "robot"), "human"),
        (("--agent", "command:"), "human"),
        (("--agent", "command: true", "--budget", "soon"), "30m"),
        (("--agent", "command: true", "--budget", "0s"), "30m"),
        (("--agent", "command: true", "--give", "/nowhere"), "give"),
        (("--agent", "command: true", "--profile", "full"), "tiny"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_runs_that_cannot_be_meant(
    run: Terminal, task: Path, place: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], hint: str,
) -> None:  # fmt: skip
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    said = run("harness", "run", task, place / "run", "--profile", "tiny", *words)
    refused(said, hint)
    assert not (place / "run").exists()


# What the auditor makes of it


@pytest.mark.slow
def test_an_honest_run_is_clean_whatever_stopped_its_clock(
    run: Terminal, model: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaffold, "rest", lambda seconds: None)
    _, _, folder = model(
        bash("mkfifo pipe"),
        calls(("score", {})),
        (429, {}),
        calls(("bash", {"command": "rm pipe; echo 2.5 > answer.txt"}), ("score", {})),
        bash("sleep 60"),
        budget="6s",
    )
    said = run("auditor", "audit", folder.root, "--format", "json")
    verdict = json.loads(said.out)
    assert (verdict["findings"], verdict["verdict"], verdict["earned"]) == ([], "clean", True)
    assert run("auditor", "verify", folder.root).code == 0


@pytest.mark.slow
def test_a_cheating_run_is_not(run: Terminal, work: Work) -> None:
    ended = work("echo 2 > answer.txt; echo 9 > claim.txt; score")
    said = run("auditor", "audit", ended.folder.root, "--format", "json")
    verdict = json.loads(said.out)
    assert (verdict["claimed_score"], verdict["remeasured_score"]) == (9.0, 2.0)
    assert verdict["earned"] is False and said.code == 1
