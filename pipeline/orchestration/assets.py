"""The assets: reports, cases, fhir_resources, dataset, and loaded_bundles where a server is configured.

Each reads what the one before it staged, calls its stage, writes through staging, and reports counts, seconds, columns
and checks; nothing travels between them as a value.  A run materialises all of them.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
from msgspec import to_builtins

from pipeline.batches import where
from pipeline.errors import PermanentError, RunFailed, UsageError
from pipeline.orchestration import checks, record, showing, stages
from pipeline.orchestration.resources import Engine, Inputs, Output, Server
from pipeline.paths import TABLES, ReviewPaths
from pipeline.progress import Progress
from pipeline.records import Refused
from pipeline.storage import Dataset, Staging
from pipeline.storage.manifest import versions
from pipeline.storage.tables import SCHEMAS
from pipeline.validation.suites import SuiteResult

if TYPE_CHECKING:
    from pipeline.server import LoadResult

POOL = "fhir_server"
"""Concurrency pool of loads: a server takes one at a time unless the instance says otherwise."""
GROUP = "case2fhir"
"""One group: Dagster's page shows the assets of one in a row, and several groups as closed boxes."""
OWNERS = ["team:pharmacovigilance"]
REPORT_SUITES = ("reports",)
CASE_SUITES = ("cases", "drugs", "exposures", "reactions", "assessments", "mentions")
RESOURCE_SUITES = ("resources", "references")
QUARANTINE_RATE = "quarantine_rate"
"""The check that fails a run of which too much was refused; what is left is published all the same."""

Results = list[SuiteResult]
Materialised = Iterator[dg.MaterializeResult[None]]
"""Yielded, not returned: Dagster takes a returned result for one without value where there are checks."""


def code_version() -> str:
    """Tells Dagster when what the assets made is out of date: our version, hashes of code, mappings, expectations."""
    ours = versions()
    return f"{ours['case2fhir']}+{ours['code'][:8]}.{ours['mappings'][:8]}.{ours['expectations'][:8]}"


def build_assets() -> list[dg.AssetsDefinition]:
    """The assets, in order."""
    asset = partial(dg.asset, group_name=GROUP, owners=OWNERS, code_version=code_version())

    @asset(
        kinds={"xml", "json", "parquet"},
        check_specs=checks.specs("reports", REPORT_SUITES),
        metadata=_columns("reports"),
    )
    def reports(inputs: Inputs, output: Output, progress: dg.ResourceParam[Progress]) -> Materialised:
        """Narrative reports as clean text with sections, identifiers and source, one per text of the inputs.

        What cannot be read is refused with a reason (``refused``), and the run goes on.
        """
        staging = output.staging
        with output.stage("reports") as figures:
            tick = partial(progress, "reports")
            corrected = inputs.corrected(output.paths.root)
            plan = stages.read(
                staging,
                inputs.files(),
                output.options,
                tick,
                fresh=output.fresh,
                corrected=corrected,
                uncorrected=inputs.uncorrected,
            )
            figures.update(to_builtins(plan.changes))
            if not any(plan.reports):
                refused = _by_reason(staging.refused())
                raise RunFailed(f"No report could be read: {refused or 'the inputs hold no files'}.")
            found = _validated(staging, "reports", REPORT_SUITES, stages.report_frames, figures)
        shown = {"preview": showing.reports(staging)} if output.previews else {}
        yield _materialised(staging, found, rows=sum(plan.reports), figures=figures, shown=shown)

    @asset(
        kinds={"python", "parquet"},
        deps=[reports],
        check_specs=checks.specs("cases", CASE_SUITES),
        metadata=_columns("cases"),
    )
    def cases(output: Output, engine: Engine, progress: dg.ResourceParam[Progress]) -> Materialised:
        """Each patient's case: drugs, exposures, reactions, assessments, every fact with the text it was read from.

        Naranjo and WHO-UMC are computed from the case.  A case that fails a critical check is withheld.
        """
        staging = output.staging
        with output.stage("cases") as figures:
            staged = stages.extract(staging, engine.opened, partial(progress, "cases"), figures)
            found = _validated(staging, "cases", CASE_SUITES, stages.case_frames, figures, staged)
        shown = {"preview": showing.cases(staging)} if output.previews else {}
        yield _materialised(staging, found, rows=_checked(found, "cases"), figures=figures, shown=shown)

    @asset(
        kinds={"json"},
        deps=[cases],
        check_specs=checks.specs("fhir_resources", RESOURCE_SUITES),
    )
    def fhir_resources(output: Output, engine: Engine, progress: dg.ResourceParam[Progress]) -> Materialised:
        """The FHIR resources of each case, R4 and R5, checked against their models, bindings and references."""
        staging = output.staging
        with output.stage("fhir_resources") as figures:
            tick = partial(progress, "fhir_resources")
            staged = stages.build(staging, engine.opened, output.versions, tick, figures)
            found = _validated(staging, "fhir_resources", RESOURCE_SUITES, stages.resource_frames, figures, staged)
        yield _materialised(staging, found, rows=_checked(found, "resources"), figures=figures)

    @asset(
        kinds={"parquet", "json"},
        deps=[fhir_resources],
        check_specs=[
            dg.AssetCheckSpec(
                QUARANTINE_RATE,
                asset="dataset",
                description="No more of the input was refused than the configured rate allows.",
                blocking=True,
            )
        ],
    )
    def dataset(output: Output, progress: dg.ResourceParam[Progress]) -> Materialised:
        """The published dataset: Parquet tables, NDJSON resources and bundles, profiles, quarantine, manifest.

        It takes the place of the one before in one step; the charts are about all of it.
        """
        if not stages.anything_left(output.staging):
            raise RunFailed(f"Nothing is left to publish: {_by_reason(output.staging.refused())}.")
        tick = partial(progress, "dataset")
        done = stages.publish(output.staging, output.versions, tick, data_docs=output.data_docs)
        share, words = record.rate(done.refused, done.manifest["counts"])
        counts = done.manifest["counts"]
        charts: dict[str, dg.MetadataValue[Any]] = {}
        if output.previews:
            published = Dataset.open(output.paths.root)
            charts = {name: dg.MetadataValue.md(chart) for name, chart in showing.charts(published).items()}
            charts["AdverseEvent"] = dg.MetadataValue.json(showing.example(published))
        yield dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(output.paths.root.absolute()),
                "review": _review(output),
                "dagster/row_count": counts["cases"],
                **charts,
                "contents": dg.MetadataValue.md(showing.contents(counts)),
                **{table: counts[table] for table in TABLES},
                "run": dg.MetadataValue.json(done.record),
            },
            check_results=[_rate(share, words, output.max_quarantine_rate)],
        )

    @asset(
        kinds={"json"},
        deps=[dataset],
        pool=POOL,
        output_required=False,
        retry_policy=dg.RetryPolicy(max_retries=3, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL),
    )
    def loaded_bundles(
        context: dg.AssetExecutionContext, output: Output, server: Server, progress: dg.ResourceParam[Progress]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """The dataset on the FHIR server; skipped where no server is configured. Only what may pass is retried."""
        if not server.url:
            context.log.info("No server is configured: nothing is loaded.")
            return
        from pipeline.server import load

        try:
            result = load(output.paths.root, server.settings, progress=progress)
        except (UsageError, PermanentError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        metadata = _loaded(result)
        if not result.ok:
            what = result.stopped or f"{result.cases['failed']} cases were not loaded; {output.paths.failed} says why."
            raise dg.Failure(what, metadata=metadata, allow_retries=result.transient)
        yield dg.MaterializeResult(metadata=metadata)

    return [reports, cases, fhir_resources, dataset, loaded_bundles]


def _loaded(result: "LoadResult") -> dict[str, Any]:
    """Resources sent, skipped, deleted, failed; seconds; and the figures in full."""
    counts = result.resources
    return {
        "sent": result.sent,
        "skipped": counts["unchanged"],
        "deleted": counts["deleted"],
        "failed": counts["failed"],
        "seconds": result.seconds,
        "server": dg.MetadataValue.url(result.server),
        "result": dg.MetadataValue.json(result.to_json()),
    }


def _validated(
    staging: Staging,
    stage: str,
    names: Sequence[str],
    frames: stages.Frames,
    figures: dict[str, Any],
    staged: Iterator[int] | None = None,
) -> Results:
    """The outcome of a stage's suites, run while workers go on; how long they took goes into its figures."""
    started = time.perf_counter()
    elsewhere = 0.0

    def timed() -> Iterator[int]:
        nonlocal elsewhere
        while True:
            asked = time.perf_counter()
            shard = next(staged, None) if staged else None
            elsewhere += time.perf_counter() - asked
            if shard is None:
                return
            yield shard

    found = stages.validate(staging, stage, names, frames, staged and timed())
    figures["checks_seconds"] = round(time.perf_counter() - started - elsewhere, 3)
    return found


def _materialised(
    staging: Staging,
    found: Results,
    *,
    rows: int,
    figures: Mapping[str, Any],
    shown: Mapping[str, str] | None = None,
) -> dg.MaterializeResult[None]:
    """Row count, seconds and counts of the stage, what was refused so far, what is shown of it, and the checks."""
    refused = dg.MetadataValue.md(showing.bars("refused because", _reasons(staging.refused())))
    pictures = {name: dg.MetadataValue.md(text) for name, text in (shown or {}).items()}
    return dg.MaterializeResult(
        metadata={"dagster/row_count": rows, **pictures, "refused": refused, **figures},
        check_results=list(checks.results(found)),
    )


def _review(output: Output) -> dg.MetadataValue[Any]:
    """The review page to open, or how to make it."""
    index = ReviewPaths(output.paths.review).index
    if index.exists():
        return dg.MetadataValue.path(index.absolute())
    return dg.MetadataValue.text(f"case2fhir review {output.folder}")


def _checked(found: Results, suite: str) -> int:
    """Rows that a suite has looked at."""
    return max(result.checked for outcome in found if outcome.suite == suite for result in outcome.results)


def _rate(share: float, words: str, limit: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=QUARANTINE_RATE,
        passed=share <= limit,
        description=f"{words}; the limit is {limit:.0%}).",
        metadata={"rate": share, "limit": limit},
    )


def _reasons(refused: list[Refused]) -> dict[str, int]:
    """How many were refused for each reason, most frequent first."""
    return dict(Counter(item.reason for item in refused).most_common())


def _by_reason(refused: list[Refused]) -> str:
    """How many for each reason, and where to look for the first of them."""
    first = {item.reason: item for item in reversed(refused)}
    return ", ".join(
        f"{number} {reason} (first: {where(first[reason])})" for reason, number in _reasons(refused).items()
    )


def _columns(table: str) -> dict[str, dg.TableSchema]:
    """The columns of a published table, as Dagster shows them."""
    return {"dagster/column_schema": dg.TableSchema([_column(field) for field in SCHEMAS[table]])}


def _column(field: pa.Field) -> dg.TableColumn:
    description = (field.metadata or {}).get(b"description", b"").decode()
    constraints = dg.TableColumnConstraints(nullable=field.nullable)
    return dg.TableColumn(field.name, type=str(field.type), description=description, constraints=constraints)
