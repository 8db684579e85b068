"""Makes r4.json, r5.json, ncit.json and ucum.json from unpacked HL7 packages; see README.md.

usage: python extract.py FOLDER, which holds one folder a package, named like hl7.fhir.r4b.core-4.3.0
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
R4 = ("hl7.fhir.r4b.core-4.3.0", "hl7.terminology.r4-7.0.1")
R5 = ("hl7.fhir.r5.core-5.0.0", "hl7.terminology.r5-7.0.1")
THO = "http://terminology.hl7.org/CodeSystem/"
SYSTEMS = (
    "http://hl7.org/fhir/adverse-event-actuality",
    "http://hl7.org/fhir/administrative-gender",
    "http://hl7.org/fhir/document-reference-status",
    "http://hl7.org/fhir/provenance-entity-role",
    "http://hl7.org/fhir/action-relationship-type",
    "http://hl7.org/fhir/event-status",
    "http://hl7.org/fhir/CodeSystem/medication-statement-status",
    "http://hl7.org/fhir/CodeSystem/medication-statement-adherence",
    THO + "adverse-event-outcome",
    THO + "adverse-event-seriousness",
    THO + "adverse-event-causality-assess",
    THO + "adverse-event-causality-method",
    THO + "condition-clinical",
    THO + "data-absent-reason",
    THO + "provenance-participant-type",
    THO + "iso-21089-lifecycle",
    THO + "v3-DataOperation",
    THO + "v3-ParticipationType",
)


def concepts(found: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for concept in found:
        yield concept["code"], concept.get("display", concept["code"])
        yield from concepts(concept.get("concept", []))


def code_systems(root: Path, packages: tuple[str, ...]) -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = {}
    for package in packages:  # the first package that has a system wins: R4's own edition before HL7 Terminology's
        for path in sorted((root / package / "package").glob("CodeSystem-*.json")):
            resource = json.loads(path.read_text(encoding="utf-8"))
            if resource["url"] in SYSTEMS and resource["url"] not in result and resource.get("concept"):
                result[resource["url"]] = dict(concepts(resource["concept"]))
    return result


def value_set(root: Path, package: str, name: str) -> dict[str, str]:
    resource = json.loads((root / package / "package" / f"ValueSet-{name}.json").read_text(encoding="utf-8"))
    return {code: display for part in resource["compose"]["include"] for code, display in concepts(part["concept"])}


def write(name: str, data: dict[str, Any]) -> None:
    (HERE / name).write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main(root: Path) -> None:
    write("r4.json", code_systems(root, R4))
    write("r5.json", code_systems(root, R5))
    criteria = value_set(root, R4[1], "adverse-event-clinical-research-seriousness-criteria")
    outcomes = value_set(root, R4[1], "adverse-event-clinical-research-outcomes")
    write("ncit.json", {"http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": criteria | outcomes})
    write("ucum.json", {"http://unitsofmeasure.org": value_set(root, R4[0], "ucum-common")})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
