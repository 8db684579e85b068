"""Makes a staged run the dataset: writes the files of its shards aside, then puts them in place.

Belongs here: what of a run is published, and in which files.  Does not belong here: names (``pipeline.paths``), how a
file gets its place (``storage.swap``).  Files of shards that have not changed are not touched.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import orjson

from pipeline.errors import RunFailed
from pipeline.fhir import transaction
from pipeline.paths import RESOURCE_TYPES, DatasetPaths, FhirVersion
from pipeline.records import Case, Extraction, Refused, Report, encode
from pipeline.storage import tables
from pipeline.storage.files import FileEntry, describe, sync, write_json, write_lines, write_table
from pipeline.storage.manifest import ShardEntry, manifest
from pipeline.storage.staging import CaseResources, Staging
from pipeline.storage.swap import exclusive, recover, swap
from pipeline.validation.resources import Checked


def publish(
    paths: DatasetPaths,
    *,
    profiles: Mapping[FhirVersion, Sequence[dict[str, Any]]],
    validation: Mapping[str, Any],
    tick: Callable[[int], None] = lambda shards: None,
) -> dict[str, Any]:
    """Publish what ``Staging(paths)`` holds, less what it refused, and return the manifest.

    ``profiles``: our own definitions by FHIR version; its keys are the versions that are published.  ``validation``:
    ``validation.suites.to_json``'s document, written to ``validation/results.json``.  ``tick`` hears how many of the
    shards to be made are written.  The same input, options and versions give the same bytes, whatever was in place
    before, and manifest included: it holds no clock.  Nothing is touched where nothing changes.

    Raises RunFailed when the files cannot be written, or a case that nothing refused has no resources; the old dataset
    then stays as it was.
    """
    with exclusive(paths):
        recover(paths)
        try:
            publication = _Publication(paths, tuple(profiles), tick)
            document = publication.write(profiles, validation)
        except OSError as error:
            raise RunFailed(f"{paths.work} cannot be written: {error.strerror}; {paths.root} is as it was.") from error
        if publication.needed(document):
            swap(paths)
        shutil.rmtree(paths.work, ignore_errors=True)
    return document


class _Withheld:
    """What refusals keep out of the dataset. A source that was refused never became a report."""

    def __init__(self, refused: Sequence[Refused]) -> None:
        later = [r for r in refused if r.stage != "sources"]
        self.cases = {r.case_id for r in later if r.case_id}
        self.reports = {r.report_id for r in later if r.report_id and not r.case_id}
        self._reasons = [(r.case_id or r.report_id, r.reason) for r in later]

    def __contains__(self, case: Case | CaseResources) -> bool:
        return case.case_id in self.cases or case.report_id in self.reports

    def reasons(self, case: Case) -> list[str]:
        return sorted({reason for key, reason in self._reasons if key in (case.case_id, case.report_id)})


class _Publication:
    """One pass over the shards to be made that writes ``paths.next``."""

    def __init__(self, paths: DatasetPaths, versions: Sequence[FhirVersion], tick: Callable[[int], None]) -> None:
        self.paths = paths
        self.versions = versions
        self.tick = tick
        self.staging = Staging(paths)
        self.plan = self.staging.plan
        self.earlier = self.staging.earlier
        self.refused = self.staging.refused()
        self.withheld = _Withheld(self.refused)
        self.next = paths.next
        self.files: list[FileEntry] = []
        self.made = frozenset(self.plan.made)
        self.written = 0

    def write(
        self, profiles: Mapping[FhirVersion, Sequence[dict[str, Any]]], validation: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write what is new and return the manifest of all, which is written too."""
        shutil.rmtree(self.next.root, ignore_errors=True)
        shards = [self._shard(shard) for shard in range(self.plan.shards)]
        for version, definitions in profiles.items():
            for definition in definitions:
                path = self.next.profile(version, definition)
                write_json(path, definition)
                self._list(path, "profile", 1)
        self._list(self.next.refused, "refused", write_lines(self.next.refused, map(encode, self.refused)))
        write_json(self.next.results, validation)
        self._list(self.next.results, "validation", 1)
        document = manifest(
            options=self.plan.options,
            inputs=self.plan.inputs,
            fhir=self.versions,
            files=sorted(self.files, key=_loading_order),
            shards=shards,
        )
        for file in self.files:
            if (path := self.next.root / file.path).exists():
                sync(path)
        write_json(self.next.manifest, document)
        sync(self.next.manifest)
        return document

    def needed(self, document: Mapping[str, Any]) -> bool:
        """Whether what was written differs from what is in place."""
        try:
            same = orjson.loads(self.paths.manifest.read_bytes()) == document
        except (FileNotFoundError, orjson.JSONDecodeError):
            same = False
        return bool(self.plan.made) or not same or not self.earlier.complete()

    def _shard(self, shard: int) -> ShardEntry:
        if shard not in self.made:
            self.files += self.earlier.files(shard)
            return self.earlier.entry(shard)
        pairs = list(self.staging.pairs(shard))
        kept = [self._less_withheld(pair) for pair in pairs if pair[0].report_id not in self.withheld.reports]
        withheld = [case for _, extraction in pairs for case in extraction.cases if case in self.withheld]
        built = tables.build(kept, self.staging.corrections(shard), withheld)
        for name, table in built.items():
            path = self.next.table(name, shard)
            self._list(path, "table", write_table(path, table), shard)
        for version in self.versions:
            self._resources(shard, version, built["cases"].column("case_id").to_pylist())
        self._quarantine(shard, withheld)
        path = self.next.shard(shard)
        self._list(path, "shard", write_lines(path, [encode(self.staging.record(shard))]), shard)
        self.written += 1
        self.tick(self.written)
        return ShardEntry(
            shard=shard,
            fingerprint=self.plan.fingerprints[shard],
            read=self.plan.reports[shard],
            reports=built["reports"].num_rows,
            cases=built["cases"].num_rows,
        )

    def _less_withheld(self, pair: tuple[Report, Extraction]) -> tuple[Report, Extraction]:
        report, extraction = pair
        cases = [case for case in extraction.cases if case not in self.withheld]
        return report, msgspec.structs.replace(extraction, cases=cases)

    def _resources(self, shard: int, version: FhirVersion, case_ids: Sequence[str]) -> None:
        """Write a shard's resources by type, and its bundles in the order of ``case_ids``."""
        staged = (case for case in self.staging.resources(shard, version) if case not in self.withheld)
        with _ByType(self.next, version, shard, self.plan.shards) as by_type:
            bundles = self.next.bundles(version, shard, self.plan.shards)
            rows = write_lines(bundles, self._bundles(version, staged, case_ids, by_type))
            self._list(bundles, "bundles", rows, shard)
        for resource_type, path in by_type.paths.items():
            self._list(path, "resources", by_type.rows[resource_type], shard)

    def _bundles(
        self, version: FhirVersion, staged: Iterator[CaseResources], case_ids: Iterable[str], by_type: "_ByType"
    ) -> Iterator[bytes]:
        for case_id in case_ids:
            case = next(staged, None)
            if case is None or case.case_id != case_id:
                raise RunFailed(f"Case {case_id} has no {version} resources, and no stage refused it.")
            for resource in case.resources:
                by_type.write(resource)
            paths = [f"{resource.type}/{resource.id}" for resource in case.resources]
            yield orjson.dumps(transaction(paths, [orjson.Fragment(bytes(r.json)) for r in case.resources]))

    def _quarantine(self, shard: int, cases: Sequence[Case]) -> None:
        """Keep withheld cases, whole, for whoever looks into the reason."""
        if not cases:
            return
        built: dict[str, dict[str, Any]] = {case.case_id: {} for case in cases}
        for version in self.versions:
            for staged in self.staging.resources(shard, version):
                if staged.case_id in built:
                    built[staged.case_id][version] = [orjson.Fragment(bytes(r.json)) for r in staged.resources]
        path = self.next.quarantined_cases(shard, self.plan.shards)
        lines = (
            orjson.dumps(
                {
                    "case_id": case.case_id,
                    "report_id": case.report_id,
                    "reasons": self.withheld.reasons(case),
                    "case": msgspec.to_builtins(case),
                    "resources": built[case.case_id],
                }
            )
            for case in cases
        )
        self._list(path, "quarantined-cases", write_lines(path, lines), shard)

    def _list(self, path: Path, kind: str, rows: int, shard: int | None = None) -> None:
        self.files.append(describe(self.next.root, path, kind=kind, rows=rows, shard=shard))


class _ByType(ExitStack):
    """The resource files of one shard and version, one a type; a resource that cases share is written once."""

    def __init__(self, paths: DatasetPaths, version: FhirVersion, shard: int, shards: int) -> None:
        super().__init__()
        self._place: Callable[[str], Path] = lambda kind: paths.resources(version, kind, shard, shards)
        self._files: dict[str, BinaryIO] = {}
        self._seen: set[tuple[str, str]] = set()
        self.paths: dict[str, Path] = {}
        self.rows: Counter[str] = Counter()
        for resource_type in RESOURCE_TYPES:
            self._open(resource_type)

    def write(self, resource: Checked) -> None:
        kind, key = resource.type, resource.id
        if (kind, key) in self._seen:
            return
        self._seen.add((kind, key))
        if kind not in self._files:
            self._open(kind)
        self._files[kind].write(bytes(resource.json) + b"\n")
        self.rows[kind] += 1

    def _open(self, resource_type: str) -> None:
        path = self._place(resource_type)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.paths[resource_type] = path
        self.rows[resource_type] = 0
        self._files[resource_type] = self.enter_context(path.open("wb"))


_KINDS = ("profile", "resources", "bundles", "table", "refused", "quarantined-cases", "validation", "shard")


def _loading_order(file: FileEntry) -> tuple[int, str, int, str]:
    """Definitions first, then resources in dependency order within each version; the rest by kind and name."""
    parts = Path(file.path).parts
    resource_type = Path(parts[2]).stem if file.kind == "resources" else ""
    rank = RESOURCE_TYPES.index(resource_type) if resource_type in RESOURCE_TYPES else len(RESOURCE_TYPES)
    return _KINDS.index(file.kind), parts[1], rank, file.path
