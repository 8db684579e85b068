"""Checks of one FHIR resource: fhir.resources' models, and the rules of the specification that they lack.

Belongs here: what can be said of a resource by itself.  Does not belong here: whether what it refers to is there (the
``references`` suite), and expectations on tables.  The rules are data (``mappings/validation``, made from HL7's own
definitions by ``tools/fhir_rules.py``): codes of required bindings, codes of HL7's own code systems, reference targets,
required elements, extension URLs; and the form of ids.

Messages are ``"path: rule"`` and quote no value of a resource, for values may come from the report.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

import msgspec
import orjson

from pipeline.paths import RESOURCE_TYPES, FhirVersion
from pipeline.validation.compiled import sound
from pipeline.validation.rules import (
    ID,
    LOCAL,
    PACKAGE,
    Element,
    code_systems,
    elements,
    extensions,
    tail,
    value_set,
)

Json = dict[str, Any]


class Checked(msgspec.Struct, kw_only=True, frozen=True):
    """A resource as the JSON that is published, and what later stages ask of it, so that none has to read it again.

    ``problems`` (``check``) hold no report text; ``narrative``: whether there is one; ``references``: see there.
    """

    type: str
    id: str
    json: msgspec.Raw
    problems: list[str]
    narrative: bool
    references: list[tuple[str, str]]


class CaseResources(msgspec.Struct, kw_only=True, frozen=True):
    """The resources of one case in one FHIR version, in dependency order."""

    case_id: str
    report_id: str
    resources: list[Checked]


_PART: Final = re.compile(r"extension\[\d+\]\.extension\[\d+\]\.$")


def check(resource: Json, version: FhirVersion) -> list[str]:
    """What is wrong with ``resource``, each as ``"path: rule"`` without values; empty for a valid one.

    A type that the dataset does not publish (``paths.RESOURCE_TYPES``) is wrong by itself.
    """
    try:
        line = orjson.dumps(resource)
    except TypeError:  # no JSON: the model says so
        return problems(resource, version)
    return [] if sound(line, version) else problems(resource, version)


def checked(resource: Json, version: FhirVersion) -> Checked:
    """``check`` a resource and write it. Raises TypeError where it cannot be written as JSON."""
    line = orjson.dumps(resource)
    return described(resource, line, [] if sound(line, version) else problems(resource, version))


def described(resource: Json, line: bytes, problems: list[str]) -> Checked:
    """``resource`` with its JSON ``line``, and ``problems`` that are known."""
    return Checked(
        type=resource.get("resourceType", ""),
        id=resource.get("id", ""),
        json=msgspec.Raw(line),
        problems=problems,
        narrative=bool(resource.get("text", {}).get("div")),
        references=references(resource),
    )


def problems(resource: Json, version: FhirVersion) -> list[str]:
    """``check``, the long way for all resources: by the models and by each rule. ``sound`` saves most of them this."""
    resource_type = resource.get("resourceType")
    if resource_type not in RESOURCE_TYPES:
        return ["resourceType: not one of the published types"]
    return [*_model_problems(resource, resource_type, version), *_rule_problems(resource, resource_type, version)]


def references(resource: Json) -> list[tuple[str, str]]:
    """Path and target (``Type/id``, or whatever is written) of each literal reference, ``#contained`` ones aside."""
    found: list[tuple[str, str]] = []
    _collect(resource, (), found)
    return found


def _collect(value: Json | list[Any], path: tuple[int | str, ...], found: list[tuple[str, str]]) -> None:
    """The references in ``value``, which stands at ``path``, and below. Every element passes here: it is kept quick."""
    if isinstance(value, dict):
        target = value.get("reference")
        if isinstance(target, str) and not target.startswith("#"):
            found.append((_dotted(path), target))
        parts: Iterable[tuple[int | str, Any]] = value.items()
    else:
        parts = enumerate(value)
    for step, child in parts:
        if (kind := type(child)) is dict or kind is list:
            _collect(child, (*path, step), found)


def _model_problems(resource: Json, resource_type: str, version: FhirVersion) -> Iterator[str]:
    from pydantic import ValidationError

    try:
        try:
            _model(resource_type, version).model_validate(resource)
        except ValidationError as error:
            for problem in error.errors(include_input=False, include_url=False, include_context=False):
                yield f"{_dotted(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
    except (AttributeError, KeyError, TypeError, UnicodeEncodeError):
        # Some validators of fhir.resources, and its messages, expect what others have to ensure.
        yield "(resource): an element is of another type than the model can tell"


def _dotted(location: tuple[int | str, ...]) -> str:
    steps = [f"[{step}]" if type(step) is int else f".{step}" for step in location]
    return "".join(steps).lstrip(".") or "(resource)"


@cache
def _model(resource_type: str, version: FhirVersion) -> Any:
    return getattr(import_module(f"{PACKAGE[version]}.{resource_type.lower()}"), resource_type)


def _rule_problems(resource: Json, resource_type: str, version: FhirVersion) -> Iterator[str]:
    if not isinstance(identifier := resource.get("id"), str) or not ID.fullmatch(identifier):
        yield "id: 1 to 64 letters, digits, hyphens and dots"
    yield from _object_problems(resource, resource_type, "", version)


def _object_problems(node: Any, kind: str, path: str, version: FhirVersion) -> Iterator[str]:
    """Problems of an object of data type ``kind`` and of all below it, as far as the rules know types."""
    if not isinstance(node, dict):
        return  # the model says so
    rules = elements(version).get(kind, {})
    for name in _required(kind, version):
        if name not in node and f"_{name}" not in node:
            yield f"{path}{name}: required"
    if kind == "Coding":
        yield from _coding_problems(node, path, version)
    elif kind == "Extension":
        yield from _extension_problems(node, path, version)
    for name, value in node.items():
        place = f"{path}{name}"
        rule = rules.get(name)
        if rule and rule.values:
            yield from _binding_problems(value, rule, place, version)
        if rule and rule.targets:
            for item in _objects(_each(value)):
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
    return tuple(name for name, rule in elements(version).get(kind, {}).items() if rule.min)


def _coding_problems(coding: Json, path: str, version: FhirVersion) -> Iterator[str]:
    codes = code_systems(version).get(str(coding.get("system")))
    if codes is not None and str(coding.get("code")) not in codes:
        yield f"{path}code: not a code of its code system"


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _objects(values: list[Any]) -> list[Json]:
    """Those that are objects: of others the model says that they should be."""
    return [value for value in values if isinstance(value, dict)]


def _binding_problems(value: Any, rule: Element, place: str, version: FhirVersion) -> Iterator[str]:
    members = value_set(str(rule.values), version)
    codes = {code for _, code in members}
    for item in _each(value):
        if isinstance(item, str):
            known = item in codes
        else:
            codings = [item] if rule.type == "Coding" or not isinstance(item, dict) else _each(item.get("coding"))
            known = any((str(c.get("system")), str(c.get("code"))) in members for c in _objects(codings))
        if not known:
            yield f"{place}: a code of {rule.values} is required"


def _target_problems(value: Json, targets: list[str], place: str) -> Iterator[str]:
    reference = value.get("reference")
    if isinstance(reference, dict):  # CodeableReference
        reference, place = reference.get("reference"), f"{place}.reference"
    if not isinstance(reference, str) or reference.startswith("#"):
        return
    local = LOCAL.fullmatch(reference)
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
    if url not in extensions(version) and tail(url) not in extensions(version):
        yield f"{path}url: unknown extension"
