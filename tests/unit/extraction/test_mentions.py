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


INTERRUPTED = "Acute renal failure developed after intravenous mannitol infusion."


def test_a_route_around_its_drug_is_one() -> None:
    (route,) = [mention for mention in mentions.find(INTERRUPTED) if mention.type == "route"]
    assert route.text == "intravenous infusion"
    assert INTERRUPTED[route.start : route.end] == "intravenous mannitol infusion"
    assert route.gap is not None
    assert INTERRUPTED[slice(*route.gap)] == " mannitol "
    assert "mannitol" in found(INTERRUPTED, "drug")


def test_a_word_that_no_lexicon_knows_may_be_a_drug_in_an_excerpt_only() -> None:
    sentence = "Severe hepatitis was induced by zolufen therapy."
    assert "zolufen" in found(sentence, "drug")
    assert not found(" ".join(["Hemoglobin was normal.", "There was no fever.", "He slept.", sentence]), "drug")


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.sampled_from("aspirin rash\n.-²İé10mg\u2028"), max_size=60))
def test_mentions_point_to_their_text(text: str) -> None:
    for mention in mentions.find(text):
        start, end = mention.gap or (mention.end, mention.end)
        assert mention.text == " ".join(filter(None, (text[mention.start : start], text[end : mention.end])))
        assert mention.text.strip() == mention.text != ""
    assert mentions.find(text) == mentions.find(text)


def test_a_pattern_adds_the_age_groups_that_the_tagger_missed() -> None:
    assert "newborns" in found("Withdrawal of the drug was seen in newborns and toddlers of treated mothers.", "age")
