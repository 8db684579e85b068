"""How the words around a drug or a disorder speak for its part in an adverse reaction.

Belongs here: features of one mention in its sentence, and their weighted sum.  Does not belong here: what the whole
report says about a concept (``candidates``), and which drug goes with which reaction (``pairs``).

A logistic regression over words, trained on annotated sentences (``training/contexts.py``): a drug counts as suspect
where a drug-reaction pair of its sentence names it, a disorder as reaction where one of its article does.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from pipeline.extraction import segment, tagger
from pipeline.extraction.document import Document, Found, Semantic, Sentence
from pipeline.records import Span

MODEL = tagger.MODELS / "contexts.npz"

_LONGEST_SENTENCE = 300
"""Tokens; what is longer is a table or a list."""
_NEAR = 3
_WINDOW = 10
_LONGEST_PATH = 5
_MASKS: dict[Semantic, str] = {"drug": "DRUG", "disorder": "DISORDER"}


def odds(document: Document, sentence: Sentence) -> list[tuple[Found, float]]:
    """Log odds that a mention of the sentence takes part in an adverse reaction; mentions within others share a place."""
    if not sentence.found:
        return []
    found = []
    shared: dict[Semantic, float] = {}
    for mention, about, own in described(document, sentence):
        weights = _weights()[mention.semantic]
        if mention.semantic not in shared:
            shared[mention.semantic] = sum(weights.get(name, 0.0) for name in about)
        found.append((mention, shared[mention.semantic] + sum(weights.get(name, 0.0) for name in own)))
    return found


def described(document: Document, sentence: Sentence) -> Iterator[tuple[Found, list[str], list[str]]]:
    """Each mention with the features of its sentence (one list, shared) and its own."""
    tokens = segment.tokens(document.text, *sentence.span)
    if len(tokens) > _LONGEST_SENTENCE:
        return
    masked, places = _masked(document.text, tokens, sentence.found)
    counts = {semantic: masked.count(mask) for semantic, mask in _MASKS.items()}
    about = ["bias", *(f"sentence={word}" for word in dict.fromkeys(masked))]
    about += [f"drugs={min(3, counts['drug'])}", f"disorders={min(4, counts['disorder'])}", f"zone={sentence.zone}"]
    padded = ["^"] * _NEAR + masked + ["$"] * _NEAR
    for mention, place in zip(sentence.found, places, strict=True):
        if place is None:
            continue
        own = [f"{n - _NEAR}={padded[place + n]}" for n in range(2 * _NEAR + 1) if n != _NEAR]
        own += [f"before={word}" for word in dict.fromkeys(masked[max(0, place - _WINDOW) : place])]
        own += [f"behind={word}" for word in dict.fromkeys(masked[place + 1 : place + 1 + _WINDOW])]
        other = _MASKS["disorder" if mention.semantic == "drug" else "drug"]
        own += _path("left", masked[:place][::-1], other)
        own += _path("right", masked[place + 1 :], other)
        own += [f"assertion={mention.assertion}", f"kind={mention.entry.kind if mention.entry else 'unknown'}"]
        yield mention, about, own


def _masked(text: str, tokens: Sequence[Span], found: Sequence[Found]) -> tuple[list[str], list[int | None]]:
    """The words, one mask for each mention; and where each mention went."""
    masked: list[str] = []
    at: dict[int, int] = {}  # start of a token to its place
    number, end = 0, -1
    for mention in found:
        while number < len(tokens) and tokens[number][1] <= mention.start:
            masked.append(_word(text[slice(*tokens[number])]))
            number += 1
        if mention.start >= end and number < len(tokens) and tokens[number][0] < mention.end:
            masked.append(_MASKS[mention.semantic])
            while number < len(tokens) and tokens[number][0] < mention.end:
                at[tokens[number][0]] = len(masked) - 1
                number += 1
            end = mention.end
    masked += [_word(text[slice(*token)]) for token in tokens[number:]]
    return masked, [next((at[s] for s, e in tokens if s < m.end and m.start < e and s in at), None) for m in found]


def _word(form: str) -> str:
    """Lower case; numbers by their length."""
    if form[0].isdecimal():
        return "0" * min(len(form), 3) if form.isdecimal() else "0x"
    return form.lower()


def _path(side: str, words: Sequence[str], other: str) -> list[str]:
    """What stands between a mention and the nearest of the other kind on one side."""
    if other not in words:
        return [f"{side} none"]
    path = words[: words.index(other)]
    found = [f"{side} path={'_'.join(path) if len(path) <= _LONGEST_PATH else 'long'}"]
    return found + [f"{side} on path={word}" for word in dict.fromkeys(path)]


@cache
def _weights() -> dict[Semantic, dict[str, float]]:
    """Weights by kind of mention and feature."""
    weights: dict[Semantic, dict[str, float]] = {}
    with np.load(MODEL, allow_pickle=False) as data:
        for semantic in _MASKS:
            names = data[f"{semantic} features"].tobytes().decode().split("\n")
            values = data[f"{semantic} weights"].astype(float).tolist()
            weights[semantic] = dict(zip(names, values, strict=True))
    return weights
