"""What the manifest of a dataset says: versions, options, counts, files, shards.

Belongs here: its content.  Does not belong here: writing files.  There is no clock in it: the same input, options and
versions give the same bytes, so reruns compare with ``cmp`` and a shard's fingerprint tells whether to redo it.  When a
run was, and how long it took, is in ``run.json``, which the manifest only names.
"""

import hashlib
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from pipeline import __version__
from pipeline.data import EXPECTATIONS, MAPPINGS
from pipeline.paths import FORMAT, RUN_RECORD, TABLES, FhirVersion
from pipeline.storage.files import FileEntry
from pipeline.terminology import VARIABLE
from pipeline.terminology.vocabularies import discover

FORMAT_VERSION: Final = 1
"""Raised when a reader of the older form would misread the newer one."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_SHAPELESS: Final = frozenset(
    {
        "__pycache__",
        "_data",
        "server",
        "engines",
        "cli.py",
        "console.py",
        "definitions.py",
        "evaluation.py",
        "error_classes.py",
        "garbage.py",
        "progress.py",
        "review",
    }
)
"""Parts of the package that have no say in what a dataset holds; ``_data`` has versions of its own."""
_LIBRARIES: Final = (
    "ahocorasick-rs", "charset-normalizer", "fhir.resources", "google-re2", "great-expectations", "lxml", "msgspec",
    "numpy", "orjson", "pyarrow",
)  # fmt: skip
"""Libraries that shape what is read, found, checked or written."""


class ShardEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One shard: equal fingerprints mean equal content of its files.

    Of the reports ``read``, those that nothing withholds are the published ``reports``.
    """

    shard: int
    fingerprint: str
    read: int
    reports: int
    cases: int


@cache
def data_version(folder: Path) -> str:
    """SHA-256 over names and contents of a data folder: the version of ``mappings/`` or ``expectations/``."""
    return _digest(folder)


@cache
def _vocabularies(named: str) -> str | None:
    """SHA-256 over the vocabularies that users bring, in their order; None without any. Where they lie does not count.

    Raises UsageError for one that is not there.
    """
    digests = []
    for path in (Path(path) for path in named.split(os.pathsep) if path):
        for reader, found in discover(path):
            beside = sorted(found.parent.glob("sct2_Concept_Snapshot*.txt"))  # read with the descriptions
            digests.append(" ".join([reader.__name__, *map(_digest, [found, *beside])]))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if digests else None


def _digest(root: Path, without: frozenset[str] = frozenset({"__pycache__"})) -> str:
    """SHA-256 over a file, or names and contents of the files below a folder."""
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
        name = file.relative_to(root)
        if file.is_file() and not without.intersection(name.parts):
            with file.open("rb") as content:
                digest.update(f"{name.as_posix()}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\0".encode())
    return digest.hexdigest()


@cache
def _shipped() -> dict[str, Any]:
    return {
        "case2fhir": __version__,
        "code": _digest(_PACKAGE, _SHAPELESS),
        "mappings": data_version(MAPPINGS),
        "expectations": data_version(EXPECTATIONS),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def versions() -> dict[str, Any]:
    """Versions of everything that shapes a dataset: ours (release, hashes of code and data), libraries', the user's."""
    return _shipped() | {"vocabularies": _vocabularies(os.environ.get(VARIABLE, ""))}


def fingerprint(digests: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """Fingerprint of a shard: ``digests`` of its reports by id, the versions, the options that shape the content."""
    parts = [versions(), options, digests]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def manifest(
    *,
    options: Mapping[str, Any],
    inputs: str | None,
    fhir: Sequence[FhirVersion],
    files: Sequence[FileEntry],
    shards: Iterable[ShardEntry],
) -> dict[str, Any]:
    """The manifest document; ``files`` in the order in which a loader sends them.

    ``inputs``: digest of the input files, where the caller knows it.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": versions(),
        "options": dict(options),
        "inputs": inputs,
        "run": RUN_RECORD,
        "counts": _counts(files, fhir),
        "shards": [msgspec.to_builtins(shard) for shard in shards],
        "files": [msgspec.to_builtins(file) for file in files],
    }


def _counts(files: Iterable[FileEntry], fhir: Sequence[FhirVersion]) -> dict[str, Any]:
    """Rows by table, resources by FHIR version and type, refusals."""
    rows = Counter(dict.fromkeys(TABLES, 0))
    resources: dict[str, Counter[str]] = {version: Counter() for version in fhir}
    refused = 0
    for file in files:
        name = file.path.split("/")
        if file.kind == "table":
            rows[name[1]] += file.rows
        elif file.kind == "resources":
            resources[name[1]][name[2].removesuffix(".ndjson")] += file.rows
        elif file.kind == "refused":
            refused = file.rows
    return dict(rows) | {"resources": {v: dict(counter) for v, counter in resources.items()}, "refused": refused}
