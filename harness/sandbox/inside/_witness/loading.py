"""Tells when a module has been loaded, before whoever asked for it can touch it."""

import builtins
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from . import log

globals()["__builtins__"] = dict(vars(builtins))


def tell(names: set[str], loaded: Callable[[str], None]) -> None:
    """Calls `loaded` once for each of some modules, when it has been loaded."""
    sys.meta_path.insert(0, _Finder(names, loaded))


class _Finder:
    """Stands first among the finders, and finds what the next ones find."""

    def __init__(self, waiting: set[str], loaded: Callable[[str], None]) -> None:
        self._waiting = waiting
        self._loaded = loaded

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns what the next finders find, with a loader that tells when it has loaded."""
        if name not in self._waiting:
            return None
        self._waiting.discard(name)
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._follow(name, spec)
                return spec
        return None

    def _follow(self, name: str, spec: ModuleSpec) -> None:
        loader = spec.loader
        if loader is None or isinstance(loader, type):
            return  # built in, and the loader is everybody's
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            load(module)
            self._tell(name)

        loader.exec_module = exec_module  # type: ignore[method-assign]

    def _tell(self, name: str) -> None:
        try:
            self._loaded(name)
        except Exception as error:
            if not log.ours(error):
                raise
            log.say("broken", what=f"{type(error).__name__} at {name}")
