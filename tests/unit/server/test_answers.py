"""What answers mean: Retry-After, OperationOutcomes, equal resources in other spelling."""

import time
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.server.client import outcome_words, retry_after, words
from pipeline.server.reading import same
from pipeline.server.settings import normalised


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("120", 120), ("soon", None), ("", None), ("-1", None)])
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Response(503, headers={"Retry-After": value})) == seconds


@pytest.mark.parametrize(("ahead", "low", "high"), [(60, 55, 60), (-60, 0, 0)])
def test_retry_after_as_a_date(ahead: int, low: float, high: float) -> None:
    date = formatdate(time.time() + ahead, usegmt=True)
    assert low <= (retry_after(httpx.Response(503, headers={"Retry-After": date})) or 0) <= high


@given(st.text())
def test_any_retry_after_is_a_wait_or_none(value: str) -> None:
    response = httpx.Response(503, headers=[(b"Retry-After", value.encode("utf-8", "replace"))])
    assert (retry_after(response) or 0) >= 0


def test_the_servers_words_are_its_errors_with_their_place() -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "information", "diagnostics": "fine"},
            {"severity": "error", "diagnostics": "unknown\n code", "expression": ["Patient.gender"]},
            {"severity": "fatal", "details": {"text": "no room"}},
        ],
    }
    assert outcome_words(outcome) == "unknown code (Patient.gender); no room"
    assert words(httpx.Response(422, json=outcome)) == outcome_words(outcome)


def test_what_is_no_outcome_is_quoted_as_it_is() -> None:
    assert words(httpx.Response(502, text="<html>\n bad  gateway")) == "<html> bad gateway"
    assert words(httpx.Response(502)) == "Bad Gateway"
    assert words(httpx.Response(400, json=[1])) == "[1]"


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "a"} | more


def narrative(words: str) -> dict[str, Any]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (patient(), patient(meta={"versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z", "source": "#x"})),
        (patient(weight=400), patient(weight=400.0)),
        (patient(text=narrative("the patient&#x27;s <br></br>")), patient(text=narrative("the patient's <br/>"))),
    ],
)
def test_servers_may_spell_the_same_in_another_way(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert same(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (patient(gender="male"), patient(gender="female")),
        (patient(gender="male"), patient()),
        (patient(meta={"profile": ["a"]}), patient(meta={"profile": ["b"], "versionId": "1"})),
        (patient(text=narrative("a")), patient(text=narrative("b"))),
        (patient(text=narrative("a & b")), patient(text=narrative("a"))),
    ],
)
def test_what_differs_is_not_the_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert not same(ours, theirs)


@given(
    st.from_regex(r"https?://[a-zA-Z][a-zA-Z0-9.-]{0,10}(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9]{0,5}){0,3}", fullmatch=True)
)
def test_normalising_an_address_twice_changes_nothing(url: str) -> None:
    assert normalised(normalised(url)) == normalised(url)
