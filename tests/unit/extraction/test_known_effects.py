"""What drugs are known to do: every name of the table means something, and it weighs in where a text leaves it open."""

import pytest

from pipeline.extraction import known_effects
from pipeline.extraction.numbers import table
from pipeline.terminology import lexicon
from tests.unit.extraction.story import read


def rows() -> list[tuple[str, list[str]]]:
    return [(name, effects.split("|")) for name, effects in table("known_effects", 2)]


def test_every_drug_is_one_of_the_lexicon_and_stands_there_once() -> None:
    drugs = [name for name, _ in rows() if not name.startswith("@")]
    assert len(set(drugs)) == len(drugs)
    for name in drugs:
        entry = lexicon().lookup(name, "drug")
        assert entry is not None and entry.name == name, name


def test_every_effect_begins_a_word_of_a_reaction_and_every_group_is_defined_before_its_use() -> None:
    reactions = {name.entry.name for name in lexicon().names() if name.entry.semantic == "disorder"}
    words = {name[start:] for name in reactions for start in known_effects.words(name)}
    groups: set[str] = set()
    for name, effects in rows():
        for effect in effects:
            if effect.startswith("@"):
                assert effect in groups, f"{name}: {effect}"
            else:
                assert any(word.startswith(effect) for word in words), f"{name}: {effect}"
        groups |= {name} if name.startswith("@") else set()


@pytest.mark.parametrize(
    ("drug", "disorder", "known"),
    [
        ("amikacin", "nephrotoxicity", True),
        ("clozapine", "agranulocytosis", True),
        ("ramipril", "angioedema", True),  # by its class
        ("simvastatin", "rhabdomyolysis", True),
        ("simvastatin", "tardive dyskinesia", False),
        ("drug of tomorrow", "rash", False),
    ],
)
def test_a_drug_is_known_for_its_own_effects_and_those_of_its_classes(drug: str, disorder: str, known: bool) -> None:
    assert known_effects.known(drug, disorder) is known


def test_effects_that_few_drugs_have_are_specific() -> None:
    assert known_effects.specific("retroperitoneal fibrosis") > known_effects.specific("rash") >= 0.0


def test_some_disorders_are_drug_reactions_by_nature() -> None:
    assert known_effects.by_nature("toxic epidermal necrolysis")
    assert not known_effects.by_nature("pneumonia")


def test_the_spread_of_a_tumor_is_no_effect_of_a_drug() -> None:
    assert known_effects.of_disease("liver metastasis")
    assert not known_effects.of_disease("endometrial cancer")
    assert not known_effects.of_disease("progressive multifocal leukoencephalopathy")


def test_of_two_drugs_the_one_known_for_the_reaction_is_the_likelier_suspect() -> None:
    story = read("A 60-year-old man received simvastatin and omeprazole. Two weeks later he developed rhabdomyolysis.")
    assert story.drugs["simvastatin"].score > story.drugs["omeprazole"].score
