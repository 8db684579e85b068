"""Applies corrections to what was extracted from a report.

Belongs here: what each operation does to a case, and keeping the case whole (ids, links, references).  Does not belong
here: finding facts (``anchors``), causality (``pipeline.assessment``, which judges the corrected case afterwards).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from pipeline.corrections import fields
from pipeline.corrections.anchors import Found, Unfit, facts, find, find_drug, find_reaction, pointer, same_name
from pipeline.corrections.entries import Accept, Add, Change, Correction, Fact, Merge, Reject, Split, digest, rests_on
from pipeline.records import (
    CAUSES,
    Assessment,
    Case,
    CorrectionResult,
    CorrectionStatus,
    Drug,
    DrugRole,
    Evidence,
    Extraction,
    Operation,
    Reaction,
    Record,
    Report,
    Span,
)
from pipeline.terminology import Semantic, lexicon

_CODED: Final[dict[str, Semantic]] = {
    "drug": "drug", "reaction": "disorder", "history": "disorder", "indication": "disorder",
}  # fmt: skip
"""Kinds that carry codes, and where the lexicon knows their names."""
_SINGLE: Final = ("age", "sex", "ethnicity")
_IN_FACTS: Final = ("drug", "reaction", "assessment")
"""Kinds whose fields have evidence of their own (``facts``)."""


def apply(extraction: Extraction, report: Report, corrections: Sequence[Correction]) -> Extraction:
    """The extraction as people corrected it, its cases with what became of each correction; pure, raises nothing.

    ``corrections`` are those on this report, in order: a later one sees what the earlier ones made.  A correction that
    cannot be applied changes nothing.  Mentions and pairs stay: they tell what was found in the text.
    """
    if not corrections:
        return extraction
    cases = [msgspec.json.decode(msgspec.json.encode(case), type=Case) for case in extraction.cases]
    by_id = {case.case_id: case for case in cases}
    extracted = {case.case_id: case for case in extraction.cases}
    done: list[tuple[Correction, Case, _Target | None, CorrectionStatus]] = []
    text = digest(report)
    applied = {one.correction for case in cases for one in case.corrections if one.status == "applied"}
    for correction in corrections:
        case = by_id.get(correction.case)
        target: _Target | None = None
        status: CorrectionStatus = "applied"
        try:
            if correction.text != text:
                raise Unfit("text_changed")
            if not rests_on(correction) <= applied:
                raise Unfit("fact_missing")  # and what else was read there is not meant
            case, target = _perform(cases, case, extracted.get(correction.case), correction, report)
            applied.add(correction.id)
        except Unfit as unfit:
            status = unfit.status
        if case is not None:
            done.append((correction, case, target, status))
    changed = {case.case_id for _, case, _, status in done if status == "applied"}
    for case in cases:
        if case.case_id in changed:
            _renumber(case)
    for correction, case, target, status in done:
        case.corrections.append(_result(correction, status, target.pointer(case) if target else None))
    return msgspec.structs.replace(extraction, cases=cases)


def results(
    corrections: Mapping[str, Sequence[Correction]],
    pairs: Sequence[tuple[Report, Extraction]],
    withheld: Sequence[Case] = (),
) -> Iterator[tuple[Correction, str, CorrectionResult]]:
    """What became of each correction, with the case that it was applied to, or else was meant for.

    ``corrections`` by report; ``pairs`` are the reports that the dataset holds, with their corrected cases;
    ``withheld`` are the corrected cases that a check keeps out of it.
    """
    kept_out = {
        result.correction: (case.case_id, _withheld(result)) for case in withheld for result in case.corrections
    }
    held = {report.report_id: (report, extraction) for report, extraction in pairs}
    for report_id in sorted(corrections):
        report, extraction = held.get(report_id, (None, None))
        cases = extraction.cases if extraction else []
        told = kept_out | {result.correction: (case.case_id, result) for case in cases for result in case.corrections}
        for correction in corrections[report_id]:
            status: CorrectionStatus = "report_missing"
            if report is not None:
                status = "case_missing" if correction.text == digest(report) else "text_changed"
            case_id, result = told.get(correction.id, (correction.case, _result(correction, status, None)))
            yield correction, case_id, result


def _withheld(result: CorrectionResult) -> CorrectionResult:
    status: CorrectionStatus = "case_withheld" if result.status == "applied" else result.status
    return msgspec.structs.replace(result, status=status, fact=None)


def _result(correction: Correction, status: CorrectionStatus, fact: str | None) -> CorrectionResult:
    return CorrectionResult(
        correction=correction.id,
        operation=cast(Operation, type(correction).__name__.lower()),
        by=correction.by,
        at=correction.at,
        why=correction.why,
        status=status,
        fact=fact,
    )


@dataclass(frozen=True)
class _Target:
    """What a correction was about: a fact, and a field of it."""

    found: Found
    field: str | None = None

    def pointer(self, case: Case) -> str | None:
        place = pointer(case, self.found)
        return f"{place}/{self.field}" if place and self.field and self.found.kind not in _SINGLE else place


def _perform(
    cases: Sequence[Case], case: Case | None, extracted: Case | None, correction: Correction, report: Report
) -> tuple[Case, _Target]:
    """Apply one correction to the case it is meant for, as it was ``extracted`` and as earlier ones have left it.

    Raises Unfit before anything is changed.
    """
    match correction:
        case Add():
            if case is None:
                raise Unfit("case_missing")
            return case, _add(case, correction, report)
        case _:
            case, found = _sought(cases, case, extracted, correction.fact)
    match correction:
        case Accept():
            name = fields.NAMES.get(found.kind)
            if correction.field is not None:
                _give(case, found, correction.field, correction.value)
            elif correction.values:
                for field, value in correction.values.items():
                    _give(case, found, field, value)
            elif name and correction.fact.name and not same_name(getattr(found.record, name), correction.fact.name):
                raise Unfit("fact_missing")  # what was accepted is not what is read there now
            return case, _Target(found, correction.field)
        case Change():
            _inside(correction.evidence, report)
            _give(case, found, correction.field, correction.value)
            if correction.evidence:
                _prove(found, correction.field, correction.evidence)
            return case, _Target(found, correction.field)
        case Reject():
            if correction.field is None:
                _remove(case, found)
            else:
                _set(case, found, correction.field, fields.absent(found.kind, correction.field))
                if found.kind in _IN_FACTS:
                    found.record.facts.pop(correction.field, None)
            return case, _Target(found, correction.field)
        case Merge():
            return case, _merge(case, found, correction)
        case Split():
            return case, _split(case, found.record, correction, report)
    raise AssertionError(correction)


def _sought(cases: Sequence[Case], case: Case | None, extracted: Case | None, fact: Fact) -> tuple[Case, Found]:
    """The fact, in the case it is meant for; else in the only other case that has it: patients may be counted anew.

    What an earlier correction took away is not looked for in other patients.
    """
    status: CorrectionStatus = "case_missing"
    if case is not None:
        try:
            return case, find(case, fact)
        except Unfit as unfit:
            status = unfit.status
            if status == "ambiguous":
                raise
    if extracted is not None and _has(extracted, fact):
        raise Unfit("conflicting")
    elsewhere: list[tuple[Case, Found]] = []
    for other in cases:
        try:
            if other is not case and fact.at:
                found = find(other, fact)
                if set(fact.at) <= set(found.record.evidence):
                    elsewhere.append((other, found))
        except Unfit:
            continue
    if len(elsewhere) == 1:
        return elsewhere[0]
    raise Unfit("ambiguous" if elsewhere else status)


def _has(case: Case, fact: Fact) -> bool:
    try:
        find(case, fact)
    except Unfit as unfit:
        return unfit.status == "ambiguous"
    return True


# --- single fields ----------------------------------------------------------------------------------------------------


def _give(case: Case, found: Found, field: str, value: Any) -> None:
    """Give a field a value that a person states; the words of another value are no evidence of it."""
    before = getattr(found.record, field)
    _set(case, found, field, fields.check(found.kind, field, value))
    if found.kind in _IN_FACTS and getattr(found.record, field) != before:
        found.record.facts.pop(field, None)


def _set(case: Case, found: Found, field: str, value: Any) -> None:
    """Give a field a value of its record, and what follows from it: codes from names, links from roles."""
    kind, record = found.kind, found.record
    before = getattr(record, field)
    setattr(record, field, value)
    if field == fields.NAMES.get(kind) and kind in _CODED and value != before:
        record.codings = _codings(kind, value)
    if kind == "drug" and field == "role" and value != before:
        _settle_role(case, record, before)


def _prove(found: Found, field: str, evidence: Evidence) -> None:
    """Say where the new value was read; the name of a fact, and facts of one value, are read where the fact is."""
    record = found.record
    if found.kind in _IN_FACTS and field != fields.NAMES.get(found.kind):
        record.facts[field] = list(evidence)
    else:
        record.evidence = list(dict.fromkeys([*evidence, *record.evidence]))


def _codings(kind: str, name: str) -> list[Any]:
    entry = lexicon().lookup(name, _CODED[kind])
    return list(entry.codings) if entry else []


def _settle_role(case: Case, drug: Drug, before: DrugRole | None) -> None:
    """Link a cause to all reactions, as extraction does where the text ties it to none; link no other drug."""
    if drug.role in CAUSES:
        if before not in CAUSES:
            for reaction in case.reactions:
                _link(case, drug, reaction)
    else:
        case.assessments = [link for link in case.assessments if link.drug != drug.id]
        drug.action_taken = None
        drug.facts.pop("action_taken", None)
    if drug.role == "treatment":
        if case.reactions and not any(drug.id in reaction.treatments for reaction in case.reactions):
            case.reactions[0].treatments.append(drug.id)
    elif before == "treatment":
        for reaction in case.reactions:
            _without_treatment(reaction, drug)


def _link(case: Case, drug: Drug, reaction: Reaction) -> Assessment:
    """The assessment of the drug as the cause of the reaction, made if need be."""
    for link in case.assessments:
        if (link.drug, link.reaction) == (drug.id, reaction.id):
            return link
    made = Assessment(drug=drug.id, reaction=reaction.id)
    case.assessments.append(made)
    return made


# --- facts as a whole -------------------------------------------------------------------------------------------------


def _remove(case: Case, found: Found) -> None:
    record: Any = found.record
    match found.kind:
        case "age" | "sex" | "ethnicity":
            setattr(case.patient, found.kind, None)
        case "treatment":
            assert found.drug is not None
            _without_treatment(record, found.drug)
        case "drug":
            case.drugs = _without(case.drugs, record)
            case.assessments = [link for link in case.assessments if link.drug != record.id]
            for reaction in case.reactions:
                _without_treatment(reaction, record)
            for drug in case.drugs:
                for exposure in drug.exposures:
                    exposure.with_ = [id_ for id_ in exposure.with_ if id_ != record.id]
        case "reaction":
            case.reactions = _without(case.reactions, record)
            case.assessments = [link for link in case.assessments if link.reaction != record.id]
        case kind:
            held = cast(list[Record], facts(case, kind, found.drug))
            held[:] = _without(held, record)


def _add(case: Case, correction: Add, report: Report) -> _Target:
    """Add a fact; one that has been found there by now gets the values instead."""
    fact, kind = correction.fact, correction.fact.kind
    _inside(fact.at, report)
    drug = find_drug(case, fact.drug) if fact.drug else None
    reaction = find_reaction(case, fact.reaction) if fact.reaction else None
    if kind == "treatment":
        assert drug is not None and reaction is not None
        if drug.id not in reaction.treatments:
            reaction.treatments.append(drug.id)
        return _Target(Found(kind, reaction, drug))
    if kind == "assessment":
        assert drug is not None and reaction is not None
        if drug.role not in CAUSES:  # who names it as the cause makes it a suspect, of this reaction
            before, drug.role = drug.role, "suspect"
            if before == "treatment":
                for treated in case.reactions:
                    _without_treatment(treated, drug)
        found = Found(kind, _link(case, drug, reaction), drug)
        found.record.evidence = list(dict.fromkeys([*found.record.evidence, *fact.at]))
    else:
        there = _already(case, correction, drug)
        found = Found(kind, there or _made(case, correction, report, drug), drug)
    for field, value in correction.values.items():
        _set(case, found, field, fields.check(kind, field, value))
    return _Target(found)


def _already(case: Case, correction: Add, drug: Drug | None) -> Any:
    """The fact that is to be added, where a later version of the pipeline has found it."""
    kind, at = correction.fact.kind, set(correction.fact.at)
    held = facts(case, kind, drug)
    if kind in _SINGLE:
        return next(iter(held), None)
    name = fields.NAMES.get(kind)
    for record in held:
        if at & set(record.evidence) and (
            name is None or str(getattr(record, name)).casefold() == str(correction.values[name]).casefold()
        ):
            return record
    return None


def _made(case: Case, correction: Add, report: Report, drug: Drug | None) -> Record:
    """A new fact, put where it belongs in the case."""
    kind, at = correction.fact.kind, list(correction.fact.at)
    values = {field: fields.check(kind, field, value) for field, value in correction.values.items()}
    words = [_quote(report, place) for place in at]
    if kind in _CODED:
        values |= {"verbatim": list(dict.fromkeys(words)), "codings": _codings(kind, values[fields.NAMES[kind]])}
    if kind == "exposure":
        values["verbatim"] = words[0]
    if kind in ("drug", "reaction"):
        values["id"] = f"{kind}-added-{correction.id}"
    record: Any = fields.RECORDS[kind](**values, evidence=at)
    if kind in _SINGLE:
        setattr(case.patient, kind, record)
        return cast(Record, record)
    held = cast(list[Any], facts(case, kind, drug))
    held.append(record)
    if kind == "exposure":  # in narrative order
        held.sort(key=lambda exposure: min(exposure.evidence, default=(0, 0)))
    if kind == "drug":
        _settle_role(case, record, None)
    if kind == "reaction":
        for suspect in case.drugs:
            if suspect.role in CAUSES:
                _link(case, suspect, record)
    return cast(Record, record)


def _merge(case: Case, found: Found, correction: Merge) -> _Target:
    """Give all that is known of one fact to another of its kind, where that one does not know better."""
    other: Any = found.record
    into: Any = (find_drug if found.kind == "drug" else find_reaction)(case, correction.into)
    if into is other:
        raise Unfit("conflicting")
    into.verbatim = list(dict.fromkeys([*into.verbatim, *other.verbatim]))
    into.evidence = sorted({*into.evidence, *other.evidence})
    known = ("action_taken",) if found.kind == "drug" else ("time_to_onset", "outcome", "seriousness")
    _take_over(into, other, known)
    for link in [link for link in case.assessments if getattr(link, found.kind) == other.id]:
        setattr(link, found.kind, into.id)
        pair = (link.drug, link.reaction)
        same = [one for one in case.assessments if one is not link and (one.drug, one.reaction) == pair]
        for one in same:
            _take_over(one, link, fields.EDITABLE["assessment"])
            one.evidence = list(dict.fromkeys([*one.evidence, *link.evidence]))
            case.assessments = _without(case.assessments, link)
    if found.kind == "reaction":
        into.treatments = list(dict.fromkeys([*into.treatments, *other.treatments]))
        case.reactions = _without(case.reactions, other)
    else:
        into.indications += other.indications
        into.exposures = sorted([*into.exposures, *other.exposures], key=lambda e: min(e.evidence, default=(0, 0)))
        _rename(case, {other.id: into.id})
        case.drugs = _without(case.drugs, other)
        if into.role not in CAUSES:
            case.assessments = [link for link in case.assessments if link.drug != into.id]
    return _Target(Found(found.kind, into))


def _take_over(into: Any, other: Any, names: Sequence[str]) -> None:
    """Values that ``into`` lacks, with their evidence."""
    for name in names:
        if getattr(into, name) in (None, [], "unknown") and getattr(other, name) not in (None, []):
            setattr(into, name, getattr(other, name))
            if name in other.facts:
                into.facts[name] = other.facts[name]


def _split(case: Case, whole: Reaction, correction: Split, report: Report) -> _Target:
    """Make a reaction of some of the places where another was read; the course told of the whole is told of both."""
    moved = [place for place in whole.evidence if place in correction.places]
    left = [place for place in whole.evidence if place not in correction.places]
    if not left or set(moved) != set(correction.places):
        raise Unfit("conflicting")
    part: Reaction = msgspec.json.decode(msgspec.json.encode(whole), type=Reaction)
    part.id = f"reaction-added-{correction.id}"
    part.term, part.codings, part.evidence = correction.term, _codings("reaction", correction.term), moved
    part.verbatim = list(dict.fromkeys(_quote(report, place) for place in moved))
    whole.evidence = left
    quotes = ["".join(_quote(report, place).split()) for place in left]
    whole.verbatim = [form for form in whole.verbatim if any("".join(form.split()) in quote for quote in quotes)]
    case.reactions.insert(next(i for i, one in enumerate(case.reactions) if one is whole) + 1, part)
    for link in [link for link in case.assessments if link.reaction == whole.id]:
        copy: Assessment = msgspec.json.decode(msgspec.json.encode(link), type=Assessment)
        copy.reaction = part.id
        case.assessments.append(copy)
    return _Target(Found("reaction", part))


# --- keeping the case whole -------------------------------------------------------------------------------------------


def _renumber(case: Case) -> None:
    """Have the ids count drugs and reactions in their order, as those of extraction do."""
    named = {drug.id: f"drug-{n}" for n, drug in enumerate(case.drugs, 1)}
    named |= {reaction.id: f"reaction-{n}" for n, reaction in enumerate(case.reactions, 1)}
    for drug in case.drugs:
        drug.id = named[drug.id]
    for reaction in case.reactions:
        reaction.id = named[reaction.id]
    _rename(case, named)


def _rename(case: Case, named: Mapping[str, str]) -> None:
    """Have references to drugs and reactions use other ids."""

    def new(id_: str) -> str:
        return named.get(id_, id_)

    for link in case.assessments:
        link.drug, link.reaction = new(link.drug), new(link.reaction)
    for reaction in case.reactions:
        reaction.treatments = list(dict.fromkeys(map(new, reaction.treatments)))
    for drug in case.drugs:
        for exposure in drug.exposures:
            exposure.with_ = [id_ for id_ in dict.fromkeys(map(new, exposure.with_)) if id_ != drug.id]


def _without_treatment(reaction: Reaction, drug: Drug) -> None:
    reaction.treatments = [id_ for id_ in reaction.treatments if id_ != drug.id]
    if not reaction.treatments:
        reaction.facts.pop("treatments", None)


def _without(records: Sequence[Any], gone: object) -> list[Any]:
    return [record for record in records if record is not gone]


def _inside(places: Sequence[Span], report: Report) -> None:
    """Raise Unfit unless all places lie in the text and hold more than white space."""
    if not all(end <= len(report.text) and report.text[start:end].strip() for start, end in places):
        raise Unfit("conflicting")


def _quote(report: Report, place: Span) -> str:
    return " ".join(report.text[slice(*place)].split())
