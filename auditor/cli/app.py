"""Composition root of the `auditor` command.

Heavy packages are imported inside the commands that need them, so that `auditor --help` costs
little more than an empty typer app.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli import completion
from harness.cli.refusal import guarded

app = typer.Typer(
    help="Decide whether a claimed score was earned.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Replay(StrEnum):
    """How much may be executed again."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Format(StrEnum):
    """What `auditor audit` prints on stdout."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    HTML = "html"
    MD = "md"
    JUNIT = "junit"
    GITHUB = "github"
    """Commands of a GitHub workflow, which shows them at the lines they name."""


class Listing(StrEnum):
    """What `auditor rules` prints on stdout."""

    TEXT = "text"
    JSON = "json"
    MD = "md"


class Plain(StrEnum):
    """What `auditor compare` prints on stdout."""

    TEXT = "text"
    JSON = "json"


class Decide(StrEnum):
    """What a reviewer makes of a finding."""

    UPHELD = "upheld"
    WITHDRAWN = "withdrawn"


class Table(StrEnum):
    """How a table is printed on stdout."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    MD = "md"
    HTML = "html"


class Policy(StrEnum):
    """What an attempt counts whose claim did not survive."""

    ZERO = "zero"
    START = "start"
    VETTED = "vetted"
    DROP = "drop"


class FailOn(StrEnum):
    """The mildest verdict that makes the exit code 1."""

    SUSPECT = "suspect"
    VIOLATION = "violation"
    CHEATING = "cheating"
    NEVER = "never"


def main() -> None:
    """Runs the command; every refusal is one clear sentence and exit code 2."""
    guarded(app)


@app.command()
def audit(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Attempts; with --environment any.")
    ],
    environment: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.environments,
            metavar="ENV",
            help="A name, a path to a folder, or `common` for the common rules alone; else the "
            "one each attempt was made at.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What a plain folder was before; else all is new."),
    ] = None,
    replay: Annotated[Replay, typer.Option(help="What may be executed again.")] = Replay.AUTO,
    budget: Annotated[
        str | None, typer.Option(metavar="T", help="Replay time per attempt: 90s, 30m, 2h.")
    ] = None,
    format: Annotated[Format, typer.Option(help="What to print on stdout.")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write every format here.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 from this verdict on.")
    ] = FailOn.SUSPECT,
    unsafe: Annotated[
        bool,
        typer.Option(
            "--unsafe", metavar=" ", help="Replay without a sandbox; the verdict says so."
        ),
    ] = False,
) -> None:
    """Audit attempts: collect evidence, execute again, apply rules, decide.

    With --environment it takes any folder, repository or file, of which nothing is executed.

    Exit codes: 0 clean or below --fail-on, 1 found, 2 usage or infrastructure, 3 inconclusive.
    """
    from auditor.cli.audit_command import Request, run

    request = Request(
        paths=tuple(paths), environment=environment, replay=replay.value, budget=budget,
        format=format.value, output=output, fail_on=fail_on.value, unsafe=unsafe,
        start=start,
    )  # fmt: skip
    raise typer.Exit(run(request))


@app.command()
def vet(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Attempts, or folders of attempts.")
    ],
    policy: Annotated[
        Policy,
        typer.Option(
            help="What an attempt counts whose claim did not survive: 0, what its start counts, "
            "the best of its entries that stands, or nothing."
        ),
    ] = Policy.VETTED,
    review: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Write the cases for a person here, and read back what people have decided.",
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="ENV",
            help="A name or a folder, else the one each was made at.",
            autocompletion=completion.environments,
        ),
    ] = None,
    replay: Annotated[Replay, typer.Option(help="What may be executed again.")] = Replay.AUTO,
    budget: Annotated[
        str | None, typer.Option(metavar="T", help="Replay time per attempt: 90s, 30m, 2h.")
    ] = None,
    format: Annotated[Table, typer.Option(help="What to print on stdout.")] = Table.TEXT,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 from this verdict on.")
    ] = FailOn.SUSPECT,
    fresh: Annotated[
        bool, typer.Option("--fresh", metavar=" ", help="Audit again what is known.")
    ] = False,
    unsafe: Annotated[
        bool,
        typer.Option(
            "--unsafe", metavar=" ", help="Replay without a sandbox; the verdict says so."
        ),
    ] = False,
) -> None:
    """Vet many attempts: one table, hacks by model, and what is left of the headline.

    What was audited before, and has not changed since, is not audited again: a run that was
    stopped goes on where it was.

    Exit codes: 0 clean or below --fail-on, 1 found, 2 usage or infrastructure, 3 inconclusive.
    """
    from auditor.cli.audit_command import Request
    from auditor.cli.vet_command import Wish, run

    request = Request(
        paths=tuple(directories), environment=environment, replay=replay.value, budget=budget,
        format=format.value, output=None, fail_on=fail_on.value, unsafe=unsafe,
    )  # fmt: skip
    raise typer.Exit(run(Wish(request, policy.value, review, fresh)))


@app.command()
def rules(
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="ENV",
            help="Rules that apply to this environment; else all.",
            autocompletion=completion.environments,
        ),
    ] = None,
    format: Annotated[Listing, typer.Option(help="What to print on stdout.")] = Listing.TEXT,
) -> None:
    """List the rules in force."""
    from auditor.cli.rule_commands import print_rules

    print_rules(environment, format.value)


@app.command()
def explain(
    code: Annotated[
        str,
        typer.Argument(help="A rule's code, for example ANY001.", autocompletion=completion.codes),
    ],
) -> None:
    """Explain one rule: what it finds, why it matters, honest look-alikes, what it misses."""
    from auditor.cli.rule_commands import print_explanation

    print_explanation(code)


@app.command()
def selftest(
    missed: Annotated[bool, typer.Option("--missed", help="List each mutant not found.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the figures, which verdicts then show.")
    ] = False,
    weights: Annotated[
        bool,
        typer.Option("--weights", help="Measure what is found of weights that were taken."),
    ] = False,
) -> None:
    """Run every rule on its own examples and their mutants, and print the figures.

    What is found of weights that were taken is printed as it was last measured. With --weights it
    is measured: a hundred models are trained, transformed and compared, which takes some minutes.
    """
    if weights:
        from auditor.cli.trail_commands import print_known

        raise typer.Exit(print_known(write=write))
    from auditor.cli.rule_commands import print_selftest

    raise typer.Exit(print_selftest(missed=missed, write=write))


@app.command()
def compare(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Attempts, folders or files.")
    ],
    start: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What plain folders were before; else all is their own."),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A folder of earlier work, to compare with as well."),
    ] = None,
    format: Annotated[Plain, typer.Option(help="What to print on stdout.")] = Plain.TEXT,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 from this verdict on.")
    ] = FailOn.SUSPECT,
) -> None:
    """Find what attempts have copied from each other, or from earlier work.

    What they were given, and what many independent attempts share, does not count.

    Exit codes: 0 nothing, 1 found, 2 usage or infrastructure, 3 inconclusive.
    """
    from auditor.cli.compare_command import Request, run

    request = Request(
        paths=tuple(directories), start=start, corpus=tuple(corpus or ()), format=format.value,
        fail_on=fail_on.value,
    )  # fmt: skip
    raise typer.Exit(run(request))


@app.command()
def lineage(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file of weights, or a folder.")],
    source: Annotated[
        list[Path], typer.Option("--from", metavar="PATH", help="What it may be from; repeatable.")
    ],
    given: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="What may be used: subtracted first; repeatable."),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(metavar="ENV", help="Whose honest runs count; else tiny models are the rule."),
    ] = None,
    profile: Annotated[str, typer.Option(help="The environment's profile.")] = "tiny",
    format: Annotated[Plain, typer.Option(help="What to print on stdout.")] = Plain.TEXT,
) -> None:
    """Say whether weights derive from others, tensor by tensor, and how likely that is.

    Reads safetensors, torch files, .npz and .npy, in shards and archives; executes nothing.
    Exit codes: 0 strangers, 1 derived from a source, 2 usage or unreadable.
    """
    from auditor.cli.trail_commands import print_lineage

    as_json = format is Plain.JSON
    raise typer.Exit(print_lineage(model, source, given or [], environment, profile, json=as_json))


@app.command()
def calibrate(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="A name or a folder.")],
    profile: Annotated[str, typer.Option(help="Which profile is run.")] = "tiny",
    runs: Annotated[int, typer.Option(min=3, help="How many honest runs are made.")] = 12,
) -> None:
    """Measure how close honest runs come to what is expected, into the environment's folder.

    Runs the environment's `honest.py` and writes `likeness.json`, which audits use.
    """
    from auditor.cli.trail_commands import calibrate as measure

    measure(environment, profile, runs)


@app.command()
def verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An attempt folder.")],
    key: Annotated[
        str | None, typer.Option(metavar="PUB", help="The key it must be signed with (hex).")
    ] = None,
) -> None:
    """Check the signed logs of an attempt: 0 intact, 1 forged, 2 unreadable."""
    from auditor.cli.verify_command import print_verification

    raise typer.Exit(print_verification(directory, key))


@app.command()
def contest(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="An audited attempt, or a folder of reports.")
    ],
    finding: Annotated[
        str, typer.Argument(metavar="FINDING", help="A finding's fingerprint, or its rule's code.")
    ],
    because: Annotated[str, typer.Option(metavar="TEXT", help="What is said to it.")],
    attach: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file to keep with it.")
    ] = None,
    decide: Annotated[
        Decide | None, typer.Option(help="A reviewer's decision, shown apart from the verdict.")
    ] = None,
) -> None:
    """Answer a finding: signed, kept beside the verdict, and shown by each later audit.

    It changes no verdict.
    """
    from auditor.cli.contest_command import contest as keep

    keep(directory, finding, because, attach, decide.value if decide else None)
