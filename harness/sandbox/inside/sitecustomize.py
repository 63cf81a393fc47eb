"""Python imports this at its start: begins the witness, then does what it stands in the way of."""

import importlib
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

HERE = os.path.dirname(__file__)


def _watch() -> None:
    """Starts the witness. Whatever fails there is its own matter, and shows by its silence."""
    try:  # noqa: SIM105  # contextlib is not loaded yet, and the program must not notice
        importlib.import_module("_witness.main").begin()
    except Exception:  # noqa: S110
        pass
    sys.path[:] = [path for path in sys.path if path != HERE]


def _shadowed() -> None:
    """Runs the module of this name that Python would have found without us."""
    spec = PathFinder.find_spec(__name__)
    if spec is not None and spec.loader is not None:
        sys.modules[__name__] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


_watch()
_shadowed()
