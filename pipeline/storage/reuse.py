"""What a run may take over from the dataset that it replaces.

Belongs here: whether a shard is still what it should be, and reading back what was found in its reports.  Does not
belong here: deciding what to do (``staging``) and writing (``publication``).

A shard of the same fingerprint, whose files are all there, stays as it is.  In any other one, a report is taken over
when it has not changed, nothing of it was refused, and whatever reads, finds and maps is of the same versions; only
expectations may differ, for they are checked again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.errors import UsageError
from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.records import Extraction, Refused, decode_case
from pipeline.storage import tables
from pipeline.storage.dataset import Dataset
from pipeline.storage.files import FileEntry, sha256
from pipeline.storage.manifest import ShardEntry, versions
from pipeline.storage.shards import ShardRecord, shard_of
from pipeline.validation.resources import CaseResources

_SELECTABLE: Final = "fhir"
"""The option that only selects what is written: other FHIR versions do not change what is found."""

_decode_record = msgspec.json.Decoder(ShardRecord).decode


class Earlier:
    """The dataset in place, if there is one. Every method answers for a run with ``shards`` shards."""

    def __init__(self, paths: DatasetPaths, shards: int, options: Mapping[str, Any]) -> None:
        self._shards = shards
        self._options = options
        self._dataset = _open(paths)
        self._checked: dict[int, bool] = {}

    def holds(self, shard: int, fingerprint: str) -> bool:
        """Whether the shard is in place with this fingerprint, none of its files missing or of another size.

        What is read of it, its record and its refusals, is compared byte for byte.
        """
        if self._dataset is None or self._dataset.shards != self._shards or not self._refusals_known:
            return False
        entry = self._dataset.manifest["shards"][shard]
        return (
            bool(entry["fingerprint"] == fingerprint)
            and self._there(shard)
            and all(self._intact(file) for file in self.files(shard) if file.kind == "shard")
        )

    def files(self, shard: int | None) -> list[FileEntry]:
        """Files of one shard; of the dataset as a whole for None."""
        return self._files.get(shard, [])

    def entry(self, shard: int) -> ShardEntry:
        """The manifest's words on a shard that is held."""
        return msgspec.convert(self._dataset_.manifest["shards"][shard], ShardEntry)

    def complete(self) -> bool:
        """Whether every file that the manifest lists is there, as far as sizes tell."""
        return self._dataset is not None and all(map(self._there, self._files))

    def record(self, shard: int) -> ShardRecord:
        """What was kept of a shard that is held."""
        return self._record(shard)

    def refused(self, shard: int) -> list[Refused]:
        """What stages after the sources refused of a shard that is held."""
        return self._refused.get(shard, [])

    def refused_sources(self) -> list[Refused]:
        """What could not be read."""
        return self._refused.get(None, [])

    def digests(self, shard: int) -> dict[str, str]:
        """Digests of the reports that are in this shard by today's number of shards."""
        found: dict[str, str] = {}
        for old in self._sources(shard):
            found |= self._record(old).reports
        return {report_id: digest for report_id, digest in found.items() if shard_of(report_id, self._shards) == shard}

    def reusable(self, shard: int, digests: Mapping[str, str]) -> set[str]:
        """Those reports of ``digests`` that can be taken over."""
        return {report_id for old in self._usable(shard) for report_id in self._reusable(old, digests)}

    def extractions(self, shard: int, digests: Mapping[str, str]) -> dict[str, Extraction]:
        """What was found in those reports of ``digests`` that can be taken over, by report id.

        Without pairs, which are not published.
        """
        found: dict[str, Extraction] = {}
        for old in self._usable(shard):
            kept = {report_id: Extraction(id=report_id) for report_id in self._reusable(old, digests)}
            for row in self._dataset_.table("mentions", old).to_pylist():
                if (extraction := kept.get(row["report_id"])) is not None:
                    extraction.mentions.append(tables.mention_of(row))
            for line in self._dataset_.table("cases", old, ["case_json"]).column("case_json").to_pylist():
                case = decode_case(line)
                if case.report_id in kept:
                    kept[case.report_id].cases.append(case)
            found |= kept
        return found

    def built(self, versions: Sequence[FhirVersion]) -> bool:
        """Whether every case has resources in all of ``versions``."""
        return self._dataset is not None and set(versions) <= set(self._dataset.versions)

    def resources(self, shard: int, version: FhirVersion, reports: Collection[str]) -> list[Iterator[CaseResources]]:
        """Resources of the cases of ``reports``, whose extractions were taken over, as published in ``version``.

        One stream for each shard that they are taken from.  Without problems: what has any is not published.
        """
        return [self._resources(old, version, reports) for old in self._usable(shard)] if reports else []

    def _resources(self, old: int, version: FhirVersion, reports: Collection[str]) -> Iterator[CaseResources]:
        for case in self._dataset_.resources(old, version, lambda resource, version: []):
            if case.report_id in reports:
                yield case

    @property
    def _dataset_(self) -> Dataset:
        assert self._dataset is not None
        return self._dataset

    @cached_property
    def _files(self) -> dict[int | None, list[FileEntry]]:
        by_shard: dict[int | None, list[FileEntry]] = defaultdict(list)
        for entry in self._dataset.manifest["files"] if self._dataset else ():
            file = msgspec.convert(entry, FileEntry)
            by_shard[file.shard].append(file)
        return dict(by_shard)

    @cached_property
    def _refused(self) -> dict[int | None, list[Refused]]:
        by_shard: dict[int | None, list[Refused]] = defaultdict(list)
        for item in self._dataset.refused() if self._dataset else ():
            later = item.stage != "sources" and item.report_id is not None
            by_shard[shard_of(item.report_id or "", self._shards) if later else None].append(item)
        return dict(by_shard)

    @cached_property
    def _withheld(self) -> set[str | None]:
        """Reports of which something was refused: they are tried again as a whole."""
        return {item.report_id for item in self._dataset_.refused() if item.stage != "sources"}

    @cached_property
    def _same_makers(self) -> bool:
        """Whether what the dataset was made by, and asked for, is what it would be now, expectations aside."""
        if self._dataset is None:
            return False
        then, now = dict(self._dataset.manifest["versions"]), versions()
        asked, asks = dict(self._dataset.manifest["options"]), dict(self._options)
        for one in (then, now):
            one.pop("expectations", None)
        for one in (asked, asks):
            one.pop(_SELECTABLE, None)
        return (then, asked) == (now, asks)

    def _sources(self, shard: int) -> list[int]:
        """Shards in place that may hold reports of this shard: its half, itself, or those it is made of."""
        if self._dataset is None:
            return []
        fewer = min(self._shards, self._dataset.shards)
        return [old for old in range(self._dataset.shards) if old % fewer == shard % fewer]

    def _usable(self, shard: int) -> list[int]:
        """Those of ``_sources`` whose files are what the manifest says, byte for byte."""
        usable = self._same_makers and self._refusals_known
        return [old for old in self._sources(shard) if usable and self._sound(old)]

    def _reusable(self, old: int, digests: Mapping[str, str]) -> set[str]:
        known = self._record(old).reports
        there = self._dataset_.table("reports", old, ["report_id"]).column("report_id").to_pylist()
        return {i for i in there if i in digests and known.get(i) == digests[i]} - self._withheld

    def _record(self, shard: int) -> ShardRecord:
        try:
            return _decode_record(self._dataset_.paths.shard(shard).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):  # of an earlier version, or damaged
            return ShardRecord(reports={}, suites=[])

    def _there(self, shard: int | None) -> bool:
        return all(_size(self._path(file)) == file.bytes for file in self._files.get(shard, []))

    def _sound(self, shard: int) -> bool:
        if shard not in self._checked:
            self._checked[shard] = all(map(self._intact, self.files(shard)))
        return self._checked[shard]

    @cached_property
    def _refusals_known(self) -> bool:
        return all(self._intact(file) for file in self.files(None) if file.kind == "refused")

    def _intact(self, file: FileEntry) -> bool:
        return _size(self._path(file)) == file.bytes and sha256(self._path(file)) == file.sha256

    def _path(self, file: FileEntry) -> Path:
        return self._dataset_.paths.root / file.path


def current(paths: DatasetPaths, options: Mapping[str, Any], inputs: str) -> bool:
    """Whether the dataset in place is what a run would make: of the same input, options and versions, and all there."""
    dataset = _open(paths)
    if dataset is None:
        return False
    made = {name: dataset.manifest.get(name) for name in ("versions", "options", "inputs")}
    asked = {"versions": versions(), "options": dict(options), "inputs": inputs}
    return made == asked and Earlier(paths, dataset.shards, options).complete()


def _open(paths: DatasetPaths) -> Dataset | None:
    try:
        return Dataset.open(paths.root)
    except UsageError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
