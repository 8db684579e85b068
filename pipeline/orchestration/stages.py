"""What the assets do to a staged run, shard by shard, so that memory does not grow with the number of reports.

Belongs here: moving records between staging, engine and validation.  Does not belong here: Dagster, and what happens to
a single record (``pipeline.batches``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from pipeline import batches, records
from pipeline.engines.local import LocalEngine, Task
from pipeline.paths import FHIR_VERSIONS, FhirVersion
from pipeline.records import Extraction, Refused
from pipeline.storage import CaseResources, Dataset, Staging, tables
from pipeline.storage.staging import decode_refused
from pipeline.validation import quarantine, suites
from pipeline.validation.frames import frames
from pipeline.validation.resources import check
from pipeline.validation.suites import SuiteResult

if TYPE_CHECKING:
    import pandas as pd

Tick = Callable[[int], None]
"""Hears how many reports or cases of a stage are through."""
Frames = Callable[[Staging, int], "dict[str, pd.DataFrame]"]
"""The frames of one staged shard by suite name."""

_decode_resources = msgspec.json.Decoder(CaseResources).decode


def extract(staging: Staging, engine: LocalEngine, tick: Tick) -> None:
    """Stage the extractions (cases assessed) of all staged reports, and refuse the reports where that failed."""
    done = count(1)
    for shard in range(staging.shards):
        rows = ((records.encode(report),) for report in staging.reports(shard))
        extractions: list[Extraction] = []
        refused: list[Refused] = []
        for row in _run(engine, batches.extract_task(), batches.batches(rows, batches.REPORTS)):
            if row["refused"] is None:
                extractions.append(records.decode_extraction(row["extraction"]))
            else:
                refused.append(decode_refused(row["refused"]))
            tick(next(done))
        staging.write_extractions(shard, extractions)
        staging.write_refused("extraction", shard, refused)


def build(staging: Staging, engine: LocalEngine, versions: Sequence[FhirVersion], tick: Tick) -> None:
    """Stage the resources of all staged cases, and refuse the cases where that failed."""
    done = count(1)
    for shard in range(staging.shards):
        rows = (
            (records.encode(report), records.encode(case))
            for report, extraction in staging.pairs(shard)
            for case in extraction.cases
        )
        built: dict[FhirVersion, list[CaseResources]] = {version: [] for version in versions}
        refused: list[Refused] = []
        for row in _run(engine, batches.resources_task(versions), batches.batches(rows, batches.CASES)):
            if row["refused"] is None:
                for version in versions:
                    built[version].append(_decode_resources(row[version]))
            else:
                refused.append(decode_refused(row["refused"]))
            tick(next(done))
        for version in FHIR_VERSIONS:
            staging.write_resources(shard, version, built.get(version, []))
        staging.write_refused("fhir", shard, refused)


def validate(staging: Staging, stage: str, frames_of: Frames) -> list[SuiteResult]:
    """Run the suites of ``frames_of``, and refuse the cases (or reports) that fail a critical expectation."""
    results: list[SuiteResult] = []
    for shard in range(staging.shards):
        of_shard = [suites.run(suite, frame) for suite, frame in frames_of(staging, shard).items()]
        staging.write_refused(f"validation-{stage}", shard, quarantine.withheld(of_shard))
        results += of_shard
    return suites.merge(results)


def anything_left(staging: Staging) -> bool:
    """Whether a report is left to publish, and a case if there was any."""
    refused = [item for item in staging.refused() if item.stage != "sources"]
    reports = {item.report_id for item in refused if item.case_id is None}
    cases = {item.case_id for item in refused if item.case_id is not None}
    any_report = any_case = case_left = False
    for shard in range(staging.shards):
        for report, extraction in staging.pairs(shard):
            any_report |= report.report_id not in reports
            any_case |= bool(extraction.cases)
            case_left |= report.report_id not in reports and any(c.case_id not in cases for c in extraction.cases)
    return any_report and (case_left or not any_case)


def validate_dataset(dataset: Dataset) -> list[SuiteResult]:
    """Run all suites on a published dataset."""
    results: list[SuiteResult] = []
    for shard in range(dataset.shards):
        results += [suites.run(suite, frame) for suite, frame in dataset_frames(dataset, shard).items()]
    return suites.merge(results)


def dataset_frames(dataset: Dataset, shard: int) -> "dict[str, pd.DataFrame]":
    """What all suites look at, of one published shard."""
    resources = {version: dataset.resources(shard, version, check) for version in dataset.versions}
    return frames(dataset.tables(shard), resources)


def report_frames(staging: Staging, shard: int) -> "dict[str, pd.DataFrame]":
    """What the ``reports`` suite looks at."""
    built = tables.build((report, Extraction(id=report.report_id)) for report in staging.reports(shard))
    return frames({"reports": built["reports"]}, {})


def case_frames(staging: Staging, shard: int) -> "dict[str, pd.DataFrame]":
    """What the suites of the extracted tables look at."""
    found = frames(tables.build(staging.pairs(shard)), {})
    del found["reports"]
    return found


def resource_frames(staging: Staging, shard: int) -> "dict[str, pd.DataFrame]":
    """What the ``resources`` and ``references`` suites look at."""
    return frames({}, {version: staging.resources(shard, version) for version in FHIR_VERSIONS})


def _run(engine: LocalEngine, task: Task, inputs: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in engine.run(task, inputs):
        yield from batch.to_pylist()
