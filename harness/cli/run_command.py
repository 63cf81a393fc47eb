"""`harness run`: words of the command line in, an attempt and one line of JSON out."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from harness import environment as environments
from harness import sandbox
from harness.cli.app import say
from harness.cli.duration import seconds
from harness.cli.refusal import lines, shown
from harness.errors import UsageError
from harness.running import Worker
from harness.running import run as run_attempt
from harness.running.command import Command
from harness.running.human import Person
from harness.running.llm import Scaffold
from harness.running.llm.endpoint import Endpoint
from harness.running.room import GIVEN
from reports.plain import plain

KINDS = "a program's file, command: LINE, llm: MODEL, or human"
_BY_SUFFIX = {".py": "python ", ".sh": "bash "}
"""How a file is executed that says nothing about it itself."""


@dataclass(frozen=True)
class Request:
    """What a person asked for."""

    env: str
    target: Path
    agent: str
    budget: str | None
    profile: str
    seed: int
    name: str
    model: str
    give: Sequence[Path]
    unsafe: bool


def run(request: Request) -> int:
    """Runs an attempt; returns 0, or 2 where it ended through no doing of the agent."""
    worker, program = worker_of(request.agent, request.name, request.model)
    task = environments.find(request.env)
    budget = None if request.budget is None else seconds(request.budget)
    sandbox.allow_unsafe(request.unsafe)
    sandbox.require()
    ended = run_attempt(
        task, request.target, worker, budget_s=budget, profile=request.profile,
        seed=request.seed, given=[*request.give, *program], say=say,
    )  # fmt: skip
    told = {
        "attempt": shown(ended.folder.root),
        "ended": ended.reason,
        "elapsed_s": round(ended.elapsed_s, 1),
        "entries": ended.entries,
        "entry": ended.entry,
        "score": ended.score if task.facts.score_visible else None,
    }
    typer.echo(json.dumps(told))
    for line in lines(ended.failure) if ended.failure else ():
        typer.secho(plain(line, 2_000), err=True, fg=typer.colors.RED)
    return 2 if ended.failure else 0


def worker_of(text: str, name: str = "", model: str = "") -> tuple[Worker, list[Path]]:
    """Returns the agent that a word stands for, and what of it must lie in the sandbox.

    Raises:
        UsageError: it stands for none, or its endpoint is not said.
    """
    kind, _, rest = text.partition(":")
    kind, rest = kind.strip(), rest.strip()
    if kind == "command" and rest:
        return Command(rest, name, model), []
    if kind == "llm" and rest:
        return Scaffold(rest, Endpoint.from_environment(rest), name), []
    if kind == "human":
        return Person(rest, lambda line: typer.echo(plain(line, 1 << 20))), []
    if (path := Path(text)).is_file() and (how := _executed(path)) is not None:
        line = f"{how}{shlex.quote(f'{GIVEN}/{path.name}')}"
        return Command(line, name or path.name, model), [path]
    raise UsageError(f"{text!r} is no agent.", hint=f"Write one of: {KINDS}.")


def _executed(path: Path) -> str | None:
    """What comes before a file's name in a command line; None where nobody can say."""
    return "" if os.access(path, os.X_OK) else _BY_SUFFIX.get(path.suffix)
