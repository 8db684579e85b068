"""The SQL-on-FHIR views of ``mappings/views``: their form, as the specification's logical model ViewDefinition has it.

What they give is compared with the Parquet tables in ``tests/integration/test_second_opinion.py``, where a runner of
others is at hand.  Source of the rules: SQL on FHIR v2, https://sql-on-fhir.org, logical model ViewDefinition and
profiles ShareableViewDefinition and TabularViewDefinition.
"""

import json
import re
from typing import Annotated, Literal

import msgspec
import pytest

from pipeline import fhir
from pipeline.data import MAPPINGS
from pipeline.paths import FHIR_VERSIONS, FhirVersion

Name = Annotated[str, msgspec.Meta(pattern="^[A-Za-z][A-Za-z0-9_]*$")]
"""Invariant ``sql-name``: usable as the name of a table or column in most databases."""
Primitive = Literal[
    "base64Binary", "boolean", "canonical", "code", "dateTime", "decimal", "id", "instant", "integer", "integer64",
    "markdown", "oid", "string", "positiveInt", "time", "unsignedInt", "url", "uuid",
]  # fmt: skip
"""Invariant ``primitives-only`` of TabularViewDefinition."""
FILES = sorted(MAPPINGS.glob("views/*.json"))
HL7 = ("http://hl7.org/fhir/us/icsr-ae-reporting/StructureDefinition/icsr-ext-ageattimeofonset",)


class Column(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    path: str
    type: Primitive
    description: str


class Select(msgspec.Struct, forbid_unknown_fields=True, rename={"for_each_or_null": "forEachOrNull"}):
    column: Annotated[list[Column], msgspec.Meta(min_length=1)]
    for_each_or_null: str | None = None


class View(msgspec.Struct, forbid_unknown_fields=True, rename={"type": "resourceType", "fhir_version": "fhirVersion"}):
    """What ShareableViewDefinition demands, and no more elements than the views use."""

    type: Literal["ViewDefinition"]
    url: str
    version: str
    name: Name
    title: str
    status: Literal["draft", "active"]
    date: str
    description: str
    resource: Literal["AdverseEvent", "MedicationStatement"]
    fhir_version: Annotated[list[Literal["4.0.1", "5.0.0"]], msgspec.Meta(min_length=1, max_length=1)]
    select: Annotated[list[Select], msgspec.Meta(min_length=1)]


def columns(view: View) -> list[Column]:
    return [column for select in view.select for column in select.column]


def read(name: str, version: FhirVersion) -> View:
    return msgspec.json.decode((MAPPINGS / "views" / f"{name}.{version}.json").read_bytes(), type=View)


def test_there_is_one_for_each_resource_and_version() -> None:
    names = ("adverse_event", "medication_statement")
    assert [path.name for path in FILES] == [f"{name}.{version}.json" for name in names for version in FHIR_VERSIONS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_are_view_definitions(path: object) -> None:
    name, version = path.stem.split(".")  # type: ignore[attr-defined]
    view = read(name, version)
    assert view.name == name
    assert view.url == f"https://w3id.org/case2fhir/ViewDefinition/{name}-{version.lower()}"
    assert view.fhir_version == [{"R4": "4.0.1", "R5": "5.0.0"}[version]]
    names = [column.name for column in columns(view)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_use_only_functions_that_every_runner_has(path: object) -> None:
    """The FHIRPath subset that the specification asks of every implementation."""
    name, version = path.stem.split(".")  # type: ignore[attr-defined]
    shared = {"where", "exists", "first", "extension", "ofType", "getResourceKey", "getReferenceKey"}
    for column in columns(read(name, version)):
        assert set(re.findall(r"(\w+)\(", re.sub(r"'[^']*'", "", column.path))) <= shared, column.name
        assert "|" not in column.path


@pytest.mark.parametrize("name", ["adverse_event", "medication_statement"])
def test_both_versions_have_the_same_columns(name: str) -> None:
    r4, r5 = (columns(read(name, version)) for version in FHIR_VERSIONS)
    assert [(column.name, column.type) for column in r4] == [(column.name, column.type) for column in r5]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_extensions_they_read_are_defined(path: object) -> None:
    name, version = path.stem.split(".")  # type: ignore[attr-defined]
    defined = {profile["url"] for profile in fhir.profiles(version)} | set(HL7)
    used = re.findall(r"extension\('(http[^']+)'\)", json.dumps([c.path for c in columns(read(name, version))]))
    assert used
    assert set(used) <= defined
