"""The default engine: a pool of processes on this machine.

Belongs here: starting workers, keeping order and memory bounded, finding the row that kills its worker.  Does not
belong here: what the batch function does.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import Self, TypeAlias

import pyarrow as pa

from pipeline.engines import Task

_Waiting: TypeAlias = tuple[pa.RecordBatch, Future[pa.RecordBatch] | None]


def cores() -> int:
    """Processor cores this process may use, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalEngine:
    """Processes of this machine, as a context manager: workers stay alive from one ``run`` to the next.

    One worker means this very process: nothing is started, and a crash is a crash.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._started = 0
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Apply ``task`` to each batch; results come in input order, three batches a worker are held at most.

        An exception that ``task.function`` lets through is a defect of the program and stops the run.
        """
        if self._workers <= 1:
            yield from map(task.function, batches)
            return
        waiting: deque[_Waiting] = deque()
        rest = iter(batches)
        first = list(islice(rest, self._workers))
        self._make_ready(len(first))
        for batch in chain(first, rest):
            waiting.append((batch, self._submit(task, batch)))
            if len(waiting) >= 3 * self._workers:
                yield from self._next(task, waiting)
        while waiting:
            yield from self._next(task, waiting)

    def _make_ready(self, batches: int) -> None:
        """Start no more workers than there are batches: each loads lexicons and models, which takes seconds."""
        if batches > self._started:
            self._stop()
            self._started = batches

    def _submit(self, task: Task, batch: pa.RecordBatch) -> Future[pa.RecordBatch] | None:
        """The future of the result, or None where the pool is already broken: the batch is then run apart."""
        if self._executor is None:
            self._executor = _pool(self._started)
        try:
            return self._executor.submit(task.function, batch)
        except BrokenProcessPool:
            return None

    def _next(self, task: Task, waiting: deque[_Waiting]) -> Iterator[pa.RecordBatch]:
        """The results of the oldest batch.

        A dead worker breaks the pool and every batch that was in it, and nobody knows which one was to blame: those
        without a result are run apart, then a fresh pool takes over.
        """
        batch, future = waiting[0]
        result = _result(future)
        if result is not None:
            waiting.popleft()
            yield result
            return
        self._stop()
        for batch, future in list(waiting):
            waiting.popleft()
            done = _result(future) if future is not None and future.done() and not future.cancelled() else None
            yield from [done] if done is not None else _apart(task, batch)

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


def _result(future: Future[pa.RecordBatch] | None) -> pa.RecordBatch | None:
    """The result, waiting for it; None where a worker died first."""
    try:
        return future.result() if future is not None else None
    except BrokenProcessPool:
        return None


def _apart(task: Task, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Run a batch in a process of its own; halve it as long as that process dies, down to the row to blame."""
    with _pool(1) as executor:
        result = _result(executor.submit(task.function, batch))
    if result is not None:
        yield result
    elif batch.num_rows <= 1:
        yield task.crashed(batch)
    else:
        half = batch.num_rows // 2
        yield from _apart(task, batch.slice(0, half))
        yield from _apart(task, batch.slice(half))


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=workers, mp_context=_context(), initializer=_serve)


def _serve() -> None:
    """Make this process a good worker: it ends with the process it works for, and at no other wish.

    Ctrl-C reaches every process of a terminal; the calling process ends the others, which need not complain.  A calling
    process that was killed ends nobody: its workers would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _context() -> BaseContext:
    """Never fork: a forked copy of a process with threads (pyarrow, Dagster, gRPC) can hang."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(["pipeline.batches"])
    return context
