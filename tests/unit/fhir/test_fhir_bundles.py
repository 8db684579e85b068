"""Transaction bundles."""

import importlib

import pytest

from pipeline.fhir import Options, Version, build, bundle, delete_bundle
from tests.unit.fhir.fhir_samples import SAMPLES, rich

PACKAGES = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}


@pytest.mark.parametrize("version", ["R4", "R5"])
@pytest.mark.parametrize("name", SAMPLES)
def test_bundle_puts_every_resource_under_its_id(name: str, version: Version) -> None:
    resources = build(*SAMPLES[name](), version)
    made = bundle(resources)
    importlib.import_module(f"{PACKAGES[version]}.bundle").Bundle.model_validate(made)
    assert made["type"] == "transaction"
    for resource, entry in zip(resources, made["entry"], strict=True):
        path = f"{resource['resourceType']}/{resource['id']}"
        assert entry == {
            "fullUrl": f"{Options().base}/fhir/{path}",
            "resource": resource,
            "request": {"method": "PUT", "url": path},
        }


def test_bundle_id_depends_on_what_is_in_it() -> None:
    resources = build(*rich(), "R4")
    assert bundle(resources)["id"] == bundle(resources)["id"]
    assert bundle(resources)["id"] != bundle(resources[:-1])["id"]
    assert "entry" not in bundle([])


def test_delete_bundle_removes_dependants_first() -> None:
    made = delete_bundle(
        ["DocumentReference/e", "Patient/a", "AdverseEvent/b", "Provenance/c", "MedicationStatement/d"]
    )
    assert [e["request"] for e in made["entry"]] == [
        {"method": "DELETE", "url": path}
        for path in ("Provenance/c", "AdverseEvent/b", "MedicationStatement/d", "Patient/a", "DocumentReference/e")
    ]
