"""Results that are dear to compute, kept for this host: keyed by everything they depend on.

An entry is used only when its MAC, made with this host's key, matches what lies there; anything
else is computed again. A poisoned or stale entry can therefore cost time, never a verdict.
"""

import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness import keys
from harness.files import canonical_json, sha256_bytes, sha256_file

SEAL = ".seal"
BOUND_BYTES = 2 << 30
"""What all entries together may take; the least recently used go first."""


def cached(kind: str, inputs: Mapping[str, str | bytes], build: Callable[[Path], None]) -> Path:
    """Returns a folder with what `build` makes, from the cache when it is there and intact.

    Args:
        kind: what is made; part of the key.
        inputs: everything the result depends on; part of the key.
        build: fills an empty folder with files, without folders in it.
    """
    key = _key(kind, inputs)
    entry = keys.home() / "cache" / key
    if _intact(entry, key):
        os.utime(entry)
        return entry
    entry.parent.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
    try:
        build(made)
        (made / SEAL).write_bytes(_seal(made, key))
        shutil.rmtree(entry, ignore_errors=True)
        try:
            made.rename(entry)
        except OSError:
            if not _intact(entry, key):  # somebody else came first with the same result
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _forget(entry.parent, entry)
    return entry


def _key(kind: str, inputs: Mapping[str, str | bytes]) -> str:
    hashed = {
        name: sha256_bytes(value if isinstance(value, bytes) else value.encode())
        for name, value in inputs.items()
    }
    return sha256_bytes(canonical_json({"kind": kind, "inputs": hashed}))


def _intact(entry: Path, key: str) -> bool:
    try:
        found = (entry / SEAL).read_bytes()
        return hmac.compare_digest(found, _seal(entry, key))
    except (OSError, ValueError):
        return False


def _seal(folder: Path, key: str) -> bytes:
    """Returns hashes of all files under a MAC that also covers the key."""
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.name != SEAL}
    text = canonical_json({"key": key, "files": files})
    mac = hmac.new(keys.mac_key(), text, hashlib.sha256).hexdigest()
    return canonical_json({"key": key, "files": files, "mac": mac})


def _forget(folder: Path, keep: Path) -> None:
    """Removes the least recently used entries past the bound."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += sum(path.stat().st_size for path in entry.iterdir())
        if total > BOUND_BYTES and entry != keep:
            shutil.rmtree(entry, ignore_errors=True)
