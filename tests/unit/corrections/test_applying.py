"""What corrections do to a case, whatever order its facts were found in."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.corrections import Accept, Add, Anchor, Change, Correction, Fact, anchor_of, apply, results
from pipeline.corrections.anchors import fact_at, find, pointer
from pipeline.records import Case, Exposure, Extraction, Reaction, Report, encode
from tests.unit.corrections.correction_samples import (
    accept,
    add,
    at,
    base,
    case,
    change,
    corrected,
    extraction,
    fact,
    merge,
    reject,
    report,
    split,
    statuses,
)

DRUG = Anchor(at=at("imatinib"))
REACTION = Anchor(at=at("erythema multiforme"))


def two_reactions() -> Extraction:
    found = extraction()
    rash = Reaction(id="reaction-2", term="rash", verbatim=["Rash"], evidence=at("Rash"), treatments=["drug-2"])
    found.cases[0].reactions.append(rash)
    return found


def test_a_changed_field_says_who_when_why_and_where() -> None:
    found = corrected(change("reactions/0/outcome", "recovering"))
    assert found.reactions[0].outcome == "recovering"
    (told,) = found.corrections
    assert (told.by, told.at, told.why) == ("A. Reviewer", "2026-11-21T19:05:00Z", "read again")
    assert (told.operation, told.status, told.fact) == ("change", "applied", "reactions/0/outcome")


def test_an_accepted_value_lasts_though_the_pipeline_reads_another() -> None:
    reread = extraction()
    reread.cases[0].reactions[0].outcome = "unknown"
    accepted = Accept(fact=fact("reactions/0"), field="outcome", value="recovered", **base())
    assert corrected(accepted, of=reread).reactions[0].outcome == "recovered"


def test_a_fact_that_is_accepted_with_its_values_keeps_them_all() -> None:
    reread = extraction()
    exposure = reread.cases[0].drugs[0].exposures[0]
    exposure.dose, exposure.route = 40, "rectal"
    values = {"dose": 400, "unit": "mg", "cumulative": False}
    accepted = Accept(fact=fact("drugs/0/exposures/0"), values=values, **base())
    found = corrected(accepted, of=reread).drugs[0].exposures[0]
    assert (found.dose, found.unit, found.route, found.cumulative) == (400, "mg", "rectal", False)


def test_evidence_that_is_given_becomes_that_of_the_field() -> None:
    made = change("reactions/0/outcome", "recovered", evidence=at("she recovered"))
    assert corrected(made).reactions[0].facts["outcome"] == at("she recovered")
    aged = corrected(change("patient/age/value", 67, evidence=at("66")))
    assert (aged.patient.age and aged.patient.age.value, statuses(aged)) == (67, ["applied"])


def test_a_rejected_field_is_not_known() -> None:
    found = corrected(reject("reactions/0/seriousness"), reject("reactions/0/time_to_onset"))
    assert (found.reactions[0].seriousness, found.reactions[0].time_to_onset) == ([], None)


def test_a_rejected_drug_goes_with_its_links() -> None:
    found = corrected(reject("drugs/0"))
    assert [(drug.id, drug.name) for drug in found.drugs] == [("drug-1", "prednisolone")]
    assert found.assessments == []
    assert found.drugs[0].exposures[0].with_ == []
    assert found.reactions[0].treatments == ["drug-1"]
    assert found.corrections[0].fact is None


def test_a_rejected_reaction_goes_with_its_links() -> None:
    found = corrected(reject("reactions/0"))
    assert (found.reactions, found.assessments) == ([], [])


@pytest.mark.parametrize(
    ("pointer_", "gone"),
    [("patient/age", "patient.age"), ("patient/history/0", "patient.history"), ("tests/0", "tests"),
     ("drugs/0/exposures/0", "drugs.0.exposures"), ("assessments/0", "assessments")],
)  # fmt: skip
def test_any_fact_can_be_rejected(pointer_: str, gone: str) -> None:
    found = corrected(reject(pointer_))
    node: object = msgspec.to_builtins(found)
    for part in gone.split("."):
        node = node[int(part)] if isinstance(node, list) else node[part]  # type: ignore[index]
    assert not node
    assert statuses(found) == ["applied"]


def test_a_new_suspect_is_linked_to_the_reactions_and_one_that_is_none_is_not() -> None:
    found = corrected(change("drugs/1/role", "suspect"), change("drugs/0/role", "concomitant"))
    assert [(one.drug, one.reaction) for one in found.assessments] == [("drug-2", "reaction-1")]
    assert found.drugs[0].action_taken is None
    assert found.reactions[0].treatments == []


def test_a_missed_drug_is_added_with_its_codes_words_and_links() -> None:
    found = corrected(add("drug", "HSV IgM", name="Imatinib", role="suspect"))
    made = found.drugs[-1]
    assert (made.id, made.name, made.verbatim, made.evidence) == ("drug-3", "Imatinib", ["HSV IgM"], at("HSV IgM"))
    assert made.codings
    assert ("drug-3", "reaction-1") in [(one.drug, one.reaction) for one in found.assessments]
    assert found.corrections[0].fact == "drugs/2"


def test_what_is_added_can_be_corrected_in_turn() -> None:
    made = add("reaction", "Rash", term="rash")
    on_it = Fact(kind="reaction", at=at("Rash"))
    found = corrected(made, Change(fact=on_it, field="outcome", value="fatal", **base()))
    assert [(one.term, one.outcome) for one in found.reactions][1:] == [("rash", "fatal")]


def test_an_added_fact_that_is_found_by_now_is_not_there_twice() -> None:
    found = corrected(add("reaction", "erythema multiforme", term="Erythema multiforme", outcome="fatal"))
    (one,) = found.reactions
    assert one.outcome == "fatal"


def test_an_added_exposure_stands_in_the_order_of_the_text() -> None:
    found = corrected(add("exposure", "took", drug=DRUG, dose=200, unit="mg", per="d"))
    assert [one.dose for one in found.drugs[0].exposures] == [200, 400]


def test_a_treatment_is_added_and_rejected() -> None:
    link = Fact(kind="treatment", drug=DRUG, reaction=REACTION)
    found = corrected(Add(fact=link, **base()))
    assert found.reactions[0].treatments == ["drug-2", "drug-1"]
    assert found.corrections[0].fact == "reactions/0/treatments"


def test_merged_reactions_are_one_with_all_that_was_known() -> None:
    whole = two_reactions()
    whole.cases[0].reactions[0].outcome = "unknown"
    whole.cases[0].reactions[1].outcome = "fatal"
    found = corrected(merge("reactions/1", REACTION, whole.cases[0]), of=whole)
    (one,) = found.reactions
    assert (one.term, one.outcome, one.verbatim) == ("erythema multiforme", "fatal", ["erythema multiforme", "Rash"])
    assert one.evidence == sorted([*at("Rash"), *at("erythema multiforme")])
    assert len(found.assessments) == 1
    assert found.corrections[0].fact == "reactions/0"


def test_merged_drugs_leave_one_assessment_each() -> None:
    whole = extraction()
    whole.cases[0].drugs[1].role = "suspect"
    link = msgspec.structs.replace(whole.cases[0].assessments[0], drug="drug-2", dechallenge="positive", facts={})
    whole.cases[0].assessments.insert(0, link)
    found = corrected(merge("drugs/1", DRUG, whole.cases[0]), of=whole)
    assert [drug.name for drug in found.drugs] == ["imatinib"]
    assert [(a.drug, a.dechallenge) for a in found.assessments] == [("drug-1", "positive")]
    assert len(found.drugs[0].exposures) == 2
    assert found.drugs[0].exposures[1].with_ == []


def test_a_split_reaction_is_two_of_which_each_keeps_its_words() -> None:
    whole = extraction()
    whole.cases[0].reactions[0].evidence += at("Rash")
    whole.cases[0].reactions[0].verbatim.append("Rash")
    found = corrected(split("reactions/0", whole.cases[0], "Rash", "rash"), of=whole)
    assert [(r.id, r.term, r.verbatim) for r in found.reactions] == [
        ("reaction-1", "erythema multiforme", ["erythema multiforme"]),
        ("reaction-2", "rash", ["Rash"]),
    ]
    assert [(a.drug, a.reaction) for a in found.assessments] == [("drug-1", "reaction-1"), ("drug-1", "reaction-2")]


def test_a_term_brings_its_codes() -> None:
    found = corrected(change("reactions/0/term", "pancreatitis"))
    assert found.reactions[0].term == "pancreatitis"
    assert any(coding.code.startswith("K85") for coding in found.reactions[0].codings)


# --- what cannot be applied -------------------------------------------------------------------------------------------


def other_text() -> Report:
    looked_at = report()
    looked_at.text += " More."
    return looked_at


@pytest.mark.parametrize(
    ("correction", "status"),
    [
        (accept("drugs/0", looked_at=other_text()), "text_changed"),
        (Accept(fact=Fact(kind="drug", at=at("psoriasis")), **base()), "fact_missing"),
        (
            Accept(fact=Fact(kind="exposure", at=at("400 mg daily"), drug=Anchor(at=at("she"))), **base()),
            "fact_missing",
        ),
        (Accept(fact=Fact(kind="drug", at=[*at("imatinib"), *at("Prednisolone")]), **base()), "ambiguous"),
        (merge("drugs/0", DRUG), "conflicting"),
        (split("reactions/0", case(), "erythema multiforme", "all of it"), "conflicting"),
        (Add(fact=Fact(kind="test", at=[(5, 10_000)]), values={"name": "x"}, **base()), "conflicting"),
    ],
)
def test_what_cannot_be_applied_changes_nothing_and_is_told(correction: Correction, status: str) -> None:
    found = corrected(correction)
    assert statuses(found) == [status]
    assert found.corrections[0].fact is None
    found.corrections = []
    assert found == case()


def test_every_correction_is_told_of_even_where_case_or_report_are_gone() -> None:
    gone = base(case="r1-9")
    corrections: list[Correction] = [
        accept("drugs/0"),
        Accept(fact=Fact(kind="sex"), **gone),
        accept("drugs/0", case="r1-9", looked_at=other_text()),
    ]
    whole = apply(extraction(), report(), corrections)
    elsewhere = accept("drugs/0", report="r9", case="r9-1")
    told = list(results({"r1": corrections, "r9": [elsewhere]}, [(report(), whole)]))
    assert [(one.id, result.status) for one, _, result in told] == [
        (corrections[0].id, "applied"),
        (corrections[1].id, "case_missing"),
        (corrections[2].id, "text_changed"),
        (elsewhere.id, "report_missing"),
    ]
    told = list(results({"r1": corrections}, [], whole.cases))
    assert [(case_id, result.status) for _, case_id, result in told] == [
        ("r1-1", "case_withheld"),
        ("r1-9", "report_missing"),
        ("r1-9", "report_missing"),
    ]


# --- anchors outlast another version of the pipeline ------------------------------------------------------------------

POINTERS = [
    "patient/age", "patient/sex", "patient/history/0", "drugs/0", "drugs/1", "drugs/0/exposures/0", "reactions/0",
    "assessments/0", "tests/0",
]  # fmt: skip


def shuffled(random: Random) -> Extraction:
    """The same facts found in another order, with more of them, under other ids, and the patients counted otherwise."""
    found = extraction()
    (one,) = found.cases
    extra = Reaction(id="reaction-9", term="rash", evidence=at("Rash"))
    one.reactions.append(extra)
    one.drugs[0].exposures.append(Exposure(dose=1, unit="g", evidence=at("five weeks")))
    for records in (one.drugs, one.reactions, one.drugs[0].exposures, one.drugs[0].evidence):
        random.shuffle(records)
    renamed = {drug.id: f"drug-{n}" for n, drug in enumerate(one.drugs, 1)}
    renamed |= {reaction.id: f"reaction-{n}" for n, reaction in enumerate(one.reactions, 1)}
    for drug in one.drugs:
        drug.id = renamed[drug.id]
    for reaction in one.reactions:
        reaction.id = renamed[reaction.id]
        reaction.treatments = [renamed[id_] for id_ in reaction.treatments]
    for link in one.assessments:
        link.drug, link.reaction = renamed[link.drug], renamed[link.reaction]
    return found


@pytest.mark.parametrize("path", POINTERS)
@settings(max_examples=15, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_an_anchor_finds_the_fact_it_was_made_of(path: str, random: Random) -> None:
    original, again = case(), shuffled(random).cases[0]
    anchor, field = fact_at(original, path)
    assert field is None
    found = find(again, anchor)
    assert fact_at(again, pointer(again, found) or "")[0].kind == anchor.kind
    same = find(original, anchor).record
    for name in ("name", "term", "dose", "value"):
        assert getattr(found.record, name, None) == getattr(same, name, None)


def test_a_fact_is_found_in_the_only_other_case_that_has_it() -> None:
    whole = extraction()
    empty = Case(case_id="r1-1", report_id="r1")
    whole.cases = [empty, msgspec.structs.replace(whole.cases[0], case_id="r1-2")]
    found = apply(whole, report(), [change("reactions/0/outcome", "fatal")])
    assert [statuses(one) for one in found.cases] == [[], ["applied"]]
    assert found.cases[1].reactions[0].outcome == "fatal"


CORRECTIONS = st.lists(
    st.sampled_from(
        [
            change("reactions/0/outcome", "fatal"),
            change("drugs/1/role", "suspect"),
            change("drugs/0/role", "treatment"),
            change("drugs/0/name", "dasatinib"),
            reject("drugs/0"),
            reject("drugs/1"),
            reject("reactions/0"),
            reject("patient/age"),
            accept("assessments/0"),
            add("drug", "daily", name="aspirin", role="interacting"),
            add("reaction", "Rash", term="rash"),
            add("exposure", "took", drug=DRUG, dose=5, unit="mg"),
            merge("drugs/1", DRUG),
            Accept(fact=Fact(kind="reaction", at=at("Rash")), **base()),
        ]
    ),
    max_size=6,
    unique_by=id,
)


@settings(max_examples=80, deadline=None)
@given(CORRECTIONS)
def test_any_corrections_leave_a_whole_case_and_the_extraction_as_it_was(made: list[Correction]) -> None:
    before = extraction()
    untouched = encode(before)
    found = apply(before, report(), made).cases[0]
    assert encode(before) == untouched
    assert [one.correction for one in found.corrections] == [one.id for one in made]
    drugs, reactions = [d.id for d in found.drugs], [r.id for r in found.reactions]
    assert drugs == [f"drug-{n}" for n in range(1, len(drugs) + 1)]
    assert reactions == [f"reaction-{n}" for n in range(1, len(reactions) + 1)]
    links = [(a.drug, a.reaction) for a in found.assessments]
    assert len(links) == len(set(links))
    assert {drug for drug, _ in links} <= {d.id for d in found.drugs if d.role in ("suspect", "interacting")}
    assert {reaction for _, reaction in links} <= set(reactions)
    assert {drug for reaction in found.reactions for drug in reaction.treatments} <= set(drugs)
    for told in found.corrections:
        if told.status == "applied" and told.fact:
            assert fact_at(found, told.fact)
    assert apply(before, report(), made) == apply(before, report(), made)
    assert anchor_of(found.drugs[0], found).at if found.drugs else True
