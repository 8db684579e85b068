"""Our own definitions, and that the output uses what they define and nothing else."""

import importlib
import re
from typing import Any

import pytest

from pipeline.fhir import Options, Resource, Version, build, profiles
from tests.unit.fhir.fhir_samples import SAMPLES

PACKAGES = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}
BASE = Options().base
DATE_TIMES = ("AdverseEvent._date", "MedicationStatement._effectiveDateTime")
every = pytest.mark.parametrize("version", ["R4", "R5"])


@every
def test_definitions_are_valid(version: Version) -> None:
    for resource in profiles(version):
        kind = resource["resourceType"]
        getattr(importlib.import_module(f"{PACKAGES[version]}.{kind.lower()}"), kind).model_validate(resource)
        if kind != "CodeSystem" or resource["content"] == "complete":
            assert resource["url"] == f"{BASE}/{kind}/{resource['id'].removeprefix('case2fhir-')}"
        if kind == "CodeSystem":
            assert resource["concept"]


@every
def test_ids_are_ours_alone(version: Version) -> None:
    """A server that others use as well may hold a ``rechallenge`` of theirs."""
    for resource in profiles(version):
        assert re.fullmatch(r"case2fhir-[a-z0-9-]{1,54}", resource["id"])


def test_r5_events_with_several_suspects_can_be_indexed() -> None:
    """R5's own expression for ``substance`` ends in ``as Reference``, which FHIRPath allows for one item only."""
    assert not [r for r in profiles("R4") if r["resourceType"] == "SearchParameter"]
    (ours,) = [r for r in profiles("R5") if r["resourceType"] == "SearchParameter"]
    assert (ours["base"], ours["code"]) == (["AdverseEvent"], "substance")
    assert ours["expression"] == "AdverseEvent.suspectEntity.instance.ofType(Reference)"


@every
def test_file_names_are_unique(version: Version) -> None:
    names = [(r["resourceType"], r["id"]) for r in profiles(version)]
    assert len(names) == len(set(names))


def definitions(version: Version) -> dict[str, Resource]:
    return {r["url"]: r for r in profiles(version) if r["resourceType"] == "StructureDefinition"}


@every
def test_bound_value_sets_exist(version: Version) -> None:
    sets = {r["url"] for r in profiles(version) if r["resourceType"] == "ValueSet"}
    bound = {
        element["binding"]["valueSet"]
        for definition in definitions(version).values()
        for element in definition["differential"]["element"]
        if "binding" in element
    }
    assert bound == sets


@every
def test_every_extension_is_used_where_its_definition_allows(version: Version) -> None:
    """Walks all sample output: own extensions have a definition, stand in its context, hold its data type."""
    known = definitions(version)
    used = set()

    def walk(node: Any, path: str) -> None:
        if isinstance(node, list):
            for value in node:
                walk(value, path)
        elif isinstance(node, dict):
            for found in node.get("extension", []):
                if found["url"].startswith(BASE):
                    definition = known[found["url"]]
                    contexts = [context["expression"] for context in definition["context"]]
                    assert path in contexts or (path in DATE_TIMES and "dateTime" in contexts)
                    types = [
                        t["code"]
                        for element in definition["differential"]["element"]
                        for t in element.get("type", [])
                        if element["id"] == "Extension.value[x]"
                    ]
                    assert [k[5:] for k in found if k.startswith("value")] == types
                    used.add(found["url"])
            for key, value in node.items():
                walk(value, f"{path}.{key}")

    for sample in SAMPLES.values():
        for resource in build(*sample(), version):
            walk(resource, resource["resourceType"])
    missing = {"outcome", "relative-date"} if version == "R5" else set()
    assert {url.rsplit("/", 1)[1] for url in set(known) - used} == missing


def test_the_base_is_one_setting() -> None:
    ours = [r["url"] for r in profiles("R5", options=Options(base="https://example.org/x"))]
    assert all(url.startswith(("https://example.org/x/", "urn:oid:")) for url in ours)
