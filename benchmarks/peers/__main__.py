"""case2fhir and other tools over the same texts, side by side in one run: ``python -m benchmarks.peers [TEXTS.jsonl]``.

The others are installed into environments of their own under ``build/peers``, from the pins beside this file, and get
the drugs and disorders of our lexicon as their terms.  Each tool runs in a process of its own, all on one core; one
after the other gets the next few texts, so that what else the machine does falls on all alike.  Told are processor
seconds per tool, as a ratio to the fastest of the others, and what each found.

- medspaCy: its default pipeline (tokenizer, PyRuSH sentences, target matcher, ConText).
- spaCy: the blank English pipeline with sentencizer, phrase matcher and negspaCy.
- case2fhir: extraction with causality; and the same with R4 and R5 resources, each checked.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks.extraction import varied_seeds
from pipeline.terminology.shipped import disorder_names, drug_names

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / "build" / "peers"
TOOLS = {
    "case2fhir: extraction": (None, "ours.py", "extraction"),
    "case2fhir: to checked R4 and R5": (None, "ours.py", "resources"),
    "spaCy, negspaCy": ("negspacy", "spacy_negspacy.py", ""),
    "medspaCy": ("medspacy", "medspacy_default.py", ""),
}
"""Name: the environment (none: this one), the program, its argument."""
_AT_ONCE = 4


class Tool:
    """A process that answers lists of texts with processor seconds and counts of what it found."""

    def __init__(self, environment: str | None, program: str, argument: str, lexicon: Path) -> None:
        python = Path(sys.executable) if environment is None else _environment(environment)
        path = {"PYTHONPATH": str(ROOT)} if environment is None else {}
        command = [str(python), str(HERE / program), str(lexicon), argument]
        quiet = os.environ | path | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)  # noqa: S603
        self.started: dict[str, Any] = self._answer()
        self.seconds = 0.0
        self.found: Counter[str] = Counter()

    def read(self, texts: Sequence[str], *, counts: bool = True) -> None:
        """Have ``texts`` read."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(texts) + "\n")
        stdin.flush()
        answer = self._answer()
        if counts:
            self.seconds += answer["seconds"]
            self.found.update(answer["found"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args}: ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _environment(name: str) -> Path:
    """The interpreter of an environment that holds what ``<name>.txt`` pins; it is made where there is none."""
    folder, pins = WORK / name, HERE / f"{name}.txt"
    python, done = folder / "bin" / "python", folder / "pins.txt"
    if not done.exists() or done.read_text() != pins.read_text():
        print(f"making {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)  # noqa: S603
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(pins)], check=True)  # noqa: S603
        done.write_text(pins.read_text())
    return python


def _lexicon() -> Path:
    """Every name of our lexicon with its type, one JSON array a line."""
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / "lexicon.jsonl"
    names = {
        (name.exact or name.pattern, "drug" if name.entry.semantic == "drug" else "reaction")
        for name in chain(drug_names(), disorder_names())
        if name.entry.kind != "masked"
    }
    path.write_text("\n".join(json.dumps(name) for name in sorted(names)), encoding="utf-8")
    return path


def _texts(path: Path | None, count: int) -> Iterator[str]:
    if path is None:
        yield from varied_seeds(count)
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        yield from (json.loads(line)["text"] for line in islice(lines, count))


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("texts", type=Path, nargs="?", help="JSON Lines, each an object with a text; may be gzipped")
    parser.add_argument("--count", type=int, default=100, help="texts, at most")
    chosen = parser.parse_args()
    texts = list(_texts(chosen.texts, chosen.count))
    lexicon = _lexicon()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tools = {name: Tool(*how, lexicon) for name, how in TOOLS.items()}
    for tool in tools.values():
        tool.read(texts[:_AT_ONCE], counts=False)
    for at in range(0, len(texts), _AT_ONCE):
        for tool in tools.values():
            tool.read(texts[at : at + _AT_ONCE])
    size = sum(map(len, texts)) / len(texts)
    print(f"{len(texts)} texts of {size:,.0f} code points on average, in turns on one core\n")
    kinds = list(dict.fromkeys(kind for tool in tools.values() for kind in tool.found))
    slowest = max(tool.seconds for tool in tools.values())
    print("| | " + " | ".join(tools) + " |")
    print("|---" * (len(tools) + 1) + "|")
    rows: list[tuple[str, list[str]]] = [
        ("reports a second, the slowest being 1", [f"{slowest / tool.seconds:.1f}" for tool in tools.values()]),
        ("start, processor seconds", [f"{tool.started['seconds']:.1f}" for tool in tools.values()]),
        *(
            (kind, [f"{tool.found[kind]:,}" if kind in tool.found else "–" for tool in tools.values()])
            for kind in kinds
        ),
    ]
    for title, cells in rows:
        print(f"| {title} | " + " | ".join(cells) + " |")
    for tool in tools.values():
        tool.stop()


if __name__ == "__main__":
    main()
