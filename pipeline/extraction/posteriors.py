"""How probable every stretch of a sentence is as a mention, under the scores of a tagger.

Belongs here: the forward-backward algorithm.  Does not belong here: the scores (``tagger``), the decision on a span
(``choice``).

The one best label sequence says nothing of what nearly made it.  Here the probability of a span is summed over all
label sequences that hold it and, for a type that shares a joined label (``indication+condition``), over both labels.
The labelling under the scores is a Markov chain: a span is as probable as its begin, times going on to each further
token, times stopping after the last.
"""

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.extraction.tagger import Tagger

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_SLACK = 3.0
"""Scores by which a stretch must be worse still to be left out: several spans together may be likely enough."""


class Likely(NamedTuple):
    """A stretch of tokens ``first`` to ``last`` (inclusive) that is a mention of a type with a probability."""

    probability: float
    kind: str
    first: int
    last: int


class Posteriors:
    """Reads the scores of one model.

    ``scale`` multiplies all scores: a model is surer than it is right.  ``least`` is the probability from which a span
    is worth telling.
    """

    def __init__(self, model: Tagger, scale: float, least: float) -> None:
        self._model = model
        self._scale = np.float32(scale)
        self._least = least
        self._margin = log(1 / least) / scale + _SLACK
        joined = [label[2:] for label in model.labels if label.startswith("B-")]
        self._count = len(joined)
        self._begin, self._inside = slice(1, 1 + self._count), slice(1 + self._count, None)
        self._moves: Floats = np.exp(self._scale * model.transitions)
        self._entering = self._moves[self._begin, self._inside].diagonal()
        self._staying = self._moves[self._inside, self._inside].diagonal()
        self._kinds = list(dict.fromkeys(kind for name in joined for kind in name.split("+")))
        columns = [[n for n, name in enumerate(joined) if kind in name.split("+")] for kind in self._kinds]
        widest = max(map(len, columns))
        # The columns of each type; the column behind the last is of no type.
        self._columns = np.array([[*own, *[self._count] * (widest - len(own))] for own in columns])

    def spans(self, scores: Sequence[Floats]) -> list[list[Likely]]:
        """Per sentence of scores (tokens, labels) the spans that are probable enough, the most probable first."""
        found: list[list[Likely]] = [[] for _ in scores]
        flat, first, sizes = self._model.stretches(scores, self._margin)
        if not len(first):
            return found
        order = np.argsort(-sizes, kind="stable")
        begins, entering, staying = self._chain(flat, first[order], sizes[order])
        starts = np.cumsum([0, *map(len, scores)])[:-1]
        rows, kinds = np.nonzero(begins[:, self._columns].sum(axis=2) >= self._least)
        columns = self._columns[kinds]
        mass = begins[rows[:, None], columns]
        sentence = np.searchsorted(starts, rows, side="right") - 1
        first = last = rows - starts[sentence]
        further = entering
        while len(rows):
            onward = mass * further[rows[:, None], columns]
            probability = (mass - onward).sum(axis=1)
            for hit in np.flatnonzero(probability >= self._least).tolist():
                span = Likely(float(probability[hit]), self._kinds[kinds[hit]], int(first[hit]), int(last[hit]))
                found[sentence[hit]].append(span)
            going = onward.sum(axis=1) >= self._least
            rows, kinds, columns, mass, sentence, first, last = (
                part[going] for part in (rows + 1, kinds, columns, onward, sentence, first, last + 1)
            )
            further = staying
        for one in found:
            one.sort(key=lambda span: (-span.probability, span.first, span.last, span.kind))
        return found

    def _chain(self, flat: Floats, first: Ids, sizes: Ids) -> tuple[Floats, Floats, Floats]:
        """Per token and joined type: that it begins there, that a span goes on behind its first, behind a further one.

        All stretches take a step at once; they are ordered by falling size.  A last column is of no type.
        """
        active = np.searchsorted(-sizes, -np.arange(sizes[0]), side="left").tolist()
        rows = [first[:count] + step for step, count in enumerate(active)]
        every = np.concatenate(rows)
        likelihoods = np.zeros_like(flat)
        seen = flat[every]
        likelihoods[every] = np.exp(self._scale * (seen - seen.max(axis=1, keepdims=True)))
        forward, backward, ahead = np.zeros_like(flat), np.ones_like(flat), np.zeros_like(flat)
        totals = np.ones((len(flat), 1), np.float32)
        now = likelihoods[rows[0]]
        for step, own in enumerate(rows):
            if step:
                now = (now[: len(own)] @ self._moves) * likelihoods[own]
            total = now.sum(axis=1, keepdims=True)
            now = now / total
            totals[own] = total
            forward[own] = now
        moves = np.ascontiguousarray(self._moves.T)
        for own in reversed(rows[1:]):
            given = likelihoods[own] * backward[own] / totals[own]  # what the next token gives each label
            ahead[own - 1] = given
            backward[own - 1] = given @ moves
        inside = ahead[:, self._inside]
        begins, entering, staying = np.zeros((3, len(flat), self._count + 1), np.float32)
        begins[:, :-1] = (forward * backward)[:, self._begin]
        with np.errstate(divide="ignore", invalid="ignore"):
            entering[:, :-1] = np.nan_to_num(self._entering * inside / backward[:, self._begin], posinf=0.0)
            staying[:, :-1] = np.nan_to_num(self._staying * inside / backward[:, self._inside], posinf=0.0)
        return begins, entering, staying
