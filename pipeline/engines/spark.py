"""Spark: executors of a master, or a local one on this machine.

Belongs here: all that knows Spark.  Does not belong here: what runs on its executors (``remote``).  Settings of Spark
itself come from its own configuration (``SPARK_CONF_DIR``, ``spark-submit``).

Each batch is a job of one task: results then come as they are ready, in bounded number, where one job over many batches
would hold all of its results, or wait for one partition after the other.
"""

import os
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from pipeline.engines import Limits, Task, in_order
from pipeline.engines.children import Outcome, results
from pipeline.engines.remote import Done, Parcel, here, pack, settings, unpack, work
from pipeline.errors import RunFailed

if TYPE_CHECKING:
    from pyspark import SparkContext

AHEAD: Final = 2
"""Jobs a core of the cluster that are under way, at most: one works while the next waits for the core."""
ATTEMPTS: Final = 4
"""How often a local Spark tries a task; on a cluster ``spark.task.maxFailures`` says so."""


class SparkEngine:
    """Executors of the master at ``address``, or, without one, ``workers`` threads of a local Spark.

    An executor that dies is Spark's to replace: its batches go to others.  A batch that took several executors along
    with it (which a report cannot do by itself) is run on this machine.
    """

    def __init__(self, address: str | None, workers: int, limits: Limits) -> None:
        self._address = address
        self._workers = workers
        self._limits = limits
        self._context: SparkContext | None = None
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._context is not None:
            self._context.stop()  # jobs under way end with it
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        self._context = self._threads = None

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See ``Engine``."""
        how = settings(self._limits)

        def submit(batch: pa.RecordBatch) -> Future[Outcome]:
            return self._pool().submit(self._job, pack(task, batch, how))

        for batch, outcome in in_order(batches, submit, self._ahead):
            yield from results(task, batch, outcome)

    def _job(self, parcel: Parcel) -> Outcome:
        from py4j.protocol import Py4JError

        try:
            # Not first(): it ends the Python worker, and the processes that the worker keeps, with every job.
            done: Done = self._spark().parallelize([parcel], 1).map(work).collect()[0]
        except Py4JError as error:
            if "ExecutorLostFailure" not in str(error):
                raise RunFailed(f"Spark gave up: {_first_line(error)}") from None
            return here(parcel)
        return unpack(done)

    def _ahead(self) -> int:
        return AHEAD * int(self._spark().defaultParallelism)

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(max_workers=self._ahead(), thread_name_prefix="engine")
        return self._threads

    def _spark(self) -> "SparkContext":
        """The connection, made with the first batch."""
        if self._context is None:
            self._context = _connect(self._address, self._workers)
        return self._context


def _connect(address: str | None, workers: int) -> "SparkContext":
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise RunFailed("Spark needs Java 17 or newer: install it, or set JAVA_HOME.")
    from pyspark import SparkConf, SparkContext

    conf = SparkConf().setAppName("case2fhir")
    if address is not None:
        conf.setMaster(address)
    conf.setIfMissing("spark.master", f"local[{workers},{ATTEMPTS}]")
    conf.setIfMissing("spark.log.level", "ERROR")
    conf.setIfMissing("spark.ui.enabled", "false")
    conf.setIfMissing("spark.ui.showConsoleProgress", "false")
    if conf.get("spark.master", "").startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about pandas, which is not used here
            return SparkContext(conf=conf)
    except Exception as error:  # of py4j, of the JVM that did not start, of a context that is there already
        raise RunFailed(f"Spark does not start on {conf.get('spark.master')}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """What an error says at once; the traces that follow name files of the cluster."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
