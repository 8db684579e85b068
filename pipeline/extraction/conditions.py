"""Finds what drugs were given for, and what else the patient has or had.

Belongs here: indications and history: disorders of the case that are no reactions.  Does not belong here: reactions.
"""

from collections.abc import Sequence

from pipeline.extraction.document import Document
from pipeline.extraction.groups import TOLD, Group, codings, evidence, name, verbatim
from pipeline.records import Case, Concept


def fill(
    document: Document, case: Case, drugs: Sequence[Group], disorders: Sequence[Group], reactions: Sequence[Group]
) -> None:
    """Add indications to the case's drugs (``drugs[i]`` is the group of ``case.drugs[i]``) and history to its patient."""
    zones = {sentence.index: sentence.zone for sentence in document.sentences}
    reaction_keys = {key for g in reactions for key in g.keys}
    for group in disorders:
        if group.keys & reaction_keys:
            continue
        own = [m for m in group.mentions if zones[m.sentence] in TOLD and m.assertion in ("present", "historical")]
        if not own:
            continue
        best = group.members[0]
        concept = Concept(term=name(best), codings=codings(best), verbatim=verbatim(own), evidence=evidence(own))
        treated = {x.drug.key for m in group.members for x in m.links if x.kind == "indication"}
        tagged = any(m.label == "indication" for m in own)
        given = [d for d, g in zip(case.drugs, drugs, strict=True) if g.keys & treated]
        if tagged and not given:
            given = [d for d in case.drugs if d.role == "suspect"][:1]
        if given:
            for drug in given:
                drug.indications.append(concept)
        elif best.entry and any(m.label == "condition" or m.assertion == "historical" for m in own):
            case.patient.history.append(concept)
