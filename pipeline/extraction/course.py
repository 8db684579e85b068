"""Reads the course of a case off its events: dechallenge, rechallenge, action taken, outcome.

Belongs here: what follows from the events and their order.  Does not belong here: reading the events (``events``), and
which drugs are suspects and which disorders are reactions (``candidates``).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.extraction import drug_groups, signs
from pipeline.extraction.events import BETTER, DRUG_EVENTS, ENDS, REACTION_EVENTS, RIGHT_BEFORE, WORSE, Event
from pipeline.extraction.organs import organs
from pipeline.records import ActionTaken, Dechallenge, Evidence, Outcome, Rechallenge

_SOON = 3
"""Sentences within which the result of a re-exposure is told."""


@dataclass(slots=True)
class Course:
    """What the events of a case say about one drug and one reaction; every field with its evidence."""

    dechallenge: Dechallenge = "unknown"
    rechallenge: Rechallenge = "unknown"
    action: ActionTaken = "unknown"
    dechallenge_evidence: Evidence | None = None
    rechallenge_evidence: Evidence | None = None
    action_evidence: Evidence | None = None


class OfDrug(NamedTuple):
    """What a story tells of one drug, whichever the reaction."""

    keys: frozenset[str]
    """The names that stand for it."""
    happened: list[Event]
    taken: set[int]
    """Sentences that tell of it by name."""


class OfReaction(NamedTuple):
    """What a story tells of one reaction, whichever the drug."""

    keys: Collection[str]
    course: list[Event]
    first_sign: Event | None
    outcome: tuple[Outcome, Evidence]


def of_drug(story: Sequence[Event], drug: Collection[str]) -> OfDrug:
    """``drug`` are its keys. An event that names drugs is about those, one that names none is about the suspects."""
    keys = _covering(drug)
    names = (e.start for e in story if e.drugs and e.kind in ("named", "headline") and not keys.isdisjoint(e.drugs))
    first = min(names, default=-1)
    happened = [e for e in story if e.kind in DRUG_EVENTS and _to_drug(e, keys, first)]
    return OfDrug(keys, happened, {e.sentence for e in story if _concerns(e, keys)})


def of_reaction(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> OfReaction:
    """``reaction`` are its keys, ``others`` those of the others: what happens to those alone does not count."""
    own = [e for e in story if e.kind in REACTION_EVENTS and _about(e, reaction, others)]
    return OfReaction(reaction, own, _first_sign(story, reaction, others), outcome(story, reaction, others))


def course(
    story: Sequence[Event], drug: Collection[str], reaction: Collection[str], others: Collection[str] = ()
) -> Course:
    """``course_of`` for the keys of one drug, of one reaction and of the other reactions."""
    return course_of(story, of_drug(story, drug), of_reaction(story, reaction, others))


def course_of(story: Sequence[Event], drug: OfDrug, reaction: OfReaction) -> Course:
    """Dechallenge, rechallenge and action taken for one drug and one reaction."""
    result = Course()
    happened, taken = drug.happened, drug.taken
    first_sign = reaction.first_sign
    begin = first_sign.when if first_sign else -1.0
    ends = [e for e in happened if e.kind in ("stop", "switch", "reduce")]
    ends = [e for e in ends if e.when >= begin or (first_sign and e.sentence == first_sign.sentence)] or ends
    restarts = _restarts(happened, ends, reaction.course, drug.keys)
    _rechallenge(result, ends, restarts, happened, reaction.course, taken)
    _dechallenge(result, ends, restarts, reaction.course, story, drug.keys, reaction.keys)
    resumed = _restarts(happened, ends, [e for e in story if e.kind in REACTION_EVENTS], drug.keys)
    _action(result, ends, resumed, happened, taken, begin, *reaction.outcome)
    return result


def _covering(drug: Collection[str]) -> frozenset[str]:
    """The names that stand for a drug: its own, and those of the classes it belongs to."""
    return frozenset(drug).union(*(drug_groups.classes_of(key) for key in drug))


def _concerns(event: Event, drug: Collection[str]) -> bool:
    """Is a drug among those of an event, alone or in a combination product?"""
    return bool(event.drugs) and any(
        key in drug or ("/" in key and any(part in drug for part in key.split("/"))) for key in event.drugs
    )


def _restarts(
    happened: Sequence[Event], ends: Sequence[Event], course_of_it: Sequence[Event], drug: Collection[str]
) -> list[Event]:
    """Re-exposures: told as such, or by what followed the drug after it was stopped or the reaction was over."""
    again = [e for e in happened if e.kind == "restart"]
    ended, better = _first(ends), _first(e for e in course_of_it if e.kind in BETTER)
    again += [
        event for event in course_of_it
        if event.kind in ("recur", "norecur", "tolerated") and set(event.drugs) & set(drug)
        and min(ended, better) < event.when
    ]  # fmt: skip
    taken = _first(e for e in happened if e.drugs)
    left = min((e.sentence for e in ends if taken < e.when), default=None)
    back = defaultdict(list)
    for event in course_of_it:
        if event.kind in ("recur", "norecur"):
            back[event.sentence].append(event.when)
    again += [
        event for event in happened
        if event.kind == "start" and event.drugs and left is not None and left < event.sentence
        and better < event.when < max(back.get(event.sentence, ()), default=-1.0)
    ]  # fmt: skip
    return sorted(again, key=lambda e: e.when)


def _dechallenge(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], course_of_it: Sequence[Event],
    story: Sequence[Event], drug: Collection[str], reaction: Collection[str],
) -> None:  # fmt: skip
    """Did the reaction abate after stop or reduction, before any re-exposure? (ICH E2B(R3) G.k.9.i.)"""
    for end in ends:
        until = next((r.when for r in restarts if r.when > end.when), float("inf"))
        window = [e for e in course_of_it if end.when <= e.when < until and e.kind in ENDS and not e.distant]
        better = next((e for e in window if e.kind in BETTER or e.kind == "norecur"), None)
        worse = next((e for e in window if e.kind in WORSE), None)
        by_name = [e for e in window if set(e.disorders) & set(reaction)]
        if by_name and all(e.kind in WORSE for e in by_name):  # what went well was something else
            better, worse = None, by_name[0]
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
    """Did the reaction come back on re-exposure? At any of several counts (ICH E2B(R3) G.k.9.i.4).

    What only begins or worsens then ("after the second course") came back if the drug had ended or the reaction abated.
    """
    over = min(_first(ends), _first(e for e in course_of_it if e.kind in BETTER))
    for again in restarts:
        after = [
            e for e in course_of_it
            if (e.when >= again.when and e.sentence <= again.sentence + _SOON)
            or (e.kind == "tolerated" and e.sentence == again.sentence and 0 <= again.start - e.end <= RIGHT_BEFORE)
        ]  # fmt: skip
        came_back = next(
            (e for e in after if e.kind in ("recur", "repeat") or (over < again.when and _sets_in(e, again))), None
        )
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


def _sets_in(event: Event, again: Event) -> bool:
    """Does a reaction get worse, or does the sentence of a re-exposure tell what set in then?"""
    named = bool(event.disorders) and event.sentence == again.sentence and not event.underlying
    return event.kind == "worsen" or (event.kind == "onset" and named)


def _first(events: Iterable[Event]) -> float:
    """When the first of some events happened; never, if there is none."""
    return min((e.when for e in events), default=float("inf"))


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
    once = next(
        (e for e in happened if e.kind in ("overdose", "single") and (e.sentence in taken or e.kind == "overdose")),
        None,
    )
    again = next((e for e in restarts if stop is not None or e.kind == "restart"), None)
    if stop is not None or again is not None:
        resumed = again is not None and (stop is None or stop.when < again.when) and not again.deliberate
        if again is not None and any(e.kind in ("stop", "switch") and e.when > again.when for e in ends):
            resumed = False  # and stopped again
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
        return _concerns(event, drug)
    if set(event.instead) & set(drug):
        return False
    return first <= event.end


def _about(event: Event, reaction: Collection[str], others: Collection[str]) -> bool:
    """Does an event happen to this reaction, or to something that may stand for it?"""
    if set(event.disorders) & set(reaction):
        return True
    own = {organ for name in reaction for organ in organs(name)} if event.organ else set()
    if own and event.organ not in own:
        return False  # "liver function returned to normal" is no recovery from cardiomyopathy
    return not event.underlying and not set(event.disorders) & set(others)


def _of_part(event: Event, reaction: Collection[str]) -> bool:
    """Does an event happen to something else than the reaction, which at most is a part of it?"""
    if event.disorders:
        return not any(
            key in signs.wider(name) or name in signs.wider(key) for key in event.disorders for name in reaction
        )
    return bool(event.organ) and not any(organs(name) for name in reaction)


def _first_sign(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> Event | None:
    """Where the story comes to the reaction: it is named, or something sets in after a drug was named."""
    named = next((e for e in story if e.kind == "named" and set(e.disorders) & set(reaction)), None)
    drug = next((e for e in story if e.kind in ("named", "headline") and e.drugs), None)
    if named is None or drug is None:
        return None
    onset = (
        e for e in story
        if e.kind == "onset" and e.when > drug.when and e.disorders and not e.underlying
        and not set(e.disorders) <= set(others) - set(reaction)
    )  # fmt: skip
    return min((named, next(onset, named)), key=lambda e: e.when)


def outcome(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> tuple[Outcome, Evidence]:
    """How the reaction ended: the last word of the story counts (ICH E2B(R3) E.i.7).

    ``others`` are the keys of the other reactions: what happens to those alone does not count.
    """
    first_sign = _first_sign(story, reaction, others)
    begin = first_sign.when if first_sign else -1.0
    state: Outcome = "unknown"
    by_name = False
    evidence: Evidence = []
    for event in story:
        if event.kind not in ENDS or not _about(event, reaction, others):
            continue
        named = bool(set(event.disorders) & set(reaction))
        if event.when < begin and not named:
            continue
        if event.distant and not (event.kind == "fatal" and state == "not_recovered"):
            continue
        if event.kind == "norecur" and event.disorders and not named:
            continue
        kind = event.kind
        if kind == "resolve" and not named and _of_part(event, reaction):
            kind = "improve"  # "the dyspnea resolved": one of several things
        following = _after("unknown" if named and not by_name and kind != "discharge" else state, kind, named)
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
