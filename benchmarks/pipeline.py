"""How fast files become a published dataset, and what a second run costs: ``make bench``.

``python -m benchmarks.pipeline [TEXTS.jsonl]``: for each number of reports and of workers, ``case2fhir run`` is started
as a user would start it, in a process of its own: the first run; a second one, over the same input; one after a report
was added.  Texts are those of TEXTS.jsonl (one object with a ``text`` a line), again and again under new ids, or texts
of ``--size`` code points made of the seeds.

One report more than 1,000 times a power of two doubles the number of shards: all files are written anew then.

Printed as Markdown: reports a second by the clock and by processor second (of all processes: what one core would do if
it had nothing else to do), peak memory of the coordinator and of the largest worker, and where the time goes.  On a
machine that others use as well the clock says little; processor time, and what is compared within one call, says more.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.extraction import texts_of, varied_seeds

POLL = 0.1
"""Seconds between two looks at memory."""


@dataclass(frozen=True)
class Measured:
    """One run: seconds by the clock and of all processors, peak bytes, and what it said of itself."""

    seconds: float
    processor: float
    coordinator: int
    worker: int
    summary: dict[str, Any]


def write(path: Path, texts: Iterable[str]) -> None:
    """JSON Lines of texts under ids of their own."""
    with path.open("w", encoding="utf-8") as out:
        for number, text in enumerate(texts):
            out.write(json.dumps({"id": f"bench-{number:07d}", "text": text}) + "\n")


def run(source: Path, out: Path, workers: int) -> Measured:
    """``case2fhir run``, measured."""
    command = [sys.executable, "-m", "pipeline.cli", "run", str(source), "--out", str(out), "--workers", str(workers)]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as stdout:
        process = subprocess.Popen([*command, "--no-data-docs", "--json", "--quiet"], stdout=stdout)  # noqa: S603
        seen: dict[int, tuple[int, float]] = {}
        watch = threading.Thread(target=_watch, args=(process, seen))
        watch.start()
        if process.wait():
            sys.exit(f"{' '.join(command)} failed")
        seconds = time.perf_counter() - began
        watch.join()
        stdout.seek(0)
        summary = json.load(stdout)
    processor = sum(used for _, used in seen.values())
    coordinator, _ = seen.pop(process.pid, (0, 0.0))
    return Measured(seconds, processor, coordinator, max((peak for peak, _ in seen.values()), default=0), summary)


def _watch(process: "subprocess.Popen[bytes]", seen: dict[int, tuple[int, float]]) -> None:
    """Peak bytes and processor seconds by process, of a process and all below it, until it ends.

    The system counts processor time of children only where their parent waits for them, which not all do.
    """
    while process.poll() is None:
        for pid in _tree(process.pid):
            try:
                seen[pid] = max(seen.get(pid, (0, 0.0))[0], _peak(pid)), _used(pid)
            except OSError:
                continue
        time.sleep(POLL)


def _tree(root: int) -> Iterator[int]:
    yield root
    for thread in Path(f"/proc/{root}/task").glob("*/children"):  # each thread has its own
        try:
            children = thread.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _tree(int(child))


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(texts: list[str], count: int, workers: int) -> None:
    """The rows of one number of reports and workers."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in.jsonl"), Path(folder, "out")
        write(source, islice(cycle(texts), count))
        first = run(source, out, workers)
        stages = json.loads((out / "run.json").read_bytes())["stages"]
        _row("first run", count, workers, first, first)
        _row("nothing changed", count, workers, run(source, out, workers), first)
        with source.open("a", encoding="utf-8") as more:
            more.write(json.dumps({"id": "one-more", "text": texts[0]}) + "\n")
        again = run(source, out, workers)
        _row("one report more", count, workers, again, first)
        print(_shares(f"{count:,} reports, {workers} workers, first run", first, stages))
        stages = json.loads((out / "run.json").read_bytes())["stages"]
        print(_shares(f"{count:,} reports, {workers} workers, one report more", again, stages), flush=True)


def _shares(what: str, first: Measured, stages: dict[str, Any]) -> str:
    """Where the time of a first run went, as a comment beside the table."""
    parts = [f"start {first.summary['seconds']['start']:.1f} s"]
    for name, figures in stages.items():
        checks = f" (checks {figures['checks_seconds']:.1f} s)" if "checks_seconds" in figures else ""
        parts.append(f"{name} {figures['seconds']:.1f} s{checks}")
    return f"<!-- {what}: {', '.join(parts)} -->"


def _row(what: str, count: int, workers: int, found: Measured, first: Measured) -> None:
    cells = [
        what,
        f"{count:,}",
        workers,
        f"{found.seconds:.1f}",
        f"{found.processor:.1f}",
        f"{found.processor / first.processor:.1%}",
        f"{count / found.seconds:,.0f}",
        f"{count / found.processor:,.0f}",
        f"{found.coordinator / 1e6:.0f}",
        f"{found.worker / 1e6:.0f}" if found.worker else "–",
    ]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="?", type=Path, metavar="TEXTS.jsonl")
    parser.add_argument("--reports", type=int, nargs="+", default=[900, 3_600])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--size", type=int, default=5_000, help="code points of a text made of the seeds")
    chosen = parser.parse_args()
    texts = texts_of(chosen.texts) if chosen.texts else varied_seeds(min(1_000, max(chosen.reports)), chosen.size)
    mean = sum(map(len, texts)) / len(texts)
    print(f"{len(texts):,} different texts of {mean:,.0f} code points on average\n")
    print("| run | reports | workers | s | processor s | of the first | reports/s | reports/processor s "
          "| coordinator MB | worker MB |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for count in chosen.reports:
        for workers in chosen.workers:
            measure(texts, count, workers)


if __name__ == "__main__":
    main()
