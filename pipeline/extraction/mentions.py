"""Finds mentions: the one place where tagger, patterns and lexicon meet.

Belongs here: which source decides on which type.  Does not belong here: what a mention means for the case, its
assertion (``assertion``).
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.extraction import segment, tagger
from pipeline.extraction.features import MARK
from pipeline.records import Mention, Span
from pipeline.terminology import lexicon


class Reading(NamedTuple):
    """A text as the taggers see it; one item per sentence, of which each holds one per token."""

    sentences: tuple[Span, ...]
    tokens: list[list[Span]]
    forms: list[list[str]]
    marks: list[list[list[str]]]


def read(text: str, sentences: Sequence[Span] | None = None) -> Reading:
    """Sentences (found if not given), tokens, and the marks of lexicon and patterns; the last text is remembered."""
    return _read(text, None if sentences is None else tuple(sentences))


@lru_cache(maxsize=1)
def _read(text: str, sentences: tuple[Span, ...] | None) -> Reading:
    spans = tuple(segment.sentences(text)) if sentences is None else sentences
    tokens = [segment.tokens(text, *span) for span in spans]
    forms = [[text[start:end] for start, end in row] for row in tokens]
    return Reading(spans, tokens, forms, marks(text, tokens))


def marks(text: str, tokens: Sequence[Sequence[Span]]) -> list[list[list[str]]]:
    """Marks that the lexicon puts on the tokens of each sentence (``mark:B-drug``, ``mark:I-sign``)."""
    found: list[list[list[str]]] = [[[] for _ in row] for row in tokens]
    filled = [number for number, row in enumerate(tokens) if row]
    starts = [tokens[number][0][0] for number in filled]
    for match in lexicon().find(text):
        at = bisect_right(starts, match.start) - 1
        if at < 0:
            continue
        number = filled[at]
        row = tokens[number]
        place = bisect_right(row, (match.start, match.start))
        names = (match.entry.semantic, match.entry.kind)
        begin = "B"
        while place < len(row) and row[place][0] < match.end:
            found[number][place] += [f"{MARK}{begin}-{name}" for name in names]
            begin = "I"
            place += 1
    return found


def find(text: str, sentences: Sequence[Span] | None = None) -> list[Mention]:
    """Mentions of all types in order of their place; every assertion is still ``present``."""
    reading = read(text, sentences)
    labels = tagger.load("mentions").tag(reading.forms, reading.marks)
    found = [
        Mention(type=kind, text=text[start:end], start=start, end=end)  # type: ignore[arg-type]
        for tokens, row in zip(reading.tokens, labels, strict=True)
        for joined, start, end in tagger.spans(row, tokens)
        for kind in joined.split("+")
    ]
    return sorted(found, key=lambda mention: (mention.start, mention.end, mention.type))
