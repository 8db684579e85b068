"""The form of an entry of the corrections file.

Belongs here: the structs, and what one entry alone must fulfil.  Does not belong here: the file as a whole (``file``).
An entry holds no words of the report: positions, the hash of the whole text, and preferred names of concepts.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from pipeline.corrections import fields
from pipeline.corrections.fields import Kind
from pipeline.records import Report, Span, text_digest

Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\S[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$",
    ),
]
"""A short text without line breaks and other control characters, and not blank."""
Id = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Position = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Places = Annotated[list[tuple[Position, Position]], Meta(max_length=64)]
Value: TypeAlias = Any
"""What a field is set to: what ``fields.check`` lets pass."""


class _Strict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """Base: keyword-only, strict when decoded, silent on what is left out."""


class Anchor(_Strict, kw_only=True, frozen=True):
    """A drug or reaction: where it was read (some of the places are enough), and its name, for people and for ties.

    ``made_by`` is the id of the entry (add, merge, split) that made the fact what it is; without that entry there is no
    such fact, whatever else was read at its places.
    """

    at: Places = []
    name: Line | None = None
    made_by: Id | None = None


class Fact(_Strict, kw_only=True, frozen=True):
    """One fact of a case.

    ``at`` are places where it was read, ``name`` is its preferred name or value, for people, ``made_by`` as for an
    anchor.  An exposure or indication also names the ``drug`` it belongs to; an assessment (that a drug is related to a
    reaction) and a treatment (that a drug was given against a reaction) are named by ``drug`` and ``reaction`` alone.
    """

    kind: Kind
    at: Places = []
    name: Line | None = None
    made_by: Id | None = None
    drug: Anchor | None = None
    reaction: Anchor | None = None


class _Entry(_Strict, kw_only=True, frozen=True, tag_field="do", tag=str.lower):
    """``id`` is unique in the file, ``at`` when it was made (UTC, ISO 8601), ``by`` who made it, ``why`` the reason."""

    id: Id
    at: str
    by: Line
    why: Annotated[str, Meta(max_length=2000)] = ""


class Undo(_Entry, kw_only=True, frozen=True):
    """Withdraws the entry whose id is ``of``."""

    of: str


class _Corrects(_Entry, kw_only=True, frozen=True):
    """Says something of one case; ``text`` is the SHA-256 of the report's text (UTF-8) that was looked at."""

    report: Annotated[str, Meta(min_length=1, max_length=500)]
    text: Hash
    case: Annotated[str, Meta(min_length=1, max_length=500)]
    fact: Fact


class Accept(_Corrects, kw_only=True, frozen=True):
    """The fact with these ``values``, or ``field`` of it with this ``value``, is right.

    Without field and values only that there is such a fact: its other fields are as they are read.
    """

    field: str | None = None
    value: Value = None
    values: dict[str, Value] = {}


class Change(_Corrects, kw_only=True, frozen=True):
    """``field`` of the fact is ``value``; ``was`` is what was read, ``evidence`` where the new value can be read."""

    field: str
    value: Value
    was: Value = None
    evidence: Places = []


class Reject(_Corrects, kw_only=True, frozen=True):
    """The fact is none of this case; with ``field``, nothing is known of that field."""

    field: str | None = None
    was: Value = None


class Add(_Corrects, kw_only=True, frozen=True):
    """A fact that was missed: ``fact.at`` is where it stands, ``values`` are its fields."""

    values: dict[str, Value] = {}


class Merge(_Corrects, kw_only=True, frozen=True):
    """The fact is another name for the fact ``into``, of the same kind."""

    into: Anchor


class Split(_Corrects, kw_only=True, frozen=True):
    """Of the reaction, what was read at ``places`` is a reaction of its own, named ``term``."""

    places: Places
    term: Line


Correction: TypeAlias = Accept | Change | Reject | Add | Merge | Split
"""Entries that say something of a report."""
Entry: TypeAlias = Correction | Undo

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_MERGED: Final = ("reaction", "drug")
_NAMED_BY: Final[dict[Kind, tuple[str, ...]]] = {
    "exposure": ("drug",),
    "indication": ("drug",),
    "treatment": ("drug", "reaction"),
    "assessment": ("drug", "reaction"),
}
"""Which anchors the kinds need that are part of, or between, other facts; the others have none."""

_FORMS: Final = {
    "id": "expected 1 to 64 letters, digits and any of . _ -",
    "text": "expected the SHA-256 of the report's text, 64 hexadecimal digits in lower case",
}
"""What is expected where a pattern does not fit."""

_decode = msgspec.json.Decoder(Entry).decode
encode = msgspec.json.Encoder().encode
decode_all = msgspec.json.Decoder(list[Correction]).decode


def digest(report: Report) -> str:
    """What ``text`` of an entry on this report is: SHA-256 of its text in UTF-8, hexadecimal."""
    return text_digest(report.text)


def rests_on(correction: Correction) -> set[str]:
    """Ids of the entries without which there is nothing that the correction could be about."""
    fact = correction.fact
    named = [fact, fact.drug, fact.reaction, correction.into if isinstance(correction, Merge) else None]
    return {one.made_by for one in named if one and one.made_by}


def parse(line: bytes) -> Entry:
    """One line of the file. Raises ValueError with what is wrong, and in which field, in words for the user."""
    try:
        entry: Entry = _decode(line)
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at ")
        place = path.strip("`").removeprefix("$").removeprefix(".")
        if "matching regex" in words:
            words = _FORMS.get(place, "expected a line of 1 to 200 characters")
        raise ValueError(f"field {place}: {words}" if place else words) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"no JSON object ({error})") from error
    except RecursionError:
        raise ValueError("no JSON object of ours (nested too deeply)") from None
    _check_time(entry.at)
    if not fields.visible(entry.by):
        raise ValueError("field by: expected a name that can be seen")
    if not isinstance(entry, Undo):
        _check(entry)
    return entry


def _check_time(at: str) -> None:
    try:
        datetime.fromisoformat(at)
        instant = _INSTANT.fullmatch(at)
    except ValueError:
        instant = None
    if not instant:
        raise ValueError('field at: expected an instant in UTC, such as "2026-01-31T14:05:00Z"')


def _check(entry: Correction) -> None:
    """What msgspec's types cannot say. Raises ValueError."""
    kind = entry.fact.kind
    for name in ("drug", "reaction"):
        given, needed = getattr(entry.fact, name) is not None, name in _NAMED_BY.get(kind, ())
        if given != needed:
            raise ValueError(f"field fact.{name}: a fact of kind {kind} {'needs' if needed else 'has no'} {name}")
    for where, places in _places(entry):
        if any(start >= end for start, end in places):
            raise ValueError(f"field {where}: a place is [start, end] with start before end")
    match entry:
        case Accept(field=str()) if entry.values:
            raise ValueError("field values: an accepted field has a value, an accepted fact has values")
        case Change() | Accept(field=str()):
            fields.check(kind, str(entry.field), entry.value)
        case Accept():
            for name, value in entry.values.items():
                fields.check(kind, name, value)
        case Reject(field=str()):
            fields.absent(kind, str(entry.field))
        case Add():
            if kind not in _NAMED_BY and not entry.fact.at:
                raise ValueError("field fact.at: an added fact needs the places where it stands in the text")
            if kind == "exposure" and not entry.fact.at:
                raise ValueError("field fact.at: an added exposure needs the places where it stands in the text")
            for name, value in entry.values.items():
                fields.check(kind, name, value)
            if lacking := sorted(set(fields.required(kind)) - set(entry.values)):
                raise ValueError(f"field values: a fact of kind {kind} needs {', '.join(lacking)}")
        case Merge():
            if kind not in _MERGED:
                raise ValueError(f"field fact.kind: only facts of kind {' or '.join(_MERGED)} can be merged")
        case Split():
            if kind != "reaction":
                raise ValueError("field fact.kind: only a reaction can be split")
            if not entry.places:
                raise ValueError("field places: a split needs the places that belong to the new reaction")
            fields.check(kind, "term", entry.term)


def _places(entry: Correction) -> list[tuple[str, list[Span]]]:
    found = [("fact.at", entry.fact.at)]
    found += [(f"fact.{name}.at", one.at) for name in ("drug", "reaction") if (one := getattr(entry.fact, name))]
    match entry:
        case Change():
            found.append(("evidence", entry.evidence))
        case Merge():
            found.append(("into.at", entry.into.at))
        case Split():
            found.append(("places", entry.places))
    return found
