"""Reads the course of a case: what happened to which drug and which reaction, in narrative order.

Belongs here: events and what follows from their order (dechallenge, rechallenge, outcome, action taken).  Does not
belong here: which drugs are suspects and which disorders are reactions (``candidates``) and the phrases
(``mappings/extraction/cues/{drug,reaction}_events.tsv``).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.extraction.cues import Cue
from pipeline.extraction.document import LIST, Document, Semantic, Sentence
from pipeline.records import ActionTaken, Dechallenge, Evidence, Outcome, Rechallenge

DrugEvent = Literal[
    "start", "stop", "reduce", "increase", "restart", "continue", "switch", "single", "overdose", "ongoing"
]
ReactionEvent = Literal[
    "onset", "resolve", "improve", "persist", "worsen", "sequelae", "fatal", "recur", "norecur", "tolerated"
]
_DRUG_EVENTS = frozenset(DrugEvent.__args__)  # type: ignore[attr-defined]
_REACTION_EVENTS = frozenset(ReactionEvent.__args__)  # type: ignore[attr-defined]
_NEAR = 120
_BORDER = re.compile(
    r";|,? (?:and|but|while|whereas|although) (?:then )?(?:he|she|it|they|we|the patient|was|were|there|his|her)\b|, (?:but|whereas|which|who)\b"
)
_ANAPHOR = re.compile(
    r"\b(?:the|this|these|that|all|both|his|her|oral|offending|causative|suspected|responsible|current) "
    r"(?:drug|drugs|agent|agents|medication|medications|medicine|treatment|therapy|medicines|chemotherapy|regimen)\b",
    re.IGNORECASE,
)


@dataclass(slots=True, frozen=True)
class Event:
    """Something that happened, where the text says so, to the named concepts (none: to what the story is about)."""

    kind: str
    sentence: int
    start: int
    end: int
    drugs: tuple[str, ...] = ()
    disorders: tuple[str, ...] = ()


def events(document: Document, sentences: Iterable[Sentence]) -> list[Event]:
    """The events of some sentences of the case, in narrative order."""
    found: list[Event] = []
    for sentence in sentences:
        for cue in sentence.cues:
            family, _, side = cue.kind.partition(":")
            if family in _DRUG_EVENTS and not _negated(sentence, cue):
                drugs = _arguments(document.text, sentence, cue, side, "drug")
                found.append(Event(family, sentence.index, cue.start, cue.end, drugs=drugs))
            elif family in _REACTION_EVENTS and not _negated(sentence, cue):
                disorders = _arguments(document.text, sentence, cue, side, "disorder")
                found.append(Event(family, sentence.index, cue.start, cue.end, disorders=disorders))
    return sorted(found, key=lambda event: (event.start, event.end))


def _negated(sentence: Sentence, cue: Cue) -> bool:
    """Does a negation right before the cue (or overlapping it) turn it round? "did not recur" is a cue of its own."""
    return any(
        other.kind in ("negated:forward", "hypothetical:forward", "pseudo")
        and (
            (other.end <= cue.start and cue.start - other.end <= 12)
            or (other.start < cue.start < other.end)
        )
        for other in sentence.cues
    )  # fmt: skip


def _arguments(text: str, sentence: Sentence, cue: Cue, side: str, semantic: Semantic) -> tuple[str, ...]:
    """Keys of the concepts an event happens to: the nearest on the cue's side and the list it belongs to."""
    mentions = [one for one in sentence.of(semantic) if one.assertion != "family"]
    before = [
        one for one in mentions
        if one.end <= cue.start and cue.start - one.end <= _NEAR and not _BORDER.search(text, one.end, cue.start)
    ]  # fmt: skip
    after = [
        one for one in mentions
        if one.start >= cue.end - 1 and one.start - cue.end <= _NEAR and not _BORDER.search(text, cue.end, one.start)
    ]  # fmt: skip
    gap_before = cue.start - before[-1].end if before else _NEAR + 1
    gap_after = after[0].start - cue.end if after else _NEAR + 1
    if side == "before":
        backward = True
    elif side == "after":
        backward = False
    else:
        backward = gap_before < gap_after
    chosen = before[::-1] if backward else after
    if not chosen:
        return ()
    between = text[chosen[0].end : cue.start] if backward else text[cue.end : chosen[0].start]
    if semantic == "drug" and _ANAPHOR.search(between):
        return ()
    members = [chosen[0]]
    for one in chosen[1:]:
        last = members[-1]
        left, right = (one, last) if backward else (last, one)
        if not LIST.fullmatch(text, left.end, right.start):
            break
        members.append(one)
    return tuple(dict.fromkeys(one.key for one in members))


@dataclass(slots=True)
class Course:
    """What the events of a case say about one drug and one reaction; every field with its evidence."""

    dechallenge: Dechallenge = "unknown"
    rechallenge: Rechallenge = "unknown"
    action: ActionTaken = "unknown"
    dechallenge_evidence: Evidence | None = None
    rechallenge_evidence: Evidence | None = None
    action_evidence: Evidence | None = None


def course(story: Sequence[Event], drug: Collection[str], reaction: Collection[str], others: Collection[str]) -> Course:
    """Dechallenge, rechallenge and action taken for one drug and one reaction.

    ``drug`` and ``reaction`` are the keys of the two concepts; ``others`` keys of other drugs: events that name only
    those are not about this drug.  An event without a named drug is about the suspects.
    """
    result = Course()
    own = [
        event
        for event in story
        if not (event.drugs and not set(event.drugs) & set(drug)) or event.kind in _REACTION_EVENTS
    ]
    stop = next((e for e in own if e.kind == "stop" or (e.kind == "switch" and e.drugs)), None)
    reduce = next((e for e in own if e.kind == "reduce"), None)
    restart = next((e for e in own if e.kind == "restart" and (stop is None or e.start > stop.start)), None)
    going_on = next((e for e in own if e.kind == "continue"), None)
    withdrawn = stop or reduce
    if stop is not None:
        result.action, result.action_evidence = "withdrawn", [(stop.start, stop.end)]
    elif reduce is not None:
        result.action, result.action_evidence = "reduced", [(reduce.start, reduce.end)]
    elif going_on is not None:
        result.action, result.action_evidence = "unchanged", [(going_on.start, going_on.end)]
        result.dechallenge, result.dechallenge_evidence = "not_done", [(going_on.start, going_on.end)]
    if withdrawn is not None:
        end = restart.start if restart else 1 << 60
        window = [
            e
            for e in own
            if withdrawn.sentence <= e.sentence and e.start < end and e.kind in _REACTION_EVENTS and _about(e, reaction)
        ]
        better = next((e for e in reversed(window) if e.kind in ("resolve", "improve")), None)
        worse = next((e for e in window if e.kind in ("persist", "worsen", "fatal")), None)
        if better is None:  # "improved after stopping": the improvement may stand first in the sentence before
            better = next(
                (
                    e
                    for e in own
                    if e.kind in ("resolve", "improve") and e.sentence == withdrawn.sentence and _about(e, reaction)
                ),
                None,
            )
        if better is not None:
            result.dechallenge = "positive"
            result.dechallenge_evidence = [(withdrawn.start, withdrawn.end), (better.start, better.end)]
        elif worse is not None:
            result.dechallenge = "negative"
            result.dechallenge_evidence = [(withdrawn.start, withdrawn.end), (worse.start, worse.end)]
    if restart is not None:
        after = [
            e for e in own if e.start > restart.start - 120 and e.sentence >= restart.sentence and e is not restart
        ]
        came_back = next((e for e in after if e.kind == "recur"), None)
        stayed_away = next((e for e in after if e.kind in ("norecur", "tolerated")), None)
        if came_back is not None:
            result.rechallenge = "positive"
            result.rechallenge_evidence = [(restart.start, restart.end), (came_back.start, came_back.end)]
        elif stayed_away is not None:
            result.rechallenge = "negative"
            result.rechallenge_evidence = [(restart.start, restart.end), (stayed_away.start, stayed_away.end)]
        else:
            result.rechallenge_evidence = [(restart.start, restart.end)]
    elif stop is not None:
        result.rechallenge = "not_done"
    return result


def _about(event: Event, reaction: Collection[str]) -> bool:
    return not event.disorders or bool(set(event.disorders) & set(reaction))


def outcome(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> tuple[Outcome, Evidence]:
    """How the reaction ended: the last word of the story counts, death above all (ICH E2B(R3) E.i.7)."""
    ends = [
        e for e in story
        if e.kind in ("resolve", "improve", "persist", "worsen", "sequelae", "fatal")
        and (not e.disorders or set(e.disorders) & set(reaction) or not set(e.disorders) & set(others))
    ]  # fmt: skip
    if not ends:
        return "unknown", []
    fatal = next((e for e in ends if e.kind == "fatal"), None)
    if fatal is not None:
        return "fatal", [(fatal.start, fatal.end)]
    last = ends[-1]
    resolved = next((e for e in reversed(ends) if e.kind == "resolve"), None)
    if resolved is not None and last.kind not in ("sequelae",):
        return "recovered", [(resolved.start, resolved.end)]
    names: dict[str, Outcome] = {
        "improve": "recovering", "persist": "not_recovered", "worsen": "not_recovered",
        "sequelae": "recovered_with_sequelae", "resolve": "recovered",
    }  # fmt: skip
    better = next((e for e in reversed(ends) if e.kind == "improve"), None)
    if better is not None and last.kind in ("persist", "worsen"):
        last = better
    return names[last.kind], [(last.start, last.end)]
