"""What the authors themselves concluded about causality.

Belongs here: finding their statements, on a named scale or in plain words.  Does not belong here: our own assessment,
and the phrases (``mappings/assessment/author_statements.tsv``).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.assessment.reading import Reading
from pipeline.extraction.cues import Cue
from pipeline.extraction.zones import Zone
from pipeline.records import Report, Span


@dataclass(frozen=True, slots=True)
class AuthorStatement:
    """One statement: ``value`` in the words of a scale (``None`` where only a score is given), the scale, its score."""

    start: int
    end: int
    value: str | None
    method: str | None
    score: int | None


_SCORE = re.compile(
    r"(?:score|scored|scale|points?|total)[^.;\d%]{0,40}?(?<![\d.])(-?\d{1,2})(?![\d.%]|[\d-]* ?(?:mg|years|-year))"
)
_ZONES: tuple[Zone, ...] = ("case", "summary", "general", "literature")
_DENIALS = ("not ", "no ", "never ", "n't ", "nor ", "without ", "less ")


def author_statements(text: str) -> list[AuthorStatement]:
    """Statements of causality in a text, in order; offsets are code points."""
    return in_reading(Reading(Report(report_id="", text=text)))


def in_reading(reading: Reading) -> list[AuthorStatement]:
    """Statements of causality in a report, in order, other than in references and page furniture."""
    found: list[AuthorStatement] = []
    every = reading.cues("author_statements")
    for index, cues in enumerate(every):
        named_before = _named_before(every, index)
        if not (cues or named_before) or reading.zones[index] not in _ZONES:
            continue
        scaled = list(_on_scale(reading.low, reading.sentences[index], cues, named_before))
        if scaled:
            found += scaled
        elif reading.zones[index] != "literature":
            found += _plain(reading.low, cues)
    return found


def ranked(reading: Reading) -> list[tuple[int, AuthorStatement]]:
    """Statements with their sentences, what counts most last: a named scale, then a score, then the later one."""
    found = [(reading.sentence_at(statement.start), statement) for statement in in_reading(reading)]
    return sorted(
        ((index, statement) for index, statement in found if index is not None),
        key=lambda one: (one[1].method is not None, one[1].score is not None, one[1].start),
    )


def _named_before(every: Sequence[Sequence[Cue]], index: int) -> str | None:
    """The scale that the sentence before names, for "The Naranjo scale was used. The score was 7"."""
    before = every[index - 1] if index else ()
    return next((c.kind.partition(".")[2] for c in reversed(before) if c.kind.startswith("method.")), None)


def _on_scale(low: str, sentence: Span, cues: Sequence[Cue], named_before: str | None) -> Iterator[AuthorStatement]:
    methods = [c for c in cues if c.kind.startswith("method.")]
    categories = [c for c in cues if c.kind.startswith("category.") and not _denied(low, c)]
    scores = [m for m in _SCORE.finditer(low, *sentence) if -4 <= int(m[1]) <= 13]
    if not methods:
        spoken = any(c.kind == "causality" for c in cues)
        if named_before and scores:
            span = (scores[0].start(), scores[0].end())
            yield AuthorStatement(*span, _value(categories), named_before, int(scores[0][1]))
        elif spoken and categories:
            yield AuthorStatement(categories[0].start, categories[0].end, _value(categories), None, None)
        return
    for number, method in enumerate(methods):
        name = method.kind.partition(".")[2]
        if number and name == methods[number - 1].kind.partition(".")[2]:
            continue
        nearest = sorted(categories, key=lambda c: abs(c.start - method.start))[:1]
        score = next((int(m[1]) for m in scores if name == "Naranjo"), None)
        if nearest or score is not None:
            spans = [(method.start, method.end)] + [(c.start, c.end) for c in nearest]
            spans += [m.span() for m in scores[:1] if score is not None]
            yield AuthorStatement(min(s for s, _ in spans), max(e for _, e in spans), _value(nearest), name, score)


def _value(categories: Sequence[Cue]) -> str | None:
    return categories[0].kind.partition(".")[2] if categories else None


def _plain(low: str, cues: Sequence[Cue]) -> Iterator[AuthorStatement]:
    for cue in cues:
        if cue.kind.startswith("statement.") and not _denied(low, cue):
            yield AuthorStatement(cue.start, cue.end, cue.kind.partition(".")[2], None, None)


def _denied(low: str, cue: Cue) -> bool:
    return any(word in f" {low[max(0, cue.start - 12) : cue.start]}" for word in (f" {d}" for d in _DENIALS))
