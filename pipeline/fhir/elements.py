"""FHIR data types from plain values: strings, concepts, quantities, durations, timings, extensions, narratives.

Every function returns valid FHIR JSON or ``None``; nothing empty is ever returned inside an element
(FHIR R4 §2.6.2, *JSON representation*: no empty strings, arrays or objects).
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from html import escape

from pipeline.fhir.codes import UCUM, units
from pipeline.fhir.settings import Resource
from pipeline.records import Coding

HL7 = "http://hl7.org/fhir/StructureDefinition/"
DERIVATION_REFERENCE = HL7 + "derivation-reference"
DATA_ABSENT_REASON = HL7 + "data-absent-reason"

_UNPUBLISHABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that XML 1.0 or FHIR's ``string`` forbid, or discourages as non-characters."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_PER = re.compile(r"(?:(\d+(?:\.\d+)?)\.)?(s|min|h|d|wk|mo|a)", re.ASCII)
_DURATION = re.compile(
    r"(-?)P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_SECONDS = {
    "a": Fraction(31557600),
    "mo": Fraction(2629800),
    "wk": Fraction(604800),
    "d": Fraction(86400),
    "h": Fraction(3600),
    "min": Fraction(60),
    "s": Fraction(1),
}
"""Seconds in a UCUM time unit (UCUM, table 7: the mean Julian year of 365.25 days)."""
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)


@lru_cache(maxsize=8192)
def text(value: str | None) -> str | None:
    """The value as a FHIR string: publishable characters, single spaces, no outer white space; ``None`` if empty."""
    if not value:
        return None
    return " ".join(_UNPUBLISHABLE.sub("", value).split()) or None


def number(value: float) -> int | float | None:
    """A JSON number for a FHIR decimal, whole where it is whole; ``None`` for NaN and infinities."""
    if not math.isfinite(value):
        return None
    return int(value) if abs(value) < 2**53 and value == int(value) else value


def reference(resource: Resource) -> Resource:
    """A relative reference to a resource of the same case."""
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def coding(code: Coding) -> Resource | None:
    """A coding, or ``None`` where system or code are not valid FHIR."""
    found = _coding(code.system, code.code, code.display)
    return found and found.copy()


@lru_cache(maxsize=8192)
def _coding(system: str, code: str, display: str | None) -> Resource | None:
    system, value, words = system.strip(), text(code), text(display)
    if not value or not _URI.fullmatch(system):
        return None
    return {"system": system, "code": value} | ({"display": words} if words else {})


def concept(
    words: str | None, codings: Iterable[Coding] = (), evidence: Sequence[Resource] = (), coded: Sequence[Resource] = ()
) -> Resource | None:
    """A CodeableConcept of text, codings of the case and ready ``coded`` ones; ``None`` where nothing is left."""
    result: Resource = {}
    all_codings = [*coded, *(found for code in codings if (found := coding(code)))]
    if all_codings:
        result["coding"] = all_codings
    if words := text(words):
        result["text"] = words
    if result and evidence:
        result["extension"] = list(evidence)
    return result or None


def quantity(value: float, code: str | None) -> Resource | None:
    """A Quantity; the unit is coded where it is known UCUM, otherwise it is words only."""
    amount = number(value)
    if amount is None:
        return None
    result: Resource = {"value": amount}
    if code is None:
        return result
    if known := units().get(code):
        result |= {"unit": known.display, "system": UCUM, "code": known.code}
    elif words := text(code.strip("{}")):  # a bare annotation ({tablet}) says nothing that its words do not
        result["unit"] = words
    return result


@lru_cache(maxsize=4096)
def _time(iso: str) -> tuple[int | float, str] | None:
    match = _DURATION.fullmatch(iso)
    if not match:
        return None
    sign, *values = match.groups()
    given = [(Fraction(v), u) for v, u in zip(values, _SECONDS, strict=True) if v is not None]
    if not given:
        return None
    smallest = given[-1][1]
    if {"a", "mo"} & {u for _, u in given} and smallest not in ("a", "mo"):
        smallest = "d"  # months do not divide into weeks
    total = sum((v * _SECONDS[u] for v, u in given), Fraction(0)) / _SECONDS[smallest]
    value = number(float(round(total, 4)))
    return None if value is None else (-value if sign else value, smallest)


def duration(iso: str | None) -> Resource | None:
    """A Duration (UCUM) from ISO 8601; ``None`` where it is not one.

    >>> duration("P5W")
    {'value': 5, 'unit': 'week', 'system': 'http://unitsofmeasure.org', 'code': 'wk'}
    """
    found = _time(iso) if iso else None
    if not found:
        return None
    return {"value": found[0], "unit": units()[found[1]].display, "system": UCUM, "code": found[1]}


def partial_date(value: str | None) -> str | None:
    """The value if it is a FHIR date (year, month or day), without a time of day; otherwise ``None``."""
    match = _DATE.fullmatch((value or "").split("T")[0])
    if not match:
        return None
    year, month, day = match.groups()
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return match.group()


def timing(per: str | None, lasting: str | None) -> Resource | None:
    """A Timing: once every ``per`` (``"d"``, ``"12.h"``), for ``lasting`` (ISO 8601)."""
    repeat: Resource = {}
    bounds = duration(lasting)
    if bounds and bounds["value"] > 0:
        repeat["boundsDuration"] = bounds
    match = _PER.fullmatch(per or "")
    if match and (period := number(float(match[1] or 1))):
        repeat |= {"frequency": 1, "period": period, "periodUnit": match[2]}
    return {"repeat": repeat} if repeat else None


def extension(url: str, type_: str, value: object, evidence: Sequence[Resource] = ()) -> Resource:
    """A simple extension; evidence goes onto its value (which must then be an element, not a primitive)."""
    if evidence and isinstance(value, dict):
        value = value | {"extension": [*value.get("extension", ()), *evidence]}
    return {"url": url, f"value{type_}": value}


def absent(reason: str = "unknown") -> Resource:
    """The extension that says why a value is missing (code system data-absent-reason)."""
    return extension(DATA_ABSENT_REASON, "Code", reason)


def relative_date(url: str, target: Resource, event: str, iso: str) -> Resource | None:
    """What stands in place of a date that is only known relative to another event.

    ``url`` is the extension to use, ``target`` a reference, ``event`` names what of it is meant, ``iso`` is the offset
    (before it if negative).
    """
    offset = duration(iso)
    if not offset:
        return None
    relationship = "before-start" if offset["value"] < 0 else "after-start"
    offset["value"] = abs(offset["value"])
    return {
        "extension": [
            absent(),
            {
                "url": url,
                "extension": [
                    {"url": "targetReference", "valueReference": target},
                    {"url": "targetCode", "valueCodeableConcept": {"text": event}},
                    {"url": "relationship", "valueCode": relationship},
                    {"url": "offset", "valueDuration": offset},
                ],
            },
        ]
    }


def narrative(title: str, rows: Iterable[tuple[str, str | None]]) -> Resource:
    """The human-readable form: a title and a table of label and value; empty values are left out."""
    lines = "".join(
        f"<tr><td>{label}</td><td>{escape(words)}</td></tr>" for label, value in rows if (words := text(value))
    )
    table = f"<table><tbody>{lines}</tbody></table>" if lines else ""
    heading = escape(text(title) or "")
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p><b>{heading}</b></p>{table}</div>',
    }
