"""The FHIR resources of a case, each with the facts that it states.

Belongs here: from the ids of resources to pointers into the Case record; resources as text to copy.  Does not belong
here: making resources (``pipeline.fhir``), whose ids this reads: ``<key>-<part>``, the part naming a position.
"""

import base64
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.paths import FhirVersion
from pipeline.records import Case
from pipeline.review.facts import Fact
from pipeline.review.text import HIDDEN

_PART: Final = re.compile(
    r"-(?:(?P<patient>patient)|history-(?P<history>\d+)|reaction-(?P<condition>\d+)-condition|reaction-(?P<event>\d+)"
    r"|drug-(?P<drug>\d+)-exposure-(?P<exposure>\d+))$"
)


@dataclass(frozen=True)
class Entry:
    """One resource: what it is called, and the facts it states."""

    type: str
    id: str
    about: str
    facts: tuple[Fact, ...]


def entries(case: Case, facts: Sequence[Fact], resources: Sequence[dict[str, Any]]) -> list[Entry]:
    """The resources in their order, which is that of dependency."""
    stated = [fact for fact in facts if not fact.absent]
    return [
        Entry(
            str(resource.get("resourceType")),
            str(resource.get("id")),
            _about(resource),
            tuple(fact for fact in stated if _states(case, str(resource.get("id")), fact.pointer)),
        )
        for resource in resources
    ]


def packed(resources: Mapping[FhirVersion, Sequence[dict[str, Any]]]) -> str:
    """The JSON of all resources, one text each, by version: deflated, in base64; a tenth of its size.

    As text and not as values, so that no browser changes a number.  Characters that do not show are escaped.
    """
    texts = {version: [_json(resource) for resource in some] for version, some in resources.items()}
    return base64.b64encode(zlib.compress(orjson.dumps(texts))).decode()


def _json(resource: dict[str, Any]) -> str:
    def escaped(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be")
        return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))

    return HIDDEN.sub(escaped, orjson.dumps(resource).decode())


def _about(resource: dict[str, Any]) -> str:
    """A few words on a resource: what it codes."""
    medicine = resource.get("medicationCodeableConcept") or resource.get("medication", {}).get("concept")
    doses = [dosage.get("text") for dosage in resource.get("dosage", [])]
    coded = medicine or resource.get("code") or resource.get("event") or {}
    words = [coded.get("text") or resource.get("description"), *doses]
    return ", ".join(filter(None, words))


def _states(case: Case, resource_id: str, pointer: str) -> bool:
    """Whether the resource states the fact: by the position that its id names (``docs/fhir-mapping.md``)."""
    found = _PART.search(resource_id)
    if not found:
        return False
    if found["patient"]:
        return pointer.startswith("patient/") and not pointer.startswith("patient/history/")
    if found["history"]:
        return pointer == f"patient/history/{int(found['history']) - 1}"
    if found["condition"]:
        at = f"reactions/{int(found['condition']) - 1}"
        return pointer in (at, f"{at}/outcome")
    if found["drug"]:
        at = f"drugs/{int(found['drug']) - 1}"
        own = f"{at}/exposures/{int(found['exposure']) - 1}"
        return pointer in (at, own, f"{at}/role", f"{at}/action_taken") or pointer.startswith(f"{at}/indications/")
    index = int(found["event"]) - 1
    if index >= len(case.reactions):
        return False
    starts = [f"reactions/{index}"]
    starts += [f"assessments/{i}" for i, a in enumerate(case.assessments) if a.reaction == case.reactions[index].id]
    return pointer == "patient/age" or any(pointer == at or pointer.startswith(f"{at}/") for at in starts)
