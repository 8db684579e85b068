"""Measures the drug lexicon on annotated data: what share of the gold drug mentions it finds, and how much else.

    python tools/measure_drug_lexicon.py DATA [train|dev] [--show N]

``DATA`` holds ``phee/``, ``ade/`` and ``cases/`` in the form that docs/accuracy.md describes. PHEE and ADE annotate
only drugs that take part in an event, so "other matches" are not all false.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline.terminology import Lexicon, Match, lexicon


def rows(path: Path) -> list[dict]:  # type: ignore[type-arg]
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def drugs(lex: Lexicon, text: str) -> list[Match]:
    """Drug matches that need no context."""
    return [match for match in lex.find(text) if match.entry.semantic == "drug" and match.entry.kind != "analyte"]


def measure(lex: Lexicon, data: Iterable[tuple[str, set[str]]], show: int, title: str) -> None:
    """Print recall of the gold strings and the matches that equal none of them."""
    missed: Counter[str] = Counter()
    other: Counter[str] = Counter()
    found = partly = total = sentences = matches = 0
    for text, gold in data:
        sentences += 1
        have = {text[match.start : match.end].lower() for match in drugs(lex, text)}
        matches += len(have)
        for name in gold:
            total += 1
            found += name in have
            partly += name in have or any(h in name or name in h for h in have)
            missed[name] += name not in have
        other.update(h for h in have if not any(h in name or name in h for name in gold))
    print(
        f"{title}: exact {found / total:.3f}, overlapping {partly / total:.3f} of {total} mentions; "
        f"{sum(other.values()) / sentences * 1000:.0f} other matches in 1,000 sentences ({matches} matches)"
    )
    if show:
        print("  missed:", "; ".join(f"{name} {n}" for name, n in missed.most_common(show) if n))
        print("  other:", "; ".join(f"{name} {n}" for name, n in other.most_common(show)))


def measure_cases(lex: Lexicon, folder: Path, show: int) -> None:
    """Print how often a written form resolves to the ingredient in the gold."""
    right, wrong, unknown = 0, Counter[str](), Counter[str]()
    for path in sorted((folder / "gold").glob("*.json")):
        for patient in json.loads(path.read_text(encoding="utf-8"))["patients"]:
            for drug in patient["drugs"]:
                for verbatim in drug["verbatim"]:
                    entry = lex.lookup(verbatim, "drug") or next((m.entry for m in drugs(lex, verbatim)), None)
                    target = lex.lookup(drug["name"], "drug")
                    if entry is None:
                        unknown[f"{verbatim} [{drug['name']}]"] += 1
                    elif entry.name == drug["name"] or (target and entry.name == target.name):
                        right += 1
                    else:
                        wrong[f"{verbatim} → {entry.name} [{drug['name']}]"] += 1
    total = right + wrong.total() + unknown.total()
    print(
        f"cases: {right / total:.3f} of {total} written forms right, {wrong.total()} wrong, {unknown.total()} unknown"
    )
    if show:
        print("  wrong:", "; ".join(list(wrong)[:show]), "\n  unknown:", "; ".join(list(unknown)[:show]))


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("side", choices=("train", "dev"), default="train", nargs="?")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="list the N most frequent misses and extras")
    options = parser.parse_args()
    begin = time.process_time()
    lex = lexicon()
    print(f"{len(lex)} names loaded in {time.process_time() - begin:.2f} s of CPU time")
    phee = rows(options.data / "phee" / f"{options.side}.jsonl")
    ade = rows(options.data / "ade" / f"{options.side}.jsonl")
    gold = [(r["text"], {m["text"].lower() for m in r["mentions"] if m["type"] == "drug"}) for r in phee]
    measure(lex, gold, options.show, "PHEE")
    positive = [(r["text"], {p["drug"].lower() for p in r["pairs"]}) for r in ade if r["pairs"]]
    measure(lex, positive, options.show, "ADE positive sentences")
    negative = [r["text"] for r in ade if not r["pairs"]]
    extra = Counter(text[m.start : m.end].lower() for text in negative for m in drugs(lex, text))
    print(f"ADE negative sentences: {extra.total() / len(negative) * 1000:.0f} matches in 1,000")
    if options.show:
        print("  found:", "; ".join(f"{name} {n}" for name, n in extra.most_common(options.show)))
    measure_cases(lex, options.data / "cases" / options.side, options.show)
    joined = " ".join(r["text"] for r in ade)
    texts = [joined[i : i + 5000] for i in range(0, len(joined), 5000)]
    begin = time.process_time()
    for text in texts:
        lex.find(text)
    print(f"{len(texts) / (time.process_time() - begin):.0f} texts of 5 kB a second of CPU time")


if __name__ == "__main__":
    main()
