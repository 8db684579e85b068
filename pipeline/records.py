"""Report, Case and their parts: the contract between every stage of the pipeline.

Belongs here: the shapes of the records and their (de)serialisation.  Does not belong here: how they are made or used.
Terms are those of ICH E2B(R3) (ICSR implementation guide, 2016).  Every offset counts Unicode code points into
``Report.text``; a span is ``(start, end)``, end exclusive.  Durations are ISO 8601 (``"P5W"``), units UCUM.
Absent facts are ``None`` or empty, never guessed.

The JSON form of ``Case`` and ``Extraction`` is a public contract (``case2fhir extract`` prints it); msgspec writes and
checks it: decoding rejects unknown values and names the offending path.
"""

import hashlib
from typing import Literal

import msgspec

Span = tuple[int, int]
Evidence = list[Span]

MentionType = Literal[
    "drug", "reaction", "indication", "condition", "age", "sex", "population", "ethnicity", "dosage", "route",
    "frequency", "duration", "time_to_onset", "outcome", "test",
]  # fmt: skip
Assertion = Literal["present", "negated", "possible", "hypothetical", "historical", "family", "literature"]
SectionKind = Literal[
    "title", "abstract", "introduction", "case", "methods", "results", "discussion", "conclusion",
    "caption", "table", "references", "furniture", "body",
]  # fmt: skip
DrugRole = Literal["suspect", "interacting", "concomitant", "treatment", "past"]
CAUSES: frozenset[DrugRole] = frozenset({"suspect", "interacting"})
"""Roles of drugs that may have caused a reaction (ICH E2B(R3) G.k.1)."""
ActionTaken = Literal["withdrawn", "reduced", "increased", "unchanged", "interrupted", "unknown", "not_applicable"]
Outcome = Literal["recovered", "recovering", "not_recovered", "recovered_with_sequelae", "fatal", "unknown"]
Seriousness = Literal[
    "death", "life_threatening", "hospitalization", "disability", "congenital_anomaly", "other_medically_important"
]
Dechallenge = Literal["positive", "negative", "not_done", "not_applicable", "unknown"]
Rechallenge = Literal["positive", "negative", "not_done", "unknown"]
Sex = Literal["female", "male"]
AgeUnit = Literal["a", "mo", "wk", "d"]
NaranjoCategory = Literal["definite", "probable", "possible", "doubtful"]
WhoUmcCategory = Literal["certain", "probable", "possible", "unlikely", "conditional", "unassessable"]
NaranjoAnswer = Literal["yes", "no", "unknown"]
Operation = Literal["accept", "change", "reject", "add", "merge", "split"]
CorrectionStatus = Literal[
    "applied", "text_changed", "fact_missing", "ambiguous", "conflicting", "case_withheld", "case_missing",
    "report_missing",
]  # fmt: skip


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: keyword-only, strict when decoded."""


# --- Report: what a source says -------------------------------------------------------------------------------------


class Section(Record):
    """A stretch of ``Report.text`` and what part of an article it is. Sections are ordered and do not overlap."""

    kind: SectionKind
    start: int
    end: int
    title: str | None = None


class MeshHeading(Record):
    """One MeSH heading of a PubMed record, qualifiers by name (``"adverse effects"``, ``"chemically induced"``)."""

    descriptor: str
    ui: str | None = None
    qualifiers: list[str] = []
    major: bool = False


class Article(Record):
    """What the source states about the publication; nothing is looked up."""

    title: str | None = None
    journal: str | None = None
    year: int | None = None
    doi: str | None = None
    pmid: str | None = None
    pmcid: str | None = None
    authors: list[str] = []
    language: str | None = None
    mesh: list[MeshHeading] = []
    publication_types: list[str] = []


class Source(Record):
    """Where a report came from: the input file, the member inside an archive, the record inside the file."""

    path: str
    format: str
    member: str | None = None
    record: int | None = None


class Report(Record):
    """One narrative text. ``text`` is the clean text that is published and that every offset counts into."""

    report_id: str
    text: str
    sections: list[Section] = []
    article: Article = msgspec.field(default_factory=Article)
    source: Source | None = None


class Refused(Record):
    """Something that is not processed further, and why; one line of ``quarantine/``. Never holds report text.

    ``stage`` is ``"sources"``, ``"extraction"``, ``"fhir"`` or ``"validation"``; ``reason`` a stable slug
    (``"empty"``, ``"truncated"`` …); ``place`` says where in the file or record.
    """

    stage: Literal["sources", "extraction", "fhir", "validation"]
    reason: str
    message: str
    source: Source | None = None
    place: str | None = None
    report_id: str | None = None
    case_id: str | None = None


# --- Extraction: what was found in the text -------------------------------------------------------------------------


class Mention(Record):
    """One surface form in the text; ``text`` equals ``report.text[start:end]`` where there is no ``gap``."""

    type: MentionType
    text: str
    start: int
    end: int
    assertion: Assertion = "present"
    concept: str | None = None
    """Preferred name of the lexicon concept, where one was recognised."""
    gap: Span | None = None
    """What interrupts it and does not belong to it; ``text`` is what stands before and behind, joined by a space.

    The route of "intravenous mannitol infusion" is "intravenous infusion".
    """


class Pair(Record):
    """A drug and the reaction the text attributes to it, as they stand in one sentence."""

    drug: str
    reaction: str
    drug_span: Span
    reaction_span: Span


class Coding(Record):
    """A code from a named system; ``system`` is the FHIR canonical URL of the code system."""

    system: str
    code: str
    display: str | None = None


class Age(Record):
    """Age at the time of the reaction; ``unit`` is UCUM."""

    value: float
    unit: AgeUnit
    evidence: Evidence = []


class SexFact(Record):
    """Sex as the text tells it."""

    value: Sex
    evidence: Evidence = []


class TextFact(Record):
    """A fact that is a word of the text (ethnicity)."""

    value: str
    evidence: Evidence = []


class Concept(Record):
    """A disease or symptom: history entry or indication."""

    term: str
    codings: list[Coding] = []
    verbatim: list[str] = []
    evidence: Evidence = []


class Patient(Record):
    """The person; ``history`` are earlier and concurrent conditions, without indications and reactions."""

    age: Age | None = None
    sex: SexFact | None = None
    ethnicity: TextFact | None = None
    history: list[Concept] = []


class Exposure(Record):
    """One stated regimen of one drug, in narrative order.

    ``dose`` (to ``dose_high``) in ``unit`` (UCUM, may be per kg or m2: ``"mg/kg"``) every ``per`` (``"d"`` day,
    ``"12.h"`` every twelve hours, ``"wk"``; ``None`` single dose or unstated).  ``duration`` is how long it lasted,
    ``start`` when it began relative to the first exposure (ISO 8601) or an ISO date.  ``with_`` (JSON ``with``) are
    ids of drugs the text says were given along.  ``recurrence`` tells, for a re-exposure, whether the reaction came
    back; ``None`` on first exposures or where the text does not say.
    """

    dose: float | None = None
    dose_high: float | None = None
    unit: str | None = None
    per: str | None = None
    route: str | None = None
    duration: str | None = None
    start: str | None = None
    with_: list[str] = msgspec.field(default_factory=list, name="with")
    cumulative: bool = False
    re_exposure: bool = False
    recurrence: bool | None = None
    verbatim: str | None = None
    evidence: Evidence = []


class Drug(Record):
    """A medicine of this patient. ``facts`` is the evidence of single fields: keys ``role``, ``action_taken``."""

    id: str
    name: str
    role: DrugRole
    verbatim: list[str] = []
    codings: list[Coding] = []
    indications: list[Concept] = []
    exposures: list[Exposure] = []
    action_taken: ActionTaken | None = None
    """Because of a reaction; for suspect and interacting drugs only."""
    evidence: Evidence = []
    facts: dict[str, Evidence] = {}


class Reaction(Record):
    """A diagnosis a clinician would code; the signs it explains are its ``verbatim``. ``treatments`` are drug ids."""

    id: str
    term: str
    verbatim: list[str] = []
    codings: list[Coding] = []
    time_to_onset: str | None = None
    outcome: Outcome = "unknown"
    seriousness: list[Seriousness] = []
    treatments: list[str] = []
    evidence: Evidence = []
    facts: dict[str, Evidence] = {}
    """Evidence of single fields: keys ``time_to_onset``, ``outcome``, ``seriousness``, ``treatments``."""


class NaranjoItem(Record):
    """One of the ten questions. ``score`` is the points the answer earns (Naranjo et al. 1981, table I)."""

    answer: NaranjoAnswer
    score: int
    evidence: Evidence = []


class Naranjo(Record):
    """The Naranjo scale: the sum of ten scored answers and its category (Naranjo et al. 1981)."""

    score: int
    category: NaranjoCategory
    items: dict[str, NaranjoItem] = {}
    """Keys ``"1"`` … ``"10"``."""


class Assessment(Record):
    """What is known about one drug as the cause of one reaction."""

    drug: str
    reaction: str
    dechallenge: Dechallenge = "unknown"
    rechallenge: Rechallenge = "unknown"
    author_statement: str | None = None
    """The authors' own conclusion in the words of a causality scale (``"probable"``), never overwritten by ours."""
    author_method: str | None = None
    """The scale the authors name, ``"Naranjo"`` or ``"WHO-UMC"``; ``None`` for a statement in plain words."""
    author_score: int | None = None
    naranjo: Naranjo | None = None
    who_umc: WhoUmcCategory | None = None
    evidence: Evidence = []
    facts: dict[str, Evidence] = {}
    """Evidence of single fields: keys ``dechallenge``, ``rechallenge``, ``author_statement``, ``link``."""


class Test(Record):
    """An investigation and its stated result."""

    name: str
    result: str | None = None
    evidence: Evidence = []


class CorrectionResult(Record):
    """What became of one correction that a person made (``pipeline.corrections``).

    ``correction`` is its id, ``at`` when it was made (UTC), ``by`` who made it.  ``fact`` is what it is about in this
    case: a pointer such as ``"reactions/0/outcome"``; ``None`` where that is gone, or the correction was not applied.
    ``status``: ``applied``; ``text_changed``: the text is not the one that was looked at; ``fact_missing``: no fact of
    that kind was read there; ``ambiguous``: several were; ``conflicting``: ruled out by an earlier correction or by its
    own places; ``case_withheld``: applied, and a check withholds the case; ``case_missing``, ``report_missing``: the
    dataset does not hold the case, or the report.
    """

    correction: str
    operation: Operation
    by: str
    at: str
    why: str = ""
    status: CorrectionStatus = "applied"
    fact: str | None = None


class Case(Record):
    """One patient of one report. ``corrections`` are those that people made to it, in order, applied or not."""

    case_id: str
    report_id: str
    patient: Patient = msgspec.field(default_factory=Patient)
    drugs: list[Drug] = []
    reactions: list[Reaction] = []
    assessments: list[Assessment] = []
    tests: list[Test] = []
    corrections: list[CorrectionResult] = []


class Extraction(Record):
    """Everything found in one report; the JSON line that ``case2fhir extract`` prints."""

    id: str
    mentions: list[Mention] = []
    pairs: list[Pair] = []
    cases: list[Case] = []


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, hexadecimal: whether two reports, or two readings of one, have the same text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


encode = msgspec.json.Encoder().encode
decode_report = msgspec.json.Decoder(Report).decode
decode_case = msgspec.json.Decoder(Case).decode
decode_extraction = msgspec.json.Decoder(Extraction).decode
decode_refused = msgspec.json.Decoder(Refused).decode
