"""Trains the shipped models: ``python -m training.train --data DIR``.

``DIR`` holds ``phee/train.jsonl``, ``ade/train.jsonl``, ``cases/train/texts.jsonl`` and ``corpus/e3c-en.jsonl.gz``;
nothing else is read.  The same data give the same bytes.
"""

import argparse
import ctypes
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pycrfsuite
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from pipeline.data import MAPPINGS
from pipeline.extraction import choice, features, mentions, pairs, tagger
from training import gold, words
from training.gold import Example

# Chosen by cross-validation on the training sentences (docs/accuracy.md).
CRF = {"c1": 0.05, "c2": 0.6, "max_iterations": 100, "feature.possible_transitions": False}
PERCEPTRON = {"max_iterations": 10, "feature.possible_transitions": False}
PERCEPTRONS = 3
COPIES = 2  # of every sentence where features are dropped
CHOICE = 1.0  # inverse strength of the L2 penalty of the choice among likely spans
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


class Estimate(NamedTuple):
    """One model of a sum: CRFsuite's algorithm, its parameters, by which share its weights count.

    With ``dropout`` the model sees every sentence in ``COPIES`` with another such share of its features left out each
    time, so that it leans on none of them alone.
    """

    algorithm: str
    parameters: Mapping[str, Any]
    share: float
    seed: int = 0
    dropout: float = 0.0


def perceptrons(share: float) -> list[Estimate]:
    """Averaged structured perceptrons (Collins 2002) that see the sentences in different orders.

    Their weights are of another scale than those of a random field.
    """
    return [Estimate("ap", PERCEPTRON, share / PERCEPTRONS, seed) for seed in range(1, PERCEPTRONS + 1)]


MENTIONS = [
    Estimate("lbfgs", CRF, 0.5),
    Estimate("lbfgs", CRF | {"c1": COPIES * CRF["c1"], "c2": COPIES * CRF["c2"]}, 0.5, seed=1, dropout=0.3),
    *perceptrons(0.015),
]
PAIRS = [Estimate("lbfgs", CRF, 1.0), *perceptrons(0.03)]


def fit(
    sequences: Sequence[list[list[str]]], labels: Sequence[list[str]], estimates: Iterable[Estimate], path: Path
) -> None:
    """Estimate a model and write it as a table (``Tagger`` reads it).

    The model is a sum of weights of several estimates.  All are linear in the same features: the sum costs no time.
    """
    taken = [pycrfsuite.ItemSequence(sequence) for sequence in sequences]
    states: defaultdict[tuple[str, str], float] = defaultdict(float)
    moves: defaultdict[tuple[str, str], float] = defaultdict(float)
    for one in estimates:
        if one.dropout:
            chance = random.Random(one.seed)  # noqa: S311
            thinned = [thin(sequence, one.dropout, chance) for _ in range(COPIES) for sequence in sequences]
            info = estimate(thinned, [*labels] * COPIES, one)
        else:
            info = estimate(taken, labels, one)
        for key, weight in info.state_features.items():
            states[key] += one.share * weight
        for key, weight in info.transitions.items():
            moves[key] += one.share * weight
    write(states, moves, path)


def thin(sequence: list[list[str]], dropout: float, chance: random.Random) -> "pycrfsuite.ItemSequence":
    """A sentence with some features left out and the others counting for them."""
    value = 1 / (1 - dropout)
    return pycrfsuite.ItemSequence(
        [{name: value for name in token if chance.random() >= dropout} for token in sequence]
    )


def estimate(
    sequences: Sequence["pycrfsuite.ItemSequence"], labels: Sequence[list[str]], one: Estimate
) -> "pycrfsuite._dumpparser.ParsedDump":
    """The weights that one of CRFsuite's algorithms finds."""
    ctypes.CDLL(None).srand(one.seed)  # CRFsuite shuffles sentences by the C library's generator
    trainer = pycrfsuite.Trainer(one.algorithm, one.parameters, verbose=False)
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
    """The tagger of mentions, from PHEE, and the weights of the choice among its likely spans.

    The choice sees the tagger's own errors: each fifth is read by a model of the other four.
    """
    examples = list(gold.phee(data / "phee/train.jsonl"))
    own = items(examples, table)
    fit(own, [example.labels for example in examples], MENTIONS, out / "mentions.npz")
    evidence: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    right: defaultdict[str, list[bool]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(FOLDS):
            kept = [number for number, example in enumerate(examples) if example.fold(FOLDS) != fold]
            path = Path(folder) / f"{fold}.npz"
            fit([own[number] for number in kept], [examples[number].labels for number in kept], MENTIONS, path)
            model = tagger.Tagger.read(path, table)
            for example in examples:
                if example.fold(FOLDS) == fold:
                    for kind, found, stated in likely(example, model):
                        evidence[kind].append(found)
                        right[kind].append(stated)
    lines = [CHOICE_HEAD]
    for kind in sorted(evidence):
        counts = Counter(name for found in evidence[kind] for name, value in found.items() if value)
        names = sorted(name for name, count in counts.items() if count >= LEAST)
        matrix = np.array([[found.get(name, 0.0) for name in names] for found in evidence[kind]])
        weights = regression(CHOICE).fit(matrix, right[kind]).coef_[0]
        lines += [f"{kind}\t{name}\t{weight:.3f}\n" for name, weight in zip(names, weights, strict=True)]
    (MAPPINGS / "tagger" / "choice_weights.tsv").write_text("".join(lines), encoding="utf-8")


CHOICE_HEAD = """\
# Weights by which is decided whether a likely span is a mention (pipeline/extraction/choice.py says what they weigh).
# Grammar: type <TAB> evidence <TAB> weight, in log odds.
# Source: logistic regressions on the training sentences of PHEE; written by `python -m training.train`, not by hand.
"""


def likely(example: Example, model: tagger.Tagger) -> Iterator[tuple[str, dict[str, float], bool]]:
    """The likely spans of a sentence under a model that has not seen it: type, evidence, whether annotated."""
    if not example.tokens:
        return
    marks = mentions.marks(example.text, [example.tokens])
    forms = example.forms
    (spans,) = choice.posteriors(model).spans(model.scores([forms], marks))
    wanted = {(mention["type"], normalise(mention["text"])) for mention in example.row["mentions"]}
    for one in spans:
        text = normalise(example.text[example.tokens[one.first][0] : example.tokens[one.last][1]])
        yield one.kind, choice.evidence(one, spans, forms, marks[0]), (one.kind, text) in wanted


def train_pairs(data: Path, out: Path, table: features.WordTable) -> None:
    """The tagger of stated pairs, from the ADE sentences that state any, and the pair classifier, from all.

    The classifier sees the taggers' own errors: each fifth is tagged by a model of the other four.
    """
    examples = list(gold.ade(data / "ade/train.jsonl"))
    stating = [example for example in examples if example.row["pairs"]]
    own = items(stating, table)
    fit(own, [example.labels for example in stating], PAIRS, out / "pairs.npz")
    found: list[Instance] = []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(FOLDS):
            kept = [number for number, example in enumerate(stating) if example.fold(FOLDS) != fold]
            path = Path(folder) / f"{fold}.npz"
            fit([own[number] for number in kept], [stating[number].labels for number in kept], PAIRS, path)
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
        model = regression(PENALTY).fit(matrix[~inside], stated[~inside])
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
    weights: NDArray[np.float64] = regression(PENALTY).fit(matrix, stated).coef_[0]
    kept = [number for number, weight in enumerate(weights) if abs(weight) >= SMALLEST]
    return [names[number] for number in kept], weights[kept], best[1]


def regression(penalty: float) -> LogisticRegression:
    """A regression before it is fitted; ``penalty`` is its inverse strength, the intercept a feature (``bias``)."""
    return LogisticRegression(C=penalty, solver="liblinear", max_iter=500, fit_intercept=False, random_state=0)


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
