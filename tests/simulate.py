"""`make simulate`: attempts whose truth is known, judged by the rules about noise.

`python -m tests.simulate [--attempts N] [--seed N] [--picture FILE.svg]` prints how often each kind
of attempt is suspected of luck, beside the level that is stated, and draws the picture of the
documentation. Everything is in standard deviations of one measurement; higher is better.

- *Searchers* score the start again and again. They are honest, and nothing of their gain is real.
- *Improvers* get better by and by, some by less than the noise, some by a hundred times as much.
- *Cheats* end with a claim that nothing stands behind.
"""

import math
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from auditor.evidence.replay import NOISE_SIGMAS, RUNS, margin
from auditor.luck import LEVEL, LOOKS, Answer, Fresh, Selection, expected_maximum
from auditor.verdict import Reearned
from auditor.vet import wilson
from auditor.vetting import Share

KINDS = ("searcher", "improver", "cheat")
TRIES = (5, 10, 20, 50, 100, 200)
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
CLAIM = 3.0
"""The gain, in standard deviations, by which the curve over shares is drawn."""


@dataclass(frozen=True)
class Machine:
    """What measurements are made on, beside what is known of its noise (a deviation of 1)."""

    name: str
    noise: float = 1.0
    drift: float = 0.0
    """Deviation of what a pair of neighbouring runs has in common: a load that comes and goes."""
    load: float = 0.0
    """How much worse all runs are at most than when the claim was made."""

    def pair(self, draw: np.random.Generator, best: float) -> tuple[float, float]:
        """Measures a solution and the start, one after the other."""
        load = self.drift * draw.standard_normal()
        first, second = self.noise * draw.standard_normal(2)
        return float(best + load + first), float(load + second)


QUIET = Machine("as noisy as is known")
LOADED = Machine("loaded: twice as noisy, and drifting", noise=2.0, drift=4.0, load=6.0)


class Attempt(NamedTuple):
    """An attempt and the truth about it."""

    kind: str
    scores: tuple[float, ...]
    base: float
    """What the start was measured to be; it is 0."""
    worth: float
    """What the claimed solution is."""


class Judged(NamedTuple):
    """What became of an attempt."""

    attempt: Attempt
    selection: Selection
    answer: Answer | None
    """None where luck was not in question."""
    pairs: int
    reached: bool
    """Whether the claim is there when it is measured again."""

    @property
    def suspected(self) -> bool:
        """Whether it is called luck."""
        return self.answer == "luck"

    @property
    def real(self) -> bool:
        """Whether at least half of what is claimed is there, so that calling it luck is false."""
        return self.attempt.worth >= self.selection.gain / 2


def searcher(draw: np.random.Generator, tries: int) -> Attempt:
    """Measures the start many times."""
    return _attempt("searcher", draw, [0.0] * tries)


def improver(draw: np.random.Generator, tries: int) -> Attempt:
    """Gets better with setbacks, up to something between a fifth and thirty deviations."""
    top = 0.2 * 150 ** draw.random()
    pace = np.sort(draw.random(tries)) ** draw.uniform(0.5, 2)
    kept = pace * (draw.random(tries) > 0.2)  # what does not work is no better than the start
    kept[-1] = 1.0
    return _attempt("improver", draw, list(top * kept))


def cheat(draw: np.random.Generator, tries: int) -> Attempt:
    """Works honestly, then claims up to thirty deviations more."""
    honest = improver(draw, tries - 1)
    fake = max(honest.scores) + 30 * draw.random()
    return Attempt("cheat", (*honest.scores, fake), honest.base, 0.0)


def judged(attempt: Attempt, draw: np.random.Generator, machine: Machine = QUIET) -> Judged:
    """Judges an attempt as an audit does."""
    selection = Selection(attempt.scores, attempt.base, noise_sd=1.0)
    reached = reearned(attempt, draw, machine)
    if not selection.in_question or not reached:
        return Judged(attempt, selection, None, 0, reached)
    answer, pairs = settled(attempt.worth, selection.gain, draw, machine)
    return Judged(attempt, selection, answer, pairs, reached)


def reearned(attempt: Attempt, draw: np.random.Generator, machine: Machine = QUIET) -> bool:
    """Measures a claim again as an audit does: once, and beside the start where that fails."""
    claimed, load = max(attempt.scores), machine.load * draw.random()
    values: list[float] = []
    start: list[float] = []
    while True:
        best, base = (value - load for value in machine.pair(draw, attempt.worth))
        values.append(best)
        allowed = margin(values, start, attempt.base, 1.0)
        if Reearned(claimed, tuple(values), allowed, "higher").reached:
            return True
        start.append(base)
        if len(values) == RUNS:
            allowed = margin(values, start, attempt.base, 1.0)
            return Reearned(claimed, tuple(values), allowed, "higher").reached


def missed(draw: np.random.Generator, tries: int, times: int, machine: Machine = QUIET) -> Share:
    """Returns how often the claim of an honest attempt is said not to be there."""
    return _share(not reearned(searcher(draw, tries), draw, machine) for _ in range(times))


def settled(
    worth: float, claimed: float, draw: np.random.Generator, machine: Machine = QUIET
) -> tuple[Answer, int]:
    """Runs a solution and the start in turns until the answer is known, or it was enough."""
    runs: list[tuple[float, float]] = []
    answer: Answer = "open"
    for pairs in LOOKS:
        runs += [machine.pair(draw, worth) for _ in range(pairs - len(runs))]
        best, base = zip(*runs, strict=True)
        answer = Fresh(best, base, noise_sd=1.0).answer(claimed)
        if answer != "open":
            break
    return answer, len(runs)


def simulate(number: int, draw: np.random.Generator) -> list[Judged]:
    """Judges so many attempts, two of five each searchers and improvers, one of five cheats."""
    makers: Sequence[Callable[[np.random.Generator, int], Attempt]]
    makers = (searcher, improver, searcher, improver, cheat)
    found = []
    for index in range(number):
        tries = round(2 * 100 ** draw.random())
        found.append(judged(makers[index % len(makers)](draw, max(tries, 2)), draw))
    return found


def power(draw: np.random.Generator, tries: int, times: int) -> tuple[Share, Share]:
    """Returns how many searchers are suspected: of all, and of those whose claim is in question."""
    found = [judged(searcher(draw, tries), draw) for _ in range(times)]
    asked = [item for item in found if item.answer is not None]
    return _share(item.suspected for item in found), _share(item.suspected for item in asked)


def called_luck(
    draw: np.random.Generator, share: float, times: int, machine: Machine = QUIET
) -> Share:
    """Returns how often a claim is called luck of which a share is real."""
    return _share(settled(share * CLAIM, CLAIM, draw, machine)[0] == "luck" for _ in range(times))


class Bias(NamedTuple):
    """How far estimates of a claimed solution's worth lie above it on average."""

    maximum: float
    shrunk: float
    measured: float


def bias(
    make: Callable[[np.random.Generator, int], Attempt],
    draw: np.random.Generator,
    tries: int,
    times: int,
) -> Bias:
    """Returns the biases of the best score, of the shrunk one and of one fresh measurement."""
    errors = np.zeros((times, 3))
    for index in range(times):
        attempt = make(draw, tries)
        found = Selection(attempt.scores, attempt.base, noise_sd=1.0)
        again = attempt.worth + draw.standard_normal()
        errors[index] = np.array([found.best, found.shrunk, again]) - attempt.worth
    return Bias(*map(float, errors.mean(axis=0)))


def report(found: Sequence[Judged], draw: np.random.Generator, times: int) -> Iterable[Table]:
    """Yields the tables that are printed."""
    table = _table("kind", "attempts", "in question", "called luck", "of these, half is real",
                   "claim not reached", "pairs of runs, if any")  # fmt: skip
    for kind in KINDS:
        group = [item for item in found if item.attempt.kind == kind]
        asked = [item.pairs for item in group if item.pairs]
        suspected = [item for item in group if item.suspected]
        table.add_row(
            kind, str(len(group)), str(len(asked)), str(len(suspected)),
            str(sum(item.real for item in suspected)), str(sum(not item.reached for item in group)),
            f"{np.mean(asked):.1f}" if asked else "–",
        )  # fmt: skip
    yield table
    honest = [item for item in found if item.real]
    wrong = _share(item.suspected for item in honest)
    table = _table("falsely called luck", "share [95 %]", "stated")
    table.add_row("of all attempts with at least half a gain", _shown(wrong), f"{LEVEL:.1%}")
    for machine in (QUIET, LOADED):
        edge = called_luck(draw, 0.5, 5 * times, machine)
        table.add_row(f"at the edge, just half: {machine.name}", _shown(edge), f"{LEVEL:.1%}")
    yield table
    stated = 1 - NormalDist().cdf(NOISE_SIGMAS)
    table = _table("honest claims said not to be there", "share [95 %]", "stated")
    for machine in (QUIET, LOADED):
        for tries in (1, 10, 100):
            share = missed(draw, tries, times, machine)
            table.add_row(f"best of {tries}, {machine.name}", _shown(share), f"{stated:.2%}")
    yield table
    table = _table("tries", "expected gain", "searchers called luck", "of those in question",
                   "bias: best", "shrunk", "measured again")  # fmt: skip
    for tries in TRIES:
        every, asked_of = power(draw, tries, times // 4)
        found_bias = bias(searcher, draw, tries, times // 4)
        table.add_row(
            str(tries), f"{expected_maximum(tries):.2f}", _shown(every), _shown(asked_of),
            *(f"{value:+.2f}" for value in found_bias),
        )  # fmt: skip
    yield table


def picture(path: Path, draw: np.random.Generator, times: int) -> None:
    """Draws what the documentation shows."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "earned", "font.size": 9, "svg.fonttype": "none"})
    figure, (first, second, third) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for machine, style in ((QUIET, "-o"), (LOADED, "--s")):
        called = [called_luck(draw, share, times, machine) for share in SHARES]
        first.plot(SHARES, [_rate(it) for it in called], style, ms=3, label=machine.name)
    first.axvspan(0.5, 1.0, color="0.93")
    first.axhline(LEVEL, color="tab:red", lw=0.8)
    first.text(0.99, LEVEL + 0.02, f"stated level {LEVEL:.0%}", ha="right", color="tab:red")
    first.set(xlabel="share of the claimed gain that is real", ylabel="called luck",
              title=f"A gain of {CLAIM:g} deviations", ylim=(0, 1))  # fmt: skip
    first.legend(loc="upper right", frameon=False)
    powers = [power(draw, tries, times // 2) for tries in TRIES]
    for label, shares in zip(("of all", "of those in question"), zip(*powers, strict=True),
                             strict=True):  # fmt: skip
        second.plot(TRIES, [_rate(it) for it in shares], "-o", ms=3, label=label)
    second.set(xscale="log", xlabel="tries", ylabel="called luck", ylim=(0, 1),
               title="Noise searchers")  # fmt: skip
    second.legend(loc="lower right", frameon=False)
    shown = (("best score", "tab:red"), ("shrunk", "tab:blue"), ("measured again", "tab:green"))
    for make, line in ((searcher, "-"), (improver, ":")):
        biases = [bias(make, draw, tries, times // 2) for tries in TRIES]
        for (name, colour), values in zip(shown, zip(*biases, strict=True), strict=True):
            label = f"{name}, {make.__name__}s"
            third.plot(TRIES, values, line, color=colour, label=label)
    third.axhline(0, color="0.7", lw=0.8)
    third.set(xscale="log", xlabel="tries", ylabel="deviations above the truth", title="Bias",
              ylim=(-0.5, 4.8))  # fmt: skip
    third.legend(frameon=False, fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Prints the tables and draws the picture."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=4_000, help="repeats behind each rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    draw = np.random.default_rng(asked.seed)
    console = Console()
    for table in report(simulate(asked.attempts, draw), draw, asked.times):
        console.print(table)
    if asked.picture:
        picture(asked.picture, draw, asked.times)
        console.print(f"The picture is {asked.picture}.")


def _attempt(kind: str, draw: np.random.Generator, worths: Sequence[float]) -> Attempt:
    scores = np.asarray(worths) + draw.standard_normal(len(worths))
    return Attempt(
        kind, tuple(map(float, scores)), float(draw.standard_normal()),
        float(worths[int(scores.argmax())]),
    )  # fmt: skip


def _share(of: Iterable[bool]) -> Share:
    listed = list(of)
    return wilson(sum(listed), len(listed)) or Share(count=0, of=0, low=0.0, high=1.0)


def _rate(share: Share) -> float:
    return share.count / share.of if share.of else math.nan


def _shown(share: Share) -> str:
    if not share.of:
        return "–"
    return f"{_rate(share):.1%} [{share.low:.1%}, {share.high:.1%}]"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


if __name__ == "__main__":
    main()
