"""Zones, assertions and abbreviations: what a sentence is about and what it asserts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction import abbreviations
from pipeline.extraction.assertion import assertion
from pipeline.extraction.cues import find, fold
from pipeline.extraction.zones import zones
from pipeline.records import Section, SectionKind


def zone_of(sentence: str, kind: SectionKind = "body") -> str:
    cues = find(fold(sentence))
    return zones(sentence, [(0, len(sentence))], [Section(kind=kind, start=0, end=len(sentence))], [cues])[0]


@pytest.mark.parametrize(
    ("sentence", "zone"),
    [
        ("A 43-year-old woman was admitted because of jaundice.", "case"),
        ("Her transaminases returned to normal after the drug was stopped.", "case"),
        ("We report a case of hepatitis caused by ticlopidine.", "summary"),
        ("In our patient hepatitis was therefore attributed to ticlopidine.", "summary"),
        ("Between 4% and 9% of patients treated with ticlopidine have elevated enzymes.", "literature"),
        ("Several cases of hepatitis have been reported [3,4].", "literature"),
        ("Unlike earlier reports of cholestasis, we describe pure hepatitis.", "summary"),
        ("Biopsy revealed vasculitis, which has not yet been described in patients taking ticlopidine.", "summary"),
        ("The hepatitis was probable according to the scale of Naranjo.", "case"),
        ("Smith et al. described two patients with jaundice.", "literature"),
        ("Ticlopidine is an inhibitor of platelet aggregation.", "general"),
        ("Physicians should be aware of this adverse effect.", "general"),
    ],
)
def test_a_sentence_is_zoned_by_its_wording(sentence: str, zone: str) -> None:
    assert zone_of(sentence) == zone


@pytest.mark.parametrize("kind", ["references", "furniture", "methods"])
def test_text_that_states_no_facts_is_set_apart(kind: SectionKind) -> None:
    assert zone_of("A 43-year-old woman was admitted.", kind) == "apart"


def test_an_undecided_sentence_follows_the_one_before_it() -> None:
    text = "The patient was admitted to our hospital. Bilirubin 12."
    spans = [(0, 41), (42, 55)]
    cues = [find(fold(text[0:41])), []]
    assert zones(text, spans, [], cues) == ["case", "case"]


def asserted(sentence: str, mention: str, zone: str = "case") -> str:
    start = sentence.index(mention)
    cues = find(fold(sentence))
    return assertion(sentence, (start, start + len(mention)), cues, zone)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentence", "mention", "expected"),
    [
        ("She developed jaundice.", "jaundice", "present"),
        ("There was no jaundice.", "jaundice", "negated"),
        ("Other causes of fever and cough were excluded.", "cough", "present"),
        ("No cause of the fever was found.", "fever", "present"),
        ("A fever was excluded.", "fever", "negated"),
        ("She denied fever, chills, and cough.", "cough", "negated"),
        ("Viral hepatitis was excluded.", "Viral hepatitis", "negated"),
        ("There was no fever, but she developed jaundice.", "jaundice", "present"),
        ("There was no improvement of the rash.", "rash", "present"),
        ("Patients are at risk of jaundice.", "jaundice", "hypothetical"),
        ("She had a history of asthma.", "asthma", "historical"),
        ("Family history of asthma was noted.", "asthma", "family"),
        ("Vasculitis was suspected.", "Vasculitis", "possible"),
        ("The jaundice faded and her hepatitis serology was negative.", "jaundice", "present"),
    ],
)
def test_a_cue_governs_what_stands_in_its_scope(sentence: str, mention: str, expected: str) -> None:
    assert asserted(sentence, mention) == expected


def test_what_the_literature_says_is_no_fact_of_the_case() -> None:
    assert asserted("Jaundice has been reported.", "Jaundice", zone="literature") == "literature"


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("a case of erythema multiforme (EM) after", "EM", "erythema multiforme"),
        ("posterior reversible encephalopathy syndrome (PRES)", "PRES", "posterior reversible encephalopathy syndrome"),
        ("toxic epidermal necrolysis [TEN]", "TEN", "toxic epidermal necrolysis"),
        ("TEN (toxic epidermal necrolysis) was", "TEN", "toxic epidermal necrolysis"),
    ],
)  # fmt: skip
def test_an_abbreviation_points_to_its_long_form(text: str, short: str, long: str) -> None:
    (found,) = abbreviations.find(text)
    assert (found.short, text[slice(*found.long)]) == (short, long)


@pytest.mark.parametrize("text", ["a rash (Fig. 1)", "at 5 mg (daily)", "a rash (on the trunk)", "the patient (AB)"])
def test_other_brackets_define_nothing(text: str) -> None:
    assert abbreviations.find(text) == []


@given(st.text(alphabet="ab AB().,1", max_size=120))
def test_long_forms_lie_inside_the_text(text: str) -> None:
    assert all(0 <= a.long[0] < a.long[1] <= len(text) for a in abbreviations.find(text))
