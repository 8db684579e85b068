"""What a second worker brings with each engine: ``make bench-engines``.

``python -m benchmarks.engines [TEXTS.jsonl]``: extraction of the same batches by one worker and by two, on every engine
that is installed, on this machine.  Texts are those of TEXTS.jsonl (one object with a ``text`` a line), or texts of
``--size`` code points made of the seeds.  Each engine is warmed up first, so that the time to start it, and to load
lexicons and models, does not count.

Printed as Markdown: reports a second (the median of ``--rounds``), their ratio, and processor time of the coordinator
for a batch, which says how many workers it could keep busy.  One worker of ``local`` is one process here, so that it
does the same as one worker of the others.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa

from benchmarks.extraction import texts_of, varied_seeds
from pipeline import batches, records
from pipeline.engines import Engine, Limits
from pipeline.engines.local import LocalEngine
from pipeline.records import Report, Source


def engines() -> dict[str, Callable[[int], Engine]]:
    """How to open each engine that is installed, with so many workers."""
    found: dict[str, Callable[[int], Engine]] = {"local": LocalEngine}
    if find_spec("distributed"):
        from pipeline.engines.dask import DaskEngine

        found["dask"] = lambda workers: DaskEngine(None, workers, Limits())
    if find_spec("pyspark"):
        from pipeline.engines.spark import SparkEngine

        found["spark"] = lambda workers: SparkEngine(None, workers, Limits())
    return found


def measure(opened: Engine, work: list[pa.RecordBatch]) -> tuple[float, float]:
    """Reports a second, and processor seconds of this process a batch."""
    clock, processor = time.perf_counter(), time.process_time()
    reports = sum(batch.num_rows for batch in opened.run(batches.extract_task(), work))
    return reports / (time.perf_counter() - clock), (time.process_time() - processor) / len(work)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="?", type=Path, metavar="TEXTS.jsonl")
    parser.add_argument("--reports", type=int, default=640)
    parser.add_argument("--size", type=int, default=2_000, help="code points of a text made of the seeds")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    texts = texts_of(chosen.texts) if chosen.texts else varied_seeds(chosen.reports, chosen.size)
    source = Source(path="bench.jsonl", format="jsonl")
    reports = [
        Report(report_id=f"bench-{number:07d}", text=text, source=source)
        for number, text in enumerate(islice(cycle(texts), chosen.reports))
    ]
    work = list(batches.batches(((records.encode(report),) for report in reports), batches.REPORTS))
    print("| engine | 1 worker, reports/s | 2 workers, reports/s | ratio | coordinator, ms a batch |")
    print("|---|---|---|---|---|", flush=True)
    for name, open_engine in engines().items():
        rates: dict[int, list[float]] = {1: [], 2: []}
        spent: list[float] = []
        for _ in range(chosen.rounds):  # one beside the other, for who else uses the machine changes
            for workers, found in rates.items():
                with open_engine(workers) as opened:
                    measure(opened, work[: 2 * workers])
                    rate, processor = measure(opened, work)
                    found.append(rate)
                    spent.append(processor)
        one, two = (statistics.median(found) for found in rates.values())
        ratio = statistics.median(b / a for a, b in zip(*rates.values(), strict=True))
        cells = [name, f"{one:.1f}", f"{two:.1f}", f"{ratio:.2f}", f"{1000 * statistics.median(spent):.1f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
