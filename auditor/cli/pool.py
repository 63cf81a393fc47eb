"""Many paths on a few processes: results in the order given, and one that breaks harms no other."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PROCESSES = min(os.cpu_count() or 1, 8)
AHEAD = 4 * PROCESSES
"""Paths in work at a time; no more results than these are held."""
_job: Callable[[Path], Any]
"""What a worker does; set once in each."""


class Pool(Generic[T]):
    """Does one job on each of many paths."""

    def __init__(self, job: Callable[[Path], T], lost: Callable[[Path], T]) -> None:
        """Starts the workers when there is work.

        Args:
            job: what is done with a path; it is sent to each worker once, so it must pickle.
            lost: the result for a path whose worker died.
        """
        self._job, self._lost = job, lost
        self._workers = self._started()

    def __enter__(self) -> "Pool[T]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._workers.shutdown(cancel_futures=True)

    def run(self, paths: Iterable[Path]) -> Iterator[T]:
        """Yields the results in the order of the paths."""
        rest = iter(paths)
        ahead: deque[tuple[Path, Future[T]]] = deque()
        while True:
            ahead += [(path, self._submit(path)) for path in islice(rest, AHEAD - len(ahead))]
            if not ahead:
                return
            path, result = ahead.popleft()
            try:
                yield result.result()
            except BrokenProcessPool:
                yield from self._one_by_one([path, *(path for path, _ in ahead)])
                ahead.clear()

    def _one_by_one(self, paths: Iterable[Path]) -> Iterator[T]:
        """Goes over paths again of which one ends its worker: alone, each ends only its own."""
        self._renew()
        for path in paths:
            try:
                yield self._workers.submit(_work, path).result()
            except BrokenProcessPool:
                self._renew()
                yield self._lost(path)

    def _submit(self, path: Path) -> Future[T]:
        try:
            return self._workers.submit(_work, path)
        except BrokenProcessPool as error:
            broken: Future[T] = Future()
            broken.set_exception(error)
            return broken

    def _renew(self) -> None:
        self._workers.shutdown(cancel_futures=True)
        self._workers = self._started()

    def _started(self) -> ProcessPoolExecutor:
        # Spawned, since a fork would copy the threads' locks and whatever the parent has open.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            PROCESSES, mp_context=context, initializer=_begin, initargs=(self._job,)
        )


def _begin(job: Callable[[Path], Any]) -> None:
    global _job
    _job = job


def _work(path: Path) -> Any:
    return _job(path)
