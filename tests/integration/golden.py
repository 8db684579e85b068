"""Golden trees: what a run makes of an input, in a form people can review.

A case is a folder ``tests/data/run-*`` with ``input`` (anything ``case2fhir run`` reads) and ``expected``.  The seeds
are one more case, whose input is ``seeds/`` itself.  The tree that is compared holds, per case of the dataset, the Case
record and its bundle in each FHIR version; what was refused; the counts; and the list of all published files.
Parquet and NDJSON hold the same facts again and are compared with these by tests of their own.
"""

import json
from pathlib import Path
from typing import Any

import orjson

from pipeline import records
from pipeline.paths import RESOURCE_TYPES
from pipeline.storage import Dataset

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


def cases() -> dict[str, tuple[Path, Path]]:
    """Input and expected tree of each golden case by name."""
    found = {folder.name: (folder / "input", folder / "expected") for folder in sorted(DATA.glob("run-*"))}
    return found | {"seeds": (ROOT / "seeds", DATA / "seeds" / "expected")}


def tree(dataset: Dataset) -> dict[str, str]:
    """Content by relative path: the form of ``dataset`` that is compared."""
    files: dict[str, Any] = {
        "counts.json": dataset.manifest["counts"],
        "files.json": [entry["path"] for entry in dataset.manifest["files"]],
        "refused.json": [orjson.loads(records.encode(refused)) for refused in dataset.refused()],
    }
    for shard in range(dataset.shards):
        for row in dataset.table("cases", shard).to_pylist():
            files[f"cases/{row['case_id']}.json"] = json.loads(row["case_json"])
        for version in dataset.versions:
            for case in dataset.resources(shard, version, lambda resource, version: []):
                files[f"fhir/{version}/{case.case_id}.json"] = [orjson.loads(bytes(one.json)) for one in case.resources]
    return {path: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for path, content in files.items()}


def read(folder: Path) -> dict[str, str]:
    """An expected tree as it lies on disk."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def write(folder: Path, content: dict[str, str]) -> None:
    """Put ``content`` in the place of the tree on disk."""
    for path in set(read(folder)) - set(content):
        (folder / path).unlink()
    for path, text in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def published_resources(dataset: Dataset, version: str) -> dict[str, dict[str, Any]]:
    """Resources of the NDJSON files by type, by reference."""
    found = {}
    for entry in dataset.manifest["files"]:
        path = dataset.paths.root / entry["path"]
        if entry["kind"] == "resources" and entry["path"].startswith(f"fhir/{version}/"):
            for line in path.read_bytes().splitlines():
                resource = orjson.loads(line)
                assert resource["resourceType"] in RESOURCE_TYPES
                found[f"{resource['resourceType']}/{resource['id']}"] = resource
    return found
