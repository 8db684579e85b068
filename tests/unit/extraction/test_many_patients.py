"""A series of patients in one report costs what its patients cost: none is compared with the text of all others."""

import sys
from types import FrameType

from benchmarks.lengths import series
from pipeline.batches import extract_report
from pipeline.records import Report


def calls(text: str) -> tuple[int, int]:
    """How many functions are called for a text, which does not depend on the machine; and how many cases it has."""
    number = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal number
        number += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        found = extract_report(Report(report_id="r", text=text))
    finally:
        sys.setprofile(before)
    return number, len(found.cases)


def test_four_times_as_many_patients_take_four_times_the_work() -> None:
    extract_report(Report(report_id="r", text=series(1_000)))  # loads what is loaded once
    few, patients = calls(series(8_000))
    many, more_patients = calls(series(32_000))
    assert more_patients > 3.5 * patients
    assert many < 5 * few
