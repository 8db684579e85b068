"""The probability of spans, against the sum over all label sequences."""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from pipeline.extraction.posteriors import Posteriors
from pipeline.extraction.tagger import Model, Tables, Tagger, spans

LABELS = ["O", "B-drug", "B-indication", "B-indication+condition", "I-drug", "I-indication", "I-indication+condition"]
SCALE = 0.7


@pytest.fixture
def model() -> Tagger:
    """A model of random transitions; the scores come from the tests."""
    transitions = np.random.default_rng(1).normal(size=(len(LABELS), len(LABELS))).astype(np.float32)
    for before, after in product(range(len(LABELS)), repeat=2):
        if LABELS[after].startswith("I") and LABELS[before][2:] != LABELS[after][2:]:
            transitions[before, after] = -np.inf
    none = np.zeros(0, np.int64)
    made = Model(LABELS, [], none, none, np.zeros(0, np.float32), transitions)
    return Tagger(made, Tables([made], {}))


def scores(*sizes: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.normal(scale=2, size=(size, len(LABELS))).astype(np.float32) for size in sizes]


def summed(model: Tagger, own: np.ndarray) -> dict[tuple[str, int, int], float]:
    """Type, first and last token of each span, and the share of the label sequences that hold it, by their weight."""
    held: defaultdict[tuple[str, int, int], float] = defaultdict(float)
    total = 0.0
    for path in product(range(len(LABELS)), repeat=len(own)):
        if LABELS[path[0]].startswith("I"):
            continue
        columns = np.array(path)
        score = own[np.arange(len(own)), columns].sum() + model.transitions[columns[:-1], columns[1:]].sum()
        weight = float(np.exp(SCALE * score))
        total += weight
        if weight:
            places = [(number, number) for number in range(len(own))]
            for joined, first, last in spans([LABELS[column] for column in path], places):
                for kind in joined.split("+"):
                    held[kind, first, last] += weight
    return {span: weight / total for span, weight in held.items()}


def test_a_span_is_as_probable_as_the_label_sequences_that_hold_it(model: Tagger) -> None:
    every = scores(4, 1, 3)
    for own, found in zip(every, Posteriors(model, SCALE, 0.001).spans(every), strict=True):
        wanted = summed(model, own)
        assert {span for span, probability in wanted.items() if probability > 0.0011} <= {one[1:] for one in found}
        for probability, kind, first, last in found:
            assert probability == pytest.approx(wanted[kind, first, last], abs=1e-4)
        assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)


def test_only_what_is_probable_enough_is_told(model: Tagger) -> None:
    every = scores(6, 5)
    kept = Posteriors(model, SCALE, 0.2).spans(every)
    whole = Posteriors(model, SCALE, 0.01).spans(every)
    for some, more in zip(kept, whole, strict=True):
        assert [one[1:] for one in some] == [one[1:] for one in more if one.probability >= 0.2]


def test_plain_tokens_between_names_hardly_matter(model: Tagger) -> None:
    (own,) = scores(9)
    own[3:6, 0] += 60
    (found,) = Posteriors(model, SCALE, 0.01).spans([own])
    assert found
    assert all(one.last < 3 or one.first > 5 for one in found)


@pytest.mark.parametrize("sizes", [(), (0,), (0, 3, 0)])
def test_empty_sentences_hold_nothing(model: Tagger, sizes: tuple[int, ...]) -> None:
    found = Posteriors(model, SCALE, 0.05).spans(scores(*sizes))
    assert [bool(one) for one in found] == [bool(size) for size in sizes]
