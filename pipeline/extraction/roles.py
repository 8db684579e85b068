"""Says which drugs the patient took and what part a drug that is no suspect plays.

Belongs here: drugs that are only spoken of, classes that stand for a drug named elsewhere, and roles (ICH E2B(R3)
G.k.1) other than suspect.  Does not belong here: who is a suspect (``candidates``), the phrases
(``mappings/extraction/cues/roles.tsv``) and what belongs to a class (``drug_groups``).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache

from pipeline.extraction import drug_groups
from pipeline.extraction.candidates import CAUSAL
from pipeline.extraction.cues import FAMILY, Cue
from pipeline.extraction.document import LIST, Document, Found, Sentence
from pipeline.extraction.groups import Group
from pipeline.extraction.numbers import table
from pipeline.extraction.zones import TOLD
from pipeline.records import DrugRole, Evidence

_NEAR = 60  # code points between a cue and the drug (or the list it stands in)
_REACH = {"along": 30, "instead": 30}  # the same for families whose cues are common words
_CLOSE = 3  # the same for cues that touch the drug: "serum lithium", "lithium level"
_FIRM = frozenset({"present", "possible", "historical"})
_JUDGED = frozenset({"analyte", "herb", "substance"})  # taken only if the text says so
_UMBRELLAS = frozenset({"class", "regimen", "therapy"})
_BORDER = re.compile(r"[.;:]\s|\b(?:but|while|whereas|although|which|who)\b", re.IGNORECASE)
_APPOSITION = re.compile(
    r"\W*(?:(?:therapy|treatment|drugs?|agents?|medications?|regimens?|monotherapy|prophylaxis|protocol|combination|an?|"
    r"the)\W+){0,3}(?:(?:with|of|consisting of|based on|including|included|such as|i\.?e\.?,?|namely|using|comprising|"
    r"was started with|were initiated|was commenced with (?:\w+ )?drugs?)\W+)?"
    r"(?:(?:intravenous|oral|iv|an?|the|\w+ combination of)\W+){0,2}",
    re.IGNORECASE,
)
_UNNAMED = re.compile(
    r"\W*(?:\d|(?:drugs?|substances?|medications?|agents?|treatments?|therapy|medicines?)\W*$)", re.IGNORECASE
)
_HOSPITAL_NAMES = 3  # a name in capitals of so few letters that no lexicon knows is hardly a drug


@cache
def procedures() -> frozenset[str]:
    """Names of concepts that are treatments, but no medicines: dialysis, irradiation (``procedures.tsv``)."""
    return frozenset(name for kind, name in table("procedures", 2) if kind == "therapy")


def taken(document: Document, drugs: Sequence[Group], suspects: Sequence[Group]) -> list[Group]:
    """The drugs of the patient, suspects first, then in the order of the text.

    A class that stands for a drug named elsewhere ("the steroid" for prednisone) gives its mentions to that drug where
    there is but one, and is no drug of its own.
    """
    by_index = document.sentences
    own = [g for g in drugs if g not in suspects and _is_taken(document, g, by_index)]
    kept = [*suspects, *sorted(own, key=lambda g: g.mentions[0].start)]
    for group in [g for g in kept if g not in suspects]:
        narrower = _stands_for(document, group, kept)
        if narrower is not None:
            kept.remove(group)
            if len(narrower) == 1:
                # A score of 0: they are about the drug, but do not name it.
                narrower[0].take(replace(member, score=0.0) for member in group.members)
    return kept


def _is_taken(document: Document, group: Group, by_index: Sequence[Sentence]) -> bool:
    entry = group.best.entry
    if entry is not None and entry.name in procedures():
        return False
    if entry is None and all(_UNNAMED.match(m.text) or _is_acronym(m.text) for m in group.mentions):
        return False
    judged = (entry is not None and entry.kind in _JUDGED) or (
        entry is None and not any(m.label == "drug" for m in group.mentions)
    )
    for mention in group.mentions:
        sentence = by_index[mention.sentence]
        if sentence.zone not in TOLD or _cued(document.text, sentence, mention, "option"):
            continue
        if _only_named(document.text, sentence, mention):
            continue
        given = _cued(document.text, sentence, mention, "given")
        if mention.assertion in _FIRM and (given or (sentence.zone == "case" and not judged)):
            return True
        if mention.assertion in _FIRM and not judged and _inside_given(document.text, sentence, mention):
            return True
        if (
            mention.assertion == "hypothetical"
            and sentence.zone == "case"
            and (any(c.kind == "given:before" for c in given) or _cued(document.text, sentence, mention, "along"))
        ):
            return True
        if mention.assertion == "negated" and (
            _cued(document.text, sentence, mention, "earlier") or any(c.kind == "given:before" for c in given)
        ):
            return True
    return False


def _inside_given(text: str, sentence: Sentence, mention: Found) -> bool:
    """Is it in the brackets that tell what a regimen consists of, which the sentence says was given?"""
    opened = text.rfind("(", sentence.start, mention.start)
    if opened < 0 or ")" in text[opened : mention.start]:
        return False
    return any(
        cue.kind == "given:after" and cue.end <= opened and opened - cue.end <= 2 * _NEAR for cue in sentence.cues
    )


def _is_acronym(words: str) -> bool:
    return words.isupper() and len(words) <= _HOSPITAL_NAMES


def _only_named(text: str, sentence: Sentence, mention: Found) -> bool:
    """Is it a test, a resistance, a level, an allergy rather than a medicine given?"""
    cues = sentence.cued("named")
    if not cues:
        return False
    left, right = _list_of(text, sentence, mention)
    for cue in cues:
        if cue.kind == "named:after" and 0 <= left - cue.end <= _CLOSE:
            return True
        if (
            cue.kind == "named:before"
            and -1 <= cue.start - mention.end <= _CLOSE
            and not set(",;.()") & set(text[mention.end : cue.start])
        ):
            return True
        if (
            cue.kind == "named:before"
            and 0 <= cue.start - right <= _CLOSE
            and text[cue.start : cue.end].lower().startswith(("was", "were"))
        ):
            return True
    return False


def _stands_for(document: Document, group: Group, kept: Sequence[Group]) -> list[Group] | None:
    """The drugs that a class, regimen or combination stands for; ``None`` if it stands for itself."""
    entry = group.best.entry
    if entry is None:
        return None
    members = set(entry.members)
    others = [g for g in kept if g is not group]
    if members:
        inside = [g for g in others if g.keys & members]
        if entry.kind == "regimen" and inside:
            return inside
    if entry.kind == "ingredient":
        whole = [
            g
            for g in others
            if g.best.entry is not None and entry.name in g.best.entry.members and g.best.entry.kind == "combination"
        ]
        return whole[:1] or None
    if entry.kind not in _UMBRELLAS:
        return None
    narrower = [
        g for g in others
        if any(entry.name in drug_groups.classes_of(key) for key in g.keys)
        and not (
            g.best.entry is not None and g.best.entry.kind == "class" and g.mentions[0].start > group.mentions[-1].start
        )
    ]  # fmt: skip
    if narrower:
        return narrower
    named = [g for g in others if _in_apposition(document.text, group, g)]
    return named or None


def _in_apposition(text: str, umbrella: Group, drug: Group) -> bool:
    """ "antibiotic therapy with X", "X, an antibiotic", "nivolumab immunotherapy"."""
    if drug.best.entry is not None and umbrella.best.key in drug_groups.classes_of(drug.best.key) ^ {drug.best.key}:
        return True
    for wide in umbrella.mentions:
        for narrow in drug.mentions:
            if narrow.sentence != wide.sentence:
                continue
            if 0 < narrow.start - wide.end <= 45 and _APPOSITION.fullmatch(text, wide.end, narrow.start):
                return True
            if 0 <= wide.start - narrow.end <= 25 and re.fullmatch(
                r"\W*(?:an?|another|the)?\W*(?:\w+ed )?", text[narrow.end : wide.start]
            ):
                return not LIST.fullmatch(text, narrow.end, wide.start) or ", a" in text[narrow.end : wide.start]
    return False


# --- role ---------------------------------------------------------------------------------------------------------


def role(
    document: Document, group: Group, told: Sequence[Sentence], reactions: Sequence[Group]
) -> tuple[DrugRole, Evidence]:
    """The role of one drug with its evidence; ``told`` are the sentences of the case, ``reactions`` its reactions."""
    by_index = {s.index: s for s in told}
    own = [m for m in group.mentions if m.sentence in by_index and m.assertion not in ("family", "literature")]
    if not own:
        return "concomitant", []
    text = document.text
    rescue = drug_groups.rescues(group.best.key)
    onset = _onset(reactions, by_index)
    ended = [
        cue for m in own for cue in _cued(text, by_index[m.sentence], m, "earlier")
        if not (m.assertion == "negated" and cue.kind != "earlier:after")
    ]  # fmt: skip
    causes = {x.drug.key for g in reactions for m in g.members for x in m.links if x.kind in CAUSAL} - group.keys
    for mention in own:
        sentence = by_index[mention.sentence]
        after = _is_after(sentence, mention, onset)
        earlier = _cued(text, sentence, mention, "earlier")
        if earlier and not (after and rescue):
            return "past", [(earlier[0].start, earlier[0].end)]
        if not after and all(m.assertion == "historical" for m in own):
            return "past", [mention.span]
        along = _cued(text, sentence, mention, "along")
        if not after or _with_suspect(text, sentence, mention, causes):
            return "concomitant", _spans(along)
        instead = _cued(text, sentence, mention, "instead")
        helped = [
            cue for cue in _cued(text, sentence, mention, "rescue")
            if not any(a.start <= cue.start < a.end for a in along)
        ]  # fmt: skip
        if instead and rescue is not True:
            return "concomitant", _spans(instead)
        if along and not (rescue and helped):
            return "concomitant", _spans(along)
        if rescue is False:
            return "concomitant", []
        if helped:
            return "treatment", [(helped[0].start, helped[0].end), mention.span]
    if rescue and onset is not None and own[0].start > onset:
        return "treatment", [own[0].span]
    return ("past", _spans(ended)) if ended else ("concomitant", [])


def _is_after(sentence: Sentence, mention: Found, onset: int | None) -> bool:
    """Does the story have the reaction before it comes to the drug? Not so in "rash after X"."""
    if onset is None:
        return False
    if mention.start < onset:  # "the drug was stopped and X was given", "recovered upon treatment with X"
        return any(abs(cue.start - mention.start) <= _NEAR for cue in sentence.cued("stop")) or any(
            cue.end <= mention.start for cue in sentence.cued("improve", "resolve")
        )
    if sentence.start <= onset:
        between = [c for c in sentence.cues if onset < c.start and c.end <= mention.start]
        told_later = any(c.kind in ("temporal:backward", "cause:backward", "weak:backward") for c in between)
        return not told_later or any(FAMILY[c.kind] in ("improve", "resolve", "stop", "rescue") for c in between)
    return True


def _with_suspect(text: str, sentence: Sentence, mention: Found, causes: Collection[str]) -> bool:
    """Does it stand in one list with a drug named as the cause, and nothing was stopped or got better yet?"""
    if any(cue.start <= mention.end + _NEAR for cue in sentence.cued("stop", "improve", "resolve")):
        return False
    left, right = _list_of(text, sentence, mention)
    return any(one.key in causes and left <= one.start and one.end <= right for one in sentence.of("drug"))


def _onset(reactions: Sequence[Group], by_index: dict[int, Sentence]) -> int | None:
    """Where the story first tells a reaction: in the case itself, else where the case is summed up."""
    told = [
        (m.start, by_index[m.sentence].zone)
        for g in reactions for m in g.mentions
        if m.sentence in by_index and m.assertion in ("present", "possible")
    ]  # fmt: skip
    places = [start for start, zone in told if zone == "case"] or [start for start, _ in told]
    return min(places, default=None)


def _spans(cues: Iterable[Cue]) -> Evidence:
    return [(cue.start, cue.end) for cue in cues][:1]


def interacting(document: Document, told: Sequence[Sentence], drugs: Sequence[Group]) -> dict[int, Evidence]:
    """Which of the drugs (by their place in ``drugs``) the text says to have interacted: two or more, or none."""
    for sentence in told:
        for cue in sentence.cued("interaction"):
            near = [
                m for m in sentence.of("drug")
                if -40 <= m.start - cue.end <= 80 and m.assertion not in ("negated", "family", "literature")
            ]  # fmt: skip
            found: dict[int, Evidence] = {}
            for number, group in enumerate(drugs):
                hits = [m.span for m in near if m.key in group.keys]
                if hits:
                    found[number] = [(cue.start, cue.end), *hits]
            if len(found) > 1:
                return found
    return {}


# --- cues ---------------------------------------------------------------------------------------------------------


def _list_of(text: str, sentence: Sentence, mention: Found) -> tuple[int, int]:
    """Begin and end of the list of drugs that a mention stands in."""
    drugs = sentence.of("drug")
    at = next((n for n, one in enumerate(drugs) if one is mention or one.span == mention.span), None)
    if at is None:
        return mention.span
    first = last = at
    while first and _joined(text, drugs[first - 1], drugs[first]):
        first -= 1
    while last + 1 < len(drugs) and _joined(text, drugs[last], drugs[last + 1]):
        last += 1
    return drugs[first].start, max(one.end for one in drugs[first : last + 1])


_JOINT = re.compile(
    r"\s*(?:\([^)]{0,40}\)|[\d.,]+ ?(?:mg|g|mcg|µg|ml|units?|iu|meq)(?:/\w+)*"
    r"(?: (?:daily|bid|tid|qd|once daily|twice daily|per day|/day))?)?",
    re.IGNORECASE,
)


_BOOSTED = re.compile(r"\s*(?:[- ]boosted\s*)?")


def _joined(text: str, left: Found, right: Found) -> bool:
    """Are they neighbours in a list, doses and brackets left out?"""
    if right.start - left.end > 80:
        return False
    dose = _JOINT.match(text, left.end, right.start)
    begin = dose.end() if dose else left.end
    return bool(LIST.fullmatch(text, begin, right.start) or _BOOSTED.fullmatch(text, begin, right.start))


def _cued(text: str, sentence: Sentence, mention: Found, family: str) -> list[Cue]:
    """The cues of a family that reach a mention, the nearest first."""
    cues = sentence.cued(family)
    if not cues:
        return []
    left, right = _list_of(text, sentence, mention)
    reach = _REACH.get(family, _NEAR)
    hits: list[tuple[int, Cue]] = []
    for cue in cues:
        side = cue.kind.partition(":")[2]
        if (
            side == "after"
            and cue.end <= left + 1
            and left - cue.end <= reach
            and _reaches(text, sentence, family, cue.end, left)
        ):
            hits.append((left - cue.end, cue))
        elif (
            side == "before"
            and cue.start >= right - 1
            and cue.start - right <= reach
            and _reaches(text, sentence, family, right, cue.start)
        ):
            hits.append((cue.start - right, cue))
    return [cue for _, cue in sorted(hits)]


def _reaches(text: str, sentence: Sentence, family: str, start: int, end: int) -> bool:
    """Does neither a clause border nor another drug stand between? What was given may be told one by one."""
    if _BORDER.search(text, start, end):
        return False
    return family in ("given", "rescue") or not any(
        start <= one.start and one.end <= end for one in sentence.of("drug")
    )
