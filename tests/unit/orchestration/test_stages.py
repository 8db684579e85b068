"""Shards on their way through a run: no worker waits for the coordinator between two of them, and few are held."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from pipeline import batches
from pipeline.engines import Task
from pipeline.engines.local import InlineEngine
from pipeline.orchestration import stages
from pipeline.paths import FHIR_VERSIONS, DatasetPaths
from pipeline.storage import Staging
from tests.unit.orchestration.pipeline_samples import extracted, report, stand_ins, tick

SHARDS = 4


class Counting(InlineEngine):
    """Counts what it is asked to run."""

    runs = 0

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        self.runs += 1
        return super().run(task, batches)


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staging]:
    """Of ``SHARDS`` shards, read and not extracted; a batch has two reports."""
    monkeypatch.setattr(batches, "ROWS", 2)
    with stand_ins(reports_per_shard=10):
        staging = Staging(DatasetPaths(tmp_path))
        staging.spool(report(f"r{n}", "one") for n in range(10 * SHARDS))
        assert staging.shards == SHARDS
        yield staging


def test_all_shards_are_one_stream_and_each_is_staged_as_soon_as_its_results_are_there(staging: Staging) -> None:
    engine, done = Counting(), 0
    figures: dict[str, Any] = {}
    for shard in stages.extract(staging, engine, tick, figures):
        done += staging.plan.reports[shard]
        assert [staging.has(other, "extractions") for other in range(SHARDS)] == [n <= shard for n in range(SHARDS)]
        assert len(extracted) - done <= 2 * batches.ROWS
    assert (engine.runs, figures) == (1, {"extracted": 10 * SHARDS, "taken_over": 0})

    figures = {}
    for shard in stages.build(staging, engine, FHIR_VERSIONS, tick, figures):
        assert [staging.has(other, "R4", "R5") for other in range(SHARDS)] == [n <= shard for n in range(SHARDS)]
    assert (engine.runs, figures) == (2, {"mapped": 10 * SHARDS, "taken_over": 0})


def test_a_shard_that_a_killed_run_has_staged_is_not_made_again(staging: Staging) -> None:
    engine = Counting()
    before = stages.extract(staging, engine, tick, {})
    staged = [next(before), next(before)]
    extracted.clear()
    figures: dict[str, Any] = {}

    assert list(stages.extract(staging, engine, tick, figures)) == list(range(SHARDS))
    left = 10 * SHARDS - sum(staging.plan.reports[shard] for shard in staged)
    assert len(extracted) == figures["extracted"] == left


def test_a_shard_is_checked_when_it_is_staged_and_its_frames_are_gone_before_the_next_are_made(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "ROWS_CHECKED", 1)
    alive: set[int] = set()
    order: list[str] = []

    class Frame(pd.DataFrame):
        def __del__(self) -> None:
            alive.discard(id(self))

    def frames_of(staging: Staging, shard: int) -> dict[str, pd.DataFrame]:
        assert not alive
        order.append(f"frames {shard}")
        frame = Frame({"case_id": ["a"], "report_id": ["a"]})
        alive.add(id(frame))
        return {"cases": frame}

    def staged() -> Iterator[int]:
        for shard in stages.extract(staging, InlineEngine(), tick, {}):
            order.append(f"staged {shard}")
            yield shard

    (found,) = stages.validate(staging, "cases", ("cases",), frames_of, staged())
    assert order == [f"{what} {shard}" for shard in range(SHARDS) for what in ("staged", "frames")]
    assert {result.checked for result in found.results} == {SHARDS}
