"""The worked example of docs/fhir-mapping.md is what the code does."""

import json
import re
from pathlib import Path

import msgspec

from pipeline.fhir import build
from pipeline.records import Case, Report

DOCS = Path(__file__).parents[3] / "docs" / "fhir-mapping.md"


def test_worked_example() -> None:
    blocks = re.findall(r"```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    report, case, *expected = (json.loads(block) for block in blocks)
    made = build(msgspec.convert(case, Case), msgspec.convert(report, Report), "R4")
    assert [r["resourceType"] for r in made] == [
        "DocumentReference", "Patient", "Condition", "MedicationStatement", "AdverseEvent", "Provenance",
    ]  # fmt: skip
    assert made[3:5] == expected
