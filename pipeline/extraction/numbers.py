"""Reads numbers and quantities of time as English writes them.

Belongs here: numerals, number words, ordinals, ranges' ends, units of time, ISO 8601.  Does not belong here: what the
number counts in a case (:mod:`dosage`, :mod:`times`, :mod:`demographics`).  The words are data in
``mappings/extraction/times_numbers.tsv`` and ``times_units.tsv``.  All patterns are for text folded by
:func:`pipeline.extraction.cues.fold`; every repetition in them is bounded, so matching takes linear time.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from ahocorasick_rs import AhoCorasick, MatchKind

from pipeline.data import MAPPINGS, rows
from pipeline.extraction.cues import expand
from pipeline.records import Span


@cache
def table(name: str, columns: int) -> list[tuple[str, ...]]:
    """Rows of ``mappings/extraction/<name>.tsv`` without comments.

    Raises:
        DataFileError: a row has not exactly ``columns`` tab-separated columns; the message names file and line.
    """
    return rows(MAPPINGS / "extraction" / f"{name}.tsv", columns)


def alternatives(words: Iterable[str]) -> str:
    """A regular expression (without brackets) for any of the words, the longest first."""
    return "|".join(re.escape(word).replace(r"\ ", " ") for word in sorted(set(words), key=lambda w: (-len(w), w)))


def _words(kind: str) -> dict[str, float]:
    return {word: float(value or "nan") for row, value, word in table("times_numbers", 3) if row == kind}


CARDINALS = _words("cardinal")
ORDINALS = _words("ordinal")
VAGUE = frozenset(_words("vague"))
ARTICLES = frozenset(_words("article"))

_TENS = alternatives(word for word, value in CARDINALS.items() if 20 <= value <= 90)
_ONES = alternatives(word for word, value in CARDINALS.items() if 1 <= value <= 9)
_OTHERS = alternatives(word for word in CARDINALS if word not in ("half", "couple", "dozen"))

# Thousands by comma ("1,000"), decimal comma only with one or two digits ("0,5"), Lancet's middle dot ("0·5").
DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,3}(?![\d,])(?:\.\d{1,4})?|\d{1,3},\d{1,2}(?![\d,])|\d{1,7}(?:[.·]\d{1,5})?)"
_HALF = r"(?:-? ?\(?1/2\)?| ?½|-and-a-half| and (?:a|one)[ -]half)?"
WORDS = rf"(?:(?:{_TENS})[ -](?:{_ONES})|{_OTHERS})"
NUMBER = rf"(?:{DIGITS}{_HALF}|½|{WORDS}{_HALF})"
"""A number in digits or words, fractions included."""
_FIRST_TO_NINTH = alternatives(word for word, value in ORDINALS.items() if value <= 9)
ORDINAL = rf"(?:\d{{1,3}}(?:st|nd|rd|th)|(?:{_TENS})[ -](?:{_FIRST_TO_NINTH})|{alternatives(ORDINALS)})"

_SPLIT_HALF = re.compile(r"(?:-? ?\(?1/2\)?| ?½|-and-a-half| and (?:a|one)[ -]half)$")


def number(text: str) -> float | None:
    """Value of a folded match of :data:`NUMBER` or :data:`ORDINAL`; ``None`` for what is neither.

    >>> number("1,000"), number("two and a half"), number("twenty-first"), number("0,5")
    (1000.0, 2.5, 21.0, 0.5)
    """
    text = text.strip()
    half = _SPLIT_HALF.search(text)
    if half:
        if half.start() == 0:
            return 0.5
        whole = number(text[: half.start()])
        return None if whole is None else whole + 0.5
    if text in CARDINALS:
        return CARDINALS[text]
    if text in ORDINALS:
        return ORDINALS[text]
    if text in ARTICLES:
        return 1.0
    if text[:1].isdigit():
        digits = re.fullmatch(r"([\d.,·]+)(?:st|nd|rd|th)?", text)
        if digits is None:
            return None
        plain = digits[1].replace("·", ".")
        head, _, tail = plain.rpartition(",")
        plain = f"{head}.{tail}" if head and "." not in plain and len(tail) < 3 else plain.replace(",", "")
        try:
            return float(plain)
        except ValueError:
            return None
    left, _, right = text.replace("-", " ").partition(" ")
    tens, ones = CARDINALS.get(left), CARDINALS.get(right, ORDINALS.get(right))
    return tens + ones if tens is not None and ones is not None else None


# --- Where to look ------------------------------------------------------------------------------------------------


class Anchors:
    """The stretches of a text in which a pattern can match: around words or a cheap pattern that it needs.

    Matching a long pattern everywhere is what costs time; one pass for its anchors costs a hundredth of it.
    """

    def __init__(self, words: Iterable[str], pattern: str | None, *, before: int, after: int) -> None:
        self._words = AhoCorasick(sorted(set(words)), matchkind=MatchKind.LeftmostLongest)
        self._pattern = re.compile(pattern) if pattern else None
        self._before, self._after = before, after
        self.stretches = lru_cache(maxsize=2)(self._stretches)

    def _stretches(self, low: str) -> list[Span]:
        """Disjoint spans in order, cut so that no match with an anchor is lost."""
        places = [(start, end) for _, start, end in self._words.find_matches_as_indexes(low)]
        if self._pattern:
            places += [match.span() for match in self._pattern.finditer(low)]
        return around(places, self._before, self._after, len(low))

    def matches(self, pattern: re.Pattern[str], low: str) -> Iterator[re.Match[str]]:
        """Matches of the pattern near its anchors, in order."""
        for start, end in self.stretches(low):
            yield from pattern.finditer(low, start, end)


def around(places: Iterable[Span], before: int, after: int, size: int) -> list[Span]:
    """The spans widened by so many code points, and merged where they meet."""
    merged: list[Span] = []
    for start, end in sorted(places):
        left, right = max(0, start - before), min(size, end + after)
        if merged and left <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


# --- Units of time --------------------------------------------------------------------------------------------------

UNITS = {word: unit for unit, _, pattern in table("times_units", 3) for word in expand(pattern)}
"""Folded unit word to UCUM unit (``"weeks"`` to ``"wk"``)."""
UNIT_WORD = alternatives(w for _, how, pattern in table("times_units", 3) if how == "word" for w in expand(pattern))
UNIT_SHORT = alternatives(w for _, how, pattern in table("times_units", 3) if how == "short" for w in expand(pattern))

NEAR_UNITS = Anchors(
    (word for _, how, pattern in table("times_units", 3) if how == "word" for word in expand(pattern)),
    rf"\d[)½]? ?-? ?(?:(?:{UNIT_SHORT})(?![^\W_])|y[/.]?o)",
    before=50,
    after=40,
)
"""Where a quantity of time can stand."""

# ISO 8601 designator, the next finer unit and how many of it (a month counts thirty days, as in E2B time spans).
_ISO = {
    "a": ("P{}Y", "mo", 12), "mo": ("P{}M", "d", 30), "wk": ("P{}W", "d", 7), "d": ("P{}D", "h", 24),
    "h": ("PT{}H", "min", 60), "min": ("PT{}M", "s", 60), "s": ("PT{}S", "", 0),
}  # fmt: skip


def iso_duration(value: float, unit: str) -> str:
    """ISO 8601 duration in the unit the text uses; a fraction goes to the next finer unit.

    >>> iso_duration(5, "wk"), iso_duration(24, "h"), iso_duration(1.5, "a"), iso_duration(1.5, "mo")
    ('P5W', 'PT24H', 'P18M', 'P45D')
    """
    count, _, base = unit.rpartition(".")
    value *= float(count or 1)
    pattern, finer, times = _ISO[base]
    if value != int(value):
        if finer and value * times == int(value * times):
            return iso_duration(value * times, finer)
        value = value * times if finer else value
        pattern = _ISO[finer][0] if finer else pattern
    return pattern.format(round(value))


_DAYS = {"a": 365.25, "mo": 30.4375, "wk": 7.0, "d": 1.0, "h": 1 / 24, "min": 1 / 1440, "s": 1 / 86400}


def in_days(value: float, unit: str) -> float:
    """Length in days of a quantity of time, for comparing quantities in different units."""
    count, _, base = unit.rpartition(".")
    return value * float(count or 1) * _DAYS[base]
