"""Which of two checkouts reads reports faster: ``python -m benchmarks.compare OTHER TEXTS.jsonl [--passes 6]``.

A process of each checkout reads the same report in turn, so that what else runs on the machine slows both alike; each
measures its own processor time.  The ratio of two passes then varies by a hundredth where times vary by a fifth.
``OTHER`` is the folder of a checkout (``git worktree add``), compared with the one this runs in.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from benchmarks.extraction import UNIT, numbered, texts_of

_HERE = Path(__file__).resolve().parent.parent
_CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import pipeline
sys.path[0] = sys.argv[2]
from benchmarks.compare import serve
serve(Path(sys.argv[3]))
"""
"""The ``pipeline`` of the checkout, whatever its age, with these benchmarks."""


def serve(path: Path) -> None:
    """Read every report once, then the one whose number comes in on a line, again and again; tell nanoseconds."""
    from pipeline.batches import extract_report
    from pipeline.records import encode

    reports = list(numbered(texts_of(path)))
    for report in reports:
        extract_report(report)
    print("ready", flush=True)
    for line in sys.stdin:
        begin = time.thread_time_ns()
        encode(extract_report(reports[int(line)]))
        print(time.thread_time_ns() - begin, flush=True)


class Reader:
    """A process that reads reports with the code of one checkout."""

    def __init__(self, checkout: Path, texts: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _CHILD, str(checkout), str(_HERE), str(texts.resolve())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""},
        )  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._asked: IO[str] = self._process.stdin
        self._told: IO[str] = self._process.stdout
        self._told.readline()

    def read(self, number: int) -> int:
        """Nanoseconds of processor time for a report."""
        print(number, file=self._asked, flush=True)
        return int(self._told.readline())

    def close(self) -> None:
        """End the process."""
        self._asked.close()
        self._process.wait()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("texts", type=Path, help="JSON Lines, each an object with a text")
    parser.add_argument("--passes", type=int, default=6)
    chosen = parser.parse_args()
    sizes = [len(text) for text in texts_of(chosen.texts)]
    readers = [Reader(checkout.resolve(), chosen.texts) for checkout in (chosen.other, _HERE)]
    best = [[sys.maxsize] * len(sizes) for _ in readers]
    ratios = []
    for _ in range(chosen.passes):
        spent = [0, 0]
        for number in range(len(sizes)):
            for which, reader in enumerate(readers):
                taken = reader.read(number)
                spent[which] += taken
                best[which][number] = min(best[which][number], taken)
        ratios.append(spent[1] / spent[0])
    for name, own in zip(("other", "this"), best, strict=True):
        print(
            f"{name:6s} {sum(own) / 1e6 / (sum(sizes) / UNIT):7.2f} ms for 5,000 code points, the best of each report"
        )
    print(f"this / other: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")
    for reader in readers:
        reader.close()


if __name__ == "__main__":
    main()
