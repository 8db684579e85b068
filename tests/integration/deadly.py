"""Reports that end the process that reads or maps them: stand-ins for the two tasks of a run, found by their names.

What ends it are words in the text of the report: ``deadly: exit``, ``deadly: memory``; ``deadly: map`` when one of its
cases is mapped.
"""

import os
from collections.abc import Sequence
from functools import partial

import pyarrow as pa

from pipeline import batches
from pipeline.engines import Task
from pipeline.paths import FhirVersion


def extract(batch: pa.RecordBatch) -> pa.RecordBatch:
    text = b"".join(batch.column("report").to_pylist())
    if b"deadly: exit" in text:
        os._exit(3)
    if b"deadly: memory" in text:
        _ = [bytearray(1 << 24) for _ in range(1 << 20)]
    return batches.extract_batch(batch)


def resources(batch: pa.RecordBatch, versions: Sequence[FhirVersion]) -> pa.RecordBatch:
    if b"deadly: map" in b"".join(batch.column("report").to_pylist()):
        os.abort()
    return batches.resources_batch(batch, versions)


def extract_task() -> Task:
    return Task(extract, batches.extract_crashed)


def resources_task(versions: Sequence[FhirVersion]) -> Task:
    return Task(partial(resources, versions=tuple(versions)), batches.resources_crashed)
