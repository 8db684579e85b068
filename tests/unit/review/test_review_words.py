"""Values of the record in words."""

import pytest

from pipeline.records import Age, Case, Exposure, Patient, Sex, SexFact
from pipeline.review import words


@pytest.mark.parametrize(
    ("iso", "shown", "days"),
    [
        ("P5W", "5 weeks", 35),
        ("P1D", "1 day", 1),
        ("PT1H", "1 hour", 1 / 24),
        ("P1DT12H", "1 day 12 hours", 1.5),
        ("P2M", "2 months", 60.875),
        ("P0.5Y", "0.5 years", 182.625),
        ("P", "P", None),
        ("-P1D", "-P1D", None),
        ("2008-03", "2008-03", None),
        ("soon", "soon", None),
    ],
)
def test_durations(iso: str, shown: str, days: float | None) -> None:
    assert words.duration(iso) == shown
    assert words.days(iso) == (None if days is None else pytest.approx(days))


@pytest.mark.parametrize(
    ("exposure", "shown"),
    [
        (Exposure(dose=400, unit="mg", per="d", duration="P5W"), "400 mg/day, for 5 weeks"),
        (Exposure(dose=100, dose_high=200, unit="mg", per="12.h", route="oral"), "100–200 mg every 12 hours, oral"),
        (Exposure(dose=2, unit="g", cumulative=True), "2 g in all"),
        (Exposure(duration="P3D", start="P4M"), "for 3 days, from 4 months after the first dose"),
        (Exposure(dose=1, unit="mg", with_=["drug-2", "drug-9"]), "1 mg, with prednisolone, drug-9"),
        (Exposure(start="2008-03"), "from 2008-03"),
        (Exposure(verbatim="a low dose"), "a low dose"),
        (Exposure(), "dose not stated"),
    ],
)
def test_regimens(exposure: Exposure, shown: str) -> None:
    assert words.regimen(exposure, {"drug-2": "prednisolone"}) == shown


@pytest.mark.parametrize(
    ("sex", "age", "shown"),
    [
        ("female", Age(value=66, unit="a"), "woman, 66 years"),
        ("male", Age(value=4, unit="a"), "boy, 4 years"),
        ("female", Age(value=7, unit="mo"), "girl, 7 months"),
        ("male", None, "man"),
        (None, Age(value=1, unit="d"), "1 day"),
        (None, None, "patient"),
    ],
)
def test_patients(sex: Sex | None, age: Age | None, shown: str) -> None:
    fact = SexFact(value=sex) if sex else None
    assert words.patient(Case(case_id="c", report_id="r", patient=Patient(age=age, sex=fact))) == shown


def test_lists() -> None:
    assert [words.listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
