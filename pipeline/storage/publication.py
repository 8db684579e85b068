"""Makes a staged run the dataset: writes its files aside, shard by shard, then puts them in place.

Belongs here: what of a run is published, and in which files.  Does not belong here: names (``pipeline.paths``), how a
file gets its place (``storage.swap``).
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
from pipeline.fhir import bundle
from pipeline.paths import RESOURCE_TYPES, TABLES, DatasetPaths, FhirVersion
from pipeline.records import Case, Extraction, Refused, Report, encode
from pipeline.storage import tables
from pipeline.storage.files import FileEntry, describe, sync, write_json, write_lines, write_table
from pipeline.storage.manifest import ShardEntry, fingerprint, manifest
from pipeline.storage.staging import CaseResources, Staging
from pipeline.storage.swap import exclusive, recover, swap


def publish(
    paths: DatasetPaths,
    *,
    options: Mapping[str, Any],
    profiles: Mapping[FhirVersion, Sequence[dict[str, Any]]],
    validation: Mapping[str, Any],
) -> dict[str, Any]:
    """Publish what ``Staging(paths)`` holds, less what it refused, and return the manifest.

    ``options``: the JSON-able options that shape the content (not the number of workers); they go into the manifest and
    the fingerprints.  ``profiles``: our own definitions by FHIR version; its keys are the versions that are published.
    ``validation``: ``validation.suites.to_json``'s document, written to ``validation/results.json``.
    The same staged content, options and versions give the same bytes, manifest included: it holds no clock.

    Raises RunFailed when the files cannot be written, or a case that nothing refused has no resources; the old dataset
    then stays as it was.
    """
    with exclusive(paths):
        recover(paths)
        try:
            document = _Publication(paths, options, tuple(profiles)).write(profiles, validation)
        except OSError as error:
            raise RunFailed(f"{paths.work} cannot be written: {error.strerror}.") from error
        swap(paths)
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
    """One pass over the shards that writes ``paths.next``."""

    def __init__(self, paths: DatasetPaths, options: Mapping[str, Any], versions: Sequence[FhirVersion]) -> None:
        self.options = options
        self.versions = versions
        self.staging = Staging(paths)
        self.shards = self.staging.shards
        self.refused = self.staging.refused()
        self.withheld = _Withheld(self.refused)
        self.next = paths.next
        self.files: list[FileEntry] = []
        self.counts: Counter[str] = Counter(dict.fromkeys(TABLES, 0))
        self.resources: dict[str, Counter[str]] = {version: Counter() for version in versions}

    def write(
        self, profiles: Mapping[FhirVersion, Sequence[dict[str, Any]]], validation: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write every file and return the manifest, which is written too."""
        shutil.rmtree(self.next.root, ignore_errors=True)
        shards = [self._shard(shard) for shard in range(self.shards)]
        for version, definitions in profiles.items():
            for definition in definitions:
                path = self.next.profile(version, definition)
                write_json(path, definition)
                self._list(path, "profile", 1)
        self._list(self.next.refused, "refused", write_lines(self.next.refused, map(encode, self.refused)))
        write_json(self.next.results, validation)
        self._list(self.next.results, "validation", 1)
        document = manifest(
            options=self.options,
            counts=dict(self.counts)
            | {"resources": {version: dict(counter) for version, counter in self.resources.items()}}
            | {"refused": len(self.refused)},
            files=sorted(self.files, key=_loading_order),
            shards=shards,
        )
        for file in self.files:
            sync(self.next.root / file.path)
        write_json(self.next.manifest, document)
        sync(self.next.manifest)
        return document

    def _shard(self, shard: int) -> ShardEntry:
        reports = self.staging.reports(shard)
        pairs = list(self.staging.pairs(shard))
        kept = [self._less_withheld(pair) for pair in pairs if pair[0].report_id not in self.withheld.reports]
        built = tables.build(kept)
        for name, table in built.items():
            path = self.next.table(name, shard)
            self.counts[name] += write_table(path, table)
            self._list(path, "table", table.num_rows)
        for version in self.versions:
            self._resources(shard, version, built["cases"].column("case_id").to_pylist())
        self._quarantine(shard, [case for _, extraction in pairs for case in extraction.cases if case in self.withheld])
        return ShardEntry(
            shard=shard,
            fingerprint=fingerprint(reports, self.options),
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
        with _ByType(self.next, version, shard, self.shards) as by_type:
            bundles = self.next.bundles(version, shard, self.shards)
            rows = write_lines(bundles, self._bundles(version, staged, case_ids, by_type))
            self._list(bundles, "bundles", rows)
        for resource_type, path in by_type.paths.items():
            self._list(path, "resources", by_type.rows[resource_type])
        self.resources[version].update(by_type.rows)

    def _bundles(
        self, version: FhirVersion, staged: Iterator[CaseResources], case_ids: Iterable[str], by_type: "_ByType"
    ) -> Iterator[bytes]:
        for case_id in case_ids:
            case = next(staged, None)
            if case is None or case.case_id != case_id:
                raise RunFailed(f"Case {case_id} has no {version} resources, and no stage refused it.")
            for resource in case.resources:
                by_type.write(resource)
            yield orjson.dumps(bundle(case.resources))

    def _quarantine(self, shard: int, cases: Sequence[Case]) -> None:
        """Keep withheld cases, whole, for whoever looks into the reason."""
        if not cases:
            return
        built: dict[str, dict[str, Any]] = {case.case_id: {} for case in cases}
        for version in self.versions:
            for staged in self.staging.resources(shard, version):
                if staged.case_id in built:
                    built[staged.case_id][version] = staged.resources
        path = self.next.quarantined_cases(shard, self.shards)
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
        self._list(path, "quarantined-cases", write_lines(path, lines))

    def _list(self, path: Path, kind: str, rows: int) -> None:
        self.files.append(describe(self.next.root, path, kind=kind, rows=rows))


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

    def write(self, resource: dict[str, Any]) -> None:
        kind, key = resource["resourceType"], resource["id"]
        if (kind, key) in self._seen:
            return
        self._seen.add((kind, key))
        if kind not in self._files:
            self._open(kind)
        self._files[kind].write(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE))
        self.rows[kind] += 1

    def _open(self, resource_type: str) -> None:
        path = self._place(resource_type)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.paths[resource_type] = path
        self.rows[resource_type] = 0
        self._files[resource_type] = self.enter_context(path.open("wb"))


_KINDS = ("profile", "resources", "bundles", "table", "refused", "quarantined-cases", "validation")


def _loading_order(file: FileEntry) -> tuple[int, str, int, str]:
    """Definitions first, then resources in dependency order within each version; the rest by kind and name."""
    parts = Path(file.path).parts
    resource_type = Path(parts[2]).stem if file.kind == "resources" else ""
    rank = RESOURCE_TYPES.index(resource_type) if resource_type in RESOURCE_TYPES else len(RESOURCE_TYPES)
    return _KINDS.index(file.kind), parts[1], rank, file.path
