"""The tagger: its tables say what the features say, and it finds the best path."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline.extraction import features, tagger
from pipeline.extraction.tagger import Tagger, spans

TABLE = {"rash": ("c=1", "head"), "aspirin": ("c=2", "drug"), "severe": ("c=1",)}
LABELS = ["O", "B-drug", "B-reaction", "I-drug", "I-reaction"]
SENTENCES = [
    ["Severe", "rash", "after", "aspirin", "."],
    ["Rash", "."],
    [],
    ["No", "aspirin", "induced", "rash", "was", "seen", "in", "12", "patients"],
]
MARKED = {"aspirin": ["mark:B-drug", "mark:B-ingredient"], "rash": ["mark:B-disorder"], "12": ["mark:B-dosage"]}
MARKS = [[MARKED.get(form, []) for form in sentence] for sentence in SENTENCES]


def strings(number: int) -> list[list[str]]:
    return features.sentence([features.word(form, TABLE) for form in SENTENCES[number]], MARKS[number])


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    names = sorted({name for number in range(len(SENTENCES)) for token in strings(number) for name in token})
    return {name: generator.normal(size=len(LABELS)).astype(np.float32) for name in names[::2]}


@pytest.fixture
def model(tmp_path: Path, weights: dict[str, np.ndarray]) -> Tagger:
    """A model of random weights for half of the features that the sentences have."""
    path = tmp_path / "model.npz"
    transitions = np.random.default_rng(1).normal(size=(len(LABELS), len(LABELS))).astype(np.float32)
    for before, after in product(range(len(LABELS)), repeat=2):
        if LABELS[after].startswith("I") and LABELS[before][2:] != LABELS[after][2:]:
            transitions[before, after] = -np.inf
    np.savez_compressed(
        path,
        labels=np.frombuffer("\n".join(LABELS).encode(), np.uint8),
        features=np.frombuffer("\n".join(weights).encode(), np.uint8),
        rows=np.repeat(np.arange(len(weights)), len(LABELS)),
        columns=np.tile(np.arange(len(LABELS)), len(weights)),
        weights=np.concatenate(list(weights.values())),
        transitions=transitions,
    )
    return Tagger.read(path, TABLE)


def test_tables_score_like_the_features_they_were_made_from(model: Tagger, weights: dict[str, np.ndarray]) -> None:
    for number, found in enumerate(model.scores(SENTENCES, MARKS)):
        assert found.shape == (len(SENTENCES[number]), len(LABELS))
        for token, names in zip(found, strings(number), strict=True):
            wanted = sum((weights[name] for name in names if name in weights), np.zeros(len(LABELS)))
            assert np.allclose(token, wanted, atol=1e-4)


def test_decoding_finds_the_best_of_all_label_sequences(model: Tagger) -> None:
    scores = [one[:5] for one in model.scores(SENTENCES, MARKS)]
    for own, labels in zip(scores, model.decode(scores), strict=True):
        columns = np.array([LABELS.index(label) for label in labels], np.int64)
        possible = [
            np.array(path, np.int64)
            for path in product(range(len(LABELS)), repeat=len(own))
            if not path or not LABELS[path[0]].startswith("I")
        ]
        if len(own):
            assert model.gain(own, columns) == pytest.approx(max(model.gain(own, path) for path in possible), abs=1e-4)
        else:
            assert labels == []


def test_sentences_do_not_influence_each_other(model: Tagger) -> None:
    alone = [model.tag([forms], [marks])[0] for forms, marks in zip(SENTENCES, MARKS, strict=True)]
    assert model.tag(SENTENCES, MARKS) == alone
    assert model.tag([], []) == []


def test_a_full_word_cache_forgets_what_was_used_longest_ago(model: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model.scores(SENTENCES, MARKS)
    monkeypatch.setattr(tagger, "_CACHE", 4)
    model.scores([["seldom", "used", "before"]], [[[], [], []]])
    model.scores([["used", "before"]], [[[], []]])
    model.scores([["used", "before"]], [[[], []]])
    assert {"used", "before"} <= set(model.tables._known)
    assert len(model.tables._known) <= 4
    after = model.scores(SENTENCES, MARKS)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_spans_of_labels() -> None:
    tokens = [(0, 2), (3, 5), (6, 8), (9, 10)]
    assert spans(["B-drug", "I-drug", "B-drug", "O"], tokens) == [("drug", 0, 5), ("drug", 6, 8)]


@pytest.mark.parametrize(("form", "expected"), [("HbA1c", "XxXdx"), ("12.5", "d+.d"), ("WARFARIN", "X+"), ("x", "x")])
def test_shapes(form: str, expected: str) -> None:
    assert features.shape(form) == expected


@pytest.mark.parametrize("form", ["²", "½", "İ", "ß", "-", "٣", "0", "9" * 5000])
def test_every_word_has_features(form: str) -> None:
    assert features.word(form, {}).near[0]


def test_the_nearest_triggers_on_both_sides() -> None:
    assert features.surroundings([1, 0, 2, 3]) == [(0, 0, 2, 3), (1, 0, 2, 3), (1, 0, 3, 0), (2, 1, 0, 0)]


def test_a_token_sees_the_marks_beside_it_and_what_names_are_around_it() -> None:
    seen = strings(0)
    assert {"1|mark:B-disorder", "named-right:disorder_drug", "named-left:none_none"} <= set(seen[0])
    assert {"0|mark:B-disorder", "2|mark:B-drug", "named-between:none_drug"} <= set(seen[1])
    assert {"-1|mark:B-drug", "named-left:drug_disorder"} <= set(seen[4])
    assert not any("mark:" in name and name.startswith(("-3|", "3|")) for token in seen for name in token)


def test_of_marks_that_begin_together_one_is_the_kind_of_name() -> None:
    assert features.NAMED[features.named(["mark:B-disorder", "mark:B-drug"])] == "drug"
    assert features.named(["mark:I-drug", "mark:B-ingredient"]) == 0
