"""Finds cue phrases ("was discontinued", "no evidence of") in one pass over a text.

Belongs here: the phrase grammar and the matcher.  Does not belong here: what a cue means for a case, and the phrases
themselves, which are data in ``mappings/extraction/cues/*.tsv``:

    kind <TAB> phrase pattern

A phrase pattern is words with alternatives ``(a|b c|)``; an empty alternative makes a group optional; groups nest.
It is expanded to the finite list of phrases it stands for, so matching is one Aho-Corasick pass: linear in the text
however many cues there are.  A phrase matches whole words, whatever its case and whatever white space is between them.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick

from pipeline.data import MAPPINGS, DataFileError, rows

FOLDER = MAPPINGS / "extraction" / "cues"
_MARK = re.compile(r"([()|])")
_start = attrgetter("start")
_SEARCHED = 12
"""Characters of a phrase that the automaton holds; the rest is looked up. It takes half the time to build."""


class Cue(NamedTuple):
    """One cue phrase in a text: code point offsets and the kind its data file gives it (``"drug.stop"``)."""

    start: int
    end: int
    kind: str


class _Families(dict[str, str]):
    """The family of each kind, looked up once: the kinds are those of the data files, a few hundred."""

    def __missing__(self, kind: str) -> str:
        self[kind] = family = kind.partition(":")[0]
        return family


FAMILY = _Families()
"""Kind of a cue (``"stop:before"``) to its family (``"stop"``)."""


class CueFileError(DataFileError):
    """The brackets of a phrase pattern do not balance."""


def expand(pattern: str) -> list[str]:
    """All phrases that a pattern stands for, white space squeezed.

    >>> expand("(was|were) (abruptly |)stopped")
    ['was abruptly stopped', 'was stopped', 'were abruptly stopped', 'were stopped']
    """
    done: list[list[str]] = [[]]
    current = [[""]]  # phrases so far, by depth of nesting; in ``done`` those of alternatives that are complete
    for number, part in enumerate(_MARK.split(pattern)):
        if number % 2 == 0 and part:
            current[-1] = [left + part for left in current[-1]]
        elif part == "(":
            done.append([])
            current.append([""])
        elif part == "|" and len(current) > 1:
            done[-1] += current[-1]
            current[-1] = [""]
        elif part == "|":
            current[-1] = [left + part for left in current[-1]]
        elif part == ")":
            if len(current) == 1:
                raise CueFileError(f"')' without '(' in {pattern!r}")
            inner = done.pop() + current.pop()
            current[-1] = [left + right for left in current[-1] for right in inner]
    if len(current) > 1:
        raise CueFileError(f"'(' without ')' in {pattern!r}")
    return list(dict.fromkeys(" ".join(phrase.split()) for phrase in current[0]))


def read_cues(path: Path) -> Iterator[tuple[str, str]]:
    """``(kind, phrase)`` for every phrase of one cue file.

    Raises:
        DataFileError: a line has not exactly two tab-separated columns, or its brackets do not balance.
    """
    for kind, pattern in rows(path, 2):
        try:
            phrases = expand(pattern)
        except CueFileError as error:
            raise CueFileError(f"{path.name}, {kind}: {error}") from None
        for phrase in phrases:
            yield kind, phrase


_Kind = tuple[int, int, str]  # the number of the set, the number of the family, and the kind


class CueMatcher:
    """Matches the cues of several sets in one pass; of one family (the kind up to ``:``) of a set none lies in another.

    ``sets`` are the ``(kind, phrase)`` of each set by its name.
    """

    def __init__(self, sets: Mapping[str, Iterable[tuple[str, str]]]) -> None:
        self._sets = tuple(sets)
        families: dict[tuple[str, str], int] = {}
        kinds: dict[str, tuple[_Kind, ...]] = {}
        for number, (name, cues) in enumerate(sets.items()):
            alone: dict[str, tuple[_Kind, ...]] = {}  # hundreds of phrases share one kind, and so its tuple
            for kind, phrase in cues:
                own = alone.get(kind)
                if own is None:
                    family = families.setdefault((name, kind.partition(":")[0]), len(families))
                    alone[kind] = own = ((number, family, kind),)
                low = phrase.lower()
                known = kinds.get(low)
                if known is None:
                    kinds[low] = own
                elif own[0] not in known:
                    kinds[low] = known + own
        self._families = len(families)
        groups: dict[str, dict[int, dict[str, tuple[_Kind, ...]]]] = {}
        for phrase, own in kinds.items():
            groups.setdefault(phrase[:_SEARCHED], {}).setdefault(len(phrase), {})[phrase] = own
        self._groups = [list(group.items()) for group in groups.values()]
        self._automaton = BytesAhoCorasick(map(_titled, groups))

    def find(self, folded: str) -> dict[str, list[Cue]]:
        """Cues of a text already folded by :func:`fold`, by set, sorted by place; the longest of a family wins."""
        padded = f" {folded} "
        groups = self._groups
        hits: list[tuple[int, int, tuple[_Kind, ...]]] = []
        for group, start, _ in self._automaton.find_matches_as_indexes(_titled(folded), overlapping=True):
            if padded[start].isalnum() and padded[start + 1].isalnum():
                continue
            for size, phrases in groups[group]:
                end = start + size
                kinds = phrases.get(folded[start:end])
                if kinds is not None and not (padded[end + 1].isalnum() and padded[end].isalnum()):
                    hits.append((start, -end, kinds))
        hits.sort()
        new = tuple.__new__  # a third of the time that Cue(...) takes
        found: list[list[Cue]] = [[] for _ in self._sets]
        reached = [0] * self._families  # where the last cue of each family ends
        for start, minus_end, kinds in hits:
            end = -minus_end
            for number, family, kind in kinds:
                if reached[family] < end:
                    reached[family] = end
                    found[number].append(new(Cue, (start, end, kind)))
        return dict(zip(self._sets, found, strict=True))


def _titled(folded: str) -> bytes:
    """One byte a code point, the first letter of each word a capital: what starts inside a word is not found at all.

    What is not ASCII becomes ``?``, so that a hit still has to be compared with the text.
    """
    return folded.encode("ascii", "replace").title()


_SPACES = {ord(c): " " for c in "\n\r\t\v\f\u00a0\u2009\u202f\u2007"}
_DASHES = {ord(c): "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2212"}
_QUOTES = {ord(c): "'" for c in "\u2018\u2019\u02bc"}
_LENGTHENING = {ord("İ"): "i"}
_FOLD = _SPACES | _DASHES | _QUOTES | _LENGTHENING
_FOLDED = re.compile(f"[{re.escape(''.join(map(chr, _FOLD)))}]")


def fold(text: str) -> str:
    """Lower-cased copy of the same length in which any white space, dash or apostrophe is the plain one.

    Code points whose lower-case form is longer keep their length, so offsets stay valid.
    """
    plain = text.translate(_FOLD) if text.isascii() else _FOLDED.sub(_fold_one, text)
    folded = plain.lower()
    if len(folded) == len(text):
        return folded
    return "".join(c if len(c.lower()) != 1 else c.lower() for c in plain)


def _fold_one(match: re.Match[str]) -> str:
    return _FOLD[ord(match[0])]


_FILES = (
    "extraction/routes",
    "extraction/frequencies",
    "extraction/units_context",
    "extraction/times_context",
    "extraction/demographics",
    "extraction/investigations",
    "extraction/procedures",
    "assessment/cues",
    "assessment/seriousness",
    "assessment/author_statements",
)
"""Sets of one file: its place in ``mappings``, without the ending."""


@cache
def matcher() -> CueMatcher:
    """The matcher over all shipped sets: those of ``_FILES``, and ``extraction/cues``, which is all in that folder."""
    sets = {name: read_cues(MAPPINGS / f"{name}.tsv") for name in _FILES}
    folder = (cue for path in sorted(FOLDER.glob("*.tsv")) for cue in read_cues(path))
    return CueMatcher({"extraction/cues": folder, **sets})


@lru_cache(maxsize=8)
def _found(folded: str) -> dict[str, list[Cue]]:
    return matcher().find(folded)


def find(folded: str, name: str = "extraction/cues") -> list[Cue]:
    """The cues of one shipped set, in order; those of the last texts are remembered, and not to be changed."""
    return _found(folded)[name]


def within(cues: Sequence[Cue], start: int, end: int) -> list[Cue]:
    """The cues of a sorted list that lie inside a stretch."""
    inside = cues[bisect_left(cues, start, key=_start) : bisect_left(cues, end, key=_start)]
    return [cue for cue in inside if cue.end <= end]
