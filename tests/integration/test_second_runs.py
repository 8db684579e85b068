"""A second run of the command: what it makes, says, imports and leaves to the loader."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipeline.definitions import build_defs
from pipeline.orchestration.jobs import JOB
from pipeline.orchestration.resources import Inputs, LogProgress, Output
from pipeline.storage import Dataset
from tests.integration.command import case2fhir
from tests.integration.fake_fhir import FakeFhir, running
from tests.integration.test_imports import imported
from tests.unit.orchestration.pipeline_samples import extracted, stand_ins
from tests.unit.storage.storage_samples import files

TEXT = "A {n}-year-old woman developed a rash after imatinib 400 mg daily. Imatinib was stopped and the rash resolved."
OPTIONS = ("--workers", "1", "--no-data-docs", "--json")


@pytest.fixture
def fast() -> Iterator[None]:
    with stand_ins(reports_per_shard=4):
        yield


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(30, 38):
        (folder / f"letter-{n}.txt").write_text(TEXT.format(n=n), encoding="utf-8")
    return folder


def run(source: Path, out: Path, *more: str) -> dict[str, Any]:
    result = case2fhir("run", str(source), "--out", str(out), *OPTIONS, *more)
    assert result.code == 0, result.stderr
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


def published(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in files(root).items() if name != "run.json"}


@pytest.mark.usefixtures("fast")
def test_the_summary_says_what_is_new_changed_unchanged_removed_and_quarantined(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(source, out)
    assert first["changes"] == {"new": 8, "changed": 0, "unchanged": 0, "removed": 0, "quarantined": 0}
    extracted.clear()
    (source / "letter-30.txt").unlink()
    (source / "letter-31.txt").write_text(TEXT.format(n=71), encoding="utf-8")
    (source / "letter-99.txt").write_text(TEXT.format(n=99), encoding="utf-8")
    (source / "empty.txt").touch()
    second = run(source, out)
    assert second["changes"] == {"new": 1, "changed": 1, "unchanged": 6, "removed": 1, "quarantined": 1}
    assert sorted(extracted) == ["letter-31", "letter-99"]
    record = json.loads((out / "run.json").read_bytes())
    assert record["changes"] == second["changes"]
    assert record["stages"]["cases"]["extracted"] == 2
    assert record["stages"]["cases"]["seconds"] > record["stages"]["cases"]["checks_seconds"] >= 0
    run(source, tmp_path / "fresh")
    assert published(out) == published(tmp_path / "fresh")
    assert "letter-30" not in str(published(out))


@pytest.mark.usefixtures("fast")
def test_where_nothing_has_changed_the_summary_is_the_same_but_for_changes_and_times(
    source: Path, tmp_path: Path
) -> None:
    (source / "empty.txt").touch()
    first, second = run(source, tmp_path / "out"), run(source, tmp_path / "out")
    assert second["changes"] == {"new": 0, "changed": 0, "unchanged": 8, "removed": 0, "quarantined": 1}
    assert second["shards"] == {"total": 2, "made": 0}
    for name in ("counts", "resources", "refused", "expectations"):
        assert first[name] == second[name]


def test_where_nothing_has_changed_nothing_heavy_is_imported(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    arguments = ["run", str(source), "--out", str(tmp_path / "out"), "--no-data-docs", "--quiet"]
    code = f"from pipeline.cli import main\nmain({arguments!r}, standalone_mode=False)"
    assert not {"dagster", "great_expectations", "pandas", "fhir"} & imported(code)


@pytest.mark.usefixtures("fast")
def test_what_a_killed_run_left_goes_though_nothing_has_changed(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    before = published(tmp_path / "out")
    (tmp_path / "out" / ".work" / "shards" / "x").mkdir(parents=True)
    run(source, tmp_path / "out")
    assert published(tmp_path / "out") == before
    assert not (tmp_path / "out" / ".work").exists()


@pytest.mark.usefixtures("fast")
def test_the_structured_log_is_one_object_a_line(source: Path, tmp_path: Path) -> None:
    for expected in (["reports", "cases", "fhir_resources", "dataset"], []):
        result = case2fhir("run", str(source), "--out", str(tmp_path / "out"), *OPTIONS, "--log", "json")
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        assert {"time", "level", "event"} <= set.intersection(*map(set, lines))
        stages = [line["stage"] for line in lines if line["event"] == "progress"]
        assert list(dict.fromkeys(stages)) == expected
        assert lines[-1]["event"] == "finished"
        assert lines[-1]["counts"]["reports"] == 8


@pytest.mark.usefixtures("fast")
def test_a_scheduled_run_does_no_more_and_says_so_in_its_metadata(source: Path, tmp_path: Path) -> None:
    output = Output(folder=str(tmp_path / "out"), data_docs=False)
    defs = build_defs(inputs=Inputs(paths=[str(source)]), output=output, progress=LogProgress())
    job = defs.resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        first = job.execute_in_process(instance=instance)
        before = published(tmp_path / "out")
        extracted.clear()
        second = job.execute_in_process(instance=instance)
    assert (first.success, second.success, extracted) == (True, True, [])
    assert published(tmp_path / "out") == before
    for result, made in ((first, 2), (second, 0)):
        assert _metadata(result, "dataset")["run"]["shards"] == {"total": 2, "made": made}
        assert _metadata(result, "cases")["dagster/row_count"] == 8
        assert _metadata(result, "cases")["seconds"] >= 0
    assert len(second.get_asset_check_evaluations()) == len(first.get_asset_check_evaluations())


def _metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def test_the_loader_deletes_what_a_later_run_no_longer_makes(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for letter in sorted(source.iterdir())[3:]:
        letter.unlink()
    run(source, out, "--fhir", "R4")
    with running(FakeFhir()) as server:
        assert case2fhir("load", str(out), "--server", server.url, "--quiet").code == 0
        assert _references(out) == set(server.held())
        (source / "letter-30.txt").unlink()
        (source / "letter-31.txt").write_text("A 31-year-old woman took imatinib. She was well.", encoding="utf-8")
        run(source, out, "--fhir", "R4")
        assert case2fhir("load", str(out), "--server", server.url, "--quiet").code == 0
        assert _references(out) == set(server.held())


def _references(root: Path) -> set[str]:
    dataset = Dataset.open(root)
    kinds = ("resources", "profile")
    paths = [root / file["path"] for file in dataset.manifest["files"] if file["kind"] in kinds]
    documents = [
        json.loads(line)
        for path in paths
        for line in (path.read_text().splitlines() if path.suffix == ".ndjson" else [path.read_text()])
    ]
    return {f"{document['resourceType']}/{document['id']}" for document in documents}
