"""Annotated sentences as token labels.

Belongs here: reading the annotated files and turning spans into BIO labels.  Does not belong here: features, models.
"""

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.extraction.segment import tokens
from pipeline.records import Span

# Two types on one span are one label; the parts are told apart again when decoding.
JOINED = {
    frozenset({"indication", "condition"}): "indication+condition",
    frozenset({"duration", "time_to_onset"}): "duration+time_to_onset",
}
# Of spans that overlap otherwise the type named first is kept.
_PRECEDENCE = (
    "drug", "reaction", "dosage", "route", "age", "sex", "frequency", "time_to_onset", "duration", "indication",
    "condition", "population", "ethnicity",
)  # fmt: skip


class Example(NamedTuple):
    """A sentence with its tokens and their labels; ``group`` (PMID) never stands on two sides of a split."""

    id: str
    group: str
    text: str
    tokens: list[Span]
    labels: list[str]
    row: dict[str, Any]

    @property
    def forms(self) -> list[str]:
        """The words."""
        return [self.text[start:end] for start, end in self.tokens]

    def fold(self, folds: int) -> int:
        """The part of a cross-validation that this sentence belongs to."""
        return zlib.crc32(self.group.encode()) % folds


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def phee(path: Path) -> Iterator[Example]:
    """PHEE sentences with all argument types."""
    for row in rows(path):
        text = row["text"]
        spans = tokens(text)
        kinds: dict[tuple[int, int], set[str]] = defaultdict(set)
        for mention in row["mentions"]:
            for first, last in _stretches(text, mention, spans):
                kinds[first, last].add(mention["type"])
        wanted: list[tuple[int, int, int, str]] = []
        for (first, last), found in kinds.items():
            names = set(found)
            for parts, joined in JOINED.items():
                if parts <= names:
                    names = names - parts | {joined}
            wanted += [(_PRECEDENCE.index(name.partition("+")[0]), first - last, first, name) for name in names]
        labels = ["O"] * len(spans)
        for _, length, first, name in sorted(wanted):
            _mark(labels, first, first - length, name)
        yield Example(row["id"], str(row["pmid"]), text, spans, labels, row)


def ade(path: Path) -> Iterator[Example]:
    """ADE corpus sentences: drugs and reactions of the stated pairs, wherever they stand in the sentence."""
    for row in rows(path):
        text = row["text"]
        spans = tokens(text)
        named = {(pair[kind], kind) for pair in row["pairs"] for kind in ("drug", "reaction")}
        places = {(start - end, start, end, kind) for name, kind in named for start, end in _occurrences(text, name)}
        labels = ["O"] * len(spans)
        for _, start, end, kind in sorted(places):
            inside = [number for number, (left, right) in enumerate(spans) if left < end and right > start]
            _mark(labels, inside[0], inside[-1], kind)
        yield Example(row["id"], str(row["pmid"]), text, spans, labels, row)


def _mark(labels: list[str], first: int, last: int, kind: str) -> None:
    if all(label == "O" for label in labels[first : last + 1]):
        labels[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]


def _stretches(text: str, mention: dict[str, Any], spans: list[Span]) -> list[tuple[int, int]]:
    """First and last token of a mention; several where the annotation leaves words out."""
    start, end, words = mention["start"], mention["end"], mention["text"]
    if text[start:end] == words:
        inside = [number for number, (left, right) in enumerate(spans) if left < end and right > start]
        return [(inside[0], inside[-1])] if inside else []
    wanted = [words[left:right].lower() for left, right in tokens(words)]
    found: list[tuple[int, int]] = []
    for number, (left, right) in enumerate(spans):
        if wanted and left >= start and text[left:right].lower() == wanted[0]:
            wanted.pop(0)
            if found and found[-1][1] == number - 1:
                found[-1] = (found[-1][0], number)
            else:
                found.append((number, number))
    return found


def _occurrences(text: str, name: str) -> Iterator[Span]:
    """Where a name stands in a text as whole words, in any capitalisation."""
    lower, name = text.lower(), name.lower()
    start = lower.find(name)
    while start >= 0:
        end = start + len(name)
        if not (start and lower[start - 1].isalnum()) and not lower[end : end + 1].isalnum():
            yield start, end
        start = lower.find(name, start + 1)
