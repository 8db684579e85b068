"""What the words around names say of them, before anything is chosen."""

import pytest

from tests.unit.extraction.story import read


@pytest.mark.parametrize(
    ("sentence", "harms"),
    [
        ("She had adverse events including mild colitis, anemia and rash.", {"colitis", "anemia", "rash"}),
        ("Side effects were nausea and fatigue; later she had gout.", {"nausea", "fatigue"}),
        ("There were no side effects, nausea included.", set()),
        ("He was informed about side effects including nausea.", set()),
        ("Adverse events were rare, and she had gout.", set()),
        ("Her diseases included gout and asthma.", set()),
    ],
)  # fmt: skip
def test_what_a_list_of_adverse_effects_names_is_listed_as_harm(sentence: str, harms: set[str]) -> None:
    disorders = read(f"She took nivolumab for melanoma. {sentence}").disorders
    assert {key for key, group in disorders.items() if group.members[0].features.get("listed as harm")} == harms


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Anti-allergic treatment was begun.", "allergy"),
        ("All nephrotoxic drugs were avoided.", "nephrotoxicity"),
        ("Teratogenic agents were replaced.", "teratogenicity"),
    ],
)
def test_what_a_drug_is_for_or_may_do_is_no_disorder_of_the_patient(text: str, key: str) -> None:
    assert key not in read(f"She took nivolumab. {text}").disorders


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("She took clozapine. There were no side effects.", True),
        ("She took clozapine without side effects for two years. Then she developed fever and a rash.", False),
        ("She gave birth without complications. Then she developed fever.", True),
        ("She took clozapine. She recovered without complications.", False),
    ],
)
def test_a_denial_of_adverse_effects_holds_for_what_had_happened_by_then(text: str, denied: bool) -> None:
    members = [m for group in read(text).drugs.values() for m in group.members]
    members += [m for group in read(text).disorders.values() for m in group.members]
    assert {m.features["report: no adverse"] for m in members} == {float(denied)}


def test_what_became_of_a_disorder_is_no_part_of_its_name() -> None:
    story = read("She took quetiapine. Remission of the compulsive behavior ensued after quetiapine was stopped.")
    assert [e.kind for e in story.events if "compulsive behavior" in e.disorders and e.kind == "resolve"] == ["resolve"]
