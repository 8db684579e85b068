"""What the frames say of evidence, references and identity, before any expectation looks at them."""

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Case, Coding, Drug, Exposure, Extraction, Mention, Report, Section, TextFact
from pipeline.storage import tables
from pipeline.validation.frames import COLUMNS, frames
from pipeline.validation.resources import CaseResources
from tests.unit.storage.storage_samples import TEXT, case, case_resources, extraction, report


def first(suite: str, change: Callable[[Case], object]) -> dict[str, Any]:
    """The first row of a frame after a change to the case."""
    changed = case()
    change(changed)
    found = frames(tables.all_rows([(report(), Extraction(id="r1", cases=[changed]))]), {})
    return {str(column): value for column, value in found[suite].to_dict("records")[0].items()}


def test_frames_hold_their_columns_only_and_no_report_text() -> None:
    found = frames(tables.all_rows([(report(), extraction())]), {"R4": [case_resources(case())]})
    for name, frame in found.items():
        assert tuple(frame.columns) == COLUMNS[name]
        assert "women took" not in frame.to_csv()
        assert TEXT[16:40] not in frame.to_csv()


@pytest.mark.parametrize(
    ("suite", "change", "column", "value"),
    [
        ("cases", lambda c: setattr(c.patient.age, "evidence", []), "facts_without_evidence", 1),
        ("cases", lambda c: setattr(c.patient, "ethnicity", TextFact(value="x")), "facts_without_evidence", 1),
        ("cases", lambda c: setattr(c.patient.age, "evidence", [(-1, 4)]), "spans_outside", 1),
        ("cases", lambda c: setattr(c.tests[0], "evidence", [(0, len(TEXT) + 1), (5, 5)]), "spans_outside", 2),
        ("cases", lambda c: setattr(c.patient.age, "unit", "mo"), "age_years", 5.5),
        ("cases", lambda c: setattr(c.drugs[0], "role", "culprit"), "record_sound", False),
        ("cases", lambda c: setattr(c, "report_id", "other"), "report_known", False),
        ("drugs", lambda c: setattr(c.drugs[0], "verbatim", ["imatinib", "Gleevec"]), "verbatim_unquoted", 1),
        ("drugs", lambda c: setattr(c.drugs[0], "evidence", [(0, 4)]), "verbatim_unquoted", 1),
        ("drugs", lambda c: setattr(c.drugs[0], "role", "concomitant"), "action_without_suspicion", True),
        ("drugs", lambda c: setattr(c.drugs[0], "facts", {"role": [(1, 9999)]}), "spans_outside", 1),
        (
            "drugs",
            lambda c: setattr(c.drugs[0], "codings", [Coding(system="RxNorm", code="1")]),
            "codings_incomplete",
            1,
        ),
        ("exposures", lambda c: setattr(c.drugs[0].exposures[0], "unit", "ug"), "dose_mg", 0.4),
        ("exposures", lambda c: setattr(c.drugs[0].exposures[0], "dose_high", 800), "dose_mg", 800),
        ("exposures", lambda c: setattr(c.drugs[0].exposures[0], "unit", None), "dose_without_unit", True),
        ("exposures", lambda c: setattr(c.drugs[0].exposures[0], "with_", ["drug-9"]), "with_unknown", 1),
        ("exposures", lambda c: setattr(c.drugs[0].exposures[0], "verbatim", "400 mg weekly"), "verbatim_unquoted", 1),
        ("reactions", lambda c: setattr(c.reactions[0], "treatments", ["drug-9"]), "treatments_unknown", 1),
        ("reactions", lambda c: setattr(c.reactions[0], "evidence", []), "evidence_count", 0),
        ("assessments", lambda c: setattr(c.assessments[0], "drug", "drug-9"), "drug_known", False),
        ("assessments", lambda c: setattr(c.assessments[0], "reaction", "reaction-9"), "reaction_known", False),
        ("assessments", lambda c: setattr(c.assessments[0].naranjo, "score", 3), "naranjo_sum_differs", True),
        ("assessments", lambda c: setattr(c.assessments[0].naranjo, "score", 5), "naranjo_category_differs", True),
    ],
)
def test_each_defect_of_a_case_shows_in_its_column(
    suite: str, change: Callable[[Case], object], column: str, value: object
) -> None:
    assert first(suite, change)[column] == value
    assert first(suite, lambda c: None)[column] != value


def test_a_cumulative_or_relative_dose_is_not_compared_as_a_mass() -> None:
    def dose(**values: Any) -> Any:
        return first("exposures", lambda c: setattr(c.drugs[0], "exposures", [Exposure(**values)]))["dose_mg"]

    found = [dose(dose=2, unit="g"), dose(dose=2, unit="g", cumulative=True), dose(dose=2, unit="mg/kg"), dose()]
    assert found[0] == 2000
    assert all(value is None or value != value for value in found[1:])


@pytest.mark.parametrize(
    ("spans", "misplaced"), [([(0, 4), (4, 9)], 0), ([(0, 5), (4, 9)], 1), ([(5, 4)], 1), ([(0, 10_000)], 1)]
)
def test_sections_lie_in_order_within_the_text(spans: list[tuple[int, int]], misplaced: int) -> None:
    changed = report()
    changed.sections = [Section(kind="body", start=start, end=end) for start, end in spans]
    found = frames(tables.all_rows([(changed, Extraction(id="r1"))]), {})["reports"]
    assert found["sections_misplaced"].tolist() == [misplaced]


def test_line_breaks_within_a_quoted_form_do_not_matter() -> None:
    text = "She took tranexamic\n  acid."
    drug = Drug(id="drug-1", name="x", role="suspect", verbatim=["tranexamic acid"], evidence=[(9, 26)])
    broken = Case(case_id="b-1", report_id="b", drugs=[drug])
    found = frames(tables.all_rows([(Report(report_id="b", text=text), Extraction(id="b", cases=[broken]))]), {})
    assert found["drugs"]["verbatim_unquoted"].tolist() == [0]


@given(st.text(min_size=1, max_size=30), st.data())
def test_a_mention_is_quoted_exactly_when_its_offsets_give_its_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    said = data.draw(st.one_of(st.just(text[start:end]), st.text(max_size=5)))
    mention = Mention(type="drug", text=said, start=start, end=end)
    built = tables.all_rows([(Report(report_id="r", text=text), Extraction(id="r", mentions=[mention]))])
    row = frames(built, {})["mentions"].iloc[0]
    assert row["verbatim_unquoted"] == (said != text[start:end])
    assert row["spans_outside"] == 0


@pytest.mark.parametrize(
    ("said", "gap", "unquoted", "outside"),
    [
        ("intravenous infusion", (15, 25), 0, 0),
        ("intravenous mannitol infusion", None, 0, 0),
        ("intravenous infusion", None, 1, 0),
        ("intravenous infusion", (15, 99), 1, 1),
    ],
)
def test_a_mention_with_a_gap_is_quoted_without_it(
    said: str, gap: tuple[int, int] | None, unquoted: int, outside: int
) -> None:
    text = "The intravenous mannitol infusion"
    mention = Mention(type="route", text=said, start=4, end=33, gap=gap)
    built = tables.all_rows([(Report(report_id="r", text=text), Extraction(id="r", mentions=[mention]))])
    row = frames(built, {})["mentions"].iloc[0]
    assert (row["verbatim_unquoted"], row["spans_outside"]) == (unquoted, outside)


@given(st.text(max_size=30), st.integers(-5, 40), st.integers(-5, 40))
def test_a_span_is_outside_unless_it_cuts_something_out_of_the_text(text: str, start: int, end: int) -> None:
    drug = Drug(id="drug-1", name="x", role="past", evidence=[(start, end)])
    found = Extraction(id="r", cases=[Case(case_id="r-1", report_id="r", drugs=[drug])])
    row = frames(tables.all_rows([(Report(report_id="r", text=text), found)]), {})["drugs"].iloc[0]
    assert row["spans_outside"] == (not (0 <= start < end <= len(text)))


def test_resources_are_one_row_per_case_with_their_problems() -> None:
    one, two = (case_resources(c, ["id: form"]) for c in (case(number=1), case(number=2)))
    frame = frames({}, {"R4": [one, two]})["resources"]

    assert len(frame) == 6
    assert frame["problems"].tolist() == [1, 0, 0, 1, 0, 0]
    assert frame["problem_messages"].tolist()[:2] == ["id: form", ""]
    assert not frame["contradicted"].any()
    assert frame["narrative"].all()


def test_a_shared_resource_that_differs_between_cases_is_a_contradiction() -> None:
    one, two = (
        case_resources(case(number=1)),
        case_resources(case(number=2), DocumentReference={"status": "superseded"}),
    )
    frame = frames({}, {"R4": [one, two], "R5": [one]})["resources"]
    contradicted = frame[frame["contradicted"]]
    assert contradicted[["version", "case_id", "type"]].to_dict("records") == [
        {"version": "R4", "case_id": "r1-1", "type": "DocumentReference"},
        {"version": "R4", "case_id": "r1-2", "type": "DocumentReference"},
    ]


def test_a_reference_has_to_stay_within_the_bundle_of_its_case() -> None:
    wrong = {"subject": {"reference": "Patient/r1-1-patient"}}
    one, two = case_resources(case(number=1)), case_resources(case(number=2), Condition=wrong)
    frame = frames({}, {"R4": [one, two]})["references"]
    assert frame[["case_id", "path", "target_type", "target_id", "resolved"]].values.tolist() == [
        ["r1-1", "subject", "Patient", "r1-1-patient", True],
        ["r1-2", "subject", "Patient", "r1-1-patient", False],
    ]


def test_resources_are_looked_at_one_case_at_a_time() -> None:
    def cases() -> Iterator[CaseResources]:
        for n in range(300):
            one = case_resources(case())
            long = [msgspec.structs.replace(r, json=msgspec.Raw(b'"%d%s"' % (n, b"x" * 10_000))) for r in one.resources]
            yield msgspec.structs.replace(one, case_id=f"r1-{n}", resources=long)

    tracemalloc.start()
    try:
        found = frames({}, {"R4": cases()})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found["resources"]) == 300 * len(case_resources(case()).resources)
    assert found["resources"]["contradicted"].all()
    assert peak < 8_000_000  # of 300 cases with some 10 resources of 10 kB each
