"""Age, sex, ethnicity, number of persons; and the patients they introduce."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction import demographics

PATIENTS = [
    ("A 66-year-old woman was referred.", [(66, "a", "female")]),
    ("a woman aged 54", [(54, "a", "female")]),
    ("A man was admitted at the age of 66.0 years.", [(66, "a", "male")]),
    ("An 18-month-old boy", [(18, "mo", "male")]),
    ("14 yo M with fever", [(14, "a", "male")]),
    ("a 2 day old neonate", [(2, "d", None)]),
    ("a 74-yr-old white gentleman", [(74, "a", "male")]),
    ("A patient (F/58)", [(58, "a", "female")]),
    ("A woman, 66, with gout", [(66, "a", "female")]),
    ("A man in his sixties took zolimab.", [(None, None, "male")]),
    ("A 30-year-old patient took zolimab. She developed a rash.", [(30, "a", "female")]),
    ("A 30-year-old pregnant patient", [(30, "a", "female")]),
    ("A 30-year-old patient with prostate cancer", [(30, "a", "male")]),
    ("two girls aged 12 and 15 years", [(12, "a", "female"), (15, "a", "female")]),
    ("two male patients aged 71 and 68 years", [(71, "a", "male"), (68, "a", "male")]),
    ("Rash in a 5-year-old girl. A 5-year-old girl took zolimab.", [(5, "a", "female")]),
    ("A 3-year-old boy had a rash. This 36-month-old boy recovered.", [(3, "a", "male")]),
    ("a 5-year-old girl and a 57-year-old man", [(5, "a", "female"), (57, "a", "male")]),
    ("A 74-year-old man and his 40-year-old brother", [(74, "a", "male")]),
    ("A 20-year-old man, diagnosed at the age of 12, had a rash.", [(20, "a", "male")]),
    ("Patients aged 18-65 years; mean age 45 years.", []),
    ("born at 34 weeks of gestation", []),
    ("18F-FDG uptake", []),
    ("No patient is described.", []),
]


@pytest.mark.parametrize(("text", "expected"), PATIENTS, ids=[text for text, _ in PATIENTS])
def test_patients(text: str, expected: list[tuple[float | None, str | None, str | None]]) -> None:
    assert [(p.age, p.unit, p.sex) for p in demographics.patients(text)] == expected


def test_only_the_given_spans_introduce_patients() -> None:
    text = "A 66-year-old woman took zolimab. Ito described a 30-year-old man."
    assert [p.age for p in demographics.patients(text, [(0, text.index("Ito"))])] == [66]


def test_evidence_quotes_the_text_in_order() -> None:
    text = "Rash in a 5-year-old girl. A 5-year-old girl took zolimab."
    found = demographics.patients(text)[0]
    assert [text[s:e] for s, e in found.age_evidence] == ["5-year-old", "5-year-old"]
    assert [text[s:e] for s, e in found.sex_evidence] == ["girl", "girl"]


MENTIONS = [
    (
        "an elderly Japanese woman",
        [("age", "elderly", None), ("ethnicity", "Japanese", "japanese"), ("sex", "woman", "female")],
    ),
    ("a man of Greek origin", [("sex", "man", "male"), ("ethnicity", "Greek", "greek")]),
    ("lesions of the white matter; the French guideline; white blood cells", []),
    ("three patients", [("population", "three", 3)]),
    ("2 of 10 patients", [("population", "2", 2)]),
    ("a newborn", [("age", "newborn", None)]),
    ("she", [("sex", "she", "female")]),
    ("6.5 years of age", [("age", "6.5 years of age", 6.5)]),
]


@pytest.mark.parametrize(("text", "expected"), MENTIONS, ids=[text for text, _ in MENTIONS])
def test_mentions(text: str, expected: list[tuple[str, str, float | str | None]]) -> None:
    assert [(m.type, text[m.start : m.end], m.value) for m in demographics.find(text)] == expected


PIECES = st.sampled_from(
    ["5", "-year-old", "woman", "aged", "and", "his", "brother", "İ", ",", "(", "M", "old", "years", "he", "."]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_gives_offsets_inside_it(text: str) -> None:
    assert all(0 <= m.start < m.end <= len(text) for m in demographics.find(text))
    spans = [s for p in demographics.patients(text) for s in p.age_evidence + p.sex_evidence]
    assert all(0 <= start < end <= len(text) for start, end in spans)


@pytest.mark.parametrize("piece", ["1", "5 year old ", "aged 5 and ", "he ", "a ", "two patients "])
def test_time_is_linear(piece: str) -> None:
    begin = time.process_time()
    text = piece * (200_000 // len(piece))
    demographics.find(text)
    demographics.patients(text)
    assert time.process_time() - begin < 4
