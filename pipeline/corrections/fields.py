"""Which fields of a fact a person can set, and to what.

Belongs here: kinds of facts, their editable fields, checks of single values.  Does not belong here: finding facts and
changing them.  Types and permitted values are those of ``pipeline.records``, read off its annotations.
"""

import unicodedata
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from pipeline.fhir import elements
from pipeline.records import (
    Age,
    Assessment,
    Concept,
    Drug,
    Exposure,
    Reaction,
    Record,
    SexFact,
    Test,
    TextFact,
)

Kind = Literal[
    "age", "sex", "ethnicity", "history", "test", "drug", "indication", "exposure", "reaction", "treatment",
    "assessment",
]  # fmt: skip

RECORDS: Final[dict[Kind, type[Record]]] = {
    "age": Age,
    "sex": SexFact,
    "ethnicity": TextFact,
    "history": Concept,
    "test": Test,
    "drug": Drug,
    "indication": Concept,
    "exposure": Exposure,
    "reaction": Reaction,
    "assessment": Assessment,
}
"""The record of each kind; a treatment has none: it is an id in ``Reaction.treatments``."""
EDITABLE: Final[dict[Kind, tuple[str, ...]]] = {
    "age": ("value", "unit"),
    "sex": ("value",),
    "ethnicity": ("value",),
    "history": ("term",),
    "test": ("name", "result"),
    "drug": ("name", "role", "action_taken"),
    "indication": ("term",),
    "exposure": (
        "dose", "dose_high", "unit", "per", "route", "duration", "start", "cumulative", "re_exposure", "recurrence",
    ),
    "reaction": ("term", "time_to_onset", "outcome", "seriousness"),
    "treatment": (),
    "assessment": ("dechallenge", "rechallenge", "author_statement", "author_method", "author_score"),
}  # fmt: skip
NAMES: Final[dict[Kind, str]] = {
    "age": "value", "sex": "value", "ethnicity": "value", "history": "term", "test": "name", "drug": "name",
    "indication": "term", "reaction": "term",
}  # fmt: skip
"""The field by which people call a fact."""
_LONGEST: Final = 200
_MOST: Final = 1e12
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing: fillers of Hangul, and the Braille pattern without dots."""
_AMOUNTS: Final = frozenset({"dose", "dose_high"})
_DURATIONS: Final = frozenset({"time_to_onset", "duration"})


@cache
def _fields(kind: Kind) -> dict[str, msgspec.structs.FieldInfo]:
    if kind not in RECORDS:
        return {}
    return {one.name: one for one in msgspec.structs.fields(RECORDS[kind]) if one.name in EDITABLE[kind]}


def required(kind: Kind) -> list[str]:
    """Fields without which there is no fact of this kind."""
    return [name for name, one in _fields(kind).items() if one.required]


def check(kind: Kind, field: str, value: Any) -> Any:
    """The value as the record holds it. Raises ValueError, which names the field and what it can be."""
    one = _known(kind, field)
    try:
        converted = msgspec.convert(value, one.type)
    except msgspec.ValidationError as error:
        raise ValueError(f"field value: {kind} {field} is {_expected(one.type)}") from error
    if problem := _problem(field, converted):
        raise ValueError(f"field value: {kind} {field} {problem}")
    return converted


def absent(kind: Kind, field: str) -> Any:
    """The value that says nothing is known. Raises ValueError for a field without which there is no such fact."""
    one = _known(kind, field)
    if one.required:
        raise ValueError(f"field field: a {kind} is nothing without its {field}: reject the fact as a whole")
    return one.default_factory() if one.default is msgspec.NODEFAULT else one.default


def choices(kind: Kind, field: str) -> list[str]:
    """The values to choose from, where the field has a closed list; for editors."""
    return _literals(_fields(kind)[field].type)


def shape(kind: Kind, field: str) -> Literal["choice", "choices", "flag", "number", "whole", "text"]:
    """What an editor offers for a field."""
    type_ = _fields(kind)[field].type
    if _literals(type_):
        return "choices" if get_origin(type_) is list else "choice"
    plain = {one for one in (get_args(type_) or (type_,)) if one is not type(None)}
    return "flag" if plain == {bool} else "number" if plain == {float} else "whole" if plain == {int} else "text"


def visible(text: str) -> bool:
    """Does a text have a character that shows: no space, control, format or filler, and no mark upon nothing?"""
    return any(c not in _BLANK and unicodedata.category(c)[0] in "LNPS" for c in text)


def _known(kind: Kind, field: str) -> msgspec.structs.FieldInfo:
    if (one := _fields(kind).get(field)) is None:
        known = ", ".join(EDITABLE[kind]) or "none"
        raise ValueError(f"field field: a fact of kind {kind} has no field {field!r} to set; it has {known}")
    return one


def _problem(field: str, value: Any) -> str | None:
    """What is wrong with a value of the right type."""
    if isinstance(value, str):
        if not visible(value):
            return (
                "is not blank, nor made of characters that do not show; to say that it is not known, reject the field"
            )
        if len(value) > _LONGEST or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
            return f"is a line of at most {_LONGEST} characters"
        if field in _DURATIONS and (value.startswith("-") or not elements.duration(value)):
            return 'is an ISO 8601 duration, such as "P5W" or "PT12H"'
        if field == "start" and not (elements.duration(value) or elements.partial_date(value)):
            return 'is an ISO 8601 duration after the first exposure ("P2M") or a date ("2024-05-01")'
        if field == "per" and not elements.timing(value, None):
            return 'is a UCUM period, such as "d" or "12.h"'
    if isinstance(value, int) and not isinstance(value, bool) and not -99 <= value <= 99:
        return "is a whole number from -99 to 99"
    if isinstance(value, float) and not 0 <= value <= _MOST:
        return "is a number, not negative"
    if field in _AMOUNTS and value == 0:
        return "is more than 0"
    return None


def _literals(type_: Any) -> list[str]:
    if get_origin(type_) is Literal:
        return list(get_args(type_))
    return [value for inner in get_args(type_) for value in _literals(inner)]


def _expected(type_: Any) -> str:
    if values := _literals(type_):
        return ("a list of: " if get_origin(type_) is list else "one of: ") + ", ".join(values)
    inner = [one for one in (get_args(type_) or (type_,)) if one is not type(None)]
    names = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}
    return " or ".join(names.get(one, str(one)) for one in inner)
