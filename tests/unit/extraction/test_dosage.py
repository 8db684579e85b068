"""Doses, routes and frequencies: what is read from which words."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction import dosage
from pipeline.extraction.numbers import table

# text, then for each dose: quoted words, dose, dose_high, unit, per, route
DOSES = [
    ("400 mg/day", [("400 mg/day", 400, None, "mg", "d", None)]),
    ("400mg daily", [("400mg daily", 400, None, "mg", "d", None)]),
    ("2 g every 6 h", [("2 g every 6 h", 2, None, "g", "6.h", None)]),
    ("1.5 mg/kg/day", [("1.5 mg/kg/day", 1.5, None, "mg/kg", "d", None)]),
    ("0.1 mg per kg daily", [("0.1 mg per kg daily", 0.1, None, "mg/kg", "d", None)]),
    ("carboplatin AUC 5 every 3 weeks", [("AUC 5 every 3 weeks", 5, None, "mg.min/mL", "3.wk", None)]),
    ("10-20 mg", [("10-20 mg", 10, 20, "mg", None, None)]),
    ("between 5 and 10 mg", [("5 and 10 mg", 5, 10, "mg", None, None)]),
    ("escalation from 100 to 200 mg/day", [("100 to 200 mg/day", 100, 200, "mg", "d", None)]),
    ("reduced from 100 mg to 50 mg daily", [("100 mg", 100, None, "mg", "d", None),
                                            ("50 mg daily", 50, None, "mg", "d", None)]),
    ("500 mg b.i.d.", [("500 mg b.i.d.", 500, None, "mg", "12.h", None)]),
    ("10 mg three times a day", [("10 mg three times a day", 10, None, "mg", "8.h", None)]),
    ("10 mg twice weekly", [("10 mg twice weekly", 10, None, "mg", "84.h", None)]),
    ("75 mg/m2 on day 1 every 3 weeks", [("75 mg/m2", 75, None, "mg/m2", "3.wk", None)]),
    ("5 mg and then 10 mg", [("5 mg", 5, None, "mg", None, None), ("10 mg", 10, None, "mg", None, None)]),
    ("30 mg/day, tapered to 5 mg/day", [("30 mg/day", 30, None, "mg", "d", None),
                                        ("5 mg/day", 5, None, "mg", "d", None)]),
    ("40 IU subcutaneously", [("40 IU", 40, None, "[iU]", None, "subcutaneous")]),
    ("2x10^6 units of interferon", [("2x10^6 units", 2e6, None, "[iU]", None, None)]),
    ("took one tablet", [("one tablet", 1, None, "{tbl}", None, "oral")]),
    ("1,000 mg", [("1,000 mg", 1000, None, "mg", None, None)]),
    ("0,5 mg", [("0,5 mg", 0.5, None, "mg", None, None)]),
    ("250 mg / 12 h", [("250 mg / 12 h", 250, None, "mg", "12.h", None)]),
    ("250 mg/24 h", [("250 mg/24 h", 250, None, "mg", "d", None)]),
    ("an infusion of 5 \u03bcg/kg/min", [("5 \u03bcg/kg/min", 5, None, "ug/kg/min", None, "intravenous")]),
    ("oral perolone 30 mg and intravenous zolimab 500 mg monthly", [
        ("30 mg", 30, None, "mg", None, "oral"), ("500 mg monthly", 500, None, "mg", "mo", "intravenous")]),
    ("200 mg/day without oral steroids", [("200 mg/day", 200, None, "mg", "d", None)]),
    ("at 10/5 mg orally", [("10", 10, None, "mg", None, "oral"), ("5 mg", 5, None, "mg", None, "oral")]),
    ("2% lidocaine", [("2%", 2, None, "%", None, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DOSES, ids=[text for text, _ in DOSES])
def test_a_dose_is_read(
    text: str, expected: list[tuple[str, float, float | None, str, str | None, str | None]]
) -> None:
    found = [(text[d.start : d.end], d.dose, d.dose_high, d.unit, d.per, d.route) for d in dosage.find(text)]
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "creatinine 1.2 mg/dL", "5 mmol/L", "AST 200 U/L", "haemoglobin was 9 g", "ferritin 300 ng/mL", "12 x 10^9/L",
        "she weighed 900 g", "proteinuria of 3 g/day", "a lesion of 3 x 2 cm", "120/80 mmHg", "aged 60 years",
        "clearance of 18 ml/min", "potassium was 3.2 mmol", "lost 500 ml of blood", "in 50% of patients", "0 mg",
        "infused in 500 ml of saline", "received two units of packed red cells",
        "platelets 20,000/mm3", "20 mg%", "bilirubin 3 mg per 100 ml",
    ],
)  # fmt: skip
def test_a_measurement_is_not_a_dose(text: str) -> None:
    assert dosage.find(text) == []


def test_totals_and_kinds_are_told_apart() -> None:
    total, single, loading = (
        dosage.find(t)[0] for t in ("a total dose of 3 g", "single dose of 5 mg", "loading dose of 1 g")
    )
    assert (total.cumulative, single.cumulative) == (True, False)
    assert (total.kind, single.kind, loading.kind) == (None, "single", "loading")
    assert dosage.find("swallowed 30 x 500 mg tablets")[0].count == 30


def test_the_parts_have_spans() -> None:
    text = "prednisolone 30 mg orally twice daily"
    found = dosage.find(text)[0]
    assert found.frequency_span is not None and found.route_span is not None
    quoted = [text[slice(*span)] for span in (found.amount_span, found.frequency_span, found.route_span)]
    assert quoted == ["30 mg", "twice daily", "orally"]


def test_offsets_count_into_the_whole_text() -> None:
    text = "İstanbul 5 mg. Then 10 mg."
    assert [text[d.start : d.end] for d in dosage.find(text, 15)] == ["10 mg"]


@pytest.mark.parametrize(
    ("text", "period"),
    [("q8h", "8.h"), ("every 8 hours", "8.h"), ("8-hourly", "8.h"), ("once daily", "d"), ("t.i.d.", "8.h"),
     ("qid", "6.h"), ("4 times/day", "6.h"), ("every other day", "2.d"), ("every two weeks", "2.wk"), ("weekly", "wk"),
     ("monthly", "mo"),
     ("every 24 hours", "d"), ("three times a week", "56.h"), ("on days 1, 8 and 15", None), ("as needed", None)],
)  # fmt: skip
def test_frequencies(text: str, period: str | None) -> None:
    assert [(text[f.start : f.end], f.period) for f in dosage.find_frequencies(f"{text}")] == [(text, period)]


@pytest.mark.parametrize(
    ("text", "route"),
    [("p.o.", "oral"), ("given orally", "oral"), ("IV", "intravenous"), ("i.v. bolus", "intravenous"),
     ("eye drops", "ophthalmic"), ("intrathecally", "intrathecal"), ("a skin patch", "transdermal"),
     ("intra-articular", "intraarticular"),
     ("intravitreal injection", "intravitreal"), ("injected", None)],
)  # fmt: skip
def test_routes(text: str, route: str | None) -> None:
    assert [r.value for r in dosage.find_routes(text)] == [route]


# UCUM: the metric atoms used here with their prefixes, annotations in braces, products and quotients.
_ATOM = r"(?:[kMmun]?\[iU\]|\[drp\]|\[?[mun]?g\]?|kg|[mu]?mol|meq|m?L|Gy|[MG]Bq|mCi|%|m2|min|h|d|wk|mo|a|\{[a-z]+\})"


def test_every_unit_is_ucum() -> None:
    for code, sort, _ in table("units", 3):
        assert re.fullmatch(rf"{_ATOM}(?:[./]{_ATOM})*", code), code
        assert sort in ("dose", "weak", "form", "before", "body", "time", "lab")


def test_every_period_is_a_ucum_time() -> None:
    for period, _ in table("frequencies", 2):
        assert period == "-" or re.fullmatch(r"(?:[1-9]\d*\.)?(?:h|d|wk|mo|a)", period)


PIECES = st.sampled_from(
    ["5", "1,000", "mg", "/day", "µg", "İ", "twice daily", "i.v.", "-", "to", "/", "%", " ", "ml", "q8h", "."]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_gives_ordered_offsets_inside_it(text: str) -> None:
    found = dosage.find(text)
    assert all(0 <= d.start < d.end <= len(text) for d in found)
    assert [d.start for d in found] == sorted(d.start for d in found)
    assert all(d.dose > 0 for d in found)


@pytest.mark.parametrize("piece", ["1", "1,111,", "5 mg ", "a few mg/day. ", "intravenous ", "every 5 "])
def test_time_is_linear(piece: str) -> None:
    begin = time.process_time()
    dosage.find(piece * (200_000 // len(piece)))
    assert time.process_time() - begin < 3
