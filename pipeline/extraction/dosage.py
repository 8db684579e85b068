"""Reads doses, routes and frequencies of administration from text.

Belongs here: what is an amount of a medicine, and its unit, period and route.  Does not belong here: which drug it is
of (case assembly) and the words themselves, which are data: ``mappings/extraction/units.tsv``, ``units_context.tsv``,
``routes.tsv`` and ``frequencies.tsv``.

Units are UCUM.  A measurement ("12 mg/dL", "proteinuria of 3 g", "weighed 900 g") is not a dose: it is told apart by
its denominator and by the words next to it.  Every function takes time linear in the length of the text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from pipeline.extraction import cues
from pipeline.extraction.cues import Cue, expand, fold
from pipeline.extraction.numbers import DIGITS, NUMBER, UNITS, Anchors, alternatives, number, table
from pipeline.records import Span

DoseKind = Literal["single", "loading", "initial", "maintenance", "maximum", "bolus", "reduced", "increased"]


class Route(NamedTuple):
    """A word for the route of administration.

    ``value`` is the normalised route (``"intravenous"``); ``None`` where the word says only that something was given
    ("injection").  ``hint`` marks dose forms and devices ("tablet", "infusion"), which suggest a route.
    """

    start: int
    end: int
    value: str | None
    hint: bool = False


class Frequency(NamedTuple):
    """How often: ``period`` is the UCUM time between two administrations (``"12.h"``), ``None`` if it has none."""

    start: int
    end: int
    period: str | None


@dataclass(frozen=True, slots=True)
class Dosage:
    """One stated amount of a medicine: ``dose`` (to ``dose_high``) ``unit`` every ``per``.

    ``start`` and ``end`` span the amount and what follows it directly ("400 mg daily"); the parts have spans of their
    own.  ``count`` is the multiplier of "30 x 500 mg".  ``cumulative`` marks totals of a course.
    """

    start: int
    end: int
    dose: float
    dose_high: float | None
    unit: str
    per: str | None
    route: str | None
    cumulative: bool
    kind: DoseKind | None
    count: float | None
    amount_span: Span
    frequency_span: Span | None
    route_span: Span | None


@cache
def _unit_table(*sorts: str) -> dict[str, str]:
    return {w: code for code, sort, pattern in table("units", 3) if sort in sorts for w in expand(pattern)}


@cache
def _sort_of() -> dict[str, str]:
    """Sort of every unit word; a word with two sorts ("mL") keeps the one it has as an amount."""
    rows = reversed(table("units", 3))
    return {word: sort for _, sort, pattern in rows for word in expand(pattern)}


folded = lru_cache(maxsize=4)(fold)


# --- Patterns -------------------------------------------------------------------------------------------------------

_END = r"(?:(?![^\W_])|(?<=\)))"


@cache
def _amount_pattern() -> re.Pattern[str]:
    unit = alternatives(_unit_table("dose", "weak", "form"))
    over = alternatives(_unit_table("body", "time"))
    return re.compile(
        rf"(?<![\w.,])(?:(?P<count>\d{{1,3}}) ?[x×] ?(?!10[\^(]))?"
        rf"(?P<low>{NUMBER})(?: ?[x×*] ?10\^?\(?(?P<power>\d)\)?)?"
        rf"(?:(?: ?-? ?(?P<low_unit>{unit}){_END})?(?P<join> ?- ?| ?~ ?| to | or |/| and )(?P<high>{NUMBER}))?"
        rf" ?-?(?P<unit>{unit}){_END}"
        rf"(?P<over>(?:(?: ?/ ?| per | a )(?:{over}){_END}){{1,3}})?"
    )


@cache
def _near_amounts() -> Anchors:
    units = _unit_table("dose", "weak", "form")
    spelled = [word for word in units if len(word) > 3]
    return Anchors(spelled, rf"\d[)½]? ?-? ?(?:{alternatives(units)}){_END}", before=70, after=60)


@cache
def _before_pattern() -> re.Pattern[str]:
    words = alternatives(_unit_table("before"))
    return re.compile(rf"(?P<unit>{words})(?<![^\W_]...)(?: of| =|=)? ?(?P<low>{DIGITS})")


@cache
def _over_part() -> re.Pattern[str]:
    return re.compile(rf"(?: ?/ ?| per | a )({alternatives(_unit_table('body', 'time'))}){_END}")


@cache
def _lab_denominator() -> re.Pattern[str]:
    lab = alternatives(_unit_table("lab"))
    return re.compile(rf" ?(?:%|/ ?(?:\d{{1,3}} ?)?(?:{lab}){_END}|/(?![0-9 ])| per (?:{lab}){_END}|[x×] ?10)")


_TIME_WORD = alternatives(UNITS)
_COUNTED = re.compile(
    rf"(?:(?P<times>{NUMBER}) ?(?:times|x)(?: ?/ ?| an? | per | each | every | )"
    rf"(?P<in>daily|weekly|monthly|{_TIME_WORD}))"
    rf"|(?P<how>every|each|q\.?|/(?= ?\d{{1,2}} ?h)) ?(?P<n>{NUMBER})"
    rf"(?: ?(?:-|to|or) ?(?:{NUMBER}))? ?-?(?P<unit>{_TIME_WORD}){_END}"
    rf"|(?P<hourly>{NUMBER}) ?-? ?hourly{_END}"
    rf"|on days? \d{{1,3}}(?:(?:, ?(?:and )?| and | ?- ?| to )\d{{1,3}}){{0,9}}{_END}"
)
_NEAR_COUNTS = Anchors(["times", "every", "each", "hourly", "on day"], r"\d ?x|q\.? ?\d|/ ?\d", before=30, after=60)
_DAYS_OF_WEEK = {"daily": "d", "weekly": "wk", "monthly": "mo"}


def find_routes(text: str) -> list[Route]:
    """Words for the route of administration, in order, none inside another."""
    return list(_routes(folded(text)))


@lru_cache(maxsize=2)
def _routes(low: str) -> tuple[Route, ...]:
    return tuple(
        Route(cue.start, cue.end, None if cue.kind == "unspecified" else cue.kind.lstrip("~"), cue.kind.startswith("~"))
        for cue in _longest(cues.find(low, "extraction/routes"))
    )


def find_frequencies(text: str) -> list[Frequency]:
    """Expressions of how often a medicine is given, in order, none inside another."""
    return list(_frequencies(folded(text)))


@lru_cache(maxsize=2)
def _frequencies(low: str) -> tuple[Frequency, ...]:
    found = [Cue(m.start(), m.end(), period or "-") for m in _counted(low) for period in [_period(m)]]
    found += cues.find(low, "extraction/frequencies")
    return tuple(Frequency(c.start, c.end, None if c.kind == "-" else c.kind) for c in _longest(found))


def _counted(low: str) -> Iterator[re.Match[str]]:
    for match in _NEAR_COUNTS.matches(_COUNTED, low):
        before = low[match.start() - 1 : match.start()]
        if not (before.isalnum() and match[0][0].isalnum()) and match[0] != "/":
            yield match


def _period(match: re.Match[str]) -> str | None:
    if match["times"]:
        times = number(match["times"])
        unit = _DAYS_OF_WEEK.get(match["in"]) or UNITS.get(match["in"], "")
        return _divided(unit, times) if times else None
    if match["hourly"]:
        return _every(number(match["hourly"]), "h")
    return _every(number(match["n"]), UNITS[match["unit"]]) if match["n"] else None


def _every(value: float | None, unit: str) -> str | None:
    if not value or value != int(value) or "." in unit:
        return None
    if unit == "h" and value == 24:
        return "d"
    return unit if value == 1 else f"{int(value)}.{unit}"


def _divided(unit: str, times: float) -> str | None:
    """The period of so many times in each unit, in whole hours where that is possible."""
    if times == 1:
        return unit
    hours = {"d": 24, "wk": 168}.get(unit, 0) / times
    return f"{int(hours)}.h" if hours and hours == int(hours) else None


def _longest(cues: Sequence[Cue]) -> list[Cue]:
    """The cues in order without those that overlap an earlier or, at the same place, longer one."""
    kept: list[Cue] = []
    for cue in sorted(cues, key=lambda c: (c.start, -c.end)):
        if not kept or cue.start >= kept[-1].end:
            kept.append(cue)
    return kept


# --- Doses ----------------------------------------------------------------------------------------------------------

_SENTENCE_BREAK = re.compile(r"[.;!?](?= |$)")
_CLAUSE_BREAK = re.compile(r"[.;!?](?= |$)|,| and | with | without | plus | followed | then | but ")
_LINK = re.compile(
    r"(?: (?:was|were|is|are|of|at|to|up|from|about|approximately|around|increased|rose|fell|decreased|dropped|only|"
    r"had|been|as|high|low|over|more|less|than|a|an|the|and|with|between|being|loss|gain|count|value))*[ (:=<>≥≤~]*"
)
_FREQUENCY_LINK = re.compile(
    r"[ -]*(?:(?:total|oral|intravenous|iv|divided|fixed) )?"
    r"(?:doses?|dosages?|dosing|regimen|infusions?|injections?|treatment|therapy)?(?: of| at)? ?"
)
_REACH = 45  # code points between an amount and a frequency or route that belongs to it
_CHANGE = re.compile(r"(?:increas|rais|reduc|decreas|lower|taper|chang|titrat|escalat)ed (?:gradually )?from $")


def find(text: str, start: int = 0, end: int | None = None) -> list[Dosage]:
    """Doses in ``text[start:end]``, in order; offsets count into ``text``."""
    return list(_found(folded(text), start, len(text) if end is None else end))


@lru_cache(maxsize=8)
def _found(low: str, start: int, end: int) -> tuple[Dosage, ...]:
    amounts = [a for match in _near_amounts().matches(_amount_pattern(), low) for a in _amounts(low, match)]
    amounts += [_auc(match) for match in _before_pattern().finditer(low)]
    amounts = [amount for amount in amounts if start <= amount.start and amount.end <= end]
    if not amounts:
        return ()
    amounts.sort(key=lambda a: a.start)
    context = _Context(low, amounts)
    found: list[Dosage] = []
    for index, amount in enumerate(amounts):
        previous = amounts[index - 1].end if index else start
        following = next((a.start for a in amounts[index + 1 : index + 3] if a.start >= amount.tail), end)
        dosage = context.complete(amount, min(previous, amount.start), following)
        if dosage is not None:
            found.append(dosage)
    return tuple(found)


class _Amount(NamedTuple):
    start: int
    end: int
    dose: float
    dose_high: float | None
    unit: str
    sort: str
    per: str | None
    per_span: Span | None
    multiplier: float | None
    tail: int  # where the words that may state its frequency and route begin: behind the second of "10/5 mg"


def _auc(match: re.Match[str]) -> _Amount:
    unit = _unit_table("before")[match["unit"]]
    return _Amount(
        match.start(), match.end(), number(match["low"]) or 0.0, None, unit, "dose", None, None, None, match.end()
    )


def _amounts(low: str, match: re.Match[str]) -> Iterator[_Amount]:
    """The amount of a match; two for "10/5 mg" and for changes ("reduced from 40 to 20 mg"); none for a measurement."""
    if _lab_denominator().match(low, match.end()):
        return
    sort = _sort_of()[match["unit"]]
    per_span, per, over = None, None, ""
    for part in _over_part().finditer(low, *match.span("over")) if match["over"] else ():
        if part[1] in _unit_table("time"):
            unit = _unit_table("time")[part[1]]
            if unit in ("min", "h"):
                over += f"/{unit}"
            else:
                per, per_span = unit, part.span()
        elif _unit_table("body")[part[1]] != "{dose}":
            over += f"/{_unit_table('body')[part[1]]}"
    units = _unit_table("dose", "weak", "form")
    unit = units[match["unit"]] + over
    first, second = number(match["low"]), number(match["high"]) if match["high"] else None
    count = number(match["count"]) if match["count"] else None
    if first is None or (match["high"] and second is None):
        return
    if match["power"]:
        first *= 10 ** int(match["power"])
    whole = _Amount(match.start(), match.end(), first, second, unit, sort, per, per_span, count, match.end())
    if second is None:
        yield whole
        return
    changed = match["join"] == " to " and _CHANGE.search(low, max(0, match.start() - 40), match.start())
    between = match["join"] == " and " and low.endswith("between ", 0, match.start())
    low_unit = units[match["low_unit"]] + over if match["low_unit"] else unit
    separate = match["join"] in ("/", " and ", " or ") and not between
    if separate or second < first or changed or low_unit != unit:
        first_end = match.end("low_unit") if match["low_unit"] else match.end("low")
        yield whole._replace(end=first_end, dose_high=None, unit=low_unit, per_span=None)
        yield whole._replace(start=match.start("high"), dose=second, dose_high=None, multiplier=None)
    else:
        yield whole


class _Context:
    """The words around the amounts of one text."""

    def __init__(self, low: str, amounts: Sequence[_Amount]) -> None:
        self.low = low
        self.routes = _routes(low)
        self.route_starts = [r.start for r in self.routes]
        self.frequencies = _frequencies(low)
        self.frequency_starts = [f.start for f in self.frequencies]
        self.cues = cues.find(low, "extraction/units_context")
        self.cue_starts = [c.start for c in self.cues]

    def complete(self, amount: _Amount, previous: int, following: int) -> Dosage | None:
        """The amount with its frequency, route and kind; ``None`` if its context says that it is no dose."""
        frequency = None if amount.per else self._frequency(amount, following)
        route = self._route(amount, previous, following)
        if self._is_measured(amount, has_regimen=bool(frequency or route)) or not self._is_dose(amount):
            return None
        kinds = {c.kind for c in self._adjacent(amount)}
        kind = next((k.removeprefix("dose.") for k in sorted(kinds) if k.startswith("dose.")), None)
        start, end = amount.start, amount.end
        if frequency and 0 <= frequency.start - end <= 2 and not self.low[end : frequency.start].strip(" ,"):
            end = frequency.end
        return Dosage(
            start, end, amount.dose, amount.dose_high, amount.unit,
            amount.per or (frequency.period if frequency else None),
            route.value if route else None, "cumulative" in kinds, kind, amount.multiplier,  # type: ignore[arg-type]
            (amount.start, amount.end),
            amount.per_span or (frequency[:2] if frequency else None),
            route[:2] if route else None,
        )  # fmt: skip

    def _frequency(self, amount: _Amount, following: int) -> Frequency | None:
        at = bisect_left(self.frequency_starts, amount.tail)
        if at:
            before = self.frequencies[at - 1]
            if before.end <= amount.start and _FREQUENCY_LINK.fullmatch(self.low, before.end, amount.start):
                return before
        best = None
        for after in self.frequencies[at : at + 2]:  # "on day 1 every 3 weeks": the one with a period counts
            gap = self.low[amount.tail : after.start]
            if after.start >= following or len(gap) > _REACH or _SENTENCE_BREAK.search(gap):
                break
            if best is None or (best.period is None and after.period):
                best = after
        return best

    def _route(self, amount: _Amount, previous: int, following: int) -> Route | None:
        at = bisect_left(self.route_starts, amount.tail)
        best: tuple[int, Route] | None = None
        for route in self.routes[at : at + 2]:
            gap = self.low[amount.tail : route.start]
            reach = 20 if route.hint else _REACH
            if route.value and route.start < following and len(gap) <= reach and not _CLAUSE_BREAK.search(gap):
                best = (len(gap) + 100 * route.hint, route)
                break
        for route in reversed(self.routes[max(0, at - 2) : at]):
            gap = self.low[route.end : amount.start]
            reach = 20 if route.hint else _REACH
            if route.value and previous <= route.end and len(gap) <= reach and not _SENTENCE_BREAK.search(gap):
                if best is None or len(gap) + 100 * route.hint < best[0]:
                    best = (len(gap) + 100 * route.hint, route)
                break
        return best[1] if best else None

    def _nearby(self, start: int, end: int) -> list[Cue]:
        return self.cues[bisect_left(self.cue_starts, start) : bisect_right(self.cue_starts, end)]

    def _adjacent(self, amount: _Amount) -> Iterator[Cue]:
        for cue in self._nearby(amount.start - 40, amount.end + 3):
            gap = self.low[cue.end : amount.start] if cue.end <= amount.start else self.low[amount.end : cue.start]
            if not gap.strip(" -") or (cue.end <= amount.start and gap.strip() in ("of", "at", "daily")):
                yield cue

    def _is_measured(self, amount: _Amount, *, has_regimen: bool) -> bool:
        for cue in self._nearby(amount.start - 60, amount.end + 3):
            if cue.kind in ("before.lab", "before.substance") and cue.end <= amount.start:
                if cue.kind == "before.substance" and has_regimen:
                    continue
                if _LINK.fullmatch(self.low, cue.end, amount.start):
                    return True
            elif cue.kind == "after.lab" and amount.end <= cue.start <= amount.end + 1:
                return True
        return False

    def _is_dose(self, amount: _Amount) -> bool:
        if amount.dose <= 0:
            return False
        if amount.unit == "%":
            return any(c.kind == "after.formulation" for c in self._nearby(amount.end, amount.end + 25))
        if amount.sort == "weak" and (amount.unit.endswith("/min") or self.low.endswith(" in ", 0, amount.start)):
            return False  # a clearance or a flow; what a medicine is dissolved in
        if amount.sort != "weak":
            return True
        left = max(0, amount.start - 80)
        right = amount.end + 60
        breaks = [m.end() for m in _SENTENCE_BREAK.finditer(self.low, left, amount.start)]
        left = breaks[-1] if breaks else left
        stop = _SENTENCE_BREAK.search(self.low, amount.end, right)
        right = stop.start() if stop else right
        return any(c.kind == "near.dose" for c in self._nearby(left, right))
