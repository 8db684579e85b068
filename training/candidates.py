"""Fits the weights of ``pipeline/extraction/candidates.py`` on whole reports labelled by hand.

    python -m training.candidates --data DIR      (DIR holds cases/train/texts.jsonl and cases/train/gold/)

A drug concept is positive if it names a suspect of the gold, a disorder if it names a reaction (its term or one of
its forms). Logistic regression with an L2 penalty, full-batch Newton steps from zero: no randomness, so the same data
give the same file. The penalty is chosen by 10-fold cross-validation over reports, which also gives the second look
its view of the partners.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.extraction import events
from pipeline.extraction.candidates import (
    JUDGED,
    PARTNER_FEATURES,
    WEIGHTS,
    Candidate,
    add_partners,
    candidates,
    fitted_weights,
)
from pipeline.extraction.document import Found, read
from pipeline.records import Report
from pipeline.sources import find_sections

Matrix = NDArray[Any]

_OF_PLACE = frozenset({
    "place", "in first sentence", "first told", "before first drug", "first after onset", "sentences",
    "report: length", "prior", "cleared", "mesh",
})  # fmt: skip
_OF_MODELS = ("tagged", "mostly", "stated", "context")
_FOLDS = 10
_PENALTIES = (1.5, 3.0, 6.0, 12.0, 24.0)


def normal(name: str) -> str:
    """Lower case, words only: how names are compared."""
    return " ".join(re.sub(r"[^\w]+", " ", name.lower()).split())


def called(mentions: Sequence[Found], concept: Candidate | Found) -> set[str]:
    """How some mentions and their concept are called, normalised."""
    found = {normal(m.text) for m in mentions} | {normal(concept.key)}
    return found | ({normal(concept.entry.name)} if concept.entry else set())


def hit(names: set[str], wanted: set[str]) -> bool:
    """Is one of the names wanted, or do its words contain or make up a wanted one?"""
    if names & wanted:
        return True
    return any(
        len(min(a, b, key=len)) >= 4 and (set(a.split()) <= set(b.split()) or set(b.split()) <= set(a.split()))
        for a in names
        for b in wanted
    )


@dataclass(slots=True)
class Example:
    """One concept of one training report."""

    report: str
    candidate: Candidate
    positive: bool


def examples(data: Path) -> list[list[Example]]:
    """The concepts of every training report, a list per report."""
    found = []
    for line in (data / "cases/train/texts.jsonl").open(encoding="utf-8"):
        text = json.loads(line)
        gold = json.loads((data / f"cases/train/gold/{text['id']}.json").read_text(encoding="utf-8"))
        disorders = {
            normal(n) for p in gold["patients"] for r in p["reactions"] if not r.get("rejected")
            for n in [r["term"], *r.get("synonyms", [])]
        }  # fmt: skip
        drugs = {
            normal(n) for p in gold["patients"] for d in p["drugs"] if d["role"] in ("suspect", "interacting")
            for n in [d["name"], *(d.get("verbatim") or [])] if disorders
        }  # fmt: skip
        document = read(Report(report_id=text["id"], text=text["text"], sections=find_sections(text["text"])))
        story = events.find(document, [s for s in document.sentences if s.zone in ("case", "summary")])
        concepts = candidates(document, [s for s in document.sentences if s.zone != "apart"], story)
        wanted = {"drug": drugs, "disorder": disorders}
        found.append(
            [Example(text["id"], one, hit(called(one.mentions, one), wanted[one.semantic])) for one in concepts]
        )
    return found


def sentence_examples(data: Path) -> list[Example]:
    """The concepts of the training sentences of the ADE corpus, put together by article.

    Positive is what stands in a drug-reaction pair of the article.  The sentences of an article are out of order, so
    features of place are of no use here, nor are those of the models that were trained on these very sentences.
    """
    articles: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (data / "ade/train.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        articles[row["pmid"]].append(row)
    found = []
    for pmid, own in sorted(articles.items()):
        text = " ".join(row["text"] for row in own)
        document = read(Report(report_id=pmid, text=text))
        story = events.find(document, [s for s in document.sentences if s.zone in ("case", "summary")])
        pairs = [pair for row in own for pair in row["pairs"]]
        wanted = {"drug": {normal(p["drug"]) for p in pairs}, "disorder": {normal(p["reaction"]) for p in pairs}}
        for one in candidates(document, [s for s in document.sentences if s.zone != "apart"], story):
            one.features = {name: value for name, value in one.features.items() if not _unfit(name)}
            found.append(Example(pmid, one, hit(called(one.mentions, one), wanted[one.semantic])))
    return found


def _unfit(feature: str) -> bool:
    """Is it a feature of place, or of a model that knows the sentences of the ADE corpus by heart?"""
    return feature in PARTNER_FEATURES | _OF_PLACE or any(word in feature for word in _OF_MODELS)


def fit(x: Matrix, y: Matrix, penalty: float) -> Matrix:
    """Newton's method for L2-penalised logistic regression; the last column is the bias and is not penalised."""
    w = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = 1e-6
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (p - y) + ridge * w
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    return w


def _matrix(own: Sequence[Example], names: Sequence[str]) -> Matrix:
    column = {name: n for n, name in enumerate(names)}
    x = np.zeros((len(own), len(names) + 1))
    x[:, -1] = 1
    for row, example in enumerate(own):
        for name, value in example.candidate.features.items():
            if name in column:
                x[row, column[name]] = value
    return x


def _f1(y: Matrix, p: Matrix, threshold: float) -> float:
    chosen = p >= threshold
    return 2 * float((chosen & y).sum()) / max(1.0, float(chosen.sum() + y.sum()))


def train(own: Sequence[Example], name: str) -> tuple[list[tuple[str, float]], Matrix]:
    """Weights by feature name, bias included, and the probabilities from cross-validation; prints the figures."""
    names = sorted({feature for e in own for feature in e.candidate.features} - JUDGED)
    x, y = _matrix(own, names), np.array([e.positive for e in own])
    ids = sorted({e.report for e in own})
    fold = np.array([ids.index(e.report) % _FOLDS for e in own])
    tried: list[tuple[float, Matrix, Matrix]] = []  # penalty, probabilities, loss by report
    for penalty in _PENALTIES:
        p = np.zeros(len(own))
        for n in range(_FOLDS):
            p[fold == n] = 1 / (1 + np.exp(-x[fold == n] @ fit(x[fold != n], y[fold != n].astype(float), penalty)))
        loss = -np.log(np.where(y, p, 1 - p) + 1e-9)
        tried.append((penalty, p, np.bincount([ids.index(e.report) for e in own], loss)))
    penalty, p, losses = _simplest(tried)
    loss = float(losses.sum() / len(own))
    curve = {round(float(t), 2): round(_f1(y, p, t), 3) for t in np.arange(0.2, 0.81, 0.1)}
    print(
        f"{name}: {y.sum()} of {len(y)} positive, penalty {penalty}, log loss {loss:.4f}, F1 by threshold {curve}",
        file=sys.stderr,
    )
    weights = fit(x, y.astype(float), penalty)
    return [("bias", float(weights[-1])), *zip(names, map(float, weights[:-1]), strict=True)], p


def _simplest(tried: Sequence[tuple[float, Matrix, Matrix]]) -> tuple[float, Matrix, Matrix]:
    """The strongest penalty that is worse than the best by no more than a standard error of the paired difference."""
    best = min(tried, key=lambda one: float(one[2].sum()))
    differences = [(one, one[2] - best[2]) for one in tried]
    return max(
        (one for one, d in differences if d.mean() <= d.std() / np.sqrt(len(d))), key=lambda one: one[0]
    )  # fmt: skip


def main() -> None:
    """Read the data, fit all models, write the weights file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    lines = [
        "# Weights of the logistic scores of pipeline/extraction/candidates.py. Version 1.",
        "# Source: fitted by `python -m training.candidates` on the training reports; the models named sentences",
        "# on the training sentences of the ADE corpus. Do not edit: fit again.",
        "# Grammar: model<TAB>feature<TAB>weight",
    ]
    sentences = sentence_examples(args.data)
    for semantic in ("drug", "disorder"):
        weights, _ = train([e for e in sentences if e.candidate.semantic == semantic], f"{semantic} sentences")
        lines += _lines(f"{semantic} sentences", weights)
    write_weights(lines)
    reports = examples(args.data)
    everything = [e for report in reports for e in report]
    for e in everything:  # the first look does not see the partners
        for feature in [f for f in e.candidate.features if f in PARTNER_FEATURES]:
            del e.candidate.features[feature]
    first: dict[int, float] = {}
    for stage in (" first look", ""):
        for semantic in ("drug", "disorder"):
            own = [e for e in everything if e.candidate.semantic == semantic]
            weights, p = train(own, semantic + stage)
            first |= {id(e.candidate): float(value) for e, value in zip(own, p, strict=True)}
            lines += _lines(f"{semantic}{stage}", weights)
        if stage:
            for report in reports:
                concepts = [e.candidate for e in report]
                add_partners(concepts, [first[id(c)] for c in concepts])
    write_weights(lines)


def _lines(model: str, weights: list[tuple[str, float]]) -> list[str]:
    return [f"{model}\t{name}\t{w:.4f}" for name, w in weights if abs(w) >= 5e-5]


def write_weights(lines: list[str]) -> None:
    """Write the file and forget what was read of it."""
    WEIGHTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fitted_weights.cache_clear()


if __name__ == "__main__":
    main()
