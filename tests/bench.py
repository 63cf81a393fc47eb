"""`make bench`: prints the figures that the documentation states, each as a ratio within one run.

`python -m tests.bench scores --environment triton_cumsum --profile cpu` prints the figures of one
environment's README; `gains`, which needs three quarters of an hour, and `stamps` are left out of
`all`.
"""

import ast
import hashlib
import json
import math
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import typer
from rich.console import Console

from auditor import tree
from auditor.likeness.groups import clusters
from auditor.likeness.marks import Given
from auditor.likeness.pairs import Bounds, pairs, tables
from auditor.likeness.work import Source, Work
from auditor.models import Kind
from auditor.plain import PlainAuditor
from environments.optimize_llm_foundry import execution, instance, settings
from environments.triton_cumsum import rescored
from harness import environment as environments
from harness import sandbox, scoring
from harness.environment import Environment
from harness.models import Split
from harness.timing import timing_lock
from tests import peak
from tests.attempts import gains
from tests.auditor import code_bench, libraries, synthetic
from tests.harness import toy
from tests.medians import upper_bound_of_median

PAIRS = 20
LIBRARY = 600
"""Files that are read beside `bandit`."""
EMPTY_APP = (
    "import typer\napp = typer.Typer()\n@app.command()\ndef main() -> None:\n    pass\napp()\n"
)
CHOICES = (
    "help", "replay", "warm", "code", "libraries", "provenance", "compare", "unrelated", "vet",
    "scores", "gains", "stamps",
)  # fmt: skip
READ_TREE = """
import sys
from pathlib import Path
from auditor import tree
tree.read(Path(sys.argv[1]))
"""
say = Console(stderr=True, style="dim").print


def interleaved(
    ours: Callable[[], float], bare: Callable[[], float], pairs: int = PAIRS
) -> list[float]:
    """Returns the ratios of paired measurements; which of the two goes first alternates."""
    ratios = []
    for number in range(pairs):
        first, second = (ours, bare) if number % 2 else (bare, ours)
        one, other = first(), second()
        ratios.append(one / other if number % 2 else other / one)
        say(f"pair {number + 1} of {pairs}: {ratios[-1]:.3f}")
    return ratios


def cpu_seconds(command: Sequence[str | Path], **options: object) -> float:
    """Runs a command to its end and returns the time it and its children took on processors."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, **options)  # type: ignore[call-overload]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def help_cost() -> None:
    """CPU time of `auditor --help` beside that of an empty typer app."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.py")
        empty.write_text(EMPTY_APP)
        auditor = Path(sys.executable).with_name("auditor")
        _report(
            "auditor --help / an empty typer app's --help, CPU time",
            interleaved(
                lambda: cpu_seconds([auditor, "--help"]),
                lambda: cpu_seconds([sys.executable, empty, "--help"]),
            ),
            "at most 1.5",
        )


def replay_cost() -> None:
    """CPU time of a timed replay in the sandbox beside that of the bare run."""
    facts = settings.load("tiny")
    foundry = environments.find(settings.ROOT.name)
    with _instance(foundry, "tiny") as root:
        tree = _solution(root, settings.ROOT / "reference", Path(root, "tree"))
        instance.remove(tree / execution.ANSWER)

        def bare() -> float:
            own = Path(root, "bare")
            shutil.copytree(tree, own)
            try:
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
                cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[-facts.threads :]))
                return cpu_seconds(
                    ["taskset", "-c", cores, *execution.COMMAND], cwd=own / "solution",
                    env={"PATH": path, "PYTHONHASHSEED": "0", **execution.threads(facts)},
                )  # fmt: skip
            finally:
                shutil.rmtree(own)

        def sandboxed() -> float:
            layer = Path(root, "layer")
            run = execution.execute(tree, layer, facts)
            shutil.rmtree(layer)
            assert not execution.failure(run), run.stderr
            return run.cpu_seconds

        with timing_lock():
            ratios = interleaved(sandboxed, bare)
    _report("timed replay / bare run of the reference solution, CPU time", ratios, "at most 1.10")


def warm_cost() -> None:
    """Wall time of a replay that begins with torch loaded beside one that has to load it."""
    program = "import torch\nassert torch.ones(3).sum() == 3\n"
    with tempfile.TemporaryDirectory() as folder, sandbox.Warm(["torch"]) as warm:
        tree, layer = Path(folder, "tree"), Path(folder, "layer")
        (tree / "solution").mkdir(parents=True)
        (tree / "solution/program.py").write_text(program)

        def forked() -> float:
            return warm.run(["program.py"], workspace=tree, layer=layer).seconds

        def fresh() -> float:
            command = ("python", "program.py")
            return sandbox.run(command, workspace=tree, layer=layer).seconds

        forked()
        _report(
            "replay from a waiting Python with torch / a fresh one, wall time",
            interleaved(forked, fresh), "no bound",
        )  # fmt: skip


def compare_cost(count: int) -> None:
    """Wall time and memory of comparing synthetic attempts, a tenth of them copies in disguise."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        made = synthetic.write(Path(scratch), count, max(1, count // 100))
        command: list[str | Path] = [
            Path(sys.executable).with_name("auditor"), "compare", *(path for path, _ in made),
            "--start", Path(scratch, "start"), "--format", "json",
        ]  # fmt: skip
        say(f"comparing {count} attempts")
        began, spent = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done, largest = peak.run(command)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime
        found = [set(cluster["attempts"]) for cluster in json.loads(done.stdout)["clusters"]]
    rings = [{str(path) for path, of in made if of == ring} for ring in range(count)]
    right = sum(ring in found for ring in rings if ring)
    wrong = sum(str(path) in group for path, ring in made if ring is None for group in found)
    print(
        f"auditor compare, {count} synthetic attempts on {os.cpu_count()} cores: {seconds:.0f} s "
        f"({cpu:.0f} s of CPU time), {largest / 1024:.0f} MiB in the largest process (1,000 within "
        f"300 s and 2 GiB); {right} of {sum(map(bool, rings))} rings of copies found, "
        f"{wrong} independent attempts accused"
    )
    _disguises()


def unrelated(programs: int) -> None:
    """How often parts of packages that have nothing to do with each other share half and more."""
    works, packages = [], []
    for package, path in _modules():
        for text in _parts(path):
            works.append(Work.of(str(path), [Source("part.py", text)], Given()))
            packages.append(package)
        if len(works) >= programs:
            break
    bounds = Bounds(marks=20, branches=10, few_marks=20, few_branches=10, idiom_groups=programs)
    apart = sum(one != other for one, other in combinations(packages, 2))
    found = {
        (pair.one, pair.other): f"{works[pair.one].name} and {works[pair.other].name}"
        for table in tables(works, bounds)
        for pair in pairs(table, bounds)
        if pair.share >= bounds.share and packages[pair.one] != packages[pair.other]
    }
    print(
        f"{len(found)} of {apart} pairs of functions and classes from different packages share "
        "half of the smaller one:"
    )
    for names in found.values():
        print(f"  {names}")


def _modules() -> list[tuple[str, Path]]:
    """The modules of the standard library and of what is installed, in any order."""
    library, installed = Path(os.__file__).parent, Path(typer.__file__).parents[1]
    found = [
        (path.relative_to(root).parts[0].removesuffix(".py"), path)
        for root in (library, installed)
        for path in root.rglob("*.py")
        if "test" not in str(path.relative_to(root))
        and (root == installed or "site-packages" not in path.parts)
    ]
    return random.Random(0).sample(found, len(found))


def _parts(path: Path, most: int = 5) -> list[str]:
    """Functions and classes of ten to sixty lines."""
    try:
        text = path.read_text("utf-8")
        module = ast.parse(text)
    except (ValueError, SyntaxError, RecursionError):
        return []
    lines = text.split("\n")
    spans = (
        (node.lineno - 1, node.end_lineno or 0)
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )
    return ["\n".join(lines[a:b]) for a, b in spans if 10 <= b - a <= 60][:most]


def _disguises(trials: int = 50, functions: int = 16) -> None:
    """Prints how often two programs are said to be copies, by how much of them is the same."""
    for copied in (16, 12, 10, 8, 6, 4, 0):
        draw = random.Random(copied)
        pairs = [synthetic.partly(functions, copied, draw) for _ in range(trials)]
        found = sum(len(clusters([{"a.py": one}, {"b.py": two}])) == 1 for one, two in pairs)
        print(
            f"  {copied / functions:4.0%} of the functions copied, renamed, reordered and padded: "
            f"{found} of {trials} pairs found"
        )


def vet_cost(count: int, scored: int = 10) -> None:
    """Time that small attempts take to be vetted without replay, at first and when they are known.

    A tenth of them or so is really made and scored; the rest are copies, each audited by itself.
    """
    auditor = Path(sys.executable).with_name("auditor")
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        os.environ["HARNESS_HOME"] = f"{scratch}/home"
        task = environments.find(str(toy.environment(Path(scratch, "say_a_number"))))
        runs = Path(scratch, "runs")
        made = [scoring.new(task, runs / f"a{n}", profile="tiny") for n in range(scored)]
        for number, folder in enumerate(made):
            toy.answer(folder.root, 1.0 + number / 10)
            scoring.score(folder, task)
        for number in range(scored, count):
            shutil.copytree(made[number % scored].root, runs / f"a{number}")
        command = (auditor, "vet", runs, "--replay", "never", "--fail-on", "never")
        for what in ("at first", "when known"):
            began = time.perf_counter()
            processors = cpu_seconds(command)
            print(
                f"auditor vet, {count} small attempts without replay, {what}: "
                f"{time.perf_counter() - began:.0f} s on {os.cpu_count()} cores with load "
                f"{os.getloadavg()[0]:.0f}, {processors:.1f} s of processors"
            )


def provenance_cost(size: int = 512 << 20, pairs: int = 11) -> None:
    """Time on processors to know a large file by its content, beside that of the plain hash.

    The memory is what a process of its own took at most beside one that reads nothing.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch, "tree")
        folder.mkdir()
        made, part = folder / "large.bin", os.urandom(1 << 20)
        with made.open("wb") as file:
            for number in range(size >> 20):
                file.write(number.to_bytes(8, "little") + part[8:])

        def ours() -> float:
            began = time.process_time()
            found = tree.read(folder)
            assert found.entries[made.name].size == size
            return time.process_time() - began

        def plain_hash() -> float:
            began = time.process_time()
            with made.open("rb") as file:
                hashlib.file_digest(file, "sha256")
            return time.process_time() - began

        ours(), plain_hash()
        _report(
            f"content of a file of {size >> 20} MiB / its plain SHA-256, CPU time",
            interleaved(ours, plain_hash, pairs), "at most 1.43: 70 % of the speed",
        )  # fmt: skip
        empty = Path(scratch, "empty")
        empty.mkdir()
        print(f"  memory: {(_peak(folder) - _peak(empty)) / 1024:.1f} MiB more than for no file")


def _peak(folder: Path) -> int:
    """The most memory, in KiB, that a process takes to know the files of a folder."""
    command = [sys.executable, "-c", READ_TREE, str(folder)]
    done, largest = peak.run(command)
    done.check_returncode()
    return largest


def code_cost() -> None:
    """Reading a library with all rules beside `bandit`, and the snapshots of one attempt."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        count = code_bench.library(Path(folder), LIBRARY)
        ours, bandit = code_bench.commands(Path(folder))
        _report(
            f"auditor audit / bandit -r, wall time, {count} files of the standard library",
            interleaved(lambda: code_bench.wall(ours), lambda: code_bench.wall(bandit), 5),
            "at most 1",
        )
    for distinct in (1, 30, code_bench.SNAPSHOTS):
        cost = code_bench.snapshots(distinct)
        print(
            f"{code_bench.SNAPSHOTS} snapshots of five changed files, {distinct} of them distinct: "
            f"{cost.first + cost.others:.2f} s of CPU; the first {cost.first:.3f} s, "
            f"another {cost.others / (code_bench.SNAPSHOTS - 1):.4f} s"
        )


def suspicions() -> None:
    """What the common rules say of well-kept code: of each file as if an agent had added it and it
    were what runs, and of a library as a folder.
    """
    results = list(libraries.told(libraries.files(2000)))
    print(f"{len(results)} files of the standard library and of scientific packages")
    for kind in Kind:
        files = sum(bool(result.of(kind)) for result in results)
        by_rule = ", ".join(f"{code} {n}" for code, n in libraries.rates(results, kind).items())
        print(f"  {kind}: in {files} files ({100 * files / len(results):.2f} %)  {by_rule}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        count = code_bench.library(Path(folder), LIBRARY)
        found = PlainAuditor(libraries.RULES).audit(Path(folder)).verdict.findings
    print(f"{count} files of the standard library as a folder")
    for kind in Kind:
        sites = {finding.sites[0].path for finding in found if finding.kind is kind}
        print(f"  {kind}: in {len(sites)} files")


def scores(environment: Environment, profile: str, pairs: int, apart_s: float) -> None:
    """Sealed scores of start and reference, interleaved, and their noise.

    Machines change their speed within minutes: pairs that lie `apart_s` seconds apart show the
    noise between one measurement and another, pairs in a row that of one measurement.
    """
    found: dict[str, list[float]] = {"start": [], "reference": []}
    with _instance(environment, profile) as root:
        for name in found:
            environment.complete(
                _solution(root, environment.root / name, Path(root, name)), profile
            )
        for number in range(pairs):
            if number:
                time.sleep(apart_s)
            for name, values in found.items():
                result = environment.sealed(
                    Path(root, name), Path(root, "private"), Split.VALIDATION, profile
                )
                assert result.value is not None, result.message
                values.append(result.value)
            say(f"pair {number + 1} of {pairs}: {[f'{v[-1]:.3f}' for v in found.values()]}")
    ratios = [math.exp(a - b) for a, b in zip(found["start"], found["reference"], strict=True)]
    print(
        f"{environment.name}, profile {profile}: sealed {environment.facts.metric}, "
        f"{pairs} interleaved pairs, {apart_s:g} s apart"
    )
    for name, values in found.items():
        spread = statistics.stdev(values) if pairs > 1 else math.nan
        print(
            f"  {name:10} median {statistics.median(values):.2f}  standard deviation {spread:.3f}"
        )
    print(
        f"  exp(start - reference) is {statistics.median(ratios):.2f}: so much faster, or nearer "
        f"to the least loss "
        f"(pairs from {min(ratios):.2f} to {max(ratios):.2f})"
    )


def kept(profile: str, rounds: int, named: Sequence[str]) -> None:
    """What cheats at the kernel gain when sealed, beside the same work without their deed."""
    wanted = [recipe for recipe in gains.cheats() if not named or recipe.name in named]
    outcomes = Counter[str]()
    print(
        f"{gains.ENVIRONMENT}, profile {profile}: sealed, on hidden inputs, times as fast as the "
        "same work without the deed"
    )
    with _instance(environments.find(gains.ENVIRONMENT), profile) as root:
        for recipe in wanted:
            with gains.sides(recipe, root) as pair:
                gain = gains.measure(pair, profile, rounds)
            outcomes[gain.outcome] += 1
            print(f"  {recipe.name:24} {gain}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))


def stamped(profile: str, runs: int, busy: int) -> None:
    """How often less is told than went by, for honest code beside processes that never rest."""
    task = environments.find(gains.ENVIRONMENT)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        with _instance(task, profile) as root:
            trees = {name: _solution(root, task.root / name, root / name)
                     for name in ("start", "reference")}  # fmt: skip
            for name, tree in trees.items():
                pairs = [_told_and_stamped(tree, root, profile) for _ in range(runs)]
                count = sum(rescored.is_short(*pair) for pair in pairs)
                most = max(stamped - told for told, stamped in pairs)
                print(
                    f"{task.name}, profile {profile}, {name}: {count} of {runs} intervals beside "
                    f"{busy} busy processes are longer than was told; by {most:.2f} ms at most",
                    flush=True,
                )
    finally:
        for other in others:
            other.kill()
            other.wait()


def _told_and_stamped(tree: Path, root: Path, profile: str) -> tuple[float, float]:
    task = environments.find(gains.ENVIRONMENT)
    details = task.classic(tree, root / "protected", profile).details
    told, marked = details["ms"], details["marked_ms"]
    assert isinstance(told, float) and isinstance(marked, float), details
    return told, marked


@contextmanager
def _instance(environment: Environment, profile: str) -> Iterator[Path]:
    """Yields a folder with `workspace`, `protected` and `private` of a new instance."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folders = [Path(scratch, name) for name in ("workspace", "protected", "private")]
        for folder in folders:
            folder.mkdir()
        say(f"preparing an instance of {environment.name}, profile {profile}")
        environment.prepare(*folders, profile=profile, seed=0, secret=os.urandom(32))
        yield Path(scratch)


def _solution(root: Path, code: Path, tree: Path) -> Path:
    """Lays code over the workspace of an instance, into the new folder `tree`."""
    shutil.copytree(root / "workspace", tree)
    shutil.copytree(code, tree / "solution", dirs_exist_ok=True)
    return tree


def _report(what: str, ratios: Sequence[float], wanted: str) -> None:
    print(
        f"{what}: median {statistics.median(ratios):.3f}, 95 % upper bound "
        f"{upper_bound_of_median(ratios):.3f} over {len(ratios)} interleaved pairs ({wanted})"
    )


def main() -> None:
    """Runs one benchmark, or all of them on the small profile."""
    parser = ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", choices=("all", *CHOICES), nargs="?")
    parser.add_argument("--environment", help="by default, all that come with this project")
    parser.add_argument("--profile", default="tiny", choices=("tiny", "cpu", "full"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="`gains`: at most so many")
    parser.add_argument("--runs", type=int, default=50, help="`stamps`: of each solution")
    parser.add_argument("--busy", type=int, default=3, help="`stamps`: processes beside it")
    parser.add_argument("--apart", type=float, default=0.0, help="seconds between two pairs")
    parser.add_argument("--programs", type=int, default=3_400, help="`unrelated`: how many")
    parser.add_argument("--attempts", type=int, default=1_000, help="`compare`: how many")
    parser.add_argument("--vetted", type=int, default=200, help="`vet`: how many")
    parser.add_argument("--attempt", action="append", default=[], help="`gains`: only this one")
    arguments = parser.parse_args()
    what = arguments.what or "all"
    if what in ("all", "help"):
        help_cost()
    if what in ("all", "replay"):
        replay_cost()
    if what in ("all", "warm"):
        warm_cost()
    if what in ("all", "code"):
        code_cost()
    if what in ("all", "libraries"):
        suspicions()
    if what in ("all", "provenance"):
        provenance_cost()
    if what in ("all", "compare"):
        compare_cost(arguments.attempts)
    if what == "unrelated":
        unrelated(arguments.programs)
    if what in ("all", "vet"):
        vet_cost(arguments.vetted)
    if what == "stamps":
        stamped(arguments.profile, arguments.runs, arguments.busy)
    if what == "gains":
        kept(arguments.profile, arguments.rounds, arguments.attempt)
    named = arguments.environment
    for environment in [environments.find(named)] if named else environments.shipped():
        if what in ("all", "scores"):
            scores(environment, arguments.profile, arguments.pairs, arguments.apart)


if __name__ == "__main__":
    main()
