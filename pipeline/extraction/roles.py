"""Says what part a drug that is no suspect plays: treatment of the reaction, past, or merely taken along.

Belongs here: roles (ICH E2B(R3) G.k.1) other than suspect.  Does not belong here: who is a suspect (``candidates``).
"""

from collections.abc import Sequence

from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.groups import Group
from pipeline.records import DrugRole, Evidence

_NEAR = 100  # code points between a drug and the words that start it


def role(
    document: Document, group: Group, told: Sequence[Sentence], reactions: Sequence[Group]
) -> tuple[DrugRole, Evidence]:
    """The role of one drug with its evidence; ``told`` are the sentences of the case, ``reactions`` its reactions."""
    zones = {sentence.index: sentence.zone for sentence in document.sentences}
    onset = min((m.start for g in reactions for m in g.mentions if m.assertion == "present"), default=None)
    by_index = {s.index: s for s in told}
    for mention in group.told(zones):
        sentence = by_index.get(mention.sentence)
        if sentence is None:
            continue
        if mention.assertion == "historical":
            return "past", [mention.span]
        started = [c for c in sentence.cued("start", "improve", "resolve") if abs(c.start - mention.start) < _NEAR]
        if onset is not None and mention.start > onset and started:
            return "treatment", [mention.span]
    return "concomitant", []
