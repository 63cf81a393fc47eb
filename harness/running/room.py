"""What an agent has to work with: a workspace, a clock, a score desk, and perhaps a sandbox."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from harness import agent_view, scoring, timing
from harness.attempt import AttemptFolder
from harness.environment import Environment
from harness.errors import SnapshotRefused, UsageError
from harness.models import Agent, Human, ProfileFacts, ScoreLine
from harness.running.clock import Clock
from harness.running.desk import Desk
from harness.running.recorder import Recorder
from harness.sandbox import Limits, Live
from harness.sandbox.mode import Mode, current
from harness.trajectory import EventKind

TOOLS = "/run/desk"
"""Where the agent's commands lie inside."""
GIVEN = "/run/agent"
"""Where files that its owner gives it lie inside."""
TICK_S = 0.05
LOG_ROWS = 200
"""Of the score log that an agent is shown, the last ones."""
INSIDE = Path(__file__).with_name("inside")
Say = Callable[[str], None]


class Worker(Protocol):
    """Somebody who makes an attempt."""

    @property
    def agent(self) -> Agent | None:
        """Who it is, for `attempt.json`, if it is a program."""
        ...

    @property
    def human(self) -> Human | None:
        """Who it is, if it is a person."""
        ...

    def work(self, room: "Room") -> str:
        """Works until it is done or the time is up; returns why it ended."""
        ...


class Room:
    """One attempt while it is made."""

    def __init__(
        self,
        folder: AttemptFolder,
        environment: Environment,
        clock: Clock,
        recorder: Recorder,
        scratch: Path,
        given: Sequence[Path],
        say: Say,
    ) -> None:
        self.folder, self.environment, self.clock = folder, environment, clock
        self.recorder, self.say = recorder, say
        self.settings: ProfileFacts = environment.profile(folder.attempt().profile)
        self._scratch, self._given = scratch, given
        self._live: Live | None = None
        self.busy_until = folder.attempt().start
        """When the last entry was done."""

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.clock.left_s <= 0

    def at_rest(self) -> AbstractContextManager[None]:
        """Stops everything in the sandbox, where there is one, for good once the time is up."""
        return self._live.at_rest(lambda: not self.over) if self._live else nullcontext()

    def score(self) -> dict[str, object]:
        """Scores the workspace as it is now; returns what the agent is told."""
        line = self._answered()
        told = agent_view.reply(line, self.environment.facts)
        self.recorder.add(
            EventKind.SCORE,
            who="harness",
            entry=line.index,
            score=line.score,
            data={"message": line.message, "visible": self.environment.facts.score_visible},
        )
        shown = "invalid" if line.score is None else f"{line.score:.4g}"
        if not self.environment.facts.score_visible:  # a person sits at the same terminal
            shown = "logged"
        self.say(f"entry {line.index} after {self.clock.elapsed_s:.0f} s: {shown}")
        return {**told, **self.time()}

    def log(self) -> list[dict[str, object]]:
        """Returns the end of the score log as the agent sees it."""
        facts = self.environment.facts
        return [agent_view.row(line, facts) for line in self.folder.scores()[-LOG_ROWS:]]

    def time(self) -> dict[str, object]:
        """Returns how much time is spent and left, in seconds."""
        return {
            "elapsed_s": round(self.clock.elapsed_s, 1),
            "left_s": round(self.clock.left_s, 1),
        }

    @contextmanager
    def sandboxed(
        self, command: Sequence[str], *, inherited: Sequence[int] = ()
    ) -> Iterator["Bench"]:
        """Yields a sandbox over the workspace in which `score` and `score_log` can be called."""
        unsafe = current() is Mode.UNSAFE
        tools = self._tools(unsafe)
        places = {} if unsafe else {TOOLS: tools, GIVEN: self._gifts()}
        where = str(tools) if unsafe else TOOLS
        words = [_outside(word, where) for word in command]
        own = Path(sys.executable).parent
        env = {
            "PATH": f"{where}/bin:{own}:/usr/local/bin:/usr/bin:/bin",
            "SCORE_DESK": f"{where}/desk",
            "OMP_NUM_THREADS": str(self.settings.threads),
        }
        with (
            Desk(tools / "desk", {"score": self.score, "score_log": self.log}) as desk,
            Live(
                words,
                workspace=self.folder.workspace,
                readonly=places,
                env=env,
                limits=self._limits(),
                inherited=inherited,
            ) as live,
        ):
            self._live = live
            try:
                yield Bench(self, live, desk)
            finally:
                self._live = None

    def _answered(self) -> ScoreLine:
        """Asks for an entry, with everything stopped meanwhile.

        Waiting for others' timed runs to be over is none of the agent's time.
        """
        waited_s = timing.waited_s
        try:
            with self.at_rest():
                try:
                    return scoring.answer(
                        self.folder, self.environment, paused_s=self.clock.paused_s
                    )
                finally:
                    self.clock.spare(timing.waited_s - waited_s)
        except SnapshotRefused as error:  # something cannot be stopped
            return scoring.refuse(self.folder, error, paused_s=self.clock.paused_s)
        finally:
            self.busy_until = datetime.now(UTC)

    def _tools(self, unsafe: bool) -> Path:
        folder = self._scratch / "tools"
        (folder / "bin").mkdir(parents=True)
        program = (INSIDE / "score.py").read_text("utf-8")
        for name in ("score", "score_log"):
            path = folder / "bin" / name
            path.write_text(f"#!{sys.executable} -I\n{program}", "utf-8")
            path.chmod(0o755)
        shutil.copy(INSIDE / "shell.py", folder / "shell.py")
        for path in (folder, folder / "bin"):
            path.chmod(0o755)
        if unsafe:
            self._scratch.chmod(0o755)
        return folder

    def _gifts(self) -> Path:
        """Copies what the agent's owner gives it, so that everybody may read it."""
        place = self._scratch / "given"
        place.mkdir()
        for path in self._given:
            if path.is_dir():
                shutil.copytree(path, place / path.name, symlinks=True)
            else:
                shutil.copy(path, place)
        for one in (place, *place.rglob("*")):
            if not one.is_symlink():  # what its owner may, everybody may, but for writing
                mode = one.stat().st_mode
                one.chmod(mode | 0o444 | (mode & 0o100 and 0o111))
        return place

    def _limits(self) -> Limits:
        """What the agent may take; environments at the paper's scale say more than is usual."""
        usual, more = Limits(), self.settings.model_extra or {}
        memory, disk = (int(more.get(name, 0)) << 30 for name in ("memory_gb", "disk_gb"))
        return Limits(
            wall_s=self.clock.budget_s,
            memory_bytes=memory or usual.memory_bytes,
            disk_bytes=disk or usual.disk_bytes,
            file_bytes=disk or usual.file_bytes,
        )


class Bench:
    """A sandbox with a score desk in it."""

    def __init__(self, room: Room, live: Live, desk: Desk) -> None:
        self._room, self._desk = room, desk
        self.live = live
        self._killed = 0

    def step(self) -> str | None:
        """Lets things happen for a moment and answers requests; returns why it is over, if so."""
        limit = self.live.look(TICK_S)
        for name in self.live.killed[self._killed :]:
            self._room.recorder.note(f"{name} was ended: it took too much memory.")
        self._killed = len(self.live.killed)
        if limit:
            return f"limit: {limit}"
        if self._room.over:
            return "time"
        self._desk.serve()
        return "exit" if self.live.ended else None


def _outside(word: str, tools: str) -> str:
    """A path of a tool as it is without isolation; the same within."""
    return f"{tools}/{word.removeprefix(f'{TOOLS}/')}" if word.startswith(f"{TOOLS}/") else word


def gifts(paths: Sequence[Path]) -> list[Path]:
    """Returns files and folders that an agent is given.

    Raises:
        UsageError: one is not there, or two have one name.
    """
    names = [path.resolve().name for path in paths]
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist.", hint="Name a file or a folder to give.")
    if len(set(names)) != len(names):
        raise UsageError("Two of the given files have one name.", hint="Rename one of them.")
    return [path.resolve() for path in paths]


def deadline(folder: AttemptFolder, clock: Clock) -> datetime:
    """Returns the moment at which the time was up, by the wall clock."""
    return folder.attempt().start + timedelta(seconds=clock.budget_s + clock.paused_s)
