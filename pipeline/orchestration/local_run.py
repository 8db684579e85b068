"""One run of the job in this process: what ``case2fhir run`` does.

Belongs here: materialising the assets without a Dagster instance of the user's, and summing up.  Does not belong here:
printing.
"""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from pipeline.definitions import build_defs
from pipeline.errors import RunFailed, UsageError
from pipeline.orchestration.assets import QUARANTINE_RATE
from pipeline.orchestration.jobs import JOB
from pipeline.orchestration.resources import Engine, EngineName, Fhir, Inputs, Output, Server
from pipeline.progress import Progress


def run(
    inputs: Sequence[Path],
    out: Path,
    *,
    fhir: str,
    engine: str,
    engine_address: str | None,
    workers: int,
    report_timeout: float,
    worker_memory: int,
    max_quarantine_rate: float,
    data_docs: bool,
    fresh: bool,
    corrections: Path | None,
    uncorrected: bool,
    progress: Progress,
    log: str = "text",
    verbose: bool = False,
) -> None:
    """Run the job; ``orchestration.record`` sums up.  ``verbose``: with Dagster's log, in the form of ``log``.

    Raises UsageError where the folder is not ours, RunFailed when nothing was published.
    """
    output = Output(
        folder=str(out),
        fhir=Fhir(fhir),
        max_quarantine_rate=max_quarantine_rate,
        data_docs=data_docs,
        previews=False,  # nobody would see them
        fresh=fresh,
    )
    defs = build_defs(
        inputs=Inputs(
            paths=[str(path) for path in inputs],
            corrections=str(corrections) if corrections else "",
            uncorrected=uncorrected,
        ),
        output=output,
        engine=Engine(
            name=EngineName(engine),
            address=engine_address or "",
            workers=workers,
            report_timeout=report_timeout,
            worker_memory=worker_memory,
        ),
        server=Server(),  # `case2fhir load` does that
        progress=progress,
    )
    logger = {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}
    with dg.DagsterInstance.ephemeral() as instance:  # nothing is written: the assets hand on no values
        result = defs.resolve_job_def(JOB).execute_in_process(
            instance=instance,
            run_config={"loggers": {"json" if log == "json" else "console": logger}},
            raise_on_error=False,
        )
    if not result.success and not _only_rate_failed(result):
        raise _cause(result)


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
    # Dagster wraps what a stage raises; what that was caused by in turn is for us to know, unless it is nobody's error.
    while error is not None:
        for known in (UsageError, RunFailed):
            if error.cls_name == known.__name__:
                return known(error.message.partition(": ")[2].strip())
        if error.cls_name == "DagsterExecutionInterruptedError":
            return RunFailed("The run was interrupted: the dataset is the old one or the new one, whole. Run again.")
        if error.cause is None:
            break
        error = error.cause
    if error is None:
        return RunFailed(f"Stage {stage} failed; --verbose shows Dagster's log.")
    frames = [frame.strip().splitlines()[0] for frame in error.stack]
    frames += [line for line in error.message.splitlines() if line.startswith("raised at ")]  # in a worker process
    where = next((frame for frame in reversed(frames) if "pipeline" in frame), "no place known")
    return RunFailed(f"Stage {stage} failed with {error.cls_name} ({where}); --verbose shows Dagster's log.")
