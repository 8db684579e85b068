"""Finds the time to onset of each reaction: how long after the first dose it began (ICH E2B(R3) G.k.9.i.3.1a).

Belongs here: choosing among the times that ``times`` reads.  Does not belong here: reading them, and the wording around
them (``mappings/extraction/wording.tsv``).
"""

from collections.abc import Collection, Sequence

from pipeline.extraction import times
from pipeline.extraction.cues import Cue
from pipeline.extraction.document import Document, Found, Sentence
from pipeline.extraction.events import RIGHT_BEFORE
from pipeline.extraction.times import TimeExpression
from pipeline.extraction.wording import wording
from pipeline.records import Reaction

_FITTING = frozenset({"after", "later", "within", "day_number"})
_ENDING = ("resolve", "improve", "discharge", "stop", "switch", "norecur", "tolerated", "fatal", "persist", "reduce")
_STARTING = ("start", "ongoing")
_LEAST = 3.0
_MOST_TIMES = 40
"""Times of one sentence that are looked at: what has more is a table."""
_NEAR = 100
_CLOSE = 60
_BESIDE = 40
_WORDING = wording("onset")


def fill(
    document: Document,
    told: Sequence[Sentence],
    reactions: Sequence[Reaction],
    reaction_keys: Sequence[Collection[str]],
    suspect_keys: Sequence[Collection[str]],
) -> None:
    """Set ``time_to_onset`` and its evidence; the keys are the concepts of each reaction and each suspect."""
    if not reactions:
        return
    suspects = {key for keys in suspect_keys for key in keys}
    every = {key for keys in reaction_keys for key in keys}
    scored: list[tuple[float, TimeExpression, Sentence]] = []
    previous: Sentence | None = None
    for sentence in told:
        for time in times.find(document.text, sentence.start, sentence.end)[:_MOST_TIMES]:
            if time.iso and time.iso.startswith("P"):
                value = _fit(document.text, sentence, previous, time, suspects, every)
                if value > 0:
                    scored.append((value, time, sentence))
        previous = sentence
    for reaction, keys in zip(reactions, reaction_keys, strict=True):
        best: tuple[float, TimeExpression] | None = None
        for value, time, sentence in scored:
            total = value + _about(sentence, time, keys, every)
            if total >= _LEAST and (best is None or total > best[0]):
                best = (total, time)
        if best is not None:
            _set(reaction, best[1])
    _by_then(document, told, reactions, reaction_keys, suspects)
    _simultaneous(document, told, reactions, reaction_keys)


def _by_then(
    document: Document, told: Sequence[Sentence], reactions: Sequence[Reaction], keys: Sequence[Collection[str]],
    suspects: Collection[str],
) -> None:  # fmt: skip
    """Reactions of which only is known how long a suspect had been taken when they were there.

    "He had taken X for two years.  He developed a rash": the exposure is told right before the onset, or after it.
    """
    if all(reaction.time_to_onset for reaction in reactions):
        return
    taken = [
        (number, time)
        for number, sentence in enumerate(told)
        if not sentence.cued(*_ENDING, "restart", "recur")
        for time in times.find(document.text, sentence.start, sentence.end)[:_MOST_TIMES]
        if time.relation == "duration" and time.iso and _taken_for(document.text, sentence, time, suspects)
    ]
    for reaction, own in zip(reactions, keys, strict=True):
        began = next((n for n, sentence in enumerate(told) if _sets_in(sentence, own)), None)
        if began is None or reaction.time_to_onset:
            continue
        time = next(
            (
                time for number, time in taken
                if number == began - 1
                or (began < number <= began + 2 and _had(document.text, told[number], time))
            ),
            None,
        )  # fmt: skip
        if time is not None:
            _set(reaction, time)


def _set(reaction: Reaction, time: TimeExpression) -> None:
    reaction.time_to_onset = time.iso
    reaction.facts["time_to_onset"] = [(time.start, time.end)]


def _sets_in(sentence: Sentence, reaction: Collection[str]) -> bool:
    """Does a sentence tell that a reaction began?"""
    named = any(m.key in reaction and m.assertion == "present" for m in sentence.of("disorder"))
    return named and bool(sentence.cued("onset"))


def _taken_for(text: str, sentence: Sentence, time: TimeExpression, suspects: Collection[str]) -> bool:
    """Is it how long a suspect was taken ("treated with X for two years", "for two years with X")?"""
    drugs = [m for m in sentence.of("drug") if m.assertion == "present"]
    behind = [m for m in drugs if _WORDING["that long with"].fullmatch(text, time.end, max(time.end, m.start))]
    drug = behind[0] if behind else next((m for m in reversed(drugs) if 0 <= time.start - m.end <= _NEAR), None)
    if drug is None or drug.key not in suspects:
        return False
    begin = max(sentence.start, min(drug.start, time.start) - _BESIDE)
    return _WORDING["given for"].search(text, begin, time.start) is not None


def _had(text: str, sentence: Sentence, time: TimeExpression) -> bool:
    """Is an exposure told as one of the time before ("he had taken X for two years")?"""
    return _WORDING["had taken"].search(text, sentence.start, time.start) is not None


def _simultaneous(
    document: Document, told: Sequence[Sentence], reactions: Sequence[Reaction], keys: Sequence[Collection[str]]
) -> None:
    """Reactions that came together with another, as the text says, began when that one did."""
    known = next((reaction for reaction in reactions if reaction.time_to_onset), None)
    for reaction, own in zip(reactions, keys, strict=True):
        if known is None or reaction.time_to_onset:
            continue
        for sentence in told:
            first = next((m for m in sentence.of("disorder") if m.key in own and m.assertion == "present"), None)
            word = first and _WORDING["simultaneous"].search(document.text, sentence.start, first.start)
            if word:
                reaction.time_to_onset = known.time_to_onset
                reaction.facts["time_to_onset"] = [*known.facts["time_to_onset"], word.span()]
                break


def _about(sentence: Sentence, time: TimeExpression, keys: Collection[str], every: Collection[str]) -> float:
    """How surely a time is about one reaction and not another."""
    named = [m for m in sentence.of("disorder") if m.key in every and m.assertion != "negated"]
    if any(m.key in keys and _distance(m, time) <= _NEAR for m in named):
        return 2.0
    return -2.0 if named and not any(m.key in keys for m in named) else 0.0


def _fit(
    text: str, sentence: Sentence, previous: Sentence | None, time: TimeExpression, suspects: Collection[str],
    reactions: Collection[str],
) -> float:  # fmt: skip
    """How well a time fits the beginning of a reaction, whatever the reaction; 0: not at all."""
    value = _relation(text, sentence, previous, time, suspects)
    if value is None or _otherwise(text, sentence, time, suspects):
        return 0.0
    onset = _nearest(time, sentence.cued("onset"))
    signs = [m for m in sentence.of("disorder") if m.key in reactions and m.assertion != "negated"]
    if onset > _CLOSE and not signs and not (time.relation == "before" and value >= 2.0):
        return 0.0  # how long before the patient came a drug was begun needs no more words
    value += 1.5 if onset <= _CLOSE else 0.5
    ending = [cue for cue in sentence.cued(*_ENDING) if not _because(text, cue, signs)]
    if _nearest(time, ending) < min(onset, _CLOSE):
        value -= 2.5
    if sentence.cued("restart", "recur"):
        value -= 1.0
    if any(m.key in suspects for m in sentence.of("drug")):
        value += 1.0
    elif previous is not None and any(m.key in suspects for m in previous.of("drug")):
        value += 0.5
    return value


def _otherwise(text: str, sentence: Sentence, time: TimeExpression, suspects: Collection[str]) -> bool:
    """Is it the time of a re-exposure, of a benefit, or of a later look at the patient?"""
    then = text[time.end : min(sentence.end, time.end + _NEAR)]
    if _WORDING["repeated"].match(then) or _WORDING["followed up"].match(then):
        return True
    if any(
        cue.end <= time.start and _WORDING["improved after"].fullmatch(text, cue.end, time.start)
        for cue in sentence.cued("resolve", "improve", "norecur")
    ):
        return True  # "improved after two months of treatment"
    other = _WORDING["not a dose"].match(then) and not _WORDING["anaesthesia"].search(
        text, sentence.start, sentence.end
    )
    if other and not any(m.key in suspects and 0 <= m.start - time.end <= _BESIDE for m in sentence.of("drug")):
        return True
    if any(0 <= time.start - cue.end <= 1 for cue in sentence.cued("restart")):
        return True  # "restarted two months later"
    if time.relation == "later" and any(
        cue.kind == "start:before"
        and _WORDING["started then"].fullmatch(text, time.cue_span[1] if time.cue_span else time.end, cue.start)
        for cue in sentence.cued("start")
        if cue.start > time.end
    ):
        return True  # "two weeks later valproate was added"
    if any(
        _WORDING["of reaction"].fullmatch(text, time.end, one.start)
        for one in sentence.of("disorder")
        if one.start > time.end
    ):
        return True  # "after 11 months of progressive weakness"
    if _WORDING["result"].search(text, max(sentence.start, time.start - _NEAR), time.start):
        return True
    if _WORDING["later look"].search(text, max(sentence.start, time.start - _NEAR), time.start):
        return True
    benefit = _WORDING["benefit"].search(then)
    found = [one.start for one in sentence.of("disorder") if one.start >= time.end and one.assertion != "negated"]
    return benefit is not None and min(found, default=1 << 30) > time.end + benefit.start()


def _relation(
    text: str, sentence: Sentence, previous: Sentence | None, time: TimeExpression, suspects: Collection[str]
) -> float | None:
    """What a time says by its own words and by what it is counted from; ``None`` where that is no onset."""
    words = text[max(sentence.start, (time.cue_span or (time.start, 0))[0]) : time.end]
    exposed = any(m.key in suspects for m in sentence.of("drug"))
    if time.relation == "before":
        begun = _nearest(time, sentence.cued("start")) <= _CLOSE or any(
            m.key in suspects
            and _WORDING["dose was"].match(text[m.end : max(m.end, time.start)])
            and not _WORDING["last dose before"].search(text, sentence.start, m.start)
            for m in sentence.of("drug")
        )
        return 2.0 if begun and exposed and not _nearest(time, sentence.cued("stop")) <= _CLOSE else None
    if time.relation == "duration":
        if exposed and _WORDING["after taking"].search(text, max(sentence.start, time.start - _NEAR), time.start):
            return 2.0
        if _WORDING["coming"].search(text, max(sentence.start, time.start - 30), time.end):
            return 0.5
        if (time.iso or "").startswith("PT") and _WORDING["infused over"].search(text, sentence.start, time.start):
            return None
        if _had_taken(text, sentence, time, suspects):
            return 1.0
        given = [cue for cue in sentence.cued(*_STARTING) if 0 <= time.start - cue.end <= _CLOSE]
        then = [cue for cue in sentence.cued("onset") if 0 <= cue.start - time.end <= _NEAR]
        return 0.5 if exposed and given and then else None
    if time.relation not in _FITTING:
        return None
    if time.relation == "day_number" and any(
        m.end < time.start and _WORDING["scheduled"].match(text, m.end, time.start) for m in sentence.of("drug")
    ):
        return None  # "received X on day 1"
    if any(m.key in suspects and _WORDING["of drug"].fullmatch(text, time.end, m.start) for m in sentence.of("drug")):
        return 2.0  # "after five weeks of imatinib": counted from its start, whatever else follows
    if time.anchor is None and time.relation == "after" and _given_before(text, sentence, time, suspects):
        return 2.0
    match time.anchor:
        case "start" | "dose_change":
            return 2.0
        case "stop":
            phrase = text[time.end : time.anchor_span[1] + 10] if time.anchor_span else words
            return 1.0 if _WORDING["last dose"].search(phrase) else None
        case "procedure":
            return 1.0 if _WORDING["anaesthesia"].search(text, sentence.start, sentence.end) else None
        case "admission":
            begun = (
                previous is not None
                and bool(previous.cued("start"))
                and any(m.key in suspects for m in previous.of("drug"))
            )
            return 1.0 if time.relation == "day_number" and begun else None
        case "reaction":
            return None
    return 0.0


def _given_before(text: str, sentence: Sentence, time: TimeExpression, suspects: Collection[str]) -> bool:
    """Is a time counted from what was done with a suspect ("after the induction with X")?"""
    first = next((m for m in sentence.of("drug") if m.key in suspects and m.start >= time.end), None)
    if first is None or any(0 <= cue.start - first.end <= RIGHT_BEFORE for cue in sentence.cued("stop", "switch")):
        return False  # "after treatment with X was stopped"
    return _WORDING["after giving"].fullmatch(text, time.end, first.start) is not None


def _had_taken(text: str, sentence: Sentence, time: TimeExpression, suspects: Collection[str]) -> bool:
    """Is it how long the patient in whom a reaction developed had taken the drug ("in a man treated with X for N")?"""
    before = [m for m in sentence.of("drug") if m.key in suspects and m.end <= time.start]
    after = [m for m in sentence.of("drug") if m.key in suspects and 0 <= m.start - time.end <= _BESIDE]
    if before:
        drug, lead = before[-1], before[-1].start
    elif after:
        drug, lead = after[0], time.start
    else:
        return False
    told = _WORDING["given for"].search(text, max(sentence.start, lead - _BESIDE), time.start)
    begin = min(drug.start, time.start)
    return told is not None and any(
        m.end <= begin and m.assertion != "negated" and _WORDING["patient who"].search(text, m.end, begin)
        for m in sentence.of("disorder")
    )


def _because(text: str, cue: Cue, signs: Sequence[Found]) -> bool:
    """Is a drug stopped for the reaction itself, so that the time of the stop is that of the onset?"""
    return any(0 < m.start - cue.end <= _NEAR and _WORDING["reason"].search(text, cue.end, m.start) for m in signs)


def _distance(one: Cue | Found, time: TimeExpression) -> int:
    return max(0, one.start - time.end, time.start - one.end)


def _nearest(time: TimeExpression, found: Sequence[Cue]) -> int:
    """Code points to the nearest of some cues; beyond any limit where there is none."""
    return min((_distance(cue, time) for cue in found), default=1 << 30)
