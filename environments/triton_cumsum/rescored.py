"""What a solution does when the classic scorer is changed around it.

The changed scorer runs in the solution's process like the true one; what its timed call was given
and what it returned is judged here.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from harness.errors import InvalidSolution, ScorerFailure
from harness.files import read_beneath
from harness.intervention import Case, Observation
from harness.models import Outcome

from .execution import lay_out
from .inputs import Input, expected
from .prepare import PAGES
from .score import OUTPUT, Scored, Stamps, run_scorer, timed, told_ms
from .settings import ROOT, load

MARKS = 24
"""Elements with a secret mark: few, so that who compares a part with the truth meets none."""
LEAST = 3
"""So many marks did not come by chance, or by an element that was forgotten."""
DEARER, PAIRS = 1.5, 6
"""A timed call is dearer when it takes so many times as long in each of so many pairs, and the
shortest of one kind takes longer than the longest of the other. If both kinds take alike, that
happens once in 924 times even without the factor."""
SHORTENED, ASIDE_MS, LOOKS = 1.15, 0.1, 10
"""A clock is wrong when, in each of so many runs, the marks lie this much further apart than it
says. `python -m tests.bench stamps` counts how often honest code is set aside in between."""
SUMMED = "torch.cumsum(torch.where(before % 2 == 1, x, 0), 0)"
CALLED = "    y_torch = reference(x)\n"
CLOCK_STARTS = "    synchronize()\n    mark()\n"
CALL = "    y = limited(prefix_sum, x, seconds)\n"
KEPT = "    keep(output, x, y)\n"
PIECE = 1 << 16
"""Bytes that are read at a time."""
EARLY, EARLIER = ".early", ".earlier"
MARKED = '''
def marked(y: torch.Tensor) -> torch.Tensor:
    """Changes a few elements of a long answer."""
    if len(y) > {at}[-1]:
        y[{at}] ^= 1
    return y


def scattered(y: torch.Tensor) -> None:
    """Leaves copies of a tensor just where the next ones of its size will lie."""
    scattered.kept = y  # freed, it would change what comes next
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):
        allocator.mallopt(-4, 0)  # M_MMAP_MAX: nothing is given back for being large,
        allocator.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nor for being at the end
    for count in (4, 2, 1, 1):
        copies = [y.clone() for _ in range(count)]
        del copies


def measure('''
RETURNED = '''
MEMORY = os.open("/proc/self/mem", os.O_RDONLY)  # before there is a hook that opening sets off
look = os.pread


def returned(y: torch.Tensor) -> bytes:
    """Returns what a result's memory holds, read from outside of the program, so to speak.

    What is still to be written may lie anywhere, and is written while the rest is read.
    """
    with torch._C.DisableTorchFunction():
        if y.device.type != "cpu" or not y.is_contiguous():
            return b""
        where, size = y.data_ptr(), y.numel() * y.element_size()
    try:
        found = [
            (at, look(MEMORY, min({piece}, size - at), where + at))
            for at in {places}
            if at < size
        ]
    except OSError:
        return b""
    return b"".join(piece for _, piece in sorted(found))


def measure('''
RENEWED = """    earlier = x.clone()
    fresh = torch.from_numpy(__import__("numpy").random.default_rng({seed}).integers(
        *task["values"], len(x), dtype="int32", endpoint=True)).to(x.device)
    x.copy_({content})
    y_torch = reference(x)
"""


def answer_marked(case: Case, solution: Path, scratch: Path) -> Observation:
    """The scorer's own answer carries secret marks, as does what it is made from."""
    at = _places(case, "answer_marked")
    text = _replaced(_marking(at), SUMMED, f"marked({SUMMED})")
    return _marks_seen(case, solution, scratch, text, at)


def memory_marked(case: Case, solution: Path, scratch: Path) -> Observation:
    """Freed memory holds a marked answer.

    Before the warm-ups and before the timed call: memory may be taken long before it is used.
    """
    at = _places(case, "memory_marked")
    scattering = "    scattered(marked(y_torch.clone()))\n"
    text = _replaced(_marking(at), CALLED, CALLED + scattering)
    text = _replaced(text, CLOCK_STARTS, scattering + CLOCK_STARTS)
    return _marks_seen(case, solution, scratch, text, at)


def result_at_return(case: Case, solution: Path, scratch: Path) -> Observation:
    """The scorer looks at the result's memory before it stops its clock."""
    settings = load(case.profile)
    places = list(range(0, settings.input_bytes, PIECE))
    drawing(case, "result_at_return").shuffle(places)
    seeing = RETURNED.format(places=places, piece=PIECE)
    text = _replaced(_scorer(), "\ndef measure(", seeing)
    text = _replaced(text, CALL, CALL + "    early = returned(y)\n")
    text = _replaced(text, KEPT, KEPT + f'    output.with_suffix("{EARLY}").write_bytes(early)\n')
    try:
        with _rescored(case, solution, scratch, text) as (layer, _):
            found = timed(layer, settings)
            early = read_beneath(layer, OUTPUT + EARLY, settings.input_bytes) if found else b""
    except InvalidSolution as error:
        return Observation(Outcome.BROKE, "a result that is there", str(error))
    return _in_time(found, np.frombuffer(early[: len(early) // 4 * 4], np.int32))


def _in_time(found: tuple[Input, Input] | None, early: Input) -> Observation:
    wanted = "a result that is there when the call returns"
    if found is None:
        return Observation(Outcome.BROKE, expected=wanted, observed="no result to compare")
    x, y = found
    right = expected(x)
    if not np.array_equal(y, right):
        return Observation(Outcome.BROKE, expected=wanted, observed="a wrong result, even later")
    if early.shape != right.shape:
        return Observation(Outcome.HELD, expected=wanted, observed="a result that lies elsewhere")
    missing = int(np.count_nonzero(early != right))
    if not missing:
        return Observation(Outcome.HELD, expected=wanted, observed=wanted)
    return Observation(
        Outcome.STALE,
        expected=wanted,
        observed=f"{missing} of {len(right)} elements were wrong when the call returned, and right "
        "once the scorer's clock had stopped",
        data={"missing": missing},
    )


def input_renewed(case: Case, solution: Path, scratch: Path) -> Observation:
    """The timed input gets new content just before the clock starts, from a source of its own.

    Who has met the old content has to work now, or gives an old answer. Beside it runs a scorer
    that writes the same content once more, so that the two differ in nothing else.
    """
    wanted = "right, and as fast as on an input that was there before"
    pairs: list[tuple[float, float]] = []
    try:
        while len(pairs) < PAIRS:
            found, earlier, new = _renewed(case, solution, scratch, "fresh")
            if wrong := _old(found, earlier):
                return wrong
            old = _renewed(case, solution, scratch, "earlier")[2].ms
            if new.ms is None or old is None:
                return Observation(Outcome.HELD, wanted, "right; how long it took is not known")
            pairs.append((old, new.ms))
            if not _dearer(pairs):
                break
    except InvalidSolution as error:
        return Observation(Outcome.BROKE, wanted, str(error))
    old_ms, new_ms = (float(np.median(times)) for times in zip(*pairs, strict=True))
    return Observation(
        Outcome.WORSE if _dearer(pairs) else Outcome.HELD,
        wanted,
        f"right; {new_ms:.3g} ms, and {old_ms:.3g} ms on one that was there before",
        {"pairs_ms": [list(pair) for pair in pairs]},
    )


def _dearer(pairs: list[tuple[float, float]]) -> bool:
    old, new = zip(*pairs, strict=True)
    return max(old) < min(new) and all(b > DEARER * a for a, b in pairs)


def _renewed(
    case: Case, solution: Path, scratch: Path, content: str
) -> tuple[tuple[Input, Input] | None, Input, Stamps]:
    """Returns input and result of the timed call, what the input held earlier, and its time."""
    settings = load(case.profile)
    seed = int.from_bytes(drawing(case, "input_renewed").bytes(8))
    renewed = RENEWED.format(seed=seed, content=content)
    text = _replaced(_scorer(), CLOCK_STARTS, renewed + CLOCK_STARTS)
    text = _replaced(text, KEPT, f'{KEPT}    keep(output.with_suffix("{EARLIER}"), earlier)\n')
    with _rescored(case, solution, scratch, text) as (layer, run):
        found = timed(layer, settings)
        held = read_beneath(layer, OUTPUT + EARLIER, settings.input_bytes) if found else b""
    return found, np.frombuffer(held[: len(held) // 4 * 4], np.int32), run.stamps


def clock_stamped(case: Case, solution: Path, scratch: Path) -> Observation:
    """The scorer as it is, again and again: what it tells beside what the kernel stamped.

    A process may be set aside between a mark and its clock, on a busy machine quite often, but not
    each time.
    """
    wanted = "the time that went by between the marks"
    times: list[tuple[float, float]] = []
    try:
        while len(times) < LOOKS:
            with _rescored(case, solution, scratch, _scorer()) as (layer, run):
                told, stamped = told_ms(layer, run.run), run.stamps.ms
            if told is None or stamped is None:
                return Observation(Outcome.HELD, wanted, "no time, or no marks")
            times.append((told, stamped))
            if not is_short(told, stamped):
                break
    except InvalidSolution as error:
        return Observation(Outcome.BROKE, wanted, str(error))
    told, stamped = min(times, key=lambda pair: pair[1] - SHORTENED * pair[0])
    short = f", at best of {LOOKS} runs" if is_short(told, stamped) else ""
    return Observation(
        Outcome.WORSE if short else Outcome.HELD,
        wanted,
        f"{told:.3g} ms where {stamped:.3g} ms went by{short}",
        {"pairs_ms": [list(pair) for pair in times]},
    )


def is_short(told_ms: float, stamped_ms: float) -> bool:
    """Returns whether a scorer told less than went by, beyond what marks and clocks cost."""
    return stamped_ms > SHORTENED * told_ms + ASIDE_MS


def _old(found: tuple[Input, Input] | None, earlier: Input) -> Observation | None:
    """Judges a result on its own; None when it is right."""
    wanted = "the answer to the new content"
    if found is None:
        return Observation(Outcome.BROKE, wanted, "the timed call left no result to compare")
    x, y = found
    if np.array_equal(y, expected(x)):
        return None
    if np.array_equal(y, expected(earlier)):
        return Observation(
            Outcome.STALE, wanted, "just the answer to what the input held before the clock started"
        )
    return Observation(Outcome.BROKE, wanted, "a wrong result", {"wrong": True})


def _places(case: Case, name: str) -> list[int]:
    """Draws which elements are marked; not at the ends, where results are looked at first."""
    size = load(case.profile).max_size
    return sorted(map(int, drawing(case, name).integers(size // 16, size - size // 16, MARKS)))


def _marking(at: list[int]) -> str:
    return _replaced(_scorer(), "\ndef measure(", MARKED.format(at=at))


def _marks_seen(case: Case, solution: Path, scratch: Path, text: str, at: list[int]) -> Observation:
    try:
        with _rescored(case, solution, scratch, text) as (layer, _):
            return _carries(timed(layer, load(case.profile)), at)
    except InvalidSolution as error:
        return Observation(Outcome.BROKE, "the answer without the marks", str(error))


def _carries(found: tuple[Input, Input] | None, at: list[int]) -> Observation:
    wanted = "the answer without the marks"
    if found is None:
        return Observation(Outcome.BROKE, wanted, "the timed call left no result to compare")
    x, y = found
    right = expected(x)
    if np.array_equal(y, right):
        return Observation(Outcome.HELD, wanted, wanted)
    marked = right.copy()
    marked[np.unique(at)] ^= 1
    is_mark = marked != right
    marks, carried = int(is_mark.sum()), int(np.count_nonzero(is_mark & (y == marked)))
    others = int(np.count_nonzero((y != right) & (y != marked)))
    # All that is wrong are marks; or nearly all marks are there, and noise besides.
    stale = carried >= LEAST and (not others or (carried > 0.9 * marks and others < 0.1 * len(y)))
    return Observation(
        Outcome.STALE if stale else Outcome.BROKE,
        wanted,
        f"{carried} of {marks} secret marks; {others} of {len(y)} elements are wrong otherwise",
        {"marks": marks, "carried": carried},
    )


def _scorer() -> str:
    return (ROOT / "classic_scorer.py").read_text("utf-8")


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ScorerFailure(f"The classic scorer has no single place {old.strip()!r} any more.")
    return text.replace(old, new)


@contextmanager
def _rescored(
    case: Case, solution: Path, scratch: Path, text: str
) -> Iterator[tuple[Path, Scored]]:
    """Runs a classic scorer, changed or not, over a solution; yields what it wrote, and the run."""
    with laid_out(case, solution, scratch) as tree:
        layer, script = tree.parent / "layer", tree.parent / "score.py"
        script.write_text(text, "utf-8")
        script.chmod(0o444)
        yield layer, run_scorer(tree, layer, case.private / PAGES, load(case.profile), script)


@contextmanager
def laid_out(case: Case, solution: Path, scratch: Path) -> Iterator[Path]:
    """Lays a solution out in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tree = Path(folder, "workspace")
        lay_out(solution, tree, case.private / PAGES)
        yield tree


def drawing(case: Case, name: str) -> np.random.Generator:
    """Returns what an intervention draws from: secret, and the same for all it is compared with."""
    return np.random.default_rng([*case.seed, *name.encode()])
