"""Runs one batch function over many record batches: on processes of this machine, later on clusters.

Belongs here: scheduling, order, and what happens when a worker dies.  Does not belong here: what a batch holds.
Every engine takes a ``Task`` and gives the results in the order of the input, so output never depends on timing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import pyarrow as pa

Batch: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True)
class Task:
    """What an engine runs: ``function`` maps a batch to a batch; both callables must be picklable.

    ``crashed`` gives the result for a batch of one row whose processing killed the worker (a segmentation fault, the
    kernel's out-of-memory killer); it runs in the calling process.
    """

    function: Batch
    crashed: Batch


class Engine(Protocol):
    """What every engine can do; it is a context manager besides."""

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Apply ``task`` to each batch; results come in input order, a row for each row, and few are held at a time.

        An exception that ``task.function`` lets through is a defect of the program and stops the run.
        """
