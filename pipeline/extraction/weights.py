"""Thresholds and weights that are judged or chosen by cross-validation: ``mappings/extraction/weights.tsv``.

Belongs here: reading them.  Does not belong here: weights that are fitted (``candidates``) or trained (``tagger``).
"""

from functools import cache

from pipeline.data import MAPPINGS, rows


@cache
def weights(part: str) -> dict[str, float]:
    """The values of one part by name; an unknown name is a ``KeyError``."""
    return {name: float(value) for owner, name, value, _ in _rows() if owner == part}


@cache
def _rows() -> list[tuple[str, ...]]:
    return list(rows(MAPPINGS / "extraction" / "weights.tsv", 4))
