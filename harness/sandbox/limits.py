"""What one run may use. A limit that is hit ends the run and is named in its result."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one run."""

    wall_s: float = 600.0
    memory_bytes: int = 8 << 30
    """Resident memory of all processes together."""
    processes: int = 512
    """Processes and threads at once."""
    file_bytes: int = 2 << 30
    """Size of any one file."""
    disk_bytes: int = 4 << 30
    """Everything written to the workspace."""
    output_bytes: int = 64 << 20
    """Standard output and error together; past it the run ends."""
    files: int = 100_000
    """Files and folders written to the workspace."""
