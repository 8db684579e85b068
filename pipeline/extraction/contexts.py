"""How the words around a drug or a disorder speak for its part in an adverse reaction.

Belongs here: features of one mention in its sentence, and their weighted sum.  Does not belong here: what the whole
report says about a concept (``candidates``), and which drug goes with which reaction (``pairs``).

A logistic regression over words, trained on annotated sentences (``training/contexts.py``): a drug counts as suspect
where a drug-reaction pair of its sentence names it, a disorder as reaction where one of its article does.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import repeat

import numpy as np

from pipeline.extraction import tagger
from pipeline.extraction.document import Document, Found, Semantic, Sentence
from pipeline.records import Span

MODEL = tagger.MODELS / "contexts.npz"

_LONGEST_SENTENCE = 300
"""Tokens; what is longer is a table or a list."""
_NEAR = 3
_WINDOW = 10
_LONGEST_PATH = 5
_ZEROS = repeat(0.0)
_PLACES = [(place, f"{place - _NEAR}=") for place in range(2 * _NEAR + 1) if place != _NEAR]
_MASKS: dict[Semantic, str] = {"drug": "DRUG", "disorder": "DISORDER"}


Features = tuple[str, str | Mapping[str, None]]
"""Features that begin alike: the beginning (``"before="``), and what follows in the only one, or in each."""


def odds(document: Document, sentence: Sentence) -> list[tuple[Found, float]]:
    """Log odds that a mention takes part in an adverse reaction; mentions within others share a place."""
    if not sentence.found:
        return []
    found = []
    shared: dict[Semantic, float] = {}
    for mention, about, own in _described(document, sentence):
        weights = _weights()[mention.semantic]
        if mention.semantic not in shared:
            shared[mention.semantic] = _sum(weights, about)
        found.append((mention, shared[mention.semantic] + _sum(weights, own)))
    return found


def _sum(weights: Mapping[str, Mapping[str, float]], features: Iterable[Features]) -> float:
    total = 0.0
    for beginning, words in features:
        known = weights.get(beginning)
        if known is None:
            continue
        if isinstance(words, str):
            total += known.get(words, 0.0)
        else:
            total = sum(map(known.get, words, _ZEROS), total)
    return total


def described(document: Document, sentence: Sentence) -> Iterator[tuple[Found, list[str], list[str]]]:
    """Each mention with the names of the features of its sentence, which all share, and its own."""
    for mention, about, own in _described(document, sentence):
        yield mention, _names(about), _names(own)


def _names(features: Iterable[Features]) -> list[str]:
    return [
        beginning + word for beginning, words in features for word in ((words,) if isinstance(words, str) else words)
    ]


def _described(document: Document, sentence: Sentence) -> Iterator[tuple[Found, list[Features], list[Features]]]:
    tokens = sentence.tokens
    if len(tokens) > _LONGEST_SENTENCE:
        return
    masked, places = _masked(document.text, tokens, sentence.found)
    counts = {semantic: masked.count(mask) for semantic, mask in _MASKS.items()}
    about: list[Features] = [
        ("bias", ""), ("sentence=", dict.fromkeys(masked)),
        ("drugs=", str(min(3, counts["drug"]))), ("disorders=", str(min(4, counts["disorder"]))),
        ("zone=", sentence.zone),
    ]  # fmt: skip
    padded = ["^"] * _NEAR + masked + ["$"] * _NEAR
    for mention, place in zip(sentence.found, places, strict=True):
        if place is None:
            continue
        own: list[Features] = [(beginning, padded[place + n]) for n, beginning in _PLACES]
        own.append(("before=", dict.fromkeys(masked[max(0, place - _WINDOW) : place])))
        own.append(("behind=", dict.fromkeys(masked[place + 1 : place + 1 + _WINDOW])))
        other = _MASKS["disorder" if mention.semantic == "drug" else "drug"]
        own += _path("left", masked[:place][::-1], other)
        own += _path("right", masked[place + 1 :], other)
        own.append(("assertion=", mention.assertion))
        own.append(("kind=", mention.entry.kind if mention.entry else "unknown"))
        yield mention, about, own


def _masked(text: str, tokens: Sequence[Span], found: Sequence[Found]) -> tuple[list[str], list[int | None]]:
    """The words, one mask for each mention; and where each mention went."""
    words = [_word(text[start:end]) for start, end in tokens]
    ends = [end for _, end in tokens]
    masked: list[str] = []
    at: dict[int, int] = {}  # start of a token to its place
    number, count, end = 0, len(tokens), -1
    for mention in found:
        first = bisect_right(ends, mention.start, number)
        masked += words[number:first]
        number = first
        if mention.start >= end and number < count and tokens[number][0] < mention.end:
            masked.append(_MASKS[mention.semantic])
            while number < count and tokens[number][0] < mention.end:
                at[tokens[number][0]] = len(masked) - 1
                number += 1
            end = mention.end
    masked += words[number:]
    return masked, [_first(at, tokens[bisect_right(ends, m.start) : bisect_left(tokens, (m.end, 0))]) for m in found]


def _first(at: Mapping[int, int], tokens: Sequence[Span]) -> int | None:
    return next((at[start] for start, _ in tokens if start in at), None)


@lru_cache(maxsize=1 << 14)
def _word(form: str) -> str:
    """Lower case; numbers by their length."""
    if form[0].isdecimal():
        return "0" * min(len(form), 3) if form.isdecimal() else "0x"
    return form.lower()


def _path(side: str, words: Sequence[str], other: str) -> list[Features]:
    """What stands between a mention and the nearest of the other kind on one side."""
    if other not in words:
        return [(f"{side} none", "")]
    path = words[: words.index(other)]
    whole = "_".join(path) if len(path) <= _LONGEST_PATH else "long"
    return [(f"{side} path=", whole), (f"{side} on path=", dict.fromkeys(path))]


@cache
def _weights() -> dict[Semantic, dict[str, dict[str, float]]]:
    """Weights by kind of mention, beginning of the feature, and the rest of it."""
    weights: dict[Semantic, dict[str, dict[str, float]]] = {}
    with np.load(MODEL, allow_pickle=False) as data:
        for semantic in _MASKS:
            names = data[f"{semantic} features"].tobytes().decode().split("\n")
            values = data[f"{semantic} weights"].astype(float).tolist()
            own: dict[str, dict[str, float]] = {}
            weights[semantic] = own
            for name, value in zip(names, values, strict=True):
                beginning, mark, word = name.partition("=")
                own.setdefault(beginning + mark, {})[word] = value
    return weights
