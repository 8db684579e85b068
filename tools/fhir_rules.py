"""Make ``mappings/validation/{R4,R5}.json`` from HL7's own definitions.

Usage, in a folder with the unpacked npm packages (``npm pack NAME``, ``tar xzf``, one folder each)::

    python tools/fhir_rules.py R4 hl7.fhir.r4b.core hl7.terminology.r4 hl7.fhir.uv.extensions.r4 > R4.json
    python tools/fhir_rules.py R5 hl7.fhir.r5.core hl7.terminology.r5 hl7.fhir.uv.extensions.r5 > R5.json

Where two packages define the same code system, the first wins: R4 output uses the codes of R4's own edition.  Kept are
only the elements, codes and reference targets that the published resource types can reach.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pipeline.paths import RESOURCE_TYPES

Definition = dict[str, Any]

BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
CODES_AT_MOST: Final = 600
"""Larger code systems (languages, currencies, media types) are not listed; their codes are not checked here."""
OWN_SYSTEMS: Final = ("http://hl7.org/fhir/", "http://terminology.hl7.org/CodeSystem/")
"""Code systems that HL7 defines completely: any code that they do not list is an error in any element."""
NOT_HERE: Final = ("Resource", "Meta", "Extension.id")


class Packages:
    """Definitions by canonical URL, the first package's first."""

    def __init__(self, folders: list[Path]) -> None:
        self._by_url: dict[str, Definition] = {}
        self.sources = []
        for folder in folders:
            package = json.loads((folder / "package" / "package.json").read_bytes())
            self.sources.append(f"{package['name']} {package['version']} ({package['license']})")
            for file in sorted((folder / "package").glob("*-*.json")):
                if file.name.startswith(("StructureDefinition-", "ValueSet-", "CodeSystem-")):
                    definition = json.loads(file.read_bytes())
                    self._by_url.setdefault(definition["url"], definition)

    def get(self, url: str) -> Definition | None:
        """The definition of a canonical URL, whatever version it names."""
        return self._by_url.get(url.partition("|")[0])

    def extensions(self, types: Iterable[str]) -> list[str]:
        """URLs of HL7's extensions that may stand in one of ``types``, in a primitive type or in any element."""
        anywhere = {"Element", "Resource", "DomainResource", *types, *self._primitives()}
        return sorted(
            url
            for url, definition in self._by_url.items()
            if definition.get("type") == "Extension"
            and any(c["expression"].partition(".")[0] in anywhere for c in definition.get("context", []))
        )

    def _primitives(self) -> list[str]:
        return [d["type"] for d in self._by_url.values() if d.get("kind") == "primitive-type"]

    def codes(self, system: str) -> list[str] | None:
        """All codes of a complete code system of HL7's; None for one that is not listed here, or is too large."""
        definition = self.get(system)
        if definition is None or definition.get("content") != "complete" or not system.startswith(OWN_SYSTEMS):
            return None
        codes = list(_concepts(definition.get("concept", [])))
        return sorted(codes) if len(codes) <= CODES_AT_MOST else None

    def members(self, value_set: str) -> dict[str, list[str]] | None:
        """Codes of a value set by system; None where they cannot be listed (filters, external or large systems)."""
        definition = self.get(value_set)
        if definition is None or "exclude" in definition.get("compose", {}):
            return None
        members: dict[str, set[str]] = {}
        for include in definition["compose"]["include"]:
            for nested in include.get("valueSet", []):
                inner = self.members(nested)
                if inner is None:
                    return None
                for system, codes in inner.items():
                    members.setdefault(system, set()).update(codes)
            if "filter" in include:
                return None
            if system := include.get("system"):
                listed = [c["code"] for c in include["concept"]] if "concept" in include else self.codes(system)
                if listed is None:
                    return None
                members.setdefault(system, set()).update(listed)
        return {system: sorted(codes) for system, codes in sorted(members.items())}


def _concepts(concepts: list[Definition]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _concepts(concept.get("concept", []))


class Rules:
    """Collects what the resource types reach."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages
        self.elements: dict[str, dict[str, Definition]] = {}
        self.values: dict[str, dict[str, list[str]]] = {}
        self.systems: dict[str, list[str]] = {}

    def add(self, type_name: str) -> None:
        """Take in a resource or data type and whatever its elements are made of."""
        definition = self.packages.get(BASE + type_name)
        if type_name in self.elements or type_name in NOT_HERE or definition is None:
            return
        if definition["kind"] == "primitive-type" or definition.get("abstract"):
            return
        self.elements[type_name] = {}
        for element in definition["snapshot"]["element"][1:]:
            self._element(element)

    def _element(self, element: Definition) -> None:
        parent, _, name = element["path"].rpartition(".")
        types = element.get("type", [])
        if reference := element.get("contentReference"):
            self._put(parent, name, {"type": reference.rpartition("#")[2]})
        for choice in types:
            code = choice["code"]
            key = name.replace("[x]", code[0].upper() + code[1:])
            if code in ("BackboneElement", "Element"):
                self._put(parent, key, {"type": element["path"]})
                self.elements.setdefault(element["path"], {})
                continue
            self.add(code)
            rule: Definition = {"type": code} if code in self.elements else {}
            if targets := [t.removeprefix(BASE) for t in choice.get("targetProfile", []) if "Reference" in code]:
                rule["targets"] = sorted(targets)
            if values := self._binding(element):
                rule["values"] = values
            if element["min"] > 0 and len(types) == 1:
                rule["min"] = element["min"]
            if rule:
                self._put(parent, key, rule)

    def _binding(self, element: Definition) -> str | None:
        """The value set of a required binding; all code systems that a binding draws on are noted."""
        binding = element.get("binding", {})
        if "valueSet" not in binding:
            return None
        url = binding["valueSet"].partition("|")[0]
        members = self.packages.members(url)
        for system in members or ():
            if (codes := self.packages.codes(system)) is not None:
                self.systems[system] = codes
        if binding["strength"] != "required" or members is None:
            return None
        self.values[url] = members
        return str(url)

    def _put(self, parent: str, key: str, rule: Definition) -> None:
        self.elements.setdefault(parent, {})[key] = rule


def main(version: str, folders: list[str]) -> None:
    """Print the rules of one FHIR version as JSON."""
    packages = Packages([Path(folder) for folder in folders])
    rules = Rules(packages)
    for resource_type in RESOURCE_TYPES:
        rules.add(resource_type)
    document = {
        "about": [
            f"What the {version} specification asks of the published resource types beyond what models of them check.",
            "elements: type -> element -> {type: data type or backbone path; targets: what a Reference may point to;",
            "values: value set of a required binding; min: how often it must be there}; elements without rules are",
            "left out. values: value set -> system -> codes. systems: all codes of HL7's own systems, in any element.",
            "extensions: URLs of HL7's extensions that may stand in these types.",
        ],
        "sources": packages.sources,
        "made_by": "tools/fhir_rules.py",
        "elements": rules.elements,
        "values": rules.values,
        "systems": rules.systems,
        "extensions": packages.extensions(rules.elements),
    }
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
