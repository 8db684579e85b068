"""Names of drugs and disorders: found in text, resolved to concepts, concepts to codes.

Belongs here: the lexicon, the folding of spellings, the data files' grammar, readers for licensed vocabularies.  Does
not belong here: what a name means in its sentence (``extraction``).
"""

from functools import lru_cache

from pipeline.terminology.lexicon import Entry, Kind, Lexicon, Match, Name, Semantic
from pipeline.terminology.shipped import disorder_names, drug_names

__all__ = ["Entry", "Kind", "Lexicon", "Match", "Name", "Semantic", "lexicon"]


@lru_cache(maxsize=2)
def lexicon() -> Lexicon:
    """The lexicon of the shipped data."""
    return Lexicon([*drug_names(), *disorder_names()])
