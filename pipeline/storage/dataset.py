"""Reads a published dataset through its manifest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.storage.staging import CaseResources


class Dataset:
    """A published dataset. Opening one after an interrupted publication gives the old dataset, complete."""

    manifest: dict[str, Any]
    paths: DatasetPaths

    @classmethod
    def open(cls, root: Path) -> "Dataset":
        """Raises UsageError when ``root`` holds no dataset, or one of a newer format."""
        raise NotImplementedError

    @property
    def shards(self) -> int:
        """Number of shards."""
        raise NotImplementedError

    @property
    def versions(self) -> tuple[FhirVersion, ...]:
        """FHIR versions it was written in."""
        raise NotImplementedError

    def tables(self, shard: int) -> dict[str, pa.Table]:
        """All Parquet tables of one shard."""
        raise NotImplementedError

    def resources(self, shard: int, version: FhirVersion) -> Iterator[CaseResources]:
        """The shard's resources by case, read from the bundles and checked anew."""
        raise NotImplementedError

    def damaged(self) -> list[str]:
        """One sentence per file that is missing or is not the one the manifest lists; empty for a sound dataset."""
        raise NotImplementedError
