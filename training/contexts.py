"""Trains the weights of ``pipeline/extraction/contexts.py`` on the training sentences of PHEE and the ADE corpus.

    python -m training.contexts --data DIR      (DIR holds phee/train.jsonl, ade/train.jsonl, cases/train/)

Sentences of reports that are among the whole training cases are left out, so that the weights fitted there
(``training.candidates``) do not see their own answers.  The same data give the same file.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics import log_loss, roc_auc_score

from pipeline.extraction.contexts import MODEL, described
from pipeline.extraction.document import Semantic, read
from pipeline.records import Report
from training.candidates import called, hit, normal
from training.priors import held_out
from training.train import regression

PENALTY = 0.05  # inverse strength of the L2 penalty; chosen on one third of the articles
LEAST = 4  # mentions that a feature needs
SMALLEST = 0.02  # weights below are left out
_FOLDS = 3


class Example(NamedTuple):
    """A mention of a training sentence: article, kind, features, and whether it takes part in an adverse reaction."""

    article: str
    semantic: Semantic
    features: list[str]
    positive: bool


def examples(data: Path) -> list[Example]:
    """All mentions of the training sentences, by article."""
    without = held_out(data)
    articles: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for corpus in ("ade", "phee"):
        for line in (data / corpus / "train.jsonl").open(encoding="utf-8"):
            row = json.loads(line)
            if row["pmid"] not in without:
                articles[f"{corpus} {row['pmid']}"].append(row)
    found = []
    for article, own in sorted(articles.items()):
        reactions = {normal(pair["reaction"]) for row in own for pair in row["pairs"]}
        for row in own:
            drugs = {normal(pair["drug"]) for pair in row["pairs"]}
            document = read(Report(report_id=article, text=row["text"]))
            for sentence in document.sentences:
                for mention, about, features in described(document, sentence):
                    positive = hit(called([mention], mention), drugs if mention.semantic == "drug" else reactions)
                    found.append(Example(article.split()[1], mention.semantic, [*about, *features], positive))
    return found


def fit(own: Sequence[Example], semantic: Semantic) -> tuple[list[str], NDArray[np.float64]]:
    """Feature names and weights; prints how well a third of the articles is told by the others."""
    counts = Counter(name for one in own for name in one.features)
    names = sorted(name for name, count in counts.items() if count >= LEAST)
    column = {name: number for number, name in enumerate(names)}
    x, y = _matrix(own, column), np.array([one.positive for one in own])
    order = {article: number for number, article in enumerate(sorted({one.article for one in own}))}
    held = np.array([order[one.article] % _FOLDS == 0 for one in own])
    p = regression(PENALTY).fit(x[~held], y[~held]).predict_proba(x[held])[:, 1]
    print(
        f"{semantic}: {y.sum()} of {len(y)} positive, {len(names)} features, "
        f"log loss {log_loss(y[held], p):.4f}, area under the curve {roc_auc_score(y[held], p):.3f}"
    )
    weights: NDArray[np.float64] = regression(PENALTY).fit(x, y).coef_[0]
    kept = [number for number, weight in enumerate(weights) if abs(weight) >= SMALLEST]
    return [names[number] for number in kept], weights[kept]


def _matrix(own: Iterable[Example], column: dict[str, int]) -> "csr_matrix[Any]":
    rows, columns, count = [], [], 0
    for one in own:
        for name in one.features:
            if name in column:
                rows.append(count)
                columns.append(column[name])
        count += 1
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, len(column)))


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    everything = examples(parser.parse_args().data)
    arrays: dict[str, NDArray[Any]] = {}
    for semantic in ("drug", "disorder"):
        names, weights = fit([one for one in everything if one.semantic == semantic], semantic)
        arrays[f"{semantic} features"] = np.frombuffer("\n".join(names).encode(), np.uint8)
        arrays[f"{semantic} weights"] = weights.astype(np.float16)
    np.savez_compressed(MODEL, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
