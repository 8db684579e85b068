"""What R4 and R5 share: identifiers, evidence, Patient, DocumentReference, Condition, Provenance, dosage, suspects.

An element belongs here when it is the same JSON in both versions; where only a code differs, ``codes.tsv`` says so.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import pipeline
from pipeline.fhir import elements as e
from pipeline.fhir.codes import Codes, codes, units
from pipeline.fhir.settings import Options, Resource, Version
from pipeline.records import CAUSES, Assessment, Case, Concept, CorrectionResult, Drug, Exposure, Reaction, Report, Span

AGE_AT_ONSET = "http://hl7.org/fhir/us/icsr-ae-reporting/StructureDefinition/icsr-ext-ageattimeofonset"
_RELATIVE_DATE = "relative-date"
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_ARTICLE_IDENTIFIERS = (
    ("doi", "https://doi.org"),
    ("pmid", "https://pubmed.ncbi.nlm.nih.gov"),
    ("pmcid", "https://www.ncbi.nlm.nih.gov/pmc"),
)
_METHODS = {"naranjo": "Naranjo adverse drug reaction probability scale", "who-umc": "WHO-UMC causality assessment"}


_Key = TypeVar("_Key", bound=Hashable)


def digest(*parts: str) -> str:
    """24 hexadecimal digits of the parts; the letter in front keeps an identifier from looking like a number."""
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return "c" + hashlib.blake2b(joined, digest_size=12).hexdigest()


@dataclass
class Scope:
    """One case being mapped, and what every resource of it needs."""

    case: Case
    report: Report
    version: Version
    options: Options
    shared: dict[Hashable, Resource] = field(default_factory=dict)
    """What is the same in every version of the case, made by the first that needs it and changed by none."""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = digest(self.report.report_id, self.case.case_id)
        self.drug_names = {drug.id: drug.name for drug in self.case.drugs}

    @cached_property
    def codes(self) -> Codes:
        """The code maps of this version."""
        return codes(self.version, self.options.base)

    @cached_property
    def source(self) -> Resource:
        """Reference to the report; one document per report, shared by its cases."""
        return {"reference": f"DocumentReference/{digest(self.report.report_id)}-source"}

    @cached_property
    def subject(self) -> Resource:
        """Reference to the patient."""
        return {"reference": f"Patient/{self.key}-patient"}

    def once(self, what: _Key, make: Callable[[_Key], Resource]) -> Resource:
        """What ``make(what)`` gives, made once for all versions."""
        if (made := self.shared.get(what)) is None:
            made = self.shared[what] = make(what)
        return made

    def start(self, type_: str, part: str) -> Resource:
        """The first elements of a resource; ``part`` names its position in the case (``"drug-1-exposure-2"``)."""
        return {"resourceType": type_, "id": f"{self.key}-{part}"}

    def identifier(self, part: str) -> Resource:
        """The business identifier of a resource: the case as people know it, and the position."""
        return {"system": f"{self.options.base}/identifier", "value": f"{e.text(self.case.case_id) or self.key}/{part}"}

    def url(self, extension: str) -> str:
        """Canonical URL of one of our extensions."""
        return f"{self.options.base}/StructureDefinition/{extension}"

    def relative_date(self, target: Resource, event: str, iso: str) -> Resource | None:
        """A missing date that is known relative to an event (``elements.relative_date``).

        R4 cannot use HL7's extension: R4's core package and HL7's later extension package define the same URL with
        different parts, so that whichever a validator loads, the other form is an error.  Ours has the later parts.
        """
        url = self.url(_RELATIVE_DATE) if self.version == "R4" else e.HL7 + _RELATIVE_DATE
        return e.relative_date(url, target, event, iso)

    def evidence(self, *facts: Sequence[Span]) -> list[Resource]:
        """One derivation-reference extension for each distinct span, in text order."""
        spans = sorted({(start, end) for spans in facts for start, end in spans if 0 <= start < end})
        return [self.once(span, self._quoted) for span in spans]

    def _quoted(self, span: Span) -> Resource:
        start, end = span
        return {
            "url": e.DERIVATION_REFERENCE,
            "extension": [
                {"url": "reference", "valueReference": self.source.copy()},
                {"url": "offset", "valueInteger": start},
                {"url": "length", "valueInteger": end - start},
            ],
        }

    def coded(self, map_: str, value: str, evidence: Sequence[Span] = ()) -> Resource | None:
        """CodeableConcept of a Case value by the code maps; ``None`` where the version has no code."""
        codings = self.codes.codings(map_, value)
        return e.concept(value.replace("_", " "), coded=codings, evidence=self.evidence(evidence)) if codings else None

    def own(self, extension: str, map_: str, value: str, evidence: Sequence[Span] = ()) -> list[Resource]:
        """Our extension with a coded Case value, as a list to add to others; empty where there is no code."""
        found = self.coded(map_, value, evidence)
        return [e.extension(self.url(extension), "CodeableConcept", found)] if found else []


# --- Patient, document, provenance ----------------------------------------------------------------------------------


def age(scope: Scope) -> list[Resource]:
    """The age at onset (HL7 extension of the ICSR guide), or nothing."""
    fact = scope.case.patient.age
    value = e.quantity(fact.value, fact.unit) if fact and fact.value >= 0 else None
    if not fact or not value:
        return []
    return [e.extension(AGE_AT_ONSET, "Age", value, scope.evidence(fact.evidence))]


def age_words(case: Case) -> str | None:
    """The age for people, ``"66 a"``."""
    fact = case.patient.age
    return f"{fact.value:g} {(units()[fact.unit].display)}" if fact else None


def patient(scope: Scope) -> Resource:
    """The patient: sex, ethnicity, death; the age only where no adverse event will carry it."""
    facts = scope.case.patient
    result = scope.start("Patient", "patient")
    dead = any(r.outcome == "fatal" or "death" in r.seriousness for r in scope.case.reactions)
    result["text"] = e.narrative(
        "Patient",
        [
            ("Case", scope.case.case_id),
            ("Sex", facts.sex.value if facts.sex else None),
            ("Age", age_words(scope.case)),
            ("Ethnicity", facts.ethnicity.value if facts.ethnicity else None),
            ("Deceased", "yes" if dead else None),
        ],
    )
    extensions = [] if scope.case.reactions else age(scope)
    if facts.ethnicity and (
        words := e.concept(facts.ethnicity.value, evidence=scope.evidence(facts.ethnicity.evidence))
    ):
        extensions.append(e.extension(scope.url("ethnicity"), "CodeableConcept", words))
    if extensions:
        result["extension"] = extensions
    result["identifier"] = [scope.identifier("patient")]
    if facts.sex:
        result["gender"] = facts.sex.value
        if found := scope.evidence(facts.sex.evidence):
            result["_gender"] = {"extension": found}
    if dead:
        result["deceasedBoolean"] = True
    return result


def document(scope: Scope) -> Resource:
    """The report: identifiers of the article, and its clean text, into which every evidence offset counts.

    The text is the only content, so that a derivation-reference needs no path (definition of that extension); offsets
    count the characters (Unicode code points) of the decoded text.
    """
    article = scope.report.article
    result: Resource = {"resourceType": "DocumentReference", "id": scope.source["reference"].split("/")[1]}
    title = e.text(article.title)
    published = str(article.year) if article.year and 1000 <= article.year <= 9999 else None
    result["text"] = e.narrative(
        title or "Report",
        [
            ("Journal", article.journal),
            ("Year", published),
            ("Authors", ", ".join(article.authors)),
            *((name.upper(), getattr(article, name)) for name, _ in _ARTICLE_IDENTIFIERS),
            ("Report", scope.report.report_id),
        ],
    )
    report_id = e.text(scope.report.report_id) or result["id"]
    result["identifier"] = [
        {"system": system, "value": value}
        for name, system in _ARTICLE_IDENTIFIERS
        if (value := e.text(getattr(article, name)))
    ] + [{"system": f"{scope.options.base}/report", "value": report_id}]
    result |= {"status": "current", "type": {"text": "Report of an adverse drug reaction"}}
    if authors := [{"display": name} for author in article.authors if (name := e.text(author))]:
        result["author"] = authors
    journal = e.text(article.journal)
    if description := ". ".join(part.rstrip(". ") for part in (title, journal, published) if part):
        result["description"] = description
    data = scope.report.text.encode("utf-8", "replace")
    attachment: Resource = {"contentType": "text/plain;charset=utf-8"}
    if article.language and _LANGUAGE.fullmatch(article.language):
        attachment["language"] = article.language
    if data:
        attachment["data"] = base64.b64encode(data).decode()
        attachment["hash"] = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
    attachment["title"] = title or report_id
    if published:
        attachment["creation"] = published
    result["content"] = [{"attachment": attachment}]
    return result


def provenance(scope: Scope, targets: list[Resource]) -> Resource:
    """Who made the resources: this software in this version, from the report."""
    result = scope.start("Provenance", "provenance")
    software = f"case2fhir {pipeline.__version__}"
    result["text"] = e.narrative("Provenance", [("Made by", software), ("Case", scope.case.case_id)])
    result["target"] = [e.reference(target) for target in targets]
    if scope.options.recorded:
        result["recorded"] = scope.options.recorded
    else:
        result["_recorded"] = {"extension": [e.absent()]}
    result["activity"] = {"coding": scope.codes.codings("activity", "create")}
    result["agent"] = [
        {
            "type": {"coding": scope.codes.codings("agent_type", "device")},
            "who": {
                "type": "Device",
                "identifier": {"system": f"{scope.options.base}/device", "value": f"case2fhir-{pipeline.__version__}"},
                "display": software,
            },
        }
    ]
    result["entity"] = [{"role": "source", "what": scope.source.copy()}]
    return result


def verifications(scope: Scope, targets: Sequence[Resource]) -> list[Resource]:
    """One Provenance for each correction that was applied: who verified which resources, when, and why.

    The time is the one that the person's entry bears, so that it is the same on every run.
    """
    return [_verification(scope, one, targets) for one in scope.case.corrections if one.status == "applied"]


def _verification(scope: Scope, one: CorrectionResult, targets: Sequence[Resource]) -> Resource:
    result = scope.start("Provenance", f"correction-{digest(one.correction)}")
    by, why = e.text(one.by) or "unknown", e.text(one.why)
    what = f"{one.operation} {(one.fact or 'a fact that is gone').replace('_', ' ')}"
    rows = [("Verified by", by), ("Correction", what), ("Why", why), ("Case", scope.case.case_id)]
    result["text"] = e.narrative("Verification", rows)
    result["target"] = [e.reference(target) for target in _about(scope, one.fact, targets)]
    result["recorded"] = one.at
    if why and scope.version == "R4":
        result["reason"] = [{"text": why}]
    elif why:
        result["authorization"] = [{"concept": {"text": why}}]
    activity = "verify" if one.operation == "accept" else "correct"
    result["activity"] = {"coding": scope.codes.codings("activity", activity)}
    result["agent"] = [
        {
            "type": {"coding": scope.codes.codings("agent_type", "verifier")},
            "who": {
                "type": "Practitioner",
                "identifier": {"system": f"{scope.options.base}/reviewer", "value": by},
                "display": by,
            },
        }
    ]
    result["entity"] = [{"role": "source", "what": scope.source.copy()}]
    return result


def _about(scope: Scope, fact: str | None, targets: Sequence[Resource]) -> list[Resource]:
    """The resources that state a fact, given its pointer; for one that is gone the patient, of whom it was denied.

    What no resource of its own states is with all adverse events: age and investigations of a case with reactions.
    """
    parts = []
    match (fact or "").split("/"):
        case ["drugs", n, "exposures", place, *_]:
            parts = [f"drug-{int(n) + 1}-exposure-{int(place) + 1}"]
        case ["drugs", n, *_]:
            drug = f"drug-{int(n) + 1}-exposure-"
            parts = [f"{drug}{i}" for i in range(1, max(len(scope.case.drugs[int(n)].exposures), 1) + 1)]
        case ["reactions", n, *_]:
            parts = [f"reaction-{int(n) + 1}", f"reaction-{int(n) + 1}-condition"]
        case ["assessments", n, *_]:
            linked = scope.case.assessments[int(n)].reaction
            parts = [f"reaction-{i}" for i, one in enumerate(scope.case.reactions, 1) if one.id == linked]
        case ["patient", "history", n, *_]:
            parts = [f"history-{int(n) + 1}"]
        case ["patient", "age"] | ["tests", *_]:
            parts = [f"reaction-{i}" for i in range(1, len(scope.case.reactions) + 1)]
    ids = {f"{scope.key}-{part}" for part in parts}
    return [target for target in targets if target["id"] in ids] or [
        t for t in targets if t["resourceType"] == "Patient"
    ]


# --- Conditions -----------------------------------------------------------------------------------------------------


def _condition(scope: Scope, part: str, title: str, code: Resource | None, status: str) -> Resource:
    result = scope.start("Condition", part)
    words = code.get("text") if code else None
    result["text"] = e.narrative(title, [("Condition", words)])
    result["identifier"] = [scope.identifier(part)]
    if clinical := scope.codes.codings("clinical_status", status):
        result["clinicalStatus"] = {"coding": clinical}
    result["code"] = code or {"text": "unknown"}
    result["subject"] = scope.subject.copy()
    return result


def reaction_condition(scope: Scope, reaction: Reaction, index: int) -> Resource:
    """The reaction as a condition of the patient; ``verbatim`` becomes its note."""
    code = e.concept(reaction.term, reaction.codings, scope.evidence(reaction.evidence))
    result = _condition(scope, f"reaction-{index}-condition", "Adverse reaction", code, reaction.outcome)
    if words := e.text("; ".join(dict.fromkeys(reaction.verbatim))):
        result["note"] = [{"text": f"Verbatim: {words}"}]
    return result


def history_condition(scope: Scope, entry: Concept, index: int) -> Resource:
    """One entry of the medical history."""
    code = e.concept(entry.term, entry.codings, scope.evidence(entry.evidence))
    return _condition(scope, f"history-{index}", "Medical history", code, "unknown")


# --- Medicines ------------------------------------------------------------------------------------------------------


def dosage(scope: Scope, exposure: Exposure) -> Resource | None:
    """Dosage of one regimen: dose or dose range, rate, route, timing, the words of the text, evidence."""
    result: Resource = {}
    if words := e.text(exposure.verbatim):
        result["text"] = words
    if when := e.timing(exposure.per, exposure.duration):
        result["timing"] = when
    if route := e.concept(exposure.route):
        result["route"] = route
    if not exposure.cumulative and (amount := _amount(exposure)):
        result["doseAndRate"] = [amount]
    if result and (found := scope.evidence(exposure.evidence)):
        result["extension"] = found
    return result or None


def _amount(exposure: Exposure) -> Resource | None:
    low = e.quantity(exposure.dose, exposure.unit) if exposure.dose is not None else None
    high = e.quantity(exposure.dose_high, exposure.unit) if exposure.dose_high is not None else None
    known = units().get(exposure.unit or "")
    kind = "rate" if known and known.kind == "rate" else "dose"
    if low and high and low["value"] < high["value"]:
        return {f"{kind}Range": {"low": low, "high": high}}
    if single := low or high:
        return {f"{kind}Quantity": single}
    return None


def dose_words(exposure: Exposure) -> str | None:
    """A regimen for people: ``"100 to 200 mg every d for P5W"``, or nothing."""
    doses = " to ".join(f"{dose:g}" for dose in (exposure.dose, exposure.dose_high) if dose is not None)
    parts = [
        f"{doses} {exposure.unit or ''}" if doses else None,
        "cumulative" if exposure.cumulative else None,
        f"every {exposure.per}" if exposure.per else None,
        exposure.route,
        f"for {exposure.duration}" if exposure.duration else None,
    ]
    return " ".join(part for part in parts if part) or None


def episode_status(drug: Drug, index: int) -> str:
    """What became of one exposure episode: an R4 medication-statement-status, ``unknown`` where the text is silent.

    ``stopped`` and ``on-hold`` are said of the episode that the reaction ended: the last one before any re-exposure.
    Earlier regimens and those of stated length are ``completed``.
    """
    last = len(drug.exposures) - 1
    ended = next((i - 1 for i, x in enumerate(drug.exposures) if x.re_exposure and i), last)
    if index == max(ended, 0):
        if drug.action_taken == "withdrawn":
            return "stopped"
        if drug.action_taken == "interrupted":
            return "on-hold" if ended == last else "stopped"
    stated = index < len(drug.exposures) and drug.exposures[index].duration
    return "completed" if index < last or stated or drug.role == "past" else "unknown"


def medicine(drug: Drug, evidence: list[Resource]) -> Resource:
    """The medicine as a CodeableConcept."""
    return e.concept(drug.name, drug.codings, evidence) or {"text": "unknown"}


def stop_reason(scope: Scope, drug: Drug) -> Resource | None:
    """The reactions because of which the drug was stopped, in words, with the evidence of the action."""
    linked = {a.reaction for a in scope.case.assessments if a.drug == drug.id}
    terms = [r.term for r in scope.case.reactions if r.id in linked] or [r.term for r in scope.case.reactions]
    evidence = scope.evidence(drug.facts.get("action_taken", []))
    return e.concept(f"Adverse reaction: {', '.join(terms)}", evidence=evidence) if terms else None


def statement(scope: Scope, drug: Drug, position: int, index: int) -> Resource:
    """The elements of a MedicationStatement that R4 and R5 share; ``index`` counts the exposures from 0."""
    part = f"drug-{position}-exposure-{index + 1}"
    result = scope.start("MedicationStatement", part)
    exposure = drug.exposures[index] if drug.exposures else None
    result["text"] = e.narrative(
        "Medication",
        [
            ("Medicine", drug.name),
            ("Role", drug.role),
            ("Dosage", dose_words(exposure) if exposure else None),
            ("Indication", ", ".join(i.term for i in drug.indications)),
            ("Action taken", drug.action_taken.replace("_", " ") if drug.action_taken else None),
        ],
    )
    extensions = scope.own("drug-role", "drug_role", drug.role, drug.facts.get("role", []))
    if exposure:
        extensions += _exposure_extensions(scope, exposure)
    result["extension"] = extensions
    result["identifier"] = [scope.identifier(part)]
    result["subject"] = scope.subject.copy()
    if exposure:
        result |= _effective(scope, drug, position, index, exposure)
    result["derivedFrom"] = [scope.source.copy()]
    if words := e.text("; ".join(dict.fromkeys(drug.verbatim))):
        result["note"] = [{"text": f"Verbatim: {words}"}]
    if exposure and (dose := dosage(scope, exposure)):
        result["dosage"] = [dose]
    return result


def _exposure_extensions(scope: Scope, exposure: Exposure) -> list[Resource]:
    found: list[Resource] = []
    if exposure.re_exposure:
        value = {True: "positive", False: "negative", None: "outcome_unknown"}[exposure.recurrence]
        found += scope.own("rechallenge", "rechallenge", value, exposure.evidence)
    if exposure.cumulative and exposure.dose is not None and (total := e.quantity(exposure.dose, exposure.unit)):
        found.append(e.extension(scope.url("cumulative-dose"), "Quantity", total, scope.evidence(exposure.evidence)))
    for drug_id in exposure.with_:
        if along := e.concept(scope.drug_names.get(drug_id)):
            found.append(e.extension(scope.url("given-with"), "CodeableConcept", along))
    return found


def _effective(scope: Scope, drug: Drug, position: int, index: int, exposure: Exposure) -> Resource:
    """When an episode began: a date, or a time after the drug's first episode."""
    if began := e.partial_date(exposure.start):
        return {"effectivePeriod": {"start": began}}
    if exposure.start and index:
        first = {"reference": f"MedicationStatement/{scope.key}-drug-{position}-exposure-1"}
        if relative := scope.relative_date(first, f"start of {e.text(drug.name)}", exposure.start):
            return {"_effectiveDateTime": relative}
    return {}


def treated(scope: Scope, drug: Drug) -> list[Resource]:
    """References to the conditions of the reactions that the drug treats."""
    return [
        {"reference": f"Condition/{scope.key}-reaction-{index}-condition"}
        for index, reaction in enumerate(scope.case.reactions, 1)
        if drug.id in reaction.treatments
    ]


def indications(scope: Scope, drug: Drug) -> list[Resource]:
    """The indications as CodeableConcepts."""
    found = (e.concept(i.term, i.codings, scope.evidence(i.evidence)) for i in drug.indications)
    return [concept for concept in found if concept]


# --- Adverse events -------------------------------------------------------------------------------------------------


@dataclass
class Judgement:
    """One answer to "did the drug cause it?": who or what judged, the category, and the words of it."""

    method: Resource | None
    category: Resource | None
    words: str | None


@dataclass
class Suspect:
    """A drug suspected of (or interacting towards) one reaction."""

    drug: Drug
    instance: Resource
    """Reference to the statement of its first exposure."""
    extension: list[Resource]
    judgements: list[Judgement]
    """The WHO-UMC category, the authors' statement and the Naranjo score, as far as there are any."""


def suspects(scope: Scope, reaction: Reaction) -> list[Suspect]:
    """All suspect and interacting drugs of the case, with what is known of each as the cause of this reaction."""
    assessments = {a.drug: a for a in scope.case.assessments if a.reaction == reaction.id}
    drugs = [(i, d) for i, d in enumerate(scope.case.drugs, 1) if d.role in CAUSES]
    primary = next((d.id for _, d in drugs if d.id in assessments), drugs[0][1].id if drugs else None)
    found = []
    for position, drug in drugs:
        assessment = assessments.get(drug.id)
        extensions = scope.own("drug-role", "drug_role", drug.role, drug.facts.get("role", []))
        if drug.action_taken:
            action = drug.facts.get("action_taken", [])
            extensions += scope.own("action-taken", "action_taken", drug.action_taken, action)
        if drug.id == primary:
            extensions += time_to_onset(scope, reaction)
        if assessment:
            extensions += _assessment_extensions(scope, assessment)
            extensions += scope.evidence(assessment.facts.get("link", []) or assessment.evidence)
        instance = {"reference": f"MedicationStatement/{scope.key}-drug-{position}-exposure-1"}
        found.append(Suspect(drug, instance, extensions, _judgements(scope, assessment) if assessment else []))
    return found


def time_to_onset(scope: Scope, reaction: Reaction) -> list[Resource]:
    """The latency as our extension, or nothing."""
    latency = e.duration(reaction.time_to_onset)
    if not latency:
        return []
    evidence = scope.evidence(reaction.facts.get("time_to_onset", []))
    return [e.extension(scope.url("time-to-onset"), "Duration", latency, evidence)]


def _assessment_extensions(scope: Scope, assessment: Assessment) -> list[Resource]:
    found = scope.own("dechallenge", "dechallenge", assessment.dechallenge, assessment.facts.get("dechallenge", []))
    found += scope.own("rechallenge", "rechallenge", assessment.rechallenge, assessment.facts.get("rechallenge", []))
    if statement_words := e.text(assessment.author_statement):
        evidence = scope.evidence(assessment.facts.get("author_statement", []))
        parts: list[Resource] = [
            {"url": "statement", "valueCodeableConcept": e.concept(statement_words, evidence=evidence)}
        ]
        if method := e.text(assessment.author_method):
            parts.append({"url": "method", "valueString": method})
        if assessment.author_score is not None:
            parts.append({"url": "score", "valueInteger": assessment.author_score})
        found.append({"url": scope.url("author-statement"), "extension": parts})
    if assessment.who_umc:
        found += scope.own("who-umc", "who_umc", assessment.who_umc)
    if scale := assessment.naranjo:
        items = [
            {
                "url": "item",
                "extension": [
                    {"url": "number", "valueInteger": int(question)},
                    {"url": "answer", "valueCodeableConcept": scope.coded("naranjo_answer", i.answer, i.evidence)},
                    {"url": "score", "valueInteger": i.score},
                ],
            }
            for question, i in sorted(scale.items.items(), key=lambda item: int(item[0]))
        ]
        category = scope.coded("naranjo_category", scale.category)
        parts = [
            {"url": "score", "valueInteger": scale.score},
            {"url": "category", "valueCodeableConcept": category},
            *items,
        ]
        found.append({"url": scope.url("naranjo"), "extension": parts})
    return found


def _judgements(scope: Scope, assessment: Assessment) -> list[Judgement]:
    found = []
    if assessment.who_umc:
        category = scope.coded("who_umc", assessment.who_umc)
        found.append(Judgement({"text": _METHODS["who-umc"]}, category, assessment.who_umc))
    if words := e.text(assessment.author_statement):
        method = e.text(assessment.author_method)
        on_scale = scope.coded("who_umc", words.casefold()) if method == "WHO-UMC" else None
        score = f", score {assessment.author_score}" if assessment.author_score is not None else ""
        by = {"text": f"Authors of the report{f', {method}' if method else ''}"}
        found.append(Judgement(by, on_scale or {"text": words}, f"{words}{score}"))
    if scale := assessment.naranjo:
        method_concept = e.concept(_METHODS["naranjo"], coded=scope.codes.codings("causality_method", "naranjo"))
        category = scope.coded("naranjo_category", scale.category)
        found.append(Judgement(method_concept, category, f"{scale.category}, score {scale.score}"))
    return found


def seriousness_criteria(scope: Scope, reaction: Reaction, url: str) -> list[Resource]:
    """One HL7 ``seriousness-criteria`` extension for each criterion that the text states."""
    evidence = reaction.facts.get("seriousness", [])
    return [
        {
            "url": url,
            "extension": [
                {
                    "url": "criterionCode",
                    "valueCodeableConcept": scope.coded("seriousness_criterion", criterion, evidence),
                },
                {"url": "criterionPresent", "valueBoolean": True},
            ],
        }
        for criterion in dict.fromkeys(reaction.seriousness)
    ]


def treatments(scope: Scope, reaction: Reaction) -> list[Resource]:
    """The medicines that treated the reaction, as CodeableConcepts."""
    evidence = scope.evidence(reaction.facts.get("treatments", []))
    return [medicine(drug, evidence) for drug in scope.case.drugs if drug.id in reaction.treatments]


def notes(scope: Scope) -> list[Resource]:
    """Annotations with the investigations and their results."""
    found = []
    for test in scope.case.tests:
        if words := e.text(f"{test.name}: {test.result}" if test.result else test.name):
            note: Resource = {"text": words}
            if evidence := scope.evidence(test.evidence):
                note["extension"] = evidence
            found.append(note)
    return found


def onset(scope: Scope, reaction: Reaction, found: list[Suspect]) -> Resource | None:
    """When the reaction began, as a time after the start of the primary suspect; the value of a missing date."""
    url = scope.url("time-to-onset")
    primary = next((s for s in found if any(x["url"] == url for x in s.extension)), None)
    if not primary or not reaction.time_to_onset:
        return None
    return scope.relative_date(primary.instance.copy(), f"start of {e.text(primary.drug.name)}", reaction.time_to_onset)


def event(scope: Scope, reaction: Reaction, index: int, found: list[Suspect]) -> Resource:
    """The elements of an AdverseEvent that R4 and R5 share."""
    result = scope.start("AdverseEvent", f"reaction-{index}")
    verdicts = (
        f"{s.drug.name}: " + "; ".join(f"{j.method['text'] if j.method else ''} {j.words}" for j in s.judgements)
        for s in found
    )
    result["text"] = e.narrative(
        "Adverse event",
        [
            ("Reaction", reaction.term),
            ("Suspect", ", ".join(s.drug.name for s in found)),
            ("Age", age_words(scope.case)),
            ("Time to onset", reaction.time_to_onset),
            ("Outcome", reaction.outcome.replace("_", " ")),
            ("Seriousness", ", ".join(s.replace("_", " ") for s in reaction.seriousness)),
            *(("Causality", words) for words in verdicts if not words.endswith(": ")),
        ],
    )
    result["actuality"] = "actual"
    result["subject"] = scope.subject.copy()
    if reaction.seriousness:
        evidence = scope.evidence(reaction.facts.get("seriousness", []))
        serious = e.concept("serious", coded=scope.codes.codings("seriousness", "serious"), evidence=evidence)
        result["seriousness"] = serious
    return result
