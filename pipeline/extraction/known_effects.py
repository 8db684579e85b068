"""Knows what drugs and classes of drugs are known to do (``mappings/extraction/known_effects.tsv``).

Belongs here: that relation of names.  Does not belong here: what a text says of them, which comes first.
"""

from functools import cache, lru_cache

from pipeline.extraction.drug_groups import classes_of
from pipeline.extraction.numbers import table
from pipeline.extraction.weights import weights

_COMMON = weights("candidates")["common effect"]


@cache
def _effects() -> dict[str, tuple[str, ...]]:
    """Beginnings of words by drug or class, groups written out."""
    found: dict[str, tuple[str, ...]] = {}
    for name, effects in table("known_effects", 2):
        parts = effects.split("|")
        found[name] = tuple(word for part in parts for word in (found[part] if part.startswith("@") else (part,)))
    return found


@cache
def effects(drug: str) -> tuple[str, ...]:
    """Beginnings of words of the disorders that a drug, or a class it belongs to, is known to cause; sorted."""
    return tuple(sorted({word for name in (drug, *classes_of(drug)) for word in _effects().get(name, ())}))


def words(name: str) -> list[int]:
    """Where the words of a name begin."""
    return [0, *(n + 1 for n, sign in enumerate(name) if sign in " -/")]


@lru_cache(maxsize=1 << 16)
def known(drug: str, disorder: str) -> bool:
    """Is the drug known to cause the disorder? Both are names of concepts."""
    beginnings = effects(drug)
    return any(disorder.startswith(beginnings, start) for start in words(disorder))


@lru_cache(maxsize=1 << 16)
def by_nature(disorder: str) -> bool:
    """Is the disorder mostly caused by drugs, whichever ("drug eruption")?"""
    return any(disorder.startswith(_effects()["@by nature"], start) for start in words(disorder))


@lru_cache(maxsize=1 << 16)
def of_disease(disorder: str) -> bool:
    """Is it the course of the disease under treatment, which drugs fail to stop and do not cause ("metastasis")?"""
    return any(disorder.startswith(_effects()["@of the disease"], start) for start in words(disorder))


@lru_cache(maxsize=1 << 16)
def specific(disorder: str) -> float:
    """How few of the listed drugs and classes are known to cause it: from 0 (all) to 1 (hardly any)."""
    starts = words(disorder)
    listed = [begins for name, begins in _effects().items() if not name.startswith("@")]
    share = sum(any(disorder.startswith(begins, start) for start in starts) for begins in listed) / len(listed)
    return max(0.0, 1.0 - share / _COMMON)
