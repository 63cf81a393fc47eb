"""An agent that is a model behind an endpoint: it asks for commands, the sandbox executes them.

The scaffold alone talks to the endpoint; nothing in the sandbox has a network or the key.
"""

import json
import math
import socket
from dataclasses import dataclass
from importlib import metadata
from threading import Thread
from time import sleep as rest
from typing import Any

from harness.files import canonical_json, sha256_bytes
from harness.models import Agent, Human
from harness.running.llm.endpoint import (
    Busy,
    Endpoint,
    EndpointFailed,
    Reply,
    ToolCall,
    TooLong,
)
from harness.running.llm.shell import PROGRAM, Over, Shell
from harness.running.llm.talk import Talk
from harness.running.room import TOOLS, Bench, Room
from harness.trajectory import EventKind

NAME = "react"
"""This scaffold, for the record."""
TIMEOUT_S, LONGEST_S = 60.0, 1440.0
"""Of a command: as usual, and at most."""
PATIENCE = 12
"""Refusals in a row that are waited for, each twice as long as the one before."""
LONGEST_WAIT_S = 120.0
CALLS = 16
"""Tools that are used in one turn."""
SHOWN = 40_000
"""Characters of one answer that the model is shown."""
SILENT = 5
"""Messages in a row without a tool; then the run ends."""
SYSTEM = """\
You work alone on a task in a Linux sandbox without network. Nobody answers questions; go on until
you are satisfied or your time is up. Each `bash` command starts in the folder solution/ of the
workspace /home/agent; files and background processes stay, other state does not. A command ends
after its timeout (usually 60 s, at most 24 minutes), so put long work into the background and look
at its output later. Outputs are cut in the middle when they are long. Call `score` as often as you
like: it logs an official score of the workspace as it is. Your work is scored once more at the end.
Stay within the task's rules: the score has to come from the task's own work."""


Answered = tuple[Reply, dict[str, Any]]


def _tool(name: str, description: str, **properties: dict[str, str]) -> dict[str, Any]:
    needed = [key for key, value in properties.items() if value.pop("needed", "")]
    parameters = {"type": "object", "properties": properties, "required": needed}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS_TOLD = (
    _tool(
        "bash",
        "Runs a command with bash.",
        command={"type": "string", "description": "The command.", "needed": "yes"},
        timeout_s={"type": "number", "description": "Seconds until it is ended."},
    ),
    _tool("score", "Scores the workspace as it is now and logs the result."),
    _tool("score_log", "Shows your score log."),
    _tool("submit", "Ends your work for good."),
)


@dataclass(frozen=True)
class Scaffold:
    """A model that works step by step: it thinks, calls a tool, reads what came of it."""

    model: str
    endpoint: Endpoint
    name: str = ""

    @property
    def agent(self) -> Agent:
        """The model and the scaffold, for the record."""
        prompt = canonical_json({"system": SYSTEM, "tools": list(TOOLS_TOLD)})
        return Agent(
            name=self.name or self.model,
            model=self.model,
            scaffold=NAME,
            version=metadata.version("earned"),
            prompt_sha256=sha256_bytes(prompt),
        )

    @property
    def human(self) -> Human | None:
        """It is none."""
        return None

    def work(self, room: Room) -> str:
        """Talks with the model until it submits or the time is up."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            number = theirs.fileno()
            command = ["python", "-I", f"{TOOLS}/{PROGRAM}", str(number)]
            with room.sandboxed(command, inherited=[number]) as bench:
                theirs.close()
                talking = _Talking(self.endpoint, room, bench, Shell(ours, bench))
                try:
                    return talking.run()
                except Over as over:
                    return str(over)
                finally:
                    room.recorder.note("The model used up so much.", **talking.used)


class _Talking:
    """One run's conversation."""

    def __init__(self, endpoint: Endpoint, room: Room, bench: Bench, shell: Shell) -> None:
        self._endpoint, self._room, self._bench, self._shell = endpoint, room, bench, shell
        task = room.folder.workspace / "instructions.md"
        told = task.read_text("utf-8") if task.is_file() else room.environment.facts.title
        self._talk = Talk(
            [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"{told}\n\n{self._time()}"},
            ]
        )
        self.used: dict[str, int] = {"requests": 0}

    def run(self) -> str:
        """Takes turns; returns why there are no more."""
        silent = 0
        while silent < SILENT:
            reply = self._asked()
            calls = (reply.tool_calls or [])[:CALLS]
            self._record(reply)
            self._talk.turn(_echo(reply, calls))
            for number, call in enumerate(calls):
                answer = self._done(call)
                if answer is None:
                    return "submitted"
                told = f"{_shortened(answer)}\n{self._time()}"
                name = _identity(call, number)
                self._talk.add({"role": "tool", "tool_call_id": name, "content": told})
            silent = 0 if calls else silent + 1
            if not calls:
                words = f"Call a tool; `submit` ends your work.\n{self._time()}"
                self._talk.add({"role": "user", "content": words})
        return "silent"

    def _asked(self) -> Reply:
        """Returns the model's next message. Time in which the endpoint refuses does not count.

        Raises:
            Over: the time is up.
            EndpointFailed: it refuses for good.
        """
        why = ""
        for number in range(PATIENCE):
            self.used["requests"] += 1
            found = self._waited_for(self._talk.messages())
            if isinstance(found, TooLong):
                why = str(found)
                if self._talk.shorten():
                    continue
                break
            if isinstance(found, Exception) and not isinstance(found, Busy):
                raise found
            if not isinstance(found, Busy):
                reply, used = found
                for name, count in used.items():
                    if isinstance(count, int):
                        self.used[name] = self.used.get(name, 0) + count
                return reply
            why = str(found)
            wait_s = min(found.after_s or 2.0**number, LONGEST_WAIT_S)
            self._room.recorder.note(f"{why}; the clock stands still", wait_s=wait_s)
            with self._room.clock.paused(), self._room.at_rest():
                rest(wait_s)
        raise EndpointFailed(f"The endpoint is of no use: {why}.", hint="Try again later.")

    def _waited_for(self, messages: list[dict[str, Any]]) -> Answered | Exception:
        """Asks the endpoint in a thread, and goes on serving the sandbox meanwhile."""
        found: list[Answered | Exception] = []

        def ask() -> None:
            try:
                found.append(self._endpoint.complete(messages, TOOLS_TOLD, self._room.clock.left_s))
            except Exception as error:
                found.append(error)

        asking = Thread(target=ask, daemon=True)
        asking.start()
        while asking.is_alive():
            if reason := self._bench.step():
                raise Over(reason)
        return found[0]

    def _done(self, call: ToolCall) -> str | None:
        """Returns what a tool gives; None where the work is over."""
        name = call.function.name
        try:
            given = json.loads(call.function.arguments or "{}")
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            return "The arguments are no JSON object."
        match name:
            case "bash":
                return self._bash(given)
            case "score":
                self._room.recorder.add(EventKind.ACTION, tool=name)
                return json.dumps(self._room.score())
            case "score_log":
                self._room.recorder.add(EventKind.ACTION, tool=name)
                return json.dumps(self._room.log())
            case "submit":
                self._room.recorder.add(EventKind.ACTION, tool=name)
                return None
        return f"There is no tool {name[:100]!r}."

    def _bash(self, given: dict[str, Any]) -> str:
        command, timeout = given.get("command"), given.get("timeout_s", TIMEOUT_S)
        if not isinstance(command, str) or "\0" in command:
            return "`command` is missing, or no text."
        usable = isinstance(timeout, int | float) and math.isfinite(timeout) and timeout > 0
        timeout_s = min(float(timeout), LONGEST_S) if usable else TIMEOUT_S
        index = self._room.recorder.add(
            EventKind.ACTION, tool="bash", language="shell", path="solution", text=command
        )
        said = self._shell.run(command, timeout_s)
        self._room.recorder.add(
            EventKind.RESULT, tool="bash", of=index, text=said.output, exit_code=said.exit_code
        )
        ending = f"ended after {timeout_s:g} s" if said.exit_code is None else str(said.exit_code)
        return f"{said.output}\n[exit code: {ending}]"

    def _record(self, reply: Reply) -> None:
        if reply.reasoning_content:
            self._room.recorder.add(EventKind.THOUGHT, text=reply.reasoning_content)
        if reply.content:
            self._room.recorder.add(EventKind.MESSAGE, text=reply.content)

    def _time(self) -> str:
        clock = self._room.clock
        return f"[{clock.elapsed_s:.0f} s of {clock.budget_s:.0f} s are over]"


def _echo(reply: Reply, calls: list[ToolCall]) -> dict[str, Any]:
    """The model's message as it is sent back to it."""
    message: dict[str, Any] = {"role": "assistant", "content": _shortened(reply.content or "")}
    if calls:
        message["tool_calls"] = [
            {
                "id": _identity(call, number),
                "type": "function",
                "function": {
                    "name": call.function.name[:100],
                    "arguments": call.function.arguments
                    if len(call.function.arguments) <= SHOWN
                    else "{}",
                },
            }
            for number, call in enumerate(calls)
        ]
    return message


def _identity(call: ToolCall, number: int) -> str:
    return call.id[:100] or f"call_{number}"


def _shortened(text: str) -> str:
    if len(text) <= SHOWN:
        return text
    half = SHOWN // 2
    return f"{text[:half]}\n[{len(text) - SHOWN} characters left out]\n{text[-half:]}"
