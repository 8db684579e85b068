"""What the manifest of a dataset says: versions, options, counts, files, shards.

Belongs here: its content.  Does not belong here: writing files.  There is no clock in it: the same input, options and
versions give the same bytes, so reruns compare with ``cmp`` and a shard's fingerprint tells whether to redo it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from pipeline import __version__
from pipeline.data import EXPECTATIONS, MAPPINGS
from pipeline.paths import FORMAT
from pipeline.records import Report, encode
from pipeline.storage.files import FileEntry

FORMAT_VERSION: Final = 1
"""Raised when a reader of the older form would misread the newer one."""


class ShardEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One shard: equal fingerprints mean equal content of its files."""

    shard: int
    fingerprint: str
    reports: int
    cases: int


@cache
def data_version(folder: Path) -> str:
    """SHA-256 over names and contents of a data folder: the version of ``mappings/`` or ``expectations/``."""
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of everything of ours that shapes a dataset."""
    return {
        "case2fhir": __version__,
        "mappings": data_version(MAPPINGS),
        "expectations": data_version(EXPECTATIONS),
    }


def fingerprint(reports: Iterable[Report], options: Mapping[str, Any]) -> str:
    """Fingerprint of a shard: its reports (in the given order), our versions, the options that shape the content."""
    digest = hashlib.sha256(orjson.dumps([versions(), options], option=orjson.OPT_SORT_KEYS))
    for report in reports:
        digest.update(hashlib.sha256(encode(report)).digest())
    return digest.hexdigest()


def manifest(
    *,
    options: Mapping[str, Any],
    counts: Mapping[str, Any],
    files: Iterable[FileEntry],
    shards: Iterable[ShardEntry],
) -> dict[str, Any]:
    """The manifest document; ``files`` in the order in which a loader sends them."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": versions(),
        "options": dict(options),
        "counts": dict(counts),
        "shards": [msgspec.to_builtins(shard) for shard in shards],
        "files": [msgspec.to_builtins(file) for file in files],
    }
