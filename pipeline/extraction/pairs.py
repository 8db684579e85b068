"""Finds pairs of a drug and a reaction that a sentence attributes to it.

Belongs here: candidates in one sentence and the decision on each.  Does not belong here: links across sentences and
roles of drugs (case assembly).

A tagger of its own marks the drugs and reactions of a sentence as if it stated an adverse reaction; a logistic
regression over the words around and between them then says which pairs are stated at all.  Spans follow the conventions
of the ADE corpus (Gurulingappa et al., J Biomed Inform 2012;45:885-92): abbreviation and long form are two reactions.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise, repeat
from math import exp
from operator import mul
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.extraction import mentions, tagger
from pipeline.extraction.features import Word
from pipeline.extraction.tagger import Scores, Tagger
from pipeline.records import Mention, Pair, Span

_LONGEST_SENTENCE = 300
"""Tokens; what is longer is a table or a list, no statement, and would take time by the square of its length."""
_LONGEST_PATH = 5
_FAR = 15


class Candidate(NamedTuple):
    """Token ranges of a drug and a reaction of one sentence, and what speaks for or against the pair."""

    drug: Span
    reaction: Span
    features: dict[str, float]


class Classifier:
    """Logistic regression: probability that a candidate is a stated pair; ``threshold`` from which it counts."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            names = data["features"].tobytes().decode().split("\n")
            self._weights: dict[str, float] = dict(zip(names, data["weights"].astype(float).tolist(), strict=True))
            self.threshold = float(data["threshold"])

    def probability(self, found: Mapping[str, float]) -> float:
        """Between 0 and 1."""
        return 1 / (1 + exp(-sum(map(mul, map(self._weights.get, found, repeat(0.0)), found.values()))))


@lru_cache(maxsize=1)
def _classifier() -> Classifier:
    return Classifier(tagger.MODELS / "pairs-classifier.npz")


def find(text: str, found: Sequence[Mention], sentences: Sequence[Span] | None = None) -> list[Pair]:
    """Stated pairs in order of their place; ``found`` are the mentions of the text.

    Sentences without a drug, be it a mention or a name of the lexicon, are not looked at, nor are endless ones.
    """
    reading = mentions.read(text, sentences)
    drugs = sorted(mention.start for mention in found if mention.type == "drug")
    chosen = []
    for number, (start, end) in enumerate(reading.sentences):
        if len(reading.tokens[number]) > _LONGEST_SENTENCE:
            continue
        at = bisect_left(drugs, start)
        if (at < len(drugs) and drugs[at] < end) or any("mark:B-drug" in m for m in reading.marks[number] if m):
            chosen.append(number)
    model, classifier = tagger.load("pairs"), _classifier()
    scores = model.own(reading.scores[number] for number in chosen)
    pairs = []
    for number, own, labels in zip(chosen, scores, model.decode(scores), strict=True):
        tokens = reading.tokens[number]
        for candidate in candidates(model, reading.forms[number], own, labels):
            if classifier.probability(candidate.features) >= classifier.threshold:
                drug, reaction = (
                    (tokens[first][0], tokens[last - 1][1]) for first, last in (candidate.drug, candidate.reaction)
                )
                pairs.append(
                    Pair(
                        drug=text[slice(*drug)], reaction=text[slice(*reaction)], drug_span=drug, reaction_span=reaction
                    )
                )
    return pairs


def place(tokens: Sequence[Span], inside: Span) -> Span:
    """Where a range of tokens stands in the text."""
    first, last = inside
    return tokens[first][0], tokens[last - 1][1]


def candidates(model: Tagger, forms: Sequence[str], scores: Scores, labels: Sequence[str]) -> Iterator[Candidate]:
    """Every drug with every reaction that ``labels`` mark; ``scores`` are those from which the labels were decoded."""
    spans = tagger.spans(labels, [(number, number + 1) for number in range(len(labels))])
    drugs = [(first, last) for kind, first, last in spans if kind == "drug"]
    reactions = [(first, last) for kind, first, last in spans if kind == "reaction"]
    if not drugs or not reactions:
        return
    words = [model.word(form) for form in forms]
    columns = np.array([model.labels.index(label) for label in labels])
    gains = scores[np.arange(len(labels)), columns] - scores[:, 0]
    at, masked = _masked(words, spans)
    shared = _sentence_features(masked)
    gain = model.gain(scores, columns) / 10
    shared |= {"gain": gain, "gain per span": gain / len(spans), "length": len(forms) / 30}
    shared |= {f"drugs={min(3, len(drugs))}": 1.0, f"reactions={min(3, len(reactions))}": 1.0}
    for drug in drugs:
        for reaction in reactions:
            own = _pair_features(masked, at[drug[0]], at[reaction[0]])
            for side, (first, last) in (("drug", drug), ("reaction", reaction)):
                own[f"{side} gain"] = float(gains[first:last].mean()) / 5
                for word in words[first:last]:
                    own[f"{side} word={word.key}"] = own[f"{side} cluster={word.cluster}"] = 1.0
            yield Candidate(drug, reaction, shared | own)


def _masked(words: Sequence[Word], spans: Sequence[tuple[str, int, int]]) -> tuple[dict[int, int], list[str]]:
    """The words with one placeholder per span, and where each span's first token went."""
    ends = {first: (kind, last) for kind, first, last in spans}
    place: dict[int, int] = {}
    masked: list[str] = []
    number = 0
    while number < len(words):
        if number in ends:
            kind, last = ends[number]
            place[number] = len(masked)
            masked.append(kind.upper())
            number = last
        else:
            masked.append(words[number].key)
            number += 1
    return place, masked


def _sentence_features(masked: Sequence[str]) -> dict[str, float]:
    found = {"bias": 1.0}
    found |= {f"1={word}": 1.0 for word in masked}
    found |= {f"2={a}_{b}": 1.0 for a, b in pairwise(masked)}
    for a, b, c in zip(masked, masked[1:], masked[2:], strict=False):
        found[f"3={a}_{b}_{c}"] = found[f"3={a}_*_{c}"] = 1.0
    return found


def _pair_features(masked: Sequence[str], drug: int, reaction: int) -> dict[str, float]:
    order = "drug first" if drug < reaction else "reaction first"
    low, high = sorted((drug, reaction))
    path = masked[low + 1 : high]
    found = {order: 1.0, "distance": min(1.0, (high - low) / _FAR)}
    found[f"{order} path={'_'.join(path) if len(path) <= _LONGEST_PATH else 'long'}"] = 1.0
    found |= {f"{order} on path={word}": 1.0 for word in path}
    found |= {f"{order} on path={a}_{b}": 1.0 for a, b in pairwise(path)}
    if low:
        found[f"{order} before={masked[low - 1]}"] = 1.0
    if high + 1 < len(masked):
        found[f"{order} behind={masked[high + 1]}"] = 1.0
    return found
