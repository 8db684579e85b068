"""Finds mentions: the one place where tagger, patterns and lexicon meet.

Belongs here: which source decides on which type.  Does not belong here: what a mention means for the case, its
assertion (``assertion``).
"""

from collections.abc import Sequence

from pipeline.extraction import segment, tagger
from pipeline.extraction.features import MARK
from pipeline.records import Mention, Span
from pipeline.terminology import lexicon


def hits(text: str, sentences: Sequence[Sequence[Span]]) -> list[list[list[str]]]:
    """Marks that lexicon and patterns put on the tokens of each sentence (``B-drug``, ``I-disorder:sign``)."""
    found: list[list[list[str]]] = [[[] for _ in tokens] for tokens in sentences]
    flat = [
        (start, marks)
        for tokens, row in zip(sentences, found, strict=True)
        for (start, _), marks in zip(tokens, row, strict=True)
    ]
    position = 0
    matches = [(m.start, m.end, m.entry.semantic, m.entry.kind) for m in lexicon().find(text)]
    for start, end, semantic, kind in sorted(matches):
        while position < len(flat) and flat[position][0] < start:
            position += 1
        at = position
        mark = "B"
        while at < len(flat) and flat[at][0] < end:
            flat[at][1].append(f"{MARK}{mark}-{semantic}")
            flat[at][1].append(f"{MARK}{mark}-{kind}")
            mark = "I"
            at += 1
    return found


def find(text: str, sentences: Sequence[Span] | None = None) -> list[Mention]:
    """Mentions of all types in order of their place; every assertion is still ``present``."""
    spans = segment.sentences(text) if sentences is None else sentences
    tokens = [segment.tokens(text, *span) for span in spans]
    forms = [[text[start:end] for start, end in row] for row in tokens]
    labels = tagger.load("mentions").tag(forms, hits(text, tokens))
    found = [
        Mention(type=kind, text=text[start:end], start=start, end=end)  # type: ignore[arg-type]
        for row, marks in zip(tokens, labels, strict=True)
        for joined, start, end in tagger.spans(marks, row)
        for kind in joined.split("+")
    ]
    return sorted(found, key=lambda mention: (mention.start, mention.end, mention.type))
