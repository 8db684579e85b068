"""A run under way: reports, extractions and resources by shard in the work folder of a dataset.

Belongs here: what stages of a run hand to each other, on disk, so that no stage holds the corpus in memory and a stage
can be run again.  Does not belong here: the published form (``storage.publication``).
"""

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import RunFailed, UsageError
from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.records import Case, Extraction, Refused, Report, decode_extraction, decode_report, encode
from pipeline.storage.files import read_lines, write_lines
from pipeline.storage.swap import exclusive, recover
from pipeline.validation.resources import CaseResources

__all__ = ["CaseResources", "Staging", "decode_refused", "shard_count", "shard_of"]

REPORTS_PER_SHARD: Final = 2_000
"""A shard is what one worker holds in memory and one resume does again: some 10 MB of text."""
_BUFFER: Final = 32 << 20
"""Bytes of reports held while they are spread over shards, whose files are too many to keep open."""


_decode_resources = msgspec.json.Decoder(CaseResources).decode
decode_refused = msgspec.json.Decoder(Refused).decode
"""One line of ``quarantine/refused.jsonl``."""


def shard_count(reports: int) -> int:
    """Smallest power of two that leaves at most ``REPORTS_PER_SHARD`` reports a shard on average."""
    shards = 1
    while reports > shards * REPORTS_PER_SHARD:
        shards *= 2
    return shards


def shard_of(report_id: str, shards: int) -> int:
    """Shard of a report: doubling ``shards`` splits each shard in two and moves nothing between others."""
    return int.from_bytes(hashlib.blake2b(report_id.encode(), digest_size=8).digest()) % shards


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
        self.paths.claim()
        with exclusive(self.paths):
            recover(self.paths)
            self.clear()
        stream = self.paths.work / "stream.jsonl"
        refused: list[Refused] = []
        try:
            count = write_lines(stream, _reports_of(items, refused))
            shards = shard_count(count)
            self._spread(stream, shards)
            stream.unlink()
            for shard in range(shards):
                refused += self._settle(shard)
            self._write_refused("sources", None, refused)
            self._shards_file.write_text(str(shards))
        except OSError as error:
            raise RunFailed(f"{self.paths.work} cannot be written: {error.strerror}.") from error
        return shards

    @property
    def shards(self) -> int:
        """Number of shards that ``spool`` decided. Raises UsageError before it has run."""
        try:
            return int(self._shards_file.read_text())
        except FileNotFoundError as error:
            raise UsageError(f"No run is under way in {self.paths.root}: read the sources first.") from error

    def reports(self, shard: int) -> list[Report]:
        """The shard's reports, sorted by ``report_id``."""
        return [decode_report(line) for line in read_lines(self.paths.spool(shard))]

    def write_extractions(self, shard: int, extractions: Iterable[Extraction]) -> None:
        """Stage what was found (cases assessed), in any order."""
        ordered = [
            msgspec.structs.replace(extraction, cases=sorted(extraction.cases, key=_order))
            for extraction in sorted(extractions, key=lambda extraction: extraction.id)
        ]
        write_lines(self.paths.extractions(shard), map(encode, ordered))

    def extractions(self, shard: int) -> list[Extraction]:
        """The shard's extractions, sorted by report id."""
        return [decode_extraction(line) for line in read_lines(self.paths.extractions(shard))]

    def pairs(self, shard: int) -> Iterator[tuple[Report, Extraction]]:
        """The shard's reports with what was found in them; a report that has no extraction is left out."""
        found = {extraction.id: extraction for extraction in self.extractions(shard)}
        for report in self.reports(shard):
            if report.report_id in found:
                yield report, found[report.report_id]

    def write_resources(self, shard: int, version: FhirVersion, cases: Iterable[CaseResources]) -> None:
        """Stage resources, in any order."""
        ordered = sorted(cases, key=_order)
        write_lines(self.paths.case_resources(version, shard), map(encode, ordered))

    def resources(self, shard: int, version: FhirVersion) -> Iterator[CaseResources]:
        """The shard's resources, sorted by report and case id; nothing for a version that was not built."""
        return map(_decode_resources, read_lines(self.paths.case_resources(version, shard)))

    def write_refused(self, stage: str, shard: int, refused: Sequence[Refused]) -> None:
        """Stage what ``stage`` (``"extraction"``, ``"fhir"``, ``"validation"``) refused of a shard.

        A refusal that names a case withholds that case; one that names only a report withholds the report.
        """
        self._write_refused(stage, shard, refused)

    def refused(self) -> list[Refused]:
        """Everything refused so far, by ``spool`` and by every stage; sorted, without repeats."""
        files = sorted(self._refused_folder.glob("*.jsonl"))
        return [decode_refused(line) for line in sorted({line for file in files for line in read_lines(file)})]

    def clear(self) -> None:
        """Remove what was staged, by this run or one that was killed."""
        for entry in (self.paths.work / "reports", self.paths.work / "extractions", self.paths.work / "resources"):
            shutil.rmtree(entry, ignore_errors=True)
        shutil.rmtree(self._refused_folder, ignore_errors=True)
        self._shards_file.unlink(missing_ok=True)

    @property
    def _shards_file(self) -> Path:
        return self.paths.work / "shards"

    @property
    def _refused_folder(self) -> Path:
        return self.paths.work / "refused"

    def _write_refused(self, stage: str, shard: int | None, refused: Sequence[Refused]) -> None:
        name = stage if shard is None else f"{stage}-{shard:05d}"
        write_lines(self._refused_folder / f"{name}.jsonl", map(encode, refused))

    def _spread(self, stream: Path, shards: int) -> None:
        """Second pass over the stream: the number of shards is known only when all of it has been counted."""
        held: dict[int, list[bytes]] = defaultdict(list)
        size = 0
        for line in read_lines(stream):
            held[shard_of(msgspec.json.decode(line, type=_Id).report_id, shards)].append(line)
            size += len(line)
            if size >= _BUFFER:
                self._append(held)
                held.clear()
                size = 0
        self._append(held)

    def _append(self, held: dict[int, list[bytes]]) -> None:
        for shard, lines in held.items():
            path = self.paths.spool(shard)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as out:
                out.writelines(line + b"\n" for line in lines)

    def _settle(self, shard: int) -> list[Refused]:
        """Sort a shard by report id, keep the first report of each id, and refuse the others."""
        kept: dict[str, Report] = {}
        refused = []
        for report in self.reports(shard):
            first = kept.setdefault(report.report_id, report)
            if first is not report:
                refused.append(_duplicate(report, first))
        write_lines(self.paths.spool(shard), (encode(kept[report_id]) for report_id in sorted(kept)))
        return refused


def _order(case: Case | CaseResources) -> tuple[str, int, str]:
    """Cases in the order of their reports and numbers (``x-2`` before ``x-10``), in tables and bundles alike."""
    return case.report_id, len(case.case_id), case.case_id


class _Id(msgspec.Struct):
    """The one field that the spreading pass looks at."""

    report_id: str


def _reports_of(items: Iterable[Report | Refused], refused: list[Refused]) -> Iterator[bytes]:
    for item in items:
        if isinstance(item, Refused):
            refused.append(item)
        else:
            yield encode(item)


def _duplicate(report: Report, first: Report) -> Refused:
    where = f" in {first.source.path}" if first.source else ""
    same = "the same text" if report.text == first.text else "another text"
    return Refused(
        stage="sources",
        reason="duplicate-id",
        message=f"A report of this id with {same} was read before{where}; ids must be unique.",
        source=report.source,
        report_id=report.report_id,
    )
