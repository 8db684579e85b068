"""Why a reaction was serious: the criteria of ICH E2A, from the outcome, the reaction's name and the words near it.

Belongs here: which criterion is met and where the text says so.  Does not belong here: the phrases
(``mappings/assessment/seriousness.tsv``).  Death needs the outcome or the reaction in the same sentence; intensive care
counts when told with or soon after the reaction; an admission counts when the reaction is its reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from pipeline.assessment.reading import Reading, reaction_names
from pipeline.extraction import cues as phrases
from pipeline.extraction.cues import Cue, fold
from pipeline.extraction.zones import TOLD
from pipeline.records import Case, Evidence, Reaction, Seriousness, Span

_AFTER = 2
"""Sentences after one that tells the reaction in which its consequences are told."""
_DENIALS = (" no ", " not ", " never ", " without ", " potentially ", " risk of ", " can be ", " may be ", " denied ")
_ORDER: tuple[Seriousness, ...] = get_args(Seriousness)


def seriousness(case: Case, reaction: Reaction, reading: Reading) -> dict[Seriousness, Evidence]:
    """The criteria a reaction meets, in E2B order, each with its evidence (empty where a name or fact says it)."""
    found: dict[Seriousness, Evidence] = {}
    if reaction.outcome == "fatal":
        found["death"] = list(reaction.facts.get("outcome", []))
    named = reading.naming(reaction_names(reaction))
    places = {i for i in (reading.sentence_at(start) for start, _ in reaction.evidence) if i is not None}
    places |= {index for index in named if reading.zones[index] in TOLD}
    for index, cue in _told(reading, places, only=len(case.reactions) == 1):
        criterion: Seriousness = cue.kind  # type: ignore[assignment]
        if criterion == "death":
            continue
        if criterion == "hospitalization" and not _is_reason(reading, index, cue, named, places):
            continue
        found.setdefault(criterion, []).append((cue.start, cue.end))
    for cue in phrases.find(fold(reaction.term), "assessment/seriousness"):
        criterion, _, term = cue.kind.partition(".")  # type: ignore[assignment]
        if term and criterion not in found and (criterion != "other_medically_important" or not found):
            found[criterion] = list(reaction.evidence[:1])
    return {name: found[name] for name in _ORDER if name in found}


def _told(reading: Reading, places: set[int], *, only: bool) -> Iterator[tuple[int, Cue]]:
    """Cues of criteria in sentences on the reaction or soon after; where it is the only one, in all later sentences."""
    told = reading.once(_criteria)
    near = {place + after for place in places for after in range(_AFTER + 1)} & told.keys()
    if only and places:
        first = min(places)
        near |= {index for index in told if index >= first}
    for index in sorted(near):
        for cue in told[index]:
            yield index, cue


def _criteria(reading: Reading) -> dict[int, list[Cue]]:
    """Cues of criteria that are not denied, by sentence."""
    found: dict[int, list[Cue]] = {}
    for index, cues in enumerate(reading.cues("seriousness")):
        if reading.zones[index] in TOLD:
            for cue in cues:
                if "." not in cue.kind and cue.kind != "cause" and not _denied(reading.low, cue):
                    found.setdefault(index, []).append(cue)
    return found


def _denied(low: str, cue: Cue) -> bool:
    before = f" {low[max(0, cue.start - 20) : cue.start]} "
    return any(word in before for word in _DENIALS)


def _is_reason(reading: Reading, index: int, cue: Cue, named: Mapping[int, Sequence[Span]], places: set[int]) -> bool:
    """Does the admission name the reaction as its reason, or follow it in the same or the previous sentence?"""
    spans = named.get(index, ())
    causes = [c for c in reading.cues("seriousness")[index] if c.kind == "cause" and cue.end <= c.start <= cue.end + 40]
    if causes:
        return any(start >= causes[0].end for start, _ in spans)
    return any(start < cue.start for start, _ in spans) or bool(spans) or (index - 1 in places and index not in (0,))
