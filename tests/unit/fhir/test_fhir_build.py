"""What a Case becomes in FHIR."""

import base64
import copy
import importlib
import json
import re
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fhir import ORDER, Options, Resource, Version, build
from pipeline.fhir.codes import codes
from pipeline.fhir.common import episode_status
from pipeline.records import Case, CorrectionResult, Drug, Exposure, Patient, Report
from tests.unit.fhir.fhir_samples import RICH_TEXT, SAMPLES, hostile, minimal, rich

VERSIONS: tuple[Version, ...] = ("R4", "R5")
PACKAGES = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}
BASE = Options().base
every = pytest.mark.parametrize("version", VERSIONS)
every_case = pytest.mark.parametrize("name", SAMPLES)


def made(name: str, version: Version, type_: str) -> list[Resource]:
    return [r for r in build(*SAMPLES[name](), version) if r["resourceType"] == type_]


def extensions(element: Resource, name: str) -> list[Resource]:
    return [x for x in element.get("extension", []) if x["url"].endswith(name)]


def check_model(resource: Resource, version: Version) -> None:
    type_ = resource["resourceType"]
    model = getattr(importlib.import_module(f"{PACKAGES[version]}.{type_.lower()}"), type_)
    model.model_validate(resource)


def check_json(node: Any, path: str = "") -> None:
    """FHIR's JSON rules that the models do not check: nothing empty, strings clean and trimmed."""
    if isinstance(node, dict):
        assert node, path
        for key, value in node.items():
            check_json(value, f"{path}.{key}")
    elif isinstance(node, list):
        assert node, path
        for value in node:
            check_json(value, path)
    elif isinstance(node, str):
        assert node.strip() == node != "", path
        assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", node), path
    else:
        assert isinstance(node, bool | int | float), path


def check_case(resources: list[Resource], version: Version) -> None:
    """Valid models, valid JSON, unique ids, no reference outside the case or forward in the order."""
    seen: set[str] = set()
    for resource in resources:
        check_model(resource, version)
        check_json(resource, resource["resourceType"])
        assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", resource["id"])
        assert not resource["id"].isdigit()
        for target in re.findall(r'"reference": "([^"]*)"', json.dumps(resource)):
            assert target in seen, f"{resource['id']} refers to {target}"
        name = f"{resource['resourceType']}/{resource['id']}"
        assert name not in seen
        seen.add(name)
        narrative = ElementTree.fromstring(resource["text"]["div"])
        assert narrative.tag == "{http://www.w3.org/1999/xhtml}div"
        assert "".join(narrative.itertext()).strip()


@every
@every_case
def test_resources_are_valid(name: str, version: Version) -> None:
    resources = build(*SAMPLES[name](), version)
    check_case(resources, version)
    types = [r["resourceType"] for r in resources]
    assert [t for t in ORDER if t in types] == list(dict.fromkeys(types))


@every
@every_case
def test_same_bytes_on_every_run(name: str, version: Version) -> None:
    case, report = SAMPLES[name]()
    again = copy.deepcopy((case, report))
    assert json.dumps(build(case, report, version)) == json.dumps(build(*again, version))
    assert (case, report) == again or name == "hostile"  # NaN is never equal to itself


def text() -> st.SearchStrategy[str]:
    return st.text(max_size=30)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(VERSIONS))
def test_any_words_and_numbers_give_valid_fhir(data: st.DataObject, version: Version) -> None:
    """The rich case with every free string, duration, dose and unit replaced by anything at all."""
    case, report = rich()
    for drug in case.drugs:
        drug.name, drug.verbatim = data.draw(text()), data.draw(st.lists(text(), max_size=2))
        for exposure in drug.exposures:
            exposure.dose = data.draw(st.none() | st.floats())
            exposure.dose_high = data.draw(st.none() | st.floats())
            exposure.unit = data.draw(st.none() | text() | st.sampled_from(["mg", "mg/kg", "ug/h", "{tablet}"]))
            exposure.per, exposure.route = data.draw(st.none() | text()), data.draw(st.none() | text())
            exposure.duration = data.draw(
                st.none() | st.from_regex(r"-?P\d{1,4}[YMWD](T\d{1,5}[HMS])?", fullmatch=True)
            )
            exposure.start = data.draw(st.none() | text() | st.from_regex(r"\d{4}(-\d\d)?(-\d\d)?", fullmatch=True))
    for reaction in case.reactions:
        reaction.term, reaction.time_to_onset = data.draw(text()), data.draw(st.none() | text())
    report.report_id = case.report_id = data.draw(text())
    report.text, report.article.title = data.draw(text()), data.draw(text())
    check_case(build(case, report, version), version)


# --- Identifiers, provenance, document -------------------------------------------------------------------------------


def test_identifiers_depend_on_report_and_position_only() -> None:
    case, report = rich()
    before = [r["id"] for r in build(case, report, "R4")]
    case.reactions[0].term = "something else"
    case.patient.sex = None
    report.text += " More."
    assert [r["id"] for r in build(case, report, "R4")] == before == [r["id"] for r in build(case, report, "R5")]
    case.case_id += "x"
    changed = [r["id"] for r in build(case, report, "R4") if r["resourceType"] != "DocumentReference"]
    assert not set(changed) & set(before)


@every
def test_cases_of_one_report_share_its_document(version: Version) -> None:
    case, report = minimal()
    second = copy.deepcopy(case)
    second.case_id = "r1-2"
    assert build(case, report, version)[0] == build(second, report, version)[0]


@every
def test_provenance_names_software_source_and_targets(version: Version) -> None:
    case, report = rich()
    *_, provenance = resources = build(case, report, version)
    targets = [t["reference"] for t in provenance["target"]]
    expected = [f"{r['resourceType']}/{r['id']}" for r in resources]
    assert targets == [t for t in expected if not t.startswith(("Document", "Provenance"))]
    who = provenance["agent"][0]["who"]
    assert "reference" not in who
    assert who["display"].startswith("case2fhir ")
    assert provenance["entity"][0]["what"]["reference"].startswith("DocumentReference/")
    assert "recorded" not in provenance
    dated = build(case, report, version, options=Options(recorded="2026-01-31T00:00:00Z"))[-1]
    assert dated["recorded"] == "2026-01-31T00:00:00Z"
    check_model(dated, version)


@every
@pytest.mark.parametrize(
    ("operation", "fact", "targets", "activity"),
    [
        ("accept", "reactions/0/outcome", ["AdverseEvent", "Condition"], "verify"),
        ("change", "drugs/0/exposures/1/dose", ["MedicationStatement"], "correct"),
        ("merge", "drugs/0", ["MedicationStatement", "MedicationStatement"], "correct"),
        ("change", "assessments/0/dechallenge", ["AdverseEvent"], "correct"),
        ("add", "patient/history/0", ["Condition"], "correct"),
        ("change", "patient/age", ["AdverseEvent"], "correct"),
        ("change", "patient/sex", ["Patient"], "correct"),
        ("reject", None, ["Patient"], "correct"),
    ],
)
def test_what_a_person_verified_says_who_when_why_and_of_what(
    version: Version, operation: Any, fact: str | None, targets: list[str], activity: str
) -> None:
    case, report = rich()
    case.drugs[0].exposures = case.drugs[0].exposures[:2]
    case.reactions = case.reactions[:1]
    case.corrections = [
        CorrectionResult(
            correction="c_1",
            operation=operation,
            by="R. <Reviewer>",
            at="2026-11-21T19:05:00Z",
            why="read again",
            fact=fact,
        ),
        CorrectionResult(correction="c2", operation="reject", by="R", at="2026-11-21T19:05:00Z", status="fact_missing"),
    ]
    *made, verification = build(case, report, version)
    assert [r["resourceType"] for r in made].count("Provenance") == 1
    assert len(verification["id"]) <= 64
    ids = {f"{r['resourceType']}/{r['id']}" for r in made}
    about = [target["reference"] for target in verification["target"]]
    assert set(about) <= ids
    assert sorted(reference.split("/")[0] for reference in about) == targets
    assert verification["recorded"] == "2026-11-21T19:05:00Z"
    agent = verification["agent"][0]
    assert agent["type"]["coding"][0]["code"] == "verifier"
    assert agent["who"]["display"] == "R. <Reviewer>"
    assert verification["activity"]["coding"] == codes(version, Options().base).codings("activity", activity)
    why = verification["reason"][0] if version == "R4" else verification["authorization"][0]["concept"]
    assert why["text"] == "read again"
    check_model(verification, version)


@every
def test_document_carries_identifiers_and_the_text(version: Version) -> None:
    document = made("rich", version, "DocumentReference")[0]
    assert {i["system"]: i["value"] for i in document["identifier"]} == {
        "https://doi.org": "10.1000/letter.1",
        "https://pubmed.ncbi.nlm.nih.gov": "12345678",
        "https://www.ncbi.nlm.nih.gov/pmc": "PMC1234567",
        f"{BASE}/report": "doi:10.1000/letter.1",
    }
    (content,) = document["content"]
    assert base64.b64decode(content["attachment"]["data"]).decode() == RICH_TEXT
    assert content["attachment"]["creation"] == "2009"
    assert document["description"] == "A rash <that> came back & again. Journal of Examples. 2009"


@every
def test_evidence_quotes_the_text(version: Version) -> None:
    """Every derivation-reference points to the document and to the words that state the fact."""
    quotes = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if str(node.get("url", "")).endswith("/derivation-reference"):
                parts = {x["url"]: x for x in node["extension"]}
                start = parts["offset"]["valueInteger"]
                quotes.add(RICH_TEXT[start : start + parts["length"]["valueInteger"]])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(build(*rich(), version))
    assert quotes == {
        "66-year-old", "woman", "gastrointestinal stromal tumor", "400 mg daily", "200 mg daily", "imatinib",
        "withdrawn", "30 mg/d", "erythema multiforme", "After 5 weeks", "the rash was gone", "the probable cause",
        "the rash was gone one month later", "It returned on 200 mg daily", "HSV IgM was negative",
    }  # fmt: skip


# --- Patient and conditions ------------------------------------------------------------------------------------------


@every
def test_patient(version: Version) -> None:
    (patient,) = made("rich", version, "Patient")
    assert patient["gender"] == "female"
    assert extensions(patient, "/ethnicity")[0]["valueCodeableConcept"]["text"] == "Korean"
    assert "deceasedBoolean" not in patient
    assert made("fatal", version, "Patient")[0]["deceasedBoolean"] is True


@every
def test_age_stands_on_the_event_or_without_one_on_the_patient(version: Version) -> None:
    age = "/icsr-ext-ageattimeofonset"
    (event,) = made("fatal", version, "AdverseEvent")
    assert extensions(event, age)[0]["valueAge"] | {"unit": "-"} == {
        "value": 3, "unit": "-", "system": "http://unitsofmeasure.org", "code": "mo",
    }  # fmt: skip
    assert not extensions(made("fatal", version, "Patient")[0], age)
    assert extensions(made("no_reaction", version, "Patient")[0], age)[0]["valueAge"]["value"] == 40


@every
def test_conditions_of_reactions_and_history(version: Version) -> None:
    reaction, history = made("rich", version, "Condition")
    assert reaction["code"]["text"] == "erythema multiforme"
    assert reaction["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert reaction["note"] == [{"text": "Verbatim: EM; rash"}]
    assert history["code"]["text"] == "psoriasis"
    # R5 requires a clinical status, R4 has no code for not knowing it
    assert ("clinicalStatus" in history) == (version == "R5")


# --- Medicines -------------------------------------------------------------------------------------------------------


@every
def test_one_statement_per_exposure_and_one_without(version: Version) -> None:
    assert len(made("rich", version, "MedicationStatement")) == 4 + 1
    assert len(made("minimal", version, "MedicationStatement")) == 1


def test_r4_statement() -> None:
    first, *_, treatment = made("rich", "R4", "MedicationStatement")
    assert first["status"] == "stopped"
    assert first["statusReason"][0]["text"] == "Adverse reaction: erythema multiforme"
    assert first["medicationCodeableConcept"]["text"] == "imatinib"
    assert first["medicationCodeableConcept"]["coding"][0]["code"] == "L01EA01"
    assert first["reasonCode"][0]["text"] == "gastrointestinal stromal tumor"
    assert treatment["status"] == "unknown"
    assert treatment["reasonReference"][0]["reference"].endswith("-reaction-1-condition")


def test_r5_statement() -> None:
    first, *_, treatment = made("rich", "R5", "MedicationStatement")
    assert first["status"] == "recorded"
    assert first["adherence"]["code"]["coding"][0]["code"] == "stopped"
    assert first["adherence"]["reason"]["text"] == "Adverse reaction: erythema multiforme"
    assert first["medication"]["concept"]["text"] == "imatinib"
    assert first["reason"][0]["concept"]["text"] == "gastrointestinal stromal tumor"
    assert "adherence" not in treatment
    assert treatment["reason"][0]["reference"]["reference"].endswith("-reaction-1-condition")


def doses(version: Version) -> list[Resource]:
    found = []
    for statement in made("doses", version, "MedicationStatement"):
        dosage = statement.get("dosage", [{}])[0]
        dosage.pop("extension", None)
        found.append(dosage)
    return found


def ucum(value: float, unit: str, code: str) -> Resource:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}


@every
def test_dosage(version: Version) -> None:
    found = doses(version)
    assert found[0] == {
        "timing": {
            "repeat": {"boundsDuration": ucum(18, "month", "mo"), "frequency": 1, "period": 12, "periodUnit": "h"}
        },
        "doseAndRate": [{"doseRange": {"low": ucum(100, "milligram", "mg"), "high": ucum(200, "milligram", "mg")}}],
    }
    assert found[1]["doseAndRate"] == [{"doseQuantity": ucum(1.5, "milligram per kilogram", "mg/kg")}]
    # a month is 30.4375 days in UCUM
    assert found[1]["timing"]["repeat"]["boundsDuration"] == ucum(44.4375, "day", "d")
    assert found[2]["doseAndRate"][0]["rateQuantity"]["code"] == "ug/kg/min"
    assert found[2]["timing"]["repeat"] == {"boundsDuration": ucum(90, "minute", "min")}
    assert found[3]["doseAndRate"] == [{"doseQuantity": {"value": 2, "unit": "tablet"}}]
    assert found[4] == {
        "timing": {"repeat": {"frequency": 1, "period": 0.5, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 3, "unit": "puffs"}}],
    }
    assert found[6] == {}  # cumulative: an extension, not a dose that was given at once
    assert found[7]["doseAndRate"] == [{"doseQuantity": ucum(20, "milligram", "mg")}]
    assert found[8]["doseAndRate"] == [{"doseQuantity": {"value": 5}}]
    assert found[9] == {"route": {"text": "intravenous"}}


@every
def test_dates_and_times_after_the_first_exposure(version: Version) -> None:
    statements = made("doses", version, "MedicationStatement")
    relative = statements[3]["_effectiveDateTime"]["extension"]
    assert relative[0]["valueCode"] == "unknown"
    assert relative[1]["url"].startswith(BASE if version == "R4" else "http://hl7.org/fhir/StructureDefinition/")
    parts = {x["url"]: x for x in relative[1]["extension"]}
    assert parts["targetReference"]["valueReference"]["reference"].endswith("-drug-1-exposure-1")
    assert parts["relationship"]["valueCode"] == "before-start"
    assert parts["offset"]["valueDuration"] == ucum(3, "day", "d")
    assert statements[5]["effectivePeriod"] == {"start": "2010"}
    assert statements[6]["effectivePeriod"] == {"start": "2010-05-06"}
    assert extensions(statements[6], "/cumulative-dose")[0]["valueQuantity"]["value"] == 300


@every
def test_re_exposures_say_whether_the_reaction_came_back(version: Version) -> None:
    found = [
        [x["valueCodeableConcept"]["coding"][0]["code"] for x in extensions(s, "/rechallenge")]
        for s in made("rich", version, "MedicationStatement")
    ]
    assert found == [[], ["2"], ["1"], ["3"], []]
    along = [extensions(s, "/given-with") for s in made("rich", version, "MedicationStatement")]
    assert [a[0]["valueCodeableConcept"]["text"] if a else None for a in along] == [
        None, None, None, "prednisolone", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "exposures", "expected"),
    [
        (None, [Exposure()], ["unknown"]),
        (None, [Exposure(duration="P1D")], ["completed"]),
        (None, [Exposure(), Exposure()], ["completed", "unknown"]),
        ("withdrawn", [], ["stopped"]),
        ("withdrawn", [Exposure(), Exposure()], ["completed", "stopped"]),
        ("withdrawn", [Exposure(), Exposure(re_exposure=True)], ["stopped", "unknown"]),
        ("interrupted", [Exposure()], ["on-hold"]),
        ("interrupted", [Exposure(), Exposure(re_exposure=True)], ["stopped", "unknown"]),
        ("reduced", [Exposure(), Exposure()], ["completed", "unknown"]),
    ],
)
def test_status_of_episodes(action: Any, exposures: list[Exposure], expected: list[str]) -> None:
    drug = Drug(id="d", name="x", role="suspect", action_taken=action, exposures=exposures)
    assert [episode_status(drug, i) for i in range(max(len(exposures), 1))] == expected


# --- Adverse events --------------------------------------------------------------------------------------------------


def suspect_facts(suspect: Resource) -> dict[str, Any]:
    """Our extensions on a suspect entity: last part of the URL → code, text or quantity."""
    found: dict[str, Any] = {}
    for x in suspect["extension"]:
        if x["url"].startswith(BASE):
            concept = x.get("valueCodeableConcept")
            value = concept["coding"][0]["code"] if concept else x.get("valueDuration", {}).get("value")
            found[x["url"].rsplit("/", 1)[1]] = value
    return found


def test_r4_adverse_event() -> None:
    (event,) = made("rich", "R4", "AdverseEvent")
    assert event["actuality"] == "actual"
    assert event["event"]["text"] == "erythema multiforme"
    assert [c["code"] for c in event["outcome"]["coding"]] == ["resolved"]
    reported = extensions(event["outcome"], "/outcome")[0]["valueCodeableConcept"]["coding"]
    assert [c["code"] for c in reported] == ["C49498", "1"]
    assert event["seriousness"]["coding"][0]["code"] == "Serious"
    (criterion,) = extensions(event, "ae-research-backport-ig/StructureDefinition/seriousness-criteria")
    assert [c["code"] for c in criterion["extension"][0]["valueCodeableConcept"]["coding"]] == ["C82521", "26"]
    (action,) = extensions(event, "/mitigating-action")
    assert action["extension"][0]["valueCodeableConcept"]["text"] == "prednisolone"
    assert extensions(event, "/note")[0]["valueAnnotation"]["text"] == "HSV IgM: negative"
    assert event["resultingCondition"][0]["reference"].endswith("-reaction-1-condition")
    assert event["subjectMedicalHistory"][0]["reference"].endswith("-history-1")
    assert event["referenceDocument"][0]["reference"].endswith("-source")
    (suspect,) = event["suspectEntity"]
    assert suspect["instance"]["reference"].endswith("-drug-1-exposure-1")
    assert [(c["productRelatedness"], c["assessment"].get("text")) for c in suspect["causality"]] == [
        ("probable", "probable"), ("probable, score 8", "probable"), ("probable, score 8", "probable"),
    ]  # fmt: skip
    assert suspect["causality"][0]["assessment"]["coding"][0]["code"] == "Probably-Likely"
    assert suspect["causality"][1]["method"]["text"] == "Authors of the report, Naranjo"
    assert suspect["causality"][2]["method"]["coding"][0]["code"] == "ProbabilityScale"


def test_r5_adverse_event() -> None:
    (event,) = made("rich", "R5", "AdverseEvent")
    assert (event["actuality"], event["status"]) == ("actual", "completed")
    assert event["code"]["text"] == "erythema multiforme"
    assert [c["code"] for c in event["outcome"][0]["coding"]] == ["C49498", "1"]
    assert event["seriousness"]["coding"][0]["code"] == "serious"
    assert extensions(event, "ae-research-ig/StructureDefinition/seriousness-criteria")
    assert event["mitigatingAction"][0]["itemCodeableConcept"]["text"] == "prednisolone"
    assert event["note"][0]["text"] == "HSV IgM: negative"
    assert event["resultingEffect"][0]["reference"].endswith("-reaction-1-condition")
    assert [i["itemReference"]["reference"].split("-", 1)[1] for i in event["supportingInfo"]] == [
        "history-1", "source",
    ]  # fmt: skip
    (suspect,) = event["suspectEntity"]
    assert suspect["instanceReference"]["reference"].endswith("-drug-1-exposure-1")
    assert suspect["causality"]["entityRelatedness"]["coding"][0]["code"] == "probably-likely"


@every
def test_causality_facts_stand_on_the_suspect(version: Version) -> None:
    (suspect,) = made("rich", version, "AdverseEvent")[0]["suspectEntity"]
    assert suspect_facts(suspect) == {
        "drug-role": "1", "action-taken": "1", "time-to-onset": 5, "dechallenge": "positive", "rechallenge": "1",
        "author-statement": None, "who-umc": "Probably-Likely" if version == "R4" else "probably-likely",
        "naranjo": None,
    }  # fmt: skip
    (naranjo,) = extensions(suspect, "/naranjo")
    assert [x.get("valueInteger") for x in naranjo["extension"][:1]] == [8]
    items = [x["extension"] for x in naranjo["extension"] if x["url"] == "item"]
    assert [i[0]["valueInteger"] for i in items] == list(range(1, 11))
    assert [i[1]["valueCodeableConcept"]["text"] for i in items[:3]] == ["yes", "yes", "unknown"]
    (author,) = extensions(suspect, "/author-statement")
    assert author["extension"][0]["valueCodeableConcept"]["text"] == "probable"
    assert [x["url"] for x in author["extension"]] == ["statement", "method", "score"]


@every
def test_every_reaction_has_an_event_with_all_suspects(version: Version) -> None:
    events = made("several_reactions", version, "AdverseEvent")
    assert len(events) == 3
    assert [[suspect_facts(s) for s in event["suspectEntity"]] for event in events] == [
        [
            {
                "drug-role": "1", "action-taken": "interrupted", "time-to-onset": 2, "dechallenge": "negative",
                "rechallenge": "4",
            },
            {"drug-role": "3", "action-taken": "2", "dechallenge": "not-done", "author-statement": None},
        ],
        [
            {
                "drug-role": "1", "action-taken": "interrupted", "dechallenge": "unknown", "rechallenge": "2",
                "who-umc": "Certain" if version == "R4" else "certain",
            },
            {"drug-role": "3", "action-taken": "2"},
        ],
        [{"drug-role": "1", "action-taken": "interrupted"}, {"drug-role": "3", "action-taken": "2"}],
    ]  # fmt: skip


@every
def test_an_authors_category_of_the_who_umc_scale_is_coded(version: Version) -> None:
    suspect = made("several_reactions", version, "AdverseEvent")[0]["suspectEntity"][1]
    causality = suspect["causality"][0]["assessment"] if version == "R4" else suspect["causality"]["entityRelatedness"]
    assert causality["coding"][0]["code"] == ("Possible" if version == "R4" else "possible")


@every
def test_onset_is_relative_to_the_suspect(version: Version) -> None:
    (event,) = made("rich", version, "AdverseEvent")
    onset = event["_date" if version == "R4" else "_occurrenceDateTime"]["extension"]
    parts = {x["url"]: x for x in onset[1]["extension"]}
    assert parts["targetReference"]["valueReference"]["reference"].endswith("-drug-1-exposure-1")
    assert parts["offset"]["valueDuration"] == ucum(5, "week", "wk")
    (event,) = made("no_suspect", version, "AdverseEvent")
    assert extensions(event, "/time-to-onset")[0]["valueDuration"] == ucum(1, "day", "d")


@every
def test_no_reaction_no_event(version: Version) -> None:
    types = [r["resourceType"] for r in build(*SAMPLES["no_reaction"](), version)]
    assert types == ["DocumentReference", "Patient", "MedicationStatement", "Provenance"]


@every
def test_a_case_of_nothing_gives_nothing(version: Version) -> None:
    report = Report(report_id="e", text="No case.")
    assert build(Case(case_id="e-1", report_id="e", patient=Patient()), report, version) == []


def test_a_case_of_another_report_is_refused() -> None:
    case, report = minimal()
    with pytest.raises(ValueError, match="belongs to report"):
        build(case, msgspec.structs.replace(report, report_id="other"), "R4")


@every
def test_hostile_text_stays_text(version: Version) -> None:
    resources = build(*hostile(), version)
    divs = "".join(r["text"]["div"] for r in resources)
    assert "<script" not in divs
    assert "&lt;script&gt;" in divs
    written = json.dumps(resources)
    assert "not a uri" not in written
    assert "http://example.org/s" not in written  # a system without a code


def test_the_canonical_base_is_one_setting() -> None:
    case, report = rich()
    written = json.dumps(build(case, report, "R4", options=Options(base="https://example.org/ours")))
    assert "https://example.org/ours/StructureDefinition/dechallenge" in written
    assert BASE not in written
    with pytest.raises(ValueError, match="trailing slash"):
        Options(base="https://example.org/")
