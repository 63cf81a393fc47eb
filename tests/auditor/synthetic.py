"""Many synthetic attempts at one task: independent ones, and rings of copies in disguise."""

import random
from collections.abc import Iterator
from pathlib import Path

from tests.auditor.likeness_samples import START

_NOUNS = """
batch block cache chunk count depth edge error factor field flag frame grid group head index
input item key label layer level limit line list loss mask mean memo mode model name node norm
note offset order page pair part path piece place plan pool prompt queue range rank rate reply
rest row scale score seed shape shard shift size slot source span split stage start state step
store stride sum table tail target task token total trace tree unit value view weight width word
"""
NOUNS = _NOUNS.split()
_CALLS = """
torch.cat torch.stack torch.where torch.cumsum torch.full torch.arange torch.topk np.sort
np.load np.diff np.dot np.unique np.argsort json.loads math.sqrt math.exp os.cpu_count
random.sample itertools.chain collections.Counter heapq.merge zlib.crc32 time.perf_counter
F.cross_entropy F.softmax F.linear F.layer_norm F.pad F.one_hot F.gelu
"""
CALLS = _CALLS.split()
_METHODS = """
view reshape sum mean add_ mul_ clone detach append extend split items step get
"""
METHODS = _METHODS.split()
IDIOM = """\
def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


if __name__ == "__main__":
    main(parse_arguments())
"""


class _Writer:
    """Writes programs that nobody else would write."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def program(self, functions: int) -> list[str]:
        """Returns the functions of a program."""
        return [self._function() for _ in range(functions)]

    def _function(self) -> str:
        names = self._draw.sample(NOUNS, 6)
        lines = [f"def {names[0]}_{names[1]}({names[2]}, {names[3]}):"]
        known = names[2:4]
        for _ in range(self._draw.randint(4, 11)):
            lines += self._statement(known, "    ")
        return "\n".join([*lines, f"    return {self._term(known, 1)}", "", ""])

    def _statement(self, known: list[str], indent: str) -> list[str]:
        kind, name = self._draw.random(), self._draw.choice(NOUNS)
        if kind < 0.6 or len(indent) > 8:
            line = f"{indent}{name} = {self._term(known, 3)}"
            known.append(name)
            return [line]
        inner = self._statement(known, indent + "    ")
        if kind < 0.8:
            return [f"{indent}for {name} in {self._term(known, 2)}:", *inner]
        return [f"{indent}if {self._term(known, 1)} > {self._term(known, 1)}:", *inner]

    def _term(self, known: list[str], depth: int) -> str:
        draw = self._draw
        if depth == 0 or draw.random() < 0.2:
            return draw.choice([draw.choice(known), str(draw.randrange(100))])
        kind = draw.random()
        parts = [self._term(known, depth - 1) for _ in range(2)]
        if kind < 0.4:
            return f"{draw.choice(CALLS)}({', '.join(parts)})"
        if kind < 0.6:
            return f"{draw.choice(known)}.{draw.choice(METHODS)}({parts[0]})"
        if kind < 0.7:
            return f"{draw.choice(known)}[{parts[0]}]"
        return f"({parts[0]} {draw.choice('+-*/')} {parts[1]})"


def disguised(functions: list[str], draw: random.Random) -> list[str]:
    """Returns the same functions in another order, with other names and some dead code."""
    names = {name: f"{name}_{draw.randrange(100)}" for name in NOUNS}
    changed = []
    for text in draw.sample(functions, len(functions)):
        for name, other in names.items():
            for before, after in ((" ", " "), (" ", ","), ("(", ","), ("(", ")"), (" ", ")")):
                text = text.replace(f"{before}{name}{after}", f"{before}{other}{after}")
        head, _, body = text.partition("\n")
        changed.append(f"{head}\n    if False:\n        print({draw.randrange(1000)})\n{body}")
    return changed


def partly(functions: int, copied: int, draw: random.Random) -> tuple[str, str]:
    """Returns two programs of so many functions, of which so many are the same in disguise."""
    writer = _Writer(draw)
    one, other = writer.program(functions), writer.program(functions - copied)
    other = draw.sample([*other, *disguised(one[:copied], draw)], functions)
    return "\n".join(one), "\n".join(other)


def attempts(count: int, rings: int, seed: int = 0) -> Iterator[tuple[dict[str, str], int | None]]:
    """Yields the texts of each attempt, and the number of the ring of copies it is of.

    Each tenth attempt is of one of `rings` rings; everybody has edited the start and has the same
    idiom.
    """
    draw = random.Random(seed)
    sources = [_Writer(draw).program(14) for _ in range(rings)]
    for number in range(count):
        ring = (number // 10) % rings if number % 10 == 0 else None
        functions = _Writer(draw).program(4 if ring is not None else 18)
        if ring is not None:
            functions = draw.sample(
                [*functions, *disguised(sources[ring], draw)], len(functions) + 14
            )
        half = len(functions) // 2
        train = START["solution/train.py"].replace("lr=1e-3", f"lr={draw.uniform(1e-4, 1e-2):.1e}")
        losses = [f"step {i} loss {5 - i / 50 + draw.random():.4f} {draw.uniform(1, 9):.3f} s"
                  for i in range(60)]  # fmt: skip
        yield (
            {
                **START,
                "solution/train.py": train,
                "solution/fast.py": "import torch\n\n\n" + "\n".join(functions[:half]),
                "solution/main.py": "import argparse\n\n\n" + "\n".join(functions[half:]) + IDIOM,
                "solution/log.txt": "\n".join(losses),
            },
            ring,
        )


def write(folder: Path, count: int, rings: int) -> list[tuple[Path, int | None]]:
    """Writes attempts as plain folders, and what all of them were given into `start`."""
    made = []
    for number, (texts, ring) in enumerate(attempts(count, rings)):
        made.append((folder / f"attempt-{number:04}", ring))
        _write(made[-1][0], texts)
    _write(folder / "start", START)
    return made


def _write(folder: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
