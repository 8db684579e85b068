"""Clusters of two workers on this machine: a Dask scheduler with worker processes, Spark's own local cluster."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SPARK = "local-cluster[2,1,1024]"
"""A master, and two executors with one core and 1024 MB each, as processes of their own."""


def settings(folder: Path, set_variable: Callable[[str, str], object]) -> None:
    """Give up a task that two workers, not four, have died of; do not optimise JVMs that live for seconds."""
    (folder / "spark-defaults.conf").write_text("spark.task.maxFailures 2\n", encoding="utf-8")
    set_variable("SPARK_CONF_DIR", str(folder))
    set_variable("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    set_variable("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")


@contextmanager
def dask(folder: Path) -> Iterator[str]:
    """The address of a scheduler with two workers; what they say is in ``folder/dask.log``."""
    told, log = folder / "scheduler.json", folder / "dask.log"
    quiet = ["--no-dashboard", "--scheduler-file", str(told)]
    commands = [
        ["scheduler", "--host", "127.0.0.1", "--port", "0", *quiet],
        ["worker", "--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder), *quiet],
    ]
    with log.open("wb") as out:
        processes = []
        try:
            for command in commands:
                started = [sys.executable, "-m", "dask", *command]
                processes.append(subprocess.Popen(started, stdout=out, stderr=out, cwd=folder))
                while not told.exists():
                    assert processes[0].poll() is None, log.read_text()
                    time.sleep(0.1)
            yield json.loads(told.read_text())["address"]
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(30)
