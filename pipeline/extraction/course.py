"""Reads the course of a case: what happened to which drug and which reaction, in narrative order.

Belongs here: events and what follows from their order (dechallenge, rechallenge, outcome, action taken).  Does not
belong here: which drugs are suspects and which disorders are reactions (``candidates``) and the phrases
(``mappings/extraction/cues/{drug,reaction}_events.tsv``).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple

from pipeline.extraction.cues import Cue
from pipeline.extraction.document import LIST, Document, Found, Sentence
from pipeline.records import ActionTaken, Dechallenge, Evidence, Outcome, Rechallenge

DrugEvent = Literal[
    "start", "stop", "reduce", "increase", "restart", "continue", "switch", "single", "overdose", "ongoing"
]
ReactionEvent = Literal[
    "onset", "resolve", "improve", "discharge", "persist", "worsen", "sequelae", "fatal",
    "recur", "norecur", "tolerated", "repeat",
]  # fmt: skip
_DRUG_EVENTS = frozenset(DrugEvent.__args__)  # type: ignore[attr-defined]
_REACTION_EVENTS = frozenset(ReactionEvent.__args__)  # type: ignore[attr-defined]
_BETTER = frozenset({"resolve", "improve", "discharge"})
_WORSE = frozenset({"persist", "worsen"})
_ENDS = _BETTER | _WORSE | {"sequelae", "fatal", "recur", "norecur"}
_NEGATED = {  # what an event becomes under a negation; the others then say nothing
    "stop": "continue", "reduce": "continue", "continue": "stop", "resolve": "persist", "improve": "persist",
    "persist": "resolve", "recur": "norecur", "sequelae": "resolve",
}  # fmt: skip

_MOST_CUES = 80
"""Event cues of one sentence that are looked at: what has more is no sentence, and reading it must stay linear."""
_NEAR = 120
_APART_REACH = 30
_LONGEST_NAME = 4
_SOON = 3
"""Sentences within which the result of a re-exposure is told."""
_BORDER = re.compile(
    r"[;:]|,? (?:and|but|while|whereas|although|though|however) (?:then |finally |subsequently )?"
    r"(?:he|she|it|they|we|the patient|the|was|were|there|his|her|a|an)\b|"
    r", (?:but|whereas|which|who|while|although)\b"
)
_RELATIVE = re.compile(r"(?:\s?\([^)]{0,30}\))?,? (?:which|that|who)\b")
_PASSIVE = re.compile(r"\b(?:was|were|been|being|is|are|be)\b[^,;.]{0,25}$", re.IGNORECASE)
_OF = re.compile(r"\s*(?:of|with|by|,|\()?\s*")
_TRANSITIVE = re.compile(r"\s+(?:of|in|from|to|the|his|her|their|both|all|any)\b", re.IGNORECASE)
_SUBORDINATE = re.compile(
    r"\b(?:(?:after|following|upon|once|when|whenever|since|as soon as|despite|in spite of|notwithstanding|because of|"
    r"due to|until|till|each time|every time|even after|even though|although|"
    r"(?:days?|hours?|h|weeks?|months?|minutes?) (?:of|post|from|off))\b[^,;.]{0,60}"
    r"|(?:with|by|on|under|during|through)\b(?:(?!\band\b)[^,;.]){0,60})$",
    re.IGNORECASE,
)
_SUBORDINATING = re.compile(r"(?:after|while|once|upon|when|under|despite|during|following)\b", re.IGNORECASE)
_EXCEPT = re.compile(
    r"\b(?:except(?: for)?|excluding|other than|apart from|aside from|save)\s+(?:the\s+)?$", re.IGNORECASE
)
_DESPITE = re.compile(
    r"\b(?:despite|in spite of|notwithstanding|even after|even though|although|regardless of|irrespective of)\b"
    r"[^.;]{0,60}$",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"\b(?:until|till)\b[^.;,]{0,60}$", re.IGNORECASE)
_NOT_UNTIL = re.compile(r"[^.;,]{0,12}?\suntil\b", re.IGNORECASE)
_RESOLVES = re.compile(r"resolv|recover|disappear|subside|return|abate|normal|clear", re.IGNORECASE)
_BEFORE = re.compile(r"\b(?:before|prior to|without)\b[^.;,]{0,40}$", re.IGNORECASE)
_HYPOTHETICAL = re.compile(
    r"\b(?:should|must|may|might|would|can|cannot|if|to avoid|avoid|consider(?:ed|ing)?|plan(?:ned|s)? to|"
    r"risk of|unless|"
    r"in case of|potential(?:ly)?|to achieve|to obtain|in order to|to facilitate|to allow|prevent(?:ed|ing)?|"
    r"no longer|instead of|refused|declined|possible|possibility of)"
    r"(?:\s+(?:be|to|the|a|an|have|been|for|of|any|immediately|promptly|\w+ly)){0,3}\s*$",
    re.IGNORECASE,
)
_NOT_DONE = re.compile(
    r"^(?:\s+[\w-]+){0,4}?\s+(?:was|were|is|has been)\s+"
    r"(?:(?:therefore|thus|also|then|deemed|strictly)\s+){0,3}"
    r"(?:not|never|refused|declined|contraindicated|avoided|discouraged|unethical|considered|advised against|too)\b",
    re.IGNORECASE,
)
_NEGATION_GAP = re.compile(
    r"(?:\s+(?:any|further|significant|clinical|clear|substantial|marked|apparent|evidence of|signs? of|yet|been|"
    r"be|have|has|had|noticeable|other|recent|the|his|her|to|in|major|immediate|definite|real|obvious|subsequent|"
    r"treatment|drug|dose|therapy|necessitated?|requir(?:e|ed|ing)|lead|led to|\w+ly))*\s*"
)
_NEITHER = re.compile(r"\b(?:neither|none|nor)\b[^.;]{0,80}$", re.IGNORECASE)
_NEGATION_REACH = 40
_NEEDS_OBJECT = frozenset({"stop", "reduce", "increase", "switch", "restart", "continue"})
_MEDICAL = re.compile(
    r"dos(?:e|age)|drug|therapy|treatment|medication|challeng|expos|dechallenge|taking|administ", re.IGNORECASE
)
_PRONOUN_BEFORE = re.compile(
    r"\b(?:it|this|these|they|both|all|which|that|former|latter|and|dose|dosage|doses|the two|the three)"
    r"\s*(?:\w+ly\s*)?$",
    re.IGNORECASE,
)
_PRONOUN_AFTER = re.compile(
    r"\s*(?:$|[.,;:)]|(?:it|this|these|them|both|all|the (?:former|latter)|the two|either|because|due|after|when|"
    r"and|but|on|at|within|in|immediately|by|led|resulted|was|were|is|did|he|she|his|her|with|for|until|\d)\b)",
    re.IGNORECASE,
)
_CONSEQUENCE = re.compile(r";|, (?:and|but|so|therefore|whereupon|prompting|leading|which)\b")
_DELIBERATE = re.compile(r"challeng|provocation|provoked", re.IGNORECASE)
_OBJECT = re.compile(
    r"\s+(?:(?:the|her|his|their|on|oral|long-term|low-dose|high-dose|maintenance|daily|same|dose|of)\s+)*"
    r"(?!to\b|despite\b|until\b|for\b|after\b|in\b|at\b|over\b|and\b|with\b|without\b|during\b|as\b)\w",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"[^,;.]*\b(?:again|once more|(?:a|the|for the) second time)\b", re.IGNORECASE)
_LONG_AFTER = re.compile(r"\b(?:months?|years?)\s+(?:later|after|thereafter|afterwards?)\b", re.IGNORECASE)
_RENEWED = re.compile(
    r"^[^.;,]{0,25}?\s(?:after|with|on|upon|when|whenever|following|during|once|each time|every time|in response to)\s",
    re.IGNORECASE,
)
_CAUSE_OF_DEATH = re.compile(r".{0,40}?\b(?:of|from|due to|because of|secondary to|as a result of)\s", re.IGNORECASE)


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

    @property
    def span(self) -> tuple[int, int]:
        """Its place in the text."""
        return (self.start, self.end)


class _Raw(NamedTuple):
    kind: str
    side: str
    cue: Cue


def events(document: Document, sentences: Iterable[Sentence]) -> list[Event]:
    """The events of some sentences of the case, in the order in which they happened as far as the text tells it.

    Captions tell no course: what they show happened where the narrative tells it, not at the end of the text.
    """
    chosen = [sentence for sentence in sentences if not sentence.caption]
    before = _underlying(chosen)
    found: list[Event] = []
    for sentence in chosen:
        told = [_event(document.text, sentence, raw, before) for raw in _cues(document.text, sentence)]
        found += _ordered(document.text, sentence, [event for event in told if event is not None])
        kind = "named" if sentence.zone == "case" else "headline"
        for one in sentence.found:
            if one.assertion in ("present", "possible", "historical"):
                place = (kind, sentence.index, one.start, one.end)
                drugs, disorders = ((one.key,), ()) if one.semantic == "drug" else ((), (one.key,))
                found.append(Event(*place, drugs, disorders, when=one.start, underlying=one.key in before))
    return sorted(found, key=lambda event: (event.when, event.start, event.end))


def _underlying(sentences: Sequence[Sentence]) -> frozenset[str]:
    """Keys of the disorders that the text rather tells as indications, conditions or history."""
    counts: Counter[str] = Counter()
    for sentence in sentences:
        for one in sentence.of("disorder"):
            if one.label in ("indication", "condition") or one.assertion == "historical":
                counts[one.key] += 1
            elif one.label == "reaction":
                counts[one.key] -= 1
    return frozenset(key for key, count in counts.items() if count > 0)


# --- one event --------------------------------------------------------------------------------------------------------


def _cues(text: str, sentence: Sentence) -> Iterator[_Raw]:
    """The cues of a sentence that tell an event, with negations applied; the longest of those that overlap."""
    idle = sentence.cued("idle")
    every = (cue for cue in sentence.cues if cue.kind.partition(":")[0] in _DRUG_EVENTS | _REACTION_EVENTS)
    events = list(islice(every, _MOST_CUES))
    disorders = sentence.of("disorder")
    for cue in events:
        family, _, side = cue.kind.partition(":")
        if family not in ("tolerated", "norecur") and any(_holds(other, cue) for other in idle):
            continue
        if family != "restart" and any(_holds(other, cue) and _rules(other, family) for other in events):
            continue
        if any(_holds(one, cue) and _part_of_name(text, one, cue, family) for one in disorders):
            continue
        if _HYPOTHETICAL.search(text, max(sentence.start, cue.start - 50), cue.start):
            continue
        if family == "restart" and _NOT_DONE.search(text[cue.end : min(cue.end + 80, sentence.end)]):
            continue
        if _negated(text, sentence, cue):
            if family not in _NEGATED:
                continue
            family = _NEGATED[family]
        yield _Raw(family, side, cue)


def _rules(other: Cue, family: str) -> bool:
    """Does a longer cue rule out what a shorter one in it says ("without discontinuation")?"""
    kind = other.kind.partition(":")[0]
    return (kind in _DRUG_EVENTS) == (family in _DRUG_EVENTS) or kind in ("fatal", "tolerated", "norecur", "persist")


def _part_of_name(text: str, name: Found, cue: Cue, family: str) -> bool:
    """Is a cue inside a mention part of the name ("withdrawal seizure"), or what happens ("resolution of rash")?"""
    if family in _DRUG_EVENTS:
        return family in ("stop", "reduce", "increase", "restart", "continue", "switch")
    if family in ("onset", "fatal"):
        return False
    return not (cue.end == name.end or _TRANSITIVE.match(text, cue.end) or len(name.text.split()) > _LONGEST_NAME)


def _holds(outer: Cue | Found, inner: Cue) -> bool:
    """Does one stretch hold another, shorter one?"""
    return outer.start <= inner.start and inner.end <= outer.end and (outer.end - outer.start > inner.end - inner.start)


def _negated(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a negation right before the cue turn it round? ("did not recur" is a cue of its own.)"""
    for other in sentence.cues:
        if other.kind == "negated:forward":
            gap = cue.start - other.end
            listed = cue.kind.startswith("sequelae") and not re.search("[.;,]", text[other.end : cue.start])
            if 0 <= gap <= _NEGATION_REACH and (listed or _NEGATION_GAP.fullmatch(text, other.end, cue.start)):
                return True
            if other.start < cue.start < other.end:
                return True
        elif other.kind == "negated:backward" and 0 <= other.start - cue.end <= 3:
            return not cue.kind.startswith(("start", "onset", "single", "overdose"))
    return bool(
        cue.kind.startswith(("stop", "reduce"))
        and _NEITHER.search(text, max(sentence.start, cue.start - 90), cue.start)
    )


def _event(text: str, sentence: Sentence, raw: _Raw, before: Collection[str]) -> Event | None:
    kind, side, cue = raw
    despite = False
    if kind == "start" and _AGAIN.match(text, max(sentence.start, cue.start - 12), min(cue.end + 60, sentence.end)):
        kind = "restart"
    if kind in _DRUG_EVENTS:
        drugs = _drugs(text, sentence, cue, side)
        if kind == "continue" and side == "after" and not _OBJECT.match(text, cue.end):
            return None
        if drugs is None or (not drugs and kind in _NEEDS_OBJECT and not _refers(text, sentence, cue, side)):
            return None
        instead: tuple[str, ...] = ()
        if not drugs:
            instead = tuple(one.key for one in sentence.of("drug") if _spared(text, sentence, one))
        if kind == "switch":
            rest = [
                one.key
                for one in sentence.of("drug")
                if one.key not in drugs and cue.start < one.start < cue.end + _NEAR
            ]
            instead += tuple(dict.fromkeys(rest))
        if kind in ("stop", "reduce", "switch"):
            despite = bool(_DESPITE.search(text, max(sentence.start, cue.start - 80), cue.start))
        lead = text[max(sentence.start, cue.start - 60) : cue.start]
        deliberate = kind == "restart" and bool(
            _DELIBERATE.search(text, cue.start, cue.end) or _LONG_AFTER.search(lead)
        )
        return Event(
            kind,
            sentence.index,
            cue.start,
            cue.end,
            drugs,
            (),
            instead,
            cue.start,
            despite=despite,
            deliberate=deliberate,
        )
    disorders = _disorders(text, sentence, cue, side)
    drugs = _renewed(text, sentence, cue) if kind in ("recur", "norecur", "tolerated", "repeat") else ()
    underlying = bool(disorders) and all(key in before for key in disorders)
    if kind == "persist" and _RESOLVES.search(text, cue.start, cue.end) and _NOT_UNTIL.match(text, cue.end):
        kind = "resolve"
    if kind == "recur" and any(m.key in disorders and m.assertion == "negated" for m in sentence.of("disorder")):
        kind = "norecur"
    underlying = underlying or _of_disease(text, sentence, cue, kind, reach=12 if disorders else 30)
    return Event(kind, sentence.index, cue.start, cue.end, drugs, disorders, (), cue.start, underlying)


def _drugs(text: str, sentence: Sentence, cue: Cue, side: str) -> tuple[str, ...] | None:
    """Keys of the drugs an event happens to; ``None`` where it happens to something that is no medicine."""
    mentions = [one for one in sentence.of("drug") if one.assertion != "family" and not _spared(text, sentence, one)]
    backward = _backward(text, sentence, cue, side, mentions)
    chosen = _members(text, cue, mentions, backward)
    named = _gap(chosen[0], cue) if chosen else _NEAR + 1
    generic = _nearest(text, sentence.cued("generic"), cue, backward)
    at_large = _gap(generic, cue) if generic is not None else _NEAR + 1
    apart = _nearest(text, sentence.cued("apart"), cue, backward)
    if apart is not None and _gap(apart, cue) <= min(at_large, named, _APART_REACH):
        return None
    if generic is not None and at_large <= named and not _touches(text, generic, chosen):
        return ()
    return tuple(dict.fromkeys(one.key for one in chosen))


def _spared(text: str, sentence: Sentence, one: Found) -> bool:
    """Is a drug left out of what happens to all others ("all drugs except aspirin")?"""
    return bool(_EXCEPT.search(text, max(sentence.start, one.start - 25), one.start))


def _refers(text: str, sentence: Sentence, cue: Cue, side: str) -> bool:
    """Does an event without a named drug happen to medicines at all: by a general word, a pronoun, or left out?"""
    if _MEDICAL.search(text, cue.start, cue.end):
        return True
    backward = _backward(text, sentence, cue, side, ())
    if _nearest(text, sentence.cued("generic"), cue, backward) is not None:
        return True
    if backward:
        return bool(_PRONOUN_BEFORE.search(text, max(sentence.start, cue.start - 40), cue.start))
    return bool(_PRONOUN_AFTER.match(text, cue.end))


def _touches(text: str, generic: Cue, chosen: Sequence[Found]) -> bool:
    """Is the general word only the head of a name ("imatinib therapy", "treatment with imatinib")?"""
    return any(
        (0 <= generic.start - one.end <= 1)
        or (one.start < generic.end and generic.start < one.end and not _covers(generic, one))
        or (0 <= one.start - generic.end <= 12 and _OF.fullmatch(text, generic.end, one.start))
        for one in chosen
    )


def _covers(generic: Cue, name: Found) -> bool:
    """Does a general word make up all of a mention that is no single drug ("the antihypertensive drugs")?"""
    special = name.entry is not None and name.entry.kind != "class"
    return generic.start <= name.start and name.end <= generic.end and not special


def _backward(text: str, sentence: Sentence, cue: Cue, side: str, mentions: Sequence[Found]) -> bool:
    """Does the drug of a cue stand before it?"""
    if side in ("before", "after"):
        return side == "before"
    if _PASSIVE.search(text, max(sentence.start, cue.start - 35), cue.start):
        return True
    ahead = [one for one in mentions if 0 <= one.start - cue.end <= 40 and _one_clause(text, cue.end, one.start)]
    behind = [one for one in mentions if 0 <= cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)]
    if behind and cue.start - behind[-1].end <= 2:
        return True
    if ahead and ahead[0].start - cue.end <= 25:
        return False
    return bool(behind)


def _one_clause(text: str, start: int, end: int) -> bool:
    """Is there no border of a clause between two places? A relative pronoun right after a name stands for it."""
    relative = _RELATIVE.match(text, start, end)
    return not _BORDER.search(text, relative.end() if relative else start, end)


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


def _disorders(text: str, sentence: Sentence, cue: Cue, side: str) -> tuple[str, ...]:
    """Keys of the disorders an event happens to: the subject of a verb, or what follows a noun or a transitive verb."""
    mentions = [one for one in sentence.of("disorder") if one.assertion != "family"]
    around = [one.key for one in mentions if _holds(one, cue)]
    if around:
        return tuple(around[:1])
    after = _members(text, cue, mentions, backward=False)
    before = _members(text, cue, mentions, backward=True)
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


def _governs(text: str, cue: Cue) -> bool:
    """Does what a cue happens to follow it ("resolution of", "ameliorated the")?"""
    return bool(_TRANSITIVE.match(text, cue.end)) or text[cue.start : cue.end].lower().endswith((" of", " in", " from"))


def _renewed(text: str, sentence: Sentence, cue: Cue) -> tuple[str, ...]:
    """Keys of the drugs that a recurrence (or its absence) is told to follow: "recurred when she took imatinib"."""
    lead = _RENEWED.match(text[cue.end : min(cue.end + 60, sentence.end)])
    if lead is None:
        return ()
    start = cue.end + lead.end()
    first = [one for one in sentence.of("drug") if start <= one.start <= start + 60]
    if not first or any(start - 2 <= other.start <= first[0].end + 25 for other in sentence.cued("stop", "reduce")):
        return ()
    return tuple(one.key for one in first)


def _of_disease(text: str, sentence: Sentence, cue: Cue, kind: str, reach: int) -> bool:
    """Is a word for the illness under treatment the subject of the event, or what its noun is of?"""
    words = sentence.cued("disease")
    if kind == "fatal":
        cause = _CAUSE_OF_DEATH.match(text, cue.start, min(cue.end + 60, sentence.end))
        return cause is not None and any(0 <= one.start - cause.end() <= 40 for one in words)
    if any(0 <= cue.start - one.end <= reach and _one_clause(text, one.end, cue.start) for one in words):
        return True
    return _governs(text, cue) and any(0 <= one.start - cue.end <= 25 for one in words)


# --- order ------------------------------------------------------------------------------------------------------------


def _ordered(text: str, sentence: Sentence, told: Sequence[Event]) -> list[Event]:
    """Put what happened to a drug before the reaction events that its clause is subordinate to.

    "Improved after withdrawal", "recurred on re-exposure": told last, happened first.  "Persisted until withdrawal"
    says that the reaction ended then.
    """
    result = list(told)
    for index, event in enumerate(result):
        if event.kind not in ("stop", "reduce", "switch", "restart", "continue", "start"):
            continue
        earlier = [
            number for number, other in enumerate(result)
            if other.kind in _REACTION_EVENTS and other.kind != "onset" and other.start < event.start
            and not _CONSEQUENCE.search(text, other.end, event.start)
        ]  # fmt: skip
        if not earlier or _BEFORE.search(text, max(sentence.start, event.start - 50), event.start):
            continue
        last = result[earlier[-1]]
        lead = text[last.end : event.start]
        if not (_SUBORDINATE.search(lead) or _SUBORDINATING.match(text, event.start) or event.despite):
            continue
        if _UNTIL.search(lead) and last.kind in _WORSE:
            result[earlier[-1]] = replace(last, kind="improve", when=event.start + 0.5)
            continue
        result[index] = replace(event, when=min(result[n].when for n in earlier[-1:]) - 0.5)
    return result


# --- what follows -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Course:
    """What the events of a case say about one drug and one reaction; every field with its evidence."""

    dechallenge: Dechallenge = "unknown"
    rechallenge: Rechallenge = "unknown"
    action: ActionTaken = "unknown"
    dechallenge_evidence: Evidence | None = None
    rechallenge_evidence: Evidence | None = None
    action_evidence: Evidence | None = None


def course(
    story: Sequence[Event], drug: Collection[str], reaction: Collection[str], others: Collection[str] = ()
) -> Course:
    """Dechallenge, rechallenge and action taken for one drug and one reaction.

    ``drug`` and ``reaction`` are the keys of the two concepts.  An event that names drugs is about those, one that
    names none is about the suspects.  ``others`` are keys of the other reactions: what happens to those alone does not
    count.
    """
    result = Course()
    names = (e.start for e in story if e.kind in ("named", "headline") and set(e.drugs) & set(drug))
    first = min(names, default=-1)
    happened = [e for e in story if e.kind in _DRUG_EVENTS and _to_drug(e, drug, first)]
    course_of_it = [e for e in story if e.kind in _REACTION_EVENTS and _about(e, reaction, others)]
    begin = _begin(story, reaction)
    ends = [e for e in happened if e.kind in ("stop", "switch", "reduce")]
    ends = [e for e in ends if e.when >= begin] or ends
    restarts = _restarts(happened, ends, course_of_it, drug)
    taken = {e.sentence for e in story if set(e.drugs) & set(drug)}
    _rechallenge(result, ends, restarts, happened, course_of_it, taken)
    _dechallenge(result, ends, restarts, course_of_it, story, drug)
    resumed = _restarts(happened, ends, [e for e in story if e.kind in _REACTION_EVENTS], drug)
    _action(result, ends, resumed, happened, taken, begin, *outcome(story, reaction, others))
    return result


def _restarts(
    happened: Sequence[Event], ends: Sequence[Event], course_of_it: Sequence[Event], drug: Collection[str]
) -> list[Event]:
    """Re-exposures: told as such, or by what followed the drug after it was stopped or the reaction was over."""
    again = [e for e in happened if e.kind == "restart"]
    for event in course_of_it:
        if event.kind in ("recur", "norecur", "tolerated") and set(event.drugs) & set(drug):
            over = any(e.when < event.when for e in ends)
            if over or any(e.kind in _BETTER and e.when < event.when for e in course_of_it):
                again.append(event)
    return sorted(again, key=lambda e: e.when)


def _dechallenge(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], course_of_it: Sequence[Event],
    story: Sequence[Event], drug: Collection[str],
) -> None:  # fmt: skip
    """Did the reaction abate after stop or reduction, before any re-exposure? (ICH E2B(R3) G.k.9.i.)"""
    for end in ends:
        until = next((r.when for r in restarts if r.when > end.when), float("inf"))
        window = [e for e in course_of_it if end.when <= e.when < until and e.kind in _ENDS]
        better = next((e for e in window if e.kind in _BETTER or e.kind == "norecur"), None)
        worse = next((e for e in window if e.kind in _WORSE), None)
        if better is not None and not (
            worse is not None and worse.when < better.when and (end.despite or _treated(story, worse, better, drug))
        ):
            result.dechallenge, result.dechallenge_evidence = "positive", [end.span, better.span]
            return
        fatal = next((e for e in window if e.kind == "fatal"), None)
        failed = worse or (fatal if end.despite else None)
        if failed is not None:
            result.dechallenge, result.dechallenge_evidence = "negative", [end.span, failed.span]
        elif fatal is not None and result.dechallenge == "unknown":
            result.dechallenge, result.dechallenge_evidence = "not_applicable", [end.span, fatal.span]


def _treated(story: Sequence[Event], worse: Event, better: Event, drug: Collection[str]) -> bool:
    """Was another drug given between what went badly and what went well?"""
    return any(
        e.kind in ("start", "named")
        and e.drugs
        and not set(e.drugs) & set(drug)
        and worse.when < e.when < better.end + 60
        for e in story
    )


def _rechallenge(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], happened: Sequence[Event],
    course_of_it: Sequence[Event], taken: Collection[int],
) -> None:  # fmt: skip
    """Did the reaction come back on re-exposure? At any of several counts (ICH E2B(R3) G.k.9.i.4)."""
    for again in restarts:
        after = [
            e for e in course_of_it
            if e.when >= again.when and e.sentence <= again.sentence + _SOON
        ]  # fmt: skip
        came_back = next((e for e in after if e.kind in ("recur", "worsen", "repeat")), None)
        if came_back is not None:
            result.rechallenge, result.rechallenge_evidence = "positive", _spans(again, came_back)
            return
        on = next(
            (e for e in happened if e.kind == "continue" and again.when < e.when and e.sentence <= again.sentence + 1),
            None,
        )
        stayed_away = next((e for e in after if e.kind in ("norecur", "tolerated")), on)
        if stayed_away is not None:
            result.rechallenge, result.rechallenge_evidence = "negative", _spans(again, stayed_away)
        elif result.rechallenge_evidence is None:
            result.rechallenge_evidence = [again.span]
    if restarts:
        return
    repeat = next((e for e in course_of_it if e.kind == "repeat" and e.sentence in taken), None)
    if repeat is not None:
        result.rechallenge, result.rechallenge_evidence = "positive", [repeat.span]
    elif any(e.kind in ("stop", "switch") for e in ends):
        result.rechallenge = "not_done"


def _spans(*told: Event) -> Evidence:
    return list(dict.fromkeys(event.span for event in told))


def _action(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], happened: Sequence[Event],
    taken: Collection[int], begin: float, ended: Outcome, death: Evidence,
) -> None:  # fmt: skip
    """What was done with the drug (ICH E2B(R3) G.k.8), and the dechallenge where nothing could be or was stopped."""
    stop = next((e for e in ends if e.kind in ("stop", "switch")), None)
    reduce = next((e for e in ends if e.kind == "reduce"), None)
    going_on = next((e for e in happened if e.kind == "continue"), None)
    raised = next((e for e in happened if e.kind == "increase" and e.when >= begin >= 0), None)
    once = next((e for e in happened if e.kind in ("overdose", "single") and e.sentence in taken), None)
    again = next((e for e in restarts if stop is not None or e.kind == "restart"), None)
    if stop is not None or again is not None:
        resumed = again is not None and (stop is None or stop.when < again.when) and not again.deliberate
        result.action = "interrupted" if resumed else "withdrawn"
        result.action_evidence = _spans(*(e for e in (stop, again if resumed else None) if e is not None))
        if stop is None and result.rechallenge == "positive" and result.dechallenge == "unknown":
            result.dechallenge, result.dechallenge_evidence = "positive", result.rechallenge_evidence
    elif reduce is not None:
        result.action, result.action_evidence = "reduced", [reduce.span]
    elif raised is not None and going_on is None:
        result.action, result.action_evidence = "increased", [raised.span]
    elif going_on is not None:
        result.action, result.action_evidence = "unchanged", [going_on.span]
        result.dechallenge, result.dechallenge_evidence = "not_done", [going_on.span]
    elif once is not None or ended == "fatal":
        result.action, result.action_evidence = "not_applicable", [once.span] if once else list(death)
        result.dechallenge, result.dechallenge_evidence = "not_applicable", [once.span] if once else list(death)
        if result.rechallenge == "unknown" and not restarts:
            result.rechallenge = "not_done"


def _to_drug(event: Event, drug: Collection[str], first: int) -> bool:
    """Does an event happen to this drug? Without a named one, to those that the story has named by then."""
    if event.drugs:
        return bool(set(event.drugs) & set(drug))
    if set(event.instead) & set(drug):
        return False
    return first <= event.end


def _about(event: Event, reaction: Collection[str], others: Collection[str]) -> bool:
    """Does an event happen to this reaction, or to something that may stand for it?"""
    if set(event.disorders) & set(reaction):
        return True
    return not event.underlying and not set(event.disorders) & set(others)


def _begin(story: Sequence[Event], reaction: Collection[str]) -> float:
    """Where the story comes to the reaction: it is named, or something sets in after a drug was named."""
    named = min((e.when for e in story if e.kind == "named" and set(e.disorders) & set(reaction)), default=None)
    drug = min((e.when for e in story if e.kind in ("named", "headline") and e.drugs), default=None)
    if named is None or drug is None:
        return -1.0
    onset = min(
        (e.when for e in story if e.kind == "onset" and e.when > drug and e.disorders and not e.underlying),
        default=named,
    )
    return min(named, onset)


def outcome(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> tuple[Outcome, Evidence]:
    """How the reaction ended: the last word of the story counts (ICH E2B(R3) E.i.7).

    ``others`` are the keys of the other reactions: what happens to those alone does not count.
    """
    begin = _begin(story, reaction)
    state: Outcome = "unknown"
    by_name = False
    evidence: Evidence = []
    for event in story:
        if event.kind not in _ENDS or not _about(event, reaction, others):
            continue
        named = bool(set(event.disorders) & set(reaction))
        if event.when < begin and not named:
            continue
        following = _after(
            "unknown" if named and not by_name and event.kind != "discharge" else state, event.kind, named
        )
        if following is not None:
            state, by_name, evidence = following, named, [event.span]
    return state, evidence


def _after(state: Outcome, kind: str, named: bool) -> Outcome | None:
    """The outcome that an event leads to from the one before it; ``None`` where it changes nothing.

    ``named``: the text names the reaction, so that it is surely meant.
    """
    match kind:
        case "fatal":
            return "fatal" if named or state in ("unknown", "not_recovered") else None
        case "resolve":
            return "recovered" if state not in ("fatal", "recovered_with_sequelae") else None
        case "norecur":
            return "recovered" if state == "recovering" or (named and state == "unknown") else None
        case "improve":
            return "recovering" if state in ("unknown", "not_recovered") else None
        case "discharge":
            return "recovering" if state == "unknown" else None
        case "sequelae":
            return "recovered_with_sequelae" if state != "fatal" else None
        case "persist" | "worsen":
            return "not_recovered" if state == "unknown" or (named and state == "recovering") else None
    return None
