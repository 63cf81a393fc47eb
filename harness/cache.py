"""Results that are dear to compute, kept for this host: keyed by everything they depend on.

An entry is used only when its MAC, made with this host's key, matches what lies there; anything
else is computed again. A poisoned or stale entry can therefore cost time, never a verdict.
"""

import hashlib
import hmac
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from harness import keys
from harness.files import canonical_json, sha256_bytes, sha256_file

SEAL = ".seal"
BOUND_BYTES = 2 << 30
"""What all entries together may take; the least recently used go first."""


AT_A_TIME = 64
"""How many entries one process makes before it weighs all of them again."""
_added: dict[Path, tuple[int, int]] = {}
"""By folder: what all entries took when they were last weighed and since, and how many came."""


def cached(kind: str, inputs: Mapping[str, str | bytes], build: Callable[[Path], None]) -> Path:
    """Returns a folder with what `build` makes, from the cache when it is there and intact.

    Args:
        kind: what is made; part of the key.
        inputs: everything the result depends on; part of the key.
        build: fills an empty folder with files, without folders in it.
    """
    if known := find(kind, inputs):
        return known
    key = _key(kind, inputs)
    entry = keys.home() / "cache" / key
    entry.parent.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
    try:
        build(made)
        (made / SEAL).write_bytes(_seal(made, key))
        try:
            made.rename(entry)
        except OSError:
            if not _intact(entry, key):  # else somebody came first with the same result
                _remove(entry)
                made.rename(entry)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    if _is_full(entry):
        _forget(entry.parent, entry)
    return entry


def find(kind: str, inputs: Mapping[str, str | bytes]) -> Path | None:
    """Returns the folder that `cached` made for this, if it is there and intact."""
    key = _key(kind, inputs)
    entry = keys.home() / "cache" / key
    if not _intact(entry, key):
        return None
    os.utime(entry)
    return entry


def _key(kind: str, inputs: Mapping[str, str | bytes]) -> str:
    hashed = {
        name: sha256_bytes(value if isinstance(value, bytes) else value.encode())
        for name, value in inputs.items()
    }
    return sha256_bytes(canonical_json({"kind": kind, "inputs": hashed}))


def _intact(entry: Path, key: str) -> bool:
    try:
        if not _plain(entry, stat.S_ISDIR) or not _plain(entry / SEAL, stat.S_ISREG):
            return False
        found = (entry / SEAL).read_bytes()
        return hmac.compare_digest(found, _seal(entry, key))
    except (OSError, ValueError):
        return False


def _plain(path: Path, kind: Callable[[int], bool]) -> bool:
    """Says whether a path itself is of a kind: what a link leads to may change afterwards."""
    return kind(path.lstat().st_mode)


def _remove(entry: Path) -> None:
    """Removes what lies in an entry's place, whatever it is."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _seal(folder: Path, key: str) -> bytes:
    """Returns hashes of all files under a MAC that also covers the key.

    Raises:
        ValueError: there is something else than plain files.
    """
    found = [path for path in sorted(folder.iterdir()) if path.name != SEAL]
    if not all(_plain(path, stat.S_ISREG) for path in found):
        raise ValueError(f"{folder} holds more than plain files")
    files = {path.name: sha256_file(path) for path in found}
    text = canonical_json({"key": key, "files": files})
    mac = hmac.new(keys.mac_key(), text, hashlib.sha256).hexdigest()
    return canonical_json({"key": key, "files": files, "mac": mac})


def _is_full(entry: Path) -> bool:
    """Returns whether all entries have to be weighed: one by one, that would take for ever."""
    size = sum(path.lstat().st_size for path in entry.iterdir())
    total, number = _added.get(entry.parent, (0, AT_A_TIME))
    _added[entry.parent] = total + size, number + 1
    return number + 1 > AT_A_TIME or total + size > BOUND_BYTES


def _forget(folder: Path, keep: Path) -> None:
    """Removes the least recently used entries past the bound."""
    found = []
    for entry in folder.iterdir():
        with suppress(OSError):  # another process is removing it, or it is no entry
            if not entry.name.startswith("."):
                size = sum(path.lstat().st_size for path in entry.iterdir())
                found.append((entry.lstat().st_mtime_ns, entry, size))
    total = kept = 0
    for _, entry, size in sorted(found, reverse=True):
        total += size
        if total > BOUND_BYTES and entry != keep:
            _remove(entry)
        else:
            kept += size
    _added[folder] = kept, 0
