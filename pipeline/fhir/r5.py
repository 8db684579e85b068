"""The resources whose R5 form differs from R4: MedicationStatement and AdverseEvent."""

from pipeline.fhir import common as c
from pipeline.fhir import elements as e
from pipeline.fhir.settings import Resource
from pipeline.records import Drug, Reaction

_SERIOUSNESS_CRITERIA = "http://hl7.org/fhir/uv/ae-research-ig/StructureDefinition/seriousness-criteria"
"""HL7 adverse event research guide (R5); its R4 twin stands in the backport guide."""


def medication_statement(scope: c.Scope, drug: Drug, position: int, index: int) -> Resource:
    """One exposure episode; ``position`` counts drugs from 1, ``index`` exposures from 0."""
    result = c.statement(scope, drug, position, index)
    result["status"] = "recorded"
    result["medication"] = {"concept": c.medicine(drug, scope.evidence(drug.evidence))}
    reasons = [{"concept": concept} for concept in c.indications(scope, drug)]
    reasons += [{"reference": condition} for condition in c.treated(scope, drug)]
    if reasons:
        result["reason"] = reasons
    if adherence := scope.codes.codings("adherence", c.episode_status(drug, index)):
        result["adherence"] = {"code": {"coding": adherence}}
        if reason := c.stop_reason(scope, drug):
            result["adherence"]["reason"] = reason
    return result


def adverse_event(
    scope: c.Scope, reaction: Reaction, index: int, condition: Resource, history: list[Resource]
) -> Resource:
    """One reaction with every suspect; ``condition`` is the reaction's own, ``history`` the patient's."""
    found = c.suspects(scope, reaction)
    result = c.event(scope, reaction, index, found)
    extensions = c.age(scope) + c.seriousness_criteria(scope, reaction, _SERIOUSNESS_CRITERIA)
    if not found:
        extensions += c.time_to_onset(scope, reaction)
    if extensions:
        result["extension"] = extensions
    result["identifier"] = [scope.identifier(f"reaction-{index}")]
    result["status"] = "completed"
    if code := e.concept(reaction.term, reaction.codings, scope.evidence(reaction.evidence)):
        result["code"] = code
    if onset := c.onset(scope, reaction, found):
        result["_occurrenceDateTime"] = onset
    result["resultingEffect"] = [e.reference(condition)]
    if outcome := scope.coded("outcome_reported", reaction.outcome, reaction.facts.get("outcome", [])):
        result["outcome"] = [outcome]
    if found:
        result["suspectEntity"] = [_suspect(suspect) for suspect in found]
    if actions := [{"itemCodeableConcept": medicine} for medicine in c.treatments(scope, reaction)]:
        result["mitigatingAction"] = actions
    supporting = [*(e.reference(entry) for entry in history), scope.source.copy()]
    result["supportingInfo"] = [{"itemReference": item} for item in supporting]
    if notes := c.notes(scope):
        result["note"] = notes
    return result


def _suspect(suspect: c.Suspect) -> Resource:
    """R5 has room for one judgement; all of them stand in our extensions."""
    result: Resource = {"extension": suspect.extension, "instanceReference": suspect.instance}
    if suspect.judgements:
        judgement = suspect.judgements[0]
        one = {"assessmentMethod": judgement.method, "entityRelatedness": judgement.category}
        result["causality"] = {name: value for name, value in one.items() if value}
    return result
