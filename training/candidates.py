"""Fits the weights of ``pipeline/extraction/candidates.py`` on whole reports labelled by hand.

    python -m training.candidates --data DIR      (DIR holds cases/train/texts.jsonl and cases/train/gold/)

A drug concept is positive if it names a suspect of the gold, a disorder if it names a reaction (its term or one of its
forms).  Logistic regression with an L2 penalty, full-batch Newton steps from zero: no randomness, so the same data give
the same file.  The penalty and the thresholds are chosen by leave-one-report-out style 10-fold cross-validation.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.extraction import course, people
from pipeline.extraction.candidates import WEIGHTS, Candidate, candidates
from pipeline.extraction.document import Document, read
from pipeline.records import Report

_FOLDS = 10
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)


def _normal(name: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", name.lower()).split())


def _names(candidate: Candidate) -> set[str]:
    found = {_normal(m.text) for m in candidate.mentions} | {_normal(candidate.key)}
    return found | ({_normal(candidate.entry.name)} if candidate.entry else set())


def _hit(names: set[str], wanted: set[str]) -> bool:
    if names & wanted:
        return True
    return any(
        len(min(a, b, key=len)) >= 4 and (set(a.split()) <= set(b.split()) or set(b.split()) <= set(a.split()))
        for a in names
        for b in wanted
    )


def rows(data: Path) -> Iterator[tuple[str, str, dict[str, float], bool]]:
    """``(report id, semantic, features, label)`` for every concept of every training report."""
    texts = [json.loads(line) for line in (data / "cases/train/texts.jsonl").open(encoding="utf-8")]
    for text in texts:
        gold = json.loads((data / f"cases/train/gold/{text['id']}.json").read_text(encoding="utf-8"))
        patients = gold["patients"]
        drugs = {
            _normal(n) for p in patients for d in p["drugs"] if d["role"] in ("suspect", "interacting")
            for n in [d["name"], *(d.get("verbatim") or [])]
        }  # fmt: skip
        disorders = {
            _normal(n) for p in patients for r in p["reactions"] if not r.get("rejected")
            for n in [r["term"], *r.get("synonyms", [])]
        }  # fmt: skip
        if not disorders:
            drugs = set()
        document: Document = read(Report(report_id=text["id"], text=text["text"]))
        for person in people.find(document)[:1]:
            story = course.events(document, [s for s in document.sentences if s.zone in ("case", "summary")])
            for one in candidates(document, [s for s in document.sentences if s.zone != "apart"], story):
                wanted = drugs if one.semantic == "drug" else disorders
                yield text["id"], one.semantic, one.features, _hit(_names(one), wanted)


def fit(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
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


def _matrix(examples: Sequence[tuple[str, str, dict[str, float], bool]], names: Sequence[str]) -> np.ndarray:
    column = {name: n for n, name in enumerate(names)}
    x = np.zeros((len(examples), len(names) + 1))
    x[:, -1] = 1
    for row, (_, _, features, _) in enumerate(examples):
        for name, value in features.items():
            if name in column:
                x[row, column[name]] = value
    return x


def _f1(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    chosen = p >= threshold
    return 2 * float((chosen & y).sum()) / max(1.0, float(chosen.sum() + y.sum()))


def train(examples: list[tuple[str, str, dict[str, float], bool]], semantic: str) -> list[tuple[str, float]]:
    """Weights by feature name, bias included, for one semantic type; prints the cross-validated figures."""
    own = [e for e in examples if e[1] == semantic]
    names = sorted({name for e in own for name in e[2]})
    x, y = _matrix(own, names), np.array([e[3] for e in own])
    ids = sorted({e[0] for e in own})
    fold = np.array([ids.index(e[0]) % _FOLDS for e in own])
    best = (0.0, 0.0, 0.0)
    for penalty in _PENALTIES:
        p = np.zeros(len(own))
        for n in range(_FOLDS):
            p[fold == n] = 1 / (1 + np.exp(-x[fold == n] @ fit(x[fold != n], y[fold != n].astype(float), penalty)))
        loss = -float(np.mean(np.log(np.where(y, p, 1 - p) + 1e-9)))
        for threshold in np.arange(0.2, 0.81, 0.05):
            best = max(best, (_f1(y, p, threshold), penalty, threshold))
        print(f"{semantic} penalty {penalty}: log loss {loss:.4f}, F1 at .5 {_f1(y, p, 0.5):.4f}", file=sys.stderr)
    print(f"{semantic}: best F1 {best[0]:.4f} at penalty {best[1]}, threshold {best[2]:.2f}", file=sys.stderr)
    weights = fit(x, y.astype(float), best[1])
    return [("bias", float(weights[-1])), *zip(names, map(float, weights[:-1]), strict=True)]


def main() -> None:
    """Read the data, fit both models, write the weights file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    examples = list(rows(args.data))
    lines = [
        "# Weights of the logistic scores of pipeline/extraction/candidates.py. Version 1.",
        "# Source: fitted by `python -m training.candidates` on the training reports. Do not edit: fit again.",
        "# Grammar: semantic<TAB>feature<TAB>weight",
    ]
    for semantic in ("drug", "disorder"):
        lines += [
            f"{semantic}\t{name}\t{weight:.4f}" for name, weight in train(examples, semantic) if abs(weight) >= 5e-5
        ]
    WEIGHTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
