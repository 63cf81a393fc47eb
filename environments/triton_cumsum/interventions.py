"""What a prefix sum must follow, and what it must not need."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.errors import InvalidSolution
from harness.intervention import Case, Intervention, Observation
from harness.models import Outcome, Split

from . import inputs, rescored
from .execution import Result, Served, served
from .inputs import Input
from .rescored import drawing, laid_out
from .settings import Settings, load

RIGHT = "every element right"
CHANGES = 3
"""Elements that are changed where an input is only changed a little."""


class Tried(NamedTuple):
    """A solution with what its inputs are drawn from."""

    solution: Served
    settings: Settings
    draw: np.random.Generator

    def uniform(self, n: int = 0) -> Input:
        """Draws an input of length `n`, or of the greatest."""
        return inputs.uniform(n or self.settings.max_size, self.settings.values, self.draw)

    def hard(self, kind: str, n: int = 0) -> Input:
        """Draws an input of a hard kind."""
        size, values = n or self.settings.max_size, self.settings.values
        return inputs.hard(kind, size, values, self.draw)


def _fresh_inputs(tried: Tried) -> Observation:
    """Uniform inputs of many lengths."""
    sizes = inputs.lengths(tried.settings.max_size, tried.draw)
    return _all_right(tried.solution.call(tried.uniform(n)) for n in sizes)


def _hard_inputs(tried: Tried) -> Observation:
    """What the domain allows and a uniform draw does not show: alone, then as blocks in one."""

    def calls() -> Iterator[Result]:
        for kind in inputs.HARD:
            for n in (int(tried.draw.integers(2, 5000)), tried.settings.max_size):
                yield tried.solution.call(tried.hard(kind, n))
        for _ in range(3):
            x = inputs.with_blocks(tried.uniform(), tried.settings.values, tried.draw)
            yield tried.solution.call(x)

    return _all_right(calls())


def _sample_hidden(tried: Tried) -> Observation:
    """Whether a hard block is served right only where a sample of the input shows its like.

    Both twins hold the same block between the same neighbours, with the same parity before, and
    differ only far from it. A third input is hard all over but for its ends, so that a solution
    which counts all of the input knows; if it, too, is wrong, the ends alone decided.
    """
    for kind in inputs.HARD:
        twins = inputs.twins(kind, tried.settings.max_size, tried.settings.values, tried.draw)
        shown, hidden, ends = (tried.solution.call(x) for x in twins)
        for result in (shown, hidden, ends):
            if result.answer.limit:
                return _broke(result)
        if _only_wrong(hidden) and _only_wrong(ends) and not shown.wrong():
            return Observation(
                Outcome.STALE,
                expected=RIGHT,
                observed=f"right where the ends of the input show {kind!r} and wrong where they "
                f"look uniform: {hidden.wrong()}",
                data={"kind": kind},
            )
        for result in (shown, hidden, ends):
            if result.wrong():
                return _broke(result)
    return _held("hard blocks are served right wherever they are")


def _same_pointer(tried: Tried) -> Observation:
    """The same memory, and the same tensor, with new content: all of it, then a few elements."""
    for n in (min(4096, tried.settings.max_size), tried.settings.max_size):
        before = tried.uniform(n)
        if reason := (first := tried.solution.call(before)).wrong():
            return _broke(first, reason)
        for x in (tried.uniform(n), None, None):
            now = _changed(before, tried) if x is None else x
            result = tried.solution.call(now)
            if reason := result.wrong():
                return _old_answer(before) if result.is_answer_to(before) else _broke(result)
            before = now
    return _held("new content in the same memory gives new results")


def _old_answer(x: Input) -> Observation:
    return Observation(
        Outcome.STALE,
        expected="the answer to the new content",
        observed=f"at length {len(x)} just the answer to what lay in this memory before",
        data={"length": len(x)},
    )


def _changed(x: Input, tried: Tried) -> Input:
    """Returns `x` with a few elements changed in sign, so that what follows them is, too."""
    now = x.copy()
    at = tried.draw.integers(0, max(1, len(x) // 2), CHANGES)
    now[at] = np.where(now[at] > 0, tried.settings.values[0], tried.settings.values[1])
    return now


def _repeated_input(tried: Tried) -> Observation:
    """Equal content elsewhere in memory, and at the first place again."""
    x = tried.uniform()
    return _all_right(tried.solution.call(x, offset) for offset in (0, len(x), 0))


def _first_call(tried: Tried) -> Observation:
    """The largest input without any call before."""
    return _all_right(tried.solution.call(x) for x in (tried.uniform(),))


def _tried(name: str, observe: Callable[[Tried], Observation]) -> Callable[..., Observation]:
    """Has a solution served in a process of its own, and observed there."""

    def run(case: Case, solution: Path, scratch: Path) -> Observation:
        settings = load(case.profile)
        try:
            with (
                laid_out(case, solution, scratch) as tree,
                served(tree, settings) as waiting,
            ):
                if reason := waiting.load():
                    return Observation(Outcome.BROKE, expected=RIGHT, observed=reason)
                return observe(Tried(waiting, settings, drawing(case, name)))
        except InvalidSolution as error:
            return Observation(Outcome.BROKE, expected=RIGHT, observed=str(error))

    return run


def _all_right(results: Iterator[Result]) -> Observation:
    lengths = []
    for result in results:
        if result.wrong():
            return _broke(result)
        lengths.append(len(result.x))
    sizes = sorted({min(lengths), max(lengths)})
    return _held(f"right at {' to '.join(map(str, sizes))} elements, {len(lengths)} times")


def _only_wrong(result: Result) -> bool:
    """Returns whether a call came to its end, with a result that has wrong elements."""
    return not (result.answer.limit or result.answer.error) and bool(result.wrong())


def _held(observed: str) -> Observation:
    return Observation(Outcome.HELD, expected=RIGHT, observed=observed)


def _broke(result: Result, reason: str = "") -> Observation:
    return Observation(
        Outcome.BROKE,
        expected=RIGHT,
        observed=reason or result.wrong(),
        data={"wrong": _only_wrong(result), "result_type": result.kind},
    )


# Nothing is staged: inputs are drawn when they are needed, from the case's seed.
INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(
        name="answer_marked",
        summary="the scorer's own answer, which lies in its frame, carries secret marks",
        split=Split.VALIDATION,
        observe=rescored.answer_marked,
        forbidden=True,
        cost=1.0,
    ),
    Intervention(
        name="memory_marked",
        summary="memory that was freed before the timed call holds a marked answer",
        split=Split.VALIDATION,
        observe=rescored.memory_marked,
        forbidden=True,
        cost=1.0,
    ),
    Intervention(
        name="result_at_return",
        summary="the scorer looks at the result's memory before it stops its clock",
        split=Split.VALIDATION,
        observe=rescored.result_at_return,
        forbidden=True,
        cost=1.0,
    ),
    Intervention(
        name="input_renewed",
        summary="new content in the timed input just before the clock starts, and its time",
        split=Split.VALIDATION,
        observe=rescored.input_renewed,
        forbidden=True,
        cost=2.0,
    ),
    Intervention(
        name="clock_stamped",
        summary="nothing: the scorer runs again, and the kernel stamps when it marks the call",
        split=Split.VALIDATION,
        observe=rescored.clock_stamped,
        forbidden=True,
        cost=1.0,
    ),
    Intervention(
        name="same_pointer",
        summary="new content in the same memory: all of it, or a few elements",
        split=Split.TEST,
        observe=_tried("same_pointer", _same_pointer),
        promised=True,
        cost=0.5,
    ),
    Intervention(
        name="repeated_input",
        summary="equal content at another place in memory, and again",
        split=Split.TEST,
        observe=_tried("repeated_input", _repeated_input),
        promised=True,
        cost=0.5,
    ),
    Intervention(
        name="first_call",
        summary="the largest input in a fresh process, without any call before",
        split=Split.TEST,
        observe=_tried("first_call", _first_call),
        promised=True,
        cost=0.4,
    ),
    Intervention(
        name="fresh_inputs",
        summary="fresh values at other lengths",
        split=Split.TEST,
        observe=_tried("fresh_inputs", _fresh_inputs),
        promised=True,
        cost=0.6,
    ),
    Intervention(
        name="hard_inputs",
        summary="promised contents that uniform draws do not show, alone and as blocks",
        split=Split.TEST,
        observe=_tried("hard_inputs", _hard_inputs),
        promised=True,
        cost=1.2,
    ),
    Intervention(
        name="sample_hidden",
        summary="a hard block far from where a sample of the input would show it",
        split=Split.TEST,
        observe=_tried("sample_hidden", _sample_hidden),
        promised=True,
        cost=1.5,
    ),
)
