"""Medplum, which shares no code with HAPI: its validation and FHIR router take the bundles (R4), and its SQL-on-FHIR
runner reads our views (R4 and R5).
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import MAPPINGS
from pipeline.paths import FHIR_VERSIONS, FhirVersion
from pipeline.storage import Dataset
from tests.integration import java

PROJECT = java.TESTS / "second-opinion"
ABSENT = [command for command in ("node", "npm") if shutil.which(command) is None]

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(ABSENT), reason=f"Medplum needs {', '.join(ABSENT)}")]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Medplum's packages, fetched when they are not there in the version that ``package.json`` names."""
    wanted, done = PROJECT / "package.json", PROJECT / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < wanted.stat().st_mtime:
        java.execute("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", cwd=PROJECT)


def accept(dataset: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", "accept.cjs", str(dataset)]
    return subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_it_takes_every_bundle_of_the_seeds(seeds_dataset: Path) -> None:
    done = accept(seeds_dataset)
    assert done.returncode == 0, done.stderr
    bundles = (seeds_dataset / "fhir" / "R4" / "bundles.ndjson").read_bytes().splitlines()
    assert re.search(rf": {len(bundles)} bundles, \d+ resources, 0 refused", done.stdout)


def test_it_refuses_a_broken_one(seeds_dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fhir" / "R4"
    folder.mkdir(parents=True)
    lines = (seeds_dataset / "fhir" / "R4" / "bundles.ndjson").read_text(encoding="utf-8")
    (folder / "bundles.ndjson").write_text(lines.replace('"actuality":"actual"', '"actuality":["actual"]', 1))
    done = accept(tmp_path)
    assert done.returncode == 1
    assert "actuality" in done.stderr


def rows(view: str, version: FhirVersion, dataset: Path) -> list[dict[str, Any]]:
    """What Medplum's SQL-on-FHIR runner makes of a view of ours."""
    definition = MAPPINGS / "views" / f"{view}.{version}.json"
    resource = json.loads(definition.read_text(encoding="utf-8"))["resource"]
    file = Dataset.open(dataset).paths.resources(version, resource, 0, 1)
    command = ["node", "view.cjs", str(definition), str(file)]
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(value: Any) -> Any:
    """A value of the tables in the words of the resources."""
    return value.replace("_", " ") if isinstance(value, str) else value


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_the_view_of_adverse_events_says_what_the_tables_say(version: FhirVersion, seeds_dataset: Path) -> None:
    dataset = Dataset.open(seeds_dataset)
    table = {name: dataset.table(name, 0).to_pandas() for name in ("cases", "drugs", "reactions", "assessments")}
    joined = table["assessments"].merge(
        table["reactions"][["case_id", "reaction_id", "term", "outcome", "seriousness"]]
    )
    joined = joined.merge(table["drugs"][["case_id", "drug_id", "role", "action_taken"]])
    joined = joined.merge(table["cases"][["case_id", "age_value", "age_unit"]])
    wanted = {
        (
            f"{row.case_id}/{row.reaction_id}", row.age_value, row.age_unit, row.term, len(row.seriousness) > 0,
            said(row.outcome), row.role, said(row.action_taken), said(row.dechallenge),
            None if row.rechallenge == "unknown" else said(row.rechallenge),
            said(row.who_umc), row.naranjo_score, row.naranjo_category, row.author_statement,
        )
        for row in joined.astype(object).where(joined.notna(), None).itertuples()
        if row.role in ("suspect", "interacting")
    }  # fmt: skip
    names = (
        "identifier", "age", "age_unit", "reaction", "serious", "outcome", "role", "action_taken", "dechallenge",
        "rechallenge", "who_umc", "naranjo_score", "naranjo_category", "author_statement",
    )  # fmt: skip
    found = rows("adverse_event", version, seeds_dataset)
    assert {tuple(row[name] for name in names) for row in found} == wanted
    assert {(row["time_to_onset"], row["time_to_onset_unit"]) for row in found} >= {(5, "wk"), (10, "d")}
    assert all(row["icd10cm"] for row in found)


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_the_view_of_medication_says_what_the_tables_say(version: FhirVersion, seeds_dataset: Path) -> None:
    dataset = Dataset.open(seeds_dataset)
    drugs = {(row["case_id"], row["drug_id"]): row for row in dataset.table("drugs", 0).to_pylist()}
    wanted = {
        (
            f"{row['case_id']}/{row['drug_id']}-exposure-{row['exposure']}",
            drugs[row["case_id"], row["drug_id"]]["name"], drugs[row["case_id"], row["drug_id"]]["role"],
            row["dose"] if row["dose_high"] is None else None, row["dose_high"], row["route"],
        )
        for row in dataset.table("exposures", 0).to_pylist()
    }  # fmt: skip
    found = rows("medication_statement", version, seeds_dataset)
    names = ("identifier", "medicine", "role", "dose", "dose_high", "route")
    assert {tuple(row[name] for name in names) for row in found if "-exposure-" in row["identifier"]} >= wanted
    assert {(row["medicine"], row["indication"]) for row in found} >= {("imatinib", "gastrointestinal stromal tumor")}
    assert {row["status"] for row in found} >= {"stopped", "on-hold"}
    events = {row["patient"] for row in rows("adverse_event", version, seeds_dataset)}
    assert {row["patient"] for row in found if row["treated_condition"]} <= events
