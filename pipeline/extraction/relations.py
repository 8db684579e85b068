"""Finds how single sentences tie drugs to disorders: as cause, in time, or as what the drug was given for.

Belongs here: links within one sentence.  Does not belong here: what the whole report makes of them (``candidates``) and
the phrases (``mappings/extraction/cues/causality.tsv``).
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pipeline.extraction.cues import FAMILY, Cue
from pipeline.extraction.document import Found, Sentence

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
_COURSE = ("onset", "improve", "resolve", "worsen", "persist", "recur")
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
        if cue.kind in ("cause:forward", "weak:forward") and _brought_relief(sentence, cue, disorder):
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
        if cue.kind == "temporal:backward" and _relieved(sentence, disorder, cue):
            continue
        if _reaches(sentence, disorder, cue.start, cue.end, drug):
            yield Link(_BACKWARD[cue.kind], drug, disorder, (cue.start, cue.end))
    if drug.start - disorder.end < 80 and _TREATED.search(text, disorder.end, drug.start):
        yield Link("indication", drug, disorder, (disorder.end, drug.start))


def _brought_relief(sentence: Sentence, by: Cue, disorder: Found) -> bool:
    """Is what came of the drug that the disorder got better ("X led to complete resolution of the rash")?"""
    better = (cue for cue in sentence.cued("improve", "resolve") if by.end <= cue.start and cue.end <= disorder.start)
    return any(better) and not sentence.cued("stop", "reduce", "restart")


def _relieved(sentence: Sentence, disorder: Found, after: Cue) -> bool:
    """Did the disorder get better by the drug ("it improved after X"), and not by its withdrawal?"""
    course = [cue for cue in sentence.cued(*_COURSE) if disorder.end <= cue.start and cue.end <= after.start]
    stopped = any(after.start <= cue.start for cue in sentence.cued("stop", "reduce", "restart"))
    return bool(course) and FAMILY[course[-1].kind] in ("improve", "resolve") and not stopped


def _reaches(sentence: Sentence, left: Found, start: int, end: int, right: Found) -> bool:
    """Are the two mentions the ones the cue joins? Only items of one list may stand between them and it."""
    near_left = max((one.end for one in sentence.of(left.semantic) if one.end <= start), default=left.end)
    near_right = min((one.start for one in sentence.of(right.semantic) if one.start >= end), default=right.start)
    return near_left - left.end <= 60 and right.start - near_right <= 60
