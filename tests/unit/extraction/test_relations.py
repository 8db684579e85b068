"""Links between a drug and a disorder in one sentence, by the words between them."""

import pytest

from pipeline.extraction import document
from pipeline.extraction.relations import links
from pipeline.records import Report


def kinds(sentence: str, drug: str, disorder: str) -> set[str]:
    read = document.read(Report(report_id="r", text=sentence))
    found = [x for s in read.sentences for x in links(read.text, s)]
    return {x.kind for x in found if drug in x.drug.text.lower() and disorder in x.disorder.text.lower()}


@pytest.mark.parametrize(
    ("sentence", "drug", "disorder", "kind"),
    [
        ("We saw ticlopidine-induced hepatitis.", "ticlopidine", "hepatitis", "induced"),
        ("Ticlopidine caused hepatitis.", "ticlopidine", "hepatitis", "cause"),
        ("Hepatitis due to ticlopidine was diagnosed.", "ticlopidine", "hepatitis", "cause"),
        ("Hepatitis was associated with ticlopidine.", "ticlopidine", "hepatitis", "weak"),
        ("He had hepatitis after ticlopidine.", "ticlopidine", "hepatitis", "temporal"),
        ("She took ticlopidine and developed hepatitis.", "ticlopidine", "hepatitis", "temporal"),
        ("Ticlopidine was prescribed for stroke.", "ticlopidine", "stroke", "indication"),
    ],
)
def test_the_words_between_say_what_the_link_is(sentence: str, drug: str, disorder: str, kind: str) -> None:
    assert kind in kinds(sentence, drug, disorder)


def test_all_drugs_of_a_list_are_linked() -> None:
    sentence = "Hepatitis due to isoniazid and rifampicin was diagnosed."
    assert "cause" in kinds(sentence, "isoniazid", "hepatitis")
    assert "cause" in kinds(sentence, "rifampicin", "hepatitis")


def test_drugs_of_another_sentence_are_not_linked() -> None:
    assert kinds("Ticlopidine was stopped. Hepatitis was found.", "ticlopidine", "hepatitis") == set()


@pytest.mark.parametrize(
    ("sentence", "linked"),
    [
        ("The seizures soon resolved after diazepam.", False),
        ("The seizures resolved after discontinuation of diazepam.", True),
        ("The seizures resolved two days after diazepam was withdrawn.", True),
        ("The seizures resolved but recurred after diazepam.", True),
        ("The seizures resolved after diazepam was switched to clobazam.", True),
    ],
)
def test_what_got_better_after_a_drug_was_not_caused_by_it(sentence: str, linked: bool) -> None:
    assert ("temporal" in kinds(sentence, "diazepam", "seizures")) is linked


@pytest.mark.parametrize(
    ("sentence", "linked"),
    [
        ("Diazepam led to prompt resolution of the seizures.", False),
        ("Diazepam led to resolution of fever and seizures.", False),
        ("Diazepam led to seizures.", True),
        ("Diazepam improved the tremor but led to seizures.", True),
    ],
)
def test_relief_that_a_drug_brought_is_no_harm(sentence: str, linked: bool) -> None:
    assert ("cause" in kinds(sentence, "diazepam", "seizures")) is linked
