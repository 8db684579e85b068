"""A run under way: what it has to do, and reports, extractions and resources by shard, in a dataset's work folder.

Belongs here: what stages of a run hand to each other, on disk, so that no stage holds the corpus in memory, a stage can
be run again, and a run that was killed is taken up by the next.  Does not belong here: the published form
(``storage.publication``), and what is taken from it (``storage.reuse``).
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from heapq import merge
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from pipeline import corrections as corrections_
from pipeline.corrections import Correction
from pipeline.errors import RunFailed, UsageError
from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.records import Case, Extraction, Refused, Report, decode_extraction, decode_refused, decode_report, encode
from pipeline.storage.files import aside, read_lines, write_lines
from pipeline.storage.manifest import fingerprint
from pipeline.storage.reuse import Earlier
from pipeline.storage.shards import Changes, Plan, ShardRecord, digest, full_digest, shard_count, shard_of
from pipeline.storage.swap import exclusive, recover
from pipeline.validation.resources import CaseResources

__all__ = ["CaseResources", "Staging"]

_BUFFER: Final = 32 << 20
"""Bytes of reports held while they are spread over shards, whose files are too many to keep open."""

_NO_CORRECTIONS: Final = corrections_.encode([])

_decode_plan = msgspec.json.Decoder(Plan).decode
_decode_resources = msgspec.json.Decoder(CaseResources).decode


class Staging:
    """Reads and writes the work folder: every stage may open its own.

    Each ``write_*`` replaces what an earlier attempt left for that shard, so any stage can be run again; ``has`` says
    whether it need not be.  What is staged of a shard lies under its fingerprint, so that what a killed run has done
    counts for the next one as long as the shard is the same.
    """

    def __init__(self, paths: DatasetPaths) -> None:
        self.paths = paths

    def spool(
        self,
        items: Iterable[Report | Refused],
        *,
        options: Mapping[str, Any] | None = None,
        inputs: str | None = None,
        fresh: bool = False,
        corrections: Iterable[Correction] = (),
    ) -> Plan:
        """Spread a stream of any length over shards by hash of ``report_id``, and plan what to do in each.

        Shards that the dataset in place holds as they are need nothing, unless ``fresh``.  A later report of an id
        already seen becomes ``Refused(stage="sources", reason="duplicate-id")``.  ``options``: the JSON-able options
        that shape the content (not the number of workers); ``inputs``: digest of the input files, for the manifest;
        ``corrections`` are staged with the shards of the reports they are about, whether these are there or not.

        Raises UsageError where the folder is not ours, RunFailed where it cannot be written.
        """
        self._begin()
        refused: list[Refused] = []
        try:
            count = write_lines(self.paths.stream, _reports_of(items, refused))
            self._spread(self.paths.stream, shard_count(count))
            self.paths.stream.unlink()
            corrected = corrections_.by_report(corrections)
            plan = self._planned(shard_count(count), dict(options or {}), inputs, fresh, refused, corrected)
            self._settle_on(plan, refused)
        except OSError as error:
            raise RunFailed(f"{self.paths.work} cannot be written: {error.strerror}.") from error
        return plan

    def keep(self, options: Mapping[str, Any], inputs: str) -> Plan:
        """Plan a run over input that has not changed, without reading it: nothing is to be made.

        Only where ``storage.current`` says so.
        """
        self._begin()
        entries = orjson.loads(self.paths.manifest.read_bytes())["shards"]
        earlier = Earlier(self.paths, len(entries), options)
        counts = [entry["read"] for entry in entries]
        plan = Plan(
            fingerprints=[entry["fingerprint"] for entry in entries],
            reports=counts,
            made=[],
            changes=Changes(unchanged=sum(counts)),
            options=dict(options),
            inputs=inputs,
        )
        self._settle_on(plan, earlier.refused_sources())
        return plan

    @cached_property
    def plan(self) -> Plan:
        """What ``spool`` decided. Raises UsageError before it has run."""
        try:
            return _decode_plan(self.paths.plan.read_bytes())
        except FileNotFoundError as error:
            raise UsageError(f"No run is under way in {self.paths.root}: read the sources first.") from error

    @cached_property
    def earlier(self) -> Earlier:
        """The dataset in place, as a run with this plan sees it."""
        return Earlier(self.paths, self.plan.shards, self.plan.options)

    @property
    def shards(self) -> int:
        """Number of shards that ``spool`` decided. Raises UsageError before it has run."""
        return self.plan.shards

    def reports(self, shard: int) -> list[Report]:
        """The reports of a shard to be made, sorted by ``report_id``."""
        return [decode_report(line) for line in read_lines(self._file(shard, "reports"))]

    def corrections(self, shard: int) -> dict[str, list[Correction]]:
        """The corrections on reports of a shard to be made, by report id; on some that are not in the input, too."""
        return {report_id: corrections_.decode_all(line) for report_id, line in self._corrections(shard).items()}

    def to_extract(self, shard: int) -> Iterator[tuple[str, bytes, bytes]]:
        """Of each report of a shard to be made its id, itself and the corrections on it, encoded; sorted by id."""
        corrected = self._corrections(shard)
        for line in read_lines(self._file(shard, "reports")):
            report_id = _id(line)
            yield report_id, line, corrected.get(report_id, _NO_CORRECTIONS)

    def write_extractions(self, shard: int, extractions: Iterable[Extraction]) -> None:
        """Stage what was found (cases assessed), in the order of the reports; those of a shard need not be held."""
        ordered = (
            msgspec.structs.replace(extraction, cases=sorted(extraction.cases, key=_order))
            for extraction in extractions
        )
        write_lines(self._file(shard, "extractions"), map(encode, ordered))

    def pairs(self, shard: int) -> Iterator[tuple[Report, Extraction]]:
        """The shard's reports with what was found in them; a report that has no extraction is left out."""
        for report, line in self._joined(shard):
            yield decode_report(report), decode_extraction(line)

    def cases(self, shard: int) -> Iterator[tuple[str, bytes, bytes]]:
        """Of each case of the shard the report's id, its report and itself, encoded; sorted by report id and number."""
        for report, line in self._joined(shard):
            extraction = _decode_cases(line)
            for case in extraction.cases:
                yield extraction.id, report, bytes(case)

    def write_resources(
        self,
        shard: int,
        versions: Sequence[FhirVersion],
        cases: Iterable[Mapping[FhirVersion, CaseResources | bytes]],
    ) -> None:
        """Stage resources by version, encoded or not, in the order of ``cases``; those of a shard need not be held."""
        with ExitStack() as stack:
            files = {version: stack.enter_context(aside(self._file(shard, version))) for version in versions}
            for case in cases:
                for version, file in files.items():
                    built = case[version]
                    file.write((built if isinstance(built, bytes) else encode(built)) + b"\n")

    def resources(self, shard: int, version: FhirVersion) -> Iterator[CaseResources]:
        """The shard's resources, sorted by report and case id; nothing for a version that was not built."""
        return map(_decode_resources, read_lines(self._file(shard, version)))

    def write_suites(self, shard: int, stage: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Stage the outcome of the suites that ``stage`` ran on a shard, as ``validation.suites.records`` has it."""
        write_lines(self._file(shard, f"suites-{stage}"), map(orjson.dumps, records))

    def suites(self, shard: int) -> list[dict[str, Any]]:
        """Outcomes of suites on a shard so far, in whatever order; those on record for one that is not made."""
        if shard not in self.plan.made:
            return self.earlier.record(shard).suites
        return [orjson.loads(line) for file in self._files(shard, "suites-*") for line in read_lines(file)]

    def record(self, shard: int) -> ShardRecord:
        """What is to be kept of a shard that was made, for the next run."""
        suites = sorted(self.suites(shard), key=lambda record: str(record["suite"]))
        return ShardRecord(reports=self._digests(shard), suites=suites)

    def write_refused(self, stage: str, shard: int, refused: Sequence[Refused]) -> None:
        """Stage what ``stage`` (``"extraction"``, ``"fhir"``, ``"validation"``) refused of a shard.

        A refusal that names a case withholds that case; one that names only a report withholds the report.
        To be written before what the stage has made, which ``has`` looks for.
        """
        write_lines(self._file(shard, f"refused-{stage}"), map(encode, refused))

    def refused(self) -> list[Refused]:
        """Everything refused so far, by ``spool`` and by every stage; sorted, without repeats."""
        plan = self.plan
        files = [self.paths.staged_refused, *(f for shard in plan.made for f in self._files(shard, "refused-*"))]
        held = set(range(plan.shards)) - set(plan.made)
        lines = {line for file in files for line in read_lines(file)}
        lines |= {encode(item) for shard in held for item in self.earlier.refused(shard)}
        return [decode_refused(line) for line in sorted(lines)]

    def has(self, shard: int, *names: str) -> bool:
        """Whether a stage is through with a shard: all it makes last (``"extractions"``, ``"R4"`` …) is there."""
        return all(self._file(shard, name).exists() for name in names)

    def add_figures(self, stage: str, figures: Mapping[str, Any]) -> None:
        """Stage times and counts of a stage that has ended."""
        with self.paths.figures.open("ab") as out:
            out.write(orjson.dumps({stage: figures}, option=orjson.OPT_APPEND_NEWLINE))

    def figures(self) -> dict[str, Any]:
        """Times and counts by stage, in the order in which stages ended."""
        return {stage: one for line in read_lines(self.paths.figures) for stage, one in orjson.loads(line).items()}

    def reusable(self, shard: int) -> set[str]:
        """Reports of the shard that ``kept_extractions`` gives, without reading what was found in them."""
        if self.plan.fresh:
            return set()
        return self.earlier.reusable(shard, self._digests(shard))

    def kept_extractions(self, shard: int) -> dict[str, Extraction]:
        """What was found before in reports of the shard that have not changed, by report id."""
        if self.plan.fresh:
            return {}
        return self.earlier.extractions(shard, self._digests(shard))

    def write_kept(self, shard: int, report_ids: Iterable[str]) -> None:
        """Stage which reports' extractions were taken over."""
        write_lines(self._file(shard, "kept"), map(orjson.dumps, report_ids))

    def kept_reports(self, shard: int, versions: Sequence[FhirVersion]) -> set[str]:
        """Reports whose extractions were taken over, if ``versions`` of their cases' resources can be, too.

        The dataset in place may have been damaged since, if a killed run took the extractions over.
        """
        if not self.earlier.built(versions):
            return set()
        kept = {orjson.loads(line) for line in read_lines(self._file(shard, "kept"))}
        return kept & self.reusable(shard)

    def kept_resources(self, shard: int, versions: Sequence[FhirVersion]) -> Iterator[dict[FhirVersion, CaseResources]]:
        """What was built before of each case of ``kept_reports``, in the order of ``cases``."""
        reports = self.kept_reports(shard, versions)
        built = [merge(*self.earlier.resources(shard, version, reports), key=_order) for version in versions]
        for case in zip(*built, strict=True):
            yield dict(zip(versions, case, strict=True))

    def _joined(self, shard: int) -> Iterator[tuple[bytes, bytes]]:
        """Reports and extractions of a shard, encoded: both files are sorted by report id."""
        reports = iter(read_lines(self._file(shard, "reports")))
        for line in read_lines(self._file(shard, "extractions")):
            report_id = _decode_cases(line).id
            yield next(report for report in reports if _id(report) == report_id), line

    def _digests(self, shard: int) -> dict[str, str]:
        corrected = self._corrections(shard)
        lines = ((_id(line), line) for line in read_lines(self._file(shard, "reports")))
        return {report_id: digest(line, corrected.get(report_id, b"")) for report_id, line in lines}

    def _corrections(self, shard: int) -> dict[str, bytes]:
        return {corrections_.decode_all(line)[0].report: line for line in read_lines(self._file(shard, "corrections"))}

    def _file(self, shard: int, name: str) -> Path:
        return self.paths.staged(self.plan.fingerprints[shard], name)

    def _files(self, shard: int, pattern: str) -> list[Path]:
        return sorted(self._file(shard, "reports").parent.glob(f"{pattern}.jsonl"))

    def _begin(self) -> None:
        """Claim the folder and put it in order; what a killed run staged of shards is kept for now."""
        self.paths.claim()
        with exclusive(self.paths):
            recover(self.paths)
        for name in ("plan", "earlier"):
            self.__dict__.pop(name, None)
        self.paths.plan.unlink(missing_ok=True)
        self.paths.figures.unlink(missing_ok=True)
        shutil.rmtree(self.paths.spool(0).parent, ignore_errors=True)

    def _spread(self, stream: Path, shards: int) -> None:
        """Second pass over the stream: the number of shards is known only when all of it has been counted."""
        held: dict[int, list[bytes]] = defaultdict(list)
        size = 0
        for line in read_lines(stream):
            held[shard_of(_id(line), shards)].append(line)
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

    def _planned(
        self,
        shards: int,
        options: dict[str, Any],
        inputs: str | None,
        fresh: bool,
        refused: list[Refused],
        corrections: Mapping[str, Sequence[Correction]],
    ) -> Plan:
        """Settle each shard and compare it with the dataset in place; reports of shards to be made are staged."""
        earlier = Earlier(self.paths, shards, options)
        plan = Plan(
            fingerprints=[], reports=[], made=[], changes=Changes(), options=options, inputs=inputs, fresh=fresh
        )
        if fresh:
            shutil.rmtree(self.paths.staged_shards, ignore_errors=True)
        by_shard: dict[int, dict[str, bytes]] = defaultdict(dict)
        for report_id, made in sorted(corrections.items()):
            by_shard[shard_of(report_id, shards)][report_id] = encode(made)
        for shard in range(shards):
            lines = _settled(self.paths.spool(shard), refused)
            corrected = by_shard[shard]
            wanting = {i: full_digest(b"", made) for i, made in corrected.items() if i not in lines}
            print_ = fingerprint(
                {i: full_digest(line, corrected.get(i, b"")) for i, line in lines.items()} | wanting, options
            )
            plan.fingerprints.append(print_)
            plan.reports.append(len(lines))
            if earlier.holds(shard, print_) and not fresh:
                plan.changes.unchanged += len(lines)
            else:
                plan.made.append(shard)
                digests = {i: digest(line, corrected.get(i, b"")) for i, line in lines.items()}
                plan.changes.add(digests, earlier.digests(shard))
                write_lines(self.paths.staged(print_, "reports"), lines.values())
                write_lines(self.paths.staged(print_, "corrections"), corrected.values())
            self.paths.spool(shard).unlink(missing_ok=True)
        return plan

    def _settle_on(self, plan: Plan, refused: Sequence[Refused]) -> None:
        """Put the plan in force: what is staged for another is removed."""
        wanted = {self.paths.staged(plan.fingerprints[shard], "").parent for shard in plan.made}
        if self.paths.staged_shards.exists():
            for folder in set(self.paths.staged_shards.iterdir()) - wanted:
                shutil.rmtree(folder)
        write_lines(self.paths.staged_refused, map(encode, refused))
        write_lines(self.paths.plan, [encode(plan)])


class _Cases(msgspec.Struct):
    """Of an extraction, the report's id and the cases, undecoded."""

    id: str
    cases: list[msgspec.Raw] = []


_decode_cases = msgspec.json.Decoder(_Cases).decode


def _order(case: Case | CaseResources) -> tuple[str, int, str]:
    """Cases in the order of their reports and numbers (``x-2`` before ``x-10``), in tables and bundles alike."""
    return case.report_id, len(case.case_id), case.case_id


class _Id(msgspec.Struct):
    """The one field of a report that tells where it belongs."""

    report_id: str


_decode_id = msgspec.json.Decoder(_Id).decode


def _id(line: bytes) -> str:
    return _decode_id(line).report_id


def _reports_of(items: Iterable[Report | Refused], refused: list[Refused]) -> Iterator[bytes]:
    for item in items:
        if isinstance(item, Refused):
            refused.append(item)
        else:
            yield encode(item)


def _settled(spool: Path, refused: list[Refused]) -> dict[str, bytes]:
    """A shard's encoded reports by id, sorted; of those with one id the first, and the others are refused."""
    kept: dict[str, bytes] = {}
    for line in read_lines(spool):
        first = kept.setdefault(_id(line), line)
        if first is not line:
            refused.append(_duplicate(decode_report(line), decode_report(first)))
    return dict(sorted(kept.items()))


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
