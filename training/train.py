"""Trains the shipped models: ``python -m training.train --data DIR``.

``DIR`` holds ``phee/train.jsonl``, ``ade/train.jsonl``, ``cases/train/texts.jsonl`` and ``corpus/e3c-en.jsonl.gz``;
nothing else is read.  The same data give the same bytes.
"""

import argparse
import ctypes
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pycrfsuite
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from pipeline.extraction import features, mentions, pairs, tagger
from training import gold, words
from training.gold import Example

# Chosen by cross-validation on the training sentences (docs/accuracy.md).
CRF = {"c1": 0.05, "c2": 0.6, "max_iterations": 100, "feature.possible_transitions": False}
PERCEPTRON = {"max_iterations": 10, "feature.possible_transitions": False}
PERCEPTRONS = 3
SHARE = 0.03  # by which the mean of the perceptrons counts in the sum; their weights have another scale
PENALTY = 0.15  # inverse strength of the L2 penalty of the pair classifier
LEAST = 2  # candidates that a feature of the pair classifier needs
SMALLEST = 0.005  # weights below are left out
FOLDS = 5


def items(examples: Iterable[Example], table: features.WordTable) -> list[list[list[str]]]:
    """The features of every token of every sentence."""
    known: dict[str, features.Word] = {}
    found = []
    for example in examples:
        forms = example.forms
        for form in forms:
            if form not in known:
                known[form] = features.word(form, table)
        marks = mentions.marks(example.text, [example.tokens])[0]
        found.append(features.sentence([known[form] for form in forms], marks))
    return found


def fit(sequences: Sequence[list[list[str]]], labels: Sequence[list[str]], path: Path) -> None:
    """Estimate a model and write it as a table (``Tagger`` reads it).

    The model is a sum of weights: of a conditional random field, and of averaged structured perceptrons (Collins 2002)
    that saw the sentences in different orders.  Both are linear in the same features, so the sum costs no time.
    """
    taken = [pycrfsuite.ItemSequence(sequence) for sequence in sequences]
    states: defaultdict[tuple[str, str], float] = defaultdict(float)
    moves: defaultdict[tuple[str, str], float] = defaultdict(float)
    estimates: list[tuple[str, Mapping[str, Any], int, float]] = [("lbfgs", CRF, 0, 1.0)]
    estimates += [("ap", PERCEPTRON, seed, SHARE / PERCEPTRONS) for seed in range(1, PERCEPTRONS + 1)]
    for algorithm, parameters, seed, share in estimates:
        info = estimate(taken, labels, algorithm, parameters, seed)
        for key, weight in info.state_features.items():
            states[key] += share * weight
        for key, weight in info.transitions.items():
            moves[key] += share * weight
    write(states, moves, path)


def estimate(
    sequences: Sequence["pycrfsuite.ItemSequence"],
    labels: Sequence[list[str]],
    algorithm: str,
    parameters: Mapping[str, Any],
    seed: int,
) -> "pycrfsuite._dumpparser.ParsedDump":
    """The weights that one of CRFsuite's algorithms finds."""
    ctypes.CDLL(None).srand(seed)  # CRFsuite shuffles sentences by the C library's generator
    trainer = pycrfsuite.Trainer(algorithm, parameters, verbose=False)
    for sequence, marks in zip(sequences, labels, strict=True):
        trainer.append(sequence, marks)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        trainer.train(str(model))
        opened = pycrfsuite.Tagger()
        opened.open(str(model))
        info = opened.info()
        opened.close()
    return info


def write(states: Mapping[tuple[str, str], float], moves: Mapping[tuple[str, str], float], path: Path) -> None:
    """Write weights as arrays: names, labels, sparse state weights, dense transitions (-inf: impossible)."""
    kinds = sorted({label[2:] for _, label in states if label != "O"})
    labels = ["O", *[f"B-{kind}" for kind in kinds], *[f"I-{kind}" for kind in kinds]]
    column = {label: number for number, label in enumerate(labels)}
    kept = sorted((name, column[label], weight) for (name, label), weight in states.items() if abs(weight) >= SMALLEST)
    names = sorted({name for name, _, _ in kept})
    row = {name: number for number, name in enumerate(names)}
    transitions = np.full((len(labels), len(labels)), -np.inf, np.float32)
    for before in labels:
        for after in labels:
            if not after.startswith("I-") or before[2:] == after[2:]:
                transitions[column[before], column[after]] = 0.0
    for (before, after), weight in moves.items():
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


def train_mentions(data: Path, out: Path, table: features.WordTable) -> None:
    """The tagger of mentions, from PHEE."""
    examples = list(gold.phee(data / "phee/train.jsonl"))
    fit(items(examples, table), [example.labels for example in examples], out / "mentions.npz")


def train_pairs(data: Path, out: Path, table: features.WordTable) -> None:
    """The tagger of stated pairs, from the ADE sentences that state any, and the pair classifier, from all.

    The classifier sees the taggers' own errors: each fifth is tagged by a model of the other four.
    """
    examples = list(gold.ade(data / "ade/train.jsonl"))
    stating = [example for example in examples if example.row["pairs"]]
    own = items(stating, table)
    fit(own, [example.labels for example in stating], out / "pairs.npz")
    found: list[Instance] = []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(FOLDS):
            kept = [number for number, example in enumerate(stating) if example.fold(FOLDS) != fold]
            path = Path(folder) / f"{fold}.npz"
            fit([own[number] for number in kept], [stating[number].labels for number in kept], path)
            model = tagger.Tagger.read(path, table)
            found += instances([example for example in examples if example.fold(FOLDS) == fold], model, fold)
    names, weights, threshold = classifier(examples, found)
    np.savez_compressed(
        out / "pairs-classifier.npz",
        features=np.frombuffer("\n".join(names).encode(), np.uint8),
        weights=weights.astype(np.float16),
        threshold=np.float64(threshold),
    )


class Instance(NamedTuple):
    """A candidate pair: its sentence, fold, normalised strings, features, and whether it is gold."""

    id: str
    fold: int
    names: tuple[str, str]
    features: dict[str, float]
    stated: bool


def instances(examples: Iterable[Example], model: tagger.Tagger, fold: int) -> Iterable[Instance]:
    """The candidates of some sentences under a model that has not seen them."""
    for example in examples:
        if not example.tokens:
            continue
        marks = mentions.marks(example.text, [example.tokens])
        scores = model.scores([example.forms], marks)
        stated = pair_names(example)
        for one in pairs.candidates(model, example.forms, scores[0], model.decode(scores)[0]):
            spans = (
                (example.tokens[first][0], example.tokens[last - 1][1]) for first, last in (one.drug, one.reaction)
            )
            drug, reaction = (normalise(example.text[start:end]) for start, end in spans)
            yield Instance(example.id, fold, (drug, reaction), one.features, (drug, reaction) in stated)


def pair_names(example: Example) -> set[tuple[str, str]]:
    """The gold pairs of a sentence, normalised."""
    return {(normalise(pair["drug"]), normalise(pair["reaction"])) for pair in example.row["pairs"]}


def normalise(text: str) -> str:
    """Lower case, punctuation as space: how pairs are compared."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", text.lower()).split())


def classifier(examples: Sequence[Example], found: Sequence[Instance]) -> tuple[list[str], NDArray[np.float64], float]:
    """Feature names, weights and threshold; the threshold gives the best cross-validated F1 of pairs."""
    counts = Counter(name for one in found for name in one.features)
    names = sorted(name for name, count in counts.items() if count >= LEAST)
    column = {name: number for number, name in enumerate(names)}
    cells = [
        (row, column[name], value)
        for row, one in enumerate(found)
        for name, value in one.features.items()
        if name in column
    ]
    rows, columns, values = (np.array(part) for part in zip(*cells, strict=True))
    matrix = csr_matrix((values, (rows, columns)), shape=(len(found), len(names)))
    stated = np.array([one.stated for one in found])
    folds = np.array([one.fold for one in found])
    probability = np.zeros(len(found))
    for fold in range(FOLDS):
        inside = folds == fold
        model = regression().fit(matrix[~inside], stated[~inside])
        probability[inside] = model.predict_proba(matrix[inside])[:, 1]
    wanted = {example.id: pair_names(example) for example in examples}
    total = sum(map(len, wanted.values()))
    negatives = sum(not pairs for pairs in wanted.values())
    best = (0.0, 0.5)
    for threshold in np.arange(0.15, 0.61, 0.05):
        have: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for one, p in zip(found, probability, strict=True):
            if p >= threshold:
                have[one.id].add(one.names)
        right = sum(len(names & wanted[id]) for id, names in have.items())
        f1 = 2 * right / (total + sum(map(len, have.values())))
        false = sum(not wanted[id] for id in have) / negatives
        print(f"pairs, cross-validated: threshold {threshold:.2f} F1 {f1:.3f} negatives with a false pair {false:.3f}")
        best = max(best, (f1, float(round(threshold, 2))))
    weights: NDArray[np.float64] = regression().fit(matrix, stated).coef_[0]
    kept = [number for number, weight in enumerate(weights) if abs(weight) >= SMALLEST]
    return [names[number] for number in kept], weights[kept], best[1]


def regression() -> LogisticRegression:
    """The classifier of pairs before it is fitted; the intercept is a feature (``bias``)."""
    return LogisticRegression(C=PENALTY, solver="liblinear", max_iter=500, fit_intercept=False, random_state=0)


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
    if arguments.only in {None, "mentions"}:
        train_mentions(data, out, table)
    if arguments.only in {None, "pairs"}:
        train_pairs(data, out, table)


if __name__ == "__main__":
    main()
