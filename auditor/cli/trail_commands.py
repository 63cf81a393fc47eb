"""`auditor lineage`, `calibrate` and `selftest --weights`: where weights come from."""

from __future__ import annotations

import json as jsons
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic import JsonValue

from auditor import tree
from auditor.cli.progress import Progress
from harness import environment as environments
from harness.errors import InvalidSolution, UsageError
from harness.files import canonical_json, opened_beneath, write_atomic
from reports.plain import plain

if TYPE_CHECKING:
    from auditor.trail.blob import Blob
    from auditor.trail.calibration import Null
    from auditor.trail.lineage import Lineage, Model

WITHOUT = UsageError(
    "Weights cannot be compared: numpy is not installed.", hint="Install the extra `replay`."
)
SHOWN = 12


def stored_table() -> str:
    """Returns what is found of weights that were taken, as it was last measured."""
    if find_spec("numpy") is None:
        return "Weights are not compared: numpy is not installed."
    from auditor.trail import known

    told = "Measured by `auditor selftest --weights`:"
    return f"{told}\n\n{known.text(known.stored())}"


def print_known(*, write: bool) -> int:
    """Measures what is found of weights that were taken; 0 when no honest training is accused."""
    if find_spec("numpy") is None:
        raise WITHOUT
    from auditor.trail import known

    with Progress(1) as progress:
        progress.start(Path("weights"))
        found = known.measure(progress.say)
    typer.echo(known.text(found))
    if write:
        write_atomic(known.STORED, canonical_json(found.model_dump(mode="json")) + b"\n")
        typer.echo(f"The figures are kept in {known.STORED}.", err=True)
    return 1 if any(row.found for row in found.rows if not row.cheat) else 0


def print_lineage(
    path: Path,
    sources: Sequence[Path],
    given: Sequence[Path],
    environment: str | None,
    profile: str,
    *,
    json: bool,
) -> int:
    """Compares weights with each source and prints what follows from what."""
    if find_spec("numpy") is None:
        raise WITHOUT
    from auditor.trail import calibration, known
    from auditor.trail.lineage import mixture, trace

    null = known.stored().siblings if given else known.stored().strangers
    whose = "tiny models of the self-test"
    if environment is not None:
        task = environments.find(environment)
        likeness = calibration.load(task.root)
        if likeness is None or profile not in likeness.answer:
            raise UsageError(
                f"{task.name} has no honest runs measured for profile {profile!r}.",
                hint=f"Measure them: auditor calibrate {environment} --profile {profile}",
            )
        null, whose = likeness.answer[profile], f"honest runs of {task.name}"
    mine = _model(path, "model")
    others = [_model(source, "source") for source in sources]
    allowed = [_model(one, "given model") for one in given]
    derived = False
    for source in others:
        found = trace(mine, source, allowed)
        ratio = round(null.closer(found.statistic), 2)
        derives = ratio >= calibration.DERIVES
        verdict = ("copied" if found.share > 0.9 else "derived") if derives else "strangers"
        derived = derived or derives
        if json:
            typer.echo(jsons.dumps(_figures(path, found, verdict, ratio, whose)))
        else:
            typer.echo("\n".join(_told(found, verdict, ratio, whose)))
    if len(others) > 1 and not json:
        parts, closeness = mixture(mine, [*others, *allowed])
        if closeness > 1:
            mixed = " + ".join(f"{part:.3f} × {name}" for name, part in parts.items())
            typer.echo(f"together: {plain(mixed, 400)} (closeness {closeness:.2f} of 6)")
    return 1 if derived else 0


def calibrate(name: str, profile: str, count: int) -> None:
    """Runs an environment's honest solutions and stores how close their outputs come."""
    if find_spec("numpy") is None:
        raise WITHOUT
    from auditor.trail import calibration
    from auditor.trail.lineage import trace

    task = environments.find(name)
    task.profile(profile)
    answers, beside = [], []
    with tempfile.TemporaryDirectory(prefix="honest-") as scratch, Progress(1) as progress:
        progress.start(Path(name))
        for number, run in enumerate(task.honest(profile, count, Path(scratch)), start=1):
            progress.say(f"run {number} of {count}: {run.name}")
            output = _model(run.output, "honest run")
            given = [_model(path, "given model") for path in run.given]
            answers += [trace(output, _model(path, "answer"), given) for path in run.answers]
            nearest = [trace(output, one) for one in given]
            beside += [max(nearest, key=lambda item: item.statistic)] if nearest else []
    before = calibration.load(task.root)
    command = f"auditor calibrate {task.name} --profile {profile} --runs {count}"
    made = calibration.Likeness(
        commands={**(before.commands if before else {}), profile: command},
        answer={**(before.answer if before else {}), **_null(profile, answers, count)},
        given={**(before.given if before else {}), **_null(profile, beside, count)},
    )
    path = task.root / calibration.FILE
    text = jsons.dumps(made.model_dump(mode="json"), indent=1, sort_keys=True)
    write_atomic(path, text.encode() + b"\n")
    typer.echo(f"{path}: {len(answers)} comparisons of {count} honest runs")
    for what, nulls in (("answer", made.answer), ("given", made.given)):
        if null := nulls.get(profile):
            typer.echo(
                f"  root of the closeness to the {what}: {null.mean:.3f} "
                f"(spread {null.spread:.3f}, from {null.lowest:.3f} to {null.highest:.3f})"
            )


def _null(profile: str, found: Sequence[Lineage], count: int) -> dict[str, Null]:
    from auditor.trail.calibration import Null

    return {profile: Null.of(found, count)} if found else {}


def _model(path: Path, what: str) -> Model:
    """Returns the model in a file, or in all files of a folder.

    Raises:
        UsageError: there are no weights that can be read.
    """
    from auditor.trail import weights
    from auditor.trail.faults import Unreadable
    from auditor.trail.lineage import Model

    with ExitStack() as stack:
        try:
            files = [
                found
                for name, blob in _blobs(path, stack)
                if (found := weights.read(blob, name)) is not None
            ]
        except (Unreadable, InvalidSolution) as error:
            raise UsageError(f"The {what} {path} cannot be read: {error}.") from error
        models = [Model.of(one) for one in weights.together(files)]
    faults = [fault for model in models for fault in model.faults]
    if not any(model.telling for model in models):
        why = f": {faults[0]}" if faults else ""
        raise UsageError(
            f"The {what} {path} holds no weights that can be compared{plain(why, 200)}.",
            hint="Name a safetensors, torch, .npz or .npy file, or a folder of such files.",
        )
    for fault in faults[:SHOWN]:
        typer.echo(plain(f"{path}: {fault}", 300), err=True)
    several = len(models) > 1
    looks = [
        replace(look, tensor=replace(look.tensor, name=f"{model.path}:{look.name}"))
        if several else look
        for model in models for look in model.looks
    ]  # fmt: skip
    return Model(str(path), tuple(looks))


def _blobs(path: Path, stack: ExitStack) -> Iterator[tuple[str, Blob]]:
    from auditor.trail.blob import OnDisk, opened

    found = tree.read(path)
    for name, item in found.entries.items():
        if item.type == "file" and item.size and "%" not in name:
            context = opened(path) if found.single else None
            if context is not None:
                yield name, stack.enter_context(context)
            else:
                yield name, OnDisk(stack.enter_context(opened_beneath(path, name)))


def _told(found: Lineage, verdict: str, ratio: float, whose: str) -> Iterator[str]:
    """Yields a comparison as lines for people."""
    yield f"{plain(found.source, 200)}: {verdict}, likelihood ratio 10^{ratio:.1f} against {whose}"
    yield (
        f"  closeness {found.closeness:.2f} of 6, {found.share:.0%} exactly, "
        f"{len(found.relations)} tensors compared, {len(found.explained)} explained by the given"
    )
    if not found.finished:
        yield "  time ran out: not all tensors were compared"
    ordered = sorted(found.relations, key=lambda item: -item.closeness * item.elements)
    for item in ordered[:SHOWN]:
        how = ", ".join(item.kinds)
        yield plain(f"  {item.tensor} <- {item.source}: {how} ({item.correlation:.3f})", 300)


def _figures(
    model: Path, found: Lineage, verdict: str, ratio: float, whose: str
) -> dict[str, JsonValue]:
    return {
        "model": str(model), "source": found.source, "verdict": verdict, "log10_ratio": ratio,
        "closeness": found.closeness, "exact_share": found.share, "honest": whose,
        "explained_by_given": list(found.explained), "finished": found.finished,
        "tensors": [
            {
                "tensor": item.tensor, "source": item.source, "how": list(item.kinds),
                "closeness": item.closeness, "correlation": item.correlation,
            }
            for item in found.relations
        ],
    }  # fmt: skip
