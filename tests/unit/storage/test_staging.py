"""Reports are spread over shards by their ids, and only over folders of ours."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.paths import DatasetPaths
from pipeline.records import Refused
from pipeline.storage import Dataset, Staging, shards, staging
from pipeline.storage.shards import shard_count, shard_of
from tests.unit.storage.storage_samples import report, stage


@pytest.mark.parametrize(
    ("reports", "count"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 4), (1_000_000, 1024)]
)
def test_a_shard_holds_a_thousand_reports_at_most_on_average(reports: int, count: int) -> None:
    assert shard_count(reports) == count


@given(st.text(), st.integers(0, 12))
def test_doubling_the_shards_splits_each_in_two(report_id: str, power: int) -> None:
    count = 2**power
    assert shard_of(report_id, 2 * count) % count == shard_of(report_id, count) < count


def test_every_report_is_in_one_shard_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "REPORTS_PER_SHARD", 4)
    monkeypatch.setattr(staging, "_BUFFER", 1000)  # several spills
    ids = [f"r{n}" for n in range(50)]
    staged = stage(tmp_path, ids)

    assert staged.shards == 16
    found = [r.report_id for shard in range(16) for r in staged.reports(shard)]
    assert sorted(found) == sorted(ids)
    for shard in range(16):
        pairs = list(staged.pairs(shard))
        assert [r.report_id for r, _ in pairs] == [e.id for _, e in pairs] == sorted(r.report_id for r, _ in pairs)


def test_refusals_of_the_sources_are_kept_and_a_second_report_of_an_id_is_one(tmp_path: Path) -> None:
    broken = Refused(stage="sources", reason="truncated", message="m")
    other = report("a")
    other.text = "Another text."
    staged = Staging(DatasetPaths(tmp_path))
    staged.spool([report("a"), broken, report("a"), other])

    assert staged.reports(0) == [report("a")]
    assert [(r.reason, r.report_id) for r in staged.refused()].count(("duplicate-id", "a")) == 2
    assert broken in staged.refused()
    assert {"the same text" in r.message for r in staged.refused() if r.report_id} == {True, False}
    assert all("Another text." not in r.message for r in staged.refused())


def test_spooling_again_starts_over(tmp_path: Path) -> None:
    stage(tmp_path, ["a"]).write_refused("fhir", 0, [Refused(stage="fhir", reason="x", message="m", case_id="a-1")])
    staged = Staging(DatasetPaths(tmp_path))
    staged.spool([])

    assert (staged.shards, staged.reports(0), staged.refused()) == (1, [], [])
    assert (list(staged.pairs(0)), list(staged.resources(0, "R4"))) == ([], [])


def test_stages_need_a_spooled_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No run is under way"):
        _ = Staging(DatasetPaths(tmp_path)).shards


@pytest.mark.parametrize("name", ["letter.txt", ".hidden", "manifest.json"])
def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"format": "other"}')

    with pytest.raises(UsageError, match="is not empty and holds no case2fhir dataset"):
        Staging(DatasetPaths(tmp_path)).spool([report()])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(UsageError, match="is a file"):
        DatasetPaths(tmp_path / "out").check_ours()
    with pytest.raises(UsageError, match="cannot be created"):
        DatasetPaths(tmp_path / "out" / "below").check_ours()


def test_checking_a_folder_creates_nothing(tmp_path: Path) -> None:
    DatasetPaths(tmp_path / "new" / "deep").check_ours()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_left_by_a_killed_first_run_is_ours(tmp_path: Path) -> None:
    stage(tmp_path, ["a"])
    DatasetPaths(tmp_path).check_ours()
    with pytest.raises(UsageError, match="holds no case2fhir dataset"):
        Dataset.open(tmp_path)
