"""Labels the tokens of sentences with a linear-chain conditional random field.

Belongs here: loading a trained model and decoding.  Does not belong here: what the labels mean (``mentions``,
``pairs``), training (``training/``).

The weights were estimated by CRFsuite.  Decoding is our own because most of the time would go into handing strings over:
the weights of a word's features are added up once per word and distance, so that scoring a report is a sum over a few
rows of a table.
"""

import gzip
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.extraction import features
from pipeline.extraction.features import REACH, Word
from pipeline.records import Span

MODELS = Path(__file__).resolve().parent / "models"

_WIDTH = 2 * REACH + 1
_MARGIN = 12.0
"""Labels that score this much (log scale) below a token's best are not considered: transitions never make up for it."""
_CACHE = 40_000
"""Words whose summed weights are kept; the cache starts anew when it is full."""


class Tagger:
    """A trained model: ``labels`` in the order of the columns of ``weights``, one row per feature."""

    def __init__(self, model: Path, words: features.WordTable) -> None:
        with np.load(model, allow_pickle=False) as data:
            self.labels: list[str] = data["labels"].tobytes().decode().split("\n")
            names = data["features"].tobytes().decode().split("\n")
            weights = np.zeros((len(names) + 1, len(self.labels)), np.float32)
            weights[data["rows"], data["columns"]] = data["weights"]
            transitions = data["transitions"]
        self._rows = {name: row for row, name in enumerate(names)}
        self._weights = weights  # the last row is of no feature
        self._none = len(names)
        self._transitions: list[list[tuple[int, float]]] = [
            [(before, float(w)) for before, w in enumerate(transitions[:, after]) if np.isfinite(w)]
            for after in range(len(self.labels))
        ]
        self._may_start = [not label.startswith("I-") for label in self.labels]
        self._table = words
        self._reset()

    def _reset(self) -> None:
        self._words: dict[str, tuple[Word, int]] = {}
        self._sums = np.zeros(((1024 + 1) * _WIDTH, len(self.labels)), np.float32)
        edge = [self._rows.get(f"{distance}|edge", self._none) for distance in (-1, 1)]
        self._sums[REACH - 1], self._sums[REACH + 1] = self._weights[edge[0]], self._weights[edge[1]]
        self._filled = 1  # place 0 is the edge of a sentence

    def _word(self, form: str) -> tuple[Word, int]:
        """A word and its place in the table of summed weights."""
        made = features.word(form, self._table)
        if (self._filled + 1) * _WIDTH > len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        place = self._filled * _WIDTH
        for distance in range(-REACH, REACH + 1):
            rows = [self._rows[n] for name in made.near[abs(distance)] if (n := f"{distance}|{name}") in self._rows]
            self._sums[place + distance + REACH] = self._weights[rows].sum(axis=0)
        self._filled += 1
        self._words[form] = (made, place)
        return made, place

    def scores(
        self, sentences: Sequence[Sequence[str]], hits: Sequence[Sequence[Sequence[str]]]
    ) -> list[NDArray[np.float32]]:
        """Per sentence of word forms, an array (tokens, labels) of log scores before transitions."""
        if self._filled > _CACHE:
            self._reset()
        places = [0] * REACH
        context: list[list[int]] = []
        starts: list[int] = []
        known, get = self._words, self._rows.get
        for forms, marks in zip(sentences, hits, strict=True):
            found = [known.get(form) or self._word(form) for form in forms]
            starts.append(len(context))
            context += [
                [r for name in names if (r := get(name)) is not None]
                for names in features.context([w for w, _ in found], marks)
            ]
            context += [[]] * REACH
            places += [place for _, place in found]
            places += [0] * REACH
        place = np.array(places)
        count = len(context)
        total = np.zeros((count, len(self.labels)), np.float32)
        for distance in range(-REACH, REACH + 1):
            at = place[REACH + distance : REACH + distance + count] if distance + REACH else place[:count]
            total[: len(at)] += self._sums[at + (distance + REACH)]
        most = max(map(len, context), default=0)
        if most:
            rows = np.full((count, most), self._none)
            for number, few in enumerate(context):
                rows[number, : len(few)] = few
            total += self._weights[rows].sum(axis=1)
        return [total[start : start + len(forms)] for start, forms in zip(starts, sentences, strict=True)]

    def decode(self, scores: NDArray[np.float32]) -> list[str]:
        """The best label sequence of one sentence (Viterbi, within ``_MARGIN`` of each token's best)."""
        if not len(scores):
            return []
        near = scores >= scores.max(axis=1, keepdims=True) - _MARGIN
        tokens, columns = np.nonzero(near)
        candidates: list[list[tuple[int, float]]] = [[] for _ in range(len(scores))]
        for token, column, score in zip(tokens.tolist(), columns.tolist(), scores[near].tolist(), strict=True):
            candidates[token].append((column, score))
        best = {column: score for column, score in candidates[0] if self._may_start[column]} or {0: 0.0}
        trail: list[dict[int, int]] = []
        for options in candidates[1:]:
            step: dict[int, float] = {}
            came: dict[int, int] = {}
            for column, score in options:
                top, origin = -np.inf, -1
                for before, weight in self._transitions[column]:
                    if before in best and best[before] + weight > top:
                        top, origin = best[before] + weight, before
                if origin >= 0:
                    step[column], came[column] = top + score, origin
            best = step
            trail.append(came)
        column = max(best, key=best.__getitem__)
        path = [column]
        for came in reversed(trail):
            column = came[column]
            path.append(column)
        return [self.labels[column] for column in reversed(path)]

    def tag(self, sentences: Sequence[Sequence[str]], hits: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
        """Labels (``O``, ``B-drug``, ``I-drug`` …) of every token of every sentence."""
        return [self.decode(one) for one in self.scores(sentences, hits)]


def spans(labels: Sequence[str], tokens: Sequence[Span]) -> list[tuple[str, int, int]]:
    """``(type, start, end)`` of each stretch that the labels mark."""
    found: list[tuple[str, int, int]] = []
    for label, (start, end) in zip(labels, tokens, strict=True):
        mark, _, kind = label.partition("-")
        if mark == "B":
            found.append((kind, start, end))
        elif mark == "I":
            found[-1] = (kind, found[-1][1], end)
    return found


def read_words(path: Path) -> dict[str, tuple[str, ...]]:
    """A word table: lower-case word to its clusters and flags."""
    rows = (row.partition("\t") for row in gzip.decompress(path.read_bytes()).decode().splitlines())
    return {word: tuple(marks.split(" ")) for word, _, marks in rows}


@lru_cache(maxsize=1)
def _shipped_words() -> dict[str, tuple[str, ...]]:
    return read_words(MODELS / "words.tsv.gz")


@lru_cache(maxsize=4)
def load(name: str) -> Tagger:
    """A shipped model: ``"mentions"`` or ``"pairs"``."""
    return Tagger(MODELS / f"{name}.npz", _shipped_words())
