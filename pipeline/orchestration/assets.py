"""The assets: reports, cases, fhir_resources, dataset, and loaded_bundles where a server is configured.

Each reads what the one before it staged, calls its stage, writes through staging, and reports counts, columns and
checks.  What travels between them as a value is only the outcome of the expectations, for ``dataset`` to publish; a run
materialises all of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from pipeline import fhir, sources
from pipeline.batches import where
from pipeline.errors import PermanentError, RunFailed, UsageError
from pipeline.orchestration import checks, stages
from pipeline.orchestration.resources import Engine, Inputs, Output, Progress, Server, counted
from pipeline.records import Refused
from pipeline.storage import Dataset, Staging, publish
from pipeline.storage.manifest import versions
from pipeline.storage.tables import SCHEMAS
from pipeline.validation import suites
from pipeline.validation.suites import SuiteResult

if TYPE_CHECKING:
    from pipeline.server import LoadResult

POOL = "fhir_server"
"""Concurrency pool of loads: a server takes one at a time unless the instance says otherwise."""
OWNERS = ["team:pharmacovigilance"]
CASE_SUITES = ("cases", "drugs", "exposures", "reactions", "assessments", "mentions")
RESOURCE_SUITES = ("resources", "references")
QUARANTINE_RATE = "quarantine_rate"
"""The check that fails a run of which too much was refused; what is left is published all the same."""

Results = list[SuiteResult]
Materialised = Iterator[dg.MaterializeResult[Results]]
"""Yielded, not returned: Dagster takes a returned result for one without value where there are checks."""


def code_version() -> str:
    """Tells Dagster when what the assets made is out of date: our version and hashes of mappings and expectations."""
    ours = versions()
    return f"{ours['case2fhir']}+{ours['mappings'][:8]}.{ours['expectations'][:8]}"


def build_assets() -> list[dg.AssetsDefinition]:
    """The assets, in order."""
    asset = partial(dg.asset, owners=OWNERS, code_version=code_version())

    @asset(
        group_name="sources",
        kinds={"xml", "json", "parquet"},
        check_specs=checks.specs("reports", ["reports"]),
        metadata=_columns("reports"),
    )
    def reports(inputs: Inputs, output: Output, progress: dg.ResourceParam[Progress]) -> Materialised:
        """Narrative reports as clean text with sections, identifiers and source, one per text of the inputs."""
        staging = output.staging
        staging.spool(counted(sources.read(inputs.files()), progress, "reports"))
        found = stages.validate(staging, "reports", stages.report_frames)
        rows = sum(len(staging.reports(shard)) for shard in range(staging.shards))
        if not rows:
            raise RunFailed(f"No report could be read: {_by_reason(staging.refused()) or 'the inputs hold no files'}.")
        yield _materialised(staging, found, rows=rows)

    @asset(
        group_name="cases",
        kinds={"python", "parquet"},
        check_specs=checks.specs("cases", CASE_SUITES),
        metadata=_columns("cases"),
    )
    def cases(output: Output, engine: Engine, progress: dg.ResourceParam[Progress], reports: Results) -> Materialised:
        """Each patient's case: drugs, exposures, reactions, assessments, every fact with the text it was read from."""
        staging = output.staging
        with engine.open() as opened:
            stages.extract(staging, opened, partial(progress, "cases"))
        found = stages.validate(staging, "cases", stages.case_frames)
        rows = sum(len(e.cases) for shard in range(staging.shards) for e in staging.extractions(shard))
        yield _materialised(staging, found, rows=rows, before=reports)

    @asset(group_name="fhir", kinds={"json"}, check_specs=checks.specs("fhir_resources", RESOURCE_SUITES))
    def fhir_resources(
        output: Output, engine: Engine, progress: dg.ResourceParam[Progress], cases: Results
    ) -> Materialised:
        """The FHIR resources of each case, R4 and R5, checked against their models."""
        staging = output.staging
        with engine.open() as opened:
            stages.build(staging, opened, output.versions, partial(progress, "fhir_resources"))
        found = stages.validate(staging, "fhir_resources", stages.resource_frames)
        rows = sum(
            len(case.resources)
            for shard in range(staging.shards)
            for version in output.versions
            for case in staging.resources(shard, version)
        )
        yield _materialised(staging, found, rows=rows, before=cases)

    @asset(
        group_name="dataset",
        kinds={"parquet", "json"},
        check_specs=[
            dg.AssetCheckSpec(
                QUARANTINE_RATE,
                asset="dataset",
                description="No more of the input was refused than the configured rate allows.",
                blocking=True,
            )
        ],
    )
    def dataset(
        output: Output, progress: dg.ResourceParam[Progress], fhir_resources: Results
    ) -> Iterator[dg.MaterializeResult[None]]:
        """The published dataset: Parquet tables, NDJSON resources and bundles, profiles, quarantine, manifest."""
        refused = output.staging.refused()
        if not stages.anything_left(output.staging):
            raise RunFailed(f"Nothing is left to publish: {_by_reason(refused)}.")
        progress("dataset", 0)
        manifest = publish(
            output.paths,
            options={"fhir": output.fhir.value},
            profiles={version: fhir.profiles(version) for version in output.versions},
            validation=suites.to_json(fhir_resources),
        )
        if output.data_docs:
            suites.write_data_docs(stages.dataset_frames(Dataset.open(output.paths.root), 0), output.paths.data_docs)
        yield dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(output.folder), "counts": manifest["counts"]},
            check_results=[_rate(refused, manifest, output.max_quarantine_rate)],
        )

    @asset(
        group_name="server",
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


def _materialised(
    staging: Staging, found: Results, *, rows: int, before: Results | None = None
) -> dg.MaterializeResult[Results]:
    """Row count, what was refused so far, and the checks; the value is the outcome of all checks so far."""
    return dg.MaterializeResult(
        value=(before or []) + found,
        metadata={"dagster/row_count": rows, "refused": dg.MetadataValue.json(_reasons(staging.refused()))},
        check_results=list(checks.results(found)),
    )


def _rate(refused: list[Refused], manifest: Mapping[str, Any], limit: float) -> dg.AssetCheckResult:
    """A report counts as refused when it, or one of its cases, was; a file that could not be read counts as one."""
    later = [item for item in refused if item.stage != "sources"]
    unread = len(refused) - len(later)
    withheld = len({item.report_id for item in later})
    unpublished = len({item.report_id for item in later if item.case_id is None})
    total = unread + unpublished + manifest["counts"]["reports"]
    rate = (unread + withheld) / total
    return dg.AssetCheckResult(
        check_name=QUARANTINE_RATE,
        passed=rate <= limit,
        description=f"{unread + withheld} of {total} refused ({rate:.1%}; the limit is {limit:.0%}).",
        metadata={"rate": rate, "limit": limit},
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
