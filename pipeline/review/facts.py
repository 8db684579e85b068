"""Every fact of a Case: its pointer into the record, its words for people, and the characters it was read from.

Belongs here: which facts a reviewer looks at, in which order and under which heading.  Does not belong here: markup.
Pointers are part of the contract in ``pipeline.review``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from pipeline import data
from pipeline.records import CAUSES, Assessment, Case, Coding, Concept, Drug, Evidence, Naranjo, Reaction
from pipeline.review import words

Kind = Literal["patient", "drug", "dose", "indication", "reaction", "time", "course", "cause", "test"]

KINDS: Final[dict[Kind, str]] = {
    "drug": "drug",
    "dose": "dose, route, duration",
    "reaction": "reaction",
    "time": "time to onset",
    "course": "what was done, outcome",
    "cause": "cause and effect",
    "indication": "indication",
    "patient": "patient, history",
    "test": "investigation",
}
"""The kinds of fact that are told apart by colour, in the order of the legend, with their names."""


@dataclass(frozen=True)
class Fact:
    """One fact. ``value`` is the value in the record where that is a string; ``shown`` is it in words.

    A fact that the text does not state has ``absent`` set and no evidence.
    """

    pointer: str
    kind: Kind
    label: str
    shown: str
    value: str | None = None
    evidence: tuple[tuple[int, int], ...] = ()
    absent: bool = False
    note: str = ""
    codings: tuple[Coding, ...] = ()

    @property
    def spans(self) -> str:
        """The evidence as ``data-evidence`` has it."""
        return " ".join(f"{start}-{end}" for start, end in self.evidence)


@dataclass(frozen=True)
class Card:
    """What belongs together: a drug, a reaction, a pair of both, the patient."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Section:
    """Cards under a heading."""

    title: str
    cards: tuple[Card, ...]
    none: str
    """What is said where there is no card."""


@dataclass(frozen=True)
class Question:
    """One question of the Naranjo scale with the answer, which is a fact of the case."""

    number: str
    question: str
    points: int
    fact: Fact


@dataclass(frozen=True)
class Judgement:
    """The causality panel of one drug and one reaction."""

    drug: str
    reaction: str
    facts: tuple[Fact, ...]
    who_umc: Fact
    naranjo: Fact
    authors: Fact
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class CaseFacts:
    """All facts of a case, as the page arranges them."""

    sections: tuple[Section, ...]
    judgements: tuple[Judgement, ...]

    def __iter__(self) -> Iterator[Fact]:
        for section in self.sections:
            for card in section.cards:
                yield from card.facts
        for judgement in self.judgements:
            yield from (*judgement.facts, judgement.who_umc, judgement.naranjo, judgement.authors)
            yield from (question.fact for question in judgement.questions)


def read(case: Case) -> CaseFacts:
    """The facts of ``case``; the same pointers for the same shape of the record."""
    names = {drug.id: drug.name for drug in case.drugs}
    terms = {reaction.id: reaction.term for reaction in case.reactions}
    sections = (
        Section("Patient", (_patient(case),), ""),
        Section("Drugs", tuple(_drug(d, i, names) for i, d in enumerate(case.drugs)), "No drug was found."),
        Section(
            "Reactions",
            tuple(_reaction(r, i, names) for i, r in enumerate(case.reactions)),
            "The report states no adverse reaction of this patient.",
        ),
        *([Section("Investigations", (_tests(case),), "")] if case.tests else []),
    )
    return CaseFacts(sections, tuple(_judgement(a, i, names, terms) for i, a in enumerate(case.assessments)))


def _spans(evidence: Evidence | None) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(set(evidence or ())))


def _stated(pointer: str, kind: Kind, label: str, value: str | None, evidence: Evidence | None, **more: str) -> Fact:
    """A fact whose value is a code or a word; ``None`` and ``"unknown"`` say that the text does not state it."""
    absent = value in (None, "unknown")
    shown = "not stated" if absent else more.get("shown") or words.plain(value or "")
    return Fact(pointer, kind, label, shown, value, _spans(evidence), absent, more.get("note", ""))


def _concept(pointer: str, kind: Kind, label: str, concept: Concept) -> Fact:
    return Fact(
        pointer, kind, label, concept.term, concept.term, _spans(concept.evidence), codings=tuple(concept.codings)
    )


def _patient(case: Case) -> Card:
    patient = case.patient
    age, sex, ethnicity = patient.age, patient.sex, patient.ethnicity
    facts = [
        _stated("patient/sex", "patient", "Sex", sex.value if sex else None, sex.evidence if sex else None),
        Fact(
            "patient/age",
            "patient",
            "Age",
            words.age(age) if age else "not stated",
            evidence=_spans(age.evidence if age else None),
            absent=age is None,
        ),
        _stated(
            "patient/ethnicity",
            "patient",
            "Ethnicity",
            ethnicity.value if ethnicity else None,
            ethnicity.evidence if ethnicity else None,
        ),
    ]
    history = [_concept(f"patient/history/{i}", "patient", "History", entry) for i, entry in enumerate(patient.history)]
    return Card(words.patient(case), (*facts, *history))


def _verbatim(term: str, verbatim: Sequence[str]) -> str:
    """Other words of the report for ``term``, each once."""
    others = {word.casefold(): word for word in verbatim if word.casefold() != term.casefold()}
    return ", ".join(others.values())


def _drug(drug: Drug, index: int, names: dict[str, str]) -> Card:
    at = f"drugs/{index}"
    facts = [
        Fact(
            at,
            "drug",
            "Drug",
            drug.name,
            drug.name,
            _spans(drug.evidence),
            note=_verbatim(drug.name, drug.verbatim),
            codings=tuple(drug.codings),
        ),
        _stated(f"{at}/role", "cause", "Role", drug.role, drug.facts.get("role")),
        *(
            _concept(f"{at}/indications/{i}", "indication", "Indication", indication)
            for i, indication in enumerate(drug.indications)
        ),
        *(
            Fact(
                f"{at}/exposures/{i}",
                "dose",
                "Re-exposure" if exposure.re_exposure else "Exposure",
                words.regimen(exposure, names),
                evidence=_spans(exposure.evidence),
                note={True: "the reaction came back", False: "the reaction did not come back"}.get(
                    exposure.recurrence,  # type: ignore[arg-type]  # None is looked up too
                    "",
                ),
            )
            for i, exposure in enumerate(drug.exposures)
        ),
    ]
    if drug.role in CAUSES or drug.action_taken:
        facts.append(
            _stated(f"{at}/action_taken", "course", "Action taken", drug.action_taken, drug.facts.get("action_taken"))
        )
    return Card(drug.name, tuple(facts))


def _reaction(reaction: Reaction, index: int, names: dict[str, str]) -> Card:
    at = f"reactions/{index}"
    onset = reaction.time_to_onset
    serious = reaction.seriousness
    treatments = reaction.treatments
    return Card(
        reaction.term,
        (
            Fact(
                at,
                "reaction",
                "Reaction",
                reaction.term,
                reaction.term,
                _spans(reaction.evidence),
                note=_verbatim(reaction.term, reaction.verbatim),
                codings=tuple(reaction.codings),
            ),
            _stated(
                f"{at}/time_to_onset",
                "time",
                "Time to onset",
                onset,
                reaction.facts.get("time_to_onset"),
                shown=words.duration(onset) if onset else "",
            ),
            _stated(f"{at}/outcome", "course", "Outcome", reaction.outcome, reaction.facts.get("outcome")),
            Fact(
                f"{at}/seriousness",
                "course",
                "Seriousness",
                words.listed(map(words.plain, serious)) if serious else "no criterion stated",
                evidence=_spans(reaction.facts.get("seriousness")),
                absent=not serious,
            ),
            Fact(
                f"{at}/treatments",
                "course",
                "Treated with",
                words.listed(names.get(drug, drug) for drug in treatments) if treatments else "not stated",
                evidence=_spans(reaction.facts.get("treatments")),
                absent=not treatments,
            ),
        ),
    )


def _tests(case: Case) -> Card:
    return Card(
        "Investigations",
        tuple(
            Fact(f"tests/{i}", "test", test.name, test.result or "result not stated", evidence=_spans(test.evidence))
            for i, test in enumerate(case.tests)
        ),
    )


def _judgement(assessment: Assessment, index: int, names: dict[str, str], terms: dict[str, str]) -> Judgement:
    at = f"assessments/{index}"
    drug, reaction = names.get(assessment.drug, assessment.drug), terms.get(assessment.reaction, assessment.reaction)
    naranjo = assessment.naranjo
    by_the_authors = [
        f"by the {assessment.author_method} scale" if assessment.author_method else "",
        f"score {assessment.author_score}" if assessment.author_score is not None else "",
    ]
    return Judgement(
        drug,
        reaction,
        (
            Fact(
                at,
                "cause",
                "Related",
                f"{drug} → {reaction}",
                evidence=_spans([*assessment.evidence, *assessment.facts.get("link", ())]),
            ),
            _stated(
                f"{at}/dechallenge",
                "course",
                "Dechallenge",
                assessment.dechallenge,
                assessment.facts.get("dechallenge"),
                note=_CHALLENGES["dechallenge", assessment.dechallenge],
            ),
            _stated(
                f"{at}/rechallenge",
                "course",
                "Rechallenge",
                assessment.rechallenge,
                assessment.facts.get("rechallenge"),
                note=_CHALLENGES["rechallenge", assessment.rechallenge],
            ),
        ),
        who_umc=Fact(
            f"{at}/who_umc",
            "cause",
            "WHO-UMC",
            assessment.who_umc or "not assessed",
            assessment.who_umc,
            _spans([*_answered(naranjo, "2", "5"), *(s for f in _CHALLENGED for s in assessment.facts.get(f, []))]),
            absent=assessment.who_umc is None,
            note="from onset, other causes, dechallenge and rechallenge",
        ),
        naranjo=Fact(
            f"{at}/naranjo",
            "cause",
            "Naranjo",
            f"{naranjo.score} · {naranjo.category}" if naranjo else "not assessed",
            naranjo.category if naranjo else None,
            _spans(_answered(naranjo, *(number for number, _ in _questions()))),
            absent=naranjo is None,
        ),
        authors=_stated(
            f"{at}/author_statement",
            "cause",
            "The authors say",
            assessment.author_statement,
            assessment.facts.get("author_statement"),
            note=", ".join(filter(None, by_the_authors)),
        ),
        questions=tuple(
            Question(
                number,
                question,
                item.score,
                Fact(
                    f"{at}/naranjo/items/{number}",
                    "cause",
                    f"Naranjo {number}",
                    item.answer,
                    item.answer,
                    _spans(item.evidence),
                    item.answer == "unknown",
                ),
            )
            for number, question in _questions()
            if naranjo and (item := naranjo.items.get(number))
        ),
    )


def _answered(naranjo: Naranjo | None, *numbers: str) -> Evidence:
    """What the answers to these questions were read from."""
    items = naranjo.items if naranjo else {}
    return [span for number in numbers if number in items for span in items[number].evidence]


_CHALLENGED: Final = ("dechallenge", "rechallenge")
_CHALLENGES: Final = {
    ("dechallenge", "positive"): "it abated after the drug was stopped or reduced",
    ("dechallenge", "negative"): "it did not abate after the drug was stopped or reduced",
    ("dechallenge", "not_done"): "the drug was continued",
    ("dechallenge", "not_applicable"): "the effect of stopping cannot be judged",
    ("dechallenge", "unknown"): "",
    ("rechallenge", "positive"): "it came back when the drug was given again",
    ("rechallenge", "negative"): "it did not come back when the drug was given again",
    ("rechallenge", "not_done"): "the drug was not given again",
    ("rechallenge", "unknown"): "",
}


@cache
def _questions() -> list[tuple[str, str]]:
    """Numbers and questions of the Naranjo scale, in our words, as ``mappings/assessment/naranjo.tsv`` has them."""
    return [(row[0], row[4]) for row in data.rows(data.MAPPINGS / "assessment" / "naranjo.tsv", 5)]
