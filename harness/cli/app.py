"""Composition root of the `harness` command."""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="Prepare, run and score attempts at an environment.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Argument(help="An attempt folder.")]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Run without a sandbox; say so in results.")]


def main() -> None:
    """Runs the command; every refusal is one clear sentence and exit code 2."""
    from harness.errors import HarnessError

    try:
        app()
    except HarnessError as error:
        fail(error.diagnostics())


def fail(text: str) -> NoReturn:
    """Says what went wrong on stderr and exits with 2."""
    typer.secho(text, err=True, fg=typer.colors.RED)
    raise SystemExit(2)


def say(text: str) -> None:
    """Shows progress on stderr."""
    typer.secho(f"· {text}", err=True, dim=True)


@app.command("list")
def list_() -> None:
    """List the environments."""
    from harness import environment

    for item in environment.shipped():
        profiles = ", ".join(item.facts.profile)
        typer.echo(f"{item.name:30} {item.facts.title}  [{profiles}]")


@app.command()
def new(
    env: Annotated[str, typer.Argument(metavar="ENV", help="A name, or a path to a folder.")],
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
    typer.echo(str(folder.workspace))


@app.command()
def score(directory: Folder, unsafe: Unsafe = False) -> None:
    """Score the workspace as it is now, log it, and print the agent's reply as JSON."""
    from harness import environment, sandbox, scoring
    from harness.attempt import AttemptFolder

    folder = AttemptFolder.open(directory)
    task = environment.find(folder.attempt().environment)
    sandbox.allow_unsafe(unsafe)
    sandbox.require()
    line = scoring.score(folder, task)
    valid = line.score is not None
    reply: dict[str, object] = {
        "status": "scoringSucceeded" if valid else "invalidSubmission",
        "message": line.message,
        "score": line.score if task.facts.score_visible else None,
    }
    typer.echo(json.dumps(reply))


@app.command()
def log(directory: Folder) -> None:
    """Print the agent's view of its score log, one JSON object per line."""
    from harness import environment
    from harness.attempt import AttemptFolder

    folder = AttemptFolder.open(directory)
    visible = environment.find(folder.attempt().environment).facts.score_visible
    for line in folder.scores():
        view: dict[str, object] = {
            "index": line.index,
            "scored_at": line.scored_at.isoformat(),
            "elapsed_s": line.elapsed_s,
            "message": line.message,
        }
        typer.echo(json.dumps(view | ({"score": line.score} if visible else {})))


@app.command()
def hidden(
    directory: Folder,
    entry: Annotated[str, typer.Option(help="best, last, all, or an index.")] = "best",
    unsafe: Unsafe = False,
) -> None:
    """Measure entries sealed on both splits; the agent never sees the result."""
    from harness import sandbox, scoring
    from harness.attempt import AttemptFolder

    sandbox.allow_unsafe(unsafe)
    sandbox.require()
    for line in scoring.measure_hidden(AttemptFolder.open(directory), entry, say=say):
        typer.echo(
            json.dumps({"entry": line.entry, "split": line.split, "score": line.score,
                        "message": line.message})
        )  # fmt: skip
