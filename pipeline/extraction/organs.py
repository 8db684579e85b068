"""Which organs a name of a disorder or of a finding tells of (``mappings/extraction/organs.tsv``).

Belongs here: the relation.  Does not belong here: what follows for a case (``course``).
"""

import re
from functools import cache, lru_cache

from pipeline.data import MAPPINGS, rows


@lru_cache(maxsize=4096)
def organs(name: str) -> frozenset[str]:
    """The organs that a name tells of; empty if none is known."""
    return frozenset(organ for organ, stems in _stems() if stems.search(name))


@cache
def _stems() -> list[tuple[str, re.Pattern[str]]]:
    listed = rows(MAPPINGS / "extraction/organs.tsv", 2)
    return [(organ, re.compile(rf"\b(?:{stems})", re.IGNORECASE)) for organ, stems in listed]
