"""When the pipeline runs: the job, its daily schedule, and the sensor that watches an inbox folder."""

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import msgspec
from pydantic import Field

JOB = "case2fhir_job"
PARTIAL_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
"""Names under which browsers and transfer tools write files that are not complete yet."""


class Inbox(dg.ConfigurableResource["Inbox"]):
    """The folder that the sensor watches."""

    folder: str = Field(default="inbox", description="Folder that reports are put into.")
    files_per_tick: int = Field(default=500, ge=1, description="New files looked at in one tick, at most.")
    bytes_per_tick: int = Field(default=1 << 30, ge=1, description="Bytes of new files read in one tick, about.")
    files_remembered: int = Field(default=50_000, ge=1, description="Files the folder may hold.")


class Cursor(msgspec.Struct, kw_only=True):
    """What the sensor remembers of the files that are in the inbox, by path.

    ``seen`` maps to stamp and digest of files that a run was asked for; ``arriving`` to the stamp of files that may
    still be written.  Nothing is derived from a newest modification time, so a file that arrives late with an old date,
    or under a name that sorts first, is seen all the same.
    """

    seen: dict[str, tuple[str, str]] = {}
    arriving: dict[str, str] = {}


case2fhir_job = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.all(),
    description="Reports in, validated FHIR dataset out.",
    # A process per step would import Great Expectations in each; extraction and mapping use the engine's processes.
    executor_def=dg.in_process_executor,
)


@dg.schedule(job=case2fhir_job, cron_schedule="0 2 * * *")
def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Runs the job every day at 02:00 (UTC) on the configured inputs, unless a run is under way."""
    if run := under_way(context.instance):
        return dg.SkipReason(f"Run {run} is under way and writes the same dataset.")
    return dg.RunRequest()


@dg.sensor(job=case2fhir_job, minimum_interval_seconds=60)
def inbox_sensor(context: dg.SensorEvaluationContext, inbox: Inbox) -> dg.SensorResult | dg.SkipReason:
    """Runs the job on the inbox folder when it holds new or changed files, unless a run is under way."""
    if not Path(inbox.folder).is_dir():
        return dg.SkipReason(f"The inbox folder {inbox.folder} does not exist.")
    if run := under_way(context.instance):
        return dg.SkipReason(f"Run {run} is under way and writes the same dataset; the inbox waits for it.")
    cursor = msgspec.json.decode(context.cursor, type=Cursor) if context.cursor else Cursor()
    new, cursor = look(inbox, cursor)
    written = msgspec.json.encode(cursor).decode()
    if not new:
        waiting = f"; {len(cursor.arriving)} still arriving" if cursor.arriving else ""
        return dg.SensorResult(skip_reason=f"No new file in {inbox.folder}{waiting}.", cursor=written)
    request = dg.RunRequest(
        run_key=_digest("".join(f"{path}\0{digest}\0" for path, digest in sorted(new.items())).encode()),
        run_config={"resources": {"inputs": {"config": {"paths": [inbox.folder]}}}},
        tags={"case2fhir/new_files": str(len(new))},
    )
    return dg.SensorResult(run_requests=[request], cursor=written)


def under_way(instance: dg.DagsterInstance) -> str | None:
    """Id of a run of the job that has not ended, or None: two runs must not write one dataset at a time."""
    statuses = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=JOB, statuses=statuses), limit=1)
    return runs[0].run_id if runs else None


def look(inbox: Inbox, cursor: Cursor) -> tuple[dict[str, str], Cursor]:
    """Look at the inbox once: digests of new and changed files by path, and what to remember.

    A file counts once its size and times of change are what they were on the tick before; until then it may still be
    written.  Files over the tick's limits wait for the next one.  A file that was touched but holds what it held is not
    new.  Files that have left the folder are forgotten, so that the memory is never larger than the folder.  Raises
    dagster.Failure when the folder holds more files than can be remembered.
    """
    folder = Path(inbox.folder)
    stamps = dict(_stamps(folder))
    if len(stamps) > inbox.files_remembered:
        raise dg.Failure(
            f"{folder} holds {len(stamps)} files, more than the {inbox.files_remembered} the sensor remembers: "
            "put them into archives, or take out those that are done."
        )
    after = Cursor(seen={path: cursor.seen[path] for path in stamps if path in cursor.seen})
    new: dict[str, str] = {}
    looked = size = 0
    for path, stamp in sorted(stamps.items()):
        if path in after.seen and after.seen[path][0] == stamp:
            continue
        full = looked >= inbox.files_per_tick or size >= inbox.bytes_per_tick
        if cursor.arriving.get(path) != stamp or full:
            after.arriving[path] = stamp
            continue
        digest, read = _content(folder / path)
        looked, size = looked + 1, size + read
        if path not in after.seen or after.seen[path][1] != digest:
            new[path] = digest
        after.seen[path] = (stamp, digest)
    return new, after


def _stamps(folder: Path) -> Iterator[tuple[str, str]]:
    """Path below the folder, and size and times of change, of each file, but hidden and partial ones."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.startswith((".", "~")) or name.endswith(PARTIAL_SUFFIXES):
                continue
            path = Path(root, name)
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            yield path.relative_to(folder).as_posix(), f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


def _content(path: Path) -> tuple[str, int]:
    """Digest and number of the bytes of a file; one that has gone counts as empty and is forgotten by the next tick."""
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").digest()
            return _short(digest), content.tell()
    except FileNotFoundError:
        return "", 0


def _digest(content: bytes) -> str:
    return _short(hashlib.sha256(content).digest())


def _short(digest: bytes) -> str:
    """Ninety-six bits as text: enough to tell files apart, short enough to remember thousands."""
    return base64.urlsafe_b64encode(digest[:12]).decode()
