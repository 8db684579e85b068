"""One run of the job in this process: what ``case2fhir run`` does.

Belongs here: materialising the assets without a Dagster instance of the user's, and summing up.  Does not belong here:
printing.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from pipeline.definitions import build_defs
from pipeline.errors import RunFailed, UsageError
from pipeline.orchestration.assets import QUARANTINE_RATE
from pipeline.orchestration.jobs import JOB
from pipeline.orchestration.resources import Engine, EngineName, Fhir, Inputs, Output, Progress, Server
from pipeline.paths import TABLES
from pipeline.storage import Dataset


def run(
    inputs: Sequence[Path],
    out: Path,
    *,
    fhir: str,
    engine: str,
    workers: int,
    max_quarantine_rate: float,
    data_docs: bool,
    progress: Progress,
    started: float,
    verbose: bool = False,
) -> dict[str, Any]:
    """Run the job and sum up: counts, refusals, expectations, seconds by stage, as JSON-able values.

    ``started`` is ``time.perf_counter()`` at the beginning, before imports: what no stage accounts for is ``start``.

    Raises UsageError where the folder is not ours, RunFailed when nothing was published.
    """
    defs = build_defs(
        inputs=Inputs(paths=[str(path) for path in inputs]),
        output=Output(folder=str(out), fhir=Fhir(fhir), max_quarantine_rate=max_quarantine_rate, data_docs=data_docs),
        engine=Engine(name=EngineName(engine), workers=workers),
        server=Server(),  # `case2fhir load` does that
        progress=progress,
    )
    log_level = "INFO" if verbose else "CRITICAL"
    with tempfile.TemporaryDirectory(prefix="case2fhir-") as folder, dg.DagsterInstance.ephemeral(folder) as instance:
        result = defs.resolve_job_def(JOB).execute_in_process(
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": log_level}}}},
            raise_on_error=False,
        )
    if not result.success and not _only_rate_failed(result):
        raise _cause(result)
    return _summary(result, out, time.perf_counter() - started)


def _only_rate_failed(result: dg.ExecuteInProcessResult) -> bool:
    """Whether the dataset was published, and nothing failed but the check of how much was refused."""
    evaluations = result.get_asset_check_evaluations()
    return any(check.check_name == QUARANTINE_RATE for check in evaluations)


def _cause(result: dg.ExecuteInProcessResult) -> Exception:
    """What to tell the user of a run that published nothing."""
    blocking = [
        check
        for check in result.get_asset_check_evaluations()
        if check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    if blocking:
        found = "; ".join(f"{check.asset_key.to_user_string()}: {check.description}" for check in blocking)
        return RunFailed(f"Nothing was published, because a critical expectation failed: {found}")
    steps = [(event.step_key, event.step_failure_data.error) for event in result.get_step_failure_events()]
    stage, error = steps[0] if steps else ("start", result.get_run_failure_event().job_failure_data.error)
    # The cause of an exception in a worker process is the text of its traceback, which is no exception of interest.
    while error is not None and error.cause is not None and error.cause.cls_name != "_RemoteTraceback":
        error = error.cause
    if error is None:
        return RunFailed(f"Stage {stage} failed; --verbose shows Dagster's log.")
    for known in (UsageError, RunFailed):
        if error.cls_name == known.__name__:
            return known(error.message.partition(": ")[2].strip())
    frames = [frame.strip().splitlines()[0] for frame in error.stack]
    where = next((frame for frame in reversed(frames) if "pipeline" in frame), "no place known")
    return RunFailed(f"Stage {stage} failed with {error.cls_name} ({where}); --verbose shows Dagster's log.")


def _summary(result: dg.ExecuteInProcessResult, out: Path, total: float) -> dict[str, Any]:
    dataset = Dataset.open(out)
    counts = dict(dataset.manifest["counts"])
    refused = dataset.refused()
    (rate,) = (c for c in result.get_asset_check_evaluations() if c.check_name == QUARANTINE_RATE)
    checks = [c for c in result.get_asset_check_evaluations() if c.check_name != QUARANTINE_RATE]
    seconds = {
        event.step_key: round(event.step_success_data.duration_ms / 1000, 2)
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS and event.step_key not in (None, "loaded_bundles")
    }
    return {
        "dataset": str(out),
        "counts": {table: counts[table] for table in TABLES},
        "resources": counts["resources"],
        "refused": {
            "total": len(refused),
            "by_reason": dict(Counter(item.reason for item in refused).most_common()),
            "cases": len({item.case_id for item in refused if item.case_id}),
            "rate": rate.metadata["rate"].value,
            "above_limit": not rate.passed,
            "message": rate.description,
        },
        "expectations": {"checked": len(checks), "failed": [c.check_name for c in checks if not c.passed]},
        "seconds": {"start": round(total - sum(seconds.values()), 2)} | seconds | {"total": round(total, 2)},
    }
