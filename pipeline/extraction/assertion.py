"""Says what the text asserts of a mention: present, negated, possible, hypothetical, historical, family, literature.

The idea is ConText (Harkema et al., J Biomed Inform 2009): a cue governs what follows or precedes it up to the next
scope border.  Belongs here: scopes.  Does not belong here: phrases (``mappings/extraction/cues/assertion.tsv``) and the
zone of a sentence (``zones``), which only adds ``literature``.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter

from pipeline.extraction.cues import FAMILY, Cue
from pipeline.extraction.zones import Zone
from pipeline.records import Assertion, Span

_BORDER = re.compile(
    r"[;:]|\.\s|\band (?=(?:he|she|his|her|there)\b)"
    r"|,(?=\s*(?:and\s+)?(?:but|which|who|with|she|he|the|his|her|was|were|had|developed)\b)",
    re.IGNORECASE,
)
_ORDER: tuple[Assertion, ...] = ("family", "negated", "hypothetical", "historical", "possible")
_SCOPED = frozenset(_ORDER)
_REACH = 90  # code points: a cue governs no further
_NEAR_ORIGIN = 50  # code points from "causes of" to what they are the causes of
_WINDOW = 250  # no less than the reach and the longest cue together
_start = attrgetter("start")


def assertion(text: str, span: Span, cues: Sequence[Cue], zone: Zone) -> Assertion:
    """The assertion of the mention at ``span``; ``cues`` are those of its sentence."""
    near = cues[bisect_left(cues, span[0] - _WINDOW, key=_start) : bisect_right(cues, span[1] + _REACH, key=_start)]
    governed = {family for cue in near if (family := FAMILY[cue.kind]) in _SCOPED and _governs(text, span, cue, near)}
    if "negated" in governed and _origin_denied(text, span, near):
        governed.discard("negated")
    if not governed:
        return "literature" if zone in ("literature", "general") else "present"
    return next(kind for kind in _ORDER if kind in governed)


def _origin_denied(text: str, span: Span, cues: Sequence[Cue]) -> bool:
    """Is it causes of the mention that are denied ("other causes of the rash were excluded")?"""
    return any(
        cue.kind == "origin" and 0 <= span[0] - cue.end <= _NEAR_ORIGIN and _open(text, cue.end, span[0], cues)
        for cue in cues
    )


def _governs(text: str, span: Span, cue: Cue, cues: Sequence[Cue]) -> bool:
    if any(other.kind == "pseudo" and other.start <= cue.start and cue.end <= other.end for other in cues):
        return False
    start, end = span
    if cue.kind.endswith(":forward"):
        return cue.end <= start and _open(text, cue.end, start, cues)
    return end <= cue.start and _open(text, end, cue.start, cues)


def _open(text: str, start: int, end: int, cues: Sequence[Cue]) -> bool:
    """Is there no scope border between two places of a sentence?"""
    if end - start > _REACH:
        return False
    if any(cue.kind == "scope" and start <= cue.start and cue.end <= end for cue in cues):
        return False
    return not _BORDER.search(text, start, end)
