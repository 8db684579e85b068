"""What drugs were given for, and what else the patient has or had."""

import pytest

from pipeline.extraction import conditions, drug_groups
from pipeline.records import Case, Drug
from tests.unit.extraction.story import Story, read


def filled(story: Story, suspect: str, reactions: tuple[str, ...] = ("urticaria",)) -> Case:
    """The case of a story in which one drug is the suspect."""
    groups = list(story.drugs.values())
    drugs = [
        Drug(id=f"drug-{n}", name=g.best.key, role="suspect" if g.best.key == suspect else "concomitant")
        for n, g in enumerate(groups)
    ]
    case = Case(case_id="r-1", report_id="r", drugs=drugs)
    conditions.fill(
        story.document, case, groups, list(story.disorders.values()),
        [story.disorders[key] for key in reactions if key in story.disorders],
    )  # fmt: skip
    return case


INDICATIONS = [
    ("The patient was treated with zolpidem for insomnia. He developed urticaria.", "zolpidem", ["insomnia"]),
    ("A woman with epilepsy was treated with phenytoin and developed urticaria.", "phenytoin", ["epilepsy"]),
    ("A woman with asthma and epilepsy took phenytoin and developed urticaria.", "phenytoin", ["epilepsy"]),
    ("A man took phenytoin and developed urticaria. He never had epilepsy.", "phenytoin", []),
    ("A man took phenytoin and developed urticaria.", "phenytoin", []),
]


@pytest.mark.parametrize(("text", "drug", "terms"), INDICATIONS)
def test_indication(text: str, drug: str, terms: list[str]) -> None:
    case = filled(read(text), drug)
    given = next(one for one in case.drugs if one.name == drug)
    assert [one.term for one in given.indications] == terms
    for one in given.indications:
        assert [text[start:end] for start, end in one.evidence]


HISTORY = [
    ("A man with a history of gout took phenytoin for epilepsy and developed urticaria.", {"gout"}),
    ("A man had undergone splenectomy. He took phenytoin and developed urticaria.", {"splenectomy"}),
    ("A man on hemodialysis took phenytoin and developed urticaria.", {"hemodialysis"}),
    ("A man took phenytoin and developed urticaria. His father had gout.", set()),
    ("A man without a history of gout took phenytoin and developed urticaria.", set()),
    ("A man presented with a three-day history of pain. He took phenytoin and developed urticaria.", set()),
]


@pytest.mark.parametrize(("text", "terms"), HISTORY)
def test_history(text: str, terms: set[str]) -> None:
    case = filled(read(text), "phenytoin")
    assert {one.term for one in case.patient.history} == terms
    assert all(one.evidence for one in case.patient.history)


def test_every_name_of_the_groups_is_a_drug_of_the_lexicon() -> None:
    from pipeline.terminology import lexicon

    for one in drug_groups.classes().values():
        for name in (one.name, *one.members):
            entry = lexicon().lookup(name, "drug")
            assert entry is not None and entry.name == name, f"{one.name}: {name}"


def test_groups_reach_through_other_groups() -> None:
    assert {"glucocorticoid", "corticosteroid", "immunosuppressant"} <= drug_groups.classes_of("prednisone")
    assert "antihypertensive" in drug_groups.classes_of("ramipril")
    assert "antihistamine" not in drug_groups.classes_of("amantadine")
    assert drug_groups.rescues("epinephrine") is True
    assert drug_groups.rescues("cisplatin") is False
    assert drug_groups.rescues("metformin") is None
