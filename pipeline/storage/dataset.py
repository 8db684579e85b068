"""Reads a published dataset through its manifest.

Belongs here: finding and decoding published files.  Does not belong here: judging their content
(``pipeline.validation``).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.paths import FHIR_VERSIONS, FORMAT, TABLES, DatasetPaths, FhirVersion
from pipeline.records import Refused, decode_refused
from pipeline.storage.files import read_lines, sha256
from pipeline.storage.manifest import FORMAT_VERSION
from pipeline.storage.swap import interrupted
from pipeline.validation.resources import CaseResources, described

Check = Callable[[dict[str, Any], FhirVersion], list[str]]


_NEEDED = frozenset({"format_version", "files", "shards", "counts", "versions"})


class Dataset:
    """A published dataset. Opening one after an interrupted publication gives the old dataset, complete."""

    def __init__(self, paths: DatasetPaths, manifest: dict[str, Any]) -> None:
        self.paths = paths
        self.manifest = manifest

    @classmethod
    def open(cls, root: Path) -> "Dataset":
        """Raises UsageError when ``root`` holds no dataset, or one of a newer format."""
        paths = DatasetPaths(root)
        if interrupted(paths):
            paths = paths.previous
        try:
            manifest = orjson.loads(paths.manifest.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise UsageError(f"{root} holds no case2fhir dataset: its manifest.json is missing or broken.") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise UsageError(f"{root} holds no case2fhir dataset: its manifest.json is of something else.")
        if lacking := _NEEDED - manifest.keys():
            raise UsageError(f"{root} holds a damaged dataset: its manifest.json lacks {', '.join(sorted(lacking))}.")
        if manifest["format_version"] > FORMAT_VERSION:
            raise UsageError(f"{root} was written by a newer case2fhir; update case2fhir to read it.")
        return cls(paths, manifest)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.manifest["shards"])

    @property
    def versions(self) -> tuple[FhirVersion, ...]:
        """FHIR versions it was written in."""
        return tuple(version for version in FHIR_VERSIONS if version in self.manifest["counts"]["resources"])

    def table(self, table: str, shard: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One Parquet table of one shard; of all columns, or of some."""
        return pq.ParquetFile(self.paths.table(table, shard)).read(columns)

    def tables(self, shard: int) -> dict[str, pa.Table]:
        """All Parquet tables of one shard; a dataset of an earlier version may have fewer."""
        return {table: self.table(table, shard) for table in TABLES if table in self.manifest["counts"]}

    def resources(self, shard: int, version: FhirVersion, check: Check) -> Iterator[CaseResources]:
        """The shard's resources by case, read from the bundles; line n of them belongs to row n of ``cases``.

        ``check`` (``validation.resources.check``) says anew what is wrong with each.
        """
        cases = self.table("cases", shard, ["case_id", "report_id"]).to_pylist()
        for case, resources in zip(cases, self.bundled(shard, version), strict=True):
            yield CaseResources(
                **case,
                resources=[described(one, orjson.dumps(one), check(one, version)) for one in resources],
            )

    def bundled(self, shard: int, version: FhirVersion) -> Iterator[list[dict[str, Any]]]:
        """The resources of each case of the shard, in the order of its table ``cases``."""
        for line in read_lines(self.paths.bundles(version, shard, self.shards)):
            yield [entry["resource"] for entry in orjson.loads(line).get("entry", ())]

    def refused(self) -> list[Refused]:
        """What was refused, with reasons."""
        return [decode_refused(line) for line in read_lines(self.paths.refused)]

    def damaged(self) -> list[str]:
        """One sentence per file that is missing or is not the one the manifest lists; empty for a sound dataset."""
        sentences = []
        for file in self.manifest["files"]:
            path = self.paths.root / file["path"]
            try:
                if path.stat().st_size != file["bytes"] or sha256(path) != file["sha256"]:
                    sentences.append(f"{file['path']} is not the file that the manifest lists.")
            except FileNotFoundError:
                sentences.append(f"{file['path']} is missing.")
        return sentences
