"""Report ids: made from what the source declares, the same on every run, unique within one.

Belongs here: the alphabet of ids and the check for reports seen before.  Does not belong here: where a format
declares its id.
"""

import re
from pathlib import PurePosixPath

from pipeline.errors import BadInput
from pipeline.records import Report, text_digest
from pipeline.sources import limits

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIXES = {
    ".txt", ".text", ".xml", ".nxml", ".json", ".jsonl", ".ndjson", ".parquet",
    ".gz", ".bz2", ".xz", ".tar", ".tgz", ".tbz2", ".txz", ".zip",
}  # fmt: skip


def identifier(*parts: object) -> str:
    """Return ``parts`` joined by ``"-"`` in the alphabet ``[A-Za-z0-9._-]``, at most ``limits.IDENTIFIER`` long.

    Foreign characters become ``"-"``; a cut id, or one of which too little remains to tell it from others, ends in a
    hash of the whole.
    """
    whole = "-".join(str(part) for part in parts if part not in (None, ""))
    kept = _FOREIGN.sub("-", whole).strip("-.") or "report"
    lost = sum(not character.isascii() for character in whole)
    if len(kept) > limits.IDENTIFIER or lost > len(whole) // 2:
        return f"{kept[: limits.IDENTIFIER - 9]}-{text_digest(whole)[:8]}"
    return kept


def stem(path: str, member: str | None = None) -> str:
    """Return the id of a document that declares none: its file name and, in an archive, the member's path."""
    return identifier(_without_suffixes(PurePosixPath(path.replace("\\", "/")).name), _without_suffixes(member or ""))


def _without_suffixes(name: str) -> str:
    path = PurePosixPath(name)
    while path.suffix.lower() in _SUFFIXES and path.stem:
        path = path.with_suffix("")
    return "" if str(path) == "." else str(path)


class Identities:
    """Remembers the ids of one run as hash of id → hash of text, some hundred bytes each."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def settle(self, report: Report) -> None:
        """Make ``report.report_id`` unique: with another text under the same id, eight hex digits are added.

        Raises BadInput (``duplicate``) when the same text was seen under the same id.
        """
        digest = text_digest(report.text)
        text = int(digest[:16], 16)
        for candidate in (report.report_id, f"{report.report_id}-{digest[:8]}"):
            key = int(text_digest(candidate)[:16], 16)
            before = self._seen.get(key)
            if before is None:
                self._seen[key] = text
                report.report_id = candidate
                return
            if before == text:
                break
        raise BadInput(f"{report.report_id} was read before with the same text; nothing is lost.", reason="duplicate")
