"""``python -m tests.fuzz --seconds 600``: a coverage-guided fuzzer over every target, one after the other.

Each target runs in a process of its own, which atheris takes over: it changes bytes, keeps those that reach new code
of ``pipeline``, and tries the files made of them. A finding (an exception, a broken promise, more than ``SLOW``
seconds of processor time) is made smaller and written to ``build/fuzz/found``, one for each place it comes from; the
run goes on. A process that dies (a crash in a library, memory) leaves its input there too, and is started again. Move
what was found, once mended, to ``tests/data/fuzz``.

``build/fuzz/log.jsonl`` gets a line for each target and round: executions, seconds, processor seconds, findings.
"""

import argparse
import hashlib
import json
import re
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.limit import TooSlow, processor_seconds

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "fuzz"
SEEDS = (ROOT / "seeds", ROOT / "tests" / "data")
TARGETS = ("raw", "container", "markup", "lines", "table", "text", "words")
SLOW = 3.0
"""Seconds of processor time that an input may take; inputs have ``LARGEST`` bytes at most."""
LARGEST = 4096
_SMALLER = 20.0
"""Seconds spent on making one finding smaller."""
_ROUND = 300
"""Seconds of a target's turn."""


def main() -> None:
    """Run rounds over all targets until the time is up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        _fuzz(chosen.one, chosen.seconds)
        return
    end = time.monotonic() + chosen.seconds
    turn = max(10, min(_ROUND, chosen.seconds // len(chosen.targets)))
    while True:
        for target in chosen.targets:
            left = end - time.monotonic()
            if left < 5:
                found = sorted((WORK / "found").glob("*"))
                print(f"{len(found)} findings in {WORK / 'found'}" if found else "nothing found")
                sys.exit(1 if found else 0)
            _turn(target, int(min(turn, left)))


def _turn(target: str, seconds: int) -> None:
    begin, spent = time.monotonic(), _children()
    command = [sys.executable, "-m", "tests.fuzz", "--one", target, "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    told = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    entry = {
        "target": target,
        "seconds": round(time.monotonic() - begin),
        "processor_seconds": round(_children() - spent),
        "executions": int(told[-1]) if told else None,
        "covered": int(covered[-1]) if covered else None,
        "status": done.returncode,
        "findings": [line for line in done.stdout.splitlines() if line.startswith(f"{target}-")],
    }
    if done.returncode and not told:
        (WORK / f"{target}.log").write_text(done.stderr[-20000:], encoding="utf-8")
    with (WORK / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
    print(json.dumps(entry), flush=True)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _fuzz(target: str, seconds: int) -> None:
    """Fuzz one target; never returns."""
    import atheris  # type: ignore[import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["pipeline"], enable_loader_override=False):
        from tests.fuzz import targets

    corpus, found = WORK / "corpus" / target, WORK / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    if target == "raw":
        _write_seeds(corpus, targets.SUFFIXES)
    make, check = targets.TARGETS[target], targets.check
    targets.vocabulary()
    check(targets.TARGETS["text"](b"A 5-year-old girl developed a rash after 10 mg of imatinib."))  # loads everything
    known = {path.name.rpartition("-")[0] for path in found.iterdir()}

    def one(data: bytes) -> None:
        where = _trouble(lambda: check(make(data)))
        if where is None or f"{target}-{where}" in known:
            return
        known.add(f"{target}-{where}")
        suffix, content = _smaller(make(data), where, check)
        name = f"{target}-{where}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}"
        (found / name).write_bytes(content)
        print(name, flush=True)

    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST}",
        "-len_control=20",
        "-timeout=1200",  # by the clock: for what does not let Python stop it
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
        "-verbosity=1",
        f"-artifact_prefix={found}/{target}-",
        str(corpus),
    ]
    atheris.Setup(arguments, one)
    atheris.Fuzz()


def _write_seeds(corpus: Path, suffixes: tuple[str, ...]) -> None:
    for path in (path for folder in SEEDS for path in folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST:
            suffix = suffixes.index(path.suffix) if path.suffix in suffixes else 0
            content = bytes([suffix]) + path.read_bytes()
            (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


def _trouble(work: Callable[[], None]) -> str | None:
    """Where and as what trouble came out of ``work``: ``"pipeline.sources.plain-88-ValueError"``."""
    try:
        with processor_seconds(SLOW):
            work()
    except TooSlow:
        return "slow"
    except Exception as error:
        frames = [
            (frame.f_globals.get("__name__", "?"), line) for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        module, line = next((f for f in reversed(frames) if f[0].startswith("pipeline.")), frames[-1])
        return f"{module}-{line}-{type(error).__name__}"
    return None


def _smaller(file: tuple[str, bytes], where: str, check: Callable[[tuple[str, bytes]], None]) -> tuple[str, bytes]:
    """The file without all that the same trouble does not need, as far as the time goes."""
    suffix, content = file
    end = time.monotonic() + _SMALLER
    size = len(content) // 2
    while size and time.monotonic() < end:
        at = 0
        while at < len(content) and time.monotonic() < end:
            less = content[:at] + content[at + size :]
            if _trouble(lambda: check((suffix, less))) == where:  # noqa: B023
                content = less
            else:
                at += size
        size //= 2
    return suffix, content


if __name__ == "__main__":
    main()
