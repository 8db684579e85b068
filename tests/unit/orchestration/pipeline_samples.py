"""The stages of a run without Dagster, Great Expectations and real extraction: fast enough for hundreds of runs."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import batches
from pipeline.corrections import Correction
from pipeline.engines.local import InlineEngine
from pipeline.orchestration import record, stages
from pipeline.paths import FHIR_VERSIONS, DatasetPaths, FhirVersion
from pipeline.records import Case, Extraction, Mention, Report, Source, encode
from pipeline.storage import Staging, exclusive, publication, shards, swap
from pipeline.validation import suites
from pipeline.validation.suites import ExpectationResult, SuiteResult
from tests.unit.storage import storage_samples
from tests.unit.storage.storage_samples import PROFILE

extracted: list[str] = []
"""Ids of reports in the order in which they were extracted."""


def report(report_id: str, variant: str, place: int = 1) -> Report:
    """``variant`` is the text; ``place`` the line of the file that it was read from."""
    source = Source(path="in.jsonl", format="jsonl", record=place)
    return Report(report_id=report_id, text=f"{storage_samples.TEXT} {variant}", source=source)


def run(
    root: Path,
    reports: Iterable[Report],
    *,
    fhir: str = "both",
    fresh: bool = False,
    corrections: Iterable[Correction] = (),
) -> dict[str, Any]:
    """A run over ``reports``; returns its record."""
    paths = DatasetPaths(root)
    versions = tuple(version for version in FHIR_VERSIONS if fhir in ("both", version))
    paths.claim()
    with exclusive(paths), InlineEngine() as engine:
        staging = Staging(paths)
        staging.spool(reports, options=record.options(fhir), fresh=fresh, corrections=corrections)
        stages.validate(staging, "reports", ("reports",), stages.report_frames)
        cases = stages.extract(staging, engine, tick, {})
        stages.validate(staging, "cases", ("cases", "drugs"), stages.case_frames, cases)
        resources = stages.build(staging, engine, versions, tick, {})
        stages.validate(staging, "fhir_resources", ("resources",), stages.resource_frames, resources)
        return stages.publish(staging, versions, tick, data_docs=False).record


def tick(done: int, total: int | None) -> None:
    """Progress never goes beyond its end."""
    assert total is None or done <= total


@contextmanager
def stand_ins(reports_per_shard: int) -> Iterator[None]:
    """Extraction, mapping and checks that look at the text and nothing else.

    A report whose text ends in "crash" cannot be extracted; one that ends in "two" has two cases, in "none" none.
    Cases of reports whose id begins with "bad" fail a check.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "REPORTS_PER_SHARD", reports_per_shard)
        patch.setattr(batches, "extract", _extract)
        patch.setattr(batches, "assess_all", lambda cases, report, mentions: cases)
        patch.setattr(batches, "_build", _build)
        patch.setattr(suites, "run_each", lambda suite, frames: [_check(suite, frame) for frame in frames])
        patch.setattr("pipeline.fhir.profiles", lambda version: [PROFILE])
        for module in (swap, publication):
            patch.setattr(module, "sync", lambda path: None)  # half of the time
        extracted.clear()
        yield


def _extract(report: Report) -> Extraction:
    extracted.append(report.report_id)
    variant = report.text.rpartition(" ")[2]
    if variant == "crash":
        raise ValueError(report.text)
    cases = [storage_samples.case(report.report_id, n) for n in range(1, 2 + {"two": 1, "none": -1}.get(variant, 0))]
    mention = Mention(type="drug", text=variant, start=len(report.text) - len(variant), end=len(report.text))
    for case in cases:
        case.drugs[0].verbatim = [variant]
    return Extraction(id=report.report_id, mentions=[mention], cases=cases)


def _build(case: Case, report: Report, versions: Sequence[FhirVersion]) -> dict[FhirVersion, bytes]:
    names = {version: [{"text": f"{version} {report.text[-4:]}"}] for version in versions}
    return {v: encode(storage_samples.case_resources(case, Patient={"name": name})) for v, name in names.items()}


def _check(suite: str, frame: pd.DataFrame) -> SuiteResult:
    critical = next(e for e in suites.expectations(suite) if e.severity == "critical")
    bad = [row for row in frame.to_dict("records") if suite == "cases" and str(row["case_id"]).startswith("bad")]
    failing = tuple({"report_id": row["report_id"], "case_id": row["case_id"]} for row in bad)
    results = (
        ExpectationResult(e, not failing or e != critical, len(frame), failing if e == critical else ())
        for e in suites.expectations(suite)
    )
    return SuiteResult(suite, tuple(results))
