"""Runs one batch function over many record batches: on processes of this machine, on Dask, on Spark.

Belongs here: scheduling, order, back-pressure, and what happens when a report kills the process that works on it.  Does
not belong here: what a batch holds.  Every engine takes a ``Task`` and gives the results in the order of the input, so
output never depends on timing.

The parts: ``worker`` is the process that a batch function runs in; ``children`` keeps such processes, and finds the row
that kills one; ``local`` runs them on this machine; ``remote`` is what ``dask`` and ``spark`` have in common, whose
workers keep such processes too; ``choice`` opens an engine by its name.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self, TypeAlias, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

R_co = TypeVar("R_co", covariant=True)
Batch: TypeAlias = "Callable[[pa.RecordBatch], pa.RecordBatch]"
Death = Literal["crashed", "memory", "timeout"]
"""How a row ended the process that worked on it: a crash, more memory or more time than it may have."""

IN_FLIGHT: Final = 32_000_000
"""Bytes of batches handed out and not yet given back, about, at most; results are about seven times as large."""


PATIENCE: Final = 5
"""How many times as long by the clock as of processor time a batch may take: waiting is no fault, but must end."""


@dataclass(frozen=True)
class Task:
    """What an engine runs: ``function`` maps a batch to a batch and must be picklable.

    ``crashed`` gives the result for a batch of one row whose processing ended its process, twice; it runs in the
    calling process.
    """

    function: Batch
    crashed: "Callable[[pa.RecordBatch, Death], pa.RecordBatch]"


@dataclass(frozen=True)
class Limits:
    """What one process may use: ``seconds`` for a batch, or for a row by itself; ``megabytes`` (2**20) of memory.

    Seconds are of processor time, which does not depend on what else the machine does; by the clock, a batch may take
    ``PATIENCE`` times as many.  Zero means no limit.  Batches are small (``pipeline.batches``): of ordinary reports,
    one takes some seconds.
    """

    seconds: float = 120.0
    megabytes: int = 2048


class Engine(Protocol):
    """What every engine can do: a context manager that runs tasks, one after the other."""

    def __enter__(self) -> Self:
        """Nothing is started yet: that waits for the first batch."""

    def __exit__(self, *_: object) -> None:
        """Ends what was started."""

    def run(self, task: Task, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Apply ``task`` to each batch; results come in input order, a row for each row, and few are held at a time.

        An exception that ``task.function`` lets through is a defect of the program and stops the run; ``RunFailed``
        says that the engine itself has failed.
        """


class Promise(Protocol[R_co]):
    """The one thing that is asked of a future."""

    def result(self) -> R_co:
        """Wait for it."""


def in_order(
    batches: "Iterable[pa.RecordBatch]",
    submit: "Callable[[pa.RecordBatch], Promise[R_co]]",
    ahead: Callable[[], int],
    in_flight: int | None = None,
) -> "Iterator[tuple[pa.RecordBatch, R_co]]":
    """Each batch with its result; ``ahead()`` batches and ``in_flight`` bytes are submitted and unfinished at most."""
    in_flight = in_flight or IN_FLIGHT
    waiting: deque[tuple[pa.RecordBatch, Promise[R_co]]] = deque()
    size = 0
    for batch in batches:
        waiting.append((batch, submit(batch)))
        size += batch.nbytes
        while waiting and (len(waiting) >= ahead() or size >= in_flight):
            first, promise = waiting.popleft()
            yield first, promise.result()
            size -= first.nbytes
    while waiting:
        first, promise = waiting.popleft()
        yield first, promise.result()
