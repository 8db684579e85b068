"""Labels the tokens of sentences with linear-chain conditional random fields.

Belongs here: loading trained models and decoding.  Does not belong here: what the labels mean (``mentions``,
``pairs``), training (``training/``).

The weights were estimated by CRFsuite.  Decoding is our own: CRFsuite would spend its time on taking over strings.
Here the weights of a word's features are added up once per word, for all models and for all places from which the word
can be seen, so that scoring a report is a sum over a few rows of tables.  Decoding looks only at the few tokens of
which it is not plain that they are no part of a name.
"""

import gzip
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain, repeat
from itertools import count as numbers
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.data import lasting
from pipeline.extraction import features
from pipeline.extraction.features import CLUSTER_PAIRS, PAIRS, REACH
from pipeline.records import Span

MODELS = Path(__file__).resolve().parent / "models"

Scores = NDArray[np.float32]
Ids = NDArray[np.int64]

_DISTANCES = range(-REACH, REACH + 1)
_CACHE = 40_000
"""Words, and groups of marks, whose summed weights are kept, 1 kB each; when it is full, what was used last is kept."""
_ZEROS = repeat(0)
_EDGE = ""
_GAP = (_EDGE,) * REACH
"""Stands between sentences, so that no token sees beyond its own."""
_MARGIN = 0.01
"""By how much a token must be better off without a name for that to be plain: far more than rounding takes away."""
_APART = 1000.0
"""More than any span can gain."""


class Model(NamedTuple):
    """A model file: ``features[rows[i]]``, which are sorted, weighs ``weights[i]`` for ``labels[columns[i]]``.

    ``labels`` are ``O``, then ``B-`` of all types, then ``I-`` of all types in the same order; ``transitions`` (labels,
    labels) are those from the row's to the column's, ``-inf`` where impossible.
    """

    labels: list[str]
    features: list[str]
    rows: Ids
    columns: Ids
    weights: Scores
    transitions: Scores

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file that ``training.train`` wrote."""
        with np.load(path, allow_pickle=False) as data:
            return cls(
                data["labels"].tobytes().decode().split("\n"),
                data["features"].tobytes().decode().split("\n"),
                data["rows"].astype(np.int64),
                data["columns"].astype(np.int64),
                data["weights"].astype(np.float32),
                data["transitions"],
            )

    def beginning(self, prefix: str) -> Iterator[tuple[int, str]]:
        """The features that begin with a prefix: their numbers, and what follows it."""
        first = bisect_left(self.features, prefix)
        last = bisect_left(self.features, prefix[:-1] + chr(ord(prefix[-1]) + 1))
        size = len(prefix)
        for number in range(first, last):
            yield number, self.features[number][size:]


class _Filling:
    """A table (rows, slots, columns) of weights in the making: names get rows, then models fill in their weights."""

    def __init__(self, slots: Sequence[int], columns: int) -> None:
        self.slot = {str(step): number for number, step in enumerate(slots)}
        self._shape = (len(slots), columns)
        self._rows = 1  # row 0 is of what no model knows
        self._parts: list[tuple[Ids, Scores]] = []

    def row(self) -> int:
        """A new row."""
        self._rows += 1
        return self._rows - 1

    def fill(self, model: Model, first: int, places: Mapping[int, int]) -> None:
        """Weights of a model whose columns begin at ``first``: ``places`` maps its features to row × slots + slot."""
        place: Ids = np.full(len(model.features), -1)
        place[list(places)] = list(places.values())
        place = place[model.rows]
        own = place >= 0
        self._parts.append((place[own] * self._shape[1] + model.columns[own] + first, model.weights[own]))

    def table(self) -> Scores:
        """The finished table."""
        table: Scores = np.zeros((self._rows, *self._shape), np.float32)
        for places, weights in self._parts:
            table.reshape(-1)[places] = weights
        return table


class _Pairs:
    """Weights of pairs ``left_right`` of neighbours that begin at the distances ``steps`` from a token."""

    def __init__(self, group: str, steps: Sequence[int], models: Sequence[Model], columns: int) -> None:
        self._steps = steps
        ids: dict[str, int] = defaultdict(numbers(1).__next__)
        filling = _Filling(steps, columns)
        found: dict[int, int] = defaultdict(filling.row)
        first = 0
        for model in models:
            places: dict[int, int] = {}
            for number, name in model.beginning(group):
                step, _, pair = name.partition("|")
                left, _, right = pair.rpartition("_")
                places[number] = found[ids[left] << 32 | ids[right]] * len(steps) + filling.slot[step]
            filling.fill(model, first, places)
            first += len(model.labels)
        codes: Ids = np.array([-1, *found], np.int64)
        order = codes.argsort()
        self.ids = dict(ids)
        self._codes = codes[order]
        self._weights = filling.table()[order]

    def add(self, total: Scores, ids: Ids) -> None:
        """Add the weights of all neighbouring ``ids`` (0: a word of no pair) to the tokens' scores."""
        at = ((ids[:-1] > 0) & (ids[1:] > 0)).nonzero()[0]
        codes = ids[at] << 32 | ids[at + 1]
        place = np.minimum(self._codes.searchsorted(codes), len(self._codes) - 1)
        hit = (self._codes[place] == codes).nonzero()[0]
        at, weights = at[hit], self._weights.take(place[hit], axis=0)
        for number, step in enumerate(self._steps):  # what falls beyond a sentence falls into a gap
            total[at - step] += weights[:, number]


class Tables:
    """The weights of models side by side, a column for each of their labels.

    ``word`` gives the features of a word.
    """

    def __init__(self, models: Sequence[Model], words: features.WordTable) -> None:
        self.columns = sum(len(model.labels) for model in models)
        self.word: Callable[[str], features.Word] = (
            words.features if isinstance(words, Words) else partial(features.word, table=words)
        )
        self._read_words(models)
        self._word_pairs = _Pairs("pair:", PAIRS, models, self.columns)
        self._cluster_pairs = _Pairs("clusters:", CLUSTER_PAIRS, models, self.columns)
        self._triggers = self._by_class("", features.trigger_classes(), models)
        self._names = self._by_class("named-", features.NAMED, models)
        self._reset()

    def _read_words(self, models: Sequence[Model]) -> None:
        """The table of what a token sees of single words: a row for each feature, with a slot for each distance.

        Not all that is seen of a near word is seen of one farther away: endings of the word beside a token, and
        anything at the longest distance, have rows of their own.
        """
        self._near: dict[str, int] = {}
        self._beside: dict[str, int] = {}
        self._far: dict[str, int] = {}
        filling = _Filling(_DISTANCES, self.columns)
        first = 0
        for model in models:
            places: dict[int, int] = {}
            for step in _DISTANCES:
                slot = filling.slot[str(step)]
                known = self._far if abs(step) == REACH else self._near
                for number, feature in model.beginning(f"{step}|"):
                    own = self._beside if step and known is self._near and feature.startswith("suffix=") else known
                    row = own.get(feature)
                    if row is None:
                        own[feature] = row = filling.row()
                    places[number] = row * len(_DISTANCES) + slot
            filling.fill(model, first, places)
            first += len(model.labels)
        self._weights = filling.table().reshape(-1, len(_DISTANCES) * self.columns)

    def _by_class(self, prefix: str, kinds: Sequence[str], models: Sequence[Model]) -> list[Scores]:
        """Weights of pairs ``a_b`` of classes on the left, on the right and around: (a × classes + b, columns)."""
        classes = {name: number for number, name in enumerate(kinds)}
        tables: Scores = np.zeros((3, len(classes) ** 2, self.columns), np.float32)
        first = 0
        for model in models:
            place: Ids = np.full(len(model.features), -1)
            for side, name in enumerate(("left", "right", "between")):
                for number, pair in model.beginning(f"{prefix}{name}:"):
                    left, _, right = pair.partition("_")
                    place[number] = (side * len(classes) + classes[left]) * len(classes) + classes[right]
            own = place[model.rows] >= 0
            tables.reshape(-1, self.columns)[place[model.rows[own]], model.columns[own] + first] = model.weights[own]
            first += len(model.labels)
        return list(tables)

    def _reset(self) -> None:
        """Begin the tables of words anew: of each its summed weights by distance, and its ids in the other tables."""
        width = self._weights.shape[1]
        self._known: dict[str, int] = {_EDGE: 0}
        self._sums: Scores = np.zeros((1024, width), np.float32)
        self._ids: Ids = np.zeros((1024, 3), np.int64)
        self._sums[0] = self._weights[self._near.get("edge", 0)]
        self._used: Ids = np.zeros(1024, np.int64)  # the number of the text in which a word stood last
        self._clock = 0
        self._reset_marks()

    def _reset_marks(self) -> None:
        self._known_marks: dict[tuple[str, ...], int] = {}
        self._mark_sums: Scores = np.zeros((256, self._weights.shape[1]), np.float32)
        self._named: Ids = np.zeros(256, np.int64)

    def _forget(self) -> None:
        """Keep the words that were used last."""
        kept = np.sort(np.argsort(-self._used[1 : len(self._known)], kind="stable")[: _CACHE * 3 // 4] + 1)
        kept = np.concatenate([[0], kept])
        for table in (self._sums, self._ids, self._used):
            table[: len(kept)] = table[kept]
        forms = list(self._known)
        self._known = {forms[row]: number for number, row in enumerate(kept.tolist())}

    def _learn(self, new: Sequence[str]) -> None:
        """Enter words into the tables; none of them is there yet."""
        first = len(self._known)
        while len(self._sums) < first + len(new):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
            self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
            self._used = np.concatenate([self._used, np.zeros_like(self._used)])
        rows: list[int] = []
        ends: list[int] = []
        ids: list[tuple[int, int, int]] = []
        near, beside, far = self._near.get, self._beside.get, self._far.get
        for number, form in enumerate(new, first):
            made = self.word(form)
            self._known[form] = number
            ids.append(
                (self._word_pairs.ids.get(made.key, 0), self._cluster_pairs.ids.get(made.cluster, 0), made.trigger)
            )
            rows += map(near, made.near[0], _ZEROS)
            rows += map(beside, made.near[1], _ZEROS)
            rows += map(far, made.near[REACH], _ZEROS)
            ends.append(len(rows))
        self._ids[first : first + len(new)] = ids
        self._sums[first : first + len(new)] = _sums(self._weights, np.array(rows, np.int64), np.array(ends, np.int64))

    def scores(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[Scores]:
        """Per sentence of word forms, an array (tokens, columns) of log scores before transitions."""
        if len(self._known) > _CACHE:
            self._forget()
        if len(self._known_marks) > _CACHE:
            self._reset_marks()
        forms = [*_GAP, *chain.from_iterable((*sentence, *_GAP) for sentence in sentences)]
        rows = list(map(self._known.get, forms))
        if None in rows:
            self._learn(list(dict.fromkeys(form for form, row in zip(forms, rows, strict=True) if row is None)))
            rows = list(map(self._known.get, forms))
        words = np.array(rows, np.int64)
        self._clock += 1
        self._used[words] = self._clock
        word_ids, cluster_ids, triggers = self._ids.take(words, axis=0).T
        starts = np.cumsum([REACH, *(len(sentence) + REACH for sentence in sentences)]).tolist()
        places, groups = self._marked(starts, marks)
        names = np.zeros_like(words)
        names[places] = self._named[groups]
        total: Scores = np.zeros((len(words), self.columns), np.float32)
        for (left, right, between), kinds, count in (
            (self._triggers, triggers, len(features.trigger_classes())),
            (self._names, names, len(features.NAMED)),
        ):
            before, next_before, after, next_after = _surroundings(words, kinds)
            total += left.take(before * count + next_before, axis=0)
            total += right.take(after * count + next_after, axis=0)
            total += between.take(before * count + after, axis=0)
        size = len(words)
        seen = self._sums.take(words, axis=0).reshape(size, len(_DISTANCES), self.columns)
        for number, distance in enumerate(_DISTANCES):
            first, last = max(0, -distance), min(size, size - distance)
            total[first:last] += seen[first + distance : last + distance, number]
        self._word_pairs.add(total, word_ids)
        self._cluster_pairs.add(total, cluster_ids)
        seen = self._mark_sums.take(groups, axis=0).reshape(len(groups), len(_DISTANCES), self.columns)
        for number, distance in enumerate(_DISTANCES):  # what falls beyond a sentence falls into a gap
            if abs(distance) <= features.MARK_REACH:
                total[places - distance] += seen[:, number]
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
                self._mark_sums[number] = self._weights[[self._near.get(mark, 0) for mark in group]].sum(axis=0)
        return np.array(places, np.int64), np.array([self._known_marks[group] for group in groups], np.int64)


class Tagger:
    """A trained model: ``labels`` in the order of its scores' columns, which stand in ``tables`` from ``first`` on."""

    def __init__(self, model: Model, tables: Tables, first: int = 0) -> None:
        self.labels = model.labels
        self.tables = tables
        self._own = slice(first, first + len(model.labels))
        self.transitions = model.transitions
        self._types = len(model.labels) // 2
        self._bounds = _bounds(model.transitions, self._types)
        begins, insides = np.arange(self._types) + 1, np.arange(self._types) + self._types + 1
        # To "O" and the labels B from all, to each label I from B and I of its type, and all the other way round.
        self._moves = (
            np.ascontiguousarray(model.transitions[:, : self._types + 1, None]),
            np.stack([model.transitions[begins, insides], model.transitions[insides, insides]])[..., None],
            np.ascontiguousarray(model.transitions.T),
        )

    @classmethod
    def read(cls, path: Path, words: features.WordTable) -> Self:
        """A model on its own."""
        model = Model.read(path)
        return cls(model, Tables([model], words))

    def word(self, form: str) -> features.Word:
        """The features of a word."""
        return self.tables.word(form)

    def scores(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[Scores]:
        """Per sentence of word forms, an array (tokens, labels) of log scores before transitions."""
        return self.own(self.tables.scores(sentences, marks))

    def own(self, scores: Iterable[Scores]) -> list[Scores]:
        """This model's part of what ``tables`` scored."""
        return [one[:, self._own] for one in scores]

    def decode(self, scores: Sequence[Scores]) -> list[list[str]]:
        """The best label sequence of each sentence: Viterbi over all stretches of undecided tokens at once."""
        paths: list[list[str]] = [["O"] * len(one) for one in scores]
        flat, first, sizes = self.stretches(scores, _MARGIN)
        places, columns = self._best(flat, first, sizes)
        starts = np.cumsum([0, *map(len, scores)])[:-1]
        inside = np.searchsorted(starts, places, side="right") - 1
        for sentence, place, column in zip(
            inside.tolist(), (places - starts[inside]).tolist(), columns.tolist(), strict=True
        ):
            paths[sentence][place] = self.labels[column]
        return paths

    def stretches(self, scores: Sequence[Scores], margin: float) -> tuple[Scores, Ids, Ids]:
        """The stretches of tokens that no labelling leaves out by more than ``margin`` (log scale).

        Returns the scores of all sentences below each other, and first rows and sizes of the stretches.  The tokens
        around a stretch are "O", or it begins or ends a sentence: what that adds is in the scores of its edges.
        """
        sizes = np.array([len(one) for one in scores], np.int64)
        starts = (np.cumsum(sizes) - sizes)[sizes > 0]
        size = int(sizes.sum())
        if not size:
            return np.zeros((0, len(self.labels)), np.float32), starts, starts
        flat = np.concatenate(scores)
        border = np.zeros(size + 1, bool)  # a sentence begins, or the text ends
        border[starts] = border[size] = True
        undecided = self._undecided(flat, border, margin)
        begins = undecided & border[:-1]
        begins[1:] |= undecided[1:] & ~undecided[:-1]
        ends = undecided & border[1:]
        ends[:-1] |= undecided[:-1] & ~undecided[1:]
        flat[begins & ~border[:-1]] += self.transitions[0]
        flat[begins & border[:-1], self._types + 1 :] = -np.inf
        flat[ends & ~border[1:]] += self.transitions[:, 0]
        first = np.flatnonzero(begins)
        return flat, first, np.flatnonzero(ends) + 1 - first

    def _undecided(self, flat: Scores, border: NDArray[np.bool_], margin: float) -> NDArray[np.bool_]:
        """Which tokens (rows) can a run of spans cover that loses no more than ``margin`` against "O" for its tokens?

        A run that surely loses is on no best path.  The gain of a run is at most that of its first token as a beginning
        plus what each further one adds by the label that suits it best; the best run over a token is the best beginning
        up to it with the best end from it on, and sums over the tokens between are differences of running sums.
        """
        enter, again, inside, leave = self._bounds
        gains = (flat[:, 1:] - flat[:, :1]).astype(np.float64)
        begin, onward = gains[:, : self._types], gains[:, self._types :]
        added = np.maximum((begin + again).max(axis=1), (onward + inside).max(axis=1))
        starts = border[:-1]
        added[starts] -= _APART  # no run goes on into the next sentence
        reached = added.cumsum()
        best = np.maximum.accumulate((begin + np.where(starts[:, None], 0, enter)).max(axis=1) - reached)
        reached[~border[1:]] += leave
        best += np.maximum.accumulate(reached[::-1])[::-1]
        found: NDArray[np.bool_] = best > -margin
        return found

    def _best(self, flat: Scores, first: Ids, sizes: Ids) -> tuple[Ids, Ids]:
        """Places and columns of the labels other than "O" on the best paths through stretches of rows of ``flat``.

        Stretches stand side by side in the last dimension, the longest first, so that those still going on come first.
        """
        if not len(first):
            return first, first
        order = (-sizes).argsort(kind="stable")
        offsets, sizes = first[order], sizes[order]
        steps = np.arange(sizes[0])
        active = (-sizes).searchsorted(-steps, side="left").tolist()
        rows = np.minimum(offsets + steps[:, None], len(flat) - 1)
        own = np.ascontiguousarray(flat.take(rows, axis=0).transpose(0, 2, 1))  # (steps, labels, stretches)
        outer, inner, backward = self._moves
        types = self._types
        best = own[0]
        trail = [best]
        for step in range(1, len(steps)):
            count = active[step]
            before, best = best[:, :count], own[step, :, :count]
            best[: types + 1] += np.maximum.reduce(before[:, None] + outer)
            best[types + 1 :] += np.maximum.reduce(before[1:].reshape(2, types, count) + inner)
            trail.append(best)
        columns = best.argmax(axis=0)
        chosen = [columns]
        for best in reversed(trail[:-1]):  # the stretches that end at this step join
            count = len(columns)
            known = (best[:, :count] + backward.take(columns, axis=0).T).argmax(axis=0)
            columns = np.concatenate([known, best[:, count:].argmax(axis=0)]) if count < best.shape[1] else known
            chosen.append(columns)
        found = np.concatenate(chosen[::-1])
        places = np.concatenate([row[:count] for row, count in zip(rows, active, strict=True)])
        marked = found.nonzero()[0]
        return places[marked], found[marked]

    def gain(self, scores: Scores, columns: NDArray[np.int64]) -> float:
        """By how much (log scale) a labelling of one sentence scores better than one that marks nothing."""
        own = scores[np.arange(len(columns)), columns].sum() + self.transitions[columns[:-1], columns[1:]].sum()
        return float(own - scores[:, 0].sum() - self.transitions[0, 0] * (len(columns) - 1))

    def tag(self, sentences: Sequence[Sequence[str]], marks: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
        """Labels (``O``, ``B-drug``, ``I-drug`` …) of every token of every sentence."""
        return self.decode(self.scores(sentences, marks))


def _bounds(moves: Scores, types: int) -> tuple[Scores, Scores, Scores, np.float32]:
    """What transitions add at most beside those of "O" where a run of spans begins, begins anew, goes on, and ends.

    The first three are arrays over types.
    """
    begins, insides = np.arange(types) + 1, np.arange(types) + types + 1
    again = moves[1:, begins].max(axis=0) - moves[0, 0]
    inside = np.maximum(moves[begins, insides], moves[insides, insides]) - moves[0, 0]
    return moves[0, begins] - moves[0, 0], again, inside, moves[1:, 0].max() - moves[0, 0]


def _sums(weights: Scores, rows: Ids, ends: Ids) -> Scores:
    """Sums of the rows of ``weights`` in consecutive groups that end at ``ends``; ``add.reduceat`` is far slower."""
    sizes = np.diff(ends, prepend=0)
    order = np.argsort(-sizes, kind="stable")
    starts = (ends - sizes)[order]
    totals: Scores = np.zeros((len(ends), weights.shape[1]), np.float32)
    for step, count in enumerate(
        np.searchsorted(-sizes[order], -np.arange(sizes.max(initial=0)), side="left").tolist()
    ):
        totals[:count] += weights.take(rows[starts[:count] + step], axis=0)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return totals[back]


def _surroundings(words: Ids, triggers: Ids) -> tuple[Ids, Ids, Ids, Ids]:
    """``features.surroundings`` of all tokens; ``words`` is 0 and ``triggers`` none between sentences."""
    stops = (triggers > 0) | (words == 0)
    kinds = triggers[stops]
    behind = stops.cumsum()
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


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Tagger]:
    with lasting():
        models = {name: Model.read(MODELS / f"{name}.npz") for name in ("mentions", "pairs")}
        tables = Tables(list(models.values()), _shipped_words())
        first = np.cumsum([0, *(len(model.labels) for model in models.values())]).tolist()
        return {name: Tagger(model, tables, place) for (name, model), place in zip(models.items(), first, strict=False)}


def load(name: str) -> Tagger:
    """A shipped model: ``"mentions"`` or ``"pairs"``; both share their tables."""
    return _shipped()[name]


def tables() -> Tables:
    """The tables of all shipped models."""
    return _shipped()["mentions"].tables
