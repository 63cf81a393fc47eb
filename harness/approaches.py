"""How many different approaches there are among solutions: clusters of what they changed.

A solution is what its sources have more of than the start's: short runs of tokens, with comments
gone, texts and numbers alike, and names that it made up itself alike. Respelling, reordering and
tuning of numbers stay one approach; another library, algorithm or language is another one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

SOURCE_BYTES = 64 << 10
"""A larger file is data."""
TOKENS = 50_000
"""Of one solution; what lies beyond is left out."""
RUNS = 10_000
"""Of one solution, the most frequent ones."""
LONGEST_RUN = 3
"""Tokens in a row that are one feature."""
SAME = 0.3
"""Cosine distance, averaged over pairs, up to which solutions are one approach.

Of this project's honest kernels, renamed, reordered or moved to another file, the farthest lies at
0.24; of those that differ in kind the nearest lie at 0.33. Between are tuned ones and code that
was put differently on purpose. `tests/harness/test_approaches.py` holds both.
"""
MOST = 300
"""Solutions that are compared at a time."""
_FEATURES = 1 << 18
_C_LIKE = frozenset(("c", "cc", "cpp", "cu", "cuh", "cxx", "h", "hpp", "java", "js", "rs", "ts"))
# What is never closed reaches to the end of its line, or of the file: nothing is read twice.
_STRINGS = r'"""(?:.*?"""|.*)|\'\'\'(?:.*?\'\'\'|.*)|"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?'
_REST = rf"|(?P<text>{_STRINGS})|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)|(?P<mark>[^\s\w])"
_HASHES = re.compile(r"(?P<comment>\#[^\n]*)" + _REST, re.S)
_SLASHES = re.compile(r"(?P<comment>//[^\n]*|/\*(?:.*?\*/|.*))" + _REST, re.S)
_MADE_UP = re.compile(r"\b(?:def|class|fn|let|struct|for|as|lambda)\s+(\w+)|\b(\w+)\s*=(?!=)")
_PARAMETERS = re.compile(r"\b(?:def|fn)\s+\w+\s*\(([^()]{0,500})\)")
_WORDS = frozenset(
    re.findall(
        r"\w+",
        "and as assert async await break case catch class const continue def del do done elif else"
        " enum esac except export fi finally fn for from global if import in include is lambda let"
        " loop match mut new nonlocal not or pass raise return struct switch then try typedef use"
        " while with yield",
    )
)


def distinct(solutions: Sequence[Counter[str]], same: float = SAME) -> list[int]:
    """Returns the number of each solution's approach, from 0 in order of appearance.

    A solution that adds nothing to the start is an approach of its own: doing nothing.

    Args:
        solutions: what `added` gives for each; at most `MOST`.
        same: the largest mean distance within an approach.

    Raises:
        ValueError: there are too many solutions.
    """
    if len(solutions) > MOST:
        raise ValueError(f"{len(solutions)} solutions are too many to compare with each other")
    kinds = list(dict.fromkeys(frozenset(found.items()) for found in solutions))
    changed = [kind for kind in kinds if kind]
    label: dict[frozenset[tuple[str, int]], int] = dict(
        zip(changed, _clusters([dict(kind) for kind in changed], same), strict=True)
    )
    label[frozenset()] = -1
    numbers: dict[int, int] = {}
    found = (label[frozenset(solution.items())] for solution in solutions)
    return [numbers.setdefault(one, len(numbers)) for one in found]


def added(sources: Mapping[str, str], start: Mapping[str, str]) -> Counter[str]:
    """Returns what sources have more of than the start's: runs of tokens with their number.

    Args:
        sources: texts by path.
        start: likewise.
    """
    return Counter(dict((_runs(sources) - _runs(start)).most_common(RUNS)))


def _clusters(solutions: Sequence[Mapping[str, int]], same: float) -> Iterable[int]:
    if len(solutions) < 2:
        return range(len(solutions))
    import numpy as np
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.feature_extraction.text import TfidfTransformer

    hashed = FeatureHasher(_FEATURES, alternate_sign=False).transform(solutions)
    # Without idf: how common a run is among a handful of solutions says little.
    weighted = TfidfTransformer(use_idf=False, sublinear_tf=True).fit_transform(hashed)
    apart = np.clip(1 - (weighted @ weighted.T).toarray(), 0, None)
    model = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=same
    )
    return [int(one) for one in model.fit_predict(apart)]


def _runs(sources: Mapping[str, str]) -> Counter[str]:
    found: Counter[str] = Counter()
    room = TOKENS
    for path in sorted(sources):
        tokens = _tokens(sources[path], path.rpartition(".")[2])[:room]
        room -= len(tokens)
        for length in range(1, LONGEST_RUN + 1):
            runs = zip(*(tokens[at:] for at in range(length)), strict=False)
            found.update(" ".join(run) for run in runs)
    return found


@lru_cache(maxsize=256)
def _tokens(text: str, suffix: str) -> tuple[str, ...]:
    pattern = _SLASHES if suffix in _C_LIKE else _HASHES
    own = {name for pair in _MADE_UP.findall(text) for name in pair}
    own.update(re.findall(r"\w+", " ".join(_PARAMETERS.findall(text))))
    found: list[str] = []
    for match in pattern.finditer(text):
        kind = match.lastgroup
        if kind == "name":
            word = match[0]
            alike = word in own and word not in _WORDS and found[-1:] != ["."]
            found.append("v" if alike else word)
        elif kind == "mark":
            found.append(match[0])
        elif kind != "comment":
            found.append("s" if kind == "text" else "0")
    return tuple(found)
