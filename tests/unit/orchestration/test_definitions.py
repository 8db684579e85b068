"""What Dagster sees: assets with their metadata, the job, the schedule, the sensor, the configuration."""

import itertools
from pathlib import Path

import dagster as dg
import pytest

from pipeline.definitions import build_defs
from pipeline.errors import UsageError
from pipeline.orchestration.jobs import JOB, Inbox, daily, inbox_sensor
from pipeline.orchestration.resources import Fhir, Inputs, Output
from pipeline.paths import DatasetPaths
from pipeline.storage.tables import SCHEMAS

DEFS = build_defs()
ASSETS = ("reports", "cases", "fhir_resources", "dataset", "loaded_bundles")


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(DEFS)


@pytest.mark.parametrize("name", ASSETS)
def test_assets_say_what_they_are_whose_they_are_and_what_made_them(name: str) -> None:
    spec = DEFS.resolve_asset_graph().get(dg.AssetKey(name))
    assert spec.description
    assert spec.owners == ["team:pharmacovigilance"]
    assert spec.group_name
    assert spec.kinds
    assert spec.code_version


def test_assets_stand_in_one_row() -> None:
    graph = DEFS.resolve_asset_graph()
    for before, after in itertools.pairwise(ASSETS):
        assert graph.get(dg.AssetKey(after)).parent_keys == {dg.AssetKey(before)}


@pytest.mark.parametrize("table", ["reports", "cases"])
def test_tables_show_their_columns(table: str) -> None:
    schema = DEFS.resolve_asset_graph().get(dg.AssetKey(table)).metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == SCHEMAS[table].names
    assert all(column.description for column in schema.columns)


def test_the_job_runs_all_assets_and_checks_in_one_process() -> None:
    job = DEFS.resolve_job_def(JOB)
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set(ASSETS)
    assert job.executor_def is dg.in_process_executor


@pytest.mark.parametrize(("fhir", "versions"), [(Fhir.R4, ("R4",)), (Fhir.R5, ("R5",)), (Fhir.BOTH, ("R4", "R5"))])
def test_fhir_versions(fhir: Fhir, versions: tuple[str, ...]) -> None:
    assert Output(fhir=fhir).versions == versions


def test_a_missing_input_is_named() -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        Inputs(paths=["nowhere"]).files()


def test_one_run_at_a_time_writes_a_dataset(tmp_path: Path) -> None:
    output = Output(folder=str(tmp_path / "out"))
    with dg.build_resources({"output": output}) as resources:
        assert resources.output.paths == DatasetPaths(tmp_path / "out")
        assert resources.output.paths.work.is_dir()


class TestSensor:
    def evaluate(self, instance: dg.DagsterInstance, inbox: Inbox, cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"inbox": inbox}, definitions=DEFS
        )
        result = inbox_sensor(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result if isinstance(result, dg.SensorResult) else dg.SensorResult(skip_reason=result, cursor=cursor)

    def test_asks_for_a_run_over_the_inbox_whose_key_is_the_content(self, tmp_path: Path) -> None:
        inbox = Inbox(folder=str(tmp_path))
        (tmp_path / "a.txt").write_text("a report", encoding="utf-8")
        with dg.instance_for_test() as instance:
            first = self.evaluate(instance, inbox, None)
            assert not first.run_requests
            second = self.evaluate(instance, inbox, first.cursor)
            (request,) = second.run_requests or ()
            assert request.run_config == {"resources": {"inputs": {"config": {"paths": [str(tmp_path)]}}}}
            third = self.evaluate(instance, inbox, second.cursor)
            assert not third.run_requests
        assert request.run_key

    def test_a_missing_folder_is_skipped_with_a_reason(self, tmp_path: Path) -> None:
        with dg.instance_for_test() as instance:
            result = self.evaluate(instance, Inbox(folder=str(tmp_path / "nowhere")), None)
        assert result.skip_reason
        assert "does not exist" in (result.skip_reason.skip_message or "")

    def test_waits_for_the_run_under_way(self, tmp_path: Path) -> None:
        with dg.instance_for_test() as instance:
            job = DEFS.resolve_job_def(JOB)
            instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
            result = self.evaluate(instance, Inbox(folder=str(tmp_path)), None)
            assert result.skip_reason
            assert "under way" in (result.skip_reason.skip_message or "")
            skipped = daily(dg.build_schedule_context(instance=instance))
            assert isinstance(skipped, dg.SkipReason)
