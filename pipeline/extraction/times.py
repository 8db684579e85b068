"""Reads expressions of time from text: how long, how long after what, on which day, on which date.

Belongs here: quantities of time and the words next to them that say what they relate.  Does not belong here: what began
or ended then (the time line of a case).  The words are data: ``mappings/extraction/times_numbers.tsv``,
``times_units.tsv`` and ``times_context.tsv``.  Durations are ISO 8601 in the unit of the text ("5 weeks" is ``P5W``); a
quantity without a number ("several years") has none.  Ages, frequencies and gestation are left out.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from pipeline.extraction import cues
from pipeline.extraction.dosage import folded
from pipeline.extraction.numbers import (
    NEAR_UNITS,
    NUMBER,
    ORDINAL,
    UNIT_SHORT,
    UNIT_WORD,
    UNITS,
    VAGUE,
    Anchors,
    alternatives,
    iso_duration,
    number,
)
from pipeline.records import Span

Relation = Literal[
    "duration", "after", "before", "within", "day_number", "history", "later", "since", "followup", "date"
]
Anchor = Literal["start", "stop", "dose_change", "reaction", "admission", "procedure"]


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """One expression of time.

    ``start`` and ``end`` span the quantity, ordinal or date itself ("5 weeks", "the third day", "March 2004");
    ``cue_span`` the word that gives the relation ("after", "later").  ``iso`` is the duration (lower end of a range)
    or the date, ``iso_high`` the upper end.  ``relation`` is ``None`` where no word tells it.  ``anchor`` is what the
    time is counted from, where the text says so: "day 3 of treatment" is ``P3D``, ``day_number``, from the ``start``.
    """

    start: int
    end: int
    iso: str | None
    iso_high: str | None
    relation: Relation | None
    cue_span: Span | None
    anchor: Anchor | None
    anchor_span: Span | None


_END = r"(?![^\W_])"
_BETWEEN = r"(?:(?:consecutive|further|additional|more|full|whole|further|post-?operative|continuous|or so|long) )?"
_VAGUE = alternatives(VAGUE)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = "|".join(f"{m[:3]}(?:{m[3:]})?" if len(m) > 3 else m for m in _MONTHS)

_QUANTITY = re.compile(
    rf"(?<![\w.,/])(?P<low>{NUMBER})(?: ?(?:-|to|or|~|and)(?: to)? ?(?P<high>{NUMBER}))?"
    rf"(?: of)?(?: ?- ?| )?(?:{_BETWEEN}(?P<unit>{UNIT_WORD})|(?P<short>{UNIT_SHORT})){_END}(?P<half> and a half)?"
)
_ARTICLE = re.compile(
    rf"(?<![^\W_])(?:(?P<half>half) (?:an? )?|(?P<couple>an? couple(?: of)?) |(?:an? |the )?(?P<vague>{_VAGUE}) |an? )"
    rf"{_BETWEEN}(?P<unit>{UNIT_WORD}){_END}"
)
_ORDINAL = re.compile(
    rf"(?<![^\W_])(?:the )?(?:very )?(?P<n>{ORDINAL}|next|following|same)(?: (?:or|and|to) {ORDINAL})?[ -]"
    rf"(?:post-?operative |treatment |hospital |very )?(?P<unit>day|week|month|year|hour){_END}"
)
_NUMBERED = re.compile(
    rf"(?<![^\W_])(?P<unit>day|week|month|year)s? ?(?:\+ ?|no\.? ?|# ?)?"
    rf"(?P<low>\d{{1,4}}|one|two|three|four|five|six|seven|eight|nine|ten){_END}"
    rf"(?: ?(?:-|to|and) ?(?P<high>\d{{1,4}}){_END})?(?! ?(?:%|mg|(?:{UNIT_WORD}){_END}))"
)
_BARE = re.compile(
    rf"(?<![^\W_])(?:within|after|for|over) (?P<unit>seconds|minutes|hours|days|weeks|months|years|decades){_END}"
)
_DATE = re.compile(
    rf"(?<![^\W_])(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?)?(?P<month>{_MONTH})\.?,? "
    rf"(?:(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,? )?(?:of )?(?P<year>(?:19|20)\d\d)(?!\d)"
    rf"|(?<![\w-])(?P<iso>(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?![\w-])"
    rf"|(?<![^\W_])(?:in|since|until|during) (?P<only>(?:19|20)\d\d)(?![\w%-])"
)
# What may stand between a cue and its quantity.
_GAP_BEFORE = re.compile(
    r"[ (]*(?:(?:about|approximately|only|around|almost|nearly|~|at least|another|roughly|some) ?)?"
)
_GAP_BEHIND = re.compile(r"(?:,? respectively,? |['’]?[ -]?)")
_ARTICLE_OF_TIME = re.compile(r"(?:an?|the) ")
_COUNTED_FROM = re.compile(r"['’]? ?(?:after|following|of|from|post|before|prior to|into|since|on|under|with)(?= |-)")
_CLAUSE_END = re.compile(r"[.;:,()](?= |$)|$")
_WINDOW = 70  # code points in which the anchor of a time is looked for


_NEAR_YEARS = Anchors([], r"(?:19|20)\d\d", before=40, after=10)


class _Found(NamedTuple):
    start: int
    end: int
    iso: str | None
    high: str | None
    relation: Relation | None  # given by the form itself
    needs_cue: bool


class _Cues(NamedTuple):
    ending: dict[int, list[tuple[int, str]]]
    beginning: dict[int, list[tuple[int, str]]]
    anchors: list[tuple[int, int, str]]


def _cues(low: str) -> _Cues:
    """The cues of a text."""
    ending: dict[int, list[tuple[int, str]]] = defaultdict(list)
    beginning: dict[int, list[tuple[int, str]]] = defaultdict(list)
    anchors = []
    for cue in cues.find(low, "extraction/times_context"):
        place, _, kind = cue.kind.partition(".")
        if place == "before":
            ending[cue.end].append((cue.start, kind))
        elif place == "behind":
            beginning[cue.start].append((cue.end, kind))
        else:
            anchors.append((cue.start, cue.end, kind))
    return _Cues(ending, beginning, anchors)


def find(text: str, start: int = 0, end: int | None = None) -> list[TimeExpression]:
    """Expressions of time in ``text[start:end]``, in order, none inside another; offsets count into ``text``."""
    every, begins = _all(folded(text))
    inside = every[bisect_left(begins, start) : bisect_left(begins, len(text) if end is None else end)]
    return [one for one in inside if end is None or one.end <= end]


@lru_cache(maxsize=2)
def _all(low: str) -> tuple[tuple[TimeExpression, ...], list[int]]:
    """The expressions of a text, and where they start."""
    found = sorted(_candidates(low), key=lambda f: (f.start, -f.end))
    near = _cues(low) if found else _Cues({}, {}, [])
    kept: list[TimeExpression] = []
    reached = -1
    for place, one in enumerate(found, 1):
        if one.start < reached:
            continue
        following = next((other.start for other in found[place : place + 3] if other.start >= one.end), len(low))
        expression = _in_context(low, one, following, near)
        if expression is not None:
            kept.append(expression)
            reached = one.end
    return tuple(kept), [one.start for one in kept]


def _candidates(low: str) -> Iterator[_Found]:
    for match in NEAR_UNITS.matches(_QUANTITY, low):
        yield from _quantity(match)
    for match in NEAR_UNITS.matches(_ARTICLE, low):
        value = 0.5 if match["half"] else 2.0 if match["couple"] else None if match["vague"] else 1.0
        iso = None if value is None else iso_duration(value, UNITS[match["unit"]])
        yield _Found(*match.span(), iso, None, None, needs_cue=not (match["vague"] or match["half"]))
    for match in NEAR_UNITS.matches(_ORDINAL, low):
        unit = UNITS[match["unit"]]
        if match["n"] in ("next", "following"):
            yield _Found(*match.span(), iso_duration(1, unit), None, "later", needs_cue=False)
        elif match["n"] == "same":
            yield _Found(*match.span(), None, None, "within", needs_cue=False)
        else:
            value = number(match["n"])
            yield _Found(
                *match.span(), iso_duration(value, unit) if value else None, None, "day_number", needs_cue=False
            )
    for match in NEAR_UNITS.matches(_NUMBERED, low):
        unit, first = UNITS[match["unit"]], number(match["low"])
        last = number(match["high"]) if match["high"] else None
        if first is not None and not (match["unit"] == "year" and first >= 1000):
            high = iso_duration(last, unit) if last and last > first else None
            yield _Found(*match.span(), iso_duration(first, unit), high, "day_number", needs_cue=False)
    for match in NEAR_UNITS.matches(_BARE, low):
        yield _Found(*match.span("unit"), None, None, None, needs_cue=True)
    for match in _NEAR_YEARS.matches(_DATE, low):
        yield _date(match)


def _quantity(match: re.Match[str]) -> Iterator[_Found]:
    word = match["unit"] or match["short"]
    if match["short"] and not match["low"][0].isdigit():
        return
    if match["unit"] and not match["low"][0].isdigit() and match.start("unit") == match.end("low"):
        return  # "tenday"
    unit, first = UNITS[word], number(match["low"])
    last = number(match["high"]) if match["high"] else None
    if first is None:
        return
    first += 0.5 * bool(match["half"])
    high = iso_duration(last, unit) if last is not None and last > first else None
    yield _Found(*match.span(), iso_duration(first, unit), high, None, needs_cue=match["short"] is not None)


def _date(match: re.Match[str]) -> _Found:
    if match["iso"]:
        return _Found(*match.span(), match["iso"], None, "date", needs_cue=False)
    if match["only"]:
        return _Found(*match.span("only"), match["only"], None, "date", needs_cue=False)
    month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(match["month"][:3]))
    day = int(match["day"] or match["day2"] or 0)
    iso = f"{match['year']}-{month:02d}" + (f"-{day:02d}" if 0 < day <= 31 else "")
    return _Found(*match.span(), iso, None, "date", needs_cue=False)


def _in_context(low: str, one: _Found, following: int, cues: _Cues) -> TimeExpression | None:
    """The expression with its relation and anchor; ``None`` where the words around make it something else.

    ``following``: where the next one begins, to which the words behind it belong.
    """
    if one.relation in ("date", "later"):
        return TimeExpression(one.start, one.end, one.iso, one.high, one.relation, None, None, None)
    before = _before(low, one.start, cues)
    gap = _GAP_BEHIND.match(low, one.end)
    at = gap.end() if gap else one.end
    behind = max(cues.beginning.get(at, []) + cues.beginning.get(one.end, []), default=None)
    if (before and before[2] == "no") or (behind and behind[1] == "no" and one.relation is None):
        return None
    relation: str | None = one.relation
    cue: Span | None = None
    if relation is None:
        if behind and behind[1] in ("history", "later", "before", "followup", "after"):
            relation, cue = behind[1], (at, behind[0])
            counted = before is not None and (
                before[2] in ("within", "since") or (low.startswith("for", before[0]) and low.startswith("from", at))
            )
            if relation == "after" and before and counted:
                relation, cue = before[2], (before[0], before[1])  # "for ten years from"
        elif before:
            relation, cue = before[2], (before[0], before[1])
        elif behind:
            relation, cue = "duration", (at, behind[0])
    if relation is None and one.needs_cue:
        return None
    anchor = None if relation in ("history", "later", "duration") else _anchor(low, one.end, following, cues)
    assert relation is None or relation in get_args(Relation)
    return TimeExpression(
        one.start, one.end, one.iso, one.high, relation, cue,  # type: ignore[arg-type]
        anchor[2] if anchor else None, anchor[:2] if anchor else None,  # type: ignore[arg-type]
    )  # fmt: skip


def _before(low: str, start: int, cues: _Cues) -> tuple[int, int, str] | None:
    """The longest cue that ends right before a place, hedges ("about") left out."""
    article = _ARTICLE_OF_TIME.match(low, start)
    hits = cues.ending.get(article.end() - 1) if article else None
    if article and hits and min(hits)[0] < start:  # "after a" of "after a month"
        return min(hits)[0], article.end() - 1, min(hits)[1]
    for at in range(start, max(-1, start - 20), -1):
        hits = cues.ending.get(at)
        if hits and _GAP_BEFORE.fullmatch(low, at, start):
            begin, kind = min(hits)
            return begin, at, kind
    return None


def _anchor(low: str, end: int, following: int, cues: _Cues) -> tuple[int, int, str] | None:
    """What the time is counted from: a stop named anywhere in the phrase wins over the treatment that it stopped."""
    if not _COUNTED_FROM.match(low, end):
        return None
    stop = _CLAUSE_END.search(low, end, end + _WINDOW)
    last = min(stop.start() if stop else end + _WINDOW, following)
    begin = bisect_left(cues.anchors, (end, 0, ""))
    hits = cues.anchors[begin : bisect_right(cues.anchors, (last, 0, ""))]
    named = [hit for hit in hits if hit[2] != "given"]
    given = [(hit[0], hit[1], "start") for hit in hits if hit[2] == "given"]
    if given and named and given[0][0] < named[0][0] and named[0][2] not in ("stop", "dose_change", "start"):
        return given[0]
    return named[0] if named else given[0] if given else None
