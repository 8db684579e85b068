"""Finds mentions: the one place where tagger, patterns and lexicon meet.

Belongs here: the reading that all of them share, and where the spans that were chosen become mentions.  Does not belong
here: the choice (``choice``), what a mention means for the case, its assertion (``assertion``).
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from pipeline.extraction import choice, demographics, dosage, segment, tagger, times
from pipeline.extraction.features import MARK
from pipeline.extraction.posteriors import Posteriors
from pipeline.extraction.tagger import Scores
from pipeline.records import Mention, Span
from pipeline.terminology import lexicon

EXCERPT = 3
"""A report of so few sentences is an excerpt, cut out for what it says of a reaction: there is no case beside which
something is literature or history."""
AGE_GROUP = "age-group"
"""What the pattern of an age without a number marks, beside ``age``."""


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
        group = person.type == "age" and person.value is None
        yield person.start, person.end, (person.type, AGE_GROUP) if group else (person.type,)


def find(text: str, sentences: Sequence[Span] | None = None) -> list[Mention]:
    """Mentions of all types in order of their place; every assertion is still ``present``.

    The tagger proposes, with lexicon and patterns as evidence, and ``choice`` decides.  An age without a number
    ("newborns") is also taken from the pattern where nothing of it was found: such words are too rare for the tagger.

    The tagger learnt from sentences picked because they report a reaction to a drug; there a word that the lexicon does
    not know and that stands where a drug may stand mostly is one.  In whole reports it is an investigation, an organ or
    a part of a web page far more often, so that there it must be nearly certain.
    """
    reading = read(text, sentences)
    spans = _posteriors().spans(tagger.load("mentions").own(reading.scores))
    found: list[Mention] = []
    excerpt = len(reading.sentences) <= EXCERPT
    for tokens, forms, own_marks, own in zip(reading.tokens, reading.forms, reading.marks, spans, strict=True):
        kept = [
            (one.first, one.last, one.kind)
            for one in choice.decide(own, forms, own_marks)
            if excerpt or one.kind != "drug" or choice.credible_drug(one, own_marks)
        ]
        ages = [one for one in kept if one[2] == "age"]
        kept += [
            (first, last, "age")
            for first, last in choice.marked(AGE_GROUP, own_marks)
            if all(last < one[0] or one[1] < first for one in ages)
        ]
        found += [
            Mention(type=kind, text=text[start:end], start=start, end=end)  # type: ignore[arg-type]
            for start, end, kind in sorted((tokens[first][0], tokens[last][1], kind) for first, last, kind in kept)
        ]
    return _joined(text, found)


@lru_cache(maxsize=1)
def _posteriors() -> Posteriors:
    return choice.posteriors(tagger.load("mentions"))


def _joined(text: str, found: Sequence[Mention]) -> list[Mention]:
    """The mentions, but one for a route in two parts around its drug: "intravenous *mannitol* infusion"."""
    kept: list[Mention] = []
    for mention in found:
        before = kept[-2:]
        if (
            mention.type == "route"
            and [one.type for one in before] == ["route", "drug"]
            and not any(text[left.end : right.start].strip(" -") for left, right in pairwise([*before, mention]))
        ):
            first, drug = before
            gap = (first.end, mention.start)
            whole = f"{first.text} {mention.text}"
            kept[-2:] = [Mention(type="route", text=whole, start=first.start, end=mention.end, gap=gap), drug]
        else:
            kept.append(mention)
    return kept
