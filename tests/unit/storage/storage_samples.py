"""Hand-made reports, extractions and resources for the storage and validation tests."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from pipeline.paths import FHIR_VERSIONS, DatasetPaths
from pipeline.records import (
    Age,
    Article,
    Assessment,
    Case,
    Coding,
    Concept,
    Drug,
    Exposure,
    Extraction,
    Mention,
    Naranjo,
    NaranjoItem,
    Patient,
    Reaction,
    Report,
    Section,
    SexFact,
    Source,
    Span,
    Test,
)
from pipeline.storage import CaseResources, Staging
from pipeline.validation.resources import described

TEXT = (
    "Rash and a drug\nA 66-year-old woman with psoriasis took imatinib 400 mg daily. After five weeks she had "
    "erythema multiforme. HSV IgM was negative. Prednisolone 30 mg was given and she recovered."
)
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
PROFILE = {"resourceType": "StructureDefinition", "id": "drug-role", "url": "https://example.org/drug-role"}


def at(words: str) -> list[Span]:
    start = TEXT.index(words)
    return [(start, start + len(words))]


def report(report_id: str = "r1") -> Report:
    return Report(
        report_id=report_id,
        text=TEXT,
        sections=[Section(kind="title", start=0, end=15), Section(kind="case", start=16, end=len(TEXT))],
        article=Article(title="Rash and a drug", year=2010, doi="10.1000/x.1", pmid="123", pmcid="PMC45"),
        source=Source(path="in/r.txt", format="text"),
    )


def case(report_id: str = "r1", number: int = 1) -> Case:
    items = {str(n): NaranjoItem(answer="yes" if n == 2 else "unknown", score=2 if n == 2 else 0) for n in range(1, 11)}
    return Case(
        case_id=f"{report_id}-{number}",
        report_id=report_id,
        patient=Patient(
            age=Age(value=66, unit="a", evidence=at("66-year-old")),
            sex=SexFact(value="female", evidence=at("woman")),
            history=[Concept(term="psoriasis", verbatim=["psoriasis"], evidence=at("psoriasis"))],
        ),
        drugs=[
            Drug(
                id="drug-1",
                name="imatinib",
                role="suspect",
                action_taken="unknown",
                verbatim=["imatinib"],
                codings=[Coding(system="http://www.nlm.nih.gov/research/umls/rxnorm", code="282388")],
                exposures=[
                    Exposure(
                        dose=400,
                        unit="mg",
                        per="d",
                        duration="P5W",
                        verbatim="400 mg daily",
                        evidence=at("400 mg daily"),
                    )
                ],
                evidence=at("imatinib"),
                facts={"role": at("imatinib")},
            ),
            Drug(
                id="drug-2",
                name="prednisolone",
                role="treatment",
                verbatim=["Prednisolone"],
                exposures=[Exposure(dose=30, dose_high=40, unit="mg", with_=["drug-1"], evidence=at("30 mg"))],
                evidence=at("Prednisolone"),
            ),
        ],
        reactions=[
            Reaction(
                id="reaction-1",
                term="erythema multiforme",
                verbatim=["erythema multiforme"],
                time_to_onset="P5W",
                outcome="recovered",
                seriousness=["hospitalization", "life_threatening"],
                treatments=["drug-2"],
                evidence=at("erythema multiforme"),
            )
        ],
        assessments=[
            Assessment(
                drug="drug-1",
                reaction="reaction-1",
                naranjo=Naranjo(score=2, category="possible", items=items),
                who_umc="possible",
                evidence=at("After five weeks she had erythema multiforme"),
            )
        ],
        tests=[Test(name="HSV IgM", result="negative", evidence=at("HSV IgM was negative"))],
    )


def extraction(report_id: str = "r1", cases: int = 1) -> Extraction:
    ((start, end),) = at("imatinib")
    return Extraction(
        id=report_id,
        mentions=[Mention(type="drug", text="imatinib", start=start, end=end)],
        cases=[case(report_id, number) for number in range(1, cases + 1)],
    )


def resources(case: Case) -> list[dict[str, Any]]:
    """Two small valid resources of a case, and the article that all cases of its report share."""
    patient, article = f"{case.case_id}-patient", f"{case.report_id}-article"
    narrative = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    return [
        {"resourceType": "Patient", "id": patient, "text": narrative, "gender": "female"},
        {
            "resourceType": "DocumentReference",
            "id": article,
            "text": narrative,
            "status": "current",
            "content": [{"attachment": {"title": "x"}}],
        },
        {
            "resourceType": "Condition",
            "id": f"{case.case_id}-condition",
            "text": narrative,
            "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "resolved"}]},
            "subject": {"reference": f"Patient/{patient}"},
        },
    ]


def case_resources(case: Case, problems: Sequence[str] = (), **changed: dict[str, Any]) -> CaseResources:
    """``resources`` with ``problems`` of the first; ``changed`` elements by type."""
    built = [resource | changed.get(resource["resourceType"], {}) for resource in resources(case)]
    return CaseResources(
        case_id=case.case_id,
        report_id=case.report_id,
        resources=[described(one, orjson.dumps(one), [] if n else list(problems)) for n, one in enumerate(built)],
    )


def stage(
    root: Path, report_ids: Sequence[str], *, cases: int = 1, options: Mapping[str, Any] | None = None
) -> Staging:
    """A staged run on ``root``, ready to be published."""
    staging = Staging(DatasetPaths(root))
    plan = staging.spool((report(report_id) for report_id in report_ids), options=options)
    for shard in plan.made:
        found = [extraction(r.report_id, cases) for r in staging.reports(shard)]
        staging.write_extractions(shard, found)
        built = (case_resources(case) for extracted in found for case in extracted.cases)
        staging.write_resources(shard, FHIR_VERSIONS, (dict.fromkeys(FHIR_VERSIONS, case) for case in built))
    return staging


def files(root: Path) -> dict[str, bytes]:
    """Every file below ``root`` with its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _walk(root)}


def _walk(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())
