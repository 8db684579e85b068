"""Small datasets to load, made without Dagster: real resources of hand-made cases."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import orjson

from pipeline import fhir
from pipeline.paths import FHIR_VERSIONS, DatasetPaths, FhirVersion
from pipeline.storage import CaseResources, Dataset, Staging, publish
from pipeline.validation.resources import described
from tests.unit.storage.storage_samples import extraction, report


def dataset(
    root: Path,
    reports: Iterable[str],
    *,
    cases: int = 1,
    bad: Collection[str] = (),
    changed: Collection[str] = (),
    without_drugs: Collection[str] = (),
    profiles: bool = False,
) -> Dataset:
    """Publish (anew) a dataset with ``cases`` cases of each report.

    By case id: ``bad`` ones have a Patient that servers refuse, ``changed`` ones a patient of another sex,
    ``without_drugs`` ones no MedicationStatement.
    """
    staging = Staging(DatasetPaths(root))
    # Fresh, for what is made of a report depends on more than the report here.
    plan = staging.spool((report(report_id) for report_id in reports), fresh=True)
    for shard in plan.made:
        staged = staging.reports(shard)
        found = [extraction(r.report_id, cases) for r in staged]
        for extracted in found:
            for case in extracted.cases:
                if case.case_id in without_drugs:
                    case.drugs, case.assessments = [], []
                    for reaction in case.reactions:
                        reaction.treatments = []
        staging.write_extractions(shard, found)
        built: list[dict[FhirVersion, CaseResources | bytes]] = []
        for source, extracted in zip(staged, found, strict=True):
            for case in extracted.cases:
                built.append({})
                for version in FHIR_VERSIONS:
                    resources = fhir.build(case, source, version)
                    _mark(resources, bad=case.case_id in bad, changed=case.case_id in changed)
                    ids = {"case_id": case.case_id, "report_id": case.report_id}
                    written = [described(resource, orjson.dumps(resource), []) for resource in resources]
                    built[-1][version] = CaseResources(**ids, resources=written)
        staging.write_resources(shard, FHIR_VERSIONS, built)
    definitions = {version: fhir.profiles(version) if profiles else [] for version in FHIR_VERSIONS}
    publish(DatasetPaths(root), profiles=definitions, validation={})
    return Dataset.open(root)


def _mark(resources: list[dict[str, Any]], *, bad: bool, changed: bool) -> None:
    for resource in resources:
        if resource["resourceType"] == "Patient" and (bad or changed):
            resource["gender"] = "xx-bad" if bad else "male"


def references(dataset: Dataset, version: str = "R4") -> set[str]:
    """Every resource of the dataset, as the server should hold it."""
    folder = dataset.paths.root / "fhir" / version
    found = set()
    for path in folder.glob("[A-Z]*.ndjson"):
        for line in path.read_text(encoding="utf-8").splitlines():
            resource = json.loads(line)
            found.add(f"{resource['resourceType']}/{resource['id']}")
    return found
