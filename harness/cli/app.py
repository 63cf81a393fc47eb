"""Composition root of the `harness` command."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.cli.refusal import guarded

if TYPE_CHECKING:
    from harness.attempt import AttemptFolder
    from harness.environment import Environment

app = typer.Typer(
    help="Prepare, run and score attempts at an environment.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="An attempt folder.")]
Named = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="ENV",
        help="A name, or a path to a folder. Needed only for attempts at an environment of your "
        "own that were made on another machine, or before its folder was moved.",
    ),
]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Run without a sandbox; say so in results.")]


class Format(StrEnum):
    """What is printed on stdout."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


class Rows(StrEnum):
    """What a line of CSV is about."""

    ATTEMPTS = "attempts"
    AGENTS = "agents"
    BUDGETS = "budgets"


class Basis(StrEnum):
    """Which score counts."""

    CLAIMED = "claimed"
    REMEASURED = "remeasured"
    HIDDEN = "hidden"


class Invalid(StrEnum):
    """What an attempt without a valid entry counts."""

    DROP = "drop"
    START = "start"


class Estimator(StrEnum):
    """How k runs are taken of those there are."""

    SUBSETS = "subsets"
    DRAWS = "draws"


def main() -> None:
    """Runs the command; every refusal is one clear sentence and exit code 2."""
    guarded(app)


def say(text: str) -> None:
    """Shows progress on stderr."""
    from reports.plain import plain

    typer.secho(f"· {plain(text)}", err=True, dim=True)


@app.command("list")
def list_() -> None:
    """List the environments."""
    from harness import environment

    for item in environment.shipped():
        profiles = ", ".join(item.facts.profile)
        typer.echo(f"{item.name:30} {item.facts.title}  [{profiles}]")


@app.command()
def new(
    env: Annotated[
        str,
        typer.Argument(
            metavar="ENV",
            help="A name, or a path to a folder.",
            autocompletion=completion.environments,
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="The attempt folder to make.")],
    profile: Annotated[str, typer.Option(help="tiny, cpu or full.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Fixes the visible instance only.")] = 0,
    agent: Annotated[str, typer.Option(help="Name of the agent, for the record.")] = "",
    human: Annotated[str, typer.Option(help="Pool of the person, for the record.")] = "",
    unsafe: Unsafe = False,
) -> None:
    """Make an attempt folder: the instance, the workspace, empty signed logs."""
    from harness import environment, sandbox, scoring
    from harness.models import Agent, Human

    sandbox.allow_unsafe(unsafe)
    sandbox.require()
    folder = scoring.new(
        environment.find(env), target, profile=profile, seed=seed, say=say,
        agent=Agent(name=agent) if agent else None, human=Human(pool=human) if human else None,
    )  # fmt: skip
    typer.echo(bytes(folder.workspace))


@app.command()
def score(directory: Folder, environment: Named = None, unsafe: Unsafe = False) -> None:
    """Score the workspace as it is now, log it, and print the agent's reply as JSON."""
    from harness import agent_view, sandbox, scoring

    folder, task = _opened(directory, environment)
    sandbox.allow_unsafe(unsafe)
    sandbox.require()
    typer.echo(json.dumps(agent_view.reply(scoring.score(folder, task), task.facts)))


@app.command()
def log(directory: Folder, environment: Named = None) -> None:
    """Print the agent's view of its score log, one JSON object per line."""
    from harness import agent_view

    folder, task = _opened(directory, environment)
    for line in folder.scores():
        typer.echo(json.dumps(agent_view.row(line, task.facts)))


@app.command()
def hidden(
    directory: Folder,
    entry: Annotated[str, typer.Option(help="best, last, all, or an index.")] = "best",
    environment: Named = None,
    unsafe: Unsafe = False,
) -> None:
    """Measure entries sealed on both splits; the agent never sees the result."""
    from harness import sandbox, scoring

    folder, task = _opened(directory, environment)
    sandbox.allow_unsafe(unsafe)
    sandbox.require()
    for line in scoring.measure_hidden(folder, entry, task, say=say):
        typer.echo(
            json.dumps({"entry": line.entry, "split": line.split, "score": line.score,
                        "message": line.message})
        )  # fmt: skip


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="A log, or a folder with a home or with logs.")
    ],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="The attempt folder to make.")],
    environment: Annotated[
        str | None,
        typer.Option(metavar="ENV", help="The task: a name, or a path; else as SRC tells."),
    ] = None,
    profile: Annotated[str, typer.Option(help="tiny, cpu or full.")] = "full",
) -> None:
    """Make attempts of what others recorded: a METR home, a repository, Inspect, AIDE or Vivaria.

    Several runs become several attempts in DIR. Everything in them is a claim: scores that nobody
    here has measured are never clean, and what is missing is said on stderr and in attempt.json.
    """
    from typing import cast

    from harness import environment as environments
    from harness import importing
    from harness.importing import attempts
    from harness.models import Profile

    task = environments.find(environment) if environment is not None else None
    if task is not None:
        task.profile(profile)
    runs = importing.load(source, say)
    made = attempts.write(
        runs, target, source=source, environment=task, profile=cast(Profile, profile)
    )
    for folder in made:
        imported = folder.attempt().imported
        for sentence in imported.missing if imported else ():
            say(sentence)
        typer.echo(bytes(folder.root))


@app.command("run")
def run_(
    env: Annotated[str, typer.Argument(metavar="ENV", help="A name, or a path to a folder.")],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="The attempt folder to make.")],
    agent: Annotated[
        str,
        typer.Option(
            metavar="AGENT",
            help="A program's file or `command: LINE`, for the sandbox; `llm: MODEL`, an "
            "OpenAI-compatible endpoint at $OPENAI_BASE_URL, with $OPENAI_API_KEY; `human` or "
            "`human: POOL`.",
        ),
    ],
    budget: Annotated[
        str | None, typer.Option(metavar="T", help="Time in all: 90s, 30m, 8h; else the profile's.")
    ] = None,
    profile: Annotated[str, typer.Option(help="tiny, cpu or full.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Fixes the visible instance only.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the agent, for the record.")] = "",
    model: Annotated[str, typer.Option(help="Model behind a command, for the record.")] = "",
    give: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="A file or folder that the agent finds in /run/agent; may be repeated.",
        ),
    ] = None,
    unsafe: Unsafe = False,
) -> None:
    """Run an attempt: an agent works in the sandbox, scores when it asks, until time is up."""
    from harness.cli.run_command import Request, run

    request = Request(env, target, agent, budget, profile, seed, name, model, give or [], unsafe)
    raise SystemExit(run(request))


@app.command()
def leaderboard(
    paths: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Attempt folders, or folders of them.")
    ],
    format: Annotated[Format, typer.Option(help="What to print on stdout.")] = Format.TEXT,
    rows: Annotated[Rows, typer.Option(help="What a line of CSV is about.")] = Rows.ATTEMPTS,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also draw the board here, as SVG.")
    ] = None,
    score: Annotated[
        Basis, typer.Option(help="As told to the agent, measured again, or on hidden instances.")
    ] = Basis.CLAIMED,
    budgets: Annotated[
        str | None, typer.Option(metavar="T,T", help="Time in total; else 30m,2h,8h,32h.")
    ] = None,
    k: Annotated[str | None, typer.Option(metavar="N,N", help="Runs of score@k.")] = None,
    estimator: Annotated[
        Estimator,
        typer.Option(help="Of score@k for time budgets and plots: without or with replacement."),
    ] = Estimator.SUBSETS,
    invalid: Annotated[
        Invalid,
        typer.Option(help="An attempt without a valid entry: left out, or worth the start."),
    ] = Invalid.DROP,
    environment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ENV",
            help="A path to a folder, for attempts at environments of your own that were made "
            "on another machine; may be repeated.",
        ),
    ] = None,
    approaches: Annotated[
        bool, typer.Option(help="Count different approaches among solutions.")
    ] = True,
) -> None:
    """Compare attempts: normalised scores, score@k, time budgets, and published results beside."""
    from harness.cli.leaderboard_command import Request, choice, run

    raise SystemExit(
        run(
            paths,
            Request(
                format=format.value,
                rows=rows.value,
                plots=plot,
                choice=choice(score.value, invalid.value, estimator.value, budgets, k),
                environments=environment or [],
                approaches=approaches,
            ),
        )
    )


def _opened(directory: Path, environment: str | None) -> "tuple[AttemptFolder, Environment]":
    """An attempt and its environment; see `harness/origin.py` for who may say which that is."""
    from harness import origin
    from harness.attempt import AttemptFolder

    folder = AttemptFolder.open(directory)
    return folder, origin.find(folder.attempt(), environment)
