"""What a report costs after its extraction, stage by stage: ``python -m benchmarks.after [TEXTS.jsonl]``.

Texts are read and extracted once, then repeated ``--times`` times under new ids, so that the fixed cost of Great
Expectations shows as it does in a large run.  Each stage is then run in this process, as the run itself does with one
worker; processor time is divided by the number of reports.  Without TEXTS.jsonl, texts are made of the seeds.
"""

import argparse
import gc
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.extraction import numbered, texts_of, varied_seeds
from pipeline.batches import extract_report
from pipeline.engines.local import LocalEngine
from pipeline.orchestration import assets, record, stages
from pipeline.paths import FHIR_VERSIONS, DatasetPaths
from pipeline.records import Case, Extraction, Report, Source
from pipeline.storage import Staging


def staged(root: Path, texts: list[str], times: int) -> Staging:
    """A run as extraction leaves it, of ``times`` copies of each text."""
    reports = {report.report_id: report for report in numbered(texts)}
    found = {name: extract_report(report) for name, report in reports.items()}
    staging = Staging(DatasetPaths(root))
    source = Source(path="benchmark", format="text")

    def copies() -> Iterator[Report]:
        for copy in range(times):
            for name, report in reports.items():
                yield msgspec.structs.replace(report, report_id=f"{name}~{copy}", source=source)

    for shard in staging.spool(copies(), options=record.options("both")).made:
        extractions = [_renamed(found[r.report_id.partition("~")[0]], r.report_id) for r in staging.reports(shard)]
        staging.write_refused("extraction", shard, [])
        staging.write_kept(shard, [])
        staging.write_extractions(shard, extractions)
    return staging


def _renamed(extraction: Extraction, name: str) -> Extraction:
    def case(old: Case) -> Case:
        number = old.case_id.removeprefix(extraction.id)
        return msgspec.structs.replace(old, case_id=f"{name}{number}", report_id=name)

    return msgspec.structs.replace(extraction, id=name, cases=[case(old) for old in extraction.cases])


def _tick(done: int, total: int | None) -> None:
    pass


def _build(staging: Staging) -> None:
    with LocalEngine(1) as engine:
        stages.build(staging, engine, FHIR_VERSIONS, _tick)


STAGES: dict[str, Callable[[Staging], Any]] = {
    "check reports": lambda s: stages.validate(s, "reports", assets.REPORT_SUITES, stages.report_frames),
    "check tables": lambda s: stages.validate(s, "cases", assets.CASE_SUITES, stages.case_frames),
    "map, check resources": _build,
    "check resources and references": lambda s: stages.validate(
        s, "fhir_resources", assets.RESOURCE_SUITES, stages.resource_frames
    ),
    "publish": lambda s: stages.publish(s, FHIR_VERSIONS, _tick, data_docs=False),
}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="?", type=Path, metavar="TEXTS.jsonl")
    parser.add_argument("--count", type=int, default=200, help="texts used, at most")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--size", type=int, default=5_000, help="code points of a text made of the seeds")
    chosen = parser.parse_args()
    texts = texts_of(chosen.texts)[: chosen.count] if chosen.texts else varied_seeds(chosen.count, chosen.size)
    with tempfile.TemporaryDirectory() as folder:
        staging = staged(Path(folder), texts, chosen.times)
        reports, total = sum(staging.plan.reports), 0.0
        print(f"{reports:,} reports of {sum(map(len, texts)) / len(texts):,.0f} code points on average")
        import great_expectations  # noqa: F401  # 3 s, which no stage is to blame for

        for name, stage in STAGES.items():
            gc.collect()
            began = time.process_time()
            stage(staging)
            spent = time.process_time() - began
            total += spent
            print(f"{name:32s} {spent / reports * 1000:8.2f} ms")
    print(f"{'all':32s} {total / reports * 1000:8.2f} ms = {reports / total:,.0f} reports a processor second")
    print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    main()
