"""What the shell offers when a word is half typed; nothing heavy is imported for it."""

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "environments"


def environments(incomplete: str) -> list[str]:
    """Returns the environments whose names begin so; a path is completed by the shell itself."""
    names = sorted(path.parent.name for path in SHIPPED.glob("*/env.toml"))
    return [name for name in names if name.startswith(incomplete)]
