"""The corrections file: JSON Lines, one entry a line, in the order in which they are applied.

Belongs here: where it lies, reading and checking it as a whole, appending to it.  Does not belong here: the form of an
entry (``entries``) and what it does (``applying``).  The file belongs to the user: it is only ever appended to.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pipeline.corrections.entries import Correction, Entry, Undo, encode, parse
from pipeline.errors import RunFailed, UsageError
from pipeline.paths import DatasetPaths

_TOLD: Final = 5
"""Wrong entries that are named, at most."""
_CONFLICT: Final = (b"<<<<<<<", b"=======", b">>>>>>>")


def locate(given: Path | None, dataset: Path, inputs: Sequence[Path] = ()) -> Path | None:
    """The file to use: the ``given`` one, else the one beside the dataset (``DIR.corrections.jsonl``) if there is one.

    Raises UsageError where the given one does not exist, or where the one to use lies in the dataset, which a run
    replaces, or below one of the inputs, where it would be read as a report.
    """
    path = given or DatasetPaths(dataset).corrections
    if not path.is_file():
        if given is None:
            return None
        raise UsageError(f"{given} is no file; --corrections needs a file of corrections (an empty one holds none).")
    check_place(path, dataset, inputs)
    return path


def check_place(path: Path, dataset: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise UsageError where the file lies in the dataset, or in a folder of reports."""
    whole = path.resolve()
    if whole.is_relative_to(dataset.resolve()):
        raise UsageError(f"{path} lies in the dataset {dataset}, which a run replaces; keep it elsewhere.")
    for folder in inputs:
        if whole.is_relative_to(folder.resolve()):
            raise UsageError(
                f"{path} lies in the input {folder}, where it would be read as a report; keep it elsewhere."
            )


def read(path: Path) -> list[Entry]:
    """All entries, in order; blank lines are skipped, a file that is not there holds none.

    Raises UsageError that names file, line, entry and field of the first wrong ones: a run on half of the corrections
    would undo the others without a word.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    entries: list[Entry] = []
    lines: dict[str, int] = {}
    wrong: list[str] = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip():
            continue
        try:
            if line.startswith(_CONFLICT):
                raise ValueError("a conflict that version control left; keep the entries of both sides")
            entry = parse(line)
            _check_among(entry, lines, entries)
        except ValueError as error:
            wrong.append(f"line {number}{_named(line)}: {error}")
            continue
        lines[entry.id] = number
        entries.append(entry)
    if wrong:
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise UsageError(f"{path} has wrong corrections, and none was applied: {'; '.join(wrong[:_TOLD])}{more}.")
    return entries


def active(entries: Iterable[Entry]) -> list[Correction]:
    """The corrections that no later entry undoes, in order."""
    entries = list(entries)
    undone = {entry.of for entry in entries if isinstance(entry, Undo)}
    return [entry for entry in entries if not isinstance(entry, Undo) and entry.id not in undone]


def by_report(corrections: Iterable[Correction]) -> dict[str, list[Correction]]:
    """Corrections by the report they are about, in order."""
    found: dict[str, list[Correction]] = {}
    for correction in corrections:
        found.setdefault(correction.report, []).append(correction)
    return found


def append(path: Path, entries: Sequence[Entry]) -> None:
    """Append entries, all or none, and have them reach the disk; the file is made if need be.

    Others may append at the same time.  Raises RunFailed where that fails; the file is then as it was.
    """
    block = b"".join(encode(entry) + b"\n" for entry in entries)
    try:
        with path.open("ab+", buffering=0) as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            size = out.seek(0, os.SEEK_END)
            if size:
                out.seek(size - 1)
                block = block if out.read(1) == b"\n" else b"\n" + block
            try:
                if out.write(block) != len(block):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(out.fileno())
            except OSError:
                out.truncate(size)
                raise
    except OSError as error:
        raise RunFailed(f"{path} cannot be written: {error.strerror}; it is as it was.") from error


def _check_among(entry: Entry, lines: dict[str, int], entries: Sequence[Entry]) -> None:
    """Whether the entry fits those before it. Raises ValueError."""
    if entry.id in lines:
        raise ValueError(f"field id: line {lines[entry.id]} has this id already")
    if isinstance(entry, Undo) and entry.of not in lines:
        raise ValueError("field of: no entry before it has this id")
    if isinstance(entry, Undo) and any(isinstance(one, Undo) and one.id == entry.of for one in entries):
        raise ValueError("field of: this is an undo, which cannot be undone; enter the correction again")


def _named(line: bytes) -> str:
    """The id of a line as far as it can be told, to find it by."""
    found = re.search(rb'"id"\s*:\s*"([A-Za-z0-9._-]{1,64})"', line)
    return f" (entry {found[1].decode()})" if found else ""
