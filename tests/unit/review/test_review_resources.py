"""FHIR resources on a page: as published, and with the facts they state."""

import base64
import json
import zlib

import orjson
import pytest

from pipeline import fhir
from pipeline.paths import FHIR_VERSIONS, FhirVersion
from pipeline.review import facts
from pipeline.review.resources import entries, packed
from tests.unit.fhir.fhir_samples import rich, several_reactions
from tests.unit.review.review_samples import ATTACKS


def unpacked(text: str) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = orjson.loads(zlib.decompress(base64.b64decode(text)))
    return texts


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_every_resource_but_document_and_provenance_states_facts(version: FhirVersion) -> None:
    case, report = rich()
    found = entries(case, list(facts.read(case)), fhir.build(case, report, version))
    stated = {entry.id.partition("-")[2]: {fact.pointer for fact in entry.facts} for entry in found}
    assert {entry.type for entry in found if not entry.facts} == {"DocumentReference", "Provenance"}
    assert stated["patient"] == {"patient/sex", "patient/age", "patient/ethnicity"}
    assert stated["reaction-1-condition"] == {"reactions/0", "reactions/0/outcome"}
    assert stated["history-1"] == {"patient/history/0"}
    assert {"drugs/0/exposures/1", "drugs/0/role"} <= stated["drug-1-exposure-2"]
    assert "drugs/0/exposures/0" not in stated["drug-1-exposure-2"]
    assert {"reactions/0/time_to_onset", "assessments/0/dechallenge"} <= stated["reaction-1"]


def test_an_adverse_event_states_the_assessments_of_its_own_reaction_only() -> None:
    case, report = several_reactions()
    found = entries(case, list(facts.read(case)), fhir.build(case, report, "R4"))
    (second,) = (entry for entry in found if entry.id.endswith("-reaction-2"))
    assert {fact.pointer.split("/")[1] for fact in second.facts if fact.pointer.startswith("assessments")} == {"2"}


def test_every_fact_with_evidence_is_stated_by_a_resource_or_is_of_no_resource() -> None:
    case, report = rich()
    every = [fact for fact in facts.read(case) if fact.evidence]
    stated = {fact.pointer for entry in entries(case, every, fhir.build(case, report, "R4")) for fact in entry.facts}
    assert {fact.pointer for fact in every} - stated == {"tests/0"}


def test_the_text_of_a_resource_is_the_published_one() -> None:
    resource = {"resourceType": "Patient", "number": 400.0, "large": 1e22, "text": "ä🙂"}
    (text,) = unpacked(packed({"R4": [resource]}))["R4"]
    assert text.encode() == orjson.dumps(resource)


@pytest.mark.parametrize("attack", ATTACKS)
def test_hidden_characters_are_escaped_in_json_and_mean_the_same(attack: str) -> None:
    (text,) = unpacked(packed({"R5": [{"text": attack + "\U000e0041"}]}))["R5"]
    assert json.loads(text) == {"text": attack + "\U000e0041"}
    assert "\u202e" not in text
    assert "\u2028" not in text


def test_a_resource_that_is_not_ours_states_nothing() -> None:
    case, _ = rich()
    found = entries(case, list(facts.read(case)), [{"resourceType": "Patient", "id": "x-reaction-99"}, {}])
    assert [entry.facts for entry in found] == [(), ()]
