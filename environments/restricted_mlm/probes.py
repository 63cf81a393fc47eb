"""Calls a model under many conditions at once, for interventions to judge what came of it."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.errors import InvalidSolution

from . import text, trial
from .language import Floats, Ints
from .prepare import PAGES
from .score import executed, lay_out
from .settings import Settings, load
from .text import Windows
from .trial import Call, Called, Logits, Refusal, Traced

PROBES = 3
"""Batches that are traced."""
FIRST, SHOWN, ASKED = 0, PROBES, PROBES + 1
"""Batches by number: the first; one that shows words; one that asks for those that it showed."""


@dataclass(frozen=True, eq=False)
class Probed:
    """What a model did."""

    windows: Windows
    """What the first batches hold."""
    asked: Windows
    """What the batch `ASKED` holds."""
    batches: Sequence[Ints]
    watched: Called
    """The first batches, traced, in a fresh process."""
    plain: Called
    """`FIRST`, the other ones, `SHOWN`, `ASKED`, and `FIRST` again, in a fresh process."""
    apart: Called
    """`FIRST` and `ASKED`, in a fresh process, without the enforcer's flag."""
    elsewhere: list[Logits] | Refusal
    """What each program makes of the next batch, by the batch that it is executed on."""
    mixed: Logits | Refusal
    """What the first program makes of rows of the first batch between rows of another."""
    rows: Ints
    """Which rows of the first batch those are, by their places in the mixed one."""

    @property
    def program(self) -> Traced:
        """The program of the first batch."""
        (first, *_) = self.watched.programs
        assert first is not None, "the first batch is traced"
        return first


@lru_cache(maxsize=6)
def probed(private: Path, solution: Path, scratch: Path, seed: bytes, profile: str) -> Probed:
    """Returns what the model of a workspace does; done once for all interventions.

    Args:
        private: the attempt's instance.
        solution: the workspace.
        scratch: a folder of this solution's alone.
        seed: what windows and masks are drawn from.
        profile: the profile's name.

    Raises:
        InvalidSolution: the model fails.
    """
    settings = load(profile)
    draw = np.random.default_rng([*seed, *b"probed"])
    whole = text.windows(
        text.of(private, "validation"), text.language_of(private), settings, draw, PROBES + 1
    )
    first, last = _split(whole, PROBES * settings.batch)
    shown, asked = _turned(last, settings, draw)
    batches = [*first.batches(settings), shown, *asked.batches(settings)]
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tree = Path(folder, "workspace")
        lay_out(solution, tree, private / PAGES, private / "data")

        def called(*calls: Call) -> Called:
            return trial.call(tree, batches, calls, settings, profile)

        watched = called(*(Call(number, True) for number in range(PROBES)))
        order = [FIRST, *range(PROBES - 1, 0, -1), SHOWN, ASKED, FIRST]
        plain = called(*(Call(number, False) for number in order))
        apart = called(Call(FIRST, False, flag=False), Call(ASKED, False, flag=False))
    mixed, rows = _mixed(batches, draw)
    program = watched.programs[0]
    assert program is not None, "the first batch is traced"
    (made,) = trial.execute(watched, [(program, 0)], [mixed], settings, profile)
    return Probed(
        windows=first,
        asked=asked,
        batches=batches,
        watched=watched,
        plain=plain,
        apart=apart,
        elsewhere=executed(watched, batches[:PROBES], settings, profile),
        mixed=made,
        rows=rows,
    )


def again(
    private: Path, solution: Path, scratch: Path, batches: Sequence[Ints], profile: str
) -> Logits:
    """Returns what the model makes of the first batch in one more fresh process.

    Raises:
        InvalidSolution: the model fails.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tree = Path(folder, "workspace")
        lay_out(solution, tree, private / PAGES, private / "data")
        settings = load(profile)
        return trial.call(tree, batches, [Call(FIRST, False)], settings, profile).logits[0]


def moved(one: Logits, other: Logits) -> float:
    """Returns how much probability lies elsewhere, on average over masked positions: 0 to 1."""
    return float(np.abs(_probabilities(one) - _probabilities(other)).sum(-1).mean() / 2)


@dataclass(frozen=True, eq=False)
class Excess:
    """How far losses lie above the least ones; arrays have a number per window."""

    total: Floats
    """Nats."""
    count: Floats
    """Masked words."""

    @property
    def mean(self) -> float:
        """Nats per masked word."""
        return float(self.total.sum() / self.count.sum())

    @property
    def error(self) -> float:
        """The standard error of the mean; what is true of one window is true of no other."""
        rest = self.total - self.mean * self.count
        return float(math.sqrt((rest**2).sum()) / self.count.sum())


def said(
    called: Called, program: Traced, batches: Sequence[Ints], settings: Settings, profile: str
) -> list[Logits]:
    """Returns what a program makes of each batch.

    Raises:
        InvalidSolution: the program cannot be executed.
    """
    jobs = [(program, number) for number in range(len(batches))]
    results = trial.execute(called, jobs, batches, settings, profile)
    if refusals := [result for result in results if isinstance(result, Refusal)]:
        raise InvalidSolution(refusals[0].reason)
    return [result for result in results if not isinstance(result, Refusal)]


def excess(
    called: Called, program: Traced, many: Sequence[Windows], settings: Settings, profile: str
) -> Excess:
    """Returns how far a program's loss lies above the least one.

    Args:
        called: where the program comes from.
        program: what is executed.
        many: the same windows, under one or more draws of masks.
        settings: the profile's figures.
        profile: its name.

    Raises:
        InvalidSolution: the program cannot be executed.
    """
    batches = [batch for found in many for batch in found.batches(settings)]
    logits = said(called, program, batches, settings, profile)
    each = len(batches) // len(many)
    total = np.zeros(len(many[0].words))
    count = np.zeros(len(many[0].words))
    for number, found in enumerate(many):
        values = found.losses(logits[number * each : (number + 1) * each]) - found.least
        total += np.bincount(found.rows(), values, len(total))
        count += np.bincount(found.rows(), minlength=len(count))
    return Excess(total, count)


def _probabilities(logits: Logits) -> Floats:
    wide = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(wide / wide.sum(-1, keepdims=True))


def _split(whole: Windows, at: int) -> tuple[Windows, Windows]:
    count = int(whole.masked[:at].sum())
    return (
        Windows(whole.words[:at], whole.masked[:at], whole.least[:count]),
        Windows(whole.words[at:], whole.masked[at:], whole.least[count:]),
    )


def _turned(found: Windows, settings: Settings, draw: np.random.Generator) -> tuple[Ints, Windows]:
    """Returns windows of which a part is masked, and the same ones with another part masked."""
    shuffled = draw.permuted(found.masked, axis=1)
    other = shuffled & ~found.masked
    shown = np.where(found.masked, settings.mask_id, found.words)
    return shown, Windows(found.words, other, np.zeros(int(other.sum())))


def _mixed(batches: Sequence[Ints], draw: np.random.Generator) -> tuple[Ints, Ints]:
    """Returns a batch with half the rows of the first, at other places, between rows of others."""
    one, other = batches[FIRST], batches[PROBES - 1]
    rows = draw.permutation(len(one))
    rows[draw.permutation(len(one))[: len(one) // 2]] = -1
    return np.where(rows[:, None] >= 0, one[rows], other), rows
