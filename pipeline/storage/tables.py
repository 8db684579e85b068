"""The Parquet tables: their columns, what each means, and the rows that a report gives.

Belongs here: schemas and the flattening of records into rows.  Does not belong here: files (``storage.files``), checks
(``pipeline.validation``).  Terms are those of ``pipeline.records``; offsets count Unicode code points into
``reports.text``, end exclusive.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from pipeline import corrections as corrections_
from pipeline.corrections import Correction
from pipeline.paths import TABLES
from pipeline.records import (
    Assessment,
    Case,
    Coding,
    Concept,
    Drug,
    Evidence,
    Exposure,
    Extraction,
    Mention,
    Reaction,
    Report,
    encode,
)

Row = dict[str, Any]

_TEXT: Final = pa.string()
_NUMBER: Final = pa.float64()
_COUNT: Final = pa.int32()
_FLAG: Final = pa.bool_()
_TEXTS: Final = pa.list_(pa.string())
_SPAN: Final = pa.struct([("start", pa.int32()), ("end", pa.int32())])
_SPANS: Final = pa.list_(_SPAN)
_CODINGS: Final = pa.list_(pa.struct([("system", pa.string()), ("code", pa.string()), ("display", pa.string())]))
_CONCEPTS: Final = pa.list_(
    pa.struct([("term", pa.string()), ("codings", _CODINGS), ("verbatim", _TEXTS), ("evidence", _SPANS)])
)
_FACTS: Final = pa.list_(pa.struct([("field", pa.string()), ("evidence", _SPANS)]))
_SECTIONS: Final = pa.list_(
    pa.struct([("kind", pa.string()), ("start", pa.int32()), ("end", pa.int32()), ("title", pa.string())])
)
_MESH: Final = pa.list_(
    pa.struct([("descriptor", pa.string()), ("ui", pa.string()), ("qualifiers", _TEXTS), ("major", pa.bool_())])
)
_TESTS: Final = pa.list_(pa.struct([("name", pa.string()), ("result", pa.string()), ("evidence", _SPANS)]))
_NARANJO_ITEMS: Final = pa.list_(
    pa.struct([("item", pa.string()), ("answer", pa.string()), ("score", pa.int32()), ("evidence", _SPANS)])
)

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "reports": ("report_id",),
    "cases": ("case_id",),
    "drugs": ("case_id", "drug_id"),
    "exposures": ("case_id", "drug_id", "exposure"),
    "reactions": ("case_id", "reaction_id"),
    "assessments": ("case_id", "drug_id", "reaction_id"),
    "mentions": ("report_id", "mention"),
    "corrections": ("correction_id",),
}
"""Primary keys. ``report_id`` is in every table, so that each joins to ``reports`` at once."""


def _schema(about: str, **columns: tuple[pa.DataType, str]) -> pa.Schema:
    """A schema whose fields carry their description, as Dagster and DuckDB show it; keys are not nullable."""
    return pa.schema(
        [pa.field(name, kind, metadata={"description": text}) for name, (kind, text) in columns.items()],
        metadata={"description": about},
    )


_REPORT_ID: Final = (_TEXT, "Report the row was read from; key of reports.")
_CASE_ID: Final = (_TEXT, "Patient the row is about; key of cases.")
_DRUG_ID: Final = (_TEXT, "Drug within the case; with case_id key of drugs.")
_REACTION_ID: Final = (_TEXT, "Reaction within the case; with case_id key of reactions.")
_EVIDENCE: Final = (_SPANS, "Where in reports.text the row was read.")
_FIELD_EVIDENCE: Final = (_FACTS, "Where in reports.text single fields were read.")

SCHEMAS: Final[dict[str, pa.Schema]] = {
    "reports": _schema(
        "One row per narrative report.",
        report_id=(_TEXT, "Identifier of the report; unique."),
        text=(_TEXT, "Clean text that every offset of the dataset counts into."),
        sections=(_SECTIONS, "Stretches of the text by part of an article, ordered, not overlapping."),
        title=(_TEXT, "Title of the publication."),
        journal=(_TEXT, "Journal."),
        year=(_COUNT, "Year of publication."),
        doi=(_TEXT, "Digital object identifier."),
        pmid=(_TEXT, "PubMed identifier."),
        pmcid=(_TEXT, "PubMed Central identifier."),
        authors=(_TEXTS, "Authors in the order of the publication."),
        language=(_TEXT, "Language as the source states it."),
        mesh=(_MESH, "MeSH headings with their qualifiers."),
        publication_types=(_TEXTS, "Publication types as the source states them."),
        source_path=(_TEXT, "Input file."),
        source_format=(_TEXT, "Recognised format of the input file."),
        source_member=(_TEXT, "Member inside an archive."),
        source_record=(_COUNT, "Record inside the file."),
    ),
    "cases": _schema(
        "One row per patient.",
        case_id=(_TEXT, "Identifier of the case; unique."),
        report_id=_REPORT_ID,
        age_value=(_NUMBER, "Age at the event, in age_unit."),
        age_unit=(_TEXT, "UCUM unit of age_value: a, mo, wk, d."),
        age_evidence=(_SPANS, "Where the age was read."),
        sex=(_TEXT, "female or male."),
        sex_evidence=(_SPANS, "Where the sex was read."),
        ethnicity=(_TEXT, "Ethnicity in the words of the report."),
        ethnicity_evidence=(_SPANS, "Where the ethnicity was read."),
        history=(_CONCEPTS, "Medical history: diseases that were there before the reaction."),
        tests=(_TESTS, "Investigations with their stated results."),
        case_json=(_TEXT, "The whole Case record as JSON."),
    ),
    "drugs": _schema(
        "One row per medicine of a patient.",
        case_id=_CASE_ID,
        drug_id=_DRUG_ID,
        report_id=_REPORT_ID,
        name=(_TEXT, "Preferred name."),
        role=(_TEXT, "suspect, interacting, concomitant, treatment (of a reaction) or past."),
        action_taken=(_TEXT, "What was done with a suspect drug because of a reaction (ICH E2B G.k.8)."),
        verbatim=(_TEXTS, "Names as they stand in the report."),
        codings=(_CODINGS, "Codes of the substance or product."),
        indications=(_CONCEPTS, "What it was given for."),
        evidence=_EVIDENCE,
        facts=_FIELD_EVIDENCE,
    ),
    "exposures": _schema(
        "One row per stated regimen of a drug.",
        case_id=_CASE_ID,
        drug_id=_DRUG_ID,
        exposure=(_COUNT, "Position in narrative order, from 1."),
        report_id=_REPORT_ID,
        dose=(_NUMBER, "Dose, in unit."),
        dose_high=(_NUMBER, "Upper end of a stated dose range."),
        unit=(_TEXT, "UCUM unit of the dose; may be per kg or m2."),
        per=(_TEXT, "UCUM period of the dose (d, 12.h, wk); null for a single or unstated one."),
        route=(_TEXT, "Route of administration."),
        duration=(_TEXT, "How long it lasted, ISO 8601."),
        start=(_TEXT, "When it began: ISO 8601 duration after the first exposure, or an ISO date."),
        with_drugs=(_TEXTS, "Drugs of the case that were given along."),
        cumulative=(_FLAG, "The dose is a cumulative one."),
        re_exposure=(_FLAG, "The drug was given again after the reaction."),
        recurrence=(_FLAG, "Whether the reaction came back on re-exposure; null where not stated."),
        verbatim=(_TEXT, "The regimen as it stands in the report."),
        evidence=_EVIDENCE,
    ),
    "reactions": _schema(
        "One row per adverse reaction of a patient.",
        case_id=_CASE_ID,
        reaction_id=_REACTION_ID,
        report_id=_REPORT_ID,
        term=(_TEXT, "The diagnosis a clinician would code."),
        verbatim=(_TEXTS, "Words of the report for it and for the signs it explains."),
        codings=(_CODINGS, "Codes of the reaction."),
        time_to_onset=(_TEXT, "From the start of the suspect drug to the reaction, ISO 8601."),
        outcome=(_TEXT, "Outcome (ICH E2B E.i.7)."),
        seriousness=(_TEXTS, "Seriousness criteria that are met (ICH E2B E.i.3.2)."),
        treatments=(_TEXTS, "Drugs of the case that were given against it."),
        evidence=_EVIDENCE,
        facts=_FIELD_EVIDENCE,
    ),
    "assessments": _schema(
        "One row per drug and reaction: what is known about the one as the cause of the other.",
        case_id=_CASE_ID,
        drug_id=_DRUG_ID,
        reaction_id=_REACTION_ID,
        report_id=_REPORT_ID,
        dechallenge=(_TEXT, "positive, negative, not_done, not_applicable or unknown."),
        rechallenge=(_TEXT, "positive, negative, not_done or unknown."),
        author_statement=(_TEXT, "The authors' own conclusion, in the words of a causality scale."),
        author_method=(_TEXT, "The scale that the authors name."),
        author_score=(_COUNT, "The score that the authors state."),
        naranjo_score=(_COUNT, "Computed Naranjo score, -4 to 13 (Naranjo et al. 1981)."),
        naranjo_category=(_TEXT, "definite, probable, possible or doubtful."),
        naranjo_items=(_NARANJO_ITEMS, "The ten answers with their points and evidence."),
        who_umc=(_TEXT, "Computed WHO-UMC category."),
        evidence=_EVIDENCE,
        facts=_FIELD_EVIDENCE,
    ),
    "mentions": _schema(
        "One row per surface form found in a report.",
        report_id=_REPORT_ID,
        mention=(_COUNT, "Position among the report's mentions, from 1."),
        type=(_TEXT, "What it names: drug, reaction, age …"),
        text=(_TEXT, "The surface form; equals reports.text[start:end] without the gap."),
        start=(_COUNT, "First code point."),
        end=(_COUNT, "One past the last code point."),
        gap=(_SPAN, "What interrupts it: in text a space stands for it."),
        assertion=(_TEXT, "present, negated, possible, hypothetical, historical, family or literature."),
        concept=(_TEXT, "Preferred name of the recognised lexicon concept."),
    ),
    "corrections": _schema(
        "One row per correction that a person made, applied or not.",
        correction_id=(_TEXT, "Identifier of the entry in the corrections file."),
        report_id=(
            _TEXT,
            "Report that was corrected; in reports unless status is report_missing, or the report is withheld.",
        ),
        case_id=(_TEXT, "Case that it was applied to or, where it was not applied, was meant for."),
        status=(
            _TEXT,
            "applied; text_changed: the report's text is another one; fact_missing: no such fact was read there; "
            "ambiguous: several were; conflicting: ruled out by an earlier correction or its own places; "
            "case_withheld: applied, and a check withholds the case; "
            "case_missing, report_missing: the dataset does not hold it.",
        ),
        operation=(_TEXT, "accept, change, reject, add, merge or split."),
        kind=(_TEXT, "Kind of the fact: drug, reaction, assessment …"),
        field=(_TEXT, "Field of the fact; null where the fact as a whole is meant."),
        value=(_TEXT, "What the field, or the fields of an added fact, were set to, as JSON."),
        fact=(_TEXT, "Where the fact stands in case_json, such as reactions/0/outcome; null where it is gone."),
        by=(_TEXT, "Who made it."),
        at=(_TEXT, "When, UTC."),
        why=(_TEXT, "The reason given."),
    ),
}


def rows(report: Report, extraction: Extraction) -> dict[str, list[Row]]:
    """Rows of one report by table name; every table is present, possibly empty.

    Each row has exactly the columns of its schema.
    """
    result: dict[str, list[Row]] = {table: [] for table in TABLES}
    result["reports"].append(_report(report))
    result["mentions"] = [_mention(report.report_id, n, m) for n, m in enumerate(extraction.mentions, 1)]
    for case in extraction.cases:
        key: Row = {"case_id": case.case_id, "report_id": case.report_id}
        result["cases"].append(key | _case(case))
        for drug in case.drugs:
            result["drugs"].append(key | _drug(drug))
            result["exposures"] += [
                key | {"drug_id": drug.id, "exposure": n} | _exposure(e) for n, e in enumerate(drug.exposures, 1)
            ]
        result["reactions"] += [key | _reaction(reaction) for reaction in case.reactions]
        result["assessments"] += [key | _assessment(assessment) for assessment in case.assessments]
    return result


def build(
    pairs: Iterable[tuple[Report, Extraction]],
    corrections: Mapping[str, Sequence[Correction]] | None = None,
    withheld: Sequence[Case] = (),
) -> dict[str, pa.Table]:
    """All tables of one shard, rows in the order of ``pairs``; ``corrections`` are those on its reports, by report.

    ``withheld`` are cases of the shard that are not among ``pairs``, for what became of the corrections on them.
    """
    pairs = list(pairs)
    made = all_rows(pairs)
    made["corrections"] = list(_corrections(corrections or {}, pairs, withheld))
    return {table: pa.Table.from_pylist(made[table], schema=SCHEMAS[table]) for table in TABLES}


def all_rows(pairs: Iterable[tuple[Report, Extraction]]) -> dict[str, list[Row]]:
    """``rows`` of many reports."""
    result: dict[str, list[Row]] = {table: [] for table in TABLES}
    for report, extraction in pairs:
        for table, more in rows(report, extraction).items():
            result[table] += more
    return result


def _report(report: Report) -> Row:
    article = report.article
    source = report.source
    return {
        "report_id": report.report_id,
        "text": report.text,
        "sections": [msgspec.structs.asdict(section) for section in report.sections],
        "title": article.title,
        "journal": article.journal,
        "year": article.year,
        "doi": article.doi,
        "pmid": article.pmid,
        "pmcid": article.pmcid,
        "authors": article.authors,
        "language": article.language,
        "mesh": [msgspec.structs.asdict(heading) for heading in article.mesh],
        "publication_types": article.publication_types,
        "source_path": source and source.path,
        "source_format": source and source.format,
        "source_member": source and source.member,
        "source_record": source and source.record,
    }


def _case(case: Case) -> Row:
    patient = case.patient
    return {
        "age_value": patient.age and patient.age.value,
        "age_unit": patient.age and patient.age.unit,
        "age_evidence": _spans(patient.age.evidence if patient.age else []),
        "sex": patient.sex and patient.sex.value,
        "sex_evidence": _spans(patient.sex.evidence if patient.sex else []),
        "ethnicity": patient.ethnicity and patient.ethnicity.value,
        "ethnicity_evidence": _spans(patient.ethnicity.evidence if patient.ethnicity else []),
        "history": _concepts(patient.history),
        "tests": [{"name": t.name, "result": t.result, "evidence": _spans(t.evidence)} for t in case.tests],
        "case_json": encode(case).decode(),
    }


def _drug(drug: Drug) -> Row:
    return {
        "drug_id": drug.id,
        "name": drug.name,
        "role": drug.role,
        "action_taken": drug.action_taken,
        "verbatim": drug.verbatim,
        "codings": _codings(drug.codings),
        "indications": _concepts(drug.indications),
        "evidence": _spans(drug.evidence),
        "facts": _facts(drug.facts),
    }


def _exposure(exposure: Exposure) -> Row:
    return {
        "dose": exposure.dose,
        "dose_high": exposure.dose_high,
        "unit": exposure.unit,
        "per": exposure.per,
        "route": exposure.route,
        "duration": exposure.duration,
        "start": exposure.start,
        "with_drugs": exposure.with_,
        "cumulative": exposure.cumulative,
        "re_exposure": exposure.re_exposure,
        "recurrence": exposure.recurrence,
        "verbatim": exposure.verbatim,
        "evidence": _spans(exposure.evidence),
    }


def _reaction(reaction: Reaction) -> Row:
    return {
        "reaction_id": reaction.id,
        "term": reaction.term,
        "verbatim": reaction.verbatim,
        "codings": _codings(reaction.codings),
        "time_to_onset": reaction.time_to_onset,
        "outcome": reaction.outcome,
        "seriousness": reaction.seriousness,
        "treatments": reaction.treatments,
        "evidence": _spans(reaction.evidence),
        "facts": _facts(reaction.facts),
    }


def _assessment(assessment: Assessment) -> Row:
    naranjo = assessment.naranjo
    return {
        "drug_id": assessment.drug,
        "reaction_id": assessment.reaction,
        "dechallenge": assessment.dechallenge,
        "rechallenge": assessment.rechallenge,
        "author_statement": assessment.author_statement,
        "author_method": assessment.author_method,
        "author_score": assessment.author_score,
        "naranjo_score": naranjo and naranjo.score,
        "naranjo_category": naranjo and naranjo.category,
        "naranjo_items": [
            {"item": number, "answer": item.answer, "score": item.score, "evidence": _spans(item.evidence)}
            for number, item in (naranjo.items if naranjo else {}).items()
        ],
        "who_umc": assessment.who_umc,
        "evidence": _spans(assessment.evidence),
        "facts": _facts(assessment.facts),
    }


def _corrections(
    corrections: Mapping[str, Sequence[Correction]],
    pairs: Sequence[tuple[Report, Extraction]],
    withheld: Sequence[Case],
) -> Iterator[Row]:
    for correction, case_id, result in corrections_.results(corrections, pairs, withheld):
        value = getattr(correction, "value", getattr(correction, "values", None))
        yield {
            "correction_id": correction.id,
            "report_id": correction.report,
            "case_id": case_id,
            "status": result.status,
            "operation": result.operation,
            "kind": correction.fact.kind,
            "field": getattr(correction, "field", None),
            "value": None if value is None else encode(value).decode(),
            "fact": result.fact,
            "by": correction.by,
            "at": correction.at,
            "why": correction.why or None,
        }


def mention_of(row: Row) -> Mention:
    """The mention that a row of the table ``mentions`` was made of."""
    gap = row["gap"] and (row["gap"]["start"], row["gap"]["end"])
    return Mention(**{name: row[name] for name in Mention.__struct_fields__ if name != "gap"}, gap=gap)


def _mention(report_id: str, number: int, mention: Mention) -> Row:
    gap = _spans([mention.gap])[0] if mention.gap else None
    return {"report_id": report_id, "mention": number} | msgspec.structs.asdict(mention) | {"gap": gap}


def _spans(evidence: Evidence) -> list[Row]:
    return [{"start": start, "end": end} for start, end in evidence]


def _codings(codings: list[Coding]) -> list[Row]:
    return [msgspec.structs.asdict(coding) for coding in codings]


def _concepts(concepts: list[Concept]) -> list[Row]:
    return [
        {"term": c.term, "codings": _codings(c.codings), "verbatim": c.verbatim, "evidence": _spans(c.evidence)}
        for c in concepts
    ]


def _facts(facts: Mapping[str, Evidence]) -> list[Row]:
    return [{"field": field, "evidence": _spans(evidence)} for field, evidence in facts.items()]
