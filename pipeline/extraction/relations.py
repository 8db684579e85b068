"""Finds how single sentences tie drugs to disorders: as cause, in time, or as what the drug was given for.

Belongs here: links within one sentence.  Does not belong here: what the whole report makes of them (``candidates``) and
the phrases (``mappings/extraction/cues/causality.tsv``).
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from pipeline.extraction.cues import FAMILY
from pipeline.extraction.document import LIST, Found, Sentence
from pipeline.records import Span

LinkKind = Literal["stated", "induced", "cause", "weak", "temporal", "loose", "indication"]
"""``stated``: the pair classifier says so; the others are named after the cue between drug and disorder."""
_FORWARD: dict[str, LinkKind] = {
    "induced:forward": "induced",
    "cause:forward": "cause",
    "weak:forward": "weak",
    "weak:both": "weak",
    "temporal:forward": "temporal",
    "onset:after": "temporal",
}
_BACKWARD: dict[str, LinkKind] = {
    "cause:backward": "cause",
    "weak:backward": "weak",
    "weak:both": "weak",
    "temporal:backward": "temporal",
    "loose:backward": "loose",
}
_INDICATION = re.compile(
    r"^\W*(?:\w+\W+){0,3}?"
    r"(?:for|to treat|(?:in|for) (?:the )?treatment of|because of|against|to control)\W+(?:\w+\W+){0,4}$"
)
_TREATED = re.compile(
    r"\b(?:treated|managed|treatment|therapy|controlled|prescribed|received|started|given|taking|on)\b"
)
_RELIEVING = frozenset({"cause:forward", "weak:forward", "temporal:backward"})
"""Cues that tie a drug to what it made better as well as to what it did harm by ("led to", "after")."""
_COURSE = ("improve", "resolve", "worsen", "persist", "recur")
_REACH = 160


class Link(NamedTuple):
    """One drug tied to one disorder by the words between them; ``at`` is the place of those words."""

    kind: LinkKind
    drug: Found
    disorder: Found
    at: tuple[int, int]


def links(text: str, sentence: Sentence) -> Iterator[Link]:
    """All links of a sentence. A drug and a disorder may be linked by more than one kind."""
    drugs, disorders = sentence.of("drug"), sentence.of("disorder")
    if not drugs or not disorders:
        return
    for drug in drugs:
        for disorder in disorders:
            if drug.end <= disorder.start:
                yield from _forward(text, sentence, drug, disorder)
            elif disorder.end <= drug.start:
                yield from _backward(text, sentence, drug, disorder)
            elif disorder.start <= drug.start and drug.end <= disorder.end:
                # One span that names both: "imatinib-induced erythema multiforme".
                yield Link("induced", drug, disorder, disorder.span)


def _forward(text: str, sentence: Sentence, drug: Found, disorder: Found) -> Iterator[Link]:
    """The drug stands first."""
    if disorder.start - drug.end > _REACH:
        return
    for cue in sentence.cues:
        if cue.kind not in _FORWARD or not drug.end <= cue.start <= cue.end <= disorder.start:
            continue
        if cue.kind == "induced:forward" and cue.start - drug.end > 1:
            continue
        if cue.kind in _RELIEVING and relieves(text, sentence, drug.span, disorder.span):
            continue
        if _reaches(sentence, drug, cue.start, cue.end, disorder):
            yield Link(_FORWARD[cue.kind], drug, disorder, (cue.start, cue.end))
    between = text[drug.end : disorder.start]
    if len(between) < 60 and _INDICATION.match(between):
        yield Link("indication", drug, disorder, (drug.end, disorder.start))


def _backward(text: str, sentence: Sentence, drug: Found, disorder: Found) -> Iterator[Link]:
    """The disorder stands first."""
    if drug.start - disorder.end > _REACH:
        return
    for cue in sentence.cues:
        if cue.kind not in _BACKWARD or not disorder.end <= cue.start <= cue.end <= drug.start:
            continue
        if cue.kind in _RELIEVING and relieves(text, sentence, drug.span, disorder.span):
            continue
        if _reaches(sentence, disorder, cue.start, cue.end, drug):
            yield Link(_BACKWARD[cue.kind], drug, disorder, (cue.start, cue.end))
    if drug.start - disorder.end < 80 and _TREATED.search(text, disorder.end, drug.start):
        yield Link("indication", drug, disorder, (disorder.end, drug.start))


def relieves(text: str, sentence: Sentence, drug: Span, disorder: Span) -> bool:
    """Do the words between a drug and a disorder say that it got better by the drug, and not by its withdrawal?

    "It resolved after X", "X led to improvement of it"; not "it resolved but recurred after X", nor "X improved the
    arthritis but caused it".
    """
    left, right = sorted((drug, disorder))
    course = [cue for cue in sentence.cued(*_COURSE) if left[1] <= cue.start and cue.end <= right[0]]
    if not course or FAMILY[course[-1].kind] not in ("improve", "resolve"):
        return False
    if sentence.cued("stop", "reduce", "restart", "switch"):
        return False
    if disorder == left:
        return True
    of = [one for one in sentence.of("disorder") if course[-1].end <= one.start and one.end <= right[1]]
    return all(LIST.fullmatch(text, one.end, after.start) for one, after in pairwise(of))


def _reaches(sentence: Sentence, left: Found, start: int, end: int, right: Found) -> bool:
    """Are the two mentions the ones the cue joins? Only items of one list may stand between them and it."""
    near_left = max((one.end for one in sentence.of(left.semantic) if one.end <= start), default=left.end)
    near_right = min((one.start for one in sentence.of(right.semantic) if one.start >= end), default=right.start)
    return near_left - left.end <= 60 and right.start - near_right <= 60
