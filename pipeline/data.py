"""Finds and reads the data files that travel with the code: ``mappings/`` and ``expectations/``.

In a checkout they are top-level folders; in an installed wheel they sit in ``pipeline/_data``.  Belongs here: where
they are and how a table of tab-separated columns is read.  Does not belong here: what the columns mean.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


MAPPINGS = _folder("mappings")
EXPECTATIONS = _folder("expectations")


class DataFileError(ValueError):
    """A line of a data file does not follow its grammar; the message names file and line."""


def rows(path: Path, columns: int | None = None) -> list[tuple[str, ...]]:
    """Rows of a tab-separated file, without blank lines and comments (``#``).

    Raises:
        DataFileError: a row has not exactly ``columns`` columns, where a number is given.
    """
    return [row for _, row in numbered_rows(path, columns)]


def numbered_rows(path: Path, columns: int | None = None) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The same, each with the number of its line, counted from one."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        row = tuple(line.split("\t"))
        if columns is not None and len(row) != columns:
            raise DataFileError(f"{path.name} line {number}: expected {columns} columns, found {len(row)}")
        yield number, row


_SELDOM = 50_000
"""New objects after which garbage is collected: the memory of a few dozen reports."""


@contextmanager
def lasting() -> Iterator[None]:
    """While tables are made that live as long as the process: no garbage collection, now or later, looks at them.

    Going through a million objects again and again would cost a third of the time to load them.  Later collections are
    made seldom: what is read leaves hardly any cycles behind, and looking for them would take a tenth of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.freeze()
            gc.set_threshold(_SELDOM)
            gc.enable()
