"""Sentences and tokens."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction.segment import sentences, tokens


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokens(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The eruption (Fig. 1) cleared.",
        "Causes, e.g. Infections, were excluded by Dr. Meyer.",
        "As Novak et al. (1998) wrote, it recurs.",
        "Serum creatinine was 1.5 mg/dl.",
        "J. R. Miller saw E. coli in the urine.",
        "She received 5 mg i.v. daily and 10 mg p.o. thereafter.",
        "He took approx. 20 tablets.",
        "Patient No. 5 was given 250 mg. twice a day.",
        "The dose was raised to 400\nmg daily without effect.",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert split(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The rash faded. It came back.", ["The rash faded.", "It came back."]),
        ("It had been seen before.Our second patient died.", ["It had been seen before.", "Our second patient died."]),
        ("See www.example.Org for it.", ["See www.example.Org for it."]),
        ("Lipase was 900 U/L. The drug was stopped.", ["Lipase was 900 U/L.", "The drug was stopped."]),
        ("He had hepatitis B. The drug was stopped.", ["He had hepatitis B.", "The drug was stopped."]),
        ("She got 5 mg i.v. The rash faded.", ["She got 5 mg i.v.", "The rash faded."]),
        ("It was stopped.[3,4] He died.", ["It was stopped.[3,4]", "He died."]),
        ("It was stopped.12 He died.", ["It was stopped.12", "He died."]),
        ('"Is it the drug?" It was.', ['"Is it the drug?"', "It was."]),
        ("One paragraph\n\nand another", ["One paragraph", "and another"]),
        ("He had fever. 10 days later it rose.", ["He had fever.", "10 days later it rose."]),
        (
            "CASE REPORT\nA woman of 50 years took the drug for a week and fell ill.",
            ["CASE REPORT", "A woman of 50 years took the drug for a week and fell ill."],
        ),
        (
            "The patient had been treated by the team of\nProfessor Weiss, who had seen many such cases before.",
            ["The patient had been treated by the team of\nProfessor Weiss, who had seen many such cases before."],
        ),
        (
            "A long line of wrapped text that was broken where\nAmoxicillin would not have fitted in its width.",
            ["A long line of wrapped text that was broken where\nAmoxicillin would not have fitted in its width."],
        ),
        (" \n\t ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("imatinib-induced", ["imatinib", "-", "induced"]),
        ("46-year-old", ["46", "-", "year", "-", "old"]),
        ("10mg of 0.5%", ["10", "mg", "of", "0.5", "%"]),
        ("1,200 mg/day", ["1,200", "mg", "/", "day"]),
        ("CD34 and HbA1c", ["CD34", "and", "HbA1c"]),
        ("the patient's (TNF)-alpha", ["the", "patient", "'s", "(", "TNF", ")", "-", "alpha"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(alphabet=st.sampled_from("aB1 .\n?!()[],\t-'é\u2028İ"), max_size=80))
def test_spans_are_ordered_and_cover_every_visible_character(text: str) -> None:
    for spans in (sentences(text), tokens(text)):
        assert all(start < end for start, end in spans)
        assert all(left[1] <= right[0] for left, right in pairwise(spans))
        covered = {position for start, end in spans for position in range(start, end)}
        assert all(position in covered for position, character in enumerate(text) if not character.isspace())


def test_tokens_of_a_stretch_lie_inside_it() -> None:
    assert tokens("one two three", 4, 7) == [(4, 7)]


@pytest.mark.parametrize("unit", [". ", "\n", "A.", "1.", " \n ", "a" * 50 + ".\n", "[1"])
def test_time_is_linear_in_the_length(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    begun = time.perf_counter()
    sentences(text)
    tokens(text)
    assert time.perf_counter() - begun < 5


def test_an_endless_sentence_is_cut_at_white_space_but_never_a_word() -> None:
    text = "rash " * 1000 + "x" * 5000 + " rash"
    spans = sentences(text)
    assert len(spans) > 2
    assert " ".join(text[start:end] for start, end in spans) == text
