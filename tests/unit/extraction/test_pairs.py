"""Pairs of the shipped model, in sentences of our own."""

import pytest

from pipeline.extraction import mentions, pairs


def found(text: str) -> set[tuple[str, str]]:
    return {(pair.drug, pair.reaction) for pair in pairs.find(text, mentions.find(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Amiodarone-induced hypothyroidism.", {("Amiodarone", "hypothyroidism")}),
        (
            "We report a case of agranulocytosis associated with clozapine and valproate.",
            {("clozapine", "agranulocytosis"), ("valproate", "agranulocytosis")},
        ),
        ("The patient was treated with prednisone for temporal arteritis.", set()),
        ("Her serum sodium concentration was normal.", set()),
        ("", set()),
    ],
)
def test_pairs(text: str, expected: set[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_spans_point_to_the_names_in_their_own_sentence() -> None:
    text = "He recovered. Lithium caused tremor. Lithium was stopped.\n\nValproate-induced tremor is known."
    stated = pairs.find(text, mentions.find(text))
    assert {(pair.drug, pair.reaction) for pair in stated} >= {("Lithium", "tremor"), ("Valproate", "tremor")}
    for pair in stated:
        assert text[slice(*pair.drug_span)] == pair.drug
        assert text[slice(*pair.reaction_span)] == pair.reaction
        assert (
            "."
            not in text[min(pair.drug_span[0], pair.reaction_span[0]) : max(pair.drug_span[0], pair.reaction_span[0])]
        )
