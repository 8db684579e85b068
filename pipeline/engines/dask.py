"""Dask: workers of a scheduler, or of a cluster on this machine.

Belongs here: all that knows Dask.  Does not belong here: what runs on its workers (``remote``).  Settings of Dask
itself (TLS, time-outs) come from its own configuration.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from pipeline.engines import Limits, Task, in_order
from pipeline.engines.children import Outcome, results
from pipeline.engines.remote import Done, Parcel, here, pack, settings, unpack, work
from pipeline.errors import RunFailed

if TYPE_CHECKING:
    from distributed import Client, Future

AHEAD: Final = 3
"""Batches a thread of the workers that are read ahead of the results, at most."""
WAIT: Final = 300.0
"""Seconds without any worker after which a run is given up."""


class DaskEngine:
    """Workers of the scheduler at ``address``, or, without one, ``workers`` processes of this machine.

    A worker that dies is Dask's to replace: its batches go to others.  A batch that took several workers along with it
    (which a report cannot do by itself) is run on this machine.
    """

    def __init__(self, address: str | None, workers: int, limits: Limits) -> None:
        self._address = address
        self._workers = workers
        self._limits = limits
        self._stack = ExitStack()
        self._started: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._started = None
        self._stack.close()

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See ``Engine``."""
        how, name, numbers = settings(self._limits), uuid.uuid4().hex, count()

        def submit(batch: pa.RecordBatch) -> _Promise:
            client = self._client()
            parcel = pack(task, batch, how)
            future = client.submit(work, parcel, key=f"case2fhir-{name}-{next(numbers)}", pure=False)
            return _Promise(client, parcel, future)

        for batch, outcome in in_order(batches, submit, self._ahead):
            yield from results(task, batch, outcome)

    def _ahead(self) -> int:
        threads: dict[str, int] = self._client().nthreads()
        return AHEAD * max(1, sum(threads.values()))

    def _client(self) -> "Client":
        """The connection, made with the first batch."""
        if self._started is None:
            from distributed import Client, LocalCluster

            if self._address is None:
                cluster = LocalCluster(
                    n_workers=self._workers,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,  # the processes that do the work have a limit of their own
                    dashboard_address=None,
                )
                self._stack.enter_context(cluster)
            try:
                client = Client(self._address or cluster, set_as_default=False)
            except (OSError, ValueError) as error:
                raise RunFailed(f"No Dask scheduler answers at {self._address}: is it running?") from error
            self._started = self._stack.enter_context(client)
        return self._started


class _Promise:
    """A batch that the scheduler has."""

    def __init__(self, client: "Client", parcel: Parcel, future: "Future") -> None:
        self._client = client
        self._parcel = parcel
        self._future = future

    def result(self) -> Outcome:
        """Wait for the result; raises RunFailed where no worker, or no scheduler, is left."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        done: Done | None = None
        while done is None:
            try:
                done = self._future.result(timeout=WAIT)
            except TimeoutError as error:
                if not self._client.nthreads():
                    raise RunFailed(f"The Dask cluster has had no worker for {WAIT:.0f} seconds.") from error
            except KilledWorker:
                return here(self._parcel)
            except (FutureCancelledError, OSError) as error:
                raise RunFailed(f"The Dask scheduler was lost: {type(error).__name__}. Run again to go on.") from error
        return unpack(done)
