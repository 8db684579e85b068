"""HL7's validator finds nothing in what the seeds give, and something in every broken copy of it."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration import conformance, java

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(reason := java.missing(conformance.PROJECT)), reason=str(reason)),
]

Resource = dict[str, Any]

EXPLAINED = Path(__file__).parents[2] / "docs" / "conformance.md"


@dataclass(frozen=True)
class Fault:
    """A way to break the resource in one line of a file, and a pattern of what the validator must say of that line."""

    file: str
    line: int
    break_it: Callable[[Resource], None]
    words: str
    versions: tuple[str, ...] = ("R4", "R5")

    def place(self, version: str) -> str:
        return f"{version}/{self.file}.ndjson:{self.line}"


def wrong_code_of_fhir(event: Resource) -> None:
    event["actuality"] = "imagined"


def missing_required_element(event: Resource) -> None:
    del event["actuality"]


def wrong_target_type(event: Resource) -> None:
    event["subject"] = document_of(event)


def document_of(event: Resource) -> Resource:
    listed: list[Resource] = event.get("referenceDocument") or [e["itemReference"] for e in event["supportingInfo"]]
    return next(item for item in listed if item["reference"].startswith("DocumentReference/"))


def unknown_extension(event: Resource) -> None:
    event.setdefault("extension", []).append({"url": "https://w3id.org/case2fhir/StructureDefinition/no-such"})


def wrong_code_of_ours(statement: Resource) -> None:
    role = next(e for e in statement["extension"] if e["url"].endswith("/drug-role"))
    role["valueCodeableConcept"] = {"coding": [{"system": "urn:oid:2.16.840.1.113883.3.989.2.1.1.13", "code": "77"}]}


def dangling_reference(statement: Resource) -> None:
    statement["subject"] = {"reference": "Patient/c000000000000000000000000-patient"}


def bad_date(provenance: Resource) -> None:
    provenance["recorded"] = "last spring"


def over_long_id(provenance: Resource) -> None:
    provenance["id"] = "p" * 65


def wrong_code_of_hl7(event: Resource) -> None:
    event["outcome"]["coding"][0]["code"] = "splendid"


def incomplete_bundle(bundle: Resource) -> None:
    bundle["entry"] = [e for e in bundle["entry"] if e["resource"]["resourceType"] != "Patient"]


FAULTS = [
    Fault("AdverseEvent", 1, wrong_code_of_fhir, "imagined"),
    Fault("AdverseEvent", 2, missing_required_element, "actuality: minimum required = 1"),
    Fault("AdverseEvent", 3, wrong_target_type, "subject: Invalid Resource target type. Found DocumentReference"),
    Fault("AdverseEvent", 4, unknown_extension, "no-such could not be found"),
    Fault("AdverseEvent", 5, wrong_code_of_hl7, "splendid", versions=("R4",)),
    Fault("MedicationStatement", 1, wrong_code_of_ours, "Drug role"),
    Fault("MedicationStatement", 2, dangling_reference, r"MedicationStatement\.subject: .*c0{24}-patient"),
    Fault("Provenance", 1, bad_date, "Provenance.recorded: Not a valid instant"),
    Fault("Provenance", 2, over_long_id, "Provenance.id: .*Too long"),
    Fault("bundles", 1, incomplete_bundle, r"subject: .*-patient"),
]


def test_the_seeds_have_no_errors_and_every_remark_is_explained(seeds_dataset: Path) -> None:
    found = conformance.validate(seeds_dataset)
    assert set(found) == set(conformance.VERSIONS)
    explained = EXPLAINED.read_text(encoding="utf-8")
    for version, result in found.items():
        assert result["errors"] == []
        assert result["checked"] > 100
        assert result["definitions"] > 20
        for remark in result["remarks"]:
            assert f"`{remark['id']}`" in explained, f"{version}: {remark}"


@pytest.fixture(scope="module")
def broken(seeds_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the validator says of a copy with every fault, and with the first patient a second time at the end."""
    copy = tmp_path_factory.mktemp("broken") / "out"
    shutil.copytree(seeds_dataset, copy)
    for version in ("R4", "R5"):
        folder = copy / "fhir" / version
        for fault in FAULTS:
            if version in fault.versions:
                break_line(folder / f"{fault.file}.ndjson", fault)
        patients = folder / "Patient.ndjson"
        lines = patients.read_text(encoding="utf-8").splitlines(keepends=True)
        patients.write_text("".join([*lines, lines[0]]), encoding="utf-8")
    return conformance.validate(copy, ("R4", "R5"))


def break_line(path: Path, fault: Fault) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    resource = json.loads(lines[fault.line - 1])
    fault.break_it(resource)
    lines[fault.line - 1] = json.dumps(resource)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


CASES = [(version, fault) for fault in FAULTS for version in fault.versions]


@pytest.mark.parametrize(("version", "fault"), CASES, ids=[f"{v}-{fault.break_it.__name__}" for v, fault in CASES])
def test_a_broken_resource_is_refused(broken: dict[str, Any], version: str, fault: Fault) -> None:
    errors = [error for error in broken[version]["errors"] if error.startswith(fault.place(version) + " ")]
    assert any(re.search(fault.words, error) for error in errors), errors


@pytest.mark.parametrize("version", ["R4", "R5"])
def test_nothing_but_what_was_broken_is_refused(broken: dict[str, Any], version: str) -> None:
    errors: list[str] = broken[version]["errors"]
    (second,) = [error for error in errors if error.endswith("occurs a second time")]
    assert second.startswith(f"{version}/Patient.ndjson:")
    faults = {fault.place(version) for fault in FAULTS if version in fault.versions}
    assert {error.split(" ")[0] for error in errors if error != second} == faults
