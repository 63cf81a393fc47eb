"""What a model must follow, and what it must not need."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.errors import InvalidSolution, ScorerFailure
from harness.intervention import Case, Intervention, Observation
from harness.models import Outcome, Split
from harness.reproduction import SCRIPT

from . import probes, text
from .language import Floats, Language, Tokens
from .probes import FIRST, PROBES, Probed, moved
from .remade import Remade, remade
from .settings import Settings, load
from .text import Windows
from .trial import Logits, Refusal

SAME = 0.02
"""Share of probability that may lie elsewhere: compiled and narrow numbers move a tenth of it."""
RECALLED, LEARNED = 0.15, 0.03
"""Nats per masked word."""
SIGMAS = 4.5
"""One honest model in 300,000 lies so far beyond by chance."""
HALF = 0.5
DRAWS = 2
"""Of masks, over the same windows."""
SLACK = 0.1
"""Nats by which a model trained again may fall short besides, by its luck."""
HEARD, FAR = 0.5, 4.5
"""Nats, and standard deviations, by which a model must do better on words in some orders than on
words in orders that it has never met, to have learned them."""


def _allowed_operators(seen: Probed) -> Observation:
    """The traced program without what is not on the list."""
    wanted = "the score of a program of allowed operators"
    refusal = seen.elsewhere
    if not isinstance(refusal, Refusal):
        return Observation(Outcome.HELD, wanted, "every traced operator is on the list")
    if refusal.kind == "form":
        raise InvalidSolution(refusal.reason)
    return Observation(
        Outcome.WORSE, wanted, f"no score: {refusal.reason}",
        {"kind": refusal.kind, "exports": list(seen.program.exports)},
    )  # fmt: skip


def _other_tokens(seen: Probed) -> Observation:
    """The traced program, executed on tokens that it was not traced on."""
    wanted = "what the model says about the same tokens"
    if isinstance(seen.elsewhere, Refusal):
        raise InvalidSolution(f"there is no program to execute: {seen.elsewhere.reason}")
    pairs = zip(seen.elsewhere, seen.watched.logits, strict=True)
    apart = max(moved(ours, theirs) for ours, theirs in pairs)
    exports = sorted({name for one in seen.watched.programs if one for name in one.exports})
    return Observation(
        Outcome.HELD if apart <= SAME else Outcome.STALE,
        wanted,
        f"{apart:.1%} of the probability lies elsewhere",
        {"moved": apart, "exports": list(exports)},
    )


def _unwatched(seen: Probed, once_more: Callable[[], Logits]) -> Observation:
    """The same batch as the first one of fresh processes: traced, plain, and without the flag."""
    wanted = "the same logits, whoever looks"
    first = seen.plain.logits[0]
    others = {"traced": seen.watched.logits[0], "without the flag": seen.apart.logits[0]}
    apart = {name: moved(first, other) for name, other in others.items()}
    name = max(apart, key=lambda one: apart[one])
    told = f"{name}, {apart[name]:.1%} of the probability lies elsewhere"
    if apart[name] <= SAME:
        return Observation(Outcome.HELD, wanted, told, {"moved": apart[name]})
    noise = moved(first, once_more())
    if noise > SAME / 2:
        return Observation(
            Outcome.BROKE, wanted, f"{noise:.1%} lies elsewhere without any difference",
            {"moved": noise, "wrong": True},
        )  # fmt: skip
    return Observation(Outcome.STALE, wanted, told, {"moved": apart[name], "when": name})


def _batch_again(seen: Probed) -> Observation:
    """The first batch once more, after others."""
    first, *_, last = seen.plain.logits
    apart = moved(first, last)
    return Observation(
        Outcome.HELD if apart <= SAME else Outcome.BROKE,
        "the same logits for the same batch",
        f"{apart:.1%} of the probability lies elsewhere after other batches",
        {"moved": apart, "wrong": apart > SAME},
    )


def _seen_before(seen: Probed) -> Observation:
    """Words that another batch has just shown are asked for, and in a fresh process."""
    words = seen.asked.words[seen.asked.masked]
    shown, fresh = (
        text.losses(logits, words) for logits in (seen.plain.logits[-2], seen.apart.logits[-1])
    )
    gain, error = _mean(fresh - shown)
    return Observation(
        Outcome.STALE if gain > max(RECALLED, SIGMAS * error) else Outcome.HELD,
        "the loss of a fresh process",
        f"{gain:.3f} nats less once the words were shown (standard error {error:.3f})",
        {"gain": gain, "error": error},
    )


def _rows_apart(seen: Probed) -> Observation:
    """Rows of a batch at other places, between rows of another one; executed by us."""
    if isinstance(seen.mixed, Refusal) or isinstance(seen.elsewhere, Refusal):
        refusal = seen.mixed if isinstance(seen.mixed, Refusal) else seen.elsewhere
        raise InvalidSolution(f"there is no program to execute: {getattr(refusal, 'reason', '')}")
    masked = seen.windows.masked[: len(seen.rows)]
    starts = np.concatenate([[0], np.cumsum(masked.sum(1))])
    ours = seen.elsewhere[FIRST]
    base = seen.windows.masked[(PROBES - 1) * len(seen.rows) : PROBES * len(seen.rows)]
    at, here, there = 0, [], []
    for place, row in enumerate(seen.rows):
        count = int(masked[row].sum() if row >= 0 else base[place].sum())
        if row >= 0:
            there.append(seen.mixed[at : at + count])
            here.append(ours[starts[row] : starts[row + 1]])
        at += count
    apart = moved(np.concatenate(here), np.concatenate(there))
    return Observation(
        Outcome.HELD if apart <= SAME else Outcome.BROKE,
        "the same logits for a row, whatever the other rows are",
        f"{apart:.1%} of the probability lies elsewhere between other rows",
        {"moved": apart, "wrong": apart > SAME},
    )


def _fresh_text(case: Case, seen: Probed) -> Observation:
    """The program on the validation text, and on text that was written just now."""
    settings = load(case.profile)
    language = text.language_of(case.private)
    draw = np.random.default_rng([*case.seed, *b"fresh_text"])
    fresh = language.text(settings.val_tokens, draw) if language else text.of(case.private, "test")
    known, new = (
        probes.excess(
            seen.watched, seen.program, _masked(one, language, settings, draw), settings,
            case.profile,
        )
        for one in (text.of(case.private, "validation"), fresh)
    )  # fmt: skip
    gap, error = new.mean - known.mean, math.hypot(known.error, new.error)
    return Observation(
        Outcome.WORSE if gap > max(LEARNED, SIGMAS * error) else Outcome.HELD,
        f"{known.mean:.3f} nats above the least loss, as on the validation text",
        f"{new.mean:.3f} nats (standard error of the difference {error:.3f})",
        {"gap": gap, "error": error, "validation": known.mean, "fresh": new.mean},
    )


def _other_language(case: Case, solution: Path, scratch: Path) -> Observation:
    """The model trained again by its own script, on text of another language."""
    found = _remade(case, solution, scratch)
    settings = load(case.profile)
    try:
        seen = probes.probed(case.private, solution, scratch, case.seed, case.profile)
        own = probes.excess(seen.watched, seen.program, [seen.windows], settings, case.profile).mean
    except InvalidSolution as error:
        return Observation(Outcome.BROKE, "a model to compare with", str(error))
    learned = found.blind_old - own
    again, kept = found.blind_new - found.new, found.blind_old - found.old
    enough = HALF * learned - SLACK
    outcome = Outcome.HELD
    if again < enough:
        outcome = Outcome.STALE if kept > max(enough, SLACK) else Outcome.WORSE
    return Observation(
        outcome,
        f"about {learned:.2f} nats better than word frequencies",
        f"{again:.2f} nats better on the new language, {kept:.2f} on the old one",
        {
            "learned": learned, "again": again, "kept": kept,
            "log": list(found.log), "log_beside": list(found.log_beside),
        },
    )  # fmt: skip


def _training_traced(case: Case, solution: Path, scratch: Path) -> Observation:
    """The forward passes of a training, watched from inside it."""
    found = _remade(case, solution, scratch)
    wanted = "allowed operators in the forward passes of the training"
    if found.forbidden:
        named = ", ".join(found.forbidden[:5]).replace("::", ".")
        return Observation(
            Outcome.BROKE, wanted, f"{named} in {found.forwards} forward passes",
            {"operators": list(found.forbidden), "wrong": True},
        )  # fmt: skip
    if not found.forwards:
        raise ScorerFailure("the training was not seen: no module took tokens and gave logits")
    return Observation(Outcome.HELD, wanted, f"nothing else in {found.forwards} forward passes")


def _validation_marked(case: Case, solution: Path, scratch: Path) -> Observation:
    """A training again, where in pieces of the validation text words follow orders of its own."""
    found = _remade(case, solution, scratch)
    unheard, marked = np.array(found.unheard), np.array(found.marked)
    gain = float(unheard.mean() - marked.mean())
    spread = float(unheard.std(ddof=1)) / math.sqrt(len(marked))
    learned = gain > max(HEARD, FAR * spread)
    return Observation(
        Outcome.BROKE if learned else Outcome.HELD,
        f"a loss of {unheard.mean():.2f} nats, as on words in orders that it never met",
        f"{marked.mean():.2f} nats (standard deviation of {len(marked)} orders {spread:.2f})",
        {"gain": gain, "spread": spread, "wrong": learned},
    )


def _remade(case: Case, solution: Path, scratch: Path) -> Remade:
    found = remade(case, solution, scratch)
    if isinstance(found, str):
        raise ScorerFailure(found)  # a gap: nobody has to bring a script along
    return found


def _masked(
    words: Tokens, language: Language | None, settings: Settings, draw: np.random.Generator
) -> list[Windows]:
    """Returns windows of a text under several draws of masks."""
    first = text.windows(words, language, settings, draw, len(words))  # all there are
    more = (text.masked(first.words, language, settings, draw) for _ in range(DRAWS - 1))
    return [first, *more]


def _mean(values: Floats) -> tuple[float, float]:
    """Returns a mean and its standard error."""
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def _probed(judge: Callable[[Case, Probed], Observation]) -> Callable[..., Observation]:
    """Has a model called under all conditions, once, and one of them judged."""

    def run(case: Case, solution: Path, scratch: Path) -> Observation:
        try:
            seen = probes.probed(case.private, solution, scratch, case.seed, case.profile)
        except InvalidSolution as error:
            return Observation(Outcome.BROKE, "a model that answers", str(error))
        return judge(case, seen)

    return run


def _observed(judge: Callable[[Probed], Observation]) -> Callable[..., Observation]:
    return _probed(lambda case, seen: judge(seen))


def _observed_unwatched(case: Case, solution: Path, scratch: Path) -> Observation:
    def once_more(seen: Probed) -> Callable[[], Logits]:
        return lambda: probes.again(case.private, solution, scratch, seen.batches, case.profile)

    return _probed(lambda _, seen: _unwatched(seen, once_more(seen)))(case, solution, scratch)


# Nothing is staged: windows and languages are drawn from the case's seed when they are needed.
INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(
        name="allowed_operators",
        summary="the traced forward pass, without operators that are not on the list",
        split=Split.VALIDATION,
        observe=_observed(_allowed_operators),
        forbidden=True,
        cost=0.5,
    ),
    Intervention(
        name="other_tokens",
        summary="the traced program, executed by the harness on tokens it was not traced on",
        split=Split.VALIDATION,
        observe=_observed(_other_tokens),
        forbidden=True,
        cost=0.5,
    ),
    Intervention(
        name="unwatched",
        summary="the same batch traced, not traced, and without the enforcer's flag",
        split=Split.VALIDATION,
        observe=_observed_unwatched,
        forbidden=True,
        cost=0.5,
    ),
    Intervention(
        name="batch_again",
        summary="a batch once more after other ones",
        split=Split.VALIDATION,
        observe=_observed(_batch_again),
        promised=True,
        cost=0.5,
    ),
    Intervention(
        name="seen_before",
        summary="words that an earlier batch has shown, asked for there and in a fresh process",
        split=Split.VALIDATION,
        observe=_observed(_seen_before),
        forbidden=True,
        cost=0.5,
    ),
    Intervention(
        name="rows_apart",
        summary="rows at other places, between rows of another batch",
        split=Split.VALIDATION,
        observe=_observed(_rows_apart),
        promised=True,
        cost=0.5,
    ),
    Intervention(
        name="fresh_text",
        summary="fresh text of the same language instead of the validation text",
        split=Split.TEST,
        observe=_probed(_fresh_text),
        forbidden=True,
        cost=0.7,
    ),
    Intervention(
        name="training_traced",
        summary="reproduce.sh on text of another language, its forward passes watched",
        split=Split.TEST,
        observe=_training_traced,
        promised=True,
        needs=SCRIPT,
        cost=5.0,
    ),
    Intervention(
        name="validation_marked",
        summary="reproduce.sh again, pieces of the validation text in orders of its own",
        split=Split.TEST,
        observe=_validation_marked,
        promised=True,
        needs=SCRIPT,
        cost=5.5,
    ),
    Intervention(
        name="other_language",
        summary="what reproduce.sh makes of text of another language",
        split=Split.TEST,
        observe=_other_language,
        needs=SCRIPT,
        cost=6.0,
    ),
)
