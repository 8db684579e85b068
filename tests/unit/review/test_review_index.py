"""The table behind the index."""

from typing import Any

from pipeline.records import Case, Drug
from pipeline.review.index import COLUMNS, OUTCOMES, WHO_UMC, Table
from pipeline.review.reading import Check, Material
from tests.unit.fhir.fhir_samples import several_reactions
from tests.unit.review.review_samples import rich_material


def rows(*materials: Material) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    table = Table()
    for number, material in enumerate(materials):
        table.add(f"c{number}", material)
    document = table.document()
    return document, [dict(zip(COLUMNS, row, strict=True)) for row in document["rows"]]


def test_a_row_says_what_the_index_shows_and_filters_by() -> None:
    document, (row,) = rows(rich_material(checks=(Check("x", "y", None, False),)))
    assert row == {
        "key": "c0",
        "case": "doi:10.1000/letter.1-1",
        "patient": "woman, 66 years",
        "suspects": [0],
        "others": [1],
        "reactions": [0],
        "outcomes": [OUTCOMES.index("recovered")],
        "onsets": [35.0],
        "pairs": [[0, 0, WHO_UMC.index("probable")]],
        "serious": 1,
        "withheld": 0,
        "failed": 1,
        "title": "A rash <that> came back & again.",
    }
    assert document["drugs"] == ["imatinib", "prednisolone"]
    assert document["reactions"] == ["erythema multiforme"]


def test_names_are_there_once_however_many_cases_have_them() -> None:
    document, found = rows(rich_material(), rich_material(), Material(several_reactions()[0], "", {}))
    assert document["drugs"].count("imatinib") == 1
    assert [row["suspects"] for row in found] == [[0], [0], [0, 2]]
    assert [row["onsets"] for row in found][2] == [60.875, None, None]


def test_withheld_cases_are_counted() -> None:
    table = Table()
    table.add("c1", rich_material(withheld=True))
    table.add("c2", rich_material())
    assert (len(table), table.withheld) == (2, 1)


def test_a_drug_that_was_assessed_is_a_suspect_of_the_index_whatever_its_role() -> None:
    case = several_reactions()[0]
    case = Case(case_id="c", report_id="r", drugs=[Drug(id="drug-1", name="x", role="concomitant")],
                reactions=case.reactions, assessments=case.assessments[:1])  # fmt: skip
    _, (row,) = rows(Material(case, None, {}))
    assert row["suspects"] == [0]
    assert row["pairs"] == [[0, 0, -1]]
