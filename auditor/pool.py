"""Many things on a few processes: results in the order given; one that breaks harms no other."""

import atexit
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from types import TracebackType
from typing import Any, Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")

PROCESSES = min(os.cpu_count() or 1, 8)
AHEAD = 4 * PROCESSES
"""Things in work at a time; no more results than these are held."""
_job: Callable[[Any], Any]
"""What a worker does; set once in each."""


class Pool(Generic[K, T]):
    """Does one job on each of many things, such as paths."""

    def __init__(self, job: Callable[[K], T], lost: Callable[[K], T]) -> None:
        """Starts the workers when there is work.

        Args:
            job: what is done with a thing; it is sent to each worker once, so both must pickle.
            lost: the result for a thing whose worker died.
        """
        self._job, self._lost = job, lost
        self._workers = self._started()

    def __enter__(self) -> "Pool[K, T]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._workers.shutdown(cancel_futures=True)

    def begin(self, thing: K) -> None:
        """Starts all workers, each with a thing that has no result to speak of."""
        for _ in range(PROCESSES):
            self._submit(thing)

    def run(self, things: Iterable[K]) -> Iterator[T]:
        """Yields the results in the order of the things."""
        rest = iter(things)
        ahead: deque[tuple[K, Future[T]]] = deque()
        while True:
            ahead += [(thing, self._submit(thing)) for thing in islice(rest, AHEAD - len(ahead))]
            if not ahead:
                return
            thing, result = ahead.popleft()
            try:
                yield result.result()
            except BrokenProcessPool:
                yield from self._one_by_one([thing, *(thing for thing, _ in ahead)])
                ahead.clear()

    def _one_by_one(self, things: Iterable[K]) -> Iterator[T]:
        """Goes over things again of which one ends its worker: alone, each ends only its own."""
        self._renew()
        for thing in things:
            try:
                yield self._workers.submit(_work, thing).result()
            except BrokenProcessPool:
                self._renew()
                yield self._lost(thing)

    def _submit(self, thing: K) -> Future[T]:
        try:
            return self._workers.submit(_work, thing)
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


def _begin(job: Callable[[Any], Any]) -> None:
    global _job
    _job = job
    atexit.register(os._exit, 0)  # to take apart what a worker remembers takes seconds


def _work(thing: Any) -> Any:
    return _job(thing)
