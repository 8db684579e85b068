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

_SLACK = 2.0
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
        first, sizes = first[order], sizes[order]
        active = np.searchsorted(-sizes, -np.arange(sizes[0]), side="left")
        tokens = np.concatenate([first[:count] + step for step, count in enumerate(active.tolist())])
        begins, entering, staying = self._chain(flat.take(tokens, axis=0), active)
        following = np.arange(len(tokens)) + np.repeat(active, active)
        starts = np.cumsum([0, *map(len, scores)])[:-1]
        rows, kinds = np.nonzero(begins[:, self._columns].sum(axis=2) >= self._least)
        sentence = np.searchsorted(starts, tokens[rows], side="right") - 1
        told = list(zip(sentence.tolist(), kinds.tolist(), (tokens[rows] - starts[sentence]).tolist(), strict=True))
        numbers, columns, width = np.arange(len(rows)), self._columns[kinds], begins.shape[1]
        places = rows[:, None] * width + columns  # in the tables as one row
        mass = begins.ravel().take(places)
        whole = np.add.reduce(mass, axis=1)
        further, longer = entering.ravel(), 0
        while len(rows):
            mass = mass * further.take(places)
            onward = np.add.reduce(mass, axis=1)
            probability = whole - onward
            hit = (probability >= self._least).nonzero()[0]
            for number, chance in zip(numbers.take(hit).tolist(), probability.take(hit).tolist(), strict=True):
                own, kind, begin = told[number]
                found[own].append(Likely(chance, self._kinds[kind], begin, begin + longer))
            going = (onward >= self._least).nonzero()[0]
            rows, numbers, whole = following.take(rows.take(going)), numbers.take(going), onward.take(going)
            mass, columns = mass.take(going, axis=0), columns.take(going, axis=0)
            places = rows[:, None] * width + columns
            further, longer = staying.ravel(), longer + 1
        for one in found:
            if len(one) > 1:
                one.sort(key=lambda span: (-span.probability, span.first, span.last, span.kind))
        return found

    def _chain(self, scores: Floats, active: Ids) -> tuple[Floats, Floats, Floats]:
        """Per token and joined type: that it begins there, that a span goes on behind its first, behind a further one.

        All stretches take a step at once: the tokens are ordered by step, then by falling size of their stretch, of
        which ``active`` are as long.  A last column is of no type.
        """
        likelihoods = np.exp(self._scale * (scores - scores.max(axis=1, keepdims=True)))
        forward, backward, ahead = np.empty_like(scores), np.ones_like(scores), np.zeros_like(scores)
        totals = np.empty((len(scores), 1), np.float32)
        ends = np.cumsum(active).tolist()
        steps = [slice(end - count, end) for end, count in zip(ends, active.tolist(), strict=True)]
        now = likelihoods[steps[0]]
        for number, own in enumerate(steps):
            if number:
                now = (now[: own.stop - own.start] @ self._moves) * likelihoods[own]
            total = np.add.reduce(now, axis=1, keepdims=True, out=totals[own])
            now = np.divide(now, total, out=forward[own])
        likelihoods /= totals
        moves = np.ascontiguousarray(self._moves.T)
        for before, own in zip(reversed(steps[:-1]), reversed(steps[1:]), strict=True):
            place = slice(before.start, before.start + own.stop - own.start)
            np.multiply(likelihoods[own], backward[own], out=ahead[place])  # what the next token gives each label
            np.matmul(ahead[place], moves, out=backward[place])
        inside = ahead[:, self._inside]
        begins, entering, staying = np.zeros((3, len(scores), self._count + 1), np.float32)
        begins[:, :-1] = (forward * backward)[:, self._begin]
        with np.errstate(divide="ignore", invalid="ignore"):
            entering[:, :-1] = self._entering * inside / backward[:, self._begin]
            staying[:, :-1] = self._staying * inside / backward[:, self._inside]
        for share in (entering, staying):
            np.nan_to_num(share, copy=False, posinf=0.0)
        return begins, entering, staying
