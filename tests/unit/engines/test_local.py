"""The local engine: order, bounded memory, and finding the row that ends its worker."""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.engines import Engine, Limits, Task, in_order
from pipeline.engines.children import Children
from pipeline.engines.local import AHEAD, InlineEngine, LocalEngine
from pipeline.engines.worker import Hello, read, write
from pipeline.errors import RunFailed
from tests.unit.engines.killers import DEATHS, TASK, dies_once, double, expected, minus, numbers, pauses, raises, values

ROOT = Path(__file__).parents[3]
ENGINES: list[Callable[[], Engine]] = [InlineEngine, lambda: LocalEngine(2)]


@pytest.mark.parametrize("engine", ENGINES)
def test_results_come_in_the_order_of_the_input(engine: Callable[[], Engine]) -> None:
    batches = [numbers(*range(start, start + 3)) for start in range(0, 60, 3)]
    with engine() as opened:
        assert values(opened.run(Task(double, minus), batches)) == list(range(0, 120, 2))


def test_workers_serve_one_run_after_the_other() -> None:
    with LocalEngine(2) as engine:
        first = values(engine.run(Task(double, minus), [numbers(1)]))
        second = values(engine.run(Task(double, minus), [numbers(2)]))
    assert (first, second) == ([2], [4])


def test_reads_no_more_than_so_many_batches_a_worker_ahead() -> None:
    read_so_far = 0

    def endless() -> Iterator[pa.RecordBatch]:
        nonlocal read_so_far
        while True:
            read_so_far += 1
            yield numbers(read_so_far)

    with LocalEngine(2) as engine:
        results = engine.run(Task(double, minus), endless())
        for _ in range(4):
            next(results)
        assert read_so_far <= 4 + AHEAD * 2


def test_few_large_batches_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.IN_FLIGHT", 100)
    held = most = 0

    class Result:
        def result(self) -> None:
            nonlocal held
            held -= 1

    def submit(_: pa.RecordBatch) -> Result:
        nonlocal held, most
        held += 1
        most = max(most, held)
        return Result()

    assert len(list(in_order([numbers(1, 2, 3, 4)] * 20, submit, lambda: 1000))) == 20
    assert most == 4  # of 32 bytes each


def test_a_batch_travels_without_what_it_was_cut_from() -> None:
    long = numbers(*range(100_000))
    assert len(write(long.slice(5, 2))) < 1_000
    assert read(write(long.slice(5, 2))) == numbers(5, 6)


@pytest.mark.slow
def test_rows_that_end_their_worker_are_found_and_all_others_are_processed() -> None:
    rows = list(range(48))
    rows[5], rows[19], rows[20], rows[21], rows[40], rows[47] = DEATHS
    batches = [numbers(*rows[start : start + 8]) for start in range(0, 48, 8)]
    with LocalEngine(2, Limits(seconds=1, megabytes=300)) as engine:
        assert values(engine.run(TASK, batches)) == [expected(n) for n in rows]


def test_a_row_is_not_to_blame_for_a_worker_that_somebody_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKS", str(tmp_path))
    with LocalEngine(1) as engine:
        assert values(engine.run(Task(dies_once, minus), [numbers(1, 2)])) == [2, 4]
    assert (tmp_path / "dead").exists()


def test_a_row_without_memory_in_this_very_process_is_refused() -> None:
    def wants_memory(batch: pa.RecordBatch) -> pa.RecordBatch:
        if 7 in batch.column("n").to_pylist():
            raise MemoryError
        return double(batch)

    with InlineEngine() as engine:
        assert values(engine.run(Task(wants_memory, minus), [numbers(6, 7, 8)])) == [12, -2, 16]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_of_the_function_is_a_defect_and_stops_the_run(engine: Callable[[], Engine]) -> None:
    with engine() as opened, pytest.raises(ValueError, match="1"):
        values(opened.run(Task(raises, minus), [numbers(7)]))


def test_no_more_workers_are_started_than_there_is_work_for() -> None:
    with LocalEngine(2) as engine:
        for batches, workers in ((0, 0), (1, 1), (1, 1), (2, 2), (1, 2)):
            assert len(values(engine.run(Task(pauses, minus), [numbers(1)] * batches))) == batches
            assert len(workers_of(os.getpid())) == workers
    assert workers_of(os.getpid()) == []


def test_workers_without_work_end_and_are_replaced() -> None:
    with closing(Children(Hello(Limits(), idle=0.1))) as children:
        for n in (1, 2):
            (result,) = children.run(pickle.dumps(double), write(numbers(n)), 1)
            assert isinstance(result, bytes)
            assert read(result) == numbers(2 * n)
            eventually(lambda: workers_of(os.getpid()) == [])


def test_a_worker_that_cannot_start_is_no_fault_of_a_report() -> None:
    children = Children(Hello(Limits()), {"PYTHONMALLOC": "none of those there are"})
    with closing(children), pytest.raises(RunFailed, match="did not start"):
        children.run(pickle.dumps(double), write(numbers(1)), 1)


def test_workers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    code = """
from tests.unit.engines.killers import minus, numbers, sleeps
from pipeline.engines import Task
from pipeline.engines.local import LocalEngine
with LocalEngine(2) as engine:
    list(engine.run(Task(sleeps, minus), [numbers(0), numbers(0)]))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MARKS": str(tmp_path)}
    killed = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT)
    eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    killed.kill()
    killed.wait()
    eventually(lambda: not any(map(alive, workers)))


def workers_of(process: int) -> list[int]:
    """Processes below ``process`` that run a batch function, or wait for one."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in found if alive(pid) and parent(pid) == process and b"engines.worker" in command(pid)]


def command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def parent(process: int) -> int:
    return int(state(process)[1])


def alive(process: int) -> bool:
    return state(process)[0] != "Z"


def state(process: int) -> list[str]:
    """State and parent of a process; as of a dead one, where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[:2]
    except OSError:
        return ["Z", "0"]


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
