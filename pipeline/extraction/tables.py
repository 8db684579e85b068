"""Puts the patients of a table beside those of the narrative: one who is in both is one case.

Belongs here: which row is of which patient of the narrative, and what it adds.  Does not belong here: which tables are
of patients (``grids``) and what a row says (``table_rows``).
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from pipeline.extraction import table_rows
from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.grids import Grid, Row
from pipeline.extraction.numbers import in_days
from pipeline.extraction.signs import explains
from pipeline.records import Case, Drug, Evidence, Patient, Reaction, Span

_LABEL = re.compile(r"\b(?:patient|case)(?: no\.?| number)? ?#?(?P<number>[1-9]\d?)\b", re.IGNORECASE)
_LABELLED = 150  # code points between the number of a patient and the age told behind it
_SAME_AGE = 0.03  # share by which ages in different units may differ


def without(document: Document, found: Sequence[Grid]) -> Document:
    """The document with the lines of tables of patients set apart: they tell of one patient each, or of others'."""
    if not found:
        return document
    begins = [grid.span[0] for grid in found]
    sentences = list(document.sentences)
    for place, sentence in enumerate(sentences):
        at = bisect_right(begins, sentence.end - 1) - 1
        if at >= 0 and sentence.start < found[at].span[1]:
            sentences[place] = _cut(sentence, found[at].span)
    return replace(document, sentences=sentences)


def _cut(sentence: Sentence, table: Span) -> Sentence:
    """A sentence without what of it stands in a table; set apart where nothing is left."""
    start, end = sentence.span
    if start < table[0]:
        end = table[0]
    elif table[1] < end:
        start = table[1]
    else:
        return replace(sentence, zone="apart")
    return Sentence(
        sentence.index, start, end, sentence.zone,
        [c for c in sentence.cues if start <= c.start and c.end <= end],
        [t for t in sentence.tokens if start <= t[0] and t[1] <= end],
        [f for f in sentence.found if start <= f.start and f.end <= end],
        sentence.caption,
    )  # fmt: skip


def join(document: Document, told: Sequence[Case], found: Sequence[Grid]) -> list[Case]:
    """The cases of the narrative, completed by the rows that are of the same patients, then those of the other rows."""
    listed = [(row, case) for grid in found for row, case in table_rows.cases(document, grid)]
    if not listed:
        return list(told)
    kept = list(told)
    if len(kept) == 1 and kept[0].patient.age is None and kept[0].patient.sex is None:
        kept = []  # what the narrative tells of all of them
    last = max((int(case.case_id.rpartition("-")[2]) for case in kept), default=0)
    labels = _labels(document, kept)
    meant = [  # the numbers of patients by which the table and the narrative agree
        label if any(row.number == label and _agree(told_case.patient, case.patient) for row, case in listed) else None
        for told_case, label in zip(kept, labels, strict=True)
    ]
    free = list(range(len(kept)))
    sexes = Counter(case.patient.sex.value for _, case in listed if case.patient.sex)
    for row, case in listed:
        sex = case.patient.sex
        home = _home(kept, free, meant, row, case, only=sex is not None and sexes[sex.value] == 1)
        if home is not None:
            free.remove(home)
            _complete(kept[home], case)
            continue
        last += 1
        case.case_id = f"{document.report.report_id}-{last}"
        kept.append(case)
    return kept


# --- who is told twice ----------------------------------------------------------------------------------------------


def _labels(document: Document, cases: Sequence[Case]) -> list[int | None]:
    """The number by which the narrative introduces each patient ("Case 2: a 45-year-old man")."""
    found: list[int | None] = []
    for case in cases:
        patient = case.patient
        spans = [*(patient.age.evidence if patient.age else ()), *(patient.sex.evidence if patient.sex else ())]
        at = min((start for start, _ in spans), default=0)
        labels = list(_LABEL.finditer(document.text, max(0, at - _LABELLED), at))
        found.append(int(labels[-1]["number"]) if labels else None)
    return found


def _home(
    cases: Sequence[Case], free: Sequence[int], meant: Sequence[int | None], row: Row, case: Case, *, only: bool
) -> int | None:  # fmt: skip
    """Which case of the narrative, not yet found in the table, is of the patient of a row.

    One of the same number; else of the same age; else, if the row is the ``only`` one of its sex and the narrative
    does not tell the age, of the same sex.
    """
    fit = [place for place in free if _agree(cases[place].patient, case.patient)]
    numbered = [place for place in fit if meant[place] is not None and meant[place] == row.number]
    fit = [place for place in fit if meant[place] is None]
    alike = [place for place in fit if cases[place].patient.age is not None and case.patient.age is not None]
    ageless = [place for place in fit if only and cases[place].patient.age is None and cases[place].patient.sex]
    return next(iter(numbered or alike or ageless), None)


def _agree(left: Patient, right: Patient) -> bool:
    """Does nothing that is told of two patients differ?"""
    if left.sex is not None and right.sex is not None and left.sex.value != right.sex.value:
        return False
    if left.age is None or right.age is None:
        return True
    ages = [in_days(age.value, age.unit) for age in (left.age, right.age)]
    return abs(ages[0] - ages[1]) <= _SAME_AGE * max(ages)


def _complete(case: Case, row: Case) -> None:
    """Add to a case of the narrative what it lacks and its row of the table tells."""
    mine, other = case.patient, row.patient
    mine.age, mine.sex = mine.age or other.age, mine.sex or other.sex
    mine.history = mine.history or other.history
    drugs, reactions = _drugs(case, row), _reactions(case, row)
    for listed in row.reactions:
        if listed.id in reactions:
            _fill_reaction(reactions[listed.id], listed, drugs)
    known = {(one.drug, one.reaction): one for one in case.assessments}
    for listed_pair in row.assessments:
        if listed_pair.drug not in drugs or listed_pair.reaction not in reactions:
            continue
        drug, reaction = drugs[listed_pair.drug].id, reactions[listed_pair.reaction].id
        one = known.get((drug, reaction))
        if one is None:
            case.assessments.append(msgspec.structs.replace(listed_pair, drug=drug, reaction=reaction))
            continue
        if one.dechallenge == "unknown" and listed_pair.dechallenge != "unknown":
            one.dechallenge = listed_pair.dechallenge
            _cite(one.facts, listed_pair.facts, "dechallenge")
        if one.rechallenge == "unknown" and listed_pair.rechallenge != "unknown":
            one.rechallenge = listed_pair.rechallenge
            _cite(one.facts, listed_pair.facts, "rechallenge")
        if one.author_statement is None and one.author_score is None:
            one.author_statement, one.author_method = listed_pair.author_statement, listed_pair.author_method
            one.author_score = listed_pair.author_score
            _cite(one.facts, listed_pair.facts, "author_statement")


def _drugs(case: Case, row: Case) -> dict[str, Drug]:
    """The drugs of a case by their ids in its row: those it has, completed, and those of a kind that it lacks.

    Where both have but one suspect it is the same, whatever it is called.
    """
    found: dict[str, Drug] = {}
    suspects = [drug for drug in case.drugs if drug.role == "suspect"]
    only = len(suspects) == 1 and sum(drug.role == "suspect" for drug in row.drugs) == 1
    for listed in row.drugs:
        drug = next((one for one in case.drugs if one.name == listed.name), None)
        if drug is None and listed.role == "suspect" and suspects:
            if not only:
                continue
            drug = suspects[0]
        if drug is None:
            drug = msgspec.structs.replace(listed, id=f"drug-{len(case.drugs) + 1}")
            case.drugs.append(drug)
        else:
            drug.exposures = drug.exposures or listed.exposures
            drug.indications = drug.indications or listed.indications
            if drug.role == "suspect" and drug.action_taken in (None, "unknown") and listed.action_taken:
                drug.action_taken = listed.action_taken
                _cite(drug.facts, listed.facts, "action_taken")
        found[listed.id] = drug
    return found


def _reactions(case: Case, row: Case) -> dict[str, Reaction]:
    """The reactions of a case by their ids in its row; new ones only where it has none."""
    found: dict[str, Reaction] = {}
    own = list(case.reactions)
    for listed in row.reactions:
        reaction = next((one for one in own if _same(one.term, listed.term)), None)
        if reaction is None and len(own) == len(row.reactions) == 1:
            reaction = own[0]
        if reaction is None and not own:
            reaction = msgspec.structs.replace(listed, id=f"reaction-{len(case.reactions) + 1}", treatments=[])
            case.reactions.append(reaction)
        if reaction is not None:
            found[listed.id] = reaction
    return found


def _same(left: str, right: str) -> bool:
    return left == right or left in explains(right) or right in explains(left)


def _fill_reaction(mine: Reaction, listed: Reaction, drugs: dict[str, Drug]) -> None:
    if mine.time_to_onset is None and listed.time_to_onset is not None:
        mine.time_to_onset = listed.time_to_onset
        _cite(mine.facts, listed.facts, "time_to_onset")
    if mine.outcome == "unknown" and listed.outcome != "unknown":
        mine.outcome = listed.outcome
        _cite(mine.facts, listed.facts, "outcome")
    if not mine.treatments:
        mine.treatments = [drugs[name].id for name in listed.treatments if name in drugs]
        _cite(mine.facts, listed.facts, "treatments")


def _cite(mine: dict[str, Evidence], listed: dict[str, Evidence], field: str) -> None:
    """Take over the evidence of a field."""
    if field in listed:
        mine[field] = listed[field]
