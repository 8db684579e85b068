"""``loaded_bundles`` in Dagster: after ``dataset``, in a pool, retried for what may pass only, with its figures."""

import multiprocessing
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipeline.definitions import build_defs
from pipeline.orchestration.jobs import JOB
from pipeline.orchestration.resources import LogProgress, Output, Server
from tests.integration.fake_fhir import FakeFhir, running
from tests.integration.fault_proxy import Status, in_front_of
from tests.integration.load_samples import dataset, references

ROOT = Path(__file__).parents[2]
LOADED = dg.AssetKey("loaded_bundles")


@pytest.fixture
def fhir() -> Iterator[FakeFhir]:
    with running(FakeFhir()) as server:
        yield server


def materialise(
    folder: Path, url: str, instance: dg.DagsterInstance | None = None, **config: Any
) -> dg.ExecuteInProcessResult:
    """Only the load, on a dataset that is there."""
    defs = build_defs(output=Output(folder=str(folder)), server=Server(url=url, **config), progress=LogProgress())
    return defs.resolve_job_def(JOB).execute_in_process(
        asset_selection=[LOADED],
        instance=instance,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("loaded_bundles")
    return {name: value.value for name, value in event.metadata.items()}


def test_the_figures_are_metadata(fhir: FakeFhir, tmp_path: Path) -> None:
    before = references(dataset(tmp_path, ["r1", "r2"]))
    first = metadata(materialise(tmp_path, fhir.url))
    assert (first["sent"], first["skipped"], first["deleted"], first["failed"]) == (len(before), 0, 0, 0)
    assert first["seconds"] > 0
    after = references(dataset(tmp_path, ["r1"]))
    second = metadata(materialise(tmp_path, fhir.url))
    assert second["sent"] == 0
    assert second["deleted"] == len(before) - len(after)
    assert fhir.held().keys() == after


def test_without_a_server_it_is_skipped(tmp_path: Path) -> None:
    dataset(tmp_path, ["r1"])
    result = materialise(tmp_path, "")
    assert result.success
    assert not result.asset_materializations_for_node("loaded_bundles")


def test_the_environment_names_the_server_of_the_daily_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASE2FHIR_SERVER", "https://fhir.example.org/fhir")
    server = (build_defs().resources or {})["server"]
    assert isinstance(server, Server)
    assert server.url == "https://fhir.example.org/fhir"


def test_what_is_refused_fails_at_once_with_its_figures(fhir: FakeFhir, tmp_path: Path) -> None:
    made = dataset(tmp_path, ["r1", "r2"], bad={"r2-1"})
    result = materialise(tmp_path, fhir.url)
    assert not result.success
    (event,) = result.get_step_failure_events()
    said = event.step_failure_data.user_failure_data
    assert said is not None
    assert "1 cases were not loaded" in (said.description or "")
    assert said.metadata["sent"].value == len(references(made)) // 2
    assert [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY] == []


def test_a_server_that_denies_access_is_not_asked_again(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, ["r1"])
    with in_front_of(fhir.url) as proxy:
        proxy.everything = Status(403)
        result = materialise(tmp_path, proxy.url)
    assert [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY] == []


def test_what_may_pass_is_tried_again(fhir: FakeFhir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda policy, attempt: 0.05)
    dataset(tmp_path, ["r1", "r2"])
    with in_front_of(fhir.url) as proxy:
        proxy.faults = deque([Status(503, "3600")])
        result = materialise(tmp_path, proxy.url)
    assert result.success
    assert len([e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]) == 1


RUN_START, STEP_START, STEP_SUCCESS = (
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_SUCCESS,
)


class SlowFhir(FakeFhir):
    """Takes its time over every transaction."""

    def transaction(self, bundle: dict[str, Any]) -> dict[str, Any]:
        time.sleep(3)
        return super().transaction(bundle)


def load_when_both_are_ready(ready: threading.Barrier, home: Path, folder: Path, url: str) -> tuple[float, ...]:
    """In a process of its own: when the load began and ended, and when its run began."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        ready.wait(60)
        run = materialise(folder, url, instance)
        assert run.success
        times = {entry.dagster_event_type: entry.timestamp for entry in instance.all_logs(run.run_id)}
    return times[STEP_START], times[STEP_SUCCESS], times[RUN_START]


@pytest.mark.slow
def test_loads_wait_for_each_other_in_a_pool(tmp_path: Path) -> None:
    """Two runs want to load at the same time: with the settings that we ship, one waits until the other is through."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    dg.DagsterInstance.from_config(str(home)).dispose()  # Dagster does not expect two processes to make its tables
    folders = [tmp_path / "first", tmp_path / "second"]
    wanted = {reference for folder in folders for reference in references(dataset(folder, [folder.name]))}
    spawn = multiprocessing.get_context("spawn")
    with running(SlowFhir()) as server, spawn.Manager() as shared, ProcessPoolExecutor(2, spawn) as both:
        ready = shared.Barrier(2)
        runs = [both.submit(load_when_both_are_ready, ready, home, folder, server.url) for folder in folders]
        first, second = sorted(run.result(120) for run in runs)
        assert server.held().keys() == wanted
    assert second[2] < first[1], "the runs did not compete"
    assert second[0] >= first[1]
