"""The text of a report in stretches, each with the facts and the mentions that lie over it.

Belongs here: cutting overlapping spans into stretches that follow each other, and what each looks like.  Does not
belong here: markup (``templates/case.html``).  Offsets count Unicode code points into the text.

A stretch has one **fill**: the kind of the shortest fact over it, which says most about these very words.  The kinds of
the others are drawn as up to three **lines** below it.  Statements about cause and effect reach over whole sentences,
so they are always lines.  A **mention** that is not of this patient (negated, of the literature, …) shows its
assertion, whether or not a fact rests on it; one that is present but in no fact of this case is ``loose``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from pipeline.records import Assertion, Mention, MentionType, Section, SectionKind
from pipeline.review.facts import KINDS, Fact, Kind
from pipeline.review.text import HIDDEN, name

LINES: Final = 3
"""Lines that a stretch may carry: more cannot be told apart."""

TAGS: Final[dict[Assertion, str]] = {
    "negated": "neg",
    "possible": "poss",
    "hypothetical": "hyp",
    "historical": "hist",
    "family": "fam",
    "literature": "lit",
}
"""What is written behind a mention that is no present fact of this patient."""

_MENTIONS: Final[dict[MentionType, Kind]] = {
    "drug": "drug",
    "reaction": "reaction",
    "indication": "indication",
    "condition": "patient",
    "age": "patient",
    "sex": "patient",
    "population": "patient",
    "ethnicity": "patient",
    "dosage": "dose",
    "route": "dose",
    "frequency": "dose",
    "duration": "dose",
    "time_to_onset": "time",
    "outcome": "course",
    "test": "test",
}
_PARTS: Final[dict[SectionKind, str]] = {
    "title": "Title",
    "abstract": "Abstract",
    "introduction": "Introduction",
    "case": "Case",
    "methods": "Methods",
    "results": "Results",
    "discussion": "Discussion",
    "conclusion": "Conclusion",
    "caption": "Caption",
    "table": "Table",
    "references": "References",
    "furniture": "",
    "body": "",
}


@dataclass(frozen=True)
class Stretch:
    """``text[start:end]``, over all of which the same facts and mentions lie.

    ``hidden`` names a character that does not show (``"U+202E"``), which is then the whole stretch.  ``tag`` is set on
    the last stretch of a mention.
    """

    start: int
    text: str
    fill: Kind | None = None
    lines: tuple[Kind, ...] = ()
    assertion: Assertion | None = None
    loose: Kind | None = None
    tag: str | None = None
    hidden: str | None = None

    @property
    def marked(self) -> bool:
        """Whether a reader can point at it."""
        return bool(self.fill or self.lines or self.assertion or self.loose)

    @property
    def classes(self) -> str:
        """What ``review.css`` draws it by."""
        return " ".join(
            [
                *([f"fill-{self.fill}"] if self.fill else []),
                *(f"line{place}-{kind}" for place, kind in enumerate(self.lines, 1)),
                *([f"said-{self.assertion}"] if self.assertion else []),
                *(["loose"] if self.loose else []),
                *(["hidden-character"] if self.hidden else []),
            ]
        )

    @property
    def title(self) -> str:
        """What is said of it beside the facts: the assertion, or that no fact rests on it."""
        if self.assertion:
            return {"negated": "negated", "literature": "of the literature or of others"}.get(
                self.assertion, self.assertion
            )
        return f"{KINDS[self.loose]}, in no fact of this case" if self.loose else ""


@dataclass(frozen=True)
class Part:
    """A part of an article, or what lies between parts: ``kind`` is ``None`` there."""

    kind: SectionKind | None
    label: str
    stretches: tuple[Stretch, ...]

    @property
    def blank(self) -> bool:
        """Whether it is nothing but space, such as the lines between two sections."""
        return all(not stretch.text.strip() for stretch in self.stretches)


class _Over(NamedTuple):
    """A span over the text; ``order`` sorts the shortest first."""

    start: int
    end: int
    order: int
    kind: Kind
    mention: Mention | None


def parts(text: str, sections: Sequence[Section], facts: Iterable[Fact], mentions: Iterable[Mention]) -> list[Part]:
    """The whole of ``text``, in order. Spans that do not lie within it are cut to it."""
    over = sorted(_spans(len(text), facts, mentions), key=lambda span: span.start)
    bounds = [(section.kind, section.title or _PARTS[section.kind], section.start, section.end) for section in sections]
    found = []
    cuts = _cuts(text, over, [edge for *_, start, end in bounds for edge in (start, end)])
    stretches = list(_stretches(text, over, cuts))
    index = 0
    for kind, label, start, end in [*bounds, (None, "", len(text), len(text))]:
        for upto, of, title in ((start, None, ""), (end, kind, label)):
            first = index
            while index < len(stretches) and stretches[index].start < upto:
                index += 1
            if index > first:
                found.append(Part(of, title, tuple(stretches[first:index])))
    return found


def _spans(length: int, facts: Iterable[Fact], mentions: Iterable[Mention]) -> Iterator[_Over]:
    covered: set[tuple[int, int, Kind]] = set()
    for fact in facts:
        for first, last in fact.evidence:
            start, end = max(first, 0), min(last, length)
            if start < end and (start, end, fact.kind) not in covered:
                covered.add((start, end, fact.kind))
                yield _Over(start, end, end - start, fact.kind, None)
    for mention in mentions:
        start, end = max(mention.start, 0), min(mention.end, length)
        if start < end:
            yield _Over(start, end, end - start, _MENTIONS[mention.type], mention)


def _cuts(text: str, over: Sequence[_Over], more: Iterable[int]) -> list[int]:
    """Where one stretch ends and the next begins, 0 and the end of the text included."""
    edges = {0, len(text), *(edge for edge in more if 0 < edge < len(text))}
    for span in over:
        edges |= {span.start, span.end}
    for character in HIDDEN.finditer(text):
        edges |= {character.start(), character.end()}
    return sorted(edges)


def _stretches(text: str, over: Sequence[_Over], cuts: Sequence[int]) -> Iterator[Stretch]:
    """``over`` is sorted by start."""
    active: list[_Over] = []
    following = 0
    for start, end in pairwise(cuts):
        active = [span for span in active if span.end > start]
        while following < len(over) and over[following].start <= start:
            active.append(over[following])
            following += 1
        hidden = name(text[start]) if HIDDEN.match(text, start) else None
        yield _stretch(start, end, text[start:end], hidden, active)


def _stretch(start: int, end: int, text: str, hidden: str | None, active: Sequence[_Over]) -> Stretch:
    kinds = [span.kind for span in sorted((s for s in active if s.mention is None), key=lambda span: span.order)]
    fill = next((kind for kind in kinds if kind != "cause"), None)
    lines = tuple(kind for kind in dict.fromkeys(kinds) if kind != fill)[:LINES]
    mentions = sorted((s for s in active if s.mention is not None), key=lambda span: span.order)
    said = next((s for s in mentions if s.mention and s.mention.assertion != "present"), None)
    assertion = said.mention.assertion if said and said.mention else None
    loose = mentions[0].kind if mentions and not kinds and not assertion else None
    tag = TAGS[assertion] if said and assertion and said.end == end else None
    return Stretch(start, text, fill, lines, assertion, loose, tag, hidden)
