"""Remembers what was loaded to which server, so that the next load sends only what has changed.

Belongs here: the file ``load/ledger.sqlite``.  Does not belong here: deciding what to send.  A row is written after the
server has confirmed; what was sent but never confirmed has no row, and is asked about before it is sent again.

A server is its normalised address and FHIR version.  An address may come to stand for another server, or an emptied
one: ``sample`` is there to ask, and ``doubt`` makes every row one that must be compared first.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from pipeline.errors import UsageError
from pipeline.paths import FhirVersion

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS server (id INTEGER PRIMARY KEY, url TEXT, fhir TEXT, UNIQUE (url, fhir));
CREATE TABLE IF NOT EXISTS resource (
    server INTEGER, reference TEXT, digest BLOB, version TEXT, case_id TEXT,
    PRIMARY KEY (server, reference)
) WITHOUT ROWID;
"""
_FORMAT: Final = 1
_SLICE: Final = 500
"""Parameters of one statement; SQLite's limit was 999 for a long time."""


class Known(NamedTuple):
    """What a server holds of ours: digest of the content (None: doubtful, compare), version, case that brought it."""

    digest: bytes | None
    version: str | None
    case_id: str | None


class Ledger:
    """What one server holds. To be used by one thread; every ``record`` and ``forget`` is there when it returns."""

    def __init__(self, path: Path, url: str, fhir: FhirVersion, *, read_only: bool = False) -> None:
        """``read_only`` writes nothing to disk. Raises UsageError for a file that is no ledger of ours."""
        self._db = sqlite3.connect(":memory:")
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._db.close()
                self._db = sqlite3.connect(path)
            self._prepare(path, read_only)
            self._server = self._server_id(url, fhir)
        except (sqlite3.Error, OSError) as error:
            self._db.close()
            raise UsageError(
                f"{path} cannot be used as ledger ({error}); make it writable, or move it away to have it made anew."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def known(self, references: Iterable[str]) -> dict[str, Known]:
        """Rows of those references that have one."""
        found: dict[str, Known] = {}
        asked = list(references)
        for start in range(0, len(asked), _SLICE):
            some = asked[start : start + _SLICE]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(
                f"SELECT reference, digest, version, case_id FROM resource WHERE server = ? AND reference IN ({marks})",  # noqa: S608
                (self._server, *some),
            )
            found |= {reference: Known(*rest) for reference, *rest in rows}
        return found

    def record(self, rows: Mapping[str, Known]) -> None:
        """The server holds these."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?)",
                [(self._server, reference, *known) for reference, known in rows.items()],
            )

    def forget(self, references: Iterable[str]) -> None:
        """The server holds these no more."""
        with self._db:
            self._db.executemany(
                "DELETE FROM resource WHERE server = ? AND reference = ?",
                [(self._server, reference) for reference in references],
            )

    def sample(self, size: int) -> list[str]:
        """References chosen by chance among those not in doubt."""
        rows = self._db.execute(
            "SELECT reference FROM resource WHERE server = ? AND digest IS NOT NULL ORDER BY random() LIMIT ?",
            (self._server, size),
        )
        return [reference for (reference,) in rows]

    def doubt(self) -> None:
        """Nothing is certain any more: every row must be compared with the server before it counts."""
        with self._db:
            self._db.execute("UPDATE resource SET digest = NULL, version = NULL WHERE server = ?", (self._server,))

    def present(self, references: Sequence[str]) -> None:
        """These are in the dataset that is being loaded."""
        self._db.executemany("INSERT OR IGNORE INTO temp.present VALUES (?)", [(r,) for r in references])

    def absent(self) -> Iterator[tuple[str, str | None]]:
        """References, with their case, that the server holds and ``present`` was never told of."""
        with closing(self._db.cursor()) as cursor:
            yield from cursor.execute(
                "SELECT reference, case_id FROM resource "
                "WHERE server = ? AND reference NOT IN (SELECT reference FROM temp.present) ORDER BY reference",
                (self._server,),
            ).fetchall()

    def _prepare(self, path: Path, read_only: bool) -> None:
        """Tables, made where they are missing; a copy of those at ``path`` when nothing may be written."""
        if not read_only:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        elif path.exists():
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
                source.backup(self._db)
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _FORMAT):
            raise sqlite3.DatabaseError("written by a newer case2fhir")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version = {_FORMAT}")
        self._db.execute("CREATE TEMP TABLE present (reference TEXT PRIMARY KEY) WITHOUT ROWID")

    def _server_id(self, url: str, fhir: FhirVersion) -> int:
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO server (url, fhir) VALUES (?, ?)", (url, fhir))
        (found,) = self._db.execute("SELECT id FROM server WHERE url = ? AND fhir = ?", (url, fhir)).fetchone()
        return int(found)
