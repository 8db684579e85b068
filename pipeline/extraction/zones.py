"""Sorts sentences into parts of the discourse: this case, the literature, general statements.

Letters without headings mix the case with the literature, so a sentence is judged by its own wording first, then by the
section it stands in, then by its neighbours.  Belongs here: that judgement.  Does not belong here: what single mentions
assert (``assertion``) and the phrases (``mappings/extraction/cues/zones.tsv``).
"""

import re
from collections.abc import Sequence
from typing import Literal

from pipeline.extraction.cues import Cue
from pipeline.extraction.weights import weights
from pipeline.records import Section, SectionKind, Span

Zone = Literal["case", "summary", "literature", "general", "apart"]
TOLD: frozenset[Zone] = frozenset({"case", "summary"})
"""Zones whose sentences state facts of the case."""
"""``summary``: title and sentences in which the authors announce or sum up their own case; ``apart``: page furniture,
references and other text that states no facts."""

_APART: frozenset[SectionKind] = frozenset({"references", "furniture", "methods"})
_CITATION = re.compile(
    r"\bet al\b|\[\d+(?:[,–-]\s?\d+)*\]|(?:(?<=[a-z]{3})|(?<=\)))[.,]?\d{1,2}(?:[,–-]\d{1,2})*(?=[\s.;,]|$)|\(\d{4}\)"
)
_SHARE = re.compile(
    r"\d\s?(?:%|per ?cent)(?:\s?[~–-]\s?\d+\s?%)? (?:of|in) "
    r"(?!(?:the |his |her |total )*(?:body|bsa|normal|predicted|baseline|blood|skin)\b)"
    r"|\b\d+ of (?:the )?\d+ (?:patients|cases)|\b1 in \d"
)
_PERSON = re.compile(
    r"\b\d{1,3}(?:\.\d)?[\s-]*(?:years?|yrs?|y|months?|weeks?|days?)[\s-]*(?:old|of age)\b"
    r"|\byears? old\b|\baged? (?:of )?\d|\b\d\d?[\s-]?(?:yo|y/o)\b",
    re.IGNORECASE,
)
_AGES = ("old", "age", "yo", "y/o")
_SHARES = ("%", "cent", " patients", " cases", "1 in ")
_PLURALS = ("patients", "cases", "subjects", "children", "men", "individuals", "adults", "users")
_PLURAL = re.compile(r"\b(?:patients|cases|subjects|children|women|men|individuals|adults|users)\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
# Most sentences hold nothing that these patterns could match; that is found out much faster than by matching them: no
# age without one of _AGES, no share without one of _SHARES.

# How much one cue says for its zone; a citation or a share of patients says it is not this case.
_WEIGHTS = weights("zones")
_CUED = ("case.strong", "case", "literature.strong", "general", "summary")
_TOLD = frozenset({"stop:before", "start:before", "restart:before", "reduce:before", "increase:before"})
_MOST_CUES = 3
_PRIOR: dict[SectionKind, tuple[float, float, float]] = {  # for case, literature, general
    "case": (2.5, 0.0, 0.0),
    "results": (1.5, 0.0, 0.0),
    "introduction": (-1.0, 0.5, 1.0),
    "discussion": (-1.0, 1.0, 0.5),
    "conclusion": (-1.0, 0.0, 1.5),
    "caption": (1.0, 0.0, 0.0),
}


def zones(
    text: str, sentences: Sequence[Span], sections: Sequence[Section], cues: Sequence[Sequence[Cue]]
) -> list[Zone]:
    """One zone per sentence; ``cues[i]`` are the cues of sentence ``i``. Linear in the number of sentences."""
    found: list[Zone] = []
    last: Zone = "case"
    section_index = 0
    previous_kind: SectionKind | None = None
    for (start, end), sentence_cues in zip(sentences, cues, strict=True):
        while section_index < len(sections) and sections[section_index].end <= start:
            section_index += 1
        inside = section_index < len(sections) and sections[section_index].start <= start
        kind: SectionKind = sections[section_index].kind if inside else "body"
        if kind != previous_kind:
            last = (
                "literature"
                if kind == "discussion"
                else "general"
                if kind in ("introduction", "conclusion")
                else "case"
            )
            previous_kind = kind
        if kind in _APART or (inside and text[start:end] == sections[section_index].title):
            found.append("apart")
            continue
        if kind == "title":
            found.append("summary")
            continue
        zone = _zone(text[start:end], kind, sentence_cues, last)
        found.append(zone)
        if zone in ("case", "literature") or kind in ("introduction", "discussion", "conclusion"):
            last = zone if zone != "summary" else last
        if zone == "summary" and _PERSON.search(text, start, end):
            last = "case"  # "we report a 31-year-old woman who": what follows is hers
    return found


def _zone(sentence: str, kind: SectionKind, cues: Sequence[Cue], last: Zone) -> Zone:
    weight = dict.fromkeys(_CUED, 0.0)
    for cue in cues:
        if cue.kind in weight:
            weight[cue.kind] = min(weight[cue.kind] + _WEIGHTS[cue.kind], _MOST_CUES * _WEIGHTS[cue.kind])
    prior = _PRIOR.get(kind, (0.0, 0.0, 0.0))
    told = any(cue.kind in _TOLD for cue in cues)
    case = weight["case.strong"] + (_WEIGHTS["told"] if told else 0.0) + weight["case"] + prior[0]
    low = sentence.lower()
    numbers = _DIGIT.search(sentence) is not None
    if (numbers or "old" in low) and any(map(low.__contains__, _AGES)) and _PERSON.search(sentence):
        case += _WEIGHTS["person"]
    literature = weight["literature.strong"] + prior[1]
    if (numbers or "et al" in low) and _CITATION.search(sentence):
        literature += _WEIGHTS["citation"]
    if numbers and any(map(sentence.__contains__, _SHARES)) and _SHARE.search(sentence):
        literature += _WEIGHTS["share"]
    if any(map(low.__contains__, _PLURALS)) and _PLURAL.search(sentence):
        literature += _WEIGHTS["plural"]
    general = weight["general"] + prior[2]
    if last == "case":
        case += _WEIGHTS["habit"]
    elif last == "literature":
        literature += _WEIGHTS["habit"]
    if (
        weight["summary"]
        and weight["summary"] + max(prior[0], case - _WEIGHTS["habit"] * (last == "case")) >= literature
    ):
        return "summary"
    if case > max(literature, general):
        return "case"
    if max(literature, general) > case:
        return "literature" if literature >= general else "general"
    return last
