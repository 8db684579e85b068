"""Shards: which report is in which, and what a run has to do in each.

Belongs here: assignment, digests of reports, the plan of a run, what is kept of a shard for the next run.  Does not
belong here: reading and writing them (``staging``, ``reuse``, ``publication``).
"""

import hashlib
from typing import Any, Final

import msgspec

REPORTS_PER_SHARD: Final = 1_000
"""A shard is what is held in memory, what one new report has rewritten and one resume does again: some 5 MB of text."""


def shard_count(reports: int) -> int:
    """Smallest power of two that leaves at most ``REPORTS_PER_SHARD`` reports a shard on average."""
    shards = 1
    while reports > shards * REPORTS_PER_SHARD:
        shards *= 2
    return shards


def shard_of(report_id: str, shards: int) -> int:
    """Shard of a report: doubling ``shards`` splits each shard in two and moves nothing between others."""
    return int.from_bytes(hashlib.blake2b(report_id.encode(), digest_size=8).digest()) % shards


def digest(report: bytes, corrections: bytes = b"") -> str:
    """Digest of an encoded report but its source: a report that moves to another file or line is the same report.

    One that is corrected otherwise is not: ``corrections`` are the encoded ones on it.  No stage looks at the source,
    which is the last field and whose name, with bare quotes, stands in no JSON string.
    """
    return _hash(report[: report.rindex(b',"source":')] + corrections)


def full_digest(report: bytes, corrections: bytes = b"") -> str:
    """Digest of an encoded report, source included, and of the corrections on it: equal ones mean equal rows."""
    return _hash(report + corrections)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class Changes(msgspec.Struct, kw_only=True):
    """Reports by what became of them since the dataset that a run replaces."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0

    def add(self, new: dict[str, str], old: dict[str, str]) -> None:
        """Count one shard, given the digests of its reports now and then."""
        both = new.keys() & old.keys()
        changed = sum(new[report_id] != old[report_id] for report_id in both)
        self.new += len(new) - len(both)
        self.changed += changed
        self.unchanged += len(both) - changed
        self.removed += len(old) - len(both)


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """What a run has to do: ``made`` are the shards to make; the files of all others stay as they are.

    ``fingerprints`` and ``reports`` (numbers of reports) are by shard.  ``options`` shape the content; ``inputs`` is
    the digest of the input files, where known.  ``fresh``: nothing is taken over from the dataset in place.
    """

    fingerprints: list[str]
    reports: list[int]
    made: list[int]
    changes: Changes
    options: dict[str, Any]
    inputs: str | None = None
    fresh: bool = False

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.fingerprints)


class ShardRecord(msgspec.Struct, kw_only=True, frozen=True):
    """What is kept of a shard for the next run: digests of all its reports by id, and the outcome of its suites.

    ``suites`` is opaque here: what ``validation.suites.records`` makes.
    """

    reports: dict[str, str]
    suites: list[dict[str, Any]]
