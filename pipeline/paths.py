"""Names of every file and folder of a dataset, and who may write there.

Belongs here: where things lie below ``DIR`` and whether ``DIR`` is ours.  Does not belong here: reading or writing them
(``pipeline.storage``).  No other module spells a file name of a dataset.

Part files: a dataset of one shard has one file per kind (``fhir/R4/Patient.ndjson``); one of several shards has a
folder of the same name with one file per shard (``fhir/R4/Patient/part-00003.ndjson``).  Parquet is always
``part-*.parquet``.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import orjson

from pipeline.errors import UsageError

FhirVersion = Literal["R4", "R5"]

FHIR_VERSIONS: Final[tuple[FhirVersion, ...]] = ("R4", "R5")
TABLES: Final = ("reports", "cases", "drugs", "exposures", "reactions", "assessments", "mentions", "corrections")
"""The published tables, referenced before referencing."""
RESOURCE_TYPES: Final = (
    "Patient", "DocumentReference", "Condition", "MedicationStatement", "AdverseEvent", "Provenance",
)  # fmt: skip
"""The published resource types in dependency order: a reference points to an earlier type (or to its own)."""

FORMAT: Final = "case2fhir-dataset"
"""Value of ``format`` in ``manifest.json``; what makes a folder a dataset of ours."""
RUN_RECORD: Final = "run.json"
"""Where a dataset tells of its last run; named in the manifest, which holds no clock itself."""


REVIEW_FORMAT: Final = "case2fhir-review"
"""Value of ``format`` in ``review.json``; what makes a folder review pages of ours."""


@dataclass(frozen=True)
class ReviewPaths:
    """Where the review pages at ``root`` lie: ``DatasetPaths.review``, or a folder of the user's."""

    root: Path

    @property
    def about(self) -> Path:
        """Which dataset the pages show."""
        return self.root / "review.json"

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.root / "index.html"

    @property
    def cases(self) -> Path:
        """Script with the table behind the index."""
        return self.root / "cases.js"

    def case(self, key: str) -> Path:
        """Page of the case whose FHIR ids begin with ``key``; a few hundred folders share them out."""
        return self.root / "cases" / key[1:3] / f"{key}.html"

    def static(self, name: str) -> Path:
        """Script or style that all pages use."""
        return self.root / "static" / name

    @property
    def next(self) -> "ReviewPaths":
        """Pages being written, beside those that they will replace."""
        return ReviewPaths(self.root.with_name(self.root.name + ".partial"))

    @property
    def previous(self) -> "ReviewPaths":
        """Pages being replaced."""
        return ReviewPaths(self.root.with_name(self.root.name + ".old"))


@dataclass(frozen=True)
class DatasetPaths:
    """Where everything of the dataset at ``root`` lies. Building one touches nothing on disk."""

    root: Path

    @property
    def manifest(self) -> Path:
        """Published last: what it lists is the dataset."""
        return self.root / "manifest.json"

    def table(self, table: str, shard: int) -> Path:
        """Parquet part of one shard of one of ``TABLES``."""
        return self.root / "parquet" / table / f"part-{shard:05d}.parquet"

    def resources(self, version: FhirVersion, resource_type: str, shard: int, shards: int) -> Path:
        """Resources of one type, one a line (bulk ``$import``)."""
        return self._lines(self.root / "fhir" / version, resource_type, shard, shards)

    def bundles(self, version: FhirVersion, shard: int, shards: int) -> Path:
        """Transaction bundles, one a line: line n belongs to row n of the shard's ``cases`` table."""
        return self._lines(self.root / "fhir" / version, "bundles", shard, shards)

    def profile(self, version: FhirVersion, resource: dict[str, object]) -> Path:
        """One of our own definitions: ``fhir/profiles/R4-StructureDefinition-dechallenge.json``."""
        return self.root / "fhir" / "profiles" / f"{version}-{resource['resourceType']}-{resource['id']}.json"

    def shard(self, shard: int) -> Path:
        """What the next run must know of a shard: digests of its reports, outcome of its expectations."""
        return self.root / "shards" / f"part-{shard:05d}.json"

    @property
    def run_record(self) -> Path:
        """Times, figures and changes of the last run; not part of the manifest, which holds no clock."""
        return self.root / RUN_RECORD

    @property
    def refused(self) -> Path:
        """``records.Refused``, one a line."""
        return self.root / "quarantine" / "refused.jsonl"

    def quarantined_cases(self, shard: int, shards: int) -> Path:
        """What was withheld: refused cases with their Case and resources, one a line. May quote reports."""
        return self._lines(self.root / "quarantine", "cases", shard, shards, "jsonl")

    @property
    def results(self) -> Path:
        """Expectation results: ids, never values."""
        return self.root / "validation" / "results.json"

    @property
    def data_docs(self) -> Path:
        """Folder of the Great Expectations Data Docs (``index.html``); not part of the manifest."""
        return self.root / "validation" / "docs"

    @property
    def review(self) -> Path:
        """Folder of the static review pages; not part of the manifest."""
        return self.root / "review"

    @property
    def corrections(self) -> Path:
        """The user's file of corrections, unless told otherwise: beside the dataset, which a run replaces."""
        whole = self.root.absolute()
        return whole.with_name(f"{whole.name}.corrections.jsonl")

    @property
    def ledger(self) -> Path:
        """What was loaded to which server (``server.ledger``); not part of the manifest."""
        return self.root / "load" / "ledger.sqlite"

    @property
    def failed(self) -> Path:
        """Cases that the last load could not bring to a server, one a line, in the server's words."""
        return self.root / "load" / "failed.ndjson"

    @property
    def bulk(self) -> Path:
        """Resources that a server is about to fetch; gone once the load is through."""
        return self.root / "load" / "bulk"

    @property
    def work(self) -> Path:
        """Hidden staging area, on the same file system so that renames are atomic; gone once a run is through."""
        return self.root / ".work"

    @property
    def next(self) -> "DatasetPaths":
        """The dataset being written, with the same layout."""
        return DatasetPaths(self.work / "next")

    @property
    def previous(self) -> "DatasetPaths":
        """The dataset being replaced, kept complete until the new manifest is in place."""
        return DatasetPaths(self.work / "previous")

    @property
    def plan(self) -> Path:
        """What the run under way has to do; there once the sources have been read."""
        return self.work / "plan.json"

    @property
    def stream(self) -> Path:
        """All reports in the order in which they were read, for as long as they are being read."""
        return self.work / "stream.jsonl"

    def spool(self, shard: int) -> Path:
        """Reports of a shard while they are being spread."""
        return self.work / "spool" / f"part-{shard:05d}.jsonl"

    @property
    def staged_shards(self) -> Path:
        """Holds a folder per shard under way, named by fingerprint: a run that was killed is taken up by the next."""
        return self.work / "shards"

    def staged(self, fingerprint: str, name: str) -> Path:
        """One staged file of the shard with this fingerprint."""
        return self.staged_shards / fingerprint[:32] / f"{name}.jsonl"

    @property
    def staged_refused(self) -> Path:
        """What was refused while the sources were read."""
        return self.work / "refused.jsonl"

    @property
    def figures(self) -> Path:
        """Times and counts of the stages of the run under way."""
        return self.work / "figures.jsonl"

    def relative(self, path: Path) -> str:
        """``path`` as the manifest writes it: below ``root``, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def check_ours(self) -> None:
        """Raise UsageError unless a run may write here: absent, empty, or holding a dataset of ours. Writes nothing."""
        if not self.root.exists():
            parent = next(p for p in self.root.absolute().parents if p.exists())
            if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
                raise UsageError(f"{self.root} cannot be created: {parent} is not a writable folder.")
            return
        if not self.root.is_dir():
            raise UsageError(f"{self.root} is a file; --out needs a folder.")
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise UsageError(f"{self.root} is not writable; choose another folder or change its permissions.")
        if any(self.root.iterdir()) and not self._is_ours():
            raise UsageError(
                f"{self.root} is not empty and holds no case2fhir dataset; choose an empty or new folder for --out."
            )

    def claim(self) -> None:
        """Make ``root`` and its work folder, marked as ours. Raises UsageError where ``check_ours`` does."""
        self.check_ours()
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self._marker.touch()
        except OSError as error:
            raise UsageError(f"{self.root} cannot be written: {error.strerror}.") from error

    @property
    def _marker(self) -> Path:
        """Says that a folder without manifest (first run killed) is ours."""
        return self.work / FORMAT

    def _is_ours(self) -> bool:
        if self._marker.exists():
            return True
        try:
            manifest = orjson.loads(self.manifest.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return False
        return isinstance(manifest, dict) and manifest.get("format") == FORMAT

    @staticmethod
    def _lines(folder: Path, name: str, shard: int, shards: int, suffix: str = "ndjson") -> Path:
        return folder / f"{name}.{suffix}" if shards == 1 else folder / name / f"part-{shard:05d}.{suffix}"
