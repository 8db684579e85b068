"""A report as the assessors read it: sentences, what part of the discourse each is, and where names stand.

Belongs here: finding cue phrases and names by sentence.  Does not belong here: what they answer (``naranjo``,
``statements``, ``seriousness``).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import Any, TypeVar

from pipeline import data
from pipeline.data import MAPPINGS
from pipeline.extraction import cues
from pipeline.extraction.cues import Cue
from pipeline.extraction.outline import outline
from pipeline.extraction.zones import Zone
from pipeline.records import Drug, Mention, Reaction, Report, Span

T = TypeVar("T")

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
        self._outline = outline(report)
        self.low = self._outline.folded
        self.sentences = self._outline.spans
        self.zones: list[Zone] = self._outline.zones
        """Part of the discourse of each sentence."""
        self._cues: dict[str, list[list[Cue]]] = {}
        self._placed: dict[str, list[Span]] = {}
        self._named: dict[frozenset[str], dict[int, list[Span]]] = {}
        self._once: dict[Callable[[Reading], Any], Any] = {}

    def once(self, work_out: "Callable[[Reading], T]") -> T:
        """What is the same for all cases of the report: worked out when it is asked for first; not to be changed."""
        if work_out not in self._once:
            self._once[work_out] = work_out(self)
        found: T = self._once[work_out]
        return found

    def cues(self, name: str) -> list[list[Cue]]:
        """Cues of ``mappings/assessment/<name>.tsv``, by sentence."""
        if name not in self._cues:
            self._cues[name] = self._outline.by_sentence(cues.find(self.low, f"assessment/{name}"))
        return self._cues[name]

    @cached_property
    def questions(self) -> dict[str, dict[int, list[Cue]]]:
        """Cues that answer a question of the Naranjo scale, by question and sentence, in order."""
        found: dict[str, dict[int, list[Cue]]] = {}
        for index, inside in enumerate(self.cues("cues")):
            for cue in inside:
                found.setdefault(cue.kind.partition(".")[0], {}).setdefault(index, []).append(cue)
        return found

    @cached_property
    def literature(self) -> set[int]:
        """Sentences with mentions from the literature."""
        found = {self.sentence_at(mention.start) for mention in self.mentions if mention.assertion == "literature"}
        return {index for index in found if index is not None}

    def sentence_at(self, offset: int) -> int | None:
        """Index of the sentence that holds an offset."""
        return self._outline.sentence_at(offset)

    def naming(self, names: Iterable[str]) -> dict[int, list[Span]]:
        """Places of any of the names, as whole words or plurals, by sentence, in order; shared, not to be changed."""
        words = frozenset(cues.fold(name).strip() for name in names) - {""}
        if words not in self._named:
            grouped: dict[int, list[Span]] = {}
            for start, end in sorted(place for word in words for place in self._places(word)):
                index = self.sentence_at(start)
                if index is not None:
                    grouped.setdefault(index, []).append((start, end))
            self._named[words] = grouped
        return self._named[words]

    def _places(self, word: str) -> list[Span]:
        if word not in self._placed:
            self._placed[word] = list(self._find(word))
        return self._placed[word]

    def _find(self, word: str) -> Iterator[Span]:
        start = self.low.find(word)
        while start >= 0:
            end = start + len(word)
            if not self.low[start - 1 : start].isalnum() and not _PLURAL.sub("", self.low[end : end + 3])[:1].isalnum():
                yield start, end
            start = self.low.find(word, end)


def drug_names(drug: Drug) -> list[str]:
    """Every name by which the text may call a drug."""
    return [drug.name, *drug.verbatim]


def reaction_names(reaction: Reaction) -> list[str]:
    """Every name by which the text may call a reaction."""
    return [reaction.term, *reaction.verbatim]
