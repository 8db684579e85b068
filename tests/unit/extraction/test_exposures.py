"""Which drug a dose belongs to, how long it was taken, and what a re-exposure did."""

import pytest

from pipeline.extraction import exposures
from pipeline.records import Drug, Exposure
from tests.unit.extraction.story import Story, read


def exposed(story: Story, suspect: str | None = None) -> dict[str, list[Exposure]]:
    """The exposures of every drug of a story by the drug's name."""
    drugs = [
        Drug(
            id=f"drug-{number}", name=key, role="suspect" if key == suspect else "concomitant",
            evidence=[m.span for m in group.mentions],
        )
        for number, (key, group) in enumerate(story.drugs.items())
    ]  # fmt: skip
    exposures.fill(story.document, story.told, {d.name: d.id for d in drugs}, drugs, story.events)
    text = story.document.text
    for drug in drugs:
        for one in drug.exposures:
            assert one.evidence
            if one.verbatim:
                assert any(one.verbatim in text[start:end] for start, end in one.evidence)
    return {drug.name: drug.exposures for drug in drugs}


BOUND = [
    ("He took warfarin 5 mg daily.", {"warfarin": [5]}),
    ("He took 5 mg of warfarin daily.", {"warfarin": [5]}),
    ("She received rituximab (375 mg/m2) and cisplatin (75 mg/m2).", {"rituximab": [375], "cisplatin": [75]}),
    ("He took lithium 900 mg and quetiapine 200 mg daily.", {"lithium": [900], "quetiapine": [200]}),
    ("He took 900 mg lithium and 200 mg quetiapine daily.", {"lithium": [900], "quetiapine": [200]}),
    ("He took lithium and quetiapine at 900 mg and 200 mg, respectively.", {"lithium": [900], "quetiapine": [200]}),
    ("The patient took warfarin. The dose was increased to 7 mg.", {"warfarin": [7]}),
    ("The patient was given warfarin without heparin at 5 mg daily.", {"warfarin": [5], "heparin": []}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "doses"), BOUND)
def test_the_dose_is_that_of_its_drug(text: str, doses: dict[str, list[float]]) -> None:
    found = exposed(read(text))
    assert {name: [e.dose for e in found[name]] for name in doses} == doses


def test_a_frequency_behind_the_last_drug_is_of_all() -> None:
    found = exposed(read("He received paclitaxel 80 mg/m2 and cisplatin 25 mg/m2 every 3 weeks."))
    assert [e.per for name in ("paclitaxel", "cisplatin") for e in found[name]] == ["3.wk", "3.wk"]


ROUTES = [
    ("The patient took oral warfarin 5 mg.", "oral"),
    ("The patient was given intravenous warfarin. He had 5 mg daily.", "intravenous"),
    ("The patient took warfarin 5 mg.", None),
]


@pytest.mark.parametrize(("text", "route"), ROUTES)
def test_route_from_the_words_at_the_drug(text: str, route: str | None) -> None:
    assert [e.route for e in exposed(read(text))["warfarin"]] == [route]


DURATIONS = [
    ("The patient took warfarin 5 mg for 6 weeks.", "P6W"),
    ("She bled after 3 weeks of 5 mg warfarin.", "P3W"),
    ("The patient took warfarin 5 mg. She bled after 3 weeks of treatment.", "P3W"),
    ("The patient took warfarin 5 mg. She bled 3 weeks after admission.", None),
    ("She was given warfarin 5 mg as a 2-hour infusion.", None),
]


@pytest.mark.parametrize(("text", "duration"), DURATIONS)
def test_how_long_the_dose_was_taken(text: str, duration: str | None) -> None:
    assert [e.duration for e in exposed(read(text), "warfarin")["warfarin"]] == [duration]


def test_re_exposures_in_order_with_what_they_did() -> None:
    story = read(
        "The patient took sorafenib 800 mg daily and developed a rash. Sorafenib was stopped and the rash resolved. "
        "Sorafenib was restarted at 200 mg daily, and no rash appeared for 3 weeks. "
        "When the dose was increased to 400 mg daily, the rash recurred. "
        "It could be raised gradually from 200 to 300 mg daily with prednisone 10 mg daily. "
        "No further lesions were seen during 4 months of follow-up."
    )
    found = exposed(story, "sorafenib")["sorafenib"]
    assert [(e.dose, e.dose_high, e.duration, e.re_exposure, e.recurrence) for e in found] == [
        (800, None, None, False, None),
        (200, None, "P3W", True, False),
        (400, None, None, True, True),
        (200, 300, "P4M", True, False),
    ]
    assert all(e.per == "d" for e in found)
    assert [len(e.with_) for e in found] == [0, 0, 0, 1]


def test_a_suspect_without_a_dose_has_its_route_and_duration() -> None:
    found = exposed(read("The patient was given intravenous vancomycin for 9 days and became deaf."), "vancomycin")
    assert [(e.dose, e.route, e.duration) for e in found["vancomycin"]] == [(None, "intravenous", "P9D")]
    assert exposed(read("The patient was given vancomycin and became deaf."), "vancomycin")["vancomycin"] == []


def test_a_regimen_told_twice_is_one_exposure() -> None:
    found = exposed(read("He took warfarin 5 mg. On admission he was on warfarin 5 mg daily."))
    assert [(e.dose, e.per) for e in found["warfarin"]] == [(5, "d")]
