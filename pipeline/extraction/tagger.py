"""Labels the tokens of sentences with a linear-chain conditional random field.

Belongs here: loading a trained model and decoding.  Does not belong here: what the labels mean (``mentions``,
``pairs``), training (``training/``).

The weights were estimated by CRFsuite.  Decoding is our own: CRFsuite would spend its time on taking over strings.
Here the weights of a word's features are added up once per word, so that scoring a report is a sum over a few rows of
tables, and all sentences of a report are decoded at once.
"""

import gzip
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data import MAPPINGS
from pipeline.extraction import features
from pipeline.extraction.features import CLUSTER_PAIRS, PAIRS, REACH
from pipeline.records import Span

MODELS = Path(__file__).resolve().parent / "models"

Scores = NDArray[np.float32]
Ids = NDArray[np.int64]

_WIDTH = 2 * REACH + 1
_CACHE = 40_000
"""Words whose summed weights are kept; the cache starts anew when it is full."""


class _Pairs:
    """Weights of pairs ``left_right`` that begin at the distances ``steps`` from a token."""

    def __init__(self, prefix: str, steps: Sequence[int], names: dict[str, int], weights: Scores) -> None:
        self._steps = steps
        found: dict[str, list[int]] = {}
        for name, row in names.items():
            if name.startswith(prefix):
                step, _, pair = name.removeprefix(prefix).partition("|")
                found.setdefault(pair, [-1] * len(steps))[steps.index(int(step))] = row
        self.ids: dict[str, int] = {}
        coded = sorted((self._code(*pair.rsplit("_", 1)), pair) for pair in found)
        self._codes: Ids = np.array([code for code, _ in coded] or [-1], np.int64)
        self._rows: Ids = np.array([found[pair] for _, pair in coded] or [[-1] * len(steps)], np.int64)
        self._weights = weights

    def _code(self, left: str, right: str) -> int:
        return (self.ids.setdefault(left, len(self.ids) + 1) << 32) | self.ids.setdefault(right, len(self.ids) + 1)

    def add(self, total: Scores, ids: Ids) -> None:
        """Add the weights of all neighbouring ``ids`` (0: a word of no pair) to the tokens' scores."""
        codes = (ids[:-1] << 32) | ids[1:]
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        hit = np.nonzero(self._codes[place] == codes)[0]
        rows = self._rows[place[hit]]
        for column, step in enumerate(self._steps):
            to = hit - step
            use = (rows[:, column] >= 0) & (to >= 0) & (to < len(total))
            total[to[use]] += self._weights[rows[use, column]]


class Tagger:
    """A trained model: ``labels`` in the order of the columns of all tables.

    ``offsets`` are added to the scores of a type's labels: above 0 more is found, below 0 less.
    """

    def __init__(self, model: Path, words: features.WordTable, offsets: Mapping[str, float] | None = None) -> None:
        with np.load(model, allow_pickle=False) as data:
            self.labels: list[str] = data["labels"].tobytes().decode().split("\n")
            names = {name: row for row, name in enumerate(data["features"].tobytes().decode().split("\n"))}
            weights: Scores = np.zeros((len(names), len(self.labels)), np.float32)
            weights[data["rows"], data["columns"]] = data["weights"]
            self._transitions: Scores = data["transitions"]
        self._names, self._weights = names, weights
        self._offsets: Scores = np.array([(offsets or {}).get(label[2:], 0.0) for label in self.labels], np.float32)
        self._table = words
        self._word_pairs = _Pairs("pair:", PAIRS, names, weights)
        self._cluster_pairs = _Pairs("clusters:", CLUSTER_PAIRS, names, weights)
        classes = features.trigger_classes()
        self._around: list[Scores] = [
            np.stack([np.stack([self._sum([f"{side}:{a}_{b}"]) for b in classes]) for a in classes])
            for side in ("left", "right", "between")
        ]
        self._marks = {name: weights[row] for name, row in names.items() if name.startswith(features.MARK)}
        self._inside = sum(label.startswith("I-") for label in self.labels)
        self._reset()

    def _sum(self, names: Sequence[str]) -> Scores:
        rows = [self._names[name] for name in names if name in self._names]
        total: Scores = self._weights[rows].sum(axis=0)
        return total

    def _reset(self) -> None:
        self._words: dict[str, tuple[int, int, int, int]] = {}
        self._sums: Scores = np.zeros((1024, _WIDTH, len(self.labels)), np.float32)
        self._sums[0, REACH - 1], self._sums[0, REACH + 1] = self._sum(["-1|edge"]), self._sum(["1|edge"])

    def _word(self, form: str) -> tuple[int, int, int, int]:
        """Row in the table of summed weights, id in word pairs, id in cluster pairs, trigger class of a word."""
        made = features.word(form, self._table)
        row = len(self._words) + 1  # row 0 is the edge of a sentence
        if row == len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        for distance in range(-REACH, REACH + 1):
            self._sums[row, distance + REACH] = self._sum([f"{distance}|{name}" for name in made.near[abs(distance)]])
        found = (row, self._word_pairs.ids.get(made.key, 0), self._cluster_pairs.ids.get(made.cluster, 0), made.trigger)
        self._words[form] = found
        return found

    def scores(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[Scores]:
        """Per sentence of word forms, an array (tokens, labels) of log scores before transitions."""
        if len(self._words) > _CACHE:
            self._reset()
        known = self._words
        gap = [(0, 0, 0, 0)] * REACH  # so that no token sees beyond its sentence
        found = [*gap]
        around = [*gap]
        marked: list[tuple[int, Scores]] = []
        starts: list[int] = []
        for forms, row in zip(sentences, marks, strict=True):
            starts.append(len(found))
            own = [known.get(form) or self._word(form) for form in forms]
            marked += [
                (place, self._marks[mark])
                for place, names in enumerate(row, len(found))
                for mark in names
                if mark in self._marks
            ]
            around += features.surroundings([one[3] for one in own])
            around += gap
            found += own
            found += gap
        ids = np.array(found, np.int64)
        before, next_before, after, next_after = np.array(around, np.int64).T
        left, right, between = self._around
        total: Scores = left[before, next_before] + right[after, next_after] + between[before, after]
        total += self._offsets
        size = len(found)
        for distance in range(-REACH, REACH + 1):
            first, last = max(0, -distance), min(size, size - distance)
            total[first:last] += self._sums[ids[first + distance : last + distance, 0], distance + REACH]
        self._word_pairs.add(total, ids[:, 1])
        self._cluster_pairs.add(total, ids[:, 2])
        for place, weights in marked:
            total[place] += weights
        return [total[start : start + len(forms)] for start, forms in zip(starts, sentences, strict=True)]

    def decode(self, scores: Sequence[Scores]) -> list[list[str]]:
        """The best label sequence of each sentence (Viterbi over all sentences at once)."""
        order = sorted(
            (number for number, one in enumerate(scores) if len(one)), key=lambda number: -len(scores[number])
        )
        paths: list[list[str]] = [[] for _ in scores]
        if not order:
            return paths
        lengths = [len(scores[number]) for number in order]
        begins = len(self.labels) - self._inside  # columns: O, then every B-, then every I- in the same order
        transitions = self._transitions
        begin = transitions[:, None, :begins]
        opened = range(1, begins)
        follows_begin = transitions[opened, begins:].diagonal()
        follows_inside = transitions[begins:, begins:].diagonal()
        flat = np.concatenate([scores[number] for number in order])
        offsets = np.cumsum([0, *lengths[:-1]])
        active = np.searchsorted(-np.array(lengths), -np.arange(lengths[0]), side="left")
        best = flat[offsets]
        best[:, begins:] = -np.inf
        trail = [best]
        for step in range(1, lengths[0]):
            count = int(active[step])
            last = trail[-1][:count]
            current = np.empty_like(last)
            np.max(last.T[:, :, None] + begin, axis=0, out=current[:, :begins])
            np.maximum(last[:, 1:begins] + follows_begin, last[:, begins:] + follows_inside, out=current[:, begins:])
            current += flat[offsets[:count] + step]
            trail.append(current)
        columns = np.zeros(len(order), np.int64)
        chosen: list[list[int]] = []
        until = 0  # sentences that are as long as the step reached
        for step in range(lengths[0] - 1, -1, -1):
            here = trail[step]
            if until:
                columns[:until] = (here[:until] + transitions[:, columns[:until]].T).argmax(axis=1)
            columns[until : len(here)] = here[until:].argmax(axis=1)
            until = len(here)
            chosen.append(columns[:until].tolist())
        chosen.reverse()
        for place, number in enumerate(order):
            paths[number] = [self.labels[chosen[step][place]] for step in range(lengths[place])]
        return paths

    def gain(self, scores: Scores, columns: NDArray[np.int64]) -> float:
        """By how much (log scale) a labelling of one sentence scores better than one that marks nothing."""
        own = scores[np.arange(len(columns)), columns].sum() + self._transitions[columns[:-1], columns[1:]].sum()
        return float(own - scores[:, 0].sum() - self._transitions[0, 0] * (len(columns) - 1))

    def word(self, form: str) -> features.Word:
        """The features of a word."""
        return features.word(form, self._table)

    def tag(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
        """Labels (``O``, ``B-drug``, ``I-drug`` …) of every token of every sentence."""
        return self.decode(self.scores(sentences, marks))


def spans(labels: Sequence[str], tokens: Sequence[Span]) -> list[tuple[str, int, int]]:
    """``(type, start, end)`` of each stretch that the labels mark."""
    found: list[tuple[str, int, int]] = []
    for number, label in enumerate(labels):
        if label != "O":
            start, end = tokens[number]
            mark, _, kind = label.partition("-")
            found.append((kind, start, end) if mark == "B" else (kind, found.pop()[1], end))
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
    rows = (MAPPINGS / "tagger" / "offsets.tsv").read_text(encoding="utf-8").splitlines()
    split = (row.split("\t") for row in rows if row and not row.startswith("#"))
    offsets = {kind: float(value) for model, kind, value in split if model == name}
    return Tagger(MODELS / f"{name}.npz", _shipped_words(), offsets)
