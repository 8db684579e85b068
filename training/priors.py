"""Counts how often a concept is what a case report is about, from annotated sentences.

    python -m training.priors --data DIR      (DIR holds phee/train.jsonl, ade/train.jsonl, cases/train/)

For every concept of the lexicon: in how many training sentences it occurs, and in how many of them it is a reaction
(a disorder) or the drug of a drug-reaction pair (a drug). Sentences of reports that are among the whole training
cases are left out, so that the weights fitted there (``training.candidates``) do not see their own answers.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from pipeline.extraction.candidates import PRIORS
from pipeline.terminology import Match, lexicon

_LEAST = 2


def count(data: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """``{(semantic, concept): (sentences in which it takes part in an adverse event, sentences with it)}``."""
    without = held_out(data)
    part: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for path in (data / "phee/train.jsonl", data / "ade/train.jsonl"):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            if row["pmid"] in without:
                continue
            drugs = {p["drug"].lower() for p in row["pairs"]}
            reactions = {p["reaction"].lower() for p in row["pairs"]}
            found: dict[tuple[str, str], bool] = {}
            for match in lexicon().find(row["text"]):
                key = (match.entry.semantic, match.entry.name)
                wanted = drugs if match.entry.semantic == "drug" else reactions
                found[key] = found.get(key, False) or _inside(row["text"], match, wanted)
            for key, takes_part in found.items():
                total[key] += 1
                part[key] += takes_part
    return {key: (part[key], n) for key, n in total.items() if n >= _LEAST}


def held_out(data: Path) -> set[str]:
    """PMIDs of the reports that are among the whole training cases."""
    cases = (data / "cases/train/texts.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["id"].partition("_")[2] for line in cases}


def _inside(text: str, match: Match, wanted: set[str]) -> bool:
    words = text[match.start : match.end].lower()
    return any(words in name or name in words for name in wanted)


def main() -> None:
    """Count and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    counts = count(parser.parse_args().data)
    lines = [
        "# How often a concept takes part in an adverse event where it is named. Version 1.",
        "# Source: counted by `python -m training.priors` in the training sentences of PHEE and the ADE corpus.",
        "# Grammar: semantic<TAB>concept<TAB>sentences in which it takes part<TAB>sentences in which it is named",
        *(f"{semantic}\t{name}\t{k}\t{n}" for (semantic, name), (k, n) in sorted(counts.items())),
    ]
    PRIORS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
