"""Has a solution trained again, on text of another language, with its forward passes watched.

In pieces of the validation text all words follow each other in orders of its own. They are too
few to mislead who chooses a checkpoint by that text, and no model can know those orders but by
learning from them.
"""

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np

from harness.errors import InvalidSolution, ScorerFailure
from harness.files import read_beneath
from harness.intervention import Case
from harness.printout import paths_in, printout, tells

from . import probes, text, trial
from .inside.operators import WRAPPING, is_allowed
from .language import Floats, Ints, Language
from .prepare import DATA, PAGES, draw_texts, remake
from .score import lay_out
from .settings import ROOT, Settings, load
from .text import Windows
from .trial import Call

SOURCE_BYTES = 1 << 16
WATCH = {"/training": ROOT / "inside/training"}
LOG_BYTES = 1 << 18
LOGS = 64
"""Processes of a training that are listened to."""
BATCHES = 4
MARKED, ORDERS = 0.05, 4
"""Share of the validation text in which words follow an order of its own, and of how many."""
UNHEARD = 32
"""Orders that no text was written in; how a model does on them is how it does by chance."""


@dataclass(frozen=True)
class Remade:
    """What came of training again, in nats per masked word above the least loss."""

    new: float
    """Of the remade model, on text of the language that it was trained on."""
    old: float
    """Of the remade model, on text of the language that the attempt is about."""
    blind_new: float
    """Of who knows how frequent the words of the new language are, and no more."""
    blind_old: float
    marked: tuple[float, ...]
    """Of the remade model, on words in each of the orders that only the validation text has."""
    unheard: tuple[float, ...]
    """Of the remade model, on words in orders that it has never met."""
    forwards: int
    """Forward passes that were watched while it trained."""
    forbidden: tuple[str, ...]
    """Operators in them that are not allowed."""
    log: tuple[str, ...] = ()
    """What the training said."""
    log_beside: tuple[str, ...] = ()
    """What it says on the text that the attempt is about, where it said figures; else nothing."""


@lru_cache(maxsize=6)
def remade(case: Case, solution: Path, scratch: Path) -> Remade | str:
    """Returns what comes of `reproduce.sh` on another language, or why nothing does."""
    settings = load(case.profile)
    known = text.language_of(case.private)
    if known is None or settings.language is None:
        return "text of another language cannot be drawn in this profile"
    draw = np.random.default_rng([*case.seed, *b"other_language"])
    language = Language.draw(settings.language, draw)
    orders = [draw.permutation(language.words) for _ in range(ORDERS + UNHEARD)]
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tree, layer = Path(folder, "workspace"), Path(folder, "layer")
        try:
            _lay_out_source(solution, tree, case.private)
            _change_language(tree, language, draw, case)
            _mark(tree / DATA / "val.bin", orders[:ORDERS], draw, settings)
            log = _trained(tree, layer, settings, WATCH)
            forwards, forbidden = _listened(layer)
            texts = [_fresh(one, draw, settings) for one in (language, known)]
            texts += [_ordered(order, draw, settings) for order in orders]
            new, old, *ordered = _measured(tree, texts, settings, case.profile)
            surprise = [_surprise(losses, language) for losses in ordered]
        except InvalidSolution as error:
            return f"the model was not made again: {str(error).rstrip('.')}"
    return Remade(
        new=float(new.mean()),
        old=float(old.mean()),
        blind_new=_blind(language, draw, settings),
        blind_old=_blind(known, draw, settings),
        marked=tuple(surprise[:ORDERS]),
        unheard=tuple(surprise[ORDERS:]),
        forwards=forwards,
        forbidden=tuple(forbidden),
        log=log,
        log_beside=_said_at_home(case, solution, scratch) if tells(log) else (),
    )


def _said_at_home(case: Case, solution: Path, scratch: Path) -> tuple[str, ...]:
    """Returns what the same training says on the text that the attempt is about."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tree, layer = Path(folder, "workspace"), Path(folder, "layer")
        try:
            _lay_out_source(solution, tree, case.private)
            return _trained(tree, layer, load(case.profile), {})
        except InvalidSolution:
            return ()


def _trained(
    tree: Path, layer: Path, settings: Settings, watch: Mapping[str, Path]
) -> tuple[str, ...]:
    """Has a model made again, and returns what that said about its work."""
    before = paths_in(tree)
    return tuple(printout(remake(tree, layer, settings, watch), before))


def _lay_out_source(solution: Path, tree: Path, private: Path) -> None:
    """Copies what is source of a workspace: what was learned before is not there."""
    lay_out(solution, tree, private / PAGES, private / "data")
    for path in sorted((tree / "solution").rglob("*"), reverse=True):
        if path.is_relative_to(tree / DATA) or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or not _is_source(path):
            path.unlink()
    for path in tree.iterdir():
        if path.name.startswith(".training-"):
            trial.remove(path)


def _is_source(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size > SOURCE_BYTES:
        return False
    try:
        return "\0" not in path.read_text("utf-8")
    except ValueError:
        return False


def _change_language(tree: Path, language: Language, draw: np.random.Generator, case: Case) -> None:
    settings = load(case.profile)
    for name, words in draw_texts(settings, language, draw).items():
        words.tofile(tree / DATA / f"{name}.bin")
    task = json.loads((tree / "task.json").read_text("utf-8"))
    val = text.read(tree / DATA / "val.bin")
    least = text.windows(val, language, settings, draw).least
    task["floor"] = round(float(least.mean()), 4)
    (tree / "task.json").write_text(json.dumps(task, indent=2) + "\n", "utf-8")


def _mark(
    path: Path, orders: Sequence[Ints], draw: np.random.Generator, settings: Settings
) -> None:
    """Writes pieces in which words follow an order into a text, each as long as two windows."""
    words, piece = text.read(path), 2 * settings.seq_len
    count = len(words) // piece
    each = round(MARKED * count)
    places = draw.choice(count, (len(orders), each), replace=False)
    for order, here in zip(orders, places, strict=True):
        for place in here:
            words[place * piece : (place + 1) * piece] = _follow(order, piece, draw)
    words.tofile(path)


def _follow(order: Ints, count: int, draw: np.random.Generator) -> Ints:
    """Returns words as they follow each other in an order, from any of them on."""
    first = int(draw.integers(len(order)))
    return np.take(order, range(first, first + count), mode="wrap")


def _listened(layer: Path) -> tuple[int, list[str]]:
    """Returns how many forward passes of the training were noted, and what they must not hold."""
    forwards, forbidden = 0, set[str]()
    for path in sorted(layer.glob(".training-*"))[:LOGS]:
        try:
            told = json.loads(read_beneath(layer, path.name, LOG_BYTES))
            calls, names = int(told["calls"]), list(told["operators"])
        except (InvalidSolution, ValueError, KeyError, TypeError, RecursionError):
            continue  # silence is what it may choose
        forwards += max(calls, 0)
        # What it does to indices and what it does to numbers are told apart where it is scored.
        forbidden |= {str(name)[:80] for name in names if not is_allowed(str(name))} - {WRAPPING}
    return forwards, sorted(forbidden)[:20]


def _measured(tree: Path, texts: list[Windows], settings: Settings, profile: str) -> list[Floats]:
    """Returns the remade model's excess at each masked word of each text."""
    batches = [found.batches(settings) for found in texts]
    called = trial.call(tree, batches[0][:1], [Call(0, True)], settings, profile)
    program = called.programs[0]
    if program is None:
        raise ScorerFailure("A call was to be traced and was not.")
    logits = iter(probes.said(called, program, [*chain(*batches)], settings, profile))
    return [
        found.losses([*islice(logits, len(part))]) - found.least
        for found, part in zip(texts, batches, strict=True)
    ]


def _surprise(losses: Floats, language: Language) -> float:
    """Returns how little an order was expected.

    No word counts for more than two guesses, or few that were ruled out would decide.
    """
    return float(np.minimum(losses, 2 * math.log(language.words)).mean())


def _blind(language: Language, draw: np.random.Generator, settings: Settings) -> float:
    """Returns the excess of who knows how frequent the words of a language are, and no more."""
    found = _fresh(language, draw, settings)
    often = language.stationary.sum(0)
    return float((-np.log(often[found.words[found.masked]]) - found.least).mean())


def _fresh(language: Language, draw: np.random.Generator, settings: Settings) -> Windows:
    count = settings.seq_len * (settings.batch * BATCHES + 1)
    return text.windows(language.text(count, draw), language, settings, draw, BATCHES)


def _ordered(order: Ints, draw: np.random.Generator, settings: Settings) -> Windows:
    """Returns windows of words in an order; who knows it knows each of them."""
    rows = [_follow(order, settings.seq_len, draw) for _ in range(settings.batch)]
    words = np.stack(rows)
    masked = draw.random(words.shape) < settings.mask_fraction
    return Windows(words, masked, np.zeros(int(masked.sum())))
