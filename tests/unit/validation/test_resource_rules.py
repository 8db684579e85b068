"""What is wrong with a FHIR resource, said by path and rule."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import MAPPINGS
from pipeline.fhir import build
from pipeline.paths import FHIR_VERSIONS, RESOURCE_TYPES, FhirVersion
from pipeline.validation.resources import check, references
from tests.unit.fhir.fhir_samples import SAMPLES

Json = dict[str, Any]
OUTCOME = "http://terminology.hl7.org/CodeSystem/adverse-event-outcome"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'

EVENT: dict[FhirVersion, Json] = {
    "R4": {
        "resourceType": "AdverseEvent",
        "id": "e-1",
        "actuality": "actual",
        "subject": {"reference": "Patient/p-1"},
        "outcome": {"coding": [{"system": OUTCOME, "code": "resolved"}]},
        "suspectEntity": [{"instance": {"reference": "MedicationStatement/m-1"}}],
    },
    "R5": {
        "resourceType": "AdverseEvent",
        "id": "e-1",
        "status": "completed",
        "actuality": "actual",
        "subject": {"reference": "Patient/p-1"},
        "suspectEntity": [{"instanceReference": {"reference": "MedicationStatement/m-1"}}],
    },
}


def changed(version: FhirVersion, change: Callable[[Json], object]) -> list[str]:
    event = copy.deepcopy(EVENT[version])
    change(event)
    return check(event, version)


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_sound_resources_have_no_problems(version: FhirVersion) -> None:
    assert check(EVENT[version], version) == []


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_what_the_pipeline_builds_is_sound(version: FhirVersion) -> None:
    for name, sample in SAMPLES.items():
        for resource in build(*sample(), version):
            assert check(resource, version) == [], (name, resource["resourceType"])


@pytest.mark.parametrize("version", FHIR_VERSIONS)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda e: e.pop("subject"), "subject: required"),
        (lambda e: e.pop("actuality"), "actuality: required"),
        (lambda e: e.update(id="x" * 65), "id: 1 to 64 letters, digits, hyphens and dots"),
        (lambda e: e.update(id="a_b"), "id: 1 to 64 letters, digits, hyphens and dots"),
        (lambda e: e.pop("id"), "id: 1 to 64 letters, digits, hyphens and dots"),
        (
            lambda e: e.update(actuality="real"),
            "actuality: a code of http://hl7.org/fhir/ValueSet/adverse-event-actuality is required",
        ),
        (lambda e: e["subject"].update(reference="Condition/c-1"), "subject.reference: may not point to Condition"),
        (
            lambda e: e["subject"].update(reference="https://example.org/fhir/Patient/p"),
            "subject.reference: must be a relative Type/id",
        ),
        (lambda e: e["subject"].update(reference="urn:uuid:1"), "subject.reference: must be a relative Type/id"),
        (
            lambda e: e.update(extension=[{"url": "https://example.org/x", "valueString": "x"}]),
            "extension[0].url: unknown extension",
        ),
        (
            lambda e: e.update(_actuality={"extension": [{"url": "https://example.org/x", "valueString": "x"}]}),
            "_actuality.extension[0].url: unknown extension",
        ),
        (lambda e: e.update(bogus=1), "bogus: Extra inputs are not permitted"),
        (lambda e: e["suspectEntity"][0].update(bogus=1), "suspectEntity[0].bogus: Extra inputs are not permitted"),
    ],
)
def test_each_defect_is_named_by_path_and_rule(
    version: FhirVersion, change: Callable[[Json], object], problem: str
) -> None:
    assert problem in changed(version, change)


@pytest.mark.parametrize(
    "outcome",
    [{"text": "resolved"}, {"coding": [{"system": "urn:x", "code": "resolved"}]}, {"coding": [{"code": "resolved"}]}],
)
def test_a_required_binding_wants_code_and_system(outcome: Json) -> None:
    value_set = "http://hl7.org/fhir/ValueSet/adverse-event-outcome"
    assert changed("R4", lambda e: e.update(outcome=outcome)) == [f"outcome: a code of {value_set} is required"]


def test_codes_of_hl7_are_those_of_the_version() -> None:
    def seriousness(version: FhirVersion, code: str) -> list[str]:
        system = "http://terminology.hl7.org/CodeSystem/adverse-event-seriousness"
        return changed(version, lambda e: e.update(seriousness={"coding": [{"system": system, "code": code}]}))

    wrong = ["seriousness.coding[0].code: not a code of its code system"]
    assert (seriousness("R4", "Serious"), seriousness("R4", "serious")) == ([], wrong)
    assert (seriousness("R5", "serious"), seriousness("R5", "Serious")) == ([], wrong)


def test_targets_of_codeable_references_are_checked() -> None:
    statement = {
        "resourceType": "MedicationStatement",
        "id": "m-1",
        "status": "recorded",
        "medication": {"reference": {"reference": "Patient/p-1"}},
        "subject": {"reference": "Patient/p-1"},
    }
    assert check(statement, "R5") == ["medication.reference.reference: may not point to Patient"]


def test_types_that_are_not_published_are_refused() -> None:
    assert check({"resourceType": "Practitioner", "id": "x"}, "R4") == ["resourceType: not one of the published types"]
    assert check({}, "R4") == ["resourceType: not one of the published types"]


def test_extensions_of_primitives_and_their_parts_are_followed() -> None:
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    relative = "http://hl7.org/fhir/StructureDefinition/relative-date"
    parts = [{"url": "offset", "valueDuration": {"value": 5}}]
    date = {"extension": [{"url": absent, "valueCode": "unknown"}, {"url": relative, "extension": parts}]}
    assert changed("R4", lambda e: e.update(_date=date)) == []
    assert changed("R4", lambda e: e.update(_date={"extension": parts})) == [
        "_date.extension[0].url: unknown extension"
    ]


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_messages_quote_no_value(version: FhirVersion) -> None:
    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v if k == "resourceType" else spoil(v) for k, v in value.items()}
        return [spoil(item) for item in value] if isinstance(value, list) else "SECRET of the report"

    problems = check(spoil(EVENT[version]), version)
    assert len(problems) > 3
    assert "SECRET" not in " ".join(problems)


def test_references_are_found_with_their_paths() -> None:
    resource = EVENT["R4"] | {"contained": [], "recorder": {"reference": "#x"}, "location": {"display": "x"}}
    assert list(references(resource)) == [
        ("subject", "Patient/p-1"),
        ("suspectEntity[0].instance", "MedicationStatement/m-1"),
    ]


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_the_rules_cover_the_published_types_and_say_where_they_are_from(version: FhirVersion) -> None:
    rules = json.loads((MAPPINGS / "validation" / f"{version}.json").read_bytes())

    assert set(RESOURCE_TYPES) <= set(rules["elements"])
    assert all("CC0-1.0" in source for source in rules["sources"])
    referred = {r["values"] for elements in rules["elements"].values() for r in elements.values() if "values" in r}
    assert referred == set(rules["values"])
    for elements in rules["elements"].values():
        assert all("type" not in rule or rule["type"] in rules["elements"] for rule in elements.values())


# Listed by hand from the pages of the specifications (value sets adverse-event-actuality, -status, -outcome,
# medication-statement-status, document-reference-status, administrative-gender of R4B and R5).
KNOWN = {
    ("R4", "adverse-event-actuality"): "actual potential",
    ("R4", "adverse-event-outcome"): "resolved recovering ongoing resolvedWithSequelae fatal unknown",
    ("R4", "administrative-gender"): "male female other unknown",
    ("R4", "document-reference-status"): "current superseded entered-in-error",
    ("R5", "adverse-event-actuality"): "actual potential",
    ("R5", "adverse-event-status"): "in-progress completed entered-in-error unknown",
    ("R5", "medication-statement-status"): "recorded entered-in-error draft",
    ("R5", "administrative-gender"): "male female other unknown",
}


@pytest.mark.parametrize(("version", "value_set"), KNOWN)
def test_required_codes_are_those_of_the_specification(version: str, value_set: str) -> None:
    rules = json.loads((MAPPINGS / "validation" / f"{version}.json").read_bytes())
    (codes,) = rules["values"][f"http://hl7.org/fhir/ValueSet/{value_set}"].values()
    assert set(codes) == set(KNOWN[version, value_set].split())


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_codes_of_hl7_agree_with_the_extracts_of_its_code_systems(version: FhirVersion) -> None:
    systems = json.loads((MAPPINGS / "validation" / f"{version}.json").read_bytes())["systems"]
    extracts = json.loads(
        (Path(__file__).parents[2] / "data" / "fhir" / "codesystems" / f"{version.lower()}.json").read_bytes()
    )
    shared = set(systems) & set(extracts)
    assert len(shared) > 5
    for system in shared:
        assert set(extracts[system]) <= set(systems[system]), system
