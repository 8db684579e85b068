"""Patients of a report: who they are and which sentences tell of whom."""

from pipeline.extraction import document, people
from pipeline.records import Report


def persons(text: str) -> list[people.Person]:
    return people.find(document.read(Report(report_id="r", text=text)))


def told(text: str, person: people.Person) -> list[str]:
    return [text[s.start : s.end] for s in person.sentences]


def test_one_patient_has_every_sentence() -> None:
    text = "A 43-year-old woman took ticlopidine. She became jaundiced. Her bilirubin was high."
    (person,) = persons(text)
    assert person.age is not None
    assert (person.age.value, person.age.unit) == (43, "a")
    assert person.sex is not None
    assert person.sex.value == "female"
    assert len(person.sentences) == 3


def test_two_patients_have_their_own_sentences() -> None:
    text = (
        "A 61-year-old woman took sertraline. She had low sodium. "
        "A 70-year-old man took citalopram. He had seizures. Both patients recovered."
    )
    first, second = persons(text)
    assert told(text, first) == [
        "A 61-year-old woman took sertraline.",
        "She had low sodium.",
        "Both patients recovered.",
    ]
    assert told(text, second) == ["A 70-year-old man took citalopram.", "He had seizures.", "Both patients recovered."]


def test_patients_introduced_together_are_told_apart_by_number_and_sex() -> None:
    text = (
        "We treated a 61-year-old woman and a 70-year-old man with sertraline. The first patient had a rash. "
        "The man had seizures."
    )
    first, second = persons(text)
    assert "The first patient had a rash." in told(text, first)
    assert "The man had seizures." not in told(text, first)
    assert "The first patient had a rash." not in told(text, second)


def test_the_age_of_a_patient_of_the_literature_introduces_nobody() -> None:
    text = "A 43-year-old woman took ticlopidine. Smith et al. have reported a 50-year-old man with hepatitis."
    assert len(persons(text)) == 1


def test_a_text_without_a_person_has_one_nameless_patient() -> None:
    (person,) = persons("Amiodarone-induced thyrotoxicosis resolved after thyroidectomy.")
    assert person.age is None
    assert person.sex is None
