"""Every code that FHIR output may carry exists in its code system, with that display, in that FHIR version."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from pipeline.fhir import Options, Version, build, profiles
from pipeline.fhir.codes import CodeRow, code_rows, codes, units
from pipeline.records import (
    ActionTaken,
    Dechallenge,
    DrugRole,
    NaranjoAnswer,
    NaranjoCategory,
    Outcome,
    Rechallenge,
    Seriousness,
    WhoUmcCategory,
)
from tests.unit.fhir.fhir_samples import SAMPLES

EXTRACTS = Path(__file__).parents[2] / "data" / "fhir" / "codesystems"
BASE = Options().base
FROM_THE_CASE = "http://www.whocc.no/atc"
"""The system of the sample cases' own codings, which terminology answers for."""


def extract(*names: str) -> dict[str, dict[str, str]]:
    return {k: v for name in names for k, v in json.loads((EXTRACTS / f"{name}.json").read_text("utf-8")).items()}


def own() -> dict[str, dict[str, str]]:
    return {
        r["url"]: {c["code"]: c["display"] for c in r["concept"]}
        for r in profiles("R4")
        if r["resourceType"] == "CodeSystem" and r["url"].startswith(BASE)
    }


SYSTEMS = {v: extract(v.lower(), "ncit", "ich", "ucum") | own() for v in ("R4", "R5")}


@pytest.mark.parametrize("row", code_rows(), ids=lambda r: f"{r.map}-{r.value}-{r.version}-{r.code}")
def test_mapped_code_is_in_its_code_system(row: CodeRow) -> None:
    for version in ("R4", "R5"):
        if row.version in ("*", version):
            assert SYSTEMS[version][row.system.replace("{base}", BASE)][row.code] == row.display


@pytest.mark.parametrize("code", units())
def test_unit_is_ucum(code: str) -> None:
    assert code in SYSTEMS["R4"]["http://unitsofmeasure.org"]


@pytest.mark.parametrize("version", ["R4", "R5"])
@pytest.mark.parametrize(
    ("map_", "values"),
    [
        ("outcome_reported", Outcome),
        ("seriousness_criterion", Seriousness),
        ("who_umc", WhoUmcCategory),
        ("drug_role", DrugRole),
        ("action_taken", ActionTaken),
        ("dechallenge", Dechallenge),
        ("naranjo_category", NaranjoCategory),
        ("naranjo_answer", NaranjoAnswer),
    ],
)
def test_every_case_value_has_a_code(version: Version, map_: str, values: Any) -> None:
    assert all(codes(version, BASE).codings(map_, value) for value in get_args(values))


def test_rechallenge_unknown_is_not_coded() -> None:
    """ICH: where it is not known whether a rechallenge was performed, the element is not transmitted."""
    coded = [v for v in get_args(Rechallenge) if codes("R4", BASE).codings("rechallenge", v)]
    assert coded == ["positive", "negative", "not_done"]


def test_r4_and_r5_write_the_same_systems_differently() -> None:
    assert [c["code"] for c in codes("R4", BASE).codings("who_umc", "probable")] == ["Probably-Likely"]
    assert [c["code"] for c in codes("R5", BASE).codings("who_umc", "probable")] == ["probably-likely"]


# Code-typed elements (no system in the data): the code system of their required binding.
CODE_ELEMENTS = {
    r"AdverseEvent\.actuality": "http://hl7.org/fhir/adverse-event-actuality",
    r"AdverseEvent\.status": "http://hl7.org/fhir/event-status",
    r"Patient\.gender": "http://hl7.org/fhir/administrative-gender",
    r"DocumentReference\.status": "http://hl7.org/fhir/document-reference-status",
    r"MedicationStatement\.status": "http://hl7.org/fhir/CodeSystem/medication-statement-status",
    r"Provenance\.entity\.role": "http://hl7.org/fhir/provenance-entity-role",
    r".*\.repeat\.periodUnit": "http://unitsofmeasure.org",
}
VALUE_CODES = {
    "http://hl7.org/fhir/StructureDefinition/data-absent-reason": (
        "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    ),
    "relationship": "http://hl7.org/fhir/action-relationship-type",
}


def elements(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from elements(value, f"{path}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from elements(value, path)


@pytest.mark.parametrize("version", ["R4", "R5"])
@pytest.mark.parametrize("name", SAMPLES)
def test_published_codes_exist(name: str, version: Version) -> None:
    systems = SYSTEMS[version]
    checked = 0
    for resource in build(*SAMPLES[name](), version):
        for path, node in elements(resource, resource["resourceType"]):
            if isinstance(node, dict) and "system" in node and "code" in node and node["system"] != FROM_THE_CASE:
                assert node["code"] in systems[node["system"]], path
                checked += 1
            if isinstance(node, dict) and "valueCode" in node:
                assert node["valueCode"] in systems[VALUE_CODES[node["url"]]], path
                checked += 1
            for pattern, system in CODE_ELEMENTS.items():
                if isinstance(node, str) and re.fullmatch(pattern, path):
                    assert node in systems[system], path
                    checked += 1
    assert checked > 3
