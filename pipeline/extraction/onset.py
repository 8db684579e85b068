"""Finds the time to onset of each reaction: how long after the first dose it began (ICH E2B(R3) G.k.9.i.3.1a).

Belongs here: choosing among the times that ``times`` reads.  Does not belong here: reading them.
"""

from collections.abc import Collection, Sequence

from pipeline.extraction import times
from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.times import TimeExpression
from pipeline.records import Reaction

_FITTING = frozenset({"after", "later", "within", "day_number"})
_FOREIGN_ANCHORS = frozenset({"stop", "admission", "procedure", "reaction"})
_LEAST = 3.0
_NEAR = 100


def fill(
    document: Document,
    told: Sequence[Sentence],
    reactions: Sequence[Reaction],
    reaction_keys: Sequence[Collection[str]],
    suspect_keys: Sequence[Collection[str]],
) -> None:
    """Set ``time_to_onset`` and its evidence; the keys are the concepts of each reaction and each suspect."""
    suspects = {key for keys in suspect_keys for key in keys}
    scored: list[tuple[float, TimeExpression, Sentence]] = []
    for sentence in told:
        for time in times.find(document.text, sentence.start, sentence.end):
            if time.iso and time.relation in _FITTING and time.iso.startswith("P"):
                value = _fit(sentence, time, suspects)
                if value > 0:
                    scored.append((value, time, sentence))
    for reaction, keys in zip(reactions, reaction_keys, strict=True):
        best: tuple[float, TimeExpression] | None = None
        for value, time, sentence in scored:
            near = [
                m
                for m in sentence.of("disorder")
                if m.key in keys and m.assertion != "negated" and abs(m.start - time.end) <= _NEAR
            ]
            total = value + (2.0 if near else 0.0)
            if total >= _LEAST and (best is None or total > best[0]):
                best = (total, time)
        if best is not None:
            reaction.time_to_onset = best[1].iso
            reaction.facts["time_to_onset"] = [(best[1].start, best[1].end)]


def _fit(sentence: Sentence, time: TimeExpression, suspects: Collection[str]) -> float:
    """How well a time fits the beginning of a reaction, whatever the reaction."""
    value = 0.0
    if time.anchor in ("start", "dose_change"):
        value += 2.0
    elif time.anchor in _FOREIGN_ANCHORS:
        return 0.0
    if any(-60 <= cue.start - time.end <= 60 or 0 <= time.start - cue.end <= 60 for cue in sentence.cued("onset")):
        value += 1.5
    if any(abs(cue.start - time.end) <= 60 for cue in sentence.cued("resolve", "improve", "stop", "norecur", "fatal")):
        value -= 2.0
    if any(m.key in suspects for m in sentence.of("drug")):
        value += 1.0
    return value
