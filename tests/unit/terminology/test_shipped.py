import bz2
import importlib.util
import json
import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import MAPPINGS
from pipeline.errors import UsageError
from pipeline.terminology import lexicon
from pipeline.terminology.folding import fold_name
from pipeline.terminology.shipped import code_systems, codings, disorder_names, drug_names, read_concepts

DRUG_FILES = ["drugs.tsv", "drugs_extra.tsv", "drug_classes.tsv", "drugs_masked.tsv"]


@pytest.fixture(scope="module")
def source() -> dict[str, dict[str, Any]]:
    found = importlib.util.find_spec("drug_named_entity_recognition")
    assert found is not None
    assert found.origin is not None
    with bz2.open(Path(found.origin).with_name("drug_ner_dictionary.pkl.bz2")) as file:
        loaded: dict[str, dict[str, Any]] = pickle.load(file)
    return loaded


def test_drug_codes_exist_in_their_code_system(source: dict[str, dict[str, Any]]) -> None:
    facts = source["drug_canonical_to_data"].values()
    known = {
        code_systems()["DRUGBANK"]: {fact["drugbank_id"] for fact in facts if "drugbank_id" in fact},
        code_systems()["MESH"]: {fact["mesh_id"] for fact in facts if "mesh_id" in fact},
    }
    used = {(coding.system, coding.code) for name in drug_names() for coding in name.entry.codings}
    assert len(used) > 10_000
    assert [pair for pair in used if pair[1] not in known[pair[0]]] == []


@pytest.mark.parametrize(
    ("name", "code"), [("paracetamol", "DB00316"), ("ciclosporin", "DB00091"), ("imatinib", "DB00619")]
)
def test_a_curated_concept_takes_over_the_codes_of_the_derived_one(name: str, code: str) -> None:
    entry = lexicon().lookup(name, "drug")
    assert entry is not None
    assert code in {coding.code for coding in entry.codings}


@pytest.mark.parametrize("file", DRUG_FILES)
def test_no_concept_stands_twice_in_a_file(file: str) -> None:
    places = defaultdict(list)
    for concept in read_concepts(MAPPINGS / file):
        places[concept.name].append(concept.place)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_curated_name_means_two_drugs() -> None:
    places = defaultdict(set)
    for file in DRUG_FILES[1:3]:
        for concept in read_concepts(MAPPINGS / file):
            for text in (concept.name, *concept.synonyms):
                places[text].add((concept.name, concept.place))
    assert {text: sorted(where) for text, where in places.items() if len({name for name, _ in where}) > 1} == {}


def test_no_name_means_two_disorders() -> None:
    places = defaultdict(set)
    for path in sorted((MAPPINGS / "reactions").glob("*.tsv")):
        for concept in read_concepts(path):
            for text in (concept.name, *concept.synonyms):
                places[fold_name(text)].add((concept.name, concept.place))
    assert {text: sorted(where) for text, where in places.items() if len(where) > 1} == {}


def test_disorder_files_are_loaded() -> None:
    assert {name.entry.semantic for name in disorder_names()} <= {"disorder"}


def test_common_brands_resolve_to_their_ingredient(source: dict[str, dict[str, Any]]) -> None:
    """Where our list and the source both know a brand, both mean the same substance."""
    lex = lexicon()
    differing = {}
    for concept in read_concepts(MAPPINGS / "drugs_extra.tsv"):
        for text in concept.synonyms:
            canonical = source["drug_variant_to_canonical"].get(text.lower())
            if canonical and "is_brand" in source["drug_variant_to_variant_data"].get(text.lower(), {}):
                entry = lex.lookup(canonical[0], "drug")
                if entry is not None and entry.name != concept.name:
                    differing[text] = (concept.name, entry.name)
    assert differing == {}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("imatinib\tmedicine\t\t", "x.tsv:2: expected a name, a kind"),
        ("\tingredient\t\t", "x.tsv:2: expected a name"),
        ("imatinib\tingredient\tATC:L01\t", "x.tsv:2: unknown code system 'ATC'"),
        ("imatinib\tingredient\t\ta|b\tc\td", "at most 5 cells"),
    ],
)
def test_a_line_out_of_form_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "x.tsv"
    file.write_text(f"# comment\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        list(read_concepts(file))


def test_codings_have_canonical_systems() -> None:
    found = [(coding.system, coding.code) for coding in codings("MESH:D004487;HP:0000969;ICD10CM:R60.9")]
    assert found == [
        ("https://www.nlm.nih.gov/mesh", "D004487"),
        ("http://human-phenotype-ontology.org", "HP:0000969"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "R60.9"),
    ]


def test_code_systems_are_those_that_hl7_prefers() -> None:
    data = Path(__file__).parents[2] / "data" / "terminology" / "naming_systems.json"
    preferred = json.loads(data.read_text(encoding="utf-8"))
    lines = (MAPPINGS / "code_systems.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert {row[0] for row in rows if row[2] not in preferred} == {"DRUGBANK"}
    assert [row for row in rows if row[2] in preferred and preferred[row[2]] != [row[1]]] == []


@pytest.mark.parametrize("name", ["tocopherol", "valproic acid", "tetracycline"])
def test_codes_are_those_of_the_ingredient_not_of_a_salt(name: str, source: dict[str, dict[str, Any]]) -> None:
    entry = lexicon().lookup(name, "drug")
    assert entry is not None
    owners = [n for n, f in source["drug_canonical_to_data"].items() if f.get("drugbank_id") == entry.codings[0].code]
    assert not any(owner.endswith(("acetate", "succinate", "sodium", "hydrochloride")) for owner in owners)
