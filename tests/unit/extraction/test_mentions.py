"""Mentions of the shipped model, in sentences of our own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction import mentions, segment

LETTER = (
    "A 46-year-old woman with psoriasis received oral methotrexate 15 mg weekly. "
    "Two weeks later she developed severe pancytopenia. Methotrexate-induced stomatitis was also noted."
)


def found(text: str, kind: str) -> set[str]:
    return {mention.text for mention in mentions.find(text) if mention.type == kind}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("drug", {"methotrexate", "Methotrexate"}),
        ("age", {"46-year-old"}),
        ("sex", {"woman"}),
        ("route", {"oral"}),
        ("reaction", {"severe pancytopenia", "stomatitis"}),
    ],
)
def test_mentions_of_a_letter(kind: str, expected: set[str]) -> None:
    assert expected <= found(LETTER, kind)


def test_a_span_may_be_of_two_types() -> None:
    text = "Gold was given for rheumatoid arthritis."
    assert "rheumatoid arthritis" in found(text, "indication") & found(text, "condition")


def test_the_lexicon_marks_tokens() -> None:
    text = "Severe renal failure after imatinib mesylate."
    marks = mentions.marks(text, [segment.tokens(text)])[0]
    assert any("mark:B-drug" in names for names in marks)
    assert [f"mark:{sign}-disorder" in names for sign, names in zip("BI", marks[1:3], strict=True)] == [True, True]


def test_given_sentences_are_used() -> None:
    text = "Rash after aspirin. Aspirin was stopped."
    assert all(mention.end <= 19 for mention in mentions.find(text, [(0, 19)]))


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.sampled_from("aspirin rash\n.-²İé10mg\u2028"), max_size=60))
def test_mentions_point_to_their_text(text: str) -> None:
    for mention in mentions.find(text):
        assert mention.text == text[mention.start : mention.end]
        assert mention.text.strip() == mention.text != ""
    assert mentions.find(text) == mentions.find(text)


def test_a_pattern_adds_what_the_tagger_missed_or_cut_short() -> None:
    assert "17 months of age" in found("Toxicology was repeated at 17 months of age and later.", "age")
