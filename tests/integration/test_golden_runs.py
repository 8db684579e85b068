"""The whole pipeline against golden trees: ``make golden`` rewrites them."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import orjson
import pytest

from pipeline.paths import FHIR_VERSIONS, FhirVersion
from pipeline.storage import Dataset
from tests.integration import golden
from tests.integration.command import Result, case2fhir

CASES = golden.cases()
Run = Callable[[str], tuple[Result, Dataset]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the pipeline on the input of a golden case, once each."""

    @cache
    def run_once(name: str) -> tuple[Result, Dataset]:
        source, _ = CASES[name]
        out = tmp_path_factory.mktemp(name) / "out"
        # From the folder above the input, so that the published source paths do not depend on the machine.
        result = case2fhir(
            "run", source.name, "--out", str(out), "--json", "--workers", "1", "--no-data-docs", cwd=source.parent
        )
        assert result.code == 0, result.stderr
        return result, Dataset.open(out)

    return run_once


@pytest.mark.parametrize("name", CASES)
def test_makes_the_expected_tree(name: str, run: Run, request: pytest.FixtureRequest) -> None:
    _, dataset = run(name)
    found = golden.tree(dataset)
    expected = CASES[name][1]
    if request.config.getoption("--update-golden"):
        golden.write(expected, found)
    assert expected.is_dir(), "no expected tree yet: look at what `make golden` writes, and commit it"
    on_disk = golden.read(expected)
    assert sorted(found) == sorted(on_disk)
    for path in sorted(found):
        assert found[path] == on_disk[path], path


@pytest.mark.parametrize("name", CASES)
def test_bundles_and_resource_files_hold_the_same_resources(name: str, run: Run) -> None:
    _, dataset = run(name)
    for version in FHIR_VERSIONS:
        bundled = {
            f"{resource.type}/{resource.id}": orjson.loads(bytes(resource.json))
            for shard in range(dataset.shards)
            for case in dataset.resources(shard, version, lambda resource, version: [])
            for resource in case.resources
        }
        assert golden.published_resources(dataset, version) == bundled


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_bundles_are_transactions_that_put_each_resource_under_its_own_id(
    name: str, version: FhirVersion, run: Run
) -> None:
    _, dataset = run(name)
    for shard in range(dataset.shards):
        for line in dataset.paths.bundles(version, shard, dataset.shards).read_bytes().splitlines():
            bundle = orjson.loads(line)
            assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
            for entry in bundle["entry"]:
                own = f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
                assert entry["request"] == {"method": "PUT", "url": own}


@pytest.mark.parametrize("name", CASES)
def test_all_evidence_quotes_what_it_claims(name: str, run: Run) -> None:
    _, dataset = run(name)
    for shard in range(dataset.shards):
        texts = {row["report_id"]: row["text"] for row in dataset.table("reports", shard).to_pylist()}
        for mention in dataset.table("mentions", shard).to_pylist():
            assert texts[mention["report_id"]][mention["start"] : mention["end"]] == mention["text"]


def test_the_summary_counts_what_is_in_the_dataset(run: Run) -> None:
    result, dataset = run("seeds")
    summary = orjson.loads(result.stdout)
    assert summary["counts"]["cases"] == sum(dataset.table("cases", s).num_rows for s in range(dataset.shards))
    assert summary["refused"]["total"] == len(dataset.refused())
    assert set(summary["seconds"]) == {"start", "reports", "cases", "fhir_resources", "dataset", "total"}


def test_running_again_gives_the_same_bytes_whatever_the_number_of_workers(run: Run, tmp_path: Path) -> None:
    _, first = run("seeds")
    source, _ = CASES["seeds"]
    result = case2fhir("run", source.name, "--out", str(tmp_path), "--workers", "2", cwd=source.parent)
    assert result.code == 0, result.stderr
    assert _digests(Dataset.open(tmp_path)) == _digests(first)
    assert (tmp_path / "validation" / "docs" / "index.html").is_file()


def _digests(dataset: Dataset) -> dict[str, str]:
    """Hashes of the manifest and of all files that it lists."""
    names = ["manifest.json", *(entry["path"] for entry in dataset.manifest["files"])]
    return {name: hashlib.sha256((dataset.paths.root / name).read_bytes()).hexdigest() for name in names}
