"""Which signs a diagnosis explains: ``mappings/explains.tsv``.

Belongs here: the relation.  Does not belong here: what follows for a case (``cases``).
"""

from functools import cache

from pipeline.data import MAPPINGS, rows


def explains(diagnosis: str) -> frozenset[str]:
    """Names of the signs, symptoms and findings that belong to a diagnosis; empty if nothing is known of it."""
    return _relation().get(diagnosis, frozenset())


@cache
def _relation() -> dict[str, frozenset[str]]:
    path = MAPPINGS / "explains.tsv"
    return {diagnosis: frozenset(signs.split("|")) for diagnosis, signs in rows(path, 2)}
