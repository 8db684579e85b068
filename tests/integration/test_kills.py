"""Runs that are killed at random moments: readers see a whole dataset, and the next run makes what it should.

``make test-kills`` kills stages fifty times, and the command ten times with each number of workers; the ordinary tests
do so a few times.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.records import Report
from pipeline.storage import Dataset
from tests.integration.command import case2fhir
from tests.unit.orchestration.pipeline_samples import report, run, stand_ins
from tests.unit.storage.storage_samples import files

KILLS = int(os.environ.get("KILLS", "0"))
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
VARIANTS = ("one", "two", "none", "other", "crash")

STAND_IN = """
import sys
from pathlib import Path
from tests.unit.orchestration.pipeline_samples import run, stand_ins
from tests.integration.test_kills import corpus
with stand_ins(reports_per_shard=5):
    print("ready", flush=True)
    run(Path(sys.argv[1]), corpus(int(sys.argv[2])))
"""
REAL = """
import sys
import dagster, great_expectations
from pipeline.cli import main
from pipeline.orchestration import local_run
from pipeline.storage import shards
shards.REPORTS_PER_SHARD = 5
print("ready", flush=True)
main(["run", sys.argv[2], "--out", sys.argv[1], "--no-data-docs", "--workers", sys.argv[3], "--json"])
"""


def corpus(seed: int) -> list[Report]:
    """Twenty reports or so, other ones for each seed, many of them the same."""
    chance = random.Random(seed)
    ids = [f"r{n}" for n in range(24) if chance.random() < 0.9] + ["bad-1"]
    return [report(i, chance.choice(VARIANTS) if chance.random() < 0.3 else "one", n) for n, i in enumerate(ids)]


def published(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in files(root).items() if name != "run.json"}


def started(code: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """A process that has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=ENVIRONMENT | environment,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: "subprocess.Popen[str]", after: float) -> bool:
    """Kill after some seconds; whether it still ran."""
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return process.returncode == -signal.SIGKILL


def seconds(process: "subprocess.Popen[str]") -> float:
    """How long a process that is ready takes."""
    began = time.monotonic()
    process.communicate()
    assert process.returncode == 0
    return time.monotonic() - began


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Meanwhile somebody reads the dataset again and again, and it is whole."""
    done = threading.Event()
    broken: list[str] = []
    wholes = 0

    def read() -> None:
        nonlocal wholes
        while not done.is_set():
            whole, sentences = seen(root)
            wholes += whole
            broken.extend(sentences)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()
    assert broken == []
    assert wholes


def seen(root: Path) -> tuple[bool, list[str]]:
    """Whether a dataset was read whole; what was wrong with it, unless another one was published while it was read."""
    dataset = Dataset.open(root)
    damaged = dataset.damaged()
    again = Dataset.open(root)
    same = again.manifest == dataset.manifest and again.paths == dataset.paths
    return not damaged, damaged if same else []


@pytest.mark.slow
def test_runs_killed_at_random_leave_a_whole_dataset_and_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    chance = random.Random(5)
    root, kills = tmp_path / "out", 0
    with stand_ins(reports_per_shard=5):
        run(root, corpus(0))
        expected = {seed: published_of(tmp_path / f"fresh-{seed}", seed) for seed in (0, 1, 2)}
        assert published(root) == expected[0]
        length = seconds(started(STAND_IN, str(tmp_path / "timed"), "1"))
        old = 0
        with reading(root):
            while kills < (KILLS or 6):
                seed = chance.choice([1, 2, 0])
                kills += kill(started(STAND_IN, str(root), str(seed)), chance.uniform(0, 1.2 * length))
                dataset = Dataset.open(root)
                assert dataset.damaged() == []
                made = (dataset.paths.root / "manifest.json").read_bytes()
                assert made in (expected[old]["manifest.json"], expected[seed]["manifest.json"])
                if made == expected[seed]["manifest.json"]:
                    old = seed
                if chance.random() < 0.5:
                    run(root, corpus(seed))
                    assert published(root) == expected[seed]
                    old = seed
            run(root, corpus(1))
        assert published(root) == expected[1]


def published_of(root: Path, seed: int) -> dict[str, bytes]:
    run(root, corpus(seed))
    return published(root)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_killed_at_random_ends_as_if_nothing_had_happened(workers: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    source = str(ROOT / "seeds")
    length = seconds(started(REAL, str(tmp_path / "whole"), source, workers))
    expected = published(tmp_path / "whole")
    (temporary := tmp_path / "tmp").mkdir()
    root, kills = tmp_path / "out-0", 0
    while kills < (KILLS // 5 or 2):
        kills += kill(started(REAL, str(root), source, workers, TMPDIR=str(temporary)), chance.uniform(0, length))
        if (root / "manifest.json").exists():
            assert Dataset.open(root).damaged() == []
        if chance.random() < 0.3:
            seconds(started(REAL, str(root), source, workers))
            assert published(root) == expected
            root = tmp_path / f"out-{kills}"
    seconds(started(REAL, str(root), source, workers))
    assert published(root) == expected
    assert case2fhir("validate", str(root)).code == 0
    # The socket of Python's fork server, of a few bytes, is all that a killed run leaves outside of its folder.
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("pymp-")] == []
