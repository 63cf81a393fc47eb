"""The keys of this host: kept outside all attempts, never mounted where submissions run."""

import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from harness.files import sync_folder

KEY = "signing.key"
KNOWN = "known_keys"


def home() -> Path:
    """Returns the folder of keys, journal and cache: `$HARNESS_HOME`, else the user's own."""
    chosen = os.environ.get("HARNESS_HOME")
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    folder = Path(chosen) if chosen else Path(base).expanduser() / "earned"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def signing_key() -> Ed25519PrivateKey:
    """Returns this host's signing key, made on first use."""
    return Ed25519PrivateKey.from_private_bytes(_secret(home() / KEY))


def mac_key() -> bytes:
    """Returns the key that vouches for cached results of this host."""
    return hashlib.sha256(b"cache" + _secret(home() / KEY)).digest()


def derived(purpose: str) -> bytes:
    """Returns 32 bytes that this host alone can make again, and nobody can guess.

    For what must be the same whenever it is asked for, and secret: a generator is public.
    """
    return hmac.digest(_secret(home() / KEY), b"derived" + purpose.encode(), "sha256")


def public_hex(key: Ed25519PrivateKey) -> str:
    """Returns the public half of a key, hexadecimal."""
    return key.public_key().public_bytes_raw().hex()


def sign(data: bytes) -> str:
    """Returns this host's Ed25519 signature over `data`, hexadecimal."""
    return signing_key().sign(data).hex()


def check(public: str, signature: str, data: bytes) -> bool:
    """Returns whether `signature` over `data` was made with the key `public`."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def known() -> frozenset[str]:
    """Returns public keys of other hosts that a person has put into `known_keys`, one a line."""
    path = home() / KNOWN
    if not path.is_file():
        return frozenset()
    words = (line.split("#")[0].strip().lower() for line in path.read_text("utf-8").splitlines())
    return frozenset(filter(None, words))


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def _secret(path: Path) -> bytes:
    """Returns 32 secret bytes, made and linked into place by whoever comes first."""
    if not path.exists():
        made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
        sync_folder(path.parent)  # what is signed must not outlive its key
    return _read(path)
