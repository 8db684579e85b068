"""Trains the shipped models: ``python -m training.train --data DIR``.

``DIR`` holds ``phee/train.jsonl``, ``ade/train.jsonl``, ``cases/train/texts.jsonl`` and ``corpus/e3c-en.jsonl.gz``;
nothing else is read.  The same data give the same bytes.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pycrfsuite

from pipeline.extraction import features, mentions, tagger
from training import gold, words
from training.gold import Example

# Chosen by cross-validation on the training sentences (docs/accuracy.md).
CRF = {"c1": 0.05, "c2": 0.6, "max_iterations": 150, "feature.possible_transitions": False}


def items(examples: Iterable[Example], table: features.WordTable) -> list[list[list[str]]]:
    """The features of every token of every sentence."""
    known: dict[str, features.Word] = {}
    found = []
    for example in examples:
        forms = example.forms
        for form in forms:
            if form not in known:
                known[form] = features.word(form, table)
        marks = mentions.hits(example.text, [example.tokens])[0]
        found.append(features.sentence([known[form] for form in forms], marks))
    return found


def fit(sequences: Sequence[list[list[str]]], labels: Sequence[list[str]], path: Path) -> None:
    """Estimate a CRF and write it as a table (``Tagger`` reads it)."""
    trainer = pycrfsuite.Trainer("lbfgs", CRF, verbose=False)
    for sequence, marks in zip(sequences, labels, strict=True):
        trainer.append(pycrfsuite.ItemSequence(sequence), marks)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        trainer.train(str(model))
        opened = pycrfsuite.Tagger()
        opened.open(str(model))
        info = opened.info()
        opened.close()
    write(info, path)


def write(info: "pycrfsuite._dumpparser.ParsedDump", path: Path) -> None:
    """Write CRFsuite's weights as arrays: names, labels, sparse state weights, dense transitions (-inf: impossible)."""
    labels = sorted(info.labels, key=lambda label: (label != "O", label[0], label))
    column = {label: number for number, label in enumerate(labels)}
    kept = sorted(
        (name, column[label], weight) for (name, label), weight in info.state_features.items() if abs(weight) >= 0.002
    )
    names = sorted({name for name, _, _ in kept})
    row = {name: number for number, name in enumerate(names)}
    transitions = np.full((len(labels), len(labels)), -np.inf, np.float32)
    for before in labels:
        for after in labels:
            if not after.startswith("I-") or before[2:] == after[2:]:
                transitions[column[before], column[after]] = 0.0
    for (before, after), weight in info.transitions.items():
        transitions[column[before], column[after]] = weight
    np.savez_compressed(
        path,
        labels=np.frombuffer("\n".join(labels).encode(), np.uint8),
        features=np.frombuffer("\n".join(names).encode(), np.uint8),
        rows=np.array([row[name] for name, _, _ in kept], np.uint32),
        columns=np.array([number for _, number, _ in kept], np.uint8),
        weights=np.array([weight for _, _, weight in kept], np.float16),
        transitions=transitions,
    )


def main() -> None:
    """Train all models into ``pipeline/extraction/models``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the annotated data")
    parser.add_argument("--out", type=Path, default=tagger.MODELS, help="folder of the models")
    parser.add_argument("--only", choices=["words", "mentions", "pairs"], help="train one part, the others being there")
    arguments = parser.parse_args()
    data, out = arguments.data, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.only in {None, "words"}:
        words.write(words.table(data), out / "words.tsv.gz")
    table = tagger.read_words(out / "words.tsv.gz")
    for name, examples in (
        ("mentions", gold.phee(data / "phee/train.jsonl")),
        ("pairs", gold.ade(data / "ade/train.jsonl")),
    ):
        if arguments.only in {None, name}:
            kept = list(examples)
            fit(items(kept, table), [example.labels for example in kept], out / f"{name}.npz")


if __name__ == "__main__":
    main()
