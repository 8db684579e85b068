"""The tables hold what the records say, under their keys."""

import pyarrow as pa

from pipeline.corrections import Correction, apply
from pipeline.paths import TABLES
from pipeline.records import Extraction, Mention, decode_case
from pipeline.storage.tables import KEYS, SCHEMAS, build, mention_of, rows
from tests.unit.corrections.correction_samples import change, reject
from tests.unit.storage.storage_samples import TEXT, extraction, report


def test_every_table_describes_itself_and_its_columns() -> None:
    assert set(SCHEMAS) == set(TABLES) == set(KEYS)
    for table, schema in SCHEMAS.items():
        assert schema.metadata[b"description"], table
        assert all(field.metadata[b"description"] for field in schema), table
        assert set(KEYS[table]) <= set(schema.names)
        assert "report_id" in schema.names


def test_rows_have_exactly_the_columns_of_their_schema() -> None:
    for table, found in rows(report(), extraction(cases=2)).items():
        assert found or table == "corrections", table
        assert all(set(row) == set(SCHEMAS[table].names) for row in found), table


def test_a_report_without_findings_is_a_report_all_the_same() -> None:
    found = rows(report(), Extraction(id="r1"))
    assert {table: len(more) for table, more in found.items()} == {t: int(t == "reports") for t in TABLES}


def test_tables_keep_facts_evidence_and_the_whole_record() -> None:
    tables = build([(report(), extraction())])

    drug = tables["drugs"].to_pylist()[0]
    assert (drug["drug_id"], drug["name"], drug["role"]) == ("drug-1", "imatinib", "suspect")
    assert [TEXT[span["start"] : span["end"]] for span in drug["evidence"]] == ["imatinib"]
    assert [fact["field"] for fact in drug["facts"]] == ["role"]
    exposures = tables["exposures"].to_pylist()
    assert [(e["drug_id"], e["exposure"], e["dose"], e["with_drugs"]) for e in exposures] == [
        ("drug-1", 1, 400.0, []),
        ("drug-2", 1, 30.0, ["drug-1"]),
    ]
    assessment = tables["assessments"].to_pylist()[0]
    assert [item["item"] for item in assessment["naranjo_items"]] == [str(n) for n in range(1, 11)]
    assert decode_case(tables["cases"].column("case_json")[0].as_py()) == extraction().cases[0]
    assert tables["cases"].schema.field("age_evidence").type == pa.list_(
        pa.struct([("start", pa.int32()), ("end", pa.int32())])
    )


def test_a_correction_has_a_row_whether_applied_or_not() -> None:
    made: list[Correction] = [change("reactions/0/outcome", "fatal"), reject("drugs/0", report="gone")]
    pairs = [(report(), apply(extraction(), report(), made[:1]))]
    table = build(pairs, {"r1": made[:1], "gone": made[1:]})["corrections"]
    names = ("report_id", "status", "operation", "kind", "field", "value", "fact")
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == [
        ("gone", "report_missing", "reject", "drug", None, None, None),
        ("r1", "applied", "change", "reaction", "outcome", '"fatal"', "reactions/0/outcome"),
    ]


def test_a_mention_can_be_read_back_whole() -> None:
    """The next run takes over what was found in reports that have not changed; a field more has to be kept too."""
    mention = Mention(type="route", text="a b", start=1, end=9, assertion="negated", concept="intravenous", gap=(2, 5))
    plain = Mention(type="drug", text="a", start=0, end=2)
    assert all(getattr(mention, name) != getattr(plain, name) for name in Mention.__struct_fields__)
    table = build([(report(), Extraction(id="r1", mentions=[mention, plain]))])["mentions"]
    assert [mention_of(row) for row in table.to_pylist()] == [mention, plain]
