"""Investigations with the result that the text states."""

import pytest

from pipeline.extraction import investigations
from tests.unit.extraction.story import read

TESTS = [
    ("Her platelet count was 9 x 10^9/L on admission.", [("platelet count", "9 x 10^9/L")]),
    ("On admission the serum sodium was 116 mmol/L.", [("sodium", "116 mmol/L")]),
    ("On admission AST was 310 U/L and ALT 290 U/L.", [
        ("aspartate aminotransferase", "310 U/L"), ("alanine aminotransferase", "290 U/L")]),
    ("The patient had an elevated creatinine.", [("creatinine", "elevated")]),
    ("His blood cultures remained sterile.", [("blood culture", "negative")]),
    ("His electrocardiogram was unremarkable.", [("electrocardiogram", "normal")]),
    ("A skin biopsy showed dead keratinocytes, and he was discharged.", [("skin biopsy", "dead keratinocytes")]),
    ("On admission IgG and IgM antibodies to cytomegalovirus were not detected.", [
        ("cytomegalovirus IgG", "negative"), ("cytomegalovirus IgM", "negative")]),
    ("On admission HIV serology was negative.", [("human immunodeficiency virus test", "negative")]),
    ("The patient had a patch test with a positive result.", [("patch test", "positive")]),
    # no result, or no test
    ("On admission a liver biopsy was performed.", []),
    ("The patient had HIV infection.", []),
    ("The patient received a platelet transfusion.", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tests"), TESTS)
def test_name_and_result(text: str, tests: list[tuple[str, str]]) -> None:
    story = read(text)
    found = investigations.find(story.document, story.told)
    assert [(one.name, one.result) for one in found] == tests
    assert all(0 <= start < end <= len(text) for one in found for start, end in one.evidence)


def test_a_test_told_twice_is_one_with_both_places() -> None:
    story = read("Her lipase was elevated on admission. On day 2 her lipase was elevated again.")
    (one,) = investigations.find(story.document, story.told)
    assert len(one.evidence) == 2
