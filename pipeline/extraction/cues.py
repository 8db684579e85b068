"""Finds cue phrases ("was discontinued", "no evidence of") in one pass over a text.

Belongs here: the phrase grammar and the matcher.  Does not belong here: what a cue means for a case, and the phrases
themselves, which are data in ``mappings/extraction/cues/*.tsv``:

    kind <TAB> phrase pattern

A phrase pattern is words with alternatives ``(a|b c|)``; an empty alternative makes a group optional; groups nest.
It is expanded to the finite list of phrases it stands for, so matching is one Aho-Corasick pass: linear in the text
however many cues there are.  A phrase matches whole words, whatever its case and whatever white space is between them.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from pipeline.data import MAPPINGS, DataFileError, rows

FOLDER = MAPPINGS / "extraction" / "cues"
_MARK = re.compile(r"([()|])")


class Cue(NamedTuple):
    """One cue phrase in a text: code point offsets and the kind its data file gives it (``"drug.stop"``)."""

    start: int
    end: int
    kind: str


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


class CueMatcher:
    """Matches all cues of some files; of one family (the kind up to ``:``) none lies inside another."""

    def __init__(self, cues: Iterator[tuple[str, str]]) -> None:
        kinds: dict[str, list[str]] = {}
        for kind, phrase in cues:
            found = kinds.setdefault(phrase.lower(), [])
            if kind not in found:
                found.append(kind)
        self._phrases = list(kinds)
        self._kinds = [tuple(kinds[phrase]) for phrase in self._phrases]
        self._automaton = AhoCorasick(self._phrases, matchkind=MatchKind.Standard)

    def find(self, folded: str) -> list[Cue]:
        """Cues of a text already folded by :func:`fold`, sorted by place; the longest of a family wins."""
        best: dict[tuple[str, int], int] = {}
        size = len(folded)
        for index, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if (start and folded[start - 1].isalnum() and folded[start].isalnum()) or (
                end < size and folded[end].isalnum() and folded[end - 1].isalnum()
            ):
                continue
            for kind in self._kinds[index]:
                if best.get((kind, start), 0) < end:
                    best[kind, start] = end
        cues: list[Cue] = []
        last_end: dict[str, int] = {}
        for (kind, start), end in sorted(best.items(), key=lambda item: (item[0][1], -item[1])):
            family = kind.partition(":")[0]
            if end > last_end.get(family, 0):
                last_end[family] = end
                cues.append(Cue(start, end, kind))
        return cues


_SPACES = {ord(c): " " for c in "\n\r\t\v\f\u00a0\u2009\u202f\u2007"}
_DASHES = {ord(c): "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2212"}
_QUOTES = {ord(c): "'" for c in "\u2018\u2019\u02bc"}
_LENGTHENING = {ord("İ"): "i"}
_FOLD = _SPACES | _DASHES | _QUOTES | _LENGTHENING


def fold(text: str) -> str:
    """Lower-cased copy of the same length in which any white space, dash or apostrophe is the plain one.

    Code points whose lower-case form is longer keep their length, so offsets stay valid.
    """
    folded = text.translate(_FOLD).lower()
    if len(folded) == len(text):
        return folded
    return "".join(c if len(c.lower()) != 1 else c.lower() for c in text.translate(_FOLD))


@cache
def matcher() -> CueMatcher:
    """The matcher over all shipped cue files."""
    return CueMatcher(cue for path in sorted(FOLDER.glob("*.tsv")) for cue in read_cues(path))
