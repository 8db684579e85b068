"""What the tagger sees of a sentence.

Belongs here: turning the words of a sentence into features, the same way when training and when tagging.  Does not
belong here: weights, labels, decoding (``tagger``).

Most features of a token depend on one word and its distance from the token, so the tagger can add up their weights once
per word.  The rest, ``context``, depends on the sentence.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.data import MAPPINGS

REACH = 3
"""How many words to each side a token sees."""

_RUN = re.compile(r"(.)\1+")
_LONGEST_AFFIX = 5

WordTable = Mapping[str, Sequence[str]]
"""Lower-case word to what is known about it: its clusters, finest first, and its flags from vocabularies."""


class Word(NamedTuple):
    """Features of a word: ``near[d]`` of a token that is ``d`` words away; ``key`` and ``cluster`` for word pairs."""

    near: tuple[tuple[str, ...], ...]
    key: str
    cluster: str
    trigger: str | None


@lru_cache(maxsize=1)
def triggers() -> dict[str, str]:
    """Lower-case word to trigger class, from ``mappings/tagger/triggers.tsv``."""
    rows = (MAPPINGS / "tagger" / "triggers.tsv").read_text(encoding="utf-8").splitlines()
    split = (row.partition("\t") for row in rows if row and not row.startswith("#"))
    return {word: kind for word, _, kind in split}


def shape(form: str) -> str:
    """Letters as ``X`` and ``x``, digits as ``d``; a repeated sign is written once with ``+``: ``Hb1`` → ``Xxd``."""
    signs = "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in form)
    return _RUN.sub(r"\1+", signs)


def word(form: str, table: WordTable) -> Word:
    """The features of one word."""
    lower = form.lower()
    key = ("0" * min(len(lower), 4) if lower.isdecimal() else "0.0") if lower[0].isdecimal() else lower
    known = tuple(table.get(lower, ()))
    base = (f"w={key}", f"shape={shape(form)}", *known)
    own, beside = [*base], [*base]
    if lower[0].isalpha():
        own += [f"suffix={lower[-n:]}" for n in range(2, min(_LONGEST_AFFIX + 1, len(lower)))]
        own += [f"prefix={lower[:n]}" for n in range(2, min(_LONGEST_AFFIX, len(lower)))]
        beside += [f"suffix={lower[-3:]}"]
    elif lower.isdecimal():
        own.append(f"number={int(lower) if int(lower) < 13 else 13 + min(len(lower), 9)}")
    return Word(
        near=(tuple(own), tuple(beside), (f"w={key}", *known), known[:2]),
        key=key,
        cluster=known[0] if known else key,
        trigger=triggers().get(lower),
    )


def context(words: Sequence[Word], hits: Sequence[Sequence[str]] | None = None) -> list[list[str]]:
    """Features of each token that more than one word decides: word pairs, triggers to both sides, ``hits``.

    ``hits`` are the marks that lexicon and patterns put on the tokens (``"B-drug"``).
    """
    count = len(words)
    found: list[list[str]] = []
    last = before_last = None
    for position, here in enumerate(words):
        features = [f"L={last}", f"LL={last}_{before_last}"]
        if position:
            left = words[position - 1]
            features += [f"pair-1={left.key}_{here.key}", f"clusters-1={left.cluster}_{here.cluster}"]
            if position > 1:
                features.append(f"clusters-2={words[position - 2].cluster}_{left.cluster}")
        if position + 1 < count:
            right = words[position + 1]
            features += [f"pair+1={here.key}_{right.key}", f"clusters+1={here.cluster}_{right.cluster}"]
            if position + 2 < count:
                features.append(f"clusters+2={right.cluster}_{words[position + 2].cluster}")
        found.append(features)
        if here.trigger:
            last, before_last = here.trigger, last
    last = before_last = None
    for position in range(count - 1, -1, -1):
        features = found[position]
        features += [f"R={last}", f"RR={last}_{before_last}", f"LR={features[0]}_{last}"]
        if words[position].trigger:
            last, before_last = words[position].trigger, last
    if hits:
        for own, marks in zip(found, hits, strict=True):
            own.extend(marks)
    return found


def sentence(words: Sequence[Word], hits: Sequence[Sequence[str]] | None = None) -> list[list[str]]:
    """All features of each token as strings: the form in which the tagger is trained."""
    count = len(words)
    found = context(words, hits)
    for position, features in enumerate(found):
        for distance in range(-REACH, REACH + 1):
            place = position + distance
            if 0 <= place < count:
                features += [f"{distance}|{name}" for name in words[place].near[abs(distance)]]
            elif abs(distance) == 1:
                features.append(f"{distance}|edge")
    return found
