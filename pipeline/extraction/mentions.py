"""Finds mentions: the one place where tagger, patterns and lexicon meet.

Belongs here: which source decides on which type.  Does not belong here: what a mention means for the case, its
assertion (``assertion``).
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from pipeline.extraction import demographics, dosage, segment, tagger, times
from pipeline.extraction.features import MARK
from pipeline.extraction.tagger import Scores
from pipeline.records import Mention, Span
from pipeline.terminology import lexicon

_TRUSTED = {f"{MARK}B-{kind}": kind for kind in ("age", "sex")}
"""Types whose patterns were mostly right where the tagger marked nothing (docs/accuracy.md), by mark."""


class Reading(NamedTuple):
    """A text as the taggers see it; one item per sentence, of which each holds one per token.

    ``scores`` are those of all models, side by side (``tagger.Tables.scores``).
    """

    sentences: tuple[Span, ...]
    tokens: list[list[Span]]
    forms: list[list[str]]
    marks: list[list[list[str]]]
    scores: list[Scores]


def read(text: str, sentences: Sequence[Span] | None = None) -> Reading:
    """Sentences (found if not given), tokens, and the marks of lexicon and patterns; the last text is remembered."""
    return _read(text, None if sentences is None else tuple(sentences))


@lru_cache(maxsize=1)
def _read(text: str, sentences: tuple[Span, ...] | None) -> Reading:
    spans = tuple(segment.sentences(text)) if sentences is None else sentences
    tokens = [segment.tokens(text, *span) for span in spans]
    forms = [[text[start:end] for start, end in row] for row in tokens]
    marked = marks(text, tokens)
    return Reading(spans, tokens, forms, marked, tagger.tables().scores(forms, marked))


def marks(text: str, tokens: Sequence[Sequence[Span]]) -> list[list[list[str]]]:
    """Marks that lexicon and patterns put on the tokens of each sentence (``mark:B-drug``, ``mark:I-time-after``)."""
    found: list[list[list[str]]] = [[[] for _ in row] for row in tokens]
    filled = [number for number, row in enumerate(tokens) if row]
    starts = [tokens[number][0][0] for number in filled]
    for start, end, names in chain(_lexicon(text), _patterns(text)):
        at = bisect_right(starts, start) - 1
        if at < 0:
            continue
        number = filled[at]
        row = tokens[number]
        place = bisect_right(row, (start, start))
        begin = "B"
        while place < len(row) and row[place][0] < end:
            found[number][place] += [f"{MARK}{begin}-{name}" for name in names]
            begin = "I"
            place += 1
    return found


def _lexicon(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for match in lexicon().find(text):
        yield match.start, match.end, (match.entry.semantic, match.entry.kind)


def _patterns(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for dose in dosage.find(text):
        yield dose.start, dose.end, ("dosage",)
        yield *dose.amount_span, ("amount",)
    for route in dosage.find_routes(text):
        yield route.start, route.end, ("route-hint" if route.hint else "route" if route.value else "given",)
    for frequency in dosage.find_frequencies(text):
        yield frequency.start, frequency.end, ("frequency",)
    for time in times.find(text):
        yield time.start, time.end, ("time", f"time-{time.relation}", f"time-{time.relation}-{time.anchor}")
    for person in demographics.find(text):
        yield person.start, person.end, (person.type,)


def find(text: str, sentences: Sequence[Span] | None = None) -> list[Mention]:
    """Mentions of all types in order of their place; every assertion is still ``present``.

    The tagger decides, with lexicon and patterns as evidence.  Only where it marks nothing of the type, or a part of
    what the pattern reads, does a pattern make the mention, of the types that patterns know better (``_TRUSTED``).
    """
    reading = read(text, sentences)
    model = tagger.load("mentions")
    labels = model.decode(model.own(reading.scores))
    found: list[tuple[int, int, str]] = []
    for tokens, own_labels, own_marks in zip(reading.tokens, labels, reading.marks, strict=True):
        spans = tagger.spans(own_labels, tokens)
        tagged = [(start, end, kind) for joined, start, end in spans for kind in joined.split("+")]
        for kind, start, end in _marked(tokens, own_marks):
            shared = [one for one in tagged if kind == one[2] and start < one[1] and one[0] < end]
            if all(start <= one[0] and one[1] <= end for one in shared):
                tagged = [one for one in tagged if one not in shared] + [(start, end, kind)]
        found += tagged
    return [
        Mention(type=kind, text=text[start:end], start=start, end=end)  # type: ignore[arg-type]
        for start, end, kind in sorted(found)
    ]


def _marked(tokens: Sequence[Span], marks: Sequence[Sequence[str]]) -> Iterator[tuple[str, int, int]]:
    """What patterns of trusted types mark in a sentence."""
    for number, names in enumerate(marks):
        for name in names:
            kind = _TRUSTED.get(name)
            if kind:
                last = number
                while last + 1 < len(marks) and f"{MARK}I-{kind}" in marks[last + 1]:
                    last += 1
                yield kind, tokens[number][0], tokens[last][1]
