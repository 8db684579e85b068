"""What people correct: the file of corrections, and how its entries change the cases of a report.

Belongs here: the form of an entry, reading and appending the file, finding the fact that an entry means, applying it.
Does not belong here: judging the corrected case (``pipeline.assessment``), pages and server (``pipeline.review``).

``entries``    the form of an entry: who, when, why, which fact, what about it
``fields``     which fields of a fact can be set, and to what
``file``       the file: read, checked, appended to
``anchors``    from a fact of a case to words on where it was read, and back
``applying``   entries and an extraction → the corrected extraction; pure

An entry names a fact by its kind and the characters that it was read from, never by its place in a list, so that it
still means the same fact when a later version finds the facts in another order, or more of them.  The reference for
users is ``docs/corrections.md``.
"""

from pipeline.corrections.anchors import anchor_of
from pipeline.corrections.applying import apply, results
from pipeline.corrections.entries import (
    Accept,
    Add,
    Anchor,
    Change,
    Correction,
    Entry,
    Fact,
    Merge,
    Reject,
    Split,
    Undo,
    decode_all,
    digest,
    encode,
)
from pipeline.corrections.fields import Kind
from pipeline.corrections.file import active, append, by_report, locate, read

__all__ = [
    "Accept",
    "Add",
    "Anchor",
    "Change",
    "Correction",
    "Entry",
    "Fact",
    "Kind",
    "Merge",
    "Reject",
    "Split",
    "Undo",
    "active",
    "anchor_of",
    "append",
    "apply",
    "by_report",
    "decode_all",
    "digest",
    "encode",
    "locate",
    "read",
    "results",
]
