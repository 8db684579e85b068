"""The reference pages of the documentation are made of the code and data as they are."""

import msgspec
import pytest

from pipeline import records
from pipeline.records import Case
from tools import reference


@pytest.fixture(scope="module")
def pages(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.config.getoption("--update-golden"):
        reference.write()
    return reference.pages()


def test_what_stands_in_the_folder_is_what_is_made(pages: dict[str, str]) -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in reference.FOLDER.glob("*.md")}
    assert there.keys() == pages.keys()
    for name, page in pages.items():
        assert there[name] == page, f"docs/reference/{name} is not what the code says: `make golden` writes it anew"


def test_every_record_is_described(pages: dict[str, str]) -> None:
    named = [
        name for name, kind in vars(records).items() if isinstance(kind, type) and issubclass(kind, records.Record)
    ]
    assert len(named) > 10
    for name in named:
        assert name == "Record" or f"\n## {name}\n" in pages["case.md"]


def test_every_fact_of_a_case_is_in_the_mapping(pages: dict[str, str]) -> None:
    """The sample holds every field of every record, so that the page leaves out none of them."""
    case, report = reference.sample()
    given: dict[type, set[str]] = {}

    def look(value: object) -> None:
        if isinstance(value, msgspec.Struct):
            for field in msgspec.structs.fields(value):
                inner = getattr(value, field.name)
                if inner not in (None, []):
                    given.setdefault(type(value), set()).add(field.encode_name)
                look(inner)
        elif isinstance(value, list | dict):
            for inner in value if isinstance(value, list) else value.values():
                look(inner)

    look(case)
    look(report)
    for kind, names in given.items():
        facts = {field.encode_name for field in msgspec.structs.fields(kind)} - set(reference.NOT_FACTS)
        assert facts <= names | {"sections", "source", "mesh"}, kind
    assert Case in given
    mapped = pages["fhir.md"].partition("## Elements")[2].partition("## Codes")[0]
    unmapped = [line.split("`")[1] for line in mapped.splitlines() if line.endswith("| – | same |")]
    assert unmapped == [
        "Report.article.publication_types",
        "patient.history[].verbatim",
        "drugs[].indications[].verbatim",
        "corrections[].correction",
    ]
