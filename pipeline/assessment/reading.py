"""A report as the assessors read it: sentences, what part of the discourse each is, and where names stand.

Belongs here: finding cue phrases and names by sentence.  Does not belong here: what they answer (``naranjo``,
``statements``, ``seriousness``).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property

from pipeline import data
from pipeline.data import MAPPINGS
from pipeline.extraction import cues, segment
from pipeline.extraction.cues import Cue
from pipeline.extraction.zones import Zone, zones
from pipeline.records import Drug, Mention, Reaction, Report, Span

FOLDER = MAPPINGS / "assessment"
_PLURAL = re.compile(r"^e?s(?![^\W_])")


@cache
def rows(name: str) -> list[tuple[str, ...]]:
    """Rows of a table in ``mappings/assessment``, comments left out."""
    return data.rows(FOLDER / f"{name}.tsv")


class Reading:
    """One report, read once for all its cases. Sentences are named by their index."""

    def __init__(self, report: Report, mentions: Sequence[Mention] = ()) -> None:
        self.report = report
        self.mentions = mentions
        self.low = cues.fold(report.text)
        self.sentences = segment.sentences(report.text)
        self._starts = [start for start, _ in self.sentences]
        self._cues: dict[str, list[list[Cue]]] = {}
        self._named: dict[frozenset[str], list[list[Span]]] = {}

    @cached_property
    def zones(self) -> list[Zone]:
        """Part of the discourse of each sentence."""
        return zones(self.report.text, self.sentences, self.report.sections, self._by_sentence("extraction/cues"))

    def cues(self, name: str) -> list[list[Cue]]:
        """Cues of ``mappings/assessment/<name>.tsv``, by sentence."""
        if name not in self._cues:
            self._cues[name] = self._by_sentence(f"assessment/{name}")
        return self._cues[name]

    def _by_sentence(self, name: str) -> list[list[Cue]]:
        grouped: list[list[Cue]] = [[] for _ in self.sentences]
        for cue in cues.find(self.low, name):
            index = self.sentence_at(cue.start)
            if index is not None and cue.end <= self.sentences[index][1]:
                grouped[index].append(cue)
        return grouped

    @cached_property
    def questions(self) -> dict[str, list[tuple[int, Cue]]]:
        """Cues that answer a question of the Naranjo scale, with their sentences, by question."""
        found: dict[str, list[tuple[int, Cue]]] = {}
        for index, inside in enumerate(self.cues("cues")):
            for cue in inside:
                found.setdefault(cue.kind.partition(".")[0], []).append((index, cue))
        return found

    def sentence_at(self, offset: int) -> int | None:
        """Index of the sentence that holds an offset."""
        index = bisect_right(self._starts, offset) - 1
        return index if index >= 0 and offset < self.sentences[index][1] else None

    def naming(self, names: Iterable[str]) -> list[list[Span]]:
        """Places of any of the names, as whole words or plurals, by sentence; the list is shared, not to be changed."""
        words = frozenset(cues.fold(name).strip() for name in names) - {""}
        if words not in self._named:
            grouped: list[list[Span]] = [[] for _ in self.sentences]
            for start, end in sorted(place for word in words for place in self._places(word)):
                index = self.sentence_at(start)
                if index is not None:
                    grouped[index].append((start, end))
            self._named[words] = grouped
        return self._named[words]

    def _places(self, word: str) -> Iterator[Span]:
        start = self.low.find(word)
        while start >= 0:
            end = start + len(word)
            if not self.low[start - 1 : start].isalnum() and not _PLURAL.sub("", self.low[end : end + 3])[:1].isalnum():
                yield start, end
            start = self.low.find(word, end)

    def told(self, *zone: Zone) -> Iterator[int]:
        """Indices of the sentences in the given parts of the discourse."""
        return (index for index, found in enumerate(self.zones) if found in zone)


def drug_names(drug: Drug) -> list[str]:
    """Every name by which the text may call a drug."""
    return [drug.name, *drug.verbatim]


def reaction_names(reaction: Reaction) -> list[str]:
    """Every name by which the text may call a reaction."""
    return [reaction.term, *reaction.verbatim]
