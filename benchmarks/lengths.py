"""Time against length: ``python -m benchmarks.lengths [--largest 5000000] [--shapes NAME...]``.

Texts of shapes that reports do not have (one sentence, one token, cues without end, a table of one row) grow by a
factor of ten up to the length that a source accepts; each is read from a file and extracted, in a process of its own.
Told are processor seconds, and by how much they grew from one length to the next: ten is linear, a hundred quadratic.
A process that takes more than ``--patience`` processor seconds is ended, and its longer texts are left out.
"""

import argparse
import json
import math
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path

from benchmarks.extraction import varied_seeds
from pipeline import sources
from pipeline.batches import extract_report
from pipeline.records import Report, encode

STEP = 10
_SENTENCE = "the patient took imatinib 400 mg daily and developed a severe rash after two weeks "
_STORY = "A 40-year-old man took {} 5 mg daily and had {} after two days; it was stopped and he recovered. "
_DRUGS = ("imatinib", "lisinopril", "amoxicillin", "carbamazepine", "clozapine", "ibuprofen", "warfarin")
_REACTIONS = ("rash", "cough", "erythema multiforme", "neutropenia", "hepatitis", "urticaria", "vomiting")


def _again(words: str) -> Callable[[int], str]:
    return lambda size: (words * math.ceil(size / len(words)))[:size]


def _named(template: str) -> Callable[[int], str]:
    def made(size: int) -> str:
        pairs = zip(cycle(_DRUGS), cycle((*_REACTIONS, "")), strict=False)
        parts, length = [], 0
        while length < size:
            drug, reaction = next(pairs)
            parts.append(template.format(drug, reaction or "fever"))
            length += len(parts[-1])
        return "".join(parts)[:size]

    return made


def series(size: int) -> str:
    """Stories of patients of other ages, drugs and reactions, one after the other; of some 130 patients at most."""
    parts, length = [], 0
    for number, drug, reaction in zip(count(), cycle(_DRUGS), cycle((*_REACTIONS, "fever"))):
        sex, who = ("woman", "she") if number % 2 else ("man", "he")
        parts.append(
            f"A {20 + number % 67}-year-old {sex} took {drug} {5 + number % 9} mg daily for hypertension. After "
            f"{2 + number % 11} days {who} developed {reaction} and was admitted to hospital. {drug.capitalize()} was "
            f"stopped, and the {reaction} resolved within {1 + number % 5} weeks. Laboratory tests showed platelets of "
            f"{100 + number % 99}. The causality was probable. "
        )
        length += len(parts[-1])
        if length >= size:
            break
    return "".join(parts)[:size]


SHAPES: dict[str, Callable[[int], str]] = {
    "sentences of the seeds": lambda size: varied_seeds(1, size)[0],
    "stories": _named(_STORY),
    "a series of patients": series,
    "one sentence": _again(_SENTENCE),
    "one sentence: drugs": _named("{}, "),
    "one sentence: drugs and reactions": _named("{} and {} "),
    "one sentence: cues": _again("stopped resolved after no evidence of due to restarted recurred improved denied "),
    "one sentence: doses": _again("5 mg twice daily for 3 weeks "),
    "one sentence: ages": _again("a 40-year-old woman and his 5-month-old son "),
    "one sentence: tests": _again("platelets 12, "),
    "one sentence: abbreviations": _again("erythema multiforme (EM) "),
    "one token: a letter": _again("a"),
    "one token: capitals": _again("A"),
    "one token: digits": _again("1"),
    "one token: hyphens": _again("a-"),
    "one token: dots": _again("1."),
    "one token: slashes": _again("mg/"),
    "no token: blanks": lambda size: "a" + " " * (size - 2) + "b",
    "no token: line ends": lambda size: "a" + "\n" * (size - 2) + "b",
    "brackets that open": _again("("),
    "brackets in brackets": lambda size: "(" * (size // 2) + ")" * (size // 2),
    "lines of a word": _again("rash\n"),
    "lines of capitals": _again("CASE REPORT\n"),
    "wrapped lines": _again("the patient took imatinib daily, and a rash was seen on the arm as-\n"),
    "a table of one row": _again("rash\t5 mg\t"),
    "a table of one column": _again("|rash|\n"),
    "a table of patients": _again("1\t40\tmale\timatinib\trash\trecovered\n"),
    "patients": _again("Patient 1: a 40-year-old man had a rash from imatinib. "),
    "not ASCII": _again("İ½²–ß "),
}


def measure(shape: str, size: int) -> tuple[float, float]:
    """Processor seconds of reading a text from a file and of extracting it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_text(SHAPES[shape](size)[: size // 2 if shape == "not ASCII" else size], encoding="utf-8")
        begin = time.process_time()
        (report,) = sources.read([path])
        between = time.process_time()
        assert isinstance(report, Report), report
        encode(extract_report(report))
        return between - begin, time.process_time() - between


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--largest", type=int, default=5_000_000)
    parser.add_argument("--smallest", type=int, default=50_000)
    parser.add_argument("--patience", type=float, default=120)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES), metavar="NAME")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        resource.setrlimit(resource.RLIMIT_CPU, (int(chosen.patience), resource.RLIM_INFINITY))
        extract_report(Report(report_id="1", text=_SENTENCE))
        print(json.dumps(measure(chosen.one[0], int(chosen.one[1]))))
        return
    sizes: list[int] = []
    size = chosen.largest
    while size >= chosen.smallest:
        sizes.insert(0, size)
        size //= STEP
    print("| shape | " + " | ".join(f"{size:,}" for size in sizes) + " | growth |")
    print("|---" * (len(sizes) + 2) + "|")
    for shape in chosen.shapes:
        told, before = [], None
        growth = ""
        for size in sizes:
            took = _apart(shape, size, chosen.patience)
            if took is None:
                told.append(f"> {chosen.patience:.0f}")
                growth = "?"
                break
            told.append(f"{sum(took):.2f}")
            if before:
                growth = f"{sum(took) / before:.1f}"
            before = sum(took)
        told += [""] * (len(sizes) - len(told))
        print(f"| {shape} | " + " | ".join(told) + f" | {growth} |", flush=True)


def _apart(shape: str, size: int, patience: float) -> tuple[float, float] | None:
    command = [sys.executable, "-m", "benchmarks.lengths", "--one", shape, str(size), "--patience", str(patience)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == -signal.SIGXCPU:
        return None
    done.check_returncode()
    reading, extraction = json.loads(done.stdout)
    return reading, extraction


if __name__ == "__main__":
    main()
