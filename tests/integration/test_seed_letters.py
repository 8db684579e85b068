"""The two imatinib letters of ``seeds/``: what a reader finds in them, and what must not be taken for a fact."""

from pathlib import Path

import pytest

from pipeline import sources
from pipeline.assessment import assess
from pipeline.extraction import extract
from pipeline.records import Case, Drug, Reaction, Report

LETTERS = Path(__file__).parents[2] / "seeds" / "letters"


def read(name: str) -> tuple[Report, Case]:
    (report,) = sources.read([LETTERS / name])
    assert isinstance(report, Report)
    extraction = extract(report)
    (case,) = extraction.cases
    return report, assess(case, report, extraction.mentions)


def parts(case: Case) -> list[Drug | Reaction]:
    return [*case.drugs, *case.reactions]


def test_erythema_multiforme() -> None:
    _, case = read("imatinib-erythema-multiforme.txt")
    assert case.patient.age is not None and case.patient.sex is not None
    assert (case.patient.age.value, case.patient.sex.value) == (66, "female")
    imatinib = case.drugs[0]
    assert (imatinib.name, imatinib.role) == ("imatinib", "suspect")
    assert [i.term for i in imatinib.indications] == ["gastrointestinal stromal tumor"]
    told = [(e.dose, e.dose_high, e.unit, e.per, e.duration, e.re_exposure, e.recurrence) for e in imatinib.exposures]
    assert told == [
        (400, None, "mg", "d", "P5W", False, None),
        (100, None, "mg", "d", "P2M", True, False),
        (200, None, "mg", "d", None, True, True),
        (100, 200, "mg", "d", "P5M", True, False),
    ]
    (reaction,) = case.reactions
    assert (reaction.term, reaction.time_to_onset, reaction.outcome) == ("erythema multiforme", "P5W", "recovered")
    treatments = {d.name for d in case.drugs if d.id in reaction.treatments}
    assert treatments == {"corticosteroid", "antihistamine"}
    assert imatinib.exposures[3].with_ == [d.id for d in case.drugs if d.name == "corticosteroid"]
    (assessment,) = case.assessments
    assert (assessment.dechallenge, assessment.rechallenge) == ("positive", "positive")
    assert assessment.author_statement == "probable"
    assert assessment.who_umc == "certain"
    assert {(t.name, t.result) for t in case.tests} >= {
        ("herpes simplex virus IgG", "negative"),
        ("herpes simplex virus IgM", "negative"),
    }


def test_flare_of_psoriasis() -> None:
    _, case = read("imatinib-psoriasis.txt")
    assert case.patient.age is not None and case.patient.sex is not None
    assert (case.patient.age.value, case.patient.sex.value) == (52, "male")
    (imatinib,) = [d for d in case.drugs if d.role == "suspect"]
    assert imatinib.name == "imatinib"
    assert [(e.dose, e.per, e.route, e.recurrence) for e in imatinib.exposures] == [
        (400, "d", "oral", None),
        (200, "d", None, False),
    ]
    outcomes = {r.term: r.outcome for r in case.reactions}
    assert outcomes == {
        "hand-foot syndrome": "recovering",
        "exacerbation of psoriasis": "recovering",
        "psoriatic nail dystrophy": "not_recovered",
    }
    assert any("psoriasis" in h.term for h in case.patient.history)
    treatments = [set(d.verbatim) for d in case.drugs if d.role == "treatment"]
    assert len(treatments) == 2
    assert all(any(form in forms for forms in treatments) for form in ("corticosteroid", "calcipotriol"))
    terms = {r.id: r.term for r in case.reactions}
    assert {terms[a.reaction]: a.dechallenge for a in case.assessments} == {
        "hand-foot syndrome": "positive",
        "exacerbation of psoriasis": "positive",
        "psoriatic nail dystrophy": "negative",
    }
    rechallenge = {terms[a.reaction]: a.rechallenge for a in case.assessments}
    assert rechallenge["hand-foot syndrome"] == rechallenge["exacerbation of psoriasis"] == "negative"
    assert rechallenge["psoriatic nail dystrophy"] != "positive"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imatinib-erythema-multiforme.txt", {"stevens-johnson syndrome", "maculopapular rash"}),
        ("imatinib-psoriasis.txt", {"dasatinib", "nilotinib", "pityriasis rosea", "paronychia"}),
    ],
)
def test_the_literature_is_no_fact_of_the_case(name: str, words: set[str]) -> None:
    _, case = read(name)
    names = {d.name for d in case.drugs} | {r.term for r in case.reactions}
    names |= {form.lower() for part in parts(case) for form in part.verbatim}
    assert not words & names


@pytest.mark.parametrize("name", ["imatinib-erythema-multiforme.txt", "imatinib-psoriasis.txt"])
def test_every_verbatim_form_is_quoted_by_the_evidence(name: str) -> None:
    report, case = read(name)
    for part in parts(case):
        quoted = [" ".join(report.text[start:end].split()) for start, end in part.evidence]
        assert all(any(form in quote for quote in quoted) for form in part.verbatim)


def test_a_treated_patient_without_a_reaction_has_none() -> None:
    _, case = read("no-adverse-reaction.txt")
    assert case.reactions == []
    assert [d.role for d in case.drugs] == ["concomitant"]
