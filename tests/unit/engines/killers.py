"""Batch functions for tests of engines: some rows end the process that works on them, in every way there is.

The rows are numbers.  Processes find these functions by their name, as they find those of the pipeline.
"""

import ctypes
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline.engines import Death, Task

SEGFAULT, EXIT, KILL, MEMORY, NATIVE_LOOP, SLEEP = 101, 102, 103, 104, 105, 106
DEATHS: dict[int, Death] = {
    SEGFAULT: "crashed", EXIT: "crashed", KILL: "crashed", MEMORY: "memory", NATIVE_LOOP: "timeout", SLEEP: "timeout",
}  # fmt: skip


def numbers(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int64())})


NONE = numbers()
"""Made here because the first batch imports pandas, which on a busy machine takes longer than a test's time limit."""


def values(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [n for batch in batches for n in batch.column("n").to_pylist()]


def double(batch: pa.RecordBatch) -> pa.RecordBatch:
    return numbers(*(2 * n for n in batch.column("n").to_pylist()))


def dies(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Doubles, unless a row is one of ``DEATHS``."""
    for n in batch.column("n").to_pylist():
        if n == SEGFAULT:
            ctypes.string_at(0)
        elif n == EXIT:
            os._exit(3)
        elif n == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif n == MEMORY:
            _ = [bytearray(1 << 24) for _ in range(1 << 20)]
        elif n == NATIVE_LOOP:  # a library that holds the interpreter's lock and does not come back for years
            re.fullmatch("(a+)+", "a" * 60 + "b")
        elif n == SLEEP:
            time.sleep(3600)
    return double(batch)


def pauses(batch: pa.RecordBatch) -> pa.RecordBatch:
    time.sleep(0.5)
    return batch


def raises(batch: pa.RecordBatch) -> pa.RecordBatch:
    raise ValueError(batch.num_rows)


def dies_once(batch: pa.RecordBatch) -> pa.RecordBatch:
    """As a process that somebody kills: it is not the row's fault."""
    mark = Path(os.environ["MARKS"], "dead")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(batch)


def takes_worker_along(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Kills the cluster's worker that started this process, and not only this process: once for 1, always for 2."""
    rows = batch.column("n").to_pylist()
    mark = Path(os.environ["MARKS"], "dead")
    if 2 in rows or (1 in rows and not mark.exists()):
        with mark.open("a") as killed:
            for process in cluster_workers():
                print(process, file=killed, flush=True)
                os.kill(process, signal.SIGKILL)
        os._exit(1)
    return double(batch)


def cluster_workers() -> list[int]:
    """Processes above this one that are a worker of Dask or an executor of Spark, and no process of tests."""
    above, found = os.getppid(), []
    while above > 1:
        command = Path(f"/proc/{above}/cmdline").read_bytes()
        if b"multiprocessing.spawn" in command or b"CoarseGrainedExecutorBackend" in command:
            found.append(above)
        above = int(Path(f"/proc/{above}/stat").read_text().rpartition(") ")[2].split()[1])
    return found


def sleeps(batch: pa.RecordBatch) -> pa.RecordBatch:
    Path(os.environ["MARKS"], str(os.getpid())).touch()
    time.sleep(300)
    return batch


def minus(batch: pa.RecordBatch, death: Death) -> pa.RecordBatch:
    """The result of a row that ended its process: a negative number that says how."""
    assert batch.num_rows == 1
    return numbers(-1 - ["crashed", "memory", "timeout"].index(death))


def expected(n: int) -> int:
    return -1 - ["crashed", "memory", "timeout"].index(DEATHS[n]) if n in DEATHS else 2 * n


TASK = Task(dies, minus)
