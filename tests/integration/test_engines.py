"""Dask and Spark on real clusters of two workers: the bytes of the local engine, whatever becomes of workers.

``make test-engines`` runs these, in an environment with both extras; Java 17 must be there.
"""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import batches
from pipeline.engines import Engine, Limits, Task
from pipeline.engines.choice import open_engine
from pipeline.errors import RunFailed
from pipeline.storage import Dataset
from tests.integration import clusters, deadly
from tests.integration.command import Result, case2fhir
from tests.unit.engines.killers import (
    MEMORY,
    NATIVE_LOOP,
    SEGFAULT,
    TASK,
    double,
    expected,
    minus,
    numbers,
    raises,
    takes_worker_along,
    values,
)
from tests.unit.storage.storage_samples import files

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("default"),  # theirs are not ours to mend
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17"),
]

ROOT = Path(__file__).parents[2]
CLUSTERS = ("dask", "spark")
LIMITS = Limits(seconds=3, megabytes=300)
CANARY = "Zyxquorb"


@pytest.fixture(scope="module", autouse=True)
def marks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What workers find in their environment: where our tests are, and a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("marks")
        patch.setenv("MARKS", str(folder))
        patch.setenv("PYTHONPATH", str(ROOT))
        clusters.settings(folder, patch.setenv)
        yield folder


@pytest.fixture(scope="module")
def addresses(marks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a cluster of each kind."""
    with clusters.dask(tmp_path_factory.mktemp("dask")) as dask:
        yield {"dask": dask, "spark": clusters.SPARK}


@pytest.fixture(params=CLUSTERS, scope="class")
def engine(request: pytest.FixtureRequest, addresses: dict[str, str]) -> Iterator[Engine]:
    with open_engine(request.param, address=addresses[request.param], limits=LIMITS) as opened:
        yield opened


class TestACluster:
    def test_results_come_in_order_and_few_batches_are_read_ahead(self, engine: Engine) -> None:
        read = 0

        def endless() -> Iterator[pa.RecordBatch]:
            nonlocal read
            while True:
                read += 1
                yield numbers(read)

        results = engine.run(Task(double, minus), endless())
        assert values(itertools.islice(results, 20)) == list(range(2, 42, 2))
        assert read <= 20 + 3 * 2

    def test_rows_that_end_their_process_are_found(self, engine: Engine) -> None:
        rows = [*range(20), SEGFAULT, MEMORY, NATIVE_LOOP, *range(20, 30)]
        found = values(engine.run(TASK, [numbers(*rows[:18]), numbers(*rows[18:])]))
        assert found == [expected(n) for n in rows]

    def test_an_exception_of_the_function_stops_the_run(self, engine: Engine) -> None:
        with pytest.raises(ValueError, match="1"):
            values(engine.run(Task(raises, minus), [numbers(7)]))

    def test_batches_of_a_worker_that_dies_go_to_another(self, engine: Engine, marks: Path) -> None:
        (marks / "dead").unlink(missing_ok=True)
        rows = [5, 1, 3, 4, 6, 7]
        found = values(engine.run(Task(takes_worker_along, minus), [numbers(n) for n in rows]))
        assert found == [2 * n for n in rows]
        assert len((marks / "dead").read_text().split()) == 1

    def test_a_row_that_takes_every_worker_along_is_found_all_the_same(self, engine: Engine, marks: Path) -> None:
        """As where a cluster ends a worker for what a process below it does."""
        (marks / "dead").unlink(missing_ok=True)
        found = values(engine.run(Task(takes_worker_along, minus), [numbers(3, 2, 4), numbers(5)]))
        assert found == [6, -1, 8, 10]
        assert len((marks / "dead").read_text().split()) == 2

    def test_workers_with_another_version_are_refused(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pipeline.storage.manifest.versions", lambda: {"case2fhir": "0.0", "libraries": {}})
        with pytest.raises(RunFailed, match="differs from this installation in: case2fhir, code"):
            values(engine.run(Task(double, minus), [numbers(1)]))


@pytest.mark.parametrize("name", CLUSTERS)
def test_workers_of_this_machine_need_no_address(name: str) -> None:
    with open_engine(name, workers=2, limits=LIMITS) as engine:  # type: ignore[arg-type]
        assert values(engine.run(Task(double, minus), [numbers(1), numbers(2)])) == [2, 4]


@pytest.mark.parametrize(("name", "address"), [("dask", "tcp://127.0.0.1:1"), ("spark", "nonsense://127.0.0.1:1")])
def test_an_address_where_nobody_answers(name: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    with open_engine(name, address=address, limits=LIMITS) as engine, pytest.raises(RunFailed, match=address):  # type: ignore[arg-type]
        values(engine.run(Task(double, minus), [numbers(1)]))


LETTER = "A {n}-year-old woman developed a rash after imatinib 400 mg daily. Imatinib was stopped and it resolved.\n"


def letters(folder: Path, *numbers: int) -> Path:
    folder.mkdir(exist_ok=True)
    for n in numbers:
        (folder / f"letter-{n}.txt").write_text(LETTER.format(n=n), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Letters, some of them deadly."""
    folder = letters(tmp_path_factory.mktemp("in"), *range(30, 42))
    for way in ("exit", "memory", "map"):
        (folder / f"deadly-{way}.txt").write_text(f"{LETTER.format(n=20)} {CANARY} deadly: {way}\n", encoding="utf-8")
    return folder


def run(source: Path, out: Path, *options: str) -> Result:
    return case2fhir("run", str(source), "--out", str(out), "--no-data-docs", "--json", *options)


def published(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in files(root).items() if name != "run.json"}


def test_all_engines_publish_the_same_bytes_and_name_what_ended_their_workers(
    source: Path,
    addresses: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "ROWS", 4)
    monkeypatch.setattr(batches, "extract_task", deadly.extract_task)
    monkeypatch.setattr(batches, "resources_task", deadly.resources_task)
    limit = ("--worker-memory", "500")
    said = [run(source, tmp_path / "local", "--workers", "2", *limit)]
    for name, address in addresses.items():
        said.append(run(source, tmp_path / name, "--engine", name, "--engine-address", address, *limit))
        assert published(tmp_path / name) == published(tmp_path / "local")
    assert [result.code for result in said] == [0, 0, 0]
    refused = {item.report_id: (item.stage, item.reason) for item in Dataset.open(tmp_path / "local").refused()}
    assert refused == {
        "deadly-exit": ("extraction", "crashed"),
        "deadly-memory": ("extraction", "memory"),
        "deadly-map": ("fhir", "crashed"),
    }
    printed = capfd.readouterr()
    logs = [path.read_text() for path in tmp_path.parent.glob("dask*/dask.log")]
    assert logs  # of this and of other clusters
    assert CANARY not in "".join([printed.out, printed.err, *logs, *(r.stdout + r.stderr for r in said)])


def test_a_second_run_may_use_another_engine(addresses: dict[str, str], tmp_path: Path) -> None:
    source = letters(tmp_path / "in", 50, 51)
    assert run(source, tmp_path / "out", "--workers", "1").code == 0
    for n, (name, address) in enumerate(addresses.items(), 90):
        result = run(letters(source, n), tmp_path / "out", "--engine", name, "--engine-address", address)
        assert result.code == 0, result.stderr
        changes = json.loads(result.stdout)["changes"]
        assert (changes["new"], changes["changed"], changes["removed"]) == (1, 0, 0)
    assert run(source, tmp_path / "fresh", "--workers", "1").code == 0
    assert published(tmp_path / "out") == published(tmp_path / "fresh")


def test_dagster_is_told_the_engine_in_its_configuration(
    addresses: dict[str, str], source: Path, tmp_path: Path
) -> None:
    import dagster as dg

    from pipeline.definitions import build_defs
    from pipeline.orchestration.jobs import JOB
    from pipeline.orchestration.resources import Inputs, Output

    letter = source / "letter-30.txt"
    defs = build_defs(inputs=Inputs(paths=[str(letter)]), output=Output(folder=str(tmp_path), data_docs=False))
    config = {"resources": {"engine": {"config": {"name": "DASK", "address": addresses["dask"]}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def(JOB).execute_in_process(instance=instance, run_config=config).success
    assert Dataset.open(tmp_path).manifest["counts"]["reports"] == 1
