"""The Naranjo adverse drug reaction probability scale, item by item.

Belongs here: how each of the ten questions is answered from the case record and the text.  Does not belong here: points
and categories (``mappings/assessment/naranjo*.tsv``) and the phrases (``cues.tsv``).  Source: Naranjo CA et al., Clin
Pharmacol Ther 1981;30:239-245.  A question that neither record nor text answers is ``unknown`` and earns no points.
"""

from collections.abc import Sequence
from functools import cache
from typing import cast

from pipeline.assessment.reading import Reading, drug_names, reaction_names, rows
from pipeline.extraction.cues import Cue
from pipeline.extraction.zones import Zone
from pipeline.records import (
    Assessment,
    Case,
    Drug,
    Evidence,
    Naranjo,
    NaranjoAnswer,
    NaranjoCategory,
    NaranjoItem,
    Reaction,
    Span,
)

Answer = tuple[NaranjoAnswer, Evidence]
UNKNOWN: Answer = ("unknown", [])
_OWN: tuple[Zone, ...] = ("case", "summary")
_AUTHORS: tuple[Zone, ...] = ("case", "summary", "general")
_NEGATION_REACH = 20  # code points between a negation and the cue it denies
_NEGATIVE = ("negative", "normal", "not detected", "absent", "unremarkable")
_NEGATIVE_TESTS = 2  # how many negative investigations exclude other causes without a word that says so


@cache
def points() -> dict[str, dict[NaranjoAnswer, int]]:
    """Points of each answer to each question, by question number (``"1"`` … ``"10"``)."""
    return {item: {"yes": int(y), "no": int(n), "unknown": int(u)} for item, y, n, u, _ in rows("naranjo")}


def category(score: int) -> NaranjoCategory:
    """Category of a score.

    >>> category(9), category(5), category(1), category(0)
    ('definite', 'probable', 'possible', 'doubtful')
    """
    table = [(int(low), name) for low, name in rows("naranjo_categories")]
    return cast(NaranjoCategory, next((name for low, name in table if score >= low), table[-1][1]))


def score(answers: dict[str, Answer]) -> Naranjo:
    """The scale filled in: items in order with points, their sum and its category."""
    items = {
        item: NaranjoItem(answer=answers[item][0], score=worth[answers[item][0]], evidence=answers[item][1])
        for item, worth in points().items()
    }
    total = sum(item.score for item in items.values())
    return Naranjo(score=total, category=category(total), items=items)


def answer(case: Case, assessment: Assessment, drug: Drug, reaction: Reaction, reading: Reading) -> dict[str, Answer]:
    """Answers to the ten questions for one drug and one reaction."""
    pair = _Pair(case, assessment, drug, reaction, reading)
    return {
        "1": pair.reported_before(),
        "2": pair.after_the_drug(),
        "3": pair.improved_without(),
        "4": pair.reappeared(),
        "5": pair.other_causes(),
        "6": pair.stated("6", _OWN),
        "7": pair.toxic_concentration(),
        "8": pair.dose_dependent(),
        "9": pair.stated("9", _OWN),
        "10": pair.objective(),
    }


class _Pair:
    def __init__(self, case: Case, assessment: Assessment, drug: Drug, reaction: Reaction, reading: Reading) -> None:
        self.case, self.assessment, self.drug, self.reaction, self.reading = case, assessment, drug, reaction, reading
        self.cues = reading.cues("cues")
        self.drug_at = reading.naming(drug_names(drug))
        self.reaction_at = reading.naming(reaction_names(reaction))

    def stated(self, item: str, zones: tuple[Zone, ...], *, near: Sequence[Sequence[Sequence[Span]]] = ()) -> Answer:
        """The answer of the first cue in sentences of the given zones; with ``near``, only where a name stands too."""
        for index, cue in self.reading.questions.get(item, ()):
            if self.reading.zones[index] not in zones or (near and not any(names[index] for names in near)):
                continue
            told = cue.kind.partition(".")[2]
            if told in ("yes", "no") and self._holds(index, cue):
                return ("yes" if told == "yes" else "no"), [(cue.start, cue.end)]
        return UNKNOWN

    def _holds(self, index: int, cue: Cue) -> bool:
        """Is the cue neither denied nor a supposition?"""
        for other in self.cues[index]:
            if other.kind == "hypothesis" or (
                other.kind == "negation"
                and other.end <= cue.start <= other.end + _NEGATION_REACH
                and other.start < cue.start
                and not set(",;:(") & set(self.reading.low[other.end : cue.start])
            ):
                return False
        return True

    def reported_before(self) -> Answer:
        """1: a statement on the literature that names drug and reaction, or literature mentions of both."""
        unreported: Answer = UNKNOWN
        for index, cue in self.reading.questions.get("1", ()):
            zone = self.reading.zones[index]
            if zone == "apart" or not self.drug_at[index]:
                continue
            if cue.kind == "1.no":
                unreported = ("no", [(cue.start, cue.end)])
            elif (self.reaction_at[index] or zone in ("literature", "general")) and not any(
                c.kind == "1.no" and c.start <= cue.start <= c.end for c in self.cues[index]
            ):
                return "yes", [(cue.start, cue.end), self.drug_at[index][0]]
        literature = {self.reading.sentence_at(m.start) for m in self.reading.mentions if m.assertion == "literature"}
        for index in sorted(i for i in literature if i is not None):
            if self.reading.zones[index] != "apart" and self.drug_at[index] and self.reaction_at[index]:
                return "yes", [self.drug_at[index][0], self.reaction_at[index][0]]
        return unreported

    def after_the_drug(self) -> Answer:
        """2: a time to onset, a course told of the drug, or words of sequence between drug and reaction."""
        for index, cue in self.reading.questions.get("2", ()):
            if cue.kind == "2.no" and self.reading.zones[index] in _OWN and self.reaction_at[index]:
                return "no", [(cue.start, cue.end)]
        if self.reaction.time_to_onset:
            return "yes", self.reaction.facts.get("time_to_onset", [])
        for fact in ("rechallenge", "dechallenge"):
            if getattr(self.assessment, fact) in ("positive", "negative"):
                return "yes", self.assessment.facts.get(fact, [])
        for index in self.reading.told(*_AUTHORS):
            if self.drug_at[index] and self.reaction_at[index]:
                after = next((c for c in self.cues[index] if c.kind == "2.yes"), None)
                if after:
                    return "yes", [(after.start, after.end), self.drug_at[index][0], self.reaction_at[index][0]]
        return UNKNOWN

    def improved_without(self) -> Answer:
        """3: the dechallenge; else recovery under a specific antagonist."""
        if self.assessment.dechallenge in ("positive", "negative"):
            yes: NaranjoAnswer = "yes" if self.assessment.dechallenge == "positive" else "no"
            return yes, self.assessment.facts.get("dechallenge", [])
        if self.reaction.outcome in ("recovered", "recovering"):
            names = {n.lower() for d in self.case.drugs if d.id in self.reaction.treatments for n in drug_names(d)}
            for index, cue in self.reading.questions.get("antagonist", ()):
                if self.reading.zones[index] in _OWN and self.reading.low[cue.start : cue.end] in names:
                    return "yes", [(cue.start, cue.end)]
        return UNKNOWN

    def reappeared(self) -> Answer:
        """4: the rechallenge."""
        if self.assessment.rechallenge in ("positive", "negative"):
            yes: NaranjoAnswer = "yes" if self.assessment.rechallenge == "positive" else "no"
            return yes, self.assessment.facts.get("rechallenge", [])
        return UNKNOWN

    def other_causes(self) -> Answer:
        """5: what the authors say; else another suspect of the same reaction; else negative investigations."""
        told = self.stated("5", _AUTHORS)
        if told[0] != "unknown":
            return told
        others = [a for a in self.case.assessments if a.reaction == self.reaction.id and a.drug != self.drug.id]
        if others and self.assessment.rechallenge != "positive":
            return "yes", [span for other in others for span in other.evidence[:1]]
        negative = [t for t in self.case.tests if t.result and t.result.lower().startswith(_NEGATIVE)]
        if len(negative) >= _NEGATIVE_TESTS:
            return "no", [span for test in negative for span in test.evidence[:1]]
        return UNKNOWN

    def toxic_concentration(self) -> Answer:
        """7: a level of this drug, in a sentence that names it."""
        return self.stated("7", _OWN, near=(self.drug_at,))

    def dose_dependent(self) -> Answer:
        """8: recurrence at a higher dose but not at a lower one, improvement on reduction, or words that say so."""
        alone = [e for e in self.drug.exposures if e.dose is not None and e.recurrence is not None and not e.with_]
        for high in (e for e in alone if e.recurrence):
            for low in (e for e in alone if not e.recurrence and e.unit == high.unit):
                if (high.dose or 0) > (low.dose or 0):
                    return "yes", [*low.evidence, *high.evidence]
        if self.drug.action_taken == "reduced" and self.assessment.dechallenge == "positive":
            return "yes", self.drug.facts.get("action_taken", [])
        return self.stated("8", _OWN)

    def objective(self) -> Answer:
        """10: an investigation with a finding, told of this patient."""
        told = self.stated("10", _OWN)
        if told[0] != "unknown":
            return told
        several = len(self.case.reactions) > 1
        for index in self.reading.told("case"):
            if several and not self.reaction_at[index]:
                continue
            found = next((c for c in self.cues[index] if c.kind == "result"), None)
            for cue in self.cues[index]:
                if cue.kind == "10.test" and found and self._holds(index, found) and self._holds(index, cue):
                    return "yes", [(cue.start, cue.end), (found.start, found.end)]
        return UNKNOWN
