"""Labels the tokens of sentences with a linear-chain conditional random field.

Belongs here: loading a trained model and decoding.  Does not belong here: what the labels mean (``mentions``,
``pairs``), training (``training/``).

The weights were estimated by CRFsuite.  Decoding is our own: CRFsuite would spend its time on taking over strings.
Here the weights of a word's features are added up once per word, so that scoring a report is a sum over a few rows of
tables, and all sentences of a report are decoded at once.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data import MAPPINGS, lasting
from pipeline.extraction import features
from pipeline.extraction.features import CLUSTER_PAIRS, MARK_REACH, PAIRS, REACH
from pipeline.records import Span

MODELS = Path(__file__).resolve().parent / "models"

Scores = NDArray[np.float32]
Ids = NDArray[np.int64]

_DISTANCES = range(-REACH, REACH + 1)
_MARK_DISTANCES = range(-MARK_REACH, MARK_REACH + 1)
_CACHE = 40_000
"""Words and groups of marks whose summed weights are kept; the cache starts anew when it is full."""
_ZEROS = repeat(0)
_EDGE = ""
_GAP = (_EDGE,) * REACH
"""Stands between sentences, so that no token sees beyond its own."""


class _Pairs:
    """Weights of pairs ``left_right`` that begin at the distances ``steps`` from a token."""

    def __init__(self, steps: Sequence[int], names: Iterable[tuple[str, int]], weights: Scores) -> None:
        self._steps = steps
        self.ids: dict[str, int] = {}
        column = {str(step): number for number, step in enumerate(steps)}
        found: dict[int, list[int]] = {}
        nothing = [0] * len(steps)
        for name, row in names:
            step, _, pair = name.partition("|")
            left, _, right = pair.rpartition("_")
            code = self.ids.setdefault(left, len(self.ids) + 1) << 32 | self.ids.setdefault(right, len(self.ids) + 1)
            if code not in found:
                found[code] = nothing.copy()
            found[code][column[step]] = row
        codes: Ids = np.array(list(found) or [-1], np.int64)
        order = codes.argsort()
        self._codes = codes[order]
        self._rows: Ids = np.array(list(found.values()) or [nothing], np.int64)[order]
        self._weights = weights

    def add(self, total: Scores, ids: Ids) -> None:
        """Add the weights of all neighbouring ``ids`` (0: a word of no pair) to the tokens' scores."""
        at = np.flatnonzero((ids[:-1] > 0) & (ids[1:] > 0))
        codes = ids[at] << 32 | ids[at + 1]
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        hit = self._codes[place] == codes
        at, rows = at[hit], self._rows[place[hit]]
        for column, step in enumerate(self._steps):  # what falls beyond a sentence falls into a gap
            total[at - step] += self._weights[rows[:, column]]


class Tagger:
    """A trained model: ``labels`` in the order of the columns of all tables.

    ``offsets`` are added to the scores of a type's labels: above 0 more is found, below 0 less.  ``word`` gives the
    features of a word.
    """

    def __init__(self, model: Path, words: features.WordTable, offsets: Mapping[str, float] | None = None) -> None:
        with np.load(model, allow_pickle=False) as data:
            self.labels: list[str] = data["labels"].tobytes().decode().split("\n")
            names: list[str] = data["features"].tobytes().decode().split("\n")
            # Row 0 is of no feature.
            self._weights: Scores = np.zeros((len(names) + 1, len(self.labels)), np.float32)
            self._weights[data["rows"].astype(np.int64) + 1, data["columns"]] = data["weights"]
            self._transitions: Scores = data["transitions"]
        self.word: Callable[[str], features.Word] = (
            words.features if isinstance(words, Words) else partial(features.word, table=words)
        )
        groups: dict[str, list[tuple[str, int]]] = {}
        for row, name in enumerate(names, 1):
            group, mark, rest = name.partition("|" if name[0] in "-0123" else ":")
            groups.setdefault(group + mark, []).append((rest, row))
        self._near = {distance: dict(groups.get(f"{distance}|", ())) for distance in _DISTANCES}
        self._word_pairs = _Pairs(PAIRS, groups.get("pair:", ()), self._weights)
        self._cluster_pairs = _Pairs(CLUSTER_PAIRS, groups.get("clusters:", ()), self._weights)
        self._triggers, self._names = (
            [self._by_class(kinds, groups.get(f"{prefix}{side}:", ())) for side in ("left", "right", "between")]
            for prefix, kinds in (("", features.trigger_classes()), ("named-", features.NAMED))
        )
        self._triggers[0][:] += np.array([(offsets or {}).get(label[2:], 0.0) for label in self.labels], np.float32)
        self._begins = sum(not label.startswith("I-") for label in self.labels)
        self._reset()

    def _by_class(self, kinds: Sequence[str], names: Iterable[tuple[str, int]]) -> Scores:
        """Weights of pairs ``a_b`` of classes, as an array (a × classes + b, labels)."""
        classes = {name: number for number, name in enumerate(kinds)}
        table: Scores = np.zeros((len(classes) ** 2, len(self.labels)), np.float32)
        for name, row in names:
            left, _, right = name.partition("_")
            table[classes[left] * len(classes) + classes[right]] = self._weights[row]
        return table

    def _reset(self) -> None:
        """Begin the tables of words anew: of each its summed weights by distance, and its ids in the other tables."""
        self._known: dict[str, int] = {_EDGE: 0}
        self._sums: Scores = np.zeros((1024, len(_DISTANCES), len(self.labels)), np.float32)
        self._ids: Ids = np.zeros((1024, 3), np.int64)
        for distance in (-1, 1):
            self._sums[0, distance + REACH] = self._weights[self._near[distance].get("edge", 0)]
        self._known_marks: dict[tuple[str, ...], int] = {}
        self._mark_sums: Scores = np.zeros((256, len(_MARK_DISTANCES), len(self.labels)), np.float32)
        self._named: Ids = np.zeros(256, np.int64)

    def _learn(self, forms: Iterable[str]) -> None:
        """Enter words into the tables that are not there yet."""
        new = [form for form in dict.fromkeys(forms) if form not in self._known]
        first = len(self._known)
        while len(self._sums) < first + len(new):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
            self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
        rows: list[int] = []
        ends: list[int] = []
        for number, form in enumerate(new, first):
            made = self.word(form)
            self._known[form] = number
            self._ids[number] = (
                self._word_pairs.ids.get(made.key, 0), self._cluster_pairs.ids.get(made.cluster, 0), made.trigger,
            )  # fmt: skip
            for distance, near in self._near.items():
                rows += map(near.get, made.near[abs(distance)], _ZEROS)
                ends.append(len(rows))
        if new:
            sums = _sums(self._weights, np.array(rows, np.int64), np.array(ends))
            self._sums[first : first + len(new)] = sums.reshape(len(new), *self._sums.shape[1:])

    def scores(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[Scores]:
        """Per sentence of word forms, an array (tokens, labels) of log scores before transitions."""
        if len(self._known) + len(self._known_marks) > _CACHE:
            self._reset()
        forms = [*_GAP, *chain.from_iterable((*sentence, *_GAP) for sentence in sentences)]
        rows = list(map(self._known.get, forms))
        if None in rows:
            self._learn(forms)
            rows = list(map(self._known.get, forms))
        words = np.array(rows, np.int64)
        word_ids, cluster_ids, triggers = self._ids[words].T
        starts = np.cumsum([REACH, *(len(sentence) + REACH for sentence in sentences)]).tolist()
        places, groups = self._marked(starts, marks)
        names = np.zeros_like(words)
        names[places] = self._named[groups]
        total: Scores = np.zeros((len(words), len(self.labels)), np.float32)
        for (left, right, between), kinds, count in (
            (self._triggers, triggers, len(features.trigger_classes())),
            (self._names, names, len(features.NAMED)),
        ):
            before, next_before, after, next_after = _surroundings(words, kinds)
            total += left.take(before * count + next_before, axis=0)
            total += right.take(after * count + next_after, axis=0)
            total += between.take(before * count + after, axis=0)
        size = len(words)
        for distance in _DISTANCES:
            first, last = max(0, -distance), min(size, size - distance)
            total[first:last] += self._sums[words[first + distance : last + distance], distance + REACH]
        self._word_pairs.add(total, word_ids)
        self._cluster_pairs.add(total, cluster_ids)
        sums = self._mark_sums[groups]
        for number, distance in enumerate(_MARK_DISTANCES):  # what falls beyond a sentence falls into a gap
            total[places - distance] += sums[:, number]
        return [total[start : start + len(forms)] for start, forms in zip(starts, sentences, strict=False)]

    def _marked(self, starts: Sequence[int], marks: Sequence[Sequence[Sequence[str]]]) -> tuple[Ids, Ids]:
        """Places of the tokens with marks, and the row of their marks in the tables; sentences begin at ``starts``."""
        places: list[int] = []
        groups: list[tuple[str, ...]] = []
        for start, sentence in zip(starts, marks, strict=False):
            for place, names in enumerate(sentence, start):
                if names:
                    places.append(place)
                    groups.append(tuple(names))
        for group in dict.fromkeys(groups):
            if group not in self._known_marks:
                self._known_marks[group] = number = len(self._known_marks)
                if number == len(self._named):
                    self._named = np.concatenate([self._named, np.zeros_like(self._named)])
                    self._mark_sums = np.concatenate([self._mark_sums, np.zeros_like(self._mark_sums)])
                self._named[number] = features.named(group)
                rows = [[self._near[distance].get(mark, 0) for mark in group] for distance in _MARK_DISTANCES]
                self._mark_sums[number] = self._weights[rows].sum(axis=1)
        return np.array(places, np.int64), np.array([self._known_marks[group] for group in groups], np.int64)

    def decode(self, scores: Sequence[Scores]) -> list[list[str]]:
        """The best label sequence of each sentence (Viterbi over all sentences at once)."""
        order = sorted(
            (number for number, one in enumerate(scores) if len(one)), key=lambda number: -len(scores[number])
        )
        paths: list[list[str]] = [["O"] * len(one) for one in scores]
        if not order:
            return paths
        lengths = np.array([len(scores[number]) for number in order])
        flat = np.concatenate([scores[number] for number in order])
        offsets = np.cumsum(lengths) - lengths
        active = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left").tolist()
        moves = self._transitions
        best = flat[offsets]
        best[:, self._begins :] = -np.inf
        trail = [best]
        for step in range(1, lengths[0]):
            offsets = offsets[: active[step]] + 1
            best = (best[: active[step], :, None] + moves).max(axis=1)
            best += flat[offsets]
            trail.append(best)
        backward = np.ascontiguousarray(moves.T)
        columns = best.argmax(axis=1)
        chosen = [columns]
        for best in reversed(trail[:-1]):  # the sentences that end at this step join
            known = (best[: len(columns)] + backward[columns]).argmax(axis=1)
            columns = np.concatenate([known, best[len(columns) :].argmax(axis=1)])
            chosen.append(columns)
        for step, columns in enumerate(reversed(chosen)):
            for place in np.flatnonzero(columns).tolist():
                paths[order[place]][step] = self.labels[columns[place]]
        return paths

    def gain(self, scores: Scores, columns: NDArray[np.int64]) -> float:
        """By how much (log scale) a labelling of one sentence scores better than one that marks nothing."""
        own = scores[np.arange(len(columns)), columns].sum() + self._transitions[columns[:-1], columns[1:]].sum()
        return float(own - scores[:, 0].sum() - self._transitions[0, 0] * (len(columns) - 1))

    def tag(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
        """Labels (``O``, ``B-drug``, ``I-drug`` …) of every token of every sentence."""
        return self.decode(self.scores(sentences, marks))


def _sums(weights: Scores, rows: Ids, ends: Ids) -> Scores:
    """Sums of the rows of ``weights`` in consecutive groups that end at ``ends``; ``add.reduceat`` is far slower."""
    sizes = np.diff(ends, prepend=0)
    order = np.argsort(-sizes, kind="stable")
    starts = (ends - sizes)[order]
    totals: Scores = np.zeros((len(ends), weights.shape[1]), np.float32)
    for step, count in enumerate(
        np.searchsorted(-sizes[order], -np.arange(sizes.max(initial=0)), side="left").tolist()
    ):
        totals[:count] += weights[rows[starts[:count] + step]]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return totals[back]


def _surroundings(words: Ids, triggers: Ids) -> tuple[Ids, Ids, Ids, Ids]:
    """``features.surroundings`` of all tokens; ``words`` is 0 and ``triggers`` none between sentences."""
    stops = (triggers > 0) | (words == 0)
    kinds = triggers[stops]
    behind = np.cumsum(stops)
    before = behind - stops
    last = len(kinds) - 1
    return kinds[before - 1], kinds[before - 2], kinds[np.minimum(behind, last)], kinds[np.minimum(behind + 1, last)]


def spans(labels: Sequence[str], tokens: Sequence[Span]) -> list[tuple[str, int, int]]:
    """``(type, start, end)`` of each stretch that the labels mark."""
    found: list[tuple[str, int, int]] = []
    for number, label in enumerate(labels):
        if label != "O":
            start, end = tokens[number]
            mark, _, kind = label.partition("-")
            found.append((kind, start, end) if mark == "B" else (kind, found.pop()[1], end))
    return found


class Words(Mapping[str, tuple[str, ...]]):
    """A word table as it was read: the marks of a word are split when they are asked for.

    ``features`` gives the features of a word; the latest are remembered, because all models of a text ask for them.
    """

    def __init__(self, rows: Iterable[str]) -> None:
        self._marks = dict(row.split("\t", 1) for row in rows)
        self.features = lru_cache(maxsize=2048)(partial(features.word, table=self))

    def __getitem__(self, word: str) -> tuple[str, ...]:
        return tuple(self._marks[word].split(" "))

    def __iter__(self) -> Iterator[str]:
        return iter(self._marks)

    def __len__(self) -> int:
        return len(self._marks)


def read_words(path: Path) -> Words:
    """A word table: lower-case word to its clusters and flags."""
    return Words(gzip.decompress(path.read_bytes()).decode().splitlines())


@lru_cache(maxsize=1)
def _shipped_words() -> Words:
    return read_words(MODELS / "words.tsv.gz")


@lru_cache(maxsize=4)
def load(name: str) -> Tagger:
    """A shipped model: ``"mentions"`` or ``"pairs"``."""
    rows = (MAPPINGS / "tagger" / "offsets.tsv").read_text(encoding="utf-8").splitlines()
    split = (row.split("\t") for row in rows if row and not row.startswith("#"))
    offsets = {kind: float(value) for model, kind, value in split if model == name}
    with lasting():
        return Tagger(MODELS / f"{name}.npz", _shipped_words(), offsets)
