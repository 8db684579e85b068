"""How fast a dataset goes into a FHIR server, what of the time is ours: ``python -m benchmarks.load DATASET [URL]``.

Makes ``--cases`` cases (copies of the dataset's under ids of their own) for each number of connections, so that every
load starts from nothing the server knows, and prints one line each.  Without ``URL``, a HAPI server of the tests is
started, which does not validate unless asked to, and is warmed up.  Its heap of 4 GB takes about 15,000 cases.

``busy``    share of wall time in which at least one request was out; in the rest the server had to wait for us
``full``    share of the connections' time in which their request was out (the last requests of a load leave some idle)
``ours``    processor time of this process by wall time
``server's`` the same of the server, where we started it
"""

import argparse
import copy
import json
import math
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.server import Limits, Settings, load
from pipeline.storage import Dataset
from pipeline.storage.files import write_json, write_lines
from tests.integration import fhir_server


class Watch(httpx.BaseTransport):
    """Measures how long at least one request is out."""

    def __init__(self) -> None:
        self._wire = httpx.HTTPTransport(limits=httpx.Limits(max_connections=100, max_keepalive_connections=100))
        self._lock = threading.Lock()
        self._out = 0
        self._since = 0.0
        self.busy = 0.0
        """Seconds in which at least one request was out."""
        self.out = 0.0
        """Seconds that all requests were out, added up."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Forward and measure, the answer's body included."""
        began = time.perf_counter()
        with self._lock:
            self._out += 1
            if self._out == 1:
                self._since = began
        try:
            response = self._wire.handle_request(request)
            response.read()
            return response
        finally:
            ended = time.perf_counter()
            with self._lock:
                self._out -= 1
                self.out += ended - began
                if self._out == 0:
                    self.busy += ended - self._since

    def close(self) -> None:
        """See ``httpx``."""
        self._wire.close()


def copies(dataset: Dataset, version: FhirVersion, count: int, run: str) -> Iterator[tuple[str, bytes]]:
    """Case ids and bundles: the dataset's cases again and again, each copy under other ids."""
    bundles = [orjson.loads(line) for shard in range(dataset.shards) for line in _lines(dataset, version, shard)]
    bundles = [bundle for bundle in bundles if bundle.get("entry")]  # not every text has a patient
    for number in range(count):
        prefix = f"{run}x{number:06d}x"
        bundle = bundles[number % len(bundles)]
        ids = {entry["resource"]["id"] for entry in bundle["entry"]}
        pattern = re.compile("|".join(sorted(map(re.escape, ids), key=len, reverse=True)))
        text = pattern.sub(lambda found, prefix=prefix: _renamed(found.group(), prefix), json.dumps(bundle))  # type: ignore[misc]
        yield f"{run}-{number}", text.encode()


def _renamed(name: str, prefix: str) -> str:
    """Another id of at most 64 characters."""
    return f"{prefix}{name[8:]}"


def _lines(dataset: Dataset, version: FhirVersion, shard: int) -> list[bytes]:
    return dataset.paths.bundles(version, shard, dataset.shards).read_bytes().splitlines()


def multiplied(dataset: Dataset, version: FhirVersion, count: int, run: str, folder: Path) -> Path:
    """A dataset of ``count`` cases, with what a load reads of one."""
    paths = DatasetPaths(folder)
    made = list(copies(dataset, version, count, run))
    write_lines(paths.bundles(version, 0, 1), (line for _, line in made))
    table = paths.table("cases", 0)
    table.parent.mkdir(parents=True)
    pq.write_table(pa.table({"case_id": [i for i, _ in made], "report_id": [i for i, _ in made]}), table)
    manifest: dict[str, Any] = copy.deepcopy(dataset.manifest)
    manifest["shards"] = manifest["shards"][:1]
    manifest["files"] = [file for file in manifest["files"] if file["kind"] == "profile"]
    for file in manifest["files"]:
        target = folder / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((dataset.paths.root / file["path"]).read_bytes())
    write_json(paths.manifest, manifest)
    return folder


@contextmanager
def server(url: str | None, version: FhirVersion, *, validate: bool) -> Iterator[tuple[str, int | None]]:
    """The server's address, and its process where it is ours."""
    if url is not None:
        yield url, None
    else:
        with fhir_server.running(version, lasting=True, validate=validate) as fresh:
            yield fresh.base, fresh.process.pid


def cpu_seconds(process: int | None) -> float:
    """Processor time that a process has taken; not a number for none, and where the system does not tell."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def row(
    dataset: Dataset, version: FhirVersion, cases: int, connected: tuple[str, int | None], limits: Limits
) -> tuple[str, ...]:
    """Load new cases; the figures as they are printed."""
    url, process = connected
    with tempfile.TemporaryDirectory() as folder:
        root = multiplied(dataset, version, cases, f"b{time.time_ns() % 10**10:x}", Path(folder))
        watch = Watch()
        ours, theirs = time.process_time(), cpu_seconds(process)
        result = load(root, Settings(url, limits=limits), transport=watch)
        ours, theirs = time.process_time() - ours, cpu_seconds(process) - theirs
    seconds = result.seconds
    shares = [watch.busy, watch.out / limits.connections, ours, theirs]
    return (
        *(str(limits.connections), str(cases), f"{seconds:.1f}", f"{result.cases['loaded'] / seconds:.1f}"),
        *(f"{share / seconds:.1%}" for share in shares),
        str(result.cases["failed"]),
    )


def show(*cells: str) -> None:
    """One line of the table."""
    print("".join(f"{cell:>12}" for cell in cells), flush=True)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("dataset", type=Path, help="a dataset, such as `case2fhir run seeds --out out` makes")
    parser.add_argument("url", nargs="?", help="a server; without, one is started")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=500, help="cases loaded before the clock runs")
    parser.add_argument("--fhir", choices=["R4", "R5"], default="R4")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--per-request", type=int, default=50)
    parser.add_argument("--validate", action="store_true", help="let the server that is started validate")
    chosen = parser.parse_args()
    dataset = Dataset.open(chosen.dataset)
    show("connections", "cases", "seconds", "cases/s", "busy", "full", "ours", "server's", "failed")
    with server(chosen.url, chosen.fhir, validate=chosen.validate) as connected:
        limits = Limits(cases=chosen.per_request)
        row(dataset, chosen.fhir, chosen.warm_up, connected, limits)
        for connections in chosen.connections:
            show(*row(dataset, chosen.fhir, chosen.cases, connected, replace(limits, connections=connections)))


if __name__ == "__main__":
    main()
