"""What the assets do to a staged run, shard by shard, so that memory does not grow with the number of reports.

Belongs here: moving records between staging, engine and validation.  Does not belong here: Dagster, and what happens to
a single record (``pipeline.batches``).
"""

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from pipeline import batches, corrections, fhir, records, sources, storage
from pipeline.engines import Engine, Task
from pipeline.errors import RunFailed, UsageError
from pipeline.orchestration import record
from pipeline.paths import FHIR_VERSIONS, FhirVersion
from pipeline.records import Extraction, Refused
from pipeline.storage import CaseResources, Dataset, Staging, current, tables
from pipeline.storage.shards import Plan
from pipeline.validation import quarantine, suites
from pipeline.validation.frames import CASE_TABLES, frames, frames_of_reports
from pipeline.validation.resources import check
from pipeline.validation.suites import SuiteResult

if TYPE_CHECKING:
    import pandas as pd

ROWS_CHECKED = 50_000
"""Rows of frames that are checked together, about; a shard at least."""

T = TypeVar("T")
Tick = Callable[[int, int | None], None]
"""Hears how many reports of a stage are through, and of how many, where that is known."""
Frames = Callable[[Staging, int], "dict[str, pd.DataFrame]"]
"""The frames of one staged shard by suite name."""


def read(
    staging: Staging,
    inputs: Sequence[Path],
    options: Mapping[str, Any],
    tick: Tick,
    *,
    fresh: bool = False,
    corrected: Path | None = None,
    uncorrected: bool = False,
) -> Plan:
    """Stage the reports of ``inputs`` and plan the run; input that has not changed at all is not read.

    ``corrected`` is the file of corrections, if there is one.  Raises UsageError where an entry of it is wrong, and
    where there is none although the dataset in place was corrected, unless ``uncorrected`` wants that.

    Raises RunFailed when a folder holds no file, or when an input or a file of one is no longer there in the end: what
    is missing then has not been removed on purpose (an unmounted share).
    """
    if corrected is None and not uncorrected and (lost := _corrections_held(staging)):
        raise UsageError(
            f"{staging.paths.root} holds {lost} corrections, and no file of them is given: give it with --corrections, "
            f"or put it back as {staging.paths.corrections}; --no-corrections makes the dataset without them."
        )
    digest = record.digest(inputs, corrected)
    entries = corrections.read(corrected) if corrected else []
    held = {path: _files(path) for path in inputs}
    for path, number in held.items():
        if not number:
            raise RunFailed(f"{path} holds no file: is it mounted? If it is meant to be empty, leave it out.")
    if not fresh and current(staging.paths, options, digest):
        return staging.keep(options, digest)
    plan = staging.spool(
        counted(sources.read(inputs), tick),
        options=options,
        inputs=digest,
        fresh=fresh,
        corrections=corrections.active(entries),
    )
    for path, number in held.items():
        if not path.exists():
            raise RunFailed(f"{path} vanished while it was being read; the dataset is as it was. Run again.")
        if (gone := number - _files(path)) > 0:
            raise RunFailed(f"{gone} files of {path} vanished while it was read; the dataset is as it was. Run again.")
    return plan


def _corrections_held(staging: Staging) -> int:
    """How many corrections the dataset in place tells of."""
    try:
        counts = Dataset.open(staging.paths.root).manifest["counts"]
    except UsageError:
        return 0
    return int(counts.get("corrections", 0))


def _files(path: Path) -> int:
    """How many files an input holds; a folder that cannot be listed counts, because it is refused with its reason."""
    return sum(1 for _ in sources.files([path]))


def counted(items: Iterable[T], tick: Tick) -> Iterator[T]:
    """``items``, each one told to ``tick``."""
    for done, item in enumerate(items, 1):
        yield item
        tick(done, None)


def extract(staging: Staging, engine: Engine, tick: Tick, figures: dict[str, Any]) -> Iterator[int]:
    """Stage the extractions (cases assessed) of the shards to be made, and refuse the reports where that failed.

    Yields each shard when it is staged, and counts in ``figures`` how many reports were extracted, and how many
    extractions were taken over.
    """
    plan = staging.plan
    total = sum(plan.reports[shard] for shard in plan.made)
    done = count(1)
    figures |= {"extracted": 0, "taken_over": 0}

    def rows(shard: int) -> Iterator[tuple[bytes, ...]]:
        nonlocal total
        if staging.has(shard, "extractions"):  # by a run that was killed later
            total -= plan.reports[shard]
            return
        kept = staging.reusable(shard)
        total -= len(kept)
        for report_id, report, corrected in staging.to_extract(shard):
            if report_id not in kept:
                yield report, corrected

    def found(shard: int, results: Iterator[dict[str, Any]]) -> Iterator[Extraction]:
        refused: list[Refused] = []
        kept = staging.kept_extractions(shard)  # not before: ``rows`` may be many shards ahead
        for report_id, _, _ in staging.to_extract(shard):
            if report_id in kept:
                yield kept[report_id]
                continue
            if (row := next(results))["refused"] is None:
                yield records.decode_extraction(row["extraction"])
            else:
                refused.append(records.decode_refused(row["refused"]))
            tick(next(done), total)
        staging.write_refused("extraction", shard, refused)  # before the extractions get their place (``has``)
        staging.write_kept(shard, kept)
        figures["extracted"] += plan.reports[shard] - len(kept)
        figures["taken_over"] += len(kept)

    for shard, results in _by_shard(engine, batches.extract_task(), batches.CORRECTED, plan.made, rows):
        if not staging.has(shard, "extractions"):
            staging.write_extractions(shard, found(shard, results))
        yield shard


def build(
    staging: Staging, engine: Engine, versions: Sequence[FhirVersion], tick: Tick, figures: dict[str, Any]
) -> Iterator[int]:
    """Stage the resources of all cases of the shards to be made, and refuse the cases where that failed.

    Yields each shard when it is staged, and counts in ``figures`` how many cases were mapped, and of how many the
    resources were taken over.
    """
    plan = staging.plan
    total, before = sum(plan.reports[shard] for shard in plan.made), 0
    cases: dict[int, list[bool]] = {}  # of the shards under way, whether each case is to be mapped
    figures |= {"mapped": 0, "taken_over": 0}

    def rows(shard: int) -> Iterator[tuple[bytes, ...]]:
        nonlocal total
        if staging.has(shard, *versions):
            total -= plan.reports[shard]
            return
        kept = staging.kept_reports(shard, versions)
        cases[shard] = [report_id not in kept for report_id, _, _ in staging.cases(shard)]
        for report_id, report, case in staging.cases(shard):
            if report_id not in kept:
                yield report, case

    def built(shard: int, results: Iterator[dict[str, Any]]) -> Iterator[Mapping[FhirVersion, CaseResources | bytes]]:
        refused: list[Refused] = []
        kept = staging.kept_resources(shard, versions)
        for number, to_map in enumerate(cases[shard], 1):
            if not to_map:
                yield next(kept)
            elif (row := next(results))["refused"] is None:
                yield {version: row[version] for version in versions}
            else:
                refused.append(records.decode_refused(row["refused"]))
            tick(before + plan.reports[shard] * number // len(cases[shard]), total)
        staging.write_refused("fhir", shard, refused)  # before the resources get their place (``has``)

    for shard, results in _by_shard(engine, batches.resources_task(versions), batches.CASES, plan.made, rows):
        if shard in cases:
            staging.write_resources(shard, versions, built(shard, results))
            to_map = sum(cases[shard])
            figures["mapped"] += to_map
            figures["taken_over"] += len(cases.pop(shard)) - to_map
            before += plan.reports[shard]
        yield shard


def _by_shard(
    engine: Engine,
    task: Task,
    schema: pa.Schema,
    shards: Sequence[int],
    rows: Callable[[int], Iterable[tuple[bytes, ...]]],
) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
    """Each shard with the results of its ``rows``, to be taken before the next.

    To the engine, all are one stream: its workers go on with the next shard while the caller deals with the last one.
    No batch is of two shards: where few reports of each have changed, it would take many to fill one.
    """
    owners: deque[int] = deque()  # of the rows under way

    def every() -> Iterator[pa.RecordBatch]:
        for shard in shards:
            for batch in batches.batches(rows(shard), schema):
                owners.extend([shard] * batch.num_rows)
                yield batch

    results = _run(engine, task, every())
    waiting = iter(shards)
    for owner, own in groupby(results, lambda _: owners.popleft()):
        while (shard := next(waiting)) != owner:
            yield shard, iter(())
        yield owner, own
    for shard in waiting:
        yield shard, iter(())


def validate(
    staging: Staging, stage: str, names: Sequence[str], frames_of: Frames, staged: Iterable[int] | None = None
) -> list[SuiteResult]:
    """The outcome of the suites ``names``, run by ``frames_of`` where shards are made, on record elsewhere.

    Refuses the cases (or reports) that fail a critical expectation.  ``staged`` gives the shards to be made, each when
    it is staged; all are if it is left out.
    """
    plan = staging.plan
    to_check = (
        shard
        for shard in (plan.made if staged is None else staged)
        if plan.reports[shard] and not staging.has(shard, f"suites-{stage}")
    )
    for group in _grouped((shard, frames_of(staging, shard)) for shard in to_check):
        _check(staging, stage, group)
        group.clear()  # before the frames of the next are made
    found: list[SuiteResult] = []
    for shard in range(plan.shards):
        found += suites.from_records(record for record in staging.suites(shard) if record["suite"] in names)
    return suites.merge(found)


def _check(staging: Staging, stage: str, group: "Mapping[int, dict[str, pd.DataFrame]]") -> None:
    """Run the suites on the frames of some shards, and stage what they say."""
    by_suite = {suite: [found[suite] for found in group.values()] for suite in next(iter(group.values()))}
    outcomes = [suites.run_each(suite, of_shards) for suite, of_shards in by_suite.items()]
    for shard, *outcome in zip(group, *outcomes, strict=True):
        staging.write_refused(f"validation-{stage}", shard, quarantine.withheld(outcome))
        staging.write_suites(shard, stage, suites.records(outcome))


def _grouped(made: "Iterable[tuple[int, dict[str, pd.DataFrame]]]") -> "Iterator[dict[int, dict[str, pd.DataFrame]]]":
    """Frames of as many shards as may be held at once, by shard."""
    group: dict[int, dict[str, pd.DataFrame]] = {}
    rows = 0
    for shard, found in made:
        group[shard] = found
        rows += sum(map(len, found.values()))
        del found
        if rows >= ROWS_CHECKED:
            yield group
            group, rows = {}, 0
    if group:
        yield group


def anything_left(staging: Staging) -> bool:
    """Whether a report is left to publish, and a case if there was any."""
    plan = staging.plan
    refused = [item for item in staging.refused() if item.stage != "sources"]
    reports = {item.report_id for item in refused if item.case_id is None}
    cases = {item.case_id for item in refused if item.case_id is not None}
    any_report = any_case = case_left = False
    for shard in range(plan.shards):
        if shard not in plan.made:
            entry = staging.earlier.entry(shard)
            any_report |= entry.reports > 0
            any_case |= entry.cases > 0 or any(f.kind == "quarantined-cases" for f in staging.earlier.files(shard))
            case_left |= entry.cases > 0
            continue
        for report, extraction in staging.pairs(shard):
            any_report |= report.report_id not in reports
            any_case |= bool(extraction.cases)
            case_left |= report.report_id not in reports and any(c.case_id not in cases for c in extraction.cases)
    return any_report and (case_left or not any_case)


@dataclass(frozen=True)
class Published:
    """What a run has published: the manifest, what was refused, and the record of the run."""

    manifest: dict[str, Any]
    refused: list[Refused]
    record: dict[str, Any]


def publish(staging: Staging, versions: Sequence[FhirVersion], tick: Tick, *, data_docs: bool) -> Published:
    """Make what is staged the dataset; write the pages on its first shard, where asked for, and the run's record."""
    started = time.perf_counter()
    plan, refused, figures = staging.plan, staging.refused(), staging.figures()
    outcomes = suites.merge(suites.from_records(kept for shard in range(plan.shards) for kept in staging.suites(shard)))
    pages = data_docs and (0 in plan.made or not staging.paths.data_docs.exists())
    manifest = storage.publish(
        staging.paths,
        profiles={version: fhir.profiles(version) for version in versions},
        validation=suites.to_json(outcomes),
        tick=lambda shards: tick(shards, len(plan.made)),
    )
    try:
        if 0 in plan.made:  # of the dataset before, or a run that was killed: the next one makes good
            shutil.rmtree(staging.paths.data_docs, ignore_errors=True)
        if pages:
            frames_ = dataset_frames(Dataset.open(staging.paths.root), 0)
            suites.write_data_docs(frames_, staging.paths.data_docs, scratch=staging.paths.work / "docs")
        figures["dataset"] = {"seconds": round(time.perf_counter() - started, 3)}
        written = record.write(staging.paths, plan.changes, refused, figures, shards=plan.shards, made=len(plan.made))
    except OSError as error:
        what = f"{error.filename or staging.paths.root}: {error.strerror}"
        raise RunFailed(f"{what}; the dataset is published all the same.") from error
    finally:
        shutil.rmtree(staging.paths.work, ignore_errors=True)
    return Published(manifest, refused, written)


def validate_dataset(dataset: Dataset) -> list[SuiteResult]:
    """Run all suites on a published dataset."""
    results: list[SuiteResult] = []
    for shard in range(dataset.shards):
        results += [suites.run(suite, frame) for suite, frame in dataset_frames(dataset, shard).items()]
    return suites.merge(results)


def dataset_frames(dataset: Dataset, shard: int) -> "dict[str, pd.DataFrame]":
    """What all suites look at, of one published shard."""
    resources = {version: dataset.resources(shard, version, check) for version in dataset.versions}
    return frames({name: table.to_pylist() for name, table in dataset.tables(shard).items()}, resources)


def report_frames(staging: Staging, shard: int) -> "dict[str, pd.DataFrame]":
    """What the ``reports`` suite looks at."""
    return frames_of_reports(
        ("reports",), (tables.rows(report, Extraction(id=report.report_id)) for report in staging.reports(shard))
    )


def case_frames(staging: Staging, shard: int) -> "dict[str, pd.DataFrame]":
    """What the suites of the extracted tables look at."""
    return frames_of_reports(CASE_TABLES, (tables.rows(*pair) for pair in staging.pairs(shard)))


def resource_frames(staging: Staging, shard: int) -> "dict[str, pd.DataFrame]":
    """What the ``resources`` and ``references`` suites look at."""
    return frames({}, {version: staging.resources(shard, version) for version in FHIR_VERSIONS})


def _run(engine: Engine, task: Task, inputs: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in engine.run(task, inputs):
        yield from batch.to_pylist()
