"""Expressions of time: duration, relation, anchor."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction import times
from pipeline.extraction.numbers import UNITS, in_days, iso_duration, number

# text, then for each expression: words, ISO 8601, relation, anchor
TIMES = [
    ("a rash after 5 weeks of 400 mg/day zolimab therapy", [("5 weeks", "P5W", "after", "start")]),
    ("for 5 weeks", [("5 weeks", "P5W", "duration", None)]),
    ("over a period of 3 months", [("3 months", "P3M", "duration", None)]),
    ("a 20-year history of psoriasis", [("20-year", "P20Y", "history", None)]),
    ("a 2-week course of steroids", [("2-week", "P2W", "duration", None)]),
    ("for several years", [("several years", None, "duration", None)]),
    ("two months later", [("two months", "P2M", "later", None)]),
    ("3 days after starting zolimab", [("3 days", "P3D", "after", "start")]),
    ("within 24 hours of the first dose", [("24 hours", "PT24H", "within", "start")]),
    ("within hours", [("hours", None, "within", None)]),
    ("on day 3", [("day 3", "P3D", "day_number", None)]),
    ("on the tenth day of treatment", [("the tenth day", "P10D", "day_number", "start")]),
    ("5 weeks into treatment", [("5 weeks", "P5W", "after", "start")]),
    ("during the third week", [("the third week", "P3W", "day_number", None)]),
    ("one month after discontinuation of therapy", [("one month", "P1M", "after", "stop")]),
    (
        "within two weeks of treatment and resolved within a week after discontinuation",
        [("two weeks", "P2W", "within", "start"), ("a week", "P1W", "within", "stop")],
    ),
    ("2-3 weeks after therapy was stopped", [("2-3 weeks", "P2W", "after", "stop")]),
    ("4 days after the dose was increased", [("4 days", "P4D", "after", "dose_change")]),
    ("two weeks before his admission", [("two weeks", "P2W", "before", "admission")]),
    ("at 6 months follow-up", [("6 months", "P6M", "followup", None)]),
    ("In March 2004", [("March 2004", "2004-03", "date", None)]),
    ("on 12 March 2004", [("12 March 2004", "2004-03-12", "date", None)]),
    ("since 1998", [("1998", "1998", "date", None)]),
    ("the next day", [("the next day", "P1D", "later", None)]),
    ("one and a half months after initiation of treatment", [("one and a half months", "P45D", "after", "start")]),
    ("10\u2009minutes later", [("10\u2009minutes", "PT10M", "later", None)]),
    ("an hour later", [("an hour", "PT1H", "later", None)]),
]


@pytest.mark.parametrize(("text", "expected"), TIMES, ids=[text for text, _ in TIMES])
def test_a_time_is_read(text: str, expected: list[tuple[str, str | None, str | None, str | None]]) -> None:
    assert [(text[t.start : t.end], t.iso, t.relation, t.anchor) for t in times.find(text)] == expected


def test_a_range_keeps_both_ends() -> None:
    found = times.find("after 2 to 3 weeks")[0]
    assert (found.iso, found.iso_high) == ("P2W", "P3W")


@pytest.mark.parametrize(
    "text",
    ["a 66-year-old woman", "aged 5 years", "at the age of 3 months", "34 weeks of gestation", "every 3 weeks",
     "three times a day", "5 days per week", "24-hour urine", "a week-end", "(Fig. 1D)"],
)  # fmt: skip
def test_ages_frequencies_and_fixed_tests_are_left_out(text: str) -> None:
    assert times.find(text) == []


def test_a_stretch_gives_offsets_into_the_whole_text() -> None:
    text = "İ for 5 weeks. Then for 2 days."
    assert [text[t.start : t.end] for t in times.find(text, 14)] == ["2 days"]


@pytest.mark.parametrize(
    ("value", "unit", "iso"),
    [(5, "wk", "P5W"), (24, "h", "PT24H"), (1.5, "a", "P18M"), (1.5, "mo", "P45D"), (0.5, "h", "PT30M"),
     (1, "2.wk", "P2W"), (1, "10.a", "P10Y"), (2.5, "wk", "P18D")],
)  # fmt: skip
def test_iso_durations_keep_the_unit_of_the_text(value: float, unit: str, iso: str) -> None:
    assert iso_duration(value, unit) == iso


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,000", 1000), ("0,5", 0.5), ("0·5", 0.5), ("two and a half", 2.5), ("3(1/2)", 3.5), ("twenty-one", 21),
     ("twenty-first", 21), ("22nd", 22), ("½", 0.5), ("moon", None)],
)  # fmt: skip
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


def test_every_unit_has_a_length() -> None:
    assert all(in_days(1, unit) > 0 for unit in UNITS.values())


PIECES = st.sampled_from(
    ["5", "two", "weeks", "after", "day", "3", "İ", "-", "to", "later", "March", "2004", "a", "half", ".", "  "]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_gives_ordered_offsets_inside_it(text: str) -> None:
    found = times.find(text)
    assert all(0 <= t.start < t.end <= len(text) for t in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize("piece", ["1", "5 days ", "twenty ", " ", "a ", "a few days after. "])
def test_time_is_linear(piece: str) -> None:
    begin = time.process_time()
    times.find(piece * (200_000 // len(piece)))
    assert time.process_time() - begin < 3
