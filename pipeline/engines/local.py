"""The default engine: processes of this machine.

Belongs here: how many, and keeping them busy.  Does not belong here: what happens when one ends (``children``), and
what the batch function does.
"""

import os
import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Self

import pyarrow as pa

from pipeline.engines import Limits, Task, in_order
from pipeline.engines.children import Children, Outcome, results
from pipeline.engines.worker import Hello, write

AHEAD: Final = 8
"""Batches a worker that are read ahead of the results, at most: enough to do while a shard is checked and written."""
IN_FLIGHT: Final = 1_000_000
"""Bytes a worker of them, about, at most: results of theirs are in this machine's memory, too."""


def cores() -> int:
    """Processor cores this process may use, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalEngine:
    """Processes of this machine, one a batch, as a context manager: they stay alive from one ``run`` to the next.

    No more are started than there are batches: each loads lexicons and models, which takes seconds.  A thread waits for
    each of them.
    """

    def __init__(self, workers: int, limits: Limits | None = None) -> None:
        self._workers = workers
        self._children = Children(Hello(limits or Limits()))
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="engine")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._children.close()
        self._threads.shutdown(cancel_futures=True)

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See ``Engine``."""
        function = pickle.dumps(task.function)

        def submit(batch: pa.RecordBatch) -> Future[Outcome]:
            return self._threads.submit(self._children.run, function, write(batch), batch.num_rows)

        for batch, outcome in in_order(batches, submit, lambda: AHEAD * self._workers, IN_FLIGHT * self._workers):
            yield from results(task, batch, outcome)


class InlineEngine:
    """This very process: nothing is started, no limit is kept, and a crash is a crash."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See ``Engine``."""
        for batch in batches:
            try:
                yield task.function(batch)
            except MemoryError:
                yield from (_alone(task, batch.slice(row, 1)) for row in range(batch.num_rows))


def _alone(task: Task, row: pa.RecordBatch) -> pa.RecordBatch:
    try:
        return task.function(row)
    except MemoryError:
        return task.crashed(row, "memory")
