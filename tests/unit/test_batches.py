"""Batch functions: one bad report never takes the others along, and its text never gets into the refusal."""

import pickle
from typing import get_args

import pyarrow as pa
import pytest

from pipeline import batches, records
from pipeline.engines import Death
from pipeline.records import Case, Extraction, Mention, Report, Source

SECRET = "Mrs. Miller"


def report(report_id: str, text: str = "Rash after imatinib.") -> Report:
    return Report(report_id=report_id, text=text, source=Source(path=f"in/{report_id}.txt", format="text"))


def of(*reports: Report) -> pa.RecordBatch:
    (batch,) = batches.batches([(records.encode(r),) for r in reports], batches.REPORTS)
    return batch


def test_each_report_gives_one_row_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "extract", lambda r: Extraction(id=r.report_id, cases=[]))
    rows = batches.extract_batch(of(report("b"), report("a"))).to_pylist()
    assert [records.decode_extraction(row["extraction"]).id for row in rows] == ["b", "a"]
    assert [row["refused"] for row in rows] == [None, None]


def test_cases_come_out_assessed(monkeypatch: pytest.MonkeyPatch) -> None:
    mentions = [Mention(type="drug", text="imatinib", start=11, end=19)]
    case = Case(case_id="a-1", report_id="a")
    monkeypatch.setattr(batches, "extract", lambda r: Extraction(id=r.report_id, mentions=mentions, cases=[case]))
    seen: list[tuple[Report, list[Mention]]] = []

    def assess(cases: list[Case], report: Report, mentions: list[Mention]) -> list[Case]:
        seen.append((report, mentions))
        return cases

    monkeypatch.setattr(batches, "assess_all", assess)
    batches.extract_batch(of(report("a")))
    assert seen == [(report("a"), mentions)]


def test_a_report_that_raises_is_refused_with_place_and_without_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(r: Report) -> Extraction:
        if r.report_id == "bad":
            int(r.text)  # the message of this exception quotes what it was given
        return Extraction(id=r.report_id)

    monkeypatch.setattr(batches, "extract", extract)
    rows = batches.extract_batch(of(report("a"), report("bad", SECRET), report("c"))).to_pylist()
    assert [row["extraction"] is not None for row in rows] == [True, False, True]
    refused = records.decode_refused(rows[1]["refused"])
    assert (refused.stage, refused.reason, refused.report_id) == ("extraction", "internal-error", "bad")
    assert refused.source == Source(path="in/bad.txt", format="text")
    assert refused.place is not None
    assert refused.place.startswith("pipeline.batches:")
    assert "ValueError" in refused.message
    assert SECRET not in refused.message


@pytest.mark.parametrize("error", [ImportError, FileNotFoundError, MemoryError])
def test_a_broken_installation_or_want_of_memory_is_no_fault_of_the_report(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def extract(_: Report) -> Extraction:
        raise error("no such library or file")

    monkeypatch.setattr(batches, "extract", extract)
    with pytest.raises(error):
        batches.extract_batch(of(report("a")))


@pytest.mark.parametrize("death", get_args(Death))
def test_a_report_or_case_that_ended_its_worker_is_refused_and_named(death: Death) -> None:
    (row,) = batches.extract_crashed(of(report("a", SECRET)), death).to_pylist()
    refused = records.decode_refused(row["refused"])
    assert (refused.stage, refused.reason, refused.report_id) == ("extraction", death, "a")
    case = Case(case_id="a-1", report_id="a")
    (batch,) = batches.batches([(records.encode(report("a", SECRET)), records.encode(case))], batches.CASES)
    (row,) = batches.resources_crashed(batch, death).to_pylist()
    refused = records.decode_refused(row["refused"])
    assert (refused.stage, refused.reason, refused.case_id) == ("fhir", death, "a-1")
    assert SECRET not in refused.message


def test_tasks_travel_to_other_processes() -> None:
    for task in (batches.extract_task(), batches.resources_task(("R4", "R5"))):
        assert pickle.loads(pickle.dumps(task)) is not None


def test_batches_are_short_in_rows_and_in_bytes() -> None:
    sizes = [b.num_rows for b in batches.batches([(b"x",)] * 70, batches.REPORTS)]
    assert sizes == [32, 32, 6]
    long = b"x" * (batches.BYTES // 2)
    assert [b.num_rows for b in batches.batches([(long,)] * 5, batches.REPORTS)] == [2, 2, 1]
    assert list(batches.batches([], batches.REPORTS)) == []


def test_each_case_gives_its_resources_in_the_versions_asked_for() -> None:
    case = Case(case_id="a-1", report_id="a")
    (batch,) = batches.batches([(records.encode(report("a")), records.encode(case))], batches.CASES)
    (row,) = batches.resources_batch(batch, ("R5",)).to_pylist()
    assert row["R4"] is row["refused"] is None
    assert b'"case_id":"a-1"' in row["R5"]


def test_a_case_that_cannot_be_mapped_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(case: Case, report: Report, versions: object) -> dict[str, object]:
        raise KeyError(SECRET)

    monkeypatch.setattr("pipeline.fhir.build_each", build)
    case = Case(case_id="a-1", report_id="a")
    (batch,) = batches.batches([(records.encode(report("a")), records.encode(case))], batches.CASES)
    (row,) = batches.resources_batch(batch, ("R4",)).to_pylist()
    refused = records.decode_refused(row["refused"])
    assert (refused.stage, refused.reason, refused.case_id) == ("fhir", "internal-error", "a-1")
    assert SECRET not in refused.message
