"""Reads how reports word what the rules ask of the text around a cue, a drug or a time: ``extraction/wording.tsv``.

Belongs here: reading the patterns.  Does not belong here: patterns of the form of a text (white space, numbers, lists),
which stand in the code that needs them, and phrases that can be listed (``cues``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.data import MAPPINGS, DataFileError, numbered_rows

FILE = MAPPINGS / "extraction" / "wording.tsv"


@dataclass(slots=True)
class Entry:
    """One pattern, of the file's line ``line``; ``example`` holds what it matches in square brackets."""

    line: int
    module: str
    name: str
    tells: str
    example: str
    pattern: str = ""


class _Wording(dict[str, re.Pattern[str]]):
    """The patterns of one module by name."""

    def __missing__(self, name: str) -> re.Pattern[str]:
        raise DataFileError(f"{FILE.name}: no pattern {name!r} among {', '.join(sorted(self))}")


@cache
def wording(module: str) -> Mapping[str, re.Pattern[str]]:
    """The patterns of one module of this package by name.

    Raises:
        DataFileError: the file does not follow its grammar, a pattern does not compile, or the module has none; and,
            where the mapping is asked for a name that the file does not have.
    """
    found = _Wording()
    for entry in entries():
        if entry.module == module:
            found[entry.name] = compiled(entry)
    if not found:
        raise DataFileError(f"{FILE.name}: no patterns of the module {module!r}")
    return found


def compiled(entry: Entry) -> re.Pattern[str]:
    """The pattern of an entry; one that does not compile is a ``DataFileError``, which names its line."""
    try:
        return re.compile(entry.pattern)
    except re.error as error:
        raise DataFileError(f"{FILE.name} line {entry.line}, {entry.module} {entry.name}: {error}") from None


@cache
def entries(path: Path = FILE) -> list[Entry]:
    """All patterns of a file, not yet compiled.

    Raises:
        DataFileError: a line is neither an entry of four columns nor, behind a tab, a piece of its pattern; an entry
            has no pattern, or its name is that of another.
    """
    found: dict[tuple[str, str], Entry] = {}
    for line, row in numbered_rows(path):
        if len(row) == 4 and row[0]:
            entry = Entry(line, *row)
            if found.setdefault((entry.module, entry.name), entry) is not entry:
                raise DataFileError(f"{path.name} line {line}: {entry.module} {entry.name} stands there before")
        elif found and len(row) == 2 and not row[0]:
            entry.pattern += row[1]
        else:
            raise DataFileError(
                f"{path.name} line {line}: expected module, name, what it tells and an example, or a tab and a pattern"
            )
    for entry in found.values():
        if not entry.pattern:
            raise DataFileError(f"{path.name} line {entry.line}: no pattern below {entry.module} {entry.name}")
    return list(found.values())
