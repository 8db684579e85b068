"""How fast reports are read, on one core: ``python -m benchmarks.extraction [TEXTS.jsonl]``.

Every report of a stream of different texts is extracted, assessed and encoded in this process; processor time is
measured after ``--warm-up`` reports, per 5,000 code points.  ``TEXTS.jsonl`` holds one object with a ``text`` a line;
without it, sentences of the seeds are drawn at random, with other numbers each time.  Start-up is the time of a fresh
process from its beginning to its first extraction; ``--repeat`` takes the fastest of so many passes over the texts,
because what else runs on the machine only ever makes a pass slower.
"""

import argparse
import gc
import json
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

from pipeline import sources
from pipeline.assessment import assess_all
from pipeline.batches import extract_report
from pipeline.extraction import cases, document, segment
from pipeline.records import Extraction, Report, encode
from pipeline.sources.sections import find_sections

UNIT = 5000
"""Code points of the report that speed is told for."""
SEEDS = Path(__file__).resolve().parent.parent / "seeds"
_NUMBER = re.compile(r"\d+")
_FIRST = """
import time
from pipeline.assessment import assess_all
from pipeline.extraction import extract
from pipeline.records import Report, encode
report = Report(report_id="1", text="A 5-year-old girl developed a rash after 10 mg of imatinib.")
extraction = extract(report)
extraction.cases = assess_all(extraction.cases, report, extraction.mentions)
encode(extraction)
print(time.process_time())
"""
_T = TypeVar("_T")


def texts_of(path: Path) -> list[str]:
    """The texts of a file of JSON lines."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def varied_seeds(count: int, size: int = UNIT) -> list[str]:
    """Texts of about ``size`` code points, of the seeds' sentences in random order and with random numbers."""
    chance = random.Random(1)  # noqa: S311
    reports = [read for read in sources.read([SEEDS]) if isinstance(read, Report)]
    sentences = [report.text[slice(*span)] for report in reports for span in segment.sentences(report.text)]
    texts = []
    for _ in range(count):
        text = ""
        while len(text) < size:
            text += " " + _NUMBER.sub(lambda found: _another(found[0], chance), chance.choice(sentences))
        texts.append(text.strip())
    return texts


def _another(number: str, chance: random.Random) -> str:
    """A number of as many digits."""
    return str(chance.randrange(10 ** (len(number) - 1), 10 ** len(number)))


class Clock:
    """Processor time by stage, in seconds."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[[], _T]) -> _T:
        """What ``work`` returns; its time is added to the stage's."""
        begin = time.process_time()
        result = work()
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - begin
        return result


def extract(report: Report, clock: Clock) -> bytes:
    """``pipeline.batches.extract_report`` and encoding, stage by stage."""
    read = clock("read", lambda: document.read(report))
    found = clock("assemble", lambda: cases.assemble(read))
    found = clock("assess", lambda: assess_all(found, report, read.mentions))
    extraction = Extraction(id=report.report_id, mentions=read.mentions, pairs=read.pairs, cases=found)
    return clock("encode", lambda: encode(extraction))


def numbered(texts: list[str]) -> Iterator[Report]:
    """Reports of the texts; their sections are found as when a file is read."""
    for number, text in enumerate(texts):
        yield Report(report_id=str(number), text=text, sections=find_sections(text))


def started() -> tuple[float, float]:
    """Wall time and processor time in seconds that a fresh process takes to its first extraction."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _FIRST], check=True, capture_output=True, text=True)  # noqa: S603
    return time.perf_counter() - begin, float(done.stdout)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("texts", type=Path, nargs="?", help="JSON Lines, each an object with a text")
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--count", type=int, default=300, help="texts measured, at most")
    parser.add_argument("--repeat", type=int, default=1)
    chosen = parser.parse_args()
    wanted = chosen.warm_up + chosen.count
    texts = texts_of(chosen.texts) if chosen.texts else varied_seeds(wanted)
    reports = list(numbered(texts))
    extract_report(reports[0])
    for report in islice(cycle(reports), chosen.warm_up):
        extract(report, Clock())
    measured = reports[chosen.warm_up : wanted] or reports[:wanted]
    units = sum(len(report.text) for report in measured) / UNIT
    gc.collect()
    passes = []
    for _ in range(chosen.repeat):
        clock = Clock()
        for report in measured:
            extract(report, clock)
        passes.append(clock)
    spent = min(passes, key=lambda clock: sum(clock.spent.values())).spent
    for stage, seconds in spent.items():
        print(f"{stage:10s} {seconds / units * 1000:7.2f} ms")
    total = sum(spent.values())
    print(f"{'all':10s} {total / units * 1000:7.2f} ms = {units / total:.0f} reports of 5 kB a second on one core")
    print(f"memory     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:7.0f} MB at most")
    starts = [started() for _ in range(3)]
    wall, processor = (min(values) for values in zip(*starts, strict=True))
    print(f"start-up   {wall:7.2f} s, of which {processor:.2f} s processor time")


if __name__ == "__main__":
    main()
