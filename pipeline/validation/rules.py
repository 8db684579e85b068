"""What ``mappings/validation`` says of the elements of published resources: the rules that the models lack.

Belongs here: reading the rules, and the regular expressions of ids and references.  Does not belong here: applying them
(``validation.resources`` to say what is wrong, ``validation.compiled`` to see quickly that nothing is).  The files are
made from HL7's own definitions by ``tools/fhir_rules.py``.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec
import orjson

from pipeline.data import MAPPINGS
from pipeline.paths import FhirVersion

PACKAGE: Final = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}
"""Where the models are. R4B and R4 are the same for the published resource types."""
ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
"""Data type ``id`` of FHIR R4 and R5."""
LOCAL: Final = re.compile(rf"([A-Za-z]{{1,64}})/({ID.pattern})")
"""A relative reference, without a version: the only form that every loader takes."""


class Element(msgspec.Struct, frozen=True):
    """What is said of one element: data type, resource types it may refer to, required value set, cardinality."""

    type: str | None = None
    targets: list[str] | None = None
    values: str | None = None
    min: int = 0


class _Rules(msgspec.Struct):
    elements: dict[str, dict[str, Element]]
    values: dict[str, dict[str, list[str]]]
    systems: dict[str, list[str]]
    extensions: list[str]


@cache
def _rules(version: FhirVersion) -> _Rules:
    return msgspec.json.decode((MAPPINGS / "validation" / f"{version}.json").read_bytes(), type=_Rules)


def elements(version: FhirVersion) -> Mapping[str, Mapping[str, Element]]:
    """The rules of each element, by data type (``"AdverseEvent.suspectEntity"``) and name."""
    return _rules(version).elements


@cache
def code_systems(version: FhirVersion) -> dict[str, frozenset[str]]:
    """HL7's own code systems and all their codes."""
    return {system: frozenset(codes) for system, codes in _rules(version).systems.items()}


@cache
def value_set(url: str, version: FhirVersion) -> frozenset[tuple[str, str]]:
    """System and code of each member of a required value set."""
    return frozenset((system, code) for system, codes in _rules(version).values[url].items() for code in codes)


@cache
def extensions(version: FhirVersion) -> frozenset[str]:
    """URLs of HL7's extensions and of those of its guides that we use; ours by the end of their URL, see ``tail``."""
    guides = orjson.loads((MAPPINGS / "validation" / "extensions.json").read_bytes())["guides"].values()
    used = {guide["base"] + name for guide in guides for name in guide["names"]}
    return frozenset(_rules(version).extensions) | used | frozenset(map(tail, own_extensions(version)))


@cache
def own_extensions(version: FhirVersion) -> tuple[str, ...]:
    """URLs of our own extensions under the default base."""
    from pipeline.fhir import profiles

    return tuple(profile["url"] for profile in profiles(version) if profile["resourceType"] == "StructureDefinition")


def tail(url: str) -> str:
    """The end of a canonical URL (``"StructureDefinition/naranjo"``): what precedes it is a setting."""
    return "/".join(url.rsplit("/", 2)[1:])
