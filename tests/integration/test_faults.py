"""What the machine may do to a run: a clear error, and the dataset is as it was."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline import sources
from pipeline.paths import DatasetPaths
from pipeline.storage import Dataset, exclusive
from tests.integration.command import case2fhir, case2fhir_process
from tests.unit.orchestration.pipeline_samples import stand_ins
from tests.unit.storage.storage_samples import files

TEXT = "A {n}-year-old woman developed a rash after imatinib 400 mg daily. Imatinib was stopped and the rash resolved."
OPTIONS = ("--workers", "1", "--no-data-docs", "--json")


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    with stand_ins(reports_per_shard=4):
        yield


def write(source: Path, *numbers: int) -> None:
    source.mkdir(exist_ok=True)
    for n in numbers:
        (source / f"letter-{n}.txt").write_text(TEXT.format(n=n), encoding="utf-8")


def published(root: Path) -> dict[str, bytes]:
    return {
        name: content for name, content in files(root).items() if name != "run.json" and not name.startswith(".work")
    }


@pytest.fixture
def dataset(tmp_path: Path) -> tuple[Path, Path, dict[str, bytes]]:
    """Input to which more has come since the dataset was made, the dataset, and its bytes."""
    source, out = tmp_path / "in", tmp_path / "out"
    write(source, 30, 31, 32)
    assert case2fhir("run", str(source), "--out", str(out), *OPTIONS).code == 0
    write(source, 33, 34)
    return source, out, published(out)


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "reports": lambda patch: patch.setattr("pipeline.storage.staging.write_lines", full),
    "cases": lambda patch: patch.setattr("pipeline.storage.staging.Staging.write_extractions", full),
    "fhir_resources": lambda patch: patch.setattr("pipeline.storage.staging.Staging.write_resources", full),
    "checks": lambda patch: patch.setattr("pipeline.storage.staging.Staging.write_suites", full),
    "tables": lambda patch: patch.setattr(pq, "write_table", full),
    "bundles": lambda patch: patch.setattr("pipeline.storage.publication.write_lines", full),
    "manifest": lambda patch: patch.setattr("pipeline.storage.publication.write_json", full),
    "places": lambda patch: patch.setattr("pipeline.storage.swap._move", full),
}


@pytest.mark.parametrize("place", FAULTS)
def test_a_full_disk(place: str, dataset: tuple[Path, Path, dict[str, bytes]]) -> None:
    source, out, before = dataset
    with pytest.MonkeyPatch.context() as patch:
        FAULTS[place](patch)
        result = case2fhir("run", str(source), "--out", str(out), *OPTIONS)
    assert result.code == 1
    assert "No space left on device" in result.stderr
    assert "--verbose" not in result.stderr
    assert published(out) == before
    assert Dataset.open(out).damaged() == []
    assert case2fhir("run", str(source), "--out", str(out), *OPTIONS).code == 0
    assert not (out / ".work").exists()
    assert Dataset.open(out).manifest["counts"]["reports"] == 5


SMALL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tests.unit.orchestration.pipeline_samples import stand_ins
from pipeline.orchestration import local_run
from pipeline.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
with stand_ins(reports_per_shard=4):
    main(["run", sys.argv[2], "--out", sys.argv[3], "--workers", "1", "--no-data-docs"])
"""


def test_files_that_may_not_grow(dataset: tuple[Path, Path, dict[str, bytes]]) -> None:
    """The kernel's own refusal, half-way through a file, in whatever writes it."""
    source, out, before = dataset
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SMALL, "3000", str(source), str(out)],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "File too large" in result.stderr
    assert published(out) == before
    assert Dataset.open(out).damaged() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_output(dataset: tuple[Path, Path, dict[str, bytes]]) -> None:
    source, out, before = dataset
    out.chmod(0o555)
    try:
        result = case2fhir("run", str(source), "--out", str(out), *OPTIONS)
    finally:
        out.chmod(0o755)
    assert (result.code, published(out)) == (2, before)
    assert "is not writable" in result.stderr


def test_an_output_that_cannot_be_written(
    dataset: tuple[Path, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only file system, whatever the permissions say."""
    source, out, before = dataset

    def read_only(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", read_only)
        result = case2fhir("run", str(source), "--out", str(out), *OPTIONS)
    assert result.code in (1, 2)
    assert "Read-only file system" in result.stderr
    assert published(out) == before


def test_an_input_that_vanishes_while_it_is_read(
    dataset: tuple[Path, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that was unmounted must not look like reports that were removed."""
    source, out, before = dataset
    read = sources.read

    def vanishing(inputs: list[Path]) -> Iterator[Any]:
        for number, item in enumerate(read(inputs)):
            if number == 2:
                source.rename(source.with_name("gone"))
            yield item

    with monkeypatch.context() as patch:
        patch.setattr(sources, "read", vanishing)
        result = case2fhir("run", str(source), "--out", str(out), *OPTIONS)
    assert result.code == 1
    assert f"{source} vanished while it was being read" in result.stderr
    assert published(out) == before


def test_a_folder_without_a_file_is_no_folder_of_removed_reports(
    dataset: tuple[Path, Path, dict[str, bytes]], tmp_path: Path
) -> None:
    source, out, before = dataset
    (tmp_path / "share").mkdir()
    result = case2fhir("run", str(source), str(tmp_path / "share"), "--out", str(out), *OPTIONS)
    assert result.code == 1
    assert "share holds no file: is it mounted?" in result.stderr
    assert published(out) == before


def test_a_clock_that_is_set_back(
    dataset: tuple[Path, Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, _ = dataset
    hours = iter(range(10**9, 0, -3600))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: float(next(hours)))
        assert case2fhir("run", str(source), "--out", str(out), *OPTIONS).code == 0
    for path in [*source.iterdir(), *out.rglob("*")]:
        os.utime(path, (0, 0))
    write(source, 35)
    os.utime(source / "letter-35.txt", (0, 0))
    assert case2fhir("run", str(source), "--out", str(out), *OPTIONS).code == 0
    assert case2fhir("run", str(source), "--out", str(tmp_path / "fresh"), *OPTIONS).code == 0
    assert published(out) == published(tmp_path / "fresh")


def test_a_second_run_on_the_same_folder_is_refused(dataset: tuple[Path, Path, dict[str, bytes]]) -> None:
    source, out, before = dataset
    with exclusive(DatasetPaths(out)):
        for more in ((), ("--fresh",)):
            result = case2fhir_process("run", str(source), "--out", str(out), *OPTIONS, *more)
            assert result.code == 2
            assert "Another run is writing" in result.stderr
            assert published(out) == before


def test_a_failed_run_says_so_in_the_structured_log(dataset: tuple[Path, Path, dict[str, bytes]]) -> None:
    source, out, _ = dataset
    with pytest.MonkeyPatch.context() as patch:
        FAULTS["cases"](patch)
        result = case2fhir("run", str(source), "--out", str(out), *OPTIONS, "--log", "json")
    assert result.code == 1
    last = [json.loads(line) for line in result.stderr.splitlines()][-1]
    assert (last["level"], last["event"], last["exit_code"]) == ("error", "failed", 1)
    assert "No space left" in last["message"]


def test_pages_that_cannot_be_written_do_not_hide_that_the_dataset_is_published(
    dataset: tuple[Path, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, _ = dataset
    monkeypatch.setattr("pipeline.validation.suites.write_data_docs", full)
    result = case2fhir("run", str(source), "--out", str(out), "--workers", "1")
    assert result.code == 1
    assert "No space left on device; the dataset is published all the same" in result.stderr
    assert Dataset.open(out).manifest["counts"]["reports"] == 5


def test_a_record_that_cannot_be_written_though_nothing_has_changed(
    dataset: tuple[Path, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, _ = dataset
    assert case2fhir("run", str(source), "--out", str(out), *OPTIONS).code == 0
    before = published(out)
    monkeypatch.setattr("pipeline.orchestration.record.write_json", full)
    result = case2fhir("run", str(source), "--out", str(out), *OPTIONS)
    assert (result.code, published(out)) == (1, before)
    assert "No space left on device; nothing had to be changed" in result.stderr
