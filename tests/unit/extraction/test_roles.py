"""Which drugs the patient took, and what part those play that are no suspects."""

import pytest

from pipeline.extraction import roles
from tests.unit.extraction.story import read

TAKEN = [
    ("She was treated with warfarin.", {"warfarin"}),
    ("He was taking warfarin, metformin and atenolol.", {"warfarin", "metformin", "atenolol"}),
    # only spoken of
    ("The isolate showed resistance to gentamicin.", set()),
    ("He declined warfarin.", set()),
    ("Metformin was not given because of her renal failure.", set()),
    ("His serum lithium level was measured.", set()),
    ("He could be given warfarin.", set()),
    ("She had a history of benzodiazepine use disorder.", set()),
    # substances that are rather measured: only if given
    ("The patient was given potassium.", {"potassium"}),
    ("His potassium was 3.1 mmol/L.", set()),
    # what is no medicine
    ("She underwent hemodialysis and received heparin.", {"heparin"}),
    # a class that stands for a drug
    ("He received antibiotic therapy with ceftriaxone.", {"ceftriaxone"}),
    ("He received prednisone. After two weeks the steroid was tapered.", {"prednisone"}),
    ("He received an antibiotic.", {"antibiotic"}),
]


@pytest.mark.parametrize(("text", "names"), TAKEN)
def test_drugs_of_the_patient(text: str, names: set[str]) -> None:
    story = read(text)
    kept = roles.taken(story.document, list(story.drugs.values()), [])
    assert {group.best.key for group in kept} == names


ROLES = [
    # drug, role, text
    ("diphenhydramine", "treatment", "He took amoxicillin and had urticaria. He was treated with diphenhydramine."),
    ("prednisone", "treatment", "The man took amoxicillin. He developed urticaria, which resolved with prednisone."),
    ("naloxone", "treatment", "The man took morphine and developed stupor. Naloxone was administered."),
    ("metformin", "concomitant", "The man was on metformin. He took amoxicillin and developed urticaria."),
    ("doxycycline", "concomitant", "The man developed urticaria. Amoxicillin was replaced by doxycycline."),
    ("gemcitabine", "concomitant", "The man developed urticaria. Gemcitabine was started for his tumor."),
    ("infliximab", "past", "His gout was refractory to infliximab. He took methotrexate and developed stomatitis."),
    ("infliximab", "past", "Infliximab was ineffective. The man took methotrexate and developed stomatitis."),
]  # fmt: skip


@pytest.mark.parametrize(("drug", "role", "text"), ROLES)
def test_role(drug: str, role: str, text: str) -> None:
    story = read(text)
    reactions = [story.disorders[key] for key in ("urticaria", "stomatitis", "stupor") if key in story.disorders]
    found, evidence = roles.role(story.document, story.drugs[drug], story.told, reactions)
    assert found == role
    assert all(0 <= start < end <= len(text) for start, end in evidence)


def test_interacting_drugs_are_named_as_such() -> None:
    story = read("In this patient an interaction between warfarin and fluconazole led to bleeding.")
    groups = [story.drugs["warfarin"], story.drugs["fluconazole"]]
    assert set(roles.interacting(story.document, story.told, groups)) == {0, 1}
    apart = read("The patient took warfarin and fluconazole and bled.")
    assert not roles.interacting(apart.document, apart.told, list(apart.drugs.values()))
