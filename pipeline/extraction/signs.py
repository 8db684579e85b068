"""Which signs a diagnosis explains (``mappings/explains.tsv``), and its wider names (``mappings/wider_names.tsv``).

Belongs here: the relation.  Does not belong here: what follows for a case (``cases``).
"""

from functools import cache, lru_cache

from pipeline.data import MAPPINGS, rows


def explains(diagnosis: str) -> frozenset[str]:
    """Names of the signs, symptoms and findings that belong to a diagnosis; empty if nothing is known of it."""
    return _relation("explains").get(diagnosis, frozenset())


@lru_cache(maxsize=1 << 12)
def covers(diagnosis: str) -> frozenset[str]:
    """What a report may tell beside a diagnosis without telling of another reaction: its signs and its wider names."""
    return explains(diagnosis) | wider(diagnosis)


def wider(diagnosis: str) -> frozenset[str]:
    """Names of what the diagnosis is a form of."""
    return _relation("wider_names").get(diagnosis, frozenset())


@cache
def _relation(name: str) -> dict[str, frozenset[str]]:
    return {diagnosis: frozenset(others.split("|")) for diagnosis, others in rows(MAPPINGS / f"{name}.tsv", 2)}
