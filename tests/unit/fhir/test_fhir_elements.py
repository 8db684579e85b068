"""FHIR data types from plain values."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fhir import elements as e
from pipeline.records import Coding


@pytest.mark.parametrize(
    ("iso", "value", "code"),
    [
        ("P5W", 5, "wk"),
        ("P1Y6M", 18, "mo"),
        ("P1W2D", 9, "d"),
        ("PT1H30M", 90, "min"),
        ("P0.5D", 0.5, "d"),
        ("-P3D", -3, "d"),
        ("P1M2W", 44.4375, "d"),
        ("P1DT12H", 36, "h"),
    ],
)
def test_durations(iso: str, value: float, code: str) -> None:
    found = e.duration(iso)
    assert found is not None
    assert (found["value"], found["code"]) == (value, code)


@pytest.mark.parametrize("iso", [None, "", "P", "PT", "5 weeks", "P5", "5W", "P5w", "P1W1Y"])
def test_what_is_no_duration(iso: str | None) -> None:
    assert e.duration(iso) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2008", "2008"), ("2008-03", "2008-03"), ("2008-03-31", "2008-03-31"), ("2008-03-31T10:00", "2008-03-31"),
        ("2008-13", None), ("2008-02-30", None), ("0000", None), ("March 2008", None), ("P5W", None), (None, None),
    ],
)  # fmt: skip
def test_partial_dates(value: str | None, expected: str | None) -> None:
    assert e.partial_date(value) == expected


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ("d", {"frequency": 1, "period": 1, "periodUnit": "d"}),
        ("12.h", {"frequency": 1, "period": 12, "periodUnit": "h"}),
        ("wk", {"frequency": 1, "period": 1, "periodUnit": "wk"}),
        ("0.5.d", {"frequency": 1, "period": 0.5, "periodUnit": "d"}),
    ],
)
def test_timing(per: str, expected: dict[str, Any]) -> None:
    assert e.timing(per, None) == {"repeat": expected}


@pytest.mark.parametrize("per", [None, "", "daily", "h.12", "d d"])
def test_what_is_no_timing(per: str | None) -> None:
    assert e.timing(per, "P0D") is None


@given(st.text())
def test_strings_are_trimmed_and_publishable(value: str) -> None:
    found = e.text(value)
    assert found is None or (found == found.strip() != "" and not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", found))
    assert e.text(found) == found


@given(st.text(), st.text(), st.none() | st.text())
def test_codings_are_valid_or_dropped(system: str, code: str, display: str | None) -> None:
    found = e.coding(Coding(system=system, code=code, display=display))
    assert found is None or (":" in found["system"] and found["code"])


def test_numbers() -> None:
    assert [e.number(x) for x in (5.0, 0.1, float("nan"), float("inf"))] == [5, 0.1, None, None]
    assert isinstance(e.number(5.0), int)


def test_a_unit_that_is_not_ucum_is_words() -> None:
    assert e.quantity(2, "puffs") == {"value": 2, "unit": "puffs"}
    assert e.quantity(2, "MG") == {"value": 2, "unit": "MG"}
    assert e.quantity(2, "{}") == {"value": 2}
