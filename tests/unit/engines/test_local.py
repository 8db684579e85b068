"""The local engine: order, bounded memory, and finding the row that kills its worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.engines import Task
from pipeline.engines.local import LocalEngine


def numbers(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int64())})


def values(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [n for batch in batches for n in batch.column("n").to_pylist()]


def double(batch: pa.RecordBatch) -> pa.RecordBatch:
    return numbers(*(2 * n for n in batch.column("n").to_pylist()))


def dies_of(batch: pa.RecordBatch, fatal: frozenset[int]) -> pa.RecordBatch:
    """A library that crashes on certain rows takes its process with it."""
    if fatal & set(batch.column("n").to_pylist()):
        os.kill(os.getpid(), signal.SIGKILL)
    return double(batch)


def raises(batch: pa.RecordBatch) -> pa.RecordBatch:
    raise ValueError(batch.num_rows)


def minus_one(batch: pa.RecordBatch) -> pa.RecordBatch:
    assert batch.num_rows == 1
    return numbers(-1)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_input(workers: int) -> None:
    batches = [numbers(*range(start, start + 3)) for start in range(0, 60, 3)]
    with LocalEngine(workers) as engine:
        assert values(engine.run(Task(double, minus_one), batches)) == list(range(0, 120, 2))


def test_workers_serve_one_run_after_the_other() -> None:
    with LocalEngine(2) as engine:
        first = values(engine.run(Task(double, minus_one), [numbers(1)]))
        second = values(engine.run(Task(double, minus_one), [numbers(2)]))
    assert (first, second) == ([2], [4])


def test_reads_no_more_than_three_batches_a_worker_ahead() -> None:
    read = 0

    def endless() -> Iterator[pa.RecordBatch]:
        nonlocal read
        while True:
            read += 1
            yield numbers(read)

    with LocalEngine(2) as engine:
        results = engine.run(Task(double, minus_one), endless())
        for _ in range(4):
            next(results)
        assert read <= 4 + 3 * 2


def test_rows_that_kill_their_worker_are_found_and_all_others_are_processed() -> None:
    batches = [numbers(*range(start, start + 8)) for start in range(0, 48, 8)]
    fatal = frozenset({5, 19, 20})
    with LocalEngine(2) as engine:
        found = values(engine.run(Task(partial(dies_of, fatal=fatal), minus_one), batches))
    assert found == [-1 if n in fatal else 2 * n for n in range(48)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_of_the_function_is_a_defect_and_stops_the_run(workers: int) -> None:
    with LocalEngine(workers) as engine, pytest.raises(ValueError, match="1"):
        values(engine.run(Task(raises, minus_one), [numbers(7)]))


def test_workers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    code = """
import sys
from tests.unit.engines.test_local import numbers, sleeps
from pipeline.engines import Task
from pipeline.engines.local import LocalEngine
with LocalEngine(2) as engine:
    list(engine.run(Task(sleeps, sleeps), [numbers(0), numbers(0)]))
"""
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root), "PIDS": str(tmp_path)}
    killed = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=root)
    eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    killed.kill()
    killed.wait()
    eventually(lambda: not any(map(alive, workers)))


def sleeps(batch: pa.RecordBatch) -> pa.RecordBatch:
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    time.sleep(300)
    return batch


def alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().split(") ")[1][0] != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
