"""How fast a dataset goes into a FHIR server, and what of the time is ours: ``python benchmarks/load.py URL``.

Makes ``--cases`` cases (copies of the seeds' cases under ids of their own) for each number of connections, so that
every load starts from nothing the server knows, and prints one line each.  ``server`` is the share of wall time in
which at least one request was out; ``loader`` the rest, in which the server had to wait for us.  ``cpu`` is the
processor time of this process by wall time.
"""

import argparse
import copy
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
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


class Watch(httpx.BaseTransport):
    """Measures how long at least one request is out."""

    def __init__(self) -> None:
        self._wire = httpx.HTTPTransport(limits=httpx.Limits(max_connections=100, max_keepalive_connections=100))
        self._lock = threading.Lock()
        self._out = 0
        self._since = 0.0
        self.busy = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Forward and measure, the answer's body included."""
        with self._lock:
            self._out += 1
            if self._out == 1:
                self._since = time.perf_counter()
        try:
            response = self._wire.handle_request(request)
            response.read()
            return response
        finally:
            with self._lock:
                self._out -= 1
                if self._out == 0:
                    self.busy += time.perf_counter() - self._since

    def close(self) -> None:
        """See ``httpx``."""
        self._wire.close()


def copies(dataset: Dataset, version: FhirVersion, count: int, run: str) -> Iterator[tuple[str, bytes]]:
    """Case ids and bundles: the dataset's cases again and again, each copy under other ids."""
    bundles = [line for shard in range(dataset.shards) for line in _lines(dataset, version, shard)]
    for number in range(count):
        prefix = f"{run}x{number:06d}x"
        bundle = orjson.loads(bundles[number % len(bundles)])
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


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("dataset", type=Path, help="a dataset, such as `case2fhir run seeds --out out` makes")
    parser.add_argument("url")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--fhir", choices=["R4", "R5"], default="R4")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--per-request", type=int, default=50)
    chosen = parser.parse_args()
    dataset = Dataset.open(chosen.dataset)
    print("connections  cases  seconds  cases/s  again s  server %  loader %  cpu %  failed", flush=True)
    for connections in chosen.connections:
        run = f"b{time.time_ns() % 10**10:x}"
        with tempfile.TemporaryDirectory() as folder:
            root = multiplied(dataset, chosen.fhir, chosen.cases, run, Path(folder))
            limits = Limits(connections=connections, cases=chosen.per_request)
            watch, cpu = Watch(), time.process_time()
            result = load(root, Settings(chosen.url, limits=limits), transport=watch)
            cpu = time.process_time() - cpu
            again = load(root, Settings(chosen.url, limits=limits))
        assert again.sent == 0 or not result.ok
        busy = watch.busy / result.seconds
        speed = result.cases["loaded"] / result.seconds
        print(
            f"{connections:11d}  {chosen.cases:5d}  {result.seconds:7.1f}  {speed:7.1f}  {again.seconds:7.2f}  "
            f"{busy:8.1%}  {1 - busy:8.1%}  {cpu / result.seconds:5.1%}  {result.cases['failed']:6d}",
            flush=True,
        )


if __name__ == "__main__":
    main()
