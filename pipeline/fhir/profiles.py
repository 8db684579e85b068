"""Our own extensions, code systems, value sets and search parameters, from ``mappings/fhir/profiles.toml``."""

import tomllib
from functools import cache
from typing import Any

from pipeline.data import MAPPINGS
from pipeline.fhir.codes import code_rows
from pipeline.fhir.elements import narrative
from pipeline.fhir.settings import Options, Resource, Version

_FHIR_VERSION = {"R4": "4.0.1", "R5": "5.0.0"}
_DEFAULTS = Options()
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"
_ID_PREFIX = "case2fhir-"
"""Ids are shared by all that a server holds, and others define a rechallenge too."""


@cache
def _definitions() -> dict[str, Any]:
    return tomllib.loads((MAPPINGS / "fhir" / "profiles.toml").read_text(encoding="utf-8"))


def _name(id_: str) -> str:
    return "".join(word.capitalize() for word in id_.replace("_", "-").split("-"))


def _header(kind: str, id_: str, definition: dict[str, Any], options: Options) -> Resource:
    id_ = id_.replace("_", "-")
    return {
        "resourceType": kind,
        "id": f"{_ID_PREFIX}{id_}",
        "text": narrative(definition["title"], [("Description", definition["description"])]),
        "url": f"{options.base}/{kind}/{id_}",
        "version": "1.0.0",
        "name": _name(id_),
        "title": definition["title"],
        "status": "active",
        "experimental": False,
        "date": "2026-11-21",
        "publisher": "case2fhir",
        "description": definition["description"],
    }


def profiles(version: Version, *, options: Options = _DEFAULTS) -> list[Resource]:
    """All own definitions for one FHIR version: code systems, value sets, extensions, search parameters."""
    definitions = _definitions()
    return [
        *(_code_system(d, options) for d in definitions["code_system"]),
        *(_value_set(d, options) for d in definitions["value_set"]),
        *(_extension(d, version, options) for d in definitions["extension"]),
        *(_search_parameter(d, options) for d in definitions["search_parameter"] if d["fhir"] == version),
    ]


def _code_system(definition: dict[str, Any], options: Options) -> Resource:
    result = _header("CodeSystem", definition["id"], definition, options)
    foreign = definition.get("system")
    if foreign:
        result |= {"url": foreign, "publisher": definition["publisher"]}
    system = foreign or f"{{base}}/CodeSystem/{definition['id']}"
    concepts = {
        row.code: {"code": row.code, "display": row.display, "definition": row.display}
        for row in code_rows()
        if row.system == system
    }
    return result | {
        "caseSensitive": True,
        "content": "fragment" if foreign else "complete",
        "concept": list(concepts.values()),
    }


def _value_set(definition: dict[str, Any], options: Options) -> Resource:
    systems: dict[str, dict[str, Resource]] = {}
    for row in code_rows():
        if row.map == definition["id"]:
            system = row.system.replace("{base}", options.base)
            systems.setdefault(system, {})[row.code] = {"code": row.code, "display": row.display}
    include = [{"system": system, "concept": list(concepts.values())} for system, concepts in systems.items()]
    return _header("ValueSet", definition["id"], definition, options) | {"compose": {"include": include}}


def _search_parameter(definition: dict[str, Any], options: Options) -> Resource:
    search: Resource = definition["search"]
    return _header("SearchParameter", definition["id"], definition, options) | search


def _extension(definition: dict[str, Any], version: Version, options: Options) -> Resource:
    result = _header("StructureDefinition", definition["id"], definition, options)
    elements: list[Resource] = [
        {
            "id": "Extension",
            "path": "Extension",
            "short": definition["title"],
            "definition": definition["description"],
            "min": 0,
            "max": definition.get("max", "1"),
        }
    ]
    elements += _content("Extension", "Extension", definition, result["url"], options)
    return result | {
        "fhirVersion": _FHIR_VERSION[version],
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": path} for path in definition["context"]],
        "type": "Extension",
        "baseDefinition": _EXTENSION,
        "derivation": "constraint",
        "differential": {"element": elements},
    }


def _content(id_: str, path: str, definition: dict[str, Any], url: str, options: Options) -> list[Resource]:
    """The elements below an extension: its parts, its url, its value."""
    parts = definition.get("part") or definition.get("parts") or []
    found: list[Resource] = []
    if not parts:
        found.append({"id": f"{id_}.extension", "path": f"{path}.extension", "max": "0"})
    for part in parts:
        part_id, part_path = f"{id_}.extension:{part['id']}", f"{path}.extension"
        found.append(
            {
                "id": part_id,
                "path": part_path,
                "sliceName": part["id"],
                "min": part.get("min", 0),
                "max": part.get("max", "1"),
            }
        )
        found += _content(part_id, part_path, part, part["id"], options)
    found.append({"id": f"{id_}.url", "path": f"{path}.url", "fixedUri": url})
    if parts:
        found.append({"id": f"{id_}.value[x]", "path": f"{path}.value[x]", "max": "0"})
        return found
    value: Resource = {
        "id": f"{id_}.value[x]",
        "path": f"{path}.value[x]",
        "min": 1,
        "type": [{"code": definition["value"]}],
    }
    if values := definition.get("values"):
        value["binding"] = {
            "strength": "required",
            "valueSet": f"{options.base}/ValueSet/{values.replace('_', '-')}",
        }
    found.append(value)
    return found
