"""The Naranjo adverse drug reaction probability scale, item by item.

Belongs here: how each of the ten questions is answered from the case record and the text.  Does not belong here: points
and categories (``mappings/assessment/naranjo*.tsv``) and the phrases (``cues.tsv``).  Source: Naranjo CA et al., Clin
Pharmacol Ther 1981;30:239-245.  A question that neither record nor text answers is ``unknown`` and earns no points.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import cast

from pipeline.assessment.reading import Reading, drug_names, reaction_names, rows
from pipeline.extraction.cues import Cue
from pipeline.extraction.zones import TOLD, Zone
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
_AUTHORS: frozenset[Zone] = TOLD | {"general"}
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
        "6": reading.once(_stated)["6"],
        "7": pair.toxic_concentration(),
        "8": pair.dose_dependent(),
        "9": reading.once(_stated)["9"],
        "10": pair.objective(),
    }


class _Pair:
    def __init__(self, case: Case, assessment: Assessment, drug: Drug, reaction: Reaction, reading: Reading) -> None:
        self.case, self.assessment, self.drug, self.reaction, self.reading = case, assessment, drug, reaction, reading
        self.cues = reading.cues("cues")
        self.drug_at = reading.naming(drug_names(drug))
        self.reaction_at = reading.naming(reaction_names(reaction))

    def _asked(self, item: str, where: Mapping[int, object]) -> Iterator[tuple[int, Cue]]:
        """Cues that answer a question, in order, of the sentences in ``where``, whose order is theirs."""
        cues = self.reading.questions.get(item, {})
        return ((index, cue) for index in where if index in cues for cue in cues[index])

    def reported_before(self) -> Answer:
        """1: a statement on the literature that names drug and reaction, or literature mentions of both."""
        unreported: Answer = UNKNOWN
        for index, cue in self._asked("1", self.drug_at):
            zone = self.reading.zones[index]
            if zone == "apart":
                continue
            if cue.kind == "1.no":
                unreported = ("no", [(cue.start, cue.end)])
            elif (index in self.reaction_at or zone in ("literature", "general")) and not any(
                c.kind == "1.no" and c.start <= cue.start <= c.end for c in self.cues[index]
            ):
                return "yes", [(cue.start, cue.end), self.drug_at[index][0]]
        for index in self._naming_both():
            if index in self.reading.literature and self.reading.zones[index] != "apart":
                return "yes", [self.drug_at[index][0], self.reaction_at[index][0]]
        return unreported

    def after_the_drug(self) -> Answer:
        """2: a time to onset, a course told of the drug, or words of sequence between drug and reaction."""
        for index, cue in self._asked("2", self.reaction_at):
            if cue.kind == "2.no" and self.reading.zones[index] in TOLD:
                return "no", [(cue.start, cue.end)]
        if self.reaction.time_to_onset:
            return "yes", self.reaction.facts.get("time_to_onset", [])
        for fact in ("rechallenge", "dechallenge"):
            if getattr(self.assessment, fact) in ("positive", "negative"):
                return "yes", self.assessment.facts.get(fact, [])
        for index in self._naming_both():
            if self.reading.zones[index] in _AUTHORS:
                after = next((c for c in self.cues[index] if c.kind == "2.yes"), None)
                if after:
                    return "yes", [(after.start, after.end), self.drug_at[index][0], self.reaction_at[index][0]]
        return UNKNOWN

    def _naming_both(self) -> Iterator[int]:
        """Sentences that name drug and reaction, in order."""
        return (index for index in self.drug_at if index in self.reaction_at)

    def improved_without(self) -> Answer:
        """3: the dechallenge; else recovery under a specific antagonist."""
        if self.assessment.dechallenge in ("positive", "negative"):
            yes: NaranjoAnswer = "yes" if self.assessment.dechallenge == "positive" else "no"
            return yes, self.assessment.facts.get("dechallenge", [])
        if self.reaction.outcome in ("recovered", "recovering"):
            names = {n.lower() for d in self.case.drugs if d.id in self.reaction.treatments for n in drug_names(d)}
            antagonists = self.reading.once(_antagonists)
            if given := names & antagonists.keys():
                return "yes", [min(antagonists[name] for name in given)]
        return UNKNOWN

    def reappeared(self) -> Answer:
        """4: the rechallenge."""
        if self.assessment.rechallenge in ("positive", "negative"):
            yes: NaranjoAnswer = "yes" if self.assessment.rechallenge == "positive" else "no"
            return yes, self.assessment.facts.get("rechallenge", [])
        return UNKNOWN

    def other_causes(self) -> Answer:
        """5: what the authors say; else another suspect of the same reaction; else negative investigations."""
        told = self.reading.once(_stated)["5"]
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
        return _first(self.reading, self._asked("7", self.drug_at), TOLD)

    def dose_dependent(self) -> Answer:
        """8: recurrence at a higher dose but not at a lower one, improvement on reduction, or words that say so."""
        alone = [e for e in self.drug.exposures if e.dose is not None and e.recurrence is not None and not e.with_]
        for high in (e for e in alone if e.recurrence):
            for low in (e for e in alone if not e.recurrence and e.unit == high.unit):
                if (high.dose or 0) > (low.dose or 0):
                    return "yes", [*low.evidence, *high.evidence]
        if self.drug.action_taken == "reduced" and self.assessment.dechallenge == "positive":
            return "yes", self.drug.facts.get("action_taken", [])
        return self.reading.once(_stated)["8"]

    def objective(self) -> Answer:
        """10: an investigation with a finding, told of this patient."""
        told = self.reading.once(_stated)["10"]
        if told[0] != "unknown":
            return told
        findings = self.reading.once(_findings)
        several = len(self.case.reactions) > 1
        places = (index for index in self.reaction_at if index in findings) if several else iter(findings)
        index = next(places, None)
        return UNKNOWN if index is None else ("yes", findings[index])


def _stated(reading: Reading) -> dict[str, Answer]:
    """The answers to questions that no drug need be named for."""
    zones = {"5": _AUTHORS, "6": TOLD, "8": TOLD, "9": TOLD, "10": TOLD}
    told = {item: reading.questions.get(item, {}) for item in zones}
    return {
        item: _first(reading, ((index, cue) for index in told[item] for cue in told[item][index]), zones[item])
        for item in zones
    }


def _first(reading: Reading, cues: Iterable[tuple[int, Cue]], zones: Collection[Zone]) -> Answer:
    """The answer of the first cue in sentences of the given zones."""
    for index, cue in cues:
        told = cue.kind.partition(".")[2]
        if reading.zones[index] in zones and told in ("yes", "no") and _holds(reading, index, cue):
            return ("yes" if told == "yes" else "no"), [(cue.start, cue.end)]
    return UNKNOWN


def _holds(reading: Reading, index: int, cue: Cue) -> bool:
    """Is the cue neither denied nor a supposition?"""
    for other in reading.cues("cues")[index]:
        if other.kind == "hypothesis" or (
            other.kind == "negation"
            and other.end <= cue.start <= other.end + _NEGATION_REACH
            and other.start < cue.start
            and not set(",;:(") & set(reading.low[other.end : cue.start])
        ):
            return False
    return True


def _antagonists(reading: Reading) -> dict[str, Span]:
    """Antagonists that the text names in the patient's own story, each where it does so first."""
    found: dict[str, Span] = {}
    for index, cues in reading.questions.get("antagonist", {}).items():
        if reading.zones[index] in TOLD:
            for cue in cues:
                found.setdefault(reading.low[cue.start : cue.end], (cue.start, cue.end))
    return found


def _findings(reading: Reading) -> dict[int, Evidence]:
    """Investigations with a finding in the patient's own story, by sentence: the first of each."""
    found: dict[int, Evidence] = {}
    for index, cues in reading.questions.get("10", {}).items():
        if reading.zones[index] != "case":
            continue
        result = next((c for c in reading.cues("cues")[index] if c.kind == "result"), None)
        if result is None or not _holds(reading, index, result):
            continue
        for cue in cues:
            if cue.kind == "10.test" and _holds(reading, index, cue):
                found[index] = [(cue.start, cue.end), (result.start, result.end)]
                break
    return found
