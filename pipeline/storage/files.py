"""Writing files with reproducible bytes, and saying what was written.

Belongs here: encodings, compression, hashes.  Does not belong here: names (``pipeline.paths``) or content.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

_BLOCK: Final = 1 << 20


class FileEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One file of a dataset as the manifest lists it: ``path`` below the dataset, ``sha256`` of its bytes.

    ``shard`` is the one it belongs to; None for files of the dataset as a whole.
    """

    path: str
    kind: str
    shard: int | None = None
    rows: int
    bytes: int
    sha256: str


def write_table(path: Path, table: pa.Table) -> int:
    """Write Parquet, the same bytes for the same rows and library; return the number of rows.

    Text in zstd at its default level: a third of the size of snappy here, at about the same speed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", version="2.6", row_group_size=1 << 16, write_page_index=True)
    rows: int = table.num_rows
    return rows


@contextmanager
def aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its place when all is written: a file that is there is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as out:
        yield out
    partial.replace(path)


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write one line each (without its line break); return how many."""
    count = 0
    with aside(path) as out:
        for line in lines:
            out.write(line + b"\n")
            count += 1
    return count


def write_json(path: Path, document: Any) -> None:
    """Write a document for people to read: indented, keys in the order given."""
    with aside(path) as out:
        out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_lines(path: Path) -> Iterable[bytes]:
    """Lines of a file without their breaks; none for a file that is not there."""
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield line.rstrip(b"\n")


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def describe(root: Path, path: Path, *, kind: str, rows: int, shard: int | None) -> FileEntry:
    """The manifest's entry for a file below ``root``."""
    return FileEntry(
        path=path.relative_to(root).as_posix(),
        kind=kind,
        shard=shard,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=sha256(path),
    )


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, reach the disk before what follows."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
