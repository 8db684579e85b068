"""What is done to a batch of reports: the functions every engine runs.

Belongs here: batch in, batch out, and turning the failure of one row into a ``Refused`` for that row.  Does not belong
here: where batches come from and go to, how many run at a time.  All functions are pure and picklable; records travel
as their JSON, one column each.
"""

import traceback
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Literal

import pyarrow as pa

from pipeline import corrections, records
from pipeline.assessment import assess_all
from pipeline.corrections import Correction
from pipeline.engines import Death, Task
from pipeline.extraction import extract
from pipeline.paths import FhirVersion
from pipeline.records import Case, Extraction, Refused, Report
from pipeline.storage.staging import CaseResources

Stage = Literal["extraction", "fhir"]

ROWS = 32
"""Reports in a batch, at most."""
BYTES = 250_000
"""Bytes of a batch, about, at most: a batch of long reports has few of them, and takes a second or two."""

LET_THROUGH = (ImportError, OSError, MemoryError)
"""Missing libraries and data files are no fault of a report (extraction and mapping do no other input or output): they
stop the run.  Memory may have been short for other reasons: the engine finds out whether it is the report's fault."""

REPORTS = pa.schema([("report", pa.binary())])
CORRECTED = pa.schema([("report", pa.binary()), ("corrections", pa.binary())])
"""Reports with the corrections that people made to their cases: a JSON list, empty for most."""
EXTRACTIONS = pa.schema([("report", pa.binary()), ("extraction", pa.binary()), ("refused", pa.binary())])
"""``extraction`` is null where ``refused`` is not."""
CASES = pa.schema([("report", pa.binary()), ("case", pa.binary())])
RESOURCES = pa.schema([("R4", pa.binary()), ("R5", pa.binary()), ("refused", pa.binary())])
"""``R4`` and ``R5`` are JSON of ``storage.CaseResources``, null where not asked for or where the case is refused."""


def batches(rows: Iterable[tuple[bytes, ...]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Group rows of JSON columns into record batches of at most ``ROWS`` rows and about ``BYTES`` bytes."""
    waiting: list[tuple[bytes, ...]] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += sum(map(len, row))
        if len(waiting) >= ROWS or size >= BYTES:
            yield _batch(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, schema)


def extract_task() -> Task:
    """``REPORTS`` or ``CORRECTED`` to ``EXTRACTIONS``: one row a report, in order."""
    return Task(extract_batch, extract_crashed)


def resources_task(versions: Sequence[FhirVersion]) -> Task:
    """``CASES`` to ``RESOURCES``: one row a case, in order."""
    return Task(partial(resources_batch, versions=tuple(versions)), resources_crashed)


def extract_report(report: Report, corrected: Sequence[Correction] = ()) -> Extraction:
    """Extraction of one report, as people ``corrected`` it, and assessment of what that gives."""
    extraction = corrections.apply(extract(report), report, corrected)
    extraction.cases = assess_all(extraction.cases, report, extraction.mentions)
    return extraction


def extract_or_refuse(report: Report, corrected: Sequence[Correction] = ()) -> Extraction | Refused:
    """``extract_report``, or why it failed: one report that raises must not take others along."""
    try:
        return extract_report(report, corrected)
    except LET_THROUGH:
        raise
    except Exception as error:
        return _failed("extraction", report, error)


def extract_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Extract each report; one that raises is refused, the others go on."""
    rows: list[tuple[bytes | None, ...]] = []
    columns = batch.to_pydict()
    lines = columns["report"]
    for line, corrected in zip(lines, columns.get("corrections", [b"[]"] * len(lines)), strict=True):
        found = extract_or_refuse(records.decode_report(line), corrections.decode_all(corrected))
        written = records.encode(found)
        rows.append((line, None, written) if isinstance(found, Refused) else (line, written, None))
    return _batch(rows, EXTRACTIONS)


def extract_crashed(batch: pa.RecordBatch, death: Death) -> pa.RecordBatch:
    """The result for one report that ended its worker."""
    (line,) = batch.column("report").to_pylist()
    refused = _crashed("extraction", death, records.decode_report(line))
    return _batch([(line, None, records.encode(refused))], EXTRACTIONS)


def resources_batch(batch: pa.RecordBatch, versions: Sequence[FhirVersion]) -> pa.RecordBatch:
    """Map each case to FHIR and check every resource; a case that raises is refused, the others go on."""
    rows: list[tuple[bytes | None, ...]] = []
    for report_line, case_line in _pairs(batch):
        report, case = records.decode_report(report_line), records.decode_case(case_line)
        try:
            built = _build(case, report, versions)
        except LET_THROUGH:
            raise
        except Exception as error:
            rows.append((None, None, records.encode(_failed("fhir", report, error, case))))
        else:
            rows.append((built.get("R4"), built.get("R5"), None))
    return _batch(rows, RESOURCES)


def resources_crashed(batch: pa.RecordBatch, death: Death) -> pa.RecordBatch:
    """The result for one case that ended its worker."""
    ((report_line, case_line),) = _pairs(batch)
    refused = _crashed("fhir", death, records.decode_report(report_line), records.decode_case(case_line))
    return _batch([(None, None, records.encode(refused))], RESOURCES)


def _build(case: Case, report: Report, versions: Sequence[FhirVersion]) -> dict[FhirVersion, bytes]:
    # Here and not at the top: the FHIR models take most of a second to import, and extraction does without them.
    from pipeline.fhir import build_each
    from pipeline.validation.resources import checked

    found = {}
    for version, resources in build_each(case, report, versions).items():
        done = [checked(resource, version) for resource in resources]
        found[version] = records.encode(CaseResources(case_id=case.case_id, report_id=case.report_id, resources=done))
    return found


def where(refused: Refused) -> str:
    """Where to look for what was refused: file, member, place, ids."""
    source = refused.source
    parts = (source and source.path, source and source.member, refused.place, refused.case_id or refused.report_id)
    return ", ".join(part for part in parts if part)


def _failed(stage: Stage, report: Report, error: Exception, case: Case | None = None) -> Refused:
    """What is kept of an exception: its type and where in our code it was raised; its text may quote the report."""
    stops = [(frame.f_globals.get("__name__", "?"), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    module, line = next(stop for stop in reversed(stops) if stop[0].startswith("pipeline."))
    place = f"{module}:{line}"
    message = f"{type(error).__name__} in {place}: a defect of case2fhir; the rest of the run is not affected"
    return _refused(stage, report, "internal-error", message, case=case, place=place)


_DEATHS: dict[Death, str] = {
    "crashed": "the worker process died on it, and again when it was alone",
    "memory": "it needs more memory than a worker may have",
    "timeout": "it takes longer than a report may",
}


def _crashed(stage: Stage, death: Death, report: Report, case: Case | None = None) -> Refused:
    return _refused(stage, report, death, f"{_DEATHS[death]}; the rest of the run is not affected", case=case)


def _refused(
    stage: Stage, report: Report, reason: str, message: str, *, case: Case | None = None, place: str | None = None
) -> Refused:
    return Refused(
        stage=stage,
        reason=reason,
        message=message,
        source=report.source,
        place=place,
        report_id=report.report_id,
        case_id=case.case_id if case else None,
    )


def _pairs(batch: pa.RecordBatch) -> Iterator[tuple[bytes, bytes]]:
    return zip(batch.column("report").to_pylist(), batch.column("case").to_pylist(), strict=True)


def _batch(rows: Sequence[tuple[bytes | None, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    return pa.record_batch([pa.array(column, pa.binary()) for column in columns], schema=schema)
