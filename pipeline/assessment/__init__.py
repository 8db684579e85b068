"""Causality and seriousness of a case: Naranjo, WHO-UMC, the authors' own judgement, ICH seriousness criteria.

Belongs here: judging the facts of a :class:`~pipeline.records.Case` with the text they came from.  Does not belong
here: finding those facts (``pipeline.extraction``).  Every answer is kept with the characters it was read from; scales,
rules and phrases are data in ``mappings/assessment/``.
"""

from collections.abc import Sequence

import msgspec

from pipeline.assessment import naranjo, serious, statements, who_umc
from pipeline.assessment.reading import Reading, drug_names
from pipeline.assessment.statements import AuthorStatement, author_statements
from pipeline.records import Assessment, Case, Drug, Mention, Reaction, Report

__all__ = ["AuthorStatement", "assess", "assess_all", "author_statements"]


def assess_all(cases: Sequence[Case], report: Report, mentions: Sequence[Mention] = ()) -> list[Case]:
    """``assess`` each of the cases of a report, which is read once."""
    reading = Reading(report, mentions)
    return [_assess(case, reading) for case in cases]


def assess(case: Case, report: Report, mentions: Sequence[Mention] = ()) -> Case:
    """A copy of the case with seriousness, ``author_statement``, ``naranjo`` and ``who_umc`` filled in; pure.

    What the record already says about seriousness or the authors' statement is kept, and what a person set is, even to
    nothing.  ``mentions`` are those of the report; statements on the literature are read from their assertions and from
    the text.
    """
    return _assess(case, Reading(report, mentions))


def _assess(case: Case, reading: Reading) -> Case:
    if not case.reactions and not case.assessments:
        return case
    verified = {one.fact for one in case.corrections if one.status == "applied"}
    judged = msgspec.structs.replace(
        case,
        reactions=[
            reaction if f"reactions/{n}/seriousness" in verified else _serious(case, reaction, reading)
            for n, reaction in enumerate(case.reactions)
        ],
    )
    drugs = {drug.id: drug for drug in judged.drugs}
    reactions = {reaction.id: reaction for reaction in judged.reactions}
    stated = _attach(judged, drugs, reading)
    judged.assessments = [
        _judge(
            judged,
            one,
            drugs[one.drug],
            reactions[one.reaction],
            reading,
            None if f"assessments/{n}/author_statement" in verified else stated.get(one.drug),
        )
        if one.drug in drugs and one.reaction in reactions
        else one
        for n, one in enumerate(judged.assessments)
    ]
    return judged


def _serious(case: Case, reaction: Reaction, reading: Reading) -> Reaction:
    if reaction.seriousness:
        return reaction
    found = serious.seriousness(case, reaction, reading)
    if not found:
        return reaction
    spans = sorted({span for evidence in found.values() for span in evidence})
    facts = {**reaction.facts, "seriousness": spans} if spans else reaction.facts
    return msgspec.structs.replace(reaction, seriousness=list(found), facts=facts)


def _attach(case: Case, drugs: dict[str, Drug], reading: Reading) -> dict[str, AuthorStatement]:
    """For each assessed drug its statement: on a scale before plain words, later (the conclusion) before earlier.

    A statement belongs to the drug of the case nearest to it in its sentence; without any, to every assessed drug.
    """
    assessed = list(dict.fromkeys(one.drug for one in case.assessments if one.drug in drugs))
    places = {drug: reading.naming(drug_names(drugs[drug])) for drug in drugs} if assessed else {}
    chosen: dict[str, AuthorStatement] = {}
    for index, statement in reversed(reading.once(statements.ranked)):
        if len(chosen) == len(assessed):
            break
        distances = [
            (min(abs(start - statement.end), abs(statement.start - end)), drug)
            for drug, spans in places.items()
            for start, end in spans.get(index, ())
        ]
        owners = [min(distances)[1]] if distances else assessed
        if statement.method is not None and not set(owners) & set(assessed):
            owners = assessed
        for drug in owners:
            if drug in assessed:
                chosen.setdefault(drug, statement)
    return chosen


def _judge(
    case: Case, one: Assessment, drug: Drug, reaction: Reaction, reading: Reading, stated: AuthorStatement | None
) -> Assessment:
    answers = naranjo.answer(case, one, drug, reaction, reading)
    judged = msgspec.structs.replace(
        one,
        naranjo=naranjo.score(answers),
        who_umc=who_umc.category(answers["2"][0], answers["5"][0], one.dechallenge, one.rechallenge),
    )
    if one.author_statement is None and one.author_score is None and stated is not None:
        judged.author_statement = stated.value
        judged.author_method = stated.method
        judged.author_score = stated.score
        judged.facts = {**one.facts, "author_statement": [(stated.start, stated.end)]}
    return judged
