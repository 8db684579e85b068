"""Names of drugs and disorders: found in text, resolved to concepts, concepts to codes.

Belongs here: the lexicon, the folding of spellings, the data files' grammar, readers for licensed vocabularies.  Does
not belong here: what a name means in its sentence (``extraction``).
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pipeline.data import lasting
from pipeline.terminology import vocabularies
from pipeline.terminology.lexicon import Entry, Kind, Lexicon, Match, Name, Semantic
from pipeline.terminology.morphology import looks_like_drug
from pipeline.terminology.shipped import disorder_names, drug_names

__all__ = ["VARIABLE", "Entry", "Kind", "Lexicon", "Match", "Name", "Semantic", "lexicon", "looks_like_drug"]

VARIABLE = "CASE2FHIR_VOCABULARIES"
"""Environment variable: folders or TOML lists of vocabularies, separated as in ``PATH``."""


def lexicon(paths: Sequence[Path] | None = None) -> Lexicon:
    """The shipped names and those of the vocabularies under ``paths`` (default: the environment), made once.

    ``UsageError`` for a vocabulary that cannot be read.
    """
    return _named(os.environ.get(VARIABLE, "")) if paths is None else _lexicon(tuple(paths))


@lru_cache(maxsize=2)
def _named(paths: str) -> Lexicon:
    return _lexicon(tuple(Path(path) for path in paths.split(os.pathsep) if path))


@lru_cache(maxsize=2)
def _lexicon(paths: tuple[Path, ...]) -> Lexicon:
    with lasting():
        shipped = Lexicon([*drug_names(), *disorder_names()])
        return shipped.with_vocabularies(vocabularies.read(paths)) if paths else shipped
