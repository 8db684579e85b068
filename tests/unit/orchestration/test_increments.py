"""A run over input that has changed a little: what is made anew, and that nobody can tell from the result."""

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.corrections import Change, Correction, Fact, digest
from pipeline.engines import Task, in_order
from pipeline.engines.local import InlineEngine
from pipeline.orchestration import stages
from pipeline.paths import DatasetPaths
from pipeline.records import Extraction, Report
from pipeline.storage import Dataset, Staging, current, manifest
from pipeline.storage.shards import shard_of
from tests.unit.orchestration.pipeline_samples import extracted, report, run, stand_ins
from tests.unit.storage import storage_samples
from tests.unit.storage.storage_samples import files


@pytest.fixture(autouse=True, scope="module")
def _fast() -> Iterator[None]:
    with stand_ins(reports_per_shard=3):
        yield


def published(root: Path) -> dict[str, bytes]:
    """All files but the record of the run, which holds times."""
    return {name: content for name, content in files(root).items() if name != "run.json"}


def corpus(**variants: str) -> list[Report]:
    return [report(report_id, variant) for report_id, variant in variants.items()]


def changes(record: dict[str, object]) -> dict[str, int]:
    found = record["changes"]
    assert isinstance(found, dict)
    return {name: number for name, number in found.items() if number}


IDS = st.sampled_from([*(f"r{n}" for n in range(10)), "bad-1", "bad-2"])
CORPORA = st.dictionaries(IDS, st.sampled_from(["one", "two", "none", "other", "crash"]), max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(CORPORA, st.sampled_from(["both", "R4"])), min_size=2, max_size=4), st.randoms())
def test_after_any_adds_changes_and_removals_the_dataset_is_that_of_a_fresh_run(
    steps: list[tuple[dict[str, str], str]], random: Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        grown, fresh = Path(folder, "grown"), Path(folder, "fresh")
        before: dict[str, str] = {}
        for variants, fhir in steps:
            names = list(variants)
            random.shuffle(names)
            reports = [report(name, variants[name], place) for place, name in enumerate(names, 1)]
            found = run(grown, reports, fhir=fhir)["changes"]
            both = variants.keys() & before.keys()
            changed = sum(variants[name] != before[name] for name in both)
            assert (found["new"], found["removed"]) == (len(variants) - len(both), len(before) - len(both))
            assert (found["changed"], found["unchanged"]) == (changed, len(both) - changed)
            before = variants
        run(fresh, reports, fhir=fhir)
        assert published(grown) == published(fresh)
        assert Dataset.open(grown).damaged() == []


def correction(number: int, report_id: str, variant: str) -> Correction:
    """One of a few corrections of a report as it reads in that variant."""
    about = Fact(kind="reaction", at=storage_samples.at("erythema multiforme"))
    outcomes = ["fatal", "recovering", "unknown"]
    return Change(
        id=f"{report_id}-{number}",
        at="2026-11-21T19:05:00Z",
        by="A. Reviewer",
        report=report_id,
        text=digest(report(report_id, variant)),
        case=f"{report_id}-{1 + number % 2}",
        fact=about,
        field="outcome",
        value=outcomes[number],
    )


CORRECTED = st.lists(
    st.tuples(st.integers(0, 2), IDS, st.sampled_from(["one", "two", "other"])), max_size=6, unique_by=lambda c: c[:2]
)


@settings(max_examples=10, deadline=None)
@given(CORPORA, st.lists(st.tuples(CORPORA, CORRECTED), min_size=2, max_size=2))
def test_after_any_corrections_and_changes_the_dataset_is_that_of_a_fresh_run(
    base: dict[str, str], steps: list[tuple[dict[str, str], list[tuple[int, str, str]]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        grown, fresh = Path(folder, "grown"), Path(folder, "fresh")
        for more, corrected in steps:
            reports, corrections = corpus(**base | more), [correction(*one) for one in corrected]
            run(grown, reports, corrections=corrections)
        record = run(fresh, reports, corrections=corrections)
        assert published(grown) == published(fresh)
        assert sum(record["corrections"]["by_status"].values()) == len(corrections)


def test_exactly_the_reports_whose_corrections_changed_are_extracted_again(tmp_path: Path) -> None:
    reports = corpus(**{f"r{n}": "one" for n in range(11)})
    first, second = correction(0, "r3", "one"), correction(0, "r7", "one")
    run(tmp_path, reports, corrections=[first])
    for corrections, again in (([first, second], ["r7"]), ([second], ["r3"]), ([second], []), ([], ["r7"])):
        extracted.clear()
        record = run(tmp_path, reports, corrections=corrections)
        assert extracted == again
        assert changes(record) == {
            name: n for name, n in (("changed", len(again)), ("unchanged", 11 - len(again))) if n
        }
        outcomes = {row["report_id"]: row["outcome"] for row in _rows(tmp_path, "reactions")}
        corrected = {one.report for one in corrections}
        assert {i for i, outcome in outcomes.items() if outcome == "fatal"} == corrected


def test_a_correction_is_told_of_whatever_becomes_of_its_report(tmp_path: Path) -> None:
    made = [correction(0, name, "one") for name in ("here", "changed", "gone", "crashes", "bad-1", "none")]
    reports = [*corpus(here="one", changed="other", crashes="crash", none="none"), report("bad-1", "one")]
    record = run(tmp_path, reports, corrections=made)
    assert {row["report_id"]: row["status"] for row in _rows(tmp_path, "corrections")} == {
        "here": "applied",
        "changed": "text_changed",
        "gone": "report_missing",
        "crashes": "report_missing",
        "bad-1": "case_withheld",
        "none": "text_changed",
    }
    assert record["corrections"]["by_status"]["applied"] == 1
    assert len(record["corrections"]["not_applied"]) == 5


def _rows(root: Path, table: str) -> list[dict[str, Any]]:
    dataset = Dataset.open(root)
    return [row for shard in range(dataset.shards) for row in dataset.table(table, shard).to_pylist()]


def test_nothing_is_extracted_or_written_where_nothing_has_changed(tmp_path: Path) -> None:
    reports = corpus(a="one", b="two", c="none", d="one", e="one")
    run(tmp_path, reports)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "run.json"}
    extracted.clear()
    record = run(tmp_path, reports)
    assert extracted == []
    assert record["shards"] == {"total": 2, "made": 0}
    assert changes(record) == {"unchanged": 5}
    del before[tmp_path / "parquet"], before[tmp_path / "fhir"]
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before


def test_one_new_report_costs_itself_and_the_rewriting_of_its_shard(tmp_path: Path) -> None:
    reports = corpus(**{f"r{n}": "one" for n in range(11)})
    run(tmp_path, reports)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("part-*")}
    extracted.clear()
    record = run(tmp_path, [*reports, report("new", "two")])
    assert extracted == ["new"]
    assert record["shards"] == {"total": 4, "made": 1}
    assert changes(record) == {"new": 1, "unchanged": 11}
    touched = {path.stem for path, inode in before.items() if path.stat().st_ino != inode}
    assert len(touched) == 1


def test_a_report_that_moved_to_another_line_is_not_extracted_again(tmp_path: Path) -> None:
    run(tmp_path, [report("a", "one", 1), report("b", "one", 2)])
    extracted.clear()
    record = run(tmp_path, [report("b", "one", 1)])
    assert extracted == []
    assert changes(record) == {"unchanged": 1, "removed": 1}
    assert Dataset.open(tmp_path).table("reports", 0).column("source_record").to_pylist() == [1]


def test_what_was_refused_is_tried_again_when_its_shard_is_made(tmp_path: Path) -> None:
    run(tmp_path, corpus(a="crash", b="one", **{"bad-1": "one"}))
    extracted.clear()
    record = run(tmp_path, corpus(a="crash", b="two", **{"bad-1": "one"}))
    assert sorted(extracted) == ["a", "b", "bad-1"]
    assert changes(record) == {"changed": 1, "unchanged": 2, "quarantined": 2}


def test_the_extraction_of_every_report_is_kept_when_the_number_of_shards_changes(tmp_path: Path) -> None:
    many = corpus(**{f"r{n}": "one" for n in range(12)})
    run(tmp_path, many[:3])
    extracted.clear()
    assert run(tmp_path, many)["shards"] == {"total": 4, "made": 4}
    assert len(extracted) == 9
    extracted.clear()
    assert run(tmp_path, many[:6])["shards"] == {"total": 2, "made": 2}
    assert extracted == []


@pytest.mark.parametrize(
    "part", ["case2fhir", "code", "mappings", "python", "libraries", "vocabularies", "expectations"]
)
def test_another_version_makes_anew_what_it_must(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other expectations are checked on what was found before; anything else may find something else."""
    reports = corpus(a="one", b="two", c="none")
    run(tmp_path, reports)
    extracted.clear()
    other = manifest.versions() | {part: "other"}
    monkeypatch.setattr("pipeline.storage.manifest.versions", lambda: other)
    monkeypatch.setattr("pipeline.storage.reuse.versions", lambda: other)
    assert not current(DatasetPaths(tmp_path), {"fhir": "both"}, "")
    record = run(tmp_path, reports)
    assert len(extracted) == (0 if part == "expectations" else 3)
    assert record["shards"]["made"] == 1
    assert record["changes"]["unchanged"] == 3


def test_another_fhir_version_is_built_without_extracting_again(tmp_path: Path) -> None:
    reports = corpus(a="one", b="two")
    run(tmp_path / "one", reports, fhir="R4")
    extracted.clear()
    run(tmp_path / "one", reports, fhir="both")
    assert extracted == []
    run(tmp_path / "two", reports, fhir="both")
    assert published(tmp_path / "one") == published(tmp_path / "two")


def test_fresh_makes_everything_anew(tmp_path: Path) -> None:
    reports = corpus(a="one", b="two")
    run(tmp_path, reports)
    extracted.clear()
    assert changes(run(tmp_path, reports, fresh=True)) == {"unchanged": 2}
    assert extracted == ["a", "b"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
    ],
    ids=["missing", "cut", "altered"],
)
@pytest.mark.parametrize(
    "name", ["fhir/R4/bundles.ndjson", "parquet/mentions/part-00000.parquet", "shards/part-00000.json"]
)
def test_a_damaged_shard_is_made_anew_and_nothing_is_taken_from_it(name: str, damage: object, tmp_path: Path) -> None:
    """An altered file of the same size is noticed when its shard is made, or by ``case2fhir validate``."""
    assert callable(damage)
    run(tmp_path / "one", corpus(a="one", b="two"))
    damage(tmp_path / "one" / name)
    run(tmp_path / "one", corpus(a="one", b="two", c="one"))
    run(tmp_path / "two", corpus(a="one", b="two", c="one"))
    assert published(tmp_path / "one") == published(tmp_path / "two")


@pytest.mark.parametrize("name", ["quarantine/refused.jsonl", "validation/results.json", "fhir/R5/Patient.ndjson"])
def test_a_missing_file_is_written_again_though_nothing_has_changed(name: str, tmp_path: Path) -> None:
    reports = corpus(a="one", b="crash")
    run(tmp_path, reports)
    before = published(tmp_path)
    (tmp_path / name).unlink()
    run(tmp_path, reports)
    assert published(tmp_path) == before


def test_what_a_killed_run_has_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = corpus(**{f"r{n}": "one" for n in range(12)})
    with monkeypatch.context() as killed:
        killed.setattr("pipeline.orchestration.stages.build", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "one", reports)
    extracted.clear()
    record = run(tmp_path / "one", [*reports[:-1], report("r11", "other")])
    assert 1 <= len(extracted) <= 6  # its shard, and nothing else
    assert record["changes"]["new"] == 12
    run(tmp_path / "two", [*reports[:-1], report("r11", "other")])
    assert published(tmp_path / "one") == published(tmp_path / "two")


def test_what_a_killed_run_took_over_is_mapped_anew_where_the_dataset_was_damaged_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = corpus(a="one", b="two", c="one")
    run(tmp_path / "one", reports[:2])
    with monkeypatch.context() as killed:
        killed.setattr("pipeline.orchestration.stages.build", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "one", reports)
    with (tmp_path / "one" / "fhir" / "R5" / "bundles.ndjson").open("ab") as bundles:
        bundles.write(b" ")
    run(tmp_path / "one", reports)
    run(tmp_path / "two", reports)
    assert published(tmp_path / "one") == published(tmp_path / "two")


AHEAD = 4


class ReadingAhead(InlineEngine):
    """Reads so many batches ahead of the results, as engines with workers do."""

    def run(self, task: Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        def submit(batch: pa.RecordBatch) -> "Future[pa.RecordBatch]":
            done: Future[pa.RecordBatch] = Future()
            done.set_result(task.function(batch))
            return done

        for _, result in in_order(batches, submit, lambda: AHEAD):
            yield result


def test_where_few_reports_of_each_shard_changed_what_is_taken_over_is_held_of_one_shard_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    read: list[int] = []

    class Kept(dict[str, Extraction]):
        def __del__(self) -> None:
            held.pop()

    def kept(staging: Staging, shard: int, real: Any = Staging.kept_extractions) -> Kept:
        assert held == []
        held.append(shard)
        return Kept(real(staging, shard))

    def reusable(staging: Staging, shard: int, real: Any = Staging.reusable) -> set[str]:
        read.append(shard)
        found: set[str] = real(staging, shard)
        return found

    ids = [f"r{n}" for n in range(40)]
    run(tmp_path, corpus(**dict.fromkeys(ids, "one")))
    staging = Staging(DatasetPaths(tmp_path))
    changed = {min(name for name in ids if shard_of(name, 16) == shard) for shard in {shard_of(i, 16) for i in ids}}
    plan = staging.spool(
        corpus(**{name: "two" if name in changed else "one" for name in ids}), options={"fhir": "both"}
    )
    assert len(plan.made) == len(changed) > 3 * AHEAD
    monkeypatch.setattr(Staging, "kept_extractions", kept)
    monkeypatch.setattr(Staging, "reusable", reusable)
    figures: dict[str, Any] = {}
    for written, _ in enumerate(stages.extract(staging, ReadingAhead(), lambda *_: None, figures)):
        assert len(read) - written <= AHEAD + 1
    assert figures == {"extracted": len(changed), "taken_over": 40 - len(changed)}


def test_the_source_is_the_last_field_of_a_report() -> None:
    """``storage.shards.digest`` leaves it out by its place."""
    assert Report.__struct_fields__[-1] == "source"
