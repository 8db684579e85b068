"""A report in outline: its sentences, the cues in each, and what part of the discourse each is.

Belongs here: what reading the facts (``document``) and judging them (``pipeline.assessment``) both begin with.  Does
not belong here: what is found in the sentences.
"""

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from pipeline.extraction import cues as phrases
from pipeline.extraction import segment
from pipeline.extraction.cues import Cue, fold
from pipeline.extraction.zones import Zone, zones
from pipeline.records import Report, Section, SectionKind, Span

_Part = tuple[SectionKind, int, int, str | None]


class Outline(NamedTuple):
    """``spans``, ``cues`` and ``zones`` have one item per sentence; ``starts`` are the beginnings of the spans."""

    folded: str
    spans: list[Span]
    starts: list[int]
    cues: list[list[Cue]]
    zones: list[Zone]

    def sentence_at(self, offset: int) -> int | None:
        """Index of the sentence that holds an offset."""
        index = bisect_right(self.starts, offset) - 1
        return index if index >= 0 and offset < self.spans[index][1] else None

    def by_sentence(self, found: Iterable[Cue]) -> list[list[Cue]]:
        """Cues by the sentence that holds them; those across a border are left out."""
        grouped: list[list[Cue]] = [[] for _ in self.spans]
        for cue in found:
            index = bisect_right(self.starts, cue.start) - 1
            if index >= 0 and cue.end <= self.spans[index][1]:
                grouped[index].append(cue)
        return grouped


def outline(report: Report) -> Outline:
    """The outline of a report; those of the last reports are remembered, and not to be changed."""
    return _outline(report.text, tuple(map(_as_key, report.sections)))


def _as_key(section: Section) -> _Part:
    return section.kind, section.start, section.end, section.title


@lru_cache(maxsize=2)
def _outline(text: str, sections: tuple[_Part, ...]) -> Outline:
    folded, spans = fold(text), segment.sentences(text)
    found = Outline(folded, spans, [start for start, _ in spans], [], [])
    cues = found.by_sentence(phrases.find(folded))
    parts = [Section(kind=kind, start=start, end=end, title=title) for kind, start, end, title in sections]
    return found._replace(cues=cues, zones=zones(text, spans, parts, cues))
