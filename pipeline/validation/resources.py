"""Checks of one FHIR resource: fhir.resources' models, and the rules of the specification that they lack.

Belongs here: what can be said of a resource by itself.  Does not belong here: whether what it refers to is there (the
``references`` suite), and expectations on tables.  The rules are data (``mappings/validation``, made from HL7's own
definitions by ``tools/fhir_rules.py``): codes of required bindings, codes of HL7's own code systems, reference targets,
required elements, extension URLs; and the form of ids.

Messages are ``"path: rule"`` and quote no value of a resource, for values may come from the report.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

import msgspec
import orjson

from pipeline.data import MAPPINGS
from pipeline.paths import RESOURCE_TYPES, FhirVersion

Json = dict[str, Any]


class CaseResources(msgspec.Struct, kw_only=True, frozen=True):
    """The resources of one case in one FHIR version, in dependency order, and what is wrong with each of them.

    ``problems`` runs parallel to ``resources`` (``check`` of each) and never holds report text.
    """

    case_id: str
    report_id: str
    resources: list[Json]
    problems: list[list[str]]


class _Element(msgspec.Struct, frozen=True):
    """What ``mappings/validation`` says of one element; see the comment at the top of those files."""

    type: str | None = None
    targets: list[str] | None = None
    values: str | None = None
    min: int = 0


class _Rules(msgspec.Struct):
    elements: dict[str, dict[str, _Element]]
    values: dict[str, dict[str, list[str]]]
    systems: dict[str, list[str]]
    extensions: list[str]


_PACKAGE: Final = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}
"""R4B and R4 are the same for the published resource types."""
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
"""Data type ``id`` of FHIR R4 and R5."""
_LOCAL: Final = re.compile(r"([A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
"""A relative reference, without a version: the only form that every loader takes."""
_PART: Final = re.compile(r"extension\[\d+\]\.extension\[\d+\]\.$")


def check(resource: Json, version: FhirVersion) -> list[str]:
    """What is wrong with ``resource``, each as ``"path: rule"`` without values; empty for a valid one.

    A type that the dataset does not publish (``paths.RESOURCE_TYPES``) is wrong by itself.
    """
    resource_type = resource.get("resourceType")
    if resource_type not in RESOURCE_TYPES:
        return ["resourceType: not one of the published types"]
    return [*_model_problems(resource, resource_type, version), *_rule_problems(resource, resource_type, version)]


def references(resource: Json) -> Iterator[tuple[str, str]]:
    """Path and target (``Type/id``, or whatever is written) of each literal reference, ``#contained`` ones aside."""
    for path, value in _walk(resource, ""):
        target = value.get("reference")
        if isinstance(target, str) and not target.startswith("#"):
            yield path, target


def _walk(value: Any, path: str) -> Iterator[tuple[str, Json]]:
    """Every object in ``value`` with its path, list positions included."""
    if isinstance(value, dict):
        yield path, value
        for key, child in value.items():
            yield from _walk(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from _walk(child, f"{path}[{position}]")


def _model_problems(resource: Json, resource_type: str, version: FhirVersion) -> Iterator[str]:
    from pydantic import ValidationError

    try:
        _model(resource_type, version).model_validate(resource)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False, include_context=False):
            yield f"{_dotted(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"


def _dotted(location: tuple[int | str, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in location]
    return "".join(steps).lstrip(".") or "(resource)"


@cache
def _model(resource_type: str, version: FhirVersion) -> Any:
    return getattr(import_module(f"{_PACKAGE[version]}.{resource_type.lower()}"), resource_type)


@cache
def _rules(version: FhirVersion) -> _Rules:
    return msgspec.json.decode((MAPPINGS / "validation" / f"{version}.json").read_bytes(), type=_Rules)


@cache
def _code_systems(version: FhirVersion) -> dict[str, frozenset[str]]:
    return {system: frozenset(codes) for system, codes in _rules(version).systems.items()}


@cache
def _value_set(url: str, version: FhirVersion) -> frozenset[tuple[str, str]]:
    return frozenset((system, code) for system, codes in _rules(version).values[url].items() for code in codes)


@cache
def _extensions(version: FhirVersion) -> frozenset[str]:
    """HL7's extensions, those of its guides that we use, and ours by the end of their URL (the base is a setting)."""
    from pipeline.fhir import profiles

    guides = orjson.loads((MAPPINGS / "validation" / "extensions.json").read_bytes())["guides"].values()
    own = {_tail(profile["url"]) for profile in profiles(version) if profile["resourceType"] == "StructureDefinition"}
    used = {guide["base"] + name for guide in guides for name in guide["names"]}
    return frozenset(_rules(version).extensions) | used | own


def _tail(url: str) -> str:
    return "/".join(url.rsplit("/", 2)[1:])


def _rule_problems(resource: Json, resource_type: str, version: FhirVersion) -> Iterator[str]:
    if not isinstance(identifier := resource.get("id"), str) or not _ID.fullmatch(identifier):
        yield "id: 1 to 64 letters, digits, hyphens and dots"
    yield from _object_problems(resource, resource_type, "", version)


def _object_problems(node: Any, kind: str, path: str, version: FhirVersion) -> Iterator[str]:
    """Problems of an object of data type ``kind`` and of all below it, as far as the rules know types."""
    if not isinstance(node, dict):
        return  # the model says so
    elements = _rules(version).elements.get(kind, {})
    for name in _required(kind, version):
        if name not in node and f"_{name}" not in node:
            yield f"{path}{name}: required"
    if kind == "Coding":
        yield from _coding_problems(node, path, version)
    elif kind == "Extension":
        yield from _extension_problems(node, path, version)
    for name, value in node.items():
        place = f"{path}{name}"
        rule = elements.get(name)
        if rule and rule.values:
            yield from _binding_problems(value, rule, place, version)
        if rule and rule.targets:
            for item in _each(value):
                yield from _target_problems(item, rule.targets, place)
        # A primitive's own extensions stand beside it, under its name with an underscore.
        child = (
            rule.type if rule else "Element" if name.startswith("_") else "Extension" if name == "extension" else None
        )
        if child is None:
            continue
        if isinstance(value, list):
            for position, item in enumerate(value):
                yield from _object_problems(item, child, f"{place}[{position}].", version)
        else:
            yield from _object_problems(value, child, f"{place}.", version)


@cache
def _required(kind: str, version: FhirVersion) -> tuple[str, ...]:
    return tuple(name for name, rule in _rules(version).elements.get(kind, {}).items() if rule.min)


def _coding_problems(coding: Json, path: str, version: FhirVersion) -> Iterator[str]:
    codes = _code_systems(version).get(str(coding.get("system")))
    if codes is not None and coding.get("code") not in codes:
        yield f"{path}code: not a code of its code system"


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _binding_problems(value: Any, rule: _Element, place: str, version: FhirVersion) -> Iterator[str]:
    members = _value_set(str(rule.values), version)
    codes = {code for _, code in members}
    for item in _each(value):
        if isinstance(item, str):
            known = item in codes
        else:
            codings = [item] if rule.type == "Coding" else item.get("coding", [])
            known = any((coding.get("system"), coding.get("code")) in members for coding in codings)
        if not known:
            yield f"{place}: a code of {rule.values} is required"


def _target_problems(value: Json, targets: list[str], place: str) -> Iterator[str]:
    reference = value.get("reference")
    if isinstance(reference, dict):  # CodeableReference
        reference, place = reference.get("reference"), f"{place}.reference"
    if not isinstance(reference, str) or reference.startswith("#"):
        return
    local = _LOCAL.fullmatch(reference)
    if not local:
        yield f"{place}.reference: must be a relative Type/id"
    elif local[1] not in targets and "Resource" not in targets:
        yield f"{place}.reference: may not point to {local[1]}"


def _extension_problems(extension: Json, path: str, version: FhirVersion) -> Iterator[str]:
    url = extension.get("url")
    if not isinstance(url, str):
        return  # the model says so
    if _PART.search(path) and "/" not in url:
        return  # parts of a complex extension have names, and only its own definition could tell which
    if url not in _extensions(version) and _tail(url) not in _extensions(version):
        yield f"{path}url: unknown extension"
