"""Assembles cases: one per patient, from what the sentences, the candidates and the course of events say.

Belongs here: choosing suspects and reactions, uniting names of one thing, and filling the Case record with evidence.
Does not belong here: reading the text (``document``), weighing concepts (``candidates``), ordering events (``events``).
"""

import math
import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from pipeline.extraction import (
    conditions,
    course,
    drug_groups,
    events,
    exposures,
    grids,
    investigations,
    onset,
    people,
    roles,
    tables,
)
from pipeline.extraction.candidates import Candidate, aggravated, candidates
from pipeline.extraction.document import Document, Sentence, bare
from pipeline.extraction.events import Event
from pipeline.extraction.groups import SIGNS, Group, codings, verbatim
from pipeline.extraction.groups import evidence as spans
from pipeline.extraction.groups import name as naming
from pipeline.extraction.people import Person
from pipeline.extraction.signs import covers, explains
from pipeline.extraction.weights import weights
from pipeline.extraction.zones import TOLD
from pipeline.records import (
    Assessment,
    Case,
    Concept,
    Drug,
    Patient,
    Reaction,
    Span,
)  # fmt: skip

LEAST = weights("cases")
"""Probabilities from which a concept counts."""
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_UNSPECIFIC = frozenset("RZ")
"""Chapters of ICD-10-CM of symptoms and of other reasons: they tell no two diagnoses apart."""
_TAKING = re.compile(
    r"\b(?:took|tak\w+|us(?:ed|es|ing)|receiving|consum\w+|ingest\w+|smok\w+|abus\w+)\b|^(?:was |is |been )?on$",
    re.IGNORECASE,
)
"""Of the words that a drug was begun, those that tell of a habit: it may be older than what was told before."""
_BEFORE = re.compile(
    r"\b(?:had|has|have|having|been|ago|earlier|before|prior|previous(?:ly)?|past|last|recent(?:ly)?|since|(?:19|20)\d\d|"
    r"(?:jan|febr)uary|march|april|june|july|august|(?:septem|octo|novem|decem)ber)\b",
    re.IGNORECASE,
)
_TENSE = 40
"""Code points around "started" in which such words, dates among them, say that it may be before all that was told."""
_GOING_ON = frozenset({"start", "ongoing", "continue"})
_EITHER = frozenset({"stated", "loose"})
"""Links that may as well be of a drug to what it was given for."""
_HELD = frozenset({"present", "possible"})
_BREAKS = re.compile(r"[-/]")


def assemble(document: Document) -> list[Case]:
    """The cases of a report, in the order in which the text introduces the patients; none where nothing is told."""
    listed = grids.find(document)
    document = tables.without(document, listed)
    persons = people.find(document)
    cases = [_case(document, number, person) for number, person in enumerate(persons, 1)]
    told = [case for case in cases if case.drugs or case.reactions or case.patient.age or case.patient.sex]
    return tables.join(document, told, listed)


def _case(document: Document, number: int, person: Person) -> Case:
    sentences = person.sentences
    told = [s for s in sentences if s.zone in TOLD]
    story = events.find(document, told)
    everything = candidates(document, [s for s in sentences if s.zone != "apart"], story)
    own = [c for c in everything if "only literature" not in c.features]
    drugs = _unite([c for c in own if c.semantic == "drug"])
    disorders = _unite([c for c in own if c.semantic == "disorder"])
    had = [g for g in disorders if any(m.features["negated"] < 1 for m in g.members)]
    reactions, suspects = _choose(document, had, drugs, story)
    case = Case(case_id=f"{document.report.report_id}-{number}", report_id=document.report.report_id)
    case.patient = Patient(age=person.age, sex=person.sex, ethnicity=person.ethnicity)
    kept = roles.taken(document, drugs, suspects)
    ids = {id(group): f"drug-{n}" for n, group in enumerate(kept, 1)}
    case.drugs = [_drug(document, group, ids[id(group)], group in suspects, told, reactions) for group in kept]
    exposures.fill(document, told, {key: ids[id(g)] for g in kept for key in g.keys}, case.drugs, story)
    case.reactions = [
        _reaction(document, group, f"reaction-{n}", story, reactions) for n, group in enumerate(reactions, 1)
    ]
    onset.fill(document, told, case.reactions, [g.keys for g in reactions], [g.keys for g in suspects])
    _assess(case, suspects, reactions, story, ids)
    _treat(case, kept, reactions, ids)
    for place, evidence in roles.interacting(document, told, kept).items():
        if case.drugs[place].role == "suspect":
            case.drugs[place].role, case.drugs[place].facts["role"] = "interacting", evidence
    conditions.fill(document, case, kept, disorders, reactions, told)
    case.patient.history += [_underlying(group, document) for group in reactions if _is_aggravated(group, document)]
    case.tests = investigations.find(document, told)
    return case


# --- one name for one thing ---------------------------------------------------------------------------------------


def _unite(concepts: list[Candidate]) -> list[Group]:
    """Groups of concepts of which one name contains the other's words ("cholestatic hepatitis"); by score."""
    groups: list[Group] = []
    contents = {c.key: _content(c.key) for c in concepts}
    for concept in sorted(concepts, key=lambda c: (-c.score, c.mentions[0].start)):
        words = contents[concept.key]
        home = next((g for g in groups for m in g.members if _same(words, contents[m.key])), None)
        home = home or _class_member(concept, concepts, groups)
        if home is None:
            groups.append(Group([concept], concept.score))
        else:
            home.take([concept])
    for group in groups:
        cleared = [m.score for m in group.members if "cleared" in m.features]
        group.score = min(cleared) if cleared else group.score
    return sorted(groups, key=lambda g: -g.score)


def _class_member(concept: Candidate, concepts: Sequence[Candidate], groups: Sequence[Group]) -> Group | None:
    """The group of the only told member of a class ("the statin"), or of the class of an only member."""
    if concept.semantic != "drug":
        return None
    if concept.entry is not None and concept.entry.kind == "class":
        others = [c for c in concepts if concept.key in drug_groups.classes_of(c.key)]
        return next((g for g in groups if len(others) == 1 and others[0] in g.members), None)
    for group in groups:
        head = group.members[0]
        if head.entry is None or head.entry.kind != "class" or head.key not in drug_groups.classes_of(concept.key):
            continue
        if sum(head.key in drug_groups.classes_of(c.key) for c in concepts) == 1:
            return group
    return None


@lru_cache(maxsize=1 << 14)
def _content(name: str) -> frozenset[str]:
    return frozenset(word.strip(".,;:()'\"").rstrip("s") for word in _BREAKS.sub(" ", bare(name)).split())


def _same(left: frozenset[str], right: frozenset[str]) -> bool:
    return bool(left and right) and (left <= right or right <= left)


# --- choosing -----------------------------------------------------------------------------------------------------


def _choose(
    document: Document, disorders: list[Group], drugs: list[Group], story: Sequence[Event]
) -> tuple[list[Group], list[Group]]:
    """Reactions and suspects; none unless the best of both are likely together."""
    best_reaction = max((g.score for g in disorders), default=0.0)
    listed = _listed(drugs)
    best_drug = 1.0 - math.prod(1.0 - g.score for g in listed)
    cleared = any("cleared" in m.features for g in drugs for m in g.members)
    if best_drug * best_reaction < LEAST["both, one cleared" if cleared else "both"] or (
        best_reaction < LEAST["certain"] and _denied(disorders)
    ):
        return [], []
    reactions = _reactions(disorders, min(LEAST["reaction"], best_reaction), story)
    suspects = _suspects(drugs, listed)
    if all(_came_after(document, drug, reactions, story) for drug in suspects):
        return [], []
    return reactions, suspects


def _came_after(document: Document, drug: Group, reactions: Sequence[Group], story: Sequence[Event]) -> bool:
    """Was the drug begun after all reactions were there, and does nothing but its score speak against it?

    "Renal failure developed. She was started on X": X is for the renal failure.
    """
    keys = drug.keys
    own = [e for e in story if keys & set(e.drugs) and e.kind not in ("named", "headline")]
    first = min(m.mentions[0].start for m in drug.members)
    start = _begun(document, own, first)
    if start is None:
        return False
    told = {key for group in reactions for key in group.keys}
    best = {group.best.key for group in reactions}
    later = {e.kind for e in story if e.when > start.when and best & set(e.disorders)}
    helped = any("relieves" in m.features for m in drug.members)
    if "onset" in later or ("named" in later and not helped and any(e.kind == "continue" for e in own)):
        return False  # it came after the start, or stayed while the drug was continued
    if any(key in name for key in keys for name in told):
        return False  # "heparin-induced thrombocytopenia"
    links = [x for m in drug.members for x in m.links if x.disorder.key in told]
    meant = helped or any(x.kind == "indication" and x.disorder.key in best for x in links)
    if any(x.kind != "indication" and not (meant and x.kind in _EITHER) for x in links):
        return False
    return all(any(m.mentions[0].start < first for m in group.members) for group in reactions)


def _begun(document: Document, own: Sequence[Event], first: int) -> Event | None:
    """The start of a drug that is told as it happened; ``None`` where it may be older, or more happened to the drug.

    ``own`` are its events, ``first`` the place where it is named first.
    """
    start = next((e for e in own if e.kind == "start"), None)
    if start is None or any(e.kind not in _GOING_ON for e in own):
        return None
    if own[0] is not start and (own[0].sentence != start.sentence or first < start.end):
        return None  # else what stands before "was started on X" is not of X
    sentence = document.sentences[start.sentence]
    around = max(sentence.start, start.start - _TENSE), min(sentence.end, start.end + _TENSE)
    if _TAKING.search(document.text[start.start : start.end]) or _BEFORE.search(document.text, *around):
        return None
    return start


def _denied(disorders: Sequence[Group]) -> bool:
    """Does the report deny adverse effects, and say nowhere that there were any, or that a drug caused one?"""
    members = [m for g in disorders for m in g.members]
    return any("report: no adverse" in m.features for m in members) and not any(
        not m.features.keys().isdisjoint(("induced link", "cause link", "report: adverse words")) for m in members
    )


def _reactions(disorders: list[Group], least: float, story: Sequence[Event]) -> list[Group]:
    """The reactions: the best, and others that stand on their own.

    What is likely but does not stand on its own is taken for a sign of the best reaction that explains it, or of the
    best of all: a report mostly tells one reaction under several names.
    """
    likely = [g for g in disorders if g.score >= least]
    chosen: list[Group] = []
    for group in likely:
        home = next((c for c in chosen if _explained(group, c)), None)
        if home is None and chosen and not _stands_alone(group, chosen, story):
            home = next((c for c in chosen if _explained(c, group) and _akin(c, group)), chosen[0])
        if home is not None:
            home.take(group.members)
        else:
            chosen.append(group)
    for part in list(chosen):
        sign = (entry := part.members[0].entry) is not None and entry.kind in SIGNS
        home = next((c for c in chosen if c is not part and _explained(part, c) and (sign or _akin(part, c))), None)
        if home is not None:  # the diagnosis came after a likelier part of it
            home.take(part.members)
            home.score = max(home.score, part.score)
            chosen.remove(part)
    united: list[Group] = []
    for group in disorders:  # a less likely diagnosis of which a chosen one is a part: its narrower name
        if group not in likely and group.score > LEAST["sign"]:
            home = next((c for c in chosen if _narrows(group, c)), None)
            if home is not None:
                home.take(group.members)
                united.append(group)
    for group in disorders:  # less likely ones of which the text tells another course by name
        least_needed = LEAST["sign"] if any("aggravated" in m.features for m in group.members) else LEAST["own course"]
        told_apart = group.score >= least_needed and group not in (*likely, *united)
        if chosen and told_apart and _stands_alone(group, chosen, story):
            chosen.append(group)
    for group in disorders:  # signs below the threshold that a chosen diagnosis explains are its verbatim
        if group not in (*likely, *united, *chosen) and group.score > LEAST["sign"]:
            home = next((c for c in chosen if _explained(group, c)), None)
            if home is not None:
                home.take(group.members)
    return sorted(chosen, key=lambda g: -g.score)


def _narrows(group: Group, chosen: Group) -> bool:
    """Does a group explain what is itself a diagnosis ("psoriatic nail dystrophy" a "nail disorder")?"""
    best = chosen.best
    return best.entry is not None and best.entry.kind not in SIGNS and any(
        best.key in covers(m.key) and any(one.assertion in _HELD for one in m.mentions) for m in group.members
    )  # fmt: skip


def _stands_alone(group: Group, chosen: Sequence[Group], story: Sequence[Event]) -> bool:
    """Is it a diagnosis which the text ties to a drug, or which took another course than the ones before it?"""
    diagnoses = [m for m in group.members if m.entry is not None and m.entry.kind not in SIGNS]
    if not diagnoses:
        return False
    if any("aggravated" in m.features for m in diagnoses):
        return True
    if any(_blocks(group) & _blocks(other) for other in chosen):
        return False
    if group.score >= LEAST["reaction beside another"]:
        caused = any("cause link" in m.features or "induced link" in m.features for m in diagnoses)
        if caused or all(_unlike(group, other) for other in chosen):
            return True
    own = _ended(group, story)
    return own is not None and all(
        course.outcome(story, other.keys, group.keys)[0] not in ("unknown", own) for other in chosen
    )


def _unlike(group: Group, other: Group) -> bool:
    """Are two groups diagnoses of different blocks of ICD-10-CM ("hepatitis" and "liver failure" are of one)?"""
    left, right = _blocks(group), _blocks(other)
    return bool(left and right) and not left & right


def _blocks(group: Group) -> set[str]:
    codes = [c.code for m in group.members if m.entry for c in m.entry.codings if c.system == _ICD]
    return {code[:2] for code in codes if code[0] not in _UNSPECIFIC}


def _ended(group: Group, story: Sequence[Event]) -> str | None:
    """The outcome that the story tells of this very group by name, if it tells one."""
    named = [event for event in story if group.keys & set(event.disorders)]
    ended, _ = course.outcome(named, group.keys, ())
    return None if ended == "unknown" else ended


def _explained(sign: Group, diagnosis: Group) -> bool:
    """Does the diagnosis explain the sign, or is this a wider name of it?"""
    return any(not covers(member.key).isdisjoint(sign.keys) for member in diagnosis.members)


def _listed(drugs: Sequence[Group]) -> list[Group]:
    """The likeliest drug and those of its list, followed from drug to drug: "A, B and C" ties C to A."""
    listed: set[str] = set()
    new = {key for g in drugs[:1] for key in g.keys}
    while new - listed:
        listed |= new
        new = {mate for g in drugs if g.keys & new for m in g.members for mate in m.mates}
    return [g for g in drugs if g.keys & listed]


def _akin(left: Group, right: Group) -> bool:
    """Do the names of two diagnoses share a word ("nail disorder", "psoriatic nail dystrophy")?"""
    return bool(_content(left.best.key) & _content(right.best.key))


def _suspects(drugs: Sequence[Group], listed: Sequence[Group]) -> list[Group]:
    """The likeliest drug, others that are likely beside it, and those of its list that are about as likely."""
    odds = [_log_odds(g.score) for g in drugs]
    return [
        g for g, own in zip(drugs, odds, strict=True)
        if g is drugs[0]
        or g.score >= LEAST["suspect beside another"]
        or (g in listed and odds[0] - own <= LEAST["list mate behind"])
    ]  # fmt: skip


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(bounded / (1 - bounded))


# --- filling the record -------------------------------------------------------------------------------------------


def _drug(
    document: Document, group: Group, name: str, suspect: bool, told: Sequence[Sentence], reactions: Sequence[Group]
) -> Drug:
    own = group.told(document.sentences)
    best = group.best
    role, evidence = ("suspect", []) if suspect else roles.role(document, group, told, reactions)
    drug = Drug(
        id=name, name=naming(best), role=role,
        verbatim=verbatim(own), codings=codings(best), evidence=spans(own),
    )  # fmt: skip
    if suspect:
        evidence = [x.at for member in group.members for x in member.links if x.kind != "indication"]
    if evidence:
        drug.facts["role"] = evidence
    return drug


def _reaction(
    document: Document, group: Group, name: str, story: Sequence[Event], reactions: Sequence[Group]
) -> Reaction:
    own = group.told(document.sentences)
    best = group.best
    ended, evidence = course.outcome(story, *_own_and_others(group, reactions))
    reaction = Reaction(
        id=name, term=_term(group, document), verbatim=verbatim(own),
        codings=codings(best), outcome=ended, evidence=spans(own),
    )  # fmt: skip
    if evidence:
        reaction.facts["outcome"] = evidence
    return reaction


def _own_and_others(group: Group, reactions: Sequence[Group]) -> tuple[Collection[str], Collection[str]]:
    """Keys of a reaction, and of the others: a sign that it explains is its own too ("the skin lesions" of two)."""
    theirs = {m.key: m for g in reactions if g is not group for m in g.members}
    shared = {
        key for member in group.members for key in explains(member.key) & theirs.keys()
        if (entry := theirs[key].entry) is not None and entry.kind in SIGNS
    }  # fmt: skip
    return group.keys | shared, theirs.keys() - shared - group.keys


def _is_aggravated(group: Group, document: Document) -> bool:
    """Is the reaction a disease that the patient had before and that got worse?"""
    if group.best.entry is None or group.best.entry.kind in SIGNS:
        return False
    told = [m for m in group.mentions if document.sentences[m.sentence].zone in TOLD]
    return any(aggravated(document.sentences[m.sentence], m) for m in told)


def _term(group: Group, document: Document) -> str:
    """The name of the reaction; of a disease that the patient had before, that it got worse."""
    return f"exacerbation of {naming(group.best)}" if _is_aggravated(group, document) else naming(group.best)


def _underlying(group: Group, document: Document) -> Concept:
    """The disease that got worse, as history."""
    told = group.told(document.sentences)
    own = [m for m in told if m.key == group.best.key] or told
    return Concept(
        term=naming(group.best), codings=codings(group.best), verbatim=verbatim(own), evidence=spans(own)
    )  # fmt: skip


def _assess(
    case: Case, suspects: Sequence[Group], reactions: Sequence[Group],
    story: Sequence[Event], ids: dict[int, str],
) -> None:  # fmt: skip
    """One assessment per suspect and reaction the text ties together; a suspect without a tie is tied to all."""
    by_id = {drug.id: drug for drug in case.drugs}
    happened = {suspect: course.of_drug(story, suspect.keys) for suspect in suspects}
    for group, reaction in zip(reactions, case.reactions, strict=True):
        suffered = course.of_reaction(story, *_own_and_others(group, reactions))
        tied = [s for s in suspects if _tied(s, group)]
        for suspect in tied or suspects:
            drug = by_id[ids[id(suspect)]]
            result = course.course_of(story, happened[suspect], suffered)
            assessment = Assessment(
                drug=drug.id, reaction=reaction.id, dechallenge=result.dechallenge, rechallenge=result.rechallenge
            )
            link: list[Span] = [x.at for m in suspect.members for x in m.links if x.disorder.key in group.keys]
            assessment.evidence = link
            for field_name, evidence in (
                ("dechallenge", result.dechallenge_evidence), ("rechallenge", result.rechallenge_evidence),
            ):  # fmt: skip
                if evidence:
                    assessment.facts[field_name] = evidence
            case.assessments.append(assessment)
            if drug.action_taken in (None, "unknown"):
                drug.action_taken = result.action
                if result.action_evidence:
                    drug.facts["action_taken"] = result.action_evidence


def _treat(case: Case, kept: Sequence[Group], reactions: Sequence[Group], ids: dict[int, str]) -> None:
    """Name the treatments of the first reaction: all of them; of the others: those that the text says were for them."""
    by_id = {drug.id: drug for drug in case.drugs}
    for group in kept:
        drug = by_id[ids[id(group)]]
        if drug.role == "treatment" and case.reactions:
            for number, reaction in enumerate(case.reactions):
                if number == 0 or _given_for(group, reactions[number]):
                    reaction.treatments.append(drug.id)


def _given_for(drug: Group, reaction: Group) -> bool:
    return any(x.kind == "indication" and x.disorder.key in reaction.keys for m in drug.members for x in m.links)


def _tied(suspect: Group, reaction: Group) -> bool:
    return any(x.disorder.key in reaction.keys for m in suspect.members for x in m.links if x.kind != "indication")
