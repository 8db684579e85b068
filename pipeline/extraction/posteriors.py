"""How probable every stretch of a sentence is as a mention, under the scores of a tagger.

Belongs here: the forward-backward algorithm.  Does not belong here: the scores (``tagger``), the decision on a span
(``choice``).

The one best label sequence says nothing of what nearly made it.  Here the probability of a span is summed over all
label sequences that hold it and, for a type that shares a joined label (``indication+condition``), over both labels.
The labelling under the scores is a Markov chain: a span is as probable as its begin, times going on to each further
token, times stopping after the last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Likely(NamedTuple):
    """A stretch of tokens ``first`` to ``last`` (inclusive) that is a mention of a type with a probability."""

    probability: float
    kind: str
    first: int
    last: int


class Posteriors:
    """Reads one model: its labels (``O``, then ``B-`` of all types, then ``I-`` in the same order) and transitions.

    ``scale`` multiplies all scores: a model is surer than it is right.  ``least`` is the probability from which a span
    is worth telling.
    """

    def __init__(self, labels: Sequence[str], transitions: Floats, scale: float, least: float) -> None:
        self._scale = scale
        joined = [label[2:] for label in labels if label.startswith("B-")]
        self._count = len(joined)
        self._moves: Floats = np.exp(np.float32(scale) * transitions)
        self._kinds = list(dict.fromkeys(kind for name in joined for kind in name.split("+")))
        self._least = least
        self._membership: Floats = np.zeros((self._count, len(self._kinds)), np.float32)
        for number, name in enumerate(joined):
            for kind in name.split("+"):
                self._membership[number, self._kinds.index(kind)] = 1.0
        widest = int(self._membership.sum(axis=0).max(initial=1))
        self._columns = np.full((len(self._kinds), widest), self._count)  # the column behind the last is of no type
        for number, column in enumerate(self._membership.T):
            self._columns[number, : int(column.sum())] = np.flatnonzero(column)
        begin = slice(1, 1 + self._count)
        inside = slice(1 + self._count, None)
        self._entering = self._moves[begin, inside].diagonal()
        self._staying = self._moves[inside, inside].diagonal()
        self._begin, self._inside = begin, inside

    def spans(self, scores: Sequence[Floats]) -> list[list[Likely]]:
        """Per sentence of scores (tokens, labels) the spans that are probable enough, the most probable first."""
        found: list[list[Likely]] = [[] for _ in scores]
        order = sorted((n for n, one in enumerate(scores) if len(one)), key=lambda n: -len(scores[n]))
        if not order:
            return found
        lengths = np.array([len(scores[n]) for n in order])
        flat = np.float32(self._scale) * np.concatenate([scores[n] for n in order])
        flat -= flat.max(axis=1, keepdims=True)
        np.exp(flat, out=flat)
        begins, entering, staying = self._chain(flat, lengths)
        starts = np.cumsum(lengths) - lengths
        rows, kinds = np.nonzero(begins[:, :-1] @ self._membership >= self._least)
        columns = self._columns[kinds]
        mass = begins[rows[:, None], columns]
        place = np.searchsorted(starts, rows, side="right") - 1
        first = rows - starts[place]
        last, further = first, entering
        while len(rows):
            onward = mass * further[rows[:, None], columns]
            probability = (mass - onward).sum(axis=1)
            for hit in np.flatnonzero(probability >= self._least).tolist():
                span = Likely(float(probability[hit]), self._kinds[kinds[hit]], int(first[hit]), int(last[hit]))
                found[order[place[hit]]].append(span)
            going = onward.sum(axis=1) >= self._least
            rows, kinds, columns, mass, place, first, last = (
                part[going] for part in (rows + 1, kinds, columns, onward, place, first, last + 1)
            )
            further = staying
        for one in found:
            one.sort(key=lambda span: (-span.probability, span.first, span.last, span.kind))
        return found

    def _chain(self, likelihoods: Floats, lengths: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Per token and joined type: that it begins there, that a span goes on behind its first, behind a further one.

        All sentences take a step at once; they are ordered by falling length.
        """
        offsets = np.cumsum(lengths) - lengths
        active = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left").tolist()
        rows = [offsets[:count] + step for step, count in enumerate(active)]
        forward = np.empty_like(likelihoods)
        backward = np.ones_like(likelihoods)
        ahead = np.zeros_like(likelihoods)  # what the next token gives each label
        totals = np.empty((len(likelihoods), 1), np.float32)
        now = likelihoods[rows[0]]
        now[:, self._inside] = 0.0
        for step, own in enumerate(rows):
            if step:
                now = (now[: len(own)] @ self._moves) * likelihoods[own]
            total = now.sum(axis=1, keepdims=True)
            now = now / total
            totals[own] = total
            forward[own] = now
        moves = np.ascontiguousarray(self._moves.T)
        for own in reversed(rows[1:]):
            given = likelihoods[own] * backward[own] / totals[own]
            ahead[own - 1] = given
            backward[own - 1] = given @ moves
        inside = ahead[:, self._inside]
        begins, entering, staying = np.zeros((3, len(likelihoods), self._count + 1), np.float32)
        begins[:, :-1] = (forward * backward)[:, self._begin]
        with np.errstate(divide="ignore", invalid="ignore"):
            entering[:, :-1] = np.nan_to_num(self._entering * inside / backward[:, self._begin], posinf=0.0)
            staying[:, :-1] = np.nan_to_num(self._staying * inside / backward[:, self._inside], posinf=0.0)
        return begins, entering, staying
