"""What is said of a run: the record ``run.json``, and the summary that ``case2fhir run`` prints.

Belongs here: putting together what the dataset, the plan and the stages say.  Does not belong here: Dagster, printing.
Times and figures of a run live in ``run.json`` and in Dagster's metadata only: the manifest and all files that it lists
are the same whenever, and in however many steps, they were made.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pipeline import sources
from pipeline.errors import RunFailed
from pipeline.paths import TABLES, DatasetPaths
from pipeline.records import Refused
from pipeline.storage import Dataset, current, exclusive, tidy
from pipeline.storage.files import write_json
from pipeline.storage.shards import Changes


def digest(inputs: Sequence[Path], corrected: Path | None) -> str:
    """Digest of all that is read: the input files, by path and content, and the content of the corrections file."""
    read = sources.digest(inputs)
    return hashlib.sha256(read.encode() + corrected.read_bytes()).hexdigest() if corrected else read


def options(fhir: str) -> dict[str, Any]:
    """The options of a run that shape the content of a dataset."""
    return {"fhir": fhir}


def write(
    paths: DatasetPaths,
    found: Changes,
    refused: Sequence[Refused],
    stages: Mapping[str, Any],
    *,
    shards: int,
    made: int,
) -> dict[str, Any]:
    """Write and return the record of a run that ends now.

    ``stages``: seconds and counts by stage; ``made``: how many of the ``shards`` were not left as they were.
    """
    record = {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "changes": changes(found, refused),
        "shards": {"total": shards, "made": made},
        "corrections": corrections(Dataset.open(paths.root)),
        "stages": dict(stages),
    }
    write_json(paths.run_record, record)
    return record


def changes(found: Changes, refused: Sequence[Refused]) -> dict[str, int]:
    """Reports that are new, changed, unchanged, removed; and what is in quarantine, reports and unread files."""
    return {
        "new": found.new,
        "changed": found.changed,
        "unchanged": found.unchanged,
        "removed": found.removed,
        "quarantined": _quarantined(refused),
    }


def rate(refused: Sequence[Refused], counts: Mapping[str, Any]) -> tuple[float, str]:
    """Share of the input that was refused, and the same in words.

    A report counts as refused when it, or one of its cases, was; a file that could not be read counts as one.
    """
    unread = sum(item.stage == "sources" for item in refused)
    unpublished = {item.report_id for item in refused if item.stage != "sources" and item.case_id is None}
    total = unread + len(unpublished) + counts["reports"]
    number = _quarantined(refused)
    return number / total, f"{number} of {total} refused ({number / total:.1%}"


def summary(out: Path, limit: float, started: float) -> dict[str, Any]:
    """Changes, counts, refusals, expectations, seconds by stage of the last run, as JSON-able values.

    ``started`` is ``time.perf_counter()`` at its beginning, before imports: what no stage accounts for is ``start``.
    """
    dataset = Dataset.open(out)
    record = orjson.loads(dataset.paths.run_record.read_bytes())
    results = orjson.loads(dataset.paths.results.read_bytes())
    checks = [check for suite in results["suites"] for check in suite["expectations"]]
    counts = dataset.manifest["counts"]
    refused = dataset.refused()
    share, words = rate(refused, counts)
    seconds = {stage: figures["seconds"] for stage, figures in record["stages"].items()}
    total = time.perf_counter() - started
    return {
        "dataset": str(out),
        "changes": record["changes"],
        "shards": record["shards"],
        "counts": {table: counts[table] for table in TABLES},
        "corrections": record["corrections"],
        "resources": counts["resources"],
        "refused": {
            "total": len(refused),
            "by_reason": dict(Counter(item.reason for item in refused).most_common()),
            "cases": len({item.case_id for item in refused if item.case_id}),
            "rate": share,
            "above_limit": share > limit,
            "message": f"{words}; the limit is {limit:.0%}).",
        },
        "expectations": {
            "checked": len(checks),
            "failed": [check["id"] for check in checks if not check["success"]],
        },
        "seconds": {"start": round(total - sum(seconds.values()), 2)} | seconds | {"total": round(total, 2)},
    }


def corrections(dataset: Dataset) -> dict[str, Any]:
    """How many corrections have which status, and those that were not applied (ids, never words of a report)."""
    rows: list[dict[str, Any]] = []
    if dataset.manifest["counts"].get("corrections"):
        for shard in range(dataset.shards):
            rows += dataset.table("corrections", shard).to_pylist()
    names = ("correction_id", "status", "report_id", "case_id", "operation", "kind", "field", "by", "at")
    return {
        "by_status": dict(Counter(row["status"] for row in rows).most_common()),
        "not_applied": [{name: row[name] for name in names} for row in rows if row["status"] != "applied"],
    }


def unchanged(
    inputs: Sequence[Path],
    paths: DatasetPaths,
    asked: Mapping[str, Any],
    *,
    data_docs: bool,
    corrected: Path | None = None,
) -> bool:
    """Whether a run would change nothing, told without Dagster; its record is written then.

    Also puts the folder in order after a run that was killed.  Raises UsageError where another run holds the folder,
    RunFailed where the record cannot be written.
    """
    if not paths.manifest.exists():
        return False
    started = time.perf_counter()
    with exclusive(paths):
        if (data_docs and not paths.data_docs.exists()) or not current(paths, asked, digest(inputs, corrected)):
            return False
        tidy(paths)
        dataset = Dataset.open(paths.root)
        found = Changes(unchanged=sum(shard["read"] for shard in dataset.manifest["shards"]))
        stages = {"reports": {"seconds": round(time.perf_counter() - started, 3)}}
        try:
            write(paths, found, dataset.refused(), stages, shards=dataset.shards, made=0)
        except OSError as error:
            raise RunFailed(f"{paths.run_record}: {error.strerror}; nothing had to be changed.") from error
    return True


def _quarantined(refused: Sequence[Refused]) -> int:
    unread = sum(item.stage == "sources" for item in refused)
    return unread + len({item.report_id for item in refused if item.stage != "sources"})
