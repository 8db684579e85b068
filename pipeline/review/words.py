"""Values of a Case in words for people: doses, durations, codes.

Belongs here: wording.  Does not belong here: layout, and anything that judges.
"""

import re
from collections.abc import Iterable
from typing import Final

from pipeline.records import Age, Case, Exposure

_UNITS: Final = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_CLOCK: Final = {"H": "hour", "M": "minute", "S": "second"}
_DAYS: Final = {"Y": 365.25, "M": 30.4375, "W": 7.0, "D": 1.0}
_CLOCK_DAYS: Final = {"H": 1 / 24, "M": 1 / 1440, "S": 1 / 86400}
_SHORT: Final = {"year": "y", "month": "mo", "week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s"}
_DURATION: Final = re.compile(r"(?P<sign>-?)P(?P<date>(?:\d+(?:\.\d+)?[YMWD])*)(?:T(?P<time>(?:\d+(?:\.\d+)?[HMS])+))?")
_PART: Final = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)([A-Z])")
_AGES: Final = {"a": "year", "mo": "month", "wk": "week", "d": "day"}
_PER: Final = re.compile(r"(?:(\d+(?:\.\d+)?)\.)?(\w+)")
_PERIODS: Final = {"d": "day", "h": "hour", "wk": "week", "mo": "month", "a": "year", "min": "minute"}


def plain(code: str) -> str:
    """A code of the Case record as words: ``"not_recovered"`` → ``"not recovered"``."""
    return code.replace("_", " ")


def count(number: float, unit: str) -> str:
    """``"1 week"``, ``"5 weeks"``."""
    return f"{number:g} {unit}{'' if number == 1 else 's'}"


def duration(iso: str) -> str:
    """An ISO 8601 duration in words, ``"P5W"`` → ``"5 weeks"``; what is none (a date) as it is."""
    parts = _parts(iso)
    if parts is None:
        return iso
    return " ".join(count(number, unit) for number, unit, _ in parts) or iso


def short_duration(iso: str) -> str:
    """An ISO 8601 duration where there is little room, ``"P5W"`` → ``"5 wk"``."""
    parts = _parts(iso)
    return " ".join(f"{number:g} {_SHORT.get(unit, unit)}" for number, unit, _ in parts) if parts else iso


def days(iso: str | None) -> float | None:
    """Days of an ISO 8601 duration, months and years by their mean length; ``None`` for anything else."""
    parts = _parts(iso) if iso else None
    return sum(number * each for number, _, each in parts) if parts else None


def _parts(iso: str) -> list[tuple[float, str, float]] | None:
    found = _DURATION.fullmatch(iso)
    if not found or found["sign"]:
        return None
    date = [(float(n), _UNITS[u], _DAYS[u]) for n, u in _PART.findall(found["date"] or "")]
    return date + [(float(n), _CLOCK[u], _CLOCK_DAYS[u]) for n, u in _PART.findall(found["time"] or "")]


def dose(exposure: Exposure) -> str:
    """``"100–200 mg/day"``; empty where no dose is stated."""
    if exposure.dose is None:
        return ""
    amount = f"{exposure.dose:g}" + (f"–{exposure.dose_high:g}" if exposure.dose_high is not None else "")
    words = f"{amount} {exposure.unit}" if exposure.unit else amount
    found = _PER.fullmatch(exposure.per or "")
    if found:
        number, unit = found[1], _PERIODS.get(found[2], found[2])
        words += f" every {count(float(number), unit)}" if number else f"/{unit}"
    return words + (" in all" if exposure.cumulative else "")


def regimen(exposure: Exposure, names: dict[str, str]) -> str:
    """Dose, route, duration, start and company of an exposure; ``names`` of the drugs by id."""
    parts = [
        dose(exposure),
        exposure.route,
        f"for {duration(exposure.duration)}" if exposure.duration else None,
        _start(exposure.start) if exposure.start else None,
        f"with {', '.join(names.get(d, d) for d in exposure.with_)}" if exposure.with_ else None,
    ]
    return ", ".join(part for part in parts if part) or exposure.verbatim or "dose not stated"


def _start(start: str) -> str:
    return f"from {duration(start)} after the first dose" if _parts(start) else f"from {start}"


def age(stated: Age) -> str:
    """``"66 years"``."""
    return count(stated.value, _AGES[stated.unit])


def patient(case: Case) -> str:
    """``"woman, 66 years"``: sex and age as far as they are stated."""
    stated, sex = case.patient.age, case.patient.sex
    child = stated is not None and (stated.unit != "a" or stated.value < 16)
    person = {"female": ("woman", "girl"), "male": ("man", "boy")}[sex.value][child] if sex else None
    return ", ".join(filter(None, [person, age(stated) if stated else None])) or "patient"


def listed(items: Iterable[str]) -> str:
    """``"a, b and c"``."""
    *first, last = list(items) or [""]
    return f"{', '.join(first)} and {last}" if first else last
