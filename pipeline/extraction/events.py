"""Reads the events of a case: what happened to which drug and which reaction, in the order in which it happened.

Belongs here: from cues to events.  Does not belong here: what follows from them (``course``), the phrases that tell an
event (``mappings/extraction/cues/{drug,reaction}_events.tsv``) and the wording around them
(``mappings/extraction/wording.tsv``).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple, TypeVar

from pipeline.extraction.cues import FAMILY, Cue
from pipeline.extraction.document import LIST, Document, Found, Sentence
from pipeline.extraction.organs import organs
from pipeline.extraction.wording import wording

DRUG_EVENTS = frozenset(
    {"start", "stop", "reduce", "increase", "restart", "continue", "switch", "single", "overdose", "ongoing"}
)
REACTION_EVENTS = frozenset({
    "onset", "resolve", "improve", "discharge", "persist", "worsen", "sequelae", "fatal",
    "recur", "norecur", "tolerated", "repeat",
})  # fmt: skip
BETTER = frozenset({"resolve", "improve", "discharge"})
WORSE = frozenset({"persist", "worsen"})
ENDS = BETTER | WORSE | {"sequelae", "fatal", "recur", "norecur"}
_NEGATED = {  # what an event becomes under a negation; the others then say nothing
    "stop": "continue", "reduce": "continue", "continue": "stop", "restart": "stop", "resolve": "persist",
    "improve": "persist", "persist": "resolve", "recur": "norecur", "sequelae": "resolve",
}  # fmt: skip
_NAMED_ONLY = {  # words that tell an event only of what is named beside them ("the bleeding stopped"): event, of what
    "abate": ("resolve", ("sign",)),
    "lessen": ("improve", ("sign", "elevated")),
    "rise": ("improve", ("lowered", "function")),
    "linger": ("persist", ("sign", "function", "elevated", "lowered")),
    "grow": ("worsen", ("sign",)),
    "return": ("recur", ("sign", "function")),
    "cease": ("norecur", ("sign",)),
}
_CONDITIONAL = frozenset({"once", "never", "normal", "proved", "disproved", *_NAMED_ONLY})
"""Families of cues that tell an event only in some surroundings."""
_CUED = DRUG_EVENTS | REACTION_EVENTS | _CONDITIONAL

_MOST_CUES = 80
"""Event cues of one sentence that are looked at: what has more is no sentence, and reading it must stay linear."""
_NEAR = 120
_APART_REACH = 30
_NEGATION_REACH = 40
_BESIDE = 40
RIGHT_BEFORE = 15
"""Code points between a cue and what it may happen to."""
_LONGEST_NAME = 4
"""Words of a mention; one of more is no name but a phrase, which may tell an event."""
_NEEDS_OBJECT = frozenset({"stop", "reduce", "increase", "switch", "restart", "continue"})
_WORDING = wording("events")
T = TypeVar("T", Cue, Found)


@dataclass(slots=True, frozen=True)
class Event:
    """Something that happened, where the text says so, to the named concepts (none: to what the story is about).

    ``when`` orders the events as they happened: "improved after withdrawal" tells the later one first.  The kind
    ``named`` only says that a concept stands there in the story of the case, ``headline`` in its title or summary.
    """

    kind: str
    sentence: int
    start: int
    end: int
    drugs: tuple[str, ...] = ()
    disorders: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    """Drugs taken up in place of the one that was stopped, or left as they were."""
    when: float = -1.0
    underlying: bool = False
    """Does it happen to the illness under treatment, or to one the patient had before?"""
    despite: bool = False
    """Is it told as something that did not help ("despite withdrawal")?"""
    deliberate: bool = False
    """Is a re-exposure a test, or made long after?"""
    organ: str = ""
    """The organ whose function or finding it happens to, where the text names no disorder."""
    distant: bool = False
    """Is it told of another time: an episode of the past, or a death long after?"""

    @property
    def span(self) -> tuple[int, int]:
        """Its place in the text."""
        return (self.start, self.end)


class _Raw(NamedTuple):
    """What a cue tells, before it is known of what; ``side``: where that stands (``before``, ``after``, ``any``)."""

    kind: str
    side: str
    cue: Cue


def find(document: Document, sentences: Iterable[Sentence]) -> list[Event]:
    """The events of some sentences of the case, in the order in which they happened as far as the text tells it.

    Captions tell no course: what they show happened where the narrative tells it, not at the end of the text.
    """
    chosen = [sentence for sentence in sentences if not sentence.caption]
    before = _underlying(chosen)
    found: list[Event] = []
    for sentence in chosen:
        for event in document.once(_told, sentence):
            known = not event.underlying and _had_before(document.text, sentence, event, before)
            found.append(replace(event, underlying=True) if known else event)
    return sorted(found, key=lambda event: (event.when, event.start, event.end))


def _told(document: Document, sentence: Sentence) -> list[Event]:
    """The events of a sentence in order, to whichever patient they happen; ``underlying`` only by its own words."""
    told = [_event(document.text, sentence, raw) for raw in _cues(document.text, sentence)]
    found = _ordered(document.text, sentence, [event for event in told if event is not None])
    kind = "named" if sentence.zone == "case" else "headline"
    for one in sentence.found:
        if one.assertion in ("present", "possible", "historical"):
            drugs, disorders = ((one.key,), ()) if one.semantic == "drug" else ((), (one.key,))
            found.append(Event(kind, sentence.index, one.start, one.end, drugs, disorders, when=one.start))
    return found


def _had_before(text: str, sentence: Sentence, event: Event, before: Mapping[str, int]) -> bool:
    """Does an event happen to what the patient had ``before``, and not to a reaction ("the swelling")?"""
    if not event.disorders or any(key not in before for key in event.disorders):
        return False
    named = event.kind in ENDS and _leads("named before", text, sentence, event.start, 60)
    return not named or any(before[key] < sentence.index for key in event.disorders)


def _underlying(sentences: Sequence[Sentence]) -> dict[str, int]:
    """Disorders that the text rather tells as indications, conditions or history, with the first sentence of each."""
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for sentence in sentences:
        for one in sentence.of("disorder"):
            first.setdefault(one.key, sentence.index)
            if one.label in ("indication", "condition") or one.assertion == "historical":
                counts[one.key] += 1
            elif one.label == "reaction":
                counts[one.key] -= 1
    return {key: first[key] for key, count in counts.items() if count > 0}


# --- what a cue tells -------------------------------------------------------------------------------------------------


def _cues(text: str, sentence: Sentence) -> Iterator[_Raw]:
    """The cues of a sentence that tell an event, with negations applied; the longest of those that overlap."""
    cues = list(islice((cue for cue in sentence.cues if FAMILY[cue.kind] in _CUED), _MOST_CUES))
    for cue in cues:
        family, _, side = cue.kind.partition(":")
        if _ruled_out(text, sentence, cue, family, side, cues):
            continue
        kind = _meant(text, sentence, cue, family, side)
        if kind == "persist" and _leads("only", text, sentence, cue.start, 60):
            kind = "improve"
        if kind is None:
            continue
        refused = None
        if kind == "restart":
            refused = _WORDING["not done"].match(text, cue.end, min(cue.end + 80, sentence.end))
        if refused is not None and not _WORDING["refused"].search(refused[0]):
            continue
        if refused is not None or (family != "cease" and _negated(text, sentence, cue)):
            if kind not in _NEGATED:
                continue
            kind = _NEGATED[kind]
        yield _Raw(kind, side, cue)


def _ruled_out(text: str, sentence: Sentence, cue: Cue, family: str, side: str, cues: Sequence[Cue]) -> bool:
    """Is a cue part of something else (a longer cue, a name), or does the text not tell that it happened?"""
    if family not in ("tolerated", "norecur") and any(
        _holds(other, cue) and (family == "fatal" or not _WORDING["afterwards"].match(text, other.end))
        for other in sentence.cued("idle")
    ):
        return True
    if family != "restart" and any(_holds(other, cue) and _rules(other, family) for other in cues):
        return True
    if not (family in _NAMED_ONLY and side == "after") and any(
        _holds(one, cue) and _part_of_name(text, one, cue, family) for one in sentence.of("disorder")
    ):
        return True
    if _leads("hypothetical", text, sentence, cue.start, 50) and not _leads("managed", text, sentence, cue.start, 50):
        return True
    return _follows("in general", text, sentence, cue)


def _rules(other: Cue, family: str) -> bool:
    """Does a longer cue rule out what a shorter one in it says ("without discontinuation")?"""
    kind = FAMILY[other.kind]
    if kind in _CONDITIONAL or (family in _NAMED_ONLY and kind == "onset"):
        return False  # "returned with rechallenge"
    return (kind in DRUG_EVENTS) == (family in DRUG_EVENTS) or kind in ("fatal", "tolerated", "norecur", "persist")


def _part_of_name(text: str, name: Found, cue: Cue, family: str) -> bool:
    """Is a cue inside a mention part of the name ("withdrawal seizure"), or what happens ("resolution of rash")?"""
    if family in DRUG_EVENTS:
        return family in ("stop", "reduce", "increase", "restart", "continue", "switch")
    if family in ("onset", "fatal"):
        return False
    return not (
        cue.end == name.end or _WORDING["transitive"].match(text, cue.end) or len(name.text.split()) > _LONGEST_NAME
    )


def _meant(text: str, sentence: Sentence, cue: Cue, family: str, side: str) -> str | None:
    """The event that a cue of a family tells where it stands; ``None`` where it tells none."""
    if family in _NAMED_ONLY:
        return _named(text, sentence, cue, family, side)
    match family:
        case "once":
            return "single" if _follows("one dose", text, sentence, cue) else None
        case "never":
            return "stop" if any(0 <= one.start - cue.end <= 1 for one in sentence.of("drug")) else None
        case "normal":
            later = _WORDING["later"].search(text, sentence.start, min(cue.end + _BESIDE, sentence.end))
            return "resolve" if later else None
        case "proved" | "disproved":
            told = "recur" if family == "proved" else "norecur"
            return told if any(_deliberate(text, other) for other in sentence.cued("restart")) else None
    return family


class _Beside(NamedTuple):
    """A word or mention that a cue may tell of; ``what``: the family of the cue, or the kind of concept."""

    start: int
    end: int
    what: str


def _named(text: str, sentence: Sentence, cue: Cue, family: str, side: str) -> str | None:
    """The event that a cue tells of the reaction, sign or function right beside it; ``None`` without one."""
    kind, words = _NAMED_ONLY[family]
    beside = _beside(sentence)
    if side == "after":
        held = [one for one in sentence.of("disorder") if _holds(one, cue) and one.end > cue.end]
        if family == "lessen" and held:  # a "drop in haemoglobin" is the reaction itself
            return None if _WORDING["amount"].search(held[0].text) else kind
        start, end, what = min((one for one in beside if one.start >= cue.end), default=_Beside(1 << 30, 0, ""))
        near = (
            start - cue.end <= _BESIDE
            and _one_clause(text, cue.end, start)
            and not _WORDING["cause"].search(text, cue.end, start)
        )
    else:
        goes_on = _leads("goes on", text, sentence, cue.start, 20)
        behind = [one for one in beside if one.end <= cue.start and not (goes_on and one.what in ("drug", "generic"))]
        start, end, what = max(
            behind, key=lambda one: (one.end, one.what != "disorder"), default=_Beside(0, -(1 << 30), "")
        )
        near = cue.start - end <= (_NEAR if goes_on else _BESIDE) and (goes_on or _one_clause(text, end, cue.start))
        if _otherwise(text, sentence, cue, family, what, beside):
            return None
    if not near:
        return None
    if what == "disorder":
        fallen = family == "lessen" and _WORDING["amount"].search(text, start, max(end, cue.start))
        return None if fallen or family == "rise" else kind
    if what not in words:
        return None
    return "resolve" if family == "return" and what == "function" else kind


def _beside(sentence: Sentence) -> list[_Beside]:
    """What the cues of a sentence may tell of: words for signs, functions and treatment, then mentions."""
    words = sentence.cued("sign", "function", "elevated", "lowered", "generic")
    found = [
        _Beside(one.start, one.end, FAMILY[one.kind]) for one in words
        if not (one.kind.startswith("function") and any(_tells_ill(name, one) for name in sentence.of("disorder")))
    ]  # fmt: skip
    return found + [
        _Beside(one.start, one.end, one.semantic) for one in sentence.found
        if not any(other.start <= one.start and one.end <= other.end for other in words)
    ]  # fmt: skip


def _tells_ill(name: Found, cue: Cue) -> bool:
    """Is a function what a mention tells to be ill ("altered mental status")?"""
    return name.start < cue.start and cue.end <= name.end


def _otherwise(text: str, sentence: Sentence, cue: Cue, family: str, what: str, beside: Sequence[_Beside]) -> bool:
    """Do the words around a verb show that it is used otherwise ("returned to the clinic", "increased density")?"""
    match family:
        case "grow":
            return not _follows("grows", text, sentence, cue)
        case "lessen":  # "fatigue, decreased muscle strength"
            listed = _WORDING["listed"].search(text, sentence.start, cue.start)
            return listed is not None and not _WORDING["grows"].match(text, cue.end)
        case "linger":
            return not _follows("remains", text, sentence, cue)
        case "return":
            return what != "function" and _WORDING["to"].match(text, cue.end) is not None
        case "abate":  # "had a rash and stopped the drug"
            return _leads("passive", text, sentence, cue.start, 20) or any(
                0 <= one.start - cue.end <= RIGHT_BEFORE and one.what in ("drug", "generic") for one in beside
            )
    return False


def _negated(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a negation right before the cue turn it round? ("did not recur" is a cue of its own.)"""
    for other in sentence.cues:
        if other.kind == "negated:forward":
            gap = cue.start - other.end
            listed = cue.kind.startswith("sequelae") and not re.search("[.;,]", text[other.end : cue.start])
            if 0 <= gap <= _NEGATION_REACH and (
                listed or _WORDING["negation gap"].fullmatch(text, other.end, cue.start)
            ):
                return True
            if cue.kind.startswith(("restart", "recur")) and any(
                (other.end, cue.start) == (one.start - 1, one.end + 1) for one in sentence.found
            ):
                return True  # "no imatinib rechallenge", "without rash recurrence"
            if other.start < cue.start < other.end:
                return True
        elif other.kind == "negated:backward" and 0 <= other.start - cue.end <= 3:
            return not cue.kind.startswith(("start", "onset", "single", "overdose"))
    if _follows("not seen", text, sentence, cue):
        return True
    return bool(cue.kind.startswith(("stop", "reduce")) and _leads("neither", text, sentence, cue.start, 90))


# --- what it happens to -----------------------------------------------------------------------------------------------


def _event(text: str, sentence: Sentence, raw: _Raw) -> Event | None:
    """The event of a cue; ``None`` where it happens to nothing that belongs to the case."""
    cue = raw.cue
    if raw.kind == "start" and _WORDING["again"].match(
        text, max(sentence.start, cue.start - 12), min(cue.end + 60, sentence.end)
    ):
        raw = raw._replace(kind="restart")
    if raw.kind in DRUG_EVENTS:
        return _drug_event(text, sentence, raw)
    return _reaction_event(text, sentence, raw)


# --- a drug -----------------------------------------------------------------------------------------------------------


def _drug_event(text: str, sentence: Sentence, raw: _Raw) -> Event | None:
    kind, side, cue = raw
    if kind in ("stop", "reduce", "increase", "continue") and side != "after" and _of_reaction(text, sentence, cue):
        return None
    if kind == "continue" and side == "after":
        if not _WORDING["object"].match(text, cue.end):
            side = "before"
        elif any(0 <= one.start - cue.end <= _BESIDE for one in sentence.of("disorder")):
            return None
    starts = [*(one.start for one in sentence.of("drug")), *(one.start for one in sentence.cued("generic"))]
    near = any(0 <= start - cue.end <= RIGHT_BEFORE for start in starts)
    if kind == "stop" and near and _WORDING["off"].search(text, cue.start, cue.end):
        side = "after"  # "she was weaned off the drug"
    drugs = _drugs(text, sentence, cue, side)
    if kind == "continue" and side == "before" and cue.kind.endswith("after") and not drugs:
        return None
    if drugs is None or (not drugs and kind in _NEEDS_OBJECT and not _refers(text, sentence, cue, side)):
        return None
    lead = text[max(sentence.start, cue.start - 60) : cue.start]
    return Event(
        kind, sentence.index, cue.start, cue.end, drugs,
        instead=_instead(text, sentence, kind, cue, drugs),
        when=cue.start,
        despite=kind in ("stop", "reduce", "switch") and _leads("despite", text, sentence, cue.start, 80),
        deliberate=kind == "restart" and (_deliberate(text, cue) or bool(_WORDING["long after"].search(lead))),
    )  # fmt: skip


def _instead(text: str, sentence: Sentence, kind: str, cue: Cue, drugs: Sequence[str]) -> tuple[str, ...]:
    """Keys of the drugs that an event leaves out, or that a switch leads to."""
    found: list[str] = []
    if not drugs:
        others = any(_all_others(text, sentence, one) for one in sentence.cued("generic"))
        found += [one.key for one in sentence.of("drug") if others or _spared(text, sentence, one)]
    if kind == "switch":
        rest = [one for one in sentence.of("drug") if one.key not in drugs and cue.start < one.start < cue.end + _NEAR]
        found += dict.fromkeys(one.key for one in rest)
    return tuple(found)


def _of_reaction(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a reaction or a sign right before a verb that mostly tells of drugs show that it tells of the reaction?"""
    ends = [*(one.end for one in sentence.of("disorder")), *(one.end for one in sentence.cued("sign"))]
    return any(
        0 < cue.start - end <= RIGHT_BEFORE and _WORDING["adverb"].fullmatch(text, end, cue.start) for end in ends
    )


def _drugs(text: str, sentence: Sentence, cue: Cue, side: str) -> tuple[str, ...] | None:
    """Keys of the drugs an event happens to; ``None`` where it happens to something that is no medicine."""
    mentions = [one for one in sentence.of("drug") if one.assertion != "family" and not _spared(text, sentence, one)]
    backward = _backward(text, sentence, cue, side, mentions)
    chosen = _members(text, cue, mentions, backward)
    if backward and not chosen and mentions and _leads("and was", text, sentence, cue.end, 80):
        first = mentions[0]
        if first.end <= cue.start and _WORDING["before subject"].fullmatch(text, sentence.start, first.start):
            chosen = [first]
    at_large = _WORDING["at large"].match(text, cue.start, cue.end)
    if chosen and not backward and at_large and not _WORDING["of"].fullmatch(text, cue.end, chosen[0].start):
        chosen = []  # "drug withdrawal led to"
    if chosen and cue.kind == "reduce:after" and not backward and chosen[0].start - cue.end > _BESIDE:
        return None
    named = _gap(chosen[0], cue) if chosen else _NEAR + 1
    generic = _nearest(text, sentence.cued("generic"), cue, backward)
    told = _gap(generic, cue) if generic is not None else _NEAR + 1
    apart = _nearest(text, sentence.cued("apart"), cue, backward)
    if generic is not None and told < named and _all_others(text, sentence, generic):
        return () if mentions else None
    medical = cue.kind.startswith("restart") and _WORDING["medical"].search(text, cue.start, cue.end)
    if apart is not None and not (medical or at_large) and _gap(apart, cue) <= min(told, named, _APART_REACH):
        return None
    if generic is not None and told <= named and not _touches(text, generic, chosen):
        chosen = [one for one in mentions if not _covers(generic, one) and _touches(text, generic, [one])]
    elif chosen and all(_is_class(one) and _other(text, sentence, one) for one in chosen):
        return None
    return tuple(dict.fromkeys(one.key for one in chosen))


def _all_others(text: str, sentence: Sentence, generic: Cue) -> bool:
    """Does a general word stand for all drugs but those named in the sentence ("while other drugs were continued")?"""
    return _leads("other", text, sentence, generic.start, 20)


def _is_class(one: Found) -> bool:
    return one.entry is not None and one.entry.kind == "class"


def _other(text: str, sentence: Sentence, one: Found) -> bool:
    """Is a class of drugs named only for its other members ("other antibiotics")?"""
    return _leads("other", text, sentence, one.start, 15)


def _spared(text: str, sentence: Sentence, one: Found) -> bool:
    """Is a drug left out of what happens to all others ("all drugs except aspirin")?"""
    return _leads("except", text, sentence, one.start, 25)


def _refers(text: str, sentence: Sentence, cue: Cue, side: str) -> bool:
    """Does an event without a named drug happen to medicines at all: by a general word, a pronoun, or left out?"""
    if _WORDING["medical"].search(text, cue.start, cue.end):
        return True
    backward = _backward(text, sentence, cue, side, ())
    if _nearest(text, sentence.cued("generic"), cue, backward) is not None:
        return True
    if backward:
        return _leads("pronoun before", text, sentence, cue.start, 40)
    return bool(_WORDING["pronoun after"].match(text, cue.end))


def _touches(text: str, generic: Cue, chosen: Sequence[Found]) -> bool:
    """Is the general word only the head of a name ("imatinib therapy", "treatment with imatinib")?"""
    return any(
        (0 <= generic.start - one.end <= 1)
        or (one.start < generic.end and generic.start < one.end and not _covers(generic, one))
        or (0 <= one.start - generic.end <= 12 and _WORDING["of"].fullmatch(text, generic.end, one.start))
        for one in chosen
    )


def _covers(generic: Cue, name: Found) -> bool:
    """Does a general word make up all of a mention that is no single drug ("the antihypertensive drugs")?"""
    special = name.entry is not None and not _is_class(name)
    return generic.start <= name.start and name.end <= generic.end and not special


def _backward(text: str, sentence: Sentence, cue: Cue, side: str, mentions: Sequence[Found]) -> bool:
    """Does the drug of a cue stand before it?"""
    if side in ("before", "after"):
        return side == "before"
    if not text.endswith("ing", cue.start, cue.end) and _leads("passive", text, sentence, cue.start, 35):
        return True
    ahead = [one for one in mentions if 0 <= one.start - cue.end <= 40 and _one_clause(text, cue.end, one.start)]
    behind = [one for one in mentions if 0 <= cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)]
    if behind and cue.start - behind[-1].end <= 2:
        return True
    if ahead and ahead[0].start - cue.end <= 25:
        return False
    return bool(behind)


# --- a reaction -------------------------------------------------------------------------------------------------------


def _reaction_event(text: str, sentence: Sentence, raw: _Raw) -> Event | None:
    kind, side, cue = raw
    if kind == "resolve" and _of_drug(text, sentence, cue):
        return None
    if cue.kind.startswith(("proved", "disproved")):
        tests = [one for one in sentence.cued("restart") if _deliberate(text, one)]
        return Event(kind, sentence.index, cue.start, cue.end, when=max(cue.start, tests[0].end) + 0.5)
    if kind == "repeat" and _WORDING["earlier"].search(text, cue.start, cue.end):
        again = sentence.cued("recur") or sentence.cued("onset")
        if not again or sentence.cued("tolerated", "norecur"):
            return None
    resolving = kind == "persist" and _WORDING["resolving"].search(text, cue.start, cue.end)
    if resolving and _WORDING["not until"].match(text, cue.end):
        kind = "resolve"
    disorders = _disorders(text, sentence, cue, side)
    if kind == "recur" and any(m.key in disorders and m.assertion == "negated" for m in sentence.of("disorder")):
        kind = "norecur"
    return Event(
        kind, sentence.index, cue.start, cue.end,
        _renewed(text, sentence, cue) if kind in ("recur", "norecur", "tolerated", "repeat") else (),
        disorders,
        when=cue.start,
        underlying=_of_disease(text, sentence, cue, kind, 12 if disorders and not _holding(sentence, cue) else _BESIDE),
        organ="" if disorders else _organ(text, sentence, cue),
        distant=_distant(text, sentence, cue, kind),
    )  # fmt: skip


def _of_drug(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a verb that may tell of drugs and of reactions ("was terminated") stand behind a drug here?"""
    if not any((other.start, other.end) == (cue.start, cue.end) for other in sentence.cued("stop")):
        return False
    drugs = [*(one.end for one in sentence.of("drug")), *(one.end for one in sentence.cued("generic"))]
    signs = [*(one.end for one in sentence.of("disorder")), *(one.end for one in sentence.cued("sign"))]
    drug, sign = (max((end for end in ends if end <= cue.start), default=-1) for ends in (drugs, signs))
    return drug > sign and _one_clause(text, drug, cue.start)


def _disorders(text: str, sentence: Sentence, cue: Cue, side: str) -> tuple[str, ...]:
    """Keys of the disorders an event happens to: the subject of a verb, or what follows a noun or a transitive verb."""
    functions = sentence.cued("function")
    mentions = [
        one for one in sentence.of("disorder")
        if one.assertion != "family" and not any(f.start <= one.start and one.end <= f.end for f in functions)
        and not _general(sentence, one)
    ]  # fmt: skip
    around = [one.key for one in mentions if _holds(one, cue)]
    if around:
        return tuple(around[:1])
    if cue.kind.startswith("fatal"):
        killed = _killing(text, sentence, cue, _BESIDE, mentions)
        if killed:
            return tuple(one.key for one in _members(text, cue, killed, backward=False))
    if side != "after" and not _governs(text, cue) and _leads("patient", text, sentence, cue.start, 60):
        return ()  # the patient, not what was named last
    after = _members(text, cue, mentions, backward=False)
    before = _members(text, cue, mentions, backward=True)
    if before and any(
        before[0].end + 1 < one.start and one.end <= cue.start for one in (*functions, *sentence.cued("sign"))
    ):
        before = []  # "despite better vision, the other findings remained"
    if after and any(cue.start <= one.start and one.end < after[0].start for one in sentence.cued("sign")):
        after = []  # "resolution of all symptoms, weight gain"
        before = [] if _governs(text, cue) else before
    if before and after and _WORDING["along with"].search(text, cue.end, after[0].start):
        after = []  # "the rash resolved in two weeks with mild pigmentation"
    if side == "after":
        chosen = after
    elif side == "before":
        chosen = before
    elif _governs(text, cue) and after and after[0].start - cue.end <= 60:
        chosen = after
    elif before:
        chosen = before
    else:
        chosen = after if after and re.fullmatch(r"\W*(?:\w+\W+)?", text[cue.end : after[0].start]) else []
    return tuple(dict.fromkeys(one.key for one in chosen))


def _general(sentence: Sentence, name: Found) -> bool:
    """Does a mention name nothing in particular ("toxicity", "symptoms", "skin lesions")?"""
    if name.entry is not None:
        return name.entry.kind == "event"
    return any(name.start <= sign.start and sign.end == name.end for sign in sentence.cued("sign"))


def _renewed(text: str, sentence: Sentence, cue: Cue) -> tuple[str, ...]:
    """Keys of the drugs that a recurrence (or its absence) is told to follow: "recurred when she took imatinib"."""
    lead = _WORDING["renewed"].match(text, cue.end, min(cue.end + 60, sentence.end))
    if lead is None:
        return ()
    start = lead.end()
    first = [one for one in sentence.of("drug") if start <= one.start <= start + 60]
    if not first or any(start - 2 <= other.start <= first[0].end + 25 for other in sentence.cued("stop", "reduce")):
        return ()
    return tuple(one.key for one in first)


def _holding(sentence: Sentence, cue: Cue) -> bool:
    """Is a cue part of a mention ("reduced in size")?"""
    return any(one.start <= cue.start and cue.end <= one.end for one in sentence.of("disorder"))


def _of_disease(text: str, sentence: Sentence, cue: Cue, kind: str, reach: int) -> bool:
    """Is a word for the illness under treatment the subject of the event, or what its noun is of?"""
    words = sentence.cued("disease")
    if kind == "fatal":
        killed = _killing(text, sentence, cue, 60, words)
        if killed is None:
            lead = [one for one in words if 0 <= cue.start - one.end <= 60]
            return bool(lead) and _leads("progress", text, sentence, cue.start, 100)
        return bool(killed)
    if any(0 <= cue.start - one.end <= reach and _one_clause(text, one.end, cue.start) for one in words):
        return True
    return _governs(text, cue) and any(0 <= one.start - cue.end <= 25 for one in words)


def _killing(text: str, sentence: Sentence, cue: Cue, reach: int, named: Sequence[T]) -> list[T] | None:
    """Which of some names stand where a death is told of its cause ("died of"); ``None`` where it is told of none."""
    cause = _WORDING["cause of death"].match(text, cue.start, min(cue.end + reach, sentence.end))
    return None if cause is None else [one for one in named if 0 <= one.start - cause.end() <= _BESIDE]


def _organ(text: str, sentence: Sentence, cue: Cue) -> str:
    """The organ whose function or finding stands right before an event, or behind a noun ("normalization of")."""
    findings = sentence.cued("function", "elevated", "lowered")
    beside = [
        one for one in findings
        if one.start < cue.start <= one.end + _BESIDE and _one_clause(text, one.end, cue.start)
    ]  # fmt: skip
    if not beside and _governs(text, cue):
        beside = [
            one for one in findings if 0 <= one.start - cue.end <= _BESIDE and _one_clause(text, cue.end, one.start)
        ]
    named = {organ for one in beside for organ in organs(text[one.start : one.end])}
    return named.pop() if len(named) == 1 else ""


def _distant(text: str, sentence: Sentence, cue: Cue, kind: str) -> bool:
    """Is an event one of an episode of the past, or a death long after the reaction?"""
    if kind == "fatal":
        around = text[max(sentence.start, cue.start - 50) : min(cue.end + 50, sentence.end)]
        return (
            _WORDING["death"].match(text, cue.start) is not None
            and _WORDING["long after death"].search(around) is not None
        )
    return kind in BETTER and _leads("earlier", text, sentence, cue.start, 150)


# --- order ------------------------------------------------------------------------------------------------------------


def _ordered(text: str, sentence: Sentence, told: Sequence[Event]) -> list[Event]:
    """Put what happened to a drug before the reaction events that its clause is subordinate to.

    "Improved after withdrawal", "recurred on re-exposure": told last, happened first.  "Persisted until withdrawal"
    says that the reaction ended then.
    """
    result = list(told)
    for index, event in enumerate(result):
        if event.kind in ("stop", "switch"):
            again = [other for other in result if other.kind == "restart" and other.start < event.start]
            if again and _WORDING["since stop"].search(text, again[-1].end, event.start):
                result[index] = replace(event, when=again[-1].when - 0.5)  # "restarted a month after withdrawal"
                continue
        if event.kind not in ("stop", "reduce", "switch", "restart", "continue", "start"):
            continue
        earlier = [
            number for number, other in enumerate(result)
            if other.kind in REACTION_EVENTS and other.kind != "onset" and other.start < event.start
            and (not _WORDING["consequence"].search(text, other.end, event.start) or _together(text, other, event))
        ]  # fmt: skip
        if not earlier or _leads("before", text, sentence, event.start, 50):
            continue
        last = result[earlier[-1]]
        inside = _WORDING["by"].search(text, last.start, last.end)  # "recovered with"
        lead = text[inside.start() if inside else last.end : event.start]
        if not (
            _WORDING["subordinate"].search(lead)
            or _WORDING["subordinating"].match(text, event.start)
            or event.despite
            or _together(text, last, event)
        ):
            continue
        if _WORDING["until"].search(lead) and last.kind in WORSE:
            result[earlier[-1]] = replace(last, kind="improve", when=event.start + 0.5)
            continue
        result[index] = replace(event, when=last.when - 0.5)
    return result


def _together(text: str, told: Event, event: Event) -> bool:
    """Is an event the last of several that another followed ("resolved with rest, fluids, and withdrawal of X")?"""
    return (
        _WORDING["noun"].match(text, event.start) is not None
        and _WORDING["together"].search(text, told.end, event.start) is not None
    )


# --- places -----------------------------------------------------------------------------------------------------------


def _leads(name: str, text: str, sentence: Sentence, place: int, reach: int) -> bool:
    """Does such wording lead to a place of a sentence, within so many code points before it?"""
    return _WORDING[name].search(text, max(sentence.start, place - reach), place) is not None


def _follows(name: str, text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does such wording follow a cue at once?"""
    return _WORDING[name].match(text, cue.end, sentence.end) is not None


def _deliberate(text: str, restart: Cue) -> bool:
    """Is a re-exposure a test ("challenge")?"""
    return _WORDING["deliberate"].search(text, restart.start, restart.end) is not None


def _governs(text: str, cue: Cue) -> bool:
    """Does what a cue happens to follow it ("resolution of", "ameliorated the")?"""
    return bool(
        _WORDING["transitive"].match(text, cue.end) or _WORDING["transitive itself"].search(text, cue.start, cue.end)
    )


def _one_clause(text: str, start: int, end: int) -> bool:
    """Is there no border of a clause between two places? A relative pronoun right after a name stands for it."""
    relative = _WORDING["relative"].match(text, start, end)
    return not _WORDING["border"].search(text, relative.end() if relative else start, end)


def _holds(outer: Cue | Found, inner: Cue) -> bool:
    """Does one stretch hold another, shorter one?"""
    return outer.start <= inner.start and inner.end <= outer.end and (outer.end - outer.start > inner.end - inner.start)


def _gap(one: Cue | Found, cue: Cue) -> int:
    return cue.start - one.end if one.end <= cue.start else max(0, one.start - cue.end)


def _nearest(text: str, cues: Sequence[Cue], cue: Cue, backward: bool) -> Cue | None:
    """The word nearest to an event, on one side of it and in its clause."""
    if backward:
        fit = [one for one in cues if 0 <= cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)]
    else:
        fit = [
            one
            for one in cues
            if cue.end < one.end
            and one.start - cue.end <= _NEAR
            and _one_clause(text, cue.end, one.start)
            and one.start > cue.start
        ]
    return min(fit, key=lambda one: _gap(one, cue), default=None)


def _members(text: str, cue: Cue, mentions: Sequence[Found], backward: bool) -> list[Found]:
    """The mention nearest to a cue on one side, and those of the list it belongs to."""
    if backward:
        fit = [
            one for one in reversed(mentions)
            if one.end <= cue.start and cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)
        ]  # fmt: skip
    else:
        fit = [
            one for one in mentions
            if one.start >= cue.end - 1 and one.start - cue.end <= _NEAR and _one_clause(text, cue.end, one.start)
        ]  # fmt: skip
    members = fit[:1]
    for one in fit[1:]:
        left, right = (one, members[-1]) if backward else (members[-1], one)
        if not LIST.fullmatch(text, left.end, right.start):
            break
        members.append(one)
    return members
