"""A staged run becomes a dataset: what is written, the same bytes each time, and never half of it."""

import errno
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.errors import RunFailed, UsageError
from pipeline.paths import TABLES, DatasetPaths
from pipeline.records import Refused
from pipeline.storage import Dataset, Staging, exclusive, publish, shards, swap
from tests.unit.storage.storage_samples import PROFILE, case_resources, extraction, files, report, stage


def publish_(root: Path) -> dict[str, Any]:
    return publish(
        DatasetPaths(root),
        profiles={"R4": [PROFILE], "R5": [PROFILE]},
        validation={"success": True, "suites": []},
    )


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def make(root: Path, *report_ids: str, **options: Any) -> dict[str, Any]:
    stage(root, report_ids, options=options)
    return publish_(root)


def test_a_dataset_has_the_layout_of_the_contract(tmp_path: Path) -> None:
    make(tmp_path, "a", "b")

    types = ("Patient", "DocumentReference", "Condition", "MedicationStatement", "AdverseEvent", "Provenance")
    assert set(files(tmp_path)) == {
        "manifest.json",
        "quarantine/refused.jsonl",
        "validation/results.json",
        "shards/part-00000.json",
        *(f"parquet/{table}/part-00000.parquet" for table in TABLES),
        *(f"fhir/{version}/{name}.ndjson" for version in ("R4", "R5") for name in (*types, "bundles")),
        *(f"fhir/profiles/{version}-StructureDefinition-drug-role.json" for version in ("R4", "R5")),
    }
    assert not (tmp_path / ".work").exists()


def test_the_manifest_lists_every_file_as_it_is_and_loads_in_its_order(tmp_path: Path) -> None:
    manifest = make(tmp_path, "a", "b", fhir="both")

    assert manifest == json.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["options"] == {"fhir": "both"}
    assert manifest["counts"]["reports"] == 2
    assert manifest["counts"]["drugs"] == 4
    assert manifest["counts"]["resources"]["R4"]["Patient"] == 2
    by_path = {entry["path"]: entry for entry in manifest["files"]}
    assert {
        path: content for path, content in files(tmp_path).items() if path != "manifest.json"
    }.keys() == by_path.keys()
    for path, content in files(tmp_path).items():
        if path != "manifest.json":
            assert by_path[path]["bytes"] == len(content)
            assert by_path[path]["sha256"] == hashlib.sha256(content).hexdigest()
    r4 = [Path(path).stem for path in by_path if path.startswith("fhir/R4") and "bundles" not in path]
    assert r4 == ["Patient", "DocumentReference", "Condition", "MedicationStatement", "AdverseEvent", "Provenance"]


def test_bundles_follow_the_rows_of_cases_and_shared_resources_are_written_once(tmp_path: Path) -> None:
    stage(tmp_path, ["b", "a"], cases=11)  # eleven: "a-10" sorts after "a-2"
    publish_(tmp_path)

    case_ids = pq.read_table(tmp_path / "parquet/cases/part-00000.parquet").column("case_id").to_pylist()
    assert case_ids == [f"{name}-{number}" for name in "ab" for number in range(1, 12)]
    bundles = lines(tmp_path / "fhir/R4/bundles.ndjson")
    assert [bundle["entry"][0]["resource"]["id"] for bundle in bundles] == [f"{c}-patient" for c in case_ids]
    assert {bundle["type"] for bundle in bundles} == {"transaction"}
    articles = [line["id"] for line in lines(tmp_path / "fhir/R4/DocumentReference.ndjson")]
    assert articles == ["a-article", "b-article"]


def test_the_same_input_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    make(tmp_path / "one", "a", "b", "c")
    make(tmp_path / "two", "c", "a", "b")

    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_many_reports_go_to_part_files_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "REPORTS_PER_SHARD", 2)
    ids = [f"report-{n}" for n in range(7)]
    manifest = make(tmp_path, *ids)

    assert [shard["shard"] for shard in manifest["shards"]] == [0, 1, 2, 3]
    assert sum(shard["reports"] for shard in manifest["shards"]) == 7
    assert len({shard["fingerprint"] for shard in manifest["shards"]}) == 4
    parts = sorted((tmp_path / "fhir/R4/Patient").glob("part-*.ndjson"))
    assert [part.name for part in parts] == [f"part-{n:05d}.ndjson" for n in range(4)]
    assert sorted(line["id"] for part in parts for line in lines(part)) == [f"{name}-1-patient" for name in ids]

    dataset = Dataset.open(tmp_path)
    for shard in range(dataset.shards):
        cases = [c.case_id for c in dataset.resources(shard, "R5", lambda resource, version: [])]
        assert cases == dataset.table("cases", shard).column("case_id").to_pylist()


def test_a_fingerprint_changes_with_reports_and_options_only(tmp_path: Path) -> None:
    def fingerprint(root: str, *ids: str, **options: Any) -> str:
        return str(make(tmp_path / root, *ids, **options)["shards"][0]["fingerprint"])

    first = fingerprint("1", "a", "b", fhir="both")
    assert fingerprint("2", "b", "a", fhir="both") == first
    assert len({first, fingerprint("3", "a", fhir="both"), fingerprint("4", "a", "b", fhir="R4")}) == 3


def test_what_a_stage_refuses_is_withheld_whole_and_kept_with_its_reason(tmp_path: Path) -> None:
    staged = stage(tmp_path, ["a", "b", "c"], cases=2)
    refused = [
        Refused(stage="validation", reason="drugs.role-known", message="m", report_id="a", case_id="a-1"),
        Refused(stage="fhir", reason="resources.valid", message="m", report_id="a", case_id="a-1"),
        Refused(stage="extraction", reason="internal-error", message="m", report_id="b"),
    ]
    staged.write_refused("validation", 0, refused)
    manifest = publish_(tmp_path)

    tables = Dataset.open(tmp_path).tables(0)
    assert tables["reports"].column("report_id").to_pylist() == ["a", "c"]
    assert tables["cases"].column("case_id").to_pylist() == ["a-2", "c-1", "c-2"]
    for name in TABLES[2:-2]:
        assert set(tables[name].column("case_id").to_pylist()) == {"a-2", "c-1", "c-2"}
    assert len(lines(tmp_path / "fhir/R5/bundles.ndjson")) == 3
    assert sorted(Dataset.open(tmp_path).refused(), key=repr) == sorted(refused, key=repr)
    assert manifest["counts"]["refused"] == 3

    kept = lines(tmp_path / "quarantine/cases.jsonl")
    assert [(line["case_id"], line["reasons"]) for line in kept] == [
        ("a-1", ["drugs.role-known", "resources.valid"]),
        ("b-1", ["internal-error"]),
        ("b-2", ["internal-error"]),
    ]
    assert kept[0]["case"]["drugs"][0]["name"] == "imatinib"
    assert [resource["id"] for resource in kept[0]["resources"]["R4"]] == ["a-1-patient", "a-article", "a-1-condition"]


def test_a_source_refused_for_its_id_does_not_withhold_the_report_of_that_id(tmp_path: Path) -> None:
    stage(tmp_path, ["a", "a"])
    publish_(tmp_path)

    assert Dataset.open(tmp_path).table("reports", 0).num_rows == 1
    assert [r.reason for r in Dataset.open(tmp_path).refused()] == ["duplicate-id"]


def test_a_case_without_resources_that_nothing_refused_fails_the_run(tmp_path: Path) -> None:
    staged = stage(tmp_path, ["a", "b"])
    staged.write_resources(0, ["R5"], [{"R5": case_resources(extraction("a").cases[0])}])

    with pytest.raises(RunFailed, match="Case b-1 has no R5 resources"):
        publish_(tmp_path)


def test_a_new_run_replaces_the_dataset_and_removes_what_it_no_longer_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as small:
        small.setattr(shards, "REPORTS_PER_SHARD", 1)
        make(tmp_path, "a", "b")
    assert (tmp_path / "fhir/R4/Patient").is_dir()
    (tmp_path / "review").mkdir()
    (tmp_path / "review/index.html").write_text("not of the manifest")

    make(tmp_path, "a")
    assert not (tmp_path / "fhir/R4/Patient").exists()
    assert (tmp_path / "review/index.html").exists()
    make(tmp_path / "fresh", "a")
    assert files(tmp_path / "fresh").items() <= files(tmp_path).items()


def published(root: Path) -> list[str]:
    dataset = Dataset.open(root)
    assert dataset.damaged() == []
    ids = dataset.table("reports", 0).column("report_id").to_pylist()
    assert [line["id"] for line in lines(dataset.paths.resources("R4", "Patient", 0, 1))] == [
        f"{i}-1-patient" for i in ids
    ]
    return list(ids)


# How many renames publishing takes: 8 tables, 2 x 7 FHIR files, 2 profiles, refused, results, shard, manifest.
RENAMES = 8 + 2 * 7 + 2 + 1 + 1 + 1 + 1


@pytest.mark.parametrize("survived", [0, RENAMES // 2, RENAMES - 1, RENAMES])
def test_a_run_killed_between_renames_leaves_the_old_dataset_or_the_new(tmp_path: Path, survived: int) -> None:
    make(tmp_path, "old")
    stage(tmp_path, ["new-1", "new-2"])
    code = f"""
import os, sys
from pathlib import Path
from pipeline.paths import DatasetPaths
from pipeline.storage import publish, swap
from tests.unit.storage.storage_samples import PROFILE
replace, done = Path.replace, []
def killed(self, target):
    if ".partial" not in self.name and ".work" not in str(target):
        if len(done) == {survived}:
            os._exit(9)
        done.append(target)
    return replace(self, target)
Path.replace = killed
profiles = {{"R4": [PROFILE], "R5": [PROFILE]}}
publish(DatasetPaths(Path({str(tmp_path)!r})), profiles=profiles, validation={{}})
"""
    ended = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(Path(__file__).parent)}, check=False)

    assert ended.returncode == (0 if survived == RENAMES else 9)
    assert published(tmp_path) == (["new-1", "new-2"] if survived == RENAMES else ["old"])
    make(tmp_path, "next")
    assert published(tmp_path) == ["next"]
    make(tmp_path / "fresh", "next")
    fresh = files(tmp_path / "fresh")
    assert {k: v for k, v in files(tmp_path).items() if not k.startswith("fresh/")} == fresh


@pytest.mark.parametrize("survived", [0, 1, RENAMES // 2, RENAMES - 1])
def test_a_disk_that_fails_between_renames_leaves_the_old_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    make(tmp_path, "old")
    before = files(tmp_path)
    stage(tmp_path, ["new"])
    move = Path.replace
    done: list[Path] = []

    def full(self: Path, target: Path) -> Path:
        if ".work" not in str(target) and ".work/next" in self.as_posix():
            if len(done) == survived:
                raise OSError(errno.ENOSPC, "No space left on device")
            done.append(target)
        return move(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunFailed, match="No space left on device; the dataset is as it was"):
        publish_(tmp_path)
    assert {name: content for name, content in files(tmp_path).items() if not name.startswith(".work")} == before
    assert published(tmp_path) == ["old"]


def test_the_next_run_puts_the_old_dataset_back_before_it_reads_anything(tmp_path: Path) -> None:
    make(tmp_path, "old")
    before = files(tmp_path)
    stage(tmp_path, ["new"])
    shutil.copytree(tmp_path, tmp_path / ".work/previous", ignore=shutil.ignore_patterns(".work"))
    for name in ("fhir/R4/Patient.ndjson", "parquet/drugs/part-00000.parquet"):
        (tmp_path / name).write_text("of the new dataset")  # killed here: the manifest is still the old one

    assert published(tmp_path) == ["old"]
    Staging(DatasetPaths(tmp_path)).spool([])
    assert {name: content for name, content in files(tmp_path).items() if not name.startswith(".work")} == before


def test_a_first_run_that_fails_leaves_no_dataset_and_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(tmp_path, ["a"])
    with monkeypatch.context() as broken:
        broken.setattr(swap, "sync", lambda path: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(RunFailed):
            publish_(tmp_path)
    assert not (tmp_path / "parquet").exists()
    with pytest.raises(UsageError, match="holds no case2fhir dataset"):
        Dataset.open(tmp_path)
    make(tmp_path, "a")
    assert published(tmp_path) == ["a"]


def test_damage_is_found(tmp_path: Path) -> None:
    make(tmp_path, "a")
    (tmp_path / "fhir/R4/Patient.ndjson").write_text("{}\n")
    (tmp_path / "parquet/drugs/part-00000.parquet").unlink()

    assert Dataset.open(tmp_path).damaged() == [
        "fhir/R4/Patient.ndjson is not the file that the manifest lists.",
        "parquet/drugs/part-00000.parquet is missing.",
    ]


def test_a_dataset_of_a_newer_format_is_not_misread(tmp_path: Path) -> None:
    make(tmp_path, "a")
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format_version": 99}))

    with pytest.raises(UsageError, match="newer case2fhir"):
        Dataset.open(tmp_path)


def test_two_runs_cannot_write_to_one_dataset(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from pipeline.errors import UsageError
from pipeline.paths import DatasetPaths
from pipeline.storage import exclusive
try:
    with exclusive(DatasetPaths(Path({str(tmp_path)!r}))):
        print("held")
except UsageError as error:
    print(error)
"""

    def other() -> str:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    with exclusive(DatasetPaths(tmp_path)), exclusive(DatasetPaths(tmp_path)):
        assert "Another run is writing" in other()
    assert other() == "held\n"


def test_staged_reports_survive_any_content(tmp_path: Path) -> None:
    odd = report("odd\u2028\n id")
    odd.text = "line\u2028separator\r\nand \x00 control"
    staged = Staging(DatasetPaths(tmp_path))
    assert staged.spool([odd]).shards == 1
    assert staged.reports(0) == [odd]


def test_readers_find_the_old_dataset_while_a_killed_publication_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a", "b")
    before = files(tmp_path)
    shutil.copytree(tmp_path, tmp_path / ".work/previous", ignore=shutil.ignore_patterns(".work"))
    (tmp_path / "shards/part-00000.json").write_text("half of a new one")
    restored = 0
    put_back = swap._restore

    def restore(kept: Path, target: Path, **way: Path) -> None:
        nonlocal restored
        put_back(kept, target, **way)
        restored += 1
        found = Dataset.open(tmp_path)
        assert found.paths.root == tmp_path / ".work/previous"
        assert all((found.paths.root / entry["path"]).exists() for entry in found.manifest["files"])

    monkeypatch.setattr(swap, "_restore", restore)
    swap.recover(DatasetPaths(tmp_path))
    assert restored == len(before) - 1
    assert files(tmp_path) == before


def test_a_manifest_that_lacks_something_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a")
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    del manifest["files"], manifest["format_version"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="lacks files, format_version"):
        Dataset.open(tmp_path)
