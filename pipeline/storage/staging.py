"""A run under way: reports, extractions and resources by shard in the work folder of a dataset."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.records import Extraction, Refused, Report


class CaseResources(msgspec.Struct, kw_only=True, frozen=True):
    """The resources of one case in one FHIR version, in dependency order, and what is wrong with each of them.

    ``problems`` runs parallel to ``resources`` (``validation.resources.check`` of each); messages never hold report text.
    """

    case_id: str
    report_id: str
    resources: list[dict[str, Any]]
    problems: list[list[str]]


class Staging:
    """Reads and writes the work folder. Holds no state but paths: every stage may open its own.

    Each ``write_*`` replaces what an earlier attempt left for that shard, so any stage can be run again.
    """

    def __init__(self, paths: DatasetPaths) -> None:
        self.paths = paths

    def spool(self, items: Iterable[Report | Refused]) -> int:
        """Spread a stream of any length over shards by hash of ``report_id``; return the number of shards.

        The number is the smallest power of two that leaves at most 2,000 reports a shard on average (1 for none).
        A later report of an id already seen becomes ``Refused(stage="sources", reason="duplicate-id")``.
        Raises UsageError where the folder is not ours.  Starts over: what an earlier run staged is removed.
        """
        raise NotImplementedError

    @property
    def shards(self) -> int:
        """Number of shards that ``spool`` decided."""
        raise NotImplementedError

    def reports(self, shard: int) -> list[Report]:
        """The shard's reports, sorted by ``report_id``."""
        raise NotImplementedError

    def write_extractions(self, shard: int, extractions: Iterable[Extraction]) -> None:
        """Stage what was found (cases assessed), in any order."""
        raise NotImplementedError

    def extractions(self, shard: int) -> list[Extraction]:
        """The shard's extractions, sorted by report id."""
        raise NotImplementedError

    def write_resources(self, shard: int, version: FhirVersion, cases: Iterable[CaseResources]) -> None:
        """Stage resources, in any order."""
        raise NotImplementedError

    def resources(self, shard: int, version: FhirVersion) -> Iterator[CaseResources]:
        """The shard's resources, sorted by case id; nothing for a version that was not built."""
        raise NotImplementedError

    def write_refused(self, stage: str, shard: int, refused: Sequence[Refused]) -> None:
        """Stage what ``stage`` (``"extraction"``, ``"fhir"``, ``"validation"``) refused of a shard.

        A refusal that names a case withholds that case; one that names only a report withholds the report.
        """
        raise NotImplementedError

    def refused(self) -> list[Refused]:
        """Everything refused so far, by ``spool`` and by every stage; sorted, without repeats."""
        raise NotImplementedError
