"""Knows groups of drugs: what belongs to a class, and what it is given for (``mappings/extraction/drug_groups.tsv``).

Belongs here: that relation.  Does not belong here: what follows for a case, and names of drugs (``terminology``).
"""

from functools import cache, lru_cache
from typing import NamedTuple

from pipeline.extraction.numbers import table
from pipeline.terminology import Entry


class Class(NamedTuple):
    """One line of the file. ``use`` are beginnings of ICD-10 codes, or of words of a disorder's name, in lower case.

    ``rescue`` tells whether the class is often (``True``) or hardly ever (``False``) given against a reaction.
    """

    name: str
    members: frozenset[str]
    beginnings: tuple[str, ...]
    endings: tuple[str, ...]
    excluded: frozenset[str]
    use: tuple[str, ...]
    rescue: bool | None


@cache
def classes() -> dict[str, Class]:
    """All classes by name."""
    found: dict[str, Class] = {}
    for name, members, use, rescue in table("drug_groups", 4):
        parts = [part for part in members.split("|") if part]
        found[name] = Class(
            name,
            frozenset(p for p in parts if p[0] not in "-!" and p[-1] != "-"),
            tuple(p[:-1] for p in parts if p[-1] == "-"),
            tuple(p[1:] for p in parts if p[0] == "-"),
            frozenset(p[1:] for p in parts if p[0] == "!"),
            tuple(part for part in use.lower().split("|") if part),
            {"yes": True, "no": False}.get(rescue),
        )
    return found


@cache
def classes_of(name: str) -> frozenset[str]:
    """Names of all classes that a drug or a class belongs to, through other classes, too; not its own name."""
    found: set[str] = set()
    new = {name}
    while new:
        new = {
            one.name
            for one in classes().values()
            for member in new
            if one.name not in found and one.name != name and member not in one.excluded
            and (
                member in one.members
                or (member not in classes() and (member.endswith(one.endings) or member.startswith(one.beginnings)))
            )
        }  # fmt: skip
        found |= new
    return frozenset(found)


def rescues(name: str) -> bool | None:
    """Is the drug often (``True``), hardly ever (``False``) or sometimes (``None``) given against a reaction?"""
    known = {classes()[one].rescue for one in (name, *classes_of(name)) if one in classes()}
    return True if True in known else False if False in known else None


@cache
def uses(name: str) -> tuple[str, ...]:
    """Beginnings of the ICD-10 codes (lower case) or of words of the disorders that the drug is usually given for."""
    return tuple(sorted({u for one in (name, *classes_of(name)) if one in classes() for u in classes()[one].use}))


def terms(disorder: Entry | None) -> tuple[str, ...]:
    """What ``uses`` are compared with: the ICD-10 codes of a disorder, in lower case, and the words of its name."""
    if disorder is None:
        return ()
    return (*(c.code.lower() for c in disorder.codings if "icd-10" in c.system), *disorder.name.split())


@lru_cache(maxsize=1 << 16)
def treats(name: str, disorder: tuple[str, ...]) -> bool:
    """Is the drug usually given for the disorder of these ``terms``?"""
    known = uses(name)
    return any(term.startswith(known) for term in disorder)
