"""What the tagger sees of a sentence.

Belongs here: turning the words of a sentence into features, the same way when training and when tagging.  Does not
belong here: weights, labels, decoding (``tagger``).

A token sees, each as a string when training:

- ``d|name``: each feature of the word ``d`` places away (``Word.near``), or that the sentence ends there
- ``pair:d|left_right``: two neighbouring words, and ``clusters:d|left_right``: their clusters; the pair begins ``d``
  places away
- ``left:a_b``, ``right:a_b``, ``between:a_b``: classes of the nearest and the next trigger before it, after it, and of
  the nearest ones on both sides
- ``d|mark``: the marks that lexicon and patterns put on the word ``d`` places away
- ``named-left:a_b``, ``named-right:a_b``, ``named-between:a_b``: as with triggers, the kinds of names (``NAMED``) that
  begin around it
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.data import MAPPINGS, rows

REACH = 3
"""How many words to each side a token sees."""
PAIRS = (-1, 0)
"""Where word pairs begin that a token sees."""
CLUSTER_PAIRS = (-2, -1, 0, 1)
"""Where cluster pairs begin that a token sees."""

MARK = "mark:"
"""How the marks begin that lexicon and patterns put on a token."""
MARK_REACH = 2
"""How many words to each side a token sees the marks."""
NAMED = ("none", "drug", "disorder", "dosage", "route", "time", "age", "sex")
"""Kinds of marks of which a token sees the nearest ones, by number; of marks that begin together the first counts."""
_NAMED = [(number, f"{MARK}B-{kind}") for number, kind in enumerate(NAMED)][1:]

_RUN = re.compile(r"(.)\1+")
_LONGEST_SUFFIX, _LONGEST_PREFIX = 5, 4
_COUNTED = 13  # numbers up to a dozen are told apart, larger ones by their length

WordTable = Mapping[str, Sequence[str]]
"""Lower-case word to what is known about it: its clusters, that for word pairs first, and flags from vocabularies."""


class Word(NamedTuple):
    """Features of a word: ``near[d]`` for a token ``d`` words away; ``key`` and ``cluster`` for pairs."""

    near: tuple[tuple[str, ...], ...]
    key: str
    cluster: str
    trigger: int


@lru_cache(maxsize=1)
def _triggers() -> dict[str, str]:
    """Lower-case word to trigger class."""
    return {row[0]: row[1] for row in rows(MAPPINGS / "tagger" / "triggers.tsv", 2)}


@lru_cache(maxsize=1)
def trigger_classes() -> tuple[str, ...]:
    """The classes of ``mappings/tagger/triggers.tsv`` by number; 0 is no trigger."""
    return ("none", *sorted(set(_triggers().values())))


@lru_cache(maxsize=1)
def _trigger_numbers() -> dict[str, int]:
    return {word: trigger_classes().index(kind) for word, kind in _triggers().items()}


class _Signs(dict[int, str]):
    """What a code point is in the shape of a word."""

    def __missing__(self, code: int) -> str:
        c = chr(code)
        self[code] = sign = "X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c
        return sign


_SIGNS = _Signs()


def shape(form: str) -> str:
    """Letters as ``X`` and ``x``, digits as ``d``; a repeated sign is written once with ``+``: ``Hb1`` → ``Xxd``."""
    return _squeezed(form.translate(_SIGNS))


@lru_cache(maxsize=4096)
def _squeezed(signs: str) -> str:
    return _RUN.sub(r"\1+", signs)


def word(form: str, table: WordTable) -> Word:
    """The features of one word."""
    lower = form.lower()
    whole = lower.isdecimal()
    key = ("0" * min(len(lower), 4) if whole else "0.0") if lower[0].isdecimal() else lower
    known = tuple(table.get(lower, ()))
    base = (f"w={key}", f"shape={shape(form)}", *known)
    own, beside = [*base], [*base]
    if lower[0].isalpha():
        own += [f"suffix={lower[-n:]}" for n in range(2, min(_LONGEST_SUFFIX + 1, len(lower)))]
        own += [f"prefix={lower[:n]}" for n in range(2, min(_LONGEST_PREFIX + 1, len(lower)))]
        beside.append(f"suffix={lower[-3:]}")
    elif whole:
        own.append(f"number={int(lower) if len(lower) < 3 and int(lower) < _COUNTED else f'{len(lower)} digits'}")
    return Word(
        near=(tuple(own), tuple(beside), (f"w={key}", *known), known[:2]),
        key=key,
        cluster=known[0] if known else "none",
        trigger=_trigger_numbers().get(lower, 0),
    )


def named(marks: Sequence[str]) -> int:
    """The number in ``NAMED`` of what begins at a token; 0 if nothing does."""
    return next((number for number, mark in _NAMED if mark in marks), 0)


def surroundings(kinds: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Per token the classes around it that are not 0: nearest before, next before, nearest after, next after."""
    left: list[tuple[int, int]] = []
    nearest = second = 0
    for kind in kinds:
        left.append((nearest, second))
        if kind:
            nearest, second = kind, nearest
    found: list[tuple[int, int, int, int]] = []
    nearest = second = 0
    for kind, (before, next_before) in zip(reversed(kinds), reversed(left), strict=True):
        found.append((before, next_before, nearest, second))
        if kind:
            nearest, second = kind, nearest
    found.reverse()
    return found


def sentence(words: Sequence[Word], marks: Sequence[Sequence[str]]) -> list[list[str]]:
    """All features of each token as strings: the form in which the tagger is trained."""
    count = len(words)
    found: list[list[str]] = []
    triggers = surroundings([one.trigger for one in words])
    names = surroundings([named(one) for one in marks])
    for position in range(count):
        features = [
            *_around("", trigger_classes(), triggers[position]),
            *_around("named-", NAMED, names[position]),
        ]
        for distance in range(-REACH, REACH + 1):
            place = position + distance
            if 0 <= place < count:
                features += [f"{distance}|{name}" for name in words[place].near[abs(distance)]]
                if abs(distance) <= MARK_REACH:
                    features += [f"{distance}|{mark}" for mark in marks[place]]
            elif abs(distance) == 1:
                features.append(f"{distance}|edge")
        for distance in CLUSTER_PAIRS:
            place = position + distance
            if 0 <= place < count - 1:
                left, right = words[place], words[place + 1]
                features.append(f"clusters:{distance}|{left.cluster}_{right.cluster}")
                if distance in PAIRS:
                    features.append(f"pair:{distance}|{left.key}_{right.key}")
        found.append(features)
    return found


def _around(prefix: str, kinds: Sequence[str], numbers: Sequence[int]) -> list[str]:
    before, next_before, after, next_after = (kinds[number] for number in numbers)
    return [
        f"{prefix}left:{before}_{next_before}",
        f"{prefix}right:{after}_{next_after}",
        f"{prefix}between:{before}_{after}",
    ]
