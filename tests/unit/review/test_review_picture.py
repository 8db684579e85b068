"""The picture of a case: what happened in which order, and whether that is to scale."""

from typing import Any

import pytest

from pipeline.records import Assessment, Case, Drug, Exposure, Reaction
from pipeline.review import facts
from pipeline.review.picture import Lane, Picture, draw
from tests.unit.fhir.fhir_samples import fatal, minimal, rich, several_reactions
from tests.unit.review.review_samples import hostile


def case(drugs: list[Drug], reactions: list[Reaction], *assessments: Assessment) -> Case:
    return Case(case_id="c", report_id="r", drugs=drugs, reactions=reactions, assessments=list(assessments))


def drug(number: int = 1, **more: Any) -> Drug:
    return Drug(id=f"drug-{number}", name=f"drug {number}", role=more.pop("role", "suspect"), **more)


def reaction(number: int = 1, **more: Any) -> Reaction:
    return Reaction(id=f"reaction-{number}", term=f"reaction {number}", **more)


def pair(number: int = 1, **more: Any) -> Assessment:
    return Assessment(drug="drug-1", reaction=f"reaction-{number}", **more)


def drawn(one: Case) -> Picture:
    picture = draw(one)
    assert picture is not None
    return picture


def lane(picture: Picture, name: str) -> Lane:
    return next(lane for lane in picture.lanes if lane.name == name)


def signs(lane: Lane) -> list[str]:
    return [mark.glyph for mark in sorted(lane.marks, key=lambda mark: mark.x)]


def test_a_dechallenge_and_rechallenges_can_be_seen_in_their_order() -> None:
    picture = drawn(rich()[0])
    assert [(x.name, x.role) for x in picture.lanes] == [
        ("imatinib", "suspect"),
        ("prednisolone", "treatment"),
        ("erythema multiforme", "reaction"),
    ]
    assert signs(lane(picture, "imatinib")) == ["stop", "again", "again", "again"]
    assert signs(lane(picture, "erythema multiforme"))[:2] == ["onset", "better"]
    assert {"clear", "back", "recovered"} <= set(signs(lane(picture, "erythema multiforme")))
    stop, *again = sorted(mark.x for mark in lane(picture, "imatinib").marks)
    onset = lane(picture, "erythema multiforme").marks[0].x
    assert onset < stop < again[0] < again[1] < again[2]
    assert [label for *_, label in picture.columns] == [
        "exposure", "reaction", "after the action", "given again (1)", "given again (2)", "given again (3)", "outcome",
    ]  # fmt: skip


def test_the_story_says_the_same_in_words() -> None:
    story = [step.text for step in drawn(rich()[0]).story]
    assert story == [
        "imatinib (suspect), 400 mg/day, oral, for 5 weeks.",
        "erythema multiforme after 5 weeks.",
        "imatinib withdrawn.",
        "Treatment: prednisolone (treatment), 30 mg/day.",
        "erythema multiforme abated: dechallenge of imatinib positive.",
        "imatinib again, 100 mg/day, for 2 months: the reaction did not come back.",
        "imatinib again, 200 mg/day, from 4 months after the first dose: the reaction came back.",
        "imatinib again, 100–200 mg/day, for 5 months, from 2008-03, with prednisolone.",
        "Outcome of erythema multiforme: recovered.",
    ]


def test_the_part_up_to_the_onsets_is_to_scale_where_all_are_known() -> None:
    onsets = drawn(
        case([drug()], [reaction(1, time_to_onset="P1W"), reaction(2, time_to_onset="P4W")], pair(1), pair(2))
    )
    scale, rest = onsets.zones
    assert (scale.to_scale, rest.to_scale) == (True, False)
    assert scale.label == "to scale: weeks since the first dose"
    assert rest.label == "order of events, not to scale"
    first, second = (lane(onsets, f"reaction {n}").marks[0].x for n in (1, 2))
    assert (first - scale.x) / (second - scale.x) == pytest.approx(1 / 4)
    assert [words for _, words in scale.ticks] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "reactions",
    [
        [reaction(1)],
        [reaction(1, time_to_onset="P1W"), reaction(2)],
        [reaction(1, time_to_onset="PT1H"), reaction(2, time_to_onset="P1Y")],
        [reaction(1, time_to_onset="2008-03")],
    ],
    ids=["unknown", "one unknown", "too far apart", "no duration"],
)
def test_otherwise_the_axis_says_that_it_shows_the_order_only(reactions: list[Reaction]) -> None:
    picture = drawn(case([drug()], reactions, pair()))
    (zone,) = picture.zones
    assert not zone.to_scale
    assert "not to scale" in zone.label


@pytest.mark.parametrize(
    ("action", "glyph", "label"),
    [("withdrawn", "stop", "stopped"), ("interrupted", "stop", "interrupted"), ("reduced", "change", "reduced"),
     ("increased", "change", "increased"), ("unchanged", "change", "unchanged")],
)  # fmt: skip
def test_what_was_done_is_drawn_on_the_drug(action: Any, glyph: str, label: str) -> None:
    (mark,) = lane(drawn(case([drug(action_taken=action)], [reaction()], pair())), "drug 1").marks
    assert (mark.glyph, mark.label, mark.pointer) == (glyph, label, "drugs/0/action_taken")


def test_a_reduced_dose_follows_the_action() -> None:
    doses = [Exposure(dose=400, unit="mg"), Exposure(dose=200, unit="mg")]
    found = lane(drawn(case([drug(action_taken="reduced", exposures=doses)], [reaction()], pair())), "drug 1")
    before, after = found.bars
    assert before.x + before.width <= found.marks[0].x < after.x
    assert (before.label, after.label) == ("400 mg", "200 mg")


def test_a_rechallenge_without_a_stated_dose_is_drawn_too() -> None:
    picture = drawn(case([drug()], [reaction()], pair(rechallenge="positive")))
    assert signs(lane(picture, "drug 1")) == ["again"]
    assert "back" in signs(lane(picture, "reaction 1"))


def test_a_re_exposure_that_is_all_that_is_stated_follows_an_exposure() -> None:
    only = Exposure(dose=1, unit="g", re_exposure=True, recurrence=True)
    first, again = lane(drawn(case([drug(exposures=[only])], [reaction()], pair())), "drug 1").bars
    assert (first.label, again.label) == ("dose not stated", "1 g")


def test_no_recurrence_is_claimed_of_a_reaction_whose_rechallenge_is_unknown() -> None:
    again = Exposure(re_exposure=True, recurrence=True)
    both = case([drug(exposures=[again])], [reaction(1), reaction(2)], pair(1, rechallenge="positive"), pair(2))
    picture = drawn(both)
    assert "back" in signs(lane(picture, "reaction 1"))
    assert not {"back", "clear"} & set(signs(lane(picture, "reaction 2")))


def test_a_reaction_that_did_not_abate_says_so() -> None:
    picture = drawn(case([drug(action_taken="withdrawn")], [reaction()], pair(dechallenge="negative")))
    assert "same" in signs(lane(picture, "reaction 1"))


@pytest.mark.parametrize("outcome", ["recovered", "recovering", "not_recovered", "recovered_with_sequelae", "fatal"])
def test_outcomes_have_signs_of_their_own(outcome: Any) -> None:
    picture = drawn(case([drug()], [reaction(outcome=outcome)], pair()))
    assert lane(picture, "reaction 1").marks[-1].glyph == outcome


@pytest.mark.parametrize(
    "one", [rich()[0], minimal()[0], several_reactions()[0], fatal()[0], hostile()[0]], ids=lambda c: c.case_id[:12]
)
def test_what_is_drawn_lies_in_the_picture_and_points_to_facts(one: Case) -> None:
    picture = drawn(one)
    pointers = {fact.pointer for fact in facts.read(one)}
    for found in picture.lanes:
        assert found.pointer in pointers
        for bar in found.bars:
            assert bar.x >= 0 and bar.x + bar.width <= picture.width
            assert bar.pointer in pointers
        for mark in found.marks:
            assert 0 <= mark.x <= picture.width
            assert mark.pointer in pointers
    assert {pointer for step in picture.story for pointer in step.pointers} <= pointers


def test_a_case_of_nothing_has_no_picture() -> None:
    assert draw(case([], [])) is None
