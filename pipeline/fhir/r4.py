"""The resources whose R4 form (valid in R4B too) differs from R5: MedicationStatement and AdverseEvent."""

from pipeline.fhir import common as c
from pipeline.fhir import elements as e
from pipeline.fhir.settings import Resource
from pipeline.records import Drug, Reaction

_BACKPORT = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/"
"""Extensions that bring R5 elements of AdverseEvent to R4 (HL7 adverse event research backport guide)."""


def medication_statement(scope: c.Scope, drug: Drug, position: int, index: int) -> Resource:
    """One exposure episode; ``position`` counts drugs from 1, ``index`` exposures from 0."""
    result = c.statement(scope, drug, position, index)
    status = c.episode_status(drug, index)
    result["status"] = status
    if status in ("stopped", "on-hold") and (reason := c.stop_reason(scope, drug)):
        result["statusReason"] = [reason]
    result["medicationCodeableConcept"] = c.medicine(drug, scope.evidence(drug.evidence))
    if reasons := c.indications(scope, drug):
        result["reasonCode"] = reasons
    if conditions := c.treated(scope, drug):
        result["reasonReference"] = conditions
    return result


def adverse_event(
    scope: c.Scope, reaction: Reaction, index: int, condition: Resource, history: list[Resource]
) -> Resource:
    """One reaction with every suspect; ``condition`` is the reaction's own, ``history`` the patient's."""
    found = c.suspects(scope, reaction)
    result = c.event(scope, reaction, index, found)
    extensions = c.age(scope) + c.seriousness_criteria(scope, reaction, _BACKPORT + "seriousness-criteria")
    for medicine in c.treatments(scope, reaction):
        item = {"url": "item", "valueCodeableConcept": medicine}
        extensions.append({"url": _BACKPORT + "mitigating-action", "extension": [item]})
    extensions += [e.extension(_BACKPORT + "note", "Annotation", note) for note in c.notes(scope)]
    if not found:
        extensions += c.time_to_onset(scope, reaction)
    if extensions:
        result["extension"] = extensions
    result["identifier"] = scope.identifier(f"reaction-{index}")
    if code := e.concept(reaction.term, reaction.codings, scope.evidence(reaction.evidence)):
        result["event"] = code
    if onset := c.onset(scope, reaction, found):
        result["_date"] = onset
    result["resultingCondition"] = [e.reference(condition)]
    result["outcome"] = _outcome(scope, reaction)
    if found:
        result["suspectEntity"] = [_suspect(suspect) for suspect in found]
    if history:
        result["subjectMedicalHistory"] = [e.reference(entry) for entry in history]
    result["referenceDocument"] = [scope.source.copy()]
    return result


def _outcome(scope: c.Scope, reaction: Reaction) -> Resource | None:
    """The one code that R4's required binding allows; validators reject unknown code systems beside it."""
    outcome = scope.coded("outcome", reaction.outcome, reaction.facts.get("outcome", []))
    if outcome:
        reported = scope.own("outcome", "outcome_reported", reaction.outcome)
        outcome["extension"] = reported + outcome.get("extension", [])
    return outcome


def _suspect(suspect: c.Suspect) -> Resource:
    result: Resource = {"extension": suspect.extension, "instance": suspect.instance}
    causality = []
    for judgement in suspect.judgements:
        one = {"assessment": judgement.category, "productRelatedness": judgement.words, "method": judgement.method}
        causality.append({name: value for name, value in one.items() if value})
    if causality:
        result["causality"] = causality
    return result
